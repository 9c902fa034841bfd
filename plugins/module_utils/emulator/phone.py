# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""An emulated phone from power-up on: resyncs and their timers, remote customization, upgrades, reports.

Network and clock are ports, see device/ports.py.

Sources: "Profile rule", "Resync" and "Report rule" of the ATA 191/192, SPA and MPP provisioning guides; the in-house chapter for
remote customization. Guesses are noted beside the code that makes them, and in docs/reference/emulated_phone.md.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Protocol

from ..events.causes.failure_codes import FailureCode
from ..events.progress.customization_states import CustomizationState
from ..families.model import Family
from ..phones.phone import Phone
from ..profiles.rules.evaluate import evaluate
from ..profiles.rules.model import RuleError, RuleKind
from ..profiles.rules.urls import format_url
from .device.habits import Habit
from .device.ports import Clock, Network, StoppedClock
from .device.state import PhoneState
from .device.trace import ResyncError, StepName, Trace
from .fetching.fetcher import MAX_REQUESTS, Fetcher
from .fetching.server_discovery import option_order, server_options
from .lease_keeper import LeaseKeeper
from .phone_report import PhoneReport, Reporter
from .resync.customization import CustomizationEvent
from .resync.customization_client import CustomizationClient
from .resync.reports import build_report, reportable_parameters
from .resync.rule_runner import RuleRunner
from .resync.schedule import ERROR, Schedule, TimerKind
from .resync.syslog import SyslogClient
from .resync.timers import Timer
from .resync.upgrades import Upgrader

MAX_UPGRADES = 8
"""Upgrades after one power-up; more intermediate versions than that are a loop."""


class _Reason(StrEnum):
    """Why a phone resyncs, as in $PRVST."""

    POWER_UP = "0"
    PERIODIC = "1"
    RETRY = "2"
    REQUESTED = "-1"


class ResyncObserver(Protocol):
    """What is told of each resync."""

    def begin(self) -> None:
        """Note that a resync begins."""

    def end(self, code: str, cause: str) -> None:
        """Note that it ends; *code* and *cause*: why it failed, the latter a sentence without secrets; both empty if it did not."""


