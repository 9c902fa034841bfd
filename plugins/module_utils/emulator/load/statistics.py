# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Statistics of a run of emulated phones."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypedDict

from ...common.text_tables import align
from ..phone_report import PhoneReport
from .samples import Sample, SampleKind

_FIGURES = ("min", "median", "p99", "max")
_MAX_CAUSES = 20


class Figures(TypedDict):
    """How long steps of one kind took, in seconds; unanswered ones are only counted."""

    number: int
    unanswered: int
    min: float
    median: float
    p99: float
    max: float


class Statistics(TypedDict):
    """Statistics of a run, as module emulated_phone documents them."""

    phones: int
    preprovisioned: int
    failures: dict[str, int]
    addresses: int
    given_twice: list[str]
    messages: int
    times: dict[str, Figures]


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the smallest of some *ordered* values that at least *share* of them, from 0 to 1, do not exceed (nearest rank)."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def summarise_samples(samples: Iterable[Sample]) -> Figures:
    """Return the figures of samples of one kind."""
    samples = list(samples)
    ordered = sorted(sample.seconds for sample in samples if sample.answered) or [0.0]
    return {
        "number": len(samples),
        "unanswered": sum(not sample.answered for sample in samples),
        "min": round(ordered[0], 4),
        "median": round(percentile(ordered, 0.5), 4),
        "p99": round(percentile(ordered, 0.99), 4),
        "max": round(ordered[-1], 4),
    }


def summarise(reports: Sequence[PhoneReport], samples: Iterable[Sample], duplicate_addresses: Sequence[str] = ()) -> Statistics:
    """Return how many phones came up, and how long each kind of step took.

    *duplicate_addresses*: a sentence for each address that two phones had at a time.
    """
    by_kind: dict[SampleKind, list[Sample]] = {kind: [] for kind in SampleKind}
    for sample in samples:
        by_kind[sample.kind].append(sample)
    failures = Counter(failure_code(report) for report in reports if report["cause"])
    return {
        "phones": len(reports),
        "preprovisioned": len(reports) - failures.total(),
        "failures": dict(sorted(failures.items())),
        "addresses": len({report["address"] for report in reports if report["address"]}),
        "given_twice": list(duplicate_addresses),
        "messages": sum(message["sent"] for report in reports for message in report["messages"]),
        "times": {str(kind): summarise_samples(found) for kind, found in by_kind.items()},
    }


def failure_code(report: PhoneReport) -> str:
    """Return the code of a phone's failure; ``failed`` where it has none."""
    return report["failure"]["code"] or "failed"


def select_reports(reports: Sequence[PhoneReport], limit: int) -> list[PhoneReport]:
    """Return at most *limit* reports: all of them, or the failed ones followed by an even sample of the others."""
    if len(reports) <= limit:
        return list(reports)
    failed = [report for report in reports if report["cause"]]
    rest = [report for report in reports if not report["cause"]]
    room = max(0, limit - len(failed))
    sample = [rest[index * len(rest) // room] for index in range(min(room, len(rest)))]
    return [*failed, *sample][:limit]


def describe_failures(reports: Sequence[PhoneReport]) -> str:
    """Return how many phones failed, and the causes of the first of them; empty when all are preprovisioned."""
    failed = [report for report in reports if report["cause"]]
    if not failed:
        return ""
    lines = [f"{len(failed)} of {len(reports)} phones are not preprovisioned:"]
    lines += [f"{report['name']}: {report['cause']}" for report in failed[:_MAX_CAUSES]]
    lines += [f"and {len(failed) - _MAX_CAUSES} more"] if len(failed) > _MAX_CAUSES else []
    return "\n".join(lines)


def format_statistics(statistics: Mapping[str, Any]) -> str:
    """Return statistics as a table below a summary; their shape is Statistics, but they come from a playbook."""
    failures = ", ".join(f"{code} {number}" for code, number in statistics["failures"].items())
    lines = [
        f"{statistics['preprovisioned']} of {statistics['phones']} phones preprovisioned"
        + (f"; failures: {failures}" if failures else ""),
        f"{statistics['addresses']} addresses, {len(statistics['given_twice'])} of them given twice;"
        f" {statistics['messages']} log messages sent",
        "",
    ]
    rows = [
        (kind, str(found["number"]), str(found["unanswered"]), *(f"{found[name]:.3f}" for name in _FIGURES))
        for kind, found in statistics["times"].items()
        if found["number"]
    ]
    return "\n".join(lines + align(("seconds", "number", "unanswered", *_FIGURES), rows))
