# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""When a phone resyncs again: the timers of resyncs and upgrades, as its parameters set them.

Sources: "Configurable Schedules" and "Resync at a Specific Time" of the SPA, ATA 191/192 and MPP guides: lists of seconds, the last
of which is repeated, each with a random part after a plus sign; Resync_At from 0000 to 2400 instead of Resync_Periodic. Guesses: an
invalid value counts as the default; Resync_At is in UTC, since an emulated phone has no time zone.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

_DELAY = re.compile(r"\s*([0-9]{1,9})\s*(?:\+\s*([0-9]{1,9})\s*)?")
_DAY = 86400
MIN_AT_RANDOM_DELAY = 600
"""Lower bound of Resync_At_Random_Delay, in seconds."""
MIN_TIMER_SECONDS = 1.0
"""No timer is shorter, so that a phone cannot loop without time passing."""


@dataclass(frozen=True)
class Delay:
    """Seconds to wait, plus a random part of up to max_extra seconds."""

    seconds: int
    max_extra: int = 0


@dataclass(frozen=True)
class Timer:
    """A running timer: the parameter that sets it, and when it is due, in seconds since 1970."""

    name: str
    due: float


def parse_delays(text: str, default: str) -> tuple[Delay, ...]:
    """Parse ``a,b+c``; return the delays of *default* for an empty or invalid text."""
    matches = [_DELAY.fullmatch(part) for part in text.split(",")]
    if not all(matches):
        return () if text == default else parse_delays(default, default)
    return tuple(Delay(int(match[1]), int(match[2] or 0)) for match in matches if match)


def delay_for(delays: Sequence[Delay], turn: int, rng: random.Random) -> float:
    """Return the seconds to wait before attempt *turn*, counted from 0; the last delay is repeated. 0: no delay, or timer off."""
    if not delays:
        return 0.0
    delay = delays[min(turn, len(delays) - 1)]
    return float(delay.seconds + rng.randint(0, delay.max_extra)) if delay.seconds else 0.0


def first_contact_delay(text: str, unit: int, rng: random.Random) -> float:
    """Return a random delay of up to Resync_Random_Delay (*text*, in units of *unit* seconds)."""
    return rng.uniform(0, int(text) * unit) if re.fullmatch("[0-9]{1,6}", text) else 0.0


def next_time_of_day(text: str, now: float) -> float | None:
    """Return the next time of day HHmm after *now*, in seconds since 1970; None for an invalid time."""
    match = re.fullmatch("([0-9]{2})([0-9]{2})", text)
    if not match or int(match[2]) > 59 or int(text) > 2400:
        return None
    due = now - now % _DAY + (int(match[1]) * 3600 + int(match[2]) * 60) % _DAY
    return due if due > now else due + _DAY


def at_random_delay(text: str, rng: random.Random) -> float:
    """Return a random delay of up to Resync_At_Random_Delay (*text*), in seconds."""
    longest = int(text) if re.fullmatch("[0-9]{1,6}", text) else MIN_AT_RANDOM_DELAY
    return rng.uniform(0, max(longest, MIN_AT_RANDOM_DELAY))
