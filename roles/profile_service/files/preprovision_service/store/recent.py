# SPDX-License-Identifier: GPL-3.0-or-later
"""What the latest events say about the station itself."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from ..domain.events.clocks import NEWEST_EVENTS
from .tables import Event


class Recent(NamedTuple):
    """The latest events; as on a station that has none yet if the database cannot be read, which others report."""

    newest: int = 0
    """Latest time of the NEWEST_EVENTS, in milliseconds since 1970."""


def read_recent(session: Session) -> Recent:
    """Return what the latest events say; they are the latest by their arrival, whatever the clock was."""
    last = select(func.max(Event.id)).scalar_subquery()
    try:
        return Recent(session.scalar(select(func.max(Event.time)).where(Event.id > last - NEWEST_EVENTS)) or 0)
    except SQLAlchemyError:
        return Recent()
