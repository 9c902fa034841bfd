# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure the cost of the station's configuration compared with bare servers. Run on a station by morning.py.

Each of the station's daemons takes turns with the same program, started with next to no configuration on the bench's second
address: dhcpd with the same pools, nginx as installed by Debian. The load comes from a namespace on the bench, and from many
addresses, so the station's limits per address do not apply. A daemon's cost is the CPU time of its control group: unlike rates, it
hardly depends on other load.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import re
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

STATION, BARE = "198.18.0.1", "198.18.0.2"
CLIENT, CLIENT_MAC = "198.18.0.9", "00:00:5e:00:53:fe"
# The load's addresses besides CLIENT: enough to stay below the limits per address, few enough for the kernel's neighbour table
SOURCES = tuple(f"198.18.64.{number}" for number in range(256))
INSIDE = ("nsenter", "--net=/run/netns/load")  # unlike ip netns exec, it keeps the control groups visible
FOLDER = Path("/etc/dhcp/benchmark")  # the only folder that Debian lets dhcpd read
GROUPS = Path("/sys/fs/cgroup/system.slice")
STATION_LEASES = Path("/var/lib/dhcp/dhcpd.leases")
PHONE = "00005e005301"  # has a certificate
PHONE_FILE = Path(f"/srv/preprovision/current/device/{PHONE}.cfg")
FIRST_MAC = "00:00:5e:aa:00:00"
VENDOR_CLASS = b"Cisco ATA192"
MAX_DROPS = 2.5  # percent
LOWEST_RATE, RUNG = 100.0, 1.25  # first rate and factor of the rate ladder
COLUMNS = ("what", "station/s", "bare/s", "ratio", "station, CPU s per 1,000", "bare", "ratio", "station, failed", "bare")

# The station's own pools; otherwise pool sizes would be compared
BARE_DHCP = """
default-lease-time 3600;
max-lease-time 3600;
subnet 198.18.0.0 netmask 255.254.0.0 {
  POOLS
}
"""
# Debian's nginx.conf and default site without comments; only addresses, root and certificate differ
BARE_NGINX = """
user www-data;
worker_processes auto;
pid /run/nginx-bare.pid;
error_log /var/log/nginx-bare/error.log;
events { worker_connections 768; }
http {
    sendfile on;
    tcp_nopush on;
    types_hash_max_size 2048;
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3;
    ssl_prefer_server_ciphers on;
    access_log /var/log/nginx-bare/access.log;
    gzip on;
    server {
        listen ADDRESS:80 default_server;
        listen ADDRESS:443 ssl default_server;
        ssl_certificate /etc/preprovision/certificates/server.pem;
        ssl_certificate_key /etc/preprovision/certificates/server.key;
        root /srv/preprovision/current/open;
        index index.html index.htm index.nginx-debian.html;
        server_name _;
        location / { try_files $uri $uri/ =404; }
    }
    # For clients with a certificate signed by one of the roots
    server {
        listen ADDRESS:8443 ssl;
        ssl_certificate /etc/preprovision/certificates/server.pem;
        ssl_certificate_key /etc/preprovision/certificates/server.key;
        ssl_verify_client on;
        ssl_client_certificate /etc/preprovision/certificates/device-roots.pem;
        ssl_verify_depth 4;
        root /srv/preprovision/current;
        location / { try_files $uri $uri/ =404; }
    }
}
"""


@dataclasses.dataclass(frozen=True)
class Measurement:
    """A daemon's result in one turn."""

    served: int
    rate: float
    cpu: float
    failed: int

    @property
    def cost(self) -> float:
        """Return the CPU seconds per thousand requests."""
        return 1000 * self.cpu / self.served


def run(*argv: str, check: bool = True) -> str:
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    text = done.stdout.decode(errors="replace")
    if check and done.returncode:
        raise SystemExit(f"{' '.join(argv)}: {text}")
    return text


def used(unit: str) -> float:
    """Return the seconds of CPU time that a unit's processes have used."""
    return int((GROUPS / f"{unit}.service" / "cpu.stat").read_text().split()[1]) / 1e6


@contextlib.contextmanager
def bare(name: str, *argv: str) -> Iterator[str]:
    """Start a daemon as root, unconfined; yield its unit."""
    unit = f"bare-{name}"
    run("systemd-run", "--quiet", "--collect", f"--unit={unit}", "--property=Type=exec", *argv)
    try:
        yield unit
    finally:
        run("systemctl", "stop", unit)


