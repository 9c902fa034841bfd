# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Phones as rows of a CSV, JSON Lines or SQLite file or of a database, with the same variables as inventory hosts.

A column is a phone variable; a dot goes into it: ``phone_lines.1.user_id``, ``phone_parameters.Time_Zone``, and a slash into a
section. An empty cell sets nothing; a phone line with only empty cells still counts, so that those after it keep their numbers. A
list or mapping can also be one cell of JSON. Rows are read one by one, each time anew, and never all kept in memory.
"""

from __future__ import annotations

import contextlib
import csv
import functools
import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from ..common.mac import MacError, parse_mac
from ..common.suggest import did_you_mean, nearest, one_of
from ..common.validate import ValidationError, kind_of, read_text_or_digits
from .phone import LAYER, PLAIN, STRUCTURED
from .row_database import RowDatabase, RowDatabaseError, is_database_url
from .scan_columns import column_of

NAME = "name"
"""Column of a phone's name; without it, the MAC address is the name."""
MAX_LINES = 64

_EMPTY = ("", None)
_CELLS = (str, int, float, list, dict, type(None))

_MAY_BE_BLANK = frozenset(',;"' + "".join(chr(code) for code in range(0x3001) if chr(code).isspace()))
"""What a line without any cell can begin with."""

_SQLITE_MAGIC = b"SQLite format 3\0"
_SQLITE_SUFFIXES = (".db", ".sqlite", ".sqlite3")
_JSON_SUFFIXES = (".jsonl", ".ndjson")
_DELIMITERS = ",;\t"
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_LINE_NUMBER = re.compile(r"[1-9][0-9]?")
_MAX_PLANS = 256
_SHORT = 5


Record = tuple[int, Any]
"""Number of a line or row, and its content: text, or the cells of a row of a database."""

_Readers = tuple[Callable[[], Iterator[Record]], Callable[[int, Any], "Row"]]


class RowsError(ValueError):
    """The file as a whole is invalid; the message names it and the remedy."""


class Row(NamedTuple):
    """One phone: its name, its place (``phones.csv line 17``), and its variables or why they are invalid."""

    name: str
    where: str
    variables: Mapping[str, Any]
    problem: str = ""
    shared: Mapping[str, Any] = {}
    """Those of the variables that its groups have; the same object for all rows of the same groups."""


