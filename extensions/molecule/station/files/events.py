# SPDX-License-Identifier: GPL-3.0-or-later
"""Run on a station: boot phones repeatedly while each process that handles their log lines is killed in turn.

No event may be lost or duplicated. Every other phone gets a lease, its own profile by TFTP and its service profile, and reports
that it has applied the first. The others get a lease, their bootstrap profile and, by certificate, their own profile. Meanwhile a
client requests a profile made on demand. Arguments: the station's address, the number of phones, log lines per second, seconds of
each fault.
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import multiprocessing
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from fnmatch import fnmatch
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

STATION, PHONES, RATE, SECONDS = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
URL = json.loads(Path("/etc/preprovision-service.json").read_text())["DATABASE"]
SQLITE = URL.startswith("sqlite")
GROUPS = Path("/sys/fs/cgroup/system.slice")
EVENTS, SERVICE, POSTGRESQL = "preprovision-events.service", "preprovision-service.service", "postgresql@*.service"
KEA = "kea-dhcp4-server.service"
DHCP_SERVER = KEA if Path("/etc/systemd/system", KEA).exists() else "isc-dhcp-server.service"
RUN = f"fault-{time.time_ns():x}"
# Lines of an earlier run come back when the collector reads all again
BEGUN = time.time_ns() // 1_000_000
# A network that no bench uses. A phone has a new address at each boot, so the address identifies the line
NET, FIRST_MAC = "198.18.", 0x00005EAA0000
LOG = Path(f"/var/log/preprovision/phones/{NET}0.1.log")
REQUESTS = 5
# The number of phones that boot before one reports that it has applied its profile
APPLYING = PHONES // 4
TIMEOUT = 120
PHONE = "SELECT mac, state, address, profile_hash FROM phones WHERE"
KINDS = ("lease", "tftp", "http", "resync")

if SQLITE:
    DatabaseUnavailable: type[Exception] = sqlite3.OperationalError
else:
    import psycopg2

    DatabaseUnavailable = psycopg2.OperationalError


# ---- the database


def query_database(query: str, *values: object) -> list[tuple[Any, ...]]:
    """Query the service's database, as soon as it answers."""
    end = time.monotonic() + TIMEOUT
    while True:
        try:
            with contextlib.closing(sqlite3.connect(URL[10:], timeout=20) if SQLITE else psycopg2.connect(URL)) as connection:
                cursor = connection.cursor()
                cursor.execute(query if SQLITE else query.replace("?", "%s"), values)
                found = cursor.fetchall() if cursor.description else []
                connection.commit()
                return found
        except DatabaseUnavailable:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def add_phones() -> None:
    """Add the phones in the state 'expected'."""
    texts = {
        "serial": "",
        "model": "ATA192",
        "family": "ata19x",
        "customer": "",
        "source": "scan",
        "variables": "{}",
        "version": "",
    }
    texts |= {"redirect": "", "state": "expected", "reason": "", "address": "", "firmware": "", "profile_hash": "", "subject": ""}
    texts |= {"customization": "Open", "packed_by": "", "unit_file": ""}
    names = ", ".join(["mac", "name", "since", *texts])
    rows = [
        (mac(number), f"{RUN}-{number}", 0, *(texts | {"unit_file": "model" if by_tftp(number) else ""}).values())
        for number in range(PHONES)
    ]
    row = f"({', '.join('?' * len(rows[0]))})"
    query_database(f"INSERT INTO phones ({names}) VALUES {', '.join([row] * PHONES)}", *itertools.chain(*rows))  # noqa: S608


def remove_traces() -> None:
    """Remove all traces of this run."""
    LOG.unlink(missing_ok=True)
    query_database("DELETE FROM phones WHERE name LIKE ?", f"{RUN}-%")
    query_database("DELETE FROM events WHERE address LIKE ? OR detail LIKE ?", f"{NET}%", f"%/{RUN}-%")
    query_database("DELETE FROM leases WHERE address LIKE ?", f"{NET}%")


