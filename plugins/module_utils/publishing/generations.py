# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""A folder that is published as a whole: generations side by side, and one symbolic link that names the live one.

Layout below the root: ``generations/000042/`` with the published files and a manifest; ``current`` -> the live generation. Servers
resolve ``current`` at each request, so they serve either the old generation or the new, never a mixture.

A new generation hard-links what did not change and writes the rest; one syncfs makes it durable before the link is swapped. Files
that are not in the manifest are foreign, and are linked too.

A run that is killed leaves names that begin with a dot, which the next run deletes, and at most one generation that was never live:
the one that ``.current`` names, the link that was to become ``current``.

Beside the manifest lie the inputs that the files were made of (see inputs.py), bound to that manifest by its digest, and the
evidence by which files that nobody has touched need not be read again (see evidence.py).
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
import time
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from typing import IO, Any, NamedTuple

from ..common.content_time import content_time
from ..firmware.packages import FOLDER as FIRMWARE
from ..profiles.sealing.model import SealingError
from .evidence import TICK, UNKNOWN, Evidence, evidence_of, read_evidence, settled
from .inputs import InputsError, read_common
from .layout import OPEN, UNITS
from .transfer import LiveFile, Reader, TransferError, json_line, pack_live

MANIFEST = "manifest.jsonl"
INPUTS = "inputs"
EVIDENCE = "evidence"
TRAILING_BYTE = os.fsdecode(b"\xff")
"""What some units send behind a name by TFTP."""

_INCOMING = ".incoming"
_LOCK = ".lock"
_NEXT = ".current"
_BACK = ".previous"
_PUBLIC = 0o755
_NUMBER = re.compile(r"\d{6,}", re.ASCII)
_OWN = frozenset((MANIFEST, INPUTS, EVIDENCE))
_PART = ".part"
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


class Examined(NamedTuple):
    """What PublishedTree.examine() found."""

    live: bytes
    """The live generation for transfer.read_live(): all files or, with inputs, only the damaged ones."""
    inputs: bytes = b""
    """What the files were made of, if that was asked for and is known."""
    evidence: Evidence | None = None
    """New evidence to keep."""


