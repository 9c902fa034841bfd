# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""A phone's row in the profile service's database, with a version that changes with the row and reveals nothing about it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, TypedDict

from ..module_utils.common.mac import MacError, parse_mac
from ..module_utils.common.validate import ValidationError, read_text_or_digits
from ..module_utils.phones.phone import LAYER, PLAIN, STRUCTURED, PhoneError
from ..module_utils.publishing.unit_files import unit_file_of
from .validate_phones import ValidatedPhones

_KEYS = ("phone_profile_key", "phone_profile_key_previous")
_URL = re.compile(r"(https?|tftp)://[!-~]+")
_encode = json.JSONEncoder(separators=(",", ":"), sort_keys=True).encode


class PhoneRecord(TypedDict):
    """A phone's row."""

    mac: str
    name: str
    serial: str
    model: str
    family: str
    customer: str
    variables: str
    """As JSON."""
    redirect: str
    """URL; empty if the phone is not sent elsewhere."""
    unit_file: str
    """See UnitFile."""
    logs: int
    """1 if the phone logs on the bench that it has applied its profile, else 0."""
    version: str


def as_json(value: object) -> str:
    """Return *value* as JSON; equal values give equal text."""
    return _encode(value)


def version_of(text: str, salt: str) -> str:
    """Return 32 hex digits that change with *text*, and reveal nothing about it without the salt."""
    return hashlib.blake2b(text.encode(), key=salt.encode(), digest_size=16).hexdigest()


def records(validated: ValidatedPhones, redirects: Mapping[str, str], salt: str) -> Iterator[PhoneRecord]:
    """Yield the row of each phone. *redirects*: MAC -> URL.

    A row has the phone's own keys instead of the secret that they are derived from: the database reveals no other keys.
    """
    publisher = validated.publisher
    for entry, phone in validated.read():
        keys = {name: key for name, key in zip(_KEYS, (phone.key, phone.previous_key), strict=True) if key is not None}
        # Nobody has read other variables, so their values may be any, even such as JSON cannot hold
        given = {name: value for name, value in entry.variables.items() if _is_read(name) and name not in _KEYS}
        row = PhoneRecord(
            mac=phone.mac.plain,
            name=phone.name,
            serial=phone.serial,
            model=phone.model.name,
            family=phone.model.family.name,
            customer=phone.customer,
            variables=as_json({**given, **keys}),
            redirect=redirects.get(phone.mac.plain, ""),
            unit_file=unit_file_of(phone, publisher.settings).value,
            logs=int(publisher.logs_on_bench(phone)),
            version="",
        )
        unversioned = {name: value for name, value in row.items() if name != "version"}
        yield {**row, "version": version_of(as_json(unversioned), salt)}


def _is_read(variable: str) -> bool:
    return variable in STRUCTURED or variable in PLAIN or variable.startswith(LAYER)


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
