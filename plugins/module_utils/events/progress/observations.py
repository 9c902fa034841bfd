# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What has been observed of a phone: the latest observation of each kind, whatever the order in which events become known.

What anybody could have sent, such as a request whose path names a phone, is only a claim. Claims are kept apart from what is
certain, and what is observed at home from what is observed on the bench.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from ...families.catalogue import BUILTIN
from ...families.requested_names import in_vain_pattern
from ..logs.evidence import PROOFS, Evidence, Place
from ..logs.log_lines import Event, EventKind, WebAnswer, mac_inside, mac_of_subject, split_unit_folder
from ..logs.refusals import Refusal
from .customization_states import CustomizationState
from .progress_table import MAX_IMAGE_FETCHES, ObservationKind

OK_STATUSES = (*range(200, 300), 304)
_CERTIFICATE_FILES = (".pem", ".crt", ".cer")
# What an upgrade rule names; the parts of an image are other files, and many
_IMAGES = (".loads", ".img", ".bin")
_FIRMWARE = "/firmware/"
_PROFILES = (".cfg", ".xml", ".boot", ".htm", ".txt")
# A phone is no longer on the bench this long after it was last certain that it was, and its requests come from an unknown address
AWAY = 24 * 3600 * 1000
_URL = re.compile(r"\S+://\S+")
_TRIED_IN_VAIN = in_vain_pattern(BUILTIN.families.values())

# Bytes behind a name that are no text, as clean() shows them
_STRAY_BYTES = re.compile(r"(?:\\x[0-9a-f]{2})+$")

# Names in the stored form
_RESET = "begun"
_CLAIMED = "claimed "
_HOME = "home "
_CLAIMED_HOME = "home claimed "


class Observation(NamedTuple):
    """The latest event of a kind."""

    time: int
    """Milliseconds since 1970."""
    key: str
    """The event's key: the greater one is the later one within a millisecond."""
    text: str = ""
    evidence: str = ""
    """How it is known that it was this phone, see Evidence."""


NEVER = Observation(0, "")


@dataclass(frozen=True)
class Sightings:
    """The latest observation of each kind, and the latest fetches of firmware images, newest first."""

    latest: Mapping[ObservationKind, Observation] = field(default_factory=dict)
    images: tuple[Observation, ...] = ()

    def get(self, kind: ObservationKind) -> Observation:
        """Return the latest observation of *kind*, or NEVER."""
        return self.latest.get(kind, NEVER)


@dataclass(frozen=True)
class Observations:
    """Everything observed of a phone."""

    certain: Sightings = Sightings()
    claimed: Sightings = Sightings()
    home: Sightings = Sightings()
    """What is certain at home, from the provisioning servers."""
    home_claimed: Sightings = Sightings()
    reset: int = 0
    """Events before this moment do not count, whenever they become known; milliseconds since 1970."""


def reset(moment: int) -> Observations:
    """Return the observations of a phone that starts over at *moment* (milliseconds)."""
    return Observations(reset=moment)


def before_clock_change(observations: Observations, moment: int, first: int) -> Observations:
    """Return *observations* with those later than *moment* moved to before *first*, the time of what has become known now.

    They became known earlier, so they are from a clock that was ahead, as far as it was: they keep the times between them.
    """
    sightings = _parts(observations)
    seen = [one.time for part in sightings for one in (*part.latest.values(), *part.images)]
    ahead = max([*seen, observations.reset, 0]) - first + 1
    if ahead + first - 1 <= moment:
        return observations

    def moved(time: int) -> int:
        return max(time - ahead, 1) if time > moment else time

    def all_moved(part: Sightings) -> Sightings:
        latest = {kind: one._replace(time=moved(one.time)) for kind, one in part.latest.items()}
        return Sightings(latest, tuple(one._replace(time=moved(one.time)) for one in part.images))

    return _of_parts(map(all_moved, sightings), moved(observations.reset))


def _parts(observations: Observations) -> tuple[Sightings, ...]:
    return observations.certain, observations.claimed, observations.home, observations.home_claimed


