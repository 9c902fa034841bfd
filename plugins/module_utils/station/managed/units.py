# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Units as they are and as they must be: enabled, running, and running with the files that are on disk.

Nothing here depends on what an earlier run has done or meant to do, so a run that was interrupted loses nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import subprocess
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from ...common.processes import run_program
from .files import ManagedFileError
from .notes import FOLDER, LOADED, notes_of, parse_note
from .plan import Unit

STALE = f"{FOLDER}/units-changed"
"""Exists from before a unit's file changes until systemd has read it."""

_PROPERTIES = ("Id", "LoadState", "ActiveState", "SubState", "Result", "UnitFileState", "NeedDaemonReload", "Job")
_LOOKS, _SECONDS = 600, 0.1
_ATTEMPTS = 5
_RUNS = ("active", "activating", "reloading")
# Since systemd 254 the second one, while the first is only passed through
_RETRIES = ("auto-restart", "auto-restart-queued")
_DISABLED = ("", "disabled", "enabled-runtime", "linked", "linked-runtime", "masked", "masked-runtime")


_DONE = {
    "unmask": "unmasked",
    "enable": "enabled",
    "disable": "disabled",
    "stop": "stopped",
    "start": "started",
    "restart": "restarted",
    "reload": "reloaded",
}


class StepError(ManagedFileError):
    """systemd could not take a step; the message holds the unit's last words."""


class Step(NamedTuple):
    """One call of systemctl."""

    verb: str
    unit: str
    reason: str

    def describe(self) -> str:
        """Return what it did, for people."""
        done = _DONE[self.verb]
        return f"{done} {self.unit}: {self.reason}" if self.reason else f"{done} {self.unit}"


def read_states(units: Iterable[Unit]) -> dict[str, dict[str, str]]:
    """Return systemd's properties of each unit by its name; raise ManagedFileError if it does not answer."""
    names = [unit.name for unit in units]
    if not names:
        return {}
    done = _systemctl(["show", f"--property={','.join(_PROPERTIES)}", *names])
    _check(done, "systemctl show")
    blocks = done.stdout.strip().split("\n\n")
    paragraphs = [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in blocks]
    return dict(zip(names, paragraphs, strict=True))


def read_settled(unit: Unit) -> dict[str, str]:
    """Return systemd's properties of *unit* once no job for it is under way: a step for another unit may have begun one."""
    for _look in range(_LOOKS):
        state = read_states([unit])[unit.name]
        if state.get("Job", "") in ("", "0"):
            break
        time.sleep(_SECONDS)
    return state


def needs_daemon_reload(states: Mapping[str, Mapping[str, str]]) -> bool:
    """Return whether systemd has read other files than those on disk."""
    return os.path.exists(STALE) or any(state.get("NeedDaemonReload") == "yes" for state in states.values())


def mark_stale() -> None:
    """Make the next call read all units, however this one ends."""
    os.makedirs(FOLDER, mode=0o755, exist_ok=True)
    with open(STALE, "w"):
        pass


def daemon_reload() -> None:
    """Let systemd read all units; raise ManagedFileError."""
    _check(_systemctl(["daemon-reload"]), "systemctl daemon-reload")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(STALE)


def plan_steps(unit: Unit, state: Mapping[str, str], changing: Collection[str] = ()) -> Iterator[Step]:
    """Yield what makes *unit* what it must be; *changing*: paths that check mode only says it would change."""
    if unit.enabled and state["LoadState"] == "masked":
        yield Step("unmask", unit.name, "")
    if unit.enabled and state["UnitFileState"] in _DISABLED:
        yield Step("enable", unit.name, "")
    if unit.enabled is False and state["UnitFileState"] in ("enabled", "enabled-runtime"):
        yield Step("disable", unit.name, "")
    runs = state["ActiveState"] in _RUNS
    if unit.state == "stopped":
        if runs:
            yield Step("stop", unit.name, "")
        return
    crash = _crash(state)
    if unit.state == "started" and (crash or not runs):
        yield Step("start", unit.name, crash)
    elif runs:
        # Another role's unit that ends for want of a file may have that file now
        yield from _renewals(unit, changing)


def _crash(state: Mapping[str, str]) -> str:
    """Return how a unit ended that systemd is about to start again, or an empty text."""
    if state.get("SubState") not in _RETRIES:
        return ""
    return f"it had ended by itself ({state.get('Result', 'no result')}) and waited for its next attempt"


def _renewals(unit: Unit, changing: Collection[str]) -> Iterator[Step]:
    for path, (digest, files) in notes_of(unit).items():
        reason = _difference(path, digest, files, changing)
        if reason:
            yield Step("reload" if path.startswith(f"{LOADED}/") else "restart", unit.name, reason)
            return
    if unit.holds and not _holds(unit.holds):
        yield Step("restart", unit.name, f"what it has set up is not there any more ({unit.holds.strip()})")
    elif unit.rules and not rules_are_loaded(unit.rules):
        yield Step("reload", unit.name, f"other rules are loaded than those in {unit.rules}")


