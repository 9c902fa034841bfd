# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""TFTP client of an emulated phone, on a socket that the caller opens.

Sources: RFC 1350 (the protocol), RFC 2347 to 2349 (options, blksize, tsize), RFC 1123 section 4.2.3.1 (data is sent again after a
timeout, never because of a duplicate acknowledgement).
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..device.ports import WireFailure, WireResponse

_READ, _WRITE, _DATA, _ACKNOWLEDGE, _ERROR, _OPTIONS = range(1, 7)
_NOT_FOUND, _DISK_FULL, _UNKNOWN_TRANSFER, _BAD_OPTION = 1, 3, 5, 8
_BLOCK = 512
_MIN_BLOCK_SIZE = 8
_NUMBERS = 65536
_MAX_PACKET_SIZE = 65536
_HEADER = 4
_FIRST_WAIT = 1.0
_MAX_WAIT = 8.0
_IP_RECVERR = 11  # from linux/in.h: without it an unconnected socket does not learn that a port is closed


class _EndError(Exception):
    """The transfer ended without success; *failure* is None when there is no such file."""

    def __init__(self, failure: WireFailure | None, error: str, status: int = 0) -> None:
        super().__init__(error)
        self.response = WireResponse(status, failure=failure, error=error)


class _BadOptionError(Exception):
    """The server rejects the options; the request must be repeated without them."""


@dataclass(frozen=True)
class RemoteFile:
    """A file on a server, and how the phone requests it."""

    address: str
    port: int
    path: str
    """As requested, with the leading slash."""
    block_size: int | None = None
    """Block size to negotiate, together with the file's size; None sends no options."""
    suffix: bytes = b""
    """Bytes that the phone sends behind the path."""


def read_file(opened: socket.socket, file: RemoteFile, max_bytes: int, deadline: float) -> WireResponse:
    """Read a file of at most *max_bytes* before *deadline* (time.monotonic()) from a new UDP socket."""
    try:
        try:
            return _Transfer(opened, file, deadline).read(max_bytes)
        except _BadOptionError:
            return _Transfer(opened, replace(file, block_size=None), deadline).read(max_bytes)
    except _EndError as end:
        return end.response


def write_file(opened: socket.socket, file: RemoteFile, content: bytes, deadline: float) -> WireResponse:
    """Write a file before *deadline* (time.monotonic()) through a new UDP socket."""
    try:
        try:
            return _Transfer(opened, file, deadline).write(content)
        except _BadOptionError:
            return _Transfer(opened, replace(file, block_size=None), deadline).write(content)
    except _EndError as end:
        return end.response


