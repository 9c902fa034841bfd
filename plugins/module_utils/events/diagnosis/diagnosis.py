# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Diagnoses that combine what a phone did with what the station knows of itself."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ...common.services import DHCP_SERVERS
from ..causes.causes import Clause, Diagnosis, diagnosis_of
from ..progress.progress_table import State
from .failure_case import Case
from .failure_explainers import EXPLAINERS, explain_unknown
from .known_facts import FailureReport, PhoneFacts, StationFacts

_NEEDED_SERVICES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        State.EXPECTED: ("bench", *DHCP_SERVERS),
        State.LEASED: ("tftp", "web"),
        State.BOOTSTRAP: ("names", "web"),
        State.PROFILE: ("log",),
    }
)
"""Services that a phone in a state needs to get further."""
_NEEDS_FILES = (State.LEASED, State.BOOTSTRAP, State.FAILED)


def diagnose_failure(
    failure: FailureReport, station: StationFacts | None = None, phone: PhoneFacts | None = None
) -> tuple[Diagnosis, ...]:
    """Return the possible causes of an emulated phone's failure, the most likely first; there is always one."""
    case = Case(
        station=station or {},
        phone=phone or {},
        code=failure.get("code", ""),
        what=failure.get("what", ""),
        facts=failure.get("facts", {}),
    )
    found = dict.fromkeys(EXPLAINERS.get(case.code, explain_unknown)(case))
    return tuple(map(diagnosis_of, found))


def diagnose_on_station(state: str, found: Diagnosis | None, station: StationFacts, published: bool) -> Diagnosis | None:
    """Return why a phone in *state* makes no progress; *found*: the diagnosis by what it did, see phone_diagnosis.

    A service that is down explains more than what the phone did. *published*: whether files of its own exist.
    """
    case = Case(station=station)
    clauses = [*(case.broken_bridge() if state == State.EXPECTED else ()), *case.stopped(*_NEEDED_SERVICES.get(state, ()))]
    if state in _NEEDS_FILES and not published:
        remedy = "add it to the inventory with this MAC address, and run the playbook profiles"
        clauses.append(Clause("no profile of its own is published", remedy))
    return diagnosis_of(clauses[0]) if clauses else found