def count_events() -> dict[str, Counter[int]]:
    """Count the events in the database, by kind and number."""
    found: dict[str, Counter[int]] = {kind: Counter() for kind in (*KINDS, "profile", "of another phone")}
    of_run = "SELECT kind, address, mac FROM events WHERE address LIKE ? AND time >= ?"
    for kind, where, owner in query_database(of_run, f"{NET}%", BEGUN):
        number = number_of(where)
        found[kind if owner == mac(number % PHONES) else "of another phone"][number] += 1
    for (detail,) in query_database("SELECT detail FROM events WHERE kind = 'profile' AND detail LIKE ?", f"%/{RUN}-profile/%"):
        found["profile"][int(detail.partition(f"/{RUN}-profile/")[2][:6])] += 1
    return found


def bystander() -> tuple[Any, ...]:
    """Return a booted phone's row; requests for its profile from another address must not change it."""
    found: list[tuple[Any, ...]] = []

    def is_up() -> bool:
        found[:] = query_database(f"{PHONE} source = 'inventory' AND state = 'resynced' ORDER BY mac LIMIT 1")
        return bool(found)

    wait(is_up)
    if not found:
        raise SystemExit("No phone of the inventory has reached the state 'resynced'.")
    return found[0]


# ---- the phones


def mac(number: int) -> str:
    return f"{FIRST_MAC + number:012x}"


def address(number: int) -> str:
    return f"{NET}{number // 250}.{number % 250 + 1}"


def number_of(where: str) -> int:
    high, low = where.removeprefix(NET).split(".")
    return int(high) * 250 + int(low) - 1


def by_tftp(number: int) -> bool:
    """Return whether the phone gets its own profile by TFTP."""
    return number % PHONES % 2 == 0


def lease(number: int) -> str:
    if DHCP_SERVER == KEA:
        client = f"[hwtype=1 {colons(number)}], cid=[no info], tid=0x1"
        line = f"DHCP4_LEASE_ALLOC {client}: lease {address(number)} has been allocated for 3600 seconds"
        return f"<134>kea-dhcp4[1]: INFO  [kea-dhcp4.leases] {line}"
    return f"<30>dhcpd[1]: DHCPACK on {address(number)} to {colons(number)} via bench0"


def first_file(number: int) -> str:
    folder = f"{colons(number).replace(':', '-')}/" if by_tftp(number) else ""
    return f"<30>dnsmasq-tftp[1]: sent /run/tftp/{folder}ata192.cfg to {address(number)}"


def request(number: int) -> str:
    digits = mac(number % PHONES)
    record = {"address": address(number), "method": "GET", "status": 200, "etag": f'"{number:x}"'}
    if by_tftp(number):
        record |= {"scheme": "http", "uri": f"/service/{digits}-00000000.cfg", "verify": "NONE", "subject": ""}
    else:
        record |= {"scheme": "https", "uri": f"/device/{digits}.cfg", "verify": "SUCCESS", "subject": f"CN={digits}"}
    record |= {"file": record["uri"], "upstream": ""}
    return f"<190>nginx: {json.dumps(record)}"


def colons(number: int) -> str:
    digits = mac(number % PHONES)
    return ":".join(digits[place : place + 2] for place in range(0, 12, 2))


def write(unit: str, lines: Connection) -> None:
    """Write lines to the journal as a process of *unit*; acknowledge each when it is written."""
    (GROUPS / unit / "cgroup.procs").write_text(str(os.getpid()))
    log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    log.connect("/dev/log")
    with contextlib.suppress(EOFError):
        while True:
            line = lines.recv()
            while True:
                try:
                    log.send(line.encode())
                    break
                except OSError:
                    # journald is not listening at the moment
                    log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                    with contextlib.suppress(OSError):
                        log.connect("/dev/log")
            lines.send(None)


WRITERS: dict[str, tuple[str, Callable[[int], str]]] = {
    DHCP_SERVER: ("lease", lease),
    "preprovision-tftp.service": ("tftp", first_file),
    "nginx.service": ("http", request),
}


