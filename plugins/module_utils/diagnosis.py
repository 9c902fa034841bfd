# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Why an emulated phone failed: what it saw itself, and what the station says of its own services, files, clock and refusals.

A failure is what phone_behaviour.Unit.report() gives: ``code``, ``step``, ``what`` and ``facts``. The station's side is what the
module phone_facts returns; what is not known there is left out. What an explanation of progress.py says is said in its words.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from .progress import Diagnosis, explain

SERVICES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "bench": ("preprovision-bench.service", "the unit that makes the bench's bridge"),
        "dhcp": ("isc-dhcp-server.service", "the DHCP server"),
        "tftp": ("preprovision-tftp.service", "the TFTP server"),
        "names": ("unbound.service", "the DNS server"),
        "web": ("nginx.service", "the web server"),
        "log": ("preprovision-log.service", "the log server"),
        "time": ("chrony.service", "the time server"),
        "service": ("preprovision-service.service", "the profile service"),
        "events": ("preprovision-events.service", "the unit that brings events into the database"),
    }
)
"""What a station is made of: its systemd unit, and what people call it."""

MOST_OFF = 120
"""Seconds that the station's clock may differ from the controller's."""

_SERVERS = MappingProxyType({"tftp": "tftp", "http": "web", "https": "web"})
_NEAR = 0.75
_CLOCK_REMEDY = "set the station's clock, let chrony keep it (time_server_adjust_clock), and run the playbook check again"
_PUBLISH = "run the playbook profiles"

Clause = tuple[str, str]
"""A cause, and what to do about it; both without a capital letter and a full stop."""


class _Case:
    """One failure, and what the station knows."""

    def __init__(self, failure: Mapping[str, Any], station: Mapping[str, Any]) -> None:
        self.code = str(failure.get("code", ""))
        self.what = str(failure.get("what", ""))
        self.told: Mapping[str, Any] = failure.get("facts") or {}
        self.station = station
        self.url = str(self.told.get("url", ""))
        self.scheme, self.server, self.path = (str(self.told.get(name, "")) for name in ("scheme", "server", "path"))

    def down(self, *names: str) -> Iterator[Clause]:
        """The services among *names* that do not run, though they are installed."""
        for name in names:
            state = self.station.get("services", {}).get(name, "active")
            if state != "active":
                unit, called = SERVICES[name]
                how = "does not run" if state == "inactive" else f"is {state}"
                yield (
                    f"{called} {how}",
                    f"start it with 'systemctl start {unit}', and read why it stopped with 'journalctl -u {unit}'",
                )

    def bridge(self) -> Iterator[Clause]:
        bridge = self.station.get("bridge") or {}
        name = bridge.get("name", "bench0")
        if bridge.get("state", "up") == "missing":
            yield (
                f"there is no bridge {name}",
                "start it with 'systemctl start preprovision-bench.service', or run the playbook site",
            )
        elif bridge.get("state", "up") != "up":
            yield (
                f"the bench's bridge {name} is {bridge['state']}",
                f"bring it up with 'ip link set {name} up', and see who took it down",
            )

    def clock(self) -> Iterator[Clause]:
        off = self.station.get("clock_off")
        if off is not None and abs(off) > MOST_OFF:
            yield (
                f"the station's clock is {span(abs(off))} {'ahead of' if off > 0 else 'behind'} the controller's",
                _CLOCK_REMEDY,
            )

    def log(self, kind: str) -> list[Mapping[str, Any]]:
        """Details of the station's own events of this *kind*, the latest first."""
        return [event.get("detail", {}) for event in reversed(self.station.get("events") or ()) if event.get("kind") == kind]

    def refusal(self) -> str:
        """What the web server or the service says of the refusal of this file, or nothing."""
        for detail in (*self.log("http"), *self.log("profile")):
            words = str(detail.get("refused") or detail.get("reason") or "")
            if words and (not self.path or str(detail.get("path", self.path)).partition("?")[0] == self.path):
                return words
        return ""


def diagnose(failure: Mapping[str, Any], station: Mapping[str, Any] | None = None) -> tuple[Diagnosis, ...]:
    """Return what may be the cause, and its remedy, the most likely first; there is always one.

    *failure*: code, step, what and facts; *station*: see the module phone_facts.
    """
    case = _Case(failure, station or {})
    found = dict.fromkeys(_CODES.get(case.code, _other)(case))
    return tuple(Diagnosis(_sentence(cause), _sentence(remedy)) for cause, remedy in found)


