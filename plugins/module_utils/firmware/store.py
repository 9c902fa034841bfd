# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The folder that firmware is served from: complete images, and sets of them that are published atomically.

Layout below the root: ``images/<sha256>/`` with a manifest and ``files/`` (the file or the package's parts); ``sets/000003/`` with
hard links to these files, under all names that phones may request; ``current`` -> the set that is served. Images and sets are
renamed into place when complete: a run that dies leaves only names that begin with a dot, which the next run removes.

TFTP serves only what is in the folder of the profiles, so a link there leads here.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO, NamedTuple, TypeAlias

from ..common.content_time import content_time
from .packages import FOLDER, MAX_BYTES, Package, PackageError, aliases

_MANIFEST = "manifest.json"
_INCOMING = ".incoming"
_LOCK = ".lock"
_NEXT = ".current"
_BLOCK = 1024 * 1024
_DIGEST = re.compile("[0-9a-f]{64}")
_NUMBER = re.compile("[0-9]{6,}")


Content: TypeAlias = tuple[int, str]
"""A file's size and SHA-256."""


class StoreError(Exception):
    """Firmware cannot be stored or served; the message says why and what to do. The live set stays as it was."""


class Stored(NamedTuple):
    """A complete image."""

    name: str
    files: Mapping[str, Content]
    """By file name."""


class Arriving(NamedTuple):
    """An image that was sent in pieces."""

    digest: str
    name: str
    pieces: Sequence[str]
    """Paths of files that make up the image, in order; they are removed."""
    package: bool
    max_bytes: int = MAX_BYTES
    """Limit for all parts of a package together."""


class FirmwareStore:
    """The folder of images below *tree*, the published folder of profiles."""

    def __init__(self, tree: str) -> None:
        self.root = os.path.join(tree, FOLDER)
        self.current = os.path.join(self.root, "current")
        self._images = os.path.join(self.root, "images")
        self._sets = os.path.join(self.root, "sets")
        self._open = os.path.join(tree, "current", "open")

    @property
    def _all(self) -> tuple[str, ...]:
        return (self.current, self._sets, self._images, os.path.join(self.root, _LOCK))

    # -- reading

    def stored(self, digest: str) -> Stored | None:
        """Return the image, or None unless every byte of it is stored."""
        found = self._manifest(digest)
        if found is None:
            return None
        whole = all(_is_whole(self._file(digest, name), size, content) for name, (size, content) in found.files.items())
        return found if whole else None

    def all(self) -> dict[str, str]:
        """Return digest -> name of all images, complete or not."""
        with contextlib.suppress(FileNotFoundError):
            digests = sorted(name for name in os.listdir(self._images) if _DIGEST.fullmatch(name))
            return {digest: found.name if (found := self._manifest(digest)) else "" for digest in digests}
        return {}

    def serves(self, images: Mapping[str, Stored]) -> bool:
        """Tell whether exactly these images are served, under all of their names."""
        try:
            served = {entry.name: entry.inode() for entry in os.scandir(self.current)}
        except OSError:
            return not images and not any(map(os.path.lexists, self._all))
        wanted = {name: os.stat(self._file(*place)).st_ino for name, place in _names(images).items()}
        return served == wanted and self._is_linked()

    def space(self) -> tuple[int, int]:
        """Return the free bytes where images are stored, and that file system's number."""
        place = self.root
        while not os.path.isdir(place):
            place = os.path.dirname(place)
        found = os.statvfs(place)
        return found.f_bavail * found.f_frsize, os.stat(place).st_dev

    def _manifest(self, digest: str) -> Stored | None:
        try:
            with open(os.path.join(self._images, digest, _MANIFEST), encoding="utf-8") as file:
                found = json.load(file)
            return Stored(
                str(found["name"]), {str(name): (int(size), str(content)) for name, (size, content) in found["files"].items()}
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def _file(self, digest: str, name: str) -> str:
        return os.path.join(self._images, digest, "files", name)

    def _is_linked(self) -> bool:
        return not os.path.isdir(self._open) or os.path.realpath(os.path.join(self._open, FOLDER)) == os.path.realpath(self.current)

    # -- changing

    def add(self, image: Arriving) -> None:
        """Store an image; raise StoreError, and store nothing, unless its content matches its digest."""
        incoming = os.path.join(self._images, _INCOMING)
        with self._changing(f"{image.name} could not be stored"):
            _remove(incoming)
            os.makedirs(os.path.join(incoming, "files"))
            try:
                files = self._unpack(image, incoming)
                with open(os.path.join(incoming, _MANIFEST), "x", encoding="utf-8") as manifest:
                    json.dump({"name": image.name, "files": files}, manifest)
                    _make_durable(manifest)
                final = os.path.join(self._images, image.digest)
                _remove(final)
                os.rename(incoming, final)
            finally:
                _remove(incoming)

    def _unpack(self, image: Arriving, incoming: str) -> dict[str, Content]:
        folder = os.path.join(incoming, "files")
        path = os.path.join(incoming, "package") if image.package else os.path.join(folder, image.name)
        size, digest = _write(path, _joined(image.pieces))
        if digest != image.digest:
            raise StoreError(f"{image.name} was damaged in transit: its sha256 is {digest}, not {image.digest}; run again")
        if not image.package:
            return {image.name: (size, digest)}
        with open(path, "rb") as file:
            try:
                package = Package(file, image.max_bytes)
                files = {part.name: _write(os.path.join(folder, part.name), package.blocks(part.name)) for part in package.parts}
            except PackageError as error:
                raise StoreError(f"{image.name} {error}") from error
        os.unlink(path)
        return files

    def publish(self, digests: Iterable[str]) -> None:
        """Serve exactly these images, and remove all others."""
        images = {}
        for digest in digests:
            found = self._manifest(digest)
            if found is None:
                raise StoreError(f"the image {digest} has disappeared from {self.root}; run again")
            images[digest] = found
        with self._changing("the images could not be published"):
            if images:
                self._swap(_names(images))
                self._clean(images)
            self._link(bool(images))
            if not images:
                for path in self._all:
                    _remove(path)
                # It may be a mount point, which stays
                with contextlib.suppress(OSError):
                    os.rmdir(self.root)

    def _swap(self, names: Mapping[str, tuple[str, str]]) -> None:
        os.makedirs(self._sets, exist_ok=True)
        incoming = os.path.join(self._sets, _INCOMING)
        _remove(incoming)
        os.mkdir(incoming)
        for name, place in names.items():
            os.link(self._file(*place), os.path.join(incoming, name))
        numbers = [int(name) for name in os.listdir(self._sets) if _NUMBER.fullmatch(name)]
        name = f"{max(numbers, default=0) + 1:06d}"
        os.rename(incoming, os.path.join(self._sets, name))
        link = os.path.join(self.root, _NEXT)
        _remove(link)
        os.symlink(os.path.join("sets", name), link)
        os.sync()
        os.rename(link, self.current)

    def _clean(self, images: Mapping[str, Stored]) -> None:
        live = os.path.basename(os.readlink(self.current))
        for folder, wanted in ((self._sets, {live}), (self._images, {*images})):
            for name in os.listdir(folder):
                if name not in wanted:
                    _remove(os.path.join(folder, name))

    def _link(self, wanted: bool) -> None:
        """Add or remove the link for TFTP. Later generations of profiles keep it."""
        if not os.path.isdir(self._open) or (wanted and self._is_linked()):
            return
        link = os.path.join(self._open, FOLDER)
        if os.path.lexists(link) and not os.path.islink(link):
            raise StoreError(f"{link} exists where the link to the firmware must be; publish that file under another name")
        _remove(link)
        if wanted:
            os.symlink(os.path.relpath(self.current, os.path.realpath(self._open)), link)

    @contextlib.contextmanager
    def _changing(self, failed: str) -> Iterator[None]:
        """Lock the folder for a change; turn an OSError into a StoreError that begins with *failed*."""
        before = os.umask(0o022)
        try:
            os.makedirs(self.root, exist_ok=True)
            with open(os.path.join(self.root, _LOCK), "w", encoding="utf-8") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                yield
        except BlockingIOError as error:
            raise StoreError(f"another run is changing {self.root}; run again when it has finished") from error
        except OSError as error:
            reason = error.strerror
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                reason = f"there is no space left in {self.root}; free some, or remove images from firmware_images"
            raise StoreError(f"{failed}: {reason}. The images served so far are still served") from error
        finally:
            os.umask(before)


def _names(images: Mapping[str, Stored]) -> dict[str, tuple[str, str]]:
    """Return served name -> digest of the image and name of the file; raise StoreError when two different files need one name."""
    names: dict[str, tuple[str, str]] = {}
    contents: dict[str, tuple[str, str]] = {}
    for digest, image in images.items():
        for file, (_size, content) in image.files.items():
            first, owner = contents.setdefault(file.lower(), (content, image.name))
            if first != content:
                raise StoreError(f"{owner} and {image.name} contain different files named {file}; serve only one of these images")
            for name in aliases(file):
                names.setdefault(name, (digest, file))
    return names


def conflict(images: Mapping[str, Stored]) -> str:
    """Return a sentence on the first two images that cannot be served together, or an empty text."""
    try:
        _names(images)
    except StoreError as error:
        return str(error)
    return ""


def _joined(pieces: Iterable[str]) -> Iterator[bytes]:
    """Yield the content of files, and remove each as soon as it is read, to save disk space."""
    for path in pieces:
        with open(path, "rb") as file:
            yield from iter(lambda: file.read(_BLOCK), b"")
        os.unlink(path)


def _write(path: str, blocks: Iterable[bytes]) -> Content:
    """Write a file; return its size and SHA-256."""
    digest, size = hashlib.sha256(), 0
    with open(path, "xb") as file:
        for block in blocks:
            file.write(block)
            digest.update(block)
            size += len(block)
        file.flush()
        moment = content_time(digest.hexdigest())
        os.utime(file.fileno(), (moment, moment))
        _make_durable(file)
    return size, digest.hexdigest()


def _make_durable(file: IO[bytes] | IO[str]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _is_whole(path: str, size: int, digest: str) -> bool:
    try:
        status = os.lstat(path)
        if not stat.S_ISREG(status.st_mode) or (stat.S_IMODE(status.st_mode), status.st_size) != (0o644, size):
            return False
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == digest
    except OSError:
        return False


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
        return
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
