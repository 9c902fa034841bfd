# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the profile service's database gets of a phone: its row, and a version that changes with it and tells nothing of it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..module_utils.mac import MacError, parse_mac
from ..module_utils.phone import PhoneError, PhoneReader
from .publishing import Survey

_KEYS = ("phone_profile_key", "phone_profile_key_previous")
_URL = re.compile(r"(https?|tftp)://[!-~]+")
_encode = json.JSONEncoder(separators=(",", ":"), sort_keys=True).encode


def as_json(value: object) -> str:
    """Return *value* as JSON, always the same for the same."""
    return _encode(value)


def version_of(text: str, salt: str) -> str:
    """Return 32 hex digits that change with *text*, and without the salt tell nothing of it."""
    return hashlib.blake2b(text.encode(), key=salt.encode(), digest_size=16).hexdigest()


def records(found: Survey, reader: PhoneReader, redirects: Mapping[str, str], salt: str) -> Iterator[dict[str, Any]]:
    """Yield the row of each phone. *redirects*: MAC -> URL.

    A row has the phone's own keys, and not the secret that they are derived from, so that who reads the database learns no others.
    """
    for entry in found.entries:
        try:
            phone = reader.read(entry.name, entry.variables)
        except PhoneError as error:
            raise PhoneError(f"phone {entry.label}: {error} (the file has changed while it was read; run again)") from error
        keys = {name: key for name, key in zip(_KEYS, (phone.key, phone.previous_key), strict=True) if key is not None}
        given = {name: value for name, value in entry.variables.items() if name.startswith("phone_") and name not in _KEYS}
        row: dict[str, Any] = {
            "mac": phone.mac.plain,
            "name": phone.name,
            "serial": phone.serial,
            "model": phone.model.name,
            "family": phone.model.family.name,
            "customer": phone.customer,
            "variables": as_json({**given, **keys}),
            "redirect": redirects.get(phone.mac.plain, ""),
        }
        yield {**row, "version": version_of(as_json(row), salt)}


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
    """Return name -> columns of each customer; raise PhoneError, naming the customer, for what cannot be."""
    customers = {}
    for name, columns in given.items():
        where = f"customers: {name}"
        if not isinstance(columns, Mapping) or not {"provisioning_url", "redirect"} >= set(columns):
            raise PhoneError(f"{where}: write a mapping with provisioning_url, redirect or both")
        customers[str(name)] = {
            column: check_url(columns[column], f"{where}: {column}") if columns.get(column) else ""
            for column in ("provisioning_url", "redirect")
        }
    return customers


def check_url(url: object, where: str) -> str:
    """Return *url*; raise PhoneError if it is none that a phone can follow."""
    text = str(url)
    if not _URL.fullmatch(text):
        raise PhoneError(f"{where}: it is no URL that a phone can follow; write http://, https:// or tftp://, and a server")
    return text
