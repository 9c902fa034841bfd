# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""A phone's row in the profile service's database, with a version that changes with the row and reveals nothing about it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, TypedDict

from ..phones.phone import LAYER, PLAIN, STRUCTURED, Phone
from .publisher import Publisher
from .unit_files import unit_file_of

KEYS = ("phone_profile_key", "phone_profile_key_previous")
"""Variables of the phone's own keys."""

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


def record_of(variables: Mapping[str, Any], phone: Phone, publisher: Publisher, redirect: str, salt: str) -> PhoneRecord:
    """Return the row of a phone with these *variables*. *redirect*: URL or empty.

    A row has the phone's own keys instead of the secret that they are derived from: the database reveals no other keys.
    """
    keys = {name: key for name, key in zip(KEYS, (phone.key, phone.previous_key), strict=True) if key is not None}
    # Nobody has read other variables, so their values may be any, even such as JSON cannot hold
    given = {name: value for name, value in variables.items() if _is_read(name) and name not in KEYS}
    row = PhoneRecord(
        mac=phone.mac.plain,
        name=phone.name,
        serial=phone.serial,
        model=phone.model.name,
        family=phone.model.family.name,
        customer=phone.customer,
        variables=as_json({**given, **keys}),
        redirect=redirect,
        unit_file=unit_file_of(phone, publisher.settings).value,
        logs=int(publisher.logs_on_bench(phone)),
        version="",
    )
    unversioned = {name: value for name, value in row.items() if name != "version"}
    return {**row, "version": version_of(as_json(unversioned), salt)}


def _is_read(variable: str) -> bool:
    return variable in STRUCTURED or variable in PLAIN or variable.startswith(LAYER)
