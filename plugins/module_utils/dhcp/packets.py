# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""DHCPv4 messages as carried in UDP: build and parse them, and show their options.

Sources: RFC 2131 (message, broadcast flag), RFC 2132 (options, overload), RFC 3396 (long options in parts), RFC 5859 (option 150);
phones' use of 159 and 160: provisioning guides of the multiplatform phones. For 132 see options.py.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from ipaddress import IPv4Address

from ..common.mac import Mac

NO_ADDRESS = "0.0.0.0"  # noqa: S104 - an empty address field, not a bind address

SERVER_PORT = 67
CLIENT_PORT = 68

REQUEST = 1
REPLY = 2


class MessageType(IntEnum):
    """Values of option 53."""

    DISCOVER = 1
    OFFER = 2
    REQUEST = 3
    DECLINE = 4
    ACK = 5
    NAK = 6
    RELEASE = 7
    INFORM = 8

    @property
    def label(self) -> str:
        """The type as results and messages show it."""
        return self.name.lower()


BOOTP = "bootp"
"""What results and messages show for a message without a type."""

PARAMETERS = (1, 3, 6, 12, 15, 42, 43, 60, 66, 67, 125, 132, 150, 159, 160)
"""Options that phones are provisioned by; a DISCOVER asks for them."""

_HEADER = struct.Struct("!BBBBIHH4s4s4s4s16s64s128s")
_COOKIE = b"\x63\x82\x53\x63"
_ETHERNET = 1
_MAC_LENGTH = 6
_BROADCAST = 0x8000
# RFC 1542 section 2.1: relays drop shorter messages
_MIN_MESSAGE_SIZE = 300
_MAX_MESSAGE_SIZE = 1500

_MESSAGE_TYPES = frozenset(MessageType)
_PAD, _END = 0, 255
_MAX_OPTION_LENGTH = 255
_MESSAGE_TYPE = 53
_OVERLOAD = 52
_SERVER = 54
_PARAMETER_LIST = 55
_MESSAGE_SIZE = 57
_VENDOR_CLASS = 60

_TEXTS = frozenset({12, 14, 15, 17, 18, 40, 56, 60, 62, 64, 66, 67, 100, 101, 114, 159, 160, 252})
_ADDRESSES = frozenset({1, 3, 4, 5, 6, 7, 28, 41, 42, 44, 45, 50, 54, 69, 70, 72, 150})
_SINGLE_ADDRESSES = frozenset({1, 28, 50, 54})
_NUMBERS = frozenset({2, 23, 26, 51, 52, 53, 57, 58, 59})
_VLAN = 132


class DhcpPacketError(ValueError):
    """A DHCPv4 message for Ethernet is invalid or cannot be built; the message says why."""


@dataclass(frozen=True)
class DhcpPacket:
    """One message. Addresses are dotted; an empty one is NO_ADDRESS."""

    operation: int
    """REQUEST or REPLY."""
    xid: int
    client: Mac
    seconds: int = 0
    broadcast: bool = False
    client_address: str = NO_ADDRESS
    your_address: str = NO_ADDRESS
    next_server: str = NO_ADDRESS
    relay: str = NO_ADDRESS
    server_name: bytes = b""
    boot_file: bytes = b""
    """The fields ``sname`` and ``file``; empty where they contain options."""
    options: Mapping[int, bytes] = field(default_factory=dict)
    """Number -> value, with its parts joined."""

    @property
    def message(self) -> str:
        """The type's label, such as ``offer``; BOOTP without a type; for an unknown type its bytes in hexadecimal digits."""
        value = self.options.get(_MESSAGE_TYPE)
        if not value:
            return BOOTP
        number = int.from_bytes(value, "big")
        return MessageType(number).label if number in _MESSAGE_TYPES else value.hex()

    @property
    def server(self) -> str:
        """The server identifier, or empty."""
        value = self.options.get(_SERVER, b"")
        return str(IPv4Address(value)) if len(value) == 4 else ""


