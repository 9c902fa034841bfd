# SPDX-License-Identifier: GPL-3.0-or-later
"""SQLite's files stay bounded; of PostgreSQL, a standby is read while there is no primary."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from types import SimpleNamespace

import pytest
from preprovision_service.store import connection
from preprovision_service.store.connection import MAX_LOG_SIZE, PROBE_SECONDS, Reading, engine_of, open_database
from preprovision_service.store.tables import Customer
from sqlalchemy import create_engine, delete, insert
from sqlalchemy.engine import Engine
from sqlalchemy.exc import OperationalError


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


class ServerError(Exception):
    """An error as the driver raises it."""

    def __init__(self, pgcode: str | None) -> None:
        super().__init__("no answer")
        self.pgcode = pgcode


class Servers:
    """A primary, which may be away, and a standby."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.error: OperationalError | None = None
        self.asked: list[str] = []

    def read(self) -> str:
        """Return who answered."""
        return self.reading.read(self._ask)

    def _ask(self, engine: Engine) -> str:
        name = "primary" if engine is self.reading.primary else "standby"
        self.asked.append(name)
        if self.error and name == "primary":
            raise self.error
        return name


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> Servers:
    """Return a primary and a standby; nothing is asked of them."""
    monkeypatch.setattr(connection, "_open_standby", lambda _url: create_engine("sqlite://"))
    return Servers(Reading(create_engine("sqlite://"), "postgresql://db1,db2/x"))


def test_reads_from_a_standby_while_the_primary_is_away(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(connection.time, "monotonic", lambda: clock[0])
    assert (servers.read(), servers.reading.from_standby) == ("primary", False)
    servers.error = OperationalError("SELECT 1", None, ServerError(None))
    assert (servers.read(), servers.reading.from_standby) == ("standby", True)
    # Asking again at once would cost every phone the time until hosts do not answer
    servers.asked.clear()
    assert (servers.read(), servers.asked) == ("standby", ["standby"])
    clock[0] += PROBE_SECONDS
    assert (servers.read(), servers.asked) == ("standby", ["standby", "primary", "standby"])
    servers.error, clock[0] = None, clock[0] + PROBE_SECONDS
    assert (servers.read(), servers.reading.from_standby) == ("primary", False)


def test_connections_to_a_standby_of_earlier_times_are_not_used(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[str] = []
    assert servers.reading._standby is not None
    monkeypatch.setattr(servers.reading._standby, "dispose", lambda: closed.append("standby"))
    servers.error = OperationalError("SELECT 1", None, ServerError(None))
    assert (servers.read(), closed) == ("standby", ["standby"])
    # They are of use as long as the primary is away
    clock = connection.time.monotonic() + PROBE_SECONDS
    monkeypatch.setattr(connection.time, "monotonic", lambda: clock)
    assert (servers.read(), servers.asked[-2:], closed) == ("standby", ["primary", "standby"], ["standby"])
    servers.error = None
    clock += PROBE_SECONDS
    assert (servers.read(), closed) == ("primary", ["standby"])
    servers.error = OperationalError("SELECT 1", None, ServerError(None))
    assert (servers.read(), closed) == ("standby", ["standby", "standby"])


def test_other_errors_are_not_hidden_by_a_standby(servers: Servers) -> None:
    servers.error = OperationalError("SELECT 1", None, ServerError("42P01"))
    with pytest.raises(OperationalError):
        servers.read()
    assert servers.asked == ["primary"]


def test_without_a_standby_the_primary_is_all_there_is() -> None:
    servers = Servers(Reading(create_engine("sqlite://"), "postgresql://db1/x"))
    servers.error = OperationalError("SELECT 1", None, ServerError(None))
    with pytest.raises(OperationalError):
        servers.read()


def test_connections_to_a_demoted_primary_are_dropped() -> None:
    for code, dropped in (("25006", True), ("42P01", False)):
        context = SimpleNamespace(original_exception=ServerError(code), is_disconnect=False)
        connection._drop_demoted(context)
        assert context.is_disconnect is dropped
