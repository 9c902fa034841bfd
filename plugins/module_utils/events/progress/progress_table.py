# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a phone makes progress: its states, what is observed of it, and which observation leads from which state to which.

Bench and home are kept apart: what is observed at home leads to the state deployed and to no other.

progress.py follows this table, and docs/contributors/phone_states.md is drawn from it.

Sources: "Remote customization" and "HTTP status code handling on resync" of the ATA 191/192 provisioning guide; the MPP migration
guide, by which a phone asks for several files of which only one exists, so a missing file by itself is not a failure.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple


class State(StrEnum):
    """How far a phone is. The database stores these values, and board and API show them."""

    EXPECTED = "expected"
    LEASED = "leased"
    BOOTSTRAP = "bootstrap"
    PROFILE = "profile"
    RESYNCED = "resynced"
    REPORTED = "reported"
    PACKED = "packed"
    DEPLOYED = "deployed"
    FAILED = "failed"


STATES = tuple(State)
"""In the order of progress; failed comes last."""

STATE_DESCRIPTIONS: Mapping[State, str] = MappingProxyType(
    {
        State.EXPECTED: "nothing has been heard from it",
        State.LEASED: "it has an address, but has fetched nothing",
        State.BOOTSTRAP: "it has fetched the bootstrap profile, but not its own",
        State.PROFILE: "it has fetched its profile",
        State.RESYNCED: "it has applied its profile",
        State.REPORTED: "it has applied its profile and reported",
        State.PACKED: "it is in its box",
        State.DEPLOYED: "it has called home from where it was shipped to",
        State.FAILED: "its resync failed",
    }
)

STUCK_AFTER: Mapping[State, int] = MappingProxyType(
    {State.EXPECTED: 900, State.LEASED: 120, State.BOOTSTRAP: 120, State.PROFILE: 300}
)
"""Seconds in a state after which a phone is stuck. A unit waits up to 40 s before its first request (Resync_Random_Delay 2)."""

MAX_IMAGE_FETCHES = 3
"""A phone that fetches the same firmware image this often within a day is in a loop."""


class ObservationKind(StrEnum):
    """What the logs say of a phone. The database stores these values."""

    # DHCP server
    LEASED = "leased"
    LEASE_TROUBLE = "asked"
    """DISCOVER, NAK, DECLINE or "no free leases": the phone asked, and has no address yet."""

    # TFTP server, web server, profile service
    BOOTSTRAP_FETCHED = "bootstrap"
    """A file that every phone of a model gets."""
    PROFILE_FETCHED = "profile"
    """The phone's own file."""
    UNIT_FILE_FETCHED = "unit file"
    """The phone's own file, by TFTP under the name that every phone of its model asks for; it is a PROFILE_FETCHED too."""
    IMAGE_FETCHED = "image"
    """A firmware image, or the list of its parts, as a whole."""
    FILE_MISSING = "missing"
    TRANSFER_BROKEN = "broken off"
    """A TFTP transfer that did not end."""
    LOGIN_REQUIRED = "login"
    REFUSED = "refused"
    """A certain request of this phone was answered with 403, 429 or 5xx."""
    REPORTED = "reported"
    CUSTOMIZATION = "customization"
    """The redirect service's answer."""

    # The phone's own log lines
    RESYNC_REQUESTED = "requested"
    BOOTSTRAP_APPLIED = "told"
    """A message of success that names a file which every phone of the model asks for."""
    PROFILE_APPLIED = "succeeded"
    UNNAMED_FILE_APPLIED = "succeeded somewhere"
    """A message of success that does not say which file was applied."""
    RESYNC_FAILED = "failed"
    UPGRADED = "upgraded"
    UPGRADE_FAILED = "upgrade failed"

    # Web server and profile service of a provisioning server
    CALLED_HOME = "called home"
    """A request or a report; the text is the address that it came from."""
    ASKED_BY_KEY_ID = "asked by key id"
    """A file was fetched by a name that contains the ID of the phone's key, without proof."""

    # What any of them says by the way; these lead to no other state
    ADDRESS = "address"
    FIRMWARE = "firmware"
    SUBJECT = "subject"
    """Subject of a verified client certificate."""
    PROFILE_HASH = "hash"
    """ETag of the phone's own file."""


class Action(StrEnum):
    """What an operator does with a phone."""

    SCANNED_OUT = "scanned out"
    SCANNED_IN = "scanned in again"
    REARMED = "rearmed"


