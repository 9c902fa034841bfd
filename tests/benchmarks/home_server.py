# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure the CPU time that a provisioning server spends on phones at home. Run on a server by home.py.

Every row is a way to resync; they take turns. The load comes from a network namespace, from 256 addresses, with a new connection
for each request, as phones have it. openssl s_time waits for each answer, and wrk keeps 16 connections busy: rates are those of a
server that shares its cores with the clients, so what counts is the CPU time of the server: everything below system.slice, with
what the journal, the log and the events do later, until it is idle again.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import socket
import ssl
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from raw_servers import INSIDE, STATION, load_namespace, run

MAC = "00005e005301"
"""A phone with a certificate, which has a sealed profile on disk and in the service."""
DEVICE = Path(f"/etc/preprovision/certificates/devices/{MAC}")
SLICE = Path("/sys/fs/cgroup/system.slice")
IDLE_SHARE = 0.03
"""Of one core: below this the server is idle."""
IDLE_SECONDS = 5.0
"""For which an idle server is measured, in each round."""
MAX_WAIT = 60.0
"""Seconds until it must be."""
PARTS = ("nginx", "service", "logs")
COLUMNS = ("resync", "number", "CPU ms: nginx", "service", "journal, logs, events", "all", "ratio", "per second, 2 cores")
EXCESS = 500
"""Idle connections beyond those that nginx takes."""
ABANDONED = 200
"""Connections that nobody waits for; the kernel's backlog of nginx holds 511."""


Load = Callable[[], tuple[int, float, dict[str, int]]]
"""Sends requests; returns how many, in how many seconds, and what came."""


@dataclass(frozen=True)
class Turn:
    """One measurement: what was requested, what came, and CPU seconds."""

    number: int
    seconds: float
    statuses: dict[str, int]
    nginx: float
    service: float
    logs: float
    """Journal, log server and events."""

    @property
    def cost(self) -> float:
        return self.nginx + self.service + self.logs


def used() -> dict[str, float]:
    """Return the CPU seconds of nginx, of the service, and of everything else on the server."""

    def seconds(path: Path) -> float:
        return int((path / "cpu.stat").read_text().split()[1]) / 1e6 if path.exists() else 0.0

    nginx, service = (seconds(SLICE / f"{unit}.service") for unit in ("nginx", "preprovision-service"))
    return {"nginx": nginx, "service": service, "logs": seconds(SLICE) - nginx - service}


def settle() -> None:
    """Wait until the server is idle: what a request starts is part of its cost."""
    end = time.monotonic() + MAX_WAIT
    before = sum(used().values())
    while time.monotonic() < end:
        time.sleep(1)
        now = sum(used().values())
        if now - before < IDLE_SHARE:
            return
        before = now
    print(f"the server was not idle after {MAX_WAIT:.0f} s", flush=True)


def per_second(seconds: float) -> dict[str, float]:
    """Return the CPU seconds that the server uses in a second without requests."""
    settle()
    before, start = used(), time.monotonic()
    time.sleep(seconds)
    after, elapsed = used(), time.monotonic() - start
    return {name: (after[name] - before[name]) / elapsed for name in before}


def measured(load: Load, idle: dict[str, float]) -> Turn:
    """Measure one load; *idle*: what the server uses anyway."""
    before, start = used(), time.monotonic()
    number, seconds, statuses = load()
    settle()
    after, elapsed = used(), time.monotonic() - start
    return Turn(number, seconds, statuses, **{name: after[name] - before[name] - idle[name] * elapsed for name in before})


def wrk(url: str, seconds: int, *headers: str, expect: int = 200) -> tuple[int, float, dict[str, int]]:
    """Send requests, each on a new connection."""
    script = Path("/run/home-wrk.lua")
    # wrk counts statuses only as errors or none
    script.write_text(
        "local threads = {}\n"
        "function setup(thread) table.insert(threads, thread) end\n"
        "function init(args) statuses = {} end\n"
        "function response(status) statuses[status] = (statuses[status] or 0) + 1 end\n"
        "function done(summary)\n"
        "    for _, thread in ipairs(threads) do\n"
        "        for status, number in pairs(thread:get('statuses')) do print('status', status, number) end\n"
        "    end\n"
        "end\n"
    )
    given = [word for header in ("Connection: close", *headers) for word in ("--header", header)]
    command = [*INSIDE, "wrk", "--threads=1", "--connections=16", "--timeout=10s", f"--duration={seconds}s", f"--script={script}"]
    text = run(*command, *given, url)
    statuses: dict[str, int] = {}
    for status, number in re.findall(r"^status\s+(\d+)\s+(\d+)", text, re.MULTILINE):
        statuses[status] = statuses.get(status, 0) + int(number)
    if set(statuses) != {str(expect)}:
        raise SystemExit(f"{url}: {statuses} instead of {expect}\n{text}")
    return sum(statuses.values()), float(seconds), statuses


