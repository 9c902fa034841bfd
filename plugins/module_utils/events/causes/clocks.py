# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether the station's clock is right: compared with the controller's, or by what the station knows itself.

A station without a time source cannot see that its clock is ahead. It sees what cannot be: a time before its own software was made,
and events that have not happened yet.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ...common.durations import format_duration
from ...common.host_clock import RELEASED, SET_CLOCK, is_before_release
from .causes import Clause

MAX_CLOCK_OFFSET = 120
"""Seconds by which the station's clock may differ from the controller's, and by which an event may be ahead of it."""

NEWEST_EVENTS = 200
"""So many events, the latest to arrive, are compared with the clock; older ones may be of a clock that is right since."""

# Seconds; asking for the time takes that long
_SAME_TIME = 5
_KEEP = "have chrony keep it (time_server_upstream, time_server_adjust_clock)"


class ClockFacts(NamedTuple):
    """What a station knows of its clock by itself; times in milliseconds since 1970."""

    now: int
    newest_event: int = 0
    """Latest time of the NEWEST_EVENTS; 0 without any."""
    unfollowed: Sequence[str] = ()
    """The time server's own servers if it has followed none of them for a while."""


def compare_clocks(off: int | None) -> Iterator[Clause]:
    """Yield a clause if the station's clock differs from the controller's by *off* seconds; None if nobody has compared them."""
    if off is not None and abs(off) > MAX_CLOCK_OFFSET:
        yield Clause(
            f"the station's clock is {describe_offset(off)} the controller's",
            f"if the controller's is right, {SET_CLOCK}, {_KEEP}, and run the playbook check again",
        )


def describe_offset(off: int) -> str:
    """Return how far a clock is off, such as ``2 days behind``; another clock follows in the sentence."""
    if abs(off) <= _SAME_TIME:
        return "the same as"
    return f"{format_duration(abs(off))} {'ahead of' if off > 0 else 'behind'}"


def wrong_clock(facts: ClockFacts) -> Iterator[Clause]:
    """Yield a clause for each reason to believe that the station's clock is wrong."""
    ahead = (facts.newest_event - facts.now) / 1000
    if is_before_release(facts.now / 1000):
        yield Clause(
            f"the station's clock says {_day(facts.now)}, but its software was made after {RELEASED}",
            f"{SET_CLOCK}, and {_KEEP}; if a power cut sets it back again, replace the battery of the machine's clock",
        )
    elif facts.newest_event and ahead > MAX_CLOCK_OFFSET:
        yield Clause(
            "the station's clock was ahead until it was set back, or it is behind now: the latest events are"
            f" {format_duration(ahead)} ahead of it",
            "compare it with a clock that is right; if it is right, there is nothing to do, and this message ends after the next"
            f" {NEWEST_EVENTS} events; if it is behind, {SET_CLOCK}, and {_KEEP}",
        )
    if facts.unfollowed:
        yield Clause(
            f"the time server follows none of its servers ({', '.join(facts.unfollowed)}), so nothing keeps the station's clock"
            " right",
            "read 'chronyc -n sources', and let the station reach them by UDP port 123; for a bench without Internet access, empty"
            " time_server_upstream, and run the playbook site",
        )


def _day(moment: int) -> datetime.date:
    return datetime.datetime.fromtimestamp(moment / 1000, datetime.UTC).date()
