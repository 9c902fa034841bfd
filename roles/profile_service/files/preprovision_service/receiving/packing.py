# SPDX-License-Identifier: GPL-3.0-or-later
"""Scan-out: a finished unit is packed, or taken back out of its box."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from typing import Any

from sqlalchemy import case, update
from sqlalchemy.orm import Session

from ..clock import local, now
from ..domain.events.logs.evidence import PROOFS
from ..domain.events.progress.observations import Observations, profile_evidence, read_observations
from ..domain.events.progress.progress import is_proved
from ..domain.events.progress.progress_table import STATES, ObservationKind, State
from ..domain.families.catalogue import Catalogue
from ..store.queries import describe, explain_delay, find_row
from ..store.resets import reset_values
from ..store.tables import Phone, Shipment
from .journal import add_event, for_customer, update_rows
from .labels import Codes, catalogue, check_model, find, loggable, read, shown_code
from .outcomes import Check, Outcome, Refused, Verdict, already_packed, refuse

PACK_STATES = (State.RESYNCED, State.REPORTED)
"""States in which a phone may be packed."""

MAX_REASON_LENGTH = 255
"""Characters of an operator's reason for packing a unit without evidence, or before the provisioning servers know it."""

EVIDENCE = "Evidence"
"""Name of the check of evidence."""

NGINX_ETAG = re.compile(r"[0-9a-f]{1,16}-[0-9a-f]{1,16}")
"""nginx's ETag of a published file: its time and its size."""

_SHIPPED = ("mac", "name", "serial", "model", "customer", "firmware", "subject", "arrived")
"""Columns that a shipment has from its phone."""

CurrentETags = Callable[[str], Collection[str] | None]
"""Returns the ETags of a phone's profiles as of now, or None if they cannot be generated."""


HomeCheck = Callable[[str], Check | None]
"""Returns the check whether the provisioning servers have a phone's profile; None where there are none."""


def scan_out(
    database: Session, unit: str, box: str, operator: str, current: CurrentETags, home: HomeCheck, override: str = ""
) -> Outcome:
    """Pack the unit with the label *unit* if it is done and *box* is the label of its box; without *box* only check the unit.

    *override*: the operator's reason for packing it although nothing proves that it has fetched its profile, or no provisioning
    server has that.
    """
    models = catalogue(database)
    override = override.strip()[:MAX_REASON_LENGTH]
    try:
        codes = read(unit, models)
        row = find(database, codes)
        if row is None:
            return Outcome(Verdict.UNKNOWN, "UNKNOWN", f"Unknown device {shown_code(codes)}. Do not ship it.")
        checks = _check(codes, row, models, current, home)
        missing = [check for check in checks if not check.good]
        if missing and not override:
            raise _refuse_without_reason(row, checks, missing)
        checks = tuple(_overridden(check, override) for check in checks)
        if not box.strip():
            text = f"{row.name} is done. Scan the label of its box."
            return Outcome(Verdict.READY, "SCAN THE BOX", text, describe(row), checks)
        box_codes = read(box, models)
        _check_box(database, row, box_codes, models)
        return _pack(database, row, box_codes, operator, checks, override if missing else "")
    except Refused as refused:
        database.rollback()
        return refused.outcome


def _check(codes: Codes, row: Any, models: Catalogue, current: CurrentETags, home: HomeCheck) -> tuple[Check, ...]:
    """Return the checks of a unit that may be packed, if need be for a reason; raise Refused."""
    observations = read_observations(row.facts)
    evidence = evidence_check(row, observations)
    checks = (label_check(codes, row, models), state_check(row), profile_check(row, observations, current))
    if row.state == State.PACKED:
        raise already_packed(row)
    reasons = [check.text for check in checks if not check.good]
    if reasons:
        raise refuse(Verdict.REFUSED, "DO NOT PACK", f"{row.name}: {' '.join(reasons)}", row, (*checks, evidence))
    # It asks other servers, so it comes last
    at_home = home(row.mac)
    return (*checks, evidence, *([at_home] if at_home else []))


def _refuse_without_reason(row: Any, checks: tuple[Check, ...], missing: Sequence[Check]) -> Refused:
    unproven = any(check.what == EVIDENCE for check in missing)
    verdict, title = (Verdict.UNPROVEN, "NO EVIDENCE") if unproven else (Verdict.UNSERVED, "NOT KNOWN AT HOME")
    return refuse(verdict, title, f"{row.name}: {' '.join(check.text for check in missing)}", row, checks)


def _overridden(check: Check, override: str) -> Check:
    """Return a check that does not keep a unit from being packed; *override*: the operator's reason, if there is one."""
    if check.good:
        return check
    if check.what == EVIDENCE:
        return Check(EVIDENCE, True, f"none; packed by an operator's decision: {override}.")
    return Check(check.what, True, f"packed by an operator's decision: {override}. {check.text}")


def label_check(codes: Codes, row: Any, models: Catalogue) -> Check:
    """Return the check of a unit's label; raise Refused if it names another model."""
    check_model(codes, row, models)
    return Check("Label", True, f"{row.model}, serial number {row.serial or 'unknown'}.")


