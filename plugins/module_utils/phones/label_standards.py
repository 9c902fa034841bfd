# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Standards of bar codes on labels: which field is what, as far as the labels of phones need it.

Sources:

- ISO/IEC 15424: symbology identifiers (``]C1``), also called AIM identifiers, which a scanner may send before a code
- ISO/IEC 15434: the envelope of fields in a 2D code, ``[)>`` RS 06 GS ... RS EOT
- ANS MH10.8.2, part of ISO/IEC 15418: data identifiers, such as S before a serial number
- GS1 General Specifications: application identifiers, such as 21 before a serial number; the check digit of GTIN, UPC and EAN
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from .scan_columns import Column
from .serial_numbers import is_maker_serial

EOT, GS, RS = "\x04", "\x1d", "\x1e"
SEPARATORS = EOT + GS + RS

ARTICLE_NUMBER = "a UPC or EAN article number"
PART_NUMBER = "a part number"
OTHER_TEXT = "a text"
_BATCH = "a batch number"
_DATE = "a date"
_ORDER = "an order number"
_PLACE = "a location number"
_QUANTITY = "a quantity"


class LabelError(ValueError):
    """A code breaks its standard; the message says how, and what to do."""


class Field(NamedTuple):
    """One field of a label."""

    text: str
    column: str = ""
    """Column that the field is for; empty if it has none, or if nothing says what the text is."""
    other: str = ""
    """What it is instead of a column's, such as a quantity."""
    is_retail: bool = True
    """For a text of which nothing says what it is: whether it may be the content of a UPC or EAN symbol."""


class ElementFormat(NamedTuple):
    """What follows an application identifier of GS1."""

    meaning: Column | str
    length: int
    is_fixed: bool = False
    """Whether it always has this length, so that no separator follows it."""
    pattern: str = r"[!-z]+"


class DataFormat(NamedTuple):
    """What follows a data identifier of ANS MH10.8.2."""

    meaning: Column | str
    bare: str = ""
    """Pattern of what it precedes outside an envelope, where nothing else says that there is an identifier; empty for none."""


