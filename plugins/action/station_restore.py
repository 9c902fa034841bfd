# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Controller side of the station_restore module: verify the backup, send it still sealed, and have the station unpack it."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from ..module_utils.station.backup.archive import Backup, BackupError, check_passphrase, derive
from ..plugin_utils.options import check_spelling, read_options
from ..plugin_utils.target_module import TargetModule, failing

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "file": {"type": "path", "required": True},
    "state": {"type": "str", "choices": ["checked", "present"], "default": "present"},
    "station": {"type": "str", "required": True},
    "passphrase": {"type": "str", "required": True, "no_log": True},
    # A URL of PostgreSQL may hold a password
    "database": {"type": "str", "required": True, "no_log": True},
}


class ActionModule(ActionBase):
    """Wiring."""

    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Restore a backup."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        check_spelling("station_restore", ARGUMENT_SPEC, self._task.args, self._loader)
        given = read_options("station_restore", ARGUMENT_SPEC, self._task.args)
        target = TargetModule(self, "station_archive", task_vars, "", database=given["database"])
        with failing(BackupError):
            result.update(_restore(given, target))
        return result


def _restore(given: dict[str, Any], target: TargetModule) -> dict[str, Any]:
    passphrase = check_passphrase(given["passphrase"])
    with Backup(given["file"]) as backup:
        header = backup.header
        keys = derive(passphrase, header.salt, header.iterations)
        backup.check(keys)
    if header.station != given["station"]:
        raise BackupError(
            f"{given['file']} is a backup of {header.station}, made {header.made}; to restore it on another machine, add "
            f"-e restore_station={header.station}"
        )
    origin = {"station": header.station, "made": header.made}
    if given["state"] == "checked":
        return {"changed": False, **origin}
    remote = target.upload(given["file"])
    return {**target.call(state="unpacked", path=remote, label=given["file"], seal=keys.text()), **origin}
