# SPDX-License-Identifier: GPL-3.0-or-later
"""Scanned labels as phones: every shape of file, which code is what, and all that is refused."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils import scans
from ansible_collections.voip.preprovision.plugins.module_utils.families import BUILTIN, ModelError
from ansible_collections.voip.preprovision.plugins.module_utils.mac import Mac, parse_mac
from ansible_collections.voip.preprovision.plugins.module_utils.scans import (
    CUSTOMER,
    MODEL,
    SYNONYMS,
    ScanError,
    decode,
    find_model,
    group_name,
    oui_owner,
    read_label,
    read_scans,
)

ATA = {MODEL: "ATA192"}
# Of Linksys and of Cisco in the register
LINKSYS = "000E08AABB01"
CISCO = "8843E1000001"
# A serial number of a real unit that is nothing but hexadecimal digits
HEX_SERIAL = "88019FA42805"
POLY = "0004F2000001"
PID = "ATA192-3PW-K9"


def read(text, file="scans.csv", **options):
    return read_scans(text, file, **options)


def units(text, **options):
    """MAC address, serial number and model of each phone."""
    found = read(text, **options).phones
    return [(phone.mac.plain, phone.variables.get("phone_serial", ""), phone.model.name) for phone in found]


def refused(text, **options):
    with pytest.raises(ScanError) as caught:
        read(text, **options)
    return str(caught.value).splitlines()


TWO = [("00005e005301", "FCH0000D001", "ATA192"), ("00005e005302", "FCH0000D002", "SPA504G")]


@pytest.mark.parametrize(
    "text",
    [
        "mac,serial,model\n00:00:5e:00:53:01,FCH0000D001,ATA192\n00005E005302,FCH0000D002,SPA504G\n",
        "Model;Serial Number;MAC Address\r\nata192;fch0000d001;0000.5e00.5301\r\nspa504g;FCH0000D002;00-00-5E-00-53-02",
        "S/N\tP/N\tMAC\rFCH0000D001\tATA192-3PW-K9\t00 00 5e 00 53 01\rFCH0000D002\tSPA504G\t00005e-005302\r",
        "phone_mac,phone_model,phone_serial\n00005e005301,ATA192-MPP,FCH0000D001\n\n00005e005302,SPA504G,FCH0000D002,,\n",
        '# pallet\n\n"MAC","PID","SN"\n"MAC: 00005e005301","ATA192","S/N FCH0000D001"\n# other\n00005e005302,SPA504G,FCH0000D002',
        # Codes alone
        "00005e005301\nFCH0000D001\nATA192\n00005e005302\nFCH0000D002\nSPA504G\n",
        "ATA192\r\nFCH0000D001\t\r\n00:00:5e:00:53:01\t\r\nSPA504G\r\n00:00:5e:00:53:02\t\r\nFCH0000D002\r\n",
        "00005e005301\n\nFCH0000D001\n\nATA192\n\n00005e005302\n\nFCH0000D002\n\nSPA504G\n\n",
        "model=ATA192\n00005e005301\nFCH0000D001\nmodel=SPA504G\nFCH0000D002\n00005e005302\n",
        "MAC: 00005e005301\nS/N: FCH0000D001\nP/N: ATA192-3PW-K9\nMAC 00005e005302\nserial number FCH0000D002\nPID SPA504G",
        "00005e005301\tFCH0000D001\tATA192\r\n00005e005302\tFCH0000D002\tSPA504G\r\n",
        "\x0200005e005301\x03\n\x1dFCH0000D001\x00\nATA192\n00005e005302\nFCH0000D002\nSPA504G",
    ],
)
def test_shapes_of_a_file(text):
    assert units(text) == TWO


def test_a_phone():
    columns = "name,mac,serial,model,customer,site,phone_address,phone_Note"
    text = f"{columns}\ndesk,00005E005301,fch0000d001,ata192,Example  GmbH,Berlin,192.0.2.5,\n"
    (phone,) = read(text).phones
    assert (phone.name, phone.line, phone.mac, phone.model) == ("desk", 2, Mac("00005e005301"), BUILTIN.find_model("ATA192"))
    assert phone.groups == ("customer_example_gmbh", "model_ata192")
    assert phone.variables == {
        "phone_mac": "00:00:5e:00:53:01",
        "phone_serial": "FCH0000D001",
        "phone_model": "ATA192",
        "phone_customer": "Example GmbH",
        "phone_site": "Berlin",
        "phone_address": "192.0.2.5",
    }


def test_a_phone_of_a_mac_alone():
    (phone,) = read("00005e005301", defaults=ATA).phones
    assert (phone.name, phone.line, phone.groups) == ("phone-00005e005301", 1, ("model_ata192",))
    assert phone.variables == {"phone_mac": "00:00:5e:00:53:01", "phone_model": "ATA192"}


def test_settings_hold_for_what_follows():
    text = (
        "00005e005301\ncustomer=Example = Co\nmodel=spa504g\n00005e005302\n00005e005303\nCustomer = other\n00005e005304\n"
        "model=\nphone_note=on loan\n00005e005305\n"
    )
    phones = read(text, defaults={MODEL: "ATA192", CUSTOMER: "first"}).phones
    assert [(phone.line, phone.variables["phone_customer"], phone.model.name) for phone in phones] == [
        (1, "first", "ATA192"),
        (4, "Example = Co", "SPA504G"),
        (5, "Example = Co", "SPA504G"),
        (7, "other", "SPA504G"),
        (10, "other", "ATA192"),
    ]
    assert [phone.variables.get("phone_note") for phone in phones] == [None, None, None, None, "on loan"]


def test_a_label_holds_for_its_unit():
    text = "customer=first\n00005e005301\n\n00005e005302\nCustomer: second\n\n00005e005303"
    assert [phone.variables["phone_customer"] for phone in read(text, defaults=ATA).phones] == ["first", "second", "first"]


def test_a_column_comes_before_the_default():
    text = "mac,model,customer\n00005e005301,,\n00005e005302,SPA504G,own"
    phones = read(text, defaults={MODEL: "ATA192", CUSTOMER: "all"}).phones
    assert [(phone.model.name, phone.variables["phone_customer"]) for phone in phones] == [("ATA192", "all"), ("SPA504G", "own")]


@pytest.mark.parametrize(("kind", "word"), [(kind, word) for kind, words in SYNONYMS.items() for word in (kind, *words)])
def test_synonyms_of_columns(kind, word):
    values = {"phone_mac": "00:00:5e:00:53:01", "phone_serial": "FCH0000D001", "phone_model": "SPA504G"}
    for spelling in (word, word.upper(), word.title(), f" {word.replace(' ', '_')} ", word.replace(" ", ""), f"{word}:"):
        columns = {"phone_mac": "mac", "phone_model": "model", kind: spelling}
        row = [values.get(column, "own") for column in columns]
        (phone,) = read(f"{','.join(columns.values())}\n{','.join(row)}").phones
        assert {"name": phone.name, **phone.variables}[kind] == values.get(kind, "own")


# ---- a MAC address or a serial number


@pytest.mark.parametrize(
    ("text", "mac", "serial"),
    [
        # By column, whatever it looks like
        (f"serial,mac\n{HEX_SERIAL},{LINKSYS}", LINKSYS, HEX_SERIAL),
        (f"serial,mac\n{LINKSYS},{CISCO}", CISCO, LINKSYS),
        (f"mac,serial\n{POLY},{POLY}", POLY, POLY),
        # By label and by separators
        (f"SN: {LINKSYS}\nMAC: {CISCO}", CISCO, LINKSYS),
        (f"{HEX_SERIAL}\n88-01-9f-a4-28-06", "88019FA42806", HEX_SERIAL),
        (f"8801.9fa4.2806\n{HEX_SERIAL}", "88019FA42806", HEX_SERIAL),
        # By OUI: of a maker of phones
        (f"{LINKSYS}\n{HEX_SERIAL}", LINKSYS, HEX_SERIAL),
        (f"{HEX_SERIAL}\n{LINKSYS}", LINKSYS, HEX_SERIAL),
        (f"{HEX_SERIAL}\n00005E005301", "00005E005301", HEX_SERIAL),
        # By OUI: of anybody (08:00:20 is Oracle's)
        (f"{HEX_SERIAL}\n080020000001", "080020000001", HEX_SERIAL),
        (f"080020000001\n{HEX_SERIAL}", "080020000001", HEX_SERIAL),
        ("080020000001", "080020000001", ""),
        # By what else the unit has
        (f"{HEX_SERIAL}\nFCH0000D001", HEX_SERIAL, "FCH0000D001"),
        (f"FCH0000D001\n{HEX_SERIAL}", HEX_SERIAL, "FCH0000D001"),
        (f"00:00:5e:00:53:01\n{HEX_SERIAL}", "00005E005301", HEX_SERIAL),
        # Twelve digits that cannot be a MAC address
        ("018012345678\n00005E005301", "00005E005301", "018012345678"),
        ("4MM00F903042\n00005E005301", "00005E005301", "4MM00F903042"),
    ],
)
def test_which_is_the_mac(text, mac, serial):
    assert units(text, defaults=ATA) == [(mac.lower(), serial, "ATA192")]


@pytest.mark.parametrize("codes", [[HEX_SERIAL, "88019FA42806"], [HEX_SERIAL], ["080020000001", "080020000002"]])
def test_nothing_tells_which_is_the_mac(codes):
    said = " and ".join(f"'{code}'" for code in codes)
    assert refused("# codes\n" + "\n".join(codes), defaults=ATA) == [
        f"scans.csv line 2: {said} may be a MAC address as well as a serial number;"
        " write a header line such as mac,serial above the codes, or MAC: before the MAC address"
    ]


def test_many_units_in_either_order():
    text = f"{LINKSYS}\n{HEX_SERIAL}\n88019FA42806\n000E08AABB02\nFCH0000D001\n{CISCO}\n"
    assert [unit[:2] for unit in units(text, defaults=ATA)] == [
        (LINKSYS.lower(), HEX_SERIAL),
        ("000e08aabb02", "88019FA42806"),
        (CISCO.lower(), "FCH0000D001"),
    ]


@pytest.mark.parametrize(
    ("lost", "sentence"),
    [
        # Of three units with MAC address and serial number, one code is missing
        (0, "line 5: this unit has serial, but others"),
        (1, "line 1: this unit has MAC address, but others"),
        (2, "line 5: this unit has serial, but others"),
        (3, "line 3: this unit has MAC address, but others"),
        (4, "line 5: this unit has serial, but others"),
        (5, "line 5: this unit has MAC address, but others"),
    ],
)
def test_a_missing_code_never_pairs_the_others_wrongly(lost, sentence):
    codes = ["00005e005301", "FCH0000D001", "00005e005302", "FCH0000D002", "00005e005303", "FCH0000D003"]
    problems = refused("\n".join(codes[:lost] + codes[lost + 1 :]), defaults=ATA)
    assert [problem.startswith(f"scans.csv {sentence}") for problem in problems] == [True]


def test_blank_lines_keep_units_apart():
    text = "00005e005301\n\nFCH0000D002\n00005e005302\n \n00005e005303\nFCH0000D003"
    assert [unit[:2] for unit in units(text, defaults=ATA)] == [
        ("00005e005301", ""),
        ("00005e005302", "FCH0000D002"),
        ("00005e005303", "FCH0000D003"),
    ]


# ---- models and groups


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("ATA192", "ATA192"),
        (" ata192 ", "ATA192"),
        ("ATA192-MPP", "ATA192"),
        ("ATA191-3PW-K9", "ATA191"),
        ("CP-8851-3PCC", "CP-8851-3PCC"),
        ("CP-8851-3PCC-K9=", "CP-8851-3PCC"),
        ("cp-8851-3pcc-k9", "CP-8851-3PCC"),
        ("CP-8811-3PCC-K9++=", "CP-8811-3PCC"),
        ("CP-8811-3PC-RC-K9=", "CP-8811-3PCC"),
        ("CP-6861-3PW-K9", "CP-6861-3PCC"),
        ("CP-7811-3PW-NA-K9=", "CP-7811-3PCC"),
        ("SPA122-XU", "SPA122"),
        ("SPA525G2", "SPA525G2"),
    ],
)
def test_models(text, name):
    assert find_model(text).name == name


@pytest.mark.parametrize("text", ["CP-8851-K9=", "CP-8851NR-K9++=", "CP-8832-EU-W-K9", "ATA191-K9"])
def test_units_with_other_firmware(text):
    sentence = f"'{text}' is the product ID of a unit with other firmware; multiplatform units have 3PCC or 3PW in it"
    with pytest.raises(ModelError, match=f"^{re.escape(sentence)}$"):
        find_model(text)
    assert refused(f"00005e005301\n{text}") == [f"scans.csv line 2: {sentence}"]


def test_models_of_ones_own():
    catalogue = BUILTIN.extended({"acme": {"models": ["ACME-1"]}})
    assert units("ACME-1\n080020000001", catalogue=catalogue) == [("080020000001", "", "ACME-1")]
    # Nobody knows who makes them, so no OUI is wrong
    assert read("model,mac\nacme-1,080020000001", catalogue=catalogue).warnings == ()


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("example", "customer_example"),
        (" Example GmbH & Co. ", "customer_example_gmbh_co"),
        ("Café-Müller", "customer_cafe_muller"),
        ("Große 7", "customer_grosse_7"),
        ("CP-8851-3PCC", "customer_cp_8851_3pcc"),
        ("Пример", "customer_пример"),
        ("&!", ""),
        ("", ""),
    ],
)
def test_group_names(value, name):
    assert group_name("customer_", value) == name


@pytest.mark.parametrize(("prefix", "name"), [("", ""), ("x-", ""), ("c", "c7"), ("_", "_7")])
def test_group_names_are_identifiers(prefix, name):
    assert group_name(prefix, "7") == name


def test_prefixes_of_groups():
    (phone,) = read("mac,model,customer\n00005e005301,ATA192,Example", prefixes={CUSTOMER: "c_", MODEL: ""}).phones
    assert phone.groups == ("c_example", "ata192")


# ---- what is refused, and what is doubtful

TABLE = "mac,serial,model,customer,name\n"


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        (
            f"{TABLE}00005e005301,A001,ATA192,a,x\n0000.5E00.5301,A001,ATA192,a,x",
            ["line 3: the MAC address 00:00:5e:00:53:01 is that of line 2 too; each unit is scanned once"],
        ),
        (
            f"{TABLE}00005e005301,a001,ATA192\n00005e005302,A001,SPA504G",
            ["line 3: the serial number A001 is that of line 2 too; each unit is scanned once"],
        ),
        (
            f"{TABLE}00005e005301,,ATA192,,desk\n00005e005302,,ATA192,,desk",
            ["line 3: the name desk is that of line 2 too; each unit is scanned once"],
        ),
        (
            f"{TABLE}01005e005301,A001,ATA192\n000000000000,A002,ATA192\n00005e00530,A003,ATA192",
            [
                "line 2: '01005e005301' is a group (multicast) address, which no phone has; check the first two digits",
                "line 3: '000000000000' is the all-zero address, which no phone has",
                "line 4: '00005e00530' is not a MAC address; write twelve hexadecimal digits, as 00:00:5e:00:53:01",
            ],
        ),
        (
            # All at once, in the order of lines
            f"{TABLE},A001,ATA193,?,no good\n00005e005302,A001",
            [
                "line 2: 'no good' cannot name a host; write letters, digits, dots, hyphens and underscores",
                "line 2: the customer '?' after 'customer_' makes no name of a group; use letters and digits",
                "line 2: the model 'ATA193' is not known; did you mean ATA192?",
                "line 2: this unit has no MAC address",
                "line 3: the serial number A001 is that of line 2 too; each unit is scanned once",
                "line 3: this unit has no model; scan it, give the file a model column, or set a model for all",
            ],
        ),
        (
            f"{TABLE}00005e005301,00:00:5e:00:53:02,ATA192\n00005e005302,A B C D,ATA192\n00005e005303,00-00-5E-00-53-04,ATA192",
            [
                "line 2: '00:00:5e:00:53:02' is not a serial number; it is a MAC address; are they mixed up?",
                "line 3: 'A B C D' is not a serial number; write 4 to 32 letters and digits",
                "line 4: '00-00-5E-00-53-04' is not a serial number; it is a MAC address; are they mixed up?",
            ],
        ),
        (
            f"{TABLE}00005e005301,,ATA192,Example Co\n00005e005302,,ATA192,Example Co\n00005e005303,,ATA192,Example-Co",
            [
                "line 4: the customer 'Example-Co' and 'Example Co' of line 2 would be the same group customer_example_co;"
                " spell them alike, or further apart"
            ],
        ),
        (
            "mac,customer,model\n00005e005301,Example, Inc,ATA192",
            ["line 2: it has 4 cells and the header 3; put a cell that holds ',' in double quotes"],
        ),
        (
            'mac,model\n00005e005301,ATA192\n00005e005302,"ATA192',
            ["line 3: it cannot be read as a table: unexpected end of data; check its quotes"],
        ),
        (
            "MAC,Model,PID,mac address\n",
            [
                "line 1: the columns MAC and mac address all mean phone_mac; keep one",
                "line 1: the columns Model and PID all mean phone_model; keep one",
            ],
        ),
        (
            "# pallet\nserial,model\nA001,ATA192",
            ["line 2: no column holds the MAC address; call it one of mac, mac address, mac addr, mac id, ethernet address"],
        ),
        # Codes alone
        (
            "model=ATA192\n00005e005301\n00:00:5e:00:53\nhttp://example.net/\nscanner",
            [
                "line 3: '00:00:5e:00:53' is neither a MAC address nor a serial number nor a known model",
                "line 4: 'http://example.net/' is neither a MAC address nor a serial number nor a known model",
                "line 5: 'scanner' is neither a MAC address nor a serial number nor a known model",
            ],
        ),
        ("model=ATA193\n00005e005301\n00005e005302", ["line 1: the model 'ATA193' is not known; did you mean ATA192?"]),
        (
            "model=ATA192\n01:00:5e:00:53:01\n\n00-00-00-00-00-00\nFCH0000D001",
            [
                "line 2: '01:00:5e:00:53:01' is a group (multicast) address, which no phone has; check the first two digits",
                "line 4: '00-00-00-00-00-00' is the all-zero address, which no phone has",
            ],
        ),
        (
            "ATA192\n00005e005301\nFCH0000D001\nATA192\n00005e005301\nFCH0000D001",
            ["line 5: the MAC address 00:00:5e:00:53:01 is that of line 2 too; each unit is scanned once"],
        ),
        (
            "ATA192\t00005e005301\t00005e005301",
            ["line 1: this unit has MAC address, but others around it have MAC address and model; a code is missing"],
        ),
        ("ATA192\nFCH0000D001\n", ["line 1: this unit has no MAC address"]),
    ],
)
def test_refused(text, problems):
    found = refused(text)
    assert len(found) == len(problems)
    for line, problem in zip(found, problems, strict=True):
        assert line.startswith(f"scans.csv {problem}")


def test_the_same_unit_twice_in_one_line():
    assert refused("MAC: 00005e005301; MAC: 00005e005301", defaults=ATA) == [
        "scans.csv line 1: the MAC address 00:00:5e:00:53:01 is that of line 1 too; each unit is scanned once"
    ]


def test_a_wrong_default_is_told_once():
    assert refused("00005e005301\n00005e005302", defaults={MODEL: "ATA193"}) == [
        "the model for all units without one: the model 'ATA193' is not known; did you mean ATA192?"
    ]


def test_the_line_is_where_a_cell_begins():
    text = 'mac,model,customer\n00005e005301,ATA192,"two\nlines"\n00005e00530,ATA192,x'
    assert refused(text)[0].startswith("scans.csv line 4: '00005e00530' is not a MAC address")


@pytest.mark.parametrize("text", ["", "\n \n", "# nothing yet", "mac,serial\n"])
def test_nothing_scanned_yet(text):
    assert read(text) == scans.Scans((), ("scans.csv: it holds no unit",))


def test_columns_that_are_ignored():
    assert read("Price,mac,model,,Phone number,phone_note\n1,00005e005301,ATA192,,2,3").warnings == (
        "scans.csv: columns that are ignored: Price, Phone number; for variables of a phone write phone_ before the name",
    )


@pytest.mark.parametrize(
    ("model", "mac", "owner"),
    [
        ("ATA192", CISCO, None),
        ("SPA504G", LINKSYS, None),
        ("ATA192", "00005e005301", None),
        ("ATA192", POLY, "Polycom"),
        ("CP-8851-3PCC", "00005e005401", "ICANN, IANA Department"),
        ("SPA504G", HEX_SERIAL, "nobody"),
    ],
)
def test_an_oui_that_does_not_fit_the_model_is_a_warning(model, mac, owner):
    found = read(f"mac,model\n{mac},{model}")
    assert len(found.phones) == 1
    family = find_model(model).family.name
    unit = f"line 2 (phone-{mac.lower()}, {model})"
    assert found.warnings == (
        ()
        if owner is None
        else (
            f"scans.csv: {unit}: the MAC address begins with {parse_mac(mac).colon[:8]},"
            f" which belongs to {owner} and not to the maker of the family {family}; check the label",
        )
    )


def test_many_doubtful_units_are_one_warning():
    rows = "".join(f"{POLY[:10]}{number:02x}\n" for number in range(20))
    (warning,) = read(f"mac\n{rows}", defaults=ATA).warnings
    assert warning.startswith("scans.csv: line 2 (phone-0004f2000000, ATA192), line 3 ")
    assert "line 6 (phone-0004f2000004, ATA192) and 15 more: the MAC address begins with 00:04:f2" in warning


def test_owners():
    assert oui_owner(parse_mac(LINKSYS)) == "Cisco-Linksys, LLC"
    assert oui_owner(parse_mac(HEX_SERIAL)) == ""


def test_without_netaddr(monkeypatch):
    monkeypatch.setattr(scans, "netaddr", None)
    assert refused("") == ["the Python library netaddr is missing on the controller; install it, as pip install netaddr"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings(encoding):
    text = "mac,customer\n00005e005301,Café\n"
    assert decode(text.encode(encoding), "scans.csv") == text


def test_other_encodings_are_refused():
    with pytest.raises(ScanError, match=r"^scans\.csv line 2: it is not UTF-8 text; save the file as UTF-8$"):
        decode("mac,customer\n00005e005301,Café\n".encode("latin-1"), "scans.csv")


# ---- whatever the spelling and the order, the same phones

macs = st.lists(st.integers(0, 255), min_size=1, max_size=6, unique=True).map(
    lambda numbers: [f"00005e0053{number:02x}" for number in numbers]
)
styles = st.sampled_from(["plain", "upper", "colon", "dash", "dot"])
models = st.sampled_from(sorted(BUILTIN.models))
delimiters = st.sampled_from(",;\t")
newlines = st.sampled_from(["\n", "\r\n", "\r"])


@st.composite
def labels(draw):
    """Units with what a label says: MAC address, serial number, model."""
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
def test_any_spelling_and_any_order_of_columns(data, scanned):
    columns = data.draw(st.permutations(["mac", "serial", "model", "junk"]))
    delimiter = data.draw(delimiters)
    rows = [{**spelled(data.draw, unit), "junk": "?"} for unit in scanned]
    header = [data.draw(st.sampled_from([column, column.upper()])) for column in columns]
    text = data.draw(newlines).join([delimiter.join(header), *(delimiter.join(row[column] for column in columns) for row in rows)])
    assert units(text) == expected(scanned)


@given(st.data(), labels())
def test_any_order_of_codes(data, scanned):
    order = data.draw(st.permutations(["mac", "serial", "model"]))
    end = data.draw(st.sampled_from(["\n", "\r\n", "\t\r\n", "\n\n"]))
    text = "".join(spelled(data.draw, unit)[kind] + end for unit in scanned for kind in order)
    assert units(text) == expected(scanned)


@given(st.data(), labels())
def test_blank_lines_between_units_allow_any_order_in_each(data, scanned):
    blocks = [data.draw(st.permutations(list(spelled(data.draw, unit).values()))) for unit in scanned]
    assert units("\n\n".join("\n".join(block) for block in blocks)) == expected(scanned)


@given(st.data(), labels())
def test_a_lost_code_is_told_or_harmless(data, scanned):
    """Without blank lines, a code that is missing never gives a unit the serial number or the model of another."""
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
        return scans.Scans(()), str(error).splitlines()


@given(st.text(alphabet="0aF:-=,;\t\n\r\"' #ACPSmn/\x00é", max_size=60))
def test_anything_gives_phones_or_a_scan_error(text):
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
def test_one_label(text, codes):
    assert read_label(text) == codes


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("?!", "'?!' is neither a MAC address nor a serial number nor a known model"),
        (f"{LINKSYS},{CISCO}", "the label holds more than one MAC address; scan one unit at a time"),
        (f"{HEX_SERIAL},88019FA42806", f"'{HEX_SERIAL}' and '88019FA42806' may be a MAC address as well as a serial number;"),
    ],
)
def test_one_label_refused(text, problem):
    with pytest.raises(ScanError, match=re.escape(problem)):
        read_label(text)


@given(st.text())
def test_any_label_is_read_or_refused(text):
    try:
        codes = read_label(text)
    except ScanError:
        return
    assert all(codes.values())


@pytest.fixture
def wrong_register(monkeypatch):
    """A register whose index is that of another one, as Debian 12 has it."""

    class Wrong:
        def __init__(self, oui):
            self.reg_count = 1

        def registration(self, index=0):
            return SimpleNamespace(org="zte corporation")

    caches = (scans._register_is_right, scans._owner)
    monkeypatch.setattr(scans, "netaddr", type("Netaddr", (), {"OUI": Wrong, "NotRegisteredError": KeyError}))
    for cached in caches:
        cached.cache_clear()
    yield
    for cached in caches:
        cached.cache_clear()


@pytest.mark.usefixtures("wrong_register")
def test_a_register_that_names_others_is_not_believed():
    assert oui_owner(parse_mac(LINKSYS)) == ""
    assert read_label(LINKSYS) == {"": LINKSYS}
    assert read(f"mac,model\n{POLY},ATA192\n").warnings == ()


def test_a_label_is_read_without_netaddr(monkeypatch):
    monkeypatch.setattr(scans, "netaddr", None)
    scans._register_is_right.cache_clear()
    assert read_label("00:00:5e:00:53:01") == {"phone_mac": "00:00:5e:00:53:01"}
    scans._register_is_right.cache_clear()
