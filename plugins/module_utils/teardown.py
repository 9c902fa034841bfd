# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Make a station the machine again that it was. Each step looks at what there is, so that a run that failed can be run again."""

from __future__ import annotations

import base64
import grp
import json
import os
import pwd
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from functools import partial
from typing import Any, NamedTuple

from .before import describe, is_station, output, packages, parents, read, units
from .belongings import BEFORE, each
from .shredding import remove, shred

_UNITS = "/etc/systemd/system"
_BENCH = "/sys/class/net/bench0"
_STATES = "/var/lib/apt/extended_states"


class TeardownError(ValueError):
    """Something could not be taken away; the message says what, and what to do."""


class Step(NamedTuple):
    """One thing to do, which finds nothing to do where it was done already."""

    told: str
    """In words; empty for what goes without saying."""
    action: Callable[[], object]


class Teardown:
    """Takes away what the roles have put here: looks at everything first, and only then changes something."""

    def __init__(self, also: Iterable[str] = ()) -> None:
        """Look at what there is; *also* are paths that roles were told to use instead of their own."""
        try:
            known = read(BEFORE)
        except ValueError as error:
            raise TeardownError(str(error)) from error
        if known is None and not is_station():
            raise TeardownError("is no station: nothing that the roles make is here; nothing was done")
        self._known = known is not None and not known["late"]
        self._before: Mapping[str, Any] = known or {}
        self._also = [path for path in also if path and path not in each("paths")]
        self.stays: list[str] = []
        """What stays, and why."""
        self._steps = list(self._plan())

    def told(self) -> list[str]:
        """Return what goes, in words, in that order."""
        return [step.told for step in self._steps if step.told]

    def run(self) -> None:
        """Do it all."""
        for step in self._steps:
            step.action()

    def _plan(self) -> Iterator[Step]:
        # Before packages are gone nobody knows what they leave
        after = [*self._leftovers(), *self._links()]
        yield from self._units()
        yield from self._files("secret", "shredded", shred)
        yield from (Step(f"shredded {path}", partial(shred, path)) for path in self._also if os.path.lexists(path))
        yield from self._files("paths", "file", remove, set(each("secret")))
        yield Step("", partial(self._reload, [f"{_UNITS}/{unit}" for unit in each("units")]))
        if self._known:
            yield from self._packages()
        else:
            self.stays.append("all packages and their configuration: nobody wrote down what was here before it became a station")
        yield from after
        yield from self._users()
        if self._known:
            yield Step("", self._restore_units)
        else:
            # Nothing goes on with a configuration that is gone
            yield Step("", partial(_systemctl, "try-restart", *each("services")))
        yield Step("", partial(remove, os.path.dirname(BEFORE)))

    # -- units

    def _units(self) -> Iterator[Step]:
        for unit in each("units"):
            if os.path.lexists(f"{_UNITS}/{unit}"):
                yield Step(f"unit {unit}", partial(_systemctl, "disable", "--now", unit))
        if self._known:
            # Their packages would leave links to them
            for unit in units().keys() - self._before["units"].keys():
                yield Step("", partial(_systemctl, "disable", "--now", unit))
        if os.path.exists(_BENCH):
            # Gone with its unit, unless that has failed
            yield Step("bridge bench0", partial(output, "ip", "link", "delete", "dev", "bench0"))

    @staticmethod
    def _reload(files: Iterable[str]) -> None:
        for path in files:
            remove(path)
        _systemctl("daemon-reload")
        _systemctl("reset-failed", *each("units"))

    def _restore_units(self) -> None:
        if os.path.isdir("/run/NetworkManager"):
            _systemctl("reload", "NetworkManager.service")
        now, was = units(), self._before["units"]
        for unit in now.keys() & was.keys():
            enabled, active = was[unit]
            if enabled != now[unit][0] and enabled in ("enabled", "disabled"):
                _systemctl("enable" if enabled == "enabled" else "disable", unit)
            _systemctl("restart" if active == "active" else "stop", unit)
        for unit in now.keys() - was.keys():
            _systemctl("stop", unit)

    # -- files

    def _was(self, path: str) -> Mapping[str, Any] | None:
        found: Mapping[str, Any] | None = self._before["paths"].get(path) if self._known else None
        return found

    def _files(self, part: str, word: str, action: Callable[[str], object], but: Iterable[str] = ()) -> Iterator[Step]:
        for path in each(part):
            if os.path.lexists(path) and self._was(path) is None and path not in (*but, os.path.dirname(BEFORE)):
                yield Step(f"{word} {path}", partial(action, path))

    def _leftovers(self) -> Iterator[Step]:
        """What packages leave behind, and what they had before a role wrote over it."""
        if not self._known:
            return
        yield from self._files("leftovers", "file", remove)
        yield Step("", partial(_remove_empty, parents() - set(self._before["folders"])))
        for path in (*each("replaced"), *each("paths"), *each("leftovers")):
            was = self._was(path)
            kept = was is not None and (was["kind"] == "link" or "content" in was)
            if was is not None and kept and describe(path) != was:
                yield Step(f"put back {path}", partial(_put, path, was))

    # -- packages

    def _packages(self) -> Iterator[Step]:
        own = {name for part in ("packages", "on_request") for name in each(part)} | set(self._before.get("asked", ()))
        now, was = packages().keys(), self._before["packages"].keys()
        names = self._superfluous(now - was, own)
        yield from (Step(f"package {name}", bool) for name in names)
        if names:
            yield Step("", partial(_apt, "purge", *names))
        for name in sorted((own - was) & now - set(names)):
            self.stays.append(f"package {name}: something else that was installed since needs it")
        gone = sorted(set(each("displaced")) & was - now)
        yield from (Step(f"installed again {name}", bool) for name in gone)
        if gone:
            yield Step("", partial(_apt, "install", "--no-install-recommends", *gone))
        # One that was drawn in before counts as wanted since a role has asked for it
        marked = sorted(own & set(self._before["automatic"]))
        if marked:
            yield Step("", partial(_check, ["apt-mark", "auto", *marked]))

    @staticmethod
    def _superfluous(new: Set[str], own: Set[str]) -> list[str]:
        """Return those of the *new* packages that nobody needs once nobody wants a role's *own*."""
        with tempfile.TemporaryDirectory() as folder:
            states = os.path.join(folder, "states")
            if os.path.exists(_STATES):
                shutil.copy(_STATES, states)
            option = f"Dir::State::extended_states={states}"
            if own & new:
                _check(["apt-mark", "-o", option, "auto", *sorted(own & new)])
            weak = ["-o", "APT::AutoRemove::RecommendsImportant=false", "-o", "APT::AutoRemove::SuggestsImportant=false"]
            told = _check(["apt-get", "--simulate", "-o", option, *weak, "autoremove"])
        unneeded = {name.partition(":")[0] for name in re.findall(r"^Remv (\S+)", told, re.MULTILINE)}
        # What somebody has installed since, and no longer needs, is not ours
        return sorted(unneeded & new & _with_dependencies(own))

    # -- users

    def _users(self) -> Iterator[Step]:
        there = {entry.pw_name for entry in pwd.getpwall()}, {entry.gr_name for entry in grp.getgrall()}
        for name in (*each("users"), *(each("package_users") if self._known else ())):
            for kind, part, names in (("user", "users", there[0]), ("group", "groups", there[1])):
                if name in names and not (self._known and name in self._before[part]):
                    yield Step(f"{kind} {name}", partial(_remove_account, kind, name))

    # -- the network

    def _links(self) -> Iterator[Step]:
        """Give the bench's ports back the addresses and routes that they had."""
        try:
            ports = json.loads(output("ip", "-json", "link", "show", "master", "bench0") or "[]")
        except ValueError:
            ports = []
        for port in ports:
            name = port["ifname"]
            was = self._before["links"].get(name) if self._known else None
            for address in was["addresses"] if was else ():
                yield Step(f"address {address} back on {name}", partial(output, "ip", "address", "replace", address, "dev", name))
            if was:
                yield Step("", partial(output, "ip", "link", "set", "dev", name, "up" if was["up"] else "down"))
            for route in was["routes"] if was else ():
                yield Step(f"route {route} back on {name}", partial(output, "ip", "route", "replace", *route.split(), "dev", name))


