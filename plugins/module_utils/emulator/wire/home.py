# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Emulated phones at the customer's: on any machine, by its own network or from a namespace, with a resolver of their own.

Needs no root, unless the phones are in a namespace. There is no DHCP: the home router has answered, and names no server.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from ipaddress import ip_address

from ...certificates.tls_scan import ProbeError, RecordType, ask_name_server, ask_system
from ..device.ports import Lease, Renewal, WireRequest, WireResponse
from ..load.options import HomeOptions, IpMode
from .exchange import PhoneIdentity, exchange
from .namespace import NamedNamespace

_SYSLOG_PORT = 514
_DISCARD_PORT = 9
_NAME_WAITS = (2.0, 4.0)
"""Seconds for each name server, in the first round and in the second."""
_ANYWHERE = {socket.AF_INET: "198.51.100.1", socket.AF_INET6: "2001:db8::1"}
"""Documentation addresses (RFC 5737, RFC 3849), to which nothing is sent: the way there shows the phone's own address."""
_RECORDS = {
    IpMode.IPV4: (RecordType.A,),
    IpMode.IPV6: (RecordType.AAAA,),
    IpMode.DUAL: (RecordType.AAAA, RecordType.A),
}
"""Guess: a phone with both prefers IPv6."""


class HomeError(Exception):
    """The target cannot run phones at home; the message says why and what to do."""


class Home:
    """The network at the customer's; a context manager."""

    def __init__(self, options: HomeOptions, timeout: float) -> None:
        """*timeout*: seconds to get each file, from each address."""
        self._options = options
        self._timeout = timeout
        self._namespace: NamedNamespace | None = None
        self.duplicate_addresses: Sequence[str] = ()
        """Nobody assigns addresses here."""

    def __enter__(self) -> Home:
        """Open the namespace, if the phones are in one; raise HomeError."""
        name = self._options.namespace
        if name:
            try:
                self._namespace = NamedNamespace(name)
            except OSError as error:
                raise HomeError(
                    f"home: there is no network namespace {name} on the target; create it with 'ip netns add {name}'"
                ) from error
        return self

    def __exit__(self, *_: object) -> None:
        """Close what was opened."""
        if self._namespace:
            self._namespace.close()

    @contextmanager
    def connect(self, identity: PhoneIdentity) -> Iterator[HomeLink]:
        """Connect one phone."""
        yield HomeLink(self, identity, self._options, self._timeout)

    def socket(self, address: str, kind: socket.SocketKind) -> socket.socket:
        """Return a socket of the family of *address*; raise OSError."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with self._namespace.entered() if self._namespace else nullcontext():
            return socket.socket(family, kind)

    def ask_system(self, name: str, record: RecordType) -> tuple[str, ...]:
        """Return the addresses that the target's own resolver finds."""
        with self._namespace.entered() if self._namespace else nullcontext():
            return ask_system(name, record)

    def own_address(self) -> str:
        """Return the address that packets from here have; empty without a route."""
        families = {RecordType.A: socket.AF_INET, RecordType.AAAA: socket.AF_INET6}
        for record in _RECORDS[self._options.ip_mode]:
            target = _ANYWHERE[families[record]]
            with suppress(OSError), self.socket(target, socket.SOCK_DGRAM) as opened:
                opened.connect((target, _DISCARD_PORT))
                return str(opened.getsockname()[0])
        return ""


class HomeLink:
    """One phone's ports.Network, made by Home.connect()."""

    def __init__(self, home: Home, identity: PhoneIdentity, options: HomeOptions, timeout: float) -> None:
        self._home = home
        self._identity = identity
        self._options = options
        self._timeout = timeout

    def lease(self, _vendor_class: str) -> Lease | None:
        """See ports.Network; the home router's options name no provisioning server."""
        return Lease(self._home.own_address(), {})

    def renew(self, any_server: bool) -> Renewal:
        """See ports.Network; nobody takes the address away."""
        return Renewal()

    def give_up_lease(self) -> None:
        """See ports.Network."""

    def addresses(self, name: str) -> Sequence[str]:
        """See ports.Network; each call asks anew, as after the end of the records' lifetime."""
        with suppress(ValueError):
            return (str(ip_address(name.strip("[]"))),)
        given = self._options.records.get(name.lower().rstrip("."))
        if given is not None:
            return [address for address in given if self._uses(address)]
        return [address for record in _RECORDS[self._options.ip_mode] for address in self._look_up(name, record)]

    def _uses(self, address: str) -> bool:
        return (RecordType.AAAA if ":" in address else RecordType.A) in _RECORDS[self._options.ip_mode]

    def _look_up(self, name: str, record: RecordType) -> Sequence[str]:
        servers = self._options.name_servers
        if not servers:
            return self._home.ask_system(name, record)
        for wait in _NAME_WAITS:
            for server in servers:
                with suppress(OSError, ProbeError), self._home.socket(server, socket.SOCK_DGRAM) as opened:
                    return ask_name_server(opened, name, server, wait, record)
        return ()

    def fetch(self, request: WireRequest) -> WireResponse:
        """See ports.Network."""
        return exchange(request, self._identity, lambda kind: self._home.socket(request.address, kind), self._timeout)

    def log(self, server: str, text: str) -> bool:
        """See ports.Network."""
        try:
            address = self.addresses(server)[0]
            with self._home.socket(address, socket.SOCK_DGRAM) as opened:
                opened.sendto(text.encode("ascii", "replace"), (address, _SYSLOG_PORT))
        except (OSError, IndexError):
            return False
        return True
