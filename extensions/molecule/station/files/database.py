# SPDX-License-Identifier: GPL-3.0-or-later
"""Break the profile service's database on a running station, and judge what the service says and does.

    python3 database.py STATION

STATION: its address. Prints a line for each fault: what was done, what ``/health`` said, and what the journal told the operator.
"""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from pathlib import Path
from pwd import getpwnam
from urllib.error import HTTPError
from urllib.request import urlopen

STATION = sys.argv[1]
FOLDER = Path("/var/lib/preprovision-service")
DATABASE = FOLDER / "service.sqlite"
SECRET = FOLDER / "secret"
QUEUE = Path("/var/lib/preprovision-events")
# Unlike those of an earlier run, which the collector reads again
FULL_MACS, INDEX_MACS = (f"{first}{int(time.time()) % 0x1000000:06x}" for first in ("02", "06"))
SECONDS = 120
MARK = "INSERT OR REPLACE INTO settings (name, value) VALUES ('judge', ?)"


def run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def expect(right: bool, what: str) -> None:
    if not right:
        sys.exit(what)


def health() -> tuple[int, str]:
    try:
        with urlopen(f"http://{STATION}/health", timeout=30) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


def wait(what: str, good: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not good():
        if time.monotonic() > end:
            sys.exit(f"{what}: not within {SECONDS} s; /health says {health()}")
        time.sleep(0.2)


def alerts(since: float) -> str:
    """Return what the journal holds since then with the priority alert."""
    return run("journalctl", "--quiet", "--output=cat", "--priority=alert", f"--since=@{since:.6f}")


def write(value: str) -> None:
    with closing(sqlite3.connect(DATABASE, timeout=30, isolation_level=None)) as opened:
        opened.execute(MARK, (value,))


def read() -> str:
    with closing(sqlite3.connect(DATABASE, timeout=30)) as opened:
        return str(opened.execute("SELECT value FROM settings WHERE name = 'judge'").fetchone()[0])


def overwrite_pages() -> None:
    """Overwrite all pages but the first, as a bad disk or a wrong dd does; nothing is left in the log that would mend them."""
    with closing(sqlite3.connect(DATABASE, timeout=30)) as opened:
        opened.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    with DATABASE.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (DATABASE.stat().st_size - 4096))


def delete() -> None:
    DATABASE.unlink()


def cut_to_nothing() -> None:
    with DATABASE.open("r+b") as file:
        file.truncate(0)


def break_and_wait(name: str, broken: Callable[[], None]) -> None:
    # It is healed once in an hour, unless nothing was set aside
    for left in FOLDER.glob("*.damaged"):
        left.unlink()
    write(f"{name}: in the copy")
    run("systemctl", "start", "preprovision-database.service")
    write(f"{name}: after the copy")
    before, since = DATABASE.stat().st_ino, time.time()
    broken()
    said = ""

    def healed() -> bool:
        nonlocal said
        status, text = health()
        said = text.strip() if status == 503 and text.startswith("the database") else said
        with suppress(OSError):
            return status == 200 and DATABASE.stat().st_ino != before
        return False

    wait(name, healed)
    expect(read() == f"{name}: in the copy", f"{name}: the database has {read()}")
    wait(f"{name}: the alert", lambda: "it is now the copy of" in alerts(since))
    told = re.search(r"the database .*it is now the copy of .*", alerts(since))
    expect("are lost. Run voip.preprovision.profiles" in (told[0] if told else ""), alerts(since))
    for unit in ("preprovision-service.socket", "preprovision-service.service", "preprovision-events.service"):
        wait(unit, lambda unit=unit: run("systemctl", "show", "--property=ActiveState", "--value", unit).strip() == "active")
    print(f"{name}: /health said: {said or 'nothing, it was healed before'}; journal: {told[0] if told else ''}")


def empty_the_secret() -> None:
    since = time.time()
    SECRET.write_text("")
    run("systemctl", "restart", "preprovision-service.service")
    expect(bool(re.fullmatch("[0-9a-f]{64}", SECRET.read_text())), f"the secret has {SECRET.stat().st_size} bytes")
    wait("secret", lambda: "so it was replaced" in alerts(since))
    wait("secret: health", lambda: health()[0] == 200)
    print(f"secret: {alerts(since).strip()}")


def ask_for_profiles(macs: str, numbers: Iterable[int]) -> None:
    """Ask for profiles of phones that nobody expects; each request is an event."""
    for number in numbers:
        with suppress(HTTPError):
            urlopen(f"http://{STATION}/live/{macs}{number:04x}.cfg", timeout=30).close()