class Bench:
    """Boot phones one after the other and send numbered requests to the service."""

    def __init__(self, phone: str) -> None:
        self.sent: list[tuple[str, int]] = []
        self.requests = 0
        self.answered: list[int] = []
        self._path = f"/live/{phone}.cfg"
        self._over = threading.Event()
        self._writers = {kind: (self._writer(unit), line) for unit, (kind, line) in WRITERS.items()}
        self._threads = [threading.Thread(target=work) for work in (self._walk, self._ask)]
        for thread in self._threads:
            thread.start()

    @staticmethod
    def _writer(unit: str) -> Connection:
        ours, theirs = multiprocessing.Pipe()
        process = multiprocessing.Process(target=write, args=(unit, theirs), daemon=True)
        process.start()
        theirs.close()
        return ours

    def end(self) -> None:
        """Stop when every phone that has begun to boot has finished."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _steps(self) -> Iterator[tuple[str, int]]:
        """Yield kind and number of each step; other phones boot while one applies its profile."""
        number = 0
        while not (self._over.is_set() and number and number % PHONES == 0):
            yield from (("lease", number), ("tftp", number), ("http", number))
            if number >= APPLYING:
                yield "resync", number - APPLYING
            number += 1
        yield from (("resync", late) for late in range(max(0, number - APPLYING), number))

    def _walk(self) -> None:
        start = time.monotonic()
        with LOG.open("a", buffering=1) as log:
            for kind, number in self._steps():
                time.sleep(max(0, start + len(self.sent) / RATE - time.monotonic()))
                if kind == "resync":
                    own = f"https://{STATION}:443/device/{mac(number % PHONES)}.cfg"
                    said = f"Successful resync {f'tftp://{STATION}:69/ata192.cfg' if by_tftp(number) else own}"
                    now = datetime.now(UTC).isoformat()
                    log.write(f"{now} {address(number)} local0.info ATA192-MPP {colons(number)} -- {said}\n")
                else:
                    lines, line = self._writers[kind]
                    lines.send(line(number))
                    lines.recv()
                self.sent.append((kind, number))

    def _ask(self) -> None:
        while not self._over.wait(1 / REQUESTS):
            number, self.requests = self.requests, self.requests + 1
            with contextlib.suppress(OSError, http.client.HTTPException):
                connection = http.client.HTTPConnection(STATION, timeout=20)
                connection.request("GET", self._path, headers={"User-Agent": f"/{RUN}-profile/{number:06}.txt"})
                answer = connection.getresponse()
                answer.read()
                if answer.status == 200:
                    self.answered.append(number)
                connection.close()


# ---- faults


# journald may hold one line that exists nowhere else
JOURNALD = "kill -9 journald"


def kill(unit: str, name: str = "") -> bool:
    """Kill a unit's processes whose command line contains *name*."""
    killed = False
    # Unlike glob, walk tolerates groups that disappear
    for folder, _folders, _files in os.walk(GROUPS):
        if not fnmatch(Path(folder).name, unit):
            continue
        with contextlib.suppress(OSError):
            for process in Path(folder, "cgroup.procs").read_text().split():
                with contextlib.suppress(OSError):
                    if name in Path(f"/proc/{process}/cmdline").read_text():
                        os.kill(int(process), signal.SIGKILL)
                        killed = True
    return killed


def lock() -> bool:
    """Lock the database against writes for longer than the service waits."""
    with contextlib.closing(sqlite3.connect(URL[10:], isolation_level=None, timeout=20)) as database:
        database.execute("BEGIN IMMEDIATE")
        time.sleep(5.5)
        database.execute("ROLLBACK")
    return True


def restart(*units: str) -> bool:
    """Restart units."""
    return subprocess.run(["systemctl", "restart", *units], check=False).returncode == 0


FAULTS: dict[str, Callable[[], bool]] = {
    "nothing": lambda: True,
    "kill -9 collector": lambda: kill(EVENTS, "preprovision_service.ingest.omprog"),
    "kill -9 rsyslogd": lambda: kill(EVENTS, "rsyslogd"),
    "kill -9 both": lambda: kill(EVENTS),
    "kill -9 service": lambda: kill(SERVICE),
}
if SQLITE:
    FAULTS |= {
        JOURNALD: lambda: kill("systemd-journald.service"),
        "database locked": lock,
        "restart of everything": lambda: restart(EVENTS, SERVICE, "systemd-journald.service"),
    }
