# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Emulated units on a bench's bridge, one or a thousand, from one process: DHCP, DNS, TFTP, HTTP, HTTPS and syslog are done here.

Runs on the target as root. All units share a network namespace with one interface in the bridge. DHCP frames carry each unit's own
MAC address; what comes after, from the unit's own IPv4 address, carries the interface's. Nothing secret is in an argument.
"""

from __future__ import annotations

import os
import resource
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from pathlib import Path

from .dhcp_packets import CLIENT_PORT, SERVER_PORT, DhcpPacketError
from .dhcp_probe import open_interface
from .mac import Mac
from .phone_network import Answer, Ask, Lease
from .tls_probe import ProbeError, ask_name_server
from .wire_dhcp import DhcpClients, Given, release_message
from .wire_http import ClientCertificate, fetch
from .wire_namespace import Namespace
from .wire_tftp import Place, read_file, write_file

_LOCK = "\0preprovision-phones"  # an abstract name: held as long as the process lives, and no file
_NAMESPACE = "preprovision-phones"
_LINK = "preprov-phones"
_INTERFACE = "eth0"
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
_SYSLOG_PORT = 514
_ANYWHERE = IPv4Network("0.0.0.0/0")

_NAME_WAITS = (2.0, 4.0)
"""Seconds for each name server, in the first round and in the second."""

_BETWEEN_RELEASES = 0.004
"""Seconds; a server that writes each to disk keeps up with it."""

_DESCRIPTORS = 2
"""What one unit has open at most."""
_SPARE_DESCRIPTORS = 128


class WireError(Exception):
    """The target cannot hold emulated units; the message says why and what to do."""


@dataclass(frozen=True)
class Identity:
    """How one unit presents itself."""

    mac: Mac
    block_size: int | None = None
    """TFTP block size to negotiate; None sends no TFTP options."""
    certificate: ClientCertificate | None = None


class Wire:
    """The bridge that units are plugged into; use as a context manager. One user at a time on a machine."""

    def __init__(self, bridge: str, timeout: float) -> None:
        """*timeout*: seconds for a lease, and for each file."""
        self._bridge = bridge
        self._timeout = timeout
        self._guard = threading.Lock()
        self._pace = threading.Lock()
        self._held: dict[str, Mac] = {}
        self.twice: list[str] = []
        """A sentence on each address that was given to a unit while another had it."""

    def __enter__(self) -> Wire:
        """Check the machine, clear away what a killed run has left, and plug the units' cable in."""
        if os.geteuid() != 0:
            raise WireError("emulated units need root, for their network namespace; use become")
        if shutil.which("ip", path=_ENVIRONMENT["PATH"]) is None:
            raise WireError("the command ip is missing; install the Debian package iproute2")
        if not Path("/sys/class/net", self._bridge, "bridge").is_dir():
            raise WireError(f"there is no bridge {self._bridge} on this machine; give the one that the bench is on")
        self._lock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            self._lock.bind(_LOCK)
        except OSError as error:
            self._lock.close()
            raise WireError("other emulated units are running on this machine; wait until they have finished") from error
        try:
            self._make()
        except (OSError, ProbeError) as error:
            self._clear()
            raise WireError(f"the units' network cannot be made: {error}") from error
        except WireError:
            self._clear()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Leave no trace."""
        try:
            self._clients.close()
            self._namespace.close()
        finally:
            self._clear()

    @contextmanager
    def plug_in(self, identity: Identity) -> Iterator[Plug]:
        """Plug one unit in, and unplug it at the end."""
        plug = Plug(self, self._namespace, self._clients, identity, self._timeout)
        try:
            yield plug
        finally:
            plug.close()

    def take(self, address: str, mac: Mac) -> None:
        """Note who has an address, and give it to the interface; raise OSError when it is none for a unit."""
        with self._guard:
            other = self._held.get(address)
            if other is not None and other != mac:
                self.twice.append(f"{address} was given to {mac.colon} while {other.colon} had it")
            self._namespace.add_address(address)
            self._held[address] = mac

    def leave(self, address: str, mac: Mac) -> None:
        """Take it from the interface, unless another unit has it by now."""
        with self._guard:
            if self._held.get(address) == mac:
                del self._held[address]
                with suppress(OSError):
                    self._namespace.delete_address(address)

    def give_back(self, opened: socket.socket, message: bytes, server: tuple[str, int]) -> None:
        """Send a DHCPRELEASE, a moment after that of the unit before."""
        # Nobody answers it (RFC 2131 section 4.4.6), so that one that overflows the server's socket would be lost for good
        with self._pace:
            opened.sendto(message, server)
            time.sleep(_BETWEEN_RELEASES)

    def _make(self) -> None:
        _sweep()
        _run("ip", "netns", "add", _NAMESPACE)
        lines = (
            f"link add {_LINK} type veth peer name {_INTERFACE} netns {_NAMESPACE}",
            f"link set {_LINK} addrgenmode none master {self._bridge} up",
        )
        _run("ip", "-batch", "-", text="\n".join(lines))
        _run("ip", "-netns", _NAMESPACE, "-batch", "-", text=f"link set {_INTERFACE} addrgenmode none\nlink set {_INTERFACE} up")
        self._namespace = Namespace(_NAMESPACE, _INTERFACE)
        with self._namespace.entered():
            self._clients = DhcpClients(open_interface(_INTERFACE))

    def _clear(self) -> None:
        try:
            _sweep()
        finally:
            self._lock.close()


class Plug:
    """One unit's network, made by Wire.plug_in(); it is a phone_network.Network."""

    def __init__(self, wire: Wire, namespace: Namespace, clients: DhcpClients, identity: Identity, timeout: float) -> None:
        self._wire = wire
        self._namespace = namespace
        self._clients = clients
        self._identity = identity
        self._timeout = timeout
        self._given: Given | None = None
        self._known: dict[str, Sequence[str]] = {}

    def close(self) -> None:
        """Give the lease back."""
        given, self._given = self._given, None
        if given is None:
            return
        if given.server:
            with suppress(OSError), self._namespace.socket(socket.SOCK_DGRAM, given.address, CLIENT_PORT) as opened:
                self._wire.give_back(opened, release_message(self._identity.mac, given), (given.server, SERVER_PORT))
        self._wire.leave(given.address, self._identity.mac)

    def lease(self, vendor_class: str) -> Lease | None:
        """See phone_network.Network; close() gives it back."""
        self.close()
        self._known.clear()
        try:
            given = self._clients.ask(self._identity.mac, vendor_class, time.monotonic() + self._timeout)
            if given is None:
                return None
            self._wire.take(given.address, self._identity.mac)
        except (OSError, DhcpPacketError):
            return None
        self._given = given
        with suppress(OSError):
            self._namespace.add_route(IPv4Network((given.address, given.prefix), strict=False))
            if given.router:
                self._namespace.add_route(_ANYWHERE, given.router)
            self._clients.announce(given)
        return Lease(given.address, given.texts, given.options)

    def addresses(self, name: str) -> Sequence[str]:
        """See phone_network.Network."""
        try:
            return (str(IPv4Address(name)),)
        except AddressValueError:
            pass
        if name not in self._known:
            self._known[name] = self._look_up(name)
        return self._known[name]

    def _look_up(self, name: str) -> Sequence[str]:
        if self._given is None:
            return ()
        servers = self._given.texts.get(6, "").split()
        for wait in _NAME_WAITS:
            for server in servers:
                try:
                    with self._namespace.socket(socket.SOCK_DGRAM, self._given.address) as opened:
                        return ask_name_server(opened, name, server, wait)
                except (OSError, ProbeError):
                    continue
        return ()

    def fetch(self, ask: Ask) -> Answer:
        """See phone_network.Network."""
        given = self._given
        if given is None:
            return Answer(0, failure="unreachable", error="the unit has no address")
        deadline = time.monotonic() + self._timeout
        try:
            if ask.target.scheme == "tftp":
                with self._namespace.socket(socket.SOCK_DGRAM, given.address) as opened:
                    place = Place(ask.address, ask.target.port, ask.target.path, self._identity.block_size)
                    if ask.method == "GET":
                        return read_file(opened, place, ask.most, deadline)
                    return write_file(opened, place, ask.body, deadline)
            return fetch(
                ask, lambda: self._namespace.socket(socket.SOCK_STREAM, given.address), deadline, self._identity.certificate
            )
        except OSError as error:
            return Answer(0, failure="unreachable", error=error.strerror or str(error))

    def log(self, server: str, text: str) -> bool:
        """See phone_network.Network."""
        if self._given is None:
            return False
        try:
            with self._namespace.socket(socket.SOCK_DGRAM, self._given.address) as opened:
                opened.sendto(text.encode("ascii", "replace"), (self.addresses(server)[0], _SYSLOG_PORT))
        except (OSError, IndexError):
            return False
        return True


def most_at_a_time(wanted: int) -> int:
    """Let this process open as many files as it may, and return how many units can be up at a time."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard == resource.RLIM_INFINITY:
        return wanted
    return max(1, min(wanted, (hard - _SPARE_DESCRIPTORS) // _DESCRIPTORS))


def _sweep() -> None:
    """Remove the namespace and the link; what is not there does not matter."""
    if Path("/sys/class/net", _LINK).exists():
        subprocess.run(["ip", "link", "delete", _LINK], capture_output=True, env=_ENVIRONMENT, check=False)
    if Path("/run/netns", _NAMESPACE).exists():
        _run("ip", "netns", "delete", _NAMESPACE)


def _run(*command: str, text: str | None = None) -> None:
    done = subprocess.run(command, input=text, capture_output=True, text=True, env=_ENVIRONMENT, check=False)
    if done.returncode != 0:
        raise WireError(f"{' '.join(command)} failed: {' '.join(done.stderr.split())}")
