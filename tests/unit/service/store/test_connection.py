# SPDX-License-Identifier: GPL-3.0-or-later
"""SQLite's files stay bounded."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from preprovision_service.store import connection
from preprovision_service.store.connection import MAX_LOG_SIZE, engine_of, open_database
from preprovision_service.store.tables import Customer
from sqlalchemy import delete, insert


def test_the_log_shrinks_after_a_large_transaction(database: Path) -> None:
    log = database.with_name(f"{database.name}-wal")
    sessions = open_database(f"sqlite:///{database}")
    with sessions.begin() as session:
        session.execute(insert(Customer), [{"name": f"c{number}", "redirect": "x" * 1000} for number in range(20_000)])
    assert log.stat().st_size > 3 * MAX_LOG_SIZE
    for _transaction in range(2):
        with sessions.begin() as session:
            session.execute(delete(Customer).where(Customer.name == "c1"))
    assert log.stat().st_size <= MAX_LOG_SIZE
    engine_of(sessions).dispose()


class Cursor:
    """A cursor of a new database whose log others are about to make; it refuses so many times."""

    def __init__(self, refusals: int, code: int = sqlite3.SQLITE_BUSY) -> None:
        self.refusals = refusals
        self.code = code

    def execute(self, _statement: str) -> None:
        if self.refusals:
            self.refusals -= 1
            error = sqlite3.OperationalError("database is locked")
            error.sqlite_errorcode = self.code
            raise error


def test_waits_while_another_program_makes_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection.time, "sleep", lambda _seconds: None)
    cursor = Cursor(3)
    connection._keep_a_log(cursor)
    assert cursor.refusals == 0
    monkeypatch.setattr(connection, "BUSY_SECONDS", 0)
    with pytest.raises(sqlite3.OperationalError):
        connection._keep_a_log(Cursor(1000))


def test_other_errors_end_at_once() -> None:
    with pytest.raises(sqlite3.OperationalError):
        connection._keep_a_log(Cursor(1, sqlite3.SQLITE_CANTOPEN))
