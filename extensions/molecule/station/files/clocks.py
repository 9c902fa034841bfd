# SPDX-License-Identifier: GPL-3.0-or-later
"""Run on a station whose clock is five years back, an hour ahead, and right again: states follow the order in which lines arrive.

Argument: the station's address. Containers have the clock of their host, so libfaketime gives another one to the log server, and
a module of Python to the collector, the profile service and the unit that asks the daemons. It jumps while they run.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
import shutil
import socket
import sqlite3
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from werkzeug.security import generate_password_hash

STATION = sys.argv[1]
DATABASE = "/var/lib/preprovision-service/service.sqlite"
TEMPLATE, MAC, NAME = "00005e005301", "00005e00530d", "clocks"
RUN = f"clocks-{time.time_ns():x}"
CLOCK, DROP_INS = Path("/run/station-clock"), Path("/run/systemd/system")
CODE = Path("/usr/local/lib")
# rsyslogd starts the collector without an environment
CONFIGURATION = Path("/etc/preprovision-events.conf")
LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
# libfaketime breaks Python's sleep, which waits until a moment of the other clock
SHIM = Path("/run/station-clock.d/sitecustomize.py")
# gunicorn compares with times of files, which are those of the host
SHIM_TEXT = f"""\
import sys
import time

real, real_ns = time.time, time.time_ns


def offset():
    if sys._getframe(2).f_globals.get("__name__", "").startswith("gunicorn"):
        return 0
    with open("{CLOCK}") as file:
        return int(file.read())


time.time = lambda: real() + offset()
time.time_ns = lambda: real_ns() + offset() * 10**9
"""
ENVIRONMENT = {
    "log": f"LD_PRELOAD={LIBRARY} FAKETIME_TIMESTAMP_FILE={CLOCK} FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1",
    "service": f"PYTHONPATH={SHIM.parent}:{CODE}/preprovision-service",
    "health": f"PYTHONPATH={SHIM.parent}:{CODE}/preprovision-health",
}
UNITS = [f"preprovision-{name}.service" for name in (*ENVIRONMENT, "events")]
BACK, AHEAD = -1826 * 86400, 3600
BEFORE_RELEASE = "The station's clock says ..., but its software was made after ..."
SET_BACK = "The station's clock was ahead until it was set back, or it is behind now: the latest events are ... ahead of it"
# Seconds for a log line to reach the database, and by which two clocks may differ, on a busy machine
TIMEOUT, SLACK = 60, 90

wrong: list[str] = []


def check(what: str, found: object, expected: object) -> None:
    """Compare, and record a difference."""
    print(f"{what}: {found}")
    if found != expected:
        wrong.append(f"{what}: {found!r}, expected {expected!r}")


@contextlib.contextmanager
def database() -> Iterator[sqlite3.Connection]:
    """Open the service's database, and commit at the end."""
    with contextlib.closing(sqlite3.connect(DATABASE, timeout=20)) as connection:
        yield connection
        connection.commit()


def wait(what: str, done: Callable[[], object]) -> None:
    """Wait until *done*."""
    end = time.monotonic() + TIMEOUT
    while not done():
        if time.monotonic() > end:
            raise SystemExit("\n".join([*wrong, f"not within {TIMEOUT} seconds: {what}"]))
        time.sleep(0.2)


def set_clock(offset: int) -> None:
    """Let the daemons' clock differ from the host's by *offset* seconds."""
    candidate = CLOCK.with_suffix(".new")
    candidate.write_text(f"{offset:+d}\n")
    candidate.chmod(0o644)
    candidate.replace(CLOCK)


def restart() -> None:
    subprocess.run(["systemctl", "daemon-reload"], check=True)
    subprocess.run(["systemctl", "restart", *UNITS], check=True)


@contextlib.contextmanager
def changed_clock() -> Iterator[None]:
    """Run the daemons with a clock of their own."""
    before = CONFIGURATION.read_bytes()
    folders = {name: DROP_INS / f"preprovision-{name}.service.d" for name in ENVIRONMENT}
    set_clock(0)
    try:
        SHIM.parent.mkdir()
        SHIM.parent.chmod(0o755)
        SHIM.write_text(SHIM_TEXT)
        SHIM.chmod(0o644)
        for name, folder in folders.items():
            folder.mkdir(parents=True)
            (folder / "clock.conf").write_text(f"[Service]\nEnvironment={ENVIRONMENT[name]}\n")
        CONFIGURATION.write_bytes(before.replace(b"/usr/bin/env PYTHONPATH=", f"/usr/bin/env PYTHONPATH={SHIM.parent}:".encode()))
        restart()
        yield
    finally:
        CONFIGURATION.write_bytes(before)
        for folder in (*folders.values(), SHIM.parent):
            shutil.rmtree(folder, ignore_errors=True)
        restart()
        CLOCK.unlink()


