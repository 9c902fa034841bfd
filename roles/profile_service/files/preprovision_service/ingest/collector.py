# SPDX-License-Identifier: GPL-3.0-or-later
"""Store what log lines say about phones: each event once, and how far each phone is."""

from __future__ import annotations

import contextlib
import json
import os
import traceback
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, NamedTuple

from sqlalchemy import and_, bindparam, delete, event, exists, func, insert, or_, select, update
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from ..clock import MINUTE, now
from ..domain.events.logs.evidence import CLAIMS, Evidence, Place, evidence_of
from ..domain.events.logs.log_lines import Event, EventKind, parse, read_line
from ..domain.events.progress.home_contact import last_asked_by_key_id, last_contact
from ..domain.events.progress.observations import (
    Observations,
    apply_events,
    before_clock_change,
    names_of,
    read_observations,
    without_model_files,
    write_observations,
)
from ..domain.events.progress.progress import entered_at, first_reached, is_proved, position_of
from ..domain.events.progress.progress_table import MILESTONES, State
from ..domain.publishing.unit_files import UnitFile
from ..store.connection import engine_of
from ..store.faults import explain, file_of, missing_file
from ..store.tables import OF_SCANS, SCANS, Lease, Phone
from ..store.tables import Event as StoredEvent
from .errors import RetryLater, cause_of, is_temporary, warn
from .leases import Leases
from .markers import Markers

KEEP = 500_000
"""Number of events to keep."""

_AT_ONCE = 500
_LOCK_SECONDS = 20
_CUT_EVERY = 1000
# A line of dhcpd has the time at which the journal read it, which a phone's own line may precede on a busy machine; milliseconds
_LATE_LEASE = 60_000

_KINDS = tuple(kind.value for kind in EventKind)
# What the station itself does says nothing about how far a phone is
_OF_PHONES = tuple(kind for kind in _KINDS if kind != EventKind.ARMING)
# Lines of phones' own logs
_OF_LOGS = (EventKind.RESYNC, EventKind.UPGRADE)
_DONE = (State.RESYNCED, State.REPORTED)
_PROGRESS = ("state", "since", "reason", "address", "firmware", "profile_hash", "subject", "customization", "claimed", "facts")
_HOME = ("contact", "contact_address", "asked_by_key_id")
_FIRST = tuple(f"first_{name}" for name in MILESTONES)
_PHONE_COLUMNS = tuple(
    getattr(Phone, name) for name in ("mac", "serial", "unit_file", "logs", "done", "packed", *_PROGRESS, *_HOME, *_FIRST)
)
_EVENT_COLUMNS = tuple(getattr(StoredEvent, name) for name in ("id", "key", "time", "mac", "address", "kind", "place", "detail"))
_MAX_LENGTHS = {column.name: column.type.length for column in Phone.__table__.columns if getattr(column.type, "length", None)}


class Owned(NamedTuple):
    """An event and the MAC address of its phone, which is empty while unknown."""

    mac: str
    event: Event


class ChangedLease(NamedTuple):
    """An address that another phone has than before."""

    address: str
    mac: str
    since: int


