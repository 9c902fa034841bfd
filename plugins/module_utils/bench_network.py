# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The bench LAN: the station's address, the ports of its bridge, the pool for phones and the addresses kept for known ones.

Every function names the variable that is wrong, as its user wrote it, so that a message is a finished sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .mac import Mac, MacError, parse_mac

try:
    import netaddr
except ImportError:
    netaddr = None

BRIDGE = "bench0"

# dhcpd searches a pool's addresses one after the other, so that one big pool collapses where small ones do not.
POOL_LIMIT = 1024

VIRTUAL_MAC = "02:00:00:00:00:01"
"""Address of a bridge without ports: locally administered, and alone on a LAN that never leaves the machine."""

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.IGNORECASE)
_PHONE_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,126}[a-z0-9])?", re.IGNORECASE)
_PREFIX = re.compile(r"[0-9]{1,2}")


class BenchError(ValueError):
    """The bench LAN cannot be as described; the message says which variable is wrong and what would be right."""


def ipv4(text: object) -> str | None:
    """Return the address, or None where the text is no IPv4 address in four decimal parts."""
    if netaddr is None:
        raise BenchError("the Python library netaddr is missing on the controller; install it, as pip install netaddr")
    if not isinstance(text, str):
        return None
    try:
        return str(netaddr.IPAddress(text, version=4, flags=netaddr.INET_PTON))
    except (netaddr.AddrFormatError, ValueError):
        return None


def is_host_name(text: object) -> bool:
    """Whether the text is a DNS name of a host (RFC 1123 section 2.1); a name that reads as an address is none."""
    if not isinstance(text, str) or not 1 <= len(text) <= 253:
        return False
    labels = text.split(".")
    return all(_LABEL.fullmatch(label) for label in labels) and not labels[-1].isdigit()


def whole_number(value: object, variable: str, least: int, most: int) -> int:
    """Return the number of a variable that may arrive as text; raise BenchError outside its range."""
    if not isinstance(value, bool) and re.fullmatch(r"-?[0-9]{1,18}", str(value)) and least <= int(str(value)) <= most:
        return int(str(value))
    raise BenchError(f"{variable} is {value!r}; it must be a whole number from {least} to {most}")


@dataclass(frozen=True)
class BenchNetwork:
    """The station's address and the length of its network's prefix."""

    address: str
    prefix: int

    @property
    def _network(self) -> Any:
        return netaddr.IPNetwork(str(self))

    @property
    def network(self) -> str:
        return str(self._network.network)

    @property
    def netmask(self) -> str:
        return str(self._network.netmask)

    @property
    def cidr(self) -> str:
        return str(self._network.cidr)

    @property
    def hosts(self) -> range:
        """Host addresses as numbers, the station's own among them."""
        network = self._network
        return range(network.first + 1, network.last)

    @property
    def room(self) -> int:
        """How many phones fit beside the station."""
        return len(self.hosts) - 1

    def __str__(self) -> str:
        return f"{self.address}/{self.prefix}"


@dataclass(frozen=True)
class AddressRange:
    """Addresses from first to last, both included."""

    first: str
    last: str

    def __contains__(self, number: int) -> bool:
        return _number(self.first) <= number <= _number(self.last)

    def __str__(self) -> str:
        return f"{self.first} to {self.last}"


@dataclass(frozen=True)
class Reservation:
    """One known phone; without address it is only known."""

    name: str
    mac: Mac
    address: str | None


@dataclass(frozen=True)
class Interface:
    """One network interface of the machine: its MAC address and its IPv4 addresses with prefix."""

    mac: str
    addresses: tuple[str, ...] = ()


def _number(address: str) -> int:
    return int(netaddr.IPAddress(address))


def _text(number: int) -> str:
    return str(netaddr.IPAddress(number, 4))


