# SPDX-License-Identifier: GPL-3.0-or-later
"""Scanned labels as phones: every shape of file, encodings, single labels."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sample_scans import ATA, CISCO, HEX_SERIAL, LINKSYS, problems_of, read, units

from ansible_collections.voip.preprovision.plugins.module_utils.common.mac import Mac
from ansible_collections.voip.preprovision.plugins.module_utils.families.catalogue import BUILTIN
from ansible_collections.voip.preprovision.plugins.module_utils.phones import oui_register
from ansible_collections.voip.preprovision.plugins.module_utils.phones.label_scans import Scans, decode, read_label
from ansible_collections.voip.preprovision.plugins.module_utils.phones.scan_columns import Column
from ansible_collections.voip.preprovision.plugins.module_utils.phones.scan_units import ScanError

PID = "ATA192-3PW-K9"
TWO = [("00005e005301", "FCH0000D001", "ATA192"), ("00005e005302", "FCH0000D002", "SPA504G")]


@pytest.mark.parametrize(
    "text",
    [
        "mac,serial,model\n00:00:5e:00:53:01,FCH0000D001,ATA192\n00005E005302,FCH0000D002,SPA504G\n",
        "Model;Serial Number;MAC Address\r\nata192;fch0000d001;0000.5e00.5301\r\nspa504g;FCH0000D002;00-00-5E-00-53-02",
        "S/N\tP/N\tMAC\rFCH0000D001\tATA192-3PW-K9\t00 00 5e 00 53 01\rFCH0000D002\tSPA504G\t00005e-005302\r",
        "phone_mac,phone_model,phone_serial\n00005e005301,ATA192-MPP,FCH0000D001\n\n00005e005302,SPA504G,FCH0000D002,,\n",
        '# pallet\n\n"MAC","PID","SN"\n"MAC: 00005e005301","ATA192","S/N FCH0000D001"\n# other\n00005e005302,SPA504G,FCH0000D002',
        # Codes without a header
        "00005e005301\nFCH0000D001\nATA192\n00005e005302\nFCH0000D002\nSPA504G\n",
        "ATA192\r\nFCH0000D001\t\r\n00:00:5e:00:53:01\t\r\nSPA504G\r\n00:00:5e:00:53:02\t\r\nFCH0000D002\r\n",
        "00005e005301\n\nFCH0000D001\n\nATA192\n\n00005e005302\n\nFCH0000D002\n\nSPA504G\n\n",
        "model=ATA192\n00005e005301\nFCH0000D001\nmodel=SPA504G\nFCH0000D002\n00005e005302\n",
        "MAC: 00005e005301\nS/N: FCH0000D001\nP/N: ATA192-3PW-K9\nMAC 00005e005302\nserial number FCH0000D002\nPID SPA504G",
        "00005e005301\tFCH0000D001\tATA192\r\n00005e005302\tFCH0000D002\tSPA504G\r\n",
        "\x0200005e005301\x03\n\x1dFCH0000D001\x00\nATA192\n00005e005302\nFCH0000D002\nSPA504G",
    ],
)
def test_reads_every_shape_of_file(text):
    assert units(text) == TWO


def test_reports_an_invalid_default_once():
    assert problems_of("00005e005301\n00005e005302", defaults={Column.MODEL: "ATA193"}) == [
        "the model for all units without one: unknown model 'ATA193'; did you mean 'ATA192'?"
    ]


@pytest.mark.parametrize("text", ["", "\n \n", "# nothing yet", "mac,serial\n"])
def test_warns_of_a_file_without_units(text):
    assert read(text) == Scans((), ("scans.csv: it contains no units",))


def test_rejects_scans_without_netaddr(monkeypatch):
    monkeypatch.setattr(oui_register, "netaddr", None)
    assert problems_of("") == ["the Python library netaddr is missing on the controller; install it with pip install netaddr"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_decodes_unicode_encodings(encoding):
    text = "mac,customer\n00005e005301,Café\n"
    assert decode(text.encode(encoding), "scans.csv") == text


def test_rejects_other_encodings():
    with pytest.raises(ScanError, match=r"^scans\.csv line 2: it is not UTF-8 text; save the file as UTF-8$"):
        decode("mac,customer\n00005e005301,Café\n".encode("latin-1"), "scans.csv")


# ---- any spelling and order give the same phones

macs = st.lists(st.integers(0, 255), min_size=1, max_size=6, unique=True).map(
    lambda numbers: [f"00005e0053{number:02x}" for number in numbers]
)
styles = st.sampled_from(["plain", "upper", "colon", "dash", "dot"])
models = st.sampled_from(sorted(BUILTIN.models))
delimiters = st.sampled_from(",;\t")
newlines = st.sampled_from(["\n", "\r\n", "\r"])


@st.composite
def labels(draw):
    """Return units with their labels' MAC address, serial number and model."""
    return [
        {"mac": mac, "serial": f"FCH{number:04d}D{draw(st.integers(0, 999)):03d}", "model": draw(models)}
        for number, mac in enumerate(draw(macs))
    ]


