# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels: their codes, and the phone that they belong to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from ..domain.families.catalogue import BUILTIN, Catalogue
from ..domain.families.model import ModelError
from ..domain.phones.label_scans import read_label
from ..domain.phones.model_labels import find_model
from ..domain.phones.scan_columns import Column
from ..domain.phones.scan_units import ScanError
from ..domain.phones.serial_numbers import normalize_serial
from ..store.queries import COLUMNS, describe, plain_mac
from ..store.tables import Phone, Setting
from .outcomes import Refused, Verdict, refuse

MAX_CODE_LENGTH = 512
BLANKS = " \t\r\n"
"""What is stripped around a code; a separator of the standards at its beginning says what it is."""

Codes = Mapping[str, str]
"""Codes of a label by variable; the empty name stands for one that may be a MAC address or a serial number."""


def catalogue(database: Session) -> Catalogue:
    """Return all models, with those of the user's own families."""
    own = database.scalar(select(Setting.value).where(Setting.name == "families"))
    return BUILTIN.extended(json.loads(own)) if own else BUILTIN


def read(text: str, models: Catalogue) -> dict[str, str]:
    """Return the codes of a label, the serial number in its normal form; raise Refused."""
    if len(text) > MAX_CODE_LENGTH:
        reason = f"The label has {len(text)} characters; at most {MAX_CODE_LENGTH} are allowed."
        raise refuse(Verdict.UNREADABLE, "UNREADABLE", reason)
    try:
        codes = read_label(text, models)
    except ScanError as error:
        raise refuse(Verdict.UNREADABLE, "UNREADABLE", f"{error}.") from error
    if not set(codes) & {Column.MAC, Column.SERIAL, ""}:
        raise refuse(Verdict.UNREADABLE, "NO UNIT", "The label contains neither a MAC address nor a serial number.")
    if Column.MAC in codes and not plain_mac(codes[Column.MAC]):
        raise refuse(Verdict.UNREADABLE, "NO MAC ADDRESS", f"'{codes[Column.MAC]}' is not a valid MAC address of a phone.")
    if Column.SERIAL in codes:
        codes[Column.SERIAL] = normalize_serial(codes[Column.SERIAL])
    return codes


def find(database: Session, codes: Codes) -> Any:
    """Return the row of the phone that all *codes* agree on, or None if none is known; raise Refused."""
    open_code = codes.get("", "")
    mac = plain_mac(codes.get(Column.MAC, "")) or plain_mac(open_code)
    serial = codes.get(Column.SERIAL, "") or open_code.upper()
    terms = [Phone.mac == mac] if mac else []
    terms += [func.upper(Phone.serial) == serial] if serial else []
    rows = database.execute(select(*COLUMNS).where(or_(*terms)).limit(3)).all()
    by_mac = next((row for row in rows if row.mac == mac), None)
    others = [row for row in rows if row is not by_mac]
    if open_code and len(rows) > 1:
        names = " and ".join(row.name for row in rows)
        text = f"'{open_code}' is a code of more than one unit: {names}. Scan the unit's other code."
        raise refuse(Verdict.UNREADABLE, "WHICH UNIT?", text)
    if others and (by_mac or len(others) > 1 or (mac and not open_code)):
        names = " and ".join(f"{row.name} ({describe(row)['mac']})" for row in others)
        text = f"Serial number {serial} belongs to {names}, not to {codes.get(Column.MAC, 'a single unit')}."
        raise refuse(Verdict.WRONG, "WRONG LABEL", text, by_mac)
    if by_mac and Column.SERIAL in codes and by_mac.serial and normalize_serial(by_mac.serial) != serial:
        text = f"The label says serial number {serial}, but {by_mac.name} has {by_mac.serial}."
        raise refuse(Verdict.WRONG, "WRONG LABEL", text, by_mac)
    return by_mac or (others[0] if others else None)


def look_up(database: Session, text: str) -> str:
    """Return the MAC address of the phone that a label, MAC address, serial number or name belongs to; empty for none."""
    try:
        row = find(database, read(text, catalogue(database)))
    except Refused:
        row = None
    return str(row.mac) if row else database.scalar(select(Phone.mac).where(Phone.name == text)) or ""


def check_model(codes: Codes, row: Any, models: Catalogue, selected: str = "") -> None:
    """Raise Refused if the label, or the model *selected* on the page, names another model than the phone's."""
    for source, text in (("label", codes.get(Column.MODEL, "")), ("selection on this page", selected)):
        if not text:
            continue
        try:
            model = find_model(text, models).name
        except ModelError as error:
            raise refuse(Verdict.WRONG, "WRONG MODEL", f"{error}.", row) from error
        if model != row.model:
            text = f"{row.name} should be {row.model}, but the {source} says {model}."
            raise refuse(Verdict.WRONG, "WRONG MODEL", text, row)


def shown_code(codes: Codes) -> str:
    """Return the code by which a message names a unit."""
    return codes.get(Column.MAC) or codes.get(Column.SERIAL) or codes[""]


def loggable(codes: Codes) -> dict[str, str]:
    """Return the codes as an event's detail."""
    return {(kind.removeprefix("phone_") or "code"): text for kind, text in codes.items() if kind != Column.NAME}
