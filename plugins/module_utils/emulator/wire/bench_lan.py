# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Emulated phones on a bench's bridge, one or a thousand, in one process: DHCP, DNS, TFTP, HTTP, HTTPS and syslog.

Runs on the target as root. All phones share a network namespace with one interface in the bridge, but every frame carries the MAC
address of the phone that it is from or for, see unit_macs.py. No command line contains a secret.
"""

from __future__ import annotations

import os
import resource
import shutil
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from pathlib import Path

from ...certificates.tls_scan import ProbeError, ask_name_server
from ...common.mac import Mac
from ...common.processes import run_program
from ...dhcp.discovery import open_interface
from ...dhcp.packets import CLIENT_PORT, SERVER_PORT, DhcpPacketError, MessageType
from ..device.ports import Lease, Renewal, WireFailure, WireRequest, WireResponse
from .dhcp import DhcpAck, DhcpClients, release_message
from .exchange import PhoneIdentity, exchange
from .namespace import Namespace
from .unit_macs import UnitMacs, UnitMacsError

_LOCK = "\0preprovision-phones"  # an abstract name: held while the process lives, and not a file
_NAMESPACE = "preprovision-phones"
_LINK = "preprov-phones"
_INTERFACE = "eth0"
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
_SYSLOG_PORT = 514
_ANYWHERE = IPv4Network("0.0.0.0/0")
_COMMANDS = {"ip": "iproute2", "nft": "nftables"}
"""Command -> the Debian package that contains it."""

_NAME_WAITS = (2.0, 4.0)
"""Seconds for each name server, in the first round and in the second."""

_RELEASE_INTERVAL = 0.004
"""Seconds; a server that writes each release to disk keeps up."""

_DESCRIPTORS = 2
"""Most files that one phone has open at a time."""
_SPARE_DESCRIPTORS = 128


class BenchLanError(Exception):
    """The target cannot run emulated phones; the message says why and what to do."""


class BenchLan:
    """The bridge that phones are connected to; a context manager that one process at a time can enter on a machine."""

    def __init__(self, bridge: str, timeout: float) -> None:
        """*timeout*: seconds to get a lease, and each file."""
        self._bridge = bridge
        self._timeout = timeout
        self._holders_lock = threading.Lock()
        self._release_lock = threading.Lock()
        self._holders: dict[str, Mac] = {}
        self.duplicate_addresses: list[str] = []
        """A sentence for each address that was assigned to a phone while another had it."""

    def __enter__(self) -> BenchLan:
        """Check the machine, remove the remains of a killed run, and connect the namespace to the bridge."""
        if os.geteuid() != 0:
            raise BenchLanError("emulated phones need root for their network namespace; use become")
        for command, package in _COMMANDS.items():
            if shutil.which(command, path=_ENVIRONMENT["PATH"]) is None:
                raise BenchLanError(f"the command {command} is missing; install the Debian package {package}")
        if not _is_bridge(self._bridge):
            raise BenchLanError(f"there is no bridge {self._bridge} on this machine; set bridge to the one that the bench uses")
        self._lock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            self._lock.bind(_LOCK)
        except OSError as error:
            self._lock.close()
            raise BenchLanError("other emulated phones are running on this machine; wait until they have finished") from error
        try:
            self._create()
        except (OSError, ProbeError, UnitMacsError) as error:
            self._remove()
            raise BenchLanError(f"cannot create the phones' network: {error}") from error
        except BenchLanError:
            self._remove()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the namespace and its link."""
        try:
            self._clients.close()
            self._macs.close()
            self._namespace.close()
        finally:
            self._remove()

    @contextmanager
    def connect(self, identity: PhoneIdentity) -> Iterator[PhoneLink]:
        """Connect one phone, and disconnect it at the end."""
        link = PhoneLink(self, self._namespace, self._clients, identity, self._timeout)
        try:
            yield link
        finally:
            link.close()

    def claim_address(self, address: str, mac: Mac) -> None:
        """Record who holds an address, and add it to the interface; raise OSError for an address that no host can have.

        From now on frames from this address carry *mac*.
        """
        with self._holders_lock:
            other = self._holders.get(address)
            if other is not None and other != mac:
                self.duplicate_addresses.append(f"{address} was assigned to {mac.colon} while {other.colon} had it")
            self._macs.set(address, mac, other)
            self._holders[address] = mac
            self._namespace.add_address(address)

    def release_address(self, address: str, mac: Mac) -> None:
        """Remove an address from the interface, unless another phone has it by now."""
        with self._holders_lock:
            if self._holders.get(address) == mac:
                del self._holders[address]
                with suppress(OSError):
                    self._macs.remove(address, mac)
                with suppress(OSError):
                    self._namespace.delete_address(address)

    def send_release(self, opened: socket.socket, message: bytes, server: tuple[str, int]) -> None:
        """Send a DHCPRELEASE, a moment after the previous one."""
        # It is not acknowledged (RFC 2131 section 4.4.6), so one that overflows the server's socket would be lost for good
        with self._release_lock:
            opened.sendto(message, server)
            time.sleep(_RELEASE_INTERVAL)

    def _create(self) -> None:
        _remove_leftovers()
        _run("ip", "netns", "add", _NAMESPACE)
        lines = (
            f"link add {_LINK} type veth peer name {_INTERFACE} netns {_NAMESPACE}",
            f"link set {_LINK} addrgenmode none master {self._bridge} up",
        )
        _run("ip", "-batch", "-", text="\n".join(lines))
        self._namespace = Namespace(_NAMESPACE, _INTERFACE)
        # Before the interface is up, so that no frame carries its own MAC address
        self._macs = UnitMacs(self._namespace, _INTERFACE, _ENVIRONMENT)
        _run("ip", "-netns", _NAMESPACE, "-batch", "-", text=f"link set {_INTERFACE} addrgenmode none\nlink set {_INTERFACE} up")
        with self._namespace.entered():
            self._clients = DhcpClients(open_interface(_INTERFACE))

    def _remove(self) -> None:
        try:
            _remove_leftovers()
        finally:
            self._lock.close()


