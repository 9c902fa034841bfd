# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Trace of an emulated phone: steps, requests, messages, and the failure that ended its resync."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TypedDict

from ...events.causes.failure_codes import FailureCode
from .ports import Clock

MAX_ENTRIES = 2000
"""The latest entries of each kind that are kept: a phone can run for months."""

Redactor = Callable[[str], str]
"""Returns a text without the secrets in it."""


class StepName(StrEnum):
    """The kinds of steps in a trace."""

    LEASE = "lease"
    OPTIONS = "options"
    NAME = "name"
    FETCH = "fetch"
    CERTIFICATE = "certificate"
    LOGIN = "login"
    OPEN = "open"
    APPLY = "apply"
    LOG = "log"
    REPORT = "report"
    UPGRADE = "upgrade"
    CUSTOMIZATION = "customization"


class Outcome(StrEnum):
    """How a step ended."""

    OK = "ok"
    FAILED = "failed"
    SKIPPED = "skipped"


class Behaviour(StrEnum):
    """What a response means to a phone, as in the vendor's table of HTTP status codes."""

    SUCCESS = "A"
    NOT_FOUND = "B"
    """Not found, or corrupt."""
    FAILURE = "C"
    REDIRECT = "follow"
    LOGIN = "login"

    @property
    def is_final(self) -> bool:
        """Whether no further request follows from the response."""
        return self not in (Behaviour.REDIRECT, Behaviour.LOGIN)


class ResyncError(Exception):
    """A resync, report or upgrade has failed. The message becomes $ERR; code, step and facts go into the phone's report."""

    def __init__(self, code: FailureCode, message: str, **facts: object) -> None:
        super().__init__(message)
        self.code = code
        self.facts = facts
        self.step: StepName | None = None
        """The step in which it occurred, once known."""


@dataclass(frozen=True)
class RequestRecord:
    """One file that was requested."""

    power_up: int
    parameter: str
    """The parameter that named it, such as Profile_Rule or Custom_CA_URL."""
    url: str
    protocol: str
    status: int
    bytes: int
    sealed: bool
    behaviour: Behaviour
    address: str = ""
    """The server's, if one has responded."""
    digest: str = ""
    """SHA-256 of sealed content, in hexadecimal digits; of other content it could help to guess a secret."""


@dataclass(frozen=True)
class MessageRecord:
    """One syslog message."""

    server: str
    text: str
    sent: bool


@dataclass(frozen=True)
class StepRecord:
    """One step."""

    step: StepName
    what: str
    outcome: Outcome
    detail: str
    seconds: float
    power_up: int


@dataclass
class OpenStep:
    """A step in progress; detail and outcome are recorded when it ends."""

    detail: str = ""
    outcome: Outcome = Outcome.OK


@dataclass(frozen=True)
class Failure:
    """What ended a resync."""

    code: FailureCode
    step: StepName
    what: str
    """One sentence."""
    facts: Mapping[str, object]


class RequestRow(TypedDict):
    """A RequestRecord in a report; behaviour is empty for a redirection or a login."""

    power_up: int
    parameter: str
    url: str
    protocol: str
    status: int
    bytes: int
    sealed: bool
    behaviour: str
    address: str
    digest: str


class MessageRow(TypedDict):
    """A MessageRecord in a report."""

    server: str
    text: str
    sent: bool


class StepRow(TypedDict):
    """A StepRecord in a report."""

    step: str
    what: str
    outcome: str
    detail: str
    seconds: float
    power_up: int


class FailureRow(TypedDict):
    """A Failure in a report; all values are empty when there is none."""

    code: str
    step: str
    what: str
    facts: dict[str, object]


class TraceRows(TypedDict):
    """A Trace in a report."""

    requests: list[RequestRow]
    messages: list[MessageRow]
    steps: list[StepRow]


