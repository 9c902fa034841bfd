# SPDX-License-Identifier: GPL-3.0-or-later
"""Events that the board adds to a phone's timeline, and guarded updates of phones.

Every update applies only if what it was decided on still holds, so that two scanners at once do not do the same thing twice.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from ..clock import iso
from ..store.queries import COLUMNS, PhoneView, describe
from ..store.tables import OF_SCANS, Event, Phone


class ScanView(PhoneView):
    """A scan with its phone, as the board lists it."""

    time: str
    operator: str


def last_scans(database: Session, kind: str, limit: int = 8) -> list[ScanView]:
    """Return the latest events of a kind, with their phones."""
    query = select(Event.time, Event.detail, *COLUMNS).join(Phone, Phone.mac == Event.mac).where(OF_SCANS, Event.kind == kind)
    rows = database.execute(query.order_by(Event.id.desc()).limit(limit))
    return [ScanView(**describe(row), time=iso(row.time), operator=json.loads(row.detail).get("operator", "")) for row in rows]


def update_rows(database: Session, change: Any) -> int:
    """Execute an UPDATE; return how many rows it changed."""
    result: Any = database.execute(change.execution_options(synchronize_session=False))
    return int(result.rowcount)


def add_event(database: Session, mac: str, kind: str, detail: Mapping[str, object], moment: int) -> None:
    """Add an event to a phone's timeline."""
    database.add(Event(key=uuid4().hex, time=moment, mac=mac, kind=kind, detail=json.dumps(detail)))
    database.flush()


def for_customer(customer: str) -> str:
    """Return " for CUSTOMER", or nothing without one."""
    return f" for {customer}" if customer else ""
