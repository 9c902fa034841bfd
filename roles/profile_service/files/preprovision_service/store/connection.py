# SPDX-License-Identifier: GPL-3.0-or-later
"""Open the database: SQLite's file, or PostgreSQL on one or several hosts, of which only the primary can be written.

Everything is written to the primary. What is only read can come from a standby while no host is primary; see Reading.
Works with SQLAlchemy 1.4, as in Debian 12, and 2.x.
"""

from __future__ import annotations

import importlib
import os
import sqlite3
import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import create_engine, event
from sqlalchemy.engine import URL, Engine
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.orm import Session, sessionmaker

from ..domain.common.database_faults import Case, postgresql_case
from ..domain.common.database_urls import DatabaseHost, DatabaseUrl, read_database_url

MAX_LOG_SIZE = 4 << 20
"""Bytes that SQLite's log may keep once its content is in the database."""
BUSY_SECONDS = 5
"""How long to wait for others who write to SQLite."""
PROBE_SECONDS = 2.0
"""How long a primary that was away is not asked by those who can read from a standby: hosts that are cut off take seconds."""
PATIENCE = 2.5
"""Seconds after which a server that does not answer has failed for those on whom phones wait."""
_READ_ONLY = "25006"
_HOSTS = "preprovision_hosts"
_Found = TypeVar("_Found")


def open_database(url: str, create: bool = False, patience: float = 0) -> sessionmaker[Session]:
    """Return a factory of sessions with the database at *url*, an SQLAlchemy URL; of PostgreSQL, with the primary.

    SQLite's file must exist unless *create* is set: migrations create it, with its tables. Anyone else would make an empty one in
    place of one that was deleted. A file that was deleted or replaced is noticed at the next transaction.
    *patience*: seconds that a server may take for an answer, or 0 for any time.
    """
    engine = (
        _open_server(read_database_url(url), "read-write", patience) if url.startswith("postgresql") else _open_file(url, create)
    )
    return sessionmaker(engine, future=True, expire_on_commit=False)


def engine_of(sessions: sessionmaker[Session]) -> Engine:
    """Return the engine behind *sessions*."""
    engine: Engine = sessions.kw["bind"]
    return engine


def hosts_of(engine: Engine) -> tuple[DatabaseHost, ...]:
    """Return the hosts of a database on a server."""
    hosts: tuple[DatabaseHost, ...] = engine.get_execution_options().get(_HOSTS, ())
    return hosts


class Reading:
    """Reads from the primary or, while no host is primary, from any host that answers, whose data may be some seconds old."""

    def __init__(self, engine: Engine, url: str) -> None:
        """*engine*: of the primary; *url*: the database's."""
        self.primary = engine
        self._standby = _open_standby(url)
        self._away_since = 0.0

    @property
    def from_standby(self) -> bool:
        """Whether the primary was away when someone read last."""
        return bool(self._away_since)

    def read(self, work: Callable[[Engine], _Found]) -> _Found:
        """Return what *work* finds with an engine; raise SQLAlchemyError if no host answers."""
        if self._standby is None:
            return work(self.primary)
        if time.monotonic() - self._away_since < PROBE_SECONDS and self._away_since:
            return work(self._standby)
        try:
            found = work(self.primary)
        except DBAPIError as error:
            if not is_away(error):
                raise
            if not self._away_since:
                # Those that are left from an earlier time may lead to the very host that is away now
                self._standby.dispose()
            self._away_since = time.monotonic()
            return work(self._standby)
        self._away_since = 0.0
        return found

    def dispose(self) -> None:
        """Close the connections to a standby."""
        if self._standby is not None:
            self._standby.dispose()


def is_away(error: DBAPIError) -> bool:
    """Return whether no host of PostgreSQL was the primary, or its connection broke."""
    return error.connection_invalidated or postgresql_case(getattr(error.orig, "pgcode", None)) is Case.UNREACHABLE


