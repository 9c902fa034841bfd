# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The phones' rows in the profile service's database, and what its customers and redirects are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..module_utils.common.mac import MacError, parse_mac
from ..module_utils.common.validate import ValidationError, read_text_or_digits
from ..module_utils.phones.phone import PhoneError
from ..module_utils.publishing.phone_record import PhoneRecord, record_of
from .validate_phones import ValidatedPhones

_URL = re.compile(r"(https?|tftp)://[!-~]+")


def records(validated: ValidatedPhones, redirects: Mapping[str, str], salt: str) -> Iterator[PhoneRecord]:
    """Yield the row of each phone. *redirects*: MAC -> URL."""
    for entry, phone in validated.read():
        yield record_of(entry.variables, phone, validated.publisher, redirects.get(phone.mac.plain, ""), salt)


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
