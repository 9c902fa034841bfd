# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Replace several files and folders, all or none of them.

The new content is staged beside each path, as ``PATH.restoring``; the old content stays as ``PATH.replaced`` until the end.
"""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NotRequired, TypedDict

from ..shredding import shred

_RESTORING, _REPLACED = ".restoring", ".replaced"


class FileAttributes(TypedDict):
    """The attributes that a file or folder is restored with."""

    mode: int
    user: str
    group: str
    time: NotRequired[float]
    """Of the last change, in seconds since 1970."""


class FileSwap:
    """Paths that get new content, all of them or none."""

    def __init__(self) -> None:
        self._targets: list[str] = []
        self._moved: list[str] = []
        self._placed: list[str] = []
        self._created: list[str] = []

    def stage(self, target: str) -> str:
        """Return the path to write the new content of *target* to; if nothing is written there, commit removes the target."""
        if target not in self._targets:
            self._targets.append(target)
        return target + _RESTORING

    def make_parent(self, path: str, attributes: FileAttributes) -> None:
        """Create the folder *path*, and its parents, if they do not exist."""
        missing = []
        while not os.path.isdir(path):
            missing.append(path)
            path = os.path.dirname(path)
        for folder in reversed(missing):
            os.mkdir(folder, 0o700)
            self._created.append(folder)
            set_attributes(folder, attributes)

    def commit(self) -> None:
        """Move the new content into place."""
        for target in self._targets:
            if os.path.lexists(target):
                os.rename(target, target + _REPLACED)
                self._moved.append(target)
            if os.path.lexists(target + _RESTORING):
                os.rename(target + _RESTORING, target)
                self._placed.append(target)
        os.sync()

    def undo(self) -> None:
        """Restore the old content; may be called again."""
        while self._placed:
            shred(self._placed.pop())
        while self._moved:
            target = self._moved.pop()
            os.rename(target + _REPLACED, target)
        for target in self._targets:
            shred(target + _RESTORING)
        while self._created:
            with contextlib.suppress(OSError):
                os.rmdir(self._created.pop())

    def shred_replaced(self) -> None:
        """Shred the old content."""
        for target in self._targets:
            shred(target + _REPLACED)


def recover(targets: Iterable[str]) -> None:
    """Undo a swap of *targets* that a power failure interrupted."""
    for target in targets:
        if os.path.lexists(target + _REPLACED):
            shred(target)
            os.rename(target + _REPLACED, target)
        shred(target + _RESTORING)


def write_file(path: str, content: bytes, attributes: FileAttributes) -> None:
    """Create the file *path* and make it durable."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    set_attributes(path, attributes)


def set_attributes(path: str, attributes: FileAttributes) -> None:
    """Set mode, time, user and group; a user or group that does not exist here becomes root."""
    user, group = _number(pwd.getpwnam, attributes["user"]), _number(grp.getgrnam, attributes["group"])
    os.chown(path, user, group, follow_symlinks=False)
    if not os.path.islink(path):
        os.chmod(path, attributes["mode"])
        # The certificate ledger computes a certificate's end from its file's time
        if "time" in attributes:
            os.utime(path, (attributes["time"], attributes["time"]))


def _number(look_up: Callable[[str], Sequence[Any]], name: str) -> int:
    try:
        return int(look_up(name)[2])
    except KeyError:
        return 0
