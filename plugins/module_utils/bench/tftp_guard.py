# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which TFTP requests the kernel drops, so that no client gets another unit's file by its name.

dnsmasq (tftp.c of 2.90 and 2.91) appends the requested name to the served folder. Before, it turns ``\\`` into ``/`` and removes
one leading ``/``; a name that begins with the served folder itself is opened as it is. Names with ``/../`` are refused. So a unit's
folder is reached by the first component of a name, or by the path of the served folder. Letters count in either case.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv4Network, collapse_addresses
from typing import TypeVar

_Read = TypeVar("_Read")

_NAME = 10
"""Position of a read request's name in a UDP datagram: the header has 8 bytes, the operation 2 (RFC 768, RFC 1350)."""

_SLASHES = "{ 0x2f, 0x5c }"
_BEGINS_HIDDEN = "{ 0x2e, 0x2f, 0x5c }"
# A unit's folder is called 00-00-5e-00-53-01
_DASHES = (2, 5, 8, 11, 14)
_FOLDER_LENGTH = 17
_LETTER_CASE = 0x20


class TftpGuardError(ValueError):
    """A setting of the TFTP server that the guard cannot work with; the message names the variable and what would be right."""


def _byte(position: int, expected: str) -> str:
    """Return the nftables expression for a byte of the name; see "raw payload expression" in nft(8)."""
    return f"@th,{(_NAME + position) * 8},8 {expected}"


def _is(byte: int) -> str:
    """Return the operand for one byte, which ignores a letter's case."""
    return f"& 0x{0xFF ^ _LETTER_CASE:02x} == 0x{byte & ~_LETTER_CASE:02x}" if chr(byte).isalpha() else f"0x{byte:02x}"


def forbidden_names(root: str) -> list[str]:
    """Return nftables expressions, each of which matches names of read requests that a client must not ask for.

    *root*: absolute path by which dnsmasq knows the served folder. Raise TftpGuardError if it does not begin with a folder's name.
    """
    first = root.split("/")[1] if root.startswith("/") else ""
    if first in ("", ".", "..") or "\\" in root or not root.isascii():
        raise TftpGuardError(f"the served folder must be an absolute ASCII path without '\\', such as /run/tftp, but is {root!r}")
    leading = _byte(0, _SLASHES)
    found = [_byte(0, "0x2e"), f"{leading} {_byte(1, _BEGINS_HIDDEN)}"]
    for start, before in ((0, ""), (1, f"{leading} ")):
        folder = [_byte(start + dash, "0x2d") for dash in _DASHES]
        found.append(f"{before}{' '.join(folder)} {_byte(start + _FOLDER_LENGTH, _SLASHES)}")
    path = [_byte(1 + position, _is(byte)) for position, byte in enumerate(first.encode())]
    found.append(f"{leading} {' '.join(path)} {_byte(1 + len(first), _SLASHES)}")
    return found


def neighbour_networks(address: str, clients: Iterable[str]) -> list[str]:
    """Return those networks of *clients* whose hosts the server reaches without a router: those that hold its own *address*.

    If none does, all of them, since then it is unknown which hosts are neighbours. Raise TftpGuardError for anything but IPv4.
    """
    networks = _networks(clients)
    own = _read(IPv4Address, address, "tftp_server_address")
    return _texts(network for network in networks if own in network) or _texts(networks)


def client_networks(clients: Iterable[str]) -> list[str]:
    """Return the networks of *clients* without overlaps; raise TftpGuardError for anything but IPv4."""
    return _texts(_networks(clients))


def _networks(clients: Iterable[str]) -> list[IPv4Network]:
    networks = [_read(lambda text: IPv4Network(text, strict=False), client, "tftp_server_clients") for client in clients]
    if not networks:
        raise TftpGuardError("tftp_server_clients is empty; list the bench's network, such as 192.0.2.0/24")
    return networks


def _texts(networks: Iterable[IPv4Network]) -> list[str]:
    # nftables rejects a set of networks that overlap
    return [str(network) for network in collapse_addresses(networks)]


def _read(read: Callable[[str], _Read], text: str, variable: str) -> _Read:
    try:
        return read(text)
    except ValueError as error:
        raise TftpGuardError(f"{variable}: {error}; only IPv4 can be guarded, such as 192.0.2.1/24") from error
