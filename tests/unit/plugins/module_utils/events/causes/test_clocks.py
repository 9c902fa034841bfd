# SPDX-License-Identifier: GPL-3.0-or-later
"""What a station says of its own clock: five years back, an hour ahead, and right again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.common.host_clock import RELEASED
from ansible_collections.voip.preprovision.plugins.module_utils.events.causes.causes import Clause
from ansible_collections.voip.preprovision.plugins.module_utils.events.causes.clocks import (
    MAX_CLOCK_OFFSET,
    ClockFacts,
    compare_clocks,
    wrong_clock,
)

RIGHT = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
YEARS = timedelta(days=5 * 365)
HOUR = timedelta(hours=1)
SET = "set it with 'date --set=\"YYYY-MM-DD HH:MM\" && hwclock --systohc'"
KEEP = "have chrony keep it (time_server_upstream, time_server_adjust_clock)"


def moment(at):
    return int(at.timestamp() * 1000)


@pytest.mark.parametrize(
    ("off", "cause"),
    [
        (-YEARS.total_seconds(), "the station's clock is 1825 days behind the controller's"),
        (3600, "the station's clock is 1 hour ahead of the controller's"),
        (MAX_CLOCK_OFFSET + 1, "the station's clock is 2 minutes ahead of the controller's"),
    ],
)
def test_a_clock_differs_from_the_controllers(off, cause):
    remedy = f"if the controller's is right, {SET}, {KEEP}, and run the playbook check again"
    assert list(compare_clocks(int(off))) == [Clause(cause, remedy)]


@pytest.mark.parametrize("off", [None, 0, -MAX_CLOCK_OFFSET, MAX_CLOCK_OFFSET])
def test_a_clock_is_the_controllers(off):
    assert list(compare_clocks(off)) == []


@pytest.mark.parametrize(
    ("now", "newest", "cause"),
    [
        # Five years back: the events are of the right clock
        (RIGHT - YEARS, RIGHT, f"the station's clock says 2021-11-25, but its software was made after {RELEASED}"),
        # The same on a new station
        (RIGHT - YEARS, None, f"the station's clock says 2021-11-25, but its software was made after {RELEASED}"),
        # An hour ahead: only another clock could tell
        (RIGHT + HOUR, RIGHT + HOUR, ""),
        # And back again
        (
            RIGHT,
            RIGHT + HOUR,
            "the station's clock was ahead until it was set back, or it is behind now: the latest events are 1 hour ahead of it",
        ),
        # Events that arrived since are of the right clock
        (RIGHT, RIGHT, ""),
        (RIGHT, RIGHT - timedelta(days=90), ""),
        (RIGHT, RIGHT + timedelta(seconds=MAX_CLOCK_OFFSET), ""),
        (RIGHT, None, ""),
    ],
)
def test_a_station_sees_what_cannot_be(now, newest, cause):
    found = list(wrong_clock(ClockFacts(moment(now), moment(newest) if newest else 0)))
    assert [clause.cause for clause in found] == ([cause] if cause else [])
    assert all(SET in clause.remedy for clause in found)


def test_a_clock_is_right_from_the_day_of_the_release():
    day = datetime(RELEASED.year, RELEASED.month, RELEASED.day, tzinfo=UTC)
    assert list(wrong_clock(ClockFacts(moment(day)))) == []
    assert len(list(wrong_clock(ClockFacts(moment(day) - 1)))) == 1


def test_a_time_server_that_follows_none_of_its_servers_is_named_with_them():
    [clause] = wrong_clock(ClockFacts(moment(RIGHT), 0, ["192.0.2.7", "ntp.example.net"]))
    assert clause.cause == (
        "the time server follows none of its servers (192.0.2.7, ntp.example.net), so nothing keeps the station's clock right"
    )
    assert clause.remedy.startswith("read 'chronyc -n sources'")
