# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Report on an emulated phone: what it did, and whether it is preprovisioned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypedDict

from ..common.redaction import redact_parameter
from ..events.causes.failure_codes import FailureCode
from ..profiles.macros import expand
from ..profiles.rules.model import RuleError
from ..profiles.rules.parser import parse_rule
from ..profiles.rules.urls import format_url, parse_url
from .device.ports import Lease
from .device.state import PhoneState
from .device.trace import Behaviour, FailureRow, MessageRow, RequestRow, StepName, StepRow, Trace, failure_to_dict
from .resync.timers import Timer

_MAX_RULES = 32


class NextResync(TypedDict):
    """When a phone resyncs next; seconds is None and timer empty when it does not."""

    seconds: float | None
    timer: str


class PhoneReport(TypedDict):
    """One phone, as module emulated_phone documents it. It contains no secrets."""

    name: str
    mac: str
    model: str
    address: str
    dhcp_options: dict[str, str]
    requests: list[RequestRow]
    messages: list[MessageRow]
    steps: list[StepRow]
    state: str
    cause: str
    failure: FailureRow
    failures: list[FailureRow]
    """All since the last power-up, in order, and at the end what else would keep the phone from being preprovisioned."""
    profile_rule: str
    parameters: int
    firmware: str
    customization: str
    next_resync: NextResync
    seconds: float


class Reporter:
    """Reports on one phone."""

    def __init__(self, state: PhoneState, trace: Trace) -> None:
        self._state = state
        self._trace = trace
        self._rules: list[str] = []
        """The profile rules that the phone has had, in order, without repetitions in a row."""

    def remember_rule(self) -> None:
        """Keep the current profile rule: a rule that returns is a loop."""
        rule = self._profile_rule()
        if not self._rules or self._rules[-1] != rule:
            self._rules.append(rule)
            del self._rules[:-_MAX_RULES]

    def forget_rules(self) -> None:
        """Forget earlier rules, as a factory reset does."""
        self._rules.clear()

    def report(self, customization: str, next_resync: Timer | None) -> PhoneReport:
        """Return the report, with *next_resync* as the timer of the next resync."""
        state, trace = self._state, self._trace
        redact = state.redactor()
        shortcoming = self._shortcoming(redact)
        failure = failure_to_dict(trace.failure, redact) if trace.failure else shortcoming
        failures = [*(failure_to_dict(one, redact) for one in trace.failures), *([shortcoming] if shortcoming["code"] else [])]
        return {
            "name": state.phone.name,
            "mac": state.phone.mac.colon,
            "model": state.phone.model.name,
            "address": state.lease.address if state.lease else "",
            "dhcp_options": _dhcp_options(state.lease),
            **trace.to_dict(redact),
            "state": "failed" if failure["what"] else "preprovisioned",
            "cause": failure["what"],
            "failure": failure,
            "failures": failures,
            "profile_rule": self._shown_rule(redact),
            "parameters": len(state.parameters),
            "firmware": state.version,
            "customization": customization,
            "next_resync": _next_resync(next_resync, trace.clock.now()),
            "seconds": round(trace.seconds, 6),
        }

    def _profile_rule(self) -> str:
        return next((self._state.parameters.get(name, "") for name in self._state.family.profile_rules), "")

    def _shown_rule(self, redact: Callable[[str], str]) -> str:
        # A rule that has not been followed yet may contain a key that the phone does not know as a secret
        names = self._state.family.profile_rules[:1]
        return redact(next((redact_parameter(name, self._state.parameters.get(name, "")) for name in names), ""))

    def _shortcoming(self, redact: Callable[[str], str]) -> FailureRow:
        """Return a failure for a phone that is not preprovisioned although its resyncs succeeded; an empty one when it is."""
        shown_rule = self._shown_rule(redact)
        found = self._find_shortcoming(shown_rule)
        if found is None:
            return failure_to_dict(None, redact)
        code, what = found
        return {"code": str(code), "step": str(StepName.APPLY), "what": what, "facts": {"profile_rule": shown_rule}}

    def _find_shortcoming(self, shown_rule: str) -> tuple[FailureCode, str] | None:
        family = self._state.family
        if not self._trace.requests:
            return FailureCode.NO_RESYNC, "the phone requested no file"
        if not family.profile_rules:
            return None
        name = family.profile_rules[0]
        rule = self._state.parameters[name]
        if rule == family.factory_rule:
            return FailureCode.NO_OWN_FILE, f"{name} is still the factory rule; no fetched profile sets it"
        try:
            urls = _urls(expand(rule, self._state.macros()))
        except RuleError as error:
            return FailureCode.RULE, f"{name} '{shown_rule}' cannot be followed: {error}"
        return self._check_urls(f"{name} '{shown_rule}'", rule, urls)

    def _check_urls(self, setting: str, rule: str, urls: Sequence[str]) -> tuple[FailureCode, str] | None:
        if rule in self._rules[:-1]:
            return FailureCode.LOOP, f"{setting} leads back to a profile that leads here"
        if any(self._is_own(url) for url in urls):
            return None
        if urls and all(self._has_requested(url) for url in urls):
            return FailureCode.LOOP, f"{setting} leads to a profile that leads back to itself and belongs to no particular phone"
        return FailureCode.NO_OWN_FILE, f"{setting} names no file that is only for this phone; put $MA into it"

    def _is_own(self, url: str) -> bool:
        phone = self._state.phone
        return any(text and text in url.lower() for text in (phone.mac.plain, phone.mac.colon, phone.serial.lower()))

    def _has_requested(self, url: str) -> bool:
        try:
            found = format_url(parse_url(url))
        except RuleError:
            return False
        # A file that was not there leads nowhere
        return any(request.url == found and request.behaviour is Behaviour.SUCCESS for request in self._trace.requests)


def _urls(rule: str) -> list[str]:
    return [target.url for alternative in parse_rule(rule).alternatives for target in alternative.targets]


def _dhcp_options(lease: Lease | None) -> dict[str, str]:
    return {str(code): value for code, value in sorted(lease.options.items())} if lease else {}


def _next_resync(timer: Timer | None, now: float) -> NextResync:
    if timer is None:
        return {"seconds": None, "timer": ""}
    return {"seconds": round(max(0.0, timer.due - now), 3), "timer": timer.name}
