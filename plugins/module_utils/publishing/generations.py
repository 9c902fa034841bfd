# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""A folder that is published as a whole: generations side by side, and one symbolic link that names the live one.

Layout below the root: ``generations/000042/`` with the published files and a manifest; ``current`` -> the live generation. Servers
resolve ``current`` at each request, so they serve either the old generation or the new, never a mixture.

A new generation hard-links what did not change and writes the rest; one syncfs makes it durable before the link is swapped. Files
that are not in the manifest are foreign, and are linked too.

A run that is killed leaves names that begin with a dot, which the next run deletes, and at most one generation that was never live:
the one that ``.current`` names, the link that was to become ``current``.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import grp
import hashlib
import json
import os
import re
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any, NamedTuple

from ..common.content_time import content_time
from ..firmware.packages import FOLDER as FIRMWARE
from ..profiles.sealing.model import SealingError
from .layout import OPEN, UNITS
from .transfer import LiveFile, Reader, TransferError, json_line, pack_live

MANIFEST = "manifest.jsonl"
TRAILING_BYTE = os.fsdecode(b"\xff")
"""What some units send behind a name by TFTP."""

_INCOMING = ".incoming"
_LOCK = ".lock"
_NEXT = ".current"
_BACK = ".previous"
_PUBLIC = 0o755
_NUMBER = re.compile(r"\d{6,}", re.ASCII)
_LEFT = re.compile(r"\.(incoming|\d{6,})", re.ASCII)
_BLOCK = 65536
_FOLDER = os.O_RDONLY | os.O_DIRECTORY
# Neither a link nor a pipe in a file's place is followed or waited for
_LOOK = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL


class TreeError(Exception):
    """The folder cannot be read or replaced; the message says why and what to do. The live generation stays."""


class Entry(NamedTuple):
    """A line of the manifest: SHA-256 of the content, and the publisher's record of the file."""

    digest: str
    file: LiveFile


class Manifest(NamedTuple):
    """A generation's own list: the salt of its fingerprints, the generation that was live before it, and its files by path."""

    salt: str = ""
    base: str = ""
    entries: Iterable[tuple[str, Entry]] = ()
    master_key: str = ""
    """As in transfer.Live."""


