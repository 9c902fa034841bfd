# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Read scanned labels: turn a text file, as a keyboard-wedge scanner types it, into phones.

With a header line the file is a table. Without one each line is a code, and the codes of one unit follow each other.

Sources: the vendor chapter says only that a bar code gives the MAC address or the serial number. It documents neither which codes a
box has nor their order, so any order is accepted. Serial numbers of 11 and 12 characters, some with only hexadecimal digits
(``88019FA42805``), are seen in field captures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..families.catalogue import BUILTIN, Catalogue
from ..families.model import ModelError
from .label_standards import SEPARATORS
from .model_labels import find_model
from .oui_register import is_installed
from .scan_codes import read_codes, read_one_unit
from .scan_columns import Column
from .scan_tables import find_header, read_table
from .scan_units import Problems, ScanError
from .scanned_phones import ScannedPhone, UnitReader, describe_foreign_ouis

_PREFIXES: Mapping[str, str] = {Column.CUSTOMER: "customer_", Column.MODEL: "model_"}
_CONTROLS = {code: None for code in (*range(32), 127) if chr(code) not in f"\t\n{SEPARATORS}"}


@dataclass(frozen=True)
class Scans:
    """The phones of a file, and warnings about what looks wrong but may be right."""

    phones: tuple[ScannedPhone, ...]
    warnings: tuple[str, ...] = ()


def decode(data: bytes, file: str) -> str:
    """Return the text of a file in UTF-8, or in UTF-16 with a byte order mark as spreadsheets save it; raise ScanError."""
    try:
        return data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ScanError(f"{file} line {line}: it is not UTF-8 text; save the file as UTF-8") from error


def read_scans(
    text: str,
    file: str,
    *,
    defaults: Mapping[str, str] | None = None,
    catalogue: Catalogue = BUILTIN,
    prefixes: Mapping[str, str] | None = None,
) -> Scans:
    """Return the phones of a text; raise ScanError with everything that is wrong. *file*: its name, only for messages.

    *defaults*: variables such as phone_customer and phone_model for units without them. *prefixes*: of group names, by
    phone_customer and phone_model.
    """
    if not is_installed():
        raise ScanError("the Python library netaddr is missing on the controller; install it with pip install netaddr")
    defaults = defaults or {}
    if Column.MODEL in defaults:
        try:
            find_model(defaults[Column.MODEL], catalogue)
        except ModelError as error:
            raise ScanError(f"the model for all units without one: {error}") from error
    problems = Problems(file)
    warnings: list[str] = []
    lines = ["" if line.lstrip().startswith("#") else line for line in _lines(text)]
    header = find_header(lines)
    units = read_table(lines, header, problems, warnings) if header else read_codes(lines, catalogue, problems)
    reader = UnitReader(defaults, catalogue, prefixes or _PREFIXES, problems)
    phones = [phone for phone in (reader.read(line, unit) for line, unit in units) if phone]
    problems.raise_if_any()
    if not phones:
        warnings.append("it contains no units")
    warnings += describe_foreign_ouis(phones)
    return Scans(tuple(phones), tuple(f"{file}: {sentence}" for sentence in warnings))


def read_label(text: str, catalogue: Catalogue = BUILTIN) -> dict[str, str]:
    """Return the content of one scan of one label by variable; raise ScanError.

    A single code that may be a MAC address or a serial number has the empty name.
    """
    lines = _lines(text)
    # JSON is one code, however many lines it has
    lines = [" ".join(lines)] if text.lstrip().startswith("{") else lines
    return {str(column): code.text for column, code in read_one_unit(lines, catalogue).items()}


def _lines(text: str) -> list[str]:
    # Scanners end a code with CR, LF, both or TAB, and some put control characters around it
    return text.replace("\r\n", "\n").replace("\r", "\n").translate(_CONTROLS).split("\n")
