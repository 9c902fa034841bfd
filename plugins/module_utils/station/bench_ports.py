# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads the states of the bench's ports. Changes nothing.

Source: Documentation/ABI/testing/sysfs-class-net of the kernel; ``carrier`` cannot be read while an interface is switched off.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from ..bench.ports import PortState

_INTERFACES = Path("/sys/class/net")
_PAUSE = 0.2


def read_ports(bridge: str, ports: Sequence[str], interfaces: Path = _INTERFACES) -> dict[str, str]:
    """Return the PortState of each interface in *ports*; without the bridge, none counts as apart from it."""
    return {port: str(_read_port(bridge, port, interfaces)) for port in ports}


def _read_port(bridge: str, port: str, interfaces: Path) -> PortState:
    folder = interfaces / port
    if not folder.exists():
        return PortState.MISSING
    if (interfaces / bridge).exists() and not (interfaces / bridge / f"lower_{port}").exists():
        return PortState.APART
    try:
        return PortState.UP if (folder / "carrier").read_text().strip() == "1" else PortState.NO_CARRIER
    except OSError:
        return PortState.DOWN


def wait_for_ports(bridge: str, ports: Sequence[str], seconds: float, interfaces: Path = _INTERFACES) -> dict[str, str]:
    """Return what read_ports() does, as soon as all ports have a carrier, or after so many seconds."""
    end = time.monotonic() + seconds
    while True:
        found = read_ports(bridge, ports, interfaces)
        if time.monotonic() >= end or set(found.values()) <= {PortState.UP}:
            return found
        time.sleep(_PAUSE)
