# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Firmware packages: zip files in which every part is checked before any is unpacked.

Phones look for the other parts beside the one that their rule names, so folders in a package are dropped and its parts are served
from one folder.
"""

from __future__ import annotations

import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, NamedTuple

FOLDER = "firmware"
"""Name of the folder of images: beside the generations of profiles, in URLs and on the TFTP server."""

MAX_BYTES = 2 * 1024**3
"""Default limit for all parts of a package together."""

_MAX_PARTS = 2000
_BLOCK = 1024 * 1024
_ENCRYPTED = 0x1
# Raised by Python for damaged zip files and files of other kinds
_DAMAGES = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, OverflowError, RuntimeError, ValueError)
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ATA = re.compile("ata19x", re.IGNORECASE)
_DRIVE = re.compile("[A-Za-z]:")
_PART = re.compile(r"(?!\.)[A-Za-z0-9 ._~!&'()+,;=@-]{1,200}")


class PackageError(ValueError):
    """The package cannot be used; the message continues a sentence that begins with its name."""


class Part(NamedTuple):
    """One file of a package."""

    name: str
    size: int


class Package:
    """A zip file open for reading, in which the names and sizes of all parts have been checked."""

    def __init__(self, file: IO[bytes], max_bytes: int = MAX_BYTES) -> None:
        """Check the parts; raise PackageError. *max_bytes*: limit for all parts together."""
        try:
            self._archive = zipfile.ZipFile(file)
        except (*_DAMAGES, OSError) as error:
            raise PackageError(f"cannot be read as a zip file: {error}") from error
        self._entries = _checked(self._archive.infolist(), max_bytes)

    @property
    def parts(self) -> list[Part]:
        """The name and size of each part."""
        return [Part(name, entry.file_size) for name, entry in self._entries.items()]

    def blocks(self, name: str) -> Iterator[bytes]:
        """Yield the content of a part, at most the size that it declares; raise PackageError when it is damaged."""
        entry = self._entries[name]
        left = entry.file_size
        try:
            with self._archive.open(entry) as part:
                while block := part.read(min(_BLOCK, left + 1)):
                    left -= len(block)
                    if left < 0:
                        raise PackageError(f"contains {name}, which is longer than its declared size")
                    yield block
        except PackageError:
            raise
        except (*_DAMAGES, OSError) as error:
            raise PackageError(f"contains {name}, which is damaged: {error}") from error
        if left:
            raise PackageError(f"contains {name}, which is shorter than its declared size")


def _checked(entries: list[zipfile.ZipInfo], max_bytes: int) -> dict[str, zipfile.ZipInfo]:
    if len(entries) > _MAX_PARTS:
        raise PackageError(f"has {len(entries):,} parts; at most {_MAX_PARTS:,} are allowed")
    parts: dict[str, zipfile.ZipInfo] = {}
    lower: set[str] = set()
    total = 0
    for entry in entries:
        name = _name(entry)
        if entry.is_dir():
            continue
        if not _PART.fullmatch(name):
            raise PackageError(f"contains {name!a}, a name that phones cannot request")
        if name.lower() in lower:
            raise PackageError(f"contains {name} twice, ignoring folders and case, so phones could get the wrong one")
        if entry.compress_type not in _COMPRESSIONS:
            raise PackageError(f"contains {name}, compressed with an unsupported method; repack it with zip")
        total += entry.file_size
        if total > max_bytes:
            raise PackageError(f"would unpack to more than {max_bytes:,} bytes")
        lower.add(name.lower())
        parts[name] = entry
    if not parts:
        raise PackageError("contains no files")
    return parts


def _name(entry: zipfile.ZipInfo) -> str:
    """Return an entry's name without its folders; raise PackageError for a path that leads elsewhere or is not a regular file."""
    # filename is cut at a null byte; other programs may cut it elsewhere
    path = entry.orig_filename
    shown = ascii(path)
    if "\0" in path or "\\" in path:
        raise PackageError(f"contains {shown}, a name with a backslash or a null byte")
    if path.startswith("/") or _DRIVE.match(path):
        raise PackageError(f"contains {shown}, an absolute path")
    if ".." in path.split("/"):
        raise PackageError(f"contains {shown}, a path that leads out of the package")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise PackageError(f"contains {shown}, which is a {'link' if kind == stat.S_IFLNK else 'device'} instead of a file")
    if entry.flag_bits & _ENCRYPTED:
        raise PackageError(f"contains {shown}, which is encrypted; unpack it and repack it without a password")
    return path.rstrip("/").rpartition("/")[2]


def aliases(name: str) -> tuple[str, ...]:
    """Return the names under which a file is served: its own, the same in lower case, and both spellings of ATA19x in use."""
    names = [name, name.lower(), *(_ATA.sub(spelling, name) for spelling in ("ATA19x", "ATA19X"))]
    return tuple(dict.fromkeys(names))
