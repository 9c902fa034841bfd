# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""A folder that is published whole: generations side by side, and one symbolic link that names the live one.

Layout below the root: ``generations/000042/`` with the published files and ``manifest.json``; ``current`` -> the live generation.
Servers resolve ``current`` at each request, so all of them see a new generation at once, and never half of one.

A new generation hard-links what did not change and writes the rest; one syncfs makes it durable before the link is swapped.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import grp
import hashlib
import io
import json
import os
import re
import shutil
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

MANIFEST = "manifest.json"

_INCOMING = ".incoming"
_PUBLIC = 0o755
_NUMBER = re.compile(r"\d{6,}")


class TreeError(Exception):
    """The folder cannot be read or replaced; the message says why and what to do. What was live still is."""


@dataclass(frozen=True)
class Generation:
    """The live generation: path below it -> SHA-256 of each intact file, and the notes of whoever published it."""

    name: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)


def pack(files: Mapping[str, bytes], missing: set[str], notes: Mapping[str, Any]) -> bytes:
    """Return the archive of a generation: digests of all *files*, contents of the *missing* ones."""
    digests = {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}
    contents = {digests[path]: files[path] for path in missing}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        manifest = json.dumps({"files": digests, "notes": notes}, sort_keys=True).encode()
        for name, content in ((MANIFEST, manifest), *sorted(contents.items())):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


class PublishedTree:
    """The folder *root*. *groups*: first folder of a path -> group that alone may read what is below it; the rest is for all."""

    def __init__(self, root: str, groups: Mapping[str, str]) -> None:
        self.root = root
        self.groups = groups
        self.current = os.path.join(root, "current")
        self.generations = os.path.join(root, "generations")

    def inspect(self) -> Generation:
        """Return the live generation as it is on disk; a file with foreign content, mode or group counts as absent."""
        if not os.path.isdir(self.current):
            return Generation()
        base = os.path.realpath(self.current)
        try:
            with open(os.path.join(base, MANIFEST), "rb") as stream:
                manifest = json.load(stream)
            expected, notes = manifest["files"], manifest["notes"]
        except (OSError, ValueError, KeyError):
            expected, notes = {}, {}
        files = {}
        for path, file in self._walk(base):
            status = os.stat(file)
            digest = _digest(file)
            intact = expected.get(path) == digest and (status.st_mode & 0o7777, status.st_gid) == self._access(path)
            files[path] = digest if intact else ""
        return Generation(os.path.basename(base), files, notes)

    def install(self, archive: bytes, keep: int) -> str:
        """Make the archive's generation the live one, keep *keep* earlier ones, and return its name."""
        os.makedirs(self.generations, exist_ok=True)
        for folder in (self.root, self.generations):
            os.chmod(folder, _PUBLIC)
        with self._locked():
            return self._install(archive, keep)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with open(os.path.join(self.generations, ".lock"), "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise TreeError(f"another run is publishing to {self.root} right now; run again when it has ended") from error
            yield

    def _install(self, archive: bytes, keep: int) -> str:
        incoming = os.path.join(self.generations, _INCOMING)
        # Left by a run that was killed.
        shutil.rmtree(incoming, ignore_errors=True)
        numbers = self._numbers()
        name = f"{numbers[-1] + 1 if numbers else 1:06d}"
        try:
            self._build(incoming, archive)
            _synchronize(incoming, _syncfs)
            os.rename(incoming, os.path.join(self.generations, name))
        except OSError as error:
            shutil.rmtree(incoming, ignore_errors=True)
            raise TreeError(f"the new files could not be written below {self.root}: {error.strerror}; the old ones stay") from error
        except BaseException:
            shutil.rmtree(incoming, ignore_errors=True)
            raise
        self._point_to(name)
        for number in self._numbers()[: -(keep + 1)]:
            shutil.rmtree(os.path.join(self.generations, f"{number:06d}"))
        return name

    def _build(self, folder: str, archive: bytes) -> None:
        with tarfile.open(fileobj=io.BytesIO(archive)) as members:
            contents = {member.name: _content(members, member) for member in members}
        manifest = contents.pop(MANIFEST)
        files: Mapping[str, str] = json.loads(manifest)["files"]
        live = os.path.realpath(self.current)
        os.mkdir(folder)
        os.chmod(folder, _PUBLIC)
        made: set[str] = set()
        for path, digest in files.items():
            _check(path)
            mode, group = self._access(path)
            if group is None:
                raise TreeError(f"there is no group {self._group(path)} on this host; install the web server first")
            self._make_folders(folder, os.path.dirname(path), mode, group, made)
            target = os.path.join(folder, path)
            if digest in contents:
                _write(target, contents[digest], mode, group)
            else:
                os.link(os.path.join(live, path), target)
        _write(os.path.join(folder, MANIFEST), manifest, 0o600, 0)

    def _make_folders(self, base: str, path: str, mode: int, group: int, made: set[str]) -> None:
        if not path or path in made:
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
        name = self._group(path)
        if name is None:
            return 0o644, 0
        try:
            return 0o640, grp.getgrnam(name).gr_gid
        except KeyError:
            return 0o640, None

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

    def _walk(self, base: str) -> Iterator[tuple[str, str]]:
        for folder, _folders, names in os.walk(base):
            for name in names:
                file = os.path.join(folder, name)
                path = os.path.relpath(file, base)
                if path != MANIFEST:
                    yield path, file


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    if file is None:
        raise TreeError(f"the archive holds '{member.name}', which is no file")
    return file.read()


def _write(path: str, content: bytes, mode: int, group: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:
        file.write(content)
        os.fchown(descriptor, 0, group)
        os.fchmod(descriptor, mode)


def _digest(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def _check(path: str) -> None:
    if path.startswith("/") or ".." in path.split("/"):
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
