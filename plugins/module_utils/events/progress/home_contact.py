# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is known of a phone at home: when it last called, what failed there, and why it does not call.

docs/contributors/phone_states.md says what is certain at home, and what is only a claim.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ..causes.causes import CLAUSES, Clause, Diagnosis, cause_of_refusal, diagnosis_of
from ..logs.refusals import read_refusal
from .observations import Observation, Observations, Sightings
from .progress import FAILURE_RULES, Failure
from .progress_table import ObservationKind, State

DAY = 24 * 3600 * 1000
"""Milliseconds."""

_SUCCESSES = (
    ObservationKind.PROFILE_FETCHED,
    ObservationKind.PROFILE_APPLIED,
    ObservationKind.UNNAMED_FILE_APPLIED,
    ObservationKind.REPORTED,
)


class HomeFailure(NamedTuple):
    """What failed last at home."""

    time: int
    """Milliseconds since 1970."""
    failure: Failure
    claimed: bool
    """Whether only a claim says so, such as a log line."""
    over: bool
    """Whether the phone has succeeded since."""


def last_contact(observations: Observations) -> Observation:
    """Return when the phone certainly called home last, or NEVER; the text is the address, the evidence one of CONTACTS."""
    return observations.home.get(ObservationKind.CALLED_HOME)


def last_claimed_contact(observations: Observations) -> Observation:
    """Return when somebody last called who only claims to be the phone, or NEVER; see last_contact()."""
    return observations.home_claimed.get(ObservationKind.CALLED_HOME)


def last_asked_by_key_id(observations: Observations) -> Observation:
    """Return when the phone's file was last fetched by the ID of its key, without proof, or NEVER."""
    return observations.home_claimed.get(ObservationKind.ASKED_BY_KEY_ID)


def last_failure(observations: Observations) -> HomeFailure | None:
    """Return what failed last at home, or None."""
    certain = _last_success(observations.home)
    claimed = max(certain, _last_success(observations.home_claimed))
    found = [
        HomeFailure(seen.time, failure, is_claim, over=seen.time < succeeded)
        for part, is_claim, succeeded in ((observations.home, False, certain), (observations.home_claimed, True, claimed))
        for seen, failure in _failures(part)
    ]
    return max(found, key=lambda one: (one.time, not one.claimed), default=None)


def _last_success(seen: Sightings) -> int:
    return max(seen.get(kind).time for kind in _SUCCESSES)


def _failures(seen: Sightings) -> Iterator[tuple[Observation, Failure]]:
    return (found for rule in FAILURE_RULES.values() if (found := rule(seen, 0, 0)))


def diagnose_silence(observations: Observations, state: str, since: int, now: int, days: int) -> Diagnosis | None:
    """Return why a phone that is packed or deployed does not call home, or None if it is not silent.

    *since*: when it entered *state*; *now*: both in milliseconds. *days*: number of days after which it is silent; 0 for never.
    """
    contact, by_key_id = last_contact(observations), last_asked_by_key_id(observations)
    heard = max(since if state == State.PACKED else contact.time, by_key_id.time)
    if not days or state not in (State.PACKED, State.DEPLOYED) or now - heard < days * DAY:
        return None
    whole_days = (now - heard) // DAY
    if state == State.DEPLOYED:
        return diagnosis_of(_gone(observations, contact, whole_days))
    if by_key_id.time > since:
        return diagnosis_of(
            Clause(
                f"its file was last fetched {whole_days} days ago by a name that anybody may have overheard, and nothing"
                " proves that it has ever called home itself",
                "have it fetch its profile by HTTPS with its certificate, or report sealed with its key (Report_Rule)",
            )
        )
    return diagnosis_of(_never_called(observations, since, f"it has not called home in the {whole_days} days since it was packed"))


def diagnose_absence(observations: Observations, packed: int = 0) -> Diagnosis | None:
    """Return why a phone has not called home yet, since it was *packed* (milliseconds), or None if it has."""
    if last_contact(observations).time > packed:
        return None
    return diagnosis_of(_never_called(observations, packed, "it has not called home yet"))


def _refused_since(observations: Observations, moment: int) -> Clause | None:
    refused = observations.home_claimed.get(ObservationKind.REFUSED)
    return CLAUSES[cause_of_refusal(read_refusal(refused.text))] if refused.time > moment else None


def _gone(observations: Observations, contact: Observation, days: int) -> Clause:
    refused = _refused_since(observations, contact.time)
    if refused:
        return Clause(
            f"it has not called home for {days} days, and whoever asked in its name was refused: {refused.cause}", refused.remedy
        )
    return Clause(
        f"it has not called home for {days} days",
        "ask the customer whether it is still in use, and compare its Resync_Periodic",
    )


def _never_called(observations: Observations, packed: int, start: str) -> Clause:
    refused = _refused_since(observations, packed)
    if refused:
        return Clause(f"{start}, and whoever asked in its name was refused: {refused.cause}", refused.remedy)
    if last_claimed_contact(observations).time > packed:
        return Clause(
            f"{start}, or cannot prove it: requests have named it, without its certificate and without a sealed report",
            "have it fetch its profile by HTTPS with its certificate, or report sealed with its key (Report_Rule)",
        )
    return Clause(
        f"{start}: no request has named it",
        "ask the customer whether it is connected and gets an address, and walk the way from outside with the playbook fleet_check;"
        " if it shows another provider's profile, it needs a factory reset (docs/guides/reset.md)",
    )
