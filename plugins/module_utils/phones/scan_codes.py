# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Read scans without a header: one code per line; the codes of a unit follow each other in any order."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from ..common.mac import MacError, parse_mac
from ..families.catalogue import Catalogue
from .model_labels import names_model
from .oui_register import is_phone_maker, oui_owner
from .scan_columns import DELIMITERS, Column, column_of, split_label
from .scan_units import Code, Problems, ScanError, Unit, first_line, list_columns

HOW_TO_TELL = "write a header line such as mac,serial above the codes, or MAC: before the MAC address"

_TWELVE_DIGITS = re.compile(r"[0-9A-F]{12}", re.IGNORECASE)
# A code without a label must look like a serial number: digits and capitals, with at least one digit
_SERIAL_CODE = re.compile(r"(?=.*[0-9])[0-9A-Z]{8,20}")
_IDENTITIES = (Column.MAC, Column.SERIAL, "")


def read_codes(lines: Sequence[str], catalogue: Catalogue, problems: Problems) -> Iterator[tuple[int, Unit]]:
    """Yield the line and the codes of each unit. A line such as ``customer=example`` applies to the units after it."""
    settings: Unit = {}
    blocks: list[list[Code]] = [[]]
    for number, line in enumerate(lines, 1):
        setting = _setting(number, line)
        cells = split_cells(line)
        if setting:
            yield from _units(blocks, settings, problems)
            blocks = [[]]
            settings = {**settings, setting.column: setting}
        elif len(cells) == 1:
            blocks[-1] += _classify_all(number, cells, catalogue, problems)
        else:
            # A blank line, or one that contains a whole unit
            blocks += [_classify_all(number, cells, catalogue, problems), []]
    yield from _units(blocks, settings, problems)


def read_one_unit(cells: Iterable[str], catalogue: Catalogue) -> Unit:
    """Return the codes of one label; raise ScanError.

    A single code that may be a MAC address or a serial number has the empty column.
    """
    problems = Problems("label")
    codes = [code for code in _classify_all(1, list(cells), catalogue, problems) if code.text]
    counts = Counter(code.column for code in codes if code.column)
    repeated = [column for column, count in counts.items() if count > 1]
    if repeated:
        problems.add(1, f"the label has more than one {list_columns(repeated)}; scan one unit at a time")
    unit = {code.column: code for code in codes} if len(codes) == 1 else _assign_columns(codes, problems) or {}
    if problems.found:
        raise ScanError("; ".join(sentence for _line, sentence in problems.found))
    return unit


def split_cells(line: str) -> list[str]:
    """Return the codes on a line."""
    return [cell.strip() for cell in re.split(f"[{DELIMITERS}]", line) if cell.strip()]


def _setting(number: int, line: str) -> Code | None:
    name, found, value = line.partition("=")
    column = column_of(name) if found else ""
    return Code(number, value.strip(), column) if column and column not in (Column.MAC, Column.SERIAL, Column.NAME) else None


def _classify_all(number: int, cells: Sequence[str], catalogue: Catalogue, problems: Problems) -> list[Code]:
    codes = [_classify(number, cell, catalogue) for cell in cells]
    for cell, code in zip(cells, codes, strict=True):
        if code is None:
            problems.add(number, f"'{cell[:40]}' is neither a MAC address nor a serial number nor a known model")
    return [code for code in codes if code]


def _classify(number: int, cell: str, catalogue: Catalogue) -> Code | None:
    column, text = split_label(cell)
    if column:
        return Code(number, text, column)
    if names_model(text, catalogue):
        return Code(number, text, Column.MODEL)
    try:
        mac = parse_mac(text)
    except MacError:
        if _TWELVE_DIGITS.fullmatch(text):
            return Code(number, text, "")
        if _TWELVE_DIGITS.fullmatch(re.sub(r"[-:. ]", "", text)):
            return Code(number, text, Column.MAC)
        return Code(number, text, Column.SERIAL) if _SERIAL_CODE.fullmatch(text.upper()) else None
    if not _TWELVE_DIGITS.fullmatch(text) or is_phone_maker(mac):
        return Code(number, text, Column.MAC)
    return Code(number, text, "", has_owner=bool(oui_owner(mac)))


def _units(blocks: list[list[Code]], settings: Unit, problems: Problems) -> Iterator[tuple[int, Unit]]:
    filled = [block for block in blocks if block]
    if all(len(block) == 1 for block in filled):
        # Some scanners send a blank line after each code
        filled = [[block[0] for block in filled]]
    for block in filled:
        units = [_assign_columns(unit, problems) for unit in _split(block)]
        for unit in _same_columns([unit for unit in units if unit], problems):
            yield first_line(unit), {**settings, **unit}


def _split(block: Iterable[Code]) -> Iterator[list[Code]]:
    """Split codes into units: a column occurs once per unit, and a unit has at most two codes that may be MAC or serial number."""
    unit: list[Code] = []
    for code in block:
        columns = [other.column for other in unit]
        identities = sum(column in _IDENTITIES for column in columns)
        if (code.column and code.column in columns) or (code.column in _IDENTITIES and identities == 2):
            yield unit
            unit = []
        unit.append(code)
    if unit:
        yield unit


def _assign_columns(unit: Sequence[Code], problems: Problems) -> Unit | None:
    """Find the MAC address by what else the unit has, then by which OUI is registered; return None if neither decides."""
    assigned = {code.column: code for code in unit if code.column}
    undecided = [code for code in unit if not code.column]
    if len(undecided) == 1 and (Column.MAC in assigned or Column.SERIAL in assigned or undecided[0].has_owner):
        assigned[Column.SERIAL if Column.MAC in assigned else Column.MAC] = undecided[0]
    elif len(undecided) == 2 and undecided[0].has_owner != undecided[1].has_owner:
        serial, mac = sorted(undecided, key=lambda code: code.has_owner)
        assigned |= {Column.MAC: mac, Column.SERIAL: serial}
    elif undecided:
        codes = " and ".join(f"'{code.text}'" for code in undecided)
        problems.add(undecided[0].line, f"{codes} may be a MAC address or a serial number; {HOW_TO_TELL}")
        return None
    return assigned


def _same_columns(units: list[Unit], problems: Problems) -> Iterator[Unit]:
    """Yield the units with the same columns as most; after a skipped code the rest would be paired wrongly."""
    most = Counter(frozenset(unit) for unit in units).most_common(1)
    for unit in units:
        if frozenset(unit) == most[0][0]:
            yield unit
        else:
            problems.add(
                first_line(unit),
                f"this unit has {list_columns(unit)}, but others around it have {list_columns(most[0][0])}; a code is missing here"
                " or before: scan it, or put blank lines around each unit",
            )
