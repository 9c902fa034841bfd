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
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from .before import describe, is_station, output, packages, parents, read, units
from .belongings import BEFORE, each
from .shredding import remove, shred

_UNITS = "/etc/systemd/system"
_BENCH = "/sys/class/net/bench0"


class TeardownError(ValueError):
    """Something could not be taken away; the message says what, and what to do."""


class Teardown:
    """Takes away what the roles have put here. In check mode, *only_look*, it tells the same and does nothing."""

    def __init__(self, only_look: bool) -> None:
        try:
            known = read(BEFORE)
        except ValueError as error:
            raise TeardownError(str(error)) from error
        if known is None and not is_station():
            raise TeardownError("is no station: nothing that the roles make is here; nothing was done")
        self._only_look = only_look
        self._known = known is not None and not known["late"]
        self._before: Mapping[str, Any] = known or {}
        self._ports = self._bench_ports()
        self.removed: list[str] = []
        """What goes, in words, in that order."""
        self.stays: list[str] = []
        """What does not, and why."""

    def run(self) -> None:
        """Do it all."""
        if not self._known:
            self.stays.append("all packages and their configuration: nobody wrote down what was here before it became a station")
        self._stop_units()
        self._shred()
        self._purge_packages()
        self._remove_paths()
        self._reinstall()
        self._put_back()
        self._mark()
        self._remove_users()
        self._restore_units()
        self._restore_links()
        self._forget()

    def _do(self, told: str, action: Callable[[], object]) -> None:
        self.removed.append(told)
        if not self._only_look:
            action()

    # -- units

    def _stop_units(self) -> None:
        for unit in each("units"):
            if os.path.lexists(f"{_UNITS}/{unit}"):
                self._do(f"unit {unit}", partial(_systemctl, "disable", "--now", unit))
        if self._known and not self._only_look:
            # Whatever their packages leave, links to them do not stay
            for unit in units().keys() - self._before["units"].keys():
                _systemctl("disable", "--now", unit)
        if os.path.exists(_BENCH):
            # In check mode, or where its unit has failed
            self._do("bridge bench0", partial(output, "ip", "link", "delete", "dev", "bench0"))

    # -- files

    def _was(self, path: str) -> Mapping[str, Any] | None:
        found: Mapping[str, Any] | None = self._before.get("paths", {}).get(path)
        return found if self._known else None

    def _shred(self) -> None:
        for path in each("secret"):
            if os.path.lexists(path) and self._was(path) is None:
                self._do(f"shredded {path}", partial(shred, path))

    def _remove_paths(self) -> None:
        # In check mode these are still there, and told already
        told = {*each("secret"), os.path.dirname(BEFORE)}
        for path in (*each("paths"), *(each("leftovers") if self._known else ())):
            if os.path.lexists(path) and self._was(path) is None and path not in told:
                self._do(f"file {path}", partial(remove, path))
        if self._only_look:
            return
        for unit in each("units"):
            remove(f"{_UNITS}/{unit}")
        for folder in sorted(parents(), reverse=True):
            if self._known and folder not in self._before["folders"] and os.path.isdir(folder) and not os.listdir(folder):
                os.rmdir(folder)
        _systemctl("daemon-reload")
        _systemctl("reset-failed", *each("units"))

    def _put_back(self) -> None:
        for path in (*each("replaced"), *each("paths"), *each("leftovers")):
            was = self._was(path)
            if was is None or was["kind"] == "folder" or describe(path) == was:
                continue
            if was["kind"] == "file" and "content" not in was:
                continue
            self._do(f"put back {path}", partial(_put, path, was))

    # -- packages

    def _purge_packages(self) -> None:
        names = self._superfluous()
        for name in names:
            self._do(f"package {name}", bool)
        wanted = {name for part in ("packages", "on_request") for name in each(part)} - self._before.get("packages", {}).keys()
        for name in sorted((wanted & packages().keys()) - set(names)) if self._known else ():
            self.stays.append(f"package {name}: something else that was installed since needs it")
        if names and not self._only_look:
            _apt("purge", *names)

    def _superfluous(self) -> list[str]:
        """Return the packages that nobody needs once nobody wants those of the roles, but for those that were there before."""
        if not self._known:
            return []
        now = packages()
        new = now.keys() - self._before["packages"].keys()
        wanted = sorted(new & {name for part in ("packages", "on_request") for name in each(part)})
        with tempfile.TemporaryDirectory() as folder:
            states = os.path.join(folder, "states")
            if os.path.exists("/var/lib/apt/extended_states"):
                shutil.copy("/var/lib/apt/extended_states", states)
            option = f"Dir::State::extended_states={states}"
            if wanted:
                _check(["apt-mark", "-o", option, "auto", *wanted])
            weak = ["-o", "APT::AutoRemove::RecommendsImportant=false", "-o", "APT::AutoRemove::SuggestsImportant=false"]
            told = _check(["apt-get", "--simulate", "-o", option, *weak, "autoremove"])
        unneeded = {name.partition(":")[0] for name in re.findall(r"^Remv (\S+)", told, re.MULTILINE)}
        return sorted(unneeded & new & self._of_roles(now))

    def _of_roles(self, now: Iterable[str]) -> set[str]:
        """Return what the roles' packages are, and what they have drawn in."""
        names = [name for part in ("packages", "on_request") for name in each(part)]
        told = output(
            *("apt-cache", "depends", "--recurse", "--no-recommends", "--no-suggests", "--no-enhances", "--no-conflicts"),
            *("--no-breaks", "--no-replaces", *names),
        )
        return {name.partition(":")[0] for name in re.findall(r"^\S+$|(?<=: )\S+$", told, re.MULTILINE)} & set(now)

    def _reinstall(self) -> None:
        if not self._known:
            return
        gone = sorted(set(each("displaced")) & self._before["packages"].keys() - packages().keys())
        for name in gone:
            self._do(f"installed again {name}", bool)
        if gone and not self._only_look:
            try:
                _apt("install", "--no-install-recommends", *gone)
            except TeardownError as error:
                raise TeardownError(
                    f"{error}; {', '.join(gone)} was here before, and comes from the machine's package server"
                ) from error

    def _mark(self) -> None:
        if self._only_look or not self._known:
            return
        # Asked for by a role, one that was drawn in before counts as wanted
        wanted = set(self._before["automatic"]) & {name for part in ("packages", "on_request") for name in each(part)}
        if wanted:
            _check(["apt-mark", "auto", *sorted(wanted)])

    # -- users

    def _remove_users(self) -> None:
        users = [*each("users"), *(each("package_users") if self._known else ())]
        for name in users:
            if name in self._before.get("users", ()) and self._known:
                continue
            if name in {entry.pw_name for entry in pwd.getpwall()}:
                self._do(f"user {name}", partial(_check, ["userdel", name]))
            if name in {entry.gr_name for entry in grp.getgrall()} and name not in self._before.get("groups", ()):
                self._do(f"group {name}", partial(_check, ["groupdel", name]))

    # -- what runs, and the network

    def _restore_units(self) -> None:
        if self._only_look:
            return
        if os.path.isdir("/run/NetworkManager"):
            _systemctl("reload", "NetworkManager.service")
        now = units()
        was = self._before.get("units", {}) if self._known else {}
        for unit, (enabled, active) in was.items():
            if unit not in now:
                continue
            if enabled != now[unit][0] and enabled in ("enabled", "disabled"):
                _systemctl("enable" if enabled == "enabled" else "disable", unit)
            _systemctl("restart" if active == "active" else "stop", unit)
        for unit in now.keys() - was.keys() if self._known else ():
            _systemctl("stop", unit)

    @staticmethod
    def _bench_ports() -> list[str]:
        try:
            links = json.loads(output("ip", "-json", "link", "show", "master", "bench0") or "[]")
        except ValueError:
            return []
        # Those of emulated phones go by themselves
        return [link["ifname"] for link in links if "link_index" not in link]

    def _restore_links(self) -> None:
        links = self._before.get("links", {}) if self._known else {}
        for name in self._ports:
            was = links.get(name)
            if was is None:
                continue
            for address in was["addresses"]:
                self._do(f"address {address} back on {name}", partial(output, "ip", "address", "replace", address, "dev", name))
            if not self._only_look:
                output("ip", "link", "set", "dev", name, "up" if was["up"] else "down")

    def _forget(self) -> None:
        folder = os.path.dirname(BEFORE)
        if os.path.exists(folder):
            self._do(f"file {folder}", partial(remove, folder))


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
