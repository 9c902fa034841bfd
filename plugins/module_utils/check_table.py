# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The way of an emulated phone as steps for people: what it reports itself, and what the station has seen of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from .diagnosis import diagnose
from .progress import Diagnosis
from .tables import align

STEPS = ("lease", "options", "name", "bootstrap", "certificate", "profile", "second trip", "decryption", "syslog", "event")
"""In the order in which they happen. event: in the profile service's database."""

OK, FAILED, SKIPPED, NOT_REACHED = "ok", "failed", "skipped", "-"

MOST_WHOLE = 20
"""Phones of which all steps are shown; of more, those that are good take one line each."""

_NOT_ASKED = "the station was not asked"
_HEADINGS = ("phone", "step", "result", "what")
_SHOWN_OPTIONS = ("66", "160", "159", "150", "43", "60", "125", "6", "42")
_OF_CERTIFICATE = ("no_root", "chain", "certificate_name", "certificate_address", "certificate_time", "handshake")
_OF_SEALING = ("key_wrong", "digest_wrong", "key_missing", "not_sealed")
_OF_REPORT = {"lease": "lease", "options": "options", "name": "name", "log": "syslog"}


class Step(NamedTuple):
    """One row of the table."""

    name: str
    result: str
    what: str = ""
    diagnoses: tuple[Diagnosis, ...] = ()


def walk(report: Mapping[str, Any], seen: Mapping[str, Any]) -> list[Step]:
    """Return STEPS of one phone.

    *report*: of phone_behaviour.Unit; *seen*: ``station`` and ``phones`` of the module phone_facts.
    """
    told = _of_phone(report, seen)
    station = {**seen.get("station", {}), **{name: told[name] for name in ("events", "files", "generation", "own") if name in told}}
    failure = _with_address(report)
    place = _place(report, failure) if report["cause"] else ""
    facts = _Walked(report, told)
    rows = []
    for name in STEPS:
        step = facts.step(name)
        if name == place:
            step = Step(name, FAILED, report["cause"], diagnose(failure, station))
        elif step.result == FAILED:
            code = {"syslog": "no_log", "event": "no_event"}[name]
            step = step._replace(diagnoses=diagnose({"code": code, "facts": facts.facts(name)}, station))
        rows.append(step)
    return rows


def failures(reports: Iterable[Mapping[str, Any]], seen: Mapping[str, Any], left: Sequence[str] = ()) -> list[str]:
    """Return one line for each step that failed, with its likely cause and the remedy; *left*: what could not be cleared away."""
    lines = []
    for report in reports:
        for step in walk(report, seen):
            if step.result == FAILED:
                cause, remedy = step.diagnoses[0]
                lines.append(f"{report['name']}, {step.name}: {cause} {remedy}")
    return [*lines, *(f"not cleared away: {sentence}" for sentence in left)]


def format_check(reports: Iterable[Mapping[str, Any]], seen: Mapping[str, Any], left: Sequence[str] = ()) -> str:
    """Return one line a step of each phone; below it the likely causes, with what else may be behind them."""
    lines: list[tuple[str, ...]] = []
    notes: list[str] = []
    reports = list(reports)
    for report in reports:
        label = f"{report['name']} ({report['mac']})"
        steps = walk(report, seen)
        if len(reports) > MOST_WHOLE and all(step.result in (OK, SKIPPED) for step in steps):
            lines.append((label, "all", OK, ""))
            continue
        for number, step in enumerate(steps):
            lines.append((label if number == 0 else "", step.name, step.result, step.what))
            for rank, (cause, remedy) in enumerate(step.diagnoses):
                notes.append(f"{f'{label}, {step.name}:' if rank == 0 else '  or:'} {cause} {remedy}")
    notes += [f"not cleared away: {sentence}" for sentence in left]
    return "\n".join([*align(_HEADINGS, lines), *([""] if notes else []), *notes])


