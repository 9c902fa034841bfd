# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Provisioning servers that share a name: what DNS says of it, and what keeps phones from taking one server for another.

"The phone continues to process A-records until a server responds" (the vendor's chapter "Redundant Provisioning Servers"), so every
address of the name must lead to a server that answers as the others do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import combinations, groupby

MAX_RECORDS = 10
"""Of one type, that phones process; the same chapter."""

_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


class FleetError(ValueError):
    """Servers cannot share a name; one sentence per line."""


@dataclass(frozen=True)
class Server:
    """A provisioning server, as its variables and the machine itself say."""

    name: str
    """In the inventory."""
    provisioning_name: str
    addresses: Sequence[str]
    private_addresses: Sequence[str] = ()
    key: str = ""
    """File on the controller with the key of its certificate; empty if it makes its own."""
    signed: str = ""
    """File on the controller with its certificate; empty if it signs its own."""
    own_addresses: Sequence[str] | None = None
    """Addresses of the machine; None if it did not answer."""
    is_requesting: bool = False
    """Whether this run fetches the request for a certificate, so that there is none yet."""


def faults(servers: Sequence[Server]) -> list[str]:
    """Return a sentence on each mistake."""
    found = [sentence for server in servers for sentence in _own_faults(server)]
    found += _shared_addresses(servers)
    for name, group in groupby(
        sorted(servers, key=lambda server: server.provisioning_name), lambda server: server.provisioning_name
    ):
        found += _name_faults(name, list(group))
    return found


def _own_faults(server: Server) -> Iterator[str]:
    if not server.addresses:
        yield f"{server.name} has no provisioning_server_addresses; name the addresses on which phones reach it"
    if server.own_addresses is None:
        return
    lacking = [address for address in (*server.addresses, *server.private_addresses) if address not in server.own_addresses]
    if lacking:
        yield (
            f"{server.name} does not have {', '.join(lacking)}, only {', '.join(server.own_addresses) or 'none'}; name addresses"
            " of the machine in provisioning_server_addresses and provisioning_server_private_addresses"
        )


def _shared_addresses(servers: Sequence[Server]) -> Iterator[str]:
    for one, other in combinations(servers, 2):
        for address in sorted({*one.addresses, *one.private_addresses} & {*other.addresses, *other.private_addresses}):
            yield f"{one.name} and {other.name} both have the address {address}; give each server its own"


def _name_faults(name: str, servers: Sequence[Server]) -> Iterator[str]:
    addresses = [address for server in servers for address in server.addresses]
    for version, kind in ((4, "A"), (6, "AAAA")):
        count = sum(ip_address(address).version == version for address in addresses)
        if count > MAX_RECORDS:
            yield f"{name} would have {count} {kind} records, but phones try {MAX_RECORDS} at most; name fewer addresses"
    if len(servers) < 2:
        return
    told = _enumerated([server.name for server in servers])
    for variable, files in (
        ("certificates_key", [server.key for server in servers]),
        ("certificates_signed", [server.signed for server in servers]),
    ):
        awaited = variable == "certificates_signed" and all(server.is_requesting for server in servers)
        if len(set(files)) > 1 or not (files[0] or awaited):
            thing = "key" if variable == "certificates_key" else "certificate"
            yield (
                f"{told} are {name} with a {thing} each, and phones would take one for another server; set {variable} to the"
                " same file for all of them, such as in group_vars/provisioning_servers.yml"
            )


def record_fault(name: str, resolved: Iterable[str], servers: Sequence[Server]) -> str:
    """Return a sentence if *name*, which leads to *resolved*, does not lead to the servers; empty if it leads nowhere yet."""
    found, wanted = set(resolved), {address for server in servers for address in server.addresses}
    if not found:
        return ""
    strange, lacking = _in_order(found - wanted), _in_order(wanted - found)
    said = []
    if strange:
        said.append(f"leads to {', '.join(strange)}, which no server of the inventory has")
    if lacking:
        said.append(f"does not lead to {', '.join(lacking)}")
    return f"{name} {' and '.join(said)}; correct its records, or the inventory" if said else ""


def zone_lines(name: str, addresses: Iterable[str], ttl: int = 300) -> list[str]:
    """Return the lines of a zone file that lead *name* to *addresses*, first IPv4, then IPv6, each in the order given.

    *ttl*: seconds for which resolvers may keep them; no longer than a server may be missing.
    """
    parsed = [ip_address(address) for address in dict.fromkeys(addresses)]
    ordered = sorted(parsed, key=lambda address: address.version)
    return [f"{name.rstrip('.')}. {ttl} IN {'A' if address.version == 4 else 'AAAA'} {address}" for address in ordered]


def zone_file(zone: str, servers: Mapping[str, Sequence[str]], ttl: int = 300) -> str:
    """Return the zone file of *zone*, which leads to all addresses of *servers*, name -> addresses; raise FleetError.

    Each server is a name server of the zone. All have it from the same run: nothing is transferred, and its serial does not count.
    """
    hosts = _name_servers(zone, servers)
    primary = next(iter(hosts))
    lines = [f"{zone}. {ttl} IN SOA {primary} hostmaster.{zone}. 1 3600 600 1209600 {ttl}", *_delegation(zone, hosts, ttl)]
    lines += zone_lines(zone, [address for addresses in servers.values() for address in addresses], ttl)
    return "".join(f"{line}\n" for line in lines)


def delegation_lines(zone: str, servers: Mapping[str, Sequence[str]], ttl: int = 300) -> list[str]:
    """Return the lines of the zone above that delegate *zone* to *servers*, name -> addresses; raise FleetError."""
    return _delegation(zone, _name_servers(zone, servers), ttl)


def _delegation(zone: str, hosts: Mapping[str, Sequence[str]], ttl: int) -> list[str]:
    lines = [f"{zone}. {ttl} IN NS {name}" for name in hosts]
    return lines + [line for name, addresses in hosts.items() for line in zone_lines(name, addresses, ttl)]


def _name_servers(zone: str, servers: Mapping[str, Sequence[str]]) -> dict[str, Sequence[str]]:
    """Return the full name of each name server -> its addresses."""
    labels = zone.split(".")
    if len(labels) < 2 or not all(map(_LABEL.fullmatch, labels)):
        raise FleetError(f"provisioning_name '{zone}' is not a name that can be a zone; write one such as prov.example.net")
    if not servers:
        raise FleetError(f"no server has the provisioning_name {zone}; set it for the group provisioning_servers")
    hosts: dict[str, Sequence[str]] = {}
    for name, addresses in servers.items():
        label = name.partition(".")[0].lower()
        if not _LABEL.fullmatch(label):
            raise FleetError(f"the name server of {name} cannot be called '{label}'; use letters, digits and dashes")
        if f"{label}.{zone}." in hosts:
            raise FleetError(f"two name servers of {zone} would be called {label}; rename {name}")
        hosts[f"{label}.{zone}."] = addresses
    return hosts


def _in_order(addresses: Iterable[str]) -> list[str]:
    return [str(address) for address in sorted(map(ip_address, addresses), key=lambda address: (address.version, address.packed))]


def _enumerated(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
