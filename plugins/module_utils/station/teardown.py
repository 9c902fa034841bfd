# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Undo everything the station roles changed on a host. Each step checks the present state, so a failed run can be repeated."""

from __future__ import annotations

import base64
import grp
import json
import os
import pwd
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Set
from functools import partial
from typing import NamedTuple

from ..common.durable import sync_folder
from ..common.processes import run_program
from .baseline import (
    Baseline,
    PathState,
    command_output,
    describe,
    installed_packages,
    is_station,
    parent_folders,
    read_baseline,
    sysctl_path,
    sysctl_values,
    unit_states,
)
from .commands import apt_error, systemctl
from .footprint import BASELINE, EARLIER_BASELINE, across_roles
from .shredding import remove, shred

_UNITS = "/etc/systemd/system"
_BENCH = "/sys/class/net/bench0"
_STATES = "/var/lib/apt/extended_states"
_OWN_UNITS = ("units", "retired_units")


class TeardownError(ValueError):
    """Something cannot be removed; the message says what, and what to do."""


class Step(NamedTuple):
    """One step of a teardown; it does nothing if it was done already."""

    label: str
    """Its line in the report; empty if it is not worth one."""
    action: Callable[[], object]


class Teardown:
    """A teardown: it plans everything before it changes anything."""

    def __init__(self, also: Iterable[str] = ()) -> None:
        """Plan the teardown; *also*: paths that roles were configured to use instead of their own."""
        try:
            known = read_baseline(BASELINE, EARLIER_BASELINE)
        except ValueError as error:
            raise TeardownError(str(error)) from error
        if known is None and not is_station():
            raise TeardownError("this host is not a station: nothing that the roles install exists here; nothing was done")
        # A late baseline does not describe the host before it became a station
        self._baseline: Baseline | None = None if known is None or known["late"] else known
        self._also = [path for path in also if path and path not in across_roles("paths")]
        self.stays: list[str] = []
        """Things that stay, each with the reason."""
        self._steps = list(self._plan())

    def summary(self) -> list[str]:
        """Return what will be removed or restored, in order, for people."""
        return [step.label for step in self._steps if step.label]

    def run(self) -> None:
        """Execute the plan."""
        for step in self._steps:
            step.action()

    def _plan(self) -> Iterator[Step]:
        # Before packages are purged, find out what they will leave behind
        after = [*self._purge_paths(), *self._links()]
        yield from self._units()
        yield from self._files("secret", "shredded", shred)
        yield from (Step(f"shredded {path}", partial(shred, path)) for path in self._also if os.path.lexists(path))
        yield from self._files("paths", "file", remove, set(across_roles("secret")))
        yield from self._files("retired_paths", "file", remove, (EARLIER_BASELINE,))
        yield Step("", partial(self._reload, [f"{_UNITS}/{unit}" for part in _OWN_UNITS for unit in across_roles(part)]))
        if self._baseline:
            yield from self._packages(self._baseline)
        else:
            self.stays.append("all packages and their configuration: the host's state before it became a station was not recorded")
        yield from after
        yield from self._users()
        yield from self._sysctls()
        if self._baseline:
            yield Step("", partial(self._restore_units, self._baseline))
        else:
            # No service may keep running with a configuration that has been removed
            yield Step("", partial(systemctl, "try-restart", *across_roles("services")))
        yield Step("", partial(remove, os.path.dirname(BASELINE)))

    # -- units

    def _units(self) -> Iterator[Step]:
        for unit in (unit for part in _OWN_UNITS for unit in across_roles(part)):
            if os.path.lexists(f"{_UNITS}/{unit}"):
                yield Step(f"unit {unit}", partial(systemctl, "disable", "--now", unit))
        if self._baseline:
            # Purged packages would leave links to their units
            for unit in unit_states().keys() - self._baseline["units"].keys():
                yield Step("", partial(systemctl, "disable", "--now", unit))
        if os.path.exists(_BENCH):
            # Its unit removes it, unless the unit failed
            yield Step("bridge bench0", partial(command_output, "ip", "link", "delete", "dev", "bench0"))

    @staticmethod
    def _reload(files: Iterable[str]) -> None:
        for path in files:
            remove(path)
        systemctl("daemon-reload")
        systemctl("reset-failed", *(unit for part in _OWN_UNITS for unit in across_roles(part)))

    @staticmethod
    def _restore_units(baseline: Baseline) -> None:
        if os.path.isdir("/run/NetworkManager"):
            systemctl("reload", "NetworkManager.service")
        now, was = unit_states(), baseline["units"]
        for unit in now.keys() & was.keys():
            enabled, active = was[unit]
            if enabled != now[unit][0] and enabled in ("enabled", "disabled"):
                systemctl("enable" if enabled == "enabled" else "disable", unit)
            systemctl("restart" if active == "active" else "stop", unit)
        for unit in now.keys() - was.keys():
            systemctl("stop", unit)

    # -- files

    def _was(self, path: str) -> PathState | None:
        return self._baseline["paths"].get(path) if self._baseline else None

    def _files(self, part: str, word: str, action: Callable[[str], object], but: Iterable[str] = ()) -> Iterator[Step]:
        for path in across_roles(part):
            if os.path.lexists(path) and self._was(path) is None and path not in (*but, os.path.dirname(BASELINE)):
                yield Step(f"{word} {path}", partial(action, path))

    def _purge_paths(self) -> Iterator[Step]:
        """Remove what packages leave behind, and restore the files that roles replaced."""
        if not self._baseline:
            return
        yield from self._files("purge_paths", "file", remove)
        # A package's services create more until the package is purged
        yield from (Step("", partial(remove, path)) for path in across_roles("purge_paths") if self._was(path) is None)
        yield Step("", partial(_remove_empty, parent_folders() - set(self._baseline["folders"])))
        for path in (*across_roles("replaced"), *across_roles("paths"), *across_roles("purge_paths")):
            was = self._was(path)
            kept = was is not None and (was["kind"] == "link" or "content" in was)
            if was is not None and kept and describe(path) != was:
                yield Step(f"put back {path}", partial(_put, path, was))

    # -- packages

    def _packages(self, baseline: Baseline) -> Iterator[Step]:
        known = {name for part in ("packages", "optional_packages") for name in across_roles(part)}
        own = known | set(baseline.get("asked", ()))
        now, was = installed_packages().keys(), baseline["packages"].keys()
        names = superfluous(now - was, own)
        yield from (Step(f"package {name}", bool) for name in names)
        if names:
            yield Step("", partial(purge, names))
        for name in sorted((own - was) & now - set(names)):
            self.stays.append(f"package {name}: a package that was installed since needs it")
        gone = sorted(set(across_roles("removed_by_apt")) & was - now)
        yield from (Step(f"reinstalled {name}", bool) for name in gone)
        if gone:
            yield Step("", partial(_apt, "install", "--no-install-recommends", *gone))
        # A role has requested these packages, which were installed as dependencies; mark them as automatic again
        marked = sorted(own & set(baseline["automatic"]))
        if marked:
            yield Step("", partial(_check, ["apt-mark", "auto", *marked]))

    # -- users

    def _users(self) -> Iterator[Step]:
        there = {entry.pw_name for entry in pwd.getpwall()}, {entry.gr_name for entry in grp.getgrall()}
        before = (self._baseline["users"], self._baseline["groups"]) if self._baseline else ([], [])
        for name in (*across_roles("users"), *(across_roles("package_users") if self._baseline else ())):
            for kind, names, accounts in (("user", there[0], before[0]), ("group", there[1], before[1])):
                if name in names and name not in accounts:
                    yield Step(f"{kind} {name}", partial(remove_account, kind, name))

    # -- the kernel

    def _sysctls(self) -> Iterator[Step]:
        was = self._baseline.get("sysctls", {}) if self._baseline else {}
        for name, now in sysctl_values().items():
            if name in was and was[name] != now:
                yield Step(f"kernel setting {name} back to {was[name]}", partial(_write_sysctl, name, was[name]))

    # -- the network

    def _links(self) -> Iterator[Step]:
        """Restore the addresses and routes of the bench's ports."""
        try:
            ports = json.loads(command_output("ip", "-json", "link", "show", "master", "bench0") or "[]")
        except ValueError:
            ports = []
        for port in ports:
            name = port["ifname"]
            was = self._baseline["links"].get(name) if self._baseline else None
            for address in was["addresses"] if was else ():
                yield Step(
                    f"address {address} back on {name}", partial(command_output, "ip", "address", "replace", address, "dev", name)
                )
            if was:
                yield Step("", partial(command_output, "ip", "link", "set", "dev", name, "up" if was["up"] else "down"))
            for route in was["routes"] if was else ():
                yield Step(
                    f"route {route} back on {name}", partial(command_output, "ip", "route", "replace", *route.split(), "dev", name)
                )


