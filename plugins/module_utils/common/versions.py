# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Numbers and versions as phones compare them in conditions.

Sources: "Conditional expressions" of the SPA guides (``2.0.3(0412s)``: major, minor, build and an optional text), of the MPP guides
(``sip88xx.11-0-1MPP-376``, ``sip88xx.11-3-2MPP0001-609``: major, minor, micro, then build), and of the ATA 191/192 guide
(``11-1-0MPP-19``). Each part is compared by its digits first, then by its letters in alphabetical order. The guides call a
comparison of two forms a format error. They leave open whether the series (``sip88xx.``) is compared: here it is not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

_NUMBER = re.compile(r"-?[0-9]{1,18}")
_DOTTED = re.compile(r"(?P<parts>[0-9]{1,18}(?:\.[0-9A-Za-z]+){2,})(?:\((?P<text>[0-9A-Za-z]+)\))?")
_DASHED = re.compile(r"(?:[A-Za-z][A-Za-z0-9_-]*\.)?(?P<parts>[0-9]{1,18}(?:-[0-9A-Za-z]+){2,})")
_PART = re.compile(r"([0-9]{0,18})(.*)")
_MARKED = re.compile(r"[0-9]+[A-Z]{2,}[0-9]*")


class NumberError(ValueError):
    """The text is neither a number nor a version; the message continues a sentence about it."""


class NumberKind(StrEnum):
    """What a number is; only those of the same kind can be compared."""

    NUMBER = "number"
    DOTTED = "dotted"
    """A version such as ``7.5.2b``."""
    DASHED = "dashed"
    """A version such as ``11-3-2MPP0001-609``."""


@dataclass(frozen=True, order=True)
class Number:
    """A number, or a version in one of its two forms; ordered among those of the same kind."""

    kind: NumberKind = field(compare=False)
    key: tuple[Any, ...]


def read_number(text: str) -> Number:
    """Read an integer or a version; raise NumberError if it is neither."""
    if _NUMBER.fullmatch(text):
        return Number(NumberKind.NUMBER, (int(text),))
    match = _DOTTED.fullmatch(text)
    if match:
        return Number(NumberKind.DOTTED, (tuple(_part(part) for part in match["parts"].split(".")), match["text"] or ""))
    match = _DASHED.fullmatch(text)
    if match:
        return Number(NumberKind.DASHED, _dashed_key(match["parts"].split("-")))
    raise NumberError("is neither a number nor a version, such as 7.5.2b or 11-3-2MPP0001-609")


def _dashed_key(parts: list[str]) -> tuple[Any, ...]:
    """Return the release, its mark (MPP0001), and the build, which may be missing."""
    has_build = len(parts) > 3 and not _MARKED.fullmatch(parts[-1])
    build = _part(parts.pop()) if has_build else _part("")
    *release, (last, mark) = [_part(part) for part in parts]
    return ((*release, (last, "")), mark, build)


def _part(text: str) -> tuple[int, str]:
    match = _PART.fullmatch(text)
    digits, letters = match.groups() if match else ("", text)
    return (int(digits) if digits else -1, letters)
