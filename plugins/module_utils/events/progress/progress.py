# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""How far a phone is, by what has been observed of it; see progress_table for the states and transitions.

The position follows from the latest observation of each kind, so neither order nor repetition of events matters.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from ..causes.causes import CLAUSES, Cause, cause_of_phone_error, cause_of_refusal
from ..logs.evidence import Place
from ..logs.log_lines import Event
from ..logs.refusals import read_refusal
from .customization_states import CustomizationState
from .observations import NEVER, Observation, Observations, Sightings, away_since, observe, resolve_claims
from .progress_table import (
    ADVANCES,
    MAX_IMAGE_FETCHES,
    MILESTONES,
    SILENT_ADVANCES,
    STATES,
    TRANSITIONS,
    Action,
    Advance,
    ObservationKind,
    State,
)

# A phone logs within this time what the web server refused; milliseconds
_SAME_FAILURE = 60_000
# A server logs what it has sent up to this long after the phone has it, and so maybe after the phone's own message; milliseconds
_LATE = 900
_HOUR = 3600 * 1000
_DAY = 24 * _HOUR

# Whether a success message with the name of the model's file is about the phone's own depends on what was fetched before
_MILESTONES: Mapping[ObservationKind | Action, State] = {
    row.trigger: row.target
    for row in TRANSITIONS
    if row.target in MILESTONES and row.trigger is not ObservationKind.BOOTSTRAP_APPLIED and not row.silent
}
_FETCHES = (ObservationKind.BOOTSTRAP_FETCHED, ObservationKind.UNIT_FILE_FETCHED)


class Failure(NamedTuple):
    """Why a phone is in the state failed."""

    cause: Cause
    text: str
    """What phone or station say of it; may be empty."""
    upgrade: bool = False

    @property
    def reason(self) -> str:
        """The failure as a clause."""
        before = "the firmware could not be changed: " if self.upgrade else ""
        after = f": {self.text}" if self.text else ""
        return f"{before}{CLAUSES[self.cause].cause}{after}"


class Position(NamedTuple):
    """How far a phone is."""

    state: State
    since: int
    """Milliseconds since 1970; 0 while nothing is known."""
    reason: str
    """Why it failed, as a clause; empty unless it did."""
    address: str
    firmware: str
    profile_hash: str
    subject: str
    customization: str
    claimed: bool
    """Whether the state rests on claims: what is certain does not lead to it."""


def position_of(observations: Observations, packed: int = 0, logs: bool = True) -> Position:
    """Return how far the phone is.

    *packed*: when it was scanned out last (milliseconds), or 0. *logs*: whether it logs its resyncs on the bench; if not, its own
    file is the last that is heard of it.
    """
    certain, seen, home = observations.certain, resolve_claims(observations), observations.home
    possible = ADVANCES if logs else SILENT_ADVANCES
    state, since, failure = _state(seen, possible)
    claimed = seen is not certain and state is not _state(certain, possible)[0]
    # A phone that starts over after it was scanned out is not packed any more; a claim is not enough
    start = certain.get(ObservationKind.BOOTSTRAP_FETCHED).time
    in_box = bool(packed) and start <= packed
    if in_box:
        state, since, failure, claimed = State.PACKED, packed, None, False
    called = home.get(ObservationKind.CALLED_HOME)
    if called.time > (packed if in_box else max(start, away_since(observations))):
        state, since, failure, claimed = State.DEPLOYED, called.time, None, False
    return Position(
        state=state,
        since=since,
        reason=failure.reason if failure else "",
        address=max(certain.get(ObservationKind.LEASED), certain.get(ObservationKind.ADDRESS)).text,
        firmware=max(certain.get(ObservationKind.FIRMWARE), home.get(ObservationKind.FIRMWARE)).text,
        profile_hash=max(seen.get(ObservationKind.PROFILE_HASH), home.get(ObservationKind.PROFILE_HASH)).text,
        subject=max(certain.get(ObservationKind.SUBJECT), home.get(ObservationKind.SUBJECT)).text,
        customization=_customization(seen, home),
        claimed=claimed,
    )


def is_proved(observations: Observations, states: Container[State], logs: bool = True) -> bool:
    """Return whether what is certain of a phone is enough for one of *states*. *logs*: see position_of()."""
    return _state(observations.certain, ADVANCES if logs else SILENT_ADVANCES)[0] in states


def failure_of(seen: Sightings) -> Failure | None:
    """Return why the phone is in the state failed; None if it is not."""
    return _state(seen)[2]


def entered_at(observations: Observations, position: Position, state: str, since: int) -> int:
    """Return since when the phone is in its position, if it was in *state* since *since* before.

    A renewed lease or a repeated failure is not a new state, unless the phone has started over in between.
    """
    start = resolve_claims(observations).get(ObservationKind.BOOTSTRAP_FETCHED).time
    stayed = position.state == state and start <= since
    return since if stayed or not position.since else position.since


def first_reached(
    times: Mapping[str, int], observations: Observations, events: Iterable[Event], names: tuple[str, ...], logs: bool = True
) -> dict[str, int]:
    """Return when the phone first reached each of MILESTONES, 0 for never: *times*, and what *events* of this phone add.

    *observations*: those before *events*. *names*: see names_of(). *logs*: see position_of(). Claims do not count.
    """
    late = [
        event
        for event in events
        if event.mac
        and event.place is Place.BENCH
        and event.time >= observations.reset
        and not all(0 < time <= event.time for time in times.values())
    ]
    found = [(event.time, kind) for event in late for kind, _text in observe(event, names)]
    reached = [(_MILESTONES[kind], time) for time, kind in found if kind in _MILESTONES]
    reached += [(State.RESYNCED, time) for time in _unit_file_applied(found, observations)]
    if not logs:
        reached += [(State.RESYNCED, time) for time, kind in found if kind is ObservationKind.PROFILE_FETCHED]
    first = dict(times)
    for milestone, time in reached:
        first[milestone] = min(first[milestone] or time, time)
    return first


