# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The formats in which the controller and the target exchange the list of live files and the files that replace them.

Both are streams, since there may be hundreds of thousands of files. A transfer is a line of JSON, then for each file a line of JSON
and its bytes, then a line for each removed path, then, if there are any, a line with the size of the publication's inputs (see
inputs.py) and their bytes, then a line with the number of files.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import sys
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any, NamedTuple, Protocol

from ..profiles.sealing.aes128gcm import ContentDecrypter, ContentEncrypter, decrypt_content, encrypt_content

_VERSION = 2
_RECORD_SIZE = 65536
_MAX_LINE_LENGTH = 65536

# Made once, since json.dumps() with separators makes an encoder at each call
_encode = json.JSONEncoder(separators=(",", ":")).encode


class TransferError(ValueError):
    """A transfer is damaged or cut off; the message quotes none of its content."""


def json_line(value: object) -> bytes:
    """Return *value* as a line of JSON."""
    return _encode(value).encode() + b"\n"


class LiveFile(NamedTuple):
    """What is known of a published file: its fingerprint (empty if damaged or missing), the phone or model it is for, its kind."""

    fingerprint: str
    owner: str
    kind: str


class Live(NamedTuple):
    """The live generation: its name, the salt of its fingerprints, and path -> file; all empty if nothing is published."""

    name: str = ""
    salt: str = ""
    entries: Mapping[str, LiveFile] = {}
    master_key: str = ""
    """Fingerprint of the master key that phones' keys were derived from; empty if none was, or nobody noted it."""


def pack_live(name: str, salt: str, entries: Iterable[tuple[str, LiveFile]], master_key: str = "") -> bytes:
    """Return the live generation as bytes for read_live()."""
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=1, mtime=0) as packed:
        packed.write(json_line([name, salt, master_key]))
        for path, file in entries:
            packed.write(json_line([path, *file]))
    return buffer.getvalue()


def read_live(packed: bytes) -> Live:
    """Return what pack_live() packed; raise TransferError if it is damaged."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(packed)) as lines:
            name, salt, master_key = _texts(lines.readline(), 3)
            entries = {}
            for line in lines:
                path, fingerprint, owner, kind = _texts(line, 4)
                # A phone has several files, and there are few kinds
                entries[path] = LiveFile(fingerprint, sys.intern(owner), sys.intern(kind))
    except (OSError, EOFError, zlib.error, ValueError, RecursionError) as error:
        raise TransferError("the target's list of files is damaged") from error
    return Live(name, salt, entries, master_key)


def _texts(line: bytes, count: int) -> list[str]:
    """Return the texts that a line of JSON lists; raise ValueError unless there are *count*."""
    values = json.loads(line)
    if not isinstance(values, list) or len(values) != count or not all(isinstance(value, str) for value in values):
        raise ValueError(f"not a list of {count} texts")
    return values


class NewFile(NamedTuple):
    """A file to publish."""

    path: str
    file: LiveFile
    content: bytes


class Writable(Protocol):
    """Where a transfer is written."""

    def write(self, data: bytes, /) -> object:
        """Write all of *data*."""


class Writer:
    """Writes a transfer to *stream*. *base*: the generation that it was computed against; *master_key*: as in Live."""

    def __init__(self, stream: Writable, base: str, salt: str, master_key: str = "") -> None:
        self._stream = stream
        self._files = 0
        stream.write(json_line({"version": _VERSION, "base": base, "salt": salt, "master_key": master_key}))

    def add(self, path: str, fingerprint: str, owner: str, kind: str, content: bytes) -> None:
        """Write one file."""
        self._files += 1
        self._stream.write(json_line([path, fingerprint, owner, kind, len(content)]))
        self._stream.write(content)

    def finish(self, removed: Iterable[str], inputs: bytes = b"") -> None:
        """Write the removed paths and what the files were made of, and complete the transfer."""
        for path in removed:
            self._stream.write(json_line([path]))
        if inputs:
            self._stream.write(json_line({"inputs": len(inputs)}))
            self._stream.write(inputs)
        self._stream.write(json_line(self._files))


class Reader:
    """Reads a transfer: first the new files, then the removed paths. Nothing is verified before removed() has returned."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._files = 0
        self._line: Any = None
        self.inputs = b""
        """What the files were made of, after removed(); empty if that was not sent."""
        match self._next():
            case {
                "version": int() as version,
                "base": str() as base,
                "salt": str() as salt,
                "master_key": str() as key,
            } if version == _VERSION:
                self.base, self.salt, self.master_key = base, salt, key
            case _:
                raise TransferError("it is not a transfer, or was made by another version of this collection")

    def files(self) -> Iterator[NewFile]:
        """Yield the new files."""
        while True:
            match self._next():
                case [str() as path, str() as fingerprint, str() as owner, str() as kind, int() as size] if size >= 0:
                    content = self._stream.read(size)
                    if len(content) != size:
                        raise TransferError("a transfer is cut off")
                    self._files += 1
                    yield NewFile(path, LiveFile(fingerprint, owner, kind), content)
                case line:
                    self._line = line
                    return

    def removed(self) -> set[str]:
        """Return the removed paths, once all files are read; raise TransferError unless the transfer is complete."""
        paths = set()
        line = self._line
        while isinstance(line, list) and len(line) == 1 and isinstance(line[0], str):
            paths.add(line[0])
            line = self._next()
        match line:
            case {"inputs": int(size)} if size >= 0:
                self.inputs = self._stream.read(size)
                if len(self.inputs) != size:
                    raise TransferError("a transfer is cut off")
                line = self._next()
        # Reading past the last line also verifies the end of an encrypted stream
        if line != self._files or self._stream.read(1):
            raise TransferError("a transfer is damaged")
        return paths

    def _next(self) -> Any:
        line = self._stream.readline(_MAX_LINE_LENGTH)
        if not line.endswith(b"\n"):
            raise TransferError("a transfer is cut off")
        try:
            return json.loads(line)
        except (ValueError, RecursionError) as error:
            raise TransferError("a transfer is damaged") from error


