# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a machine was before it became a station, written down once, so that teardown can make it that again."""

from __future__ import annotations

import base64
import grp
import json
import os
import pwd
import re
import stat
import subprocess
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from .belongings import each

FORMAT = 1
_LARGEST = 1 << 20
"""Bytes of a file whose content is kept; configuration is smaller."""


def output(*command: str) -> str:
    """Return what a command prints; nothing where it is not there."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        return ""


def packages() -> dict[str, str]:
    """Return the installed packages, each with its version."""
    listed = output("dpkg-query", "--show", "--showformat=${db:Status-Status} ${Package} ${Version}\n")
    found = (line.split() for line in listed.splitlines() if line.startswith("installed "))
    return {name: version for _status, name, version in found}


def units() -> dict[str, list[str]]:
    """Return whether the units that roles change are enabled, and whether they run."""
    found = {}
    for unit in each("services"):
        shown = output("systemctl", "show", "--property=UnitFileState,ActiveState", unit)
        told = dict(line.split("=", 1) for line in shown.splitlines())
        if told.get("UnitFileState"):
            found[unit] = [told["UnitFileState"], told.get("ActiveState", "")]
    return found


def describe(path: str) -> dict[str, Any] | None:
    """Return what *path* is: a folder, a link or a file with its content; None where nothing is there."""
    if not os.path.lexists(path):
        return None
    found = os.lstat(path)
    owner = {"mode": stat.S_IMODE(found.st_mode), "uid": found.st_uid, "gid": found.st_gid}
    if stat.S_ISLNK(found.st_mode):
        return {"kind": "link", "target": os.readlink(path)}
    if not stat.S_ISREG(found.st_mode):
        return {"kind": "folder", **owner}
    if found.st_size > _LARGEST:
        return {"kind": "file", **owner}
    with open(path, "rb") as file:
        return {"kind": "file", "content": base64.b64encode(file.read()).decode(), **owner}


def links() -> dict[str, Any]:
    """Return the addresses and routes of each link, and whether it was up."""
    try:
        found = json.loads(output("ip", "-json", "address") or "[]")
    except ValueError:
        found = []
    return {
        link["ifname"]: {
            "up": "UP" in link["flags"],
            # Those of IPv6 that a link gives itself, too: it does so only when it comes up
            "addresses": [f"{one['local']}/{one['prefixlen']}" for one in link["addr_info"] if one["scope"] != "host"],
            "routes": [route for version in ("-4", "-6") for route in _routes(version, link["ifname"])],
        }
        for link in found
    }


def _routes(version: str, link: str) -> list[str]:
    """Return the routes that somebody has set, as ip wants to have them back."""
    lines = output("ip", version, "route", "show", "dev", link).splitlines()
    # The kernel and a router's advertisements bring theirs themselves
    return [line.replace(" linkdown", "").strip() for line in lines if not re.search(r"\bproto (kernel|ra)\b", line)]


def is_station() -> bool:
    """Tell whether anything of a station is here."""
    own = [path for path in each("paths") if os.path.lexists(path)]
    return bool(own) or any(os.path.lexists(f"/etc/systemd/system/{unit}") for unit in each("units"))


def look(asked: Iterable[str] = ()) -> dict[str, Any]:
    """Return what the machine is now; *asked* are packages that will be installed beside those of a station's roles."""
    late = is_station()
    return {
        "format": FORMAT,
        "made": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        # Where it was a station already, nobody knows what it was before: teardown then leaves packages and their files alone
        "late": late,
        "packages": packages(),
        "asked": sorted(asked),
        "automatic": output("apt-mark", "showauto").split(),
        "users": sorted(entry.pw_name for entry in pwd.getpwall()),
        "groups": sorted(entry.gr_name for entry in grp.getgrall()),
        "units": units(),
        "paths": {path: describe(path) for part in ("paths", "replaced", "leftovers") for path in each(part)},
        "folders": [folder for folder in sorted(parents()) if os.path.isdir(folder)],
        "links": links(),
    }


def parents() -> set[str]:
    """Return all folders above what roles write, down from the first below the root."""
    paths = [path for part in ("paths", "replaced", "leftovers") for path in each(part)]
    paths += [f"/etc/systemd/system/{unit}" for unit in each("units")]
    return {path[: found.start()] for path in paths for found in re.finditer("(?<=.)/", path)}


def write(path: str, what: Mapping[str, Any]) -> None:
    """Write *what* down, whole or not at all, for root alone."""
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    part = f"{path}.part"
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(what, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    os.rename(part, path)


def read(path: str) -> dict[str, Any] | None:
    """Return what was written down; None where nothing was. Raise ValueError where it cannot be understood."""
    try:
        with open(path) as file:
            what = json.load(file)
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise ValueError(f"{path} is damaged; without it, teardown would leave all packages alone") from error
    if not isinstance(what, dict) or what.get("format") != FORMAT:
        raise ValueError(f"{path} is in a format that this release does not know")
    return what
