# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""STUN binding requests and responses for IPv4 (RFC 8489), with the attributes of RFC 5780 that discover a NAT's behaviour.

Responses of servers that support only RFC 3489 are accepted, too.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import NamedTuple

MAGIC = 0x2112A442
REQUEST, SUCCESS, FAILURE = 0x0001, 0x0101, 0x0111
TRANSACTION_BYTES = 12

MAPPED_ADDRESS, CHANGE_REQUEST, CHANGED_ADDRESS, ERROR_CODE = 0x0001, 0x0003, 0x0005, 0x0009
XOR_MAPPED_ADDRESS, SOFTWARE, OTHER_ADDRESS = 0x0020, 0x8022, 0x802C

_HEADER = struct.Struct("!HHI12s")
_ATTRIBUTE = struct.Struct("!HH")
_ADDRESS = struct.Struct("!xBH4s")
_IPV4 = 1
_CHANGE_ADDRESS, _CHANGE_PORT = 4, 2


class StunError(ValueError):
    """Data is not a response to a binding request; the message says why."""


class Endpoint(NamedTuple):
    """An IPv4 address and a UDP port."""

    address: str
    port: int

    def __str__(self) -> str:
        return f"{self.address}:{self.port}"


@dataclass(frozen=True)
class Response:
    """A STUN server's response."""

    transaction: bytes
    mapped: Endpoint | None = None
    """Source of the request as the server saw it; None in a failure."""
    other: Endpoint | None = None
    """The server's other address and port, if it announces one."""
    software: str = ""
    failure: str = ""
    """Error code and reason, if the server refuses."""


def build_request(transaction: bytes, change_address: bool = False, change_port: bool = False) -> bytes:
    """Return a binding request; *change_address*, *change_port*: whether to ask for a response from the server's other one."""
    attributes = b""
    if change_address or change_port:
        flags = (_CHANGE_ADDRESS if change_address else 0) | (_CHANGE_PORT if change_port else 0)
        attributes = _ATTRIBUTE.pack(CHANGE_REQUEST, 4) + struct.pack("!I", flags)
    return _HEADER.pack(REQUEST, len(attributes), MAGIC, transaction) + attributes


def parse_response(data: bytes) -> Response:
    """Parse a response; raise StunError for anything else."""
    if len(data) < _HEADER.size:
        raise StunError(f"{len(data)} bytes are too few for a STUN message")
    kind, length, magic, transaction = _HEADER.unpack_from(data)
    if kind not in (SUCCESS, FAILURE) or magic != MAGIC:
        raise StunError("it is not a response to a STUN binding request")
    if len(data) != _HEADER.size + length:
        raise StunError(f"the STUN message says that {length} bytes follow its header, but {len(data) - _HEADER.size} do")
    # The first attribute of a type counts (RFC 8489 section 14)
    found: dict[int, bytes] = {}
    for code, value in _attributes(data[_HEADER.size :]):
        found.setdefault(code, value)
    mapped = _endpoint(found.get(XOR_MAPPED_ADDRESS), MAGIC) or _endpoint(found.get(MAPPED_ADDRESS))
    if kind == FAILURE:
        return Response(transaction, failure=_failure(found.get(ERROR_CODE, b"")))
    if mapped is None:
        raise StunError("the STUN response contains no mapped IPv4 address")
    other = _endpoint(found.get(OTHER_ADDRESS)) or _endpoint(found.get(CHANGED_ADDRESS))
    return Response(transaction, mapped, other, _text(found.get(SOFTWARE, b"")))


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    while data:
        if len(data) < _ATTRIBUTE.size:
            raise StunError("the STUN message ends within an attribute")
        code, length = _ATTRIBUTE.unpack_from(data)
        if len(data) < _ATTRIBUTE.size + length:
            raise StunError("the STUN message ends within an attribute")
        yield code, data[_ATTRIBUTE.size : _ATTRIBUTE.size + length]
        data = data[_ATTRIBUTE.size + length + -length % 4 :]


def _endpoint(value: bytes | None, mask: int = 0) -> Endpoint | None:
    if value is None or len(value) != _ADDRESS.size:
        return None
    family, port, address = _ADDRESS.unpack(value)
    number = int.from_bytes(address, "big") ^ mask
    return Endpoint(str(IPv4Address(number)), port ^ mask >> 16) if family == _IPV4 else None


def _failure(value: bytes) -> str:
    if len(value) < 4:
        return "an error without a number"
    return f"{value[2] % 8 * 100 + value[3]} {_text(value[4:])}".rstrip()


def _text(value: bytes) -> str:
    return "".join(character if character.isprintable() else "?" for character in value.decode("utf-8", "replace"))