class PhoneRows:
    """The phones of a file.

    *groups*: what rows share. ``all`` -> variables, and ``customer``, ``site``, ``model`` or another variable's name without phone_
    -> value of that variable -> variables. The value is the row's own, or else that of the groups before. Later keys win, and the
    row's own variables win over all; a variable replaces another as a whole. Rows get the groups' own objects, not copies.
    """

    def __init__(
        self,
        path: str,
        query: str = "",
        groups: Mapping[str, Mapping[str, Any]] | None = None,
        text: str | None = None,
        password: str = "",
    ) -> None:
        """Raise RowsError. *path*: of the file, or a database's URL. *query*, *password*: for a database.

        *text*: the file's content if the caller has decrypted it.
        """
        self._path = path
        self._file = Path(path).name
        self._text = text
        self._query = query
        self._password = password
        self._unit = "line"
        self._groups = _Groups(groups or {})
        self._table: _Table
        self._plan: _Plan
        self.form = ""
        """What the meaning of records depends on, such as the header line; known once the first record is read."""
        self._read, self._row_of = self._reader()

    def __iter__(self) -> Iterator[Row]:
        return (self._row_of(number, content) for number, content in self._read())

    def records(self) -> Iterator[Record]:
        """Yield the place and the content of each phone, unread."""
        return self._read()

    def row(self, record: Record) -> Row:
        """Return the phone of a record; those before it must have been yielded."""
        return self._row_of(*record)

    def where(self, record: Record) -> str:
        """Return the place of a record, as in Row.where."""
        return f"{self._file} {self._unit} {record[0]}"

    @property
    def name(self) -> str:
        """Where the rows are: the file's path, or the database."""
        return self._path

    def missing_groups(self) -> list[str]:
        """Return a sentence on each value of the rows read so far that looks like a misspelt group.

        A value unlike all groups is fine: not every customer has something to share.
        """
        return [
            f"{self._file}: groups has no {dimension} '{value}', so its phones share nothing{did_you_mean(near)}"
            for (dimension, value), near in self._groups.misspelt.items()
        ]

    def _reader(self) -> _Readers:
        """Choose how to read the file, by content and suffix: its records, and the row of one."""
        if is_database_url(self._path):
            return self._database_reader(self._path)
        suffix = Path(self._path).suffix.lower()
        if self._text is not None:
            if suffix in _SQLITE_SUFFIXES or self._text.startswith("SQLite format 3"):
                raise RowsError(f"{self._path}: a SQLite file cannot be read from a vault; encrypt CSV or JSON Lines")
            head = b""
        else:
            try:
                with open(self._path, "rb") as file:
                    head = file.read(len(_SQLITE_MAGIC))
            except OSError as error:
                raise self._unreadable(error) from error
        if head.startswith(b"$ANSIBLE_VAULT"):
            raise RowsError(f"{self._path}: it is encrypted with Ansible Vault; pass its decrypted text")
        if head == _SQLITE_MAGIC:
            return self._database_reader(f"sqlite:///{self._path}")
        if suffix in _SQLITE_SUFFIXES:
            raise RowsError(f"{self._path}: it is named {suffix} but is not a SQLite file")
        if self._query:
            raise RowsError(f"{self._path}: it is not a SQLite file, so it cannot be queried; remove query")
        if suffix in _JSON_SUFFIXES:
            return self._records_of_json, self._row_of_json
        return self._records_of_csv, self._row_of_csv

    # -- forms

    def _records_of_csv(self) -> Iterator[Record]:
        lines = self._lines()
        before, header = next(((number, line) for number, line in enumerate(lines) if line.strip()), (0, ""))
        # The first line decides how the columns are separated
        delimiter = max(_DELIMITERS, key=header.count)
        table: _Table | None = None
        number = before + 1
        for line in itertools.chain([header], lines):
            first, text = number, line
            number += 1
            if '"' in line:
                # A quoted cell may go on in further lines
                text, taken = _whole_record(line, lines, delimiter)
                number += taken - 1
            if table is None and not _is_blank(text, delimiter):
                self._table = table = _read_header(f"{self._path} line {first}: ", text, delimiter)
                self.form = f"{delimiter} {text}".rstrip("\r\n")
            elif table is not None and not (text[0] in _MAY_BE_BLANK and _is_blank(text, delimiter)):
                yield first, text
        if table is None:
            raise RowsError(f"{self._path}: it has no header line with the columns' names")

    def _row_of_csv(self, number: int, text: str) -> Row:
        table = self._table
        last = number + len(_LINE.findall(text)) - 1
        try:
            cells = _cells(text, table.delimiter)
        except csv.Error as error:
            return self._refused(number, f"its cells cannot be separated{_until(number, last)}: {error}; check its quotes")
        problem = table.plan.misfit(cells, table.width, _until(number, last))
        return self._refused(number, problem) if problem else self._row(number, table.plan.assign(cells))

    def _records_of_json(self) -> Iterator[Record]:
        return ((number, line) for number, line in enumerate(self._lines(), 1) if not line.isspace())

    def _row_of_json(self, number: int, line: str) -> Row:
        try:
            values = _parse_json(line)
        except ValueError as error:
            return self._refused(number, f"it is not JSON: {error}")
        if not isinstance(values, dict):
            return self._refused(number, "it is not a JSON object; write one object per line")
        try:
            plan = plan_columns(tuple(values))
        except RowsError as error:
            return self._refused(number, str(error))
        return self._row(number, plan.assign(list(values.values())))

    def _database_reader(self, url: str) -> _Readers:
        try:
            database = RowDatabase(url, self._query, self._password)
        except RowDatabaseError as error:
            raise RowsError(str(error)) from error
        self._path, self._file, self._unit = database.name, database.file_name, "row"
        return functools.partial(self._records_of_database, database), self._row_of_database

    def _records_of_database(self, database: RowDatabase) -> Iterator[Record]:
        try:
            with database.table() as table:
                self._plan = _Plan(f"{self._path}: ", table.columns)
                self.form = " ".join(self._plan.columns)
                yield from enumerate(table.rows, 1)
        except RowDatabaseError as error:
            raise RowsError(str(error)) from error

    def _row_of_database(self, number: int, cells: Sequence[Any]) -> Row:
        problem = self._plan.unreadable(cells)
        return self._refused(number, problem) if problem else self._row(number, self._plan.assign(cells))

    def _lines(self) -> Iterator[str]:
        """Yield the lines of the text with their line ends; raise RowsError naming a line that is not text."""
        try:
            for number, line in enumerate(self._raw_lines(), 1):
                if "\0" in line:
                    raise RowsError(f"{self._path} line {number}: it has a NUL byte, so it is not text; save the file as UTF-8")
                yield line
        except UnicodeDecodeError as error:
            number = _find_bad_line(self._path)
            raise RowsError(f"{self._path} line {number}: it is not UTF-8 text; save the file as UTF-8") from error
        except OSError as error:
            raise self._unreadable(error) from error

    def _raw_lines(self) -> Iterator[str]:
        if self._text is None:
            with open(self._path, encoding="utf-8-sig", newline="") as file:
                yield from file
        else:
            # Not StringIO, which would copy the text with four bytes per character
            yield from (match[0] for match in _LINE.finditer(self._text, self._text.startswith("\ufeff")))

    def _unreadable(self, error: OSError) -> RowsError:
        return RowsError(f"{self._path}: the phones cannot be read: {error.strerror}")

    # -- one row

    def _row(self, number: int, assigned: tuple[dict[str, Any], str]) -> Row:
        return self._groups.row(assigned, f"{self._file} {self._unit} {number}")

    def _refused(self, number: int, problem: str) -> Row:
        return Row("without a name", f"{self._file} {self._unit} {number}", {}, problem)


