# SPDX-License-Identifier: GPL-3.0-or-later
"""The script that alembic runs for each command; `cli.migrate` passes the connection."""

from __future__ import annotations

from alembic import context

from preprovision_service.store.tables import Base
from preprovision_service.store.turns import take_turn

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
