# SPDX-License-Identifier: GPL-3.0-or-later
"""Kill and stop the station's daemons, and measure until that is noticed and healed: ``python3 hang.py quick|full``.

Noticed: the board's source says so. Healed: another process runs, the board's source says that all is well, and the daemon answers.
Prints a row for each; fails if one is not healed.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, "/usr/local/lib/preprovision-health")
from preprovision.common.services import SERVICES
from preprovision.station.agents.questions import QUESTIONS, Target, ask_all

STATE = Path("/run/preprovision-health/state.json")
WATCH = Path("/usr/local/lib/preprovision-dhcp-watch/preprovision/dhcp/watch.py")
MAX_SECONDS = 400
PAUSE = 0.2
TARGET = Target("192.0.2.1")
ASKED = ("dhcp", "tftp", "names", "web", "log", "time", "service")
REPORTING = ("watch", "addresses", "events")


class Row(NamedTuple):
    """What was done to a service, and after how many seconds it was noticed and healed."""

    service: str
    fault: str
    noticed: float
    healed: float


def show(name: str, what: str) -> str:
    command = ["systemctl", "show", "--value", f"--property={what}", SERVICES[name].unit]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def processes(name: str) -> list[int]:
    try:
        return [int(line) for line in Path("/sys/fs/cgroup/system.slice", SERVICES[name].unit, "cgroup.procs").read_text().split()]
    except OSError:
        return []


def send(name: str, number: signal.Signals) -> None:
    """Send a signal to all processes of a service, as its main process first, so that nothing is started again in between."""
    main = int(show(name, "MainPID"))
    for pid in [main, *(pid for pid in processes(name) if pid != main)]:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def state() -> dict[str, str]:
    """Return the services of the latest round; none while the unit that asks is starting."""
    try:
        return dict(json.loads(STATE.read_text())["services"])
    except (OSError, ValueError):
        return {}


def is_well(name: str, before: str) -> bool:
    unit = SERVICES[name].unit
    new = show(name, "ActiveState") == "active" and show(name, "MainPID") not in ("0", before)
    return new and state().get(name) == "active" and (name not in QUESTIONS or not ask_all(TARGET, {name: unit})[name])


def measure(faults: dict[str, signal.Signals], also: str = "") -> list[Row]:
    """Send the signals to all processes of the services at once; wait until each is healed, and the service *also*."""
    names = [*faults, *([also] if also else [])]
    before = {name: (show(name, "MainPID"), show(name, "NRestarts")) for name in names}
    for name, number in faults.items():
        send(name, number)
    begun = time.monotonic()
    noticed: dict[str, float] = {}
    healed: dict[str, float] = {}
    while len(healed) < len(names) and time.monotonic() - begun < MAX_SECONDS:
        for name in names:
            gone = show(name, "NRestarts") != before[name][1] or state().get(name, "active") != "active"
            if name not in noticed and (gone or show(name, "MainPID") != before[name][0]):
                noticed[name] = time.monotonic() - begun
            if name in noticed and name not in healed and is_well(name, before[name][0]):
                healed[name] = time.monotonic() - begun
        time.sleep(PAUSE)
    causes = {name: faults[name].name if name in faults else "its watch ends" for name in names}
    return [Row(name, causes[name], noticed.get(name, -1), healed.get(name, -1)) for name in names]


def empty_watch() -> None:
    WATCH.write_bytes(b"")
    send("watch", signal.SIGTERM)


def held_without_its_code() -> list[Row]:
    """Empty the watch's file: DHCP is held and says so, until the file is right again."""
    content, before = WATCH.read_bytes(), show("dhcp", "MainPID")
    begun = time.monotonic()
    try:
        empty_watch()
        while show("dhcp", "ActiveState") != "inactive":
            time.sleep(PAUSE)
        stopped = time.monotonic() - begun
        while state().get("dhcp") != "inactive":
            time.sleep(PAUSE)
        noticed = time.monotonic() - begun
        # It must not come back without a watch
        for _number in range(20):
            if show("dhcp", "ActiveState") != "inactive":
                sys.exit("dhcpd has started without a watch")
            time.sleep(PAUSE)
    finally:
        WATCH.write_bytes(content)
    begun = time.monotonic()
    while not is_well("dhcp", before) and time.monotonic() - begun < MAX_SECONDS:
        time.sleep(PAUSE)
    print(f"dhcp stops {stopped:.1f} s after its watch has ended with an emptied file")
    healed = time.monotonic() - begun if is_well("dhcp", before) else -1
    return [Row("dhcp", "emptied file of its watch", noticed, healed)]


def flapping() -> list[Row]:
    """Take the bridge down for longer than a minute in all, and up for moments; the watch gives up nothing, and all come back."""
    restarts, begun = show("watch", "NRestarts"), time.monotonic()
    noticed = -1.0
    for down in (12, 35, 18):
        subprocess.run(["ip", "link", "set", "dev", "bench0", "down"], check=True)
        end = time.monotonic() + down
        while time.monotonic() < end:
            if noticed < 0 and state().get("dhcp", "active") != "active":
                noticed = time.monotonic() - begun
            time.sleep(PAUSE)
        subprocess.run(["ip", "link", "set", "dev", "bench0", "up"], check=True)
        time.sleep(3)
    begun = time.monotonic()
    while not (well := is_well("dhcp", "")) and time.monotonic() - begun < MAX_SECONDS:
        time.sleep(PAUSE)
    if show("watch", "NRestarts") != restarts:
        sys.exit("the watch has given up on a link that came back again and again")
    return [Row("dhcp", "link comes and goes", noticed, time.monotonic() - begun if well else -1)]


def quick() -> list[Row]:
    """All at once: systemd starts again what has died, and the unit that asks what hangs."""
    faults = dict.fromkeys((*ASKED[1:], "addresses", "events"), signal.SIGKILL)
    rows = measure({**faults, "names": signal.SIGSTOP, "watch": signal.SIGTERM}, "dhcp")
    return rows + held_without_its_code()


def full() -> list[Row]:
    """One fault after the other."""
    rows: list[Row] = []
    for name in (*ASKED, *REPORTING, "health"):
        for number in (signal.SIGKILL, signal.SIGSTOP):
            rows += measure({name: number}, "dhcp" if name == "watch" else "")
    return rows + measure({"watch": signal.SIGTERM}, "dhcp") + held_without_its_code() + flapping()


def main() -> None:
    """Print the table."""
    rows = {"quick": quick, "full": full}[sys.argv[1]]()
    print("| daemon | fault | noticed after | healed after |\n| --- | --- | --- | --- |")
    for row in rows:
        noticed, healed = (f"{seconds:.0f} s" if seconds >= 0 else "never" for seconds in (row.noticed, row.healed))
        print(f"| {row.service} | {row.fault} | {noticed} | {healed} |")
    sys.exit(any(row.healed < 0 for row in rows))


main()
