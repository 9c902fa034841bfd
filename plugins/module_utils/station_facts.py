# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a station itself says: its services, bridge, clock and certificate, and of single phones their leases, files and log lines.

Runs on the target as root. Nothing here changes anything, and what is missing is left out: a station that is half up is the very
one that has to be asked.
"""

from __future__ import annotations

import datetime
import json
import os
import re
import stat
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from .certificate_rules import check_pair
from .certificates import CertificateError
from .diagnosis import SERVICES
from .events import UNITS as WRITERS
from .events import Event, Line, clean, mac_inside, mac_of, parse
from .published_tree import PublishedTree, TreeError
from .x509_chain import read_certificates

LEASES = "/var/lib/dhcp/dhcpd.leases"
_SECONDS = 20
_MOST_LINES = 400
_MOST_SHOWN = 40
_LONGEST_LINE = 1000
_MOST_READ = 1 << 20
_UP = 1
_LEASE = re.compile(r"^lease ([0-9.]+) \{(.*?)^\}", re.MULTILINE | re.DOTALL)
_IN_LEASE = re.compile(
    r"^  (binding state|starts|ends|hardware ethernet|set vendor-class-identifier) (?:=\s*)?(.*);$", re.MULTILINE
)
_HOST = re.compile(r"host (\S+) \{ hardware ethernet ([0-9a-f:]{17});(?: fixed-address ([0-9.]+);)? \}")
_LOGGED = re.compile(r"(\S{20,40}) (\S+) \S+ ?(.*)")


def run(*command: str, cwd: str | None = None, seconds: float = _SECONDS) -> str:
    """Return what a command says; nothing where it is missing, fails or takes too long."""
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            check=False,
            env={**os.environ, "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else ""


# -- the station


def read_services() -> dict[str, str]:
    """Return service -> ActiveState of systemd, of those that are installed."""
    units = {unit: name for name, (unit, _called) in SERVICES.items()}
    told = run("systemctl", "show", "--property=Id", "--property=ActiveState", "--property=LoadState", *units)
    services = {}
    for block in told.split("\n\n"):
        said = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if said.get("LoadState") == "loaded" and said.get("Id") in units:
            services[units[said["Id"]]] = said.get("ActiveState", "")
    return services


def read_bridge(name: str) -> dict[str, str]:
    """Return the state of the bench's bridge (``up``, ``down`` or ``missing``) and its address."""
    try:
        flags = int(Path("/sys/class/net", name, "flags").read_text(), 16)
    except (OSError, ValueError):
        return {"name": name, "state": "missing", "address": ""}
    found = re.search(r"inet ([0-9.]+)/", run("ip", "-4", "-o", "address", "show", "dev", name))
    return {"name": name, "state": "up" if flags & _UP else "down", "address": found[1] if found else ""}


def read_certificate(folder: str, name: str) -> dict[str, Any]:
    """Return what the server's certificate says, and what is wrong with it for the server *name*."""
    try:
        pem, key = (Path(folder, file).read_text() for file in ("server.pem", "server.key"))
        root = Path(folder, "bench-ca.pem").read_text()
        first = read_certificates(pem, "the server's certificate")[0]
        problems = check_pair(pem, key, name, "", datetime.datetime.now(datetime.UTC))
        # A chain that lacks its root is whole for who has the root
        problems = [problem for problem in problems if problem.code != "chain_mismatch"]
    except (OSError, CertificateError, ValueError) as error:
        return {"problems": [{"code": "unreadable", "what": str(error), "remedy": "run the playbook site"}]}
    names = [*first.common_names, *(first.dns_names or ())]
    return {
        "names": list(dict.fromkeys(clean(text) for text in names)),
        "issuer": clean(str(first.issuer)),
        "not_before": first.not_before.strftime("%Y-%m-%d %H:%M UTC"),
        "not_after": first.not_after.strftime("%Y-%m-%d %H:%M UTC"),
        "by_bench_ca": bool(read_certificates(root, "the bench CA")[0].subject == first.issuer),
        "problems": [{"code": problem.code, "what": problem.what, "remedy": problem.remedy} for problem in problems],
    }


def read_files(root: str, names: Sequence[str]) -> dict[str, Any]:
    """Return the live generation, the names that stand open to every phone, and the files that hold one of *names* in theirs.

    Of the latter also what the manifest says: whom each is for, its kind, and the mark of its content.
    """
    tree = PublishedTree(root, {})
    try:
        generation = tree.live_name()
    except TreeError:
        generation = ""
    if not generation:
        return {"generation": "", "files": [], "own": []}
    folder = Path(tree.generations, generation)
    marks = _marks(folder / "manifest.jsonl", names)
    own = [
        {"path": path, "readable": _is_readable(folder / path), **marks.get(path, {"owner": "", "kind": "", "fingerprint": ""})}
        for path in _files_of(folder, names)
    ]
    missing = [{"path": path, **mark, "missing": True} for path, mark in marks.items() if not (folder / path).is_file()]
    try:
        everybody = sorted(f"/{entry.name}" for entry in os.scandir(folder / "open") if entry.is_file(follow_symlinks=False))
    except OSError:
        everybody = []
    return {"generation": generation, "files": everybody, "own": [*own, *missing]}


