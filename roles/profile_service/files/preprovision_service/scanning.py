# SPDX-License-Identifier: GPL-3.0-or-later
"""Scan-in and scan-out: what a label means for a phone, and what becomes of it.

Every change is one statement that holds only if what it was decided on still does, so that two scanners at once do not do a thing
twice.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from sqlalchemy import case, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from .clock import iso, local, now
from .database import OF_SCANS, Event, Phone, Setting, Shipment
from .domain.families import BUILTIN, Catalogue, ModelError
from .domain.progress import STATES, begin, read_facts, write_facts
from .domain.scans import CUSTOMER, MAC, MODEL, NAME, SERIAL, ScanError, ScannedPhone, find_model, read_label, read_scans
from .phone_list import COLUMNS, MILESTONES, describe, hint, plain_mac

LONGEST_CODE = 512
NGINX_ETAG = re.compile(r"[0-9a-f]{1,16}-[0-9a-f]{1,16}")
"""What nginx calls a file of the published tree: its time and its size."""

STATUS = {
    "added": 201,
    "found": 200,
    "ready": 200,
    "packed": 200,
    "returned": 200,
    "unreadable": 422,
    "unknown": 404,
    "duplicate": 409,
    "wrong": 409,
    "refused": 409,
}
"""Every verdict, with its HTTP status. From 400 on it is loud."""


@dataclass(frozen=True)
class Check:
    """One thing that must be right before a box is closed."""

    what: str
    good: bool
    text: str


@dataclass(frozen=True)
class Outcome:
    """What a scan has led to."""

    verdict: str
    """Key of STATUS."""
    title: str
    """One or two words to be read from two metres."""
    text: str
    phone: Mapping[str, Any] | None = None
    checks: tuple[Check, ...] = ()
    warnings: tuple[str, ...] = field(default=())

    @property
    def status(self) -> int:
        """The HTTP status that says the same."""
        return STATUS[self.verdict]

    @property
    def loud(self) -> bool:
        """Whether nobody may miss it."""
        return self.status >= 400


class _Refused(Exception):
    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.text)
        self.outcome = outcome


def _refuse(verdict: str, title: str, text: str, row: Any = None, **rest: Any) -> _Refused:
    return _Refused(Outcome(verdict, title, text, describe(row) if row else None, **rest))


def catalogue(database: Session) -> Catalogue:
    """Return the models that there are, with those of the user's own families."""
    own = database.scalar(select(Setting.value).where(Setting.name == "families"))
    return BUILTIN.extended(json.loads(own)) if own else BUILTIN


def read(text: str, models: Catalogue) -> dict[str, str]:
    """Return the codes of a label by variable; raise _Refused."""
    if len(text) > LONGEST_CODE:
        raise _refuse("unreadable", "UNREADABLE", f"the label holds {len(text)} characters; at most {LONGEST_CODE} are read")
    try:
        codes = read_label(text, models)
    except ScanError as error:
        raise _refuse("unreadable", "UNREADABLE", f"{error}.") from error
    if not set(codes) & {MAC, SERIAL, ""}:
        raise _refuse("unreadable", "NO UNIT", "The label names no MAC address and no serial number.")
    if MAC in codes and not plain_mac(codes[MAC]):
        raise _refuse("unreadable", "NO MAC ADDRESS", f"'{codes[MAC]}' is no MAC address that a phone can have.")
    return codes


def find(database: Session, codes: Mapping[str, str]) -> Any:
    """Return the row of the phone that all *codes* of a label agree on, or None when none is known; raise _Refused."""
    open_code = codes.get("", "")
    mac = plain_mac(codes.get(MAC, "")) or plain_mac(open_code)
    serial = (codes.get(SERIAL, "") or open_code).upper()
    terms = [Phone.mac == mac] if mac else []
    terms += [func.upper(Phone.serial) == serial] if serial else []
    rows = database.execute(select(*COLUMNS).where(or_(*terms)).limit(3)).all()
    by_mac = next((row for row in rows if row.mac == mac), None)
    others = [row for row in rows if row is not by_mac]
    if open_code and len(rows) > 1:
        names = " as well as of ".join(row.name for row in rows)
        text = f"'{open_code}' is a code of {names}; scan the other code of the unit."
        raise _refuse("unreadable", "WHICH UNIT?", text)
    if others and (by_mac or len(others) > 1 or (mac and not open_code)):
        names = " and ".join(f"{row.name} ({describe(row)['mac']})" for row in others)
        text = f"The serial number {serial} is that of {names}, and not of {codes.get(MAC, 'one unit')}."
        raise _refuse("wrong", "WRONG LABEL", text, by_mac)
    if by_mac and SERIAL in codes and by_mac.serial and by_mac.serial.upper() != serial:
        text = f"The label says serial number {serial}, but {by_mac.name} has {by_mac.serial}."
        raise _refuse("wrong", "WRONG LABEL", text, by_mac)
    return by_mac or (others[0] if others else None)


