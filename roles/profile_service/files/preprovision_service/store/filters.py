# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters of phones, as the board and the API take them from the arguments of a URL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import and_, case, or_
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.sql.elements import ColumnElement

from ..clock import now
from ..domain.events.progress.home_contact import DAY
from ..domain.events.progress.progress_table import STATES, STUCK_AFTER, State
from .tables import Phone

DONE = (State.RESYNCED, State.REPORTED, State.PACKED, State.DEPLOYED)
STUCK = "stuck"
SILENT = "silent"
FILTER_STATES = (*STATES, STUCK, SILENT)
SHIPPED_STATES = (State.PACKED, State.DEPLOYED, SILENT)
"""Filters whose phones are not on the bench any more."""
PAGE = 50
MAX_PAGE_SIZE = 500
MAX_TEXT_LENGTH = 100
_MAX_ARGUMENT_LENGTH = 255


class FilterError(ValueError):
    """An invalid filter; the message names it."""


@dataclass(frozen=True)
class Filter:
    """Conditions on phones; empty ones do not count."""

    customer: str = ""
    model: str = ""
    state: str = ""
    """One of FILTER_STATES."""
    text: str = ""
    """Part of a MAC address, serial number, name, address, here or at home, or firmware."""
    page: int = 1
    size: int = PAGE

    @classmethod
    def read(cls, arguments: Mapping[str, str]) -> Filter:
        """Read a filter from the arguments of a URL; raise FilterError."""
        given = {name: arguments.get(name, "") for name in ("customer", "model", "state", "text")}
        texts = {name: text.strip() for name, text in given.items()}
        state = given["state"]
        if state and state not in FILTER_STATES:
            raise FilterError(f"state: unknown state '{state[:MAX_TEXT_LENGTH]}'; expected one of {', '.join(FILTER_STATES)}")
        for name, text in given.items():
            if len(text) > _MAX_ARGUMENT_LENGTH:
                raise FilterError(f"{name}: {len(text)} characters are too many; at most {_MAX_ARGUMENT_LENGTH} are allowed")
        return cls(
            **texts,
            page=_number("page", arguments.get("page", "1"), 1_000_000),
            size=_number("size", arguments.get("size", str(PAGE)), MAX_PAGE_SIZE),
        )

    def arguments(self, **changes: Any) -> dict[str, str]:
        """Return the arguments of a URL for this filter with *changes*."""
        new = replace(self, **changes)
        texts = {"customer": new.customer, "model": new.model, "state": new.state, "text": new.text}
        if new.page > 1:
            texts["page"] = str(new.page)
        return {name: text for name, text in texts.items() if text}

    def where(self, *, with_state: bool = True, days: int = 0) -> ColumnElement[bool]:
        """Return the condition on phones. *days*: see is_silent()."""
        terms: list[Any] = []
        if self.customer:
            terms.append(Phone.customer == self.customer)
        if self.model:
            terms.append(Phone.model == self.model)
        if self.state and with_state:
            special = {STUCK: is_stuck(now()), SILENT: is_silent(now(), days)}
            terms.append(special.get(self.state, Phone.state == self.state))
        if self.text:
            columns = (Phone.serial, Phone.name, Phone.address, Phone.contact_address, Phone.firmware)
            terms.append(contains_text(self.text, Phone.mac, *columns))
        return and_(*terms) if terms else Phone.mac != ""


def _number(name: str, text: str, maximum: int) -> int:
    if text.isascii() and text.isdigit() and len(text) <= 7 and 1 <= int(text) <= maximum:
        return int(text)
    raise FilterError(f"{name}: '{text[:MAX_TEXT_LENGTH]}' must be a whole number from 1 to {maximum}")


def contains_text(text: str, mac: Any, *others: Any) -> ColumnElement[bool]:
    """Return the condition that one of the columns contains *text*, or *mac* contains it without separators."""
    pattern = text
    for special in ("\\", "%", "_"):
        pattern = pattern.replace(special, "\\" + special)
    parts = [column.ilike(f"%{pattern}%", escape="\\") for column in (mac, *others)]
    digits = "".join(c for c in text.lower() if c not in ":-. ")
    if digits and digits != text.lower() and set(digits) <= set("0123456789abcdef"):
        parts.append(mac.contains(digits, autoescape=True))
    return or_(*parts)


def is_stuck(moment: int) -> ColumnElement[bool]:
    """Return the condition that a phone has been in its state too long. An expected one is stuck only once it was scanned in."""
    late = [and_(Phone.state == state, Phone.since <= moment - seconds * 1000) for state, seconds in STUCK_AFTER.items()]
    return and_(or_(*late), or_(Phone.state != State.EXPECTED, Phone.arrived > 0))


def is_silent(moment: int, days: int) -> ColumnElement[bool]:
    """Return the condition that a phone has not called home for *days* days, or since it was packed; 0 for never."""
    if not days:
        nobody: ColumnElement[bool] = Phone.mac == ""
        return nobody
    heard = case((Phone.state == State.PACKED, Phone.since), else_=Phone.contact)
    long_ago = moment - days * DAY
    return and_(Phone.state.in_((State.PACKED, State.DEPLOYED)), heard <= long_ago, Phone.asked_by_key_id <= long_ago)


def set_silent_days(sessions: sessionmaker[Session], days: int) -> None:
    """Have all sessions know after how many days a phone is silent, see silent_days()."""
    sessions.configure(info={"silent_days": days})


def silent_days(database: Session) -> int:
    """Return the number of days after which a phone that does not call home is silent; 0 if none is, such as without servers."""
    return int(database.info.get("silent_days", 0))
