# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of emulated_phone."""

from __future__ import annotations

import pytest
import yaml

from ansible_collections.voip.preprovision.plugins.module_utils.emulator.device.habits import Habit
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.load.options import (
    HomeOptions,
    IpMode,
    LoadTestError,
    load_phones,
    read_options,
)
from ansible_collections.voip.preprovision.plugins.module_utils.families.model import FamilyError
from ansible_collections.voip.preprovision.plugins.module_utils.phones.phone import PhoneError
from ansible_collections.voip.preprovision.plugins.modules.emulated_phone import ARGUMENT_SPEC, DOCUMENTATION

ACME = {"acme": {"based_on": "spa", "models": ["ACME100"], "series": r"ACME(\d+)", "factory_rule": "/acme$PSN.cfg"}}


def option(**values):
    return {
        "name": "desk",
        "mac": "00:00:5e:00:53:01",
        "model": "ATA192",
        "serial": "",
        "certificate": None,
        "private_key": None,
        "parameters": {},
        "habits": [],
        **values,
    }


@pytest.mark.parametrize(
    ("model", "families", "expected"),
    [
        ("ata192", {}, ("ATA192", "ata19x", "/ata$PSN.cfg")),
        ("acme100", ACME, ("ACME100", "acme", "/acme$PSN.cfg")),
        ("ATA192", ACME, ("ATA192", "ata19x", "/ata$PSN.cfg")),
        ("ATA192", {"ata19x": {"factory_rule": "/other.cfg"}}, ("ATA192", "ata19x", "/other.cfg")),
    ],
)
def test_knows_builtin_and_given_families(model, families, expected):
    (phone,) = load_phones(read_options(params(phones=[option(model=model, serial="S1")], families=families)))
    assert (phone.model.name, phone.model.family.name, phone.model.family.factory_rule) == expected
    assert (phone.name, phone.mac.colon, phone.serial) == ("desk", "00:00:5e:00:53:01", "S1")


@pytest.mark.parametrize(
    ("options", "families", "error", "words"),
    [
        ([option(model="ACME100")], {}, PhoneError, "phone desk: phone_model: unknown model 'ACME100'"),
        ([option(mac="nonsense")], ACME, PhoneError, "phone desk: phone_mac: 'nonsense' is not a MAC address"),
        ([option(), option(name="twin")], {}, PhoneError, "phones desk and twin: phone_mac: all have 00:00:5e:00:53:01"),
        ([option()], {"acme": {"based_on": "spaa"}}, FamilyError, "family acme: based_on: unknown family 'spaa'"),
        ([option()], {"spa": {"factory_role": "/x"}}, FamilyError, "did you mean 'factory_rule'?"),
    ],
)
def test_rejects_invalid_phones(options, families, error, words):
    with pytest.raises(error) as caught:
        load_phones(read_options(params(phones=options, families=families)))
    assert words in str(caught.value)


def params(**values):
    return {**{name: spec.get("default") for name, spec in ARGUMENT_SPEC.items()}, **values}


SYNTHETIC = {"count": 2, "model": "ATA192", "first_mac": "00:00:5e:00:53:10"}


def test_adds_synthetic_phones_to_those_listed():
    options = read_options(params(phones=[option()], **SYNTHETIC))
    assert [phone.mac for phone in options.phones] == ["00:00:5e:00:53:01", "00:00:5e:00:53:10", "00:00:5e:00:53:11"]
    assert [phone.name for phone in load_phones(options)] == ["desk", "phone-1", "phone-2"]


def test_habits_of_the_run_are_added_to_those_of_a_phone():
    phones = [option(habits=["asks_twice"], parameters={"Resync_Periodic": 60})]
    listed, synthetic, _last = read_options(params(phones=phones, habits=["vendor_class_nul"], **SYNTHETIC)).phones
    assert listed.habits == {Habit.ASKS_TWICE, Habit.VENDOR_CLASS_NUL}
    assert synthetic.habits == {Habit.VENDOR_CLASS_NUL}
    assert (listed.parameters, synthetic.parameters) == ({"Resync_Periodic": "60"}, {})


def test_the_choices_of_both_options_are_the_habits():
    documented = yaml.safe_load(DOCUMENTATION)["options"]
    for spec in (documented["habits"], documented["phones"]["suboptions"]["habits"], ARGUMENT_SPEC["habits"]):
        assert spec["choices"] == [str(habit) for habit in Habit]


NO_OPTION_60 = {"habits": ["no_vendor_class"]}
EXCLUDE = "vendor_class_nul and no_vendor_class exclude each other"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"phones": [option(habits=["vendor_class_nul"])], **NO_OPTION_60}, f"phone desk: habits: {EXCLUDE}"),
        ({"phones": [option(user_agent="a\nb")]}, r"phone desk: user_agent is 'a\nb'; it must be printable ASCII"),
        ({**SYNTHETIC, "habits": ["vendor_class_nul", "no_vendor_class"]}, f"habits: {EXCLUDE}"),
        ({}, "no phones; list some in phones, or set count"),
        ({"count": -1}, "count is -1; it must be at least 0"),
        ({"count": 2}, "count also needs model and first_mac"),
        ({"count": 2, "model": "ATA192"}, "count also needs first_mac"),
        ({**SYNTHETIC, "ramp": -0.5}, "ramp is -0.5; it must be at least 0"),
        ({**SYNTHETIC, "lifetime": -1.0}, "lifetime is -1; it must be at least 0"),
        ({**SYNTHETIC, "speed": 0.0}, "speed is 0; it must be at least 1"),
        ({**SYNTHETIC, "parallel": 0}, "parallel is 0; it must be at least 1"),
        ({**SYNTHETIC, "reports": 0}, "reports is 0; it must be at least 1"),
        ({**SYNTHETIC, "first_mac": "x"}, "first_mac: 'x' is not a MAC address"),
    ],
)
def test_rejects_invalid_options(values, words):
    with pytest.raises(LoadTestError) as caught:
        read_options(params(**values))
    assert words in str(caught.value)


def home(**values):
    return {"name_servers": [], "records": {}, "ip_mode": "ipv4", "namespace": None, **values}


def test_phones_are_on_the_bench_without_home():
    assert read_options(params(phones=[option()])).home is None


def test_reads_the_customers_network():
    given = home(
        name_servers=["198.51.100.53", "2001:DB8::53"],
        records={"PROV.example.net.": ["203.0.113.1", "2001:db8:0::1"]},
        ip_mode="dual",
        namespace="behind-nat",
    )
    found = read_options(params(phones=[option()], home=given)).home
    assert found == HomeOptions(
        name_servers=("198.51.100.53", "2001:db8::53"),
        records={"prov.example.net": ("203.0.113.1", "2001:db8::1")},
        ip_mode=IpMode.DUAL,
        namespace="behind-nat",
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"name_servers": ["dns.example.net"]},
            "home: name_servers: 'dns.example.net' does not appear to be an IPv4 or IPv6 address",
        ),
        (
            {"records": {"prov.example.net": "203.0.113.1"}},
            "home: records: prov.example.net: list its addresses, such as [203.0.113.1]",
        ),
        ({"records": {"prov.example.net": []}}, "home: records: prov.example.net: list its addresses, such as [203.0.113.1]"),
        (
            {"records": {"prov.example.net": ["203.0.113.256"]}},
            "home: records: prov.example.net: '203.0.113.256' does not appear to be an IPv4 or IPv6 address",
        ),
    ],
)
def test_rejects_an_invalid_customers_network(values, message):
    with pytest.raises(LoadTestError) as caught:
        read_options(params(phones=[option()], home=home(**values)))
    assert str(caught.value) == message
