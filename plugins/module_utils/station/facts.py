# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a station knows of itself and of single phones. Changes nothing.

Runs on the target as root. What is missing is left out: a station with services down is the very one that has to be examined.
"""

from __future__ import annotations

import datetime
import json
import os
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypedDict

from ..certificates.chain import read_certificates
from ..certificates.findings import Code
from ..certificates.install_checks import PemFiles, Requirements, check_installation
from ..certificates.requests import CertificateError
from ..events.diagnosis.known_facts import (
    BridgeFacts,
    CertificateFacts,
    DatabaseFacts,
    EventFacts,
    LeaseFacts,
    PhoneFacts,
    StationFacts,
)
from ..events.logs.evidence import Evidence, Place
from ..events.logs.log_lines import Event, EventKind, clean, mac_inside, mac_of
from .bench_ports import read_ports
from .commands import MAX_SECONDS, run_command
from .dhcp_facts import read_offered, read_reservation, reserved_phones
from .log_facts import any_spelling, parse_phone_log, read_journal, read_phone_log
from .published_facts import read_files
from .service_facts import read_complaints, read_full_folders, read_services

_UP = 1


class FactOptions(TypedDict):
    """Options of the module phone_facts."""

    name: str
    ports: list[str] | None
    since: int
    controller_time: int
    bridge: str
    path: str
    certificates: str
    logs: str
    dhcp_configuration: str


def read_bridge(name: str) -> BridgeFacts:
    """Return the state of the bench's bridge (``up``, ``down`` or ``missing``) and its address."""
    try:
        flags = int(Path("/sys/class/net", name, "flags").read_text(), 16)
    except (OSError, ValueError):
        return {"name": name, "state": "missing", "address": ""}
    found = re.search(r"inet ([0-9.]+)/", run_command("ip", "-4", "-o", "address", "show", "dev", name))
    return {"name": name, "state": "up" if flags & _UP else "down", "address": found[1] if found else ""}


def read_certificate(folder: str, name: str) -> CertificateFacts:
    """Return the server's certificate, and its problems for the host *name*."""
    try:
        pem, key = (Path(folder, file).read_text() for file in ("server.pem", "server.key"))
        root = Path(folder, "bench-ca.pem").read_text()
        first = read_certificates(pem, "the server's certificate")[0]
        problems = check_installation(PemFiles(pem, key), Requirements(name, datetime.datetime.now(datetime.UTC)))
        # A chain without its root is complete for a phone that has the root
        problems = [problem for problem in problems if problem.code != Code.CHAIN_MISMATCH]
    except (OSError, CertificateError, ValueError) as error:
        return {"problems": [{"code": "unreadable", "what": str(error), "remedy": "run the playbook site"}]}
    names = [*first.common_names, *(first.dns_names or ())]
    return {
        "names": list(dict.fromkeys(clean(text) for text in names)),
        "issuer": clean(str(first.issuer)),
        "not_before": first.not_before.strftime("%Y-%m-%d %H:%M UTC"),
        "not_after": first.not_after.strftime("%Y-%m-%d %H:%M UTC"),
        "by_bench_ca": bool(read_certificates(root, "the bench CA")[0].subject == first.issuer),
        "problems": [{"code": problem.code.value, "what": problem.what, "remedy": problem.remedy} for problem in problems],
    }


def read_database(code: str, owner: str, who: Sequence[str], seconds: float) -> dict[str, DatabaseFacts] | None:
    """Return what the profile service's database holds of each phone; None if there is none, or it does not answer."""
    if not os.path.isdir(code):
        return None
    command = (
        "runuser",
        f"--user={owner}",
        "--",
        "python3",
        "-m",
        "preprovision_service.cli.phone_events",
        "show",
        f"{seconds:g}",
        *who,
    )
    output = run_command(*command, cwd=code, seconds=MAX_SECONDS + seconds)
    try:
        found: dict[str, DatabaseFacts] = json.loads(output)
    except ValueError:
        return None
    return found


def event_facts(event: Event) -> EventFacts:
    """Return an event as plain data."""
    detail = {**event.detail, **({"evidence": event.evidence.value} if event.evidence else {})}
    where = {"address": event.address, "place": event.place.value}
    return {"time": event.time, "kind": event.kind.value, **where, "mac": event.mac, "detail": detail}  # type: ignore[typeddict-item]


def find_mac(who: str, kept: DatabaseFacts | None, options: FactOptions) -> str:
    """Return the MAC address, as twelve hex digits, of the phone named *who*; empty for an unknown phone."""
    if mac_of(who):
        return mac_of(who)
    if kept and kept["phone"]:
        return str(kept["phone"]["mac"])
    for _address, mac, name in reserved_phones(options["dhcp_configuration"]):
        if name == who:
            return mac
    own = read_files(options["path"], [who])["own"]
    return next((mac for file in own if file["owner"] == who and (mac := mac_inside(file["path"]))), "")


