# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure how many log lines per second become events without loss, and their CPU and memory cost.

    tests/machines/machine run .venv/bin/python tests/benchmarks/events.py MACHINE [--rate 2000] [--seconds 60] [--phones 10000]

MACHINE is a station with the profile service, booted by tests/machines/machine. Phones are added to its database and boot
repeatedly: a lease from dhcpd, a request logged by nginx, and the phone's own message that the resync succeeded. Processes in the
control groups of isc-dhcp-server.service and nginx.service write the lines, so the journal attributes the lines to these units.
Meanwhile a client reads what the board shows, by the API: the counts and the phones changed last. At the end there must be one
event per line, and all phones must be resynced. The phones, their events and their lines are removed again, except from the
journal.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import hashlib
import json
import os
import secrets
import socket
import sqlite3
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

DATABASE = "/var/lib/preprovision-service/service.sqlite"
GROUPS = Path("/sys/fs/cgroup/system.slice")
LOGS = Path("/var/log/preprovision/phones")
FIRST_MAC = 0x00005EAA0000
UNITS = ("preprovision-events.service", "systemd-journald.service")
PASSWORD = secrets.token_hex(8)
BASIC = base64.b64encode(f"benchmark:{PASSWORD}".encode()).decode()
# Each phone has an address in a network that no bench uses
NET = "198.18"


def mac(number: int) -> str:
    return f"{FIRST_MAC + number:012x}"


def address(number: int) -> str:
    return f"{NET}.{number // 250}.{number % 250 + 1}"


def join(unit: str) -> None:
    (GROUPS / unit / "cgroup.procs").write_text(str(os.getpid()))


def write(unit: str, lines: Iterator[str], rate: float) -> None:
    """Write lines to the journal as *unit*, at a steady rate."""
    join(unit)
    log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    log.connect("/dev/log")
    start = time.monotonic()
    for number, line in enumerate(lines):
        time.sleep(max(0, start + number / rate - time.monotonic()))
        while True:
            try:
                log.send(line.encode())
                break
            except OSError:
                # journald is not listening at the moment
                with contextlib.suppress(OSError):
                    log.connect("/dev/log")


def leases(phones: int, rounds: int) -> Iterator[str]:
    for number in range(rounds):
        digits = mac(number % phones)
        colons = ":".join(digits[place : place + 2] for place in range(0, 12, 2))
        yield f"<30>dhcpd[1]: DHCPACK on {address(number % phones)} to {colons} via bench0"


def requests(phones: int, rounds: int) -> Iterator[str]:
    for number in range(rounds):
        digits = mac(number % phones)
        record = {
            "address": address(number % phones),
            "scheme": "https",
            "method": "GET",
            "uri": f"/device/{digits}.cfg",
            "status": 200,
            "bytes": 328,
            "agent": f"Cisco/ATA192-MPP-11-1-0MPP-16 (FCH{number % phones:08})",
            "verify": "SUCCESS",
            "subject": f"SN={digits},L=FCH{number % phones:08},OU=ATA192",
            "refused": "",
            "etag": f'"{number:x}"',
        }
        yield f"<190>nginx: {json.dumps(record)}"


def write_phone_logs(phones: int, rounds: int, rate: float) -> None:
    """Write the phones' messages into 100 log files, at a steady rate."""
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context((LOGS / f"{NET}.255.{number}.log").open("a", buffering=1)) for number in range(100)]
        start = time.monotonic()
        for number in range(rounds):
            time.sleep(max(0, start + number / rate - time.monotonic()))
            phone = number % phones
            digits = mac(phone)
            colons = ":".join(digits[place : place + 2] for place in range(0, 12, 2))
            files[phone % 100].write(
                f"{datetime.now(UTC).isoformat()} {address(phone)} local0.info ATA192-MPP {colons} -- "
                f"Successful resync https://192.0.2.1:443/device/{digits}.cfg\n"
            )


@contextlib.contextmanager
def database() -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(DATABASE, timeout=60)) as connection:
        yield connection
        connection.commit()


def add_phones(phones: int) -> None:
    with database() as connection:
        empty = {row[1]: 0 if row[2] == "INTEGER" else "" for row in connection.execute("PRAGMA table_info(phones)")}
        values = {"model": "ATA192", "family": "ata19x", "source": "scan", "variables": "{}", "facts": "{}"}
        values |= {"state": "expected", "customization": "Open"}
        columns = list(empty)
        rows = [[*{**empty, **values, "mac": mac(n), "name": f"benchmark-{n}"}.values()] for n in range(phones)]
        hashed = hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), b"benchmark", 600_000).hex()
        connection.execute("INSERT INTO operators VALUES ('benchmark', ?)", (f"pbkdf2:sha256:600000$benchmark${hashed}",))
        connection.executemany(f"INSERT INTO phones ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})", rows)  # noqa: S608


def remove_traces() -> None:
    for path in LOGS.glob(f"{NET}.255.*.log"):
        path.unlink()
    with database() as connection:
        connection.execute("DELETE FROM operators WHERE name = 'benchmark'")
        connection.execute("DELETE FROM phones WHERE name LIKE 'benchmark-%'")
        connection.execute("DELETE FROM events WHERE mac LIKE '00005eaa%'")
        connection.execute("DELETE FROM leases WHERE mac LIKE '00005eaa%'")


