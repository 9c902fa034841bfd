# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where each parameter of a phone's profiles comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..module_utils.phone import Phone, PhoneError, PhoneReader
from ..module_utils.profile import HIDDEN, is_secret
from ..module_utils.publication import SERVICE, Publisher
from .publishing import Entry

PUBLICATION = "the publication"
"""Origin of what every phone gets, such as its rule."""


def explain(entry: Entry, reader: PhoneReader, publisher: Publisher, origins: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return one row a parameter of each profile: kind, parameter, value (secrets hidden), variable and where that was set.

    *origins*: variable -> group, host or row. Raise PhoneError when the phone is not right.
    """
    if entry.problem:
        raise PhoneError(f"phone {entry.label}: {entry.problem}")
    try:
        phone = reader.read(entry.name, entry.variables)
        problems = publisher.check(phone)
    except PhoneError as error:
        problems = [str(error)]
    if problems:
        raise PhoneError("\n".join(f"phone {entry.label}: {problem}" for problem in problems))
    variables = {**_firmware(phone), **reader.origins(entry.variables)}
    secrets = _secrets(phone) if phone.template else set()
    rows = []
    for kind, parameters in publisher.profiles(phone):
        for path in sorted(parameters):
            # What leads to firmware is no parameter of the phone's, but comes from its variables
            own = phone.parameters.get(path, parameters[path]) == parameters[path]
            variable = variables.get(path, "") if own else ""
            value = phone.model.family.shown(path, parameters[path].value)
            if phone.template and kind == SERVICE:
                variable = "phone_profile_template"
                value = HIDDEN if any(secret in value for secret in secrets) else value
            rows.append(
                {
                    "kind": kind,
                    "parameter": path,
                    "value": value,
                    "variable": variable,
                    "origin": origins.get(variable, PUBLICATION),
                }
            )
    return rows


def _firmware(phone: Phone) -> dict[str, str]:
    """Return path -> variable of what the firmware of the phone is told by."""
    family, wanted = phone.model.family, phone.firmware
    variable = "phone_firmware_hold" if wanted.held else "phone_firmware"
    return dict.fromkeys((*family.upgrade_rules[:1], family.upgrade_enable), variable) if wanted.held or wanted.version else {}


def _secrets(phone: Phone) -> set[str]:
    """Return what a template may have put where no name tells that it is secret."""
    show = phone.model.family.shown
    values = {value for path, (value, _access) in phone.parameters.items() if show(path, value) != value}
    of_lines = {value for line in phone.lines for key, value in line.items() if is_secret(key)}
    return {*values, *of_lines, phone.key or "", phone.previous_key or ""} - {""}
