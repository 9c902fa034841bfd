# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The arguments of a task, validated and converted to plain Python values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ..module_utils.common.validate import kind_of, quoting_hint
from .number_spelling import NumberSpelling

_TAGGED = (str, int, float)


def _is_text_or_number(key: object) -> bool:
    return isinstance(key, str | int) and not isinstance(key, bool)


def read_options(action: str, spec: Mapping[str, Mapping[str, Any]], arguments: Mapping[str, Any], **rules: Any) -> dict[str, Any]:
    """Return the *arguments* of a task, validated by *spec*; *rules* are those of ArgumentSpecValidator.

    Raise AnsibleActionFail, naming the *action*, if they are invalid.
    """
    for name, wanted in spec.items():
        # Ansible would take its text as the secret
        if wanted.get("no_log") and isinstance(arguments.get(name), list | Mapping):
            raise AnsibleActionFail(f"{action}: {name} must be text, not a list or dictionary")
        _check_texts(f"{action}: {name}", wanted, arguments.get(name))
    validation = ArgumentSpecValidator(spec, **rules).validate(dict(arguments))
    if validation.error_messages:
        raise AnsibleActionFail(f"{action}: " + "; ".join(validation.error_messages))
    options: dict[str, Any] = validation.validated_parameters
    return {name: plain(value) if isinstance(value, dict | list) else value for name, value in options.items()}


def check_spelling(action: str, spec: Mapping[str, Mapping[str, Any]], arguments: Mapping[str, Any], loader: Any) -> None:
    """Raise AnsibleActionFail for a number in a task's *arguments* that should perhaps be text, see number_spelling.

    *loader*: Ansible's DataLoader.
    """
    spelling = NumberSpelling(loader)
    for name, value in arguments.items():
        if spec.get(name, {}).get("type") not in ("int", "bool"):
            problem = spelling.problem(name, value)
            if problem:
                raise AnsibleActionFail(f"{action}: {problem}")


def _check_texts(begin: str, wanted: Mapping[str, Any], value: object) -> None:
    """Raise AnsibleActionFail for what Ansible would take for text that was written otherwise: ``no`` as False, 1.10 as 1.1."""
    values = [value] if wanted["type"] == "str" else value if wanted.get("elements") == "str" and isinstance(value, list) else []
    for one in values:
        if isinstance(one, bool | float | date):
            raise AnsibleActionFail(f"{begin} must be text, not {kind_of(one)}{quoting_hint(one)}")


def plain(value: Any) -> Any:
    """Return *value* without Ansible's tags and containers, which make new objects at every access.

    Keys that are numbers become text. Others that are not text stay as they are, for whoever reads the value to refuse them.
    """
    if isinstance(value, Mapping):
        return {str(key) if _is_text_or_number(key) else key: plain(below) for key, below in value.items()}
    if isinstance(value, list):
        return [plain(below) for below in value]
    base = type(value).__base__
    return base(value) if base in _TAGGED and not isinstance(value, bool) else value
