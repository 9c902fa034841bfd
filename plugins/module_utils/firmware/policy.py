# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a phone's variables demand of its firmware, and which phones a gradual rollout has reached."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from ..common.mac import Mac

LATEST = "latest"


class FirmwarePolicy(NamedTuple):
    """A phone's firmware settings."""

    version: str = ""
    """A version, LATEST, or empty: the phone keeps its firmware."""
    hardware: str = ""
    """The phone's hardware revision, or empty."""
    held: bool = False
    """Whether the phone must not upgrade at all."""
    rollout_percent: int = 100
    """Percentage of the phones with these settings that already get the version."""


def in_rollout(mac: Mac, percent: int) -> bool:
    """Tell whether a rollout to *percent* of the phones has reached this one; a phone included at 10 is included at 20."""
    return int.from_bytes(hashlib.blake2b(mac.plain.encode(), digest_size=4).digest(), "big") % 100 < percent
