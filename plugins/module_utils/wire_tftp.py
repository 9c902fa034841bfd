# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""TFTP as a unit speaks it, on a socket that the caller has made.

Sources: RFC 1350 (the protocol), RFC 2347 to 2349 (options, blksize, tsize), RFC 1123 section 4.2.3.1 (data is sent again when time
is over, never because an acknowledgement came twice).
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from .phone_network import Answer

_READ, _WRITE, _DATA, _ACKNOWLEDGE, _ERROR, _OPTIONS = range(1, 7)
_NOT_FOUND, _DISK_FULL, _UNKNOWN_TRANSFER, _BAD_OPTION = 1, 3, 5, 8
_BLOCK = 512
_SMALLEST_BLOCK = 8
_NUMBERS = 65536
_LARGEST_PACKET = 65536
_HEADER = 4
_FIRST_WAIT = 1.0
_LONGEST_WAIT = 8.0
_IP_RECVERR = 11  # from linux/in.h: without it a socket that is not connected does not hear that a port is closed


class _EndError(Exception):
    """The transfer has ended without success."""

    def __init__(self, failure: str, error: str, status: int = 0) -> None:
        super().__init__(error)
        self.answer = Answer(status, failure=failure, error=error)


class _BadOptionError(Exception):
    """The server wants to be asked without options."""


@dataclass(frozen=True)
class Place:
    """Where a file is, and how the unit asks for it."""

    address: str
    port: int
    path: str
    """As it is asked for, with its leading slash."""
    block_size: int | None = None
    """Block size to negotiate, together with the file's length; None sends no options."""


def read_file(opened: socket.socket, place: Place, most: int, deadline: float) -> Answer:
    """Read a file of at most *most* bytes before *deadline* (time.monotonic()) from a new UDP socket."""
    try:
        try:
            return _Transfer(opened, place, deadline).read(most)
        except _BadOptionError:
            return _Transfer(opened, replace(place, block_size=None), deadline).read(most)
    except _EndError as end:
        return end.answer


def write_file(opened: socket.socket, place: Place, content: bytes, deadline: float) -> Answer:
    """Write a file; otherwise as read_file()."""
    try:
        try:
            return _Transfer(opened, place, deadline).write(content)
        except _BadOptionError:
            return _Transfer(opened, replace(place, block_size=None), deadline).write(content)
    except _EndError as end:
        return end.answer