class _Transfer:
    def __init__(self, opened: socket.socket, file: RemoteFile, deadline: float) -> None:
        self._socket = opened
        self._socket.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
        self._file = file
        self._deadline = deadline
        self._peer = (file.address, file.port)
        self._known = False
        """Whether the server's port for this transfer is known."""
        self._block = _BLOCK

    def read(self, max_bytes: int) -> WireResponse:
        content = bytearray()
        packet = self._exchange(self._request(_READ, 0), 1, (_DATA, _OPTIONS))
        if packet[:2] == _code(_OPTIONS):
            options = self._accept(packet)
            if options.get("tsize", 0) > max_bytes:
                raise self._too_large(max_bytes)
            packet = self._exchange(_acknowledge(0), 1, (_DATA,))
        number = 1
        while True:
            content += packet[_HEADER:]
            if len(content) > max_bytes:
                raise self._too_large(max_bytes)
            if len(packet) - _HEADER < self._block:
                self._send(_acknowledge(number))
                return WireResponse(200, bytes(content))
            number = (number + 1) % _NUMBERS
            packet = self._exchange(_acknowledge(number - 1), number, (_DATA,))

    def write(self, content: bytes) -> WireResponse:
        packet = self._exchange(self._request(_WRITE, len(content)), 0, (_ACKNOWLEDGE, _OPTIONS))
        if packet[:2] == _code(_OPTIONS):
            self._accept(packet)
        # A full last block is followed by an empty one
        for index in range(len(content) // self._block + 1):
            number = (index + 1) % _NUMBERS
            data = content[index * self._block : (index + 1) * self._block]
            self._exchange(struct.pack("!HH", _DATA, number) + data, number, (_ACKNOWLEDGE,))
        return WireResponse(200)

    def _request(self, code: int, size: int) -> bytes:
        try:
            path = self._file.path.encode("ascii")
        except UnicodeEncodeError as error:
            raise _EndError(WireFailure.TFTP, "its path is not ASCII") from error
        words = [path + self._file.suffix, b"octet"]
        if self._file.block_size is not None:
            words += [b"blksize", str(self._file.block_size).encode(), b"tsize", str(size).encode()]
        return _code(code) + b"".join(word + b"\0" for word in words)

    def _accept(self, packet: bytes) -> Mapping[str, int]:
        """Return the options that the server accepted."""
        words = packet[2:].rstrip(b"\0").split(b"\0")
        try:
            options = {name.decode("ascii").lower(): int(value) for name, value in zip(words[::2], words[1::2], strict=True)}
        except ValueError as error:
            raise self._protocol_error("the server's option acknowledgement is invalid") from error
        block = options.get("blksize", _BLOCK)
        if not _MIN_BLOCK_SIZE <= block <= (self._file.block_size or 0) and "blksize" in options:
            raise self._protocol_error(f"the server chose blocks of {block} bytes; {self._file.block_size} were requested")
        self._block = block
        return options

    def _exchange(self, packet: bytes, number: int, codes: tuple[int, ...]) -> bytes:
        """Send a packet until one of *codes* for block *number* arrives; option acknowledgements have no number."""
        wait = _FIRST_WAIT
        while True:
            self._send(packet)
            end = min(time.monotonic() + wait, self._deadline)
            while (reply := self._receive(end)) is not None:
                code, block = struct.unpack_from("!HH", reply)
                if code in codes and (code == _OPTIONS or block == number):
                    return reply
                if packet[:2] == _code(_ACKNOWLEDGE) and (code == _OPTIONS or (code == _DATA and block == (number - 1) % _NUMBERS)):
                    # The server has missed the acknowledgement
                    self._send(packet)
            if end == self._deadline:
                raise _EndError(WireFailure.TIMEOUT, "the transfer stopped" if self._known else "no answer")
            wait = min(wait * 2, _MAX_WAIT)

    def _receive(self, end: float) -> bytes | None:
        """Return the next packet of the transfer; None after *end* (time.monotonic())."""
        while (left := end - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                packet, sender = self._socket.recvfrom(_MAX_PACKET_SIZE)
            except TimeoutError:
                return None
            except ConnectionRefusedError as error:
                raise _EndError(WireFailure.REFUSED, f"nothing listens on port {self._peer[1]}") from error
            except OSError as error:
                raise _EndError(WireFailure.UNREACHABLE, error.strerror or str(error)) from error
            if sender[0] != self._peer[0] or len(packet) < _HEADER:
                continue
            if self._known and sender != self._peer:
                self._send(_error(_UNKNOWN_TRANSFER, "unknown transfer"), sender)
                continue
            self._peer, self._known = sender, True
            if packet[:2] == _code(_ERROR):
                self._fail(packet)
            return packet
        return None

    def _fail(self, packet: bytes) -> None:
        code = int.from_bytes(packet[2:4], "big")
        if code == _BAD_OPTION and self._file.block_size is not None:
            raise _BadOptionError
        if code == _NOT_FOUND:
            raise _EndError(None, "file not found", 404)
        text = packet[_HEADER:].split(b"\0")[0].decode("ascii", "replace")
        raise _EndError(WireFailure.TFTP, f"the server sent TFTP error {code}" + (f": {text}" if text else ""))

    def _send(self, packet: bytes, peer: tuple[str, int] | None = None) -> None:
        try:
            self._socket.sendto(packet, peer or self._peer)
        except ConnectionRefusedError as error:
            raise _EndError(WireFailure.REFUSED, f"nothing listens on port {self._peer[1]}") from error
        except OSError as error:
            raise _EndError(WireFailure.UNREACHABLE, error.strerror or str(error)) from error

    def _too_large(self, max_bytes: int) -> _EndError:
        self._send(_error(_DISK_FULL, "too large"))
        return _EndError(WireFailure.TOO_LARGE, f"the file is larger than {max_bytes} bytes")

    def _protocol_error(self, why: str) -> _EndError:
        self._send(_error(_BAD_OPTION, "bad option"))
        return _EndError(WireFailure.TFTP, why)


def _code(number: int) -> bytes:
    return number.to_bytes(2, "big")


def _acknowledge(number: int) -> bytes:
    return struct.pack("!HH", _ACKNOWLEDGE, number % _NUMBERS)


def _error(code: int, text: str) -> bytes:
    return struct.pack("!HH", _ERROR, code) + text.encode("ascii") + b"\0"
