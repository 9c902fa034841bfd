# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Turn the codes of units into phones."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..common.mac import Mac, MacError, parse_mac
from ..families.catalogue import Catalogue
from ..families.model import Model, ModelError
from .model_labels import find_model
from .oui_register import fits_family, oui_owner
from .rows import RowsError, is_structured, plan_columns
from .scan_columns import Column
from .scan_units import Code, Problems, Unit
from .serial_numbers import strip_identifier

_MAX_LISTED = 5
_TWELVE_DIGITS = re.compile(r"[0-9A-F]{12}", re.IGNORECASE)
_SERIAL = re.compile(r"[0-9A-Z][0-9A-Z._/-]{3,31}")
_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


@dataclass(frozen=True)
class ScannedPhone:
    """One unit as it was scanned."""

    name: str
    line: int
    mac: Mac
    model: Model
    groups: tuple[str, ...]
    """Its groups by customer and model."""
    variables: Mapping[str, Any]
    """The phone_* variables that the file sets; phone_mac and phone_model are always among them. Text, except structured ones."""


class UnitReader:
    """Turns units into phones and checks that no two share a MAC address, serial number or name."""

    def __init__(self, defaults: Mapping[str, str], catalogue: Catalogue, prefixes: Mapping[str, str], problems: Problems) -> None:
        self._defaults = defaults
        self._catalogue = catalogue
        self._prefixes = prefixes
        self._problems = problems
        self._lines: dict[tuple[Column, str], int] = {}
        self._group_values: dict[str, tuple[str, int]] = {}

    def read(self, line: int, unit: Unit) -> ScannedPhone | None:
        """Note all problems of a unit; return the phone, or None when it has no valid MAC address or model."""
        fields = {column: Code(line, text, column) for column, text in self._defaults.items() if text}
        fields |= {column: code for column, code in unit.items() if code.text}
        if Column.CUSTOMER in fields:
            fields[Column.CUSTOMER] = fields[Column.CUSTOMER]._replace(text=" ".join(fields[Column.CUSTOMER].text.split()))
        mac = self._mac(fields, line)
        model = self._model(fields, line)
        serial = self._serial(fields)
        name = self._name(fields, mac)
        texts = {str(column): code.text for column, code in sorted(fields.items()) if column != Column.NAME}
        groups = []
        if Column.CUSTOMER in texts:
            groups.append(self._group(Column.CUSTOMER, texts[Column.CUSTOMER], fields[Column.CUSTOMER].line))
        if model:
            texts[str(Column.MODEL)] = model.name
            groups.append(self._group(Column.MODEL, model.name, fields[Column.MODEL].line))
        self._check_unique(fields, mac, serial, name, line)
        if mac is None or model is None:
            return None
        variables = {**self._structured(fields, texts), str(Column.MAC): mac.colon}
        if serial:
            variables[str(Column.SERIAL)] = serial
        return ScannedPhone(name, fields[Column.MAC].line, mac, model, tuple(groups), variables)

    def _structured(self, fields: Unit, texts: Mapping[str, str]) -> dict[str, Any]:
        """Return the variables of *texts*, with lists and mappings made of their columns as in rows."""
        columns = tuple(column for column in texts if is_structured(column))
        try:
            values, problem = plan_columns(columns).assign([texts[column] for column in columns])
        except RowsError as error:
            values, problem = {}, str(error)
        if problem:
            self._problems.add(fields[columns[0]].line, problem)
        return {**{column: text for column, text in texts.items() if column not in columns}, **values}

    def _mac(self, fields: Unit, line: int) -> Mac | None:
        if Column.MAC not in fields:
            self._problems.add(line, "this unit has no MAC address; scan it")
            return None
        try:
            return parse_mac(fields[Column.MAC].text)
        except MacError as error:
            self._problems.add(fields[Column.MAC].line, str(error))
            return None

    def _model(self, fields: Unit, line: int) -> Model | None:
        if Column.MODEL not in fields:
            self._problems.add(line, "this unit has no model; scan it, add a model column, or set a model for all units")
            return None
        try:
            return find_model(fields[Column.MODEL].text, self._catalogue)
        except ModelError as error:
            self._problems.add(fields[Column.MODEL].line, str(error))
            return None

    def _serial(self, fields: Unit) -> str:
        """Return the serial number in its normal form, or empty; scanners type lower case when Caps Lock is on."""
        if Column.SERIAL not in fields:
            return ""
        code = fields[Column.SERIAL]
        serial = strip_identifier(code.text).upper()
        if _SERIAL.fullmatch(serial) and (_TWELVE_DIGITS.fullmatch(serial) or not _is_mac(serial)):
            return serial
        hint = "it is a MAC address; are the two mixed up?" if _is_mac(serial) else "write 4 to 32 letters and digits"
        self._problems.add(code.line, f"'{code.text}' is not a serial number; {hint}")
        return ""

    def _name(self, fields: Unit, mac: Mac | None) -> str:
        if Column.NAME not in fields:
            return f"phone-{mac.plain}" if mac else ""
        code = fields[Column.NAME]
        if _HOST.fullmatch(code.text):
            return code.text
        self._problems.add(code.line, f"'{code.text}' is not a host name; write letters, digits, dots, hyphens and underscores")
        return ""

    def _check_unique(self, fields: Unit, mac: Mac | None, serial: str, name: str, line: int) -> None:
        """Note shared values; if the MAC address is shared, it is the same unit twice, so report only that."""
        if mac and not self._is_new(Column.MAC, mac.plain, f"the MAC address {mac}", fields[Column.MAC].line):
            return
        if serial:
            self._is_new(Column.SERIAL, serial, f"the serial number {serial}", fields[Column.SERIAL].line)
        if name:
            self._is_new(Column.NAME, name, f"the name {name}", fields[Column.NAME].line if Column.NAME in fields else line)

    def _is_new(self, column: Column, value: str, label: str, line: int) -> bool:
        if (column, value) in self._lines:
            self._problems.add(line, f"{label} is already on line {self._lines[column, value]}; scan each unit once")
            return False
        self._lines[column, value] = line
        return True

    def _group(self, column: Column, value: str, line: int) -> str:
        prefix = self._prefixes[column]
        what = column.removeprefix("phone_")
        name = group_name(prefix, value)
        if not name:
            self._problems.add(line, f"the {what} '{value}' after '{prefix}' gives no valid group name; use letters and digits")
            return ""
        first, first_line = self._group_values.setdefault(name, (value, line))
        if first != value:
            both = f"the {what} '{value}' and '{first}' of line {first_line}"
            self._problems.add(line, f"{both} would be the same group {name}; spell them the same, or more differently")
            return ""
        return name


