# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Remove units and files that earlier releases of the collection made and this one no longer uses."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ..common.processes import run_program
from .footprint import FOOTPRINTS
from .shredding import remove

UNIT_FOLDER = "/etc/systemd/system"


class RetirementError(Exception):
    """A unit of an earlier release cannot be removed; the message says which."""


def find_retired(roles: Sequence[str] = ()) -> list[str]:
    """Return the unit files and paths of earlier releases that are still there, of some *roles* or of all."""
    paths = [*(f"{UNIT_FOLDER}/{unit}" for unit in _items("retired_units", roles)), *_items("retired_paths", roles)]
    return [path for path in paths if os.path.lexists(path)]


def stop_retired_sockets(roles: Sequence[str] = ()) -> list[str]:
    """Stop retired sockets and their services, because the units that replace them need their ports; return them."""
    there = _retired_units(roles)
    sockets = [unit for unit in there if unit.endswith(".socket")]
    units = sockets + [unit for unit in there if unit.replace(".service", ".socket") in sockets and unit not in sockets]
    if units:
        _systemctl("stop", *units)
    return units


def retire(roles: Sequence[str] = ()) -> list[str]:
    """Remove what find_retired finds, and stop its units; return it.

    Unit files go before their units stop, so that systemd has forgotten their ExecStop by then: what a retired unit set up may
    be what the unit in its place uses now, such as the firewall's table.
    """
    found = find_retired(roles)
    units = _retired_units(roles)
    if units:
        active = [unit for unit in units if _is_active(unit)]
        _systemctl("disable", *units)
        for unit in units:
            remove(f"{UNIT_FOLDER}/{unit}")
        _systemctl("daemon-reload")
        for unit in active:
            _systemctl("stop", unit)
    for path in found:
        remove(path)
    return found


def _items(part: str, roles: Sequence[str]) -> list[str]:
    return [name for role, footprint in FOOTPRINTS.items() if not roles or role in roles for name in getattr(footprint, part)]


def _retired_units(roles: Sequence[str]) -> list[str]:
    return [unit for unit in _items("retired_units", roles) if os.path.lexists(f"{UNIT_FOLDER}/{unit}")]


def _is_active(unit: str) -> bool:
    return run_program(["systemctl", "--quiet", "is-active", unit]).returncode == 0


def _systemctl(*arguments: str) -> None:
    done = run_program(["systemctl", *arguments], text=True)
    if done.returncode:
        raise RetirementError(f"systemctl {' '.join(arguments)}: {done.stderr.strip()}")
