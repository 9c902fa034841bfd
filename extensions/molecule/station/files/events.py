# SPDX-License-Identifier: GPL-3.0-or-later
"""Run on a station: numbered lines and requests go on while all that carries them is killed. Nothing may be lost or doubled.

Arguments: station's address, lines a second, seconds of each fault.
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

STATION, RATE, SECONDS = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
DATABASE = "/var/lib/preprovision-service/service.sqlite"
EVENTS, SERVICE = "preprovision-events.service", "preprovision-service.service"
NOBODY = f"{STATION.rpartition('.')[0]}.251"
LOG = Path(f"/var/log/preprovision/phones/{NOBODY}.log")
RUN = f"fault-{time.time_ns():x}"
PHONE_LINES, REQUESTS = 4, 5
PATIENCE = 60


class Burst:
    """Lines of nginx by the journal, lines of a phone, and requests to the service, each with a number."""

    def __init__(self, phone: str) -> None:
        self.journal = self.phone = 0
        self.asked: list[int] = []
        self.answered: list[int] = []
        self._path = f"/live/{phone}.cfg"
        self._over = threading.Event()
        self._threads = [threading.Thread(target=work) for work in (self._write, self._ask)]
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _write(self) -> None:
        # A process in nginx's group writes lines that the journal knows as nginx's
        with (
            subprocess.Popen(
                [
                    "/bin/sh",
                    "-c",
                    'echo $$ > /sys/fs/cgroup/system.slice/nginx.service/cgroup.procs && exec python3 -c "$1"',
                    "sh",
                    WRITER,
                ],
                stdin=subprocess.PIPE,
                text=True,
            ) as writer,
            LOG.open("a", buffering=1) as log,
        ):
            start = time.monotonic()
            while not self._over.wait(max(0, start + self.journal / RATE - time.monotonic())):
                record = {"address": NOBODY, "method": "GET", "uri": f"/{RUN}-http/{self.journal:06}.txt", "status": 200}
                writer.stdin.write(f"<190>nginx: {json.dumps(record)}\n")
                writer.stdin.flush()
                self.journal += 1
                if self.journal % PHONE_LINES == 0:
                    now = datetime.now(UTC).isoformat()
                    log.write(
                        f"{now} {NOBODY} local0.info X 00:00:5e:00:53:fe -- Resync failed: /{RUN}-resync/{self.phone:06}.txt\n"
                    )
                    self.phone += 1

    def _ask(self) -> None:
        while not self._over.wait(1 / REQUESTS):
            number = len(self.asked)
            self.asked.append(number)
            with contextlib.suppress(OSError, http.client.HTTPException):
                connection = http.client.HTTPConnection(STATION, timeout=20)
                connection.request("GET", self._path, headers={"User-Agent": f"/{RUN}-profile/{number:06}.txt"})
                answer = connection.getresponse()
                answer.read()
                if answer.status == 200:
                    self.answered.append(number)
                connection.close()


WRITER = """
import socket, sys
log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
log.connect("/dev/log")
for line in sys.stdin:
    while True:
        try:
            log.send(line.rstrip().encode())
            break
        except OSError:
            # Nobody listens for a moment
            log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            log.connect("/dev/log")