def state_check(row: Any) -> Check:
    """Return the check of a unit's state."""
    if row.state in PACK_STATES:
        return Check("State", True, f"{row.state} since {local(row.since)}.")
    _stuck, why = explain_delay(row, now())
    wanted = " or ".join(state for state in STATES if state in PACK_STATES)
    return Check("State", False, f"Its state is {row.state}, not {wanted}.{f' {why[:1].upper()}{why[1:]}' if why else ''}")


def profile_check(row: Any, observations: Observations, current: CurrentETags) -> Check:
    """Return the check whether a unit has its current profile."""
    etag = _etag(row, observations)
    if not etag:
        return _unit_file_check(observations)
    short = etag[:12]
    if NGINX_ETAG.fullmatch(etag):
        return Check("Profile", True, f"{short}, from the published files.")
    known = current(row.mac)
    if known is None:
        return Check("Profile", False, "Its profile cannot be generated now, so it cannot be compared with the one it has.")
    if etag not in known:
        return Check("Profile", False, f"Its profile {short} has changed since it was fetched; let it resync.")
    return Check("Profile", True, f"{short}, current.")


def _etag(row: Any, observations: Observations) -> str:
    """Return the ETag of the profile that the unit fetched last; a claim does not count beside what is proved."""
    proved = profile_evidence(observations)
    return str(observations.certain.get(ObservationKind.PROFILE_HASH).text if proved else row.profile_hash)


def _unit_file_check(observations: Observations) -> Check:
    """Return the check of a unit without an ETag; TFTP has none, so nothing says whether the file has changed since."""
    fetched = observations.certain.get(ObservationKind.UNIT_FILE_FETCHED)
    if not fetched.time:
        return Check("Profile", False, "It has not fetched its own profile.")
    return Check("Profile", True, f"fetched by TFTP on {local(fetched.time)}.")


def evidence(row: Any, observations: Observations) -> str:
    """Return what proves that a unit has fetched its profile and is done: one of PROOFS, or an empty string."""
    return profile_evidence(observations) if is_proved(observations, PACK_STATES, bool(row.logs)) else ""


def evidence_check(row: Any, observations: Observations) -> Check:
    """Return the check whether the unit itself has fetched its profile."""
    proof = evidence(row, observations)
    if proof:
        return Check(EVIDENCE, True, f"it fetched its profile {PROOFS[proof]}.")
    text = (
        "Nothing proves that this unit has fetched its profile and applied it: anybody could have sent what was received."
        " Connect it to the bench and let it resync, or give a reason for packing it without evidence."
    )
    return Check(EVIDENCE, False, text)


def _check_box(database: Session, row: Any, codes: Codes, models: Catalogue) -> None:
    other = find(database, codes)
    if other is None or other.mac != row.mac:
        owner = f"{other.name} ({other.model})" if other else "no known phone"
        text = f"The unit is {row.name} ({row.model}), but the label of the box belongs to {owner}."
        raise refuse(Verdict.WRONG, "WRONG BOX", text, row)
    check_model(codes, row, models)


def _pack(database: Session, row: Any, codes: Codes, operator: str, checks: tuple[Check, ...], override: str) -> Outcome:
    moment = now()
    unchanged = (Phone.mac == row.mac, Phone.state.in_(PACK_STATES), Phone.profile_hash == row.profile_hash)
    first = case((Phone.first_packed == 0, moment), else_=Phone.first_packed)
    packed = {"state": State.PACKED, "since": moment, "claimed": 0, "reason": "", "packed_by": operator, "first_packed": first}
    packed |= {"packed": moment}
    if update_rows(database, update(Phone).where(*unchanged).values(packed)) != 1:
        raise refuse(Verdict.REFUSED, "SCAN AGAIN", f"{row.name} has changed in the meantime.", row)
    observations = read_observations(row.facts)
    proof = evidence(row, observations)
    grounds = {"profile_hash": _etag(row, observations), "evidence": proof, "override": override}
    noted = {name: text for name, text in grounds.items() if text}
    add_event(database, row.mac, "packed", {"operator": operator, **noted, **loggable(codes)}, moment)
    fetched = observations.certain.get(ObservationKind.PROFILE_FETCHED)
    shipment = {**{name: getattr(row, name) for name in _SHIPPED}, **grounds}
    database.add(Shipment(**shipment, time=moment, operator=operator, fetched=fetched.time))
    database.commit()
    text = f"{row.name}{for_customer(row.customer)}. Close the box."
    return Outcome(Verdict.PACKED, "PACKED", text, describe(find_row(database, row.mac)), checks)


def take_back(database: Session, mac: str, operator: str) -> Outcome:
    """Reset a unit to expected: it comes out of its box, or back from a customer."""
    row = find_row(database, mac)
    if row is None:
        return Outcome(Verdict.UNKNOWN, "UNKNOWN", f"Unknown phone {mac}.")
    moment = now()
    update_rows(database, update(Phone).where(Phone.mac == mac).values(reset_values(moment)))
    update_rows(database, update(Shipment).where(Shipment.mac == mac, Shipment.returned == 0).values(returned=moment))
    add_event(database, mac, "returned", {"operator": operator, "state": row.state}, moment)
    database.commit()
    return Outcome(Verdict.RETURNED, "TAKEN BACK", f"{row.name} is expected again.", describe(find_row(database, mac)))
