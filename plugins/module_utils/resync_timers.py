# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""When a unit comes again: the timers of resyncs and upgrades as its parameters set them.

Sources: "Configurable Schedules" and "Resync at a Specific Time" of the SPA, ATA 191/192 and MPP guides: lists of seconds, the last
of which is repeated, each with a random part after a plus sign; Resync_At from 0000 to 2400 in place of Resync_Periodic. Guesses: a
value that cannot be read counts as the default; Resync_At is in UTC, as an emulated unit knows no time zone.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

_DELAY = re.compile(r"\s*([0-9]{1,9})\s*(?:\+\s*([0-9]{1,9})\s*)?")
_DAY = 86400
SHORTEST_AT_DELAY = 600
"""Resync_At_Random_Delay is never less."""
SHORTEST = 1.0
"""No timer is shorter, so that time goes on."""


@dataclass(frozen=True)
class Delay:
    """Seconds, and how many more there can be by chance."""

    seconds: int
    extra: int = 0


@dataclass(frozen=True)
class Timer:
    """What a unit waits for: the parameter that sets it, and when it is due, in seconds since 1970."""

    name: str
    due: float


def read_delays(text: str, default: str) -> tuple[Delay, ...]:
    """Read ``a,b+c``; what cannot be read, and nothing, is the default."""
    matches = [_DELAY.fullmatch(part) for part in text.split(",")]
    if not all(matches):
        return () if text == default else read_delays(default, default)
    return tuple(Delay(int(match[1]), int(match[2] or 0)) for match in matches if match)


def wait(delays: Sequence[Delay], turn: int, chance: random.Random) -> float:
    """Return the seconds of the *turn*th time, from 0; the last delay is repeated. 0 is a timer that is off, or at once."""
    if not delays:
        return 0.0
    delay = delays[min(turn, len(delays) - 1)]
    return float(delay.seconds + chance.randint(0, delay.extra)) if delay.seconds else 0.0


def first_contact(text: str, unit: int, chance: random.Random) -> float:
    """Return the seconds of Resync_Random_Delay, in units of *unit* seconds."""
    return chance.uniform(0, int(text) * unit) if re.fullmatch("[0-9]{1,6}", text) else 0.0


def next_time_of_day(text: str, now: float) -> float | None:
    """Return the next time that it is HHmm, in seconds since 1970; None for what is no time."""
    match = re.fullmatch("([0-9]{2})([0-9]{2})", text)
    if not match or int(match[2]) > 59 or int(text) > 2400:
        return None
    due = now - now % _DAY + (int(match[1]) * 3600 + int(match[2]) * 60) % _DAY
    return due if due > now else due + _DAY


def at_random_delay(text: str, chance: random.Random) -> float:
    """Return the seconds that Resync_At_Random_Delay adds."""
    most = int(text) if re.fullmatch("[0-9]{1,6}", text) else SHORTEST_AT_DELAY
    return chance.uniform(0, max(most, SHORTEST_AT_DELAY))
