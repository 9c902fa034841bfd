# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What systemd says of the station's services."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping
from typing import NamedTuple

from ...common.processes import run_program
from ...common.services import DHCP_SERVERS, OPTIONAL, SERVICES

_PROPERTIES = (
    *("Id", "ActiveState", "LoadState", "UnitFileState", "StatusText"),
    *("ActiveEnterTimestampMonotonic", "WatchdogUSec", "WatchdogTimestampMonotonic"),
)
_MAX_SECONDS = 20
_MICROSECOND = 1e-6
_SPANS = {"d": 86400.0, "min": 60.0, "ms": 0.001, "us": _MICROSECOND, "h": 3600.0, "s": 1.0}


class Unit(NamedTuple):
    """The state of a service; times in seconds, points in time by the monotonic clock."""

    state: str
    """systemd's ActiveState."""
    said: str
    """What it has said of itself, a clause; empty for nothing."""
    age: float
    """Since it became active."""
    watchdog: float
    """Time within which it must report; 0 if it need not."""
    reported: float
    """When it has reported last; 0 if it never did."""


def read_units() -> dict[str, Unit]:
    """Return each service that is installed, by name, except those that are switched off."""
    units = [service.unit for service in SERVICES.values()]
    # systemctl would report its own end to systemd
    environment = {name: value for name, value in os.environ.items() if name != "NOTIFY_SOCKET"} | {"LC_ALL": "C"}
    command = ("systemctl", "show", f"--property={','.join(_PROPERTIES)}", *units)
    try:
        done = run_program(command, text=True, timeout=_MAX_SECONDS, env=environment)
    except (OSError, subprocess.TimeoutExpired):
        return {}
    return parse_units(done.stdout, time.monotonic())


def parse_units(shown: str, now: float) -> dict[str, Unit]:
    """Return the services in the output of `systemctl show`; *now* by the monotonic clock."""
    names = {service.unit: name for name, service in SERVICES.items()}
    units = {}
    switched_off = set()
    for block in shown.split("\n\n"):
        said = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        name = names.get(said.get("Id", ""), "")
        if not name or said.get("LoadState") != "loaded":
            continue
        if (said.get("UnitFileState"), said.get("ActiveState")) == ("disabled", "inactive"):
            if name in OPTIONAL:
                continue
            switched_off.add(name)
        units[name] = Unit(
            state=said.get("ActiveState", ""),
            said=said.get("StatusText", "").rstrip("."),
            age=now - _moment(said, "ActiveEnterTimestampMonotonic"),
            watchdog=read_time_span(said.get("WatchdogUSec", "")),
            reported=_moment(said, "WatchdogTimestampMonotonic"),
        )
    # The package of the back end that the other has replaced may still be installed
    servers = set(DHCP_SERVERS) & units.keys()
    if servers - switched_off:
        for name in servers & switched_off:
            del units[name]
    return units


def _moment(said: Mapping[str, str], name: str) -> float:
    return int(said.get(name) or 0) * _MICROSECOND


def read_time_span(text: str) -> float:
    """Return the seconds of a time span as systemd shows it, such as ``1min 30s``; 0 for none and for infinity."""
    if text == "infinity":
        return 0
    total = 0.0
    for part in text.split():
        unit = next((unit for unit in _SPANS if part.endswith(unit)), "")
        total += float(part.removesuffix(unit)) * _SPANS.get(unit, 1.0)
    return total


def silent_reporters(units: Mapping[str, Unit], now: float) -> dict[str, str]:
    """Return a clause for each active service that has not reported for half of the time after which systemd ends it."""
    return {
        name: f"has not reported for {now - unit.reported:.0f} seconds"
        for name, unit in units.items()
        if unit.state == "active" and unit.watchdog and unit.reported and now - unit.reported > unit.watchdog / 2
    }
