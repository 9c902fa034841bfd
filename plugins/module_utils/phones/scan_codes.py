# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Read scans without a header: one code per line; the codes of a unit follow each other in any order."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from ..common.mac import MacError, parse_mac
from ..families.catalogue import Catalogue
from .label_fields import read_fields, split_cells
from .label_standards import (
    ARTICLE_NUMBER,
    OTHER_TEXT,
    PART_NUMBER,
    Field,
    LabelError,
    identify,
    is_article_number,
    strip_mac_label,
)
from .label_texts import is_part_number, read_pairs
from .model_labels import names_model
from .oui_register import is_phone_maker, oui_owner
from .scan_columns import Column, column_of, split_label
from .scan_units import Code, Problems, ScanError, Unit, first_line, list_columns
from .serial_numbers import is_maker_serial, strip_identifier

HOW_TO_TELL = "write a header line such as mac,serial above the codes, or MAC: before the MAC address"

_TWELVE_DIGITS = re.compile(r"[0-9A-F]{12}", re.IGNORECASE)
# A code without a label must look like a serial number: digits and capitals, with at least one digit
_SERIAL_CODE = re.compile(r"(?=.*[0-9])[0-9A-Z]{8,20}")
_NAMED = re.compile(r"([A-Za-z][\w ./-]*)[:=].+")
_IDENTITIES = (Column.MAC, Column.SERIAL, "")


def read_codes(lines: Sequence[str], catalogue: Catalogue, problems: Problems) -> Iterator[tuple[int, Unit]]:
    """Yield the line and the codes of each unit. A line such as ``customer=example`` applies to the units after it."""
    settings: Unit = {}
    blocks: list[list[Code]] = [[]]
    for number, line in enumerate(lines, 1):
        setting = _setting(number, line)
        if setting:
            yield from _units(blocks, settings, problems)
            blocks = [[]]
            settings = {**settings, setting.column: setting}
            continue
        codes = _read_lines(number, [line], catalogue, problems)
        macs, serials = (sum(code.column == column for code in codes) for column in (Column.MAC, Column.SERIAL))
        if macs and serials and macs != serials:
            repeated = list_columns([Column.MAC if macs > serials else Column.SERIAL])
            problems.add(number, f"the label has more than one {repeated}; scan or type only the one that the phone uses")
        elif len(codes) > 1 or not line.strip():
            # A blank line, or one that contains a whole unit
            blocks += [codes, []]
        else:
            blocks[-1] += codes
    yield from _units(blocks, settings, problems)


def read_one_unit(lines: Iterable[str], catalogue: Catalogue) -> Unit:
    """Return the codes of one label; raise ScanError.

    A single code that may be a MAC address or a serial number has the empty column.
    """
    problems = Problems("label")
    codes = [code for code in _read_lines(1, lines, catalogue, problems) if code.text]
    counts = Counter(code.column for code in codes if code.column)
    repeated = [column for column, count in counts.items() if count > 1]
    if repeated:
        problems.add(1, f"the label has more than one {list_columns(repeated)}; scan one unit at a time")
    unit = {code.column: code for code in codes} if len(codes) == 1 else _assign_columns(codes, problems) or {}
    if problems.found:
        raise ScanError("; ".join(sentence for _line, sentence in problems.found))
    return unit


def _setting(number: int, line: str) -> Code | None:
    """Return what a line sets for the units after it; None for a code, and for a label with several fields."""
    name, found, value = line.partition("=")
    column = column_of(name) if found else ""
    if not column or column in (Column.MAC, Column.SERIAL, Column.NAME):
        return None
    others = {split_label(cell)[0] for cell in split_cells(value)}
    is_label = not others.isdisjoint((Column.MAC, Column.SERIAL)) or bool(read_pairs(line))
    return None if is_label else Code(number, value.strip(), column)