class PublishedTree:
    """The folder *root*. *groups*: first folder of a path -> the only group that can read below it; everybody can read the rest."""

    def __init__(self, root: str, groups: Mapping[str, str]) -> None:
        self.root = root
        self.groups = groups
        self.current = os.path.join(root, "current")
        self.generations = os.path.join(root, "generations")
        self._accesses: dict[str, tuple[int, int | None]] = {}
        self._installed: tuple[str, Evidence | None] = ("", None)
        self._evidence_before: Evidence | None = None
        self._written: dict[str, tuple[int, int, int]] = {}
        self._linked: list[str] = []

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

    def examine(self, context: str, full: bool = False) -> Examined:
        """Return the live generation, reading only files that somebody may have touched, or with *full* all of them.

        *context*: of the inputs that the caller can use; empty for none. Change nothing.
        """
        name = self.live_name()
        if not name:
            return Examined(pack_live("", "", ()))
        manifest = self._manifest(name)
        with _opened(self._folder(name), _FOLDER) as base:
            evidence = None if full else _load_evidence(base, name)
            inputs = b"" if full or not context else _load_inputs(base, context, evidence is None)
            touched = self._touched(base, evidence) if evidence else {}
            if evidence and inputs and not touched:
                return Examined(pack_live(name, manifest.salt, (), manifest.master_key), inputs)
            started = time.time()
            known = {path for path, _values in evidence.items()} - touched.keys() if evidence else set()
            verified: dict[str, tuple[int, int, int, int]] = {}
            entries = self._verified(base, manifest.entries, known, verified)
            if inputs:
                entries = (entry for entry in entries if not entry[1].fingerprint)
            live = pack_live(name, manifest.salt, entries, manifest.master_key)
            if evidence and not touched:
                return Examined(live, inputs)
            if evidence:
                verified |= {path: values for path, values in evidence.items() if path not in touched}
            seen = settled(verified.values(), int(started * 1e9))
            taken = evidence.taken if evidence else started
            return Examined(live, inputs, Evidence(name, taken, _evidence_at(base, MANIFEST), [*verified], seen))

    def entries(self, name: str, wanted: Callable[[str, LiveFile], bool]) -> bytes:
        """Return files of the live generation *name* for transfer.read_live(), unverified; raise TreeError if another is live."""
        if name != self.live_name():
            raise TreeError(f"another run published to {self.root} in the meantime; run again")
        manifest = self._manifest(name)
        found = ((path, entry.file) for path, entry in manifest.entries if wanted(path, entry.file))
        return pack_live(name, manifest.salt, found, manifest.master_key)

    def _touched(self, base: int, evidence: Evidence) -> dict[str, None]:
        """Return the files that may not be as they were when the evidence was taken."""
        touched: dict[str, None] = {}
        folders = {"": True}
        expected: dict[str, tuple[int, int, int | None]] = {}
        for path, values in evidence.items():
            folder = path.rpartition("/")[0]
            if folder not in expected:
                mode, group = self._access(path)
                intact = self._folder_is_intact(base, folder, folders)
                expected[folder] = (stat.S_IFREG | mode, 0, group if intact else None)
            try:
                status = os.stat(path, dir_fd=base, follow_symlinks=False)
            except OSError:
                touched[path] = None
                continue
            same = evidence_of(status) == values and (status.st_mode, status.st_uid, status.st_gid) == expected[folder]
            if not same:
                touched[path] = None
        return touched

    def keep_evidence(self, evidence: Evidence) -> None:
        """Keep *evidence* for the next run, unless another run is publishing now."""
        with contextlib.suppress(TreeError, OSError), self._locked():
            self._put(evidence.generation, EVIDENCE, evidence.pack())

    def take_evidence(self) -> None:
        """Note that the files of the generation that install() made are as it made or found them."""
        name, before = self._installed
        # The old generations that were deleted had links to the same files, whose change time is now
        time.sleep(2 * TICK)
        now = time.time()
        numbers = {path: number for number, path in enumerate(before.paths)} if before else {}
        with contextlib.suppress(OSError), _opened(self._folder(name), _FOLDER) as base:
            seen: list[tuple[int, int, int, int]] = []
            for path in (*self._written, *self._linked):
                was = self._written.get(path)
                if was is None and before and path in numbers:
                    at = 4 * numbers[path]
                    was = (before.values[at], before.values[at + 1], before.values[at + 2])
                values = UNKNOWN
                if was and self._has_access(base, path):
                    values = _evidence_at(base, path)
                seen.append(values if values[:3] == was else UNKNOWN)
            taken = before.taken if before else now
            evidence = Evidence(
                name, taken, _evidence_at(base, MANIFEST), [*self._written, *self._linked], settled(seen, int(now * 1e9))
            )
            self.keep_evidence(evidence)

    def _has_access(self, base: int, path: str) -> bool:
        mode, group = self._access(path)
        try:
            status = os.stat(path, dir_fd=base, follow_symlinks=False)
        except OSError:
            return False
        return (status.st_mode, status.st_uid, status.st_gid) == (stat.S_IFREG | mode, 0, group)

    def replace_inputs(self, stream: IO[bytes]) -> None:
        """Replace what the live files were made of by what a transfer without files says."""
        try:
            with self._locked():
                transfer = Reader(stream)
                if transfer.base != self.live_name() or [*transfer.files()] or transfer.removed():
                    raise TreeError(f"another run published to {self.root} in the meantime; run again")
                with _opened(self._folder(transfer.base), _FOLDER) as base:
                    content = _bound(transfer.inputs, _manifest_digest(base))
                self._put(transfer.base, INPUTS, content)
        except OSError as error:
            raise self._failure(error) from error
        except (TransferError, SealingError) as error:
            raise TreeError(f"the transfer for {self.root} cannot be used: {error}; the old files stay") from error

    def _put(self, name: str, file: str, content: bytes) -> None:
        """Put a file of our own into a generation, as a whole; its content proves itself, so it need not be durable."""
        part = os.path.join(self.generations, _PART)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part)
        with _opened(part, _NEW) as descriptor:
            _write_all(descriptor, content)
        os.rename(part, os.path.join(self._folder(name), file))

    def _verified(
        self,
        base: int,
        entries: Iterable[tuple[str, Entry]],
        known: Container[str] = (),
        verified: dict[str, tuple[int, int, int, int]] | None = None,
    ) -> Iterator[tuple[str, LiveFile]]:
        """Yield each file, without its fingerprint if it is damaged.

        *known*: paths that need not be read; *verified*: takes the evidence of those that were.
        """
        folders = {"": True}
        for path, entry in entries:
            if path in known:
                yield path, entry.file
                continue
            folder = path.rpartition("/")[0]
            values = self._look(base, path, entry.digest) if self._folder_is_intact(base, folder, folders) else None
            if verified is not None:
                verified[path] = values or UNKNOWN
            yield path, entry.file if values else entry.file._replace(fingerprint="")

    def _look(self, base: int, path: str, digest: str) -> tuple[int, int, int, int] | None:
        """Return the evidence of a file, from before it was read; None if it is damaged."""
        mode, group = self._access(path)
        try:
            with _opened(path, _LOOK, base) as descriptor:
                status = os.fstat(descriptor)
                access = (status.st_mode, status.st_uid, status.st_gid) == (stat.S_IFREG | mode, 0, group)
                return evidence_of(status) if access and _digest(descriptor) == digest else None
        except OSError:
            return None

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
        self._written, self._linked, self._evidence_before = {}, [], None
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
        self._installed = (name, self._evidence_before)
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
            with open(os.open(MANIFEST, _NEW, 0o600, dir_fd=folder), "wb") as file:
                manifest = _Hashing(file)
                manifest.write(json_line({"salt": transfer.salt, "base": transfer.base, "master_key": transfer.master_key}))
                for path, known, content in transfer.files():
                    _check(path)
                    self._make_folders(folder, path.rpartition("/")[0], made)
                    digest = hashlib.sha256(content).hexdigest()
                    # Content of the other trees is secret, and its time would be a hint to it in ETags that are logged
                    moment = content_time(digest) if path.startswith(f"{OPEN}/") else None
                    self._written[path] = _write(folder, path, content, *self.access_of(path), moment)
                    manifest.write(json_line([path, digest, *known]))
                gone = transfer.removed()
                if live:
                    with _opened(self._folder(live), _FOLDER) as base:
                        self._evidence_before = _load_evidence(base, live)
                        removed = self._keep(base, folder, self._manifest(live).entries, gone, made, manifest)
                        self._keep_foreign(base, folder, "", removed, made)
                self._link_firmware(folder, made)
                self._link_shared(folder, made)
            if transfer.inputs:
                with _opened(INPUTS, _NEW, folder) as descriptor:
                    _write_all(descriptor, _bound(transfer.inputs, manifest.digest()))
            os.fchmod(folder, _PUBLIC)
            _syncfs(folder)

    def _keep(
        self, base: int, folder: int, entries: Iterable[tuple[str, Entry]], gone: set[str], made: set[str], manifest: _Hashing
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
                self._linked.append(path)
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
                elif not below and entry.name in _OWN:
                    continue
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
            if name == _PART:
                with contextlib.suppress(OSError):
                    os.unlink(os.path.join(self.generations, name))
            elif _LEFT.fullmatch(name):
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


def _write(base: int, path: str, content: bytes, mode: int, group: int, moment: int | None) -> tuple[int, int, int]:
    """Write a new file, and return its evidence without the change time. *moment*: its time, since 1970, if it is not now."""
    with _opened(path, _NEW, base) as descriptor:
        _write_all(descriptor, content)
        os.fchown(descriptor, 0, group)
        os.fchmod(descriptor, mode)
        if moment is not None:
            os.utime(descriptor, (moment, moment))
        return evidence_of(os.fstat(descriptor))[:3]


def _write_all(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


class _Hashing:
    """Writes to a file, and knows the SHA-256 of what was written."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._digest = hashlib.sha256()

    def write(self, data: bytes, /) -> None:
        self._file.write(data)
        self._digest.update(data)

    def digest(self) -> str:
        return self._digest.hexdigest()


def _bound(inputs: bytes, manifest: str) -> bytes:
    """Return the content of the file INPUTS. *manifest*: digest of the manifest of the files that were made of them."""
    return json_line({"manifest": manifest, "digest": hashlib.sha256(inputs).hexdigest()}) + inputs


def _load_inputs(base: int, context: str, verify: bool) -> bytes:
    """Return the inputs of a generation's files if they have this context; else nothing. *verify*: whether to hash its manifest."""
    try:
        with open(os.open(INPUTS, _LOOK, dir_fd=base), "rb") as file:
            head = json.loads(file.readline())
            inputs = file.read()
        if hashlib.sha256(inputs).hexdigest() != head["digest"] or read_common(inputs).context != context:
            return b""
        return b"" if verify and head["manifest"] != _manifest_digest(base) else inputs
    except (OSError, ValueError, TypeError, KeyError, InputsError):
        return b""


def _load_evidence(base: int, name: str) -> Evidence | None:
    """Return the evidence of the generation *name*, if it is valid."""
    try:
        with open(os.open(EVIDENCE, _LOOK, dir_fd=base), "rb") as file:
            evidence = read_evidence(file.read(), name)
    except (OSError, ValueError):
        return None
    return evidence if evidence and evidence.manifest == _evidence_at(base, MANIFEST) else None


def _evidence_at(base: int, path: str) -> tuple[int, int, int, int]:
    try:
        return evidence_of(os.stat(path, dir_fd=base, follow_symlinks=False))
    except OSError:
        return UNKNOWN


def _manifest_digest(base: int) -> str:
    with _opened(MANIFEST, _LOOK, base) as descriptor:
        return _digest(descriptor)


def _check(path: str) -> None:
    if not _is_path(path):
        raise TreeError(f"{path!r} is not a path below the published folder")


def _is_path(path: str) -> bool:
    try:
        parts = os.fsencode(path).split(b"/")
    except UnicodeEncodeError:
        return False
    return not {b"", b".", b".."}.intersection(parts) and "\0" not in path and path not in _OWN


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
