# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The phones that a task names: inventory hosts, or rows of a file or database. Both are read again each time they are iterated."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

from ansible.errors import AnsibleError, AnsibleTemplateSyntaxError, AnsibleUndefinedVariable

from ..module_utils.families.catalogue import BUILTIN
from ..module_utils.phones.phone import PhoneError
from ..module_utils.phones.reader import PhoneReader
from ..module_utils.phones.row_database import is_database_url
from ..module_utils.phones.rows import PhoneRows
from ..module_utils.publishing.inputs import InputKey, row_print
from .number_spelling import NumberSpelling
from .options import plain

_VAULT = b"$ANSIBLE_VAULT"
_UNDEFINED = re.compile(r"'\w+' is undefined")


class Entry(NamedTuple):
    """The variables of one phone: an inventory host, or a row of a file."""

    name: str
    variables: Mapping[str, Any]
    where: str = ""
    """File and line of a row."""
    problem: str = ""
    """Why the row cannot be read."""
    shared: Mapping[str, Any] = {}
    """Those of the variables that a row's groups have; the same object for all rows of the same groups."""
    fingerprint: bytes = b""
    """That of a row without its groups' variables, or of a host; empty if nobody asked for it."""

    @property
    def label(self) -> str:
        """What messages call it."""
        return f"{self.name} ({self.where})" if self.where else self.name


class Unread(NamedTuple):
    """A phone that has not been read."""

    fingerprint: bytes
    """As in Entry; empty if the phone must be read."""
    record: Any
    """What entry() reads."""


@runtime_checkable
class Entries(Protocol):
    """The phones of a task, which can be read again and again."""

    def __iter__(self) -> Iterator[Entry]: ...

    def unread(self) -> Iterator[Unread]:
        """Yield the phones, unread where that saves time."""

    def entry(self, unread: Unread) -> Entry:
        """Read a phone."""

    def where(self, unread: Unread) -> str:
        """Return the place of a row, as in Entry.where."""


class PhoneSource:
    """The phones of a task, by its options phones, rows, query, groups and families."""

    def __init__(self, options: Mapping[str, Any], loader: Any, variables: Mapping[str, Any]) -> None:
        """*loader*: Ansible's DataLoader; *variables*: those of the task. Raise RowsError for a file that cannot be read."""
        self._options = options
        self._loader = loader
        self._hostvars = variables.get("hostvars", {})
        self.catalogue = BUILTIN.extended(options["families"])
        self.rows = open_rows(options, loader, variables) if options["rows"] else None

    @property
    def name(self) -> str:
        """Where the phones come from."""
        return self.rows.name if self.rows else "phones"

    def entries(self, key: InputKey | None = None) -> Entries:
        """Return all phones, with fingerprints under *key*."""
        hosts = self._options["phones"]
        if self.rows is None:
            return _Hosts(hosts, self._hostvars, NumberSpelling(self._loader), key)
        if hosts:
            raise PhoneError("phones and rows exclude each other; publish them with two tasks, and set purge in neither")
        return _Rows(self.rows, key)

    def reader(self, master_key: str | None, previous_master_key: str | None = None) -> PhoneReader:
        """Return what reads the entries."""
        groups = group_variables(self._options["groups"]) if self.rows else ()
        shared = [value for _origin, variables in groups for value in variables.values()]
        return PhoneReader(self.catalogue, master_key, previous_master_key, shared)

    def missing_groups(self) -> list[str]:
        """Return a sentence on each value that looks like a misspelt group of rows, once all entries have been read."""
        return [*self.rows.missing_groups()] if self.rows else []