class PublishedTree:
    """The folder *root*. *groups*: first folder of a path -> the only group that can read below it; everybody can read the rest."""

    def __init__(self, root: str, groups: Mapping[str, str]) -> None:
        self.root = root
        self.groups = groups
        self.current = os.path.join(root, "current")
        self.generations = os.path.join(root, "generations")
        self._accesses: dict[str, tuple[int, int | None]] = {}

    # -- inspect

    def live_name(self) -> str:
        """Return the name of the live generation; empty if nothing is published."""
        try:
            target = os.readlink(self.current)
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise TreeError(f"{self.current} is not a symbolic link; move it away") from error
        name = os.path.basename(target)
        if os.path.join("generations", name) != target or not _NUMBER.fullmatch(name):
            raise TreeError(f"{self.current} leads to {target}, which is not a generation; move it away")
        return name if os.path.isdir(self._folder(name)) else ""

    def inspect(self) -> bytes:
        """Return the live generation for transfer.read_live(); files with foreign content, mode or group have no fingerprint."""
        name = self.live_name()
        if not name:
            return pack_live("", "", ())
        manifest = self._manifest(name)
        with _opened(self._folder(name), _FOLDER) as base:
            return pack_live(name, manifest.salt, self._verified(base, manifest.entries), manifest.master_key)

    def _verified(self, base: int, entries: Iterable[tuple[str, Entry]]) -> Iterator[tuple[str, LiveFile]]:
        folders = {"": True}
        for path, entry in entries:
            folder = path.rpartition("/")[0]
            intact = self._folder_is_intact(base, folder, folders) and self._is_intact(base, path, entry.digest)
            yield path, entry.file if intact else entry.file._replace(fingerprint="")

    def _is_intact(self, base: int, path: str, digest: str) -> bool:
        mode, group = self._access(path)
        try:
            with _opened(path, _LOOK, base) as descriptor:
                status = os.fstat(descriptor)
                access = (status.st_mode, status.st_uid, status.st_gid) == (stat.S_IFREG | mode, 0, group)
                return access and _digest(descriptor) == digest
        except OSError:
            return False

    def _folder_is_intact(self, base: int, folder: str, known: dict[str, bool]) -> bool:
        if folder not in known:
            mode, group = self._access(folder)
            intact = False
            with contextlib.suppress(OSError):
                status = os.stat(folder, dir_fd=base, follow_symlinks=False)
                intact = (status.st_mode, status.st_uid, status.st_gid) == (stat.S_IFDIR | for_folders(mode), 0, group)
            known[folder] = intact and self._folder_is_intact(base, os.path.dirname(folder), known)
        return known[folder]

    def _manifest(self, name: str) -> Manifest:
        """Return a generation's manifest; files whose line cannot be read count as foreign."""
        lines = _read_lines(os.path.join(self._folder(name), MANIFEST))
        match next(lines, None):
            case {"salt": str() as salt, "base": str() as base, **more}:
                return Manifest(salt, base, _entries(lines), str(more.get("master_key", "")))
        return Manifest()

    def contents(self, paths: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Yield path and content of the live files among *paths*; those that are missing are left out."""
        for path in paths:
            _check(path)
            with contextlib.suppress(OSError), open(os.open(os.path.join(self.current, path), _LOOK), "rb") as file:
                yield path, file.read()

    # -- replace

    def install(self, stream: IO[bytes], keep: int) -> str:
        """Make the transfer in *stream* the live generation, keep *keep* earlier ones, and return its name."""
        try:
            os.makedirs(self.generations, _PUBLIC, exist_ok=True)
            for folder in (self.root, self.generations):
                os.chmod(folder, _PUBLIC)
            with self._locked():
                return self._install(stream, keep)
        except OSError as error:
            raise self._failure(error) from error
        except (TransferError, SealingError) as error:
            raise TreeError(f"the transfer for {self.root} cannot be used: {error}; the old files stay") from error

    def previous(self, dry: bool = False) -> tuple[str, bool]:
        """Make the generation before the newest one live, unless *dry*; return its name, and whether that is a change."""
        name = self._earlier()
        changed = name != self.live_name()
        if changed and not dry:
            try:
                with self._locked():
                    name = self._earlier()
                    self._point_link(name, _BACK)
                    os.rename(os.path.join(self.root, _BACK), self.current)
                    self._make_durable(name)
            except OSError as error:
                raise TreeError(f"{self.current} could not be switched to {name}: {error.strerror}; it stays as it is") from error
        return name, changed

    def _earlier(self) -> str:
        numbers = self._numbers()
        name = self._manifest(_name(numbers[-1])).base if numbers else ""
        if not name or not os.path.isdir(self._folder(name)):
            raise TreeError(f"there is no earlier generation below {self.root} to go back to")
        return name

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with _opened(os.path.join(self.generations, _LOCK), os.O_RDWR | os.O_CREAT) as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise TreeError(f"another run is publishing to {self.root} now; run again when it has ended") from error
            yield

    def _install(self, stream: IO[bytes], keep: int) -> str:
        transfer = Reader(stream)
        live = self.live_name()
        if transfer.base != live:
            raise TreeError(f"another run published to {self.root} in the meantime; run again")
        self._sweep()
        numbers = self._numbers()
        name = _name(max(numbers, default=0) + 1)
        swapped = False
        try:
            self._build(transfer, live)
            # Until it is renamed to current, this link marks its generation as one that was never live
            self._point_link(name, _NEXT)
            os.rename(os.path.join(self.generations, _INCOMING), self._folder(name))
            os.rename(os.path.join(self.root, _NEXT), self.current)
            swapped = True
        except OSError as error:
            # Described before the sweep, which frees space
            raise self._failure(error) from error
        finally:
            if not swapped:
                with contextlib.suppress(OSError):
                    self._sweep()
        self._make_durable(name)
        # After previous(), the generations that came after the live one are obsolete
        earlier = [number for number in numbers if not live or number <= int(live)]
        # The new generation is live already; the next run deletes what cannot be deleted now
        with contextlib.suppress(OSError):
            for number in (*numbers[len(earlier) :], *earlier[: max(len(earlier) - keep, 0)]):
                self._set_aside(number)
            self._sweep()
            self._regroup()
        return name

    def _regroup(self) -> None:
        """Give the kept generations' files to today's groups, if their folder belongs to another."""
        for number in self._numbers():
            for top in self.groups:
                _mode, group = self._access(top)
                path = os.path.join(self._folder(_name(number)), top)
                with contextlib.suppress(FileNotFoundError), _opened(path, _FOLDER | os.O_NOFOLLOW) as folder:
                    if group is None or os.fstat(folder).st_gid == group:
                        continue
                    for _path, folders, names, below in os.fwalk(".", dir_fd=folder):
                        for name in (*folders, *names):
                            os.chown(name, -1, group, dir_fd=below, follow_symlinks=False)
                    # Last, so that a run that ends before does not count
                    os.fchown(folder, -1, group)

    def _build(self, transfer: Reader, live: str) -> None:
        """Make the new generation in a folder that only root can enter until it is complete and durable."""
        incoming = os.path.join(self.generations, _INCOMING)
        os.mkdir(incoming, 0o700)
        with _opened(incoming, _FOLDER) as folder:
            made = {""}
            with open(os.open(MANIFEST, _NEW, 0o600, dir_fd=folder), "wb") as manifest:
                manifest.write(json_line({"salt": transfer.salt, "base": transfer.base, "master_key": transfer.master_key}))
                for path, file, content in transfer.files():
                    _check(path)
                    self._make_folders(folder, path.rpartition("/")[0], made)
                    digest = hashlib.sha256(content).hexdigest()
                    # Content of the other trees is secret, and its time would be a hint to it in ETags that are logged
                    moment = content_time(digest) if path.startswith(f"{OPEN}/") else None
                    _write(folder, path, content, *self.access_of(path), moment)
                    manifest.write(json_line([path, digest, *file]))
                gone = transfer.removed()
                if live:
                    with _opened(self._folder(live), _FOLDER) as base:
                        removed = self._keep(base, folder, self._manifest(live).entries, gone, made, manifest)
                        self._keep_foreign(base, folder, "", removed, made)
                self._link_firmware(folder, made)
                self._link_shared(folder, made)
            os.fchmod(folder, _PUBLIC)
            _syncfs(folder)

    def _keep(
        self, base: int, folder: int, entries: Iterable[tuple[str, Entry]], gone: set[str], made: set[str], manifest: IO[bytes]
    ) -> set[str]:
        """Link the files of *base* into *folder*, except those replaced or in *gone*; return the latter that *base* had."""
        removed = set()
        for path, entry in entries:
            if path in gone:
                removed.add(path)
                continue
            self._make_folders(folder, path.rpartition("/")[0], made)
            try:
                os.link(path, path, src_dir_fd=base, dst_dir_fd=folder, follow_symlinks=False)
            except FileExistsError:
                # Replaced by a file, but not by a folder
                if path in made:
                    raise
            except (FileNotFoundError, NotADirectoryError):
                continue
            else:
                manifest.write(json_line([path, entry.digest, *entry.file]))
        return removed

    def _keep_foreign(self, base: int, folder: int, below: str, removed: set[str], made: set[str]) -> None:
        """Link the foreign files of *base* into *folder*, with the folders that they are in."""
        ours = {}
        if below in made:
            with _opened(below or ".", _FOLDER, folder) as new, os.scandir(new) as entries:
                ours = {entry.name: entry.is_dir(follow_symlinks=False) for entry in entries}
        folders = []
        with _opened(below or ".", _FOLDER, base) as old, os.scandir(old) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(os.path.join(below, entry.name))
                elif entry.is_symlink() and below.startswith(f"{UNITS}/"):
                    # Each generation makes its own, see _link_shared()
                    continue
                elif ours.get(entry.name) is not False and (path := os.path.join(below, entry.name)) not in removed:
                    try:
                        self._make_foreign_folders(base, folder, below, made)
                        os.link(entry.name, path, src_dir_fd=old, dst_dir_fd=folder, follow_symlinks=False)
                    except FileExistsError as error:
                        place = os.path.join(self.current, path)
                        raise TreeError(
                            f"{place} was not published by this collection, and a file to publish needs its place; move it away"
                        ) from error
        for path in folders:
            self._keep_foreign(base, folder, path, removed, made)

    def _link_firmware(self, folder: int, made: set[str]) -> None:
        """Link the images beside the generations (see firmware/store.py) into the only folder that TFTP serves."""
        if OPEN in made and os.path.lexists(os.path.join(self.root, FIRMWARE, "current")):
            with contextlib.suppress(FileExistsError):
                os.symlink(os.path.join("../../..", FIRMWARE, "current"), os.path.join(OPEN, FIRMWARE), dir_fd=folder)

    def _link_shared(self, folder: int, made: set[str]) -> None:
        for unit in [path for path in made if path.startswith(f"{UNITS}/") and path.count("/") == 1]:
            link_shared(folder, unit)

    def _make_foreign_folders(self, base: int, folder: int, path: str, made: set[str]) -> None:
        """Make folders like those of *base*."""
        if path in made:
            return
        self._make_foreign_folders(base, folder, os.path.dirname(path), made)
        status = os.stat(path, dir_fd=base, follow_symlinks=False)
        _make_folder(folder, path, stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)
        made.add(path)

    def _make_folders(self, folder: int, path: str, made: set[str]) -> None:
        if path in made:
            return
        self._make_folders(folder, path.rpartition("/")[0], made)
        mode, group = self.access_of(path)
        _make_folder(folder, path, for_folders(mode), 0, group)
        made.add(path)

    def _access(self, path: str) -> tuple[int, int | None]:
        """Return the mode and group number that the file at *path* must have; None if this host has no such group."""
        if path == UNITS:
            # Which units there are is no secret, and what arms them lists them
            return 0o644, 0
        top = path.partition("/")[0]
        access = self._accesses.get(top)
        if access is None:
            name = self.groups.get(top)
            access = (0o644, 0)
            if name is not None:
                try:
                    access = (0o640, grp.getgrnam(name).gr_gid)
                except KeyError:
                    access = (0o640, None)
            self._accesses[top] = access
        return access

    def access_of(self, path: str) -> tuple[int, int]:
        """Return the mode and group number that the file at *path* must have; raise TreeError if this host has no such group."""
        mode, group = self._access(path)
        if group is None:
            top = path.partition("/")[0]
            raise TreeError(f"there is no group {self.groups[top]} on this host; install the server that reads {top}/ first")
        return mode, group

    def _point_link(self, name: str, link: str) -> None:
        path = os.path.join(self.root, link)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        os.symlink(os.path.join("generations", name), path)

    def _make_durable(self, name: str) -> None:
        try:
            for path in (self.generations, self.root):
                with _opened(path, _FOLDER) as folder:
                    os.fsync(folder)
        except OSError as error:
            raise TreeError(f"{name} is live below {self.root}, but may not outlast a power cut: {error.strerror}") from error

    def _set_aside(self, number: int) -> None:
        os.rename(self._folder(_name(number)), os.path.join(self.generations, f".{_name(number)}"))

    def _sweep(self) -> None:
        """Delete generations that were set aside, and the remains of a killed run."""
        abandoned = self._never_live()
        if abandoned and os.path.isdir(self._folder(abandoned)):
            self._set_aside(int(abandoned))
        for name in os.listdir(self.generations):
            if _LEFT.fullmatch(name):
                shutil.rmtree(os.path.join(self.generations, name), ignore_errors=True)
        for link in (_NEXT, _BACK):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(self.root, link))

    def _never_live(self) -> str:
        """Return the name of a generation whose run was killed before it was live; empty if there is none."""
        try:
            name = os.path.basename(os.readlink(os.path.join(self.root, _NEXT)))
        except OSError:
            return ""
        return name if _NUMBER.fullmatch(name) else ""

    def _numbers(self) -> list[int]:
        """Return the numbers of the generations that have been live, in order."""
        if not os.path.isdir(self.generations):
            return []
        abandoned = self._never_live()
        return sorted(int(name) for name in os.listdir(self.generations) if _NUMBER.fullmatch(name) and name != abandoned)

    def _folder(self, name: str) -> str:
        return os.path.join(self.generations, name)

    def _failure(self, error: OSError) -> TreeError:
        reason = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
        if error.errno == errno.ENOSPC:
            space = os.statvfs(self.root)
            # Both are 0 where the number of inodes is not fixed
            if space.f_files and not space.f_ffree:
                reason = "the file system has no free inodes, so it takes no more files of any size"
        return TreeError(f"the new files could not be written below {self.root}: {reason}; the old ones stay")


def link_shared(generation: int, unit: str) -> None:
    """Link into a unit's folder what the TFTP server, which shows this unit nothing else, serves to all.

    These are the folders of ``open/``, such as ``firmware``, and each file under its name with a byte behind it, as some units
    request it. *generation*: descriptor of the generation's folder; *unit*: path below it. Raise OSError.
    """
    shared = {FIRMWARE}
    with (
        contextlib.suppress(FileNotFoundError),
        _opened(OPEN, _FOLDER, generation) as descriptor,
        os.scandir(descriptor) as entries,
    ):
        shared.update(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    with _opened(unit, _FOLDER, generation) as descriptor:
        links = {name: os.path.join("../..", OPEN, name) for name in shared}
        for name in set(os.listdir(descriptor)) - shared:
            if not name.endswith(TRAILING_BYTE):
                links[name + TRAILING_BYTE] = name
        for name, target in links.items():
            with contextlib.suppress(FileExistsError):
                os.symlink(target, name, dir_fd=descriptor)


def _name(number: int) -> str:
    return f"{number:06d}"


def _entries(lines: Iterable[Any]) -> Iterator[tuple[str, Entry]]:
    for line in lines:
        match line:
            case [str() as path, str() as digest, str() as fingerprint, str() as owner, str() as kind] if _is_path(path):
                yield path, Entry(digest, LiveFile(fingerprint, owner, kind))
            case _:
                return


def _read_lines(path: str) -> Iterator[Any]:
    """Yield the lines of a file as parsed JSON, up to the first invalid one."""
    with contextlib.suppress(OSError, ValueError, RecursionError), open(path, "rb") as file:
        for line in file:
            yield json.loads(line)


def _digest(descriptor: int) -> str:
    digest = hashlib.sha256()
    while block := os.read(descriptor, _BLOCK):
        digest.update(block)
    return digest.hexdigest()


def for_folders(mode: int) -> int:
    """Return the mode of a folder that everybody who can read files of *mode* can enter."""
    return mode | (mode & 0o444) >> 2


def _make_folder(base: int, path: str, mode: int, user: int, group: int) -> None:
    os.mkdir(path, 0o700, dir_fd=base)
    os.chown(path, user, group, dir_fd=base, follow_symlinks=False)
    os.chmod(path, mode, dir_fd=base)


def _write(base: int, path: str, content: bytes, mode: int, group: int, moment: int | None) -> None:
    """Write a new file; *moment*: its time, in seconds since 1970, if it is not now."""
    with _opened(path, _NEW, base) as descriptor:
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fchown(descriptor, 0, group)
        os.fchmod(descriptor, mode)
        if moment is not None:
            os.utime(descriptor, (moment, moment))


def _check(path: str) -> None:
    if not _is_path(path):
        raise TreeError(f"{path!r} is not a path below the published folder")


def _is_path(path: str) -> bool:
    try:
        parts = os.fsencode(path).split(b"/")
    except UnicodeEncodeError:
        return False
    return not {b"", b".", b".."}.intersection(parts) and "\0" not in path and path != MANIFEST


@contextlib.contextmanager
def _opened(path: str, flags: int, base: int | None = None) -> Iterator[int]:
    descriptor = os.open(path, flags, 0o600, dir_fd=base)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _syncfs(descriptor: int) -> None:
    # One call makes all files of the generation durable; an fsync for each is 10 to 270 times dearer
    if ctypes.CDLL(None, use_errno=True).syncfs(descriptor):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