def parse_bench_address(text: object, variable: str = "bench_address") -> BenchNetwork:
    """Read a host address with prefix, as ``192.0.2.1/24``; raise BenchError otherwise."""
    address_text, _rest, prefix_text = str(text).partition("/")
    address = ipv4(address_text)
    if address is None or (prefix_text and not _PREFIX.fullmatch(prefix_text)):
        raise BenchError(f"{variable} is {text!r}, which is no IPv4 address with prefix; write it as 192.0.2.1/24")
    if not prefix_text:
        raise BenchError(f"{variable} is {text!r}, without the length of the network; write it as {address}/24")
    prefix = int(prefix_text)
    if not 8 <= prefix <= 30:
        raise BenchError(f"{variable} is {text!r}; a bench LAN has a prefix from /8 to /30, as {address}/24")
    bench = BenchNetwork(address, prefix)
    if _number(address) not in bench.hosts:
        kind = "network" if address == bench.network else "broadcast"
        raise BenchError(
            f"{variable} is {text!r}, the {kind} address of its network, which no host can have;"
            f" the first host address is {_text(bench.hosts[0])}/{prefix}"
        )
    if int(address.partition(".")[0]) in (0, 127, *range(224, 256)):
        raise BenchError(f"{variable} is {text!r}, which no station on a LAN can have; use a private network, as 192.168.42.1/24")
    return bench


def plan_pool(bench: BenchNetwork, size: object, variable: str = "dhcp_server_pool_size") -> tuple[AddressRange, ...]:
    """The last ``size`` host addresses of the network without the station's own, in ranges of at most POOL_LIMIT."""
    count = whole_number(size, variable, 1, 2**24)
    if count > bench.room:
        raise BenchError(
            f"{variable} is {count}, but {bench.cidr} has room for {bench.room} phones beside the station;"
            f" lower it to {bench.room} or give bench_address a shorter prefix than /{bench.prefix}"
        )
    station = _number(bench.address)
    end = bench.hosts.stop
    start = end - count
    pieces = [range(start, end)]
    if station >= start:
        pieces = [range(start - 1, station), range(station + 1, end)]
    return tuple(
        AddressRange(_text(chunk), _text(min(chunk + POOL_LIMIT, piece.stop) - 1))
        for piece in pieces
        for chunk in range(piece.start, piece.stop, POOL_LIMIT)
    )


def plan_reservations(
    rows: Iterable[Mapping[str, Any]],
    bench: BenchNetwork,
    pool: Sequence[AddressRange],
    variable: str = "dhcp_server_reservations",
) -> tuple[Reservation, ...]:
    """Check the known phones one by one and against each other; raise BenchError naming the phone."""
    planned: list[Reservation] = []
    owners: dict[str, str] = {}
    for position, row in enumerate(rows, 1):
        name = row.get("name")
        if not isinstance(name, str) or not _PHONE_NAME.fullmatch(name):
            raise BenchError(
                f"{variable}: entry {position} has the name {name!r};"
                " a name is made of letters, digits, '.', '_' and '-', as ata192-1"
            )
        where = f"{variable}: phone '{name}'"
        try:
            mac = parse_mac(row.get("mac"))
        except MacError as error:
            raise BenchError(f"{where}: {error}") from error
        address = _reserved_address(row.get("address"), bench, pool, where)
        for kind, value in (("name", name.lower()), ("MAC address", mac.colon), ("address", address)):
            if value is None:
                continue
            if f"{kind} {value}" in owners:
                owner = owners[f"{kind} {value}"]
                raise BenchError(f"{where} has the {kind} {value}, which phone '{owner}' has already; give each its own")
            owners[f"{kind} {value}"] = name
        planned.append(Reservation(name, mac, address))
    return tuple(planned)


def _reserved_address(value: object, bench: BenchNetwork, pool: Sequence[AddressRange], where: str) -> str | None:
    if value is None or value == "":
        return None
    address = ipv4(value)
    if address is None:
        raise BenchError(f"{where} has the address {value!r}, which is no IPv4 address; {_free(bench, pool)}")
    number = _number(address)
    if address == bench.address:
        raise BenchError(f"{where} has the address {address}, which is the station's own; {_free(bench, pool)}")
    if number not in bench.hosts:
        raise BenchError(f"{where} has the address {address}, no host address of {bench.cidr}; {_free(bench, pool)}")
    for part in pool:
        if number in part:
            raise BenchError(f"{where} has the address {address} inside the pool {part}; {_free(bench, pool)}")
    return address


