# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files as they are and as they must be: compare, stage, validate, swap."""

from __future__ import annotations

import contextlib
import glob
import grp
import os
import pwd
import shlex
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ...common.durable import sync_folder
from ...common.processes import run_program
from .plan import ManagedFile, WholeCheck

MAX_SECONDS = 60
UNITS = "/etc/systemd/system"
_HIDDEN, _HIDDEN_TOO = "(hidden)\n", "(hidden, and different)\n"


class ManagedFileError(ValueError):
    """A file cannot be what it must be; the message says which, and why."""


class Found(NamedTuple):
    """What lies at a path."""

    kind: str
    """file, directory, link, other or absent."""
    content: bytes = b""
    owner: str = ""
    group: str = ""
    mode: int = 0


class Change(NamedTuple):
    """One path that is not what it must be."""

    file: ManagedFile
    found: Found

    def to_diff(self) -> dict[str, str]:
        """Return the difference as Ansible shows it."""
        path = self.file.path
        before, after = _describe_found(self.found), _describe_wanted(self.file)
        if before == after:
            before = after = ""
        was, now = self._contents()
        return {"before_header": path, "after_header": path, "before": before + was, "after": after + now}

    def _contents(self) -> tuple[str, str]:
        """Return the contents before and after, as far as a diff may show them; nothing if they are the same, or a file goes."""
        was, now = self.found.content.decode("utf-8", "replace"), self.file.content
        if was == now or self.file.state != "file":
            return "", ""
        return (_HIDDEN if was else "", _HIDDEN_TOO if now else "") if self.file.secret else (was, now)


def staged_path(path: str) -> str:
    """Return where the candidate for *path* lies until it is swapped in: beside it, with a name that no service reads."""
    folder, name = os.path.split(path)
    return f"{folder}/.{name}.dpkg-new"


def look_at(path: str) -> Found:
    """Return what lies at *path*, without following a link; raise OSError."""
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return Found("absent")
    owner, group = _name(pwd.getpwuid, status.st_uid), _name(grp.getgrgid, status.st_gid)
    mode = stat.S_IMODE(status.st_mode)
    if stat.S_ISREG(status.st_mode):
        with open(path, "rb") as file:
            return Found("file", file.read(), owner, group, mode)
    kinds = ((stat.S_ISDIR, "directory"), (stat.S_ISLNK, "link"))
    return Found(next((kind for test, kind in kinds if test(status.st_mode)), "other"), b"", owner, group, mode)


def find_changes(files: Iterable[ManagedFile]) -> list[Change]:
    """Return the files that are not what they must be."""
    seen = ((file, look_at(file.path)) for file in files)
    return [Change(file, found) for file, found in seen if not _is_right(file, found)]


def _is_right(file: ManagedFile, found: Found) -> bool:
    if file.state != found.kind:
        return False
    same = (found.owner, found.group, found.mode) == (file.owner, file.group, file.mode)
    return file.state == "absent" or (same and (file.state == "directory" or found.content == file.content.encode()))


