# SPDX-License-Identifier: GPL-3.0-or-later
"""Scan-in: a unit arrives at the bench."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import case, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from ..clock import local, now
from ..domain.common.mac import parse_mac
from ..domain.events.progress.progress_table import State
from ..domain.families.catalogue import Catalogue
from ..domain.families.model import ModelError
from ..domain.phones.label_scans import read_scans
from ..domain.phones.model_labels import find_model
from ..domain.phones.scan_columns import Column
from ..domain.phones.scan_units import ScanError
from ..domain.phones.scanned_phones import ScannedPhone
from ..store.queries import describe, plain_mac
from ..store.resets import reset_values
from ..store.sync import INVENTORY
from ..store.tables import Phone
from .journal import add_event, for_customer, update_rows
from .labels import Codes, catalogue, check_model, find, loggable, read, shown_code
from .outcomes import NO_PROFILE, Outcome, Refused, Verdict, already_packed, refuse

_NO_PROFILE = f"{NO_PROFILE[:1].upper()}{NO_PROFILE[1:]}."


@dataclass(frozen=True)
class Selection:
    """What the operator has selected for the units on the bench."""

    model: str = ""
    customer: str = ""
    add: bool = False
    """Whether units that are not expected are added."""


def scan_in(database: Session, text: str, operator: str, selected: Selection = Selection()) -> Outcome:
    """Record that the unit with the label *text* has arrived, if it matches what is selected."""
    models = catalogue(database)
    try:
        codes = read(text, models)
        row = find(database, codes)
        if row is not None:
            check_model(codes, row, models, selected.model)
            _check_customer(row, selected.customer)
            return _arrive(database, row, codes, operator)
        if selected.add:
            return _add(database, codes, operator, selected, models)
    except Refused as refused:
        database.rollback()
        return refused.outcome
    return Outcome(
        Verdict.UNKNOWN, "UNKNOWN", f"{shown_code(codes)} is not expected. Put it aside, or select its model and add it."
    )


def _check_customer(row: Any, customer: str) -> None:
    if customer and customer != row.customer:
        text = f"{row.name} is for {row.customer or 'no customer'}, but the selection on this page says {customer}."
        raise refuse(Verdict.WRONG, "WRONG CUSTOMER", text, row)


def _arrive(database: Session, row: Any, codes: Codes, operator: str) -> Outcome:
    if row.state == State.PACKED:
        raise already_packed(row)
    if row.done and row.unit_file:
        return _arm_again(database, row, codes, operator)
    moment = now()
    arrived = update(Phone).where(Phone.mac == row.mac, Phone.arrived == 0)
    values = {
        "arrived": moment,
        # From now on it is on the bench, and can be stuck there
        "since": case((Phone.state == State.EXPECTED, moment), else_=Phone.since),
        **_new_serial(row, codes),
    }
    if update_rows(database, arrived.values(values)) != 1:
        raise _duplicate(row, moment)
    add_event(database, row.mac, "scanned", {"operator": operator, **loggable(codes)}, moment)
    database.commit()
    text = f"{row.name}: {row.model}{for_customer(row.customer)}."
    if row.source != INVENTORY:
        text = f"{text} {_NO_PROFILE}"
    return Outcome(Verdict.FOUND, "FOUND", text, describe(find(database, codes)))


def _arm_again(database: Session, row: Any, codes: Codes, operator: str) -> Outcome:
    """Have a unit that was done start over, so that its own file is served again."""
    moment = now()
    unchanged = (Phone.mac == row.mac, Phone.done == row.done, Phone.state != State.PACKED)
    values = {**reset_values(moment), "arrived": moment, **_new_serial(row, codes)}
    if update_rows(database, update(Phone).where(*unchanged).values(values)) != 1:
        raise _duplicate(row, moment)
    add_event(database, row.mac, "scanned", {"operator": operator, "rearmed": 1, **loggable(codes)}, moment)
    database.commit()
    text = f"{row.name}: its own file is served again. Reset the unit to factory settings, so that it asks for it."
    return Outcome(Verdict.ARMED, "ARMED AGAIN", text, describe(find(database, codes)))


def _new_serial(row: Any, codes: Codes) -> dict[str, str]:
    """Return the serial number on the label as a column, if the phone's is unknown."""
    serial = codes.get(Column.SERIAL, "")
    return {"serial": serial} if serial and not row.serial else {}


