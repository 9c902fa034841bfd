# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tables for people: how far emulated units got, where parameters come from, and any other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import Any

_HEADINGS = ("phone", "model", "MAC", "lease", "files", "resync", "Profile_Rule now")


def format_table(reports: Iterable[Mapping[str, Any]]) -> str:
    """Return one row a unit (see phone_behaviour.Unit.report), of as many lines as it asked for files; below it the causes."""
    reports = list(reports)
    rows = [_cells(report) for report in reports]
    text = align(_HEADINGS, [line for row in rows for line in zip_longest(*row, fillvalue="")])
    causes = [f"{report['name']}: {report['cause']}" for report in reports if report["cause"]]
    return "\n".join([*text, *([""] if causes else []), *causes])


def format_explanation(rows: Iterable[Mapping[str, str]]) -> str:
    """Return one line a parameter (see the profiles module's explanation)."""
    names = ("kind", "parameter", "value", "variable", "origin")
    return "\n".join(align(names, [tuple(row[name] for name in names) for row in rows]))


def align(headings: tuple[str, ...], lines: Sequence[tuple[str, ...]]) -> list[str]:
    """Return the lines of a table, its headings underlined. What does not print is shown by its number, since others wrote it."""
    lines = [tuple(map(_printable, line)) for line in lines]
    widths = [max(len(line[column]) for line in [headings, *lines]) for column in range(len(headings))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in [headings, *lines]]
    return [text[0], "  ".join("-" * width for width in widths), *text[1:]]


def _printable(cell: str) -> str:
    if cell.isprintable():
        return cell
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in cell)


def _cells(report: Mapping[str, Any]) -> list[list[str]]:
    return [
        [report["name"]],
        [report["model"]],
        [report["mac"]],
        [report["address"] or "none"],
        [_file(request) for request in report["requests"]] or ["none"],
        [report["state"]],
        [report["profile_rule"]],
    ]


def _file(request: Mapping[str, Any]) -> str:
    path = "/" + request["url"].split("/", 3)[3]
    notes = {"A": "sealed" if request["sealed"] else "", "B": "not found or corrupt", "C": "failed", "": "try again"}
    note = notes[request["behaviour"]]
    return f"{request['protocol'].upper():5} {path}" + (f" ({note})" if note else "")
