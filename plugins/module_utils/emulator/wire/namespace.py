# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Network namespaces used by one process: sockets in them, and addresses and routes by rtnetlink(7)."""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv4Network

_CLONE_NEWNET = 0x40000000

# From linux/netlink.h, rtnetlink.h, if_addr.h
_ERROR = 2
_NEW_ADDRESS, _DELETE_ADDRESS, _NEW_ROUTE = 20, 21, 24
_REQUEST, _ACKNOWLEDGE, _REPLACE, _CREATE = 0x1, 0x4, 0x100, 0x400
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_RTA_DESTINATION, _RTA_INTERFACE, _RTA_GATEWAY = 1, 4, 5
_MAIN_TABLE, _BY_DHCP, _UNICAST = 254, 16, 1
_EVERYWHERE, _ON_LINK = 0, 253
_HEADER = struct.Struct("=IHHII")
_ADDRESS = struct.Struct("=BBBBi")
_ROUTE = struct.Struct("=BBBBBBBBI")


class NamedNamespace:
    """An existing network namespace that threads can enter; close() closes its descriptors."""

    def __init__(self, name: str) -> None:
        """Raise OSError when it does not exist."""
        self._library = ctypes.CDLL(None, use_errno=True)
        self._name = name
        self._namespace = os.open(f"/run/netns/{name}", os.O_RDONLY | os.O_CLOEXEC)
        self._home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)

    def close(self) -> None:
        """Close the descriptors; sockets that were opened in the namespace keep it alive."""
        os.close(self._namespace)
        os.close(self._home)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Switch this thread into the namespace for the duration; sockets that it opens stay there."""
        self._enter(self._namespace)
        try:
            yield
        finally:
            self._enter(self._home)

    def _enter(self, descriptor: int) -> None:
        if self._library.setns(descriptor, _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"cannot enter the network namespace {self._name}")


class Namespace(NamedNamespace):
    """A network namespace whose one interface this process gives addresses and routes."""

    def __init__(self, name: str, interface: str) -> None:
        """Raise OSError when it cannot be entered."""
        super().__init__(name)
        with self.entered():
            self._interface = socket.if_nametoindex(interface)
            self._netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self._lock = threading.Lock()

    def close(self) -> None:
        """See NamedNamespace."""
        self._netlink.close()
        super().close()

    def socket(self, kind: socket.SocketKind, address: str, port: int = 0) -> socket.socket:
        """Return an IPv4 socket bound to one of the interface's addresses."""
        with self.entered():
            opened = socket.socket(socket.AF_INET, kind)
        try:
            opened.bind((address, port))
        except OSError:
            opened.close()
            raise
        return opened

    def add_address(self, address: str) -> None:
        """Add an address with prefix length 32 to the interface, so that no address depends on another."""
        self._send_netlink(_NEW_ADDRESS, _CREATE | _REPLACE, self._address(address))

    def delete_address(self, address: str) -> None:
        """Remove an address from the interface."""
        self._send_netlink(_DELETE_ADDRESS, 0, self._address(address))

    def add_route(self, network: IPv4Network, gateway: str = "") -> None:
        """Route a network through the interface, or through a *gateway* on it."""
        scope = _EVERYWHERE if gateway else _ON_LINK
        data = _ROUTE.pack(socket.AF_INET, network.prefixlen, 0, 0, _MAIN_TABLE, _BY_DHCP, scope, _UNICAST, 0)
        data += _attribute(_RTA_DESTINATION, network.network_address.packed)
        data += _attribute(_RTA_INTERFACE, struct.pack("=i", self._interface))
        if gateway:
            data += _attribute(_RTA_GATEWAY, IPv4Address(gateway).packed)
        self._send_netlink(_NEW_ROUTE, _CREATE | _REPLACE, data)

    def _address(self, address: str) -> bytes:
        packed = IPv4Address(address).packed
        header = _ADDRESS.pack(socket.AF_INET, 32, 0, 0, self._interface)
        return header + _attribute(_IFA_LOCAL, packed) + _attribute(_IFA_ADDRESS, packed)

    def _send_netlink(self, kind: int, flags: int, data: bytes) -> None:
        """Send one message; raise OSError with the kernel's error."""
        with self._lock:
            self._netlink.send(_HEADER.pack(_HEADER.size + len(data), kind, _REQUEST | _ACKNOWLEDGE | flags, 0, 0) + data)
            reply = self._netlink.recv(65536)
        number = -struct.unpack_from("=i", reply, _HEADER.size)[0] if _HEADER.unpack_from(reply)[1] == _ERROR else 0
        if number:
            raise OSError(number, os.strerror(number))


def _attribute(kind: int, value: bytes) -> bytes:
    # All values here are four bytes long, so none needs padding
    return struct.pack("=HH", 4 + len(value), kind) + value
