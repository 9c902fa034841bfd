# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Columns of scanned labels, and what files and labels call them."""

from __future__ import annotations

import re
from enum import StrEnum

DELIMITERS = ",;\t"


class Column(StrEnum):
    """Columns with a meaning of their own; any other phone_* variable is a column too, and what a dot reaches in it."""

    MAC = "phone_mac"
    SERIAL = "phone_serial"
    MODEL = "phone_model"
    CUSTOMER = "phone_customer"
    SITE = "phone_site"
    NAME = "name"


SYNONYMS: dict[Column, tuple[str, ...]] = {
    Column.MAC: (
        *("mac", "mac address", "mac addr", "mac id", "ethernet address"),
        *("mac no", "ethernet mac", "eth mac", "wan mac", "lan mac"),
    ),
    Column.SERIAL: ("serial", "serial number", "serial no", "serial num", "ser no", "s/n", "sn"),
    Column.MODEL: (
        *("model", "model name", "model number", "model no", "mod", "product", "product id", "product number", "pid"),
        *("part number", "p/n", "pn"),
    ),
    Column.CUSTOMER: ("customer", "customer name", "client"),
    Column.SITE: ("site", "location"),
    Column.NAME: ("name", "host", "host name"),
}
"""Names of columns and labels, besides the variable's own; case, spaces and punctuation do not matter."""

_VARIABLE = re.compile(r"phone_[a-z0-9_]+")
# A dot goes into a variable; the case of what follows matters
_INNER = re.compile(r"(phone_[a-z0-9_]+)(\.[^:=#]+)", re.IGNORECASE)


def _bare(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.lower())


_COLUMNS = {_bare(name): column for column, synonyms in SYNONYMS.items() for name in (column, *synonyms)}


def column_of(name: str) -> str:
    """Return the column that a heading or label means; empty if it means none."""
    variable = name.strip().lower()
    inner = _INNER.fullmatch(name.strip())
    if inner:
        return inner[1].lower() + inner[2]
    return _COLUMNS.get(_bare(name), variable if _VARIABLE.fullmatch(variable) else "")


def split_label(text: str) -> tuple[str, str]:
    """Split ``S/N: FCH0000D001`` into column and code; the column is empty without a known label before the code."""
    end = re.search("[:=#]", text)
    if end and column_of(text[: end.start()]):
        return column_of(text[: end.start()]), text[end.start() :].lstrip(" :=#")
    words = text.split()
    for count in (2, 1):
        if len(words) > count and column_of(" ".join(words[:count])):
            return column_of(" ".join(words[:count])), " ".join(words[count:])
    return "", text