_DIGITS = r"[0-9]+"
# Those of trade items; others would be on pallets or food
_ELEMENTS: Mapping[str, ElementFormat] = {
    "00": ElementFormat("the number of a shipping container", 18, True, _DIGITS),
    "01": ElementFormat(ARTICLE_NUMBER, 14, True, _DIGITS),
    "02": ElementFormat(ARTICLE_NUMBER, 14, True, _DIGITS),
    "10": ElementFormat(_BATCH, 20),
    **{identifier: ElementFormat(_DATE, 6, True, _DIGITS) for identifier in ("11", "12", "13", "15", "16", "17")},
    "20": ElementFormat("a product variant", 2, True, _DIGITS),
    "21": ElementFormat(Column.SERIAL, 20),
    "22": ElementFormat("a product variant", 20),
    "235": ElementFormat("an extension of the serial number", 28),
    "240": ElementFormat(PART_NUMBER, 30),
    "241": ElementFormat(PART_NUMBER, 30),
    "250": ElementFormat("a secondary serial number", 30),
    "30": ElementFormat(_QUANTITY, 8, pattern=_DIGITS),
    "37": ElementFormat(_QUANTITY, 8, pattern=_DIGITS),
    "400": ElementFormat(_ORDER, 30),
    **{f"41{digit}": ElementFormat(_PLACE, 13, True, _DIGITS) for digit in range(8)},
    "422": ElementFormat("a country of origin", 3, pattern=_DIGITS),
    "8003": ElementFormat("the number of a returnable asset", 30),
    "8004": ElementFormat("the number of an asset", 30),
    # Followed by a separator, though its length never varies
    "8006": ElementFormat(ARTICLE_NUMBER, 18, pattern=_DIGITS),
    "8008": ElementFormat(_DATE, 12, pattern=_DIGITS),
    "8200": ElementFormat("a web page", 70),
    **{f"9{digit}": ElementFormat("a company's own number", 90) for digit in range(10)},
}
_DATA: Mapping[str, DataFormat] = {
    "S": DataFormat(Column.SERIAL),
    "23S": DataFormat(Column.MAC),
    "P": DataFormat(PART_NUMBER),
    "1P": DataFormat(PART_NUMBER, r"[0-9A-Z][0-9A-Z./+=-]{2,}"),
    "2P": DataFormat("a revision"),
    "30P": DataFormat(PART_NUMBER, r"[0-9A-Z][0-9A-Z./+=-]{2,}"),
    "Q": DataFormat(_QUANTITY, r"[0-9]{1,8}"),
    "T": DataFormat(_BATCH),
    "1T": DataFormat(_BATCH, r"[0-9A-Z-]{4,}"),
    "9D": DataFormat(_DATE, r"[0-9]{4,6}"),
    "10D": DataFormat(_DATE, r"[0-9]{4}"),
    "K": DataFormat(_ORDER),
    "1K": DataFormat(_ORDER),
    "4L": DataFormat("a country of origin", r"[A-Z]{2,3}"),
    "V": DataFormat("a supplier's number"),
}
_DATA_IDENTIFIER = re.compile(r"([0-9]{0,3}[A-Z])(.+)", re.IGNORECASE)
_SYMBOLOGY = re.compile(r"\][A-Za-z][0-9A-Za-z]")
# FNC1 in the first position: GS1-128, GS1 DataBar, GS1 DataMatrix, GS1 QR Code, GS1 DotCode
_GS1_SYMBOLOGIES = frozenset({"]C1", "]e0", "]d2", "]Q3", "]J1"})
_RETAIL_SYMBOLOGY = "]E"
_ENVELOPE = "[)>"
_ELEMENT_FORMAT, _DATA_FORMAT = "05", "06"
_GTIN = re.compile(r"[0-9]{8}|[0-9]{12,14}")
_TWELVE_DIGITS = re.compile(r"[0-9A-F]{12}", re.IGNORECASE)
_LABELLED_ELEMENT = re.compile(r"\(([0-9]{2,4})\)([^(]+)")
# As printed below the bars, such as (23S)00005E005301
_LABELLED_DATA = re.compile(r"\(([0-9]{0,3}[A-Z])\)\s*([^(\s][^(]*)", re.IGNORECASE)
# A serial number or MAC address with another identifier of the same category, such as 30S for what else traces a unit
_OTHER_NUMBER = re.compile(r"([0-9]{1,3}S)(.+)", re.IGNORECASE)
# Call managers name units SEP or ATA and the address
_MAC_LABEL = re.compile(r"(?:MAC|23S|SEP|ATA)(?=(?:[0-9A-F]{2}[-:. ]?){5}[0-9A-F]{2}$|[0-9A-F]{4}\.)", re.IGNORECASE)


def is_article_number(text: str) -> bool:
    """Tell whether *text* is an EAN (8 or 13 digits), UPC (12) or GTIN (14) with a valid check digit.

    GS1 General Specifications, section 7.9.1: from the right, digits weigh 3 and 1 in turn, and the check digit makes the sum a
    multiple of ten.
    """
    if not _GTIN.fullmatch(text) or not text.strip("0"):
        return False
    digits = [int(digit) for digit in reversed(text)]
    return (sum(digits[::2]) + 3 * sum(digits[1::2])) % 10 == 0


def strip_symbology(code: str) -> tuple[str, str]:
    """Split the symbology identifier, if a scanner sent one, from the code."""
    found = _SYMBOLOGY.match(code)
    return (found[0], code[found.end() :]) if found else ("", code)