class SingleRows:
    """Rows of which each is found by itself, with the variables of their groups; see PhoneRows."""

    def __init__(self, groups: Mapping[str, Mapping[str, Any]]) -> None:
        """Raise RowsError."""
        self._groups = _Groups(groups)

    def read(self, columns: Sequence[str], cells: Sequence[Any]) -> Row:
        """Return the row with these *cells*; raise RowsError for columns that are no phone variables."""
        plan = plan_columns(tuple(columns))
        problem = plan.unreadable(cells)
        return self._groups.row(({}, problem) if problem else plan.assign(cells), "its row")


class _Group(NamedTuple):
    """The members of one dimension: what each value of a variable gives."""

    dimension: str
    variable: str
    members: Mapping[str, Mapping[str, Any]]
    alike: Mapping[str, str]
    """Form that a misspelt value may have -> value, see _forms()."""

    def value(self, variables: Mapping[str, Any]) -> str:
        value = str(variables.get(self.variable, ""))
        # The case of models does not matter
        return value.strip().upper() if self.dimension == "model" else value


class _Groups:
    """The variables that rows share."""

    def __init__(self, groups: Mapping[str, Any]) -> None:
        """Raise RowsError."""
        self.misspelt: dict[tuple[str, str], str] = {}
        """Dimension and value of a row -> the member that the user probably meant."""
        self._groups = [_read_group(str(dimension), members) for dimension, members in groups.items()]
        self._bases: dict[tuple[str | None, ...], dict[str, Any]] = {}

    def row(self, assigned: tuple[dict[str, Any], str], where: str) -> Row:
        """Return a row with its own variables and those of its groups. *assigned*: see _Plan.assign()."""
        own, problem = assigned
        name = ""
        try:
            name = read_text_or_digits(own.pop(NAME, ""))
        except ValidationError as error:
            problem = f"{NAME} {error}"
        if not name:
            try:
                name = parse_mac(own.get("phone_mac")).plain
            except MacError:
                name = "without a name"
        shared = self.base(own)
        return Row(name, where, {**shared, **own}, problem, shared)

    def base(self, own: Mapping[str, Any]) -> dict[str, Any]:
        """Return the variables of a row's groups; rows in the same groups get the same object."""
        # All values without an entry share one base, or there would be a base per site
        key = tuple([self._member(group, group.value(own)) for group in self._groups])
        base = self._bases.get(key)
        if base is None:
            base = {}
            for group, member in zip(self._groups, key, strict=True):
                if member == "":
                    member = self._member(group, group.value(base))
                if member is not None:
                    base.update(group.members.get(member, {}))
            self._bases[key] = base
        return base

    def _member(self, group: _Group, value: str) -> str | None:
        if not value or value in group.members:
            return value
        near = next((group.alike[form] for form in _forms(value) if form in group.alike), None)
        if near is not None:
            self.misspelt[group.dimension, value] = near
        return None


