# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""How far a phone is, by what the logs say of it.

Of each sort of event the latest is kept as a fact, and the state follows from the facts alone. So it makes no difference in which
order events become known, or how often.

Sources: "Remote customization" and "HTTP status code handling on resync" of the ATA 191/192 provisioning guide; the MPP migration
guide, by which a phone asks for several files of which only one is there, so that a missing file alone is no failure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from .events import Event, mac_inside, mac_of_subject

STATES = ("expected", "leased", "bootstrap", "profile", "resynced", "reported", "packed", "failed")
"""From far away to done, and failed. bootstrap and profile: fetched."""

PATIENCE: Mapping[str, int] = MappingProxyType({"expected": 900, "leased": 120, "bootstrap": 120, "profile": 300})
"""Seconds in a state after which a phone is stuck. A unit waits for up to 40 s before it first asks (Resync_Random_Delay 2)."""

_OK = (*range(200, 300), 304)
_TRUSTED_FILES = (".pem", ".crt", ".cer")
# What a rule for firmware leads to; parts of an image are others, and many
_IMAGES = (".loads", ".img", ".bin")
_FIRMWARE = "/firmware/"
# A phone that fetches the same image so often within a day does not get on
_REPEATS = 3
_PROFILES = (".cfg", ".xml", ".boot", ".htm", ".txt")
# What nginx says of an error is told by the phone within this time
_SAME = 60_000


MILESTONES = ("leased", "profile", "resynced")
"""What a batch is counted by: phones that had an address, fetched a profile of their own, and resynced."""
_MILESTONES = {"leased": "leased", "profile": "profile", "succeeded": "resynced", "succeeded somewhere": "resynced"}

_DAY = 24 * 3600 * 1000
_BEGUN = "begun"
_CLAIMED = "claimed "
_CLAIMING = ("tftp", "http", "profile")
# So long after its last lease a phone is no more on the bench, and asks from an address that nobody knows
_AWAY = _DAY


class Fact(NamedTuple):
    """The latest event of a sort."""

    time: int
    """Milliseconds since 1970."""
    key: str
    """Of the event: the greater one is the later one within a millisecond."""
    text: str = ""


_NEVER = Fact(0, "")

Facts = Mapping[str, Fact]


class Position(NamedTuple):
    """How far a phone is."""

    state: str
    since: int
    """Milliseconds since 1970; 0 while nothing is known."""
    reason: str
    """Why it failed, in words; empty unless it did."""
    address: str
    firmware: str
    profile_hash: str
    subject: str
    customization: str


class Diagnosis(NamedTuple):
    """Why a phone comes no further: what is most likely, and what to do."""

    cause: str
    remedy: str


class Explanation(NamedTuple):
    """A cause, as a clause, and what to do about it."""

    pattern: re.Pattern[str]
    cause: str
    remedy: str


def _explanation(pattern: str, cause: str, remedy: str) -> Explanation:
    return Explanation(re.compile(pattern, re.IGNORECASE), cause, remedy)


_IN_A_CIRCLE = f"fetched {_REPEATS} times"

