# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Controller side of the source_tree module: pack the code, always the same for the same, and send it if it is not there."""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible import constants as C
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..plugin_utils.options import read_options

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "src": {"type": "path", "required": True},
    "parts": {"type": "dict", "default": {}},
    "path": {"type": "path", "required": True},
    "keep": {"type": "int", "default": 1},
}

_MODULE = "voip.preprovision.source_release"
_MODE = 0o100644 << 16


class ActionModule(ActionBase):
    """Wiring."""

    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Bring the code."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = read_options("source_tree", ARGUMENT_SPEC, self._task.args)
        folders = {"": Path(arguments.pop("src"))}
        folders |= {f"{name}/": Path(folder) for name, folder in arguments.pop("parts").items()}
        for folder in folders.values():
            if not folder.is_dir():
                raise AnsibleActionFail(f"source_tree: {folder} is no folder on the controller")
        archive = pack(folders)
        arguments["digest"] = hashlib.sha256(archive).hexdigest()[:32]
        answer = self._execute_module(_MODULE, module_args=arguments, task_vars=task_vars)
        if answer.get("changed") and not answer.get("failed") and not self._task.check_mode:
            answer = self._install(arguments, archive, task_vars)
        result.update(answer)
        return result

    def _install(self, arguments: dict[str, Any], archive: bytes, task_vars: dict[str, Any] | None) -> dict[str, Any]:
        descriptor, path = tempfile.mkstemp(dir=C.DEFAULT_LOCAL_TMP)
        try:
            with open(descriptor, "wb") as file:
                file.write(archive)
            shell = self._connection._shell
            # Ansible removes the last one that was made, and without pipelining the module that looked has had one
            folder = shell.tmpdir or self._make_tmp_path()
            remote = shell.join_path(folder, "archive")
            self._transfer_file(path, remote)
            self._fixup_perms2((folder, remote))
        finally:
            os.unlink(path)
        answer: dict[str, Any] = self._execute_module(_MODULE, module_args={**arguments, "archive": remote}, task_vars=task_vars)
        return answer


def pack(folders: Mapping[str, Path]) -> bytes:
    """Return an archive of all but compiled files in *folders*, by what stands before their names; equal files make equal bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in sorted(found for prefix, folder in folders.items() for found in _files(folder, prefix)):
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = _MODE
            archive.writestr(entry, path.read_bytes())
    return buffer.getvalue()


def _files(folder: Path, prefix: str) -> Iterator[tuple[str, Path]]:
    for path in folder.iterdir():
        if path.name == "__pycache__" or path.suffix == ".pyc":
            continue
        if path.is_dir():
            yield from _files(path, f"{prefix}{path.name}/")
        else:
            yield prefix + path.name, path
