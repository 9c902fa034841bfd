# SPDX-License-Identifier: GPL-3.0-or-later
"""What the database knows of single phones.

    python3 -m preprovision_service.phone_events show SECONDS WHO...
    python3 -m preprovision_service.phone_events forget PREFIX

``show`` prints JSON: for each WHO, a MAC address (12 hex digits), serial number or name, its row and its events; it waits up to
SECONDS until the last lease of each has been given back, which is the last that is heard of an emulated phone.
``forget`` removes events and leases of MAC addresses that begin with PREFIX, unless a phone has that address.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from .database import Event, Lease, Phone, open_database
from .web import read_config

_ROW = ("mac", "name", "serial", "model", "customer", "source", "state", "since", "reason", "address", "firmware", "customization")
_MOST_EVENTS = 200
_SHORTEST_PREFIX = 10
_PAUSE = 0.3


def show(session: Session, who: str) -> dict[str, Any]:
    """Return the row of one phone, empty for one that is not known, and its newest events, the latest last."""
    called = or_(Phone.mac == who.lower(), Phone.name == who, Phone.serial == who)
    phone = session.scalars(select(Phone).where(called).limit(1)).first()
    mac = phone.mac if phone else who.lower()
    found = session.scalars(select(Event).where(Event.mac == mac).order_by(Event.id.desc()).limit(_MOST_EVENTS)).all()
    return {
        "phone": {name: getattr(phone, name) for name in _ROW} if phone else {},
        "events": [
            {"time": event.time, "kind": event.kind, "address": event.address, "detail": json.loads(event.detail)}
            for event in sorted(found, key=lambda event: (event.time, event.id))
        ],
    }


def is_over(told: dict[str, Any]) -> bool:
    """Whether the last that is heard of a phone's lease is that it was given back."""
    leases = [event["detail"].get("what") for event in told["events"] if event["kind"] == "lease"]
    return leases[-1:] == ["release"]


def forget(session: Session, prefix: str) -> int:
    """Remove what is kept of MAC addresses that begin with *prefix* and are no phone's; return how many events that were."""
    if len(prefix) < _SHORTEST_PREFIX or not prefix.isalnum():
        raise ValueError("a prefix has at least 10 hex digits")
    ours = [table.mac.startswith(prefix) & table.mac.not_in(select(Phone.mac)) for table in (Event, Lease)]
    removed = session.execute(delete(Event).where(ours[0]), execution_options={"synchronize_session": False})
    session.execute(delete(Lease).where(ours[1]), execution_options={"synchronize_session": False})
    session.commit()
    return int(removed.rowcount)  # type: ignore[attr-defined]


def _show_all(session: Session, seconds: float, names: Sequence[str]) -> dict[str, Any]:
    end = time.monotonic() + seconds
    while True:
        told = {who: show(session, who) for who in names}
        if time.monotonic() >= end or all(map(is_over, told.values())):
            return told
        # What others store meanwhile is seen by a new transaction alone
        session.rollback()
        time.sleep(_PAUSE)


if __name__ == "__main__":
    with open_database(str(read_config()["DATABASE"]))() as database:
        verb, *arguments = sys.argv[1:]
        answer = forget(database, arguments[0]) if verb == "forget" else _show_all(database, float(arguments[0]), arguments[1:])
        sys.stdout.write(json.dumps(answer))
