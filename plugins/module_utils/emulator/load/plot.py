# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Plot of a run of emulated phones: how long their trips took."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from .samples import Sample, SampleKind
from .statistics import percentile

_WIDTH, _HEIGHT = 960, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 20, 40, 50
_TICKS = 8
_MIN_AXIS_SECONDS = 0.001
_STYLE = (
    "text{font:13px sans-serif;fill:#222}.axis{stroke:#222}.grid{stroke:#ddd}"
    ".good{fill:#1769aa;fill-opacity:.6}.bad{stroke:#c62828;stroke-width:2}.level{stroke:#e08600;stroke-dasharray:5 4}"
)


@dataclass(frozen=True)
class _Axes:
    """The ticks of both axes, and the pixels that values have."""

    across: Sequence[float]
    up: Sequence[float]

    def x(self, value: float) -> float:
        return _LEFT + value / self.across[-1] * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        return _HEIGHT - _BOTTOM - value / self.up[-1] * (_HEIGHT - _TOP - _BOTTOM)

    @property
    def right(self) -> float:
        return self.x(self.across[-1])

    @property
    def top(self) -> float:
        return self.y(self.up[-1])


def plot(samples: Iterable[Sample]) -> str:
    """Return an SVG of the trips: how long each took, over the time of power-on; failed ones are crosses."""
    trips = [sample for sample in samples if sample.kind is SampleKind.TRIP]
    axes = _Axes(
        _ticks(max((trip.power_on for trip in trips), default=0.0)), _ticks(max((trip.seconds for trip in trips), default=0.0))
    )
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" viewBox="0 0 {_WIDTH} {_HEIGHT}">',
        f"<style>{_STYLE}</style>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
        _text(_WIDTH / 2, 22, f"Trips of {len(trips)} phones, {sum(not trip.answered for trip in trips)} failed", "middle"),
        _text(_WIDTH / 2, _HEIGHT - 10, "switched on, seconds after the first", "middle"),
        _text(_LEFT - 56, _TOP - 12, "seconds"),
        *_grid(axes),
    ]
    for trip in trips:
        parts += _mark(axes.x(trip.power_on), axes.y(trip.seconds), trip.answered)
    return "\n".join([*parts, *_levels(trips, axes), "</svg>", ""])


def _grid(axes: _Axes) -> Iterator[str]:
    x, y = axes.x, axes.y
    for value in axes.across:
        yield _line(x(value), y(0), x(value), axes.top, "grid")
        yield _text(x(value), _HEIGHT - _BOTTOM + 18, f"{value:g}", "middle")
    for value in axes.up:
        yield _line(x(0), y(value), axes.right, y(value), "grid")
        yield _text(_LEFT - 8, y(value) + 4, f"{value:g}", "end")
    yield _line(x(0), y(0), axes.right, y(0), "axis")
    yield _line(x(0), y(0), x(0), axes.top, "axis")


def _levels(trips: Iterable[Sample], axes: _Axes) -> Iterator[str]:
    """Yield lines at the median and the 99th percentile of the trips that succeeded."""
    ordered = sorted(trip.seconds for trip in trips if trip.answered)
    for name, share in (("median", 0.5), ("p99", 0.99)):
        if ordered:
            level = percentile(ordered, share)
            yield _line(axes.x(0), axes.y(level), axes.right, axes.y(level), "level")
            yield _text(axes.right, axes.y(level) - 4, f"{name} {level:.3g}", "end")


def _ticks(largest: float) -> list[float]:
    """Return round numbers from 0 to *largest* or a little more."""
    # An axis shorter than a millisecond would show nothing
    largest = max(largest, _MIN_AXIS_SECONDS)
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
