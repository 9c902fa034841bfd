# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with the station: its clock, its services as the unit preprovision-health has found them, and its DHCP pool."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .clock import local_minute
from .domain.common.services import SERVICES
from .domain.events.causes.causes import diagnosis_of
from .domain.events.causes.clocks import ClockFacts, wrong_clock
from .domain.events.causes.flood import find_flood
from .domain.events.diagnosis.failure_case import Case
from .store.recent import Recent

STATE = Path("/run/preprovision-health/state.json")
"""Written by the role service_health."""

UNIT = Path("/etc/systemd/system/preprovision-health.service")
"""Without it, nobody asks, and nothing is known."""

MAX_AGE = 60
"""Seconds after which a state is too old: there is a round every ten seconds, which a daemon that hangs makes longer."""

SHOWN_SECONDS = 600
"""For so long, a restart is shown."""

_HEALTH = "health"
_CLOCK = "clock"
_FLOOD = "flood"


@dataclass(frozen=True)
class Alert:
    """What is wrong, and what to do; sentences."""

    service: str
    """The service that does not run or answer, ``clock`` or ``flood``."""
    cause: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.cause} {self.remedy}"


@dataclass(frozen=True)
class Station:
    """The station's clock and services."""

    services: Mapping[str, str]
    """systemd's state of each, or ``hung``."""
    alerts: tuple[Alert, ...]
    """First what others may follow from."""
    restarts: tuple[str, ...]
    """A sentence for each daemon that was restarted lately because it hung."""


def read_station(recent: Recent, state: Path = STATE, unit: Path = UNIT, now: float | None = None) -> Station:
    """Return what is known; of the services, nothing on a station where nobody asks."""
    now = time.time() if now is None else now
    found = _read_state(state, unit, now)
    services = dict(found.get("services", {}))
    clock = wrong_clock(ClockFacts(int(now * 1000), recent.newest, found.get("unfollowed", ())))
    case = Case(station={"services": services, "answers": found.get("answers", {})})
    flood = ((_FLOOD, clause) for clause in find_flood(recent.strangers, services))
    clauses = [*((_CLOCK, clause) for clause in clock), *case.all_stopped(), *flood]
    alerts = tuple(Alert(name, *diagnosis_of(clause)) for name, clause in clauses)
    return Station(services, alerts, tuple(_restarts(found.get("restarts", []), now)))


def _read_state(state: Path, unit: Path, now: float) -> dict[str, Any]:
    """Return what the latest round has found, or that there was none for a while."""
    try:
        found: dict[str, Any] = json.loads(state.read_text())
    except (OSError, ValueError):
        found = {}
    if not found and not unit.exists():
        return {}
    # What an old state says is no longer known
    if abs(now - found.get("time", 0)) > MAX_AGE:
        return {
            "services": {_HEALTH: "inactive" if not found else "hung"},
            "answers": {_HEALTH: "has not asked for a while"},
        }
    return found


def _restarts(restarts: list[dict[str, Any]], now: float) -> Iterator[str]:
    for restart in restarts:
        # One of a clock that was ahead would be shown for ever
        if abs(now - restart["time"]) <= SHOWN_SECONDS:
            called = SERVICES[restart["service"]].called
            yield f"{called[:1].upper()}{called[1:]} hung, and was started again at {local_minute(restart['time'] * 1000)}."