def _read_group(dimension: str, members: object) -> _Group:
    if not isinstance(members, Mapping):
        raise RowsError(f"groups: {dimension} is {kind_of(members)}; write a mapping")
    if dimension == "all":
        # No variable phone_all exists, so every row has its empty value
        return _Group("all", "phone_all", {"": _check_variables("all", members)}, {})
    variable = f"phone_{dimension}"
    if variable not in PLAIN:
        raise RowsError(f"groups: there is no variable {variable} to group by; use all, customer, site or model")
    known: dict[str, Mapping[str, Any]] = {}
    for value, variables in members.items():
        try:
            text = read_text_or_digits(value)
        except ValidationError as error:
            raise RowsError(f"groups: a {dimension} {error}") from error
        known[text.upper() if dimension == "model" else text] = _check_variables(f"{dimension} {text}", variables)
    return _Group(dimension, variable, known, {form: value for value in known for form in _forms(value)})


def _forms(value: str) -> list[str]:
    """Return forms of which two values share one when they differ by case, punctuation or one letter, and have the same digits."""
    digits = re.sub(r"\D", "", value)
    letters = re.sub(r"[\W\d_]", "", value.casefold())
    wrong = range(len(letters)) if len(letters) >= _SHORT else ()
    return [f"{digits} {letters}", *(f"{digits} {letters[:at]}{letters[at + 1 :]}" for at in wrong)]


def _check_variables(group: str, variables: object) -> Mapping[str, Any]:
    if not isinstance(variables, Mapping):
        raise RowsError(f"groups: {group} is {kind_of(variables)}; write a mapping of phone variables")
    for name in variables:
        _check_variable(str(name), PLAIN, f"groups: {group}: ")
    return variables


def _check_variable(name: str, plain: tuple[str, ...], where: str) -> None:
    """Raise RowsError unless *name* is a structured phone variable or one of *plain*."""
    if name in plain or _is_structured(name):
        return
    known = (*plain, *STRUCTURED)
    usual = (column_of(name), f"phone_{name.lower()}")
    near = next((column for column in usual if column in known), "") or nearest(name, known)
    hint = did_you_mean(near) or f"; {one_of((*known, f'{LAYER}<layer>'))}"
    raise RowsError(f"{where}unknown phone variable '{name}'{hint}")


def is_structured(column: str) -> bool:
    """Tell whether a column sets a list or mapping, or what a dot reaches in one."""
    return "." in column or _is_structured(column)


