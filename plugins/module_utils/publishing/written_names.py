# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lines in which a profile, or the template of one, writes a parameter."""

from __future__ import annotations

import re

from ..profiles.formats import Format

_EXPRESSION = r"\{\{.*?\}\}"
_PART = re.compile(rf"(?P<expression>{_EXPRESSION})|[^{{]+")
_NAME = rf"(?P<name>(?:{_EXPRESSION}|[\w.-])+)"
_NOT_OUTPUT = re.compile(r"\{#.*?#\}|\{%.*?%\}|<!--.*?-->", re.DOTALL)
_NOT_NEWLINE = re.compile(r"[^\n]")


class WrittenNames:
    """The names that a text writes, with their lines; an expression in a name stands for anything."""

    def __init__(self, text: str, kind: Format) -> None:
        """*kind*: the format of the profile."""
        self._kind = kind
        self._lines: dict[str, list[int]] = {}
        text = _NOT_OUTPUT.sub(lambda match: _NOT_NEWLINE.sub(" ", match[0]), text)
        line, position = 1, 0
        for match in re.finditer(kind.before_name + _NAME, text):
            line += text.count("\n", position, match.start("name"))
            position = match.start("name")
            self._lines.setdefault(match["name"], []).append(line)

    def lines_of(self, path: str) -> list[int]:
        """Return the lines of the names that fit a parameter best: those with the fewest expressions."""
        name = self._kind.element(path)
        if name in self._lines:
            return self._lines[name]
        fitting = [(_literal_length(written), written) for written in self._lines if _fits(written, name)]
        best = max((length for length, _written in fitting), default=0)
        return sorted(line for length, written in fitting if length == best for line in self._lines[written])


def _fits(written: str, name: str) -> bool:
    if "{{" not in written:
        return False
    pattern = "".join(".+" if part["expression"] else re.escape(part[0]) for part in _PART.finditer(written))
    return re.fullmatch(pattern, name) is not None


def _literal_length(written: str) -> int:
    return sum(len(part[0]) for part in _PART.finditer(written) if not part["expression"])
