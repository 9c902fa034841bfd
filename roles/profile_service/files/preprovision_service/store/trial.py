# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the database can be written, by writing to it."""

from __future__ import annotations

import time

from sqlalchemy import insert, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from .tables import Setting
from .turns import begin_to_write

_MARK = "health"
"""Name of the one row that is written again and again."""


def try_to_write(session: Session) -> None:
    """Write a row that nobody reads, and close the session; raise SQLAlchemyError if that cannot be done."""
    value = {"value": str(int(time.monotonic()))}
    table = Setting.__table__
    with session:
        begin_to_write(session.connection())
        if not session.execute(update(table).where(table.c.name == _MARK).values(value)).rowcount:  # type: ignore[attr-defined]
            try:
                session.execute(insert(table).values(name=_MARK, **value))
            except IntegrityError:
                # Another process has just written it
                session.rollback()
                return
        session.commit()