@contextlib.contextmanager
def load_namespace() -> Iterator[None]:
    """Connect a machine with many addresses to the bench; each TCP connection leaves from the next one."""
    addresses = ", ".join(f"{number}: {address}" for number, address in enumerate(SOURCES))
    nat = (
        "add table ip load; add chain ip load leave { type nat hook postrouting priority srcnat; }; "
        f"add rule ip load leave meta l4proto tcp snat to numgen inc mod {len(SOURCES)} map {{ {addresses} }}"
    )
    run("ip", "netns", "add", "load")
    try:
        # Always the same: the bench ties an address to its MAC address for half an hour
        run("ip", "link", "add", "load0", "type", "veth", "peer", "name", "eth0", "address", CLIENT_MAC, "netns", "load")
        run("ip", "link", "set", "load0", "master", "bench0", "up")
        for command in (
            "link set lo up",
            f"address add {CLIENT}/15 dev eth0",
            "link set eth0 up",
            "route add local 198.18.64.0/24 dev lo",
        ):
            run("ip", "-n", "load", *command.split())
        subprocess.run([*INSIDE, "nft", "-f", "-"], input=nat.encode(), check=True)
        # Forget closed connections at once; they would fill the table
        run(*INSIDE, "sh", "-c", "echo 1 >/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_time_wait")
        run("ip", "address", "add", f"{BARE}/15", "dev", "bench0")
        # The station's firewall must let the bare servers' address through
        run("nft", "insert", "rule", "inet", "preprovision", "input", "ip", "daddr", BARE, "accept")
        yield
    finally:
        run("ip", "address", "del", f"{BARE}/15", "dev", "bench0", check=False)
        run("systemctl", "reload", "preprovision-firewall")
        run("ip", "netns", "delete", "load", check=False)


def perfdhcp_command(*argv: str) -> list[str]:
    """Return the command line of perfdhcp, which acts as a relay because it has no address of its own."""
    client = ("-b", f"mac={FIRST_MAC}", "-o", f"60,{VENDOR_CLASS.hex()}")
    # dhcpd pings a new address for a second
    return [*INSIDE, "perfdhcp", "-4", "-l", "eth0", "-d", "3", "-W", "2000000", *client, *argv]


def packets(text: str) -> list[int]:
    """Return the numbers of sent and received packets of each exchange."""
    numbers = [int(number) for number in re.findall(r"^(?:sent|received) packets: (\d+)", text, re.MULTILINE)]
    if len(numbers) < 2:
        raise SystemExit(f"perfdhcp: {text}")
    return numbers


def perfdhcp(unit: str, rate: int, seconds: int, clients: int) -> Measurement:
    """Run DORA exchanges at a steady rate, each with the next client."""
    before = used(unit)
    discovers, _offers, _requests, acks = packets(
        run(*perfdhcp_command("-r", str(rate), "-R", str(clients), "-p", str(seconds)), check=False)
    )
    return Measurement(acks, acks / seconds, used(unit) - before, discovers - acks)


@contextlib.contextmanager
def station_dhcp(config: Path) -> Iterator[str]:
    """Run the station's dhcpd in its own unit, with the given configuration and no leases; yield the unit."""
    unit = "isc-dhcp-server"
    run("systemctl", "stop", unit)
    STATION_LEASES.unlink(missing_ok=True)
    Path("/etc/dhcp/dhcpd.conf").write_bytes(config.read_bytes())
    run("systemctl", "start", unit)
    try:
        yield unit
    finally:
        run("systemctl", "stop", unit)


@contextlib.contextmanager
def restored_dhcp() -> Iterator[None]:
    config = Path("/etc/dhcp/dhcpd.conf")
    before = config.read_bytes()
    try:
        yield
    finally:
        config.write_bytes(before)
        run("systemctl", "start", "isc-dhcp-server")


@contextlib.contextmanager
def bare_dhcp() -> Iterator[str]:
    leases = Path("/var/lib/dhcp/bare.leases")
    leases.write_text("")
    command = ["/usr/sbin/dhcpd", "-4", "-f", "-q", "--no-pid", "-cf", f"{FOLDER}/bare.conf", "-lf", str(leases), "bench0"]
    with bare("dhcpd", *command) as unit:
        yield unit


Starter = Callable[[], contextlib.AbstractContextManager[str]]


def dhcp_turns(starters: dict[str, Starter], rate: int, seconds: int, rounds: int, clients: int) -> dict[str, list[Measurement]]:
    found: dict[str, list[Measurement]] = {name: [] for name in starters}
    for _round in range(rounds):
        for name, starter in starters.items():
            with starter() as unit:
                time.sleep(1)
                found[name].append(perfdhcp(unit, rate, seconds, clients))
    return found