class Collector:
    """Stores events. *sessions*: from open_database(); *keep*: number of events to keep, the newest; *markers*: if it makes any.

    *place*: where the server stands whose lines it gets. At home, no address says who somebody is.
    """

    def __init__(
        self, sessions: sessionmaker[Session], keep: int = KEEP, markers: Markers | None = None, place: Place = Place.BENCH
    ) -> None:
        self._place = place
        self._engine: Engine = engine_of(sessions)
        self._keep = keep
        self._markers = markers
        self._since_cut = self._cut_to = 0
        self._file = ""
        self._connection: Connection | None = None
        self._opened = (0, 0)
        if self._engine.dialect.name == "sqlite":
            # A transaction that begins by reading could not wait for its turn to write
            self._file = file_of(self._engine)
            event.listen(self._engine, "connect", _control_transactions)
            event.listen(self._engine, "begin", _begin_immediately)

    def store_lines(self, lines: Sequence[str]) -> None:
        """Store what *lines* say, in one transaction; raise RetryLater if the database is not available.

        A line that causes any other error is skipped, so that it does not block those after it.
        """
        found = [replace(event, place=self._place) for event in map(_read, lines) if event]
        self._check_file()
        try:
            self._store(found)
        except RetryLater:
            raise
        except Exception:
            for one in found:
                self._store_alone(one)

    def adopt_new_phones(self) -> None:
        """Apply events that came before their phone was added, or was told not to log; raise RetryLater."""
        self._check_file()
        heard_of = exists().where(StoredEvent.mac == Phone.mac, StoredEvent.kind.in_(_OF_PHONES))
        silent = and_(Phone.state == State.PROFILE, Phone.logs == 0)
        unprocessed = select(Phone.mac).where(or_(and_(Phone.facts == "{}", heard_of), silent)).limit(_AT_ONCE)
        with self._transaction() as connection:
            self._update_phones(connection, {row.mac: () for row in connection.execute(unprocessed)})

    def update_markers(self) -> None:
        """Make the decisions folder the same as the database; raise RetryLater or MarkerError."""
        if self._markers is None:
            return
        self._check_file()
        changed_at = self._markers.changed_at()
        with self._transaction() as connection:
            wanted = self._markers.changed(connection, now(), changed_at)
        # After the transaction, which keeps others from writing to SQLite
        if wanted is not None:
            self._markers.make(wanted)

    def _check_file(self) -> None:
        if not self._file:
            return
        try:
            found = os.stat(self._file)
        except OSError as error:
            # Opening it would create an empty one, without the tables of the migrations
            raise RetryLater(missing_file(self._engine).text) from error
        if (found.st_dev, found.st_ino) != self._opened:
            # The file was replaced, as by a restored backup; writes to the old one would be lost
            self._close()
            self._opened = (found.st_dev, found.st_ino)

    def _close(self) -> None:
        # The next database may not have the events that were deleted from this one
        self._cut_to = 0
        if self._markers:
            self._markers.forget()
        if self._connection:
            with contextlib.suppress(SQLAlchemyError):
                self._connection.close()
            self._connection = None
            self._engine.dispose()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[Connection]:
        """Yield a connection that stays open: closing the last one makes SQLite delete its log, which costs more than a batch."""
        try:
            self._connection = self._connection or self._engine.connect()
            with self._connection.begin():
                yield self._connection
        except Exception as error:
            self._close()
            if isinstance(error, SQLAlchemyError) and is_temporary(error):
                raise RetryLater(explain(error, self._engine).text) from error
            raise

    def _store_alone(self, one: Event) -> None:
        try:
            self._store([one])
        except RetryLater:
            raise
        except Exception as error:
            warn(f"skipped a line that caused an error: {cause_of(error)}")

    def _store(self, events: Sequence[Event]) -> None:
        if not events:
            return
        with self._transaction() as connection:
            new = _without_stored(connection, events)
            if not new:
                return
            leases, changed = _update_leases(connection, new)
            owned = [_owner(one, leases) for one in new]
            connection.execute(insert(StoredEvent.__table__), [_row(mac, one) for mac, one in owned])
            by_phone: dict[str, list[Event]] = defaultdict(list)
            for mac, one in [*(one for one in owned if one.mac), *_late_owners(connection, changed)]:
                by_phone[mac].append(one)
            self._update_phones(connection, by_phone)
        self._cut(len(new))

    def _update_phones(self, connection: Connection, events: Mapping[str, Sequence[Event]]) -> None:
        """Apply events, by MAC address, to the phones."""
        changes = []
        for macs in _parts(events):
            rows = connection.execute(select(*_PHONE_COLUMNS).where(Phone.mac.in_(macs)).with_for_update()).all()
            unprocessed = [row.mac for row in rows if row.facts == "{}"]
            past = _past_events(connection, unprocessed) if unprocessed else {}
            for row in rows:
                values = _progress(row, [*past.get(row.mac, ()), *events[row.mac]])
                if any(value != getattr(row, name) for name, value in values.items()):
                    changes.append({"of": row.mac, **values})
        if changes:
            connection.execute(update(Phone.__table__).where(Phone.mac == bindparam("of")), changes)

    def _cut(self, stored: int) -> None:
        """Delete the oldest events beyond those to keep. Scans are counted separately, so that no log displaces them."""
        self._since_cut += stored
        if self._since_cut < min(_CUT_EVERY, self._keep):
            return
        self._since_cut = 0
        table = StoredEvent.__table__
        with contextlib.suppress(RetryLater), self._transaction() as connection:
            last = (connection.scalar(select(func.max(StoredEvent.id))) or 0) - self._keep
            connection.execute(
                delete(table).where(StoredEvent.id > self._cut_to, StoredEvent.id <= last, StoredEvent.kind.not_in(SCANS))
            )
            self._cut_to = last
            scan = connection.scalar(
                select(StoredEvent.id).where(OF_SCANS).order_by(StoredEvent.id.desc()).offset(self._keep).limit(1)
            )
            connection.execute(delete(table).where(OF_SCANS, StoredEvent.id <= (scan or 0)))


