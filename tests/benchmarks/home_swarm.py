# SPDX-License-Identifier: GPL-3.0-or-later
"""Let emulated phones at home come back after a power cut, to one or two servers. Run on a server by home.py.

The servers are copies of the machine's nginx, each at an address and in a control group of its own; nothing restarts them when they
hang. A server is held to a small share of a core, so that few phones are a herd for it: its group is frozen whenever it has used
more CPU time. This also makes the result independent of what else the machine does. Phones follow their timers in real time.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import random
import shutil
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

from domain.emulator.device.ports import Lease, Renewal, WireRequest, WireResponse
from domain.emulator.phone import EmulatedPhone
from domain.emulator.wire.http import ClientCertificate, fetch
from domain.emulator.wire.system_clock import SystemClock
from domain.families.catalogue import BUILTIN
from domain.phones.reader import PhoneReader, read_phones
from domain.profiles.flat_profile import parse, values
from domain.profiles.sealing.compression import decompress
from home_server import DEVICE, MAC, SLICE
from raw_servers import INSIDE, STATION, load_namespace, run

MODEL, SERIAL = "ATA192", "FCH0000D001"
PROFILE = Path("/srv/preprovision/current/units/00-00-5e-00-53-01/ata192.cfg")
DRAINED = Path("/run/home-drained")
BURST = 0.02
"""CPU seconds that a held server may save up."""
POLL = 0.002
"""Seconds."""
UNITS = {"198.18.0.3": "home-nginx-1", "198.18.0.4": "home-nginx-2"}
"""Address of a server -> its unit."""


@dataclass(frozen=True)
class Swarm:
    """Phones and their servers."""

    phones: int
    random_delay: int
    """Units of 20 seconds."""
    error_retry: str
    servers: int
    share: float
    """CPU seconds per second of each server; 0 does not hold them."""
    drained: float = 0.0
    """Seconds for which the servers answer 503."""
    seconds: float = 180.0
    """After which the measurement ends."""
    timeout: float = 10.0


@dataclass
class Found:
    """What happened."""

    firsts: list[float] = field(default_factory=list)
    """Seconds until each phone had its first answer."""
    outcomes: Counter[str] = field(default_factory=Counter)
    """Status, or failure, of a request -> number."""
    requests: list[float] = field(default_factory=list)
    """When each request was sent."""
    cpu: float = 0.0
    """Of all servers."""


def used(unit: str) -> float:
    return int((SLICE / f"{unit}.service" / "cpu.stat").read_text().split()[1]) / 1e6


def hold(unit: str, share: float) -> None:
    """Freeze a unit whenever it has used more than its share, until the process is ended."""
    switch = SLICE / f"{unit}.service" / "cgroup.freeze"
    is_frozen, before, budget, then = False, used(unit), BURST, time.monotonic()
    while True:
        now, spent = time.monotonic(), used(unit)
        budget = min(budget + (now - then) * share, BURST) - (spent - before)
        before, then = spent, now
        if is_frozen != (budget < 0):
            is_frozen = not is_frozen
            switch.write_text(str(int(is_frozen)))
        time.sleep(POLL)


@contextlib.contextmanager
def held(units: Sequence[str], share: float) -> Iterator[None]:
    holders = [multiprocessing.Process(target=hold, args=(unit, share)) for unit in units if share]
    for holder in holders:
        holder.start()
    try:
        yield
    finally:
        for holder in holders:
            holder.terminate()
            holder.join()
        for unit in units:
            (SLICE / f"{unit}.service" / "cgroup.freeze").write_text("0")


@contextlib.contextmanager
def copied_servers() -> Iterator[None]:
    """Start copies of the machine's nginx, which answer 503 while DRAINED exists."""
    DRAINED.unlink(missing_ok=True)
    try:
        for address, unit in UNITS.items():
            run("ip", "address", "replace", f"{address}/15", "dev", "bench0")
            run("nft", "insert", "rule", "inet", "preprovision", "input", "ip", "daddr", address, "accept")
            folder = Path("/etc") / unit
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree("/etc/nginx", folder)
            for path in [*folder.glob("*.conf"), *folder.glob("conf.d/*")]:
                text = path.read_text().replace(STATION, address).replace("/etc/nginx/", f"{folder}/")
                text = text.replace("/run/nginx.pid", f"/run/{unit}.pid")
                path.write_text(text.replace("server_name _;", f"server_name _; if (-f {DRAINED}) {{ return 503; }}"))
            nginx = ("/usr/sbin/nginx", "-c", f"{folder}/nginx.conf", "-g", "daemon off;")
            run("systemd-run", "--quiet", "--collect", f"--unit={unit}", *nginx)
        time.sleep(1)
        yield
    finally:
        DRAINED.unlink(missing_ok=True)
        for address, unit in UNITS.items():
            run("systemctl", "stop", unit, check=False)
            run("ip", "address", "del", f"{address}/15", "dev", "bench0", check=False)
            shutil.rmtree(Path("/etc") / unit, ignore_errors=True)