"""


def numbers(kind: str) -> list[int]:
    """The numbers of the events of *kind* that are in the database, as often as they are there."""
    with contextlib.closing(sqlite3.connect(f"file:{DATABASE}?mode=ro", uri=True, timeout=20)) as database:
        found = database.execute("SELECT detail FROM events WHERE kind = ? AND instr(detail, ?)", (kind, f"/{RUN}-{kind}/"))
        return [int(detail.partition(f"/{RUN}-{kind}/")[2][:6]) for (detail,) in found]


def processes(unit: str) -> list[int]:
    """All processes of a unit."""
    with contextlib.suppress(FileNotFoundError):
        return [int(line) for line in Path(f"/sys/fs/cgroup/system.slice/{unit}/cgroup.procs").read_text().split()]
    return []


def kill(unit: str, name: str = "") -> bool:
    """Kill the processes of a unit that are called so."""
    killed = False
    for process in processes(unit):
        with contextlib.suppress(OSError):
            if name in Path(f"/proc/{process}/cmdline").read_text():
                os.kill(process, signal.SIGKILL)
                killed = True
    return killed


def lock() -> bool:
    """Keep the database from being written for longer than the service waits for it."""
    with contextlib.closing(sqlite3.connect(DATABASE, isolation_level=None, timeout=20)) as database:
        database.execute("BEGIN IMMEDIATE")
        time.sleep(5.5)
        database.execute("ROLLBACK")
    return True


def restart() -> bool:
    """Restart all that lines pass through on their way."""
    units = [EVENTS, SERVICE, "systemd-journald.service"]
    return subprocess.run(["systemctl", "restart", *units], check=False).returncode == 0


FAULTS: dict[str, Callable[[], bool]] = {
    "nothing": lambda: True,
    "kill -9 collector": lambda: kill(EVENTS, "preprovision_service.collector"),
    "kill -9 rsyslogd": lambda: kill(EVENTS, "rsyslogd"),
    "kill -9 both": lambda: kill(EVENTS),
    "kill -9 service": lambda: kill(SERVICE),
    "kill -9 journald": lambda: kill("systemd-journald.service"),
    "database locked": lock,
    "restart of everything": restart,
}


def wait(done: Callable[[], bool]) -> None:
    """Wait until it is so, or for no longer than is bearable."""
    end = time.monotonic() + PATIENCE
    while not done() and time.monotonic() < end:
        time.sleep(0.2)


def first_phone() -> tuple[str, str, str, str]:
    """A phone and how far it is; that somebody else asks for its profile changes nothing of that."""
    with contextlib.closing(sqlite3.connect(DATABASE, timeout=20)) as database:
        return database.execute("SELECT mac, state, address, profile_hash FROM phones ORDER BY mac LIMIT 1").fetchone()


def main() -> int:
    before = first_phone()
    burst = Burst(before[0])
    marks = []
    try:
        for name, fault in FAULTS.items():
            first = (burst.journal, burst.phone, len(burst.asked))
            end = time.monotonic() + SECONDS
            times = 0
            while not times or time.monotonic() < end:
                times += fault()
                time.sleep(SECONDS / 2)
            # Requests that were asked meanwhile may still be answered; without one, nothing is judged
            wait(lambda first=first[2]: bool(burst.answered) and burst.answered[-1] >= first)
            marks.append((name, times, first))
    finally:
        burst.end()
    marks.append(("", 0, (burst.journal, burst.phone, len(burst.asked))))
    wait(lambda: len(set(numbers("http"))) >= burst.journal and len(set(numbers("resync"))) >= burst.phone)
    wait(lambda: set(burst.answered) <= set(numbers("profile")))
    kept = {kind: Counter(numbers(kind)) for kind in ("http", "resync", "profile")}
    wrong = 0
    print(f"{'fault':<24}{'times':>6}{'lines':>8}{'lost':>6}{'requests':>10}{'lost':>6}{'doubled':>9}")
    for (name, times, first), (_next, _times, last) in itertools.pairwise(marks):
        lines = lost = doubled = 0
        for kind, start, end in zip(("http", "resync"), first, last, strict=False):
            lines += end - start
            lost += sum(not kept[kind][number] for number in range(start, end))
        for kind, start, end in zip(kept, first, last, strict=True):
            doubled += sum(kept[kind][number] > 1 for number in range(start, end))
        answered = [number for number in burst.answered if first[2] <= number < last[2]]
        untold = sum(not kept["profile"][number] for number in answered)
        print(f"{name:<24}{times:>6}{lines:>8}{lost:>6}{len(answered):>10}{untold:>6}{doubled:>9}")
        wrong += lost + untold + doubled + (not times) + (not lines) + (not answered)
    after = first_phone()
    if after != before:
        print(f"Who asked for its profile from {STATION} has moved the phone from {before} to {after}.")
        wrong += 1
    forget()
    return 1 if wrong else 0


def forget() -> None:
    """Leave no trace."""
    LOG.unlink()
    with contextlib.closing(sqlite3.connect(DATABASE, timeout=20, isolation_level=None)) as database:
        database.execute("DELETE FROM events WHERE instr(detail, ?)", (f"/{RUN}-",))


if __name__ == "__main__":
    raise SystemExit(main())