class EmulatedPhone:
    """A phone with factory settings: call power_up() for each power cycle, or run() for a period of time, then report()."""

    def __init__(
        self,
        phone: Phone,
        roots: bytes = b"",
        has_certificate: bool = False,
        *,
        customization: str = "",
        checksums: Mapping[str, str] | None = None,
        habits: Collection[Habit] = (),
        rng: random.Random | None = None,
    ) -> None:
        """*roots*: PEM roots from the factory; roots that the phone fetches by URL are added to them.

        *customization*: URL of a remote customization service, customization_client.VENDOR for the vendor's, or empty. *checksums*:
        name of a firmware file -> its SHA-256. *habits*: what this unit does differently. *rng*: source of random delays.
        """
        self._clock: Clock = StoppedClock()
        rng = rng or random.Random()  # noqa: S311 - delays, no secrets
        self._state = PhoneState(phone, roots, has_certificate, rng, frozenset(habits))
        self._trace = Trace(self._clock)
        self._fetcher = Fetcher(self._state, self._trace)
        syslog = SyslogClient(self._state, self._trace)
        self._rule_runner = RuleRunner(self._state, self._trace, self._fetcher, syslog)
        self._upgrader = Upgrader(self._state, self._trace, self._fetcher, syslog, checksums or {})
        self._customization = CustomizationClient(self._state, self._trace, self._fetcher, customization)
        self._schedule = Schedule(self._state)
        self._lease_keeper = LeaseKeeper(self._state, self._trace, self._schedule)
        self._reporter = Reporter(self._state, self._trace)
        self._last_resync: float | None = None
        self._reported: dict[str, str] = {}
        self._observer: ResyncObserver | None = None
        self.busy_for = 0.0
        """Seconds for which its lines are still in use when a resync is due."""

    @property
    def customization(self) -> CustomizationState:
        """The state of remote customization."""
        return self._customization.state

    @property
    def cause(self) -> str:
        """Why the last resync failed, in one sentence; empty when it succeeded."""
        return self._state.redactor()(self._trace.failure.what) if self._trace.failure else ""

    @property
    def resync_failed(self) -> bool:
        """Whether the last resync failed; a phone whose upgrade failed has applied its profile."""
        failure = self._trace.failure
        return failure is not None and failure.code is not FailureCode.UPGRADE

    @property
    def _family(self) -> Family:
        return self._state.family

    @property
    def _parameters(self) -> dict[str, str]:
        return self._state.parameters

    # -- what can happen to a phone

    def power_up(self, network: Network, clock: Clock) -> None:
        """Get an address and follow the rules that are set now. A failure ends the resync and is kept in ``cause``."""
        self._clock = self._trace.clock = clock
        started = clock.now()
        self._trace.begin_power_up()
        self._schedule.clear()
        self._start(network)
        self._trace.seconds += max(0.0, clock.now() - started)

    def run(self, network: Network, clock: Clock, until: float) -> None:
        """Power up after the first-contact delay, and resync by the timers until *until* (seconds since 1970)."""
        self._clock = self._trace.clock = clock
        delay = self._schedule.first_contact_delay()
        if clock.now() + delay > until:
            return
        clock.sleep(delay)
        self.power_up(network, clock)
        while first := self._schedule.first():
            kind, timer = first
            delay = self._schedule.forced_delay(kind, self.busy_for)
            due = max(timer.due, clock.now()) + delay
            if due > until:
                return
            # The clock has moved on since a timer that is overdue was read
            clock.sleep(max(0.0, due - clock.now()))
            if delay:
                self.busy_for = 0.0
            self._schedule.stop(kind)
            started = clock.now()
            self._handle_timer(kind, timer, network)
            self._trace.seconds += max(0.0, clock.now() - started)

    def resync(self, network: Network, rule: str = "") -> bool:
        """Resync at once, as SIP NOTIFY or /admin/resync demands, by *rule* only if given; return whether it succeeded."""
        if self._state.lease is None or self._state.is_no("Provision_Enable"):
            return False
        return self._resync(network, _Reason.REQUESTED, rule)

    def send_report(self, network: Network) -> bool:
        """Report once, as SIP NOTIFY demands, without retries; return whether every server accepted it."""
        self._fetcher.requests_left = MAX_REQUESTS
        try:
            for parameter in self._family.report_rules:
                self._follow_report_rule(parameter, network)
        except ResyncError as error:
            self._trace.record_failure(FailureCode.REPORT, error.step or StepName.REPORT, str(error), error.facts)
            return False
        return True

    def factory_reset(self) -> None:
        """Restore factory settings; the firmware stays, and remote customization is open again."""
        self._state.reset()
        self._reporter.forget_rules()
        self._schedule.clear()
        self._rule_runner.server_came_from_dhcp = False
        self._customization.advance(CustomizationEvent.RESET)

    def set_up_by_hand(self, parameters: Mapping[str, str]) -> None:
        """Set parameters on the phone's display or web page, which ends remote customization."""
        self._parameters.update(parameters)
        self._customization.advance(CustomizationEvent.SET_UP)

    def configure_user_agent(self, text: str) -> None:
        """Set the User-Agent, with macros, that the phone sends until its profile sets another; empty for its family's."""
        self._state.own_user_agent = text

    def observe_resyncs(self, observer: ResyncObserver) -> None:
        """Tell *observer* of each resync from now on."""
        self._observer = observer

    def report(self) -> PhoneReport:
        """Return what happened, without secrets."""
        return self._reporter.report(str(self.customization), self._schedule.get(TimerKind.RESYNC))

    # -- powering up

    def _start(self, network: Network) -> None:
        try:
            self._lease_keeper.acquire(network)
            self._boot(network)
        except ResyncError as error:
            self._trace.record_error(error, StepName.APPLY)
            if error.code is FailureCode.NO_LEASE:
                # Guess: DHCP is tried again when a failed resync would be
                self._schedule.set_resync(False, self._clock.now())

    def _boot(self, network: Network) -> None:
        for parameter in ("Provision_Enable", "Resync_On_Reset"):
            if self._state.is_no(parameter):
                why = f"the phone does not resync, because {parameter} is No"
                raise ResyncError(FailureCode.NO_RESYNC, why, parameter=parameter)
        if self._is_blocked():
            raise ResyncError(FailureCode.NO_RESYNC, "the phone does not resync, because no Resync_Trigger is true")
        if Habit.OTHER_NAMES in self._state.habits:
            self._fetcher.requests_left = MAX_REQUESTS
            self._rule_runner.request_other_names(network)
        self._resync(network, _Reason.POWER_UP)
        self._upgrade(network)

    def _is_blocked(self) -> bool:
        """Return whether the triggers prevent a resync, in families where they can."""
        triggers = self._triggers()
        return self._family.trigger_blocks and bool(triggers) and not any(triggers)

    def _triggers(self) -> list[bool]:
        """Return the current value of each trigger that is set."""
        self._update_counters()
        texts = [self._parameters.get(name, "").strip() for name in self._family.triggers]
        return [self._is_true(text) for text in texts if text]

    def _is_true(self, condition: str) -> bool:
        try:
            return evaluate(f"({condition})? /x", self._state.macros(), {}) is not None
        except RuleError:
            return False

    def _update_counters(self) -> None:
        """Update the macros that count seconds."""
        since = {"PRVTMR": self._last_resync, "UPGTMR": self._upgrader.last}
        now = self._clock.now()
        self._state.counters |= {name: str(int(now - last)) for name, last in since.items() if last is not None}

    # -- timers

    def _handle_timer(self, kind: TimerKind, timer: Timer, network: Network) -> None:
        if kind is TimerKind.LEASE:
            if not self._lease_keeper.extend(network):
                self._trace.failure = None
                self._start(network)
        elif kind is TimerKind.UPGRADE:
            self._clear_failure(FailureCode.UPGRADE)
            self._upgrade(network)
        elif self._state.lease is None:
            self._trace.failure = None
            self._start(network)
        elif kind is TimerKind.REPORT:
            self._clear_failure(FailureCode.REPORT)
            self.send_report(network)
            self._schedule.set_report(self._clock.now())
        elif kind is TimerKind.TRIGGER:
            self._check_triggers()
        else:
            self._handle_resync_timer(timer, network)

    def _check_triggers(self) -> None:
        if any(self._triggers()):
            self._schedule.pull_trigger(self._clock.now())
        else:
            self._schedule.set_trigger(self._clock.now())

    def _handle_resync_timer(self, timer: Timer, network: Network) -> None:
        if self._is_blocked() or self._state.is_no("Provision_Enable"):
            self._trace.record_skipped(StepName.APPLY, timer.name, "the phone does not resync now")
            self._schedule.set_resync(True, self._clock.now())
            return
        self._resync(network, _Reason.RETRY if timer.name == ERROR else _Reason.PERIODIC)
        if self._schedule.get(TimerKind.UPGRADE) is None:
            self._upgrade(network)

    def _clear_failure(self, code: FailureCode) -> None:
        """Clear a failure with this code: what failed is now tried again."""
        if self._trace.failure and self._trace.failure.code is code:
            self._trace.failure = None

    # -- one resync, with remote customization where DHCP does not help

    def _resync(self, network: Network, reason: _Reason, rule: str = "") -> bool:
        self._update_counters()
        self._state.counters["PRVST"] = str(reason)
        self._last_resync = self._clock.now()
        self._fetcher.requests_left = MAX_REQUESTS
        self._trace.failure = None
        if self._observer:
            self._observer.begin()
        if rule:
            succeeded = self._follow_rule("resync", rule, network)
        else:
            succeeded = self._follow_all_rules(network)
            succeeded = self._customize(succeeded, network)
        if self._observer:
            failure = None if succeeded else self._trace.failure
            self._observer.end(failure.code if failure else "", self.cause if failure else "")
        self._schedule.set_resync(succeeded, self._clock.now())
        self._schedule.set_trigger(self._clock.now())
        self._schedule.set_report(self._clock.now())
        self._reporter.remember_rule()
        return succeeded

    def _follow_all_rules(self, network: Network) -> bool:
        if not self._family.profile_rules:
            try:
                self._rule_runner.fetch_fixed_files(network)
            except ResyncError as error:
                self._trace.record_error(error, StepName.APPLY)
            return self._trace.failure is None
        # Each rule is read when its turn comes: the profile before it may have set it
        return all(self._follow_rule(name, self._parameters.get(name, ""), network) for name in self._family.profile_rules)

    def _follow_rule(self, parameter: str, text: str, network: Network) -> bool:
        try:
            self._rule_runner.follow_rule(parameter, text, network)
        except ResyncError as error:
            error.facts = {"parameter": parameter, **error.facts}
            self._trace.record_error(error, StepName.APPLY, f"{parameter}: ")
            return False
        return True

    def _customize(self, succeeded: bool, network: Network) -> bool:
        """Advance remote customization after a resync by DHCP that has *succeeded* or not; return whether a profile was applied."""
        by_option = self._family.customization_aborted_by == "option" and self._is_led_by_option()
        if by_option or (succeeded and self._rule_runner.server_came_from_dhcp):
            self._customization.advance(CustomizationEvent.DHCP)
        rule = "" if succeeded else self._customization.ask(network)
        if not rule:
            return succeeded
        failure, self._trace.failure = self._trace.failure, None
        if not self._follow_rule("customization", rule, network):
            self._trace.failure = failure or self._trace.failure
            return False
        self._customization.advance(CustomizationEvent.FETCHED)
        return True

    def _is_led_by_option(self) -> bool:
        lease = self._state.lease
        return lease is not None and any(server_options(lease, option_order(self._family, self._parameters)))

    # -- upgrades and reports

    def _upgrade(self, network: Network) -> None:
        """Follow the upgrade rules; each upgrade ends with a reboot, and the resync after it may lead to the next upgrade."""
        self._schedule.stop(TimerKind.UPGRADE)
        self._fetcher.requests_left = MAX_REQUESTS
        seen = {self._state.version}
        for _number in range(MAX_UPGRADES):
            try:
                if not self._upgrade_once(seen, network):
                    return
            except ResyncError as error:
                self._trace.record_error(error, StepName.UPGRADE, "Upgrade_Rule: ")
                self._schedule.set_upgrade(self._upgrader.failures, self._clock.now())
                return
            seen.add(self._state.version)
            if not self._state.is_no("Resync_After_Upgrade_Attempt"):
                self._resync(network, _Reason.POWER_UP)
        why = f"Upgrade_Rule: no end in sight after {MAX_UPGRADES} upgrades"
        self._trace.record_failure(FailureCode.LOOP, StepName.UPGRADE, why, {})

    def _upgrade_once(self, seen: set[str], network: Network) -> bool:
        """Upgrade by the first rule that applies; return whether one did. *seen*: versions since power-up. Raise ResyncError."""
        before = self._state.version
        if not any(self._upgrader.follow_rule(name, network) for name in self._family.upgrade_rules):
            return False
        version = self._state.version
        if before != version and version in seen:
            raise ResyncError(FailureCode.LOOP, f"the upgrade rule leads back to {version}", version=version)
        return True

    def _follow_report_rule(self, parameter: str, network: Network) -> None:
        state = self._state
        text = self._parameters.get(parameter, "")
        try:
            resolution = evaluate(text, state.macros(), state.secret_macros(), RuleKind.REPORT)
        except RuleError as error:
            raise ResyncError(FailureCode.RULE, f"{parameter}: {error}", parameter=parameter) from error
        if resolution is None:
            self._trace.record_skipped(StepName.REPORT, parameter, "the rule is empty, or no condition is true")
            return
        self._parameters.update(resolution.assignments)
        for destination in resolution.destinations:
            state.remember_secrets(*(destination.options.get(name, "") for name in ("key", "pwd")))
            with self._trace.step(StepName.REPORT, format_url(destination.target)) as entry:
                request = build_report(parameter, destination, state, self._reported)
                self._fetcher.get(destination.target, request, network)
                entry.detail = f"{request.method}, {len(request.body or b'')} bytes"
        self._reported = reportable_parameters(state.parameters, self._family)
