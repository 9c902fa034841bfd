# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""A folder that is published whole: generations side by side, and one symbolic link that names the live one.

Layout below the root: ``generations/000042/`` with the published files and a manifest; ``current`` -> the live generation. Servers
resolve ``current`` at each request, so all of them see a new generation at once, and never half of one.

A new generation hard-links what did not change and writes the rest; one syncfs makes it durable before the link is swapped. Files
that are not in the manifest are somebody else's, and are linked too.

Whoever dies on the way leaves names that begin with a dot, which the next run sweeps, and at most one generation that was never
live: the one that ``.current`` names, the link that was to become ``current``.
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

from .firmware_package import FOLDER as FIRMWARE
from .sealing import SealingError
from .transfer import LiveFile, Reader, TransferError, json_line, pack_live

MANIFEST = "manifest.jsonl"
OPEN = "open"
"""The folder that TFTP serves."""

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
    """The folder cannot be read or replaced; the message says why and what to do. What was live still is."""


class Entry(NamedTuple):
    """A line of the manifest: SHA-256 of the content, and what the publisher said of the file."""

    digest: str
    file: LiveFile


class Manifest(NamedTuple):
    """What a generation says of itself: the salt of its fingerprints, what was live before it, and its files by path."""

    salt: str = ""
    base: str = ""
    entries: Iterable[tuple[str, Entry]] = ()


