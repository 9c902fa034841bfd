# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Text for a terminal: aligned tables, and strangers' text without control characters."""

from __future__ import annotations

from collections.abc import Sequence


def printable(text: str) -> str:
    """Return *text* with unprintable characters as Python escapes: it can neither move a terminal's cursor nor start a line.

    Bytes that were decoded with the error handler surrogateescape are escapes of bytes: ``\\xff``.
    """
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else _escape(letter) for letter in text)


def _escape(letter: str) -> str:
    is_byte = "\udc80" <= letter <= "\udcff"
    return f"\\x{ord(letter) - 0xDC00:02x}" if is_byte else letter.encode("unicode_escape").decode()


def align(headings: tuple[str, ...], lines: Sequence[tuple[str, ...]]) -> list[str]:
    """Return the lines of a table with underlined headings; unprintable characters in cells are escaped."""
    lines = [tuple(map(printable, line)) for line in lines]
    widths = [max(len(line[column]) for line in [headings, *lines]) for column in range(len(headings))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in [headings, *lines]]
    return [text[0], "  ".join("-" * width for width in widths), *text[1:]]