else:
    FAULTS |= {
        "kill -9 database's backends": lambda: kill(POSTGRESQL, "preprovision"),
        "kill -9 whole database": lambda: kill(POSTGRESQL) and restart(POSTGRESQL),
    }


# ---- checks


def wait(done: Callable[[], bool], timeout: float = TIMEOUT) -> None:
    """Wait until *done* returns true, or until *timeout* seconds have passed."""
    end = time.monotonic() + timeout
    while not done() and time.monotonic() < end:
        time.sleep(0.2)


def states() -> dict[str, int]:
    """Count the phones by state."""
    return dict(query_database("SELECT state, count(*) FROM phones WHERE name LIKE ? GROUP BY state", f"{RUN}-%"))  # type: ignore[arg-type]


def cause_faults(bench: Bench) -> Iterator[tuple[str, int, slice, range]]:
    """Cause all faults; yield each one's name, number of times, lines written and requests made meanwhile."""
    marks = []
    try:
        for name, fault in FAULTS.items():
            first = (len(bench.sent), bench.requests)
            end = time.monotonic() + SECONDS
            times = 0
            while not times or time.monotonic() < end:
                times += fault()
                time.sleep(SECONDS / 2)
            # Pending requests may still be answered; without an answered one, nothing is proved
            wait(lambda first=first[1]: bool(bench.answered) and bench.answered[-1] >= first)
            marks.append((name, times, first))
    finally:
        bench.end()
    marks.append(("", 0, (len(bench.sent), bench.requests)))
    for (name, times, first), (_next, _times, last) in itertools.pairwise(marks):
        yield name, times, slice(first[0], last[0]), range(first[1], last[1])


def check() -> int:
    before = bystander()
    bench = Bench(before[0])
    faults = [*cause_faults(bench)]
    spared = {name: times for name, times, *_rest in faults if name == JOURNALD}

    def missing() -> int:
        return len(bench.sent) - sum(len(count_events()[kind]) for kind in KINDS)

    wait(lambda: missing() <= sum(spared.values()))
    wait(lambda: not missing(), 20)
    wait(lambda: set(bench.answered) <= set(count_events()["profile"]) and states() == {"resynced": PHONES})
    found, wrong = count_events(), 0
    print(f"{'fault':<28}{'times':>6}{'lines':>8}{'lost':>6}{'twice':>9}{'requests':>10}{'lost':>6}{'twice':>9}")
    for name, times, lines, requests in faults:
        counts = [found[kind][number] for kind, number in bench.sent[lines]]
        answered = [found["profile"][number] for number in bench.answered if number in requests]
        twice = sum(found["profile"][number] > 1 for number in requests)
        bad = (counts.count(0), sum(count > 1 for count in counts), answered.count(0), twice)
        print(f"{name:<28}{times:>6}{len(counts):>8}{bad[0]:>6}{bad[1]:>9}{len(answered):>10}{bad[2]:>6}{bad[3]:>9}")
        wrong += max(0, bad[0] - spared.get(name, 0)) + sum(bad[1:]) + (not times) + (not counts) + (not answered)
    reached = states()
    print(f"phones: {reached.get('resynced', 0)} of {PHONES} resynced; events of another phone: {len(found['of another phone'])}")
    for row in query_database("SELECT mac, state, facts FROM phones WHERE name LIKE ? AND state != 'resynced'", f"{RUN}-%"):
        print(*row)
    wrong += (reached != {"resynced": PHONES}) + len(found["of another phone"])
    after = query_database(f"{PHONE} mac = ?", before[0])[0]
    if after != before:
        print(f"Requests for its profile from {STATION} have changed the phone from {before} to {after}.")
        wrong += 1
    return 1 if wrong else 0


def main() -> int:
    add_phones()
    try:
        return check()
    finally:
        remove_traces()


if __name__ == "__main__":
    raise SystemExit(main())
