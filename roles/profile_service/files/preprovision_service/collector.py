# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes lines from rsyslog and puts what they say of phones into the database.

    python3 -m preprovision_service.collector CONFIG [KEEP]

CONFIG: JSON file with DATABASE, a URL of SQLAlchemy. KEEP: how many events are kept, the newest.

rsyslog's omprog starts it, with confirmMessages and useTransactions. A line is confirmed when it is stored: if the database
does not take it, rsyslog keeps it and hands it over again. What was stored already is known by its key.
"""

from __future__ import annotations

import contextlib
import json
import os
import select as poll
import sys
import syslog
import time
import traceback
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from sqlalchemy import bindparam, delete, event, exists, func, insert, select, update
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session, sessionmaker

from .database import OF_SCANS, SCANS, Lease, Phone, engine_of, open_database
from .database import Event as Kept
from .domain.events import KINDS, Event, parse, read_line
from .domain.progress import MILESTONES, Facts, arrived, judge, learn, reach, read_facts, write_facts

BEGIN = b"BEGIN TRANSACTION"
COMMIT = b"COMMIT TRANSACTION"
KEEP = 500_000

_AT_ONCE = 500
_LOOK_AROUND = 5
_PATIENCE = 20
_CUT_EVERY = 1000
_LONGEST_LINE = 1 << 20
# What is to be stored does not fit, and never will. All else is the database's own trouble: it is away, locked, damaged, or not yet
# what its migrations make of it
_NEVER = (DataError, IntegrityError)
_LATER = (DBAPIError, PoolTimeoutError)

_PHONES = (
    Phone.mac,
    Phone.serial,
    Phone.state,
    Phone.since,
    Phone.reason,
    Phone.address,
    Phone.firmware,
    Phone.profile_hash,
    Phone.subject,
    Phone.customization,
    Phone.facts,
    Phone.first_leased,
    Phone.first_profile,
    Phone.first_resynced,
)
_KEPT = (Kept.id, Kept.key, Kept.time, Kept.mac, Kept.address, Kept.kind, Kept.detail)
_CHANGED = (
    *("state", "since", "reason", "address", "firmware", "profile_hash", "subject", "customization", "facts"),
    *(f"first_{name}" for name in MILESTONES),
)
_LONGEST = {column.name: column.type.length for column in Phone.__table__.columns if getattr(column.type, "length", None)}


class LaterError(Exception):
    """Nothing was stored; the lines must be handed over again."""


class Owned(NamedTuple):
    """An event and whose it is, as far as is known."""

    mac: str
    event: Event


class Leases:
    """Who had an address when."""

    def __init__(self, rows: Iterable[tuple[str, str, int]]) -> None:
        self._held: dict[str, list[tuple[int, str]]] = defaultdict(list)
        for address, mac, since in rows:
            self._held[address].append((since, mac))

    def add(self, event: Event) -> None:
        """Note that DHCP gave an address."""
        held = self._held[event.address]
        held.append((event.time, event.mac))
        held.sort()

    def holder(self, address: str, moment: int) -> str:
        """Return who had *address* at *moment*, or an empty string."""
        held = self._held.get(address, [])
        place = bisect_right(held, (moment, "g"))
        return held[place - 1][1] if place else ""

    def latest(self, address: str) -> tuple[str, int]:
        """Return who has *address*, and since when without another in between."""
        held = self._held[address]
        mac = held[-1][1]
        first = next((number for number in range(len(held), 0, -1) if held[number - 1][1] != mac), 0)
        return mac, held[first][0]


class Collector:
    """Stores what lines say. *sessions* as open_database() makes them; of the events, the newest *keep* are kept."""

    def __init__(self, sessions: sessionmaker[Session], keep: int = KEEP) -> None:
        self._engine: Engine = engine_of(sessions)
        self._keep = keep
        self._since_cut = self._cut_to = 0
        self._file = ""
        self._open: Connection | None = None
        self._opened = (0, 0)
        if self._engine.dialect.name == "sqlite":
            # What is read must not change before it is written; a transaction that only reads at first could not wait for its turn
            self._file = (self._engine.url.database or "").removeprefix("file:")
            event.listen(self._engine, "connect", _leave_transactions_to_us)
            event.listen(self._engine, "begin", _begin_immediately)

    def take(self, lines: Sequence[str]) -> None:
        """Store what *lines* say in one transaction; raise LaterError where the database does not take anything now.

        A line that makes any other trouble is left out, so that it cannot stop all that come after it.
        """
        found = [event for event in map(_read, lines) if event]
        self._look()
        try:
            self._store(found)
        except LaterError:
            raise
        except Exception:
            for one in found:
                self._take_alone(one)

    def _look(self) -> None:
        if not self._file:
            return
        try:
            found = os.stat(self._file)
        except OSError as error:
            # Opening it would make an empty one, where its migrations shall make it
            raise LaterError("there is no database yet") from error
        if (found.st_dev, found.st_ino) != self._opened:
            # Put in its place, as from a backup: what would be written to the old one would be lost
            self._close()
            self._opened = (found.st_dev, found.st_ino)

    def _close(self) -> None:
        # What was done may have been undone, or done to another database
        self._cut_to = 0
        if self._open:
            with contextlib.suppress(SQLAlchemyError):
                self._open.close()
            self._open = None
            self._engine.dispose()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[Connection]:
        """One connection stays open: when the last is closed, SQLite takes its log away, which costs more than a batch."""
        try:
            self._open = self._open or self._engine.connect()
            with self._open.begin():
                yield self._open
        except Exception as error:
            self._close()
            if isinstance(error, _LATER) and not isinstance(error, _NEVER):
                raise LaterError(_cause(error)) from error
            raise

    def _take_alone(self, one: Event) -> None:
        try:
            self._store([one])
        except LaterError:
            raise
        except Exception as error:
            _say(f"a line is left out, which made this trouble: {_cause(error)}")

    def look_around(self) -> None:
        """Let phones that were put in since begin with what is known of them already; raise LaterError."""
        self._look()
        virgin = select(Phone.mac).where(Phone.facts == "{}", exists().where(Kept.mac == Phone.mac)).limit(_AT_ONCE)
        with self._transaction() as connection:
            self._move(connection, {row.mac: () for row in connection.execute(virgin)})

    def _store(self, events: Sequence[Event]) -> None:
        if not events:
            return
        with self._transaction() as connection:
            news = self._unknown(connection, events)
            if not news:
                return
            leases, changed = self._lease(connection, news)
            owned = [self._own(one, leases) for one in news]
            connection.execute(insert(Kept.__table__), [_row(mac, one) for mac, one in owned])
            moved: dict[str, list[Event]] = defaultdict(list)
            for mac, one in owned:
                if mac:
                    moved[mac].append(one)
            for mac, one in self._late_owners(connection, changed):
                moved[mac].append(one)
            self._move(connection, moved)
        self._cut(len(news))

    def _unknown(self, connection: Connection, events: Sequence[Event]) -> list[Event]:
        unknown = {one.key: one for one in events}
        for keys in _parts(unknown):
            for row in connection.execute(select(Kept.key).where(Kept.key.in_(keys))):
                unknown.pop(row.key)
        return list(unknown.values())

    def _lease(self, connection: Connection, events: Sequence[Event]) -> tuple[Leases, list[tuple[str, str, int]]]:
        """Learn leases; return them, and those that are another's than before as address, MAC and since when."""
        given = [one for one in events if one.kind == "lease" and one.detail.get("what") == "ack" and one.address]
        addresses = {one.address for one in events if one.address}
        before: dict[str, tuple[str, int]] = {}
        for part in _parts(addresses):
            rows = connection.execute(select(Lease.address, Lease.mac, Lease.since).where(Lease.address.in_(part)))
            before.update((row.address, (row.mac, row.since)) for row in rows)
        leases = Leases((address, mac, since) for address, (mac, since) in before.items())
        for one in given:
            leases.add(one)
        changed = []
        for address in {one.address for one in given}:
            latest = leases.latest(address)
            if before.get(address) != latest:
                changed.append((address, *latest))
        new = [{"address": address, "mac": mac, "since": since} for address, mac, since in changed if address not in before]
        if new:
            connection.execute(insert(Lease.__table__), new)
        old = [{"of": address, "mac": mac, "since": since} for address, mac, since in changed if address in before]
        if old:
            connection.execute(update(Lease.__table__).where(Lease.address == bindparam("of")), old)
        return leases, changed

    @staticmethod
    def _own(one: Event, leases: Leases) -> Owned:
        """Say whose an event is: what is proved counts first. A phone's own message names it; all else is of its address."""
        if one.mac:
            return Owned(one.mac, one)
        holder = leases.holder(one.address, one.time)
        if holder and (one.kind not in ("resync", "upgrade") or holder == one.claim):
            return Owned(holder, replace(one, mac=holder))
        return Owned(one.claim, replace(one, detail={**one.detail, "claimed": 1}))

    @staticmethod
    def _late_owners(connection: Connection, changed: Sequence[tuple[str, str, int]]) -> Iterator[Owned]:
        """Give events that came before their lease was known to whom they belong."""
        given = {address: (mac, since) for address, mac, since in changed}
        for part in _parts(given):
            # By their address: most events of nobody have others
            orphans = select(*_KEPT).where(Kept.address.in_(part), func.coalesce(Kept.mac, "") == "")
            found = [(*given[row.address], row) for row in connection.execute(orphans)]
            owned = [(mac, row) for mac, since, row in found if row.time >= since]
            if owned:
                connection.execute(
                    update(Kept.__table__).where(Kept.id == bindparam("of")), [{"of": row.id, "mac": mac} for mac, row in owned]
                )
            for mac, row in owned:
                detail = {name: value for name, value in json.loads(row.detail).items() if name != "claimed"}
                yield Owned(mac, Event(row.key, row.time, row.kind, mac, row.address, "", detail))

    def _move(self, connection: Connection, events: Mapping[str, Sequence[Event]]) -> None:
        """Put phones where their events take them."""
        changes = []
        for macs in _parts(events):
            rows = connection.execute(select(*_PHONES).where(Phone.mac.in_(macs)).with_for_update()).all()
            virgin = [row.mac for row in rows if row.facts == "{}"]
            past = self._past(connection, virgin) if virgin else {}
            for row in rows:
                before, found = read_facts(row.facts), [*past.get(row.mac, ()), *events[row.mac]]
                first = reach({name: getattr(row, f"first_{name}") for name in MILESTONES}, before, found, row.mac, row.serial)
                values = _position(row, learn(before, found, row.mac, row.serial))
                values |= {f"first_{name}": time for name, time in first.items()}
                if any(values[name] != getattr(row, name) for name in _CHANGED):
                    changes.append({"of": row.mac, **values})
        if changes:
            connection.execute(update(Phone.__table__).where(Phone.mac == bindparam("of")), changes)

    @staticmethod
    def _past(connection: Connection, macs: Sequence[str]) -> dict[str, list[Event]]:
        """Return what is known of phones that nobody expected then."""
        past: dict[str, list[Event]] = defaultdict(list)
        for row in connection.execute(select(*_KEPT).where(Kept.mac.in_(macs), Kept.kind.in_(KINDS))):
            detail = json.loads(row.detail)
            sure = "" if detail.get("claimed") else row.mac
            past[row.mac].append(Event(row.key, row.time, row.kind, sure, row.address, "", detail))
        return past

    def _cut(self, stored: int) -> None:
        """Forget the oldest events beyond those that are kept. Scans are counted by themselves, so that no log drives them out."""
        self._since_cut += stored
        if self._since_cut < min(_CUT_EVERY, self._keep):
            return
        self._since_cut = 0
        with contextlib.suppress(LaterError), self._transaction() as connection:
            last = (connection.scalar(select(func.max(Kept.id))) or 0) - self._keep
            connection.execute(delete(Kept.__table__).where(Kept.id > self._cut_to, Kept.id <= last, Kept.kind.not_in(SCANS)))
            self._cut_to = last
            scan = connection.scalar(select(Kept.id).where(OF_SCANS).order_by(Kept.id.desc()).offset(self._keep).limit(1))
            connection.execute(delete(Kept.__table__).where(OF_SCANS, Kept.id <= (scan or 0)))


