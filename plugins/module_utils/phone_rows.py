# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Phones as rows of a CSV, JSON Lines or SQLite file: the same variables as those of an inventory host, without being one.

A column is a phone variable; a dot goes into it: ``phone_lines.1.user_id``, ``phone_parameters.Time_Zone``. An empty cell sets
nothing. Rows are read one by one, as often as asked.
"""

from __future__ import annotations

import contextlib
import csv
import difflib
import io
import json
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TextIO
from urllib.parse import quote

from .mac import MacError, parse_mac
from .phone import LAYER, PLAIN, STRUCTURED

NAME = "name"
"""Column of a phone's name; without it the MAC address is the name."""
DEFAULT_QUERY = "SELECT * FROM phones"
MOST_LINES = 64

_EMPTY = ("", None)

_SQLITE_MAGIC = b"SQLite format 3\0"
_JSON_SUFFIXES = (".jsonl", ".ndjson")
_DELIMITERS = ",;\t"
_READING = re.compile(r"\s*(?:SELECT|WITH)\b", re.IGNORECASE)


class RowsError(ValueError):
    """The file as a whole cannot be read; the message names it, and what would help."""


class Row(NamedTuple):
    """One phone: its name, where it stands (``phones.csv line 17``), its variables, or why it cannot be read."""

    name: str
    where: str
    variables: Mapping[str, Any]
    problem: str = ""


