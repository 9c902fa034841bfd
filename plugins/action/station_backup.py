# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Controller side of the station_backup module: derive the keys, have the station pack, and fetch the file whole or not at all."""

from __future__ import annotations

import os
import secrets
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from ansible.plugins.action import ActionBase

from ..module_utils.common.durable import sync_folder
from ..module_utils.station.backup.archive import Backup, BackupError, Header, Keys, check_passphrase, derive
from ..plugin_utils.options import check_spelling, read_options
from ..plugin_utils.target_module import TargetModule, failing

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "folder": {"type": "path", "required": True},
    "station": {"type": "str", "required": True},
    "release": {"type": "str", "default": ""},
    "passphrase": {"type": "str", "required": True, "no_log": True},
    # A URL of PostgreSQL may hold a password
    "database": {"type": "str", "required": True, "no_log": True},
}


class ActionModule(ActionBase):
    """Wiring."""

    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Make a backup and fetch it."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        check_spelling("station_backup", ARGUMENT_SPEC, self._task.args, self._loader)
        given = read_options("station_backup", ARGUMENT_SPEC, self._task.args)
        target = TargetModule(self, "station_archive", task_vars, given["station"], database=given["database"])
        with failing(BackupError):
            result.update(self._backup(given, target))
        return result

    def _backup(self, given: dict[str, Any], target: TargetModule) -> dict[str, Any]:
        passphrase = check_passphrase(given["passphrase"])
        now = datetime.now(UTC)
        header = Header(given["station"], now.strftime("%Y-%m-%dT%H:%M:%SZ"), given["release"], secrets.token_hex(8))
        keys = derive(passphrase, header.salt)
        file = os.path.join(given["folder"], f"{given['station']}-{now:%Y%m%dT%H%M%SZ}.backup.tar")
        remote = "" if self._task.check_mode else target.remote_path("backup")
        answer = target.call(path=remote, header=asdict(header), seal=keys.text())
        answer["file"] = file
        if remote:
            answer["bytes"] = self._fetch(remote, file, header, keys)
        return answer

    def _fetch(self, remote: str, file: str, header: Header, keys: Keys) -> int:
        """Fetch the backup and verify it before it gets its name; return its size."""
        folder = os.path.dirname(file)
        part = ""
        try:
            os.makedirs(folder, mode=0o700, exist_ok=True)
            descriptor, part = tempfile.mkstemp(dir=folder, prefix=".backup-")
            os.close(descriptor)
            self._connection.fetch_file(remote, part)
            with Backup(part, f"what came from {header.station}") as backup:
                backup.check(keys)
            with open(part, "rb") as fetched:
                os.fsync(fetched.fileno())
            os.rename(part, file)
            sync_folder(folder)
        except OSError as error:
            raise BackupError(f"{folder}: {error.strerror}; no backup was made") from error
        finally:
            if part and os.path.exists(part):
                os.unlink(part)
        return os.stat(file).st_size