def discover_message(xid: int, client: Mac, vendor_class: str = "", seconds: int = 0) -> DhcpPacket:
    """Return a DHCPDISCOVER that asks for a broadcast answer; raise DhcpPacketError for an invalid vendor class.

    *seconds*: time that the client claims to have waited.
    """
    options = {
        _MESSAGE_TYPE: bytes([MessageType.DISCOVER]),
        _PARAMETER_LIST: bytes(PARAMETERS),
        _MESSAGE_SIZE: _MAX_MESSAGE_SIZE.to_bytes(2, "big"),
    }
    if vendor_class:
        if not vendor_class.isascii() or not vendor_class.isprintable() or len(vendor_class) > _MAX_OPTION_LENGTH:
            raise DhcpPacketError(
                f"the vendor class {vendor_class[:40]!r} cannot be sent;"
                f" it must be at most {_MAX_OPTION_LENGTH} printable ASCII characters, such as CISCO ATA192-MPP"
            )
        options[_VENDOR_CLASS] = vendor_class.encode("ascii")
    return DhcpPacket(REQUEST, xid, client, seconds, broadcast=True, options=options)


def build(packet: DhcpPacket) -> bytes:
    """Return the message as UDP carries it, with long options in parts; raise DhcpPacketError for an invalid field or option."""
    try:
        header = _HEADER.pack(
            packet.operation,
            _ETHERNET,
            _MAC_LENGTH,
            0,
            packet.xid,
            packet.seconds,
            _BROADCAST if packet.broadcast else 0,
            IPv4Address(packet.client_address).packed,
            IPv4Address(packet.your_address).packed,
            IPv4Address(packet.next_server).packed,
            IPv4Address(packet.relay).packed,
            bytes.fromhex(packet.client.plain),
            packet.server_name,
            packet.boot_file,
        )
    except (struct.error, ValueError) as error:
        raise DhcpPacketError(f"a field of the DHCP message has an invalid value: {error}") from error
    if len(packet.server_name) > 64 or len(packet.boot_file) > 128:
        raise DhcpPacketError("the server's name or the boot file is too long; at most 64 and 128 bytes fit into a DHCP message")
    parts = [header, _COOKIE]
    for code, value in packet.options.items():
        if not _PAD < code < _END or code == _OVERLOAD:
            raise DhcpPacketError(f"option {code} is not possible in a DHCP message; options are 1 to 254, except {_OVERLOAD}")
        for start in range(0, len(value) or 1, _MAX_OPTION_LENGTH):
            part = value[start : start + _MAX_OPTION_LENGTH]
            parts.append(bytes([code, len(part)]) + part)
    parts.append(bytes([_END]))
    return b"".join(parts).ljust(_MIN_MESSAGE_SIZE, b"\0")


def parse(data: bytes) -> DhcpPacket:
    """Parse a message; raise DhcpPacketError if it is invalid. A missing end mark and zeros at the end are accepted."""
    if len(data) < _HEADER.size + len(_COOKIE):
        raise DhcpPacketError(
            f"{len(data)} bytes are too few for a DHCP message; its fixed part has {_HEADER.size + len(_COOKIE)} bytes"
        )
    operation, hardware, length, _hops, xid, seconds, flags, *rest = _HEADER.unpack_from(data)
    *addresses, client, server_name, boot_file = rest
    if operation not in (REQUEST, REPLY):
        raise DhcpPacketError(f"a DHCP message is a request (1) or a reply (2), but this one has {operation}")
    if (hardware, length) != (_ETHERNET, _MAC_LENGTH):
        raise DhcpPacketError(
            f"the DHCP message is for hardware type {hardware} with addresses of {length} bytes, not for Ethernet (1, 6)"
        )
    if data[_HEADER.size : _HEADER.size + len(_COOKIE)] != _COOKIE:
        raise DhcpPacketError("the message has no DHCP options: the bytes 63 82 53 63 before them are missing")
    options, server_name, boot_file = _all_options(data[_HEADER.size + len(_COOKIE) :], server_name, boot_file)
    your_client, yours, next_server, relay = (str(IPv4Address(address)) for address in addresses)
    return DhcpPacket(
        operation=operation,
        xid=xid,
        client=Mac(client[:_MAC_LENGTH].hex()),
        seconds=seconds,
        broadcast=bool(flags & _BROADCAST),
        client_address=your_client,
        your_address=yours,
        next_server=next_server,
        relay=relay,
        server_name=server_name.partition(b"\0")[0],
        boot_file=boot_file.partition(b"\0")[0],
        options=options,
    )


