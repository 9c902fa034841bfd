# SPDX-License-Identifier: GPL-3.0-or-later
"""Run on a station: follow units by TFTP from before they ask until their files are taken away and served again.

arming.py STATION NAME ROOT PASSWORD GRACE STEP. ROOT: the root of the server's certificate; PASSWORD: that of the operator
``judge``; GRACE: seconds from when a unit is done until its file is taken away. The units ask with udhcpc and curl.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

STATION, NAME, ROOT, PASSWORD, GRACE, STEP = *sys.argv[1:5], int(sys.argv[5]), sys.argv[6]
PUBLISHED = Path("/srv/preprovision")
LINKS = PUBLISHED / "tftp"
DONE = Path("/var/lib/preprovision-arming/done")
DATABASE = "/var/lib/preprovision-service/service.sqlite"
ARMING, EVENTS = "preprovision-arming.service", "preprovision-events.service"
PATHS = ["preprovision-arming.path", "preprovision-arming-trigger.service"]
# Seconds for everything that is not the grace time
TIMEOUT = 60
LEASE_SCRIPT = """#!/bin/sh
[ "$1" != bound ] || ip address add "$ip/$mask" dev "$interface"
"""


def run(*command: str, check: bool = True) -> str:
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=check).stdout


def systemctl(*arguments: str) -> None:
    subprocess.run(["systemctl", *arguments], stderr=subprocess.DEVNULL, check=False)


class Machine:
    """A machine on the bench, in a network namespace. Without *address* it asks for one by DHCP, and releases it at the end."""

    def __init__(self, name: str, mac: str, address: str = "") -> None:
        self.name, self.mac = name, mac
        run("ip", "netns", "add", name)
        run("ip", "link", "add", f"{name}0", "type", "veth", "peer", "name", "eth0", "address", mac, "netns", name)
        run("ip", "link", "set", f"{name}0", "master", "bench0", "up")
        run("ip", "-n", name, "link", "set", "eth0", "up")
        self._client: subprocess.Popen[bytes] | None = None
        if address:
            run("ip", "-n", name, "address", "add", f"{address}/24", "dev", "eth0")
        else:
            script = Path(f"/run/{name}-lease")
            script.write_text(LEASE_SCRIPT)
            script.chmod(0o700)
            command = ["ip", "netns", "exec", name, "udhcpc", "-f", "-R", "-C", "-t", "10", "-i", "eth0", "-s", str(script)]
            self._client = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            wait(f"a lease for {mac}", lambda: "inet " in run("ip", "-n", name, "-4", "address", "show", "dev", "eth0"))

    def unplug(self) -> None:
        if self._client:
            self._client.terminate()
            self._client.wait()
        run("ip", "link", "delete", f"{self.name}0")
        run("ip", "netns", "delete", self.name)

    def fetch(self, name: str) -> bytes | None:
        """Fetch a file by TFTP; None without an answer, b"" for an error."""
        command = ["ip", "netns", "exec", self.name, "curl", "--silent", "--max-time", "2", f"tftp://{STATION}/{name}"]
        got = subprocess.run(command, stdout=subprocess.PIPE, check=False)
        return None if got.returncode == 28 else got.stdout

    def log_success(self, product: str, file: str) -> None:
        """Log as a phone does that it has applied *file*."""
        text = f"<134>{product} {self.mac.upper()} -- Successful resync tftp://{STATION}:69/{file}"
        run("ip", "netns", "exec", self.name, "bash", "-c", f"printf '%s' '{text}' >/dev/udp/{STATION}/514")


class Unit:
    """What the station has for a unit of the inventory."""

    def __init__(self, mac: str, file: str, product: str) -> None:
        self.mac, self.file, self.product = mac, file, product
        self.plain, self.folder = mac.replace(":", ""), mac.replace(":", "-")
        self.link, self.marker = LINKS / self.folder, DONE / self.folder
        self.own = (PUBLISHED / "current/units" / self.folder / file).read_bytes()
        self.shared = next(path for path in (PUBLISHED / "current/open").iterdir() if path.name.lower() == file).read_bytes()
        self.secret = re.search(rb"\[--key (\S+)\]", gzip.decompress(self.own))[1]  # type: ignore[index]
        if self.secret in self.shared or self.own == self.shared:
            raise SystemExit("the bootstrap profile is the unit's own")

    @property
    def is_served(self) -> bool:
        return self.link.is_dir()

    @property
    def says(self) -> str:
        """What the board says of its own file."""
        return str(ask_board(f"phones/{self.plain}")["arming"])


def ask_board(path: str, **body: object) -> Any:
    command = ["curl", "--silent", "--user", f"judge:{PASSWORD}", "--cacert", ROOT, "--resolve", f"{NAME}:443:{STATION}"]
    command += ["--header", "Content-Type: application/json", "--data", json.dumps(body)] if body else []
    return json.loads(run(*command, f"https://{NAME}/api/{path}"))


def wait(what: str, done: Callable[[], bool], timeout: float = TIMEOUT) -> float:
    """Wait until *done*; return the seconds that it took."""
    start = time.monotonic()
    while not done():
        if time.monotonic() > start + timeout:
            raise SystemExit(f"not within {timeout:.0f} seconds: {what}")
        time.sleep(0.1)
    return time.monotonic() - start


def check(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise SystemExit(f"{what}: {found!r} instead of {expected!r}")


class Bench:
    """A unit and its neighbour."""

    def __init__(self, unit: Unit, machine: Machine, neighbour: Machine) -> None:
        self.unit, self.machine, self.neighbour = unit, machine, neighbour

    def got_by(self, machine: Machine) -> str:
        """Return whose file the machine gets by the name that the unit asks for."""
        names = {self.unit.own: "its own", self.unit.shared: "bootstrap", None: "nothing", b"": "nothing"}
        return names.get(machine.fetch(self.unit.file), "another")

    def check_neighbour(self, when: str) -> None:
        check(f"what the neighbour gets {when}", self.got_by(self.neighbour), "bootstrap")
        for name in (f"{self.unit.folder}/{self.unit.file}", f"/{self.unit.folder}/{self.unit.file}"):
            got = self.neighbour.fetch(name)
            check(f"what the neighbour gets as {name} {when}", got in (None, b""), True)

    def check_served(self, when: str) -> None:
        check(f"what the unit gets {when}", self.got_by(self.machine), "its own")
        check(f"what the board says {when}", self.unit.says, "armed")
        self.check_neighbour(when)

    def check_taken_away(self, when: str) -> None:
        check(f"whether the unit's folder is served {when}", self.unit.is_served, False)
        check(f"what the unit gets {when}", self.got_by(self.machine), "bootstrap")
        wait(f"the board says {when} that the file was taken away", lambda: self.unit.says.startswith("taken away at "))
        self.check_neighbour(when)

    def scan_in(self) -> None:
        answer = ask_board("scan-in", code=self.unit.mac)
        check("the board's answer to the scan", answer["title"], "ARMED AGAIN")
        print(f"scanned in again: {answer['detail']}")
        wait("the unit's folder is served after the scan", lambda: self.unit.is_served)

    def finish(self) -> None:
        """Apply its file as a phone does."""
        check("what the unit gets", self.got_by(self.machine), "its own")
        self.machine.log_success(self.unit.product, self.unit.file)
        wait("the board says when the file is taken away", lambda: self.unit.says.startswith("will be taken away at "))


def follow(bench: Bench) -> None:
    """One life: expected, done, taken away, scanned in again."""
    unit = bench.unit
    wait("the unit's folder is served", lambda: unit.is_served)
    bench.check_served("before")
    bench.finish()
    print(f"done: {unit.says}")
    check("what the unit gets during the grace time", bench.got_by(bench.machine), "its own")
    bench.check_neighbour("during the grace time")
    took = wait("the file is taken away", lambda: not unit.is_served, GRACE + TIMEOUT)
    bench.check_taken_away("afterwards")
    print(f"{took:.1f} seconds later: {unit.says}")
    time.sleep(2)
    bench.check_taken_away("when it has asked again")
    bench.scan_in()
    bench.check_served("after the scan")


def stay_silent(bench: Bench) -> None:
    """A unit that logs nothing is done when it has its file."""
    wait("the silent unit's folder is served", lambda: bench.unit.is_served)
    bench.check_neighbour("before")
    check("what the silent unit gets", bench.got_by(bench.machine), "its own")
    wait("the silent unit is done", lambda: bench.unit.says.startswith("will be taken away at "))
    wait("the silent unit's file is taken away", lambda: not bench.unit.is_served, GRACE + TIMEOUT)
    bench.check_taken_away("after the silent unit's fetch")
    print(f"a unit that logs nothing: {bench.unit.says}")


def kill(unit: str, *options: str) -> None:
    systemctl("kill", "--signal=KILL", *options, unit)


def kill_collector() -> None:
    """Kill the collector without rsyslogd, which hands lines to it."""
    group = Path(f"/sys/fs/cgroup/system.slice/{EVENTS}/cgroup.procs")
    for process in group.read_text().split():
        with contextlib.suppress(OSError):
            if b"preprovision_service.ingest" in Path(f"/proc/{process}/cmdline").read_bytes():
                os.kill(int(process), 9)


def boot() -> None:
    """Start the units in the order of a boot."""
    for unit in (PATHS[0], ARMING, "preprovision-tftp.service", EVENTS):
        systemctl("start", unit)


def kill_before_the_link(bench: Bench) -> None:
    """Kill both when the decision is there, and nobody has acted."""
    unit = bench.unit
    systemctl("stop", *PATHS)
    bench.finish()
    wait("the decision", unit.marker.exists, GRACE + TIMEOUT)
    kill(EVENTS, "--kill-whom=all")
    kill(ARMING)
    check("whether the file is served without anybody who acts", unit.is_served, True)
    boot()
    wait("killed between decision and link: the link is gone", lambda: not unit.is_served)
    bench.check_taken_away("after kill -9 between decision and link")
    print("kill -9 of both between decision and link: taken away after the start")


def kill_in_grace_time(bench: Bench) -> None:
    """Kill the collector while the unit is done, and no line comes that would wake another one."""
    bench.scan_in()
    bench.finish()
    time.sleep(GRACE / 3)
    kill_collector()
    took = wait("the collector was killed: the link is gone", lambda: not bench.unit.is_served, GRACE + TIMEOUT)
    bench.check_taken_away("after kill -9 of the collector")
    print(f"kill -9 of the collector in the grace time, and silence: taken away after {took:.1f} seconds")


def kill_what_acts(bench: Bench) -> None:
    """Kill it at any moment, while a link is missing."""
    bench.scan_in()
    for number in range(20):
        bench.unit.link.unlink(missing_ok=True)
        systemctl("start", "--no-block", ARMING)
        time.sleep(number * 0.02)
        kill(ARMING)
    wait("what acts was killed: the link is there", lambda: bench.unit.is_served)
    bench.check_served("after 20 times kill -9 of what acts")
    print("kill -9 of what acts, 20 times: armed")


def cut_power(lose: Callable[[], object]) -> None:
    """Kill everything, lose what was not on the disk, and start again."""
    systemctl("stop", *PATHS)
    kill(EVENTS, "--kill-whom=all")
    kill("preprovision-tftp.service", "--kill-whom=all")
    lose()
    boot()


def lose_writes(bench: Bench) -> None:
    """Lose the link of a unit that is armed, then the decision and the removal of the link."""
    unit = bench.unit
    target = os.readlink(unit.link)
    cut_power(unit.link.unlink)
    wait("power cut while armed: the link is there", lambda: unit.is_served)
    bench.check_served("after a power cut while it was armed")
    bench.finish()
    wait("the file is taken away", lambda: not unit.is_served, GRACE + TIMEOUT)
    cut_power(lambda: (unit.marker.unlink(), unit.link.symlink_to(target)))
    wait("power cut when taken away: the link is gone", lambda: not unit.is_served)
    bench.check_taken_away("after a power cut")
    print("power cut: armed stays armed, and taken away stays taken away")


def scan_unknown() -> None:
    """Scan in a unit that the inventory does not know."""
    mac = "00:00:5e:00:53:97"
    plain = mac.replace(":", "")
    try:
        answer = ask_board("scan-in", code=mac, model="ATA192", add=True)
        check("the board's answer to an unknown unit", answer["title"], "ADDED")
        command = "ansible-playbook voip.preprovision.profiles"
        check("whether it says which command makes a profile", command in answer["detail"], True)
        says = ask_board(f"phones/{plain}")["arming"]
        check("whether its page says so, too", command in says, True)
        print(f"unknown unit: {answer['detail']}")
    finally:
        with contextlib.closing(sqlite3.connect(DATABASE, timeout=20)) as database:
            for table in ("phones", "events"):
                database.execute(f"DELETE FROM {table} WHERE mac = ?", [plain])  # noqa: S608 - both names are written here
            database.commit()


def events_of(unit: Unit) -> list[Any]:
    """Return the unit's latest events on the board, latest first."""
    return list(ask_board(f"phones/{unit.plain}/events")["events"])