_NEEDED = MappingProxyType(
    {"expected": ("bench", "dhcp"), "leased": ("tftp", "web"), "bootstrap": ("names", "web"), "profile": ("log",)}
)
"""What a phone in that state waits for."""
_WRITTEN = ("leased", "bootstrap", "failed")


def explain_state(state: str, found: Diagnosis | None, station: Mapping[str, Any], published: bool) -> Diagnosis | None:
    """Return why a phone in *state* (see progress.STATES) comes no further; *found* is what progress.diagnose() says of it.

    What stands still on the station explains more than what the phone did. *published*: whether files of its own are there.
    """
    case = _Case({}, station)
    clauses = [*(case.bridge() if state == "expected" else ()), *case.down(*_NEEDED.get(state, ()))]
    if state in _WRITTEN and not published:
        clauses.append(("no profile of its own is published", f"put it into the inventory with this MAC address, and {_PUBLISH}"))
    first = next(iter(clauses), None)
    return Diagnosis(*map(_sentence, first)) if first else found


def span(seconds: float) -> str:
    """Return a time for people: ``3 days``."""
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = round(seconds / size)
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return f"{round(seconds)} seconds"


def _sentence(clause: str) -> str:
    first = clause.partition(" ")[0]
    # A name or a URL stays as it is
    begins = clause if any(sign in first for sign in ".:/_") else f"{clause[:1].upper()}{clause[1:]}"
    return f"{begins}."


def _file(case: _Case) -> str:
    return case.url or case.what or "the file"


# -- DHCP and names


def _no_lease(case: _Case) -> Iterator[Clause]:
    yield from case.bridge()
    yield from case.down("dhcp")
    heard = [str(detail.get("what")) for detail in case.log("lease")]
    if "none free" in heard[:3]:
        yield "the DHCP server has no free address for it", "make the pool larger, or wait until leases end"
    elif "nak" in heard[:3]:
        yield "the DHCP server refused the address that it wants", "unplug it for a moment, so that it asks for a new address"
    elif heard:
        yield (
            "the DHCP server heard it, but its answer has not arrived",
            "look at the journal of the DHCP server, and for another DHCP server on the bench",
        )
    else:
        yield (
            "no DHCP request of it has arrived",
            "check that DHCP serves bench0, and that no firewall of the machine stops UDP port 67",
        )


def _no_option(case: _Case) -> Iterator[Clause]:
    if "value" in case.told:
        yield (
            f"its family cannot follow what DHCP offers in option {case.told.get('option')}, '{case.told['value']}'",
            "set dhcp_server_option_66 to an address or a name, and run the playbook site",
        )
    wanted = " or ".join(map(str, case.told.get("options") or (case.told.get("option", 66),)))
    yield (
        f"DHCP gave it an address, but not option {wanted}, which tells where its file is",
        "run the playbook site, which writes option 66, and look for another DHCP server on the bench",
    )


def _no_address(case: _Case) -> Iterator[Clause]:
    name = case.server or "the server's name"
    yield from case.down("names")
    yield (
        f"{name} has no address on the bench",
        f"check that {name} is the provisioning_name of the inventory or among dns_server_names, and run the playbook site",
    )


# -- no answer


def _silent(case: _Case) -> Iterator[Clause]:
    yield from case.bridge()
    service = _SERVERS.get(case.scheme)
    yield from case.down(*([service] if service else ("tftp", "web")))
    address = case.told.get("address")
    ours = (case.station.get("bridge") or {}).get("address")
    if address and ours and address != ours:
        yield (
            f"{case.server or address} leads to {address}, which is not this station ({ours})",
            "check the server's name in the URL, and what the bench's DNS server says of it",
        )
    if case.code == "timeout" and not list(case.down("tftp", "web")):
        yield (
            f"{_file(case)} does not come to its end in time",
            "see what answers there, and whether the station is overloaded or a firewall lets nothing through",
        )
    cause, remedy = explain("no answer")
    yield cause, remedy


def _too_large(case: _Case) -> Iterator[Clause]:
    yield (
        f"{_file(case)} is larger than any phone takes",
        f"see what lies there; a profile has some kilobytes; {_PUBLISH} to put it right",
    )


def _loop(case: _Case) -> Iterator[Clause]:
    rule = case.told.get("profile_rule")
    yield (
        f"its Profile_Rule '{rule}' leads back to itself" if rule else f"{_file(case)} leads back to itself",
        "look at Profile_Rule in that profile, and at who redirects; it must lead on to the phone's own file, once",
    )


