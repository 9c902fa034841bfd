# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The services of a station."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class Service(NamedTuple):
    """A service: its systemd unit, and its name for people."""

    unit: str
    called: str


SERVICES: Mapping[str, Service] = MappingProxyType(
    {
        "bench": Service("preprovision-bench.service", "the unit that creates the bench's bridge"),
        "watch": Service("preprovision-dhcp-watch.service", "the watch for other DHCP servers"),
        "pair": Service("preprovision-dhcp-pair.service", "the unit that looks after the pair of DHCP servers"),
        "dhcp": Service("isc-dhcp-server.service", "the DHCP server"),
        "kea": Service("kea-dhcp4-server.service", "the DHCP server"),
        "tftp": Service("preprovision-tftp.service", "the TFTP server"),
        "arming": Service("preprovision-arming.path", "the unit that shows units their own folders"),
        "addresses": Service("preprovision-address-watch.service", "the watch for addresses that two machines claim"),
        "names": Service("unbound.service", "the DNS server"),
        "web": Service("nginx.service", "the web server"),
        "log": Service("preprovision-log.service", "the log server"),
        "time": Service("chrony.service", "the time server"),
        "service": Service("preprovision-service.service", "the profile service"),
        "events": Service("preprovision-events.service", "the unit that brings events into the database"),
        "stun": Service("preprovision-stun.service", "the STUN server"),
        "health": Service("preprovision-health.service", "the unit that asks all services whether they answer"),
    }
)
"""By the names that facts have; a service comes after those that it needs."""

DHCP_SERVERS = ("dhcp", "kea")
"""ISC DHCP and Kea; a station runs one of them."""

OPTIONAL = frozenset({"watch", "pair", "stun"})
"""Services that may be installed and switched off."""

HUNG = "hung"
"""State of a service that runs, but does not answer; the other states are systemd's."""

ASKED = frozenset({*DHCP_SERVERS, "tftp", "names", "web", "log", "time", "service", "stun"})
"""Services that are asked a question; of the others, systemd knows whether they report in time."""
