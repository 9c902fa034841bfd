# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Calls of the collection's own modules on the target, and the files that action plugins send there.

ansible-core offers action plugins this interface as methods with a leading underscore; only this file calls them from outside.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import IO, Any, Protocol

from ansible import constants as C
from ansible.errors import AnsibleActionFail

from ..module_utils.publishing.transfer import EncryptedWriter


class Action(Protocol):
    """What this file needs of an action plugin."""

    _connection: Any

    def _execute_module(self, module_name: str, module_args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]: ...

    def _make_tmp_path(self) -> str: ...

    def _transfer_file(self, local_path: str, remote_path: str) -> str: ...

    def _fixup_perms2(self, remote_paths: tuple[str, ...]) -> list[str]: ...


@contextlib.contextmanager
def failing(*errors: type[Exception], reword: Callable[[str], str] = str) -> Iterator[None]:
    """Turn these errors into a failure of the task with their message, reworded for the user.

    Without the cause, which Ansible would show, too: it could quote the value of a variable.
    """
    try:
        yield
    except errors as error:
        raise AnsibleActionFail(reword(str(error))) from None


class TargetModule:
    """One module of the collection on the target of a task."""

    def __init__(self, action: Action, module: str, variables: Mapping[str, Any] | None, label: str, **shared: Any) -> None:
        """*label* begins error messages, unless it is empty; *shared*: arguments of every call."""
        self._action = action
        self._module = f"voip.preprovision.{module}"
        self._variables = variables or {}
        self._begin = f"{label}: " if label else ""
        self._shared = shared

    def call(self, **arguments: Any) -> dict[str, Any]:
        """Return the module's result; raise AnsibleActionFail with its message if it fails."""
        answer = self._action._execute_module(self._module, module_args={**self._shared, **arguments}, task_vars=self._variables)
        if answer.get("failed"):
            raise AnsibleActionFail(f"{self._begin}{answer.get('msg', 'the target returned no result')}", result=answer)
        # It repeats the arguments, which hold keys and contents of files
        answer.pop("invocation", None)
        return answer

    def remote_path(self, name: str) -> str:
        """Return a path in the task's temporary folder on the target."""
        return str(self._action._connection._shell.join_path(self._folder(), name))

    def upload(self, path: str) -> str:
        """Send a file; return its path on the target, where it stays until the task ends."""
        return self.upload_pieces([(path, "archive")])[0]

    def upload_pieces(self, pieces: Iterable[tuple[str, str]]) -> list[str]:
        """Send files, given as path and name on the target; return their paths. Take each piece once the one before it is sent."""
        remotes = []
        for path, name in pieces:
            remotes.append(self.remote_path(name))
            self._action._transfer_file(path, remotes[-1])
        self._action._fixup_perms2((self._folder(), *remotes))
        return remotes

    def upload_bytes(self, content: bytes) -> str:
        """Send *content* as a file; return its path on the target."""
        with local_file() as (file, path):
            file.write(content)
            file.close()
            return self.upload(path)

    def _folder(self) -> str:
        # Ansible removes only the latest temporary folder, so use the one that an earlier module call made, if any
        return str(self._action._connection._shell.tmpdir or self._action._make_tmp_path())


@contextlib.contextmanager
def local_file() -> Iterator[tuple[IO[bytes], str]]:
    """Provide an open temporary file on the controller and its path; it is closed and deleted at the end."""
    descriptor, path = tempfile.mkstemp(dir=C.DEFAULT_LOCAL_TMP)
    file = open(descriptor, "wb")  # noqa: SIM115 - closed below, or earlier by whoever has written all
    try:
        yield file, path
    finally:
        file.close()
        os.unlink(path)


class SealedArchive:
    """A local file to send, encrypted with a key of its own for one transfer; it holds keys and passwords of phones."""

    def __init__(self, file: IO[bytes], path: str) -> None:
        self.path = path
        self.key = secrets.token_hex(32)
        self.stream = EncryptedWriter(file, self.key.encode())
        """Takes the plain content."""
        self._file = file

    def close(self) -> None:
        """Complete the file."""
        self.stream.close()
        self._file.close()


@contextlib.contextmanager
def sealed_archive() -> Iterator[SealedArchive]:
    """Provide an archive to write to and send; it is deleted at the end."""
    with local_file() as (file, path):
        yield SealedArchive(file, path)