def _is_structured(name: str) -> bool:
    return name in STRUCTURED or (name.startswith(LAYER) and name != LAYER)


class _Table(NamedTuple):
    """What the header of a CSV file says."""

    plan: _Plan
    width: int
    """Number of columns, with blank names at the end."""
    delimiter: str


def _read_header(where: str, text: str, delimiter: str) -> _Table:
    """Raise RowsError; its message begins with *where*."""
    try:
        cells = _cells(text, delimiter)
    except csv.Error as error:
        raise RowsError(f"{where}its header cannot be read: {error}") from error
    # Spreadsheets save columns that once had something in them
    named = max(number for number, name in enumerate(cells, 1) if name.strip())
    return _Table(_Plan(where, cells[:named]), len(cells), delimiter)


def _whole_record(line: str, lines: Iterator[str], delimiter: str) -> tuple[str, int]:
    """Return the text of the record that begins with *line*, taking what it needs of *lines*, and its number of lines."""
    taken = [line]

    def feed() -> Iterator[str]:
        yield line
        for more in lines:
            taken.append(more)
            yield more

    # Whoever reads its cells reports the error
    with contextlib.suppress(csv.Error, StopIteration):
        next(csv.reader(feed(), delimiter=delimiter, strict=True))
    return "".join(taken), len(taken)


def _cells(record: str, delimiter: str) -> list[str]:
    """Return the cells of a record; raise csv.Error."""
    lines = _LINE.findall(record) if '"' in record else [record]
    return next(csv.reader(lines, delimiter=delimiter, strict=True))


def _is_blank(record: str, delimiter: str) -> bool:
    try:
        return not any(map(str.strip, _cells(record, delimiter)))
    except csv.Error:
        return False


