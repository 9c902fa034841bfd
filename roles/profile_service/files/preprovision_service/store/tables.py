# SPDX-License-Identifier: GPL-3.0-or-later
"""The database's tables, and how to open it.

Times are milliseconds since 1970 (UTC). MAC addresses are 12 lower-case hex digits. Works with SQLAlchemy 1.4, as in Debian 12,
and 2.x.
"""

from __future__ import annotations

import os
import sqlite3
import time
from functools import partial
from typing import Any

import sqlalchemy
from sqlalchemy import BigInteger, ForeignKey, Index, Integer, LargeBinary, String, Text, create_engine, event, text
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.orm import Session, declarative_base, sessionmaker

# SQLAlchemy 1.4 has no types for these
Base: Any = declarative_base()
Column: Any = sqlalchemy.Column
Number = BigInteger().with_variant(Integer, "sqlite")
"""SQLite generates IDs only in columns of type INTEGER."""
SCANS = ("scanned", "packed", "returned")
"""Kinds of events that scans at the board create."""
OF_SCANS = text(f"kind IN {SCANS}")
"""The condition that an event is one of SCANS, exactly as in its index; otherwise the index would not be used."""
MAX_LOG_SIZE = 4 << 20
"""Bytes that SQLite's log may keep once its content is in the database."""
BUSY_SECONDS = 5
"""How long to wait for others who write to SQLite."""


class Phone(Base):
    """A phone from the inventory or a scan, and how far it is."""

    __tablename__ = "phones"

    mac = Column(String(12), primary_key=True)
    name = Column(String(255), nullable=False, unique=True)
    serial = Column(String(64), nullable=False, default="", index=True)
    model = Column(String(64), nullable=False, index=True)
    family = Column(String(64), nullable=False)
    customer = Column(String(255), nullable=False, default="", index=True)
    source = Column(String(16), nullable=False, default="inventory")
    """``inventory`` or ``scan``: the playbook does not remove scanned phones."""
    variables = Column(Text, nullable=False, default="{}")
    """The phone's variables as JSON. Contains secrets."""
    version = Column(String(32), nullable=False, default="")
    """Changes when the variables do."""
    redirect = Column(Text, nullable=False, default="")
    """URL that this phone is redirected to, or empty."""

    state = Column(String(32), nullable=False, default="expected", index=True)
    """See domain.events.progress_table: expected, leased, bootstrap, profile, resynced, failed, reported, packed, deployed."""
    since = Column(Number, nullable=False, default=0, index=True)
    """When it entered that state."""
    claimed = Column(Integer, nullable=False, default=0, server_default="0")
    """Whether the state rests on claims, which anybody could have sent: 0 or 1."""
    reason = Column(Text, nullable=False, default="")
    """Why it failed; empty unless it did."""
    address = Column(String(45), nullable=False, default="")
    firmware = Column(String(64), nullable=False, default="")
    profile_hash = Column(String(64), nullable=False, default="")
    """ETag of the profile that it fetched last."""
    subject = Column(Text, nullable=False, default="")
    """Subject of the client certificate that it showed last."""
    customization = Column(String(32), nullable=False, default="Open")
    """Customization state of the unit, as in the vendor's table: Open, Aborted, Pending ..."""
    facts = Column(Text, nullable=False, default="{}", server_default="{}")
    """The observations that determine its state, as JSON; see domain.events.observations."""
    unit_file = Column(String(8), nullable=False, default="", server_default="")
    """Which file it gets by TFTP as its own, see UnitFile; empty if none."""
    logs = Column(Integer, nullable=False, default=1, server_default="1")
    """Whether its profile makes it log on the bench that it was applied: 0 or 1."""
    done = Column(Number, nullable=False, default=0, server_default="0", index=True)
    """When it was done, or 0: some time later the station takes its file away. Scanning it in again resets this."""
    packed_by = Column(String(64), nullable=False, default="")
    packed = Column(Number, nullable=False, default=0, server_default="0")
    """When it was scanned out last, or 0. A server with an earlier release knows only ``since`` of a packed phone."""
    contact = Column(Number, nullable=False, default=0, server_default="0", index=True)
    """When it certainly called home last, or 0."""
    contact_address = Column(String(45), nullable=False, default="", server_default="")
    """Where that came from."""
    asked_by_key_id = Column(Number, nullable=False, default=0, server_default="0")
    """When its file was last fetched at home by the ID of its key, without proof, or 0."""
    arrived = Column(Number, nullable=False, default=0, server_default="0")
    """When it was scanned in, or 0."""
    first_leased = Column(Number, nullable=False, default=0, server_default="0")
    """When it first had an address, or 0; the next columns likewise. Taking the phone back resets them."""
    first_profile = Column(Number, nullable=False, default=0, server_default="0")
    first_resynced = Column(Number, nullable=False, default=0, server_default="0")
    first_packed = Column(Number, nullable=False, default=0, server_default="0")


