# SPDX-License-Identifier: GPL-3.0-or-later
"""Codes from labels, and what is read from a file of them."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.phones.label_scans import Scans, read_scans
from ansible_collections.voip.preprovision.plugins.module_utils.phones.scan_columns import Column
from ansible_collections.voip.preprovision.plugins.module_utils.phones.scan_units import ScanError

ATA = {Column.MODEL: "ATA192"}
# Registered to Linksys, to Cisco and to Polycom
LINKSYS = "000E08AABB01"
CISCO = "8843E1000001"
POLY = "0004F2000001"
# A serial number of a real unit, with only hexadecimal digits
HEX_SERIAL = "88019FA42805"
TABLE = "mac,serial,model,customer,name\n"


def read(text: str, **options: Any) -> Scans:
    """Return what the file scans.csv with this text contains."""
    return read_scans(text, "scans.csv", **options)


def units(text: str, **options: Any) -> list[tuple[str, str, str]]:
    """Return each phone's MAC address, serial number and model."""
    found = read(text, **options).phones
    return [(phone.mac.plain, phone.variables.get("phone_serial", ""), phone.model.name) for phone in found]


def problems_of(text: str, **options: Any) -> list[str]:
    """Return the lines of the error that rejects the file."""
    with pytest.raises(ScanError) as caught:
        read(text, **options)
    return str(caught.value).splitlines()
