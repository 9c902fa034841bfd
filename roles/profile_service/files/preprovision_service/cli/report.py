# SPDX-License-Identifier: GPL-3.0-or-later
"""How far each phone is, without a browser: ``python3 -m preprovision_service.cli.report table|all|csv|json|customization``.

``table`` has up to MAX_ROWS phones, those that need attention first, and the other forms have all.
``customization`` lists the phones whose customers have a provisioning URL, for the maker's remote customization service. No public
source documents the format of that service: the columns are those that its pages ask for.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType

from sqlalchemy import select
from sqlalchemy.orm import Session

from ..clock import minute
from ..domain.common.text_tables import align
from ..domain.events.logs.evidence import Evidence
from ..domain.events.progress.progress_table import State
from ..manifest import format_csv
from ..settings import read_settings
from ..station import read_station
from ..store.connection import engine_of, open_database
from ..store.faults import explained
from ..store.filters import Filter, set_silent_days
from ..store.queries import Counts, HomeView, PhoneView, all_phones, count_phones, urgent_phones
from ..store.recent import read_recent
from ..store.tables import Customer, Phone

COLUMNS = (
    *(
        "name",
        "mac",
        "serial",
        "model",
        "customer",
        "state",
        "evidence",
        "since",
        "stuck",
        "hint",
        "address",
        "firmware",
        "profile_hash",
    ),
    *("subject", "customization", "arrived", "packed_by", "packed", "silent", "home"),
)
"""A phone's columns in CSV and JSON, named as in the API; CSV has one for each value at home."""

_SHOWN = ("name", "model", "mac", "state", "for", "address", "firmware", "what to do")
_SHIPPED_STATES = (State.PACKED, State.DEPLOYED)
_SHIPPED = ("name", "model", "mac", "state", "called home", "from", "firmware", "last failure", "what to do")

MAX_ROWS = 40
"""Phones in a table that is not asked for as a whole."""


def table(counts: Counts, phones: Sequence[PhoneView]) -> str:
    """Return a line with the counts, one row for each of *phones*, and how to see the others that were counted."""
    if not phones:
        return "no phones yet"
    named = ", ".join(f"{count} {state}" for state, count in counts.to_dict().items() if count and state != "total")
    shipped = [tuple(_shipped_cells(phone)) for phone in phones if phone["state"] in _SHIPPED_STATES]
    others = [tuple(_cells(phone)) for phone in phones if phone["state"] not in _SHIPPED_STATES]
    lines = [f"{counts.total} phones: {named}"]
    for title, columns, rows in (("on the bench", _SHOWN, others), ("shipped", _SHIPPED, shipped)):
        lines += ["", *([f"{title}:"] if shipped and others else []), *align(columns, rows)] if rows else []
    if counts.total > len(phones):
        more = counts.total - len(phones)
        lines += ["", f"and {more} more; -e report_all=true shows all, -e report_file=phones.csv writes all to a file"]
    return "\n".join(lines)


def _cells(phone: PhoneView) -> Iterator[str]:
    yield from (phone["name"], phone["model"], phone["mac"])
    yield phone["state"] + (", stuck" if phone["stuck"] else "") + (", claimed" if phone["evidence"] == Evidence.CLAIM else "")
    yield from (phone["age"], phone["address"], phone["firmware"], phone["hint"])


def _shipped_cells(phone: PhoneView) -> Iterator[str]:
    home = phone["home"]
    yield from (phone["name"], phone["model"], phone["mac"])
    yield phone["state"] + (", silent" if phone["silent"] else "")
    claimed = home["asked_by_key_id"] and f"unproved {minute(home['asked_by_key_id'])}"
    yield minute(home["called"]) or claimed or "never"
    yield from (home["address"], phone["firmware"])
    yield f"{minute(home['failed'])} {home['failure']}{', claimed' if home['failure_claimed'] else ''}".strip()
    yield phone["hint"]


def as_csv(_counts: Counts, phones: Sequence[PhoneView]) -> str:
    """Return one line for each phone; no cell is a formula to a spreadsheet."""
    columns = (*(name for name in COLUMNS if name != "home"), *(f"home_{name}" for name in HomeView.__annotations__))
    return format_csv(columns, ([str(value) for value in _flat_record(phone)] for phone in phones))


def _flat_record(phone: PhoneView) -> Iterator[object]:
    yield from (value for name, value in _record(phone).items() if name != "home")
    yield from phone["home"].values()


def as_json(counts: Counts, phones: Sequence[PhoneView]) -> str:
    """Return the counts and all phones."""
    return json.dumps({"counts": counts.to_dict(), "phones": [_record(phone) for phone in phones]}, indent=1) + "\n"


def _record(phone: PhoneView) -> dict[str, object]:
    columns: Mapping[str, object] = phone
    return {name: columns[name] for name in COLUMNS}


_FORMATS: Mapping[str, Callable[[Counts, Sequence[PhoneView]], str]] = MappingProxyType(
    {"table": table, "all": table, "csv": as_csv, "json": as_json}
)
FORMATS = (*_FORMATS, "customization")


def customization(session: Session) -> str:
    """Return one line for each phone whose customer has a provisioning URL."""
    found = session.execute(
        select(Phone.mac, Phone.serial, Phone.model, Phone.customer, Customer.provisioning_url)
        .join(Customer, Customer.name == Phone.customer)
        .where(Customer.provisioning_url != "")
        .order_by(Phone.customer, Phone.name)
    )
    return format_csv(("mac", "serial", "model", "customer", "provisioning_url"), found)


def report(session: Session, form: str) -> str:
    """Return the report in one of FORMATS."""
    if form == "customization":
        return customization(session)
    phones = urgent_phones(session, MAX_ROWS) if form == "table" else all_phones(session)
    text = _FORMATS[form](count_phones(session, Filter()), phones)
    alerts = read_station(read_recent(session)).alerts if form in ("table", "all") else ()
    return "\n".join([*(f"Station: {alert}" for alert in alerts), *([""] if alerts else []), text])


def main() -> None:
    """Print the report."""
    settings = read_settings()
    sessions = open_database(str(settings["DATABASE"]))
    set_silent_days(sessions, int(str(settings.get("SILENT_DAYS", 0))))
    with explained(engine_of(sessions)), sessions() as session:
        sys.stdout.write(report(session, sys.argv[1]))


if __name__ == "__main__":
    main()
