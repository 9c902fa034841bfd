# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is known of a station and its phones, as the module phone_facts returns it; and the failure of an emulated phone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NotRequired, TypedDict

_UNITS = "units/"
"""Folder of all units' folders in a generation, see publishing/layout."""


class BridgeFacts(TypedDict, total=False):
    """The bench's bridge."""

    name: str
    state: str
    """``up``, ``down`` or ``missing``."""
    address: str
    ports: dict[str, str]
    """The interfaces in bench_ports -> bench.ports.PortState; missing if nobody has said which they are."""


class CertificateProblem(TypedDict):
    """Something wrong with the server's certificate."""

    code: str
    what: str
    remedy: str


class CertificateFacts(TypedDict, total=False):
    """The server's certificate; only problems if it cannot be read."""

    names: list[str]
    issuer: str
    not_before: str
    not_after: str
    by_bench_ca: bool
    problems: list[CertificateProblem]


class EventFacts(TypedDict, total=False):
    """An event, see log_lines.Event."""

    time: int
    kind: str
    address: str
    mac: str
    place: str
    """Where the server stands that saw it: ``bench`` or ``home``."""
    detail: dict[str, str | int]


class OwnFile(TypedDict, total=False):
    """A published file of one phone."""

    path: str
    owner: str
    kind: str
    fingerprint: str
    readable: bool
    """Whether the server that delivers it may read it."""
    missing: bool
    """The manifest lists it, but it is not there."""


class PublishedFacts(TypedDict, total=False):
    """What is published."""

    generation: str
    """Empty if nothing is published."""
    files: list[str]
    """Files that every phone may fetch."""
    own: list[OwnFile]
    armed: bool
    """Whether the TFTP server shows the phone its own folder."""


LeaseFacts = TypedDict(
    "LeaseFacts", {"address": str, "mac": str, "state": str, "starts": str, "ends": str, "class": str}, total=False
)
"""The latest lease of an address."""


class Reservation(TypedDict, total=False):
    """A phone in DHCP's configuration."""

    name: str
    address: str


class PhoneRow(TypedDict, total=False):
    """A phone in the profile service's database; times in milliseconds since 1970."""

    mac: str
    name: str
    serial: str
    model: str
    family: str
    customer: str
    source: str
    state: str
    since: int
    reason: str
    address: str
    firmware: str
    customization: str
    packed: int
    """When it was scanned out last, or 0."""
    logs: int
    """1 if it logs its resyncs on the bench, else 0."""
    begun: int
    """When it started over: earlier events do not count; 0 if it never did."""


class DatabaseFacts(TypedDict):
    """What the profile service's database holds of one phone."""

    phone: PhoneRow | None
    events: list[EventFacts]
    place: NotRequired[str]
    """Where this server stands: ``bench`` or ``home``."""


class PhoneFacts(PublishedFacts, total=False):
    """What a station knows of one phone; only who and mac if it knows nothing."""

    who: str
    mac: str
    lease: LeaseFacts
    reservation: Reservation
    events: list[EventFacts]
    log: list[str]
    database: DatabaseFacts | None


def has_unit_file(phone: PhoneFacts) -> bool:
    """Return whether the TFTP server has a folder of files for this one phone."""
    return any(file["path"].startswith(_UNITS) for file in phone.get("own") or ())


def existing_paths(phone: PhoneFacts) -> set[str]:
    """Return the paths, as logs have them, of the files that the phone would get now."""
    own = [file["path"] for file in phone.get("own") or () if not file.get("missing")]
    served = [path for path in own if phone.get("armed", True) or not path.startswith(_UNITS)]
    # The TFTP server shows a unit its own folder
    return {*(phone.get("files") or ()), *(f"/{path.removeprefix(_UNITS)}" for path in served)}


class Complaint(TypedDict):
    """A line of a service in the journal, of the priority warning or worse."""

    service: str
    """By its name in common/services."""
    priority: int
    """0 to 7, see syslog(3): 4 is a warning, less is worse."""
    text: str


class StationFacts(TypedDict, total=False):
    """The station itself."""

    time: int
    clock_off: int | None
    services: dict[str, str]
    """systemd's state of each installed service; ``hung`` if it is active, but does not answer."""
    answers: dict[str, str]
    """What a service said or did that is not active: a clause."""
    pages: dict[str, str]
    """What is wrong with each page that the web server passes on, by path: a clause, empty if nothing."""
    full_folders: list[str]
    """Folders that the services write to and whose file systems are full."""
    complaints: list[Complaint]
    """What the services have complained of in the journal, the latest last."""
    bridge: BridgeFacts
    certificate: CertificateFacts
    offered: dict[str, str]


class Known(TypedDict, total=False):
    """The results of the module phone_facts."""

    station: StationFacts
    phones: Sequence[PhoneFacts]


class FailureReport(TypedDict, total=False):
    """The failure in an emulated phone's report; all values are empty when there is none."""

    code: str
    step: str
    what: str
    facts: Mapping[str, object]
