# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a role wants on a host: accounts, code, files and units, as the controller sends it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Account:
    """A system user without a shell, and its group of the same name."""

    name: str
    home: str = "/nonexistent"


@dataclass(frozen=True)
class Tree:
    """Python code behind a symbolic link."""

    path: str
    """The link; releases lie in .releases beside it."""
    files: Mapping[str, str]
    """SHA-256 of each file by its name in the code."""
    keep: int = 1
    """Earlier releases to keep."""


@dataclass(frozen=True)
class ManagedFile:
    """One path and what must be there."""

    path: str
    state: str = "file"
    """file, directory or absent."""
    content: str = ""
    owner: str = "root"
    group: str = "root"
    mode: int = 0o644
    validate: str = ""
    """Command that refuses a bad candidate; %s is replaced by its path."""
    secret: bool = False
    """No diff may show the content."""

    @property
    def is_unit(self) -> bool:
        """Return whether systemd reads it."""
        return self.path.startswith("/etc/systemd/system/")


@dataclass(frozen=True)
class WholeCheck:
    """A check of the whole configuration in a folder, with all candidates at their places."""

    folder: str
    command: str
    of_roles: str = ""
    """How paths of files begin that other roles have, too: of these, only those of this plan are checked."""


@dataclass(frozen=True)
class Unit:
    """A unit of systemd and what it must be doing."""

    name: str
    enabled: bool | None = None
    state: str = ""
    """started, stopped, or empty: what runs may stay down, but runs with what is on disk."""
    digest: str = ""
    """Of the unit's own text, which its notes begin with; empty for a unit without notes."""
    restart_for: tuple[str, ...] = ()
    """Files and folders that it reads when it starts."""
    reload_for: tuple[str, ...] = ()
    """Files and folders that it reads again when it is reloaded."""
    reload_for_unit: bool = False
    """A reload also applies changes of the unit's own text."""
    note: str = ""
    """Name of its notes: its own, and for a unit of a package that of the drop-in, since several roles may have one."""
    rules: str = ""
    """File of nftables whose tables must be loaded as it says."""
    holds: str = ""
    """Shell command that succeeds while what the unit has set up is still there."""

    @property
    def reloads(self) -> bool:
        """Return whether a reload does for some changes."""
        return bool(self.reload_for) or self.reload_for_unit


@dataclass(frozen=True)
class Plan:
    """Everything that one role wants."""

    accounts: tuple[Account, ...] = ()
    trees: tuple[Tree, ...] = ()
    files: tuple[ManagedFile, ...] = ()
    checks: tuple[WholeCheck, ...] = ()
    units: tuple[Unit, ...] = field(default_factory=tuple)


def to_json(plan: Plan) -> str:
    """Return *plan* as text."""
    return json.dumps(asdict(plan))


def from_json(text: str) -> Plan:
    """Return the plan that to_json() has written."""
    parts: dict[str, list[dict[str, Any]]] = json.loads(text)
    return Plan(
        accounts=tuple(Account(**part) for part in parts["accounts"]),
        trees=tuple(Tree(**part) for part in parts["trees"]),
        files=tuple(ManagedFile(**part) for part in parts["files"]),
        checks=tuple(WholeCheck(**part) for part in parts["checks"]),
        units=tuple(_unit(part) for part in parts["units"]),
    )


def _unit(part: dict[str, Any]) -> Unit:
    lists = {name: tuple(part[name]) for name in ("restart_for", "reload_for")}
    return Unit(**{**part, **lists})
