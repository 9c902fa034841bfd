# SPDX-License-Identifier: GPL-3.0-or-later
"""Timers of resyncs: lists, random parts, times of day."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.emulator.resync.timers import (
    MIN_AT_RANDOM_DELAY,
    Delay,
    at_random_delay,
    delay_for,
    first_contact_delay,
    next_time_of_day,
    parse_delays,
)

NOON = 1_781_524_800  # 2026-06-15 12:00 UTC
ANY = random.Random(1)  # noqa: S311 - delays, no secrets


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7200", [Delay(7200)]),
        # The guides' own examples
        ("1800,3600,7200,14400", [Delay(1800), Delay(3600), Delay(7200), Delay(14400)]),
        ("1800+300,3600+600,7200+900", [Delay(1800, 300), Delay(3600, 600), Delay(7200, 900)]),
        (" 60 , 120 + 5 ", [Delay(60), Delay(120, 5)]),
        ("0", [Delay(0)]),
        ("", [Delay(3600)]),
        ("soon", [Delay(3600)]),
        ("60,", [Delay(3600)]),
        ("-1", [Delay(3600)]),
    ],
)
def test_parses_lists(text, expected):
    assert list(parse_delays(text, "3600")) == expected


@pytest.mark.parametrize(("turn", "seconds"), [(0, 60), (1, 120), (2, 240), (3, 240), (99, 240)])
def test_repeats_the_last_delay(turn, seconds):
    assert delay_for(parse_delays("60,120,240", "1"), turn, ANY) == seconds


def test_zero_is_off_with_and_without_a_random_part():
    assert delay_for(parse_delays("0", "1"), 0, ANY) == delay_for(parse_delays("0+30", "1"), 0, ANY) == delay_for((), 0, ANY) == 0


@given(st.integers(1, 10**6), st.integers(0, 10**6), st.integers(0, 50), st.randoms())
def test_random_parts_stay_within_their_bounds(seconds, extra, turn, rng):
    assert seconds <= delay_for(parse_delays(f"{seconds}+{extra}", "1"), turn, rng) <= seconds + extra


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_text_gives_delays_or_none(text, default):
    assert all(delay.seconds >= 0 for delay in parse_delays(text, default))


@pytest.mark.parametrize(
    ("text", "hours"),
    [("1300", 1), ("1200", 24), ("1159", 24 - 1 / 60), ("0000", 12), ("2400", 12), ("1230", 0.5)],
)
def test_times_of_day(text, hours):
    assert next_time_of_day(text, NOON) == pytest.approx(NOON + hours * 3600)


@pytest.mark.parametrize("text", ["", "930", "2401", "1260", "noon", "12:00", "-100"])
def test_ignores_invalid_times_of_day(text):
    assert next_time_of_day(text, NOON) is None


@given(st.randoms(), st.sampled_from(["", "x", "0", "599", "600", "3600"]))
def test_the_delay_after_a_time_of_day_is_never_cut_below_ten_minutes(rng, text):
    longest = max(MIN_AT_RANDOM_DELAY, int(text) if text.isdecimal() else 0)
    assert 0 <= at_random_delay(text, rng) <= longest


def test_the_delay_after_a_time_of_day_uses_its_range():
    assert max(at_random_delay("0", ANY) for _number in range(50)) > MIN_AT_RANDOM_DELAY / 2


@given(st.randoms(), st.integers(0, 999), st.sampled_from([1, 20]))
def test_the_delay_of_the_first_contact(rng, units, unit):
    assert 0 <= first_contact_delay(str(units), unit, rng) <= units * unit
    assert first_contact_delay("none", unit, rng) == 0
