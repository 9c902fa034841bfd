# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Controller side of the station_backup module: derive the keys, let the station pack, take the file whole or not at all."""

from __future__ import annotations

import os
import secrets
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..module_utils.backup import Backup, BackupError, Header, check_passphrase, derive
from ..plugin_utils.options import read_options

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "folder": {"type": "path", "required": True},
    "station": {"type": "str", "required": True},
    "release": {"type": "str", "default": ""},
    "passphrase": {"type": "str", "required": True, "no_log": True},
    # A URL of PostgreSQL may hold a password
    "database": {"type": "str", "required": True, "no_log": True},
}

_MODULE = "voip.preprovision.station_archive"


class ActionModule(ActionBase):
    """Wiring."""

    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Make a backup, and fetch it."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        given = read_options("station_backup", ARGUMENT_SPEC, self._task.args)
        try:
            result.update(self._backup(given, task_vars))
        except BackupError as error:
            raise AnsibleActionFail(str(error)) from None
        return result

    def _backup(self, given: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        passphrase = check_passphrase(given["passphrase"])
        now = datetime.now(UTC)
        header = Header(given["station"], now.strftime("%Y-%m-%dT%H:%M:%SZ"), given["release"], secrets.token_hex(8))
        keys = derive(passphrase, header.salt)
        target = os.path.join(given["folder"], f"{given['station']}-{now:%Y%m%dT%H%M%SZ}.backup.tar")
        remote = "" if self._task.check_mode else self._connection._shell.join_path(self._make_tmp_path(), "backup")
        arguments = {"path": remote, "header": asdict(header), "seal": keys.text(), "database": given["database"]}
        answer: dict[str, Any] = self._execute_module(_MODULE, module_args=arguments, task_vars=task_vars)
        if answer.get("failed"):
            raise BackupError(f"{given['station']}: {answer.get('msg', 'the station did not answer')}")
        answer["file"] = target
        if remote:
            answer["bytes"] = self._take(remote, target, header, keys)
        return answer

    def _take(self, remote: str, target: str, header: Header, keys: Any) -> int:
        folder = os.path.dirname(target)
        part = ""
        try:
            os.makedirs(folder, mode=0o700, exist_ok=True)
            descriptor, part = tempfile.mkstemp(dir=folder, prefix=".backup-")
            os.close(descriptor)
            self._connection.fetch_file(remote, part)
            with Backup(part, f"what came from {header.station}") as backup:
                backup.check(keys)
            os.rename(part, target)
        except OSError as error:
            raise BackupError(f"{folder}: {error.strerror}; no backup was made") from error
        finally:
            if part and os.path.exists(part):
                os.unlink(part)
        return os.stat(target).st_size
