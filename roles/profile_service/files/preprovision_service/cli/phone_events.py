# SPDX-License-Identifier: GPL-3.0-or-later
"""What the database knows about single phones.

    python3 -m preprovision_service.cli.phone_events show SECONDS WHO...
    python3 -m preprovision_service.cli.phone_events forget PREFIX SECONDS
    python3 -m preprovision_service.cli.phone_events rearm MAC...

``show`` prints JSON: for each WHO, a MAC address (12 hex digits), serial number or name, its row and its events. It waits up to
SECONDS until the last lease of each has been released, which is the last thing that an emulated phone does.
``rearm`` has phones start over, so that the TFTP server serves their own files again.
``forget`` deletes events and leases of MAC addresses that begin with PREFIX, except those of phones in the database. It waits up to
SECONDS for the events that say that these units' files are no longer served.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypedDict

from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session

from ..domain.events.logs.evidence import Place
from ..domain.events.progress.observations import read_observations
from ..domain.phones.serial_numbers import normalize_serial
from ..settings import read_settings
from ..store.connection import engine_of, open_database
from ..store.faults import explained
from ..store.sync import rearm
from ..store.tables import Event, Lease, Phone

_ROW = (
    *("mac", "name", "serial", "model", "family", "customer", "source", "state", "since", "reason", "address", "firmware"),
    *("customization", "logs", "packed"),
)
_MAX_EVENTS = 200
_MIN_PREFIX_LENGTH = 10
_PAUSE = 0.3


class EventRecord(TypedDict):
    """An event; times are milliseconds since 1970."""

    time: int
    kind: str
    address: str
    place: str
    detail: dict[str, Any]


class PhoneRecord(TypedDict):
    """A phone's row, empty if it is unknown, its newest events, latest last, and where this server stands, see Place."""

    phone: dict[str, Any]
    events: list[EventRecord]
    place: str


def show(session: Session, who: str) -> PhoneRecord:
    """Return the record of one phone."""
    called = [Phone.mac == who.lower(), Phone.name == who]
    # An empty serial number would find every phone without one
    called += [func.upper(Phone.serial) == serial] if (serial := normalize_serial(who)) else []
    phone = session.scalars(select(Phone).where(or_(*called)).limit(1)).first()
    mac = phone.mac if phone else who.lower()
    found = session.scalars(select(Event).where(Event.mac == mac).order_by(Event.id.desc()).limit(_MAX_EVENTS)).all()
    return {
        "phone": _row_of(phone) if phone else {},
        "events": [
            {
                "time": event.time,
                "kind": event.kind,
                "address": event.address,
                "place": event.place,
                "detail": json.loads(event.detail),
            }
            for event in sorted(found, key=lambda event: (event.time, event.id))
        ],
        "place": str(session.info.get("place", Place.BENCH)),
    }


def _row_of(phone: Phone) -> dict[str, Any]:
    return {**{name: getattr(phone, name) for name in _ROW}, "begun": read_observations(phone.facts).reset}


def is_over(record: PhoneRecord) -> bool:
    """Return whether the last event of the phone's lease is its release."""
    leases = [event["detail"].get("what") for event in record["events"] if event["kind"] == "lease"]
    return leases[-1:] == ["release"]


def forget(session: Session, prefix: str) -> int:
    """Delete events and leases of MAC addresses with *prefix* that no phone has; return the number of events."""
    if len(prefix) < _MIN_PREFIX_LENGTH or not prefix.isalnum():
        raise ValueError(f"the prefix must have at least {_MIN_PREFIX_LENGTH} hex digits")
    ours = [table.mac.startswith(prefix) & table.mac.not_in(select(Phone.mac)) for table in (Event, Lease)]
    removed = session.execute(delete(Event).where(ours[0]), execution_options={"synchronize_session": False})
    session.execute(delete(Lease).where(ours[1]), execution_options={"synchronize_session": False})
    session.commit()
    return int(removed.rowcount)  # type: ignore[attr-defined]


def is_served(session: Session, prefix: str) -> bool:
    """Return whether the last that is known of a unit with *prefix* is that it gets its own file by TFTP."""
    events = select(Event.mac, Event.detail).where(Event.mac.startswith(prefix), Event.kind == "arming").order_by(Event.id)
    last = {row.mac: json.loads(row.detail).get("what") for row in session.execute(events)}
    return "armed" in last.values()


def _forget(session: Session, arguments: Sequence[str]) -> int:
    prefix, seconds = arguments[0], float(arguments[1])
    end = time.monotonic() + seconds
    # Their files have just been taken away, and the lines that say so are on their way
    while is_served(session, prefix) and time.monotonic() < end:
        session.rollback()
        time.sleep(_PAUSE)
    return forget(session, prefix)


def _show_all(session: Session, seconds: float, names: Sequence[str]) -> dict[str, PhoneRecord]:
    end = time.monotonic() + seconds
    while True:
        records = {who: show(session, who) for who in names}
        if time.monotonic() >= end or all(map(is_over, records.values())):
            return records
        # Only a new transaction sees what others have stored meanwhile
        session.rollback()
        time.sleep(_PAUSE)


def _rearm(session: Session, arguments: Sequence[str]) -> int:
    rearm(session, list(arguments))
    session.commit()
    return len(arguments)


_VERBS: Mapping[str, Callable[[Session, Sequence[str]], object]] = {
    "show": lambda session, arguments: _show_all(session, float(arguments[0]), arguments[1:]),
    "forget": _forget,
    "rearm": _rearm,
}


def main() -> None:
    """Print the answer as JSON."""
    verb, *arguments = sys.argv[1:]
    settings = read_settings()
    sessions = open_database(str(settings["DATABASE"]))
    sessions.configure(info={"place": settings.get("PLACE", Place.BENCH)})
    with explained(engine_of(sessions)), sessions() as session:
        answer = _VERBS[verb](session, arguments)
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()
