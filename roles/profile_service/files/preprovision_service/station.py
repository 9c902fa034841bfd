# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with the station's own services, as the unit preprovision-health has found them in its latest round."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .clock import local_minute
from .domain.common.services import SERVICES
from .domain.events.causes import diagnosis_of
from .domain.events.failure_case import Case

STATE = Path("/run/preprovision-health/state.json")
"""Written by the role service_health."""

UNIT = Path("/etc/systemd/system/preprovision-health.service")
"""Without it, nobody asks, and nothing is known."""

MAX_AGE = 60
"""Seconds after which a state is too old: there is a round every ten seconds, which a daemon that hangs makes longer."""

SHOWN_SECONDS = 600
"""For so long, a restart is shown."""

_HEALTH = "health"


@dataclass(frozen=True)
class Alert:
    """A service that does not run or answer, and what to do; sentences."""

    service: str
    cause: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.cause} {self.remedy}"


@dataclass(frozen=True)
class Station:
    """The station's own services."""

    services: Mapping[str, str]
    """systemd's state of each, or ``hung``."""
    alerts: tuple[Alert, ...]
    restarts: tuple[str, ...]
    """A sentence for each daemon that was restarted lately because it hung."""


def read_station(state: Path = STATE, unit: Path = UNIT, now: float | None = None) -> Station:
    """Return what is known; nothing on a station where nobody asks."""
    now = time.time() if now is None else now
    try:
        found: dict[str, Any] = json.loads(state.read_text())
    except (OSError, ValueError):
        found = {}
    if not found and not unit.exists():
        return Station({}, (), ())
    services = dict(found.get("services", {}))
    # What an old state says is no longer known
    if abs(now - found.get("time", 0)) > MAX_AGE:
        services, found = {_HEALTH: "inactive" if not found else "hung"}, {"answers": {_HEALTH: "has not asked for a while"}}
    case = Case(station={"services": services, "answers": found.get("answers", {})})
    alerts = tuple(Alert(name, *diagnosis_of(clause)) for name, clause in case.all_stopped())
    return Station(services, alerts, tuple(_restarts(found.get("restarts", []), now)))


def _restarts(restarts: list[dict[str, Any]], now: float) -> Iterator[str]:
    for restart in restarts:
        if now - restart["time"] <= SHOWN_SECONDS:
            called = SERVICES[restart["service"]].called
            yield f"{called[:1].upper()}{called[1:]} hung, and was started again at {local_minute(restart['time'] * 1000)}."