class PublishedTree:
    """The folder *root*. *groups*: first folder of a path -> group that alone may read what is below it; the rest is for all."""

    def __init__(self, root: str, groups: Mapping[str, str]) -> None:
        self.root = root
        self.groups = groups
        self.current = os.path.join(root, "current")
        self.generations = os.path.join(root, "generations")
        self._accesses: dict[str, tuple[int, int | None]] = {}

    # -- look

    def live_name(self) -> str:
        """Return the name of the live generation; empty when nothing is published."""
        try:
            target = os.readlink(self.current)
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise TreeError(f"{self.current} cannot be read as a symbolic link; move what is there away") from error
        name = os.path.basename(target)
        if os.path.join("generations", name) != target or not _NUMBER.fullmatch(name):
            raise TreeError(f"{self.current} leads to {target}, which is no generation; move it away")
        return name if os.path.isdir(self._folder(name)) else ""

    def inspect(self) -> bytes:
        """Return the live generation for transfer.read_live(); files with foreign content, mode or group have no fingerprint."""
        name = self.live_name()
        if not name:
            return pack_live("", "", ())
        manifest = self._manifest(name)
        with _opened(self._folder(name), _FOLDER) as base:
            return pack_live(name, manifest.salt, self._verified(base, manifest.entries))

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
                intact = (status.st_mode, status.st_uid, status.st_gid) == (stat.S_IFDIR | _for_folders(mode), 0, group)
            known[folder] = intact and self._folder_is_intact(base, os.path.dirname(folder), known)
        return known[folder]

    def _manifest(self, name: str) -> Manifest:
        """Return a generation's manifest; what cannot be read there is nobody's."""
        lines = _read_lines(os.path.join(self._folder(name), MANIFEST))
        match next(lines, None):
            case {"salt": str(salt), "base": str(base)}:
                return Manifest(salt, base, _entries(lines))
        return Manifest()

    def contents(self, paths: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Yield path and content of live files; what is not there is left out."""
        for path in paths:
            _check(path)
            with contextlib.suppress(OSError), open(os.open(os.path.join(self.current, path), _LOOK), "rb") as file:
                yield path, file.read()

    # -- replace

    def install(self, stream: IO[bytes], keep: int) -> str:
        """Make what the transfer in *stream* says the live generation, keep *keep* earlier ones, and return its name."""
        try:
            os.makedirs(self.generations, _PUBLIC, exist_ok=True)
            for folder in (self.root, self.generations):
                os.chmod(folder, _PUBLIC)
            with self._locked():
                return self._install(stream, keep)
        except OSError as error:
            raise self._failure(error) from error
        except (TransferError, SealingError) as error:
            raise TreeError(f"what came to be published below {self.root} cannot be used: {error}; the old files stay") from error

    def previous(self, dry: bool = False) -> tuple[str, bool]:
        """Make the generation before the newest one live, unless *dry*; return its name, and whether that is a change."""
        name = self._earlier()
        changed = name != self.live_name()
        if changed and not dry:
            try:
                with self._locked():
                    name = self._earlier()
                    self._lead_to(name, _BACK)
                    os.rename(os.path.join(self.root, _BACK), self.current)
                    self._make_durable(name)
            except OSError as error:
                raise TreeError(f"{self.current} could not be led to {name}: {error.strerror}; it stays as it is") from error
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
                raise TreeError(f"another run is publishing to {self.root} right now; run again when it has ended") from error
            yield

    def _install(self, stream: IO[bytes], keep: int) -> str:
        transfer = Reader(stream)
        live = self.live_name()
        if transfer.base != live:
            raise TreeError(f"another run has published to {self.root} meanwhile; run again")
        self._sweep()
        numbers = self._numbers()
        name = _name(max(numbers, default=0) + 1)
        swapped = False
        try:
            self._build(transfer, live)
            # Until it becomes current, this link tells that the generation it leads to was never live.
            self._lead_to(name, _NEXT)
            os.rename(os.path.join(self.generations, _INCOMING), self._folder(name))
            os.rename(os.path.join(self.root, _NEXT), self.current)
            swapped = True
        except OSError as error:
            # Told before the sweep, after which nothing is short any more
            raise self._failure(error) from error
        finally:
            if not swapped:
                with contextlib.suppress(OSError):
                    self._sweep()
        self._make_durable(name)
        # Whoever went back does not want those after it any more.
        wanted = [number for number in numbers if not live or number <= int(live)]
        # What cannot be deleted now is left to the next run; the new generation is live all the same.
        with contextlib.suppress(OSError):
            for number in (*numbers[len(wanted) :], *wanted[: max(len(wanted) - keep, 0)]):
                self._set_aside(number)
            self._sweep()
        return name

    def _build(self, transfer: Reader, live: str) -> None:
        """Make the new generation, as a folder that only root can enter until it is whole and durable."""
        incoming = os.path.join(self.generations, _INCOMING)
        os.mkdir(incoming, 0o700)
        with _opened(incoming, _FOLDER) as folder:
            made = {""}
            with open(os.open(MANIFEST, _NEW, 0o600, dir_fd=folder), "wb") as manifest:
                manifest.write(json_line({"salt": transfer.salt, "base": transfer.base}))
                for path, file, content in transfer.files():
                    _check(path)
                    self._make_folders(folder, path.rpartition("/")[0], made)
                    _write(folder, path, content, *self._needed_access(path))
                    manifest.write(json_line([path, hashlib.sha256(content).hexdigest(), *file]))
                gone = transfer.removed()
                if live:
                    with _opened(self._folder(live), _FOLDER) as base:
                        removed = self._keep(base, folder, self._manifest(live).entries, gone, made, manifest)
                        self._keep_foreign(base, folder, "", removed, made)
                self._let_firmware_in(folder, made)
            os.fchmod(folder, _PUBLIC)
            _syncfs(folder)

    def _keep(
        self, base: int, folder: int, entries: Iterable[tuple[str, Entry]], gone: set[str], made: set[str], manifest: IO[bytes]
    ) -> set[str]:
        """Link the files of *base* that are neither replaced nor in *gone* into *folder*; return those that were, of the latter."""
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
        """Link the files of *base* into *folder* that have not been ours, each with the folders that it is in."""
        ours = {}
        if below in made:
            with _opened(below or ".", _FOLDER, folder) as new, os.scandir(new) as entries:
                ours = {entry.name: entry.is_dir(follow_symlinks=False) for entry in entries}
        folders = []
        with _opened(below or ".", _FOLDER, base) as old, os.scandir(old) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(os.path.join(below, entry.name))
                elif ours.get(entry.name) is not False and (path := os.path.join(below, entry.name)) not in removed:
                    try:
                        self._make_foreign_folders(base, folder, below, made)
                        os.link(entry.name, path, src_dir_fd=old, dst_dir_fd=folder, follow_symlinks=False)
                    except FileExistsError as error:
                        place = os.path.join(self.current, path)
                        raise TreeError(f"{place} is not ours, and in the way of what is to be published; move it away") from error
        for path in folders:
            self._keep_foreign(base, folder, path, removed, made)

    def _let_firmware_in(self, folder: int, made: set[str]) -> None:
        """TFTP serves one folder alone, so a link in it leads to the images beside the generations (see firmware_store)."""
        if OPEN in made and os.path.lexists(os.path.join(self.root, FIRMWARE, "current")):
            with contextlib.suppress(FileExistsError):
                os.symlink(os.path.join("../../..", FIRMWARE, "current"), os.path.join(OPEN, FIRMWARE), dir_fd=folder)

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
        mode, group = self._needed_access(path)
        _make_folder(folder, path, _for_folders(mode), 0, group)
        made.add(path)

    def _access(self, path: str) -> tuple[int, int | None]:
        """Return the mode and group number that the file at *path* must have; None: this host has no such group."""
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

    def _needed_access(self, path: str) -> tuple[int, int]:
        mode, group = self._access(path)
        if group is None:
            name = self.groups[path.partition("/")[0]]
            raise TreeError(f"there is no group {name} on this host; install the web server first")
        return mode, group

    def _lead_to(self, name: str, link: str) -> None:
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
        """Delete what has been set aside, and what a run that died has left."""
        unborn = self._unborn()
        if unborn and os.path.isdir(self._folder(unborn)):
            self._set_aside(int(unborn))
        for name in os.listdir(self.generations):
            if _LEFT.fullmatch(name):
                shutil.rmtree(os.path.join(self.generations, name), ignore_errors=True)
        for link in (_NEXT, _BACK):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(self.root, link))

    def _unborn(self) -> str:
        """Return the name of a generation whose run died before it was live."""
        try:
            name = os.path.basename(os.readlink(os.path.join(self.root, _NEXT)))
        except OSError:
            return ""
        return name if _NUMBER.fullmatch(name) else ""

    def _numbers(self) -> list[int]:
        """Return the numbers of the generations that have been live, in order."""
        if not os.path.isdir(self.generations):
            return []
        unborn = self._unborn()
        return sorted(int(name) for name in os.listdir(self.generations) if _NUMBER.fullmatch(name) and name != unborn)

    def _folder(self, name: str) -> str:
        return os.path.join(self.generations, name)

    def _failure(self, error: OSError) -> TreeError:
        reason = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
        if error.errno == errno.ENOSPC:
            space = os.statvfs(self.root)
            # Where there is no fixed number of files, both are 0
            if space.f_files and not space.f_ffree:
                reason = "the file system can hold no more files, whatever their size"
        return TreeError(f"the new files could not be written below {self.root}: {reason}; the old ones stay")


def _name(number: int) -> str:
    return f"{number:06d}"


def _entries(lines: Iterable[Any]) -> Iterator[tuple[str, Entry]]:
    for line in lines:
        match line:
            case [str(path), str(digest), str(fingerprint), str(owner), str(kind)] if _is_path(path):
                yield path, Entry(digest, LiveFile(fingerprint, owner, kind))
            case _:
                return


def _read_lines(path: str) -> Iterator[Any]:
    """Yield what the lines of a file hold as JSON, up to the first that holds none."""
    with contextlib.suppress(OSError, ValueError, RecursionError), open(path, "rb") as file:
        for line in file:
            yield json.loads(line)


def _digest(descriptor: int) -> str:
    digest = hashlib.sha256()
    while block := os.read(descriptor, _BLOCK):
        digest.update(block)
    return digest.hexdigest()


def _for_folders(mode: int) -> int:
    """Whoever may read the files may enter the folder."""
    return mode | (mode & 0o444) >> 2


def _make_folder(base: int, path: str, mode: int, user: int, group: int) -> None:
    os.mkdir(path, 0o700, dir_fd=base)
    os.chown(path, user, group, dir_fd=base, follow_symlinks=False)
    os.chmod(path, mode, dir_fd=base)


def _write(base: int, path: str, content: bytes, mode: int, group: int) -> None:
    with _opened(path, _NEW, base) as descriptor:
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fchown(descriptor, 0, group)
        os.fchmod(descriptor, mode)


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
    # One call makes all files of the generation durable; an fsync for each is 10 to 270 times dearer.
    if ctypes.CDLL(None, use_errno=True).syncfs(descriptor):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
