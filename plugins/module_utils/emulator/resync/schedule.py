# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The running timers of an emulated phone, as its parameters set them at the moment."""

from __future__ import annotations

from enum import StrEnum

from ..device.state import PhoneState
from .timers import MIN_TIMER_SECONDS, Timer, at_random_delay, delay_for, first_contact_delay, next_time_of_day, parse_delays

AT, PERIODIC, ERROR = "Resync_At", "Resync_Periodic", "Resync_Error_Retry_Delay"
_UPGRADE, _REPORT = "Upgrade_Error_Retry_Delay", "periodic_upload_to_server"
_TRIGGER = "Resync_Trigger"
_LEASE = "lease"
_DEFAULT_DELAY = "3600"
_DEFAULT_FORCED_DELAY = 14400.0
_TRIGGER_INTERVAL = 60.0
"""Seconds between two evaluations of the triggers; no document says how often."""


class TimerKind(StrEnum):
    """What happens when a timer is due."""

    RESYNC = "resync"
    TRIGGER = "trigger"
    """The phone evaluates its triggers."""
    UPGRADE = "upgrade"
    REPORT = "report"
    LEASE = "lease"
    """The phone extends its lease, or the lease ends."""


class Schedule:
    """The timers of one phone, at most one of each kind."""

    def __init__(self, state: PhoneState) -> None:
        self._state = state
        self._timers: dict[TimerKind, Timer] = {}
        self._successes = self._failures = 0

    def clear(self) -> None:
        """Start over, as after power-up."""
        self._timers.clear()
        self._successes = self._failures = 0

    def get(self, kind: TimerKind) -> Timer | None:
        """Return the timer of that kind."""
        return self._timers.get(kind)

    def stop(self, kind: TimerKind) -> None:
        """Stop the timer of that kind."""
        self._timers.pop(kind, None)

    def first(self) -> tuple[TimerKind, Timer] | None:
        """Return the timer that is due first, with its kind; None when no timer is running."""
        return min(self._timers.items(), key=lambda item: item[1].due, default=None)

    def first_contact_delay(self) -> float:
        """Return the seconds to wait after power-up."""
        return first_contact_delay(
            self._state.get("resync.random_delay", "2"), self._state.family.random_delay_unit, self._state.rng
        )

    def forced_delay(self, kind: TimerKind, busy_for: float) -> float:
        """Return the seconds by which a timer is delayed while the phone's lines are in use for *busy_for* more seconds."""
        if busy_for <= 0 or kind in (TimerKind.REPORT, TimerKind.TRIGGER, TimerKind.LEASE):
            return 0.0
        text = self._state.get("resync.forced_delay")
        forced = float(text) if text.isdecimal() and len(text) < 9 else _DEFAULT_FORCED_DELAY
        return busy_for + forced if self._state.family.waits_for_idle else forced

    def set_resync(self, succeeded: bool, now: float) -> None:
        """Set the timer that follows a resync."""
        self.stop(TimerKind.RESYNC)
        if succeeded:
            self._failures = 0
            self._set_next(now)
        else:
            self._failures += 1
            self._set_retry(now)

    def _set_retry(self, now: float) -> None:
        state = self._state
        delays = parse_delays(state.get("resync.error_retry_delay"), state.family.error_retry_delay)
        seconds = delay_for(delays, self._failures - 1, state.rng)
        if seconds or state.family.zero_retries:
            self._start(TimerKind.RESYNC, ERROR, now, seconds)

    def _set_next(self, now: float) -> None:
        state = self._state
        due = next_time_of_day(state.get("resync.at"), now)
        if due is not None:
            self._timers[TimerKind.RESYNC] = Timer(AT, due + at_random_delay(state.get("resync.at_random_delay"), state.rng))
            return
        seconds = delay_for(parse_delays(state.get("resync.periodic"), _DEFAULT_DELAY), self._successes, state.rng)
        self._successes += 1
        if seconds:
            self._start(TimerKind.RESYNC, PERIODIC, now, seconds)

    def set_trigger(self, now: float) -> None:
        """Set the timer for the next evaluation of the triggers, in families where a true trigger causes a resync."""
        state = self._state
        self.stop(TimerKind.TRIGGER)
        if not state.family.trigger_blocks and any(state.parameters.get(name, "").strip() for name in state.family.triggers):
            self._timers[TimerKind.TRIGGER] = Timer(_TRIGGER, now + _TRIGGER_INTERVAL)

    def pull_trigger(self, now: float) -> None:
        """Make a resync due now."""
        self._timers[TimerKind.RESYNC] = Timer(_TRIGGER, now)

    def set_upgrade(self, failures: int, now: float) -> None:
        """Set the timer that follows *failures* failed upgrades in a row."""
        delays = parse_delays(self._state.parameters.get(_UPGRADE, ""), _DEFAULT_DELAY)
        seconds = delay_for(delays, failures - 1, self._state.rng)
        if seconds:
            self._start(TimerKind.UPGRADE, _UPGRADE, now, seconds)

    def set_report(self, now: float) -> None:
        """Set the timer of the next periodic report, unless it is running or periodic reports are off."""
        parameters = self._state.parameters
        if parameters.get("Report_to_Server", "") == "Periodically" and TimerKind.REPORT not in self._timers:
            seconds = delay_for(parse_delays(parameters.get(_REPORT, ""), _DEFAULT_DELAY), 0, self._state.rng)
            self._start(TimerKind.REPORT, _REPORT, now, seconds)

    def set_lease(self, due: float | None) -> None:
        """Set the timer of the lease to *due* (seconds since 1970); None for a lease that does not end, or none at all."""
        self.stop(TimerKind.LEASE)
        if due is not None:
            self._timers[TimerKind.LEASE] = Timer(_LEASE, due)

    def _start(self, kind: TimerKind, name: str, now: float, seconds: float) -> None:
        self._timers[kind] = Timer(name, now + max(seconds, MIN_TIMER_SECONDS))
