# SPDX-License-Identifier: GPL-3.0-or-later
"""Verified copies of SQLite's file, and healing it from the newest one.

They lie in the folder ``copies`` beside the file: at most KEEP, whatever happens. A server keeps its own.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ..domain.common.durable import sync_folder

KEEP = 2
FOLDER = "copies"
WANTED = "heal"
"""An empty file in FOLDER that has preprovision-database-heal.service started, by its path unit."""

_SET_ASIDE = ".damaged"
_PAUSE = 3600
"""Seconds until it may be healed again: a disk that fails would otherwise keep the service busy with it."""


class CopyError(Exception):
    """There is no copy, or none could be made; the message says why and what to do."""


class Healed(NamedTuple):
    """What was done."""

    reason: str
    """What was wrong with the file, in SQLite's words."""
    made: float
    """When the copy was made, in seconds since 1970."""
    lost: int
    """Seconds from then to now, whose changes are lost."""
    set_aside: str
    """Path of the damaged file; empty if there was none."""


def copies(path: str) -> Sequence[Path]:
    """Return the copies of the database at *path*, newest first."""
    found = [Path(path).parent / FOLDER / f"{number}.sqlite" for number in range(1, KEEP + 1)]
    return [copy for copy in found if copy.exists()]


def ask_for_healing(path: str) -> bool:
    """Have the database at *path* healed if there is a copy, unless that was done just now; return whether it will be."""
    with contextlib.suppress(OSError):
        recent = time.time() - os.stat(path + _SET_ASIDE).st_ctime < _PAUSE if os.path.exists(path + _SET_ASIDE) else False
        if copies(path) and not recent:
            Path(path).parent.joinpath(FOLDER, WANTED).touch()
            return True
    return False


def problem_of(path: str, thorough: bool = True) -> str:
    """Return what is wrong with the file at *path*, in SQLite's words; empty if nothing is. Raise sqlite3.Error if it is locked."""
    if not os.path.exists(path):
        return "there is no file"
    try:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=rw", uri=True, timeout=20)) as opened:
            # The first line says enough; others name more pages
            (verdict,) = opened.execute(f"PRAGMA {'integrity' if thorough else 'quick'}_check(1)").fetchone()
            if verdict != "ok":
                return " ".join(str(verdict).split())[:200]
            there = opened.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone()
            return "" if there else "it has no tables"
    except sqlite3.DatabaseError as error:
        if (error.sqlite_errorcode & 0xFF) not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise
        return str(error)


def make_copy(path: str) -> Path:
    """Copy the database at *path* while others use it, verify the copy, and make it the first; raise CopyError or sqlite3.Error.

    Verifying the copy verifies the database: it has the same pages. A damaged one replaces no copy.
    """
    folder = Path(path).parent / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    part = folder / "part.sqlite"
    part.unlink(missing_ok=True)
    size, free = os.stat(path).st_size, shutil.disk_usage(folder).free
    if free < 2 * size + (1 << 20):
        raise CopyError(
            f"{folder} has {free >> 20} MiB free, but a copy of the database needs {(2 * size >> 20) + 1} MiB; free some space"
        )
    try:
        with contextlib.ExitStack() as opened:
            source = opened.enter_context(contextlib.closing(sqlite3.connect(f"file:{path}?mode=rw", uri=True, timeout=20)))
            target = opened.enter_context(contextlib.closing(sqlite3.connect(part)))
            source.backup(target)
            # A copy that is not in WAL mode is one file
            target.execute("PRAGMA journal_mode=DELETE")
        problem = problem_of(str(part))
        if problem:
            raise CopyError(problem)
        part.chmod(0o600)
        with part.open("rb") as file:
            os.fsync(file.fileno())
        for number in range(KEEP, 1, -1):
            with contextlib.suppress(FileNotFoundError):
                os.rename(folder / f"{number - 1}.sqlite", folder / f"{number}.sqlite")
        os.rename(part, folder / "1.sqlite")
        sync_folder(folder)
    finally:
        for name in ("part.sqlite", "part.sqlite-journal", "part.sqlite-wal", "part.sqlite-shm"):
            folder.joinpath(name).unlink(missing_ok=True)
    return folder / "1.sqlite"


def heal(path: str) -> Healed | None:
    """Put the newest copy in place of a damaged or deleted database that nobody has open; return None if nothing is wrong with it.

    Raise CopyError if there is no good copy, sqlite3.Error or OSError. The damaged file stays beside it until the next one.
    """
    folder = Path(path).parent
    try:
        problem = problem_of(path)
        if not problem:
            return None
        copy = next((copy for copy in copies(path) if not problem_of(str(copy))), None)
        if copy is None:
            raise CopyError(
                f"{path}: {problem}, and there is no good copy of it; restore a backup: "
                "ansible-playbook voip.preprovision.restore -e backup_file=FILE"
            )
        made = copy.stat().st_mtime
        new = Path(f"{path}.new")
        shutil.copyfile(copy, new)
        new.chmod(0o600)
        with new.open("rb") as file:
            os.fsync(file.fileno())
        set_aside = ""
        if os.path.exists(path):
            set_aside = path + _SET_ASIDE
            os.rename(path, set_aside)
            os.utime(set_aside)
        # Before the copy is there: SQLite would apply this log to it
        for end in ("-wal", "-shm", "-journal"):
            Path(path + end).unlink(missing_ok=True)
        os.rename(new, path)
        sync_folder(folder)
        return Healed(problem, made, max(int(time.time() - made), 0), set_aside)
    finally:
        folder.joinpath(FOLDER, WANTED).unlink(missing_ok=True)
