# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with the database, in a sentence that says what to do."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import select, text
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from ..domain.common.database_faults import Case, Fault, describe, postgresql_case, sqlite_case
from .connection import hosts_of
from .copies import ask_for_healing
from .tables import Setting

REVISIONS = tuple(sorted(path.name[:4] for path in Path(__file__).parent.glob("migrations/versions/[0-9]*.py")))
"""The revisions of the tables that this version knows, oldest first."""

OLDEST_CODE = "oldest_code"
"""Name of the setting, and of the migrations' attribute, that says which revision a version must know to use the tables."""

HEALING = "Its newest good copy will replace it; see what is lost: journalctl --identifier=preprovision-database"
_MAX_WORDS = 200


def explain(error: SQLAlchemyError, engine: Engine) -> Fault:
    """Return which fault *error* is. A file that is damaged or gone will be healed, if there is a copy of it."""
    case = _case(error, engine)
    if case is Case.TABLES:
        with suppress(SQLAlchemyError), engine.connect() as connection:
            found = fault_of_revision(connection)
            if found:
                return found
    # Other words might quote a value
    return _state(case, type(error).__name__ if case is Case.OTHER else _words(error), engine)


def missing_file(engine: Engine) -> Fault:
    """Return the fault that SQLite's file is not there."""
    return _state(Case.DELETED, "there is no file", engine)


def _state(case: Case, words: str, engine: Engine) -> Fault:
    """Return a fault; have a file that is damaged or gone healed."""
    path = file_of(engine)
    healing = case in (Case.DAMAGED, Case.DELETED) and path and ask_for_healing(path)
    return describe(case, place(engine), words, HEALING if healing else "")


def place(engine: Engine) -> str:
    """Return how operators know the database: its file, or its name and host, without its password."""
    if engine.dialect.name == "sqlite":
        return file_of(engine)
    return f"{engine.url.database} on {', '.join(map(str, hosts_of(engine))) or 'this machine'}"


def file_of(engine: Engine) -> str:
    """Return the path of SQLite's file; empty for a database in memory or on a server."""
    path = engine.url.database or ""
    return path.removeprefix("file:") if engine.dialect.name == "sqlite" else ""


def fault_of_revision(connection: Connection, known: Sequence[str] = REVISIONS) -> Fault | None:
    """Return the fault if a version that knows the revisions *known*, oldest first, cannot use the tables; by default this one.

    They are older than it needs, or newer without a mark that it can.
    """
    if not connection.dialect.has_table(connection, "alembic_version"):
        return _state(Case.DELETED, "it has no tables", connection.engine)
    revision = connection.scalar(text("SELECT version_num FROM alembic_version"))
    if revision == known[-1]:
        return None
    is_old = revision in (*known, None)
    if not is_old and oldest_code(connection) in known:
        return None
    words = f"its tables are of revision {revision}, this version needs {known[-1]}"
    return _state(Case.TOO_OLD if is_old else Case.TOO_NEW, words, connection.engine)


def is_usable(engine: Engine) -> bool:
    """Return whether this version can use the tables."""
    with engine.connect() as connection:
        return fault_of_revision(connection) is None


def is_newer(connection: Connection, known: Sequence[str] = REVISIONS) -> bool:
    """Return whether the tables are of a revision that is not among those *known*, so that there is nothing to migrate."""
    if not connection.dialect.has_table(connection, "alembic_version"):
        return False
    return connection.scalar(text("SELECT version_num FROM alembic_version")) not in (*known, None)


def oldest_code(connection: Connection) -> str | None:
    """Return the newest revision that a version must know to use the tables, as the newest migration marked them; or None."""
    if not connection.dialect.has_table(connection, Setting.__tablename__):
        return None
    found: str | None = connection.scalar(select(Setting.value).where(Setting.name == OLDEST_CODE))
    return found


@contextmanager
def explained(engine: Engine) -> Iterator[None]:
    """End a command with a sentence if the database fails, instead of a traceback."""
    try:
        yield
    except SQLAlchemyError as error:
        sys.exit(explain(error, engine).text)


def _case(error: SQLAlchemyError, engine: Engine) -> Case:
    if not isinstance(error, DBAPIError):
        # The pool has waited for a connection in vain
        return Case.LOCKED
    if engine.dialect.name == "sqlite":
        return sqlite_case(getattr(error.orig, "sqlite_errorcode", None), file_of(engine))
    return postgresql_case(getattr(error.orig, "pgcode", None))


def _words(error: SQLAlchemyError) -> str:
    """Return the engine's own words: the first line, since the following ones may quote rows."""
    first = str(getattr(error, "orig", None) or type(error).__name__).strip().partition("\n")[0]
    return " ".join(first.split())[:_MAX_WORDS]
