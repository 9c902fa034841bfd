# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Make a host what a plan says, or say what would change."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .accounts import create_account, is_dynamic, missing_accounts
from .files import discard, find_changes, stage, swap, validate
from .notes import FOLDER
from .plan import Plan, Unit
from .trees import install, is_in_use
from .units import (
    StepError,
    check_notes,
    check_runs,
    daemon_reload,
    mark_stale,
    needs_daemon_reload,
    plan_steps,
    read_settled,
    read_states,
    run_step,
    stop_units,
)


@dataclass
class Report:
    """What a call changed, or would change."""

    changes: list[str] = field(default_factory=list)
    """A line for each change."""
    diff: list[dict[str, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    needed: list[str] = field(default_factory=list)
    """Links of code that the controller has to send first; nothing was changed."""

    def to_result(self, with_diff: bool) -> dict[str, Any]:
        """Return it as a module returns it."""
        result: dict[str, Any] = {"changed": bool(self.changes), "changes": self.changes, "needed": self.needed}
        result |= {"warnings": self.warnings} if self.warnings else {}
        return {**result, "diff": self.diff} if with_diff else result


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """Wait until no other call works on this host's files."""
    os.makedirs(FOLDER, mode=0o755, exist_ok=True)
    with open(f"{FOLDER}/lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def blames_another_role(said: str, plan: Plan) -> bool:
    """Return whether what a unit *said* names a file that another role has among those of several roles, and none of *plan*."""
    # nginx also names its main configuration, which may be one of the plan's, whichever file it refuses
    own = any(f"in {file.path}:" in said for file in plan.files)
    shared = [check.of_roles for check in plan.checks if check.of_roles]
    return not own and any(f"in {beginning}" in said for beginning in shared)


class Host:
    """One host and one plan."""

    def __init__(self, plan: Plan, archives: Mapping[str, str]) -> None:
        """*archives*: the code of each link that lacks its own, by link."""
        self._plan = plan
        self._archives = archives
        self._accounts = missing_accounts(plan.accounts)
        self._trees = [tree for tree in plan.trees if not is_in_use(tree)]
        self._changes = find_changes(plan.files)
        self.report = Report()

    def predict(self) -> Report:
        """Return what make_it_so() would do."""
        self._record()
        changing = [change.file.path for change in self._changes] + [tree.path for tree in self._trees]
        states = read_states(self._plan.units)
        for unit in self._plan.units:
            self.report.changes += [step.describe() for step in plan_steps(unit, states[unit.name], changing)]
        return self.report

    def apply(self) -> Report:
        """Change what differs; if code has to be sent first, change nothing and name it. Raise OSError and ManagedFileError."""
        self.report.needed = [tree.path for tree in self._trees if tree.path not in self._archives]
        if self.report.needed:
            return self.report
        self._record()
        if any(is_dynamic(account) for account in self._accounts):
            # systemd lends the name to a unit of an earlier release
            stop_units(self._plan.units)
        for account in self._accounts:
            owned = [file.path for file in self._plan.files if file.owner == account.name]
            create_account(account, owned)
        if self._accounts:
            # They may own what belonged to nobody
            self._changes = find_changes(self._plan.files)
        discard(self._plan.files)
        try:
            stage(self._changes)
            validate(self._changes, self._plan.checks, self._plan.files)
            for tree in self._trees:
                install(tree, self._archives[tree.path])
            if any(change.file.is_unit for change in self._changes):
                mark_stale()
            swap(self._changes)
        finally:
            discard(self._plan.files)
        self._settle()
        return self.report

    def _record(self) -> None:
        self.report.changes += [f"created the user {account.name}" for account in self._accounts]
        self.report.changes += [f"installed the code {tree.path}" for tree in self._trees]
        self.report.changes += [
            f"{'removed' if change.file.state == 'absent' else 'wrote'} {change.file.path}" for change in self._changes
        ]
        self.report.diff = [change.to_diff() for change in self._changes]

    def _settle(self) -> None:
        """Bring every unit to its state, in the plan's order; a step for one may have moved another, so look twice."""
        states = read_states(self._plan.units)
        if needs_daemon_reload(states):
            daemon_reload()
            self.report.changes += [] if self.report.changes else ["let systemd read the units on disk"]
        for _look in range(2):
            for unit in self._plan.units:
                with self._blaming(unit):
                    self._move(unit, read_settled(unit))
        for unit in self._plan.units:
            with self._blaming(unit):
                check_runs(unit)

    def _move(self, unit: Unit, state: Mapping[str, str]) -> None:
        for step in plan_steps(unit, state):
            run_step(step)
            self.report.changes.append(step.describe())
            if step.verb in ("start", "restart", "reload"):
                check_notes(unit)

    @contextlib.contextmanager
    def _blaming(self, unit: Unit) -> Iterator[None]:
        """Turn a StepError that another role's file has caused into a warning."""
        try:
            yield
        except StepError as error:
            if not blames_another_role(str(error), self._plan):
                raise
            warning = f"{unit.name} does not accept another role's file, which that role has to repair: {error}"
            self.report.warnings += [] if warning in self.report.warnings else [warning]
