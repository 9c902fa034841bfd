# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.emulator.resync.timers import Delay, parse_delays
from ansible_collections.voip.preprovision.plugins.module_utils.families.catalogue import BUILTIN
from ansible_collections.voip.preprovision.plugins.module_utils.families.ignored import unknown_names
from ansible_collections.voip.preprovision.plugins.module_utils.publishing.resync_timers import (
    MAX_PHONES,
    SMALL,
    SMALL_FLEET,
    ResyncTimers,
    ResyncTimersError,
    propose_timers,
)

# Ranges of the guides, written out on purpose
RANDOM_DELAYS, AT_RANDOM_DELAYS = range(65536), range(600, 65536)
PHONES = st.integers(0, MAX_PHONES)
LARGE = st.integers(SMALL_FLEET + 1, MAX_PHONES)
SERVERS, RATES = st.integers(1, 1000), st.integers(1, 10**6)


def delays(text: str) -> tuple[Delay, ...]:
    parsed = parse_delays(text, "")
    assert parsed, f"{text} is no list of delays"
    return parsed


def order(timers: ResyncTimers) -> tuple[float, ...]:
    """Return everything that must not fall when there are more phones, or the servers can do less."""
    lists = [*delays(timers.periodic), *delays(timers.error_retry_delay)]
    means = [delay.seconds + delay.max_extra / 2 for delay in lists]
    return (timers.random_delay, timers.at_random_delay, *means)


@pytest.mark.parametrize(
    ("phones", "servers", "rate", "expected"),
    [
        (0, 1, 300, SMALL),
        (1000, 1, 1, ResyncTimers(2, "86400", "3600", 600)),
        # 1,001 phones in 7 seconds: nothing needs to be longer than it is
        (1001, 1, 300, ResyncTimers(2, "43200+86400,86400+3600", "900+900,1800+1800,3600+3600,7200+7200,14400+14400,28800+28800")),
        # 667 seconds, at 150 per second
        (
            100_000,
            2,
            300,
            ResyncTimers(34, "43200+86400,86400+3600", "900+900,1800+1800,3600+3600,7200+7200,14400+14400,28800+28800", 667),
        ),
        # One server of eleven is down: 6,667 seconds, at 1,500 per second
        (
            "10000000",
            "11",
            "300",
            ResyncTimers(334, "43200+86400,86400+6667", "6667+6667,13334+13334,26668+26668" + ",43200+43200" * 3, 6667),
        ),
        # Too few servers: nothing leaves its range
        (10**9, 1, 1, ResyncTimers(65535, "302400+604800,604800+302400", ",".join(["43200+43200"] * 6), 65535)),
    ],
)
def test_proposes(phones, servers, rate, expected):
    assert propose_timers(phones, servers, rate) == expected


@given(PHONES, SERVERS, RATES)
def test_stays_in_the_ranges_and_formats_of_the_guides(phones, servers, rate):
    timers = propose_timers(phones, servers, rate)
    assert timers.random_delay in RANDOM_DELAYS
    assert timers.at_random_delay in AT_RANDOM_DELAYS
    assert all(60 <= delay.seconds <= 604800 for delay in (*delays(timers.periodic), *delays(timers.error_retry_delay)))


@given(LARGE, LARGE, SERVERS, RATES)
def test_more_phones_never_resync_faster(one, other, servers, rate):
    fewer, more = (order(propose_timers(phones, servers, rate)) for phones in sorted((one, other)))
    assert all(before <= after for before, after in zip(fewer, more, strict=True))


@given(LARGE, st.tuples(SERVERS, RATES), st.tuples(SERVERS, RATES))
def test_stronger_servers_never_slow_phones_down(phones, one, other):
    weak = propose_timers(phones, min(one[0], other[0]), min(one[1], other[1]))
    strong = propose_timers(phones, max(one[0], other[0]), max(one[1], other[1]))
    assert all(before <= after for before, after in zip(order(strong), order(weak), strict=True))


@given(st.integers(SMALL_FLEET + 1, 10**7), st.integers(2, 100), st.integers(300, 3000))
def test_all_herds_fit_into_half_of_what_the_servers_can_do_with_one_of_them_down(phones, servers, rate):
    timers, half = propose_timers(phones, servers, rate), rate * (servers - 1) / 2
    if timers.random_delay < 65535:
        assert phones / (timers.random_delay * 20) <= half
    for delay in delays(timers.error_retry_delay):
        if delay.max_extra < 43200:
            assert phones / delay.max_extra <= half
    first, later = delays(timers.periodic)
    # The herd of the power cut is spread over a whole period by the next day
    assert first.max_extra == later.seconds


@given(st.integers(0, SMALL_FLEET), SERVERS, RATES)
def test_small_fleets_get_what_preprovision_profiles_set(phones, servers, rate):
    expected = {"Resync_Random_Delay": 2, "Resync_Periodic": "86400", "Resync_Error_Retry_Delay": "3600"}
    assert propose_timers(phones, servers, rate).parameters() == expected


def test_every_family_with_rules_knows_the_parameters():
    parameters = propose_timers(10**7, 2, 300).parameters()
    assert len(parameters) == 4
    for family in BUILTIN.families.values():
        if family.profile_rules:
            assert not unknown_names(family, parameters), family.name
            assert {"resync.random_delay", "resync.periodic", "resync.error_retry_delay"} <= set(family.settings), family.name


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((-1, 1, 300), "the number of phones is -1; it must be a whole number between 0 and 1000000000"),
        ((True, 1, 300), "the number of phones is True; it must be a whole number between 0 and 1000000000"),
        ((5000, 0, 300), "the number of servers is 0; it must be a whole number between 1 and 1000"),
        ((5000, 1, "2.5"), "the resync rate of a server is '2.5'; it must be a whole number between 1 and 1000000"),
    ],
)
def test_refuses(given, message):
    with pytest.raises(ResyncTimersError, match=re.escape(message)):
        propose_timers(*given)
