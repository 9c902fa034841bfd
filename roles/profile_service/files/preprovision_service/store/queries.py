# SPDX-License-Identifier: GPL-3.0-or-later
"""What board, API and reports read of phones, each in few statements: counts, a page of phones, a timeline, reports."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, TypedDict

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from ..clock import age, iso, now
from ..domain.common.mac import MacError, parse_mac
from ..domain.events.causes.causes import CLAUSES, Diagnosis, diagnosis_of
from ..domain.events.diagnosis.phone_diagnosis import diagnose_models_file, diagnose_phone
from ..domain.events.logs.evidence import Evidence
from ..domain.events.progress.home_contact import (
    HomeFailure,
    diagnose_silence,
    last_asked_by_key_id,
    last_claimed_contact,
    last_contact,
    last_failure,
)
from ..domain.events.progress.observations import Observations, profile_evidence, read_observations
from ..domain.events.progress.progress_table import STATES, State
from ..domain.publishing.unit_files import UnitFile
from .filters import DONE, PAGE, Filter, is_silent, is_stuck, silent_days
from .sync import INVENTORY
from .tables import Event, Phone, Report

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
    Phone.claimed,
    Phone.reason,
    Phone.address,
    Phone.firmware,
    Phone.profile_hash,
    Phone.subject,
    Phone.customization,
    Phone.packed_by,
    Phone.packed,
    Phone.arrived,
    Phone.unit_file,
    Phone.logs,
    Phone.done,
    Phone.facts,
)
"""The columns without secrets. ``facts`` explains why a phone is stuck, and is not shown."""


class HomeView(TypedDict):
    """What provisioning servers know of a phone. Times are ISO 8601, or empty."""

    called: str
    """When it certainly called home last."""
    address: str
    """From where."""
    evidence: str
    """How it is known that it was this phone: ``certificate``, ``key`` or empty, see CONTACTS."""
    asked_by_key_id: str
    """When its file was last fetched by the ID of its key, without proof."""
    claimed: str
    """When somebody last called who only claims to be it."""
    failure: str
    """What failed last, as a clause, or empty."""
    failed: str
    failure_claimed: bool
    """Whether only a claim says so."""


class PhoneView(TypedDict):
    """A phone as board, API and reports show it. Times are ISO 8601, or empty."""

    mac: str
    name: str
    serial: str
    model: str
    family: str
    customer: str
    source: str
    state: str
    since: str
    age: str
    """Time since *since*, in words."""
    evidence: str
    """``claim`` if its state rests on claims, else what proves that it has fetched its profile, or empty; see Evidence."""
    reason: str
    address: str
    firmware: str
    profile_hash: str
    subject: str
    customization: str
    packed_by: str
    packed: str
    arrived: str
    home: HomeView
    unit_file: str
    """Which file it gets by TFTP as its own: ``model``, ``own`` or none, see UnitFile."""
    done: str
    stuck: bool
    silent: bool
    """Whether it has not called home for long since it was packed, or since it last did."""
    hint: str
    """Why it is stuck, silent or failed, here or at home, and what to do."""


class EventView(TypedDict):
    """An event of a timeline."""

    id: int
    time: str
    kind: str
    address: str
    place: str
    """Where the server stands that saw it: ``bench`` or ``home``."""
    detail: dict[str, Any]


class ReportView(TypedDict):
    """A report that a phone has sent."""

    id: int
    time: str
    address: str
    agent: str
    subject: str
    content_type: str
    sealed: bool
    size: int
    start: str
    """The beginning of its body."""


@dataclass(frozen=True)
class Counts:
    """How many phones there are, how many in each state, how many are stuck or silent, and how many states rest on claims."""

    total: int
    stuck: int
    silent: int
    claimed: int
    states: dict[str, int]
    done: int
    """Phones in one of the states DONE, without those of which that is only claimed."""

    def to_dict(self) -> dict[str, int]:
        """Return the counts by name."""
        return {**self.states, "stuck": self.stuck, "silent": self.silent, "claimed": self.claimed, "total": self.total}


def count_phones(database: Session, chosen: Filter) -> Counts:
    """Count the phones that match *chosen*, whatever state it names."""
    moment, days = now(), silent_days(database)
    stuck, silent = (func.sum(case((which, 1), else_=0)) for which in (is_stuck(moment), is_silent(moment, days)))
    rows = database.execute(
        select(Phone.state, func.count(), stuck, func.sum(Phone.claimed), silent)
        .where(chosen.where(with_state=False))
        .group_by(Phone.state)
    ).all()
    states = {str(state): 0 for state in STATES} | {row[0]: row[1] for row in rows}
    claims = {row[0]: int(row[3] or 0) for row in rows}
    done = sum(states[state] - claims.get(state, 0) for state in DONE)
    stuck_ones, silent_ones = (sum(int(row[place] or 0) for row in rows) for place in (2, 4))
    return Counts(sum(states.values()), stuck_ones, silent_ones, sum(claims.values()), states, done)


def choices(database: Session) -> tuple[list[str], list[str]]:
    """Return all customers and models."""
    customers = database.scalars(select(Phone.customer).where(Phone.customer != "").distinct().order_by(Phone.customer).limit(1000))
    models = database.scalars(select(Phone.model).distinct().order_by(Phone.model).limit(1000))
    return list(customers), list(models)


def page(database: Session, chosen: Filter) -> tuple[int, list[PhoneView]]:
    """Return how many phones match *chosen*, and those of its page, latest change first."""
    days = silent_days(database)
    where = chosen.where(days=days)
    total = database.scalar(select(func.count()).select_from(Phone).where(where)) or 0
    rows = database.execute(
        select(*COLUMNS)
        .where(where)
        .order_by(Phone.since.desc(), Phone.mac)
        .limit(chosen.size)
        .offset((chosen.page - 1) * chosen.size)
    ).all()
    return total, [describe(row, days) for row in rows]


def all_phones(database: Session) -> list[PhoneView]:
    """Return all phones, by customer and name."""
    days = silent_days(database)
    return [describe(row, days) for row in database.execute(select(*COLUMNS).order_by(Phone.customer, Phone.name))]


def urgent_phones(database: Session, limit: int) -> list[PhoneView]:
    """Return up to *limit* phones: failed, stuck, silent ones, then the others, in each part the latest change first."""
    moment, days = now(), silent_days(database)
    urgency = case((Phone.state == State.FAILED, 0), (is_stuck(moment), 1), (is_silent(moment, days), 2), else_=3)
    query = select(*COLUMNS).order_by(urgency, Phone.since.desc(), Phone.customer, Phone.name).limit(limit)
    return [describe(row, days) for row in database.execute(query)]


def find_row(database: Session, mac: str) -> Any:
    """Return the COLUMNS of one phone, or None."""
    return database.execute(select(*COLUMNS).where(Phone.mac == mac)).first()


def find(database: Session, mac: str) -> PhoneView | None:
    """Return one phone, or None."""
    row = find_row(database, mac)
    return describe(row, silent_days(database)) if row else None


def describe(row: Any, days: int = 0) -> PhoneView:
    """Return a row with COLUMNS as board and API show it. *days*: see silent_days()."""
    moment, observations = now(), read_observations(row.facts)
    stuck, hint = explain_delay(row, moment)
    silence = diagnose_silence(observations, row.state, row.since, moment, days)
    failure = last_failure(observations)
    return PhoneView(
        mac=parse_mac(row.mac).colon,
        name=row.name,
        serial=row.serial,
        model=row.model,
        family=row.family,
        customer=row.customer,
        source=row.source,
        state=row.state,
        since=iso(row.since),
        age=age(moment - row.since) if row.since else "",
        evidence=str(Evidence.CLAIM) if row.claimed else profile_evidence(observations),
        reason=row.reason,
        address=row.address,
        firmware=row.firmware,
        profile_hash=row.profile_hash,
        subject=row.subject,
        customization=row.customization,
        packed_by=row.packed_by,
        packed=iso(row.packed),
        arrived=iso(row.arrived),
        home=_describe_home(observations, failure),
        unit_file=row.unit_file,
        done=iso(row.done),
        stuck=stuck,
        silent=silence is not None,
        hint=" ".join(silence) if silence else hint or _explain_failure_at_home(row, failure),
    )


def _describe_home(observations: Observations, failure: HomeFailure | None) -> HomeView:
    contact = last_contact(observations)
    return HomeView(
        called=iso(contact.time),
        address=contact.text,
        evidence=contact.evidence,
        asked_by_key_id=iso(last_asked_by_key_id(observations).time),
        claimed=iso(last_claimed_contact(observations).time),
        failure=failure.failure.reason if failure else "",
        failed=iso(failure.time) if failure else "",
        failure_claimed=bool(failure and failure.claimed),
    )


def _explain_failure_at_home(row: Any, failure: HomeFailure | None) -> str:
    """Return what a deployed phone has failed at and has not succeeded at since, and what to do; else an empty string."""
    if row.state != State.DEPLOYED or failure is None or failure.over:
        return ""
    reason = failure.failure.reason.rstrip(".")
    said = f"At home, as something says that anybody could have sent: {reason}." if failure.claimed else f"At home: {reason}."
    return f"{said} {diagnosis_of(CLAUSES[failure.failure.cause]).remedy}"


def explain_delay(row: Any, moment: int) -> tuple[bool, str]:
    """Return whether a phone is stuck, and why it is stuck or failed and what to do, as far as is known."""
    if row.state == State.EXPECTED and not row.arrived:
        return False, ""
    found = diagnose_phone(read_observations(row.facts), row.state, row.since, moment, row.family)
    if found is None:
        return False, row.reason
    if row.state == State.BOOTSTRAP:
        found = _without_own_file(row) or found
    if row.state == State.FAILED:
        return False, f"{row.reason.rstrip('.')}. {found.remedy}" if row.reason else f"{found.cause} {found.remedy}"
    return True, f"{found.cause} {found.remedy}"


def _without_own_file(row: Any) -> Diagnosis | None:
    """Return why a phone got its model's file by TFTP instead of its own; None if its delivery is another."""
    known = row.source == INVENTORY
    return diagnose_models_file(known, not row.done) if row.unit_file == UnitFile.OF_MODEL or not known else None


