# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The bench LAN: the station's address, the ports of its bridge, the pool for phones and the addresses reserved for known ones.

Errors name the invalid variable as the user wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..common.mac import Mac, MacError, parse_mac
from ..common.validate import ValidationError, is_host, is_host_name, is_ipv4, is_ipv6, read_number

try:
    import netaddr
except ImportError:
    netaddr = None

BRIDGE = "bench0"

# dhcpd searches a pool's addresses one by one, so one big pool collapses where several small ones do not
MAX_POOL_SIZE = 1024

VIRTUAL_MAC = "02:00:00:00:00:01"
"""MAC address of a bridge without ports: locally administered, on a LAN that never leaves the machine."""

_NEIGHBOUR_LIMITS = (("gc_thresh1", 1, 128), ("gc_thresh2", 2, 512), ("gc_thresh3", 4, 1024))
"""Limits of the kernel's neighbour table: name, entries for each address of the bench, the kernel's default (arp(7))."""

_MAX_NEIGHBOURS = 65536

INTERFACE_SETTINGS: Mapping[str, Mapping[str, int]] = {
    "ipv6": {"disable_ipv6": 1, "accept_ra": 0, "accept_redirects": 0, "forwarding": 0},
    "ipv4": {
        # Answer ARP only for an address of the interface that was asked, and never send another one as the source
        "arp_announce": 2,
        "arp_ignore": 1,
        "accept_redirects": 0,
        "accept_source_route": 0,
        "forwarding": 0,
        "proxy_arp": 0,
        "rp_filter": 1,
        "send_redirects": 0,
    },
}
"""The kernel's settings for the bridge and for each of its ports: a unit gives this machine neither an address nor a route.

See ip-sysctl.rst of the kernel."""

_PHONE_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,126}[a-z0-9])?", re.IGNORECASE)
_PREFIX = re.compile(r"[0-9]{1,2}")


class BenchError(ValueError):
    """A setting of the bench LAN is invalid; the message names the variable and what would be right."""


def whole_number(value: object, variable: str, minimum: int, maximum: int) -> int:
    """Return the number of a variable that may arrive as text; raise BenchError outside its range."""
    try:
        return read_number(value, minimum, maximum)
    except ValidationError as error:
        raise BenchError(f"{variable} is {value!r}; it {error}") from error


@dataclass(frozen=True)
class BenchNetwork:
    """The station's address and prefix length."""

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
        """Host addresses as numbers, including the station's own."""
        network = self._network
        return range(network.first + 1, network.last)

    @property
    def room(self) -> int:
        """Number of phones that fit beside the station."""
        return len(self.hosts) - 1

    def contains(self, address: str) -> bool:
        """Return whether a host on this LAN can have the address."""
        return _number(address) in self.hosts

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
    """One known phone, with a reserved address or None."""

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
    """Return a host address with prefix, such as ``192.0.2.1/24``; raise BenchError."""
    address, _slash, prefix_text = str(text).partition("/")
    if netaddr is None:
        raise BenchError("the Python library netaddr is missing on the controller; install it with pip install netaddr")
    if not is_ipv4(address) or (prefix_text and not _PREFIX.fullmatch(prefix_text)):
        raise BenchError(f"{variable} is {text!r}, which is not an IPv4 address with prefix; write it as 192.0.2.1/24")
    if not prefix_text:
        raise BenchError(f"{variable} is {text!r}, without the prefix length; write it as {address}/24")
    prefix = int(prefix_text)
    if not 8 <= prefix <= 30:
        raise BenchError(f"{variable} is {text!r}; a bench LAN has a prefix from /8 to /30, such as {address}/24")
    bench = BenchNetwork(address, prefix)
    if _number(address) not in bench.hosts:
        kind = "network" if address == bench.network else "broadcast"
        raise BenchError(
            f"{variable} is {text!r}, the {kind} address of its network, which no host can have;"
            f" the first host address is {_text(bench.hosts[0])}/{prefix}"
        )
    if int(address.partition(".")[0]) in (0, 127, *range(224, 256)):
        raise BenchError(f"{variable} is {text!r}, which no station can have; use a private network, such as 192.168.42.1/24")
    return bench