def look_up(database: Session, text: str) -> str:
    """Return the MAC address of the phone that a label, a MAC address, a serial number or a name means; empty for none."""
    try:
        row = find(database, read(text, catalogue(database)))
    except _Refused:
        row = None
    return str(row.mac) if row else database.scalar(select(Phone.mac).where(Phone.name == text)) or ""


def _check_model(codes: Mapping[str, str], row: Any, wanted: str, customer: str, models: Catalogue) -> None:
    for source, text in (("label", codes.get(MODEL, "")), ("choice on this page", wanted)):
        if not text:
            continue
        try:
            model = find_model(text, models).name
        except ModelError as error:
            raise _refuse("wrong", "WRONG MODEL", f"{error}.", row) from error
        if model != row.model:
            raise _refuse("wrong", "WRONG MODEL", f"{row.name} is to be {row.model}, but the {source} says {model}.", row)
    if customer and customer != row.customer:
        whose = row.customer or "no customer"
        raise _refuse("wrong", "WRONG CUSTOMER", f"{row.name} is for {whose}, but the choice on this page says {customer}.", row)


# ---- in


def scan_in(database: Session, text: str, operator: str, *, model: str = "", customer: str = "", add: bool = False) -> Outcome:
    """Note that the unit with this label is here. It must be of *model* and *customer*; *add*: one that nobody expects is added."""
    models = catalogue(database)
    try:
        codes = read(text, models)
        row = find(database, codes)
        if row is None:
            return _add(database, codes, operator, model, customer, models) if add else _unknown(codes)
        _check_model(codes, row, model, customer, models)
        return _arrive(database, row, codes, operator)
    except _Refused as refused:
        database.rollback()
        return refused.outcome


def _unknown(codes: Mapping[str, str]) -> Outcome:
    code = codes.get(MAC) or codes.get(SERIAL) or codes[""]
    return Outcome("unknown", "UNKNOWN", f"Nobody expects {code}. Put it aside, or add it with its model.")


def _arrive(database: Session, row: Any, codes: Mapping[str, str], operator: str) -> Outcome:
    if row.state == "packed":
        raise _refuse("duplicate", "PACKED ALREADY", f"{row.name} was packed on {local(row.since)} by {row.packed_by}.", row)
    moment = now()
    serial = codes.get(SERIAL, "").upper()
    arrived = update(Phone).where(Phone.mac == row.mac, Phone.arrived == 0)
    values = {
        "arrived": moment,
        # From now on it is on the bench, and can be stuck there
        "since": case((Phone.state == "expected", moment), else_=Phone.since),
        **({"serial": serial} if serial and not row.serial else {}),
    }
    if _changed(database, arrived.values(values)) != 1:
        raise _refuse("duplicate", "DUPLICATE", f"{row.name} was scanned in on {local(row.arrived or moment)}.", row)
    _note(database, row.mac, "scanned", {"operator": operator, **_named(codes)}, moment)
    database.commit()
    return Outcome("found", "FOUND", f"{row.name}: {row.model}{_for(row.customer)}.", describe(find(database, codes)))


def _add(database: Session, codes: Mapping[str, str], operator: str, model: str, customer: str, models: Catalogue) -> Outcome:
    codes = _named_code(database, codes)
    if MAC not in codes:
        raise _refuse("unknown", "UNKNOWN", f"Nobody expects {codes[SERIAL]}. To add the unit, scan its MAC address.")
    unit, warnings = _read_unit(codes, model, customer, models)
    variables = dict(unit.variables)
    stored = json.dumps(variables, sort_keys=True)
    moment = now()
    phone = Phone(
        mac=unit.mac.plain,
        name=unit.name,
        serial=variables.get(SERIAL, ""),
        model=unit.model.name,
        family=unit.model.family.name,
        customer=variables.get(CUSTOMER, ""),
        source="scan",
        variables=stored,
        version=hashlib.sha256(stored.encode()).hexdigest()[:32],
        since=moment,
        arrived=moment,
    )
    try:
        database.add(phone)
        _note(database, unit.mac.plain, "scanned", {"operator": operator, "added": 1, **_named(codes)}, moment)
        database.commit()
    except IntegrityError as error:
        raise _refuse("duplicate", "DUPLICATE", f"{unit.name} was added before.") from error
    added = find(database, codes)
    whom = _for(unit.variables.get(CUSTOMER, ""))
    return Outcome("added", "ADDED", f"{unit.name}: {unit.model.name}{whom}.", describe(added), warnings=warnings)


