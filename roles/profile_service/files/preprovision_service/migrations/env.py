# SPDX-License-Identifier: GPL-3.0-or-later
"""What alembic runs for each command; the connection is handed over by `migrate`."""

from __future__ import annotations

from alembic import context

from preprovision_service.database import Base

connection = context.config.attributes["connection"]
sqlite = connection.dialect.name == "sqlite"
# SQLite can take back what was done to tables, but its driver does not begin a transaction for that by itself
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=sqlite,
    transactional_ddl=True,
    compare_type=True,
)
with context.begin_transaction():
    if sqlite:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    context.run_migrations()
