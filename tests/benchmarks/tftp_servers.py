# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare TFTP servers under many simultaneous downloads: dnsmasq (one event loop) and tftpd-hpa (one process per transfer).

Both serve the same file on the same address in a separate network namespace, one after the other, for each
number of clients and in --rounds rounds. Every client downloads in lock-step like a phone: it sends a request, acknowledges
block by block, repeats its last packet after a second of silence and gives up after twenty. The received bytes are
compared with the file. The server is restarted for each measurement, so that measurements are independent.

Needs root and the programs dnsmasq (Debian: dnsmasq-base) and in.tftpd (tftpd-hpa). Nothing keeps running.
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
from collections.abc import Callable, Sequence
from pathlib import Path

ADDRESS = "198.18.0.1"  # RFC 2544: addresses for benchmarks
PORT = 69
FILE_NAME = "ata192.cfg"
BLOCK = 512
RETRY_AFTER = 1.0  # seconds until a client repeats its last packet
GIVE_UP_AFTER = 20.0  # seconds until it gives up the download
DATA, ACK, ERROR = 3, 4, 5


@dataclasses.dataclass
class Client:
    """A download in progress."""

    socket: socket.socket
    started: float
    last_packet: bytes
    peer: tuple[str, int]
    last_sent: float = 0.0
    received: bytearray = dataclasses.field(default_factory=bytearray)
    block: int = 0

    def send(self) -> None:
        self.last_sent = time.monotonic()
        self.socket.sendto(self.last_packet, self.peer)


@dataclasses.dataclass
class Result:
    """A server's result under one storm."""

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


class Storm:
    """Run many downloads of one file at a time, each from the next source address."""

    def __init__(
        self,
        content: bytes,
        transfers: int,
        name: str,
        server: tuple[str, int],
        sources: Sequence[str],
        prepare: Callable[[str], None] | None = None,
    ) -> None:
        """`prepare` is called with the source address before each download."""
        self.result = Result()
        self._prepare = prepare
        self._content = content
        self._transfers = transfers
        self._request = struct.pack("!H", 1) + name.encode() + b"\0octet\0"
        self._server = server
        self._sources = sources
        self._selector = selectors.DefaultSelector()
        self._timers: list[tuple[float, int]] = []
        self._running: dict[int, Client] = {}
        self._begun = 0
        self._next_at_end = True

    def run(self, clients: int, seconds: float, ramp: float = 0) -> None:
        """Download, `clients` at a time; or begin all downloads, evenly spaced, within `ramp` seconds."""
        start = time.monotonic()
        self._next_at_end = not ramp
        if not ramp:
            self._begin_until(min(clients, self._transfers))
        while (self._running or self._begun < self._transfers) and time.monotonic() - start < seconds:
            for key, _events in self._selector.select(ramp / self._transfers or 0.1):
                if key.data in self._running:
                    self._receive(key.data)
            now = time.monotonic()
            self._check_timers(now)
            if ramp:
                self._begin_until(min(1 + int((now - start) / ramp * self._transfers), self._transfers))
        self.result.seconds = time.monotonic() - start
        self.result.failures += len(self._running)
        for client in self._running.values():
            client.socket.close()
        self._selector.close()

    def _begin_until(self, begun: int) -> None:
        while self._begun < begun:
            self._begin()

    def _begin(self) -> None:
        self._begun += 1
        own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        own.setblocking(False)
        if self._sources:
            source = self._sources[self._begun % len(self._sources)]
            own.bind((source, 0))
            if self._prepare:
                self._prepare(source)
        client = Client(own, time.monotonic(), self._request, self._server)
        self._running[self._begun] = client
        self._selector.register(own, selectors.EVENT_READ, self._begun)
        client.send()
        heapq.heappush(self._timers, (client.last_sent + RETRY_AFTER, self._begun))

    def _end(self, number: int, success: bool) -> None:
        client = self._running.pop(number)
        self._selector.unregister(client.socket)
        client.socket.close()
        if success:
            self.result.latencies.append(time.monotonic() - client.started)
        else:
            self.result.failures += 1
        if self._next_at_end and self._begun < self._transfers:
            self._begin()

    def _receive(self, number: int) -> None:
        client = self._running[number]
        packet, client.peer = client.socket.recvfrom(BLOCK + 4)
        kind, block = struct.unpack("!HH", packet[:4])
        if kind != DATA:
            self._end(number, False)
            return
        if block == client.block + 1:
            client.block = block
            client.received += packet[4:]
        client.last_packet = struct.pack("!HH", ACK, block)
        client.send()
        if block == client.block and len(packet) < BLOCK + 4:
            self._end(number, client.received == self._content)

    def _check_timers(self, now: float) -> None:
        while self._timers and self._timers[0][0] <= now:
            _due, number = heapq.heappop(self._timers)
            client = self._running.get(number)
            if client is None:
                continue
            if now - client.started > GIVE_UP_AFTER:
                self._end(number, False)
                continue
            if now - client.last_sent >= RETRY_AFTER:
                self.result.retries += 1
                client.send()
            heapq.heappush(self._timers, (client.last_sent + RETRY_AFTER, number))


def storm(content: bytes, clients: int, transfers: int, seconds: float) -> Result:
    """Download `content` `transfers` times, `clients` at a time, for `seconds` at most."""
    downloads = Storm(content, transfers, FILE_NAME, (ADDRESS, PORT), ())
    downloads.run(clients, seconds)
    return downloads.result


def server_commands(root: str, dnsmasq: str, tftpd: str) -> dict[str, list[str]]:
    """Return the servers' command lines; both log each request, as on a station."""
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
    """Start the server, wait until it answers, run a storm, and stop it with all its children."""
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        for _number in range(30):
            if server.poll() is not None:
                raise SystemExit(f"{command[0]} exited at once with status {server.returncode}.")
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
    """Print a Markdown table; figures are medians of the rounds, retries and failures sums."""
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
    # in.tftpd exits at once on a machine with only a loopback address
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
