# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tables of phones: how far emulated phones got, and where a phone's parameters come from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import zip_longest
from typing import Any

from ..common.text_tables import align

_HEADINGS = ("phone", "model", "MAC", "lease", "files", "resync", "Profile_Rule now")


def format_emulated_phones(reports: Iterable[Mapping[str, Any]]) -> str:
    """Return one row per phone (see EmulatedPhone.report) with a line for each file that it requested, and the causes below."""
    reports = list(reports)
    rows = [_cells(report) for report in reports]
    text = align(_HEADINGS, [line for row in rows for line in zip_longest(*row, fillvalue="")])
    causes = [f"{report['name']}: {report['cause']}" for report in reports if report["cause"]]
    return "\n".join([*text, *([""] if causes else []), *causes])


def format_explanation(rows: Iterable[Mapping[str, str]]) -> str:
    """Return one line per parameter (see the profiles module's explanation), and why the phone ignores it, if it does for any."""
    rows = list(rows)
    ignored = ("ignored",) if any(row.get("ignored") for row in rows) else ()
    names = ("kind", "parameter", "value", "variable", "origin", *ignored)
    return "\n".join(align(names, [tuple(row[name] for name in names) for row in rows]))


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