# What the web server and the service say of a refusal, what $ERR of a unit may say, and statuses. The first that fits counts.
_EXPLANATIONS = (
    _explanation(
        _IN_A_CIRCLE,
        "it fetches the same firmware again and again",
        "hold it with phone_firmware_hold, and compare the version in firmware_images with what its page says that it runs",
    ),
    _explanation(
        r"no client certificate",
        "it showed no client certificate",
        "use a unit with a certificate of its own, or let its profile be sealed or fetched with a password",
    ),
    _explanation(
        r"client certificate of no phone",
        "its client certificate is a generic one, which any old unit has",
        "update its firmware, or let its profile be sealed or fetched with a password",
    ),
    _explanation(
        r"client certificate of another phone",
        "its client certificate is that of another phone",
        "compare the MAC address on its label with the inventory's",
    ),
    _explanation(
        r"client certificate that is not valid",
        "its client certificate is not valid here",
        "put the root certificate of its maker among the device roots, and check the station's clock",
    ),
    _explanation(r"not by HTTPS", "it asked for its own file without HTTPS", "let its Profile_Rule begin with https://"),
    _explanation(
        r"decrypt|\bkey\b|padding|encrypted|unseal|sealed|digest",
        "it could not decrypt its profile",
        "compare the key that it holds with the inventory's, and the digest of its family with what its firmware takes",
    ),
    _explanation(
        r"gzip|inflate|compress",
        "it could not unpack its profile",
        "publish its profile again, and without compression if it persists",
    ),
    _explanation(
        r"\bxml\b|well-formed|corrupt|\bpars|root element|flat-profile",
        "its profile is corrupt for it",
        "publish its profile again, and check that its model is the one in the inventory",
    ),
    _explanation(
        r"certificate|\bx509|\bssl\b|\btls\b|handshake|\bverif|self.signed|\bexpired\b|not yet valid",
        "it refused the server's certificate, or the server refused its TLS",
        "check the server certificate's name, end and signer, and that the phone gets the time (option 42)",
    ),
    _explanation(
        r"\b404\b|not found|no such",
        "the file that it asks for is not there",
        "check that its model and MAC address are those of the inventory, and publish its profile",
    ),
    _explanation(
        r"\b40[17]\b|unauthori|authenticat",
        "the server wants a user name and password that it does not have",
        "put --uid and --pwd into its Profile_Rule, or let it show its certificate",
    ),
    _explanation(
        r"\b429\b|too many",
        "the server takes it for one that looks for others' files",
        "find out why it asked for so many, then let it in again as the journal says",
    ),
    _explanation(r"\b403\b|forbidden", "the server refused it", "look at the web server's log for the reason"),
    _explanation(
        r"\b5[0-9][0-9]\b|server error|bad gateway",
        "the server could not answer",
        "look at the profile service's log, and let the phone try again",
    ),
    _explanation(
        r"resolv|\bdns\b|unknown host|host not found|name or service",
        "it could not resolve the server's name",
        "check that the bench's DNS server knows the name in the profile's URL",
    ),
    _explanation(
        r"time[sd]?.?out|no answer|unreachable|refused|\bconnect|reset by",
        "the server did not answer it",
        "check that the server in the profile's URL runs and can be reached from where the phone is",
    ),
    _explanation(
        r"http_?get|https?_|tftp|download|fetch",
        "it could not fetch the file",
        "look at its timeline for what the server answered, and at the URL in its Profile_Rule",
    ),
)
_OTHER = ("it says that the resync failed", "look at its own log for what it did before")
_URL = re.compile(r"\S+://\S+")


def explain(text: str) -> tuple[str, str]:
    """Return the cause that *text* of a phone or server tells of, as a clause, and the remedy."""
    # What stands in a URL is no reason
    plain = _URL.sub(" ", text)
    for found in _EXPLANATIONS:
        if found.pattern.search(plain):
            return found.cause, found.remedy
    return _OTHER


def read_facts(text: str) -> dict[str, Fact]:
    """Read what write_facts() has written; nothing is known where it is something else."""
    try:
        return {str(name): Fact(int(time), str(key), str(words)) for name, (time, key, words) in json.loads(text).items()}
    except (AttributeError, TypeError, ValueError):
        return {}


def write_facts(facts: Facts) -> str:
    """Return *facts* as JSON."""
    return json.dumps(facts, separators=(",", ":"), sort_keys=True)


def begin(moment: int) -> dict[str, Fact]:
    """Return the facts of a phone that begins anew: nothing before *moment* (milliseconds) counts, whenever it becomes known."""
    return {_BEGUN: Fact(moment, "")}


def learn(facts: Facts, events: Iterable[Event], mac: str, serial: str = "") -> dict[str, Fact]:
    """Return *facts* with what *events*, which are the phone's, add to them."""
    known = dict(facts)
    after = known.get(_BEGUN, _NEVER).time
    names = tuple(name.lower() for name in (mac, serial) if name)
    for event in events:
        if event.time < after:
            continue
        for name, text in _facts(event, names):
            fact = Fact(event.time, event.key, text)
            if name.removeprefix(_CLAIMED) == "image":
                _keep(known, name, fact)
            elif name not in known or known[name] < fact:
                known[name] = fact
    return known


