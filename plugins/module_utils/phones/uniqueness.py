# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""MAC addresses, names and serial numbers that no two phones may share."""

from __future__ import annotations

from ..common.mac import Mac


class UniquenessChecker:
    """Finds values that several phones share: add() each phone, then ask for the conflicts()."""

    def __init__(self) -> None:
        self._first: dict[object, str] = {}
        self._shared: dict[object, list[str]] = {}

    def add(self, label: str, mac: Mac, name: str = "", serial: str = "", family: str = "") -> None:
        """Note the phone called *label*. A serial number need only be unique within its family."""
        self._note(mac, label)
        if name:
            self._note(name, label)
        if serial:
            self._note((family, serial), label)

    def _note(self, value: object, label: str) -> None:
        first = self._first.setdefault(value, label)
        if first is not label:
            self._shared.setdefault(value, [first]).append(label)

    def conflicts(self) -> list[str]:
        """Return one sentence for each MAC address, name and serial number that several phones have."""
        return [f"phones {' and '.join(labels)}: {_describe(value)}" for value, labels in self._shared.items()]


def _describe(value: object) -> str:
    if isinstance(value, Mac):
        return f"phone_mac: all have {value}, and so the same file names; a MAC belongs to one phone"
    if isinstance(value, tuple):
        return f"phone_serial: all have {value[1]}; a serial number belongs to one phone"
    return f"all are called {value}; a name belongs to one phone"
