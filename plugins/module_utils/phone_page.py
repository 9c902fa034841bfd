# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""All that is known of one phone on one page, with one cause on top: why does it not come up?"""

from __future__ import annotations

import datetime
import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from .diagnosis import explain_state, span
from .events import Event, mac_of
from .mac import parse_mac
from .profile import shown
from .progress import PATIENCE, Diagnosis, Facts, Position, diagnose, judge, learn
from .tables import align

_MOST_EVENTS = 25
_MOST_LINES = 10
# Seconds that asking takes
_SAME = 5
_DONE = ("resynced", "reported", "packed")
_STATES = {
    "expected": "nothing is heard of it",
    "leased": "it has an address, and has fetched nothing since",
    "bootstrap": "it has the bootstrap profile, and not its own",
    "profile": "it has fetched its profile",
    "resynced": "it has taken its profile",
    "reported": "it has taken its profile and reported",
    "packed": "it is in its box",
    "failed": "its resync failed",
}


def format_page(
    told: Mapping[str, Any],
    station: Mapping[str, Any],
    known: Mapping[str, str],
    parameters: Iterable[Mapping[str, str]] = (),
    names: Sequence[str] = (),
) -> str:
    """Return the page of one phone.

    *told* and *station*: of the module phone_facts. *known*: name, model and serial by the inventory; empty where it does not know
    the phone. *parameters*: the explanation of the module profiles. *names*: those that the inventory has, to guess what was meant.
    """
    if not told["mac"] or not (known or _is_known_here(told)):
        return _unknown(str(told["who"]), names)
    facts = learn({}, list(_events(told)), told["mac"], known.get("serial", ""))
    position = judge(facts)
    found = _cause(told, station, facts, position)
    parts = [
        _top(position, found),
        _who(told, known),
        _section("DHCP", _dhcp(told, station)),
        _section("What it asked for and what else happened, the latest last", _timeline(told)),
        _section("What it logged last", list(told.get("log") or ())[-_MOST_LINES:]),
        _section("Its files", _files(told)),
        _section("The server's certificate", _certificate(station)),
        _section("The station", _station(station)),
        _section("Its parameters", _parameters(parameters)),
    ]
    return "\n\n".join(part for part in parts if part)


def _unknown(who: str, names: Sequence[str]) -> str:
    if mac_of(who):
        return f"No phone {who}: neither the inventory nor the station knows it, and no line of a log names it."
    near = difflib.get_close_matches(who, names, n=1)
    hint = f"; did you mean {near[0]}?" if near else "; give its MAC address, serial number or name."
    return f"No phone {who}: neither the inventory nor the station knows it{hint}"


def _is_known_here(told: Mapping[str, Any]) -> bool:
    return any(told.get(name) for name in ("lease", "reservation", "events", "log", "own")) or bool(
        (told.get("database") or {}).get("phone") or (told.get("database") or {}).get("events")
    )


def _events(told: Mapping[str, Any]) -> Iterator[Event]:
    kept = (told.get("database") or {}).get("events", ())
    for number, event in enumerate(told.get("events") or kept):
        mac = event.get("mac", told["mac"])
        yield Event(f"{number:09}", event["time"], event["kind"], mac, event["address"], told["mac"], event["detail"])


def _cause(told: Mapping[str, Any], station: Mapping[str, Any], facts: Facts, position: Position) -> Diagnosis | None:
    # Who asks does not want to wait
    impatient = dict.fromkeys(PATIENCE, 0)
    found = diagnose(facts, position.state, position.since, station["time"] * 1000, patience=impatient)
    # The profile service makes profiles that are no files
    published = "profile" in facts or any(not file.get("missing") for file in told.get("own") or ())
    return explain_state(position.state, found, station, published)


def _top(position: Position, found: Diagnosis | None) -> str:
    lines = [
        f"State: {position.state}, {_STATES[position.state]}" + (f" since {_moment(position.since)}" if position.since else "")
    ]
    if position.state in _DONE or found is None:
        return "\n".join([f"Cause: none; {_STATES[position.state]}.", *lines])
    reason = [f"Told:  {position.reason}"] if position.reason else []
    return "\n".join([f"Cause: {found.cause}", f"To do: {found.remedy}", *lines, *reason])