class Customer(Base):
    """Settings that all phones of a customer share."""

    __tablename__ = "customers"

    name = Column(String(255), primary_key=True)
    provisioning_url = Column(Text, nullable=False, default="")
    """Answer of remote customization for the customer's phones, or empty."""
    redirect = Column(Text, nullable=False, default="")
    """URL that the customer's phones are redirected to, or empty."""


class Event(Base):
    """Something that happened to a phone, in the order in which it became known."""

    __tablename__ = "events"
    __table_args__ = (
        Index("events_of_phone", "mac", "id"),
        # A partial index: scans are few among very many events
        Index("events_of_scans", "kind", "id", sqlite_where=OF_SCANS, postgresql_where=OF_SCANS),
    )

    id = Column(Number, primary_key=True, autoincrement=True)
    key = Column(String(64), nullable=False, unique=True)
    """Equal for equal log lines, so that each is stored once however often it is handed over."""
    time = Column(Number, nullable=False)
    mac = Column(String(12), nullable=False, default="")
    """Empty while the phone is unknown."""
    address = Column(String(45), nullable=False, default="", index=True)
    kind = Column(String(32), nullable=False)
    """See domain.events.log_lines."""
    place = Column(String(8), nullable=False, default="bench", server_default="bench")
    """Where the server stands that saw it, see domain.events.evidence.Place."""
    detail = Column(Text, nullable=False, default="{}")
    """JSON, without secrets. Contains untrusted text of phones and clients."""


class Lease(Base):
    """The phone that has an address, so that a line without a MAC address finds its phone."""

    __tablename__ = "leases"

    address = Column(String(45), primary_key=True)
    mac = Column(String(12), nullable=False, index=True)
    since = Column(Number, nullable=False)


class Report(Base):
    """A report that a phone has sent by POST or PUT."""

    __tablename__ = "reports"

    id = Column(Number, primary_key=True, autoincrement=True)
    mac = Column(String(12), ForeignKey("phones.mac", ondelete="CASCADE"), nullable=False, index=True)
    time = Column(Number, nullable=False, index=True)
    address = Column(String(45), nullable=False)
    agent = Column(Text, nullable=False, default="")
    subject = Column(Text, nullable=False, default="")
    content_type = Column(String(255), nullable=False, default="")
    sealed = Column(Integer, nullable=False, default=0)
    body = Column(LargeBinary, nullable=False)
    """As it was sent, but unsealed."""


