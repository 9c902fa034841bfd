# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Read scans with a header line: a table, one unit per line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from .label_fields import read_structured
from .label_standards import (
    ARTICLE_NUMBER,
    PART_NUMBER,
    SEPARATORS,
    LabelError,
    identify,
    is_article_number,
    strip_mac_label,
    strip_symbology,
)
from .oui_register import is_phone_address
from .rows import RowsError, is_structured, plan_columns
from .scan_columns import DELIMITERS, SYNONYMS, Column, column_of, split_label
from .scan_units import Code, Problems, Unit, list_columns

_MAX_LISTED = 5


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
        warnings.append(
            f"line {header.line}: ignored columns: {', '.join(ignored)}; for phone variables, begin the name with phone_"
        )
    notes: dict[str, list[int]] = {}
    rows = csv.reader(io.StringIO("\n".join(lines[header.line :])), delimiter=header.delimiter, strict=True)
    line = header.line + 1
    try:
        for row in rows:
            cells = [cell.strip() for cell in row]
            if any(cells[len(columns) :]):
                count = f"{len(cells)} cells and the header {len(columns)}"
                problems.add(line, f"it has {count}; put a cell that contains {header.delimiter!r} in double quotes")
            elif any(cells):
                unit = _read_row(line, columns, cells, problems)
                for sentence in _notes(header, cells, unit):
                    notes.setdefault(sentence, []).append(line)
                if unit:
                    yield line, unit
            line = header.line + 1 + rows.line_num
    except csv.Error as error:
        problems.add(line, f"it cannot be read as a table: {error}; check its quotes")
    warnings += [f"{_list_lines(found)}: {sentence}" for sentence, found in notes.items()]


def _read_row(line: int, columns: Sequence[str], cells: Sequence[str], problems: Problems) -> Unit:
    """Return the codes of a row; none, so that nothing else is said of it, if a cell breaks its standard."""
    try:
        named = zip(columns, cells, strict=False)
        return {column: Code(line, _read_cell(column, cell), column) for column, cell in named if column}
    except LabelError as error:
        problems.add(line, str(error))
        return {}


def _notes(header: Header, cells: Sequence[str], unit: Unit) -> Iterator[str]:
    """Yield what looks wrong in a row but may be right."""
    for number, (name, cell) in enumerate(zip(header.names, cells, strict=False), 1):
        if cell and not name:
            yield f"ignored column {number}, which has no name in the header"
    if Column.SERIAL in unit and is_article_number(unit[Column.SERIAL].text):
        yield "the serial number has the check digit of a UPC or EAN article number; check the label"


def _list_lines(lines: Sequence[int]) -> str:
    listed = ", ".join(f"line {line}" for line in lines[:_MAX_LISTED])
    return f"{listed} and {len(lines) - _MAX_LISTED} more" if len(lines) > _MAX_LISTED else listed


def _check_header(header: Header, columns: Sequence[str], problems: Problems) -> None:
    for column in {column for column in columns if column}:
        same = [name for name, other in zip(header.names, columns, strict=True) if other == column]
        if len(same) > 1:
            problems.add(header.line, f"the columns {' and '.join(same)} all mean {column}; keep one")
    try:
        plan_columns(tuple(column for column in columns if is_structured(column)))
    except RowsError as error:
        problems.add(header.line, str(error))
    if Column.MAC not in columns:
        problems.add(header.line, f"no column contains the MAC address; name it one of {', '.join(SYNONYMS[Column.MAC])}")


def _read_cell(column: str, cell: str) -> str:
    """Return what a cell holds for its column, without labels and identifiers of standards; raise LabelError."""
    if column not in (Column.MAC, Column.SERIAL, Column.MODEL):
        return cell.strip(f" {SEPARATORS}")
    text = strip_symbology(cell)[1].strip(f" {SEPARATORS}")
    fields = read_structured(cell)
    own = [field.text for field in fields if field.column == column or (column == Column.MODEL and field.other == PART_NUMBER)]
    if own:
        return own[0]
    if fields:
        what = " and ".join(f"'{field.text[:40]}', {field.other or list_columns([field.column])}" for field in fields)
        raise LabelError(f"the column {list_columns([column])} holds {what}; scan the right code into it")
    found, code = split_label(text)
    text = code if found == column else text
    if column == Column.MODEL:
        part = identify(text)
        return part.text if part and part.other == PART_NUMBER else text
    if column == Column.MAC and not found and is_article_number(text) and not is_phone_address(text):
        raise LabelError(
            f"'{text}' is {ARTICLE_NUMBER}, not a MAC address; scan the right code, or write a MAC address with colons"
        )
    return strip_mac_label(text) if column == Column.MAC else text
