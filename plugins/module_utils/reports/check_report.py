# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Build the check's table: each step of an emulated phone, from the phone's own report and from what the station saw."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple, TypedDict

from ..bench.network import BRIDGE
from ..bench.ports import port_problems
from ..common.services import ASKED, SERVICES
from ..common.text_tables import align
from ..emulator.device.habits import OTHER_FIRMWARE
from ..emulator.device.trace import Behaviour, FailureRow, MessageRow, Outcome, RequestRow, StepName
from ..emulator.phone_report import PhoneReport
from ..events.causes.causes import Clause, Diagnosis, diagnosis_of
from ..events.causes.clocks import describe_offset
from ..events.causes.failure_codes import FailureCode
from ..events.diagnosis.complaints import read_faults
from ..events.diagnosis.diagnosis import diagnose_failure
from ..events.diagnosis.failure_case import Case
from ..events.diagnosis.known_facts import BridgeFacts, Complaint, FailureReport, Known, PhoneFacts, StationFacts
from ..events.logs.log_lines import EventKind
from ..families.model import BenchDelivery
from .customer_trip import Bench, Elsewhere, find_elsewhere


class CheckStep(StrEnum):
    """The rows of a phone, in the order in which they happen."""

    LEASE = "lease"
    OPTIONS = "options"
    NAME = "name"
    BOOTSTRAP = "bootstrap"
    CERTIFICATE = "certificate"
    PROFILE = "profile"
    """Delivery on the bench, where the bench's trip ends."""
    UPGRADE = "upgrade"
    SECOND_TRIP = "second trip"
    """The customer's: what the delivered profile leads to."""
    DECRYPTION = "decryption"
    SYSLOG = "syslog"
    EVENT = "event"
    """In the profile service's database."""


class Result(StrEnum):
    """How a step ended."""

    OK = "ok"
    FAILED = "failed"
    SKIPPED = "skipped"
    NOT_HERE = "not here"
    """A server that this bench does not stand for would be needed."""
    WARNING = "warning"
    NOT_REACHED = "-"
    NONE = ""
    """The row continues the one before."""


class Checked(TypedDict, total=False):
    """What the module check_phones says of the phones that it made; MAC addresses are 12 hex digits."""

    deliveries: Mapping[str, str]
    """MAC address -> how the phone gets its preprovision profile; without it, by certificate."""
    missing: Mapping[str, Sequence[str]]
    """MAC address -> what a real unit of its family would lack with this station, a cause and a remedy."""
    names: Sequence[str]
    """Names that the station serves or resolves; without them, every server counts as one that the bench stands for."""


MAX_FULL_TABLES = 20
"""With more phones than this, those without a failure take one line each."""

MAX_COMPLAINTS = 10
"""Complaints of the services that are shown, the latest."""

MAX_NAMED_STEPS = 5
"""Failed steps that the summary names."""

_PAGE_REMEDY = "run the playbook site, which repairs the web server's files, and reload it with 'systemctl reload nginx.service'"
_DISK_REMEDY = "find what fills it with 'df -h' and 'df -i', free some, and run the playbook check again"
_KINDS = frozenset(EventKind)
_GOOD = (Result.OK, Result.SKIPPED, Result.NOT_HERE)
_NOT_ASKED = "the station was not asked"
_HEADINGS = ("phone", "step", "result", "what")
_SHOWN_OPTIONS = ("66", "160", "159", "150", "43", "60", "125", "132", "3", "6", "42")
_STEP_OF_CODE: Mapping[str, CheckStep] = MappingProxyType(
    {
        FailureCode.NO_ROOT: CheckStep.CERTIFICATE,
        FailureCode.CHAIN: CheckStep.CERTIFICATE,
        FailureCode.CERTIFICATE_NAME: CheckStep.CERTIFICATE,
        FailureCode.CERTIFICATE_ADDRESS: CheckStep.CERTIFICATE,
        FailureCode.CERTIFICATE_TIME: CheckStep.CERTIFICATE,
        FailureCode.HANDSHAKE: CheckStep.CERTIFICATE,
        FailureCode.KEY_WRONG: CheckStep.DECRYPTION,
        FailureCode.DIGEST_WRONG: CheckStep.DECRYPTION,
        FailureCode.KEY_MISSING: CheckStep.DECRYPTION,
        FailureCode.NOT_SEALED: CheckStep.DECRYPTION,
        FailureCode.NO_OWN_FILE: CheckStep.PROFILE,
        FailureCode.UPGRADE: CheckStep.UPGRADE,
    }
)
_STEP_OF_PHONE: Mapping[str, CheckStep] = MappingProxyType(
    {
        StepName.LEASE: CheckStep.LEASE,
        StepName.OPTIONS: CheckStep.OPTIONS,
        StepName.NAME: CheckStep.NAME,
        StepName.LOG: CheckStep.SYSLOG,
        StepName.UPGRADE: CheckStep.UPGRADE,
    }
)
_SEEN_BY_STATION: Mapping[CheckStep, FailureCode] = MappingProxyType(
    {CheckStep.SYSLOG: FailureCode.NO_LOG, CheckStep.EVENT: FailureCode.NO_EVENT}
)