class _Transfer:
    def __init__(self, opened: socket.socket, place: Place, deadline: float) -> None:
        self._socket = opened
        self._socket.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
        self._place = place
        self._deadline = deadline
        self._peer = (place.address, place.port)
        self._known = False
        """Whether the server has told its port for this transfer."""
        self._block = _BLOCK

    def read(self, most: int) -> Answer:
        content = bytearray()
        packet = self._exchange(self._request(_READ, 0), 1, (_DATA, _OPTIONS))
        if packet[:2] == _code(_OPTIONS):
            options = self._accept(packet)
            if options.get("tsize", 0) > most:
                raise self._too_large(most)
            packet = self._exchange(_acknowledge(0), 1, (_DATA,))
        number = 1
        while True:
            content += packet[_HEADER:]
            if len(content) > most:
                raise self._too_large(most)
            if len(packet) - _HEADER < self._block:
                self._send(_acknowledge(number))
                return Answer(200, bytes(content))
            number = (number + 1) % _NUMBERS
            packet = self._exchange(_acknowledge(number - 1), number, (_DATA,))

    def write(self, content: bytes) -> Answer:
        packet = self._exchange(self._request(_WRITE, len(content)), 0, (_ACKNOWLEDGE, _OPTIONS))
        if packet[:2] == _code(_OPTIONS):
            self._accept(packet)
        # A last block that is full is followed by an empty one
        for index in range(len(content) // self._block + 1):
            number = (index + 1) % _NUMBERS
            data = content[index * self._block : (index + 1) * self._block]
            self._exchange(struct.pack("!HH", _DATA, number) + data, number, (_ACKNOWLEDGE,))
        return Answer(200)

    def _request(self, code: int, size: int) -> bytes:
        try:
            path = self._place.path.encode("ascii")
        except UnicodeEncodeError as error:
            raise _EndError("tftp", "its path is not ASCII") from error
        words = [path, b"octet"]
        if self._place.block_size is not None:
            words += [b"blksize", str(self._place.block_size).encode(), b"tsize", str(size).encode()]
        return _code(code) + b"".join(word + b"\0" for word in words)

    def _accept(self, packet: bytes) -> Mapping[str, int]:
        """Read what the server agrees to."""
        words = packet[2:].rstrip(b"\0").split(b"\0")
        try:
            options = {name.decode("ascii").lower(): int(value) for name, value in zip(words[::2], words[1::2], strict=True)}
        except ValueError as error:
            raise self._broken("the server's answer to the options cannot be read") from error
        block = options.get("blksize", _BLOCK)
        if not _SMALLEST_BLOCK <= block <= (self._place.block_size or 0) and "blksize" in options:
            raise self._broken(f"the server wants blocks of {block} bytes, where {self._place.block_size} were asked for")
        self._block = block
        return options

    def _exchange(self, packet: bytes, number: int, codes: tuple[int, ...]) -> bytes:
        """Send a packet until one of *codes* for block *number* comes; options have no number."""
        wait = _FIRST_WAIT
        while True:
            self._send(packet)
            end = min(time.monotonic() + wait, self._deadline)
            while (answer := self._receive(end)) is not None:
                code, told = struct.unpack_from("!HH", answer)
                if code in codes and (code == _OPTIONS or told == number):
                    return answer
                if packet[:2] == _code(_ACKNOWLEDGE) and (code == _OPTIONS or (code == _DATA and told == (number - 1) % _NUMBERS)):
                    # It has missed the acknowledgement
                    self._send(packet)
            if end == self._deadline:
                raise _EndError("timeout", "no answer" if not self._known else "the transfer does not end")
            wait = min(wait * 2, _LONGEST_WAIT)

    def _receive(self, end: float) -> bytes | None:
        """Return the next packet of the transfer; None when time is over."""
        while (left := end - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                packet, sender = self._socket.recvfrom(_LARGEST_PACKET)
            except TimeoutError:
                return None
            except ConnectionRefusedError as error:
                raise _EndError("refused", f"nobody listens on port {self._peer[1]}") from error
            except OSError as error:
                raise _EndError("unreachable", error.strerror or str(error)) from error
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
        if code == _BAD_OPTION and self._place.block_size is not None:
            raise _BadOptionError
        if code == _NOT_FOUND:
            raise _EndError("", "file not found", 404)
        text = packet[_HEADER:].split(b"\0")[0].decode("ascii", "replace")
        raise _EndError("tftp", f"the server answers with TFTP error {code}" + (f": {text}" if text else ""))

    def _send(self, packet: bytes, peer: tuple[str, int] | None = None) -> None:
        try:
            self._socket.sendto(packet, peer or self._peer)
        except ConnectionRefusedError as error:
            raise _EndError("refused", f"nobody listens on port {self._peer[1]}") from error
        except OSError as error:
            raise _EndError("unreachable", error.strerror or str(error)) from error

    def _too_large(self, most: int) -> _EndError:
        self._send(_error(_DISK_FULL, "too large"))
        return _EndError("too_large", f"the file is larger than {most} bytes")

    def _broken(self, why: str) -> _EndError:
        self._send(_error(_BAD_OPTION, "bad option"))
        return _EndError("tftp", why)


def _code(number: int) -> bytes:
    return number.to_bytes(2, "big")


def _acknowledge(number: int) -> bytes:
    return struct.pack("!HH", _ACKNOWLEDGE, number % _NUMBERS)


def _error(code: int, text: str) -> bytes:
    return struct.pack("!HH", _ERROR, code) + text.encode("ascii") + b"\0"