class Transition(NamedTuple):
    """One row of the table."""

    trigger: ObservationKind | Action
    sources: tuple[State, ...]
    target: State | None
    """None: the furthest state that the phone had reached."""
    after: ObservationKind | None = None
    """Counts only once this has been observed."""
    note: str = ""
    silent: bool = False
    """Counts only for a phone that does not log its resyncs on the bench."""
    away: bool = False
    """Counts only a day after it was last certain that the phone was on the bench."""


_AT_WORK = (State.EXPECTED, State.LEASED, State.BOOTSTRAP, State.PROFILE, State.RESYNCED, State.REPORTED)


def _before(state: State) -> tuple[State, ...]:
    """Return the states from which a phone advances to *state*: log lines may be missing, and a failed phone may recover."""
    return (*_AT_WORK[: _AT_WORK.index(state)], State.FAILED)


TRANSITIONS = (
    Transition(ObservationKind.LEASED, (State.EXPECTED,), State.LEASED, note="a lease that is renewed changes nothing"),
    Transition(
        ObservationKind.BOOTSTRAP_FETCHED,
        STATES,
        State.BOOTSTRAP,
        note="the phone starts over: nothing observed before counts; a claim does not unpack a phone",
    ),
    Transition(ObservationKind.BOOTSTRAP_APPLIED, _before(State.BOOTSTRAP), State.BOOTSTRAP),
    Transition(
        ObservationKind.BOOTSTRAP_APPLIED,
        (State.PROFILE, State.FAILED),
        State.RESYNCED,
        after=ObservationKind.UNIT_FILE_FETCHED,
        note="both files have the same name",
    ),
    Transition(ObservationKind.PROFILE_FETCHED, _before(State.PROFILE), State.PROFILE),
    Transition(
        ObservationKind.PROFILE_FETCHED,
        _before(State.RESYNCED),
        State.RESYNCED,
        note="only for a phone that does not log its resyncs",
        silent=True,
    ),
    Transition(ObservationKind.PROFILE_APPLIED, _before(State.RESYNCED), State.RESYNCED),
    Transition(
        ObservationKind.UNNAMED_FILE_APPLIED,
        (State.PROFILE, State.FAILED),
        State.RESYNCED,
        after=ObservationKind.PROFILE_FETCHED,
    ),
    Transition(ObservationKind.REPORTED, _before(State.REPORTED), State.REPORTED),
    Transition(ObservationKind.RESYNC_FAILED, _AT_WORK, State.FAILED),
    Transition(ObservationKind.REFUSED, _AT_WORK, State.FAILED),
    Transition(ObservationKind.UPGRADE_FAILED, _AT_WORK, State.FAILED, note="until it is upgraded or starts over"),
    Transition(
        ObservationKind.IMAGE_FETCHED,
        _AT_WORK,
        State.FAILED,
        note=f"the same image {MAX_IMAGE_FETCHES} times within a day, and no progress since",
    ),
    Transition(ObservationKind.UPGRADED, (State.FAILED,), None, note="if it was the upgrade that had failed"),
    Transition(
        Action.SCANNED_OUT,
        (State.RESYNCED, State.REPORTED),
        State.PACKED,
        note="with evidence that it has fetched its profile, or an operator's reason for packing it without",
    ),
    Transition(
        ObservationKind.CALLED_HOME,
        (State.EXPECTED, State.PACKED),
        State.DEPLOYED,
        note="with its own certificate, or with a report that is sealed with its key",
    ),
    Transition(
        ObservationKind.CALLED_HOME,
        (*_AT_WORK[1:], State.FAILED),
        State.DEPLOYED,
        note="likewise, and it was last on the bench more than a day before: it was not scanned out",
        away=True,
    ),
    Transition(Action.SCANNED_IN, STATES, State.EXPECTED, note="nothing observed before counts"),
    Transition(Action.REARMED, STATES, State.EXPECTED, note="nothing observed before counts"),
)
"""What is not in the table changes no state. A failed phone that advances is as far as it had ever been since it started over."""


class Advance(NamedTuple):
    """What takes a phone that has an address further."""

    trigger: ObservationKind
    target: State
    after: ObservationKind | None
    """What must have been observed before."""


def _advances(silent: bool) -> tuple[Advance, ...]:
    return tuple(
        Advance(row.trigger, row.target, row.after)
        for row in TRANSITIONS
        if isinstance(row.trigger, ObservationKind) and row.target in _AT_WORK[2:] and silent >= row.silent
    )


ADVANCES, SILENT_ADVANCES = _advances(silent=False), _advances(silent=True)
"""For phones that log their resyncs, and for those that do not."""

MILESTONES = (State.LEASED, State.PROFILE, State.RESYNCED)
"""What a batch is counted by: phones that have had an address, fetched their own profile, and applied it."""
