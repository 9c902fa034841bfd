# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Profile rules and their macros."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.voip.preprovision.plugins.module_utils.families import BUILTIN, FamilyError
from ansible_collections.voip.preprovision.plugins.module_utils.macros import expand
from ansible_collections.voip.preprovision.plugins.module_utils.phone import PhoneError, PhoneReader
from ansible_collections.voip.preprovision.plugins.module_utils.rules import Alternative, RuleError, parse_rule

# Only these are looked up: everything else a host has may need a vault, or a fact that is not there.
_VARIABLES = ("phone_mac", "phone_model", "phone_serial")
_NAME = re.compile("[A-Z][A-Z0-9]*")


def expand_macros(
    text: object, phone: Mapping[str, Any], macros: Mapping[str, Any] | None = None, families: Mapping[str, Any] | None = None
) -> str:
    """Put a phone's macros into a text, as the phone does."""
    if not isinstance(text, str):
        raise AnsibleFilterError(f"what holds the macros is a {type(text).__name__}, not text")
    variables = {variable: phone[variable] for variable in _VARIABLES if variable in phone}
    try:
        known = PhoneReader(BUILTIN.extended(families or {})).read("", variables).macros
    except (FamilyError, PhoneError) as error:
        raise AnsibleFilterError(str(error)) from error
    return expand(text, {**known, **dict(map(_macro, (macros or {}).items()))})


def _macro(item: tuple[Any, Any]) -> tuple[str, str]:
    name, value = item
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise AnsibleFilterError(f"'{name}' cannot name a macro; write capital letters and digits without a $, as SWVER")
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise AnsibleFilterError(f"the macro {name} is a {type(value).__name__}, not text")
    return name, str(value)


def parse_profile_rule(text: object) -> list[dict[str, Any]]:
    """Return the alternatives of a profile rule in their order."""
    if not isinstance(text, str):
        raise AnsibleFilterError(f"the profile rule is a {type(text).__name__}, not text")
    try:
        return [_plain(alternative) for alternative in parse_rule(text).alternatives]
    except RuleError as error:
        raise AnsibleFilterError(f"the profile rule, {error}") from error


def _plain(alternative: Alternative) -> dict[str, Any]:
    place = alternative.places[0] if alternative.places else None
    return {
        "condition": [
            {"left": str(comparison.left), "operator": comparison.operator, "right": str(comparison.right)}
            for comparison in alternative.condition
        ],
        "assignments": dict(alternative.assignments),
        "options": dict(place.options) if place else {},
        "url": place.url if place else "",
    }


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"expand_macros": expand_macros, "parse_profile_rule": parse_profile_rule}
