# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Controller side of the source_tree module: pack the code, equal files into equal bytes, and send it if the target lacks it."""

from __future__ import annotations

import hashlib
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..plugin_utils.options import read_options
from ..plugin_utils.source_code import SourceError, collect, pack
from ..plugin_utils.target_module import TargetModule

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "src": {"type": "path"},
    "parts": {"type": "dict", "default": {}},
    "domain": {"type": "list", "elements": "str", "default": []},
    "domain_folder": {"type": "str", "default": ""},
    "path": {"type": "path", "required": True},
    "keep": {"type": "int", "default": 1},
}


class ActionModule(ActionBase):
    """Wiring."""

    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Install the code."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        given = read_options("source_tree", ARGUMENT_SPEC, self._task.args, required_one_of=[("src", "domain")])
        try:
            archive = pack(collect(given["src"], given["parts"], given["domain"], given["domain_folder"]))
        except SourceError as error:
            raise AnsibleActionFail(f"source_tree: {error}") from None
        digest = hashlib.sha256(archive).hexdigest()[:32]
        target = TargetModule(
            self, "source_release", task_vars, "source_tree", path=given["path"], keep=given["keep"], digest=digest
        )
        answer = target.call()
        if answer["changed"] and not self._task.check_mode:
            answer = target.call(archive=target.upload_bytes(archive))
        return {**result, **answer}
