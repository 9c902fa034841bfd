# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The customer's own database as a source of rows: SQLite's file or PostgreSQL, by an SQLAlchemy URL, and a query.

It is only read. The controller reads all rows; the profile service asks for one phone's, while the phone waits.
"""

from __future__ import annotations

import contextlib
import importlib
import itertools
import os
import re
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import quote

from ..common.database_urls import DatabaseHost, DatabaseUrlError, read_database_url
from ..common.mac import Mac

DEFAULT_QUERY = "SELECT * FROM phones"

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+]*://")
_READ_QUERY = re.compile(r"\s*(?:SELECT|WITH)\b", re.IGNORECASE)
_SQLITE = "sqlite:///"
_AT_ONCE = 500
_BUSY_SECONDS = 2.0
_STEPS = 1000
"""Of SQLite's machine, after which a query's time is checked."""
_MAX_WORDS = 200


class RowDatabaseError(ValueError):
    """The database or the query is unusable; the message says why, and shows neither a password nor a row."""


class Table(NamedTuple):
    """What a query found."""

    columns: Sequence[str]
    rows: Iterator[Sequence[Any]]


def is_database_url(text: str) -> bool:
    """Return whether *text* is a URL, not the path of a file."""
    return _URL.match(text) is not None


class RowDatabase:
    """A database and the query that yields its rows.

    *url*: ``sqlite:////srv/customers.sqlite`` or ``postgresql://user@host/name``, with several hosts as libpq has them, without a
    password. *query*: SELECT or WITH; by default all rows of the table phones. *seconds*: how long an answer may take, or 0 for
    any time.
    """

    def __init__(
        self, url: str, query: str = "", password: str = "", seconds: float = 0, more: Mapping[str, Any] = MappingProxyType({})
    ) -> None:
        """Raise RowDatabaseError for a URL or a query that cannot be used. Nothing is connected yet.

        *more*: further arguments of PostgreSQL's driver.
        """
        self._query = (query or DEFAULT_QUERY).strip().rstrip(";")
        self._password = password
        self._seconds = seconds
        self._more = more
        self._connection: Any = None
        self._options: dict[str, str] = {}
        self.hosts: tuple[DatabaseHost, ...] = ()
        """Hosts of PostgreSQL."""
        self.path = ""
        """SQLite's file, or empty."""
        if url.startswith(_SQLITE) and url != _SQLITE:
            self.path = self.name = url.removeprefix(_SQLITE)
            self.file_name = os.path.basename(self.path)
        elif url.startswith("postgresql"):
            try:
                found = read_database_url(url)
            except DatabaseUrlError as error:
                # Not "from error", whose message is in this one
                raise RowDatabaseError(f"the URL of the phones' database: {error}") from None
            if found.password:
                raise RowDatabaseError(
                    "the URL of the phones' database contains a password, which logs would show; put it in a variable of its own"
                    " (phone_profiles_rows_password, profile_service_rows_password)"
                )
            self._options = {**found.libpq_options("any"), "user": found.user, "dbname": found.database}
            self.hosts = found.hosts
            self.name = f"{found.database} on {', '.join(map(str, found.hosts)) or 'this machine'}"
            self.file_name = found.database
        else:
            raise RowDatabaseError(
                f"'{url.partition('://')[0]}://' names no database; write sqlite:////FILE or postgresql://HOST/NAME"
            )
        if not _READ_QUERY.match(self._query):
            raise RowDatabaseError(f"{self.name}: the query must begin with SELECT or WITH")

    @contextlib.contextmanager
    def table(self) -> Iterator[Table]:
        """Yield all rows, read one by one; raise RowDatabaseError, also while they are read."""
        with self._explained(), contextlib.closing(self._open_file() if self.path else self._connect()) as connection:
            if self.path:
                cursor = connection.execute(self._query)
                yield Table(_names(cursor), cursor)
                return
            # Kept on the server, and read in parts
            cursor = connection.cursor("phones")
            cursor.itersize = _AT_ONCE
            cursor.execute(self._query)
            first = cursor.fetchmany(_AT_ONCE)
            yield Table(_names(cursor), itertools.chain(first, cursor))

    def find(self, mac: Mac) -> Table:
        """Return the rows of one phone, at most two, however the database spells MAC addresses; raise RowDatabaseError.

        The connection is kept for the next call, which must come from the same thread.
        """
        spellings = {mac.plain, mac.colon, mac.dash, mac.dot}
        # Literals, since the query may contain the driver's own signs for values; a MAC address has only digits and separators
        literals = ", ".join(f"'{spelling}'" for spelling in sorted({*spellings, *map(str.upper, spellings)}))
        statement = f"SELECT * FROM ({self._query}\n) AS phones WHERE phone_mac IN ({literals})"  # noqa: S608
        with self._explained():
            if self.path:
                # Opened anew, so that a file that was replaced is noticed
                with contextlib.closing(self._open_file()) as file:
                    return _first_two(file.execute(statement))
            kept = self._connection is not None
            try:
                return self._ask(statement)
            except self._errors() as error:
                self.close()
                if not kept or _is_refusal(error):
                    raise
            # A connection that was kept may have ended meanwhile
            return self._ask(statement)

    def close(self) -> None:
        """Close the connection that is kept."""
        if self._connection is not None:
            with contextlib.suppress(*self._errors()):
                self._connection.close()
            self._connection = None

    def _ask(self, statement: str) -> Table:
        if self._connection is None:
            self._connection = self._connect()
        with contextlib.closing(self._connection.cursor()) as cursor:
            cursor.execute(statement)
            return _first_two(cursor)

    def _connect(self) -> Any:
        options: dict[str, Any] = {**self._options, **self._more, "application_name": "preprovision"}
        if self._seconds:
            limit = f"-c statement_timeout={int(self._seconds * 1000)}"
            options["options"] = f"{options.get('options', '')} {limit}".strip()
        if self._password:
            options["password"] = self._password
        connection = _driver().connect(**options)
        connection.set_client_encoding("UTF8")
        connection.set_session(readonly=True, autocommit=bool(self._seconds))
        return connection

    def _open_file(self) -> Any:
        location = f"file://{quote(os.fsencode(os.path.abspath(self.path)))}?mode=ro"
        connection = sqlite3.connect(location, timeout=self._seconds or _BUSY_SECONDS, uri=True)
        if self._seconds:
            end = time.monotonic() + self._seconds
            connection.set_progress_handler(lambda: time.monotonic() > end, _STEPS)
        return connection

    def _errors(self) -> tuple[type[Exception], ...]:
        return (sqlite3.Error,) if self.path else (_driver().Error,)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except self._errors() as error:
            # Not "from error": what follows the first line may quote a row
            first = str(error).strip().partition("\n")[0] or type(error).__name__
            engine = "SQLite" if self.path else "PostgreSQL"
            hint = "" if self._query != DEFAULT_QUERY else f"; the query was {DEFAULT_QUERY}"
            raise RowDatabaseError(f"{self.name}: {engine} reports: {first[:_MAX_WORDS]}{hint}") from None


def _driver() -> Any:
    """Return PostgreSQL's driver, which only those need who have such a database."""
    try:
        return importlib.import_module("psycopg2")
    except ImportError:
        raise RowDatabaseError("rows of PostgreSQL need the Python package psycopg2 here; install python3-psycopg2") from None


def _is_refusal(error: Exception) -> bool:
    """Return whether PostgreSQL answered, and refused the query; 57P.. means that it ended the connection."""
    code = getattr(error, "pgcode", None)
    return code is not None and not code.startswith("57P")


def _first_two(cursor: Any) -> Table:
    return Table(_names(cursor), iter(cursor.fetchmany(2)))


def _names(cursor: Any) -> list[str]:
    return [column[0] for column in cursor.description]