def s_time(path: str, seconds: int, *options: str, size: int = 1) -> tuple[int, float, dict[str, int]]:
    """Send requests one after the other, as a client with a phone's certificate."""
    own = ("-cert", f"{DEVICE}.pem", "-key", f"{DEVICE}.key")
    command = [*INSIDE, "openssl", "s_time", "-connect", f"{STATION}:443", "-time", str(seconds), "-www", path, *own, *options]
    text = run(*command, check=False)
    found = re.findall(r"(\d+) connections in (\d+) real seconds, (\d+) bytes read per connection", text)
    if not found or int(found[-1][2]) < size:
        raise SystemExit(f"openssl s_time {path}: {text}")
    number, real, read = (int(value) for value in found[-1])
    return number, float(real), {f"{read} bytes": number}


def rate_of_key() -> dict[str, float]:
    """Return signatures per second on one core, as a measure of the machine."""
    text = run("openssl", "speed", "-seconds", "2", "rsa2048", "ecdsap256")
    signs = re.findall(r"^(?:rsa|\s*256 bits ecdsa)[^\n]*?([0-9.]+)s\s+([0-9.]+)s\s+([0-9.]+)\s+([0-9.]+)", text, re.MULTILINE)
    return {name: float(row[2]) for name, row in zip(("rsa2048", "ecdsap256"), signs, strict=False)}


@contextlib.contextmanager
def frozen(unit: str) -> Iterator[None]:
    switch = SLICE / f"{unit}.service" / "cgroup.freeze"
    switch.write_text("1")
    try:
        yield
    finally:
        switch.write_text("0")


def client_hello() -> bytes:
    """Return the first message of a phone."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    outgoing = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="prov.example.net")
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


def abandon() -> tuple[int, float, dict[str, int]]:
    """Begin handshakes while nginx does nothing, and close the connections; nginx finds them later."""
    start = time.monotonic()
    hello = client_hello()
    with frozen("nginx"):
        for _number in range(ABANDONED):
            # The peer is the server itself; the address has no limits, since nothing is requested
            with socket.create_connection((STATION, 443), timeout=5) as opened:
                opened.sendall(hello)
    return ABANDONED, time.monotonic() - start, {}


def hold_connections() -> dict[str, int]:
    """Hold idle connections, more than nginx takes; return how many it closed, and what became of phones that came meanwhile."""
    each = re.search(r"worker_connections\s+(\d+)", Path("/etc/nginx/nginx.conf").read_text())
    if not each:
        raise SystemExit("/etc/nginx/nginx.conf has no worker_connections")
    held = int(each[1]) * len(os.sched_getaffinity(0)) + EXCESS
    return dict(json.loads(run(*INSIDE, "python3", "-c", HOLDER.replace("STATION", STATION).replace("HELD", str(held)))))


HOLDER = """
import collections, json, resource, select, socket, ssl, time
resource.setrlimit(resource.RLIMIT_NOFILE, (HELD + 100, HELD + 100))
held = [socket.create_connection(("STATION", 443), timeout=5) for _number in range(HELD)]
time.sleep(2)
poll = select.poll()
for opened in held:
    poll.register(opened, select.POLLIN)
found = collections.Counter(held=HELD, closed=len(poll.poll(0)))
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
for _number in range(20):
    try:
        with socket.create_connection(("STATION", 443), timeout=5) as opened, context.wrap_socket(opened) as secured:
            secured.sendall(b"GET /spa504G.cfg HTTP/1.0\\r\\n\\r\\n")
            found["answered"] += secured.recv(100).startswith(b"HTTP/1.1 200")
    except (OSError, ssl.SSLError) as error:
        found[type(error).__name__] += 1