def _unit_file_applied(found: Sequence[tuple[int, ObservationKind]], observations: Observations) -> Iterator[int]:
    """Yield when the phone logged success with its model's name after it had last fetched its own file under that name."""
    known = [(seen.time, kind) for kind, seen in observations.certain.latest.items()]
    fetches = sorted((time, kind) for time, kind in {*found, *known} if kind in _FETCHES)
    if not any(kind is ObservationKind.UNIT_FILE_FETCHED for _time, kind in fetches):
        return
    for applied, kind in {*found, *known}:
        before = [fetched for time, fetched in fetches if time <= applied + _LATE]
        if kind is ObservationKind.BOOTSTRAP_APPLIED and before and before[-1] is ObservationKind.UNIT_FILE_FETCHED:
            yield applied


def _state(seen: Sightings, possible: Sequence[Advance] = ADVANCES) -> tuple[State, int, Failure | None]:
    # A phone that fetches the bootstrap profile starts over: what was before does not count
    start = seen.get(ObservationKind.BOOTSTRAP_FETCHED).time
    advances = list(_advances(seen, start, possible))
    advanced = max((observed.time for _state, observed in advances), default=0)
    failures = [found for rule in FAILURE_RULES.values() if (found := rule(seen, start, advanced))]
    if failures:
        observed, failure = max(failures, key=lambda found: found[0])
        return State.FAILED, observed.time, failure
    if advances:
        state, observed = max(advances, key=lambda advance: (STATES.index(advance[0]), advance[1]))
        return state, observed.time, None
    # A lease is renewed all the time, which says nothing about the rest
    leased = seen.get(ObservationKind.LEASED)
    return (State.LEASED, leased.time, None) if leased.time else (State.EXPECTED, 0, None)


def _advances(seen: Sightings, start: int, possible: Sequence[Advance]) -> Iterable[tuple[State, Observation]]:
    """Yield the states that the phone has reached since it started over, each with the latest observation of it."""
    for kind, state, after in possible:
        observed = seen.latest.get(kind)
        if observed is None or observed.time < start:
            continue
        if after is None or (after in seen.latest and start <= seen.get(after).time <= observed.time + _LATE):
            yield state, observed


Found = tuple[Observation, Failure]


def _resync_failed(seen: Sightings, _start: int, advanced: int) -> Found | None:
    observed, refused = seen.get(ObservationKind.RESYNC_FAILED), seen.get(ObservationKind.REFUSED)
    if observed is NEVER or observed.time < advanced:
        return None
    if refused.time and 0 <= observed.time - refused.time <= _SAME_FAILURE:
        # The server knows the reason better than the phone
        return observed, _failure_of_refusal(refused.text)
    return observed, Failure(cause_of_phone_error(observed.text), observed.text)


def _refused(seen: Sightings, _start: int, advanced: int) -> Found | None:
    observed = seen.get(ObservationKind.REFUSED)
    return None if observed is NEVER or observed.time < advanced else (observed, _failure_of_refusal(observed.text))


def _failure_of_refusal(text: str) -> Failure:
    return Failure(cause_of_refusal(read_refusal(text)), text)


def _upgrade_failed(seen: Sightings, start: int, _advanced: int) -> Found | None:
    observed = seen.get(ObservationKind.UPGRADE_FAILED)
    if observed is NEVER or observed.time < start or observed <= seen.get(ObservationKind.UPGRADED):
        return None
    return observed, Failure(cause_of_phone_error(observed.text), observed.text, upgrade=True)


def _firmware_loop(seen: Sightings, start: int, advanced: int) -> Found | None:
    images = [image for image in seen.images if image.time >= start]
    if len(images) < MAX_IMAGE_FETCHES or len({image.text.lower() for image in images}) > 1:
        return None
    latest = max(images)
    took = latest.time - min(images).time
    # Progress more than one round after the last fetch means that the loop has ended
    if took > _DAY or advanced > latest.time + max(took, _HOUR):
        return None
    return latest, Failure(Cause.FIRMWARE_LOOP, f"fetched {MAX_IMAGE_FETCHES} times: {latest.text}", upgrade=True)


FAILURE_RULES: Mapping[ObservationKind, Callable[[Sightings, int, int], Found | None]] = MappingProxyType(
    {
        ObservationKind.RESYNC_FAILED: _resync_failed,
        ObservationKind.REFUSED: _refused,
        ObservationKind.UPGRADE_FAILED: _upgrade_failed,
        ObservationKind.IMAGE_FETCHED: _firmware_loop,
    }
)
"""Whether an observation still means a failure, given when the phone started over and when it last advanced."""


def _customization(seen: Sightings, home: Sightings) -> str:
    asked, profile = (
        max(seen.get(kind), home.get(kind)) for kind in (ObservationKind.CUSTOMIZATION, ObservationKind.PROFILE_FETCHED)
    )
    leased, bootstrap = seen.get(ObservationKind.LEASED), seen.get(ObservationKind.BOOTSTRAP_FETCHED)
    if asked.time and asked > bootstrap:
        acquired = asked.text == CustomizationState.CUSTOM_PENDING and profile > asked
        return CustomizationState.ACQUIRED.value if acquired else asked.text
    # DHCP led to the bench's profiles, so the phone does not ask the vendor's service
    return (CustomizationState.ABORTED if leased.time or bootstrap.time else CustomizationState.OPEN).value
