# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Show everything known about one phone on one page, which begins with the likely cause of its failure."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ..common.mac import parse_mac
from ..common.redaction import redact
from ..common.suggest import did_you_mean, nearest
from ..common.text_tables import align
from ..events.causes.causes import Diagnosis, diagnosis_of
from ..events.causes.clocks import describe_offset
from ..events.diagnosis.diagnosis import diagnose_on_station
from ..events.diagnosis.failure_case import Case
from ..events.diagnosis.known_facts import EventFacts, PhoneFacts, PhoneRow, StationFacts, existing_paths, has_unit_file
from ..events.diagnosis.phone_diagnosis import diagnose_models_file, diagnose_phone
from ..events.logs.evidence import CLAIMS, CONTACTS, Place, evidence_of
from ..events.logs.log_lines import Event, EventKind, mac_of
from ..events.progress.home_contact import diagnose_absence, last_claimed_contact, last_contact, last_failure
from ..events.progress.observations import Observations, apply_events, reset
from ..events.progress.progress import Position, position_of
from ..events.progress.progress_table import STATE_DESCRIPTIONS, STUCK_AFTER, ObservationKind, State
from .phone_tables import format_explanation

_KINDS = frozenset(EventKind)
_MAX_EVENTS = 25
_MAX_LINES = 10
_DONE = (State.RESYNCED, State.REPORTED, State.PACKED, State.DEPLOYED)


def format_page(
    phone: PhoneFacts,
    station: StationFacts,
    known: Mapping[str, str],
    parameters: Iterable[Mapping[str, str]] = (),
    names: Sequence[str] = (),
) -> str:
    """Return the page of one phone.

    *phone* and *station*: results of the module phone_facts. *known*: name, model and serial number from the inventory; empty for
    a phone that is not in it. *parameters*: the explanation of the module profiles. *names*: to suggest one of.
    """
    if not phone["mac"] or not (known or _is_known_here(phone)):
        return _unknown(str(phone["who"]), names)
    observations = apply_events(reset(_row(phone).get("begun", 0)), _events(phone), phone["mac"], known.get("serial", ""))
    position = position_of(observations, _row(phone).get("packed", 0), bool(_row(phone).get("logs", 1)))
    found = _cause(phone, station, observations, position)
    parts = [
        _top(position, found),
        _who(phone, known),
        _section("At home", _home(observations)),
        _section("DHCP", _dhcp(phone, station)),
        _section("What it asked for and what else happened, the latest last", _timeline(phone)),
        _section("What it logged last", list(phone.get("log") or ())[-_MAX_LINES:]),
        _section("Its files", _files(phone)),
        _section("The server's certificate", _certificate(station)),
        _section("The station", _station(station)),
        _section("Its parameters", _parameters(parameters)),
    ]
    return "\n\n".join(part for part in parts if part)


def _unknown(who: str, names: Sequence[str]) -> str:
    if mac_of(who):
        return f"No phone {who}: neither the inventory nor the station knows it, and no log line names it."
    hint = did_you_mean(nearest(who, names)) or "; give its MAC address, serial number or name."
    return f"No phone {who}: neither the inventory nor the station knows it{hint}"


def _is_known_here(phone: PhoneFacts) -> bool:
    found = (phone.get(name) for name in ("lease", "reservation", "events", "log", "own"))
    return any(found) or bool(_row(phone) or _known_events(phone))


def _row(phone: PhoneFacts) -> PhoneRow:
    database = phone.get("database")
    return (database["phone"] if database else None) or {}


def _known_events(phone: PhoneFacts) -> list[EventFacts]:
    database = phone.get("database")
    return phone.get("events") or (database["events"] if database else None) or []


def _events(phone: PhoneFacts) -> Iterator[Event]:
    for number, event in enumerate(_known_events(phone)):
        # The database also has scans at the board, which no log line describes
        if event["kind"] in _KINDS:
            evidence = evidence_of(event["detail"])
            mac = "" if evidence in CLAIMS else event.get("mac", phone["mac"])
            kind, place = EventKind(event["kind"]), Place(event.get("place", Place.BENCH))
            yield Event(f"{number:09}", event["time"], kind, mac, event["address"], phone["mac"], event["detail"], evidence, place)


def _cause(phone: PhoneFacts, station: StationFacts, observations: Observations, position: Position) -> Diagnosis | None:
    database = phone.get("database")
    if database and database.get("place") == Place.HOME:
        return diagnose_absence(observations, _row(phone).get("packed", 0))
    # Report a stuck phone at once, since somebody is waiting for the page
    at_once = dict.fromkeys(STUCK_AFTER, 0)
    family = _row(phone).get("family", "")
    now = station["time"] * 1000
    found = diagnose_phone(observations, position.state, position.since, now, family, at_once, existing_paths(phone))
    if position.state is State.BOOTSTRAP and found and has_unit_file(phone):
        found = diagnose_models_file(known=True, served=phone.get("armed", True))
    # The profile service creates profiles that do not exist as files
    fetched = ObservationKind.PROFILE_FETCHED in observations.certain.latest
    published = fetched or any(not file.get("missing") for file in phone.get("own") or ())
    return diagnose_on_station(position.state, found, station, published)


