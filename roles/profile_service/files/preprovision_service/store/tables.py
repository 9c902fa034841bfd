# SPDX-License-Identifier: GPL-3.0-or-later
"""The database's tables.

Times are milliseconds since 1970 (UTC). MAC addresses are 12 lower-case hex digits. Works with SQLAlchemy 1.4, as in Debian 12,
and 2.x.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy
from sqlalchemy import BigInteger, ForeignKey, Index, Integer, LargeBinary, String, Text, text
from sqlalchemy.orm import declarative_base

# SQLAlchemy 1.4 has no types for these
Base: Any = declarative_base()
Column: Any = sqlalchemy.Column
Number = BigInteger().with_variant(Integer, "sqlite")
"""SQLite generates IDs only in columns of type INTEGER."""
SCANS = ("scanned", "packed", "returned")
"""Kinds of events that scans at the board create."""
OF_SCANS = text(f"kind IN {SCANS}")
"""The condition that an event is one of SCANS, exactly as in its index; otherwise the index would not be used."""


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
    """See progress_table: expected, leased, bootstrap, profile, resynced, failed, reported, packed, deployed."""
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
    """The observations that determine its state, as JSON; see domain.events.progress.observations."""
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
    """See domain.events.logs.log_lines."""
    place = Column(String(8), nullable=False, default="bench", server_default="bench")
    """Where the server stands that saw it, see domain.events.logs.evidence.Place."""
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
    """What proved that it had fetched its profile, see domain.events.logs.evidence.PROOFS; empty if nothing did."""
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


class Inputs(Base):
    """What the inventory's phones were made of when they were stored last: at most one row."""

    __tablename__ = "inputs"

    id = Column(Integer, primary_key=True)
    versions = Column(String(64), nullable=False)
    """Digest of these phones' MAC addresses and versions: if they have another, someone else has changed them since."""
    content = Column(LargeBinary, nullable=False)
    """Keyed hashes, for the collection alone: see its publishing.inputs."""