class Home:
    """A phone's network at a customer's, see ports.Network: an address, a resolver in random order, and one server or two."""

    def __init__(self, swarm: Swarm, start: float) -> None:
        self.found = Found()
        self._swarm, self._start = swarm, start
        self._addresses = [*UNITS][: swarm.servers]
        self._own = ClientCertificate(f"{DEVICE}.pem", f"{DEVICE}.key")

    def lease(self, _vendor_class: str) -> Lease:
        return Lease("203.0.113.10", {})

    def renew(self, any_server: bool) -> Renewal:
        raise AssertionError(f"a lease without end is renewed, any_server={any_server}")

    def give_up_lease(self) -> None:
        """There is nothing to give up."""

    def addresses(self, name: str) -> Sequence[str]:
        return [name] if name[0].isdigit() else random.sample(self._addresses, len(self._addresses))

    def fetch(self, request: WireRequest) -> WireResponse:
        self.found.requests.append(time.time() - self._start)
        response = fetch(request, socket.socket, time.monotonic() + self._swarm.timeout, self._own)
        self.found.outcomes[str(response.status or response.failure)] += 1
        if response.status == 200:
            self.found.firsts.append(time.time() - self._start)
        return response

    def log(self, _server: str, _text: str) -> bool:
        return True


def emulate(swarm: Swarm) -> Found:
    """Switch all phones on at the same moment. Run this inside the namespace of the load."""
    (phone,) = read_phones([(MAC, {"phone_mac": MAC, "phone_model": MODEL, "phone_serial": SERIAL})], PhoneReader(BUILTIN))
    # The bench has given it this, with its key; all phones are this one
    bench = values(parse(decompress(PROFILE.read_bytes())))
    bench["Profile_Rule"] = bench["Profile_Rule"].replace("http://", "https://")
    bench |= {"Resync_Random_Delay": str(swarm.random_delay), "Resync_Error_Retry_Delay": swarm.error_retry}
    roots = Path("/etc/preprovision/certificates/bench-ca.pem").read_bytes()
    start = time.time()

    def live(_number: int) -> Found:
        emulated, home = EmulatedPhone(phone, roots, has_certificate=True), Home(swarm, start)
        emulated.set_up_by_hand(bench)
        # Once it has its profile, its next timer is a day away
        emulated.run(home, SystemClock(), start + swarm.seconds)
        if home.found.firsts and emulated.resync_failed:
            raise SystemExit(f"a phone cannot use its profile: {emulated.cause}")
        return home.found

    threading.stack_size(512 * 1024)
    found = Found()
    with ThreadPoolExecutor(swarm.phones) as pool:
        for one in pool.map(live, range(swarm.phones)):
            found.firsts += one.firsts[:1]
            found.requests += one.requests
            found.outcomes += one.outcomes
    return found


def run_swarm(swarm: Swarm) -> Found:
    """Let the phones of a swarm come; the servers are running."""
    units = [*UNITS.values()][: swarm.servers]
    before = sum(map(used, units))
    if swarm.drained:
        DRAINED.touch()
        threading.Timer(swarm.drained, DRAINED.unlink).start()
    with held(units, swarm.share):
        text = run(*INSIDE, sys.executable, __file__, "--emulate", json.dumps(asdict(swarm)))
    cpu = sum(map(used, units)) - before
    try:
        found = json.loads(text.splitlines()[-1])
    except (IndexError, ValueError):
        raise SystemExit(f"the phones ended: {text}") from None
    return Found(found["firsts"], Counter(found["outcomes"]), found["requests"], cpu)


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("swarms", nargs="?", type=json.loads, help="list of swarms, JSON")
    parser.add_argument("--emulate", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.emulate:
        print(json.dumps(vars(emulate(Swarm(**options.emulate)))), flush=True)
        return
    with load_namespace(), copied_servers():
        for given in options.swarms:
            found = run_swarm(Swarm(**given))
            print(json.dumps({"swarm": given, **vars(found)}), flush=True)


if __name__ == "__main__":
    main()
