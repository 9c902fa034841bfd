# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes of the whole database take turns: migrations, the inventory's phones, the board's operators.

Several stations may share a PostgreSQL server and be set up at the same moment, and a playbook may meet the start of the service.
"""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.engine import Connection

_LOCK = 0x766F6970
"""PostgreSQL knows such locks by a number, in each database separately; nobody else uses this database."""


def take_turn(connection: Connection) -> None:
    """Wait until no other program changes the whole database, and keep others waiting until *connection*'s transaction ends."""
    begin_to_write(connection)
    if connection.dialect.name != "sqlite":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


def begin_to_write(connection: Connection) -> None:
    """Begin a transaction that may read first. SQLite's driver would begin with that, and could not wait for its turn to write."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
