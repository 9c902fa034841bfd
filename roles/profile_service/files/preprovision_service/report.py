# SPDX-License-Identifier: GPL-3.0-or-later
"""How far each phone is, for those without a browser: ``python3 -m preprovision_service.report table|csv|json|customization``.

``customization`` lists the phones whose customers have a provisioning URL, to be taken to the maker's remote customization service.
What form that service takes is in no public source: the columns are those that its pages ask for.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from .database import Customer, Phone, open_database
from .domain.tables import align
from .manifest import format_csv
from .phone_list import Filter, everything, summary
from .web import read_config

COLUMNS = (
    *("name", "mac", "serial", "model", "customer", "state", "since", "stuck", "hint", "address", "firmware", "profile_hash"),
    *("subject", "customization", "arrived", "packed_by"),
)
"""What CSV and JSON tell of a phone, as the board and its API call it."""

_SHOWN = ("name", "model", "mac", "state", "for", "address", "firmware", "what to do")


def table(counts: Mapping[str, int], phones: Sequence[Mapping[str, Any]]) -> str:
    """Return a line with the counts, and one row a phone."""
    told = ", ".join(f"{count} {state}" for state, count in counts.items() if count and state != "total")
    lines = [tuple(_cells(phone)) for phone in phones]
    return "\n".join([f"{counts['total']} phones: {told}", "", *align(_SHOWN, lines)]) if phones else "no phones yet"


def _cells(phone: Mapping[str, Any]) -> Iterator[str]:
    yield from (phone["name"], phone["model"], phone["mac"])
    yield f"{phone['state']}, stuck" if phone["stuck"] else phone["state"]
    yield from (phone["age"], phone["address"], phone["firmware"], phone["hint"])


def as_csv(_counts: Mapping[str, int], phones: Sequence[Mapping[str, Any]]) -> str:
    """Return one line a phone, in which no cell is a formula to a spreadsheet."""
    return format_csv(COLUMNS, ([str(phone[column]) for column in COLUMNS] for phone in phones))


def as_json(counts: Mapping[str, int], phones: Sequence[Mapping[str, Any]]) -> str:
    """Return the counts and all phones."""
    return json.dumps({"counts": counts, "phones": [{name: phone[name] for name in COLUMNS} for phone in phones]}, indent=1) + "\n"


_FORMATS: Mapping[str, Callable[[Mapping[str, int], Sequence[Mapping[str, Any]]], str]] = {
    "table": table,
    "csv": as_csv,
    "json": as_json,
}
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
    return _FORMATS[form](summary(session, Filter()), everything(session))


if __name__ == "__main__":
    with open_database(str(read_config()["DATABASE"]))() as database:
        sys.stdout.write(report(database, sys.argv[1]))
