# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an emulated unit has done, written down as it goes: steps, requests, messages, and the failure that ended it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from .phone_network import Clock

MOST_ENTRIES = 2000
"""Entries of each kind that are kept, the latest: a unit can run for months."""

OK, FAILED, SKIPPED = "ok", "failed", "skipped"


class ResyncError(Exception):
    """Something has failed. The message is what a unit would put into $ERR; code, step and facts are a report's."""

    def __init__(self, code: str, message: str, **facts: Any) -> None:
        super().__init__(message)
        self.code = code
        self.facts = facts
        self.step = ""


@dataclass(frozen=True)
class Request:
    """One file that was asked for."""

    power_up: int
    parameter: str
    """The parameter that named it: Profile_Rule, Custom_CA_URL ..."""
    url: str
    protocol: str
    status: int
    bytes: int
    sealed: bool
    behaviour: str
    """A success, B not found or corrupt, C any other failure; empty for a redirection or a login that is tried again."""


@dataclass(frozen=True)
class Message:
    """One syslog message."""

    server: str
    text: str
    sent: bool


@dataclass(frozen=True)
class Step:
    """One step of the way."""

    step: str
    """lease, options, name, fetch, certificate, login, open, apply, log, report, upgrade or customization."""
    what: str
    outcome: str
    detail: str
    seconds: float
    power_up: int


@dataclass
class Note:
    """What a step will be told as, once it has ended."""

    detail: str = ""
    outcome: str = OK


@dataclass(frozen=True)
class Failure:
    """What ended a resync."""

    code: str
    step: str
    what: str
    """One sentence."""
    facts: Mapping[str, Any]


@dataclass
class Diary:
    """Everything so far; the texts may hold secrets until plain() has hidden them."""

    clock: Clock
    power_up: int = 0
    seconds: float = 0.0
    """How long it was on its way."""
    requests: deque[Request] = field(default_factory=lambda: deque(maxlen=MOST_ENTRIES))
    messages: deque[Message] = field(default_factory=lambda: deque(maxlen=MOST_ENTRIES))
    steps: deque[Step] = field(default_factory=lambda: deque(maxlen=MOST_ENTRIES))
    failure: Failure | None = None

    @contextmanager
    def step(self, step: str, what: str, otherwise: str = FAILED) -> Iterator[Note]:
        """Write a step down when it has ended; *otherwise* is its outcome when a ResyncError ends it, which goes on."""
        begun = self.clock.now()
        note = Note()
        try:
            yield note
        except ResyncError as error:
            error.step = error.step or step
            self._add(step, what, otherwise, str(error), begun)
            raise
        self._add(step, what, note.outcome, note.detail, begun)

    def tell(self, step: str, what: str, detail: str, outcome: str = OK) -> None:
        """Write down a step that takes no time."""
        self._add(step, what, outcome, detail, self.clock.now())

    def skip(self, step: str, what: str, why: str) -> None:
        """Write down what was not done."""
        self.tell(step, what, why, SKIPPED)

    def _add(self, step: str, what: str, outcome: str, detail: str, begun: float) -> None:
        seconds = round(max(0.0, self.clock.now() - begun), 6)
        self.steps.append(Step(step, what, outcome, detail, seconds, self.power_up))

    def corrupt(self) -> None:
        """The last file was of no use."""
        last = self.requests.pop()
        self.requests.append(replace(last, behaviour="B"))

    def fail(self, code: str, step: str, why: str, facts: Mapping[str, Any]) -> None:
        """Write down what ended this resync; what fails after that follows from it."""
        if self.failure is None:
            self.failure = Failure(code, step, f"power-up {self.power_up}: {why}", facts)

    def plain(self, hide: Callable[[str], str]) -> dict[str, Any]:
        """Return requests, messages and steps, with their texts as *hide* returns them."""
        return {
            "requests": [{**vars(request), "url": hide(request.url)} for request in self.requests],
            "messages": [{**vars(message), "text": hide(message.text)} for message in self.messages],
            "steps": [{**vars(step), "what": hide(step.what), "detail": hide(step.detail)} for step in self.steps],
        }


def plain_failure(failure: Failure | None, hide: Callable[[str], str]) -> dict[str, Any]:
    """Return a failure for a report; all is empty when there is none."""
    if failure is None:
        return {"code": "", "step": "", "what": "", "facts": {}}
    facts = {name: hide(value) if isinstance(value, str) else value for name, value in failure.facts.items()}
    return {"code": failure.code, "step": failure.step, "what": hide(failure.what), "facts": facts}