def _keep(known: dict[str, Fact], name: str, fact: Fact) -> None:
    """Add a fact of a sort of which the latest _REPEATS are kept, each under a name of its own."""
    places = [name, *(f"{name} {number}" for number in range(2, _REPEATS + 1))]
    latest = sorted({fact, *(known[place] for place in places if place in known)}, reverse=True)
    known.update(zip(places, latest, strict=False))


def reach(times: Mapping[str, int], facts: Facts, events: Iterable[Event], mac: str, serial: str = "") -> dict[str, int]:
    """Return *times* with what *events*, which are the phone's, add: when it first reached each of MILESTONES, 0 for never.

    A claim counts too, since no phone moves by it.
    """
    first = dict(times)
    after = facts.get(_BEGUN, _NEVER).time
    names = tuple(name.lower() for name in (mac, serial) if name)
    for event in events:
        if event.time < after or all(0 < time <= event.time for time in first.values()):
            continue
        for name, _text in _facts(event, names):
            milestone = _MILESTONES.get(name.removeprefix(_CLAIMED))
            if milestone and not 0 < first[milestone] <= event.time:
                first[milestone] = event.time
    return first


def _facts(event: Event, names: tuple[str, ...]) -> Iterable[tuple[str, str]]:
    """The sorts that *event* is of, and what is worth knowing of it."""
    detail = event.detail
    # A phone's own message names it, and the service looks at who reports; a path that names a phone is no more than a claim
    claim = "" if event.mac or event.kind not in _CLAIMING else _CLAIMED
    if event.kind != "lease" and event.address:
        yield f"{claim}address", event.address
    if detail.get("firmware"):
        yield f"{claim}firmware", str(detail["firmware"])
    if detail.get("subject") and mac_of_subject(str(detail["subject"])) in names:
        yield "subject", str(detail["subject"])
    for name, text in _SORTS[event.kind](event, names):
        yield f"{claim}{name}", text


def _of_lease(event: Event, _names: tuple[str, ...]) -> Iterable[tuple[str, str]]:
    what = str(event.detail.get("what"))
    if what == "ack":
        yield "leased", event.address
    elif what in ("discover", "none free", "nak", "decline"):
        yield "asked", what


def _of_tftp(event: Event, names: tuple[str, ...]) -> Iterable[tuple[str, str]]:
    what, path = event.detail.get("what"), str(event.detail.get("path", ""))
    if what == "sent":
        yield from _fetched(path, names)
        yield from _of_image(path)
    elif what == "missing":
        yield "missing", path
    else:
        yield "broken off", path


def _of_http(event: Event, names: tuple[str, ...]) -> Iterable[tuple[str, str]]:
    path, status = str(event.detail.get("path", "")), int(event.detail.get("status", 0))
    if status in _OK and event.detail.get("method") == "GET":
        yield from _fetched(path, names)
        # A phone that asks for one piece after the other goes round in no circle
        if status != 206:
            yield from _of_image(path)
        etag = event.detail.get("etag")
        if etag and _sort(path, names) == "profile":
            yield "hash", str(etag).strip('"')
    elif _sort(path, names) or mac_inside(path):
        yield from _refused(event, status, path, str(event.detail.get("refused", "")))


def _of_service(event: Event, names: tuple[str, ...]) -> Iterable[tuple[str, str]]:
    status, path = int(event.detail.get("status", 0)), str(event.detail.get("path", ""))
    if status not in _OK:
        yield from _refused(event, status, path, str(event.detail.get("reason", "")))
    elif event.detail.get("method") != "HEAD":
        yield "profile", path
        if event.detail.get("etag"):
            yield "hash", str(event.detail["etag"]).strip('"')


