# SPDX-License-Identifier: GPL-3.0-or-later
"""Scans without a header: which code is what, and where a unit ends."""

from __future__ import annotations

import pytest
from sample_scans import ATA, CISCO, HEX_SERIAL, LINKSYS, POLY, problems_of, read, units

from ansible_collections.voip.preprovision.plugins.module_utils.phones.scan_columns import Column


@pytest.mark.parametrize(
    ("text", "mac", "serial"),
    [
        # By column, however it looks
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
def test_tells_mac_addresses_from_serial_numbers(text, mac, serial):
    assert units(text, defaults=ATA) == [(mac.lower(), serial, "ATA192")]


@pytest.mark.parametrize("codes", [[HEX_SERIAL, "88019FA42806"], [HEX_SERIAL], ["080020000001", "080020000002"]])
def test_rejects_codes_that_may_be_either(codes):
    said = " and ".join(f"'{code}'" for code in codes)
    assert problems_of("# codes\n" + "\n".join(codes), defaults=ATA) == [
        f"scans.csv line 2: {said} may be a MAC address or a serial number;"
        " write a header line such as mac,serial above the codes, or MAC: before the MAC address"
    ]


def test_reads_units_with_mac_and_serial_in_either_order():
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
def test_a_missing_code_is_an_error(lost, sentence):
    codes = ["00005e005301", "FCH0000D001", "00005e005302", "FCH0000D002", "00005e005303", "FCH0000D003"]
    problems = problems_of("\n".join(codes[:lost] + codes[lost + 1 :]), defaults=ATA)
    assert [problem.startswith(f"scans.csv {sentence}") for problem in problems] == [True]


def test_blank_lines_separate_units():
    text = "00005e005301\n\nFCH0000D002\n00005e005302\n \n00005e005303\nFCH0000D003"
    assert [unit[:2] for unit in units(text, defaults=ATA)] == [
        ("00005e005301", ""),
        ("00005e005302", "FCH0000D002"),
        ("00005e005303", "FCH0000D003"),
    ]


def test_settings_apply_to_the_units_after_them():
    text = (
        "00005e005301\ncustomer=Example = Co\nmodel=spa504g\n00005e005302\n00005e005303\nCustomer = other\n00005e005304\n"
        "model=\nphone_note=on loan\n00005e005305\n"
    )
    phones = read(text, defaults={Column.MODEL: "ATA192", Column.CUSTOMER: "first"}).phones
    assert [(phone.line, phone.variables["phone_customer"], phone.model.name) for phone in phones] == [
        (1, "first", "ATA192"),
        (4, "Example = Co", "SPA504G"),
        (5, "Example = Co", "SPA504G"),
        (7, "other", "SPA504G"),
        (10, "other", "ATA192"),
    ]
    assert [phone.variables.get("phone_note") for phone in phones] == [None, None, None, None, "on loan"]


def test_a_labelled_value_applies_to_its_unit():
    text = "customer=first\n00005e005301\n\n00005e005302\nCustomer: second\n\n00005e005303"
    assert [phone.variables["phone_customer"] for phone in read(text, defaults=ATA).phones] == ["first", "second", "first"]


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        (
            "model=ATA192\n00005e005301\n00:00:5e:00:53\nhttp://example.net/\nscanner",
            [
                "line 3: '00:00:5e:00:53' is neither a MAC address nor a serial number nor a known model",
                "line 4: 'http://example.net/' is neither a MAC address nor a serial number nor a known model",
                "line 5: 'scanner' is neither a MAC address nor a serial number nor a known model",
            ],
        ),
        (
            "ATA192\t00005e005301\t00005e005301",
            ["line 1: this unit has MAC address, but others around it have MAC address and model; a code is missing"],
        ),
    ],
)
def test_rejects_invalid_codes(text, problems):
    found = problems_of(text)
    assert len(found) == len(problems)
    for line, problem in zip(found, problems, strict=True):
        assert line.startswith(f"scans.csv {problem}")
