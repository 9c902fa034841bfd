# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The state of a host before it became a station: recorded once, so that teardown can restore it."""

from __future__ import annotations

import base64
import contextlib
import grp
import json
import os
import pwd
import re
import stat
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NotRequired, TypedDict, cast

from ..common.durable import sync_folder
from ..common.processes import run_program
from .footprint import across_roles

FORMAT = 1
_SYSCTLS = "/proc/sys"
_MAX_SIZE = 1 << 20
"""Bytes. The content of larger files is not recorded; configuration is smaller."""


class PathState(TypedDict, total=False):
    """A folder, a link with its target, or a file, with its content unless it is large."""

    kind: str
    target: str
    content: str
    mode: int
    uid: int
    gid: int


class LinkState(TypedDict):
    """A network link."""

    up: bool
    addresses: list[str]
    routes: list[str]


class Baseline(TypedDict):
    """The state of a host."""

    format: int
    made: str
    late: bool
    """Recorded when the host was already a station, so its former state is unknown: teardown keeps packages and their files."""
    packages: dict[str, str]
    asked: list[str]
    """Packages that will be installed besides those of a station's roles."""
    automatic: list[str]
    users: list[str]
    groups: list[str]
    units: dict[str, list[str]]
    paths: dict[str, PathState | None]
    folders: list[str]
    links: dict[str, LinkState]
    sysctls: NotRequired[dict[str, str]]
    """Settings of the kernel; missing in baselines of earlier releases."""


def command_output(*command: str) -> str:
    """Return what a command prints; nothing if the command does not exist."""
    try:
        return run_program(command, text=True).stdout
    except FileNotFoundError:
        return ""


def installed_packages() -> dict[str, str]:
    """Return the installed packages with their versions."""
    listed = command_output("dpkg-query", "--show", "--showformat=${db:Status-Status} ${Package} ${Version}\n")
    found = (line.split() for line in listed.splitlines() if line.startswith("installed "))
    return {name: version for _status, name, version in found}


def unit_states() -> dict[str, list[str]]:
    """Return the UnitFileState and ActiveState of the units that roles change."""
    found = {}
    for unit in across_roles("services"):
        shown = command_output("systemctl", "show", "--property=UnitFileState,ActiveState", unit)
        properties = dict(line.split("=", 1) for line in shown.splitlines())
        if properties.get("UnitFileState"):
            found[unit] = [properties["UnitFileState"], properties.get("ActiveState", "")]
    return found


def describe(path: str) -> PathState | None:
    """Return what *path* is; None if nothing is there."""
    if not os.path.lexists(path):
        return None
    found = os.lstat(path)
    owner: PathState = {"mode": stat.S_IMODE(found.st_mode), "uid": found.st_uid, "gid": found.st_gid}
    if stat.S_ISLNK(found.st_mode):
        return {"kind": "link", "target": os.readlink(path)}
    if not stat.S_ISREG(found.st_mode):
        return {"kind": "folder", **owner}
    if found.st_size > _MAX_SIZE:
        return {"kind": "file", **owner}
    with open(path, "rb") as file:
        return {"kind": "file", "content": base64.b64encode(file.read()).decode(), **owner}


def link_states() -> dict[str, LinkState]:
    """Return the addresses and routes of each link, and whether it is up."""
    try:
        found = json.loads(command_output("ip", "-json", "address") or "[]")
    except ValueError:
        found = []
    return {
        link["ifname"]: {
            "up": "UP" in link["flags"],
            # Including link-local IPv6 addresses, which a link gives itself only when it comes up
            "addresses": [f"{one['local']}/{one['prefixlen']}" for one in link["addr_info"] if one["scope"] != "host"],
            "routes": [route for version in ("-4", "-6") for route in _routes(version, link["ifname"])],
        }
        for link in found
    }


def _routes(version: str, link: str) -> list[str]:
    """Return the routes that somebody has set, as arguments of ip route."""
    lines = command_output("ip", version, "route", "show", "dev", link).splitlines()
    # The kernel and router advertisements restore theirs themselves
    return [line.replace(" linkdown", "").strip() for line in lines if not re.search(r"\bproto (kernel|ra)\b", line)]


def sysctl_path(name: str) -> str:
    """Return the file of a setting of the kernel, such as ``net.ipv4.ip_forward``."""
    return f"{_SYSCTLS}/{name.replace('.', '/')}"


def sysctl_values() -> dict[str, str]:
    """Return the settings of the kernel that roles change; a container may not have them."""
    found = {}
    for name in across_roles("sysctls"):
        with contextlib.suppress(OSError), open(sysctl_path(name)) as file:
            found[name] = file.read().strip()
    return found


def is_station() -> bool:
    """Tell whether the host holds any file or unit of a station's roles."""
    paths = [path for part in ("paths", "retired_paths") for path in across_roles(part)]
    paths += [f"/etc/systemd/system/{unit}" for part in ("units", "retired_units") for unit in across_roles(part)]
    return any(map(os.path.lexists, paths))


def take_baseline(asked: Iterable[str] = ()) -> Baseline:
    """Return the host's state; *asked*: packages that will be installed besides those of a station's roles."""
    return {
        "format": FORMAT,
        "made": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "late": is_station(),
        "packages": installed_packages(),
        "asked": sorted(asked),
        "automatic": command_output("apt-mark", "showauto").split(),
        "users": sorted(entry.pw_name for entry in pwd.getpwall()),
        "groups": sorted(entry.gr_name for entry in grp.getgrall()),
        "units": unit_states(),
        "paths": {path: describe(path) for part in ("paths", "replaced", "purge_paths") for path in across_roles(part)},
        "folders": [folder for folder in sorted(parent_folders()) if os.path.isdir(folder)],
        "links": link_states(),
        "sysctls": sysctl_values(),
    }


def parent_folders() -> set[str]:
    """Return all folders above the files that roles write, except the root."""
    paths = [path for part in ("paths", "replaced", "purge_paths") for path in across_roles(part)]
    paths += [f"/etc/systemd/system/{unit}" for unit in across_roles("units")]
    return {path[: found.start()] for path in paths for found in re.finditer("(?<=.)/", path)}


def write_baseline(path: str, baseline: Baseline) -> None:
    """Write *baseline* durably, as a whole or not at all, readable by root only."""
    folder = os.path.dirname(path)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    part = f"{path}.part"
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(baseline, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    os.rename(part, path)
    sync_folder(folder)


def needs_adoption(earlier: str, path: str) -> bool:
    """Tell whether the file of an earlier release is still there, and *path* does not hold another baseline."""
    return os.path.exists(earlier) and (not os.path.exists(path) or os.path.samefile(earlier, path))


def adopt_earlier(earlier: str, path: str) -> bool:
    """Rename the file of an earlier release; return False if there is none, or if *path* holds another baseline.

    A link first: it never overwrites, and at every moment the baseline has a name.
    """
    if not needs_adoption(earlier, path):
        return False
    with contextlib.suppress(FileExistsError):
        os.link(earlier, path)
    sync_folder(os.path.dirname(path))
    os.unlink(earlier)
    sync_folder(os.path.dirname(path))
    return True


def read_baseline(*paths: str) -> Baseline | None:
    """Return the baseline in the first of *paths* that exists; None if none does. Raise ValueError if it cannot be understood."""
    for path in paths:
        try:
            with open(path) as file:
                found = json.load(file)
        except FileNotFoundError:
            continue
        except ValueError as error:
            raise ValueError(f"{path} is damaged; without it, teardown would leave all packages installed") from error
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            raise ValueError(f"{path} has a format that this release does not know; use the release that wrote it")
        return cast("Baseline", found)
    return None