def group_name(prefix: str, value: str) -> str:
    """Return *prefix* and *value* as a group name: lower case without accents, digits, underscores; empty if nothing is left."""
    letters = [letter for letter in unicodedata.normalize("NFKD", value.casefold()) if not unicodedata.combining(letter)]
    slug = re.sub(r"[\W_]+", "_", unicodedata.normalize("NFC", "".join(letters))).strip("_")
    name = f"{prefix}{slug}"
    return name if slug and name.isidentifier() else ""


def describe_foreign_ouis(phones: Iterable[ScannedPhone]) -> Iterator[str]:
    """Yield one sentence for each OUI that does not belong to the family's maker, with its first units."""
    foreign: dict[tuple[str, str], list[ScannedPhone]] = {}
    for phone in phones:
        family = phone.model.family.name
        if not fits_family(phone.mac, family):
            foreign.setdefault((phone.mac.colon[:8], family), []).append(phone)
    for (oui, family), units in foreign.items():
        named = ", ".join(f"line {unit.line} ({unit.name}, {unit.model.name})" for unit in units[:_MAX_LISTED])
        more = f" and {len(units) - _MAX_LISTED} more" if len(units) > _MAX_LISTED else ""
        owner = f"registered to {oui_owner(units[0].mac) or 'no one'}, not to the maker of the family {family}"
        yield f"{named}{more}: the MAC address begins with {oui}, which is {owner}; check the label"


def _is_mac(text: str) -> bool:
    try:
        parse_mac(text)
    except MacError:
        return False
    return True
