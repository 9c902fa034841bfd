# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""A folder that is published whole: generations side by side, and one symbolic link that names the live one.

Layout below the root: ``generations/000042/`` with the published files and a manifest; ``current`` -> the live generation. Servers
resolve ``current`` at each request, so all of them see a new generation at once, and never half of one.

A new generation hard-links what did not change and writes the rest; one syncfs makes it durable before the link is swapped. Files
that are not in the manifest are somebody else's, and are linked too.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import grp
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import IO, Any, NamedTuple

from .sealing import SealingError
from .transfer import LiveFile, Reader, TransferError, pack_live

MANIFEST = "manifest.jsonl"

_INCOMING = ".incoming"
_PUBLIC = 0o755
_NUMBER = re.compile(r"\d{6,}")


class TreeError(Exception):
    """The folder cannot be read or replaced; the message says why and what to do. What was live still is."""


class Entry(NamedTuple):
    """A line of the manifest: SHA-256 of the content, and what the publisher said of the file."""

    digest: str
    file: LiveFile


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
        return os.path.basename(os.path.realpath(self.current)) if os.path.isdir(self.current) else ""

    def inspect(self) -> bytes:
        """Return the live generation for transfer.read_live(); files with foreign content, mode or group have no fingerprint."""
        if not self.live_name():
            return pack_live("", "", ())
        base = os.path.realpath(self.current)
        salt, entries = self._manifest(base)
        return pack_live(os.path.basename(base), salt, self._verified(base, entries))

    def _verified(self, base: str, entries: Iterable[tuple[str, Entry]]) -> Iterator[tuple[str, LiveFile]]:
        for path, entry in entries:
            try:
                with open(os.path.join(base, path), "rb") as file:
                    digest = hashlib.sha256(file.read()).hexdigest()
                    status = os.fstat(file.fileno())
                intact = digest == entry.digest and (status.st_mode & 0o7777, status.st_gid) == self._access(path)
            except OSError:
                intact = False
            yield path, entry.file if intact else entry.file._replace(fingerprint="")

    def _manifest(self, base: str) -> tuple[str, Iterator[tuple[str, Entry]]]:
        """Return the salt and the lines of a generation's manifest; what cannot be read there is nobody's."""
        lines = _read_lines(os.path.join(base, MANIFEST))
        try:
            salt = next(lines)["salt"]
        except (StopIteration, KeyError, TypeError):
            return "", iter(())
        return str(salt), ((path, Entry(digest, LiveFile(*file))) for path, digest, *file in lines)

    def contents(self, paths: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Yield path and content of live files; what is not there is left out."""
        for path in paths:
            _check(path)
            with contextlib.suppress(OSError), open(os.path.join(self.current, path), "rb") as file:
                yield path, file.read()

    # -- replace

    def install(self, stream: IO[bytes], keep: int) -> str:
        """Make what the transfer in *stream* says the live generation, keep *keep* earlier ones, and return its name."""
        try:
            os.makedirs(self.generations, exist_ok=True)
            for folder in (self.root, self.generations):
                os.chmod(folder, _PUBLIC)
            with self._locked():
                return self._install(stream, keep)
        except OSError as error:
            raise TreeError(f"the new files could not be written below {self.root}: {error.strerror}; the old ones stay") from error
        except (TransferError, SealingError) as error:
            raise TreeError(f"what came to be published below {self.root} cannot be used: {error}; the old files stay") from error

    def previous(self, dry: bool = False) -> tuple[str, bool]:
        """Make the generation before the newest one live, unless *dry*; return its name, and whether that is a change."""
        numbers = self._numbers() if os.path.isdir(self.generations) else []
        if len(numbers) < 2:
            raise TreeError(f"there is no earlier generation below {self.root} to go back to")
        name = f"{numbers[-2]:06d}"
        changed = name != self.live_name()
        if changed and not dry:
            with self._locked():
                self._point_to(name)
        return name, changed

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with open(os.path.join(self.generations, ".lock"), "w") as lock:
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
        incoming = os.path.join(self.generations, _INCOMING)
        # Left by a run that was killed.
        shutil.rmtree(incoming, ignore_errors=True)
        numbers = self._numbers()
        name = f"{numbers[-1] + 1 if numbers else 1:06d}"
        try:
            self._build(incoming, transfer)
            _synchronize(incoming, _syncfs)
            os.rename(incoming, os.path.join(self.generations, name))
        except BaseException:
            shutil.rmtree(incoming, ignore_errors=True)
            raise
        self._point_to(name)
        # Whoever went back does not want the ones after it any more.
        abandoned = [number for number in numbers if live and number > int(live)]
        kept = [number for number in numbers if number not in abandoned]
        for number in (*abandoned, *kept[: max(len(kept) - keep, 0)]):
            shutil.rmtree(os.path.join(self.generations, f"{number:06d}"))
        return name

    def _build(self, folder: str, transfer: Reader) -> None:
        os.mkdir(folder)
        os.chmod(folder, _PUBLIC)
        made: set[str] = {""}
        with open(os.open(os.path.join(folder, MANIFEST), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as manifest:
            manifest.write(_line({"salt": transfer.salt}))
            written = set()
            for path, file, content in transfer.files():
                _check(path)
                mode, group = self._access(path)
                if group is None:
                    raise TreeError(f"there is no group {self._group(path)} on this host; install the web server first")
                self._make_folders(folder, os.path.dirname(path), mode, group, made)
                _write(os.path.join(folder, path), content, mode, group)
                manifest.write(_line([path, hashlib.sha256(content).hexdigest(), *file]))
                written.add(path)
            gone = transfer.removed()
            if os.path.isdir(self.current):
                self._keep(folder, written | gone, made, manifest)

    def _keep(self, folder: str, without: set[str], made: set[str], manifest: IO[bytes]) -> None:
        """Link what is live into *folder*, but for the paths in *without*, and take over the lines of the manifest."""
        live = os.path.realpath(self.current)
        linked = set()
        for path in _walk(live):
            if path in without or path == MANIFEST:
                continue
            mode, group = self._access(path)
            self._make_folders(folder, os.path.dirname(path), mode, group or 0, made)
            os.link(os.path.join(live, path), os.path.join(folder, path), follow_symlinks=False)
            linked.add(path)
        for path, entry in self._manifest(live)[1]:
            if path in linked:
                manifest.write(_line([path, entry.digest, *entry.file]))

    def _make_folders(self, base: str, path: str, mode: int, group: int, made: set[str]) -> None:
        if path in made:
            return
        self._make_folders(base, os.path.dirname(path), mode, group, made)
        folder = os.path.join(base, path)
        os.mkdir(folder)
        os.chown(folder, 0, group)
        # Whoever may read the files may enter the folder.
        os.chmod(folder, mode | (mode & 0o444) >> 2)
        made.add(path)

    def _group(self, path: str) -> str | None:
        return self.groups.get(path.partition("/")[0])

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

    def _point_to(self, name: str) -> None:
        link = os.path.join(self.root, ".current")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(link)
        os.symlink(os.path.join("generations", name), link)
        os.rename(link, self.current)
        for folder in (self.generations, self.root):
            _synchronize(folder, os.fsync)

    def _numbers(self) -> list[int]:
        return sorted(int(name) for name in os.listdir(self.generations) if _NUMBER.fullmatch(name))


def _walk(base: str, below: str = "") -> Iterator[str]:
    """Yield the paths of all files below *base*, links included."""
    with os.scandir(os.path.join(base, below)) as entries:
        for entry in entries:
            path = below + entry.name
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(base, f"{path}/")
            else:
                yield path


def _read_lines(path: str) -> Iterator[Any]:
    """Yield what the lines of a file hold as JSON, up to the first that holds none."""
    with contextlib.suppress(OSError, ValueError), open(path, "rb") as file:
        for line in file:
            yield json.loads(line)


def _line(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def _write(path: str, content: bytes, mode: int, group: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fchown(descriptor, 0, group)
        os.fchmod(descriptor, mode)
    finally:
        os.close(descriptor)


def _check(path: str) -> None:
    parts = path.split("/")
    if path.startswith("/") or ".." in parts or "" in parts or path == MANIFEST:
        raise TreeError(f"'{path}' is not a path below the published folder")


def _synchronize(folder: str, call: Callable[[int], None]) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        call(descriptor)
    finally:
        os.close(descriptor)


def _syncfs(descriptor: int) -> None:
    # One call makes all files of the generation durable; an fsync for each is 10 to 270 times dearer.
    if ctypes.CDLL(None, use_errno=True).syncfs(descriptor):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
