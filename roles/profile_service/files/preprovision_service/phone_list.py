# SPDX-License-Identifier: GPL-3.0-or-later
"""What board and API read from the database, each in few statements: counts, a page of phones, a timeline, a batch over time."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import and_, case, func, or_, select
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from .clock import age, iso, now
from .database import Event, Phone, Report, Shipment
from .domain import progress
from .domain.mac import MacError, parse_mac
from .domain.progress import PATIENCE, STATES, diagnose, read_facts

DONE = ("resynced", "reported", "packed")
STUCK = "stuck"
PAGE = 50
LARGEST_PAGE = 500
LONGEST_TEXT = 100

COLUMNS = (
    Phone.mac,
    Phone.name,
    Phone.serial,
    Phone.model,
    Phone.family,
    Phone.customer,
    Phone.source,
    Phone.state,
    Phone.since,
    Phone.reason,
    Phone.address,
    Phone.firmware,
    Phone.profile_hash,
    Phone.subject,
    Phone.customization,
    Phone.packed_by,
    Phone.arrived,
    Phone.facts,
)
"""All but what holds secrets; facts say why a phone comes no further, and are shown to nobody."""


class FilterError(ValueError):
    """A filter that cannot be; the message names it."""


@dataclass(frozen=True)
class Filter:
    """Which phones are meant; what is empty does not count."""

    customer: str = ""
    model: str = ""
    state: str = ""
    """One of STATES, or ``stuck``."""
    text: str = ""
    """Part of a MAC address, serial number, name, address or firmware."""
    page: int = 1
    size: int = PAGE

    @classmethod
    def read(cls, arguments: Mapping[str, str]) -> Filter:
        """Read it from the arguments of a URL; raise FilterError."""
        texts = {name: arguments.get(name, "").strip() for name in ("customer", "model", "state", "text")}
        if texts["state"] and texts["state"] not in (*STATES, STUCK):
            raise FilterError(f"state: '{texts['state'][:LONGEST_TEXT]}' is none; use one of {', '.join((*STATES, STUCK))}")
        for name, text in texts.items():
            if len(text) > 255:
                raise FilterError(f"{name}: it has {len(text)} characters; at most 255 can be asked for")
        return cls(
            **texts,
            page=_number("page", arguments.get("page", "1"), 1_000_000),
            size=_number("size", arguments.get("size", str(PAGE)), LARGEST_PAGE),
        )

    def arguments(self, **changes: Any) -> dict[str, str]:
        """Return the arguments of a URL that means this filter with *changes*."""
        new = replace(self, **changes)
        texts = {"customer": new.customer, "model": new.model, "state": new.state, "text": new.text}
        if new.page > 1:
            texts["page"] = str(new.page)
        return {name: text for name, text in texts.items() if text}

    def where(self, *, with_state: bool = True) -> ColumnElement[bool]:
        """Return the condition on phones."""
        terms: list[Any] = []
        if self.customer:
            terms.append(Phone.customer == self.customer)
        if self.model:
            terms.append(Phone.model == self.model)
        if self.state and with_state:
            terms.append(is_stuck(now()) if self.state == STUCK else Phone.state == self.state)
        if self.text:
            terms.append(_like(self.text, Phone.mac, Phone.serial, Phone.name, Phone.address, Phone.firmware))
        return and_(*terms) if terms else Phone.mac != ""


def _number(name: str, text: str, most: int) -> int:
    if text.isascii() and text.isdigit() and len(text) <= 7 and 1 <= int(text) <= most:
        return int(text)
    raise FilterError(f"{name}: '{text[:LONGEST_TEXT]}' is none; use a whole number from 1 to {most}")


def _like(text: str, mac: Any, *others: Any) -> ColumnElement[bool]:
    """Return the condition that one of the columns has *text* in it, or *mac* what *text* says without separators."""
    pattern = text
    for special in ("\\", "%", "_"):
        pattern = pattern.replace(special, "\\" + special)
    parts = [column.ilike(f"%{pattern}%", escape="\\") for column in (mac, *others)]
    digits = "".join(c for c in text.lower() if c not in ":-. ")
    if digits and digits != text.lower() and set(digits) <= set("0123456789abcdef"):
        parts.append(mac.contains(digits, autoescape=True))
    return or_(*parts)


def is_stuck(moment: int) -> ColumnElement[bool]:
    """Return the condition that a phone has been too long where it is. One that was not scanned in need not be here yet."""
    late = [and_(Phone.state == state, Phone.since <= moment - seconds * 1000) for state, seconds in PATIENCE.items()]
    return and_(or_(*late), or_(Phone.state != "expected", Phone.arrived > 0))


def hint(row: Any, moment: int) -> tuple[bool, str]:
    """Return whether a phone is stuck, and why it comes no further and what to do, as far as is known."""
    if row.state == "expected" and not row.arrived:
        return False, ""
    found = diagnose(read_facts(row.facts), row.state, row.since, moment)
    if found is None:
        return False, row.reason
    if row.state == "failed":
        return False, f"{row.reason.rstrip('.')}. {found.remedy}" if row.reason else f"{found.cause} {found.remedy}"
    return True, f"{found.cause} {found.remedy}"


def summary(database: Session, chosen: Filter) -> dict[str, int]:
    """Return how many phones are in each state, of those that *chosen* means apart from its own state; and ``stuck``, ``total``."""
    moment = now()
    rows = database.execute(
        select(Phone.state, func.count(), func.sum(case((is_stuck(moment), 1), else_=0)))
        .where(chosen.where(with_state=False))
        .group_by(Phone.state)
    ).all()
    counts = dict.fromkeys(STATES, 0) | {state: count for state, count, _stuck in rows}
    return {**counts, STUCK: sum(int(stuck or 0) for *_rest, stuck in rows), "total": sum(counts.values())}


def choices(database: Session) -> tuple[list[str], list[str]]:
    """Return the customers and the models that there are."""
    customers = database.scalars(select(Phone.customer).where(Phone.customer != "").distinct().order_by(Phone.customer).limit(1000))
    models = database.scalars(select(Phone.model).distinct().order_by(Phone.model).limit(1000))
    return list(customers), list(models)


def page(database: Session, chosen: Filter) -> tuple[int, list[dict[str, Any]]]:
    """Return how many phones *chosen* means, and those of its page, what changed last first."""
    where = chosen.where()
    total = database.scalar(select(func.count()).select_from(Phone).where(where)) or 0
    rows = database.execute(
        select(*COLUMNS)
        .where(where)
        .order_by(Phone.since.desc(), Phone.mac)
        .limit(chosen.size)
        .offset((chosen.page - 1) * chosen.size)
    ).all()
    return total, [describe(row) for row in rows]


def everything(database: Session) -> list[dict[str, Any]]:
    """Return all phones, by customer and name."""
    return [describe(row) for row in database.execute(select(*COLUMNS).order_by(Phone.customer, Phone.name))]


def find(database: Session, mac: str) -> dict[str, Any] | None:
    """Return one phone, or nothing."""
    row = database.execute(select(*COLUMNS).where(Phone.mac == mac)).first()
    return describe(row) if row else None


def describe(row: Any) -> dict[str, Any]:
    """Return a phone as board and API show it."""
    moment = now()
    phone = {column.key: getattr(row, column.key) for column in COLUMNS if column is not Phone.facts}
    stuck, why = hint(row, moment)
    return {
        **phone,
        "mac": parse_mac(row.mac).colon,
        "since": iso(row.since),
        "age": age(moment - row.since) if row.since else "",
        "arrived": iso(row.arrived),
        "stuck": stuck,
        "hint": why,
    }


def timeline(database: Session, mac: str, before: int = 0, limit: int = PAGE) -> list[dict[str, Any]]:
    """Return what happened to a phone, the latest first, from before the event with the number *before*."""
    query = select(Event.id, Event.time, Event.kind, Event.address, Event.detail).where(Event.mac == mac)
    if before:
        query = query.where(Event.id < before)
    return [
        {"id": row.id, "time": iso(row.time), "kind": row.kind, "address": row.address, "detail": read_detail(row.detail)}
        for row in database.execute(query.order_by(Event.id.desc()).limit(limit))
    ]


def read_detail(text: str) -> dict[str, Any]:
    """Return an event's detail; what is no object is shown as text."""
    try:
        found = json.loads(text)
    except ValueError:
        found = text
    return found if isinstance(found, dict) else {"text": text}