def _read(text: str) -> Event | None:
    try:
        line = read_line(text)
        return parse(line) if line else None
    except Exception:
        # Nothing that a line holds may end the collector; that it can happen is a mistake in what reads it
        _say(f"a line is left out, which made this trouble: {traceback.format_exc(limit=-1, chain=False)}")
        return None


def _row(mac: str, one: Event) -> dict[str, Any]:
    return {
        "key": one.key,
        "time": one.time,
        "mac": mac,
        "address": one.address,
        "kind": one.kind,
        "detail": json.dumps(one.detail, separators=(",", ":")),
    }


def _position(row: Any, facts: Facts) -> dict[str, Any]:
    position = judge(facts, row.since if row.state == "packed" else 0)
    values = {name: text[: _LONGEST.get(name)] if isinstance(text, str) else text for name, text in position._asdict().items()}
    return {**values, "since": arrived(facts, position, row.state, row.since), "facts": write_facts(facts)}


def _parts(values: Iterable[str]) -> Iterator[list[str]]:
    everything = list(values)
    return (everything[first : first + _AT_ONCE] for first in range(0, len(everything), _AT_ONCE))


def _leave_transactions_to_us(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    # As long as rsyslog waits for an answer, there is no haste
    connection.execute(f"PRAGMA busy_timeout={_PATIENCE * 1000}").close()


def _begin_immediately(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _cause(error: BaseException) -> str:
    """What went wrong, in one line and without what was to be stored."""
    return " ".join(str(getattr(error, "orig", None) or type(error).__name__).split())[:200]


def _say(text: str) -> None:
    syslog.syslog(syslog.LOG_WARNING, text)


class Dialogue:
    """What rsyslog says and is answered; see the documentation of omprog."""

    def __init__(self, collector: Collector, answers: BinaryIO) -> None:
        self._collector = collector
        self._answers = answers
        self._batch: list[str] | None = None
        self._trouble = ""
        self._looked = 0.0

    def start(self) -> None:
        """Say that lines can come."""
        self._answer("OK")

    def hear(self, line: bytes) -> None:
        """Answer one line."""
        if line == BEGIN:
            self._batch = []
            self._answer("OK")
        elif line == COMMIT:
            batch, self._batch = self._batch, None
            if batch is None:
                # What it closes was told to another, which has died
                self._answer("error: no transaction is open")
            else:
                self._store(batch)
        elif self._batch is None:
            self._store([line.decode("utf-8", "replace")])
        else:
            self._batch.append(line.decode("utf-8", "replace"))
            self._answer("DEFER_COMMIT")
        self.idle(self._batch is None)

    def idle(self, between: bool = True) -> None:
        """Look around now and then, when no batch is under way."""
        if between and time.monotonic() - self._looked >= _LOOK_AROUND:
            self._looked = time.monotonic()
            with contextlib.suppress(LaterError):
                self._collector.look_around()

    def _store(self, batch: list[str]) -> None:
        try:
            self._collector.take(batch)
        except LaterError as error:
            # Once, not each time that rsyslog tries again
            if str(error) != self._trouble:
                self._trouble = str(error)
                _say(f"the database takes nothing, and rsyslog keeps what comes: {error}")
            self._answer(f"error: {error}")
            return
        if self._trouble:
            self._trouble = ""
            _say("the database takes events again")
        self._answer("OK")

    def _answer(self, text: str) -> None:
        self._answers.write(text.encode("ascii", "replace") + b"\n")
        self._answers.flush()


def lines_of(descriptor: int, idle: Any) -> Iterator[bytes]:
    """Yield lines until the end; call *idle* when none has come for a while. What is too long for a line is none."""
    rest = b""
    while True:
        while not poll.select([descriptor], [], [], _LOOK_AROUND)[0]:
            idle()
        read = os.read(descriptor, 65536)
        if not read:
            return
        *whole, rest = (rest + read).split(b"\n")
        yield from whole
        # Cut, it is no line that anything can be read from
        rest = rest[:_LONGEST_LINE]


def _existing(url: str) -> str:
    """Return *url* so that SQLite opens what is there, and makes no empty database where there is none."""
    path = url.removeprefix("sqlite:///")
    return f"sqlite:///file:{path}?mode=rw&uri=true" if path != url and "?" not in path else url


def main(arguments: Sequence[str]) -> int:
    """Answer rsyslog until it has no more to say."""
    syslog.openlog("preprovision-events")
    config = json.loads(Path(arguments[0]).read_text())
    keep = int(arguments[1]) if len(arguments) > 1 else KEEP
    dialogue = Dialogue(Collector(open_database(_existing(str(config["DATABASE"]))), keep), sys.stdout.buffer)
    # An answer that nobody hears: rsyslog has ended, and will start another that gets the lines again
    with contextlib.suppress(BrokenPipeError):
        dialogue.start()
        for line in lines_of(sys.stdin.fileno(), dialogue.idle):
            dialogue.hear(line)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