class Row(NamedTuple):
    """One row of the table."""

    step: CheckStep | str
    """Of a phone, or the name of a service, a page or a thing of the station."""
    result: Result
    what: str = ""
    diagnoses: tuple[Diagnosis, ...] = ()


def check_rows(report: PhoneReport, known: Known, checked: Checked | None = None) -> list[Row]:
    """Return the rows of one phone: one for each CheckStep."""
    phone = _find_phone(report, known)
    station = known.get("station", {})
    steps = _Steps(report, phone, station, checked or {})
    failed, failure, elsewhere = _sort_failures(report, steps)
    rows = []
    for step in CheckStep:
        result, what = steps.outcome(step)
        row = Row(step, result, what)
        if step is failed:
            row = Row(step, Result.FAILED, failure["what"], (*steps.missing(step), *diagnose_failure(failure, station, phone)))
        elif step in elsewhere:
            row = Row(step, Result.NOT_HERE, elsewhere[step].what, (elsewhere[step].diagnosis,))
        elif step is CheckStep.DECRYPTION and CheckStep.SECOND_TRIP in elsewhere and result is not Result.OK:
            row = Row(step, Result.NOT_HERE, "belongs to the second trip")
        elif missing := steps.missing(step):
            row = Row(step, Result.FAILED, "a real unit of its family would fail here", missing)
        elif result is Result.FAILED:
            seen: FailureReport = {"code": _SEEN_BY_STATION[step], "facts": steps.facts(step)}
            row = row._replace(diagnoses=diagnose_failure(seen, station, phone))
        rows.append(row)
    return rows


def clock_rows(station: StationFacts) -> list[Row]:
    """Return the row of the station's clock, compared with the controller's; none if nobody has compared them."""
    off = station.get("clock_off")
    if off is None:
        return []
    found = tuple(diagnosis_of(clause) for clause in Case(station=station).wrong_clock())
    return [Row("clock", Result.FAILED if found else Result.OK, f"{describe_offset(off)} the controller's", found)]


def station_rows(station: StationFacts) -> list[Row]:
    """Return the rows of the station: each service, each page that the web server passes on, and what the services complain of."""
    case = Case(station=station)
    services = station.get("services", {})
    stopped = dict(case.all_stopped())
    rows = []
    for name in services:
        if name in stopped:
            rows.append(Row(name, Result.FAILED, services[name], (diagnosis_of(stopped[name]),)))
        elif services[name] == "active":
            rows.append(Row(name, Result.OK, "answers" if name in ASKED else "runs"))
    for path, answer in station.get("pages", {}).items():
        found = (diagnosis_of(Clause(f"{path} {answer}", _PAGE_REMEDY)),) if answer else ()
        rows.append(Row(path, Result.FAILED if answer else Result.OK, answer or "is served", found))
    if full := station.get("full_folders"):
        what = ", ".join(full)
        rows.append(
            Row("disk", Result.FAILED, f"full: {what}", (diagnosis_of(Clause(f"no space is left in {what}", _DISK_REMEDY)),))
        )
    return [*_port_rows(station.get("bridge", {})), *rows, *_complaint_rows(station.get("complaints", []))]


