# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""System users that roles need."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
from collections.abc import Iterable, Mapping, Sequence

from ...common.processes import run_program
from .files import ManagedFileError
from .plan import Account

# systemd's own numbers; see "Users, groups, UIDs and GIDs on systemd systems"
_DYNAMIC = range(61184, 65520)


def missing_accounts(accounts: Iterable[Account]) -> list[Account]:
    """Return the accounts that lack their user, or the group of its name as the user's own."""
    return [account for account in accounts if not _is_complete(account.name)]


def create_account(account: Account, owned: Sequence[str]) -> None:
    """Create the user and the group of *account*; raise ManagedFileError.

    A user that was deleted gets its number back from *owned*, paths that belong to it, so its files are its own again.
    """
    name, numbers = account.name, _former_numbers([account.home, *owned])
    if _group(name) is None:
        _run(["groupadd", "--system", *_option("--gid", numbers.get("gid")), name])
    if _user(name) is None:
        shape = ["--home-dir", account.home, "--no-create-home", "--shell", "/usr/sbin/nologin", "--gid", name]
        _run(["useradd", "--system", *_option("--uid", numbers.get("uid")), *shape, name])
    else:
        _run(["usermod", "--gid", name, name])


def is_dynamic(account: Account) -> bool:
    """Return whether the user exists only while a unit with DynamicUser= runs."""
    user = _user(account.name)
    return user is not None and user.pw_uid in _DYNAMIC


def _is_complete(name: str) -> bool:
    user, group = _user(name), _group(name)
    return user is not None and group is not None and user.pw_gid == group.gr_gid and user.pw_uid not in _DYNAMIC


def _user(name: str) -> pwd.struct_passwd | None:
    with contextlib.suppress(KeyError):
        return pwd.getpwnam(name)
    return None


def _group(name: str) -> grp.struct_group | None:
    with contextlib.suppress(KeyError):
        return grp.getgrnam(name)
    return None


def _former_numbers(paths: Iterable[str]) -> Mapping[str, int]:
    """Return the user's and the group's number on the first path whose owner has no name any more."""
    for path in paths:
        try:
            status = os.lstat(path)
        except OSError:
            continue
        users, groups = {entry.pw_uid for entry in pwd.getpwall()}, {entry.gr_gid for entry in grp.getgrall()}
        found = {"uid": status.st_uid} if status.st_uid not in users else {}
        if status.st_gid not in groups:
            found["gid"] = status.st_gid
        if found:
            return found
    return {}


def _option(name: str, number: int | None) -> list[str]:
    return [] if number is None else [name, str(number)]


def _run(command: Sequence[str]) -> None:
    done = run_program(command, text=True)
    if done.returncode:
        raise ManagedFileError(f"{' '.join(command)}: {done.stderr.strip() or done.returncode}")