def _with_dependencies(names: Iterable[str]) -> set[str]:
    """Return *names* and what they draw in, of the packages that apt knows."""
    weak = ("recommends", "suggests", "enhances", "conflicts", "breaks", "replaces")
    told = output("apt-cache", "depends", "--recurse", *(f"--no-{word}" for word in weak), *names)
    return {name.partition(":")[0] for name in re.findall(r"^\S+$|(?<=: )\S+$", told, re.MULTILINE)}


def _remove_account(kind: str, name: str) -> None:
    """Remove a user or a group; the script of a package, or the end of its user, may have done that."""
    if name in ({entry.pw_name for entry in pwd.getpwall()} if kind == "user" else {entry.gr_name for entry in grp.getgrall()}):
        _check([f"{kind}del", name])


def _remove_empty(folders: Iterable[str]) -> None:
    for folder in sorted(folders, reverse=True):
        if os.path.isdir(folder) and not os.listdir(folder):
            os.rmdir(folder)


def _put(path: str, was: Mapping[str, Any]) -> None:
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


def _systemctl(*arguments: str) -> bool:
    return subprocess.run(["systemctl", *arguments], capture_output=True, check=False).returncode == 0


def _check(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C.UTF-8"})
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or [f"status {done.returncode}"]
        raise TeardownError(f"{' '.join(command[:2])}: {lines[-1]}")
    return done.stdout


def _apt(verb: str, *names: str) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    command = ["apt-get", "--yes", "-o", "DPkg::Lock::Timeout=60", verb, *names]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        said = done.stderr.splitlines()
        errors = [line.removeprefix("E: ") for line in said if line.startswith("E: ")] or said or [f"status {done.returncode}"]
        raise TeardownError(f"apt-get {verb}: {errors[0]}")
