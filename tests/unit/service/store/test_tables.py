# SPDX-License-Identifier: GPL-3.0-or-later
"""SQLite's files stay bounded."""

from __future__ import annotations

from pathlib import Path

from preprovision_service.store.tables import MAX_LOG_SIZE, Customer, engine_of, open_database
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