def _port_rows(bridge: BridgeFacts) -> list[Row]:
    """Return the rows of what keeps real phones from the bench, which emulated ones do not notice."""
    ports = bridge.get("ports")
    if ports is None:
        return []
    rows = [
        Row(one.port, Result.WARNING, one.cause, (diagnosis_of(Clause(one.cause, one.remedy)),))
        for one in port_problems(bridge.get("name", BRIDGE), ports)
    ]
    return rows or [Row("ports", Result.OK, f"{', '.join(ports)}: up")]


def _complaint_rows(complaints: Sequence[Complaint]) -> list[Row]:
    faults = tuple(diagnosis_of(clause) for _service, clause in read_faults(complaints))
    shown = [f"{SERVICES[one['service']].unit}: {one['text']}" for one in complaints[-MAX_COMPLAINTS:]]
    if not shown:
        return []
    first, *others = shown
    return [
        Row("journal", Result.FAILED if faults else Result.OK, first, faults),
        *(Row("", Result.NONE, text) for text in others),
    ]


def failures(reports: Iterable[PhoneReport], known: Known, left: Sequence[str] = (), checked: Checked | None = None) -> list[str]:
    """Return a line for each failed step, with its likely cause and remedy, and first for a clock that is wrong.

    *left*: what could not be removed afterwards.
    """
    # All others may follow from it
    lines = _clock_notes(clock_rows(known.get("station", {})))
    told = set()
    for report in reports:
        for row in check_rows(report, known, checked):
            if row.result is Result.FAILED:
                cause, remedy = row.diagnoses[0]
                told.add(row.diagnoses[0])
                lines.append(f"{report['name']}, {row.step}: {cause} {remedy}")
    lines += _station_notes(known, told, (Result.FAILED,))
    return [*lines, *(f"not removed: {sentence}" for sentence in left)]


def summarise_failures(lines: Sequence[str]) -> str:
    """Return one sentence on the lines of failures(), which are below the table; empty if there are none."""
    steps = list(dict.fromkeys(line.partition(":")[0] for line in lines))
    if not steps:
        return ""
    more = f" and {len(steps) - MAX_NAMED_STEPS} more" if len(steps) > MAX_NAMED_STEPS else ""
    return f"failed: {'; '.join(steps[:MAX_NAMED_STEPS])}{more}. The lines below the table say why, and what to do."


def format_check(reports: Iterable[PhoneReport], known: Known, left: Sequence[str] = (), checked: Checked | None = None) -> str:
    """Return the table of all phones; below it the causes of each failure, the most likely first. A wrong clock comes first."""
    station = known.get("station", {})
    clock = clock_rows(station)
    is_wrong = any(row.result is Result.FAILED for row in clock)
    lines = _cells("station", clock) if is_wrong else []
    notes = _clock_notes(clock)
    told: set[Diagnosis] = set()
    # Many phones lead to the same server
    elsewhere: dict[tuple[Diagnosis, str], None] = {}
    reports = list(reports)
    for report in reports:
        name = report["name"]
        label = f"{name} ({report['mac']})"
        rows = check_rows(report, known, checked)
        for row in rows:
            if row.result is Result.NOT_HERE:
                elsewhere.update({(one, row.step): None for one in row.diagnoses})
                continue
            # Of the other causes nobody knows whether they are
            told.update(row.diagnoses[:1])
            for rank, (cause, remedy) in enumerate(row.diagnoses):
                notes.append(f"{f'{name}, {row.step}:' if rank == 0 else '  or:'} {cause} {remedy}")
        if len(reports) > MAX_FULL_TABLES and all(row.result in _GOOD for row in rows):
            missing = [row.step for row in rows if row.result is Result.NOT_HERE and row.diagnoses]
            lines.append((label, "all", Result.OK, f"not here: {', '.join(missing)}" if missing else ""))
        else:
            lines += _cells(label, rows)
    lines += _cells("station", [*(() if is_wrong else clock), *station_rows(station)])
    notes += _station_notes(known, told, (Result.FAILED, Result.WARNING))
    notes += [f"not removed: {sentence}" for sentence in left]
    notes += [f"not here, {step}: {one.cause} {one.remedy}" for one, step in elsewhere]
    return "\n".join([*align(_HEADINGS, lines), *([""] if notes else []), *notes])


