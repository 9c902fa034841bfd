# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which fault an error of SQLite or PostgreSQL is, by its code, and what to do.

Sources: https://sqlite.org/rescode.html; https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

from __future__ import annotations

import contextlib
import os
import pwd
import stat
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

UNIT = "preprovision-service"
"""Its start migrates the database; it runs as the user of this name."""


class Case(StrEnum):
    """What is wrong with a database."""

    DAMAGED = "damaged"
    UNREADABLE = "unreadable"
    """The disk fails."""
    FULL = "full"
    LOCKED = "locked"
    FORBIDDEN = "not ours"
    TABLES = "tables"
    """Tables or columns are missing. If its revision does not say why, someone has dropped them."""
    TOO_OLD = "too old"
    TOO_NEW = "too new"
    DELETED = "deleted"
    UNREACHABLE = "not reachable"
    OTHER = "refused"


class Fault(NamedTuple):
    """A fault and the sentences about it, without any value that the database holds."""

    case: Case
    text: str


_STATES: Mapping[Case, str] = MappingProxyType(
    {
        Case.DAMAGED: "is damaged",
        Case.UNREADABLE: "is on a disk that fails",
        Case.FULL: "is on a full disk",
        Case.LOCKED: "is locked by another program",
        Case.FORBIDDEN: "does not let us in",
        Case.TABLES: "lacks tables",
        Case.TOO_OLD: "is too old",
        Case.TOO_NEW: "is too new",
        Case.DELETED: "was deleted or emptied",
        Case.UNREACHABLE: "cannot be reached",
        Case.OTHER: "refused a statement",
    }
)
_RESTORE = "ansible-playbook voip.preprovision.restore -e backup_file=FILE"
_REMEDIES: Mapping[Case, str] = MappingProxyType(
    {
        Case.DAMAGED: f"Restore a backup: {_RESTORE}",
        Case.UNREADABLE: "journalctl --dmesg names the disk; replace it and restore a backup: " + _RESTORE,
        Case.FULL: "Free some space; until then nothing is stored. See how much there is: df --human-readable --local",
        Case.LOCKED: "See which program it is, and end it: lslocks",
        Case.FORBIDDEN: "Run the playbook again: ansible-playbook voip.preprovision.site",
        Case.TABLES: f"Restore a backup: {_RESTORE}",
        Case.TOO_OLD: f"Restart the service, which migrates it: systemctl restart {UNIT}",
        Case.TOO_NEW: f"Install the version of the collection that wrote it, or restore an older backup: {_RESTORE}",
        Case.DELETED: f"Restore a backup: {_RESTORE} - or let a restart make an empty one: systemctl restart {UNIT}",
        Case.UNREACHABLE: "Start the server, or correct profile_service_database and run voip.preprovision.site",
        Case.OTHER: f"See the statements before it: journalctl --unit={UNIT}",
    }
)
_OF_SERVERS: Mapping[Case, str] = MappingProxyType(
    {
        Case.LOCKED: "See on its server who it is, and end it: SELECT pid, query FROM pg_stat_activity",
        Case.FORBIDDEN: "Give it to the user that profile_service_database names: ALTER DATABASE NAME OWNER TO USER",
    }
)

_PRIMARY = 0xFF
_DBMOVED, _SHORT_READ, _IO_DATA, _IO_FILE_SYSTEM = 1032, 522, 8202, 8458
_ERROR, _PERM, _BUSY, _LOCKED, _READONLY, _IOERR, _CORRUPT, _FULL, _CANTOPEN, _PROTOCOL, _AUTH, _NOTADB = (
    *(1, 3, 5, 6, 8, 10, 11, 13, 14, 15, 23, 26),
)
_EXACT = {_DBMOVED: Case.DELETED, _SHORT_READ: Case.DAMAGED, _IO_DATA: Case.DAMAGED, _IO_FILE_SYSTEM: Case.DAMAGED}
_BY_PRIMARY = {
    **dict.fromkeys((_CORRUPT, _NOTADB), Case.DAMAGED),
    **dict.fromkeys((_BUSY, _LOCKED, _PROTOCOL), Case.LOCKED),
    _FULL: Case.FULL,
    _ERROR: Case.TABLES,
}
# SQLite uses these for full disks, too, where it cannot make a file beside the database
_OF_FILES = {
    _PERM: Case.FORBIDDEN,
    _READONLY: Case.FORBIDDEN,
    _CANTOPEN: Case.FORBIDDEN,
    _AUTH: Case.FORBIDDEN,
    _IOERR: Case.UNREADABLE,
}
_MIN_FREE = 128 * 1024
"""Bytes that SQLite needs for its log and index."""