def fill_below_the_queue(number: int) -> None:
    """Fill the disk of the collector's queue while phones ask for files; every event must be stored once there is space again."""
    unit = "preprovision-events.service"
    user = getpwnam("preprovision-service")
    run("systemctl", "stop", unit)
    run("mount", "-t", "tmpfs", "-o", f"size=256m,mode=0700,uid={user.pw_uid},gid={user.pw_gid}", "tmpfs", str(QUEUE))
    try:
        run("systemctl", "start", unit)
        wait("queue: start", (QUEUE / "journal").exists)
        # Meanwhile the collector cannot empty the queue
        with closing(sqlite3.connect(DATABASE, timeout=30, isolation_level=None)) as holder:
            holder.execute("BEGIN IMMEDIATE")
            with (QUEUE / "filler").open("wb", buffering=0) as file, suppress(OSError):
                for size in (1 << 20, 4096):
                    while file.write(bytes(size)) == size:
                        pass
            ask_for_profiles(FULL_MACS, range(number))
            wait("queue: dropped lines", lambda: not (QUEUE / "complete").exists())
        at_full = stored(FULL_MACS)
        (QUEUE / "filler").unlink()
        wait("queue: all events", lambda: stored(FULL_MACS) == number)
        print(f"queue: {at_full} of {number} events stored while the disk was full, {stored(FULL_MACS)} of {number} after that")
    finally:
        run("systemctl", "stop", unit)
        run("umount", "--lazy", str(QUEUE))
        run("systemctl", "start", unit)


def miss_a_line_of_the_queue(number: int) -> None:
    """Let the queue's index count a line more than there are, as a killed rsyslogd may leave it: all lines are read again."""
    unit = "preprovision-events.service"
    ask_for_profiles(INDEX_MACS, range(number))
    wait("index: all events", lambda: stored(INDEX_MACS) == number)
    with closing(sqlite3.connect(DATABASE, timeout=30, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        ask_for_profiles(INDEX_MACS, [0xFFFF])
        wait("index: a line in the queue", lambda: f"{INDEX_MACS}ffff".encode() in queued())
        run("systemctl", "kill", "--signal=KILL", unit)
        run("systemctl", "stop", unit)
        # What only journal and logs know
        holder.execute("DELETE FROM events WHERE mac LIKE ?", (f"{INDEX_MACS}%",))
        holder.execute("COMMIT")
    index = QUEUE / "events.qi"
    changed = re.sub(r"(\+iQueueSize:2:)\d+:(\d+):", lambda found: one_more(*found.groups()), index.read_text())
    expect(changed != index.read_text(), f"{index} has no size: {index.read_text()}")
    index.write_text(changed)
    run("systemctl", "start", unit)
    wait("index: all events again", lambda: stored(INDEX_MACS) == number + 1)
    print(f"queue: one line fewer than its index says, {stored(INDEX_MACS)} of {number + 1} events stored after that")


def queued() -> bytes:
    return b"".join(path.read_bytes() for path in QUEUE.glob("events.0*"))


def one_more(beginning: str, size: str) -> str:
    more = str(int(size) + 1)
    return f"{beginning}{len(more)}:{more}:"


def stored(macs: str) -> int:
    with closing(sqlite3.connect(DATABASE, timeout=30)) as opened:
        return int(opened.execute("SELECT count(*) FROM events WHERE mac LIKE ?", (f"{macs}%",)).fetchone()[0])


def main() -> None:
    wait("start", lambda: health()[0] == 200)
    try:
        for name, broken in (("pages", overwrite_pages), ("deleted", delete), ("emptied", cut_to_nothing)):
            break_and_wait(name, broken)
        empty_the_secret()
        fill_below_the_queue(100)
        miss_a_line_of_the_queue(10)
    finally:
        for left in FOLDER.glob("*.damaged"):
            left.unlink()
    copies = sorted(path.name for path in (FOLDER / "copies").iterdir())
    expect(copies == ["1.sqlite", "2.sqlite"], f"copies: {copies}")
    with closing(sqlite3.connect(DATABASE, timeout=30, isolation_level=None)) as opened:
        opened.execute("DELETE FROM settings WHERE name = 'judge'")
        for macs in (FULL_MACS, INDEX_MACS):
            opened.execute("DELETE FROM events WHERE mac LIKE ?", (f"{macs}%",))


if __name__ == "__main__":
    main()
