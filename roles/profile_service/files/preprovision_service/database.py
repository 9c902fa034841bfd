# SPDX-License-Identifier: GPL-3.0-or-later
"""What the service knows: tables, and how to open the database that holds them.

Times are whole milliseconds since 1970, UTC. A MAC address is 12 lower-case hex digits. Works with SQLAlchemy from 1.4, which is in
Debian 12, to 2.x.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy
from sqlalchemy import BigInteger, ForeignKey, Index, Integer, LargeBinary, String, Text, create_engine, event, text
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session, declarative_base, sessionmaker

# SQLAlchemy 2 alone could say what these make
Base: Any = declarative_base()
Column: Any = sqlalchemy.Column
Number = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows by itself in an INTEGER column alone."""
SCANS = ("scanned", "packed", "returned")
"""Kinds of the events that are made at the board."""
OF_SCANS = text(f"kind IN {SCANS}")
"""The condition that an event is one of these, as their index has it; written in another way, the index is not used."""


class Phone(Base):
    """One phone that is expected, from the inventory or a scan, and how far it is."""

    __tablename__ = "phones"

    mac = Column(String(12), primary_key=True)
    name = Column(String(255), nullable=False, unique=True)
    serial = Column(String(64), nullable=False, default="", index=True)
    model = Column(String(64), nullable=False, index=True)
    family = Column(String(64), nullable=False)
    customer = Column(String(255), nullable=False, default="", index=True)
    source = Column(String(16), nullable=False, default="inventory")
    """``inventory`` or ``scan``: what the playbook fills removes no phone that was scanned."""
    variables = Column(Text, nullable=False, default="{}")
    """The phone's variables as JSON. Holds secrets."""
    version = Column(String(32), nullable=False, default="")
    """Changes when the variables do."""
    redirect = Column(Text, nullable=False, default="")
    """URL of the server that this phone is sent to instead; empty for none."""

    state = Column(String(32), nullable=False, default="expected", index=True)
    """See domain.progress: expected, leased, bootstrap, profile, resynced, failed, reported, packed."""
    since = Column(Number, nullable=False, default=0, index=True)
    """When it came into that state."""
    reason = Column(Text, nullable=False, default="")
    """Why it failed, in words; empty unless it did."""
    address = Column(String(45), nullable=False, default="")
    firmware = Column(String(64), nullable=False, default="")
    profile_hash = Column(String(64), nullable=False, default="")
    """Of the profile that it fetched last: its ETag."""
    subject = Column(Text, nullable=False, default="")
    """Subject of the client certificate that it showed last."""
    customization = Column(String(32), nullable=False, default="Open")
    """Customization state that the unit must be in, see the vendor's table: Open, Aborted, Pending ..."""
    facts = Column(Text, nullable=False, default="{}", server_default="{}")
    """What its state follows from, as JSON: the latest event of each sort; see domain.progress."""
    packed_by = Column(String(64), nullable=False, default="")
    arrived = Column(Number, nullable=False, default=0, server_default="0")
    """When it was scanned in; 0 for one that is not here."""
    first_leased = Column(Number, nullable=False, default=0, server_default="0")
    """When it had an address first, and so on; 0 for never, and again for one that was taken back."""
    first_profile = Column(Number, nullable=False, default=0, server_default="0")
    first_resynced = Column(Number, nullable=False, default=0, server_default="0")
    first_packed = Column(Number, nullable=False, default=0, server_default="0")


class Customer(Base):
    """What all phones of a customer share here."""

    __tablename__ = "customers"

    name = Column(String(255), primary_key=True)
    provisioning_url = Column(Text, nullable=False, default="")
    """What the redirection for remote customization answers for the customer's phones; empty for none."""
    redirect = Column(Text, nullable=False, default="")
    """Base URL of the server that the customer's phones are sent to instead; empty for none."""


class Event(Base):
    """Something that happened to a phone, in the order in which it became known."""

    __tablename__ = "events"
    __table_args__ = (
        Index("events_of_phone", "mac", "id"),
        # A few among very many, and other events cost nothing by it
        Index("events_of_scans", "kind", "id", sqlite_where=OF_SCANS, postgresql_where=OF_SCANS),
    )

    id = Column(Number, primary_key=True, autoincrement=True)
    key = Column(String(64), nullable=False, unique=True)
    """Same for the same log line, however often it is handed over."""
    time = Column(Number, nullable=False)
    mac = Column(String(12), nullable=False, default="")
    """Empty while it is not known whose it is."""
    address = Column(String(45), nullable=False, default="", index=True)
    kind = Column(String(32), nullable=False)
    """See domain.events."""
    detail = Column(Text, nullable=False, default="{}")
    """JSON, without secrets. Others wrote what it holds."""


class Lease(Base):
    """Who has an address, so that a line that names no MAC finds its phone."""

    __tablename__ = "leases"

    address = Column(String(45), primary_key=True)
    mac = Column(String(12), nullable=False, index=True)
    since = Column(Number, nullable=False)


class Report(Base):
    """What a phone has sent by POST or PUT."""

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
    """Unsealed, as it was sent otherwise."""


class Shipment(Base):
    """A phone as it was when its box was closed. It stays when the phone is no longer in the inventory."""

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
    """When it fetched its profile; 0 if that is not known."""
    returned = Column(Number, nullable=False, default=0)
    """When it was taken back; 0 unless it was."""


class Operator(Base):
    """Who may change state on the board."""

    __tablename__ = "operators"

    name = Column(String(64), primary_key=True)
    password = Column(Text, nullable=False)
    """Hash, as werkzeug.security makes it."""


class LoginFailure(Base):
    """Somebody gave a wrong password; who does so too often waits. All workers count together."""

    __tablename__ = "login_failures"

    id = Column(Number, primary_key=True, autoincrement=True)
    time = Column(Number, nullable=False, index=True)
    address = Column(String(45), nullable=False)
    name = Column(String(64), nullable=False)


class Setting(Base):
    """What the playbook says of all phones, as JSON by name: ``publication``, ``families`` ..."""

    __tablename__ = "settings"

    name = Column(String(64), primary_key=True)
    value = Column(Text, nullable=False)


def open_database(url: str) -> sessionmaker[Session]:
    """Return what makes sessions with the database at *url*, a URL of SQLAlchemy. Its tables are the migrations' business."""
    engine = create_engine(url, future=True, pool_pre_ping=not url.startswith("sqlite"))
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
    return sessionmaker(engine, future=True, expire_on_commit=False)


def _prepare_sqlite(connection: object, _record: object) -> None:
    cursor = connection.cursor()  # type: ignore[attr-defined]
    # Readers do not wait for the writer, and a commit survives a loss of power
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def engine_of(sessions: sessionmaker[Session]) -> Engine:
    """Return the engine behind *sessions*, as migrations and tests need it."""
    engine: Engine = sessions.kw["bind"]
    return engine