def stored() -> int:
    with database() as connection:
        return int(connection.execute("SELECT count(*) FROM events WHERE mac LIKE '00005eaa%'").fetchone()[0])


def used(unit: str) -> float:
    """Return the seconds of CPU time that a unit has used; 0 while it is down."""
    with contextlib.suppress(OSError):
        return int((GROUPS / unit / "cpu.stat").read_text().split()[1]) / 1e6
    return 0


def resident(unit: str) -> int:
    """Return the proportional memory (PSS) of a unit's processes in MiB."""
    total, processes = 0, []
    with contextlib.suppress(OSError):
        processes = (GROUPS / unit / "cgroup.procs").read_text().split()
    for process in processes:
        with contextlib.suppress(OSError):
            total += sum(
                int(line.split()[1])
                for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
                if line[:4] == "Pss:"
            )
    return total // 1024


def poll_board(over: threading.Event, times: list[float], unanswered: list[str]) -> None:
    """Request the board's data five times a second."""
    while not over.wait(0.2):
        start = time.monotonic()
        for path in ("/api/summary", "/api/phones"):
            answer = b""
            with contextlib.suppress(OSError), contextlib.closing(socket.socket(socket.AF_UNIX)) as client:
                client.settimeout(30)
                client.connect("/run/preprovision-service.sock")
                client.sendall(f"GET {path} HTTP/1.0\r\nHost: localhost\r\nAuthorization: Basic {BASIC}\r\n\r\n".encode())
                answer = b"".join(iter(lambda: client.recv(65536), b""))
            if not answer.startswith((b"HTTP/1.0 200", b"HTTP/1.1 200")):
                unanswered.append(f"{path}: {answer[:60]!r}")
        times.append(time.monotonic() - start)


def measure(rate: int, seconds: int, phones: int) -> int:
    """Run the benchmark on the station; return the number of failed checks."""
    remove_traces()
    add_phones(phones)
    rounds = rate * seconds // 3
    before = {unit: used(unit) for unit in UNITS}
    start = time.monotonic()
    writers = []
    for work in (
        lambda: write("isc-dhcp-server.service", leases(phones, rounds), rate / 3),
        lambda: write("nginx.service", requests(phones, rounds), rate / 3),
        lambda: write_phone_logs(phones, rounds, rate / 3),
    ):
        writers.append(os.fork())
        if not writers[-1]:
            work()
            os._exit(0)
    over, times, unanswered = threading.Event(), [], []
    reader = threading.Thread(target=poll_board, args=(over, times, unanswered))
    reader.start()
    backlog = memory = 0
    while writers:
        time.sleep(1)
        writers = [writer for writer in writers if os.waitpid(writer, os.WNOHANG) == (0, 0)]
        backlog = max(backlog, round(min(1, (time.monotonic() - start) / seconds) * rounds * 3) - stored())
        memory = max(memory, resident(UNITS[0]))
    written = time.monotonic() - start
    while stored() < rounds * 3 and time.monotonic() - start < written + 120:
        time.sleep(0.5)
    took = time.monotonic() - start
    time.sleep(2)
    over.set()
    reader.join()
    kept = stored()
    cost = {unit: (used(unit) - before[unit]) / (rounds * 3) * 1e6 for unit in UNITS}
    with database() as connection:
        states = connection.execute("SELECT state, count(*) FROM phones WHERE name LIKE 'benchmark-%' GROUP BY state").fetchall()
    wrong = (kept != rounds * 3) + (states != [("resynced", phones)])
    print(f"{rounds * 3} lines written in {written:.1f} s ({rounds * 3 / written:.0f} per second), stored in {took:.1f} s")
    print(f"lost {rounds * 3 - kept}; at most {backlog} behind; phones: {dict(states)}")
    print(f"CPU per line: rsyslogd and collector {cost[UNITS[0]]:.0f} us, journald {cost[UNITS[1]]:.0f} us; memory {memory} MiB")
    shown = f"median {statistics.median(times) * 1000:.0f} ms, longest {max(times) * 1000:.0f} ms, {len(times)} times"
    # No request may go unanswered, unless the service is killed meanwhile
    print(f"board meanwhile: {shown}; not answered: {len(unanswered)} {unanswered[:1] or ''}")
    remove_traces()
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("machine")
    parser.add_argument("--rate", type=int, default=2000)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--phones", type=int, default=10000)
    options = parser.parse_args()
    numbers = [str(options.rate), str(options.seconds), str(options.phones)]
    if options.machine == "here":
        return measure(*map(int, numbers))
    here = ["podman", "exec", "-i", options.machine, "python3", "-", "here", "--rate", numbers[0]]
    start = time.process_time()
    sum(range(10_000_000))
    print(f"sum(range(10,000,000)) took {time.process_time() - start:.2f} s", flush=True)
    return subprocess.run(
        [*here, "--seconds", numbers[1], "--phones", numbers[2]], input=Path(__file__).read_bytes(), check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