def read_phone(mac: str, name: str, options: FactOptions, kept: DatabaseFacts | None, leases: Sequence[LeaseFacts]) -> PhoneFacts:
    """Return what the station knows of one phone."""
    own = [lease for lease in leases if lease["mac"] == mac]
    reservation = read_reservation(options["dhcp_configuration"], mac)
    named = read_journal([any_spelling(mac)], options["since"])
    addresses = {*(lease["address"] for lease in own), reservation.get("address", ""), *_leased(named)}
    if kept:
        addresses |= {event["address"] for event in kept["events"]}
    places = sorted(addresses - {""})
    # Lines that only have an address count while the phone had that address
    nameless = (
        read_journal([rf"(?<![0-9.]){re.escape(address)}(?![0-9.])" for address in places], options["since"]) if places else []
    )
    since = options["since"] * 1000
    logged = list(parse_phone_log(read_phone_log(options["logs"], places, mac)))
    holder = {lease["address"]: lease["mac"] for lease in leases}
    holder |= {address: other for address, other, _name in reserved_phones(options["dhcp_configuration"]) if address}
    told = (event for _text, _time, event in logged if event)
    everything = {event.key: event for event in (*named, *nameless, *told)}.values()
    at_home = kept is not None and kept.get("place") == Place.HOME
    found = [*(_owned_at_home(everything, mac) if at_home else _owned(everything, mac, holder))]
    found.sort(key=lambda event: (event.time, event.key))
    published = read_files(options["path"], [text.lower() for text in (mac, name) if text])
    return {
        "lease": own[-1] if own else {},
        "reservation": reservation,
        "events": [event_facts(event) for event in found if event.time >= since],
        "log": [text for text, moment, _event in logged if moment >= since],
        "database": {**kept, "events": [event for event in kept["events"] if event["time"] >= since]} if kept else None,
        "generation": published["generation"],
        "files": published["files"],
        "own": published["own"],
        "armed": published["armed"],
    }


def is_missing_messages(phone: PhoneFacts) -> bool:
    """Return whether the database has none of the resyncs that a phone has logged."""
    database = phone.get("database")
    if not database or not any("resync" in line.lower() for line in phone.get("log") or ()):
        return False
    return all(event["kind"] != EventKind.RESYNC for event in database["events"])


def _leased(events: Iterable[Event]) -> Iterator[str]:
    """Yield the addresses that DHCP assigned; other events of a phone may have any address."""
    return (event.address for event in events if event.kind is EventKind.LEASE)


def _owned(events: Iterable[Event], mac: str, holder: dict[str, str]) -> Iterator[Event]:
    """Yield the *events* of a phone: those from its address while it had that, and others that name it.

    *holder*: address -> MAC address before the first event. On the bench, the phone that has the address sent the request, whatever
    certificate it presented.
    """
    for event in sorted(events, key=lambda event: (event.time, event.key)):
        if event.kind is EventKind.LEASE:
            if event.address and event.detail.get("what") == "ack":
                holder[event.address] = event.mac
            if mac == event.mac:
                yield event
            continue
        holding = holder.get(event.address, "")
        if event.kind in (EventKind.RESYNC, EventKind.UPGRADE) and holding != event.claim:
            # A phone's own messages name it
            holding = ""
        if holding == mac:
            yield replace(event, mac=mac, evidence=Evidence.ADDRESS)
        elif not holding and event.mac == mac:
            yield event
        elif not (holding or event.mac) and event.claim == mac:
            yield replace(event, evidence=Evidence.CLAIM)


def _owned_at_home(events: Iterable[Event], mac: str) -> Iterator[Event]:
    """Yield the *events* of a phone that a provisioning server logged, where no address says who sent a request."""
    for event in events:
        if mac in (event.mac, "" if event.mac else event.claim):
            yield replace(event, place=Place.HOME, evidence=event.evidence or Evidence.CLAIM)


def read_station(options: FactOptions) -> StationFacts:
    """Return the station's own state."""
    now = time.time()
    given = options["controller_time"]
    bridge = read_bridge(options["bridge"])
    if options["ports"] is not None:
        bridge["ports"] = read_ports(options["bridge"], options["ports"])
    return {
        "time": int(now),
        "clock_off": round(now - given) if given else None,
        **read_services(bridge["address"]),
        "complaints": read_complaints(options["since"]) if options["since"] else [],
        "full_folders": read_full_folders(),
        "bridge": bridge,
        "certificate": read_certificate(options["certificates"], options["name"]),
        "offered": read_offered(options["dhcp_configuration"]),
    }