@dataclass
class Trace:
    """Everything a phone has done; its texts may contain secrets, which to_dict() removes."""

    clock: Clock
    power_up: int = 0
    seconds: float = 0.0
    """How long the phone was busy, without its waits for a timer."""
    requests: deque[RequestRecord] = field(default_factory=lambda: deque(maxlen=MAX_ENTRIES))
    messages: deque[MessageRecord] = field(default_factory=lambda: deque(maxlen=MAX_ENTRIES))
    steps: deque[StepRecord] = field(default_factory=lambda: deque(maxlen=MAX_ENTRIES))
    failure: Failure | None = None
    failures: deque[Failure] = field(default_factory=lambda: deque(maxlen=MAX_ENTRIES))
    """All failures since power-up, in order, with those that followed from another one."""

    def begin_power_up(self) -> None:
        """Count a power-up; earlier failures are forgotten."""
        self.power_up += 1
        self.failure = None
        self.failures.clear()

    @contextmanager
    def step(self, step: StepName, what: str, outcome_on_failure: Outcome = Outcome.FAILED) -> Iterator[OpenStep]:
        """Record a step when it ends; a ResyncError is recorded with *outcome_on_failure* and raised again."""
        started = self.clock.now()
        entry = OpenStep()
        try:
            yield entry
        except ResyncError as error:
            error.step = error.step or step
            self._add(step, what, outcome_on_failure, str(error), started)
            raise
        self._add(step, what, entry.outcome, entry.detail, started)

    def record(self, step: StepName, what: str, detail: str, outcome: Outcome = Outcome.OK) -> None:
        """Record a step that takes no time."""
        self._add(step, what, outcome, detail, self.clock.now())

    def record_skipped(self, step: StepName, what: str, why: str) -> None:
        """Record a step that was not taken."""
        self.record(step, what, why, Outcome.SKIPPED)

    def _add(self, step: StepName, what: str, outcome: Outcome, detail: str, started: float) -> None:
        seconds = round(max(0.0, self.clock.now() - started), 6)
        self.steps.append(StepRecord(step, what, outcome, detail, seconds, self.power_up))

    def mark_last_corrupt(self) -> None:
        """Mark the last file as corrupt."""
        last = self.requests.pop()
        self.requests.append(replace(last, behaviour=Behaviour.NOT_FOUND))

    def record_failure(self, code: FailureCode, step: StepName, why: str, facts: Mapping[str, object]) -> None:
        """Record what ended this resync; a later failure may follow from it, and does not replace it."""
        found = Failure(code, step, f"power-up {self.power_up}: {why}", facts)
        self.failures.append(found)
        self.failure = self.failure or found

    def record_error(self, error: ResyncError, default_step: StepName, prefix: str = "") -> None:
        """Record a ResyncError as the failure; *default_step* where the error knows no step."""
        self.record_failure(error.code, error.step or default_step, f"{prefix}{error}", error.facts)

    def to_dict(self, redact: Redactor) -> TraceRows:
        """Return requests, messages and steps for a report, their texts redacted."""
        return {
            "requests": [_request_row(request, redact) for request in self.requests],
            "messages": [{"server": one.server, "text": redact(one.text), "sent": one.sent} for one in self.messages],
            "steps": [_step_row(step, redact) for step in self.steps],
        }


def _request_row(request: RequestRecord, redact: Redactor) -> RequestRow:
    return {
        "power_up": request.power_up,
        "parameter": request.parameter,
        "url": redact(request.url),
        "protocol": request.protocol,
        "status": request.status,
        "bytes": request.bytes,
        "sealed": request.sealed,
        "behaviour": str(request.behaviour) if request.behaviour.is_final else "",
        "address": request.address,
        "digest": request.digest,
    }


def _step_row(step: StepRecord, redact: Redactor) -> StepRow:
    return {
        "step": str(step.step),
        "what": redact(step.what),
        "outcome": str(step.outcome),
        "detail": redact(step.detail),
        "seconds": step.seconds,
        "power_up": step.power_up,
    }


def failure_to_dict(failure: Failure | None, redact: Redactor) -> FailureRow:
    """Return a failure for a report, its texts redacted."""
    if failure is None:
        return {"code": "", "step": "", "what": "", "facts": {}}
    facts = {name: redact(value) if isinstance(value, str) else value for name, value in failure.facts.items()}
    return {"code": str(failure.code), "step": str(failure.step), "what": redact(failure.what), "facts": facts}
