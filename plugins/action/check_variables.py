# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Controller side of the check_variables module, which has no other: no connection is opened."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ..module_utils.common.variables import VariableError
from ..plugin_utils.options import read_options
from ..plugin_utils.review_variables import VariableReview
from ..plugin_utils.target_module import failing

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {"playbook": {"type": "str"}, "role": {"type": "str"}}
RULES: dict[str, Any] = {"mutually_exclusive": [("playbook", "role")], "required_one_of": [("playbook", "role")]}


class ActionModule(ActionBase):
    """Wiring."""

    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Check the variables of one host."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        given = read_options("check_variables", ARGUMENT_SPEC, self._task.args, **RULES)
        review = VariableReview(self._task.get_variable_manager(), self._loader, self._templar, task_vars or {})
        with failing(VariableError):
            found = review.check(given["playbook"]) if given["playbook"] else review.check_role(given["role"])
            for sentence in found.warnings:
                Display().warning(sentence)
            if found.errors:
                raise VariableError("\n".join(found.errors))
        return {**result, "changed": False}
