# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an emulated unit waits for: its timers, as its parameters set them at the moment."""

from __future__ import annotations

from .phone_memory import Memory
from .resync_timers import SHORTEST, Timer, at_random_delay, first_contact, next_time_of_day, read_delays, wait

AT, PERIODIC, ERROR = "Resync_At", "Resync_Periodic", "Resync_Error_Retry_Delay"
_UPGRADE, _REPORT = "Upgrade_Error_Retry_Delay", "periodic_upload_to_server"
_TRIGGER = "Resync_Trigger"
_FORCED = 14400.0
_LOOK = 60.0
"""Seconds between two looks at the triggers; no document says how often."""


class Schedule:
    """The timers of one unit, at most one of each kind: resync, trigger, upgrade and report."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._timers: dict[str, Timer] = {}
        self._successes = self._failures = 0

    def clear(self) -> None:
        """Begin anew, as after power-up."""
        self._timers.clear()
        self._successes = self._failures = 0

    def get(self, kind: str) -> Timer | None:
        """Return the timer of that kind."""
        return self._timers.get(kind)

    def stop(self, kind: str) -> None:
        """Take away the timer of that kind."""
        self._timers.pop(kind, None)

    def first(self) -> tuple[str, Timer] | None:
        """Return kind and timer of what is due first; None when nothing will be."""
        return min(self._timers.items(), key=lambda item: item[1].due, default=None)

    def first_contact(self) -> float:
        """Return the seconds that the unit waits after power-up."""
        return first_contact(
            self._memory.get("resync.random_delay", "2"), self._memory.family.random_delay_unit, self._memory.chance
        )

    def forced_delay(self, kind: str, busy_for: float) -> float:
        """Return how much longer the unit waits whose lines are in use for so many seconds."""
        if busy_for <= 0 or kind in ("report", "trigger"):
            return 0.0
        text = self._memory.get("resync.forced_delay")
        forced = float(text) if text.isdecimal() and len(text) < 9 else _FORCED
        return busy_for + forced if self._memory.family.waits_for_idle else forced

    def set_resync(self, succeeded: bool, now: float) -> None:
        """Set the timer that follows a resync."""
        self.stop("resync")
        if succeeded:
            self._failures = 0
            self._set_next(now)
        else:
            self._failures += 1
            self._set_retry(now)

    def _set_retry(self, now: float) -> None:
        memory = self._memory
        delays = read_delays(memory.get("resync.error_retry_delay"), memory.family.error_retry_delay)
        seconds = wait(delays, self._failures - 1, memory.chance)
        if seconds or memory.family.zero_retries:
            self._timers["resync"] = Timer(ERROR, now + max(seconds, SHORTEST))

    def _set_next(self, now: float) -> None:
        memory = self._memory
        due = next_time_of_day(memory.get("resync.at"), now)
        if due is not None:
            self._timers["resync"] = Timer(AT, due + at_random_delay(memory.get("resync.at_random_delay"), memory.chance))
            return
        seconds = wait(read_delays(memory.get("resync.periodic"), "3600"), self._successes, memory.chance)
        self._successes += 1
        if seconds:
            self._timers["resync"] = Timer(PERIODIC, now + max(seconds, SHORTEST))

    def set_trigger(self, now: float) -> None:
        """Set the timer at which the unit looks at its triggers, in families where one that holds leads to a resync."""
        memory = self._memory
        self.stop("trigger")
        if not memory.family.trigger_blocks and any(memory.parameters.get(name, "").strip() for name in memory.family.triggers):
            self._timers["trigger"] = Timer(_TRIGGER, now + _LOOK)

    def pull_trigger(self, now: float) -> None:
        """Have a resync now."""
        self._timers["resync"] = Timer(_TRIGGER, now)

    def set_upgrade(self, failures: int, now: float) -> None:
        """Set the timer that follows so many failed upgrades."""
        delays = read_delays(self._memory.parameters.get(_UPGRADE, ""), "3600")
        seconds = wait(delays, failures - 1, self._memory.chance)
        if seconds:
            self._timers["upgrade"] = Timer(_UPGRADE, now + max(seconds, SHORTEST))

    def set_report(self, now: float) -> None:
        """Set the timer of the next report, unless it runs, or none is wanted."""
        parameters = self._memory.parameters
        if parameters.get("Report_to_Server", "") == "Periodically" and "report" not in self._timers:
            seconds = wait(read_delays(parameters.get(_REPORT, ""), "3600"), 0, self._memory.chance)
            self._timers["report"] = Timer(_REPORT, now + max(seconds, SHORTEST))
