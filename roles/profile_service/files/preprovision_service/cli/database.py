# SPDX-License-Identifier: GPL-3.0-or-later
"""Look after SQLite's file: ``python3 -m preprovision_service.cli.database check|heal``.

``check``, which a timer runs, copies the database and verifies the copy; if it is damaged, it has it healed. ``heal`` puts the
newest copy in its place; nobody may have it open. What an operator must know goes to the journal with the priority alert.
"""

from __future__ import annotations

import sqlite3
import sys
import syslog

from ..clock import age, local
from ..domain.common.database_faults import Case, describe, sqlite_case
from ..settings import read_settings
from ..store.connection import engine_of, open_database
from ..store.copies import CopyError, ask_for_healing, heal, make_copy, problem_of
from ..store.faults import file_of


def check(path: str) -> int:
    """Copy the database and verify the copy; return the exit status."""
    try:
        problem = problem_of(path, thorough=False)
        if not problem:
            make_copy(path)
            return 0
    except CopyError as error:
        # Either the disk is full, or the copy, and so the database, is damaged
        problem = problem_of(path)
        if not problem:
            return _alert(str(error))
    except sqlite3.Error as error:
        return _alert(describe(sqlite_case(getattr(error, "sqlite_errorcode", None), path), path, str(error)).text)
    if ask_for_healing(path):
        return _alert(f"the database {path} is damaged ({problem}); the newest good copy will replace it")
    return _alert(describe(Case.DAMAGED, path, problem).text)


def restore(path: str) -> int:
    """Put the newest copy in place of a damaged database; return the exit status."""
    try:
        healed = heal(path)
    except (CopyError, sqlite3.Error, OSError) as error:
        return _alert(f"the database {path} was not healed: {error}")
    if healed is None:
        return 0
    since, lost = local(int(healed.made * 1000)), age(healed.lost * 1000)
    _alert(
        f"the database {path} was damaged or deleted ({healed.reason}); it is now the copy of {since}. Events, scans and packed"
        f" phones of {lost} since then are lost. Run voip.preprovision.profiles, which stores the phones that changed since."
        + (f" The damaged file is {healed.set_aside}." if healed.set_aside else "")
    )
    return 0


def _alert(text: str) -> int:
    syslog.openlog("preprovision-database")
    syslog.syslog(syslog.LOG_ALERT, text)
    return 1


def main() -> None:
    """Check or heal the file; a server looks after its own."""
    path = file_of(engine_of(open_database(str(read_settings()["DATABASE"]))))
    if path:
        sys.exit({"check": check, "heal": restore}[sys.argv[1]](path))


if __name__ == "__main__":
    main()