_SQLSTATES = {
    "42501": Case.FORBIDDEN,
    "25006": Case.FORBIDDEN,
    "3D000": Case.DELETED,
    "42P01": Case.TABLES,
    "42703": Case.TABLES,
    "53100": Case.FULL,
    "53200": Case.UNREACHABLE,
    "53300": Case.UNREACHABLE,
    "40P01": Case.LOCKED,
    "55P03": Case.LOCKED,
    "57014": Case.LOCKED,
    "57P01": Case.UNREACHABLE,
    "57P02": Case.UNREACHABLE,
    "57P03": Case.UNREACHABLE,
    "58030": Case.UNREADABLE,
    "58P01": Case.DAMAGED,
    "XX001": Case.DAMAGED,
    "XX002": Case.DAMAGED,
}
_CLASSES = {"08": Case.UNREACHABLE, "28": Case.FORBIDDEN}


def sqlite_case(code: int | None, path: str) -> Case:
    """Return the fault that SQLite's extended result code *code* is, for the database at *path*."""
    primary = (code or 0) & _PRIMARY
    if code in _EXACT:
        return _EXACT[code]
    if primary not in _OF_FILES:
        return _BY_PRIMARY.get(primary, Case.OTHER)
    try:
        os.stat(path)
    except FileNotFoundError:
        return Case.DELETED
    except OSError:
        return Case.FORBIDDEN
    return Case.FULL if is_full(os.path.dirname(path) or ".") else _OF_FILES[primary]


def is_full(folder: str) -> bool:
    """Return whether the file system of *folder* has no space, or no inode, for the small files of a database."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize < _MIN_FREE or (found.f_files > 0 and found.f_favail == 0)


def postgresql_case(sqlstate: str | None) -> Case:
    """Return the fault that *sqlstate* is. Without one, there was no connection: psycopg2 hands on none then."""
    if sqlstate is None:
        return Case.UNREACHABLE
    return _SQLSTATES.get(sqlstate) or _CLASSES.get(sqlstate[:2], Case.OTHER)


def describe(case: Case, place: str, words: str, remedy: str = "") -> Fault:
    """Return the fault with its sentences.

    *place* names the database, *words* are the engine's own, or the reason. *remedy*: in place of the usual one.
    """
    return Fault(case, f"the database {place} {_STATES[case]} ({words}). {remedy or _remedy(case, place)}")


def _remedy(case: Case, path: str) -> str:
    """Return what to do, in a sentence that ends with a command. Of a file that is not ours, name owner and mode."""
    if not path.startswith("/"):
        return _OF_SERVERS.get(case, _REMEDIES[case])
    if case is not Case.FORBIDDEN:
        return _REMEDIES[case]
    with contextlib.suppress(OSError):
        if os.statvfs(os.path.dirname(path)).f_flag & os.ST_RDONLY:
            return "Its file system is mounted read-only; journalctl --dmesg says why"
        shown = f"{stat.S_IMODE(os.stat(path).st_mode):04o} of {_name(os.stat(path).st_uid)}"
        folder = os.stat(os.path.dirname(path))
        shown += f", in a folder with {stat.S_IMODE(folder.st_mode):04o} of {_name(folder.st_uid)}"
        return f"It has the mode {shown}; give it back: chown {UNIT}: {path}* && chmod 600 {path}*"
    return f"Give its folder back: chown {UNIT}: {os.path.dirname(path)} && chmod 700 {os.path.dirname(path)}"


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"user {user}"