def _with_address(report: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the failure with the address that the server's name led to, which the phone notes as a step."""
    failure = report["failure"]
    server = failure["facts"].get("server", "")
    found = [step["detail"] for step in report["steps"] if step["step"] == "name" and step["what"] == server]
    address = found[-1].partition(",")[0] if server and found else ""
    return {**failure, "facts": {"address": address, **failure["facts"]}} if address else failure


def _of_phone(report: Mapping[str, Any], seen: Mapping[str, Any]) -> Mapping[str, Any]:
    mac = report["mac"].replace(":", "")
    return next((phone for phone in seen.get("phones", ()) if phone.get("mac") == mac), {})


def _place(report: Mapping[str, Any], failure: Mapping[str, Any]) -> str:
    """Return which of STEPS a failure belongs to."""
    code = failure["code"]
    if code in _OF_CERTIFICATE:
        return "certificate"
    if code in _OF_SEALING:
        return "decryption"
    if failure["step"] in _OF_REPORT:
        return _OF_REPORT[failure["step"]]
    if not report["address"]:
        return "lease"
    if code == "no_option":
        return "options"
    if max((step["power_up"] for step in report["steps"]), default=1) > 1:
        return "second trip"
    asked, own = report["requests"], _Walked(report, {}).own
    # A rule that has been given by the bootstrap profile leads to the phone's own file
    return "profile" if any(own(request) or request["behaviour"] == "A" for request in asked) else "bootstrap"


class _Walked:
    """What a report and the station say of each step."""

    def __init__(self, report: Mapping[str, Any], told: Mapping[str, Any]) -> None:
        self._report = report
        self._told = told
        self._mac = report["mac"].replace(":", "")
        self._first = [request for request in report["requests"] if request["power_up"] == 1]
        self._later = [request for request in report["requests"] if request["power_up"] > 1]
        self._arrived = list(told.get("log") or ())

    def own(self, request: Mapping[str, Any]) -> bool:
        """Whether a request was for a file of this phone alone."""
        url = request["url"].lower()
        return self._mac in url or self._report["mac"] in url

    def facts(self, name: str) -> dict[str, Any]:
        """Facts for the diagnosis of a step that only the station can judge."""
        server = next((message["server"] for message in self._report["messages"]), "")
        return {"server": server} if name == "syslog" else {}

    def step(self, name: str) -> Step:
        """Return one of STEPS."""
        result, what = getattr(self, f"_{name.replace(' ', '_')}")()
        return Step(name, result, what)

    def _lease(self) -> tuple[str, str]:
        address = self._report["address"]
        seconds = self._report["dhcp_options"].get("51")
        return (OK, address + (f" for {seconds} seconds" if seconds else "")) if address else (NOT_REACHED, "")

    def _options(self) -> tuple[str, str]:
        offered = self._report["dhcp_options"]
        shown = ", ".join(f"{number}: {offered[number]}" for number in _SHOWN_OPTIONS if number in offered)
        return (OK, shown) if shown else (NOT_REACHED, "")

    def _name(self) -> tuple[str, str]:
        names = dict.fromkeys(_server(request) for request in self._report["requests"] if request["status"])
        found = [name for name in names if not name.replace(".", "").isdigit()]
        return (OK, ", ".join(found)) if found else (NOT_REACHED, "")

    def _bootstrap(self) -> tuple[str, str]:
        return _fetched([request for request in self._first if not self.own(request) and not _is_root(request)])

    def _profile(self) -> tuple[str, str]:
        return _fetched([request for request in self._first if self.own(request)])

    def _second_trip(self) -> tuple[str, str]:
        return _fetched(self._later)

    def _certificate(self) -> tuple[str, str]:
        taken = [_server(request) for request in self._report["requests"] if request["protocol"] == "https" and request["status"]]
        return (OK, f"that of {taken[0]}") if taken else (NOT_REACHED, "")

    def _decryption(self) -> tuple[str, str]:
        sealed = [request for request in self._report["requests"] if request["sealed"]]
        opened = [request for request in sealed if request["behaviour"] == "A"]
        if opened:
            return OK, _path(opened[-1])
        # Families that cannot decrypt get nothing sealed
        return (SKIPPED, "nothing is sealed") if self._later and not sealed else (NOT_REACHED, "")

    def _syslog(self) -> tuple[str, str]:
        sent = len(self._report["messages"])
        if not sent:
            return (SKIPPED, "it logs nothing") if self._report["state"] == "preprovisioned" else (NOT_REACHED, "")
        if not self._told:
            return SKIPPED, _NOT_ASKED
        arrived = len(self._arrived)
        return (OK if arrived >= sent else FAILED), f"{min(arrived, sent)} of {sent} messages arrived"

    def _event(self) -> tuple[str, str]:
        if not self._told:
            return SKIPPED, _NOT_ASKED
        if self._told.get("database") is None:
            return SKIPPED, "no profile service answers"
        kinds = list(dict.fromkeys(event["kind"] for event in self._told["database"]["events"]))
        return (OK, ", ".join(kinds)) if kinds else (FAILED, "nothing is in the database")


def _fetched(requests: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    done = [request for request in requests if request["behaviour"] == "A"]
    if done:
        last = done[-1]
        return OK, f"{last['protocol'].upper()} {_path(last)}, {last['bytes']} bytes"
    return NOT_REACHED, ""


def _is_root(request: Mapping[str, Any]) -> bool:
    return str(request["parameter"]).startswith("Custom_CA")


def _server(request: Mapping[str, Any]) -> str:
    return str(request["url"]).partition("://")[2].partition("/")[0].partition(":")[0]


def _path(request: Mapping[str, Any]) -> str:
    return "/" + str(request["url"]).partition("://")[2].partition("/")[2]
