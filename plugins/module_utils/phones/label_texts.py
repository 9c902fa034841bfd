# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Texts of QR codes with several fields: JSON (RFC 8259), URLs (RFC 3986), names with values.

No standard says what a maker calls the fields; they are known by the names of columns, see scan_columns. In the path of a URL, GS1
Digital Link (GS1 standard, URI syntax) puts the application identifier 21 before a serial number.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from urllib.parse import parse_qsl, unquote, urlsplit

from .label_standards import OTHER_TEXT, PART_NUMBER, Field
from .scan_columns import SYNONYMS, Column, column_of

_IDENTITY = (Column.MAC, Column.SERIAL, Column.MODEL)
_QUERY = re.compile(r"[^\s=&]+=[^\s=&]*(?:&[^\s=&]+=[^\s=&]*)+")
_URL = re.compile(r"https?://\S+", re.IGNORECASE)
_MAC = r"[0-9A-F]{2}(?:[-:. ]?[0-9A-F]{2}){5}(?![0-9A-F])|(?:[0-9A-F]{4}[.:-]){2}[0-9A-F]{4}"
# Longest first, or "mac" would hide "mac address"
_NAMES = sorted((name for column in _IDENTITY for name in SYNONYMS[column]), key=len, reverse=True)
_KNOWN = "|".join(re.escape(name).replace(r"\ ", r"[ _]?") for name in _NAMES)
# A name stands at the beginning or after a space. A known one needs no colon if a MAC address or something with a digit follows.
_NAME = re.compile(
    rf"(?<!\S)(?!{_MAC})(?P<name>"
    rf"(?:{_KNOWN})(?=\s*[:=#]|\s+(?:{_MAC}|(?=[A-Z-]*[0-9])[0-9A-Z=+-]{{4,}}(?!\S)))"
    r"|[A-Z][\w./-]*(?=\s*[:=])"
    r")\s*[:=#]?\s*",
    re.IGNORECASE,
)
# What people put between fields
_BETWEEN = " ,;|/"
_PART_NUMBER = re.compile(r"\s*P(?:ART)?[\W_]?N", re.IGNORECASE)


def read_document(text: str) -> list[Field]:
    """Return the fields of JSON, a URL or the query of one; empty if the text is none of these, or has none."""
    if text.startswith("{"):
        pairs = _json_pairs(text)
    elif _URL.fullmatch(text):
        pairs = _url_pairs(text)
    else:
        pairs = iter(parse_qsl(text) if _QUERY.fullmatch(text) else ())
    return [field for name, value in pairs for field in _fields(name, value)]


def read_pairs(text: str) -> list[Field]:
    """Return the fields of several names with values, which spaces separate; empty unless a MAC address or serial number is one."""
    names = list(_NAME.finditer(text))
    if len(names) < 2:
        return []
    ends = [*(name.start() for name in names[1:]), len(text)]
    fields = [field for name, end in zip(names, ends, strict=True) for field in _fields(name["name"], text[name.end() : end])]
    if not any(field.column in (Column.MAC, Column.SERIAL) for field in fields):
        return []
    before = text[: names[0].start()].strip()
    return [*([Field(before, other=OTHER_TEXT)] if before else []), *fields]


def is_part_number(name: str, value: str) -> bool:
    """Tell whether a field named part number holds another number of the maker's (``74-1234-01``) than a product ID."""
    return bool(_PART_NUMBER.match(name)) and value[:1].isdigit()


def _fields(name: str, value: str) -> Iterator[Field]:
    """Yield the field of a name and a value; nothing for a name without a value."""
    value = value.strip(_BETWEEN)
    column = column_of(name)
    if not value:
        return
    if is_part_number(name, value):
        yield Field(value, other=PART_NUMBER)
    elif column in _IDENTITY or (column and name.lower().startswith("phone_")):
        yield Field(value, column)
    else:
        yield Field(value, other=f"the field {name[:20]}")


def _json_pairs(text: str) -> Iterator[tuple[str, str]]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return
    levels = [found]
    while levels:
        for name, value in levels.pop().items():
            if isinstance(value, dict | list):
                levels += [below for below in (value if isinstance(value, list) else [value]) if isinstance(below, dict)]
            elif isinstance(value, str | int):
                yield name, str(value)


def _url_pairs(text: str) -> Iterator[tuple[str, str]]:
    try:
        parts = urlsplit(text)
    except ValueError:
        return
    segments = [unquote(segment) for segment in parts.path.split("/")]
    # 01 and the GTIN come first, as in /01/09506000134352/21/12345
    if "01" in segments and "21" in segments[:-1]:
        yield "serial", segments[segments.index("21") + 1]
    yield from parse_qsl(parts.query)
    yield from parse_qsl(parts.fragment)