def _redirects(case: _Case) -> Iterator[Clause]:
    yield (
        f"{_file(case)} is redirected more often than a phone follows",
        "look at redirect and provisioning_url of its customer, and at what the other server answers",
    )


# -- what a server answers


def _not_found(case: _Case) -> Iterator[Clause]:
    path = case.path or case.what
    name = path.rpartition("/")[2]
    near = _near(name, case.station.get("files") or ())
    if near:
        yield (
            f"it asks for {path}, which is not there; what is there is called {near}",
            f"{_PUBLISH}, which writes every spelling that phones ask for, and remove the file of the wrong name",
        )
    if case.station.get("generation") == "":
        yield "nothing is published on this station", _PUBLISH
    cause, remedy = explain("404 not found")
    yield (f"it asks for {path}, which is not there" if path else cause), remedy


def _near(name: str, files: Iterable[str]) -> str:
    names = {path.rpartition("/")[2] for path in files} - {name}
    same = next((other for other in sorted(names) if other.lower() == name.lower()), "")
    return same or next(iter(difflib.get_close_matches(name, sorted(names), 1, _NEAR)), "")


def _forbidden(case: _Case) -> Iterator[Clause]:
    words = case.refusal()
    unreadable = [file["path"] for file in case.station.get("own") or () if not file.get("readable", True)]
    if not words and any(f"/{path}".endswith(case.path) for path in unreadable):
        yield (
            f"the web server may not read {case.path}, whose mode or group somebody has changed",
            f"{_PUBLISH}, which puts it right",
        )
    cause, remedy = explain(words or "403 forbidden")
    yield (f"the web server refused {_file(case)}: {cause}", remedy)


def _http_status(case: _Case) -> Iterator[Clause]:
    status = int(case.told.get("status") or 0)
    words = case.refusal()
    if status >= 500:
        yield from case.down("service")
    cause, remedy = explain(f"{words} {status}".strip())
    yield f"{_file(case)} was answered with HTTP status {status or 'of no success'}: {cause}", remedy


def _login(_case: _Case) -> Iterator[Clause]:
    yield explain("401 unauthorized")


# -- certificates


def _no_root(_case: _Case) -> Iterator[Clause]:
    yield (
        "it has no root certificate to check the server with",
        "set phone_profiles_ca_url, or Custom_CA_URL in its bootstrap profile, to the root behind the server's certificate",
    )


def _of_server(case: _Case, *codes: str) -> Iterator[Clause]:
    """What the station itself finds wrong with the certificate that it serves."""
    for problem in (case.station.get("certificate") or {}).get("problems", ()):
        if not codes or problem["code"] in codes:
            yield f"the server's certificate is not as phones want it: {problem['what']}", problem["remedy"]


def _chain(case: _Case) -> Iterator[Clause]:
    yield from case.clock()
    if any(problem["code"] == "name_mismatch" for problem in (case.station.get("certificate") or {}).get("problems", ())):
        yield from _certificate_name(case)
    yield from _of_server(case)
    yield (
        "the server's certificate is not signed by the root that the phone trusts",
        "let the root at phone_profiles_ca_url be the one behind the server's certificate, and run the playbook site",
    )


def _certificate_name(case: _Case) -> Iterator[Clause]:
    names = case.told.get("names") or (case.station.get("certificate") or {}).get("names") or ()
    shown = ", ".join(map(str, names)) if isinstance(names, list | tuple) else str(names)
    of = f" (it is for {shown})" if shown else ""
    yield (
        f"the server's certificate is not for {case.server or 'the name in the URL'}{of}",
        "have one made for that name (certificates_name, provisioning_name), and run the playbook site",
    )


def _certificate_address(case: _Case) -> Iterator[Clause]:
    address = case.told.get("address") or "the address that answered"
    yield (
        f"the server's name does not lead to {address}, which showed its certificate",
        "put the address into the DNS server (dns_server_names), or go by the server's name in the URL",
    )


def _certificate_time(case: _Case) -> Iterator[Clause]:
    yield from case.clock()
    yield from _of_server(case, "expired", "ends_soon", "not_yet_valid")
    yield (
        "by the phone's clock the server's certificate is not valid",
        "check the station's clock and option 42, and renew the certificate with the playbook site",
    )


def _handshake(case: _Case) -> Iterator[Clause]:
    yield from case.down("web")
    yield (
        "phone and server found no version of TLS or cipher that both know, or one broke off",
        "compare web_server_tls with what its family offers; old phones need legacy",
    )