def _read(text: str) -> Event | None:
    try:
        line = read_line(text)
        return parse(line) if line else None
    except Exception:
        # A line must not end the collector; if one could, that is a bug in the parser
        warn(f"skipped a line that caused an error: {traceback.format_exc(limit=-1, chain=False)}")
        return None


def _without_stored(connection: Connection, events: Sequence[Event]) -> list[Event]:
    """Return the events that are not stored yet."""
    unknown = {one.key: one for one in events}
    for keys in _parts(unknown):
        for row in connection.execute(select(StoredEvent.key).where(StoredEvent.key.in_(keys))):
            unknown.pop(row.key)
    return list(unknown.values())


def _update_leases(connection: Connection, events: Sequence[Event]) -> tuple[Leases, list[ChangedLease]]:
    """Store new leases; return all leases of the events' addresses, and those that have changed."""
    given = [one for one in events if one.kind is EventKind.LEASE and one.detail.get("what") == "ack" and one.address]
    before: dict[str, tuple[str, int]] = {}
    for part in _parts({one.address for one in events if one.address}):
        rows = connection.execute(select(Lease.address, Lease.mac, Lease.since).where(Lease.address.in_(part)))
        before.update((row.address, (row.mac, row.since)) for row in rows)
    # A lease of a clock that was ahead was given before all that becomes known now
    first, moment = min((one.time for one in events), default=0), now() + MINUTE
    leases = Leases((address, mac, since if since <= moment else first - 1) for address, (mac, since) in before.items())
    for one in given:
        leases.add(one)
    latest = {address: leases.latest(address) for address in {one.address for one in given}}
    changed = [ChangedLease(address, *lease) for address, lease in latest.items() if before.get(address) != lease]
    new = [one._asdict() for one in changed if one.address not in before]
    if new:
        connection.execute(insert(Lease.__table__), new)
    old = [{"of": one.address, "mac": one.mac, "since": one.since} for one in changed if one.address in before]
    if old:
        connection.execute(update(Lease.__table__).where(Lease.address == bindparam("of")), old)
    return leases, changed


def _owner(one: Event, leases: Leases) -> Owned:
    """Return an event with its phone: proof counts first, then the address on the bench, then what it claims."""
    if one.mac:
        return Owned(one.mac, one)
    if one.place is Place.HOME:
        return Owned(one.claim, replace(one, evidence=one.evidence or Evidence.CLAIM))
    holder = leases.holder(one.address, one.time)
    if one.kind in _OF_LOGS and holder != one.claim:
        # A phone's own messages name it
        later = leases.holder(one.address, one.time + _LATE_LEASE)
        holder = later if later == one.claim else ""
    if holder:
        return Owned(holder, replace(one, mac=holder, evidence=Evidence.ADDRESS))
    return Owned(one.claim, replace(one, evidence=Evidence.CLAIM))


def _late_owners(connection: Connection, changed: Sequence[ChangedLease]) -> Iterator[Owned]:
    """Assign events that came before their lease was known to their phones."""
    given = {one.address: one for one in changed}
    for part in _parts(given):
        # By address, and few are that late
        since = min(given[address].since for address in part) - _LATE_LEASE
        stored = select(*_EVENT_COLUMNS).where(
            StoredEvent.address.in_(part), StoredEvent.time >= since, StoredEvent.place == Place.BENCH
        )
        owned = [event for row in connection.execute(stored) if (event := _late(row, given[row.address]))]
        if owned:
            assign = update(StoredEvent.__table__).where(StoredEvent.key == bindparam("of"))
            connection.execute(assign, [{"of": one.key, "mac": one.mac, "detail": _detail(one)} for one in owned])
        yield from (Owned(one.mac, one) for one in owned)


