# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring the database in line with the inventory: only what changed, in one transaction."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple
from uuid import uuid4

from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from ..clock import now
from .resets import reset_values
from .tables import Customer, Event, Inputs, Phone, Setting, Shipment
from .turns import take_turn

INVENTORY = "inventory"
COLUMNS = ("mac", "name", "serial", "model", "family", "customer", "variables", "version", "redirect", "unit_file", "logs")
"""The columns that come from the inventory; the service fills the others."""

REARMED = "rearmed"
"""Kind of the event of a phone that the playbook had start over."""

_AT_ONCE = 500
_UNSYNCED = {"synchronize_session": False}


class SyncError(ValueError):
    """The phones cannot be stored; the message says why."""


class Present(NamedTuple):
    """What the database holds."""

    salt: str
    """Salt of the versions; a new one if the database was never filled."""
    phones: dict[str, tuple[str, str]]
    """MAC address -> version and name of the phones from the inventory."""
    version: str
    """Version of the settings and customers."""
    master_key: str
    """Fingerprint of the master key that phones' keys were derived from; empty if none was, or nobody noted it."""
    inputs: bytes
    """What the phones were made of; empty if that is not known."""


_OF_PRESENT = ("salt", "version", "master_key")


def present(sessions: sessionmaker[Session]) -> Present:
    """Return what the database holds."""
    with sessions() as session:
        rows = session.execute(select(Setting.name, Setting.value).where(Setting.name.in_(_OF_PRESENT)))
        settings = {row.name: str(row.value) for row in rows}
        phones = _phones(session)
        known = session.execute(select(Inputs.versions, Inputs.content)).first()
    salt, version, master_key = (settings.get(name, "").strip('"') for name in _OF_PRESENT)
    inputs = bytes(known.content) if known and known.versions == _digest(phones) else b""
    return Present(salt or secrets.token_hex(16), phones, version, master_key, inputs)


def _phones(session: Session) -> dict[str, tuple[str, str]]:
    """Return MAC address -> version and name of the phones from the inventory, by MAC address."""
    wanted = select(Phone.mac, Phone.version, Phone.name).where(Phone.source == INVENTORY).order_by(Phone.mac)
    return {mac: (version, name) for mac, version, name in session.execute(wanted)}


def _digest(phones: Mapping[str, tuple[str, str]]) -> str:
    """Return a digest of the phones' MAC addresses and versions, in their order."""
    text = "".join(f"{mac} {version}\n" for mac, (version, _name) in phones.items())
    return hashlib.sha256(text.encode()).hexdigest()


def noted_master_key(sessions: sessionmaker[Session]) -> str:
    """Return Present.master_key alone."""
    with sessions() as session:
        return str(session.scalar(select(Setting.value).where(Setting.name == "master_key")) or "").strip('"')


def sync(
    sessions: sessionmaker[Session],
    upserted: Iterable[Mapping[str, Any]],
    removed: Iterable[str],
    customers: Mapping[str, Mapping[str, str]] | None = None,
    settings: Mapping[str, str] | None = None,
    rearmed: Iterable[str] = (),
    inputs: bytes | None = None,
) -> None:
    """Store *upserted*, rows with COLUMNS that are new or changed, and delete the phones with the MACs *removed*; raise SyncError.

    *customers*: all of them, name -> columns. *settings*: all of them, name -> JSON. None leaves either unchanged. *rearmed*: MACs
    of phones that start over. *inputs*: what all phones from the inventory are made of; None leaves that unchanged.
    """
    rows = [{**{column: phone[column] for column in COLUMNS}, "source": INVENTORY} for phone in upserted]
    try:
        with sessions.begin() as session:
            take_turn(session.connection())
            _delete(session, [str(mac) for mac in removed])
            _upsert(session, rows)
            rearm(session, [str(mac) for mac in rearmed])
            if customers is not None:
                session.execute(delete(Customer))
                if customers:
                    session.execute(insert(Customer), [{"name": name, **columns} for name, columns in customers.items()])
            if settings is not None:
                session.execute(delete(Setting).where(Setting.name.in_(list(settings))))
                session.execute(insert(Setting), [{"name": name, "value": value} for name, value in settings.items()])
            if inputs is not None:
                session.execute(delete(Inputs))
                session.execute(insert(Inputs), [{"id": 1, "versions": _digest(_phones(session)), "content": inputs}])
    except IntegrityError as error:
        # SQLAlchemy's message contains the row
        raise SyncError(
            "a phone of the inventory has the name of a scanned one with another MAC address; rename one of them"
        ) from error.with_traceback(None)


def _delete(session: Session, macs: list[str]) -> None:
    for first in range(0, len(macs), _AT_ONCE):
        session.execute(delete(Phone).where(Phone.mac.in_(macs[first : first + _AT_ONCE]), Phone.source == INVENTORY))


def rearm(session: Session, macs: list[str]) -> None:
    """Have phones start over, as if they were taken back one by one."""
    moment = now()
    for first in range(0, len(macs), _AT_ONCE):
        part = macs[first : first + _AT_ONCE]
        states = {row.mac: row.state for row in session.execute(select(Phone.mac, Phone.state).where(Phone.mac.in_(part)))}
        session.execute(update(Phone).where(Phone.mac.in_(part)).values(reset_values(moment)), execution_options=_UNSYNCED)
        returned = update(Shipment).where(Shipment.mac.in_(part), Shipment.returned == 0).values(returned=moment)
        session.execute(returned, execution_options=_UNSYNCED)
        events = [
            {"key": uuid4().hex, "time": moment, "mac": mac, "kind": REARMED, "detail": json.dumps({"state": state})}
            for mac, state in states.items()
        ]
        if events:
            session.execute(insert(Event), events)


def _upsert(session: Session, rows: list[dict[str, Any]]) -> None:
    existing: set[str] = set()
    for first in range(0, len(rows), _AT_ONCE):
        macs = [row["mac"] for row in rows[first : first + _AT_ONCE]]
        existing.update(session.scalars(select(Phone.mac).where(Phone.mac.in_(macs))))
    old = [row for row in rows if row["mac"] in existing]
    new = [{**row, "since": now()} for row in rows if row["mac"] not in existing]
    connection = session.connection()
    table = Phone.__table__
    by_mac = table.c.mac == bindparam("of")
    if old:
        # First a unique name for each, since two phones may have swapped names
        connection.execute(update(table).where(by_mac).values(name=bindparam("of")), [{"of": row["mac"]} for row in old])
        changed: dict[str, Any] = {column: bindparam(column) for column in (*COLUMNS[1:], "source")}
        values = [{"of": row["mac"], **{column: row[column] for column in changed}} for row in old]
        connection.execute(update(table).where(by_mac).values(changed), values)
    if new:
        connection.execute(insert(table), new)