def best_dhcp(starters: dict[str, Starter], seconds: int, rounds: int, clients: int) -> dict[str, list[float]]:
    """Return, for each round, the highest rate of a ladder at which at most MAX_DROPS percent are lost."""
    best: dict[str, list[float]] = {name: [] for name in starters}
    ground = LOWEST_RATE
    for _round in range(rounds):
        highest = dict.fromkeys(starters, 0.0)
        rate, climbing = ground, set(starters)
        while climbing:
            for name in sorted(climbing):
                with starters[name]() as unit:
                    time.sleep(1)
                    # A returning client gets its existing lease, which costs no disk write
                    measured = perfdhcp(unit, round(rate), max(1, min(seconds, round(clients / rate))), clients)
                if 100 * measured.failed > MAX_DROPS * (measured.served + measured.failed):
                    climbing.remove(name)
                else:
                    highest[name] = measured.rate
            rate *= RUNG
        for name, reached in highest.items():
            best[name].append(reached)
        # The next round starts a little below
        ground = max(LOWEST_RATE, min(highest.values()) / RUNG**3)
    return best


def wrk(unit: str, url: str, seconds: int, new_connections: bool) -> Measurement:
    command = [*INSIDE, "wrk", "--threads=2", "--connections=64", "--timeout=10s", f"--duration={seconds}s"]
    if new_connections:
        command += ["--header", "Connection: close"]
    before = used(unit)
    text = run(*command, url)
    served = int(re.search(r"(\d+) requests in", text)[1])  # type: ignore[index]
    wrong = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    # With new connections, the server closes each one, which wrk counts as a read error
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    lost = [int(number) for number in errors.groups()] if errors else [0] * 4
    failed = (int(wrong[1]) if wrong else 0) + lost[0] + lost[2] + lost[3] + (0 if new_connections else lost[1])
    return Measurement(served, float(re.search(r"Requests/sec:\s+([0-9.]+)", text)[1]), used(unit) - before, failed)  # type: ignore[index]


@contextlib.contextmanager
def phone_file() -> Iterator[None]:
    """Publish the phone's own file as with delivery by certificate; the demo's phones get theirs by TFTP."""
    PHONE_FILE.parent.mkdir()
    try:
        PHONE_FILE.write_bytes(Path("/srv/preprovision/current/units/00-00-5e-00-53-01/ata192.cfg").read_bytes())
        yield
    finally:
        shutil.rmtree(PHONE_FILE.parent)


def fetch_with_certificate(unit: str, place: str, seconds: int) -> Measurement:
    """Fetch a phone's own file repeatedly, with full handshakes. One client waits for each answer: its rate is not the limit."""
    own = f"/etc/preprovision/certificates/devices/{PHONE}"
    command = [*INSIDE, "openssl", "s_time", "-connect", place, "-new", "-time", str(seconds), "-www", f"/device/{PHONE}.cfg"]
    before = used(unit)
    text = run(*command, "-cert", f"{own}.pem", "-key", f"{own}.key", check=False)
    found = re.search(r"(\d+) connections in (\d+) real seconds, (\d+) bytes read per connection", text)
    if not found or int(found[3]) < PHONE_FILE.stat().st_size:
        raise SystemExit(f"openssl s_time: {text}")
    return Measurement(int(found[1]), int(found[1]) / int(found[2]), used(unit) - before, 0)


def web_turns(path: str, seconds: int, rounds: int) -> dict[str, dict[str, list[Measurement]]]:
    found: dict[str, dict[str, list[Measurement]]] = {}
    config = Path("/etc/nginx/bare.conf")
    config.write_text(BARE_NGINX.replace("ADDRESS", BARE))
    Path("/var/log/nginx-bare").mkdir(exist_ok=True)
    try:
        with bare("nginx", "/usr/sbin/nginx", "-c", str(config), "-g", "daemon off;") as unit:
            time.sleep(1)
            for scheme, port in (("http", 80), ("https", 443)):
                for new in (False, True):
                    turns = found.setdefault(f"{scheme.upper()}, {'new connections' if new else 'persistent connections'}", {})
                    for _round in range(rounds):
                        for name, server, address in (("station", "nginx", STATION), ("bare", unit, BARE)):
                            turns.setdefault(name, []).append(wrk(server, f"{scheme}://{address}:{port}/{path}", seconds, new))
            turns = found.setdefault("HTTPS, a phone's own file", {})
            with phone_file():
                for _round in range(rounds):
                    for name, server, place in (("station", "nginx", f"{STATION}:443"), ("bare", unit, f"{BARE}:8443")):
                        turns.setdefault(name, []).append(fetch_with_certificate(server, place, seconds))
    finally:
        config.unlink()
        run("rm", "-r", "/var/log/nginx-bare")
    return found