def _who(told: Mapping[str, Any], known: Mapping[str, str]) -> str:
    row = (told.get("database") or {}).get("phone") or {}
    name = known.get("name") or row.get("name") or told.get("reservation", {}).get("name") or "no name"
    said = [parse_mac(told["mac"]).colon, known.get("model") or row.get("model", ""), known.get("serial") or row.get("serial", "")]
    lines = [f"Phone: {name} ({', '.join(text for text in said if text)})"]
    if not known:
        source = "; the profile service's database does" if row else ""
        lines.append(f"       The inventory does not know it{source}.")
    if row.get("state"):
        lines.append(f"Board: {row['state']}" + (f" since {_moment(row['since'])}" if row["since"] else "") + _of_customer(row))
    elif told.get("database") is None:
        lines.append("Board: no profile service answers; what follows is from the logs")
    return "\n".join(lines)


def _of_customer(row: Mapping[str, Any]) -> str:
    return f", customer {row['customer']}" if row.get("customer") else ""


def _section(title: str, lines: Sequence[str]) -> str:
    return "\n".join([f"{title}:", *(f"  {line}" for line in lines)]) if lines else ""


def _dhcp(told: Mapping[str, Any], station: Mapping[str, Any]) -> list[str]:
    lease, kept = told.get("lease") or {}, told.get("reservation") or {}
    held = f"{lease['address']}, {lease['state']}, from {lease['starts']} to {lease['ends']} UTC" if lease else "none"
    fixed = f", reserved as {kept['name']} {kept['address']}".rstrip() if kept else ""
    offered = ", ".join(f"{name} {value}" for name, value in (station.get("offered") or {}).items())
    return [f"lease: {held}{fixed}", *([f"class: {lease['class']}"] if lease.get("class") else []), f"options: {offered or 'none'}"]


def _timeline(told: Mapping[str, Any]) -> Sequence[str]:
    events = told.get("events") or (told.get("database") or {}).get("events") or ()
    rows = [(_moment(event["time"]), event["kind"], event["address"], _words(event)) for event in events[-_MOST_EVENTS:]]
    return align(("time (UTC)", "kind", "address", "what"), rows) if rows else ["nothing"]


def _words(event: Mapping[str, Any]) -> str:
    detail = event["detail"]
    status = f"HTTP {detail['status']}" if "status" in detail else ""
    refused = detail.get("refused") or detail.get("reason")
    words = [detail.get(name) for name in ("method", "what", "path")] + [
        status,
        f"({refused})" if refused else "",
        detail.get("text"),
    ]
    return " ".join(str(word) for word in words if word)


def _files(told: Mapping[str, Any]) -> Sequence[str]:
    if not told.get("generation"):
        return ["nothing is published here"]
    rows = [
        (f"/{file['path']}", file["kind"] or "not ours", file["fingerprint"], "missing" if file.get("missing") else "there")
        for file in told.get("own") or ()
    ]
    return align(("path", "kind", "mark", "is"), rows) if rows else ["none is published for it"]


def _certificate(station: Mapping[str, Any]) -> Sequence[str]:
    found = station.get("certificate") or {}
    lines = []
    if found.get("names"):
        lines.append(f"for {', '.join(found['names'])}, by {found['issuer']}, from {found['not_before']} to {found['not_after']}")
    return [*lines, *(f"{problem['what']}: {problem['remedy']}" for problem in found.get("problems", ()))]


def _station(station: Mapping[str, Any]) -> Sequence[str]:
    states: dict[str, list[str]] = {}
    for name, state in (station.get("services") or {}).items():
        states.setdefault(state, []).append(name)
    bridge = station.get("bridge") or {}
    off = station.get("clock_off")
    lines = [f"{state}: {', '.join(names)}" for state, names in states.items()]
    lines.append(f"bridge {bridge.get('name', '')}: {bridge.get('state', 'not known')} {bridge.get('address', '')}".rstrip())
    if off is not None:
        how = f"{span(abs(off))} {'ahead of' if off > 0 else 'behind'}" if abs(off) > _SAME else "as"
        lines.append(f"clock: {how} the controller's")
    return lines


def _parameters(rows: Iterable[Mapping[str, str]]) -> Sequence[str]:
    names = ("kind", "parameter", "value", "variable", "origin")
    lines = [tuple(shown("", row[name]) if name == "value" else row[name] for name in names) for row in rows]
    return align(names, lines) if lines else []


def _moment(milliseconds: int) -> str:
    return datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S")
