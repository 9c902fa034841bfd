# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which variable each parameter of a phone's profiles comes from, and what sets it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

from ..module_utils.common.redaction import HIDDEN, is_secret
from ..module_utils.families.ignored import ignored_access, ignored_names, unrendered
from ..module_utils.phones.phone import Phone, PhoneError
from ..module_utils.phones.reader import PhoneReader
from ..module_utils.publishing.publisher import Publisher
from ..module_utils.publishing.settings import ProfileKind
from .phone_source import Entry

PUBLICATION = "the publication"
"""Origin of parameters that every phone gets, such as its rule."""


class ExplainedParameter(TypedDict):
    """One parameter of a profile, as the module returns it."""

    kind: str
    parameter: str
    value: str
    """Hidden if it is secret."""
    variable: str
    """Empty if the publication sets the parameter."""
    origin: str
    """Group, host or row that sets the variable."""
    ignored: str
    """A clause that says why the phone ignores the parameter, or takes it as text; empty if it does not."""


def explain(entry: Entry, reader: PhoneReader, publisher: Publisher, origins: Mapping[str, str]) -> list[ExplainedParameter]:
    """Return the parameters of each profile of a phone, with the variable that each comes from and where that is set.

    *origins*: variable -> group, host or row. Raise PhoneError if the phone cannot be published.
    """
    phone = _read(entry, reader, publisher)
    variables = {**_firmware_variables(phone), **reader.origins(entry.variables)}
    secrets = _secrets(phone) if phone.template else set()
    rows = []
    family = phone.model.family
    for kind, parameters in publisher.profiles(phone):
        ignored = dict([*ignored_names(family, parameters), *ignored_access(family, parameters), *unrendered(family, parameters)])
        for path in sorted(parameters):
            # A parameter that leads to firmware is not the phone's own, but comes from its variables
            own = phone.parameters.get(path, parameters[path]) == parameters[path]
            variable = variables.get(path, "") if own else ""
            value = family.redact(path, parameters[path].value)
            if phone.template and kind == ProfileKind.SERVICE:
                variable = "phone_profile_template"
                value = HIDDEN if any(secret in value for secret in secrets) else value
            origin = origins.get(variable, PUBLICATION)
            rows.append(
                ExplainedParameter(
                    kind=kind.value, parameter=path, value=value, variable=variable, origin=origin, ignored=ignored.get(path, "")
                )
            )
    return rows


def _read(entry: Entry, reader: PhoneReader, publisher: Publisher) -> Phone:
    """Return the phone; raise PhoneError with everything that is wrong with it."""
    if entry.problem:
        raise PhoneError(f"phone {entry.label}: {entry.problem}")
    try:
        phone = reader.read(entry.name, entry.variables)
        problems = publisher.check(phone)
    except PhoneError as error:
        raise PhoneError(f"phone {entry.label}: {error}") from error
    if problems:
        raise PhoneError("\n".join(f"phone {entry.label}: {problem}" for problem in problems))
    return phone


def _firmware_variables(phone: Phone) -> dict[str, str]:
    """Return path -> variable of the parameters that lead the phone to its firmware."""
    family, wanted = phone.model.family, phone.firmware
    variable = "phone_firmware_hold" if wanted.held else "phone_firmware"
    return dict.fromkeys((*family.upgrade_rules[:1], family.upgrade_enable), variable) if wanted.held or wanted.version else {}


def _secrets(phone: Phone) -> set[str]:
    """Return secrets that a template may have put into parameters whose names do not show it."""
    show = phone.model.family.redact
    values = {value for path, (value, _access) in phone.parameters.items() if show(path, value) != value}
    of_lines = {value for line in phone.lines for key, value in line.items() if is_secret(key)}
    return {*values, *of_lines, phone.key or "", phone.previous_key or ""} - {""}
