# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Resyncs of phones that stay on: how many were tried and failed, how long they took, and which addresses responded.

A phone that tries the next address of a name has not failed: only a resync that ends without a profile has.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypedDict

from ...common.text_tables import align
from ..device.ports import Clock
from .samples import Sample

MAX_FAILURES = 100
"""The latest failures that are kept for each phone."""


class FailedResync(TypedDict):
    """One failed resync."""

    at: float
    """When it ended, by the machine's clock, in seconds since 1970."""
    seconds: float
    """How long it took."""
    code: str
    """Code of the failure."""
    cause: str


class AddressUse(TypedDict):
    """Requests to one address."""

    answered: int
    unanswered: int
    """Nothing came back, so that the phone went on to the next address."""


class PhoneResyncs(TypedDict):
    """The resyncs of one phone, as module emulated_phone documents them."""

    name: str
    mac: str
    model: str
    tried: int
    failed: int
    longest: float
    addresses: dict[str, AddressUse]
    failures: list[FailedResync]


class ResyncTotals(TypedDict):
    """The resyncs of all phones."""

    tried: int
    failed: int
    phones_failed: int
    longest: float
    addresses: dict[str, AddressUse]
    codes: dict[str, int]
    """Code of a failure -> how many resyncs failed with it."""


class ResyncTally:
    """Counts the resyncs of one phone, by the machine's clock: a phone's own may run faster."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began = 0.0
        self._tried = self._failed = 0
        self._longest = 0.0
        self._answered: Counter[str] = Counter()
        self._unanswered: Counter[str] = Counter()
        self._failures: deque[FailedResync] = deque(maxlen=MAX_FAILURES)

    def begin(self) -> None:
        """Count a resync that begins."""
        self._began = self._clock.now()
        self._tried += 1

    def end(self, code: str, cause: str) -> None:
        """Count its end; *code* and *cause*: why it failed, both empty if it did not."""
        now = self._clock.now()
        self._longest = max(self._longest, now - self._began)
        if code:
            self._failed += 1
            self._failures.append({"at": round(now, 3), "seconds": round(now - self._began, 3), "code": code, "cause": cause})

    def add(self, sample: Sample) -> None:
        """Count the request that *sample* measures, if it is one to an address."""
        if sample.address:
            (self._answered if sample.answered else self._unanswered)[sample.address] += 1

    def report(self, name: str, mac: str, model: str) -> PhoneResyncs:
        """Return the figures of the phone with this name, MAC address and model."""
        return {
            "name": name,
            "mac": mac,
            "model": model,
            "tried": self._tried,
            "failed": self._failed,
            "longest": round(self._longest, 3),
            "addresses": _uses(self._answered, self._unanswered),
            "failures": list(self._failures),
        }


def _uses(answered: Mapping[str, int], unanswered: Mapping[str, int]) -> dict[str, AddressUse]:
    return {
        address: {"answered": answered.get(address, 0), "unanswered": unanswered.get(address, 0)}
        for address in sorted({*answered, *unanswered})
    }


def total(reports: Iterable[PhoneResyncs]) -> ResyncTotals:
    """Return the figures of all phones together."""
    reports = list(reports)
    counts: dict[str, Counter[str]] = {"answered": Counter(), "unanswered": Counter()}
    for report in reports:
        for address, use in report["addresses"].items():
            counts["answered"][address] += use["answered"]
            counts["unanswered"][address] += use["unanswered"]
    codes = Counter(failure["code"] for report in reports for failure in report["failures"])
    return {
        "tried": sum(report["tried"] for report in reports),
        "failed": sum(report["failed"] for report in reports),
        "phones_failed": sum(bool(report["failed"]) for report in reports),
        "longest": max((report["longest"] for report in reports), default=0.0),
        "addresses": _uses(counts["answered"], counts["unanswered"]),
        "codes": dict(codes.most_common()),
    }


def format_totals(runs: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    """Return a table with one row for each run: its name, and its totals, shaped as ResyncTotals."""
    rows = [
        (
            name,
            str(found["tried"]),
            str(found["failed"]),
            f"{found['longest']:.1f}",
            ", ".join(_describe(address, use) for address, use in found["addresses"].items()),
        )
        for name, found in runs
    ]
    return "\n".join(align(("run", "resyncs", "failed", "longest", "requests to each address (unanswered)"), rows))


def _describe(address: str, use: Mapping[str, int]) -> str:
    missed = f" ({use['unanswered']})" if use["unanswered"] else ""
    return f"{address}: {use['answered'] + use['unanswered']}{missed}"