def _all_options(data: bytes, server_name: bytes, boot_file: bytes) -> tuple[dict[int, bytes], bytes, bytes]:
    """Return the options of all fields, and the server's name and boot file, empty where they contain options."""
    options: dict[int, bytes] = {}
    _read_options(options, data, "options")
    overload = options.pop(_OVERLOAD, None)
    if overload is not None and overload not in (b"\1", b"\2", b"\3"):
        raise DhcpPacketError(f"option {_OVERLOAD} (overload) has the value {overload.hex()!r}; it must be 01, 02 or 03")
    fields = overload[0] if overload else 0
    if fields & 1:
        _read_options(options, boot_file, "file")
        boot_file = b""
    if fields & 2:
        _read_options(options, server_name, "sname")
        server_name = b""
    return options, server_name, boot_file


def _read_options(options: dict[int, bytes], data: bytes, where: str) -> None:
    """Add the options of the field *where*; a repeated option continues the earlier one (RFC 3396)."""
    for code, value in _parts(data, where):
        if code == _OVERLOAD and where != "options":
            raise DhcpPacketError(f"the field {where} contains option {_OVERLOAD} (overload), which is allowed only in the options")
        options[code] = options.get(code, b"") + value


def _parts(data: bytes, where: str) -> Iterator[tuple[int, bytes]]:
    position = 0
    while position < len(data) and data[position] != _END:
        code = data[position]
        position += 1
        if code == _PAD:
            continue
        if position == len(data):
            raise DhcpPacketError(f"option {code} is truncated: the field {where} ends before its length")
        length = data[position]
        position += 1
        if position + length > len(data):
            raise DhcpPacketError(
                f"option {code} is truncated: its length is {length} bytes, but the field {where} has {len(data) - position} left"
            )
        yield code, data[position : position + length]
        position += length


def show_option(code: int, value: bytes) -> str | int | list[str]:
    """Return an option's value: text, a number, an address, a list of addresses, or hexadecimal digits for other options."""
    if code in _TEXTS or (code == _VLAN and value.isdigit()):
        return show_text(value)
    # As a number, it is at most 4094, and begins with a byte that is no digit
    if code == _VLAN and len(value) in (2, 4):
        return int.from_bytes(value, "big")
    if code in _NUMBERS and len(value) in (1, 2, 4):
        # The time offset (2) is negative west of Greenwich
        return int.from_bytes(value, "big", signed=code == 2)
    if code in _SINGLE_ADDRESSES and len(value) == 4:
        return str(IPv4Address(value))
    if code in _ADDRESSES and code not in _SINGLE_ADDRESSES and len(value) % 4 == 0:
        return [str(IPv4Address(value[start : start + 4])) for start in range(0, len(value), 4)]
    return value.hex()


def show_options(options: Mapping[int, bytes]) -> dict[str, str | int | list[str]]:
    """Return ``option_66`` -> value, in the order of their numbers."""
    return {f"option_{code}": show_option(code, options[code]) for code in sorted(options)}


def show_text(value: bytes) -> str:
    r"""Return text from a stranger without zeros at its end; bytes other than printable ASCII become ``\x0a``."""
    return "".join(chr(byte) if 0x20 <= byte <= 0x7E else f"\\x{byte:02x}" for byte in value.rstrip(b"\0"))