def group_variables(groups: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the name of each group of rows, such as ``all`` or ``customer example``, and its variables."""
    for dimension, members in groups.items():
        if dimension == "all":
            yield "all", members
        else:
            for value, variables in members.items():
                yield f"{dimension} {value}", variables


def beside_inventory(variables: Mapping[str, Any], *path: str) -> str:
    """Return a path beside the inventory."""
    return os.path.join(str(variables.get("inventory_dir") or "."), *path)


def user_file(variables: Mapping[str, Any], name: str) -> str:
    """Return the path of a file or folder beside the inventory or where the user stands, or nothing.

    Ansible looks beside the playbook, and the collection's own playbooks are not in the user's folder.
    """
    return next((place for place in (beside_inventory(variables, name), os.path.abspath(name)) if os.path.exists(place)), "")


def open_rows(options: Mapping[str, Any], loader: Any, variables: Mapping[str, Any]) -> PhoneRows:
    """Return the rows that *options* name: rows, query, groups, rows_password.

    Raise RowsError for what cannot be read.
    """
    if is_database_url(options["rows"]):
        return PhoneRows(options["rows"], options["query"] or "", options["groups"], password=options.get("rows_password") or "")
    path = loader.path_dwim(options["rows"])
    if not os.path.exists(path):
        path = user_file(variables, options["rows"]) or beside_inventory(variables, options["rows"])
    text = None
    with contextlib.suppress(OSError), open(path, "rb") as file:
        if file.read(len(_VAULT)) == _VAULT:
            text = loader.get_text_file_contents(path)
    return PhoneRows(path, options["query"] or "", options["groups"], text)


class _Hosts:
    """Inventory hosts as phones."""

    def __init__(self, names: list[str], hostvars: Mapping[str, Any], spelling: NumberSpelling, key: InputKey | None) -> None:
        self._names, self._hostvars, self._spelling = names, hostvars, spelling
        self._key = key.row_key("") if key else b""
        self._known: list[Entry] = []

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._known or self._look_up())

    def unread(self) -> Iterator[Unread]:
        # Looking up a host's variables takes long, so it is done once
        self._known = self._known or [*self._look_up()]
        return (Unread(entry.fingerprint, entry) for entry in self._known)

    def entry(self, unread: Unread) -> Entry:
        entry: Entry = unread.record
        return entry

    def where(self, _unread: Unread) -> str:
        return ""

    def _look_up(self) -> Iterator[Entry]:
        for name in self._names:
            if name not in self._hostvars:
                yield Entry(name, {}, problem="it is not in the inventory")
                continue
            variables = self._hostvars[name]
            own: dict[str, Any] = {}
            # A look-up templates the variable, so look up only the phone's own
            for variable in filter(_is_of_phones, variables):
                try:
                    value = variables[variable]
                    problem = self._spelling.problem(variable, value)
                    own[variable] = plain(value)
                except AnsibleError as error:
                    problem = f"{variable}: {_reason(error)}"
                if problem:
                    yield Entry(name, {}, problem=problem)
                    break
            else:
                found = row_print(self._key, repr((name, own))) if self._key else b""
                yield Entry(name, own, fingerprint=found)


def _reason(error: AnsibleError) -> str:
    """Return what Ansible says about a variable, unless a value could be in it."""
    first = str(error.args[0]).removesuffix(".")
    if isinstance(error, AnsibleUndefinedVariable):
        return first if _UNDEFINED.fullmatch(first) else "it uses something that is not defined"
    if isinstance(error, AnsibleTemplateSyntaxError) or getattr(error.__cause__, "context", "") == "vault":
        return f"{first}: {error.__cause__}"
    return first


def _is_of_phones(variable: str) -> bool:
    return variable.startswith("phone_") and not variable.startswith("phone_profiles_") and variable != "phone_families"


class _Rows:
    """Rows of a file as phones."""

    def __init__(self, rows: PhoneRows, key: InputKey | None) -> None:
        self._rows, self._key = rows, key

    def __iter__(self) -> Iterator[Entry]:
        return map(self.entry, self.unread())

    def unread(self) -> Iterator[Unread]:
        key, row_key = self._key, b""
        for record in self._rows.records():
            content = record[1]
            if key and not row_key:
                row_key = key.row_key(self._rows.form)
            # Programs that save a table may write other line ends
            text = content.rstrip("\r\n") if isinstance(content, str) else repr(content)
            yield Unread(row_print(row_key, text) if key else b"", record)

    def entry(self, unread: Unread) -> Entry:
        row = self._rows.row(unread.record)
        return Entry(row.name, row.variables, row.where, row.problem, row.shared, unread.fingerprint)

    def where(self, unread: Unread) -> str:
        return self._rows.where(unread.record)