class PhoneLink:
    """One phone's ports.Network, made by BenchLan.connect()."""

    def __init__(self, lan: BenchLan, namespace: Namespace, clients: DhcpClients, identity: PhoneIdentity, timeout: float) -> None:
        self._lan = lan
        self._namespace = namespace
        self._clients = clients
        self._identity = identity
        self._timeout = timeout
        self._ack: DhcpAck | None = None
        self._vendor_class = ""
        self._resolved: dict[str, Sequence[str]] = {}

    def close(self) -> None:
        """Release the lease."""
        ack, self._ack = self._ack, None
        if ack is None:
            return
        if ack.server:
            with suppress(OSError), self._namespace.socket(socket.SOCK_DGRAM, ack.address, CLIENT_PORT) as opened:
                self._lan.send_release(opened, release_message(self._identity.mac, ack), (ack.server, SERVER_PORT))
        self._lan.release_address(ack.address, self._identity.mac)

    def lease(self, vendor_class: str) -> Lease | None:
        """See ports.Network; close() releases the lease."""
        self.close()
        self._resolved.clear()
        self._vendor_class = vendor_class
        try:
            ack = self._clients.acquire(self._identity.mac, vendor_class, time.monotonic() + self._timeout)
            if ack is None:
                return None
        except (OSError, DhcpPacketError):
            return None
        try:
            self._lan.claim_address(ack.address, self._identity.mac)
        except OSError:
            self._lan.release_address(ack.address, self._identity.mac)
            return None
        self._ack = ack
        with suppress(OSError):
            self._namespace.add_route(IPv4Network((ack.address, ack.prefix), strict=False))
            if ack.router:
                self._namespace.add_route(_ANYWHERE, ack.router)
            self._clients.announce(self._identity.mac, ack)
        return Lease(ack.address, ack.texts, ack.options)

    def renew(self, any_server: bool) -> Renewal:
        """See ports.Network."""
        ack, mac = self._ack, self._identity.mac
        if ack is None:
            return Renewal()
        try:
            # Open until the answer is there, so that the kernel does not refuse it
            with self._namespace.socket(socket.SOCK_DGRAM, ack.address, CLIENT_PORT) as opened:

                def send(message: bytes) -> None:
                    if any_server:
                        self._clients.broadcast(mac, ack.address, message)
                    else:
                        opened.sendto(message, (ack.server, SERVER_PORT))

                reply = self._clients.extend(mac, self._vendor_class, ack, send)
        except (OSError, DhcpPacketError):
            return Renewal()
        if reply is None or reply.message != MessageType.ACK.label:
            return Renewal(refused=reply is not None)
        if reply.your_address != ack.address:
            return Renewal()
        self._ack = DhcpAck(ack.address, reply.server or ack.server, reply.options)
        return Renewal(Lease(ack.address, self._ack.texts, self._ack.options))

    def give_up_lease(self) -> None:
        """See ports.Network."""
        ack, self._ack = self._ack, None
        if ack is not None:
            self._lan.release_address(ack.address, self._identity.mac)

    def addresses(self, name: str) -> Sequence[str]:
        """See ports.Network."""
        try:
            return (str(IPv4Address(name)),)
        except AddressValueError:
            pass
        if name not in self._resolved:
            self._resolved[name] = self._look_up(name)
        return self._resolved[name]

    def _look_up(self, name: str) -> Sequence[str]:
        if self._ack is None:
            return ()
        servers = self._ack.texts.get(6, "").split()
        for wait in _NAME_WAITS:
            for server in servers:
                try:
                    with self._namespace.socket(socket.SOCK_DGRAM, self._ack.address) as opened:
                        return ask_name_server(opened, name, server, wait)
                except (OSError, ProbeError):
                    continue
        return ()

    def fetch(self, request: WireRequest) -> WireResponse:
        """See ports.Network."""
        ack = self._ack
        if ack is None:
            return WireResponse(0, failure=WireFailure.UNREACHABLE, error="the phone has no address")
        return exchange(request, self._identity, lambda kind: self._namespace.socket(kind, ack.address), self._timeout)

    def log(self, server: str, text: str) -> bool:
        """See ports.Network."""
        if self._ack is None:
            return False
        try:
            with self._namespace.socket(socket.SOCK_DGRAM, self._ack.address) as opened:
                opened.sendto(text.encode("ascii", "replace"), (self.addresses(server)[0], _SYSLOG_PORT))
        except (OSError, IndexError):
            return False
        return True


def max_parallel(wanted: int) -> int:
    """Raise this process's limit of open files, and return how many of *wanted* phones can be up at a time."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard == resource.RLIM_INFINITY:
        return wanted
    return max(1, min(wanted, (hard - _SPARE_DESCRIPTORS) // _DESCRIPTORS))


def _is_bridge(name: str) -> bool:
    return Path("/sys/class/net", name, "bridge").is_dir()


def _remove_leftovers() -> None:
    """Remove the namespace and the link, if present."""
    with suppress(OSError):
        socket.if_nametoindex(_LINK)
        run_program(["ip", "link", "delete", _LINK], env=_ENVIRONMENT)
    if Path("/run/netns", _NAMESPACE).exists():
        _run("ip", "netns", "delete", _NAMESPACE)


def _run(*command: str, text: str | None = None) -> None:
    done = run_program(command, data=text, text=True, env=_ENVIRONMENT)
    if done.returncode != 0:
        raise BenchLanError(f"{' '.join(command)} failed: {' '.join(done.stderr.split())}")
