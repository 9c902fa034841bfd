# SPDX-License-Identifier: GPL-3.0-or-later
"""The script that alembic runs for each command; `cli.migrate` passes the connection."""

from __future__ import annotations

from alembic import context
from sqlalchemy import insert, update
from sqlalchemy.engine import Connection

from preprovision_service.store.faults import OLDEST_CODE, oldest_code
from preprovision_service.store.tables import Base, Setting
from preprovision_service.store.turns import take_turn


def mark(connection: Connection, revision: str | None) -> None:
    """Record which versions can use the tables of *revision*, for those that do not know it."""
    found = context.script.get_revision(revision) if revision else None
    if found is None:
        return
    wanted, marked = getattr(found.module, OLDEST_CODE, revision), oldest_code(connection)
    table = Setting.__table__
    if marked is None:
        connection.execute(insert(table).values(name=OLDEST_CODE, value=wanted))
    elif marked != wanted:
        connection.execute(update(table).where(table.c.name == OLDEST_CODE).values(value=wanted))


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    transactional_ddl=True,
    compare_type=True,
)
with context.begin_transaction():
    # Whoever waited finds the tables of the newest revision. SQLite can roll back changes of tables in such a transaction
    take_turn(connection)
    context.run_migrations()
    mark(connection, context.get_context().get_current_revision())