def reports(database: Session, mac: str, limit: int = 20) -> list[dict[str, Any]]:
    """Return what a phone has sent last, with the beginning of each body."""
    query = select(
        Report.id,
        Report.time,
        Report.address,
        Report.agent,
        Report.subject,
        Report.content_type,
        Report.sealed,
        func.length(Report.body).label("size"),
        func.substr(Report.body, 1, 4096).label("start"),
    ).where(Report.mac == mac)
    return [
        {
            "id": row.id,
            "time": iso(row.time),
            "address": row.address,
            "agent": row.agent,
            "subject": row.subject,
            "content_type": row.content_type,
            "sealed": bool(row.sealed),
            "size": row.size,
            "start": readable(bytes(row.start or b"")),
        }
        for row in database.execute(query.order_by(Report.id.desc()).limit(limit))
    ]


def readable(body: bytes) -> str:
    """Return *body* as text in which nothing is hidden: what does not print is shown by its number."""
    text = body.decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)


# ---- a batch over time

MILESTONES = {name: getattr(Phone, f"first_{name}") for name in (*progress.MILESTONES, "packed")}
"""What the plot counts, by when a phone reached it first."""


def over_time(database: Session, chosen: Filter, start: int, end: int, steps: int) -> dict[str, list[int]]:
    """Return how many phones had reached each of MILESTONES at the end of each of *steps* equal spans from *start* to *end*."""
    width = max((end - start) // steps, 1)
    series = {name: [0] * steps for name in MILESTONES}
    for row in database.execute(select(*MILESTONES.values()).where(chosen.where(with_state=False))):
        for counts, moment in zip(series.values(), row, strict=True):
            if 0 < moment < end:
                counts[min(max(moment - start, 0) // width, steps - 1)] += 1
    return {name: _running(counts) for name, counts in series.items()}


def _running(counts: Iterable[int]) -> list[int]:
    total, sums = 0, []
    for count in counts:
        total += count
        sums.append(total)
    return sums


# ---- what was shipped


def _shipped(chosen: Filter, since: int, until: int) -> ColumnElement[bool]:
    terms: list[Any] = [Shipment.returned == 0]
    terms += [Shipment.customer == chosen.customer] if chosen.customer else []
    terms += [Shipment.model == chosen.model] if chosen.model else []
    terms += [_like(chosen.text, Shipment.mac, Shipment.serial, Shipment.name, Shipment.firmware)] if chosen.text else []
    terms += [Shipment.time >= since] if since else []
    terms += [Shipment.time < until] if until else []
    return and_(*terms)


def count_shipped(database: Session, chosen: Filter) -> int:
    """Return how many phones were packed of those that *chosen* means."""
    return database.scalar(select(func.count()).select_from(Shipment).where(_shipped(chosen, 0, 0))) or 0


def shipped(database: Session, chosen: Filter, since: int = 0, until: int = 0) -> Sequence[Any]:
    """Return the shipments that *chosen* means, packed from *since* to before *until*."""
    table = Shipment.__table__
    query = select(*table.columns).where(_shipped(chosen, since, until))
    return database.execute(query.order_by(table.c.customer, table.c.time, table.c.id)).all()


def plain_mac(text: str) -> str:
    """Return the 12 hex digits of a MAC address in any spelling; empty for anything else."""
    try:
        return parse_mac(text).plain
    except MacError:
        return ""