# -- profiles


def _key_wrong(_case: _Case) -> Iterator[Clause]:
    yield explain("decrypt key")


def _digest_wrong(_case: _Case) -> Iterator[Clause]:
    yield "its profile is sealed with the other digest", f"correct digest of its family in phone_families, and {_PUBLISH}"


def _key_missing(case: _Case) -> Iterator[Clause]:
    yield (
        f"{_file(case)} is sealed, and its rule has no key",
        f"put --key into Profile_Rule, as the preprovision profile does by itself, and {_PUBLISH}",
    )


def _not_sealed(case: _Case) -> Iterator[Clause]:
    yield f"{_file(case)} is not sealed, and its rule has a key", f"{_PUBLISH}, and see who else has written that file"


def _corrupt(case: _Case) -> Iterator[Clause]:
    cause, remedy = explain("corrupt")
    yield f"{cause} ({_file(case)})", remedy


def _rule(case: _Case) -> Iterator[Clause]:
    yield (
        f"it cannot follow its rule: {case.what}" if case.what else "it cannot follow its rule",
        "correct Profile_Rule; the filter parse_profile_rule says what a phone makes of it",
    )


def _no_own_file(_case: _Case) -> Iterator[Clause]:
    yield (
        "its Profile_Rule names no file of its own at the end",
        "let phone_profiles_remote_url hold $MA, and Profile_Rule of the preprovision profile not be overwritten",
    )


def _no_resync(_case: _Case) -> Iterator[Clause]:
    yield (
        "its profile tells it not to resync",
        "set Provision_Enable and Resync_On_Reset to Yes in the parameters of that phone or of all",
    )


def _upgrade(case: _Case) -> Iterator[Clause]:
    reason = str(case.told.get("error") or case.what)
    cause, remedy = (
        explain(reason) if reason else ("its Upgrade_Rule leads to no firmware that it takes", "compare it with its model")
    )
    yield f"the firmware could not be changed: {cause}", remedy


def _report(case: _Case) -> Iterator[Clause]:
    yield from case.down("service")
    yield (
        "its report was not taken",
        "check Report_Rule, profile_service_report_path and profile_service_report_access, and the profile service's journal",
    )


# -- what reached the phone, and not the station


def _no_log(case: _Case) -> Iterator[Clause]:
    yield from case.down("log")
    server = str(case.told.get("server", ""))
    ours = (case.station.get("bridge") or {}).get("address", "")
    if server and ours and server != ours:
        yield (
            f"it logs to {server}, which is not this station ({ours})",
            "set phone_profiles_syslog_server to the station's address, and run the playbook profiles",
        )
    yield (
        "what it logs does not arrive",
        "check that nothing on the machine stops UDP port 514, and read 'journalctl -u preprovision-log.service'",
    )


def _no_event(case: _Case) -> Iterator[Clause]:
    yield from case.down("events", "service")
    yield (
        "what the logs say of it does not reach the database",
        "read 'journalctl -u preprovision-events.service'; lines wait there until the database takes them",
    )


def _other(case: _Case) -> Iterator[Clause]:
    cause, remedy = explain(" ".join((case.what, str(case.told.get("error", "")))))
    yield cause, remedy


_CODES: Mapping[str, Callable[[_Case], Iterator[Clause]]] = MappingProxyType(
    {
        "no_lease": _no_lease,
        "no_option": _no_option,
        "no_address": _no_address,
        "no_answer": _silent,
        "refused": _silent,
        "timeout": _silent,
        "unreachable": _silent,
        "too_large": _too_large,
        "loop": _loop,
        "redirects": _redirects,
        "not_found": _not_found,
        "forbidden": _forbidden,
        "http_status": _http_status,
        "login": _login,
        "no_root": _no_root,
        "chain": _chain,
        "certificate_name": _certificate_name,
        "certificate_address": _certificate_address,
        "certificate_time": _certificate_time,
        "handshake": _handshake,
        "key_wrong": _key_wrong,
        "digest_wrong": _digest_wrong,
        "key_missing": _key_missing,
        "not_sealed": _not_sealed,
        "corrupt": _corrupt,
        "rule": _rule,
        "no_own_file": _no_own_file,
        "no_resync": _no_resync,
        "upgrade": _upgrade,
        "report": _report,
        "no_log": _no_log,
        "no_event": _no_event,
    }
)
CODES = tuple(_CODES)
"""The codes of failures that have a diagnosis of their own."""
