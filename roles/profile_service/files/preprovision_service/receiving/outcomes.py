# SPDX-License-Identifier: GPL-3.0-or-later
"""Outcomes of scans, for the board and the API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from ..clock import local
from ..store.queries import PhoneView, describe

NO_PROFILE = "no profile exists for it: add it to the inventory, then run ansible-playbook voip.preprovision.profiles"
"""Of a unit that was scanned in, but is not in the inventory."""


class Verdict(StrEnum):
    """The kind of an outcome."""

    ADDED = "added"
    FOUND = "found"
    ARMED = "armed"
    READY = "ready"
    PACKED = "packed"
    RETURNED = "returned"
    UNREADABLE = "unreadable"
    UNKNOWN = "unknown"
    DUPLICATE = "duplicate"
    WRONG = "wrong"
    REFUSED = "refused"
    UNPROVEN = "unproven"
    """Only evidence is missing: an operator may pack it for a reason."""
    UNSERVED = "unserved"
    """Only the provisioning servers do not have its profile: likewise."""


STATUS: Mapping[Verdict, int] = MappingProxyType(
    {
        Verdict.ADDED: 201,
        Verdict.FOUND: 200,
        Verdict.ARMED: 200,
        Verdict.READY: 200,
        Verdict.PACKED: 200,
        Verdict.RETURNED: 200,
        Verdict.UNREADABLE: 422,
        Verdict.UNKNOWN: 404,
        Verdict.DUPLICATE: 409,
        Verdict.WRONG: 409,
        Verdict.REFUSED: 409,
        Verdict.UNPROVEN: 409,
        Verdict.UNSERVED: 409,
    }
)
"""The HTTP status of each verdict. From 400 on, the board shows it as an alarm."""

OVERRIDABLE = (Verdict.UNPROVEN, Verdict.UNSERVED)
"""Verdicts despite which a unit may be packed for an operator's reason."""


@dataclass(frozen=True)
class Check:
    """One condition for closing a box."""

    what: str
    good: bool
    text: str


@dataclass(frozen=True)
class Outcome:
    """The result of a scan."""

    verdict: Verdict
    title: str
    """One or two words, to be read from two metres."""
    text: str
    phone: PhoneView | None = None
    checks: tuple[Check, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def status(self) -> int:
        """The HTTP status of the verdict."""
        return STATUS[self.verdict]

    @property
    def loud(self) -> bool:
        """Whether it is an alarm."""
        return self.status >= 400


class Refused(Exception):
    """A scan is refused, with this outcome."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.text)
        self.outcome = outcome


def refuse(verdict: Verdict, title: str, text: str, row: Any = None, checks: tuple[Check, ...] = ()) -> Refused:
    """Return the exception that refuses a scan; *row*: the phone's, if it is known."""
    return Refused(Outcome(verdict, title, text, describe(row) if row else None, checks))


def already_packed(row: Any) -> Refused:
    """Return the exception that refuses to scan a packed phone."""
    return refuse(Verdict.DUPLICATE, "ALREADY PACKED", f"{row.name} was packed on {local(row.since)} by {row.packed_by}.", row)
