# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Serial numbers: one spelling for all that labels, scanners and people use.

Sources of the shapes: serial numbers in User-Agents of field captures and in Cisco's bulletin on wrong client certificates. Cisco
units have ``FCH2118DGQP`` and ``CBT141100HR``, for example. That of Linksys units is inferred from ``88012BA01234``,
``88019FA42805``, ``4MM00F903042`` and ``FM500F100000``.
"""

from __future__ import annotations

import re

from .scan_columns import Column, split_label

_MAKER_SERIAL = re.compile(
    # Cisco: three letters for the site, year and week, four characters for the unit
    r"[A-Z]{3}[0-9]{4}[0-9A-Z]{4}"
    # Linksys: five characters for the product, a letter for the year, one character for the month, five digits for the unit
    r"|[0-9A-Z]{5}[A-F][0-9A-Z][0-9]{5}"
)
# Data identifier S of ANS MH10.8.2, application identifier 21 of GS1, or a label's SN, all without a separator. Only the shape of
# the rest tells them from a serial number that begins with the same characters.
_IDENTIFIED = re.compile(rf"(?:SN|S|21)({_MAKER_SERIAL.pattern})")


def is_maker_serial(text: str) -> bool:
    """Tell whether *text* has the shape of a known maker's serial numbers."""
    return bool(_MAKER_SERIAL.fullmatch(text.upper()))


def strip_identifier(text: str) -> str:
    """Return *text* without the data identifier in front of a known maker's serial number; *text* itself if there is none."""
    found = _IDENTIFIED.fullmatch(text.upper())
    return text[found.start(1) :] if found else text


def normalize_serial(text: str) -> str:
    """Return a serial number in capitals, without spaces, without a label such as ``S/N:``, and without a data identifier."""
    column, code = split_label(text.strip())
    serial = code if column == Column.SERIAL else text
    return strip_identifier("".join(serial.split())).upper()
