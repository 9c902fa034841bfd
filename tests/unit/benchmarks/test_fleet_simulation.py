# SPDX-License-Identifier: GPL-3.0-or-later
"""Both models of phones at home: by hand, with each other, and with laws that hold for any of them."""

from __future__ import annotations

import math
from dataclasses import replace
from statistics import fmean

import pytest
from fleet_simulation import FACTORY, ServerQueue, Servers, Timers, least_servers, plan, proposed, simulate_counts, simulate_phones
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.emulator.resync.timers import Delay

STEP = 0.5
SEEDS = range(4)
ONCE = Timers(random_delay=40.0, periodic=(Delay(86400),), error_retry=(Delay(60, 60),))
TWICE = (Delay(60, 60), Delay(120, 60))
STRONG, WEAK = Servers(cores=2.0, cost=0.001), Servers(cores=0.1, cost=0.0015, refusal_cost=0.001, abandoned_cost=0.001)

# Name -> timers, servers, seconds
CASES: dict[str, tuple[Timers, Servers, float]] = {
    "enough": (ONCE, STRONG, 300),
    "periodic, with a random part": (replace(ONCE, periodic=(Delay(100, 100), Delay(200, 50))), STRONG, 900),
    "every day at a time": (replace(ONCE, at=500.0, at_random_delay=600.0), STRONG, 1500),
    "overloaded": (ONCE, WEAK, 900),
    "overloaded, two servers": (ONCE, replace(WEAK, count=2, cores=0.06), 900),
    "one address of two silent": (ONCE, replace(STRONG, silent=1), 300),
    "two addresses of five silent": (ONCE, replace(STRONG, count=3, silent=2), 300),
    "closed at first": (replace(ONCE, error_retry=TWICE), replace(STRONG, count=2, closed_until=100.0), 900),
    "draining at first": (ONCE, replace(STRONG, draining_until=100.0), 900),
    "limited": (replace(ONCE, error_retry=TWICE), replace(WEAK, limit=100, refusal_cost=0.0006), 900),
    "limited, and 503 too late": (replace(ONCE, error_retry=TWICE), replace(WEAK, limit=800), 900),
    "retries end": (replace(ONCE, error_retry=(Delay(60), Delay(0))), replace(STRONG, draining_until=1000.0), 1500),
}


@pytest.mark.parametrize("name", CASES)
def test_both_models_agree(name):
    timers, servers, until = CASES[name]
    phones = 5000
    results = [simulate_phones(phones, timers, servers, until, seed) for seed in SEEDS]
    other = simulate_counts(phones, timers, servers, until, STEP)
    for figure in ("answered", "refused", "unanswered", "failed", "cpu"):
        expected = fmean(getattr(result, figure) for result in results)
        assert getattr(other, figure) == pytest.approx(expected, rel=0.04, abs=0.005 * phones), figure
    for share, seconds in other.done.items():
        assert seconds == pytest.approx(fmean(result.done[share] for result in results), rel=0.04, abs=4 * STEP), share


def test_two_phones_by_hand():
    """Both come at once to a server that needs a second for each; the second one gives up after 1.5 s and comes again."""
    timers = Timers(random_delay=0.0, periodic=(Delay(0),), error_retry=(Delay(10),), timeout=1.5)
    result = simulate_phones(2, timers, Servers(cores=1.0, cost=1.0, abandoned_cost=0.5), 100)
    assert (result.answered, result.unanswered, result.failed, result.refused) == (2, 1, 1, 0)
    assert result.cpu == 1.0 + 0.5 + 1.0
    assert result.done == {0.5: 1.0, 0.99: 12.5, 1.0: 12.5}


@pytest.mark.parametrize(("abandoned", "expected"), [(0.25, ("answered", 2.25)), (1.0, ("unanswered", 2.5))])
def test_abandoned_requests_delay_others(abandoned, expected):
    server = ServerQueue(Servers(cores=1.0, cost=1.0, abandoned_cost=abandoned))
    assert server.request(0.0, 1.5) == ("answered", 1.0)
    # It would have its answer after 2 seconds
    assert server.request(0.0, 1.5) == ("unanswered", 1.5)
    assert server.request(1.0, 1.5) == expected


