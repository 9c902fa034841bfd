# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Fields of scanned codes, whether a standard, a QR code's text or only separators keep them apart."""

from __future__ import annotations

import re

from .label_standards import SEPARATORS, Field, decode, strip_symbology
from .label_texts import read_document, read_pairs
from .scan_columns import DELIMITERS

_SEPARATOR = re.compile(f"[{DELIMITERS}|{SEPARATORS}]")
_CODE39_ENDS = "*"
# Code 39 and Code 128, in which nobody prints a UPC or EAN
_NOT_RETAIL = ("]A", "]C")


def split_cells(line: str) -> list[str]:
    """Return the texts on a line between separators."""
    return [cell.strip() for cell in _SEPARATOR.split(line) if cell.strip()]


def read_fields(line: str) -> list[Field]:
    """Return the fields of the codes on a line; raise LabelError."""
    return [field for code in line.split("\t") for field in _read_code(code)]


def read_structured(code: str) -> list[Field]:
    """Return the fields of a code that says what they are; empty for other codes. Raise LabelError."""
    text = strip_symbology(code)[1]
    return decode(code) or read_document(text) or read_pairs(text)


def _read_code(code: str) -> list[Field]:
    code = code.strip(" ")
    symbology, text = strip_symbology(code)
    if len(text) > 2 and text[0] == text[-1] == _CODE39_ENDS:
        # Printed as text below the bars, and sent by scanners that read them as characters
        code = text = text[1:-1]
    fields = decode(code) or read_document(text)
    if fields:
        return fields
    is_retail = not symbology.startswith(_NOT_RETAIL)
    return [field for cell in split_cells(text) for field in read_pairs(cell) or [Field(cell, is_retail=is_retail)]]