def _open_standby(url: str) -> Engine | None:
    """Return an engine that reads from any host, if there are several."""
    if not url.startswith("postgresql"):
        return None
    found = read_database_url(url)
    if len(found.hosts) < 2:
        return None
    options = f"{found.options.get('options', '')} -c default_transaction_read_only=on".strip()
    return _open_server(found._replace(options={**found.options, "options": options}), "prefer-standby", PATIENCE)


def _open_server(url: DatabaseUrl, session: str, patience: float) -> Engine:
    options: dict[str, Any] = dict(url.libpq_options(session))
    if patience:
        # The driver is installed only where the database is on a server
        patient = importlib.import_module(".patience", __package__)
        options["connection_factory"] = patient.connection_class(patience)
    # Hosts are no part of this URL: SQLAlchemy 1.4 and 2 read several of them differently, and libpq reads them best
    plain = URL.create("postgresql+psycopg2", url.user or None, url.password or None, database=url.database)
    # The names differ from this URL's, so they replace nothing
    engine = create_engine(plain, future=True, pool_pre_ping=True, connect_args=options, execution_options={_HOSTS: url.hosts})
    event.listen(engine, "handle_error", _drop_demoted)
    if len(url.hosts) > 1:
        event.listen(engine, "do_connect", _LastHost(url.hosts).connect)
    return engine


def _drop_demoted(context: Any) -> None:
    """Drop all connections to a primary that has become a standby: they would go on to answer, and to refuse writes."""
    if getattr(context.original_exception, "pgcode", None) == _READ_ONLY:
        context.is_disconnect = True


class _LastHost:
    """Tries the host first that answered last: one that is cut off would delay each connection by seconds."""

    def __init__(self, hosts: tuple[DatabaseHost, ...]) -> None:
        self._hosts = hosts

    def connect(self, dialect: Any, _record: object, arguments: Any, options: dict[str, Any]) -> Any:
        """Connect in place of SQLAlchemy, and remember the host."""
        hosts = self._hosts
        options = {
            **options,
            "host": ",".join(host.name for host in hosts),
            "port": ",".join(str(host.port) for host in hosts),
        }
        connection = dialect.connect(*arguments, **options)
        answered = DatabaseHost(connection.info.host, connection.info.port)
        self._hosts = tuple(sorted(hosts, key=lambda host: host != answered))
        return connection


def _open_file(url: str, create: bool) -> Engine:
    path = url.removeprefix("sqlite:///")
    is_file = path != url and path not in ("", ":memory:") and "?" not in path
    if is_file and not create:
        url = f"sqlite:///file:{path}?mode=rw&uri=true"
    engine = create_engine(url, future=True)
    event.listen(engine, "connect", _prepare_sqlite)
    if is_file:
        event.listen(engine, "connect", partial(_remember_file, path))
        event.listen(engine, "checkout", partial(_compare_file, path))
    return engine


def identity_of(path: str) -> tuple[int, int]:
    """Return which file is at *path*; (0, 0) if there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return 0, 0
    return found.st_dev, found.st_ino


def _remember_file(path: str, _connection: object, record: Any) -> None:
    record.info["file"] = identity_of(path)


def _compare_file(path: str, _connection: object, record: Any, _proxy: object) -> None:
    if record.info["file"] != identity_of(path):
        # What is written to the old file would be lost; the pool opens the one that is there now
        raise DisconnectionError("another file is there now")


def _prepare_sqlite(connection: object, _record: object) -> None:
    cursor = connection.cursor()  # type: ignore[attr-defined]
    cursor.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}")
    _keep_a_log(cursor)
    # A commit survives a power failure. The log grows with the largest transaction, and would stay that large
    for pragma in ("synchronous=FULL", "foreign_keys=ON", f"journal_size_limit={MAX_LOG_SIZE}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _keep_a_log(cursor: Any) -> None:
    """Let readers not wait for the writer. SQLite waits for nobody while it makes a new database's log."""
    end = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(0.05)