def run_step(step: Step) -> None:
    """Take a step; raise ManagedFileError with the unit's own last words if it fails."""
    if step.verb in ("start", "restart"):
        _systemctl(["reset-failed", step.unit])
    # One that has ended since, as with damaged code, cannot be reloaded, and is started
    verb = "reload-or-restart" if step.verb == "reload" else step.verb
    for _attempt in range(_ATTEMPTS):
        done = _systemctl([verb, step.unit])
        # A unit that systemd starts by itself at this moment, such as one that another brings along, cancels the job
        if not (done.returncode and "canceled" in done.stderr):
            break
        time.sleep(1)
    if done.returncode:
        raise StepError(f"systemctl {step.verb} {step.unit}: {done.stderr.strip()}{_last_words(step.unit)}")


def check_runs(unit: Unit) -> None:
    """Raise StepError if *unit* must run and has ended again since it was started."""
    state = read_settled(unit)
    if unit.state == "started" and (_crash(state) or state["ActiveState"] == "failed"):
        raise StepError(f"{unit.name} does not stay up ({state.get('Result', 'no result')}){_last_words(unit.name)}")


def _last_words(unit: str) -> str:
    """Return what a unit logged last, after a line feed, or an empty text."""
    command = ["journalctl", "--unit", unit, "--lines=5", "--output=cat", "--no-pager"]
    said = run_program(command, text=True).stdout.strip()
    return f"\n{said}" if said else ""


def stop_units(units: Iterable[Unit]) -> None:
    """Stop these units, whatever they do."""
    _systemctl(["stop", *(unit.name for unit in units)])


def check_notes(unit: Unit) -> None:
    """Raise ManagedFileError if *unit* runs and has not noted the files on disk, since each run would restart it."""
    state = read_states([unit])[unit.name]
    left = list(_renewals(unit, ())) if state["ActiveState"] == "active" else []
    if left:
        raise ManagedFileError(f"{unit.name} runs, but {left[0].reason}, although it was just started or reloaded")


def rules_are_loaded(path: str) -> bool:
    """Return whether the tables of a file of nftables are loaded, apart from what packets add; raise ManagedFileError.

    A network namespace of its own tells what that is.
    """
    script = 'nft -f "$0" && nft --stateless --terse list ruleset'
    fresh = run_program(["unshare", "--net", "sh", "-c", script, path], text=True)
    if fresh.returncode:
        raise ManagedFileError(f"{path} cannot be compared with what is loaded: {fresh.stderr.strip()}")
    for table in re.findall(r"^table .*?^}$", fresh.stdout, re.MULTILINE | re.DOTALL):
        name = table.split("{")[0].split()
        live = run_program(["nft", "--stateless", "--terse", "list", *name], text=True)
        if not holds_table(live.stdout, table):
            return False
    return True


def holds_table(live: str, wanted: str) -> bool:
    """Return whether a table, as nft lists it, has every chain and set of the *wanted* one and no rules besides.

    A file that flushes its table instead of deleting it leaves chains and sets that an earlier version of it had.
    """
    there, must = _blocks(live), _blocks(wanted)
    if any(there.get(name) != body for name, body in must.items()):
        return False
    others = (body for name, body in there.items() if name not in must and name.startswith("chain "))
    return all(line.strip().startswith("type ") for body in others for line in body.splitlines())


def _blocks(table: str) -> dict[str, str]:
    """Return the body of each chain and set of a table by its kind and name."""
    return dict(re.findall(r"^\t(\w+ \S+) \{\n(.*?)^\t\}$", table, re.MULTILINE | re.DOTALL))


def _difference(note: str, digest: str, files: Sequence[str], changing: Collection[str]) -> str:
    """Return how a note differs from the files on disk, or an empty text."""
    try:
        with open(note) as file:
            noted = parse_note(file.read())
    except FileNotFoundError:
        return "it did not record which files it started with"
    if noted.digest != digest:
        return "it was started with another unit"
    there = _digests(files)
    other = [path for path in sorted({*there, *noted.files}) if there.get(path) != noted.files.get(path)]
    other += [path for path in changing if any(path == file or path.startswith(f"{file}/") for file in files)]
    return f"it runs with another {other[0]}" if other else ""


def _digests(paths: Iterable[str]) -> dict[str, str]:
    """Return the SHA-256 of the files at and below *paths*, which a note lists in the same way."""
    found = {}
    for path in paths:
        names = [path] if os.path.isfile(path) else []
        for folder, _folders, files in os.walk(path, followlinks=True):
            names += [os.path.join(folder, name) for name in files]
        for name in names:
            if not name.endswith(".pyc") and os.path.isfile(name):
                with contextlib.suppress(FileNotFoundError), open(name, "rb") as file:
                    found[name] = hashlib.sha256(file.read()).hexdigest()
    return found


def _holds(command: str) -> bool:
    return run_program(["sh", "-c", command]).returncode == 0


def _systemctl(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return run_program(["systemctl", *arguments], text=True)


def _check(done: subprocess.CompletedProcess[str], command: str) -> None:
    if done.returncode:
        raise ManagedFileError(f"{command}: {done.stderr.strip()}")