def _named_code(database: Session, codes: Mapping[str, str]) -> Mapping[str, str]:
    """Return *codes* with a lone one called a MAC address if phones that are known begin alike."""
    if "" not in codes:
        return codes
    mac = plain_mac(codes[""])
    if mac and database.scalar(select(Phone.mac).where(Phone.mac.startswith(mac[:6])).limit(1)):
        return {**{kind: code for kind, code in codes.items() if kind}, MAC: codes[""]}
    text = f"'{codes['']}' may be a MAC address as well as a serial number; scan both codes, or type MAC: before it."
    raise _refuse("unreadable", "WHICH CODE?", text)


def _read_unit(codes: Mapping[str, str], model: str, customer: str, models: Catalogue) -> tuple[ScannedPhone, tuple[str, ...]]:
    """Have the label checked as a file of labels is, and the choice of the page with it."""
    label = codes.get(MODEL, "")
    if not (label or model):
        raise _refuse("unknown", "UNKNOWN", f"Nobody expects {codes[MAC]}. To add it, choose its model.")
    try:
        wanted = {find_model(name, models).name for name in (label, model) if name}
    except ModelError as error:
        raise _refuse("wrong", "WRONG MODEL", f"{error}.") from error
    if len(wanted) > 1:
        raise _refuse("wrong", "WRONG MODEL", f"The label says {label}, but the choice on this page says {model}.")
    columns = [kind for kind in (MAC, SERIAL) if kind in codes]
    text = "\t".join(columns) + "\n" + "\t".join(codes[kind] for kind in columns)
    defaults = {MODEL: wanted.pop(), CUSTOMER: codes.get(CUSTOMER, "") or customer}
    try:
        scans = read_scans(text, "label", defaults=defaults, catalogue=models)
    except ScanError as error:
        raise _refuse("unreadable", "UNREADABLE", f"{str(error).splitlines()[0].partition(': ')[2]}.") from error
    warnings = tuple(re.sub(r"^label: line \d+ \([^)]*\): ", "", warning) for warning in scans.warnings)
    return scans.phones[0], warnings


# ---- out


def scan_out(
    database: Session,
    unit: str,
    box: str,
    operator: str,
    *,
    states: Collection[str],
    current: Callable[[str], Collection[str] | None],
) -> Outcome:
    """Pack the unit with the label *unit* if it is done and the label *box* is its own too; without *box* tell whether it is done.

    *states* are those in which a phone may leave, *current* says the ETags of a phone's profiles as of now, None if it cannot.
    """
    models = catalogue(database)
    try:
        codes = read(unit, models)
        row = find(database, codes)
        if row is None:
            return _unknown_box(codes)
        checks = (_label_check(codes, row, models), _state_check(row, states), _profile_check(row, current))
        bad = [check for check in checks if not check.good]
        if row.state == "packed":
            raise _refuse("duplicate", "PACKED ALREADY", f"{row.name} was packed on {local(row.since)} by {row.packed_by}.", row)
        if bad:
            reasons = " ".join(check.text for check in bad)
            raise _refuse("refused", "DO NOT PACK", f"{row.name}: {reasons}", row, checks=checks)
        if not box.strip():
            return Outcome("ready", "SCAN THE BOX", f"{row.name} is done. Scan the label of its box.", describe(row), checks)
        return _pack(database, row, read(box, models), operator, states, checks, models)
    except _Refused as refused:
        database.rollback()
        return refused.outcome


def _unknown_box(codes: Mapping[str, str]) -> Outcome:
    code = codes.get(MAC) or codes.get(SERIAL) or codes[""]
    return Outcome("unknown", "UNKNOWN", f"Nobody knows {code}. It must not leave.")


def _label_check(codes: Mapping[str, str], row: Any, models: Catalogue) -> Check:
    _check_model(codes, row, "", "", models)
    return Check("Label", True, f"{row.model}, serial number {row.serial or 'not noted'}.")


def _state_check(row: Any, states: Collection[str]) -> Check:
    _stuck, why = hint(row, now())
    if row.state in states:
        return Check("State", True, f"{row.state} since {local(row.since)}.")
    wanted = " or ".join(state for state in STATES if state in states)
    return Check("State", False, f"Its state is {row.state}, not {wanted}.{f' {why[:1].upper()}{why[1:]}' if why else ''}")


