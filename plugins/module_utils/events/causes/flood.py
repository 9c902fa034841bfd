# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether somebody takes all addresses of the bench, from what unknown MAC addresses have asked the DHCP server for lately."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from types import MappingProxyType
from typing import NamedTuple

from ...common.mac import parse_mac
from .causes import Clause

FLOOD_SECONDS = 300
"""Requests within so many seconds count: as long as the lease of an unknown unit by default."""

MAX_STRANGERS = 50
"""More unknown MAC addresses within that time are a flood, even while addresses are left; a switch full of units has fewer."""

NEWEST_EVENTS = 5000
"""So many events, the latest that arrived, are looked at."""

_FREE = MappingProxyType(
    {
        "dhcp": "systemctl stop isc-dhcp-server && rm /var/lib/dhcp/dhcpd.leases* && systemctl start isc-dhcp-server",
        "kea": "systemctl stop kea-dhcp4-server && rm /var/lib/kea/kea-leases4.csv* && systemctl start kea-dhcp4-server",
    }
)
"""What frees the leases of ISC DHCP and of Kea, by the names of common/services."""


class Stranger(NamedTuple):
    """An unknown MAC address that has asked for an address within FLOOD_SECONDS."""

    mac: str
    """12 hex digits."""
    refused: bool
    """No address was free for it."""


def find_flood(strangers: Sequence[Stranger], services: Container[str] = ()) -> Iterator[Clause]:
    """Yield a clause if the addresses for unknown units are used up, or soon will be; *strangers*: the latest last.

    *services*: the names of those that the station has; without any, the DHCP server is ISC DHCP.
    """
    refused = sum(stranger.refused for stranger in strangers)
    if not refused and len(strangers) <= MAX_STRANGERS:
        return
    latest = parse_mac(strangers[-1].mac).colon
    several = f"{len(strangers)} unknown MAC addresses, the latest {latest},"
    who = several if len(strangers) > 1 else f"the unknown MAC address {latest}"
    left = f"and {refused} got none: those for unknown units are used up" if refused else "which may use up those for unknown units"
    free = _FREE["kea" if "kea" in services else "dhcp"]
    yield Clause(
        f"{who} asked for an address within {FLOOD_SECONDS // 60} minutes, {left}",
        f"find its port with 'bridge fdb show | grep {latest}', and unplug what should not be there; known phones keep their"
        f" addresses, and the others are free again within minutes, or at once with '{free}'; add your own to the inventory",
    )