class PhoneRows:
    """The phones of a file.

    *groups*: what rows share. ``all`` -> variables, and ``customer``, ``site``, ``model`` or any other end of a variable's name ->
    value of that variable -> variables. Later keys win, and the row's own variables win over all; a variable replaces another as
    a whole.
    """

    def __init__(
        self, path: str, query: str = "", groups: Mapping[str, Mapping[str, Any]] | None = None, text: str | None = None
    ) -> None:
        """*query* is for SQLite. *text*: the file's content, where the caller has decrypted it. Raise RowsError."""
        self._path = path
        self._file = Path(path).name
        self._text = text
        self._query = query
        self._groups = _read_groups(groups or {})
        self._bases: dict[tuple[str, ...], dict[str, Any]] = {}
        self._missing: dict[tuple[str, str], None] = {}
        head = b""
        if text is None:
            try:
                with open(path, "rb") as file:
                    head = file.read(len(_SQLITE_MAGIC))
            except OSError as error:
                raise RowsError(f"{path}: the phones cannot be read: {error.strerror}") from error
            if head.startswith(b"$ANSIBLE_VAULT"):
                raise RowsError(f"{path}: it is encrypted; only Ansible can read it")
        if head == _SQLITE_MAGIC:
            if query and not _READING.match(query):
                raise RowsError(f"{path}: the query must begin with SELECT or WITH")
            self._read: Callable[[], Iterator[Row]] = self._read_sqlite
        elif query:
            raise RowsError(f"{path}: it is no SQLite file, so there is nothing to query")
        else:
            self._read = self._read_json if path.endswith(_JSON_SUFFIXES) else self._read_csv

    def __iter__(self) -> Iterator[Row]:
        return self._read()

    def missing_groups(self) -> list[str]:
        """Return a sentence on each value of the rows read so far that looks like a misspelt group."""
        sentences = []
        for dimension, value in self._missing:
            near = difflib.get_close_matches(value, self._groups[dimension], n=1, cutoff=0.8)
            # A wrong model is an error anyway, and right ones are much alike.
            if near and dimension != "model":
                sentences.append(
                    f"{self._file}: groups has no {dimension} '{value}', so its phones share nothing; did you mean '{near[0]}'?"
                )
        return sentences

    # -- forms

    def _read_csv(self) -> Iterator[Row]:
        plan: _Plan | None = None
        line = 0
        with self._open() as file:
            try:
                # The first line alone tells how the columns are separated.
                delimiter = max(_DELIMITERS, key=file.readline().count)
                file.seek(0)
                reader = csv.reader(file, delimiter=delimiter, strict=True)
                for cells in reader:
                    where, line = f"{self._file} line {line + 1}", reader.line_num
                    if not any(cells):
                        continue
                    if plan is None:
                        plan = _Plan(f"{self._file}: ", cells)
                    elif len(cells) != len(plan.columns):
                        yield self._refused(where, f"it has {len(cells)} columns, and the header {len(plan.columns)}")
                    else:
                        yield self._row(where, plan.assign(cells))
            except UnicodeDecodeError as error:
                raise RowsError(f"{self._path}: it is not UTF-8 text after line {line}") from error
            except csv.Error as error:
                raise RowsError(f"{self._path} line {line + 1}: {error}") from error
        if plan is None:
            raise RowsError(f"{self._path}: it has no header line that names the columns")

    def _read_json(self) -> Iterator[Row]:
        with self._open() as file:
            number = 0
            # Objects mostly have the same keys.
            plans: dict[tuple[str, ...], _Plan] = {}
            try:
                for number, line in enumerate(file, 1):
                    where = f"{self._file} line {number}"
                    if not line.strip():
                        continue
                    try:
                        values = json.loads(line)
                    except ValueError as error:
                        yield self._refused(where, f"it is not JSON: {error}")
                        continue
                    if not isinstance(values, dict):
                        yield self._refused(where, "it is no JSON object")
                        continue
                    names = tuple(values)
                    try:
                        plan = plans[names] = plans.get(names) or _Plan("", names)
                    except RowsError as error:
                        yield self._refused(where, str(error))
                        continue
                    yield self._row(where, plan.assign(list(values.values())))
            except UnicodeDecodeError as error:
                raise RowsError(f"{self._path}: it is not UTF-8 text after line {number}") from error

    def _read_sqlite(self) -> Iterator[Row]:
        try:
            with contextlib.closing(sqlite3.connect(f"file:{quote(self._path)}?mode=ro", uri=True)) as database:
                cursor = database.execute(self._query or DEFAULT_QUERY)
                plan = _Plan(f"{self._file}: ", [column[0] for column in cursor.description])
                for number, cells in enumerate(cursor, 1):
                    yield self._row(f"{self._file} row {number}", plan.assign(cells))
        except sqlite3.Error as error:
            raise RowsError(f"{self._path}: SQLite says: {error}") from error

    def _open(self) -> TextIO:
        if self._text is not None:
            return io.StringIO(self._text.removeprefix("\ufeff"), newline="")
        return open(self._path, encoding="utf-8-sig", newline="")

    # -- one row

    def _row(self, where: str, own: tuple[dict[str, Any], str]) -> Row:
        variables, problem = own
        name = str(variables.pop(NAME, "") or "")
        if not name:
            try:
                name = parse_mac(variables.get("phone_mac")).plain
            except MacError:
                name = "without a name"
        return Row(name, where, {**self._base(variables), **variables}, problem)

    def _refused(self, where: str, problem: str) -> Row:
        return Row("without a name", where, {}, problem)

    def _base(self, own: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the row's groups give; rows of the same groups get the same object."""
        values = tuple(_group_value(dimension, own) for dimension in self._groups)
        base = self._bases.get(values)
        if base is None:
            base = {}
            for (dimension, members), value in zip(self._groups.items(), values, strict=True):
                if value in members:
                    base.update(members[value])
                elif value:
                    self._missing[dimension, value] = None
            self._bases[values] = base
        return base


def _group_value(dimension: str, own: Mapping[str, Any]) -> str:
    value = str(own.get(f"phone_{dimension}") or "")
    # Models are known in any case.
    return value.upper() if dimension == "model" else value


def _read_groups(groups: Mapping[str, Any]) -> dict[str, dict[str, Mapping[str, Any]]]:
    known: dict[str, dict[str, Mapping[str, Any]]] = {}
    for dimension, members in groups.items():
        if not isinstance(members, Mapping):
            raise RowsError(f"groups: {dimension} is a {type(members).__name__}; write a mapping")
        if dimension == "all":
            # Every row has the empty value of a variable that there is not.
            known["all"] = {"": _check_variables("all", members)}
            continue
        if f"phone_{dimension}" not in PLAIN:
            raise RowsError(f"groups: there is no variable phone_{dimension} to group by; use all, customer, site or model")
        known[str(dimension)] = {
            str(value).upper() if dimension == "model" else str(value): _check_variables(f"{dimension} {value}", variables)
            for value, variables in members.items()
        }
    return known


def _check_variables(group: str, variables: object) -> Mapping[str, Any]:
    if not isinstance(variables, Mapping):
        raise RowsError(f"groups: {group} is a {type(variables).__name__}; write a mapping of phone variables")
    for name in variables:
        _check_column(str(name), f"groups: {group}: ")
    return variables


def _check_column(name: str, where: str) -> None:
    """Raise RowsError unless *name* is a phone variable."""
    if name == NAME or name in PLAIN or name in STRUCTURED or (name.startswith(LAYER) and name != LAYER):
        return
    known = (NAME, *PLAIN, *STRUCTURED)
    near = difflib.get_close_matches(name, known, n=1) or [column for column in known if column == f"phone_{name.lower()}"]
    hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)} and {LAYER}<layer>"
    raise RowsError(f"{where}'{name}' is no phone variable; {hint}")