def _of_parts(parts: Iterable[Sightings], reset: int) -> Observations:
    certain, claimed, home, home_claimed = parts
    return Observations(certain, claimed, home, home_claimed, reset)


def read_observations(text: str) -> Observations:
    """Return what write_observations() has written; anything else gives no observations."""
    try:
        found = {str(name): tuple(values) for name, values in json.loads(text).items()}
        # Earlier releases stored no evidence
        stored = {
            name: Observation(int(values[0]), *map(str, values[1:])) for name, values in found.items() if len(values) in (3, 4)
        }
    except (AttributeError, TypeError, ValueError):
        return Observations()
    return _of_parts((_read_sightings(stored, prefix) for prefix in _PREFIXES), stored.get(_RESET, NEVER).time)


def _read_sightings(everything: Mapping[str, Observation], prefix: str) -> Sightings:
    stored = {name.removeprefix(prefix): seen for name, seen in everything.items() if name.startswith(prefix)}
    images = tuple(stored[name] for name in _IMAGE_NAMES if name in stored)
    return Sightings({kind: stored[kind] for kind in _SINGLE_KINDS if kind in stored}, images)


def write_observations(observations: Observations) -> str:
    """Return *observations* as a JSON object: an array of time, key, text and evidence by kind, after one of _PREFIXES."""
    stored = {
        f"{prefix}{name}": seen
        for prefix, part in zip(_PREFIXES, _parts(observations), strict=True)
        for name, seen in _write_sightings(part).items()
    }
    if observations.reset:
        stored[_RESET] = Observation(observations.reset, "")
    values = {name: seen if seen.evidence else seen[:3] for name, seen in stored.items()}
    return json.dumps(values, separators=(",", ":"), sort_keys=True)


def _write_sightings(sightings: Sightings) -> dict[str, Observation]:
    return {
        **{kind.value: seen for kind, seen in sightings.latest.items()},
        **dict(zip(_IMAGE_NAMES, sightings.images, strict=False)),
    }


_PREFIXES = ("", _CLAIMED, _HOME, _CLAIMED_HOME)
_SINGLE_KINDS = tuple(kind for kind in ObservationKind if kind is not ObservationKind.IMAGE_FETCHED)
_IMAGE_NAMES = ("image", *(f"image {number}" for number in range(2, MAX_IMAGE_FETCHES + 1)))


def apply_events(observations: Observations, events: Iterable[Event], mac: str, serial: str = "") -> Observations:
    """Return *observations* with those added that *events*, all of them this phone's, bring."""
    names = names_of(mac, serial)
    counted = [event for event in events if event.time >= observations.reset]
    parts = [
        _with_events(before, [event for event in counted if event.place is place and bool(event.mac) is certain], names)
        for before, (place, certain) in zip(_parts(observations), _KINDS_OF_PARTS, strict=True)
    ]
    return _of_parts(parts, observations.reset)


_KINDS_OF_PARTS = ((Place.BENCH, True), (Place.BENCH, False), (Place.HOME, True), (Place.HOME, False))


def _with_events(before: Sightings, events: Iterable[Event], names: tuple[str, ...]) -> Sightings:
    latest, images = dict(before.latest), before.images
    for event in events:
        # That of a claim on the bench says nothing more
        evidence = event.evidence.value if event.mac or event.place is Place.HOME else ""
        for kind, text in observe(event, names) if event.place is Place.BENCH else observe_at_home(event, names):
            seen = Observation(event.time, event.key, text, evidence)
            if kind is ObservationKind.IMAGE_FETCHED:
                images = _with_image(images, seen)
            else:
                latest[kind] = max(seen, latest.get(kind, NEVER))
    return Sightings(latest, images)


def without_model_files(events: Iterable[Event], mac: str, serial: str = "") -> list[Event]:
    """Return *events* without fetches from the phone's TFTP folder that do not name the phone.

    Such a file is the model's own if the phone has a file with a name of its own.
    """
    names = names_of(mac, serial)
    return [event for event in events if not _is_of_model(event, names)]


def _is_of_model(event: Event, names: tuple[str, ...]) -> bool:
    folder, rest = split_unit_folder(str(event.detail.get("path", ""))) if event.kind is EventKind.TFTP else ("", "")
    return bool(folder) and not rest.startswith(_FIRMWARE) and _owner(rest, names) is not ObservationKind.PROFILE_FETCHED


