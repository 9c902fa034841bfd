# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What roles ask about a host before they change it: packages, services, the clock, and what earlier releases left."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ..common.processes import run_program
from .retirement import find_retired

_PACKAGES = ("dpkg-query", "--show", "--showformat=${db:Status-Status} ${Package}\n")
_UPDATES = "/var/lib/dpkg/updates"
_FINISHED = ("installed", "config-files", "not-installed")
_PROPERTIES = ("--property=Id", "--property=ActiveState", "--property=UnitFileState")
# capabilities(7); Linux's capability.h has the number
_CAP_SYS_TIME = 25
_UNITS = ("systemctl", "show", *_PROPERTIES, "*.service", "*.path")


class HostState(NamedTuple):
    """What is there."""

    installed_packages: list[str]
    active_units: list[str]
    """Services and path units that are active now and enabled for the next boot."""
    retired: list[str]
    """Unit files and paths of earlier releases."""
    dpkg_interrupted: bool
    """Whether apt would refuse to work until dpkg has finished what it was doing."""
    clock_can_be_set: bool
    """Whether services can set the clock; those of most containers cannot."""


def read_host_state() -> HostState:
    """Ask dpkg, systemd and the file system."""
    packages = _run(_PACKAGES)
    return HostState(
        parse_packages(packages),
        parse_units(_run(_UNITS)),
        find_retired(),
        is_interrupted(packages, os.listdir(_UPDATES)),
        can_set_clock(),
    )


def parse_packages(listed: str) -> list[str]:
    """Return the names of the packages that dpkg-query lists as installed."""
    pairs = (line.split(" ", 1) for line in listed.splitlines() if " " in line)
    return sorted({name for status, name in pairs if status == "installed"})


def is_interrupted(listed: str, updates: Sequence[str]) -> bool:
    """Return whether dpkg-query lists packages that are neither there nor gone, or dpkg has a journal of *updates* to apply."""
    states = (line.split(" ", 1)[0] for line in listed.splitlines() if " " in line)
    return any(name.isdigit() for name in updates) or any(state not in _FINISHED for state in states)


def parse_units(shown: str) -> list[str]:
    """Return the units that `systemctl show` reports as active and enabled."""
    found = []
    for paragraph in shown.split("\n\n"):
        unit = dict(line.split("=", 1) for line in paragraph.splitlines() if "=" in line)
        if (unit.get("ActiveState"), unit.get("UnitFileState")) == ("active", "enabled"):
            found.append(unit["Id"])
    return sorted(found)


def can_set_clock(process: Path = Path("/proc/1")) -> bool:
    """Return whether what this process (a folder in /proc) starts may set the clock, of which a kernel has only one."""
    (bounding_set,) = re.findall(r"^CapBnd:\s*([0-9a-f]+)$", (process / "status").read_text(), re.MULTILINE)
    # Elsewhere the capability is one over the user namespace, which does not count
    in_first_namespace = (process / "uid_map").read_text().split() == ["0", "0", "4294967295"]
    return in_first_namespace and bool(int(bounding_set, 16) >> _CAP_SYS_TIME & 1)


def _run(command: tuple[str, ...]) -> str:
    done = run_program(command, text=True)
    done.check_returncode()
    return done.stdout
