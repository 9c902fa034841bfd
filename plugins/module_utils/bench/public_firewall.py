# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Plan the firewall of a provisioning server: its addresses, who may log in there, and whether that cuts off the administrator."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import NamedTuple

from .network import BenchError, check_addresses


class Session(NamedTuple):
    """The administrator's session; an address is empty if it is not known."""

    server: str
    """Address of this machine."""
    client: str
    port: int


class PublicFirewall(NamedTuple):
    """What the firewall's rules need, by version of IP."""

    ipv4: list[str]
    ipv6: list[str]
    admins4: list[str]
    admins6: list[str]
    ssh_port: int


def plan_public_firewall(addresses: object, admin_networks: object, session: Session) -> PublicFirewall:
    """Return the plan of a firewall for *addresses*; raise BenchError if a value is invalid, or if the session would end."""
    public = check_addresses(addresses, "provisioning_server_addresses", ipv6=True)
    if not public:
        raise BenchError("provisioning_server_addresses is empty; name the addresses on which phones reach this server")
    networks = _read_networks(admin_networks)
    if session.server in public:
        _check_session(session, networks)
    return PublicFirewall(
        [address for address in public if ":" not in address],
        [address for address in public if ":" in address],
        [str(network) for network in networks if network.version == 4],
        [str(network) for network in networks if network.version == 6],
        session.port,
    )


def _read_networks(values: object) -> list[IPv4Network | IPv6Network]:
    listed: Sequence[object] = values if isinstance(values, (list, tuple)) else [values]
    networks: list[IPv4Network | IPv6Network] = []
    for value in listed:
        try:
            if not isinstance(value, str):
                raise ValueError
            networks.append(ip_network(value))
        except ValueError:
            raise BenchError(
                f"provisioning_server_admin_networks contains {value!r}, which is not a network; write it as [198.51.100.0/24]"
            ) from None
    return networks


def _check_session(session: Session, networks: Sequence[IPv4Network | IPv6Network]) -> None:
    """Raise BenchError if the firewall would refuse the next session like this one."""
    if session.client:
        client = ip_address(session.client)
        allowed = any(client.version == network.version and client in network for network in networks)
    else:
        allowed = bool(networks)
    if not allowed:
        whose = f" from {session.client}" if session.client else ""
        raise BenchError(
            f"the firewall would cut off ssh to {session.server}{whose}, by which this server is managed; reach it by a private"
            " address, or name your networks in provisioning_server_admin_networks"
        )