class _Plan:
    """What to do with the cells of each row, worked out once from the names of the columns."""

    def __init__(self, where: str, columns: Iterable[str]) -> None:
        """Raise RowsError; its message begins with *where*."""
        self.columns = [column.strip() for column in columns]
        self.width = len(self.columns)
        self._plain: list[tuple[int, str]] = []
        self._json: list[tuple[int, str]] = []
        self._keys: list[tuple[int, str, list[str], str]] = []
        self._lines: list[list[tuple[int, str]]] = []
        self._check_names(where)
        for number, column in enumerate(self.columns):
            variable, dot, rest = column.partition(".")
            if not dot:
                (self._json if _is_structured(variable) else self._plain).append((number, variable))
            elif not _is_structured(variable):
                raise RowsError(f"{where}the column '{column}' goes into {variable}, which is text")
            elif variable == "phone_lines":
                self._add_line_key(number, column, rest, where)
            else:
                self._add_key(number, variable, rest, where)

    def _check_names(self, where: str) -> None:
        if "" in self.columns:
            raise RowsError(f"{where}the column {self.columns.index('') + 1} has no name")
        for column in self.columns:
            _check_variable(column.partition(".")[0], (NAME, *PLAIN), where)
        # Only after that: without a header line, this message would show the cell of a phone
        if len(set(self.columns)) < self.width:
            twice = next(column for column in self.columns if self.columns.count(column) > 1)
            raise RowsError(f"{where}two columns are called '{twice}'; rename or remove one")

    def _add_line_key(self, number: int, column: str, rest: str, where: str) -> None:
        line, _dot, key = rest.partition(".")
        if not _LINE_NUMBER.fullmatch(line) or int(line) > MAX_LINES or not key:
            raise RowsError(f"{where}the column '{column}' names no line; write phone_lines.1.user_id, lines from 1 to {MAX_LINES}")
        while len(self._lines) < int(line):
            self._lines.append([])
        self._lines[int(line) - 1].append((number, key))

    def _add_key(self, number: int, variable: str, rest: str, where: str) -> None:
        column = self.columns[number]
        *sections, last = rest.split("/")
        if not all([*sections, last]):
            raise RowsError(f"{where}the column '{column}' does not say what it sets in {variable}")
        for outer in itertools.accumulate(sections, "{}/{}".format):
            if f"{variable}.{outer}" in self.columns:
                raise RowsError(f"{where}the column '{variable}.{outer}' sets a value that is a section in the column '{column}'")
        self._keys.append((number, variable, sections, last))

    def misfit(self, cells: Sequence[str], width: int, until: str) -> str:
        """Return what is wrong with the number of a row's cells, or nothing. *width*: the header's, with blank names at its end."""
        if len(cells) == self.width:
            return ""
        if not self.width < len(cells) <= width:
            return f"it has {len(cells)} columns{until}, but the header has {self.width}"
        filled = [number for number, cell in enumerate(cells, 1) if number > self.width and cell.strip()]
        return f"the column {filled[0]}{until} is not empty, but has no name in the header; name it" if filled else ""

    def unreadable(self, cells: Sequence[Any]) -> str:
        """Return what is wrong with the types of a database's cells, or nothing."""
        for column, cell in zip(self.columns, cells, strict=True):
            if isinstance(cell, (bytes, memoryview)):
                return f"the column {column} holds a BLOB; store text"
            if not isinstance(cell, _CELLS):
                return f"the column {column} holds a {type(cell).__name__}; cast it to text in the query"
        return ""

    def assign(self, cells: Sequence[Any]) -> tuple[dict[str, Any], str]:
        """Return the variables of a row, and what is wrong with it, if anything."""
        variables: dict[str, Any] = {name: cell for number, name in self._plain if (cell := cells[number]) not in _EMPTY}
        problem = self._assign_json(cells, variables)
        if not problem and self._lines:
            problem = self._assign_lines(cells, variables)
        return variables, problem or self._assign_keys(cells, variables)

    def _assign_json(self, cells: Sequence[Any], variables: dict[str, Any]) -> str:
        for number, name in self._json:
            cell = cells[number]
            if cell in _EMPTY:
                continue
            try:
                value = _parse_json(cell) if isinstance(cell, str) else cell
            except ValueError as error:
                return f"the column {name} is not JSON: {error}; write JSON, or a column for each of its keys"
            if value is not None:
                variables[name] = value
        return ""

    def _assign_lines(self, cells: Sequence[Any], variables: dict[str, Any]) -> str:
        lines = [{key: cell for number, key in line if (cell := cells[number]) not in _EMPTY} for line in self._lines]
        while lines and not lines[-1]:
            del lines[-1]
        if lines and "phone_lines" in variables:
            return "it has both phone_lines and columns of its lines; fill in only one of the two"
        if lines:
            variables["phone_lines"] = lines
        return ""

    def _assign_keys(self, cells: Sequence[Any], variables: dict[str, Any]) -> str:
        for number, name, sections, key in self._keys:
            cell = cells[number]
            if cell not in _EMPTY:
                below = variables.setdefault(name, {})
                for section in sections:
                    below = below.setdefault(section, {}) if isinstance(below, dict) else below
                if not isinstance(below, dict):
                    return f"the column {self.columns[number]} goes into a value that is not a mapping"
                below[key] = cell
        return ""


plan_columns = functools.lru_cache(_MAX_PLANS)(functools.partial(_Plan, ""))
"""What to do with columns; raises RowsError. Most JSON objects have the same keys, and so the same plan."""


def _parse_json(text: str) -> Any:
    """Return the value of a JSON text; raise ValueError with the reason, which shows nothing of the text."""
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{error.msg} at column {error.colno}") from error
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON number")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def _until(first: int, last: int) -> str:
    return f" up to line {last}" if last > first else ""


def _find_bad_line(path: str) -> int:
    """Return the number of the first line that is not UTF-8, since a decoder of whole blocks does not report it."""
    with open(path, "rb") as file:
        return next(number for number, line in enumerate(file, 1) if not _is_utf8(line))


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
