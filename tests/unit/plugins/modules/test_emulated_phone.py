# SPDX-License-Identifier: GPL-3.0-or-later
"""The phones that emulated_phone makes of its options."""

from __future__ import annotations

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.families import FamilyError
from ansible_collections.voip.preprovision.plugins.module_utils.phone import PhoneError
from ansible_collections.voip.preprovision.plugins.module_utils.swarm import SwarmError
from ansible_collections.voip.preprovision.plugins.modules.emulated_phone import ARGUMENT_SPEC, read_options, read_units

ACME = {"acme": {"based_on": "spa", "models": ["ACME100"], "series": r"ACME(\d+)", "factory_rule": "/acme$PSN.cfg"}}


def option(**values):
    return {"name": "desk", "mac": "00:00:5e:00:53:01", "model": "ATA192", "serial": "", "certificate": None, **values}


@pytest.mark.parametrize(
    ("model", "families", "expected"),
    [
        ("ata192", {}, ("ATA192", "ata19x", "/ata$PSN.cfg")),
        ("acme100", ACME, ("ACME100", "acme", "/acme$PSN.cfg")),
        ("ATA192", ACME, ("ATA192", "ata19x", "/ata$PSN.cfg")),
        ("ATA192", {"ata19x": {"factory_rule": "/other.cfg"}}, ("ATA192", "ata19x", "/other.cfg")),
    ],
)
def test_units_are_of_known_families_and_of_those_that_are_given(model, families, expected):
    (phone,) = read_units([option(model=model, serial="S1")], families)
    assert (phone.model.name, phone.model.family.name, phone.model.family.factory_rule) == expected
    assert (phone.name, phone.mac.colon, phone.serial) == ("desk", "00:00:5e:00:53:01", "S1")


@pytest.mark.parametrize(
    ("options", "families", "error", "words"),
    [
        ([option(model="ACME100")], {}, PhoneError, "phone desk: phone_model: the model 'ACME100' is not known"),
        ([option(mac="nonsense")], ACME, PhoneError, "phone desk: phone_mac: 'nonsense' is not a MAC address"),
        ([option(), option(name="twin")], {}, PhoneError, "phones desk and twin: phone_mac: all have 00:00:5e:00:53:01"),
        ([option()], {"acme": {"based_on": "spaa"}}, FamilyError, "family acme: based_on names the unknown family 'spaa'"),
        ([option()], {"spa": {"factory_role": "/x"}}, FamilyError, "did you mean factory_rule?"),
    ],
)
def test_wrong_options_are_refused(options, families, error, words):
    with pytest.raises(error) as caught:
        read_units(options, families)
    assert words in str(caught.value)


def params(**values):
    return {**{name: spec.get("default") for name, spec in ARGUMENT_SPEC.items()}, **values}


SWARM = {"count": 2, "model": "ATA192", "first_mac": "00:00:5e:00:53:10"}


def test_phones_are_made_up_beside_those_that_are_named():
    options = read_options(params(phones=[option()], **SWARM))
    assert [phone["mac"] for phone in options] == ["00:00:5e:00:53:01", "00:00:5e:00:53:10", "00:00:5e:00:53:11"]
    assert [phone.name for phone in read_units(options, {})] == ["desk", "phone-1", "phone-2"]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "there is no phone; name some in phones, or make some up with count"),
        ({"count": -1}, "count is -1; it must be at least 0"),
        ({"count": 2}, "count makes phones up, and needs model and first_mac"),
        ({"count": 2, "model": "ATA192"}, "count makes phones up, and needs first_mac"),
        ({**SWARM, "ramp": -0.5}, "ramp is -0.5; it must be at least 0"),
        ({**SWARM, "lifetime": -1.0}, "lifetime is -1; it must be at least 0"),
        ({**SWARM, "speed": 0.0}, "speed is 0; it must be at least 1"),
        ({**SWARM, "parallel": 0}, "parallel is 0; it must be at least 1"),
        ({**SWARM, "reports": 0}, "reports is 0; it must be at least 1"),
        ({**SWARM, "first_mac": "x"}, "first_mac: 'x' is not a MAC address"),
    ],
)
def test_options_that_cannot_be(values, words):
    with pytest.raises(SwarmError) as caught:
        read_options(params(**values))
    assert words in str(caught.value)
