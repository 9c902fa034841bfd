# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Variables that users set: names spelt like known ones, and values of another kind than the specification asks for.

Options are those of Ansible's role argument specification: type, elements, choices, options, no_log, required, description.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, NamedTuple

from .suggest import did_you_mean, nearest
from .validate import ValidationError, kind_of, quoting_hint, read_flag

_MIN_LENGTH = 10
"""Shorter names differ by one letter from too many words, such as phone from phones."""
_BEGINNING, _MIN_SIMILARITY = 4, 0.9
_MIN_OPTION_SIMILARITY = 0.75
_MAX_SHOWN = 60
TEXTS = ("str", "path")
"""Types of options that are text."""


class VariableError(ValueError):
    """Variables cannot be used as they are; one sentence per line."""


class NameFault(NamedTuple):
    """What is wrong with the name of a variable."""

    sentence: str
    is_error: bool
    """Whether the name is ours for certain; other names may be the user's own."""


class KnownNames:
    """The names of all variables that users can set."""

    def __init__(
        self, names: Iterable[str], own: Mapping[str, str], shared: Iterable[str] = (), layers: Iterable[str] = ()
    ) -> None:
        """*own*: beginning of names that only we use -> end of the message about an unknown one. *layers*: beginnings to complete.

        *shared*: beginnings that names of others have, too; the longest beginning of a name decides.
        """
        self._names = frozenset(names)
        self._own, self._shared, self._layers = dict(own), tuple(shared), tuple(layers)

    def __contains__(self, name: str) -> bool:
        return name in self._names or name.startswith(self._layers)

    def fault(self, name: str) -> NameFault | None:
        """Return what is wrong with *name*, or None if it is known or the user's own."""
        if name in self:
            return None
        near = self.misspelt(name)
        beginning = _longest(self._own, name)
        if len(beginning) > len(_longest(self._shared, name)):
            near = near or self._nearest(name, beginning)
            return NameFault(f"unknown variable '{name}'{did_you_mean(near) or self._own[beginning]}", True)
        if name.startswith(self._shared):
            hint = did_you_mean(near) or "; if it is your own, give it a name that does not begin like those of this collection"
            return NameFault(f"unknown variable '{name}'{hint}", bool(near))
        if not near or min(len(name), len(near)) < _MIN_LENGTH:
            near = self._alike(name)
        return NameFault(f"unknown variable '{name}'{did_you_mean(near)}", False) if near else None

    def misspelt(self, name: str) -> str:
        """Return the known name that differs from *name* by one letter, or by two neighbours that changed places; else nothing."""
        for key in _with_gaps(name):
            if key in self._by_gap:
                return self._by_gap[key]
        for layer in self._layers:
            gaps = set(_with_gaps(layer))
            for end in (match.end() for match in re.finditer("_", name)):
                if gaps.intersection(_with_gaps(name[:end])):
                    return layer + name[end:]
        return ""

    def _alike(self, name: str) -> str:
        """Return the known name that is *name* in other capitals, or that begins alike and differs by few letters, or nothing."""
        folded = name.lower()
        if len(name) < _MIN_LENGTH:
            return folded if folded != name and folded in self else ""
        begins = self._by_beginning.get(folded[:_BEGINNING], ())
        return nearest(folded, (known for known in begins if len(known) >= _MIN_LENGTH), _MIN_SIMILARITY)

    @cached_property
    def _by_beginning(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for known in sorted(self._names):
            found.setdefault(known[:_BEGINNING], []).append(known)
        return found

    def _nearest(self, name: str, beginning: str) -> str:
        ends = [known.removeprefix(beginning) for known in sorted(self._names) if known.startswith(beginning)]
        near = nearest(name.removeprefix(beginning), ends)
        return near and beginning + near

    @cached_property
    def _by_gap(self) -> dict[str, str]:
        return {key: known for known in sorted(self._names, reverse=True) for key in _with_gaps(known)}


def option_fault(name: str, playbook: str, options: Iterable[str]) -> NameFault | None:
    """Return what is wrong with an unknown name that is given to a playbook with these *options* on the command line, or None."""
    near = nearest(name, options, _MIN_OPTION_SIMILARITY)
    if near:
        return NameFault(f"unknown variable '{name}'{did_you_mean(near)}", False)
    if name.startswith(f"{playbook}_"):
        return NameFault(f"unknown variable '{name}'; the playbook {playbook} knows {', '.join(options)}", False)
    return None


def _longest(beginnings: Iterable[str], name: str) -> str:
    return max(filter(name.startswith, beginnings), key=len, default="")


def _with_gaps(name: str) -> Iterator[str]:
    """Yield *name*, and *name* without each of its letters: names that share one of these differ by one letter."""
    yield name
    for place in range(len(name)):
        yield name[:place] + name[place + 1 :]


def kind_faults(name: str, value: object, option: Mapping[str, Any], on_command_line: bool = False) -> Iterator[str]:
    """Yield a sentence if *value* is not of the kind that its *option* asks for, and on each value below it.

    Ansible's own validation takes text for a list or a mapping, but roles then use the text as it stands, letter by letter.
    """
    kind = option.get("type", "str")
    if kind == "list":
        if not isinstance(value, list | tuple):
            yield f"{name} {_must_be_list(name, value, bool(option.get('no_log')), on_command_line)}"
        else:
            for number, entry in enumerate(value, 1):
                yield from _entry_faults(f"{name}: entry {number}", entry, option)
    elif kind == "dict":
        if not isinstance(value, Mapping):
            what = f"""-e '{{"{name}": {{"NAME": "VALUE"}}}}'""" if on_command_line else "{NAME: VALUE}"
            yield f"{name} is a mapping, not {kind_of(value)}: write {what}"
        elif "options" in option:
            yield from _below(name, value, option["options"])
    elif value is not None:
        yield from _scalar_faults(name, value, option)


def _entry_faults(name: str, entry: object, option: Mapping[str, Any]) -> Iterator[str]:
    kind = option.get("elements", "raw")
    if entry is None and kind != "raw":
        yield f"{name} is empty"
    else:
        yield from kind_faults(name, entry, {**option, "type": kind, "elements": "raw"})


def _below(name: str, values: object, options: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    if isinstance(values, Mapping):
        for key, option in options.items():
            if values.get(key) is not None:
                yield from kind_faults(f"{name}: {key}", values[key], option)


def _must_be_list(name: str, value: object, is_secret: bool, on_command_line: bool) -> str:
    entries = [entry.strip(" '\"") for entry in str(value).strip("[] ").split(",")] if isinstance(value, str | int) else []
    entries = [entry for entry in entries if entry]
    if is_secret or len(str(value)) > _MAX_SHOWN or (entries == [] and value not in ("", None)):
        entries = ["..."]
    if on_command_line:
        return f"is a list: write -e '{json.dumps({name: entries})}'"
    return f"is a list: write [{', '.join(entries)}]"


def _scalar_faults(name: str, value: object, option: Mapping[str, Any]) -> Iterator[str]:
    kind = option.get("type", "str")
    if kind in TEXTS and (isinstance(value, bool) or not isinstance(value, str | int)):
        yield f"{name} is text, not {kind_of(value)}{quoting_hint(value)}"
    elif kind == "bool":
        try:
            read_flag(value)
        except ValidationError:
            yield f"{name} is true or false, not {_shown(value, option)}"
    elif kind == "int" and not re.fullmatch(r"-?[0-9]+", str(value).strip()):
        yield f"{name} is a whole number, not {_shown(value, option)}"
    choices = option.get("choices")
    if choices and isinstance(value, str | int) and str(value) not in map(str, choices):
        yield f"{name} is {_shown(value, option)}; write one of {', '.join(map(str, choices))}"


def _shown(value: object, option: Mapping[str, Any]) -> str:
    if isinstance(value, str) and not option.get("no_log") and len(value) <= _MAX_SHOWN:
        return f"'{value}'"
    return kind_of(value)