def _top(position: Position, found: Diagnosis | None) -> str:
    described = STATE_DESCRIPTIONS[position.state]
    since = f" since {_moment(position.since)}" if position.since else ""
    claimed = "; only requests or log lines that anybody could have sent say so" if position.claimed else ""
    lines = [f"State: {position.state}, {described}{since}{claimed}"]
    if (position.state in _DONE and position.state is not State.PACKED) or found is None:
        return "\n".join([f"Cause: none; {described}.", *lines])
    reason = [f"Error: {position.reason}"] if position.reason else []
    return "\n".join([f"Cause: {found.cause}", f"To do: {found.remedy}", *lines, *reason])


def _who(phone: PhoneFacts, known: Mapping[str, str]) -> str:
    row = _row(phone)
    name = known.get("name") or row.get("name") or phone.get("reservation", {}).get("name") or "no name"
    said = [parse_mac(phone["mac"]).colon, known.get("model") or row.get("model", ""), known.get("serial") or row.get("serial", "")]
    lines = [f"Phone: {name} ({', '.join(text for text in said if text)})"]
    if not known:
        source = "; the profile service's database does" if row else ""
        lines.append(f"       The inventory does not know it{source}.")
    if row.get("state"):
        lines.append(f"Board: {row['state']}" + (f" since {_moment(row['since'])}" if row["since"] else "") + _of_customer(row))
    elif phone.get("database") is None:
        lines.append("Board: no profile service answers; what follows is from the logs")
    return "\n".join(lines)


def _of_customer(row: PhoneRow) -> str:
    return f", customer {row['customer']}" if row.get("customer") else ""


def _section(title: str, lines: Sequence[str]) -> str:
    return "\n".join([f"{title}:", *(f"  {line}" for line in lines)]) if lines else ""


def _home(observations: Observations) -> list[str]:
    lines = []
    contact, claim, failure = last_contact(observations), last_claimed_contact(observations), last_failure(observations)
    if contact.time:
        lines.append(f"called: {_moment(contact.time)} from {contact.text}, {CONTACTS[contact.evidence]}")
    if claim.time > contact.time:
        lines.append(f"claimed: {_moment(claim.time)} from {claim.text}, {CONTACTS[claim.evidence]}")
    if failure:
        said = ", as anybody could have said" if failure.claimed else ""
        lines.append(f"failed: {_moment(failure.time)}{said}: {failure.failure.reason}")
    return lines


def _dhcp(phone: PhoneFacts, station: StationFacts) -> list[str]:
    lease, kept = phone.get("lease") or {}, phone.get("reservation") or {}
    held = f"{lease['address']}, {lease['state']}, from {lease['starts']} to {lease['ends']} UTC" if lease else "none"
    fixed = f", reserved as {kept['name']} {kept['address']}".rstrip() if kept else ""
    offered = ", ".join(f"{name} {value}" for name, value in (station.get("offered") or {}).items())
    return [f"lease: {held}{fixed}", *([f"class: {lease['class']}"] if lease.get("class") else []), f"options: {offered or 'none'}"]


def _timeline(phone: PhoneFacts) -> Sequence[str]:
    events = _known_events(phone)
    rows = [(_moment(event["time"]), event["kind"], event["address"], _words(event)) for event in events[-_MAX_EVENTS:]]
    return align(("time (UTC)", "kind", "address", "what"), rows) if rows else ["nothing"]


def _words(event: EventFacts) -> str:
    detail = event["detail"]
    status = f"HTTP {detail['status']}" if "status" in detail else ""
    refused = detail.get("refused") or detail.get("reason")
    words = [detail.get(name) for name in ("method", "what", "path")] + [
        status,
        f"({refused})" if refused else "",
        detail.get("text"),
    ]
    return " ".join(str(word) for word in words if word)


def _files(phone: PhoneFacts) -> Sequence[str]:
    if not phone.get("generation"):
        return ["nothing is published here"]
    rows = [
        (f"/{file['path']}", file["kind"] or "not ours", file["fingerprint"], "missing" if file.get("missing") else "present")
        for file in phone.get("own") or ()
    ]
    return align(("path", "kind", "fingerprint", "state"), rows) if rows else ["none is published for it"]


def _certificate(station: StationFacts) -> Sequence[str]:
    found = station.get("certificate") or {}
    lines = []
    if found.get("names"):
        lines.append(f"for {', '.join(found['names'])}, by {found['issuer']}, from {found['not_before']} to {found['not_after']}")
    return [*lines, *(f"{problem['what']}: {problem['remedy']}" for problem in found.get("problems", ()))]


def _station(station: StationFacts) -> Sequence[str]:
    states: dict[str, list[str]] = {}
    for name, state in (station.get("services") or {}).items():
        states.setdefault(state, []).append(name)
    bridge = station.get("bridge") or {}
    off = station.get("clock_off")
    lines = [f"{state}: {', '.join(names)}" for state, names in states.items()]
    lines += [" ".join(diagnosis_of(clause)) for _name, clause in Case(station=station).all_stopped()]
    lines.append(f"bridge {bridge.get('name', '')}: {bridge.get('state', 'not known')} {bridge.get('address', '')}".rstrip())
    if off is not None:
        lines.append(f"clock: {describe_offset(off)} the controller's")
    return lines


def _parameters(rows: Iterable[Mapping[str, str]]) -> Sequence[str]:
    shown = [{**row, "value": redact(row["value"])} for row in rows]
    return format_explanation(shown).splitlines() if shown else []


def _moment(milliseconds: int) -> str:
    return datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S")