def superfluous(new: Set[str], own: Set[str]) -> list[str]:
    """Return the *new* packages that apt no longer needs once the roles' *own* packages are marked as automatic."""
    with tempfile.TemporaryDirectory() as folder:
        states = os.path.join(folder, "states")
        if os.path.exists(_STATES):
            shutil.copy(_STATES, states)
        option = f"Dir::State::extended_states={states}"
        if own & new:
            _check(["apt-mark", "-o", option, "auto", *sorted(own & new)])
        weak = ["-o", "APT::AutoRemove::RecommendsImportant=false", "-o", "APT::AutoRemove::SuggestsImportant=false"]
        plan = _check(["apt-get", "--simulate", "-o", option, *weak, "autoremove"])
    unneeded = {name.partition(":")[0] for name in re.findall(r"^Remv (\S+)", plan, re.MULTILINE)}
    # Leave unneeded packages that others have installed since
    return sorted(unneeded & new & _with_dependencies(own))


def purge(names: Iterable[str]) -> None:
    """Purge packages; raise TeardownError."""
    _apt("purge", *names)


def _with_dependencies(names: Iterable[str]) -> set[str]:
    """Return *names* and their dependencies."""
    weak = ("recommends", "suggests", "enhances", "conflicts", "breaks", "replaces")
    listing = command_output("apt-cache", "depends", "--recurse", *(f"--no-{word}" for word in weak), *names)
    return {name.partition(":")[0] for name in re.findall(r"^\S+$|(?<=: )\S+$", listing, re.MULTILINE)}