def neighbour_limits(bench: BenchNetwork) -> dict[str, int]:
    """Return the least limits of the kernel's neighbour table, in entries, with which every address of the bench has room."""
    addresses = min(len(bench.hosts), _MAX_NEIGHBOURS)
    return {name: max(default, times * addresses) for name, times, default in _NEIGHBOUR_LIMITS}


def interface_settings(ports: Iterable[str]) -> dict[str, int]:
    """Return the kernel's settings for the bridge and its *ports*, as lines of sysctl.d(5): path below /proc/sys -> value."""
    return {
        f"net/{family}/conf/{interface}/{name}": value
        for interface in (BRIDGE, *ports)
        for family, settings in INTERFACE_SETTINGS.items()
        for name, value in settings.items()
    }


def check_open_ports(
    ports: Sequence[object], bench: BenchNetwork, connection: tuple[str, int], variable: str = "bench_open_ports"
) -> None:
    """Raise BenchError for an invalid port, or if the firewall would close that of Ansible's *connection* to this machine."""
    numbers = [whole_number(port, variable, 1, 65535) for port in ports]
    address, port = connection
    if address == bench.address and port not in numbers:
        raise BenchError(
            f"{variable}: this play reaches the machine at {address}, port {port}, on the bench, where the firewall would close it;"
            f" connect by another network, or add {port} to {variable}"
        )


def plan_pool(
    bench: BenchNetwork, size: object, variable: str = "dhcp_server_pool_size", routers: Iterable[str] = ()
) -> tuple[AddressRange, ...]:
    """Return the last ``size`` host addresses except the station's own and *routers*, in ranges of at most MAX_POOL_SIZE."""
    count = whole_number(size, variable, 1, 2**24)
    taken = sorted({_number(bench.address), *map(_number, routers)}, reverse=True)
    room = bench.room + 1 - len(taken)
    if count > room:
        others = "the station and its routers" if len(taken) > 1 else "the station"
        raise BenchError(
            f"{variable} is {count}, but {bench.cidr} has room for {room} phones beside {others};"
            f" lower it to {room} or give bench_address a shorter prefix than /{bench.prefix}"
        )
    pieces: list[range] = []
    end = bench.hosts.stop
    for number in taken:
        if number >= end - count:
            pieces.insert(0, range(number + 1, end))
            count -= end - number - 1
            end = number
    pieces.insert(0, range(end - count, end))
    return tuple(
        AddressRange(_text(chunk), _text(min(chunk + MAX_POOL_SIZE, piece.stop) - 1))
        for piece in pieces
        for chunk in range(piece.start, piece.stop, MAX_POOL_SIZE)
    )


