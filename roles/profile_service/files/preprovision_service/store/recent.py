# SPDX-License-Identifier: GPL-3.0-or-later
"""What the latest events say about the station itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import exists, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from ..clock import now
from ..domain.events.causes import clocks, flood
from ..domain.events.causes.flood import Stranger
from ..domain.events.logs.log_lines import EventKind
from .tables import Event, Phone


class Recent(NamedTuple):
    """The latest events; as on a station that has none yet if the database cannot be read, which others report."""

    newest: int = 0
    """Latest time of the events that clocks compares, in milliseconds since 1970."""
    strangers: Sequence[Stranger] = ()
    """Unknown MAC addresses that have asked for an address, the latest last."""


def read_recent(session: Session, moment: int | None = None) -> Recent:
    """Return what the latest events say; they are the latest by their arrival, whatever the clock was."""
    newest = select(func.max(Event.id), func.max(Event.time)).where(
        Event.id > select(func.max(Event.id)).scalar_subquery() - clocks.NEWEST_EVENTS
    )
    try:
        last, time = session.execute(newest).one()
        return Recent(time or 0, _read_strangers(session, last or 0, now() if moment is None else moment))
    except SQLAlchemyError:
        return Recent()


def _read_strangers(session: Session, last: int, moment: int) -> list[Stranger]:
    # What dhcpd says of a lease has no text of strangers. Grouped by the database, all events would be read
    asked = (
        select(Event.mac, Event.detail.like('%"none free"%'))
        .where(
            Event.id > last - flood.NEWEST_EVENTS,
            Event.kind == EventKind.LEASE.value,
            Event.time.between(moment - flood.FLOOD_SECONDS * 1000, moment + clocks.MAX_CLOCK_OFFSET * 1000),
            ~exists().where(Phone.mac == Event.mac),
        )
        .order_by(Event.id)
    )
    found: dict[str, bool] = {}
    for mac, refused in session.execute(asked):
        # The latest comes last
        found[mac] = found.pop(mac, False) or bool(refused)
    return [Stranger(mac, refused) for mac, refused in found.items()]
