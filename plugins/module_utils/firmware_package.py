# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Packages of firmware: zip files whose parts are checked before any of them is unpacked.

Phones look for parts beside the one that their rule names, so folders in a package are left out, and its parts lie side by side.
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
"""What the folder of images is called: beside the generations of profiles, in URLs, and in what TFTP serves."""

MOST_BYTES = 2 * 1024**3
"""Of all parts of a package together, unless the user says otherwise."""

_MOST_PARTS = 2000
_BLOCK = 1024 * 1024
_ENCRYPTED = 0x1
# What Python raises for files that are no zip files, or damaged ones
_DAMAGES = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, OverflowError, RuntimeError, ValueError)
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ATA = re.compile("ata19x", re.IGNORECASE)
_DRIVE = re.compile("[A-Za-z]:")
_PART = re.compile(r"(?!\.)[A-Za-z0-9 ._~!&'()+,;=@-]{1,200}")


class PackageError(ValueError):
    """The package cannot be used; the message continues a sentence that names it."""


class Part(NamedTuple):
    """One file of a package."""

    name: str
    size: int


class Package:
    """A zip file that is open for reading; its parts are known to be harmless as far as their names and sizes tell."""

    def __init__(self, file: IO[bytes], most: int = MOST_BYTES) -> None:
        """Raise PackageError. *most*: bytes that all parts may have together."""
        try:
            self._archive = zipfile.ZipFile(file)
        except (*_DAMAGES, OSError) as error:
            raise PackageError(f"is no zip file that can be read: {error}") from error
        self._entries = _checked(self._archive.infolist(), most)

    @property
    def parts(self) -> list[Part]:
        """Name and size of each part."""
        return [Part(name, entry.file_size) for name, entry in self._entries.items()]

    def blocks(self, name: str) -> Iterator[bytes]:
        """Yield the content of a part, never more than its size; raise PackageError when it is damaged."""
        entry = self._entries[name]
        left = entry.file_size
        try:
            with self._archive.open(entry) as part:
                while block := part.read(min(_BLOCK, left + 1)):
                    left -= len(block)
                    if left < 0:
                        raise PackageError(f"holds {name}, which is longer than it says")
                    yield block
        except PackageError:
            raise
        except (*_DAMAGES, OSError) as error:
            raise PackageError(f"holds {name}, which is damaged: {error}") from error
        if left:
            raise PackageError(f"holds {name}, which is shorter than it says")


def _checked(entries: list[zipfile.ZipInfo], most: int) -> dict[str, zipfile.ZipInfo]:
    if len(entries) > _MOST_PARTS:
        raise PackageError(f"has {len(entries):,} parts, and {_MOST_PARTS:,} are the most")
    parts: dict[str, zipfile.ZipInfo] = {}
    lower: set[str] = set()
    total = 0
    for entry in entries:
        name = _name(entry)
        if entry.is_dir():
            continue
        if not _PART.fullmatch(name):
            raise PackageError(f"holds {name!a}, which is no name that a phone can ask for")
        if name.lower() in lower:
            raise PackageError(f"holds {name} twice, apart from folders and capitals, and which of them is right cannot be told")
        if entry.compress_type not in _METHODS:
            raise PackageError(f"holds {name}, which is packed in a way that is not supported; pack it anew with zip")
        total += entry.file_size
        if total > most:
            raise PackageError(f"would have more than {most:,} bytes when it is unpacked")
        lower.add(name.lower())
        parts[name] = entry
    if not parts:
        raise PackageError("holds no file")
    return parts


def _name(entry: zipfile.ZipInfo) -> str:
    """Return the name of an entry without its folders; raise PackageError for one that leads elsewhere, or is no plain file."""
    # Python cuts the one at a null, and unzip others
    path = entry.orig_filename
    shown = ascii(path)
    if "\0" in path or "\\" in path:
        raise PackageError(f"holds {shown}, whose name has a backslash or a null in it")
    if path.startswith("/") or _DRIVE.match(path):
        raise PackageError(f"holds {shown}, which is an absolute path")
    if ".." in path.split("/"):
        raise PackageError(f"holds {shown}, which leads out of the package")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise PackageError(f"holds {shown}, which is a {'link' if kind == stat.S_IFLNK else 'device'} and no file")
    if entry.flag_bits & _ENCRYPTED:
        raise PackageError(f"holds {shown}, which is encrypted; unpack it, and pack it anew without a password")
    return path.rstrip("/").rpartition("/")[2]


def aliases(name: str) -> tuple[str, ...]:
    """Return the names under which a file is served: its own, in small letters, and ATA19x in both spellings that are about."""
    names = [name, name.lower(), *(_ATA.sub(spelling, name) for spelling in ("ATA19x", "ATA19X"))]
    return tuple(dict.fromkeys(names))