class EncryptedWriter:
    """Encrypts what is written, with a key for this one stream, into *file*; close() completes it and leaves *file* open.

    No IOBase, whose finalizer would complete what an error or a run without changes has abandoned.
    """

    def __init__(self, file: IO[bytes], ikm: bytes) -> None:
        self._file = file
        self._encrypter = ContentEncrypter(ikm, os.urandom(16), _RECORD_SIZE)

    def write(self, data: bytes, /) -> None:
        """Encrypt *data*."""
        self._file.write(self._encrypter.update(data))

    def close(self) -> None:
        """Write the last record; nothing may be written after it."""
        self._file.write(self._encrypter.finish())


class EncryptedReader(io.RawIOBase):
    """Decrypts what EncryptedWriter wrote to *file*; raises SealingError for damaged records, and at the end for missing ones."""

    def __init__(self, file: IO[bytes], ikm: bytes) -> None:
        super().__init__()
        self._file = file
        self._decrypter = ContentDecrypter(ikm, _RECORD_SIZE)
        self._plain = memoryview(b"")
        self._ended = False

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill *buffer*; return the number of bytes."""
        while not self._plain and not self._ended:
            sealed = self._file.read(_RECORD_SIZE)
            self._ended = not sealed
            self._plain = memoryview(self._decrypter.update(sealed) if sealed else self._decrypter.finish())
        size = min(len(buffer), len(self._plain))
        buffer[:size] = self._plain[:size]
        self._plain = self._plain[size:]
        return size


def pack_contents(contents: Iterable[tuple[str, bytes]], key: str) -> bytes:
    """Return files' contents, encrypted under a key for this one answer."""
    plain = json.dumps({path: base64.b64encode(content).decode() for path, content in contents})
    return encrypt_content(plain.encode(), key.encode())


def read_contents(packed: bytes, key: str) -> dict[str, bytes]:
    """Return path -> content of what pack_contents() packed."""
    plain = json.loads(decrypt_content(packed, key.encode()))
    return {path: base64.b64decode(content) for path, content in plain.items()}
