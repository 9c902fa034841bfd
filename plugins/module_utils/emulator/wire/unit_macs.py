# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The MAC address of each emulated phone on the wire: nftables rewrites the frames of the interface that all phones share.

What leaves carries the MAC address of the phone that has the source address, in the Ethernet header and, for ARP, in the message.
A frame to a phone's MAC and IPv4 address is taken in as one for the interface. Frames from any other address are dropped, except
DHCP messages of phones without an address, which are built with the right MAC address.

Sources: linux/netfilter/nf_tables.h and nfnetlink.h for the messages, nft(8) for hook and rules. The egress hook needs Linux 5.16.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Mapping
from ipaddress import IPv4Address

from ...common.mac import Mac
from ...common.processes import run_program
from .namespace import Namespace

_TABLE, _MACS, _UNITS = "preprovision-phones", "macs", "units"
_RULES = """
define interface = "%(interface)s"
table netdev %(table)s {
    map %(macs)s { type ipv4_addr : ether_addr; size 65535; }
    set %(units)s { type ipv4_addr . ether_addr; size 65535; }
    chain egress {
        type filter hook egress device $interface priority 0; policy drop;
        ip saddr 0.0.0.0 udp dport 67 accept
        ether saddr set ip saddr map @%(macs)s accept
        arp saddr ether set arp saddr ip map @%(macs)s ether saddr set arp saddr ip map @%(macs)s accept
    }
    chain ingress {
        type filter hook ingress device $interface priority 0; policy accept;
        meta pkttype other ip daddr . ether daddr @%(units)s meta pkttype set host
        meta pkttype other arp daddr ip . ether daddr @%(units)s meta pkttype set host
    }
}
"""

_NETLINK_NETFILTER = 12
_ERROR, _BATCH_BEGIN, _BATCH_END = 2, 16, 17
_SUBSYSTEM, _NETDEV = 10, 5  # nf_tables; the family of the table
_NEW_ELEMENT, _DELETE_ELEMENT = 12, 14
_REQUEST, _ACKNOWLEDGE, _CREATE = 0x1, 0x4, 0x400
_NESTED = 0x8000
_LIST_TABLE, _LIST_SET, _LIST_ELEMENTS = 1, 2, 3
_ELEMENT, _KEY, _DATA, _VALUE = 1, 1, 2, 1
_HEADER = struct.Struct("=IHHII")
_FAMILY = struct.Struct("!BBH")
_MAX_REPLY_SIZE = 65536


class UnitMacsError(Exception):
    """nftables cannot rewrite the phones' frames; the message says why."""


class UnitMacs:
    """The phones' MAC addresses on one interface in a namespace; close() closes its socket. Not for several threads at a time."""

    def __init__(self, namespace: Namespace, interface: str, environment: Mapping[str, str]) -> None:
        """Install the rules; raise UnitMacsError or OSError. *environment*: that of the command nft."""
        rules = _RULES % {"interface": interface, "table": _TABLE, "macs": _MACS, "units": _UNITS}
        with namespace.entered():
            done = run_program(["nft", "-f", "-"], data=rules, text=True, env=environment)
            if done.returncode != 0:
                raise UnitMacsError(f"nft failed: {' '.join(done.stderr.split())} (the egress hook needs Linux 5.16 or later)")
            self._netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER)

    def close(self) -> None:
        """Close the socket; the rules stay until the namespace is removed."""
        self._netlink.close()

    def set(self, address: str, mac: Mac, previous: Mac | None = None) -> None:
        """Let *mac* send and receive for *address*, which *previous* did until now; raise OSError."""
        if mac != previous:
            old = self._elements(_DELETE_ELEMENT, address, previous) if previous else []
            self._send([*old, *self._elements(_NEW_ELEMENT, address, mac)])

    def remove(self, address: str, mac: Mac) -> None:
        """Let nobody send and receive for *address* any more; raise OSError."""
        self._send(self._elements(_DELETE_ELEMENT, address, mac))

    @staticmethod
    def _elements(kind: int, address: str, mac: Mac) -> list[bytes]:
        """Return the messages that add or delete an address in the map and in the set."""
        ip, ether = IPv4Address(address).packed, bytes.fromhex(mac.plain)
        in_map = _value(_KEY, ip) + (_value(_DATA, ether) if kind == _NEW_ELEMENT else b"")
        # Each part of a concatenation fills whole words
        in_set = _value(_KEY, ip + ether.ljust(8, b"\0"))
        return [_change(kind, _MACS, in_map), _change(kind, _UNITS, in_set)]

    def _send(self, changes: list[bytes]) -> None:
        """Make all changes or none."""
        self._netlink.send(b"".join([_batch(_BATCH_BEGIN), *changes, _batch(_BATCH_END)]))
        # The kernel has answered each change, and perhaps the whole batch, when send() returns
        while True:
            try:
                reply = self._netlink.recv(_MAX_REPLY_SIZE, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            number = -struct.unpack_from("=i", reply, _HEADER.size)[0] if _HEADER.unpack_from(reply)[1] == _ERROR else 0
            if number:
                self._drain()
                raise OSError(number, os.strerror(number))

    def _drain(self) -> None:
        while True:
            try:
                self._netlink.recv(_MAX_REPLY_SIZE, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return


def _message(kind: int, flags: int, data: bytes) -> bytes:
    return _HEADER.pack(_HEADER.size + len(data), kind, _REQUEST | flags, 0, 0) + data


def _batch(kind: int) -> bytes:
    return _message(kind, 0, _FAMILY.pack(socket.AF_UNSPEC, 0, _SUBSYSTEM))


def _change(kind: int, where: str, element: bytes) -> bytes:
    flags = _ACKNOWLEDGE | (_CREATE if kind == _NEW_ELEMENT else 0)
    elements = _attribute(_LIST_ELEMENTS | _NESTED, _attribute(_ELEMENT | _NESTED, element))
    names = _attribute(_LIST_TABLE, _TABLE.encode() + b"\0") + _attribute(_LIST_SET, where.encode() + b"\0")
    return _message(_SUBSYSTEM << 8 | kind, flags, _FAMILY.pack(_NETDEV, 0, 0) + names + elements)


def _value(kind: int, value: bytes) -> bytes:
    return _attribute(kind | _NESTED, _attribute(_VALUE, value))


def _attribute(kind: int, value: bytes) -> bytes:
    # The length counts neither padding nor what follows it
    return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)
