# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts the phones of the inventory into the database: what changed, in one transaction."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from .database import Customer, Phone, Setting

INVENTORY = "inventory"
COLUMNS = ("mac", "name", "serial", "model", "family", "customer", "variables", "version", "redirect")
"""What a phone of the inventory has; all else of its row is found out later."""

_AT_ONCE = 500


class FillingError(ValueError):
    """The phones cannot be put in; the message says why."""


class Present(NamedTuple):
    """What the database holds: a salt for versions, MAC -> version of the inventory's phones, and the version of all else."""

    salt: str
    phones: dict[str, str]
    settings: str


def present(sessions: sessionmaker[Session]) -> Present:
    """Look at the database. One that was never filled gets a new salt with the first filling."""
    with sessions() as session:
        rows = session.execute(select(Setting.name, Setting.value).where(Setting.name.in_(("salt", "version"))))
        settings = {row.name: str(row.value) for row in rows}
        found = session.execute(select(Phone.mac, Phone.version).where(Phone.source == INVENTORY)).all()
    salt, version = (settings.get(name, "").strip('"') for name in ("salt", "version"))
    return Present(salt or secrets.token_hex(16), {row.mac: row.version for row in found}, version)


def fill(
    sessions: sessionmaker[Session],
    phones: Iterable[Mapping[str, Any]],
    removed: Iterable[str],
    customers: Mapping[str, Mapping[str, str]] | None = None,
    settings: Mapping[str, str] | None = None,
) -> None:
    """Put in *phones*, rows with COLUMNS that are new or changed, and take away those with the MACs *removed*; raise FillingError.

    *customers*: all of them, name -> columns. *settings*: all of them, name -> JSON. Either stays as it is without.
    """
    rows = [{**{column: phone[column] for column in COLUMNS}, "source": INVENTORY} for phone in phones]
    try:
        with sessions.begin() as session:
            _take_away(session, [str(mac) for mac in removed])
            _put_in(session, rows)
            if customers is not None:
                session.execute(delete(Customer))
                if customers:
                    session.execute(insert(Customer), [{"name": name, **columns} for name, columns in customers.items()])
            if settings is not None:
                session.execute(delete(Setting).where(Setting.name.in_(list(settings))))
                session.execute(insert(Setting), [{"name": name, "value": value} for name, value in settings.items()])
    except IntegrityError as error:
        # Its own words show what was put in
        raise FillingError(
            "a phone of the inventory is called as one that was scanned and has another MAC; rename one of them"
        ) from error.with_traceback(None)


def _take_away(session: Session, macs: list[str]) -> None:
    for first in range(0, len(macs), _AT_ONCE):
        session.execute(delete(Phone).where(Phone.mac.in_(macs[first : first + _AT_ONCE]), Phone.source == INVENTORY))


def _put_in(session: Session, rows: list[dict[str, Any]]) -> None:
    there: set[str] = set()
    for first in range(0, len(rows), _AT_ONCE):
        macs = [row["mac"] for row in rows[first : first + _AT_ONCE]]
        there.update(session.scalars(select(Phone.mac).where(Phone.mac.in_(macs))))
    old = [row for row in rows if row["mac"] in there]
    new = [{**row, "since": int(time.time() * 1000)} for row in rows if row["mac"] not in there]
    connection = session.connection()
    table = Phone.__table__
    by_mac = table.c.mac == bindparam("of")
    if old:
        # Two phones may have swapped their names
        connection.execute(update(table).where(by_mac).values(name=bindparam("of")), [{"of": row["mac"]} for row in old])
        changed: dict[str, Any] = {column: bindparam(column) for column in (*COLUMNS[1:], "source")}
        values = [{"of": row["mac"], **{column: row[column] for column in changed}} for row in old]
        connection.execute(update(table).where(by_mac).values(changed), values)
    if new:
        connection.execute(insert(table), new)
