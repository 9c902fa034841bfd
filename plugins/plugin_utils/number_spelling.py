# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Find numbers that were written otherwise than their digits say: 0123, 1_000, 12:30, 0x1F and +41 are 83, 1000, 750, 31 and 41.

A value does not show it, but Ansible tags each number with the file, line and column where it has read it (Origin; for INI
inventories file and line). ansible-core calls that tag a help for messages, so it counts only if a number of the same value is in
that place. What has no such place is taken as it is: values of the command line, of inventory plugins and scripts, and of facts.
Filters have no key for files that are encrypted with Ansible Vault, so they see no place there, either.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from ansible.errors import AnsibleError

try:
    from ansible._internal._datatag._tags import Origin
except ImportError:
    Origin = None

# An anchor or a tag stands before the text that it belongs to
_TOKEN = re.compile(r"(?:[&!]\S*[ \t]+)*([^\s,\[\]{}#&!'\"]+)")
_NUMBERS = re.compile(r"(?<![\w.])[+-]?[0-9]\w*")


class NumberSpelling:
    """Reads the files that numbers come from, each once. *loader*: Ansible's DataLoader, which also decrypts them."""

    def __init__(self, loader: Any = None) -> None:
        self._loader = loader
        self._files: dict[str, list[str]] = {}

    def problem(self, name: str, value: object) -> str:
        """Return what is wrong with the first such number in the variable *name*, with its place; empty if there is none."""
        return next(self._problems(name, value), "")

    def _problems(self, name: str, value: object) -> Iterator[str]:
        if isinstance(value, Mapping):
            for key, below in value.items():
                yield from self._problems(f"{name}: a key", key)
                yield from self._problems(f"{name}.{key}", below)
        elif isinstance(value, list | tuple):
            for number, below in enumerate(value, 1):
                yield from self._problems(f"{name}.{number}", below)
        elif isinstance(value, int) and type(value) not in (int, bool):
            place = self._place_of(value)
            if place:
                yield f"{name}: the number in {place} is read as another one; write it in quotes, such as '0123'"

    def _place_of(self, value: int) -> str:
        """Return file and line of a number that was written in another way; empty if it was not, or nobody knows."""
        origin = Origin.get_tag(value) if Origin else None
        if origin is None or not origin.path or not origin.line_num:
            return ""
        lines = self._lines(origin.path)
        line = lines[origin.line_num - 1] if origin.line_num <= len(lines) else ""
        written = _at_column(line, origin.col_num) if origin.col_num else _NUMBERS.findall(line)
        alike = [text for text in written if _is_number(text, value)]
        return "" if not alike or str(value) in alike else f"{origin.path} line {origin.line_num}"

    def _lines(self, path: str) -> list[str]:
        found = self._files.get(path)
        if found is None:
            found = []
            with contextlib.suppress(AnsibleError, OSError, ValueError):
                # As YAML counts them
                found = re.split(r"\r\n|[\r\n\x85\u2028\u2029]", self._read(path))
            self._files[path] = found
        return found

    def _read(self, path: str) -> str:
        if self._loader:
            return str(self._loader.get_text_file_contents(path))
        with open(path, encoding="utf-8", newline="") as file:
            return file.read()


def _at_column(line: str, column: int) -> list[str]:
    match = _TOKEN.match(line, column - 1)
    # The colon behind a key
    return [match[1].rstrip(":")] if match else []


def _is_number(text: str, value: int) -> bool:
    """Tell whether YAML or Python reads *text* as the number *value*."""
    try:
        found = yaml.safe_load(text)
        return (found if isinstance(found, int) else int(text, 0)) == value
    except (yaml.YAMLError, ValueError):
        return False