def stage(changes: Iterable[Change]) -> None:
    """Write the content of each changed file beside it, on the disk, with owner and mode; raise OSError or ManagedFileError."""
    for file, found in changes:
        if file.state != "file":
            continue
        if found.kind == "directory":
            raise ManagedFileError(f"{file.path} is a folder; move it away, because the role writes a file there")
        make_folder(os.path.dirname(file.path))
        candidate = staged_path(file.path)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(candidate)
        descriptor = os.open(candidate, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with open(descriptor, "wb") as written:
            written.write(file.content.encode())
            written.flush()
            _set_owner(written.fileno(), file)
            os.fsync(written.fileno())


def discard(files: Iterable[ManagedFile]) -> None:
    """Remove candidates, also those that an interrupted run has left."""
    for file in files:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            os.unlink(staged_path(file.path))


def validate(changes: Sequence[Change], checks: Iterable[WholeCheck], own: Sequence[ManagedFile] = ()) -> None:
    """Check all candidates, each by itself and together with the *own* files of their role.

    Raise ManagedFileError with the words of what refuses one.
    """
    files = [file for file, _found in changes if file.state == "file"]
    for file in files:
        if file.validate:
            candidate = staged_path(file.path)
            _run([candidate if word == "%s" else word for word in shlex.split(file.validate)], file.path)
    _verify_units([file for file in files if file.is_unit])
    for check in checks:
        inside = [change for change in changes if change.file.path.startswith(f"{check.folder}/")]
        if inside and os.path.isdir(check.folder):
            _check_whole(check, inside, {file.path for file in own})


def swap(changes: Iterable[Change]) -> None:
    """Put every candidate in its place, and make and remove what else there is; raise OSError or ManagedFileError."""
    folders = set()
    for file, found in changes:
        folders.add(os.path.dirname(file.path))
        if file.state == "directory":
            _make_directory(file, found)
        elif file.state == "file":
            os.replace(staged_path(file.path), file.path)
        elif found.kind == "directory":
            raise ManagedFileError(f"{file.path} is a folder; remove it, because nothing may be there")
        else:
            os.unlink(file.path)
    for folder in sorted(folders):
        sync_folder(folder)


def make_folder(folder: str) -> None:
    """Create *folder* and what is missing above it, for root to write and all to read."""
    if os.path.isdir(folder):
        return
    make_folder(os.path.dirname(folder))
    os.mkdir(folder)
    os.chmod(folder, 0o755)  # noqa: S103 - whatever the umask is
    sync_folder(os.path.dirname(folder))


def _make_directory(file: ManagedFile, found: Found) -> None:
    if found.kind == "absent":
        # It exists already if it holds a candidate
        make_folder(os.path.dirname(file.path))
        with contextlib.suppress(FileExistsError):
            os.mkdir(file.path, 0o700)
    elif found.kind != "directory":
        raise ManagedFileError(f"{file.path} is no folder; move it away, because the role needs a folder there")
    descriptor = os.open(file.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        _set_owner(descriptor, file)
    finally:
        os.close(descriptor)


def _set_owner(descriptor: int, file: ManagedFile) -> None:
    try:
        owner, group = pwd.getpwnam(file.owner).pw_uid, grp.getgrnam(file.group).gr_gid
    except KeyError as error:
        raise ManagedFileError(f"{file.path}: {str(error).strip(chr(34))}") from None
    os.fchown(descriptor, owner, group)
    os.fchmod(descriptor, file.mode)


def _verify_units(files: Sequence[ManagedFile]) -> None:
    """Let systemd read the candidates as it would after the swap."""
    names = {name for file in files if (name := _unit_of(file.path))}
    if not names:
        return
    with tempfile.TemporaryDirectory(dir="/run", prefix="preprovision-verify-") as folder:
        for file in files:
            copied = folder + file.path.removeprefix(UNITS)
            os.makedirs(os.path.dirname(copied), exist_ok=True)
            shutil.copyfile(staged_path(file.path), copied)
        for name in names:
            # A package's unit may need programs that this machine lacks, so a stub stands in for it
            if name.endswith(".service") and not os.path.exists(f"{folder}/{name}"):
                Path(folder, name).write_text("[Service]\nExecStart=/usr/bin/true\n")
        known = sorted(name for name in names if os.path.exists(f"{folder}/{name}"))
        # The colon at the end adds the folders that systemd searches anyway
        command = ["systemd-analyze", "verify", "--man=no", *known]
        if known:
            _run(command, ", ".join(file.path for file in files), {"SYSTEMD_UNIT_PATH": f"{folder}:"})


def _unit_of(path: str) -> str:
    """Return the unit that the file at *path* is, or is a drop-in of."""
    return path.removeprefix(f"{UNITS}/").partition("/")[0].removesuffix(".d")


def _remove_foreign(copied: str, check: WholeCheck, own: Collection[str]) -> None:
    """Remove the files of other roles from a copy of the folder: they repair and check them themselves."""
    for found in glob.glob(f"{glob.escape(copied + check.of_roles.removeprefix(check.folder))}*"):
        if check.folder + found.removeprefix(copied) not in own:
            os.unlink(found)


def _check_whole(check: WholeCheck, changes: Sequence[Change], own: Collection[str]) -> None:
    """Run a check that finds a copy of its folder, with the candidates, in the folder's place."""
    with tempfile.TemporaryDirectory(dir="/run", prefix="preprovision-check-") as folder:
        _run(["cp", "-a", f"{check.folder}/.", folder], check.folder)
        if check.of_roles:
            _remove_foreign(folder, check, own)
        for file, _found in changes:
            copied = folder + file.path.removeprefix(check.folder)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(copied)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(staged_path(copied))
            if file.state == "file":
                os.makedirs(os.path.dirname(copied), exist_ok=True)
                shutil.copyfile(staged_path(file.path), copied)
        script = f'mount --bind "$0" {check.folder} && {check.command}'
        _run(["unshare", "--mount", "sh", "-c", script, folder], ", ".join(change.file.path for change in changes))


def _run(command: Sequence[str], what: str, environment: dict[str, str] | None = None) -> None:
    try:
        done = run_program(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=MAX_SECONDS,
            env={**os.environ, "LC_ALL": "C", **(environment or {})},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ManagedFileError(f"{what} cannot be checked: {error}; nothing was changed") from None
    if done.returncode:
        said = done.stdout.decode("utf-8", "replace").strip() or f"{command[0]} ended with {done.returncode}"
        raise ManagedFileError(f"{what} would not be valid, so nothing was changed: {said}")


def _describe_found(found: Found) -> str:
    if found.kind == "absent":
        return "absent\n"
    return f"{found.kind} of {found.owner}:{found.group}, mode {found.mode:04o}\n"


def _describe_wanted(file: ManagedFile) -> str:
    return "absent\n" if file.state == "absent" else f"{file.state} of {file.owner}:{file.group}, mode {file.mode:04o}\n"


def _name(look_up: Callable[[int], Any], number: int) -> str:
    try:
        return str(look_up(number)[0])
    except KeyError:
        return str(number)