def _write_sysctl(name: str, value: str) -> None:
    with open(sysctl_path(name), "w") as file:
        file.write(f"{value}\n")


def remove_account(kind: str, name: str) -> None:
    """Remove a user or group, unless a package's script or the user's removal has done so; raise TeardownError."""
    # dpkg refuses all work as long as it knows an owner of a path that does not exist
    for line in command_output("dpkg-statoverride", "--list").splitlines():
        user, group, _mode, path = line.split(" ", 3)
        if name == (user if kind == "user" else group):
            _check(["dpkg-statoverride", "--remove", path])
    if name in ({entry.pw_name for entry in pwd.getpwall()} if kind == "user" else {entry.gr_name for entry in grp.getgrall()}):
        _check([f"{kind}del", name])


def _remove_empty(folders: Iterable[str]) -> None:
    for folder in sorted(folders, reverse=True):
        if os.path.isdir(folder) and not os.listdir(folder):
            os.rmdir(folder)


def _put(path: str, was: PathState) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    part = f"{path}.part"
    remove(part)
    if was["kind"] == "link":
        os.symlink(was["target"], part)
    else:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(base64.b64decode(was["content"]))
            file.flush()
            os.fsync(file.fileno())
        os.chown(part, was["uid"], was["gid"])
        os.chmod(part, was["mode"])
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    os.rename(part, path)
    sync_folder(os.path.dirname(path))


def _check(command: list[str]) -> str:
    done = run_program(command, text=True, env={**os.environ, "LC_ALL": "C.UTF-8"})
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or [f"status {done.returncode}"]
        raise TeardownError(f"{' '.join(command[:2])}: {lines[-1]}")
    return done.stdout


def _apt(verb: str, *names: str) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    command = ["apt-get", "--yes", "-o", "DPkg::Lock::Timeout=60", verb, *names]
    done = run_program(command, text=True, env=environment)
    if done.returncode:
        raise TeardownError(f"apt-get {verb}: {apt_error(done.stderr, done.returncode)}")