def say(text: str) -> None:
    """Log as the phone."""
    colons = ":".join(MAC[place : place + 2] for place in range(0, 12, 2)).upper()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as log:
        log.sendto(f"<134>ATA192-MPP {colons} -- {text}".encode(), (STATION, 514))


def row() -> tuple[str, int, str]:
    """Return the phone's state, since when it is in it, by how many seconds from now, and why."""
    with database() as connection:
        state, since, reason = connection.execute("SELECT state, since, reason FROM phones WHERE mac = ?", [MAC]).fetchone()
    return state, int(since / 1000 - time.time()), reason


def events() -> int:
    with database() as connection:
        return connection.execute("SELECT count(*) FROM events WHERE kind = 'resync' AND mac = ?", [MAC]).fetchone()[0]


def ask(path: str, password: str = RUN) -> tuple[int, Any]:
    """Ask the API as an operator."""
    credentials = base64.b64encode(f"{RUN}:{password}".encode()).decode()
    headers = {"Authorization": f"Basic {credentials}"}
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with urlopen(Request(f"https://{STATION}/api/{path}", headers=headers), timeout=30, context=context) as answer:
            return answer.status, json.load(answer)
    except HTTPError as error:
        return error.code, None


def clock_of_station() -> str:
    """Return what the API says of the station's clock."""
    _status, station = ask("station")
    return " ".join(re.findall(r"[Tt]he station's clock [^\".]*", json.dumps(station, ensure_ascii=False))) or json.dumps(station)


def succeed(offset: int, when: str) -> None:
    say(f"Successful resync https://{STATION}:443/device/{MAC}.cfg")
    wait(f"{when}, the phone has come up", lambda: row()[0] == "resynced")
    check(f"{when}, the phone is up since then", abs(row()[1] - offset) < SLACK, True)


def fail(offset: int, when: str) -> None:
    say("Resync failed: corrupt file")
    wait(f"{when}, the phone has failed", lambda: row()[0] == "failed")
    check(f"{when}, the phone has failed since then", abs(row()[1] - offset) < SLACK, True)


def add() -> None:
    with database() as connection:
        columns = [name for _number, name, *_rest in connection.execute("PRAGMA table_info(phones)")]
        copied = connection.execute(f"SELECT {', '.join(columns)} FROM phones WHERE mac = ?", [TEMPLATE]).fetchone()  # noqa: S608
        values = dict(zip(columns, copied, strict=True)) | {
            "mac": MAC,
            "name": NAME,
            "state": "expected",
            "since": 0,
            "facts": "{}",
        }
        values |= {
            "reason": "",
            "address": "",
            "profile_hash": "",
            "serial": "",
            "logs": 1,
            "done": 0,
            "claimed": 0,
            "source": "scan",
        }
        values |= {"unit_file": "", "arrived": 0, "firmware": "", "redirect": ""}
        values["variables"] = values["variables"].replace(TEMPLATE, MAC)
        insertion = f"INSERT INTO phones ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})"  # noqa: S608
        connection.execute(insertion, [*values.values()])
        connection.execute("INSERT INTO operators VALUES (?, ?)", [RUN, generate_password_hash(RUN, "pbkdf2:sha256:1000")])


def remove() -> None:
    with database() as connection:
        for table in ("phones", "shipments", "events", "leases"):
            connection.execute(f"DELETE FROM {table} WHERE mac = ?", [MAC])  # noqa: S608
        connection.execute("DELETE FROM operators WHERE name = ?", [RUN])
        connection.execute("DELETE FROM login_failures WHERE name = ?", [RUN])


def play() -> None:
    """Move the clock twice, and look each time."""
    set_clock(BACK)
    succeed(BACK, "five years back")
    check("five years back, the clock", re.sub("[0-9-]{10}", "...", clock_of_station()), BEFORE_RELEASE)
    fail(BACK, "five years back")
    set_clock(AHEAD)
    succeed(AHEAD, "an hour ahead")
    check("an hour ahead, guesses at the password", {ask("station", f"guess {number}")[0] for number in range(5)}, {401})
    check("an hour ahead, another guess", ask("station", "guess")[0], 429)
    set_clock(0)
    check("right again, a guess and the password", (ask("station", "guess")[0], ask("station")[0]), (401, 200))
    check("right again, the clock", re.sub("[0-9]+ (minutes|hour)", "...", clock_of_station()), SET_BACK)
    fail(0, "right again")
    check("right again, the reason", bool(row()[2]), True)
    succeed(0, "right again")
    shown = ask(f"phones/{MAC}")[1]
    check("right again, what the API says", shown["state"], "resynced")
    check("lines of all three", events(), 5)


def main() -> None:
    """Run all checks."""
    add()
    try:
        with changed_clock():
            play()
    finally:
        remove()
    sys.exit("\n".join(wrong) or None)


main()
