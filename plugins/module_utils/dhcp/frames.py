# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ethernet frames that carry DHCP: build those of a client, read those of servers."""

from __future__ import annotations

import array
import struct
import sys
from dataclasses import dataclass
from ipaddress import IPv4Address

from ..common.mac import Mac
from .packets import CLIENT_PORT, NO_ADDRESS, SERVER_PORT

ETHERTYPE_IP = 0x0800
_ETHERNET = struct.Struct("!6s6sH")
_IP = struct.Struct("!BBHHHBBH4s4s")
_UDP = struct.Struct("!HHHH")
_BROADCAST_MAC = b"\xff" * 6
_BROADCAST_ADDRESS = b"\xff" * 4
PROTOCOL_UDP = 17
_FRAGMENT = 0x3FFF
_TIME_TO_LIVE = 64


@dataclass(frozen=True)
class Datagram:
    """A UDP datagram to port 68, and the MAC address that sent it."""

    source_mac: Mac
    source: str
    data: bytes


def checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071); 0 for data that contains its own correct checksum."""
    words = array.array("H", data + b"\0" * (len(data) % 2))
    total = sum(words)
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    # The words are in the machine's byte order, and so is their sum
    return int.from_bytes((~total & 0xFFFF).to_bytes(2, sys.byteorder), "big")


def build_frame(client: Mac, data: bytes, address: str = NO_ADDRESS) -> bytes:
    """Return the Ethernet frame of a message to all servers from a client, which has no *address* yet or extends its lease."""
    source = IPv4Address(address).packed
    length = _UDP.size + len(data)
    pseudo = source + _BROADCAST_ADDRESS + struct.pack("!HH", PROTOCOL_UDP, length)
    # 0 would mean no checksum (RFC 768)
    total = checksum(pseudo + _UDP.pack(CLIENT_PORT, SERVER_PORT, length, 0) + data) or 0xFFFF
    datagram = _UDP.pack(CLIENT_PORT, SERVER_PORT, length, total) + data

    def ip(header_checksum: int) -> bytes:
        return _IP.pack(0x45, 0, _IP.size + length, 0, 0, _TIME_TO_LIVE, PROTOCOL_UDP, header_checksum, source, _BROADCAST_ADDRESS)

    return _ETHERNET.pack(_BROADCAST_MAC, bytes.fromhex(client.plain), ETHERTYPE_IP) + ip(checksum(ip(0))) + datagram


def read_frame(frame: bytes, checksum_ready: bool = True) -> Datagram | None:
    """Return the datagram to port 68 in an Ethernet frame; None for any other or damaged frame.

    *checksum_ready*: False for a frame with a UDP checksum that a network card was to fill in.
    """
    if len(frame) < _ETHERNET.size + _IP.size:
        return None
    _destination, source_mac, kind = _ETHERNET.unpack_from(frame)
    packet = frame[_ETHERNET.size :]
    version, _service, total, _id, fragment, _ttl, protocol, _sum, source, destination = _IP.unpack_from(packet)
    header = (version & 15) * 4
    if kind != ETHERTYPE_IP or version >> 4 != 4 or header < _IP.size or protocol != PROTOCOL_UDP or fragment & _FRAGMENT:
        return None
    if not header + _UDP.size <= total <= len(packet) or checksum(packet[:header]) != 0:
        return None
    _from, to, length, total_sum = _UDP.unpack_from(packet, header)
    if to != CLIENT_PORT or not _UDP.size <= length <= total - header:
        return None
    datagram = packet[header : header + length]
    if total_sum and checksum_ready and checksum(source + destination + struct.pack("!HH", PROTOCOL_UDP, length) + datagram) != 0:
        return None
    return Datagram(Mac(source_mac.hex()), str(IPv4Address(source)), datagram[_UDP.size :])
