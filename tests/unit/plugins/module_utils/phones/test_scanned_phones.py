# SPDX-License-Identifier: GPL-3.0-or-later
"""Scanned units as phones: variables, groups, duplicates, OUIs that do not fit."""

from __future__ import annotations

import pytest
from sample_scans import ATA, CISCO, HEX_SERIAL, LINKSYS, POLY, TABLE, problems_of, read

from ansible_collections.voip.preprovision.plugins.module_utils.common.mac import Mac, parse_mac
from ansible_collections.voip.preprovision.plugins.module_utils.families.catalogue import BUILTIN
from ansible_collections.voip.preprovision.plugins.module_utils.phones.model_labels import find_model
from ansible_collections.voip.preprovision.plugins.module_utils.phones.scan_columns import Column
from ansible_collections.voip.preprovision.plugins.module_utils.phones.scanned_phones import group_name


def test_reads_a_phone():
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


def test_reads_a_phone_with_only_a_mac_address():
    (phone,) = read("00005e005301", defaults=ATA).phones
    assert (phone.name, phone.line, phone.groups) == ("phone-00005e005301", 1, ("model_ata192",))
    assert phone.variables == {"phone_mac": "00:00:5e:00:53:01", "phone_model": "ATA192"}


def test_a_column_overrides_the_default():
    text = "mac,model,customer\n00005e005301,,\n00005e005302,SPA504G,own"
    phones = read(text, defaults={Column.MODEL: "ATA192", Column.CUSTOMER: "all"}).phones
    assert [(phone.model.name, phone.variables["phone_customer"]) for phone in phones] == [("ATA192", "all"), ("SPA504G", "own")]


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


def test_applies_group_prefixes():
    (phone,) = read("mac,model,customer\n00005e005301,ATA192,Example", prefixes={Column.CUSTOMER: "c_", Column.MODEL: ""}).phones
    assert phone.groups == ("c_example", "ata192")


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        (
            f"{TABLE}00005e005301,A001,ATA192,a,x\n0000.5E00.5301,A001,ATA192,a,x",
            ["line 3: the MAC address 00:00:5e:00:53:01 is already on line 2; scan each unit once"],
        ),
        (
            f"{TABLE}00005e005301,a001,ATA192\n00005e005302,A001,SPA504G",
            ["line 3: the serial number A001 is already on line 2; scan each unit once"],
        ),
        (
            f"{TABLE}00005e005301,,ATA192,,desk\n00005e005302,,ATA192,,desk",
            ["line 3: the name desk is already on line 2; scan each unit once"],
        ),
        (
            f"{TABLE}01005e005301,A001,ATA192\n000000000000,A002,ATA192\n00005e00530,A003,ATA192",
            [
                "line 2: '01005e005301' is a group (multicast) address, which no phone has; check the first two digits",
                "line 3: '000000000000' is the all-zero address, which no phone has; check the label",
                "line 4: '00005e00530' is not a MAC address; write twelve hexadecimal digits, such as 00:00:5e:00:53:01",
            ],
        ),
        (
            f"{TABLE}00005e005301,00:00:5e:00:53:02,ATA192\n00005e005302,A B C D,ATA192\n00005e005303,00-00-5E-00-53-04,ATA192",
            [
                "line 2: '00:00:5e:00:53:02' is not a serial number; it is a MAC address; are the two mixed up?",
                "line 3: 'A B C D' is not a serial number; write 4 to 32 letters and digits",
                "line 4: '00-00-5E-00-53-04' is not a serial number; it is a MAC address; are the two mixed up?",
            ],
        ),
        (
            f"{TABLE}00005e005301,,ATA192,Example Co\n00005e005302,,ATA192,Example Co\n00005e005303,,ATA192,Example-Co",
            [
                "line 4: the customer 'Example-Co' and 'Example Co' of line 2 would be the same group customer_example_co;"
                " spell them the same, or more differently"
            ],
        ),
        ("model=ATA193\n00005e005301\n00005e005302", ["line 1: unknown model 'ATA193'; did you mean 'ATA192'?"]),
        (
            "model=ATA192\n01:00:5e:00:53:01\n\n00-00-00-00-00-00\nFCH0000D001",
            [
                "line 2: '01:00:5e:00:53:01' is a group (multicast) address, which no phone has; check the first two digits",
                "line 4: '00-00-00-00-00-00' is the all-zero address, which no phone has; check the label",
            ],
        ),
        (
            "ATA192\n00005e005301\nFCH0000D001\nATA192\n00005e005301\nFCH0000D001",
            ["line 5: the MAC address 00:00:5e:00:53:01 is already on line 2; scan each unit once"],
        ),
        ("ATA192\nFCH0000D001\n", ["line 1: this unit has no MAC address; scan it"]),
    ],
)
def test_rejects_invalid_units(text, problems):
    found = problems_of(text)
    assert len(found) == len(problems)
    for line, problem in zip(found, problems, strict=True):
        assert line.startswith(f"scans.csv {problem}")


def test_rejects_a_unit_twice_in_one_line():
    assert problems_of("MAC: 00005e005301; MAC: 00005e005301", defaults=ATA) == [
        "scans.csv line 1: the MAC address 00:00:5e:00:53:01 is already on line 1; scan each unit once"
    ]


@pytest.mark.parametrize(
    ("model", "mac", "owner"),
    [
        ("ATA192", CISCO, None),
        ("SPA504G", LINKSYS, None),
        ("ATA192", "00005e005301", None),
        ("ATA192", POLY, "Polycom"),
        ("CP-8851-3PCC", "00005e005401", "ICANN, IANA Department"),
        ("SPA504G", HEX_SERIAL, "no one"),
    ],
)
def test_warns_of_an_oui_that_does_not_fit_the_model(model, mac, owner):
    found = read(f"mac,model\n{mac},{model}")
    assert len(found.phones) == 1
    family = find_model(model).family.name
    unit = f"line 2 (phone-{mac.lower()}, {model})"
    assert found.warnings == (
        ()
        if owner is None
        else (
            f"scans.csv: {unit}: the MAC address begins with {parse_mac(mac).colon[:8]},"
            f" which is registered to {owner}, not to the maker of the family {family}; check the label",
        )
    )


def test_combines_units_with_one_oui_in_one_warning():
    rows = "".join(f"{POLY[:10]}{number:02x}\n" for number in range(20))
    (warning,) = read(f"mac\n{rows}", defaults=ATA).warnings
    assert warning.startswith("scans.csv: line 2 (phone-0004f2000000, ATA192), line 3 ")
    assert "line 6 (phone-0004f2000004, ATA192) and 15 more: the MAC address begins with 00:04:f2" in warning