def _late(row: Any, lease: ChangedLease) -> Event | None:
    """Return a stored event with the phone that has its address, or None if that phone is not the one that it is about."""
    if row.kind not in _OF_PHONES or (row.mac and row.mac != lease.mac):
        return None
    kind, detail = EventKind(row.kind), json.loads(row.detail)
    slack = _LATE_LEASE if kind in _OF_LOGS else 0
    is_open = evidence_of(detail) is Evidence.CLAIM if row.mac else kind not in _OF_LOGS
    if not is_open or row.time < lease.since - slack:
        return None
    return Event(row.key, row.time, kind, lease.mac, row.address, "", _without_evidence(detail), Evidence.ADDRESS)


def _past_events(connection: Connection, macs: Sequence[str]) -> dict[str, list[Event]]:
    """Return the stored events of phones that were unknown when these happened."""
    past: dict[str, list[Event]] = defaultdict(list)
    of_phones = select(*_EVENT_COLUMNS).where(StoredEvent.mac.in_(macs), StoredEvent.kind.in_(_KINDS))
    for row in connection.execute(of_phones):
        detail = json.loads(row.detail)
        evidence = evidence_of(detail)
        proved = "" if evidence in CLAIMS else row.mac
        kind, detail, place = EventKind(row.kind), _without_evidence(detail), Place(row.place)
        past[row.mac].append(Event(row.key, row.time, kind, proved, row.address, row.mac, detail, evidence, place))
    return past


def _progress(row: Any, events: Sequence[Event]) -> dict[str, Any]:
    """Return a phone's columns of progress after *events*."""
    if row.unit_file == UnitFile.OWN_NAME:
        events = without_model_files(events, row.mac, row.serial)
    row, before = _before_clock_change(row, events)
    times: dict[str, int] = {name: getattr(row, f"first_{name}") for name in MILESTONES}
    first = first_reached(times, before, events, names_of(row.mac, row.serial), bool(row.logs))
    after = apply_events(before, events, row.mac, row.serial)
    values = _position(row, after)
    # Nobody else can say that a phone is done, and so have its file taken away
    if values["state"] in _DONE and not row.done and is_proved(after, _DONE, bool(row.logs)):
        values["done"] = values["since"]
    return values | {f"first_{name}": time for name, time in first.items()}


def _before_clock_change(row: Any, events: Sequence[Event]) -> tuple[Any, Observations]:
    """Return a phone's row and observations such that *events*, which have just become known, are later, whatever the clock was."""
    observations, moment = read_observations(row.facts), now() + MINUTE
    first = min((one.time for one in events), default=moment)
    values = {name: first - 1 for name in ("since", "done", "packed") if getattr(row, name) > moment}
    row = SimpleNamespace(**{**row._mapping, **values}) if values else row
    return row, before_clock_change(observations, moment, first)


def _position(row: Any, observations: Observations) -> dict[str, Any]:
    # A server with an earlier release has packed it
    packed = max(row.packed, row.since if row.state == State.PACKED else 0)
    position, contact = position_of(observations, packed, bool(row.logs)), last_contact(observations)
    values = {name: text[: _MAX_LENGTHS.get(name)] if isinstance(text, str) else text for name, text in position._asdict().items()}
    values["claimed"] = int(position.claimed)
    values |= {"contact": contact.time, "contact_address": contact.text[: _MAX_LENGTHS["contact_address"]]}
    values |= {"asked_by_key_id": last_asked_by_key_id(observations).time, "facts": write_observations(observations)}
    return {**values, "since": entered_at(observations, position, row.state, row.since)}


def _row(mac: str, one: Event) -> dict[str, Any]:
    return {
        "key": one.key,
        "time": one.time,
        "mac": mac,
        "address": one.address,
        "kind": one.kind.value,
        "place": one.place.value,
        "detail": _detail(one),
    }


def _detail(one: Event) -> str:
    """Return an event's detail as it is stored, with its evidence."""
    evidence = {"evidence": one.evidence.value} if one.evidence and (one.mac or one.claim) else {}
    return json.dumps({**one.detail, **evidence}, separators=(",", ":"))


def _without_evidence(detail: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in detail.items() if name not in ("evidence", "claimed")}


def _parts(values: Iterable[str]) -> Iterator[list[str]]:
    everything = list(values)
    return (everything[first : first + _AT_ONCE] for first in range(0, len(everything), _AT_ONCE))


def _control_transactions(connection: Any, _record: object) -> None:
    # The driver is not to begin transactions; see _begin_immediately
    connection.isolation_level = None
    # rsyslog waits for the answer, so there is time
    connection.execute(f"PRAGMA busy_timeout={_LOCK_SECONDS * 1000}").close()


def _begin_immediately(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