def _free(bench: BenchNetwork, pool: Sequence[AddressRange]) -> str:
    """What would be right for a reservation: the pool lies at the end, so that the first free address is near the start."""
    for number in bench.hosts[:2]:
        if _text(number) != bench.address and not any(number in part for part in pool):
            return f"use one from the free addresses that begin at {_text(number)}"
    return "lower dhcp_server_pool_size to make room for it"


def check_ports(
    ports: Sequence[object],
    interfaces: Mapping[str, Interface],
    uplinks: Iterable[str],
    session: str = "",
    variable: str = "bench_ports",
) -> tuple[str, ...]:
    """The NICs that may join the bridge; ``session`` is the machine's address in the connection that is open to it."""
    ways_out = set(uplinks)
    usable = [name for name in sorted(interfaces) if name not in {"lo", BRIDGE} | ways_out]
    others = f"usable here: {', '.join(usable)}" if usable else "no other interface is here; leave the list empty"
    checked: list[str] = []
    for port in ports:
        if port in ("lo", BRIDGE):
            raise BenchError(f"{variable}: {port!r} cannot be a port of the bridge {BRIDGE}; {others}")
        if not isinstance(port, str) or port not in interfaces:
            raise BenchError(f"{variable}: the network interface {port!r} does not exist on this machine; {others}")
        if port in ways_out:
            raise BenchError(
                f"{variable}: '{port}' carries the default route, and a bench must never serve the office LAN; {others};"
                " set bench_allow_default_route where that network is the bench"
            )
        if session and any(address.partition("/")[0] == session for address in interfaces[port].addresses):
            raise BenchError(
                f"{variable}: '{port}' has the address {session} of the connection that this play runs over,"
                f" which joining the bridge would cut; {others}"
            )
        if port in checked:
            raise BenchError(f"{variable}: '{port}' is named twice; name it once")
        checked.append(port)
    return tuple(checked)


def check_overlap(bench: BenchNetwork, interfaces: Mapping[str, Interface], ports: Iterable[str]) -> None:
    """Refuse a bench network that the machine already reaches another way."""
    for name, interface in interfaces.items():
        if name == BRIDGE or name in ports:
            continue
        for address in interface.addresses:
            if netaddr.IPNetwork(address) in bench._network or bench._network in netaddr.IPNetwork(address):
                raise BenchError(
                    f"bench_address is '{bench}', which overlaps the network of '{name}' ({address});"
                    " give the bench a network of its own, as 192.168.42.1/24"
                )


def plan_records(records: Mapping[Any, Any], variable: str = "dns_server_records") -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The names that the bench's DNS server answers for itself, each with its addresses in the order given."""
    planned: dict[str, tuple[str, ...]] = {}
    for name, values in records.items():
        if not is_host_name(name):
            raise BenchError(f"{variable}: {name!r} is no DNS name; write it as prov.example.net")
        addresses = [ipv4(value) for value in values] if isinstance(values, (list, tuple)) else []
        if not addresses or None in addresses:
            raise BenchError(f"{variable}: '{name}' has {values!r}; it must be a list of IPv4 addresses, as [192.0.2.1]")
        if name.lower() in planned:
            raise BenchError(f"{variable}: '{name}' is there twice, since DNS ignores case; join the two lists")
        planned[name.lower()] = tuple(address for address in addresses if address)
    return tuple(planned.items())


def check_addresses(values: object, variable: str) -> tuple[str, ...]:
    """A list of IPv4 addresses, which may be empty."""
    listed = values if isinstance(values, (list, tuple)) else [values]
    for value in listed:
        if ipv4(value) is None:
            raise BenchError(f"{variable} holds {value!r}, which is no IPv4 address; write it as [192.0.2.53]")
    return tuple(listed)


def check_servers(values: object, variable: str) -> tuple[str, ...]:
    """A list of names or IPv4 addresses, which may be empty."""
    listed = values if isinstance(values, (list, tuple)) else [values]
    for value in listed:
        if ipv4(value) is None and not is_host_name(value):
            raise BenchError(f"{variable} holds {value!r}, which is no address or name; write it as [ntp.example.net]")
    return tuple(listed)