def _clock_notes(rows: Iterable[Row]) -> list[str]:
    return [f"station, {row.step}: {one.cause} {one.remedy}" for row in rows for one in row.diagnoses]


def _station_notes(known: Known, told: Container[Diagnosis], results: Container[Result]) -> Iterator[str]:
    """Yield a line for each row of the station itself, except its clock, with one of *results*; none for what has been *told*."""
    for row in station_rows(known.get("station", {})):
        if row.result in results:
            yield from (f"station, {row.step}: {one.cause} {one.remedy}" for one in row.diagnoses if one not in told)


def _cells(label: str, rows: Sequence[Row]) -> list[tuple[str, ...]]:
    return [(label if number == 0 else "", row.step, row.result, row.what) for number, row in enumerate(rows)]


def _sort_failures(report: PhoneReport, steps: _Steps) -> tuple[CheckStep | None, FailureReport, Mapping[CheckStep, Elsewhere]]:
    """Return the step that has failed, if any, and its failure; and the steps that cannot be walked on this bench.

    Failures behind the first one of the bench itself may follow from it.
    """
    elsewhere: dict[CheckStep, Elsewhere] = {}
    for one in (report["failure"], *report.get("failures", ())):
        failure = _with_address(report, one)
        if not failure["what"]:
            continue
        found = find_elsewhere(failure, steps.bench) if steps.bench and steps.delivered else None
        if found is None:
            return _failed_step(report, failure, steps), failure, elsewhere
        elsewhere[CheckStep.UPGRADE if failure["code"] == FailureCode.UPGRADE else CheckStep.SECOND_TRIP] = found
    return None, {}, elsewhere


def _with_address(report: PhoneReport, row: FailureRow) -> FailureReport:
    """Return a failure with the address that the server's name led to, which the phone records as a step."""
    failure: FailureReport = {**row}
    facts = failure.get("facts", {})
    server = facts.get("server", "")
    # The detail of a step that failed is its error
    named = [step for step in report["steps"] if step["step"] == StepName.NAME and step["outcome"] != Outcome.FAILED]
    found = [step["detail"] for step in named if step["what"] == server]
    address = found[-1].partition(",")[0] if server and found else ""
    return {**failure, "facts": {"address": address, **facts}} if address else failure


def _find_phone(report: PhoneReport, known: Known) -> PhoneFacts:
    mac = report["mac"].replace(":", "")
    nothing: PhoneFacts = {}
    return next((phone for phone in known.get("phones", ()) if phone.get("mac") == mac), nothing)


def _failed_step(report: PhoneReport, failure: FailureReport, steps: _Steps) -> CheckStep:
    """Return the step that a failure belongs to."""
    step = _STEP_OF_CODE.get(failure["code"]) or _STEP_OF_PHONE.get(failure["step"])
    if step:
        return step
    if not report["address"]:
        return CheckStep.LEASE
    if failure["code"] == FailureCode.NO_OPTION:
        return CheckStep.OPTIONS
    if steps.is_at_customers:
        return CheckStep.SECOND_TRIP
    if steps.by_tftp:
        return CheckStep.PROFILE
    # A rule that comes from the bootstrap profile leads to the phone's own file
    reached = any(steps.is_own(request) or request["behaviour"] == Behaviour.SUCCESS for request in report["requests"])
    return CheckStep.PROFILE if reached else CheckStep.BOOTSTRAP


