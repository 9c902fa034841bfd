# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Two Kea servers as a pair: what the configuration of one of them has beside that of a single server.

Source: Kea Administrator Reference Manual, "libdhcp_ha.so: High Availability Outage Resilience", of releases 2.2, 2.6 and 3.0.

Hot standby: one server answers, and the other one takes over when it hears nothing of it. A phone gets its acknowledgement only
after the partner has written the lease down, so neither server ever gives it to another phone. They talk on the bench's own wire:
with a wire of their own, a cut of that wire alone would make two servers that both answer. Each presents a certificate of a CA
that only these two stations have.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address
from typing import Any, NamedTuple

PORT = 647
"""TCP port of the partner's messages: IANA's dhcp-failover."""

HEARTBEAT = 1000
"""Milliseconds between two questions whether the partner is up."""

MAX_SILENCE = 3000
"""Milliseconds of silence after which a server takes over: less than the 4 s before phones repeat a DHCPDISCOVER (RFC 2131)."""

MAX_ACK_DELAY = 500
"""Milliseconds for which an unanswered phone may have waited; only counted, see MAX_UNANSWERED."""

MAX_UNANSWERED = 0
"""Phones that must have waited in vain before a takeover: many always say that they have waited 0 s, and would never count."""

LEASE_COMMANDS, HIGH_AVAILABILITY = "libdhcp_lease_cmds.so", "libdhcp_ha.so"


class PairFiles(NamedTuple):
    """Paths on the station of what proves who it is: the pair's CA, its own certificate and its key (PEM)."""

    ca: str
    certificate: str
    key: str


FILES = PairFiles("/etc/kea/partner/ca.pem", "/etc/kea/partner/certificate.pem", "/etc/kea/partner/key.pem")

MAX_CLOCK_DIFFERENCE = 30
"""Seconds. Kea ends the pair when its clocks are 60 s apart, since neither server could judge the other's leases."""

_OWN = ("address", "interface", "partner", "option_6", "option_42", "option_66", "option_150")
"""Settings in which the two may differ: they name the station itself."""


def primary(own: str, partner: str) -> str:
    """Return the address of the server that answers while both are up: the lower one, so that both come to the same result."""
    return min(own, partner, key=IPv4Address)


def pair_parameters(own: str, partner: str, files: PairFiles) -> dict[str, Any]:
    """Return the parameters of the hook library for high availability."""
    first = primary(own, partner)
    return {
        "high-availability": [
            {
                "this-server-name": own,
                "mode": "hot-standby",
                "heartbeat-delay": HEARTBEAT,
                "max-response-delay": MAX_SILENCE,
                "max-ack-delay": MAX_ACK_DELAY,
                "max-unacked-clients": MAX_UNANSWERED,
                "send-lease-updates": True,
                "sync-leases": True,
                "trust-anchor": files.ca,
                "cert-file": files.certificate,
                "key-file": files.key,
                "require-client-certs": True,
                # Without a listener of its own, it would need the control agent
                "multi-threading": {"enable-multi-threading": True, "http-dedicated-listener": True},
                "peers": [
                    {
                        "name": address,
                        "url": f"https://{address}:{PORT}/",
                        "role": "primary" if address == first else "standby",
                        "auto-failover": True,
                    }
                    for address in sorted((own, partner), key=IPv4Address)
                ],
            }
        ]
    }


def with_partner(configuration: Mapping[str, Any], hooks: str, own: str, partner: str, files: PairFiles) -> dict[str, Any]:
    """Return a server's configuration, the content of ``Dhcp4``, as one of a pair. *hooks*: folder of the hook libraries."""
    libraries = [
        hook
        for hook in configuration.get("hooks-libraries", [])
        if not hook["library"].endswith((LEASE_COMMANDS, HIGH_AVAILABILITY))
    ]
    pair = [
        {"library": f"{hooks}/{LEASE_COMMANDS}"},
        {"library": f"{hooks}/{HIGH_AVAILABILITY}", "parameters": pair_parameters(own, partner, files)},
    ]
    threads = {**configuration.get("multi-threading", {}), "enable-multi-threading": True}
    return {**configuration, "hooks-libraries": [*libraries, *pair], "multi-threading": threads}


def compare_stations(stations: Mapping[str, Mapping[str, Any]], station: str) -> str:
    """Return one sentence on why a station and its partner cannot be a pair, or an empty text; also if the partner is not there.

    *stations*: what is known of each, by its name: ``address`` and ``partner``, ``clock`` in seconds since 1970, ``release`` of
    Debian, ``secret`` (a fingerprint), and the ``settings`` of role dhcp_server.
    """
    own = stations[station]
    found = [name for name, one in stations.items() if one["address"] == own["partner"] and name != station]
    if not found:
        return ""
    other = stations[found[0]]
    both = f"{station} and {found[0]}"
    if other["partner"] != own["address"]:
        return (
            f"dhcp_server_partner: {station} names {found[0]} ({own['partner']}), which names {other['partner'] or 'nobody'};"
            f" set it to {own['address']} there"
        )
    if other["release"] != own["release"]:
        return (
            f"dhcp_server_partner: {both} have Debian {own['release']} and {other['release']}, and so different releases of Kea;"
            " give both the same"
        )
    if abs(other["clock"] - own["clock"]) > MAX_CLOCK_DIFFERENCE:
        return (
            f"dhcp_server_partner: the clocks of {both} are {abs(other['clock'] - own['clock'])} s apart, and a pair allows"
            f" {MAX_CLOCK_DIFFERENCE} s; set them first, for example with 'chronyc makestep'"
        )
    if other["secret"] != own["secret"]:
        return f"dhcp_server_partner: {both} have different values of dhcp_server_partner_secret; give both the same"
    differing = [key for key in own["settings"] if key not in _OWN and own["settings"][key] != other["settings"].get(key)]
    if differing:
        return f"dhcp_server_partner: {both} differ in {', '.join(f'dhcp_server_{key}' for key in differing)}; give both the same"
    return ""