def _of_redirect(event: Event, _names: tuple[str, ...]) -> Iterable[tuple[str, str]]:
    status = event.detail.get("status")
    # 301 and 302 send on a phone that has asked for its profile; it follows at once
    if status == 200:
        yield "customization", "Custom Pending" if event.detail.get("location") else "Unavailable"
    elif status not in (301, 302):
        yield "customization", "Pending"


def _of_report(event: Event, _names: tuple[str, ...]) -> Iterable[tuple[str, str]]:
    if event.detail.get("status", 200) in _OK:
        yield "reported", ""


def _of_resync(event: Event, names: tuple[str, ...]) -> Iterable[tuple[str, str]]:
    what, text = event.detail.get("what"), str(event.detail.get("text", ""))
    if what == "request":
        yield "requested", text
    elif what == "failure":
        yield "failed", text
    else:
        url = _URL.search(text)
        path = url[0].partition("://")[2].partition("/")[2] if url else ""
        # The first of two messages of success is that of the bootstrap profile
        sort = _sort(f"/{path}", names) if path else ""
        yield {"bootstrap": "told", "profile": "succeeded"}.get(sort, "succeeded somewhere"), text


def _of_upgrade(event: Event, _names: tuple[str, ...]) -> Iterable[tuple[str, str]]:
    what = event.detail.get("what")
    if what in ("success", "failure"):
        yield ("upgraded" if what == "success" else "upgrade failed"), str(event.detail.get("text", ""))


_SORTS: Mapping[str, Callable[[Event, tuple[str, ...]], Iterable[tuple[str, str]]]] = MappingProxyType(
    {
        "lease": _of_lease,
        "tftp": _of_tftp,
        "http": _of_http,
        "profile": _of_service,
        "redirect": _of_redirect,
        "report": _of_report,
        "resync": _of_resync,
        "upgrade": _of_upgrade,
    }
)


def _fetched(path: str, names: tuple[str, ...]) -> Iterable[tuple[str, str]]:
    sort = _sort(path, names)
    if sort:
        yield sort, path


def _of_image(path: str) -> Iterable[tuple[str, str]]:
    if path.startswith(_FIRMWARE) and path.lower().endswith(_IMAGES):
        yield "image", path


def _refused(event: Event, status: int, path: str, words: str) -> Iterable[tuple[str, str]]:
    if status == 404:
        yield "missing", path
    # A claim alone cannot make another's phone fail; 401 asks for a password that may follow
    elif event.mac and (status in (403, 429) or status >= 500):
        yield "refused", f"{words} (HTTP {status}, {path})" if words else f"HTTP {status}, {path}"
    elif status in (401, 407):
        yield "login", path


def _sort(path: str, names: tuple[str, ...]) -> str:
    """``profile`` for the phone's own file, ``bootstrap`` for one that all of its model get, nothing for another's and all else."""
    path = path.partition("?")[0].lower()
    if mac_inside(path) in names or any(name in path for name in names):
        return "profile"
    if mac_inside(path) or path.endswith(_TRUSTED_FILES):
        return ""
    return "bootstrap" if path.endswith(_PROFILES) else ""


def judge(facts: Facts, packed: int = 0) -> Position:
    """Return how far the phone is. *packed*: when somebody has put it into its box (milliseconds), or 0."""
    facts = _believed(facts)
    state, since, failure = _state(facts)
    if packed and facts.get("bootstrap", _NEVER).time <= packed:
        # One that was reset to its factory settings and came back is packed no more
        state, since, failure = "packed", packed, None
    address = max((facts[name] for name in ("leased", "address") if name in facts), default=_NEVER)
    return Position(
        state,
        since,
        failure.reason if failure else "",
        address.text,
        facts.get("firmware", _NEVER).text,
        facts.get("hash", _NEVER).text,
        facts.get("subject", _NEVER).text,
        _customization(facts),
    )


