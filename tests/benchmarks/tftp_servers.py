# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare TFTP servers under a storm of phones: dnsmasq (one event loop) and tftpd-hpa (one process a transfer).

Both serve the same file on the same address in a network namespace of their own, one after the other, for each
number of clients and as often as asked. Every client downloads lock-step as a phone does: it asks, acknowledges
block by block, sends its last packet again after a second of silence and gives up after twenty. What it got is
compared with the file. A server is started anew for each measurement, so that nothing is left of the one before.

Needs root and the programs dnsmasq (Debian: dnsmasq-base) and in.tftpd (tftpd-hpa). Nothing stays running.
"""

from __future__ import annotations

import argparse
import dataclasses
import heapq
import os
import selectors
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ADDRESS = "198.18.0.1"  # RFC 2544: addresses for benchmarks
PORT = 69
FILE_NAME = "ata192.cfg"
BLOCK = 512
SILENCE = 1.0  # seconds until a client repeats its last packet
PATIENCE = 20.0  # seconds until it gives the download up
DATA, ACK, ERROR = 3, 4, 5


@dataclasses.dataclass
class Client:
    """One download on its way."""

    socket: socket.socket
    started: float
    last_packet: bytes
    peer: tuple[str, int]
    heard: float = 0.0
    received: bytearray = dataclasses.field(default_factory=bytearray)
    block: int = 0

    def send(self) -> None:
        self.heard = time.monotonic()
        self.socket.sendto(self.last_packet, self.peer)


@dataclasses.dataclass
class Result:
    """What one storm did to one server."""

    seconds: float = 0.0
    retries: int = 0
    failures: int = 0
    latencies: list[float] = dataclasses.field(default_factory=list)

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds

    def quantile(self, share: float) -> float:
        ordered = sorted(self.latencies)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else float("nan")


def storm(
    content: bytes,
    clients: int,
    transfers: int,
    seconds: float,
    name: str = FILE_NAME,
    address: str = ADDRESS,
    sources: Sequence[str] = (),
) -> Result:
    """Download `content` `transfers` times, `clients` at a time, for `seconds` at most; each from the next of `sources`."""
    result = Result()
    selector = selectors.DefaultSelector()
    timers: list[tuple[float, int]] = []
    running: dict[int, Client] = {}
    request = struct.pack("!H", 1) + name.encode() + b"\0octet\0"
    begun = 0

    def begin() -> None:
        nonlocal begun
        begun += 1
        own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        own.setblocking(False)
        if sources:
            own.bind((sources[begun % len(sources)], 0))
        client = Client(own, time.monotonic(), request, (address, PORT))
        running[begun] = client
        selector.register(own, selectors.EVENT_READ, begun)
        client.send()
        heapq.heappush(timers, (client.heard + SILENCE, begun))

    def end(number: int, success: bool) -> None:
        client = running.pop(number)
        selector.unregister(client.socket)
        client.socket.close()
        if success:
            result.latencies.append(time.monotonic() - client.started)
        else:
            result.failures += 1
        if begun < transfers:
            begin()

    def receive(number: int) -> None:
        client = running[number]
        packet, client.peer = client.socket.recvfrom(BLOCK + 4)
        kind, block = struct.unpack("!HH", packet[:4])
        if kind != DATA:
            end(number, False)
            return
        if block == client.block + 1:
            client.block = block
            client.received += packet[4:]
        client.last_packet = struct.pack("!HH", ACK, block)
        client.send()
        if block == client.block and len(packet) < BLOCK + 4:
            end(number, client.received == content)

    def look_at_clocks(now: float) -> None:
        while timers and timers[0][0] <= now:
            _due, number = heapq.heappop(timers)
            client = running.get(number)
            if client is None:
                continue
            if now - client.started > PATIENCE:
                end(number, False)
                continue
            if now - client.heard >= SILENCE:
                result.retries += 1
                client.send()
            heapq.heappush(timers, (client.heard + SILENCE, number))

    start = time.monotonic()
    for _number in range(min(clients, transfers)):
        begin()
    while running and time.monotonic() - start < seconds:
        for key, _events in selector.select(0.1):
            if key.data in running:
                receive(key.data)
        look_at_clocks(time.monotonic())
    result.seconds = time.monotonic() - start
    result.failures += len(running)
    for client in running.values():
        client.socket.close()
    selector.close()
    return result


def server_commands(root: str, dnsmasq: str, tftpd: str) -> dict[str, list[str]]:
    """Both log each request, as they would on a station."""
    return {
        "dnsmasq": [
            dnsmasq,
            "--keep-in-foreground",
            "--conf-file=/dev/null",
            "--pid-file=",
            "--log-facility=-",
            "--user=nobody",
            "--port=0",
            "--bind-interfaces",
            f"--listen-address={ADDRESS}",
            "--enable-tftp",
            f"--tftp-root={root}",
            "--tftp-max=1000",
        ],
        "tftpd-hpa": [
            tftpd,
            "--foreground",
            "--verbose",
            "--user",
            "nobody",
            "--address",
            f"{ADDRESS}:{PORT}",
            "--secure",
            root,
        ],
    }


def measure(command: list[str], content: bytes, options: argparse.Namespace, clients: int) -> Result:
    """Start the server, wait until it answers, storm it, stop it with all its children."""
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        for _number in range(30):
            if server.poll() is not None:
                raise SystemExit(f"{command[0]} ended at once with status {server.returncode}.")
            if storm(content, 1, 1, 2).latencies:
                break
        else:
            raise SystemExit(f"{command[0]} does not answer.")
        return storm(content, clients, max(options.transfers, clients), options.seconds)
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(10)


def report(results: dict[tuple[str, int], list[Result]], names: list[str], counts: list[int]) -> None:
    """The table as Markdown; a figure is the median of its rounds, retries and failures are sums."""
    print("| clients | server | transfers/s | p50 ms | p99 ms | retries | failures | ratio |")
    print("| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for clients in counts:
        pairs = zip(results[names[0], clients], results[names[1], clients], strict=True)
        ratio = statistics.median(a.rate / b.rate if b.latencies else float("inf") for a, b in pairs)
        for name in names:
            rounds = results[name, clients]
            print(
                f"| {clients} | {name} | {statistics.median(r.rate for r in rounds):.0f} "
                f"| {1000 * statistics.median(r.quantile(0.5) for r in rounds):.1f} "
                f"| {1000 * statistics.median(r.quantile(0.99) for r in rounds):.1f} "
                f"| {sum(r.retries for r in rounds)} | {sum(r.failures for r in rounds)} "
                f"| {f'{ratio:.1f}' if name == names[0] else '1'} |"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--clients", type=int, nargs="+", default=[5, 50, 200, 500], help="how many at a time")
    parser.add_argument("--transfers", type=int, default=2000, help="downloads in one measurement")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each server, in turn")
    parser.add_argument("--seconds", type=float, default=60, help="longest duration of one measurement")
    parser.add_argument("--bytes", type=int, default=2200, help="size of the file")
    parser.add_argument("--dnsmasq", default=shutil.which("dnsmasq", path="/usr/sbin:/usr/bin"))
    parser.add_argument("--tftpd", default=shutil.which("in.tftpd", path="/usr/sbin:/usr/bin"))
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.dnsmasq or not options.tftpd:
        raise SystemExit("Both servers are needed: apt-get install dnsmasq-base tftpd-hpa, or --dnsmasq and --tftpd.")
    if not options.inside:
        inside = ["unshare", "--net", "--", sys.executable, __file__, *sys.argv[1:], "--inside"]
        sys.exit(subprocess.run(inside, check=False).returncode)

    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    # in.tftpd ends at once on a machine that has a loopback address only
    subprocess.run(["ip", "link", "add", "bench0", "type", "bridge"], check=True)
    subprocess.run(["ip", "address", "add", f"{ADDRESS}/15", "dev", "bench0"], check=True)
    subprocess.run(["ip", "link", "set", "bench0", "up"], check=True)

    content = bytes(index * 7 % 251 for index in range(options.bytes))
    with tempfile.TemporaryDirectory(prefix="tftp-") as root:
        Path(root).chmod(0o755)
        Path(root, FILE_NAME).write_bytes(content)
        commands = server_commands(root, options.dnsmasq, options.tftpd)
        results: dict[tuple[str, int], list[Result]] = {}
        for number in range(options.rounds):
            for clients in options.clients:
                for name, command in commands.items():
                    result = measure(command, content, options, clients)
                    results.setdefault((name, clients), []).append(result)
                    print(
                        f"round {number + 1}: {name}, {clients} clients: {result.rate:.0f}/s, "
                        f"{result.retries} retries, {result.failures} failures",
                        file=sys.stderr,
                    )
    report(results, list(commands), options.clients)


if __name__ == "__main__":
    main()