def _with_image(images: tuple[Observation, ...], seen: Observation) -> tuple[Observation, ...]:
    return tuple(sorted({seen, *images}, reverse=True)[:MAX_IMAGE_FETCHES])


def resolve_claims(observations: Observations) -> Sightings:
    """Return what is certain, and the claims that nothing contradicts: if nothing is certain of the phone, or long after it was."""
    certain, claimed = observations.certain, observations.claimed
    if not claimed.latest and not claimed.images:
        return certain
    away = away_since(observations)
    believed = {kind: seen for kind, seen in claimed.latest.items() if seen.time >= away and seen > certain.get(kind)}
    images = certain.images
    for place, seen in enumerate(claimed.images):
        if seen.time >= away and seen > (images[place] if place < len(images) else NEVER):
            images = (*images[:place], seen, *images[place + 1 :])
    return Sightings({**certain.latest, **believed}, images)


def away_since(observations: Observations) -> int:
    """Return from when on the phone may be elsewhere: AWAY after it was certainly on the bench; 0 if it never was."""
    latest = observations.certain.latest.items()
    known = max((seen.time for kind, seen in latest if kind is ObservationKind.LEASED or seen.evidence), default=0)
    return known + AWAY if known else 0


def profile_evidence(observations: Observations) -> str:
    """Return what proves that the phone has fetched its own profile since it started over: one of PROOFS, or an empty string."""
    fetched = observations.certain.get(ObservationKind.PROFILE_FETCHED)
    start = observations.certain.get(ObservationKind.BOOTSTRAP_FETCHED)
    return fetched.evidence if fetched.evidence in PROOFS and fetched.time >= start.time else ""


def names_of(mac: str, serial: str = "") -> tuple[str, ...]:
    """Return what a phone is named by in paths and certificates."""
    return tuple(name.lower() for name in (mac, serial) if name)


def observe(event: Event, names: tuple[str, ...]) -> Iterator[tuple[ObservationKind, str]]:
    """Yield the kinds of what *event* says of the phone with these *names*, with a text for each."""
    detail = event.detail
    # Anybody may claim to be the phone, or send once more what it has sealed; that does not say where the phone is
    if event.mac and event.kind is not EventKind.LEASE and event.address and event.evidence is not Evidence.KEY:
        yield ObservationKind.ADDRESS, event.address
    if event.mac and detail.get("firmware"):
        yield ObservationKind.FIRMWARE, str(detail["firmware"])
    if detail.get("subject") and mac_of_subject(str(detail["subject"])) in names:
        yield ObservationKind.SUBJECT, str(detail["subject"])
    yield from _OBSERVERS[event.kind](event, names)


_AT_HOME = frozenset(ObservationKind) - {
    # Only the bench has these
    ObservationKind.LEASED,
    ObservationKind.LEASE_TROUBLE,
    ObservationKind.BOOTSTRAP_FETCHED,
    ObservationKind.BOOTSTRAP_APPLIED,
    ObservationKind.UNIT_FILE_FETCHED,
    # See CALLED_HOME
    ObservationKind.ADDRESS,
}
_CALLS = (EventKind.PROFILE, EventKind.REPORT, EventKind.REDIRECT)


def observe_at_home(event: Event, names: tuple[str, ...]) -> Iterator[tuple[ObservationKind, str]]:
    """Yield the kinds of what *event*, logged by a provisioning server, says of the phone with these *names*, with texts."""
    detail = event.detail
    is_file = event.kind is EventKind.HTTP and detail.get("what") in list(WebAnswer)
    # Scan-out asks with HEAD whether a provisioning server knows a phone, and no phone does
    if (is_file or event.kind in _CALLS) and detail.get("method") != "HEAD":
        yield ObservationKind.CALLED_HOME, event.address
        if event.evidence is Evidence.NAME:
            yield ObservationKind.ASKED_BY_KEY_ID, event.address
    yield from ((kind, text) for kind, text in observe(event, names) if kind in _AT_HOME)
    # Not certain, but the likely cause if nothing certain is ever heard
    status = int(detail.get("status", 0) or 0)
    if not event.mac and (is_file or event.kind in _CALLS) and (status in (403, 429) or status >= 500):
        reason = str(detail.get("refused") or detail.get("reason") or "")
        yield ObservationKind.REFUSED, str(Refusal(status, str(detail.get("path", "")), reason))


