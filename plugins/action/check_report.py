# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Controller side of the check_report module, which has no other: no connection is opened."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ..module_utils.reports.check_report import failures, format_check, summarise_failures
from ..plugin_utils.options import read_options

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "emulated": {"type": "dict", "required": True},
    "seen": {"type": "dict", "required": True},
    "left": {"type": "list", "elements": "str", "default": []},
    "checked": {"type": "dict", "default": {}},
}


class ActionModule(ActionBase):
    """Wiring."""

    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Print the table; fail with one sentence."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        given = read_options("check_report", ARGUMENT_SPEC, self._task.args)
        if "phones" not in given["emulated"]:
            why = given["emulated"].get("msg") or "emulated_phone has not answered"
            return {**result, "changed": False, "failed": True, "msg": f"check: no phone could be booted: {why}"}
        known = (given["emulated"]["phones"], given["seen"], given["left"], given["checked"])
        if given["emulated"]["phones"]:
            variables = task_vars or {}
            several = len(variables.get("ansible_play_hosts_all", ())) > 1
            Display().display(f"{variables['inventory_hostname']}:\n" * several + format_check(*known))
        summary = summarise_failures(failures(*known))
        return {**result, "changed": False, **({"failed": True, "msg": f"check {summary}"} if summary else {})}