def split_pool(pool: Sequence[AddressRange], known: int) -> tuple[tuple[AddressRange, ...], tuple[AddressRange, ...]]:
    """Return the ranges for known phones alone, and those for everybody: however many strangers ask, *known* phones get an address.

    Strangers keep a quarter of the addresses, since a phone may be plugged in before it is known.
    """
    numbers = [range(_number(part.first), _number(part.last) + 1) for part in pool]
    left = min(known, 3 * sum(map(len, numbers)) // 4)
    parts: tuple[list[AddressRange], list[AddressRange]] = ([], [])
    for chunk in numbers:
        own, shared = chunk[:left], chunk[left:]
        left -= len(own)
        for ranges, piece in zip(parts, (own, shared), strict=True):
            if piece:
                ranges.append(AddressRange(_text(piece[0]), _text(piece[-1])))
    return tuple(parts[0]), tuple(parts[1])


def plan_reservations(
    rows: Iterable[Mapping[str, Any]],
    bench: BenchNetwork,
    pool: Sequence[AddressRange],
    variable: str = "dhcp_server_reservations",
) -> tuple[Reservation, ...]:
    """Check the known phones one by one and against each other; raise BenchError, which names the phone."""
    planned: list[Reservation] = []
    owners: dict[str, str] = {}
    for position, row in enumerate(rows, 1):
        name = row.get("name")
        if not isinstance(name, str) or not _PHONE_NAME.fullmatch(name):
            raise BenchError(
                f"{variable}: entry {position} has the name {name!r}; use letters, digits, '.', '_' and '-', such as ata192-1"
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
                raise BenchError(f"{where} has the {kind} {value}, which phone '{owner}' already has; give each its own")
            owners[f"{kind} {value}"] = name
        planned.append(Reservation(name, mac, address))
    return tuple(planned)


def _reserved_address(value: object, bench: BenchNetwork, pool: Sequence[AddressRange], where: str) -> str | None:
    if value is None or value == "":
        return None
    address = str.__str__(value) if isinstance(value, str) else ""
    if not is_ipv4(value):
        raise BenchError(f"{where} has the address {value!r}, which is not an IPv4 address; {_free(bench, pool)}")
    number = _number(address)
    if address == bench.address:
        raise BenchError(f"{where} has the address {address}, which is the station's own; {_free(bench, pool)}")
    if number not in bench.hosts:
        raise BenchError(f"{where} has the address {address}, which is not a host address of {bench.cidr}; {_free(bench, pool)}")
    for part in pool:
        if number in part:
            raise BenchError(f"{where} has the address {address} inside the pool {part}; {_free(bench, pool)}")
    return address


def _free(bench: BenchNetwork, pool: Sequence[AddressRange]) -> str:
    """Return the end of a message on a valid reservation; the pool is at the end, so the first free address is near the start."""
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
    """Return the NICs for the bridge; raise BenchError. ``session``: the machine's address in Ansible's connection to it."""
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
            raise BenchError(f"{variable}: '{port}' is listed twice; keep one")
        checked.append(port)
    return tuple(checked)


def check_overlap(bench: BenchNetwork, interfaces: Mapping[str, Interface], ports: Iterable[str]) -> None:
    """Raise BenchError for a bench network that overlaps one of the machine's other networks."""
    for name, interface in interfaces.items():
        if name == BRIDGE or name in ports:
            continue
        for address in interface.addresses:
            if netaddr.IPNetwork(address) in bench._network or bench._network in netaddr.IPNetwork(address):
                raise BenchError(
                    f"bench_address is '{bench}', which overlaps the network of '{name}' ({address});"
                    " give the bench its own network, such as 192.168.42.1/24"
                )


def plan_records(records: Mapping[Any, Any], variable: str = "dns_server_records") -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the names that the bench's DNS server resolves itself, each with its addresses in order; raise BenchError."""
    planned: dict[str, tuple[str, ...]] = {}
    for name, values in records.items():
        if not is_host_name(name):
            raise BenchError(f"{variable}: {name!r} is not a DNS name; write it as prov.example.net")
        if not isinstance(values, (list, tuple)) or not values or not all(map(is_ipv4, values)):
            raise BenchError(f"{variable}: '{name}' has {values!r}; it must be a list of IPv4 addresses, such as [192.0.2.1]")
        if name.lower() in planned:
            raise BenchError(f"{variable}: '{name}' occurs twice, since DNS ignores case; join the two lists")
        planned[name.lower()] = tuple(map(str.__str__, values))
    return tuple(planned.items())


def check_addresses(values: object, variable: str, ipv6: bool = False) -> tuple[str, ...]:
    """Return a list of IPv4 addresses, with *ipv6* also of IPv6 addresses, which may be empty; raise BenchError."""
    listed = values if isinstance(values, (list, tuple)) else [values]
    for value in listed:
        if ipv6 and not (is_ipv4(value) or is_ipv6(value)):
            raise BenchError(
                f"{variable} contains {value!r}, which is neither an IPv4 address nor an IPv6 address in its shortest form;"
                " write it as [192.0.2.53, '2001:db8::53']"
            )
        if not ipv6 and not is_ipv4(value):
            raise BenchError(f"{variable} contains {value!r}, which is not an IPv4 address; write it as [192.0.2.53]")
    return tuple(listed)


def check_servers(values: object, variable: str) -> tuple[str, ...]:
    """Return a list of names or IPv4 addresses, which may be empty; raise BenchError."""
    listed = values if isinstance(values, (list, tuple)) else [values]
    for value in listed:
        if not is_host(value):
            raise BenchError(f"{variable} contains {value!r}, which is neither address nor name; write it as [ntp.example.net]")
    return tuple(listed)
