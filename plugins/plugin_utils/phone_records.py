# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What customers and redirects are in the profile service's database."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..module_utils.common.mac import MacError, parse_mac
from ..module_utils.common.validate import ValidationError, read_text_or_digits
from ..module_utils.phones.phone import PhoneError

_URL = re.compile(r"(https?|tftp)://[!-~]+")


def read_redirects(given: Mapping[str, Any]) -> dict[str, str]:
    """Return MAC -> URL; raise PhoneError unless each name is a MAC address and each value a URL."""
    redirects = {}
    for name, url in given.items():
        try:
            redirects[parse_mac(name).plain] = check_url(url, f"redirects: {name}")
        except MacError as error:
            raise PhoneError(f"redirects: {error}") from error
    return redirects


def read_customers(given: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return name -> columns of each customer; raise PhoneError, naming the customer, for values that cannot be used."""
    customers = {}
    for name, columns in given.items():
        try:
            known = read_text_or_digits(name)
        except ValidationError as error:
            raise PhoneError(f"customers: a name {error}") from error
        where = f"customers: {known}"
        if not isinstance(columns, Mapping) or not {"provisioning_url", "redirect"} >= set(columns):
            raise PhoneError(f"{where}: write a mapping with provisioning_url, redirect or both")
        customers[known] = {
            column: check_url(columns[column], f"{where}: {column}") if columns.get(column) else ""
            for column in ("provisioning_url", "redirect")
        }
    return customers


def check_url(url: object, where: str) -> str:
    """Return *url*; raise PhoneError if no phone can follow it."""
    text = str(url)
    if not _URL.fullmatch(text):
        raise PhoneError(f"{where}: a phone cannot follow this URL; write http://, https:// or tftp://, and a server")
    return text