class Shipment(Base):
    """A phone as it was when its box was closed. It stays when the phone is removed from the inventory."""

    __tablename__ = "shipments"

    id = Column(Number, primary_key=True, autoincrement=True)
    mac = Column(String(12), nullable=False, index=True)
    time = Column(Number, nullable=False, index=True)
    operator = Column(String(64), nullable=False)
    name = Column(String(255), nullable=False)
    serial = Column(String(64), nullable=False)
    model = Column(String(64), nullable=False)
    customer = Column(String(255), nullable=False)
    firmware = Column(String(64), nullable=False)
    profile_hash = Column(String(64), nullable=False)
    subject = Column(Text, nullable=False)
    arrived = Column(Number, nullable=False)
    fetched = Column(Number, nullable=False)
    """When it fetched its profile, or 0 if unknown."""
    returned = Column(Number, nullable=False, default=0)
    """When it was taken back, or 0."""
    evidence = Column(String(16), nullable=False, default="", server_default="")
    """What proved that it had fetched its profile, see domain.events.evidence.PROOFS; empty if nothing did."""
    override = Column(String(255), nullable=False, default="", server_default="")
    """The operator's reason for packing it without evidence, or empty."""


class Operator(Base):
    """An operator of the board."""

    __tablename__ = "operators"

    name = Column(String(64), primary_key=True)
    password = Column(Text, nullable=False)
    """Hash by werkzeug.security."""


class BoardSession(Base):
    """A session of the board."""

    __tablename__ = "board_sessions"

    id = Column(String(64), primary_key=True)
    """SHA-256 of what the cookie contains."""
    operator = Column(String(64), nullable=False, index=True)
    since = Column(Number, nullable=False, index=True)
    """When the operator logged in."""
    proof = Column(String(32), nullable=False)
    """Keyed digest of the password's hash, so that a new password ends the session."""


class LoginFailure(Base):
    """A login whose password was wrong or is being checked, for limiting attempts across all workers."""

    __tablename__ = "login_failures"

    id = Column(Number, primary_key=True, autoincrement=True)
    time = Column(Number, nullable=False, index=True)
    address = Column(String(45), nullable=False)
    name = Column(String(64), nullable=False)


class Setting(Base):
    """A setting that all phones share, as JSON: ``publication``, ``families`` ..."""

    __tablename__ = "settings"

    name = Column(String(64), primary_key=True)
    value = Column(Text, nullable=False)


def open_database(url: str, create: bool = False) -> sessionmaker[Session]:
    """Return a factory of sessions with the database at *url*, an SQLAlchemy URL.

    SQLite's file must exist unless *create* is set: migrations create it, with its tables. Anyone else would make an empty one in
    place of one that was deleted. A file that was deleted or replaced is noticed at the next transaction.
    """
    path = url.removeprefix("sqlite:///")
    is_file = path != url and path not in ("", ":memory:") and "?" not in path
    if is_file and not create:
        url = f"sqlite:///file:{path}?mode=rw&uri=true"
    engine = create_engine(url, future=True, pool_pre_ping=not url.startswith("sqlite"))
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
    if is_file:
        event.listen(engine, "connect", partial(_remember_file, path))
        event.listen(engine, "checkout", partial(_compare_file, path))
    return sessionmaker(engine, future=True, expire_on_commit=False)


def identity_of(path: str) -> tuple[int, int]:
    """Return which file is at *path*; (0, 0) if there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return 0, 0
    return found.st_dev, found.st_ino


def _remember_file(path: str, _connection: object, record: Any) -> None:
    record.info["file"] = identity_of(path)


def _compare_file(path: str, _connection: object, record: Any, _proxy: object) -> None:
    if record.info["file"] != identity_of(path):
        # What is written to the old file would be lost; the pool opens the one that is there now
        raise DisconnectionError("another file is there now")


def _prepare_sqlite(connection: object, _record: object) -> None:
    cursor = connection.cursor()  # type: ignore[attr-defined]
    cursor.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}")
    _keep_a_log(cursor)
    # A commit survives a power failure. The log grows with the largest transaction, and would stay that large
    for pragma in ("synchronous=FULL", "foreign_keys=ON", f"journal_size_limit={MAX_LOG_SIZE}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _keep_a_log(cursor: Any) -> None:
    """Let readers not wait for the writer. SQLite waits for nobody while it makes a new database's log."""
    end = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(0.05)


def engine_of(sessions: sessionmaker[Session]) -> Engine:
    """Return the engine behind *sessions*."""
    engine: Engine = sessions.kw["bind"]
    return engine
