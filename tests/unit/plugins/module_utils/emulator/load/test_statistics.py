# SPDX-License-Identifier: GPL-3.0-or-later
"""Statistics of a run, and its plot."""

from __future__ import annotations

import math
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.emulator.load.plot import plot
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.load.samples import Sample, SampleKind
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.load.statistics import (
    format_statistics,
    percentile,
    select_reports,
    summarise,
    summarise_samples,
)

SECONDS = st.floats(0, 10000, allow_nan=False)
TRIPS = st.lists(st.builds(Sample, st.just(SampleKind.TRIP), SECONDS, st.booleans(), SECONDS), max_size=60)
SPACE = "{http://www.w3.org/2000/svg}"


def report(name, cause="", code="", address="192.0.2.9"):
    return {
        "name": name,
        "cause": cause,
        "failure": {"code": code},
        "address": address,
        "messages": [{"sent": True}, {"sent": False}],
    }


@given(st.lists(SECONDS, min_size=1), st.floats(0, 1))
def test_a_percentile_is_a_value_that_its_share_does_not_exceed(values, share):
    ordered = sorted(values)
    value = percentile(ordered, share)
    assert value in ordered
    assert sum(other <= value for other in ordered) >= share * len(ordered) - 1e-6
    assert sum(other < value for other in ordered) <= math.ceil(share * len(ordered))


def test_percentiles_of_a_hundred():
    ordered = [float(number) for number in range(1, 101)]
    assert [percentile(ordered, share) for share in (0, 0.5, 0.99, 1)] == [1, 50, 99, 100]


@given(TRIPS)
def test_figures_are_ordered_and_count_all_samples(samples):
    found = summarise_samples(samples)
    assert found["min"] <= found["median"] <= found["p99"] <= found["max"]
    assert (found["number"], found["unanswered"]) == (len(samples), sum(not sample.answered for sample in samples))


def test_summarises_a_run():
    reports = [report("a"), report("b", "gone", "no_lease", ""), report("c", "no", address="192.0.2.10")]
    samples = [Sample(SampleKind.DHCP, 0.25, True), Sample(SampleKind.DHCP, 9, False), Sample(SampleKind.TRIP, 1, True)]
    found = summarise(reports, samples, ["twice"])
    assert {name: found[name] for name in found if name != "times"} == {
        "phones": 3,
        "preprovisioned": 1,
        "failures": {"failed": 1, "no_lease": 1},
        "addresses": 2,
        "given_twice": ["twice"],
        "messages": 3,
    }
    assert found["times"]["dhcp"] == {"number": 2, "unanswered": 1, "min": 0.25, "median": 0.25, "p99": 0.25, "max": 0.25}
    assert format_statistics(found).splitlines() == [
        "1 of 3 phones preprovisioned; failures: failed 1, no_lease 1",
        "2 addresses, 1 of them given twice; 3 log messages sent",
        "",
        "seconds  number  unanswered  min    median  p99    max",
        "-------  ------  ----------  -----  ------  -----  -----",
        "dhcp     2       1           0.250  0.250   0.250  0.250",
        "trip     1       0           1.000  1.000   1.000  1.000",
    ]


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 60))
def test_failed_phones_come_first_among_many(failed, limit):
    reports = [report(str(number), "why" if bad else "") for number, bad in enumerate(failed)]
    found = select_reports(reports, limit)
    assert len(found) == min(limit, len(reports))
    assert len({one["name"] for one in found}) == len(found)
    if len(reports) <= limit:
        assert found == reports
    else:
        assert sum(bool(one["cause"]) for one in found) == min(limit, sum(failed))


@given(TRIPS)
def test_a_plot_shows_every_trip_inside_its_frame_and_runs_nothing(samples):
    root = ElementTree.fromstring(plot(samples))  # noqa: S314 - our own
    good = [(float(one.get("cx")), float(one.get("cy"))) for one in root.iter(f"{SPACE}circle")]
    bad = [one for one in root.iter(f"{SPACE}line") if one.get("class") == "bad"]
    assert len(good) == sum(sample.answered for sample in samples)
    assert len(bad) == 2 * sum(not sample.answered for sample in samples)
    assert all(70 <= across <= 940 and 40 <= up <= 370 for across, up in good)
    assert {one.tag.removeprefix(SPACE) for one in root.iter()} <= {"svg", "style", "rect", "text", "line", "circle"}


def test_plots_only_trips():
    assert "<circle" not in plot([Sample(SampleKind.DHCP, 1, True)])


@pytest.mark.parametrize("kind", ["dhcp", "tftp", "http", "https", "trip"])
def test_each_kind_has_figures(kind):
    assert summarise([], [Sample(kind, 1, True)])["times"][kind]["number"] == 1
