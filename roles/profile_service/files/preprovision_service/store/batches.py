# SPDX-License-Identifier: GPL-3.0-or-later
"""Batches: how many phones reached each milestone over time, and which were shipped."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from ..domain.events.progress import progress_table
from ..domain.events.progress.progress_table import State
from .filters import Filter, contains_text
from .tables import Phone, Shipment

MILESTONES = {str(name): getattr(Phone, f"first_{name}") for name in (*progress_table.MILESTONES, State.PACKED)}
"""What the plot counts, and the column with the time when a phone reached it first."""


def over_time(database: Session, chosen: Filter, start: int, end: int, steps: int) -> dict[str, list[int]]:
    """Return how many phones had reached each of MILESTONES at the end of each of *steps* equal spans from *start* to *end*."""
    width = max((end - start) // steps, 1)
    series = {name: [0] * steps for name in MILESTONES}
    for row in database.execute(select(*MILESTONES.values()).where(chosen.where(with_state=False))):
        for counts, moment in zip(series.values(), row, strict=True):
            if 0 < moment < end:
                counts[min(max(moment - start, 0) // width, steps - 1)] += 1
    return {name: list(accumulate(counts)) for name, counts in series.items()}


def _shipped(chosen: Filter, since: int, until: int) -> ColumnElement[bool]:
    terms: list[Any] = [Shipment.returned == 0]
    terms += [Shipment.customer == chosen.customer] if chosen.customer else []
    terms += [Shipment.model == chosen.model] if chosen.model else []
    terms += [contains_text(chosen.text, Shipment.mac, Shipment.serial, Shipment.name, Shipment.firmware)] if chosen.text else []
    terms += [Shipment.time >= since] if since else []
    terms += [Shipment.time < until] if until else []
    return and_(*terms)


def count_shipped(database: Session, chosen: Filter) -> int:
    """Return how many phones that match *chosen* were packed."""
    return database.scalar(select(func.count()).select_from(Shipment).where(_shipped(chosen, 0, 0))) or 0


def shipped(database: Session, chosen: Filter, since: int = 0, until: int = 0) -> Sequence[Any]:
    """Return the shipments that match *chosen*, packed from *since* to before *until*."""
    table = Shipment.__table__
    query = select(*table.columns).where(_shipped(chosen, since, until))
    return database.execute(query.order_by(table.c.customer, table.c.time, table.c.id)).all()
