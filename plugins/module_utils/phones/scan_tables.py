# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Read scans with a header line: a table, one unit per line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from .scan_columns import DELIMITERS, SYNONYMS, Column, column_of, split_label
from .scan_units import Code, Problems, Unit


class Header(NamedTuple):
    """The first line of a table."""

    line: int
    delimiter: str
    names: tuple[str, ...]


def find_header(lines: Sequence[str]) -> Header | None:
    """Return the first line that is not blank, if one of its cells names a column."""
    for number, line in enumerate(lines, 1):
        if line.strip():
            rows = {delimiter: _cells(line, delimiter) for delimiter in DELIMITERS}
            known = {delimiter: sum(bool(column_of(cell)) for cell in cells) for delimiter, cells in rows.items()}
            best = max(DELIMITERS, key=known.__getitem__)
            return Header(number, best, tuple(cell.strip() for cell in rows[best])) if known[best] else None
    return None


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter))
    except csv.Error:
        return [line]


def read_table(lines: Sequence[str], header: Header, problems: Problems, warnings: list[str]) -> Iterator[tuple[int, Unit]]:
    """Yield the line and the codes of each unit."""
    columns = [column_of(name) for name in header.names]
    _check_header(header, columns, problems)
    if problems.found:
        return
    ignored = [name for name, column in zip(header.names, columns, strict=True) if name and not column]
    if ignored:
        warnings.append(f"ignored columns: {', '.join(ignored)}; for phone variables, begin the name with phone_")
    rows = csv.reader(io.StringIO("\n".join(lines[header.line :])), delimiter=header.delimiter, strict=True)
    line = header.line + 1
    try:
        for row in rows:
            cells = [cell.strip() for cell in row]
            if any(cells[len(columns) :]):
                count = f"{len(cells)} cells and the header {len(columns)}"
                problems.add(line, f"it has {count}; put a cell that contains {header.delimiter!r} in double quotes")
            elif any(cells):
                named = zip(columns, cells, strict=False)
                yield line, {column: Code(line, _strip_label(column, cell), column) for column, cell in named if column}
            line = header.line + 1 + rows.line_num
    except csv.Error as error:
        problems.add(line, f"it cannot be read as a table: {error}; check its quotes")


def _check_header(header: Header, columns: Sequence[str], problems: Problems) -> None:
    for column in {column for column in columns if column}:
        same = [name for name, other in zip(header.names, columns, strict=True) if other == column]
        if len(same) > 1:
            problems.add(header.line, f"the columns {' and '.join(same)} all mean {column}; keep one")
    if Column.MAC not in columns:
        problems.add(header.line, f"no column contains the MAC address; name it one of {', '.join(SYNONYMS[Column.MAC])}")


def _strip_label(column: str, text: str) -> str:
    found, code = split_label(text)
    return code if found == column else text
