# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Controller side of the fleet_report module, which has no other: no connection is opened."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ..module_utils.reports.fleet_report import Fleet, certificate_rows, fleet_rows, format_fleet, read_walks, summarise_fleet
from ..plugin_utils.options import read_options
from ..plugin_utils.target_module import failing

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "servers": {"type": "dict", "required": True},
    "walks": {"type": "list", "elements": "dict", "required": True},
    "certificates": {"type": "dict", "default": {"skipped": True}},
}


class ActionModule(ActionBase):
    """Wiring."""

    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Print the table; fail with one sentence."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        given = read_options("fleet_report", ARGUMENT_SPEC, self._task.args)
        with failing(ValueError):
            rows = fleet_rows(read_walks(given["walks"]), Fleet.of(given["name"], given["servers"]))
        rows += certificate_rows(given["certificates"])
        Display().display(format_fleet(rows))
        summary = summarise_fleet(rows)
        return {**result, "changed": False, **({"failed": True, "msg": f"fleet_check {summary}"} if summary else {})}