def test_a_503_is_no_reason_to_ask_the_next_address():
    servers = Servers(count=2, cores=2.0, cost=0.001, draining_until=50.0)
    for simulate in (simulate_phones, simulate_counts):
        result = simulate(1000, ONCE, servers, 500.0)
        assert result.refused == pytest.approx(1000)
        assert result.failed == pytest.approx(1000)
        assert result.unanswered == 0


@settings(max_examples=60, deadline=None)
@given(
    phones=st.integers(1, 300),
    count=st.integers(1, 4),
    silent=st.integers(0, 3),
    cores=st.floats(0.01, 2.0),
    limit=st.one_of(st.just(math.inf), st.integers(1, 50)),
    closed=st.floats(0.0, 100.0),
    seed=st.integers(0, 1000),
)
def test_no_phone_is_lost(phones, count, silent, cores, limit, closed, seed):
    """Each resync ends in an answer or a failure, and each failure has its requests."""
    servers = Servers(count=count, silent=silent, cores=cores, cost=0.01, limit=limit, closed_until=closed)
    result = simulate_phones(phones, replace(ONCE, periodic=(Delay(0),)), servers, 50000.0, seed)
    assert result.answered <= phones
    assert result.refused <= result.failed <= result.refused + result.unanswered
    assert (result.done[1.0] < math.inf) == (result.answered == phones)
    spread = simulate_counts(phones, replace(ONCE, periodic=(Delay(0),)), servers, 2000.0)
    assert spread.answered <= phones * (1 + 1e-6)


def test_the_same_seed_gives_the_same_result():
    first, second, other = (simulate_phones(2000, ONCE, WEAK, 600, seed) for seed in (1, 1, 2))
    assert first == second
    assert first != other


def test_ten_million_phones_need_no_more_steps_than_ten_thousand():
    """With servers that are a thousand times as strong, a thousand times the phones fare alike."""
    few, many = (simulate_counts(10**4 * factor, ONCE, replace(WEAK, cores=WEAK.cores * factor), 600) for factor in (1, 1000))
    assert many.answered == pytest.approx(1000 * few.answered, rel=0.01)
    assert many.failed == pytest.approx(1000 * few.failed, rel=0.01)
    assert many.done == pytest.approx(few.done, abs=STEP)


def test_refuses_a_step_that_is_too_long():
    with pytest.raises(ValueError, match="the step of 3 s is longer than a quarter of the timeout of 10"):
        simulate_counts(10, ONCE, STRONG, 100, 3)


def test_without_a_random_part_the_herd_comes_back_as_it_was():
    """The factory's timers keep failed phones together, those that the role proposes do not."""
    phones, servers = 10**6, Servers(count=2, cost=0.0017)
    herd = simulate_counts(phones, FACTORY, servers, 8 * 3600.0, 1.0)
    spread = simulate_counts(phones, proposed(phones, 2, int(2.0 / 0.0017))[1], servers, 8 * 3600.0, 1.0)
    assert spread.done[1.0] < 3600
    assert spread.failed < 1
    assert herd.failed > 3 * phones
    assert herd.done[0.99] > 8 * 3600


@pytest.mark.parametrize("phones", [10**4, 10**6])
def test_finds_the_least_number_of_servers(phones):
    server = Servers(cost=0.0017)
    count, result = least_servers(phones, 900.0, server)
    assert result.done[1.0] <= 900
    if count > 2:
        rate = int(server.cores / server.cost)
        timers = proposed(phones, count - 1, rate)[1]
        assert simulate_counts(phones, timers, replace(server, count=count - 2, silent=1), 1800.0).done[1.0] > 900


def test_plan_has_a_row_for_each_fleet_and_target():
    header, rule, *rows = [line for line in plan(0.0017) if line.startswith("|")]
    assert len(rows) == 8
    assert {line.count("|") for line in (header, rule, *rows)} == {11}