def _is_structured(name: str) -> bool:
    return name in STRUCTURED or name.startswith(LAYER)


class _Plan:
    """What to do with the cells of each row, found out once from the names of the columns."""

    def __init__(self, where: str, columns: Iterable[str]) -> None:
        """*where* stands before the message of a RowsError."""
        self.columns = [column.strip() for column in columns]
        self._plain: list[tuple[int, str]] = []
        self._json: list[tuple[int, str]] = []
        self._keys: list[tuple[int, str, str]] = []
        self._lines: list[tuple[int, int, str]] = []
        for number, column in enumerate(self.columns):
            if self.columns.index(column) != number:
                raise RowsError(f"{where}two columns are called '{column}'")
            variable, dot, rest = column.partition(".")
            _check_column(variable, f"{where}the column ")
            if not dot:
                (self._json if _is_structured(variable) else self._plain).append((number, variable))
            elif not _is_structured(variable) or not rest:
                raise RowsError(f"{where}the column '{column}' goes into {variable}, which is text")
            elif variable == "phone_lines":
                line, _dot, key = rest.partition(".")
                if not re.fullmatch(r"[1-9]\d?", line) or int(line) > MOST_LINES or not key:
                    raise RowsError(
                        f"{where}the column '{column}' names no line; write phone_lines.1.user_id, lines from 1 to {MOST_LINES}"
                    )
                self._lines.append((number, int(line) - 1, key))
            else:
                self._keys.append((number, variable, rest))

    def assign(self, cells: Sequence[Any]) -> tuple[dict[str, Any], str]:
        """Return the variables of a row, and what is wrong with it."""
        variables: dict[str, Any] = {name: cell for number, name in self._plain if (cell := cells[number]) not in _EMPTY}
        for number, name in self._json:
            cell = cells[number]
            if cell in _EMPTY:
                continue
            try:
                variables[name] = json.loads(cell) if isinstance(cell, str) else cell
            except ValueError:
                return (
                    variables,
                    f"the column {name} is not JSON; write a list or mapping as JSON, or a column for each of its keys",
                )
        lines: list[dict[str, Any]] = []
        for number, line, key in self._lines:
            cell = cells[number]
            if cell not in _EMPTY:
                # An empty line keeps the numbers of those behind it.
                while len(lines) <= line:
                    lines.append({})
                lines[line][key] = cell
        if lines:
            if "phone_lines" in variables:
                return variables, "it has both phone_lines and columns of its lines"
            variables["phone_lines"] = lines
        for number, name, key in self._keys:
            cell = cells[number]
            if cell not in _EMPTY:
                below = variables.setdefault(name, {})
                *sections, last = key.split("/")
                for section in sections:
                    below = below.setdefault(section, {}) if isinstance(below, dict) else below
                if not isinstance(below, dict):
                    return variables, f"{name}.{key} goes into what is no mapping"
                below[last] = cell
        return variables, ""