def _is_readable(path: Path) -> bool:
    """Whether the web server may read a file: all may, or its folder's group, which is the web server's."""
    try:
        status, folder = path.stat(), path.parent.stat()
    except OSError:
        return False
    return bool(status.st_mode & stat.S_IROTH) or (bool(status.st_mode & stat.S_IRGRP) and status.st_gid == folder.st_gid)


def _marks(manifest: Path, names: Sequence[str]) -> dict[str, dict[str, str]]:
    marks = {}
    try:
        with manifest.open(encoding="utf-8") as lines:
            next(lines, None)
            for line in lines:
                if any(name in line for name in names):
                    path, _digest, fingerprint, owner, kind = json.loads(line)
                    marks[path] = {"owner": owner, "kind": kind, "fingerprint": fingerprint}
    except (OSError, ValueError):
        return {}
    return marks


def _files_of(folder: Path, names: Sequence[str], below: str = "") -> Iterator[str]:
    try:
        entries = sorted(os.scandir(folder / below), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        path = f"{below}/{entry.name}" if below else entry.name
        if entry.is_dir(follow_symlinks=False):
            yield from _files_of(folder, names, path)
        elif any(name in entry.name.lower() for name in names):
            yield path


# -- DHCP


def read_leases(path: str) -> list[dict[str, str]]:
    """Return what dhcpd has written last of each address: address, mac, state and times."""
    latest: dict[str, dict[str, str]] = {}
    for address, body in _LEASE.findall(_read(path)):
        said = dict(_IN_LEASE.findall(body))
        latest[address] = {
            "address": address,
            "mac": said.get("hardware ethernet", "").replace(":", ""),
            "state": said.get("binding state", ""),
            "starts": _of_lease(said.get("starts", "")),
            "ends": _of_lease(said.get("ends", "")),
            "class": clean(said.get("set vendor-class-identifier", "").strip('"')),
        }
    return list(latest.values())


def _of_lease(stamp: str) -> str:
    # The day of the week comes first
    return stamp.partition(" ")[2]


def read_reservation(path: str, mac: str) -> dict[str, str]:
    """Return how dhcpd's configuration knows the phone: name, and address where one is kept for it."""
    return next(({"name": name, "address": address} for address, other, name in _reserved(path) if other == mac), {})


def _reserved(path: str) -> Iterator[tuple[str, str, str]]:
    """Address, MAC address and name of each phone that dhcpd's configuration knows."""
    for name, mac, address in _HOST.findall(_read(path)):
        yield address, mac.replace(":", ""), name


def _read(path: str) -> str:
    """Return the text of a file; nothing where it is missing."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def read_offered(path: str) -> dict[str, str]:
    """Return the options that dhcpd's configuration has for everybody on the bench, by their names there."""
    subnet = _read(path).partition("\nsubnet ")[2].partition("\n}")[0]
    return {name: clean(value) for name, value in re.findall(r"^\s+option (\S+) (.*);$", subnet, re.MULTILINE)}


# -- log lines


def any_spelling(mac: str) -> str:
    """Return a regular expression for *mac*, twelve hex digits, with or without joints."""
    return "[-:.]?".join(mac[number : number + 2] for number in range(0, 12, 2))


def read_journal(patterns: Sequence[str], since: int = 0) -> list[Event]:
    """Return what the services' lines in the journal that match one of *patterns* say of phones, the latest last.

    *since*: seconds since 1970; 0 for the last two weeks.
    """
    units = [word for unit in WRITERS for word in ("--unit", unit)]
    # Lower case alone makes the search blind for it
    told = run(
        "journalctl",
        "--output=json",
        f"--lines={_MOST_LINES}",
        f"--since={f'@{since}' if since else '-14d'}",
        f"--grep={'|'.join(patterns)}",
        *units,
        seconds=2 * _SECONDS,
    )
    events = []
    for line in told.splitlines():
        event = _of_journal(line)
        if event:
            events.append(event)
    return events


def _of_journal(text: str) -> Event | None:
    try:
        record = json.loads(text)
        writer = WRITERS[record["_SYSTEMD_UNIT"]]
        line = Line(writer, int(record["__REALTIME_TIMESTAMP"]) // 1000, str(record["MESSAGE"]), str(record.get("__CURSOR", "")))
    except (ValueError, KeyError, TypeError):
        return None
    return parse(line)


def read_phone_log(folder: str, addresses: Iterable[str], mac: str) -> list[str]:
    """Return the last lines that the phone has sent: those of its addresses that name it."""
    wanted = re.compile(any_spelling(mac), re.IGNORECASE)
    lines = []
    for address in addresses:
        path = Path(folder, f"{address}.log")
        try:
            with path.open("rb") as file:
                file.seek(max(0, path.stat().st_size - _MOST_READ))
                text = file.read(_MOST_READ).decode("ascii", "replace")
        except OSError:
            continue
        lines += [clean(line, _LONGEST_LINE) for line in text.splitlines() if wanted.search(line)]
    return sorted(lines)[-_MOST_SHOWN:]


def of_phone_log(lines: Iterable[str]) -> Iterator[tuple[str, int, Event | None]]:
    """Yield each line of read_phone_log() with its time in milliseconds, and what it says."""
    for number, text in enumerate(lines):
        found = _LOGGED.fullmatch(text)
        try:
            moment = round(datetime.datetime.fromisoformat(found[1]).timestamp() * 1000) if found else 0
        except ValueError:
            continue
        yield text, moment, parse(Line("phone", moment, found[3], f"{number:09}", found[2])) if found else None


# -- all of it


def read_database(code: str, owner: str, who: Sequence[str], seconds: float) -> dict[str, Any] | None:
    """Return what the profile service's database has of each phone; None where there is none, or it does not answer."""
    if not os.path.isdir(code):
        return None
    command = (
        "runuser",
        f"--user={owner}",
        "--",
        "python3",
        "-m",
        "preprovision_service.phone_events",
        "show",
        f"{seconds:g}",
        *who,
    )
    told = run(*command, cwd=code, seconds=_SECONDS + seconds)
    try:
        found: dict[str, Any] = json.loads(told)
    except ValueError:
        return None
    return found


def as_plain(event: Event) -> dict[str, Any]:
    """Return what tables and diagnoses need of an event."""
    return {"time": event.time, "kind": event.kind, "address": event.address, "mac": event.mac, "detail": dict(event.detail)}


def find_mac(who: str, kept: Mapping[str, Any] | None, parameters: Mapping[str, Any]) -> str:
    """Return the MAC address, as twelve hex digits, of the phone that is called *who*; empty for one that nothing here knows."""
    if mac_of(who):
        return mac_of(who)
    if kept and kept["phone"]:
        return str(kept["phone"]["mac"])
    for _address, mac, name in _reserved(parameters["dhcp_configuration"]):
        if name == who:
            return mac
    own = read_files(parameters["path"], [who])["own"]
    return next((mac for file in own if file["owner"] == who and (mac := mac_inside(file["path"]))), "")


def read_phone(
    mac: str, name: str, parameters: Mapping[str, Any], kept: Mapping[str, Any] | None, leases: Sequence[Mapping[str, str]]
) -> dict[str, Any]:
    """Return what the station says of one phone."""
    own = [lease for lease in leases if lease["mac"] == mac]
    reservation = read_reservation(parameters["dhcp_configuration"], mac)
    named = read_journal([any_spelling(mac)], parameters["since"])
    addresses = {*(lease["address"] for lease in own), reservation.get("address", ""), *_leased(named)}
    if kept:
        addresses |= {event["address"] for event in kept["events"]}
    places = sorted(addresses - {""})
    # Of what comes from an address alone, what was said while the phone had it
    nameless = (
        read_journal([rf"(?<![0-9.]){re.escape(address)}(?![0-9.])" for address in places], parameters["since"]) if places else []
    )
    since = parameters["since"] * 1000
    told = list(of_phone_log(read_phone_log(parameters["logs"], places, mac)))
    holder = {lease["address"]: lease["mac"] for lease in leases}
    holder |= {address: other for address, other, _name in _reserved(parameters["dhcp_configuration"]) if address}
    found = [*_owned({event.key: event for event in (*named, *nameless)}.values(), mac, holder)]
    found += [event for _text, _time, event in told if event]
    found.sort(key=lambda event: (event.time, event.key))
    return {
        "lease": own[-1] if own else {},
        "reservation": reservation,
        "events": [as_plain(event) for event in found if event.time >= since],
        "log": [text for text, moment, _event in told if moment >= since],
        "database": {**kept, "events": [event for event in kept["events"] if event["time"] >= since]} if kept else None,
        **read_files(parameters["path"], [text.lower() for text in (mac, name) if text]),
    }


def _leased(events: Iterable[Event]) -> Iterator[str]:
    """The addresses that DHCP has given: what others say of a phone may come from anywhere."""
    return (event.address for event in events if event.kind == "lease")


def _owned(events: Iterable[Event], mac: str, holder: dict[str, str]) -> Iterator[Event]:
    """Those of *events* that are about the phone: from an address while it was its own, else by what names it.

    *holder*: address -> MAC address, where no event tells. On the bench who has the address is who asks, whatever is shown.
    """
    for event in sorted(events, key=lambda event: (event.time, event.key)):
        if event.kind == "lease":
            whose = event.mac
            if event.address and event.detail.get("what") == "ack":
                holder[event.address] = event.mac
        else:
            whose = holder.get(event.address) or event.mac
        if mac == (whose or event.claim):
            yield replace(event, mac=whose)


def read_station(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the station says of itself."""
    now = time.time()
    given = parameters["controller_time"]
    return {
        "time": int(now),
        "clock_off": round(now - given) if given else None,
        "services": read_services(),
        "bridge": read_bridge(parameters["bridge"]),
        "certificate": read_certificate(parameters["certificates"], parameters["name"]),
        "offered": read_offered(parameters["dhcp_configuration"]),
    }
