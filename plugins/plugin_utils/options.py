# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The arguments of a task, validated and converted to plain Python values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

_TAGGED = (str, int, float)


def read_options(action: str, spec: Mapping[str, Mapping[str, Any]], arguments: Mapping[str, Any], **rules: Any) -> dict[str, Any]:
    """Return the *arguments* of a task, validated by *spec*; *rules* are those of ArgumentSpecValidator.

    Raise AnsibleActionFail, naming the *action*, if they are invalid.
    """
    for name, wanted in spec.items():
        # Ansible would take its text as the secret
        if wanted.get("no_log") and isinstance(arguments.get(name), list | Mapping):
            raise AnsibleActionFail(f"{action}: {name} must be text, not a list or dictionary")
    validation = ArgumentSpecValidator(spec, **rules).validate(dict(arguments))
    if validation.error_messages:
        raise AnsibleActionFail(f"{action}: " + "; ".join(validation.error_messages))
    options: dict[str, Any] = validation.validated_parameters
    return {name: plain(value) if isinstance(value, dict | list) else value for name, value in options.items()}


def plain(value: Any) -> Any:
    """Return *value* without Ansible's tags and containers, which make new objects at every access."""
    if isinstance(value, Mapping):
        return {str(key): plain(below) for key, below in value.items()}
    if isinstance(value, list):
        return [plain(below) for below in value]
    base = type(value).__base__
    return base(value) if base in _TAGGED and not isinstance(value, bool) else value
