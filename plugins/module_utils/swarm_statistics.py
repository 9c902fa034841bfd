# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a rehearsal of many units amounts to: figures, and a plot of how long their trips took."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from .swarm import Sample
from .tables import align

KINDS = ("dhcp", "tftp", "http", "https", "trip")

_FIGURES = ("min", "median", "p99", "max")
_WIDTH, _HEIGHT = 960, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 20, 40, 50
_TICKS = 8
_SHORTEST_AXIS = 0.001
_STYLE = (
    "text{font:13px sans-serif;fill:#222}.axis{stroke:#222}.grid{stroke:#ddd}"
    ".good{fill:#1769aa;fill-opacity:.6}.bad{stroke:#c62828;stroke-width:2}.level{stroke:#e08600;stroke-dasharray:5 4}"
)


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the smallest of some *ordered* values that *share* of all, from 0 to 1, do not exceed (nearest rank)."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def times(samples: Iterable[Sample]) -> dict[str, float | int]:
    """Return the figures of samples of one kind, in seconds; those without an answer are counted alone."""
    samples = list(samples)
    ordered = sorted(sample.seconds for sample in samples if sample.answered)
    figures = dict.fromkeys(_FIGURES, 0.0)
    if ordered:
        values = (ordered[0], percentile(ordered, 0.5), percentile(ordered, 0.99), ordered[-1])
        figures = {name: round(value, 4) for name, value in zip(_FIGURES, values, strict=True)}
    return {"number": len(samples), "unanswered": len(samples) - len(ordered), **figures}


def summarise(reports: Sequence[Mapping[str, Any]], samples: Iterable[Sample], twice: Sequence[str] = ()) -> dict[str, Any]:
    """Return what became of all units (see phone_behaviour.Unit.report), and how long each kind of step took.

    *twice*: what was noted of addresses that two had at a time.
    """
    by_kind: dict[str, list[Sample]] = {kind: [] for kind in KINDS}
    for sample in samples:
        by_kind[sample.kind].append(sample)
    failures = Counter(failure_code(report) for report in reports if report["cause"])
    return {
        "phones": len(reports),
        "preprovisioned": len(reports) - failures.total(),
        "failures": dict(sorted(failures.items())),
        "addresses": len({report["address"] for report in reports if report["address"]}),
        "given_twice": list(twice),
        "messages": sum(message["sent"] for report in reports for message in report["messages"]),
        "times": {kind: times(found) for kind, found in by_kind.items()},
    }


def failure_code(report: Mapping[str, Any]) -> str:
    """Return the code of a unit's failure; ``failed`` where it has none."""
    return (report.get("failure") or {}).get("code") or "failed"


def chosen(reports: Sequence[dict[str, Any]], most: int) -> list[dict[str, Any]]:
    """Return all reports when they are no more than *most*; else the failed ones, and a sample of the rest behind them."""
    if len(reports) <= most:
        return list(reports)
    failed = [report for report in reports if report["cause"]]
    rest = [report for report in reports if not report["cause"]]
    room = max(0, most - len(failed))
    sample = [rest[index * len(rest) // room] for index in range(min(room, len(rest)))]
    return [*failed, *sample][:most]


def format_statistics(statistics: Mapping[str, Any]) -> str:
    """Return what summarise() has made as a table with sentences above it."""
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


def plot(samples: Iterable[Sample]) -> str:
    """Return an SVG of the trips: how long each took, over the moment of power-on; failed ones are crosses."""
    trips = [sample for sample in samples if sample.kind == "trip"]
    across = _ticks(max((trip.power_on for trip in trips), default=0.0))
    up = _ticks(max((trip.seconds for trip in trips), default=0.0))

    def x(value: float) -> float:
        return _LEFT + value / across[-1] * (_WIDTH - _LEFT - _RIGHT)

    def y(value: float) -> float:
        return _HEIGHT - _BOTTOM - value / up[-1] * (_HEIGHT - _TOP - _BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" viewBox="0 0 {_WIDTH} {_HEIGHT}">',
        f"<style>{_STYLE}</style>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
        _text(_WIDTH / 2, 22, f"Trips of {len(trips)} phones, {sum(not trip.answered for trip in trips)} failed", "middle"),
        _text(_WIDTH / 2, _HEIGHT - 10, "switched on, seconds after the first", "middle"),
        _text(_LEFT - 56, _TOP - 12, "seconds"),
    ]
    for value in across:
        parts += [
            _line(x(value), y(0), x(value), y(up[-1]), "grid"),
            _text(x(value), _HEIGHT - _BOTTOM + 18, f"{value:g}", "middle"),
        ]
    for value in up:
        parts += [_line(x(0), y(value), x(across[-1]), y(value), "grid"), _text(_LEFT - 8, y(value) + 4, f"{value:g}", "end")]
    parts += [_line(x(0), y(0), x(across[-1]), y(0), "axis"), _line(x(0), y(0), x(0), y(up[-1]), "axis")]
    for trip in trips:
        parts += _mark(x(trip.power_on), y(trip.seconds), trip.answered)
    good = sorted(trip.seconds for trip in trips if trip.answered)
    for name, share in (("median", 0.5), ("p99", 0.99)):
        if good:
            level = percentile(good, share)
            parts += [
                _line(x(0), y(level), x(across[-1]), y(level), "level"),
                _text(x(across[-1]), y(level) - 4, f"{name} {level:.3g}", "end"),
            ]
    return "\n".join([*parts, "</svg>", ""])


def _ticks(largest: float) -> list[float]:
    """Return round numbers from 0 to *largest* or a little more."""
    # An axis of less than a millisecond would show nothing
    largest = max(largest, _SHORTEST_AXIS)
    rough = largest / _TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    return [step * number for number in range(math.ceil(largest / step - 1e-9) + 1)]


def _mark(across: float, up: float, good: bool) -> Iterator[str]:
    if good:
        yield f'<circle class="good" cx="{across:.1f}" cy="{up:.1f}" r="3"/>'
        return
    for slope in (4, -4):
        yield _line(across - 4, up - slope, across + 4, up + slope, "bad")


def _line(left: float, top: float, right: float, bottom: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{left:.1f}" y1="{top:.1f}" x2="{right:.1f}" y2="{bottom:.1f}"/>'


def _text(left: float, top: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{left:.1f}" y="{top:.1f}" text-anchor="{anchor}">{text}</text>'
