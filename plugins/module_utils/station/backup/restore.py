# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Restore a station's state from a backup, completely or not at all. Runs on the station, as root."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ..commands import systemctl
from ..footprint import across_roles, is_of_state
from .archive import Backup, BackupError, Keys
from .database import Postgresql, Sqlite, open_database
from .file_swap import FileAttributes, FileSwap, recover, set_attributes, write_file
from .packing import CONTENTS_MEMBER, DATABASE_MEMBER, Contents

_SPARE = 16 << 20
"""Bytes to leave free on each file system."""


@dataclass
class Restored:
    """What a restore changes, or has changed."""

    paths: list[str] = field(default_factory=list)
    database: str = ""
    restarted: list[str] = field(default_factory=list)


def restore(path: str, label: str, keys: Keys, url: str, dry_run: bool) -> Restored:
    """Replace the station's state by that in the backup at *path*; if that fails, everything stays as it was.

    *label*: name of the backup in messages. *url*: the database. *dry_run*: only check.
    """
    with Backup(path, label) as backup:
        inner = backup.unseal(keys)
        contents = _read_contents(inner, label)
        database = open_database(url)
        if contents["database"] not in ("", database.kind):
            raise BackupError(
                f"{label} contains a {contents['database']} database, but profile_service_database names a {database.kind} one"
            )
        restored = Restored([kept for kept in contents["paths"] if is_of_state(kept)], contents["database"])
        _check_space(restored.paths, int(contents["size"]))
        if dry_run:
            return restored
        files = [database.path, f"{database.path}-wal", f"{database.path}-shm"] if isinstance(database, Sqlite) else []
        recover([*across_roles("state"), *files])
        swap = FileSwap()
        try:
            dump = _stage(inner, swap, restored.paths, contents["parents"], database, label)
            if dump is not None and isinstance(database, Sqlite):
                for sidecar in files[1:]:
                    swap.stage(sidecar)
            restored.restarted = _exchange(swap, database if isinstance(database, Postgresql) else None, dump)
        except OSError as error:
            swap.undo()
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise BackupError(f"there is no space for the content of {label}; everything is as it was") from error
            raise
        except BaseException:
            swap.undo()
            raise
        swap.shred_replaced()
        return restored


def _read_contents(inner: tarfile.TarFile, label: str) -> Contents:
    first = inner.next()
    if first is None or first.name != CONTENTS_MEMBER:
        raise BackupError(f"{label} has no list of its contents")
    contents: Contents = json.loads(_read(inner, first))
    return contents


def _read(inner: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = inner.extractfile(member)
    return file.read() if file else b""


def _check_space(paths: Iterable[str], size: int) -> None:
    """Raise BackupError if a file system has less free space than the whole backup takes."""
    for path in paths:
        folder = os.path.dirname(path)
        while not os.path.isdir(folder):
            folder = os.path.dirname(folder)
        free = shutil.disk_usage(folder).free
        if free < size + _SPARE:
            wanted = (size + _SPARE >> 20) + 1
            raise BackupError(f"{folder} has {free >> 20} MiB free, but a restore needs {wanted} MiB; nothing was changed")


def _stage(
    inner: tarfile.TarFile,
    swap: FileSwap,
    paths: Sequence[str],
    parents: Mapping[str, FileAttributes],
    database: Sqlite | Postgresql,
    label: str,
) -> bytes | None:
    """Write all new content beside its place, a SQLite database too; return the database's dump."""
    dump = None
    for member in inner:
        if member.name == CONTENTS_MEMBER:
            continue
        attributes: FileAttributes = {
            "mode": member.mode,
            "user": member.uname,
            "group": member.gname,
            "time": member.mtime,
        }
        if member.name == DATABASE_MEMBER:
            dump = _read(inner, member)
            if isinstance(database, Sqlite):
                parent = os.path.dirname(database.path)
                swap.make_parent(parent, parents.get(parent, {**attributes, "mode": 0o700}))
                write_file(swap.stage(database.path), dump, attributes)
            continue
        path = os.path.normpath(f"/{member.name}")
        top = next((kept for kept in paths if path == kept or path.startswith(f"{kept}/")), None)
        if top is None or not (member.isreg() or member.isdir() or member.issym()):
            raise BackupError(f"{label} contains {member.name!r}, which is not part of a station's state")
        swap.make_parent(os.path.dirname(top), parents[os.path.dirname(top)])
        place = swap.stage(top) + path.removeprefix(top)
        if member.isdir():
            os.mkdir(place, 0o700)
            set_attributes(place, attributes)
        elif member.issym():
            os.symlink(member.linkname, place)
        else:
            write_file(place, _read(inner, member), attributes)
    return dump


def _exchange(swap: FileSwap, server: Postgresql | None, dump: bytes | None) -> list[str]:
    """Stop the services, exchange everything and start them again, also if that fails; return the units that were running."""
    stop_for_restore = list(across_roles("stop_for_restore"))
    running = [unit for unit in stop_for_restore if systemctl("is-active", "--quiet", unit)]
    old = server.dump() if server and dump is not None else None
    loaded = False
    if running:
        systemctl("stop", *running)
    try:
        if server and dump is not None:
            server.load(dump)
            loaded = True
        swap.commit()
        for unit in reversed(running):
            if not systemctl("start", unit):
                raise BackupError(
                    f"{unit} does not start with the restored state (see journalctl -u {unit}); everything is as it was"
                )
    except BaseException:
        systemctl("stop", *stop_for_restore)
        swap.undo()
        if server and loaded and old is not None:
            server.load(old)
        if running:
            systemctl("reset-failed", *running)
            systemctl("start", *reversed(running))
        raise
    return running