def timeline(database: Session, mac: str, before: int = 0, limit: int = PAGE) -> list[EventView]:
    """Return a phone's events, latest first, from before the event with the ID *before*."""
    query = select(Event.id, Event.time, Event.kind, Event.address, Event.place, Event.detail).where(Event.mac == mac)
    if before:
        query = query.where(Event.id < before)
    return [
        EventView(
            id=row.id, time=iso(row.time), kind=row.kind, address=row.address, place=row.place, detail=read_detail(row.detail)
        )
        for row in database.execute(query.order_by(Event.id.desc()).limit(limit))
    ]


def read_detail(text: str) -> dict[str, Any]:
    """Return an event's detail; anything but an object is shown as text."""
    try:
        found = json.loads(text)
    except ValueError:
        found = text
    return found if isinstance(found, dict) else {"text": text}


def reports(database: Session, mac: str, limit: int = 20) -> list[ReportView]:
    """Return a phone's latest reports, with the beginning of each body."""
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
        ReportView(
            id=row.id,
            time=iso(row.time),
            address=row.address,
            agent=row.agent,
            subject=row.subject,
            content_type=row.content_type,
            sealed=bool(row.sealed),
            size=row.size,
            start=printable(bytes(row.start or b"")),
        )
        for row in database.execute(query.order_by(Report.id.desc()).limit(limit))
    ]


def report_body(database: Session, number: int) -> bytes | None:
    """Return the whole body of a report, or None."""
    body = database.scalar(select(Report.body).where(Report.id == number)) if number < 2**63 else None
    return None if body is None else bytes(body)


def printable(body: bytes) -> str:
    """Return *body* as text, with an escape for every character that does not print."""
    text = body.decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)


def plain_mac(text: str) -> str:
    """Return the 12 hex digits of a MAC address in any notation; empty for anything else."""
    try:
        return parse_mac(text).plain
    except MacError:
        return ""
