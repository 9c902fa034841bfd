# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The codes of one unit, and the problems found in a file of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias


class ScanError(ValueError):
    """Scans are invalid; one sentence per line, each naming file and line."""


class Code(NamedTuple):
    """A cell of a table or a scanned code."""

    line: int
    text: str
    column: str
    """Empty where the code may be a MAC address or a serial number."""
    has_owner: bool = False
    """For such a code: whether its first half is a registered OUI."""


Unit: TypeAlias = dict[str, Code]
"""The codes of one unit by column."""


@dataclass
class Problems:
    """Sentences by line, without duplicates."""

    file: str
    found: dict[tuple[int, str], None] = field(default_factory=dict)

    def add(self, line: int, sentence: str) -> None:
        """Add a sentence on a line."""
        self.found[line, sentence] = None

    def raise_if_any(self) -> None:
        """Raise ScanError with all sentences, if there are any."""
        if self.found:
            raise ScanError("\n".join(f"{self.file} line {line}: {sentence}" for line, sentence in sorted(self.found)))


def first_line(unit: Unit) -> int:
    """Return the line on which a unit begins."""
    return min(code.line for code in unit.values())


def list_columns(columns: Iterable[str]) -> str:
    """Return columns as messages name them."""
    return " and ".join(sorted(column.removeprefix("phone_") for column in columns)).replace("mac", "MAC address")