def decode(code: str) -> list[Field]:
    """Return the fields of a code by the standard that its beginning names; empty if it names none. Raise LabelError."""
    symbology, data = strip_symbology(code)
    if data.startswith(_ENVELOPE):
        return list(_read_envelope(data.removeprefix(_ENVELOPE)))
    if symbology.startswith(_RETAIL_SYMBOLOGY):
        return [Field(data, other=ARTICLE_NUMBER)]
    if symbology in _GS1_SYMBOLOGIES:
        return _read_elements(data.strip(GS), strict=True)
    if labelled := _LABELLED_ELEMENT.findall(data):
        return _read_elements(GS.join(identifier + text for identifier, text in labelled))
    if (labelled := _LABELLED_DATA.findall(data)) and _LABELLED_DATA.match(data):
        return [_read_data(identifier + text.strip()) for identifier, text in labelled]
    # A scanner sends FNC1 as GS. Without either, a serial number behind a GTIN is plain enough.
    if data.startswith(GS) and not _TWELVE_DIGITS.fullmatch(data.strip(SEPARATORS)):
        return _read_elements(data.strip(GS))
    return _read_elements(data) if data.startswith("01") and is_article_number(data[2:16]) and data[16:] else []


def identify(text: str) -> Field | None:
    """Return the field that a data identifier outside an envelope begins, if the rest is what follows that identifier."""
    for identifier, data in _DATA.items():
        if data.bare and re.fullmatch(identifier + data.bare, text, re.IGNORECASE):
            return _field(data.meaning, text[len(identifier) :])
    found = _OTHER_NUMBER.fullmatch(text)
    if found and (is_maker_serial(found[2]) or _TWELVE_DIGITS.fullmatch(found[2])):
        return Field(found[2], other=f"the field {found[1].upper()}")
    return None


def strip_mac_label(text: str) -> str:
    """Return *text* without MAC, the data identifier 23S, or SEP or ATA as in a unit's name, in front of a MAC address."""
    found = _MAC_LABEL.match(text)
    return text[found.end() :] if found else text


def _field(meaning: Column | str, text: str) -> Field:
    return Field(text, column=meaning) if isinstance(meaning, Column) else Field(text, other=meaning)


def _read_envelope(body: str) -> Iterator[Field]:
    if not body.startswith(RS) or GS not in body:
        raise LabelError(
            "the 2D code came without its separators; set the scanner to send the control characters GS, RS and EOT, or scan the"
            " other codes"
        )
    formats = [part for part in body.strip(RS + EOT).split(RS) if part]
    known = [part for part in formats if part[:2] in (_ELEMENT_FORMAT, _DATA_FORMAT)]
    if not known:
        raise LabelError(f"the 2D code has the format {formats[0][:2]} of ISO/IEC 15434, not 05 or 06; scan the other codes")
    for part in known:
        fields = part[2:].strip(GS)
        if part.startswith(_ELEMENT_FORMAT):
            yield from _read_elements(fields, strict=True)
        else:
            yield from (_read_data(field) for field in fields.split(GS) if field)


def _read_data(field: str) -> Field:
    found = _DATA_IDENTIFIER.fullmatch(field)
    if not found:
        raise LabelError(f"the field '{field[:40]}' of the 2D code has no data identifier; scan the other codes")
    identifier = found[1].upper()
    return _field(_DATA[identifier].meaning if identifier in _DATA else f"the field {identifier}", found[2])


def _read_elements(data: str, strict: bool = False) -> list[Field]:
    """Return the element strings of GS1 data; if they cannot be read, raise LabelError if *strict*, or else return none."""
    fields: list[Field] = []
    rest = data
    while rest:
        identifier = next((rest[:size] for size in (2, 3, 4) if rest[:size] in _ELEMENTS), "")
        element = _ELEMENTS.get(identifier)
        text = rest[len(identifier) :].partition(GS)[0] if element else ""
        if element and element.is_fixed:
            text = text[: element.length]
        if element is None or not _fits(element, text):
            if strict:
                raise LabelError(f"the GS1 code cannot be read from '{rest[:20]}' on; scan the unit's other codes")
            return []
        fields.append(_field(element.meaning, text))
        rest = rest[len(identifier) + len(text) :].lstrip(GS)
    return fields


def _fits(element: ElementFormat, text: str) -> bool:
    right = len(text) == element.length if element.is_fixed else len(text) <= element.length
    return right and bool(re.fullmatch(element.pattern, text))
