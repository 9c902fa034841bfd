# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of phones that start over."""

from __future__ import annotations

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.phones.phone import PhoneError
from ansible_collections.voip.preprovision.plugins.plugin_utils.rearming import Rearming

PHONES = {"00005e005301": "desk-1", "00005e005302": "desk-2", "00005e005303": "door"}


def chosen(*wanted):
    rearming = Rearming(wanted)
    for mac, name in PHONES.items():
        rearming.add(mac, name)
    return rearming.chosen()


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ([], []),
        (["desk-1"], ["desk-1"]),
        ([" door ", "00:00:5E:00:53:02"], ["door", "desk-2"]),
        (["desk-1", "00005e005301"], ["desk-1"]),
        (["all"], ["desk-1", "desk-2", "door"]),
        (["door", "all"], ["desk-1", "desk-2", "door"]),
    ],
)
def test_finds_phones_by_name_and_mac_address(wanted, found):
    assert chosen(*wanted) == {mac: name for name in found for mac, known in PHONES.items() if known == name}


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (["dsk-1"], "rearm: no phone of the inventory is called 'dsk-1'; did you mean 'desk-1'?"),
        (["00:00:5e:00:53:09"], "rearm: no phone of the inventory has the MAC address 00:00:5e:00:53:09"),
        (["door", "Desk-2", "x"], "rearm: no phone of the inventory is called 'Desk-2'; did you mean 'desk-2'?\n"
         "rearm: no phone of the inventory is called 'x'"),
    ],
)  # fmt: skip
def test_names_what_no_phone_is_called(wanted, message):
    with pytest.raises(PhoneError) as caught:
        chosen(*wanted)
    assert str(caught.value) == message


def test_keeps_no_names_unless_some_are_wanted():
    rearming = Rearming([])
    rearming.add("00005e005301", "desk-1")
    assert rearming._phones == {}
