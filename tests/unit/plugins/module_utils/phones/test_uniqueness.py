# SPDX-License-Identifier: GPL-3.0-or-later
"""What no two phones may share."""

from __future__ import annotations

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.phones.phone import PhoneError
from ansible_collections.voip.preprovision.plugins.module_utils.phones.reader import read_phones


def test_serial_numbers_are_unique_within_a_family():
    def phone(number, model, serial):
        return str(number), {"phone_mac": f"00005e00530{number}", "phone_model": model, "phone_serial": serial}

    assert len(read_phones([phone(1, "ATA192", "S1"), phone(2, "SPA504G", "S1"), phone(3, "ATA192", "")])) == 3
    for spelling in ("s1", " S1 ", "S 1", "SN:S1", "S/N s1"):
        with pytest.raises(PhoneError, match=r"^phones 1 and 2: phone_serial: all have S1; "):
            read_phones([phone(1, "ATA192", "S1"), phone(2, "ATA191", spelling)])
    with pytest.raises(PhoneError, match=r"^phones 1 and 2: phone_serial: all have S1; a serial number belongs to one phone$"):
        read_phones([phone(1, "ATA192", "S1"), phone(2, "ATA191", "S1")])