print(json.dumps(found))
"""


def ways(seconds: int) -> dict[str, dict[str, Load]]:
    """Return part -> what -> the load."""
    file = next(Path("/srv/preprovision/current/open/service").glob(f"{MAC}-*.cfg"))
    static, live = f"/service/{file.name}", f"/live/{MAC}.cfg"
    size = file.stat().st_size
    http = f"http://{STATION}:80"  # wrk knows no port by name where /etc/services is missing
    etag = re.search(r"(?i)^etag: (\S+)", run("python3", "-c", HEADERS, http + static), re.MULTILINE)
    if not etag:
        raise SystemExit(f"no ETag for {static}")
    return {
        "web": {
            "HTTP, sealed file": lambda: wrk(http + static, seconds),
            "HTTP, 304": lambda: wrk(http + static, seconds, f"If-None-Match: {etag[1]}", expect=304),
            "HTTPS with certificate, TLS 1.2, full handshake": lambda: s_time(static, seconds, "-new", "-tls1_2", size=size),
            "HTTPS with certificate, TLS 1.3, full handshake": lambda: s_time(static, seconds, "-new", "-tls1_3", size=size),
            "HTTPS with certificate, TLS 1.2, resumed": lambda: s_time(static, seconds, "-reuse", "-tls1_2", size=size),
            "HTTPS, abandoned before its turn": abandon,
        },
        "service": {
            "HTTP, live profile": lambda: wrk(http + live, seconds),
            "HTTPS with certificate, TLS 1.2, full handshake, live profile": lambda: s_time(live, seconds, "-new", "-tls1_2"),
        },
        "busy": {
            "HTTP, 503": lambda: wrk(f"{http}/customization", seconds, expect=503),
            "HTTPS with certificate, TLS 1.2, full handshake, 503": lambda: s_time("/customization", seconds, "-new", "-tls1_2"),
        },
    }


HEADERS = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=10).headers)"


@contextlib.contextmanager
def without_service() -> Iterator[None]:
    """Stop the service, so that nginx answers 503 for it."""
    run("systemctl", "stop", "preprovision-service.socket", "preprovision-service", check=False)
    try:
        yield
    finally:
        run("systemctl", "start", "preprovision-service")


def measure(seconds: int, rounds: int, only: str) -> dict[str, list[Turn]]:
    """Return what -> a measurement per round; *only*: text in what is measured."""
    found: dict[str, list[Turn]] = {}
    parts = ways(seconds)
    for _round in range(rounds):
        idle = per_second(IDLE_SECONDS)
        for part, loads in parts.items():
            chosen = {what: load for what, load in loads.items() if only in what}
            with without_service() if part == "busy" and chosen else contextlib.nullcontext():
                settle()
                for what, load in chosen.items():
                    found.setdefault(what, []).append(measured(load, idle))
    return found


def table(found: dict[str, list[Turn]], reference: str) -> Iterator[str]:
    """Yield the lines of a table; figures are medians, the ratio that of the costs in the same round."""
    yield f"| {' | '.join(COLUMNS)} |"
    yield "| --- |" + " ---: |" * (len(COLUMNS) - 1)
    for what, turns in found.items():
        parts = [statistics.median(1000 * getattr(turn, name) / turn.number for turn in turns) for name in PARTS]
        whole = statistics.median(1000 * turn.cost / turn.number for turn in turns)
        ratio = statistics.median(
            turn.cost / turn.number / (other.cost / other.number) for turn, other in zip(turns, found[reference], strict=True)
        )
        cells = [*(f"{part:.3f}" for part in parts), f"{whole:.3f}", f"{ratio:.2f}", f"{2000 / whole:.0f}"]
        yield f"| {what} | {sum(turn.number for turn in turns)} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="measure only what contains this text")
    parser.add_argument("--result", type=Path, help="file for the figures, JSON")
    options = parser.parse_args()
    with load_namespace():
        signs = rate_of_key()
        print("signatures per second and core: " + ", ".join(f"{name} {rate:.0f}" for name, rate in signs.items()), flush=True)
        found = measure(options.seconds, options.rounds, options.only)
        connections = hold_connections()
    reference = "HTTPS with certificate, TLS 1.3, full handshake"
    for line in table(found, reference if reference in found else next(iter(found))):
        print(line, flush=True)
    print(f"\nidle connections: {connections}", flush=True)
    if options.result:
        plain = {what: [asdict(turn) for turn in turns] for what, turns in found.items()}
        options.result.write_text(json.dumps({"signs": signs, "turns": plain}))


if __name__ == "__main__":
    main()