class _Steps:
    """The outcome of each step, from a phone's report and the station's facts."""

    def __init__(self, report: PhoneReport, phone: PhoneFacts, station: StationFacts, checked: Checked) -> None:
        self._report = report
        self._phone = phone
        self._mac = report["mac"].replace(":", "")
        self.by_tftp = checked.get("deliveries", {}).get(self._mac) == BenchDelivery.TFTP
        """Whether the first file that the phone requests is its own profile."""
        self._missing = checked.get("missing", {}).get(self._mac, ())
        self.bench: Bench | None = None
        """What the bench stands for; None if that is not known."""
        if "names" in checked:
            self.bench = Bench.of(checked["names"], station, report["address"], report["dhcp_options"])
        self._upgrades, followed = self._split_requests()
        ends = (number for number, request in enumerate(followed, 1) if self._delivers(request))
        end = next(ends, 0)
        self.delivered = end > 0
        """Whether the phone has got its own profile on the bench."""
        self._first = followed[:end] if end else [request for request in followed if request["power_up"] == 1]
        self._later = followed[len(self._first) :]
        powered = max((step["power_up"] for step in report["steps"]), default=1)
        self.is_at_customers = self.delivered and (powered > 1 or bool(self._later))
        """Whether the customer's trip has begun."""

    def _split_requests(self) -> tuple[list[RequestRow], list[RequestRow]]:
        """Return the requests for firmware, and those for profiles."""
        loads = {step["what"] for step in self._report["steps"] if step["step"] == StepName.UPGRADE}
        requests = self._report["requests"]
        rules = {request["parameter"] for request in requests if request["url"] in loads}
        upgrades = [request for request in requests if request["parameter"] in rules]
        others = [request for request in requests if request["parameter"] not in (*rules, OTHER_FIRMWARE)]
        return upgrades, [request for request in others if not _is_root(request)]

    def _delivers(self, request: RequestRow) -> bool:
        return request["behaviour"] == Behaviour.SUCCESS and (self.by_tftp or self.is_own(request))

    def is_own(self, request: RequestRow) -> bool:
        """Tell whether a request was for this phone's own file."""
        url = request["url"].lower()
        return self._mac in url or self._report["mac"] in url

    def facts(self, step: CheckStep) -> dict[str, object]:
        """Return facts for the diagnosis of a step that only the station can observe."""
        server = next((message["server"] for message in self._report["messages"]), "")
        return {"server": server} if step is CheckStep.SYSLOG else {}

    def outcome(self, step: CheckStep) -> tuple[Result, str]:
        """Return the result of *step* with a description."""
        match step:
            case CheckStep.LEASE:
                return self._lease()
            case CheckStep.OPTIONS:
                return self._options()
            case CheckStep.NAME:
                return self._name()
            case CheckStep.BOOTSTRAP:
                return self._bootstrap()
            case CheckStep.CERTIFICATE:
                return self._certificate()
            case CheckStep.PROFILE:
                return _fetched([request for request in self._first if self.by_tftp or self.is_own(request)])
            case CheckStep.UPGRADE:
                return self._upgrade()
            case CheckStep.SECOND_TRIP:
                return _fetched(self._later)
            case CheckStep.DECRYPTION:
                return self._decryption()
            case CheckStep.SYSLOG:
                return self._syslog()
            case CheckStep.EVENT:
                return self._event()

    def _lease(self) -> tuple[Result, str]:
        address = self._report["address"]
        seconds = self._report["dhcp_options"].get("51")
        return (Result.OK, address + (f" for {seconds} seconds" if seconds else "")) if address else (Result.NOT_REACHED, "")

    def _options(self) -> tuple[Result, str]:
        offered = self._report["dhcp_options"]
        shown = ", ".join(f"{number}: {offered[number]}" for number in _SHOWN_OPTIONS if number in offered)
        return (Result.OK, shown) if shown else (Result.NOT_REACHED, "")

    def _name(self) -> tuple[Result, str]:
        names = dict.fromkeys(_server(request) for request in self._report["requests"] if request["status"])
        found = [name for name in names if not name.replace(".", "").isdigit()]
        if found:
            return Result.OK, ", ".join(found)
        return (Result.SKIPPED, "the bench's servers are given by address") if self.delivered else (Result.NOT_REACHED, "")

    def missing(self, step: CheckStep) -> tuple[Diagnosis, ...]:
        """Return what a real unit of the family would lack in *step*."""
        if step is not CheckStep.CERTIFICATE or not self._missing:
            return ()
        cause, remedy = self._missing
        return (Diagnosis(cause, remedy),)

    def _bootstrap(self) -> tuple[Result, str]:
        if self.by_tftp and self._first:
            return Result.SKIPPED, "the first file is its own profile"
        return _fetched([request for request in self._first if not self.is_own(request)])

    def _certificate(self) -> tuple[Result, str]:
        taken = [_server(request) for request in self._report["requests"] if request["protocol"] == "https" and request["status"]]
        if self.by_tftp and self._first and not taken:
            return Result.SKIPPED, "delivery by TFTP needs none"
        return (Result.OK, f"that of {taken[0]}") if taken else (Result.NOT_REACHED, "")

    def _upgrade(self) -> tuple[Result, str]:
        steps = [step for step in self._report["steps"] if step["step"] == StepName.UPGRADE]
        if not steps:
            return (Result.SKIPPED, "its profile asks for none") if self.delivered else (Result.NOT_REACHED, "")
        done = [step for step in steps if step["outcome"] == Outcome.OK]
        if done:
            fetched = _fetched(self._upgrades)[1]
            return Result.OK, ": ".join(filter(None, (fetched, done[-1]["detail"])))
        skipped = steps[-1]["outcome"] == Outcome.SKIPPED
        return (Result.SKIPPED, steps[-1]["detail"]) if skipped else (Result.NOT_REACHED, "")

    def _decryption(self) -> tuple[Result, str]:
        sealed = [request for request in self._report["requests"] if request["sealed"]]
        opened = [request for request in sealed if request["behaviour"] == Behaviour.SUCCESS]
        if opened:
            return Result.OK, _path(opened[-1])
        # Families that cannot decrypt get nothing sealed
        return (Result.SKIPPED, "nothing is sealed") if self._later and not sealed else (Result.NOT_REACHED, "")

    def _syslog(self) -> tuple[Result, str]:
        sent = len(self._messages())
        if not sent:
            done = self._report["state"] == "preprovisioned"
            return (Result.SKIPPED, "it logs nothing") if done else (Result.NOT_REACHED, "")
        if not self._phone:
            return Result.SKIPPED, _NOT_ASKED
        arrived = len(self._phone.get("log") or ())
        others = {one["server"] for one in self._report["messages"]} - {one["server"] for one in self._messages()}
        elsewhere = f"; those to {', '.join(sorted(others))} are not here" if others else ""
        return (Result.OK if arrived >= sent else Result.FAILED), f"{min(arrived, sent)} of {sent} messages arrived{elsewhere}"

    def _messages(self) -> list[MessageRow]:
        """Return the messages that the bench must have got: those to the first server, and to others that it stands for."""
        messages = self._report["messages"]
        first = next((message["server"] for message in messages), "")
        bench = self.bench
        return [one for one in messages if bench is None or one["server"] == first or bench.stands_for(one["server"], "")]

    def _event(self) -> tuple[Result, str]:
        if not self._phone:
            return Result.SKIPPED, _NOT_ASKED
        database = self._phone.get("database")
        if database is None:
            return Result.SKIPPED, "no profile service answers"
        # Scans at the board are not read from logs
        kinds = list(dict.fromkeys(event["kind"] for event in database["events"] if event["kind"] in _KINDS))
        if not kinds:
            return Result.FAILED, "nothing is in the database"
        about_resyncs = any("resync" in message["text"].lower() for message in self._messages())
        if about_resyncs and EventKind.RESYNC not in kinds:
            return Result.FAILED, f"{', '.join(kinds)}, but none of the phone's own messages"
        return Result.OK, ", ".join(kinds)


def _fetched(requests: Sequence[RequestRow]) -> tuple[Result, str]:
    done = [request for request in requests if request["behaviour"] == Behaviour.SUCCESS]
    if done:
        last = done[-1]
        return Result.OK, f"{last['protocol'].upper()} {_path(last)}, {last['bytes']} bytes"
    return Result.NOT_REACHED, ""


def _is_root(request: RequestRow) -> bool:
    return request["parameter"].startswith("Custom_CA")


def _server(request: RequestRow) -> str:
    return request["url"].partition("://")[2].partition("/")[0].partition(":")[0]


def _path(request: RequestRow) -> str:
    return "/" + request["url"].partition("://")[2].partition("/")[2]