def row(what: str, turns: dict[str, list[Measurement]], first: str = "station", second: str = "bare") -> str:
    """Return a line of the table; figures are medians, ratios medians over the pairs, failures sums."""
    median = statistics.median
    ours, theirs = turns[first], turns[second]
    pairs = list(zip(ours, theirs, strict=True))
    cells = (
        what,
        f"{median([a.rate for a in ours]):.0f}",
        f"{median([b.rate for b in theirs]):.0f}",
        f"{median([a.rate / b.rate for a, b in pairs]):.2f}",
        f"{median([a.cost for a in ours]):.3f}",
        f"{median([b.cost for b in theirs]):.3f}",
        f"{median([a.cost / b.cost for a, b in pairs]):.2f}",
        str(sum(a.failed for a in ours)),
        str(sum(b.failed for b in theirs)),
    )
    return f"| {' | '.join(cells)} |"


def reservation_turns(rate: int, seconds: int, rounds: int, clients: int) -> dict[str, list[Measurement]]:
    starters: dict[str, Starter] = {
        name: lambda name=name: station_dhcp(FOLDER / f"{name}.conf")  # type: ignore[misc]
        for name in ("none", "known", "fixed")
    }
    return dhcp_turns(starters, rate, seconds, rounds, clients)


def restart_seconds(name: str) -> float:
    """Return the seconds without an answer, for a client with a lease or reservation, while dhcpd restarts."""
    with station_dhcp(FOLDER / f"{name}.conf") as unit:
        time.sleep(1)
        run(*perfdhcp_command("-r", "10", "-n", "1"), check=False)
        asking = subprocess.Popen(perfdhcp_command("-i", "-r", "100", "-p", "10"), stdout=subprocess.PIPE)
        time.sleep(2)
        run("systemctl", "restart", unit)
        text = asking.communicate()[0].decode()
        sent, received = packets(text)[:2]
        return (sent - received) / 100


def pools() -> str:
    """Return the pools of the station's own configuration."""
    return "\n  ".join(re.findall(r"pool \{ range .* \}", (FOLDER / "none.conf").read_text()))


def run_part(part: str, options: argparse.Namespace) -> Iterator[str]:
    """Run one part; yield the lines of its table."""
    rate, seconds, rounds, clients = options.rate, options.seconds, options.rounds, options.clients
    if part == "dhcp":
        (FOLDER / "bare.conf").write_text(BARE_DHCP.replace("POOLS", pools()))
        starters: dict[str, Starter] = {"station": lambda: station_dhcp(FOLDER / "none.conf"), "bare": bare_dhcp}
        yield row(f"DHCP, {rate} per second", dhcp_turns(starters, rate, seconds, rounds, clients))
        best = best_dhcp(starters, seconds, rounds, clients)
        ours, theirs = (statistics.median(best[name]) for name in ("station", "bare"))
        ratio = statistics.median(a / b if b else float("nan") for a, b in zip(best["station"], best["bare"], strict=True))
        yield f"| DHCP, highest rate | {ours:.0f} | {theirs:.0f} | {ratio:.2f} | | | | | |"
    elif part == "web":
        for what, turns in web_turns(options.file, seconds, rounds).items():
            yield row(what, turns)
    elif part == "reservations":
        found = reservation_turns(rate, seconds, rounds, clients)
        for name, words in (("known", "known, from the pool"), ("fixed", "with fixed addresses")):
            yield row(f"DHCP, 10,000 reservations, {words}; compared with none", found, name, "none")
        yield "\n| dhcpd restarts with | median s without an answer | longest |\n| --- | ---: | ---: |"
        for name, words in (("none", "no reservation"), ("known", "10,000 known phones"), ("fixed", "10,000 with addresses")):
            pauses = [restart_seconds(name) for _round in range(rounds)]
            yield f"| {words} | {statistics.median(pauses):.2f} | {max(pauses):.2f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("parts", nargs="+", choices=["dhcp", "web", "reservations"])
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rate", type=int, default=150)
    parser.add_argument("--clients", type=int, default=4000)
    parser.add_argument("--file", default="spa504G.cfg")
    options = parser.parse_args()
    with load_namespace(), restored_dhcp():
        print(f"| {' | '.join(COLUMNS)} |\n| --- |{' ---: |' * (len(COLUMNS) - 1)}", flush=True)
        for part in options.parts:
            for line in run_part(part, options):
                print(line, flush=True)


if __name__ == "__main__":
    main()
