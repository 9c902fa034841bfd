# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a task gives to an action plugin, checked, and as plain Python."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

_TAGGED = (str, int, float)


def read_options(action: str, spec: Mapping[str, Mapping[str, Any]], arguments: Mapping[str, Any], **rules: Any) -> dict[str, Any]:
    """Return the *arguments* of a task as *spec* has them; *rules* as ArgumentSpecValidator takes them.

    Raise AnsibleActionFail, which names the *action*, where they are not as they must be.
    """
    for name, wanted in spec.items():
        # Ansible would take the text of it as the secret
        if wanted.get("no_log") and isinstance(arguments.get(name), list | Mapping):
            raise AnsibleActionFail(f"{action}: {name} is a list or mapping; write text")
    validation = ArgumentSpecValidator(spec, **rules).validate(dict(arguments))
    if validation.error_messages:
        raise AnsibleActionFail(f"{action}: " + "; ".join(validation.error_messages))
    options: dict[str, Any] = validation.validated_parameters
    return {name: plain(value) if isinstance(value, dict | list) else value for name, value in options.items()}


def plain(value: Any) -> Any:
    """Return *value* without what Ansible adds to it: its containers make new objects each time they are asked."""
    if isinstance(value, Mapping):
        return {str(key): plain(below) for key, below in value.items()}
    if isinstance(value, list):
        return [plain(below) for below in value]
    base = type(value).__base__
    return base(value) if base in _TAGGED and not isinstance(value, bool) else value