def show_timeline(unit: Unit, since: int) -> None:
    """Print what the board shows of the unit, from after the event with the number *since*."""
    for event in reversed([event for event in events_of(unit) if event["id"] > since]):
        detail = " ".join(f"{name}={value}" for name, value in event["detail"].items() if name != "what")
        words = [event["time"][:19].replace("T", " "), event["kind"], event["detail"].get("what", ""), detail, event["address"]]
        print(*filter(None, words))
    print(f"{unit.mac}: {unit.says}")


@contextlib.contextmanager
def on_bench(unit: Unit) -> Iterator[Bench]:
    machines: list[Machine] = []
    try:
        machines.append(Machine("unit", unit.mac))
        machines.append(Machine("neighbour", "00:00:5e:00:53:98", f"{STATION.rpartition('.')[0]}.16"))
        yield Bench(unit, *machines)
    finally:
        for machine in machines:
            machine.unplug()


def main() -> None:
    unit = Unit("00:00:5e:00:53:01", "ata192.cfg", "ATA192-MPP")
    latest = events_of(unit)[0]["id"]
    if STEP == "life":
        with on_bench(unit) as bench:
            follow(bench)
            show_timeline(unit, latest)
            for break_off in (kill_before_the_link, kill_in_grace_time, kill_what_acts, lose_writes):
                break_off(bench)
        with on_bench(Unit("00:00:5e:00:53:02", "spa504g.cfg", "SPA504G")) as bench:
            stay_silent(bench)
        scan_unknown()
        check("what the board says at the end", unit.says.startswith("taken away at "), True)
    else:
        with on_bench(unit) as bench:
            wait("the unit's folder is served after the playbook", lambda: unit.is_served)
            bench.check_served("after the playbook")
        show_timeline(unit, latest)


if __name__ == "__main__":
    main()