def _observe_lease(event: Event, _names: tuple[str, ...]) -> Iterator[tuple[ObservationKind, str]]:
    what = str(event.detail.get("what"))
    if what == "ack":
        yield ObservationKind.LEASED, event.address
    elif what in ("discover", "none free", "nak", "decline"):
        yield ObservationKind.LEASE_TROUBLE, what


def _observe_tftp(event: Event, names: tuple[str, ...]) -> Iterator[tuple[ObservationKind, str]]:
    what, path = event.detail.get("what"), str(event.detail.get("path", ""))
    folder, rest = split_unit_folder(path)
    if what == "sent" and folder:
        yield from _fetched_from_folder(folder in names, path, rest)
    elif what == "sent":
        yield from _image(path) if path.startswith(_FIRMWARE) else _fetched(path, names)
    elif what == "missing":
        yield from _missing(path)
    else:
        yield ObservationKind.TRANSFER_BROKEN, path


def _observe_http(event: Event, names: tuple[str, ...]) -> Iterator[tuple[ObservationKind, str]]:
    path, status, what = (event.detail.get(name, "") for name in ("path", "status", "what"))
    path, status = str(path), int(status or 0)
    if what not in list(WebAnswer):
        # The board, the API, the health of the service: whoever looks there is no phone
        return
    if status in OK_STATUSES:
        # What the profile service has delivered follows from its own line
        if what == WebAnswer.FILE and event.detail.get("method") == "GET":
            yield from _fetched_by_http(event, path, status, names)
    elif _owner(path, names) or mac_inside(path):
        yield from _rejected(event, status, path, str(event.detail.get("refused", "")))


def _fetched_by_http(event: Event, path: str, status: int, names: tuple[str, ...]) -> Iterator[tuple[ObservationKind, str]]:
    if path.startswith(_FIRMWARE):
        # A phone that fetches one part after the other is in no loop
        yield from _image(path) if status != 206 else ()
        return
    yield from _fetched(path, names)
    etag = event.detail.get("etag")
    if etag and _owner(path, names) is ObservationKind.PROFILE_FETCHED:
        yield ObservationKind.PROFILE_HASH, str(etag).strip('"')


def _observe_service(event: Event, _names: tuple[str, ...]) -> Iterator[tuple[ObservationKind, str]]:
    status, path = int(event.detail.get("status", 0)), str(event.detail.get("path", ""))
    if status not in OK_STATUSES:
        yield from _rejected(event, status, path, str(event.detail.get("reason", "")))
    elif event.detail.get("method") != "HEAD":
        yield ObservationKind.PROFILE_FETCHED, path
        if event.detail.get("etag"):
            yield ObservationKind.PROFILE_HASH, str(event.detail["etag"]).strip('"')


def _observe_redirect(event: Event, _names: tuple[str, ...]) -> Iterator[tuple[ObservationKind, str]]:
    status = event.detail.get("status")
    # 301 and 302 redirect a phone that has asked for its profile; it follows at once
    if status == 200:
        state = CustomizationState.CUSTOM_PENDING if event.detail.get("location") else CustomizationState.UNAVAILABLE
        yield ObservationKind.CUSTOMIZATION, state.value
    elif status not in (301, 302):
        yield ObservationKind.CUSTOMIZATION, CustomizationState.PENDING.value


def _observe_report(event: Event, _names: tuple[str, ...]) -> Iterator[tuple[ObservationKind, str]]:
    if event.detail.get("status", 200) in OK_STATUSES:
        yield ObservationKind.REPORTED, ""


