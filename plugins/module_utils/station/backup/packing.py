# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Pack a station's state into a backup. Runs on the station, as root.

The inner archive begins with contents.json; the state's files and the database follow.
"""

from __future__ import annotations

import grp
import io
import json
import os
import pwd
import stat
import tarfile
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypedDict

from ..footprint import across_roles, is_of_state
from .archive import BackupError, Header, Keys, write
from .database import Sqlite, open_database
from .file_swap import FileAttributes

CONTENTS_MEMBER, DATABASE_MEMBER = "contents.json", "database"


class Packed(NamedTuple):
    """The content of a backup."""

    paths: list[str]
    database: str
    """``sqlite``, ``postgresql``, or empty if there is no database yet."""
    size: int
    """Bytes before compression."""


class Contents(TypedDict):
    """The list of contents in a backup: the fields of Header and Packed, and the folders that contain the paths."""

    station: str
    made: str
    release: str
    paths: list[str]
    database: str
    size: int
    parents: dict[str, FileAttributes]


def find_state(url: str) -> list[str]:
    """Return the paths to back up, each once. Raise BackupError if the host is not a station."""
    found = [path for path in sorted(across_roles("state")) if os.path.lexists(path)]
    if not found:
        wanted = ", ".join(sorted(across_roles("state")))
        raise BackupError(f"this host is not a station: it has none of {wanted}; nothing was done")
    database = open_database(url)
    return found + ([database.path] if isinstance(database, Sqlite) and os.path.exists(database.path) else [])


def pack(path: str, header: Header, keys: Keys, url: str) -> Packed:
    """Back up this station into the file *path*."""
    kept = find_state(url)
    database = open_database(url)
    dump = database.dump()
    files = [file for top in kept if is_of_state(top) for file in _walk(top)]
    size = sum(os.lstat(file).st_size for file in files) + len(dump or b"")
    packed = Packed(kept, database.kind if dump is not None else "", size)
    contents: Contents = {
        "station": header.station,
        "made": header.made,
        "release": header.release,
        "paths": packed.paths,
        "database": packed.database,
        "size": packed.size,
        "parents": {os.path.dirname(top): _attributes_of(os.path.dirname(top)) for top in kept},
    }

    def fill(inner: tarfile.TarFile) -> None:
        _add(inner, CONTENTS_MEMBER, json.dumps(contents, indent=1).encode())
        for file in files:
            # If a file grows meanwhile, tarfile stores its former length
            inner.add(file, recursive=False)
        if dump is not None:
            _add(inner, DATABASE_MEMBER, dump, database.path if isinstance(database, Sqlite) else None)

    write(path, header, keys, fill)
    return packed


def _walk(top: str) -> Iterator[str]:
    yield top
    if os.path.isdir(top) and not os.path.islink(top):
        for folder, folders, names in os.walk(top):
            yield from (os.path.join(folder, name) for name in sorted((*folders, *names)))


def _attributes_of(path: str) -> FileAttributes:
    found = os.stat(path)
    user, group = _name(pwd.getpwuid, found.st_uid), _name(grp.getgrgid, found.st_gid)
    return {"mode": stat.S_IMODE(found.st_mode), "user": user, "group": group}


def _name(look_up: Callable[[int], Sequence[Any]], number: int) -> str:
    try:
        return str(look_up(number)[0])
    except KeyError:
        return "root"


def _add(inner: tarfile.TarFile, name: str, content: bytes, like: str | None = None) -> None:
    info = inner.gettarinfo(like, name) if like else tarfile.TarInfo(name)
    info.size, info.mode = len(content), 0o600
    inner.addfile(info, io.BytesIO(content))