def _duplicate(row: Any, moment: int) -> Refused:
    return refuse(Verdict.DUPLICATE, "DUPLICATE", f"{row.name} was scanned in on {local(row.arrived or moment)}.", row)


def _add(database: Session, codes: Codes, operator: str, selected: Selection, models: Catalogue) -> Outcome:
    codes = _with_mac(database, codes)
    if Column.MAC not in codes:
        text = f"{codes[Column.SERIAL]} is not expected. To add the unit, scan its MAC address."
        raise refuse(Verdict.UNKNOWN, "UNKNOWN", text)
    unit, warnings = _read_unit(codes, selected, models)
    moment = now()
    try:
        database.add(_new_phone(unit, moment))
        add_event(database, unit.mac.plain, "scanned", {"operator": operator, "added": 1, **loggable(codes)}, moment)
        database.commit()
    except IntegrityError as error:
        raise refuse(Verdict.DUPLICATE, "DUPLICATE", f"{unit.name} was already added.") from error
    text = f"{unit.name}: {unit.model.name}{for_customer(unit.variables.get(Column.CUSTOMER, ''))}. {_NO_PROFILE}"
    return Outcome(Verdict.ADDED, "ADDED", text, describe(find(database, codes)), warnings=warnings)


def _new_phone(unit: ScannedPhone, moment: int) -> Phone:
    variables = dict(unit.variables)
    stored = json.dumps(variables, sort_keys=True)
    return Phone(
        mac=unit.mac.plain,
        name=unit.name,
        serial=variables.get(Column.SERIAL, ""),
        model=unit.model.name,
        family=unit.model.family.name,
        customer=variables.get(Column.CUSTOMER, ""),
        source="scan",
        variables=stored,
        version=hashlib.sha256(stored.encode()).hexdigest()[:32],
        since=moment,
        arrived=moment,
    )


def _with_mac(database: Session, codes: Codes) -> Mapping[str, str]:
    """Return *codes* with an ambiguous one as MAC address, if it begins as those of known phones do; raise Refused."""
    if "" not in codes:
        return codes
    mac = plain_mac(codes[""])
    if mac and database.scalar(select(Phone.mac).where(Phone.mac.startswith(mac[:6])).limit(1)):
        return {**{kind: code for kind, code in codes.items() if kind}, Column.MAC: codes[""]}
    text = f"'{codes['']}' may be a MAC address or a serial number; scan both codes, or type MAC: before it."
    raise refuse(Verdict.UNREADABLE, "WHICH CODE?", text)


def _read_unit(codes: Codes, selected: Selection, models: Catalogue) -> tuple[ScannedPhone, tuple[str, ...]]:
    """Check the label as a line of a label file, together with the selection; return the unit and warnings, or raise Refused."""
    label = codes.get(Column.MODEL, "")
    if not (label or selected.model):
        raise refuse(Verdict.UNKNOWN, "UNKNOWN", f"{codes[Column.MAC]} is not expected. To add it, select its model.")
    try:
        wanted = {find_model(name, models).name for name in (label, selected.model) if name}
    except ModelError as error:
        raise refuse(Verdict.WRONG, "WRONG MODEL", f"{error}.") from error
    if len(wanted) > 1:
        text = f"The label says {label}, but the selection on this page says {selected.model}."
        raise refuse(Verdict.WRONG, "WRONG MODEL", text)
    # With colons, so that no MAC address of digits is taken for an article number
    cells = {
        Column.MAC: parse_mac(codes[Column.MAC]).colon,
        **({Column.SERIAL: codes[Column.SERIAL]} if Column.SERIAL in codes else {}),
    }
    text = "\t".join(cells) + "\n" + "\t".join(cells.values())
    defaults: dict[str, str] = {Column.MODEL: wanted.pop(), Column.CUSTOMER: codes.get(Column.CUSTOMER, "") or selected.customer}
    try:
        scans = read_scans(text, "label", defaults=defaults, catalogue=models)
    except ScanError as error:
        reason = str(error).splitlines()[0].partition(": ")[2]
        raise refuse(Verdict.UNREADABLE, "UNREADABLE", f"{reason}.") from error
    warnings = tuple(re.sub(r"^label: line \d+ \([^)]*\): ", "", warning) for warning in scans.warnings)
    return scans.phones[0], warnings
