# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters for profile rules and their macros."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.voip.preprovision.plugins.module_utils.common.validate import kind_of
from ansible_collections.voip.preprovision.plugins.module_utils.families.catalogue import BUILTIN
from ansible_collections.voip.preprovision.plugins.module_utils.families.model import FamilyError
from ansible_collections.voip.preprovision.plugins.module_utils.phones.phone import PhoneError
from ansible_collections.voip.preprovision.plugins.module_utils.phones.reader import PhoneReader
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.macros import expand
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.rules.model import Alternative, RuleError
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.rules.parser import parse_rule

# Only these are looked up: other variables of a host may need a vault or missing facts
_VARIABLES = ("phone_mac", "phone_model", "phone_serial")
_NAME = re.compile("[A-Z][A-Z0-9]*")


def expand_macros(
    text: object, phone: Mapping[str, Any], macros: Mapping[str, Any] | None = None, families: Mapping[str, Any] | None = None
) -> str:
    """Expand a phone's macros in a text, as the phone does."""
    if not isinstance(text, str):
        raise AnsibleFilterError(f"the text with macros must be text, not {kind_of(text)}")
    variables = {variable: phone[variable] for variable in _VARIABLES if variable in phone}
    try:
        known = PhoneReader(BUILTIN.extended(families or {})).read("", variables).macros
    except (FamilyError, PhoneError) as error:
        raise AnsibleFilterError(str(error)) from error
    return expand(text, {**known, **dict(map(_macro, (macros or {}).items()))})


def _macro(item: tuple[Any, Any]) -> tuple[str, str]:
    name, value = item
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise AnsibleFilterError(f"'{name}' cannot name a macro; write capital letters and digits without a $, such as SWVER")
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise AnsibleFilterError(f"the macro {name} must be text, not {kind_of(value)}")
    return name, str(value)


def parse_profile_rule(text: object) -> list[dict[str, Any]]:
    """Return the alternatives of a profile rule in order."""
    if not isinstance(text, str):
        raise AnsibleFilterError(f"the profile rule must be text, not {kind_of(text)}")
    try:
        return [_plain(alternative) for alternative in parse_rule(text).alternatives]
    except RuleError as error:
        raise AnsibleFilterError(f"the profile rule, {error}") from error


def _plain(alternative: Alternative) -> dict[str, Any]:
    target = alternative.targets[0] if alternative.targets else None
    return {
        "condition": [
            {"left": str(comparison.left), "operator": comparison.operator.value, "right": str(comparison.right)}
            for comparison in alternative.condition
        ],
        "assignments": dict(alternative.assignments),
        "options": dict(target.options) if target else {},
        "url": target.url if target else "",
    }


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"expand_macros": expand_macros, "parse_profile_rule": parse_profile_rule}
