# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Controller side of the check_addresses module, which has no other: it asks Ansible's own module for the machine's addresses."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..module_utils.common.own_addresses import OwnAddressError, check_own, own_addresses
from ..plugin_utils.options import read_options
from ..plugin_utils.target_module import failing

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "addresses": {"type": "dict", "required": True},
    "public": {"type": "dict", "default": {}},
}


class ActionModule(ActionBase):
    """Wiring."""

    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Compare the variables' addresses with the machine's."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        given = read_options("check_addresses", ARGUMENT_SPEC, self._task.args)
        answer = self._execute_module("ansible.builtin.setup", {"gather_subset": ["!all", "!min", "network"]}, task_vars=variables)
        if answer.get("failed"):
            raise AnsibleActionFail(str(answer.get("msg", "the machine's addresses are unknown")), result=answer)
        own = own_addresses({name.removeprefix("ansible_"): fact for name, fact in answer["ansible_facts"].items()})
        with failing(OwnAddressError):
            for public in (False, True):
                for variable, wanted in given["public" if public else "addresses"].items():
                    check_own(str(variables["inventory_hostname"]), variable, wanted, own, public)
        return {**result, "changed": False}