def _believed(facts: Facts) -> Facts:
    """Return *facts* with what is claimed where nobody can be sure: of phones that have no lease, or none any more."""
    claims = {name.removeprefix(_CLAIMED): fact for name, fact in facts.items() if name.startswith(_CLAIMED)}
    if not claims:
        return facts
    away = facts["leased"].time + _AWAY if "leased" in facts else 0
    return {**facts, **{name: fact for name, fact in claims.items() if fact.time >= away and fact > facts.get(name, _NEVER)}}


def arrived(facts: Facts, position: Position, state: str, since: int) -> int:
    """Return since when the phone is where it is, if it was in *state* since *since* before.

    A lease that is renewed, or a failure that repeats, is no new state, unless the phone has begun anew in between.
    """
    stayed = position.state == state and _believed(facts).get("bootstrap", _NEVER).time <= since
    return since if stayed or not position.since else position.since


class _Failure(NamedTuple):
    text: str
    upgrade: bool

    @property
    def reason(self) -> str:
        cause, _remedy = explain(self.text)
        before = "the firmware could not be changed: " if self.upgrade else ""
        return f"{before}{cause}: {self.text}" if self.text else f"{before}{cause}"


def _state(facts: Facts) -> tuple[str, int, _Failure | None]:
    # Who fetches the bootstrap profile begins anew: what was before counts no more
    start = facts.get("bootstrap", _NEVER)
    reached = [(state, facts[name]) for state, name in _REACHED if name in facts and facts[name].time >= start.time]
    profile, somewhere = facts.get("profile", _NEVER), facts.get("succeeded somewhere", _NEVER)
    if profile.time and somewhere.time >= profile.time >= start.time:
        reached.append(("resynced", somewhere))
    latest = max((fact.time for _state, fact in reached), default=0)
    failed = [(facts[name], name) for name in ("failed", "refused") if name in facts and facts[name].time >= latest]
    upgrade = facts.get("upgrade failed", _NEVER)
    if upgrade.time and upgrade.time >= start.time and upgrade > facts.get("upgraded", _NEVER):
        failed.append((upgrade, "upgrade failed"))
    circle = _circle(facts, start.time, latest)
    if circle:
        failed.append((circle, "upgrade failed"))
    if failed:
        fact, name = max(failed)
        refused = facts.get("refused", _NEVER)
        # The server knows better why than the phone
        text = refused.text if name == "failed" and refused.time and 0 <= fact.time - refused.time <= _SAME else fact.text
        return "failed", fact.time, _Failure(text, name == "upgrade failed")
    if reached:
        state, fact = max(reached, key=lambda one: (STATES.index(one[0]), one[1]))
        return state, fact.time, None
    # A lease is renewed all the time, and says nothing of all else
    return ("leased", facts["leased"].time, None) if "leased" in facts else ("expected", 0, None)