def _read_lines(number: int, lines: Iterable[str], catalogue: Catalogue, problems: Problems) -> list[Code]:
    """Return the codes of one label, and note what is no code. Beside a MAC address or serial number, other fields are skipped."""
    try:
        fields = [field for line in lines for field in read_fields(line)]
    except LabelError as error:
        problems.add(number, str(error))
        return []
    codes: list[Code] = []
    others: list[Field] = []
    for field in fields:
        found = _classify(number, field, catalogue)
        if found is None:
            problems.add(number, _unreadable(field.text))
        elif isinstance(found, Code):
            codes.append(found)
        else:
            others.append(found)
    return codes + _sort_out(number, others, codes, catalogue, problems)


def _sort_out(number: int, others: Iterable[Field], codes: Sequence[Code], catalogue: Catalogue, problems: Problems) -> list[Code]:
    """Return the model among a label's other fields, if only they name it, and note the fields that must not be skipped."""
    columns = {code.column for code in codes}
    models = [] if Column.MODEL in columns else [field for field in others if names_model(field.text, catalogue)][:1]
    if models or not columns.isdisjoint(_IDENTITIES):
        # Twelve digits may be the code that is missing
        complete = {Column.MAC, Column.SERIAL} <= columns
        others = [
            field for field in others if not complete and field.other == ARTICLE_NUMBER and _TWELVE_DIGITS.fullmatch(field.text)
        ]
    named = [f"'{field.text[:40]}' is {field.other}" for field in others if field.other != OTHER_TEXT]
    if named:
        problems.add(
            number,
            f"{' and '.join(named)}, not a MAC address or serial number; leave it out, or write MAC: or SN: before it if it is one",
        )
    for field in others:
        if field.other == OTHER_TEXT:
            problems.add(number, _unreadable(field.text))
    return [Code(number, field.text, Column.MODEL) for field in models]


def _unreadable(text: str) -> str:
    return f"'{text[:40]}' is neither a MAC address nor a serial number nor a known model"


def _classify(number: int, field: Field, catalogue: Catalogue) -> Code | Field | None:
    """Return the code that a field is, or the field with what it is instead; None if it is nothing that labels have."""
    if field.column or field.other:
        return Code(number, field.text, field.column) if field.column else field
    column, text = split_label(field.text)
    if column:
        is_number = column == Column.MODEL and is_part_number(field.text, text) and not names_model(text, catalogue)
        return Field(text, other=PART_NUMBER) if is_number else Code(number, text, column)
    if names_model(text, catalogue):
        return Code(number, text, Column.MODEL)
    for name, stripped in ((Column.MAC, strip_mac_label(text)), (Column.SERIAL, strip_identifier(text))):
        if stripped != text:
            return Code(number, stripped, name)
    return _classify_address(number, field) or _classify_other(number, text, catalogue)


def _classify_address(number: int, field: Field) -> Code | Field | None:
    """Return what a text is that may be a MAC address, or None if it cannot be one and is no article number either."""
    text = field.text
    try:
        mac = parse_mac(text)
    except MacError:
        mac = None
    if mac and is_phone_maker(mac):
        return Code(number, text, Column.MAC)
    if field.is_retail and is_article_number(text):
        return field._replace(other=ARTICLE_NUMBER)
    if _TWELVE_DIGITS.fullmatch(text):
        return Code(number, text, "", has_owner=bool(mac and oui_owner(mac)))
    return Code(number, text, Column.MAC) if _TWELVE_DIGITS.fullmatch(re.sub(r"[-:. ]", "", text)) else None


def _classify_other(number: int, text: str, catalogue: Catalogue) -> Code | Field | None:
    """Return what a text is that cannot be a MAC address."""
    other = None if is_maker_serial(text) else identify(text)
    if other and names_model(other.text, catalogue):
        return Code(number, other.text, Column.MODEL)
    if other:
        return other._replace(text=text)
    if _SERIAL_CODE.fullmatch(text.upper()):
        return Code(number, text, Column.SERIAL)
    return Field(text, other=OTHER_TEXT) if _NAMED.fullmatch(text) else None


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