def spelled(draw, unit):
    mac = getattr(Mac(unit["mac"]), draw(styles))
    model = draw(st.sampled_from([unit["model"], unit["model"].lower()]))
    return {"mac": mac, "serial": draw(st.sampled_from([unit["serial"], unit["serial"].lower()])), "model": model}


def expected(scanned):
    return [(unit["mac"], unit["serial"], unit["model"]) for unit in scanned]


@given(st.data(), labels())
def test_reads_columns_in_any_order_and_spelling(data, scanned):
    columns = data.draw(st.permutations(["mac", "serial", "model", "junk"]))
    delimiter = data.draw(delimiters)
    rows = [{**spelled(data.draw, unit), "junk": "?"} for unit in scanned]
    header = [data.draw(st.sampled_from([column, column.upper()])) for column in columns]
    text = data.draw(newlines).join([delimiter.join(header), *(delimiter.join(row[column] for column in columns) for row in rows)])
    assert units(text) == expected(scanned)


@given(st.data(), labels())
def test_reads_codes_in_any_order(data, scanned):
    order = data.draw(st.permutations(["mac", "serial", "model"]))
    end = data.draw(st.sampled_from(["\n", "\r\n", "\t\r\n", "\n\n"]))
    text = "".join(spelled(data.draw, unit)[kind] + end for unit in scanned for kind in order)
    assert units(text) == expected(scanned)


@given(st.data(), labels())
def test_blank_lines_allow_a_different_order_per_unit(data, scanned):
    blocks = [data.draw(st.permutations(list(spelled(data.draw, unit).values()))) for unit in scanned]
    assert units("\n\n".join("\n".join(block) for block in blocks)) == expected(scanned)


@given(st.data(), labels())
def test_a_lost_code_never_mixes_units(data, scanned):
    """Without blank lines, a missing code never gives a unit another's serial number or model."""
    order = data.draw(st.permutations(["mac", "serial", "model"]))
    codes = [unit[kind] for unit in scanned for kind in order]
    assume(len(scanned) > 2)
    del codes[data.draw(st.integers(0, len(codes) - 1))]
    with pytest.raises(ScanError):
        read("\n".join(codes))


def outcome(text):
    try:
        return read(text, defaults=ATA), []
    except ScanError as error:
        return Scans(()), str(error).splitlines()


@given(st.text(alphabet="0aF:-=,;\t\n\r\"' #ACPSmn/\x00é[)>]{}\x1d\x1e126", max_size=60))
def test_any_text_gives_phones_or_a_scan_error(text):
    found, problems = outcome(text)
    assert all(line.startswith("scans.csv line ") for line in problems)
    assert len({phone.mac for phone in found.phones}) == len(found.phones)


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("00:00:5e:00:53:01", {"phone_mac": "00:00:5e:00:53:01"}),
        ("\x02000E08AABB01\x03\r\n", {"phone_mac": LINKSYS}),
        ("fch0000d001", {"phone_serial": "fch0000d001"}),
        ("S/N: FCH0000D001", {"phone_serial": "FCH0000D001"}),
        (HEX_SERIAL, {"": HEX_SERIAL}),
        (f"{HEX_SERIAL}\t{LINKSYS}", {"phone_mac": LINKSYS, "phone_serial": HEX_SERIAL}),
        (f"{LINKSYS},FCH0000D001,{PID}", {"phone_mac": LINKSYS, "phone_serial": "FCH0000D001", "phone_model": PID}),
        ("customer=Example Ltd", {"phone_customer": "Example Ltd"}),
        ("S/N:", {}),
        ("", {}),
    ],
)
def test_reads_one_label(text, codes):
    assert read_label(text) == codes


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("?!", "'?!' is neither a MAC address nor a serial number nor a known model"),
        (f"{LINKSYS},{CISCO}", "the label has more than one MAC address; scan one unit at a time"),
        (f"{HEX_SERIAL},88019FA42806", f"'{HEX_SERIAL}' and '88019FA42806' may be a MAC address or a serial number;"),
    ],
)
def test_rejects_invalid_labels(text, problem):
    with pytest.raises(ScanError, match=re.escape(problem)):
        read_label(text)


@given(st.text())
def test_any_label_gives_codes_or_a_scan_error(text):
    try:
        codes = read_label(text)
    except ScanError:
        return
    assert all(codes.values())
