# SPDX-License-Identifier: GPL-3.0-or-later
"""The phones that emulated_phone makes of its options."""

from __future__ import annotations

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.families import FamilyError
from ansible_collections.voip.preprovision.plugins.module_utils.phone import PhoneError
from ansible_collections.voip.preprovision.plugins.modules.emulated_phone import read_units

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
