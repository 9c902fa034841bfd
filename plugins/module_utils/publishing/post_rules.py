# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a phone says of itself when it asks for its profile by POST, and which parameters its profile then has.

Source: "HTTP Provisioning" of the provisioning guide: the server uses the status information in the body of the POST request to
generate the response configuration profile. The body is a form, or XML whose elements without children are the fields.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from ..common.suggest import unknown_choice
from ..common.versions import NumberError, read_number
from ..profiles.flat_profile import ProfileError, read_parameters

VALUE = "{value}"
"""Placeholder in the value of a parameter: the field's own text."""

MAX_FIELDS = 2000
MAX_VALUE_LENGTH = 255

_CONDITIONS = ("equals", "begins", "below", "at_least")
_VERSIONS = ("below", "at_least")
_NAMES = ("field", "parameters", *_CONDITIONS)


class PostRuleError(ValueError):
    """A rule is invalid; the message names it and what is wrong."""


@dataclass(frozen=True)
class PostRule:
    """A condition on one field, and the parameters of the profile if it holds."""

    field: str
    conditions: Mapping[str, str]
    parameters: Mapping[str, Any]

    def fits(self, fields: Mapping[str, str]) -> bool:
        """Return whether the field is there and all conditions hold; versions of different forms do not compare."""
        value = fields.get(self.field)
        return value is not None and all(_holds(name, value, wanted) for name, wanted in self.conditions.items())

    def values(self, fields: Mapping[str, str]) -> dict[str, Any]:
        """Return the parameters, with the field's text in place of VALUE."""
        value = fields.get(self.field, "")
        return {name: given.replace(VALUE, value) if isinstance(given, str) else given for name, given in self.parameters.items()}


def _holds(name: str, value: str, wanted: str) -> bool:
    if name == "equals":
        return value == wanted
    if name == "begins":
        return value.startswith(wanted)
    try:
        found, limit = read_number(value), read_number(wanted)
    except NumberError:
        return False
    if found.kind is not limit.kind:
        return False
    return found < limit if name == "below" else found >= limit


def read_post_rules(given: object) -> tuple[PostRule, ...]:
    """Return the typed form of rules as users write them; raise PostRuleError."""
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise PostRuleError("the rules must be a list")
    return tuple(_read_rule(f"rule {number}", one) for number, one in enumerate(given, 1))


def _read_rule(where: str, given: object) -> PostRule:
    if not isinstance(given, Mapping):
        raise PostRuleError(f"{where} must be a mapping with field and parameters")
    for name in given:
        if name not in _NAMES:
            raise PostRuleError(f"{where} has an {unknown_choice('option', str(name), _NAMES)}")
    field, parameters = given.get("field"), given.get("parameters")
    if not isinstance(field, str) or not field:
        raise PostRuleError(f"{where}: field must be the name of a field of the request's body")
    if not isinstance(parameters, Mapping) or not parameters:
        raise PostRuleError(f"{where}: parameters must be a mapping of parameter names and values")
    try:
        read_parameters(parameters)
    except ProfileError as error:
        raise PostRuleError(f"{where}: parameters: {error}") from None
    conditions = {name: given[name] for name in _CONDITIONS if given.get(name) is not None}
    for name, wanted in conditions.items():
        if not isinstance(wanted, str):
            raise PostRuleError(f"{where}: {name} must be text; quote it")
        if name in _VERSIONS:
            _check_version(f"{where}: {name}", wanted)
    plain = {name: str.__str__(wanted) for name, wanted in conditions.items()}
    return PostRule(str.__str__(field), plain, dict(parameters))


def _check_version(where: str, text: str) -> None:
    try:
        read_number(text)
    except NumberError as error:
        raise PostRuleError(f"{where}: '{text}' {error}") from None


def read_fields(body: bytes, is_form: bool) -> dict[str, str]:
    """Return the fields of a request's body, the first of each name; what is not printable ASCII, or too long, is left out.

    XML must have been checked: it is well-formed, and has no document type.
    """
    fields: dict[str, str] = {}
    for name, value in _pairs(body, is_form):
        text = value.strip()
        if len(fields) < MAX_FIELDS and len(text) <= MAX_VALUE_LENGTH and text.isascii() and text.isprintable():
            fields.setdefault(name, text)
    return fields


def _pairs(body: bytes, is_form: bool) -> Iterable[tuple[str, str]]:
    try:
        if is_form:
            return parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
        root = ET.fromstring(body)  # noqa: S314
    except (ValueError, ET.ParseError):
        return ()
    return [(element.tag.rpartition("}")[2], element.text or "") for element in root.iter() if not len(element)]


def parameters_for(rules: Iterable[PostRule], fields: Mapping[str, str]) -> dict[str, Any]:
    """Return the parameters of all rules that fit; of two that set the same one, the later counts."""
    return {name: value for rule in rules if rule.fits(fields) for name, value in rule.values(fields).items()}