def _profile_check(row: Any, current: Callable[[str], Collection[str] | None]) -> Check:
    if not row.profile_hash:
        return Check("Profile", False, "It has fetched no profile of its own.")
    short = row.profile_hash[:12]
    if NGINX_ETAG.fullmatch(row.profile_hash):
        return Check("Profile", True, f"{short}, from the published files.")
    known = current(row.mac)
    if known is None:
        return Check("Profile", False, "Its profile cannot be made now, so that nobody can say whether it has the right one.")
    if row.profile_hash not in known:
        return Check("Profile", False, f"It has the profile {short}, which has changed since; let it resync.")
    return Check("Profile", True, f"{short}, as it is now.")


def _pack(
    database: Session,
    row: Any,
    codes: Mapping[str, str],
    operator: str,
    states: Collection[str],
    checks: tuple[Check, ...],
    models: Catalogue,
) -> Outcome:
    other = find(database, codes)
    if other is None or other.mac != row.mac:
        whose = f"that of {other.name} ({other.model})" if other else "nobody's that is known"
        raise _refuse("wrong", "WRONG BOX", f"The unit is {row.name} ({row.model}), but the label of the box is {whose}.", row)
    _check_model(codes, row, "", "", models)
    moment = now()
    kept = (Phone.mac == row.mac, Phone.state.in_(states), Phone.profile_hash == row.profile_hash)
    first = case((Phone.first_packed == 0, moment), else_=Phone.first_packed)
    packed = {"state": "packed", "since": moment, "reason": "", "packed_by": operator, "first_packed": first}
    if _changed(database, update(Phone).where(*kept).values(packed)) != 1:
        raise _refuse("refused", "SCAN AGAIN", f"{row.name} has changed just now.", row)
    _note(database, row.mac, "packed", {"operator": operator, "profile_hash": row.profile_hash, **_named(codes)}, moment)
    fetched = read_facts(row.facts).get("profile")
    same = ("mac", "name", "serial", "model", "customer", "firmware", "profile_hash", "subject", "arrived")
    shipment = {name: getattr(row, name) for name in same}
    database.add(Shipment(**shipment, time=moment, operator=operator, fetched=fetched.time if fetched else 0))
    database.commit()
    after = database.execute(select(*COLUMNS).where(Phone.mac == row.mac)).one()
    return Outcome("packed", "PACKED", f"{row.name}{_for(row.customer)}. Close the box.", describe(after), checks)


def take_back(database: Session, mac: str, operator: str) -> Outcome:
    """Let a unit begin anew: out of its box, or back from a customer."""
    row = database.execute(select(*COLUMNS).where(Phone.mac == mac)).first()
    if row is None:
        return Outcome("unknown", "UNKNOWN", f"Nobody knows {mac}.")
    moment = now()
    # What its events said before counts no more, even what becomes known later
    facts = write_facts(begin(moment))
    anew = {"state": "expected", "since": moment, "reason": "", "profile_hash": "", "packed_by": "", "arrived": 0, "facts": facts}
    anew |= {column.key: 0 for column in MILESTONES.values()}
    for change in (
        update(Phone).where(Phone.mac == mac).values(anew),
        update(Shipment).where(Shipment.mac == mac, Shipment.returned == 0).values(returned=moment),
    ):
        _changed(database, change)
    _note(database, mac, "returned", {"operator": operator, "state": row.state}, moment)
    database.commit()
    after = database.execute(select(*COLUMNS).where(Phone.mac == mac)).one()
    return Outcome("returned", "TAKEN BACK", f"{row.name} is expected again.", describe(after))


def last_scans(database: Session, kind: str, limit: int = 8) -> list[dict[str, Any]]:
    """Return the latest events of that kind, with their phones."""
    query = select(Event.time, Event.detail, *COLUMNS).join(Phone, Phone.mac == Event.mac).where(OF_SCANS, Event.kind == kind)
    rows = database.execute(query.order_by(Event.id.desc()).limit(limit))
    return [{**describe(row), "time": iso(row.time), "operator": json.loads(row.detail).get("operator", "")} for row in rows]


def _named(codes: Mapping[str, str]) -> dict[str, str]:
    return {(kind.removeprefix("phone_") or "code"): text for kind, text in codes.items() if kind != NAME}


def _for(customer: str) -> str:
    return f" for {customer}" if customer else ""


def _changed(database: Session, change: Any) -> int:
    """Do an UPDATE; return how many rows it was good for."""
    result: Any = database.execute(change.execution_options(synchronize_session=False))
    return int(result.rowcount)


def _note(database: Session, mac: str, kind: str, detail: Mapping[str, object], moment: int) -> None:
    database.add(Event(key=uuid4().hex, time=moment, mac=mac, kind=kind, detail=json.dumps(detail)))
    database.flush()