def _circle(facts: Facts, start: int, latest: int) -> Fact | None:
    """Return the fact that the phone goes round in a circle with its firmware, if it does; *latest*: when it last got somewhere."""
    found = [fact for name, fact in facts.items() if name.partition(" ")[0] == "image" and fact.time >= start]
    if len(found) < _REPEATS or len({fact.text.lower() for fact in found}) > 1:
        return None
    took = max(found).time - min(found).time
    # One that has gone on for longer than a round since, without another, is out of it
    if took > _DAY or latest > max(found).time + max(took, _DAY // 24):
        return None
    return max(found)._replace(text=f"{_IN_A_CIRCLE}: {max(found).text}")


_REACHED = (
    ("bootstrap", "bootstrap"),
    ("bootstrap", "told"),
    ("profile", "profile"),
    ("resynced", "succeeded"),
    ("reported", "reported"),
)


def _customization(facts: Facts) -> str:
    asked = facts.get("customization", _NEVER)
    leased = facts.get("leased", _NEVER)
    if asked.time and asked > facts.get("bootstrap", _NEVER):
        return "Acquired" if asked.text == "Custom Pending" and facts.get("profile", _NEVER) > asked else asked.text
    # DHCP gave the way to the bench's profiles, so that the vendor's service is not asked
    return "Aborted" if leased.time or facts.get("bootstrap", _NEVER).time else "Open"


def diagnose(
    facts: Facts, state: str, since: int, now: int, logs: bool = True, patience: Mapping[str, int] = PATIENCE
) -> Diagnosis | None:
    """Return why a phone that is in *state* since *since* comes no further, or None while there is nothing to worry about.

    *now* in milliseconds. *logs*: whether its family tells of a resync; if not, no more is to be seen than a profile fetched.
    """
    facts = _believed(facts)
    if state == "failed":
        failure = _state(facts)[2]
        cause, remedy = explain(failure.text if failure else "")
        return Diagnosis(_sentence(cause), _sentence(remedy))
    if state not in patience or (now - since < patience[state] * 1000) or (state == "profile" and not logs):
        return None
    cause, remedy = _CAUSES[state](facts)
    return Diagnosis(_sentence(cause), _sentence(remedy))


def _sentence(clause: str) -> str:
    return f"{clause[:1].upper()}{clause[1:]}."


def _no_lease(facts: Facts) -> tuple[str, str]:
    asked = facts.get("asked", _NEVER)
    if asked.text == "none free":
        return "the DHCP server has no free address for it", "make the pool larger, or wait until leases end"
    if asked.text == "nak":
        return "the DHCP server refused the address that it wants", "unplug it for a moment, so that it asks for a new address"
    if asked.text == "decline":
        return "another device has the address that it was offered", "find who else uses addresses of the bench's pool"
    if asked.time:
        return (
            "it asks for an address, but takes none that it is offered",
            "look for another DHCP server, and for a VLAN in which answers do not reach it",
        )
    return (
        "no DHCP request of it has arrived",
        "check its cable, the switch port and its VLAN, that DHCP runs, and the MAC address on its label",
    )


def _no_bootstrap(facts: Facts) -> tuple[str, str]:
    since = facts.get("leased", _NEVER)
    if facts.get("refused", _NEVER) > since:
        return explain(facts["refused"].text)
    if facts.get("missing", _NEVER) > since:
        return (
            f"it asks for {facts['missing'].text}, which is not there",
            "check that its model is the one in the inventory, and publish the profiles of that model",
        )
    if facts.get("broken off", _NEVER) > since:
        return "its transfer by TFTP breaks off", "check its cable, and that no firewall stops UDP between it and the station"
    return (
        "it has an address, but has asked for no file",
        "check that DHCP gives it option 66, and reset it to its factory settings if it was used before",
    )


def _no_profile(facts: Facts) -> tuple[str, str]:
    since = facts.get("bootstrap", _NEVER)
    for name in ("refused", "login"):
        if facts.get(name, _NEVER) > since:
            return explain(facts[name].text if name == "refused" else "401")
    if facts.get("missing", _NEVER) > since:
        return (
            f"it asks for {facts['missing'].text}, which is not there",
            "check that its MAC address is in the inventory, and publish its profile",
        )
    requested = facts.get("requested", _NEVER)
    if requested > since and requested.text.lower().startswith("https:"):
        return (
            "it wants its profile by HTTPS, but no request has arrived",
            "check the server certificate's name, end and signer, and that the phone gets the time (option 42)",
        )
    if requested > since:
        return (
            f"it wants {requested.text}, but no request has arrived",
            "check that the server's name resolves on the bench, and that the server is the station",
        )
    return (
        "it has its bootstrap profile, but has not asked for its own",
        "check the Profile_Rule in the bootstrap profile, and give it a minute after it has restarted",
    )


def _no_message(facts: Facts) -> tuple[str, str]:
    if facts.get("requested", _NEVER).time:
        return (
            "it has fetched its profile, but does not say that it took it",
            "look at its web page for the state of the last resync, and compare the key and digest",
        )
    return (
        "it has fetched its profile, but does not log",
        "check the syslog server in its profile, and that its VLAN reaches the station's UDP port 514",
    )


_CAUSES = MappingProxyType({"expected": _no_lease, "leased": _no_bootstrap, "bootstrap": _no_profile, "profile": _no_message})