def _observe_resync(event: Event, names: tuple[str, ...]) -> Iterator[tuple[ObservationKind, str]]:
    what, text = event.detail.get("what"), str(event.detail.get("text", ""))
    if what == "request":
        yield ObservationKind.RESYNC_REQUESTED, text
    elif what == "failure":
        yield ObservationKind.RESYNC_FAILED, text
    else:
        url = _URL.search(text)
        path = url[0].partition("://")[2].partition("/")[2] if url else ""
        # The first of two messages of success is that of the bootstrap profile
        yield _APPLIED[_owner(f"/{path}", names) if path else None], text


_APPLIED: Mapping[ObservationKind | None, ObservationKind] = MappingProxyType(
    {
        ObservationKind.BOOTSTRAP_FETCHED: ObservationKind.BOOTSTRAP_APPLIED,
        ObservationKind.PROFILE_FETCHED: ObservationKind.PROFILE_APPLIED,
        None: ObservationKind.UNNAMED_FILE_APPLIED,
    }
)


def _observe_upgrade(event: Event, _names: tuple[str, ...]) -> Iterator[tuple[ObservationKind, str]]:
    text = str(event.detail.get("text", ""))
    if event.detail.get("what") == "success":
        yield ObservationKind.UPGRADED, text
    elif event.detail.get("what") == "failure":
        yield ObservationKind.UPGRADE_FAILED, text


def _observe_arming(_event: Event, _names: tuple[str, ...]) -> Iterator[tuple[ObservationKind, str]]:
    # The station did this, not the phone
    return iter(())


_OBSERVERS: Mapping[EventKind, Callable[[Event, tuple[str, ...]], Iterator[tuple[ObservationKind, str]]]] = MappingProxyType(
    {
        EventKind.LEASE: _observe_lease,
        EventKind.TFTP: _observe_tftp,
        EventKind.HTTP: _observe_http,
        EventKind.PROFILE: _observe_service,
        EventKind.REDIRECT: _observe_redirect,
        EventKind.REPORT: _observe_report,
        EventKind.RESYNC: _observe_resync,
        EventKind.UPGRADE: _observe_upgrade,
        EventKind.ARMING: _observe_arming,
    }
)


def _fetched(path: str, names: tuple[str, ...]) -> Iterator[tuple[ObservationKind, str]]:
    kind = _owner(path, names)
    if kind:
        yield kind, path


def _fetched_from_folder(own: bool, path: str, rest: str) -> Iterator[tuple[ObservationKind, str]]:
    """Yield what a file from a unit's TFTP folder means. *own*: whether it is this phone's folder; *rest*: the path inside it."""
    if rest.startswith(_FIRMWARE):
        yield from _image(rest)
    elif own and not rest.endswith(_CERTIFICATE_FILES):
        yield ObservationKind.PROFILE_FETCHED, path
        yield ObservationKind.UNIT_FILE_FETCHED, path


def _missing(path: str) -> Iterator[tuple[ObservationKind, str]]:
    if not _TRIED_IN_VAIN.fullmatch(path.partition("?")[0]):
        yield ObservationKind.FILE_MISSING, path


def _image(path: str) -> Iterator[tuple[ObservationKind, str]]:
    if path.lower().endswith(_IMAGES):
        yield ObservationKind.IMAGE_FETCHED, path


def _rejected(event: Event, status: int, path: str, reason: str) -> Iterator[tuple[ObservationKind, str]]:
    if status == 404:
        yield from _missing(path)
    # A claim cannot make another's phone fail; after 401, a password may follow
    elif event.mac and (status in (403, 429) or status >= 500):
        yield ObservationKind.REFUSED, str(Refusal(status, path, reason))
    elif status in (401, 407):
        yield ObservationKind.LOGIN_REQUIRED, path


def _owner(path: str, names: tuple[str, ...]) -> ObservationKind | None:
    """Return what fetching *path* means: the phone's own file, one of its model's, or None for another phone's and the rest."""
    path = _STRAY_BYTES.sub("", path.partition("?")[0].lower())
    if mac_inside(path) in names or any(name in path for name in names):
        return ObservationKind.PROFILE_FETCHED
    if mac_inside(path) or path.endswith(_CERTIFICATE_FILES):
        return None
    return ObservationKind.BOOTSTRAP_FETCHED if path.endswith(_PROFILES) else None
