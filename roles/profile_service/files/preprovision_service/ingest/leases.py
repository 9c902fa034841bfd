# SPDX-License-Identifier: GPL-3.0-or-later
"""Which phone had an address when."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable

from ..domain.events.logs.log_lines import Event


class Leases:
    """Leases by address, from rows of address, MAC address and start."""

    def __init__(self, rows: Iterable[tuple[str, str, int]]) -> None:
        self._held: dict[str, list[tuple[int, str]]] = defaultdict(list)
        for address, mac, since in rows:
            self._held[address].append((since, mac))

    def add(self, event: Event) -> None:
        """Add a lease from DHCP's event."""
        held = self._held[event.address]
        held.append((event.time, event.mac))
        held.sort()

    def holder(self, address: str, moment: int) -> str:
        """Return the MAC address of the phone that had *address* at *moment*, or an empty string."""
        held = self._held.get(address, [])
        # No MAC address comes after "g"
        position = bisect_right(held, (moment, "g"))
        return held[position - 1][1] if position else ""

    def latest(self, address: str) -> tuple[str, int]:
        """Return the MAC address of the phone that has *address*, and since when without another in between."""
        held = self._held[address]
        mac = held[-1][1]
        first = next((number for number in range(len(held), 0, -1) if held[number - 1][1] != mac), 0)
        return mac, held[first][0]
