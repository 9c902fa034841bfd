# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""How the station's systemd units are confined: the one list of directives, which each unit may add to but not weaken.

systemd.exec(5) and systemd.resource-control(5) say what each does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

SHARED: Mapping[str, tuple[str, ...]] = {
    "DevicePolicy": ("closed",),
    "KeyringMode": ("private",),
    "LockPersonality": ("yes",),
    "MemoryDenyWriteExecute": ("yes",),
    "NoNewPrivileges": ("yes",),
    "PrivateDevices": ("yes",),
    "PrivateTmp": ("yes",),
    "ProcSubset": ("pid",),
    "ProtectClock": ("yes",),
    "ProtectControlGroups": ("yes",),
    "ProtectHome": ("yes",),
    "ProtectHostname": ("yes",),
    "ProtectKernelLogs": ("yes",),
    "ProtectKernelModules": ("yes",),
    "ProtectKernelTunables": ("yes",),
    "ProtectProc": ("invisible",),
    "ProtectSystem": ("strict",),
    "RemoveIPC": ("yes",),
    "RestrictNamespaces": ("yes",),
    "RestrictRealtime": ("yes",),
    "RestrictSUIDSGID": ("yes",),
    "SystemCallArchitectures": ("native",),
    "SystemCallFilter": ("@system-service", "~@privileged @resources"),
    "SystemCallErrorNumber": ("EPERM",),
    "UMask": ("0077",),
}
"""Directives of all units and their values, one line each."""

REQUIRED = ("CapabilityBoundingSet", "RestrictAddressFamilies")
"""Directives that differ from unit to unit, and that each must state."""

_ACCUMULATES = "SystemCallFilter"
_NAME = re.compile(r"[A-Z][A-Za-z0-9]+")


class UnitHardeningError(ValueError):
    """Directives that no unit of a station may have."""


def hardening_lines(directives: Mapping[str, str | int | Sequence[str]]) -> list[str]:
    """Return the lines that confine a unit with these *directives* besides the shared ones; a list gives several lines."""
    own = {name: _values(name, value) for name, value in directives.items()}
    missing = [name for name in REQUIRED if name not in own]
    if missing:
        raise UnitHardeningError(f"unit_hardening: {' and '.join(missing)} must be stated for each unit, if only as empty")
    repeated = [name for name in own if name in SHARED and name != _ACCUMULATES]
    if repeated:
        raise UnitHardeningError(
            f"unit_hardening: {' and '.join(repeated)} must not be set here: all units share it; add other directives only"
        )
    confined = {name: own[name] for name in own if name != _ACCUMULATES} | dict(SHARED)
    confined[_ACCUMULATES] += own.get(_ACCUMULATES, ())
    return [f"{name}={value}" for name, values in confined.items() for value in values]


def _values(name: str, value: str | int | Sequence[str]) -> tuple[str, ...]:
    values = (value,) if isinstance(value, str | int) else tuple(value)
    texts = tuple(map(str, values))
    if not _NAME.fullmatch(name) or any("\n" in text for text in texts):
        raise UnitHardeningError(f"unit_hardening: {name!r} is not a directive with values of one line each")
    return texts
