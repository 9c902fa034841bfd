# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Controller side of the station_restore module: look at the backup here, send it sealed as it is, let the station unpack it."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..module_utils.backup import Backup, BackupError, check_passphrase, derive
from ..plugin_utils.options import read_options

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "file": {"type": "path", "required": True},
    "state": {"type": "str", "choices": ["checked", "present"], "default": "present"},
    "station": {"type": "str", "required": True},
    "passphrase": {"type": "str", "required": True, "no_log": True},
    # A URL of PostgreSQL may hold a password
    "database": {"type": "str", "required": True, "no_log": True},
}

_MODULE = "voip.preprovision.station_archive"


class ActionModule(ActionBase):
    """Wiring."""

    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Restore a backup."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        given = read_options("station_restore", ARGUMENT_SPEC, self._task.args)
        try:
            result.update(self._restore(given, task_vars))
        except BackupError as error:
            raise AnsibleActionFail(str(error)) from None
        return result

    def _restore(self, given: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        passphrase = check_passphrase(given["passphrase"])
        with Backup(given["file"]) as backup:
            header = backup.header
            keys = derive(passphrase, header.salt, header.iterations)
            backup.check(keys)
        if header.station != given["station"]:
            raise BackupError(
                f"{given['file']} is of {header.station}, made {header.made}; to make another machine what that one was, add "
                f"-e restore_station={header.station}"
            )
        told = {"station": header.station, "made": header.made}
        if given["state"] == "checked":
            return {"changed": False, **told}
        shell = self._connection._shell
        remote = shell.join_path(self._make_tmp_path(), "backup")
        self._transfer_file(given["file"], remote)
        self._fixup_perms2((shell.tmpdir, remote))
        arguments = {"state": "unpacked", "path": remote, "told": given["file"], "seal": keys.text(), "database": given["database"]}
        answer: dict[str, Any] = self._execute_module(_MODULE, module_args=arguments, task_vars=task_vars)
        if answer.get("failed"):
            raise BackupError(str(answer.get("msg", "the station did not answer")))
        return {**answer, **told}
