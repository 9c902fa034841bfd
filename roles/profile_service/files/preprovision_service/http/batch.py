# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of the board that shows a batch over time."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from flask import Response, request

from ..clock import now
from ..store import batches, queries
from ..store.filters import Filter
from .pages import open_session, render_live

STEPS = 240
SPANS = {"1": 1, "8": 8, "24": 24, "168": 168}
"""Hours that the plot can show."""

_WIDTH, _HEIGHT = 960, 320
_HOUR = 3_600_000
_MARKS = 4


class Plot(NamedTuple):
    """The lines and marks of the plot, in its own units."""

    width: int
    height: int
    maximum: int
    """Phones at the top of the plot."""
    lines: dict[str, str]
    """Points of each milestone's line."""
    marks: list[tuple[int, str]]
    """Position and text of the marks below."""


def batch() -> Response:
    """Show a batch over time, and links to its manifest."""
    chosen = Filter.read(request.args)
    hours = SPANS.get(request.args.get("hours", "8"), 8)
    step = hours * _HOUR // STEPS
    # The end of the plot moves in steps, so that the page stays the same for a while
    end = (now() // step + 1) * step
    start = end - hours * _HOUR
    with open_session() as database:
        counts = queries.count_phones(database, chosen)
        customers, models = queries.choices(database)
        series = batches.over_time(database, chosen, start, end, STEPS)
        shipped = batches.count_shipped(database, chosen)
    return render_live(
        "board/batch.html",
        chosen=chosen,
        counts=counts,
        shipped=shipped,
        customers=customers,
        models=models,
        hours=hours,
        spans=SPANS.values(),
        plot=plot(series, counts.total, start, end),
        series=series,
    )


def plot(series: dict[str, list[int]], total: int, start: int, end: int) -> Plot:
    """Return the plot of the series from *start* to *end*, in milliseconds."""
    maximum = max(total, *(counts[-1] for counts in series.values()), 1)
    lines = {}
    for name, counts in series.items():
        points = [
            f"{round(_WIDTH * (i + 1) / STEPS)},{round(_HEIGHT - _HEIGHT * count / maximum, 1)}" for i, count in enumerate(counts)
        ]
        lines[name] = f"0,{points[0].partition(',')[2]} " + " ".join(points)
    marks = []
    for part in range(_MARKS + 1):
        moment = datetime.fromtimestamp((start + (end - start) * part / _MARKS) / 1000).astimezone()
        text = moment.strftime("%H:%M") if end - start <= 24 * _HOUR else moment.strftime("%d %b %H:%M")
        marks.append((_WIDTH * part // _MARKS, text))
    return Plot(_WIDTH, _HEIGHT, maximum, lines, marks)
