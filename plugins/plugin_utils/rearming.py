# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Phones that start over: those that the user has named get their own file by TFTP again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..module_utils.common.mac import MacError, parse_mac
from ..module_utils.common.suggest import did_you_mean, nearest
from ..module_utils.phones.phone import PhoneError

ALL = "all"


class Rearming:
    """Finds the phones of the inventory among names and MAC addresses."""

    def __init__(self, wanted: Iterable[str]) -> None:
        """*wanted*: names or MAC addresses, or ALL for every phone."""
        self._wanted = [str(name).strip() for name in wanted]
        self._phones: dict[str, str] = {}

    def add(self, mac: str, name: str) -> None:
        """Add a phone of the inventory; *mac*: 12 hex digits."""
        if self._wanted:
            self._phones[mac] = name

    def chosen(self) -> dict[str, str]:
        """Return MAC -> name of the phones that are named; raise PhoneError with a line for each name that no phone has."""
        if ALL in self._wanted:
            return dict(self._phones)
        by_name = {name: mac for mac, name in self._phones.items()}
        found = {name: by_name.get(name) or _plain_mac(name) for name in self._wanted}
        problems = [_unknown(name, by_name) for name, mac in found.items() if mac not in self._phones]
        if problems:
            raise PhoneError("\n".join(problems))
        return {mac: self._phones[mac] for mac in found.values()}


def _plain_mac(text: str) -> str:
    """Return the 12 hex digits of a MAC address; empty for anything else."""
    try:
        return parse_mac(text).plain
    except MacError:
        return ""


def _unknown(name: str, known: Mapping[str, str]) -> str:
    if _plain_mac(name):
        return f"rearm: no phone of the inventory has the MAC address {name}"
    return f"rearm: no phone of the inventory is called '{name}'{did_you_mean(nearest(name, known))}"
