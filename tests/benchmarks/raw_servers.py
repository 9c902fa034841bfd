# SPDX-License-Identifier: GPL-3.0-or-later
"""What does the station's configuration cost beside bare servers? To be run on a station, by morning.py.

Each of the station's daemons takes turns with the same program, started with next to no configuration on the bench's second
address: dhcpd with the same pools, dnsmasq for TFTP alone, nginx as Debian installs it. The load comes from a namespace on the
bench, and from many addresses, so that the station's limits for one do not count. The cost of a daemon is the CPU time of its
control group: unlike rates, that hardly depends on what else runs.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import tftp_servers

STATION, BARE = "198.18.0.1", "198.18.0.2"
CLIENT = "198.18.0.9"
# What the load comes from, beside CLIENT: too many for the limits of one, and few enough for the kernel's table of neighbours
SOURCES = tuple(f"198.18.64.{number}" for number in range(256))
INSIDE = ("nsenter", "--net=/run/netns/load")  # unlike ip netns exec, it leaves the control groups in sight
FOLDER = Path("/etc/dhcp/benchmark")  # the one place where Debian lets dhcpd read
GROUPS = Path("/sys/fs/cgroup/system.slice")
STATION_LEASES = Path("/var/lib/dhcp/dhcpd.leases")
PHONE = "00005e005301"  # one that has a certificate, and a file of its own
FIRST_MAC = "00:00:5e:aa:00:00"
VENDOR_CLASS = b"Cisco ATA192"
MOST_DROPS = 2.5  # per cent
LOWEST_RATE, RUNG = 100.0, 1.25  # of the ladder of rates
COLUMNS = ("what", "station/s", "bare/s", "ratio", "station, CPU s per 1,000", "bare", "ratio", "station, failed", "bare")

# Pools as the station has them, or the comparison would be one of pool sizes
BARE_DHCP = """
default-lease-time 3600;
max-lease-time 3600;
subnet 198.18.0.0 netmask 255.254.0.0 {
  POOLS
}
"""
# Debian's nginx.conf and default site, without the comments; but for the addresses, the root and the certificate
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
    # For those who show a certificate that one of the roots has signed
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
class Measured:
    """What a daemon did in one turn."""

    served: int
    rate: float
    cpu: float
    failed: int

    @property
    def cost(self) -> float:
        """CPU seconds for a thousand."""
        return 1000 * self.cpu / self.served


def run(*argv: str, check: bool = True) -> str:
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    text = done.stdout.decode(errors="replace")
    if check and done.returncode:
        raise SystemExit(f"{' '.join(argv)}: {text}")
    return text


def used(unit: str) -> float:
    """Seconds of CPU time that the processes of a unit have used."""
    return int((GROUPS / f"{unit}.service" / "cpu.stat").read_text().split()[1]) / 1e6


@contextlib.contextmanager
def bare(name: str, *argv: str) -> Iterator[str]:
    """Start a daemon as root, with nothing in its way; give its unit."""
    unit = f"bare-{name}"
    run("systemd-run", "--quiet", "--collect", f"--unit={unit}", "--property=Type=exec", *argv)
    try:
        yield unit
    finally:
        run("systemctl", "stop", unit)


@contextlib.contextmanager
def load_namespace() -> Iterator[None]:
    """A machine on the bench that has many addresses, and takes the next one for each TCP connection."""
    addresses = ", ".join(f"{number}: {address}" for number, address in enumerate(SOURCES))
    nat = (
        "add table ip load; add chain ip load leave { type nat hook postrouting priority srcnat; }; "
        f"add rule ip load leave meta l4proto tcp snat to numgen inc mod {len(SOURCES)} map {{ {addresses} }}"
    )
    run("ip", "netns", "add", "load")
    try:
        run("ip", "link", "add", "load0", "type", "veth", "peer", "name", "eth0", "netns", "load")
        run("ip", "link", "set", "load0", "master", "bench0", "up")
        for command in (
            "link set lo up",
            f"address add {CLIENT}/15 dev eth0",
            "link set eth0 up",
            "route add local 198.18.64.0/24 dev lo",
        ):
            run("ip", "-n", "load", *command.split())
        subprocess.run([*INSIDE, "nft", "-f", "-"], input=nat.encode(), check=True)
        # Closed connections are forgotten at once, or they would fill the table
        run(*INSIDE, "sh", "-c", "echo 1 >/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_time_wait")
        run("ip", "address", "add", f"{BARE}/15", "dev", "bench0")
        # The fence is the station's
        run("nft", "insert", "rule", "inet", "preprovision", "input", "ip", "daddr", BARE, "accept")
        yield
    finally:
        run("ip", "address", "del", f"{BARE}/15", "dev", "bench0", check=False)
        run("systemctl", "reload", "preprovision-fence")
        run("ip", "netns", "delete", "load", check=False)


def perfdhcp_command(*argv: str) -> list[str]:
    """As it has no address of its own, it speaks as a relay does."""
    client = ("-b", f"mac={FIRST_MAC}", "-o", f"60,{VENDOR_CLASS.hex()}")
    # dhcpd asks for a second whether somebody has the address already
    return [*INSIDE, "perfdhcp", "-4", "-l", "eth0", "-d", "3", "-W", "2000000", *client, *argv]


def packets(text: str) -> list[int]:
    """What was sent and received of each exchange."""
    numbers = [int(number) for number in re.findall(r"^(?:sent|received) packets: (\d+)", text, re.MULTILINE)]
    if len(numbers) < 2:
        raise SystemExit(f"perfdhcp: {text}")
    return numbers


def perfdhcp(unit: str, rate: int, seconds: int, clients: int) -> Measured:
    """DORA exchanges at a steady rate, each by the next of the clients."""
    before = used(unit)
    discovers, _offers, _requests, acks = packets(
        run(*perfdhcp_command("-r", str(rate), "-R", str(clients), "-p", str(seconds)), check=False)
    )
    return Measured(acks, acks / seconds, used(unit) - before, discovers - acks)


@contextlib.contextmanager
def station_dhcp(config: Path) -> Iterator[str]:
    """The station's dhcpd as its unit starts it, with one of its configurations, and without leases."""
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
def dhcp_put_back() -> Iterator[None]:
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


def dhcp_turns(starters: dict[str, Starter], rate: int, seconds: int, rounds: int, clients: int) -> dict[str, list[Measured]]:
    found: dict[str, list[Measured]] = {name: [] for name in starters}
    for _round in range(rounds):
        for name, starter in starters.items():
            with starter() as unit:
                time.sleep(1)
                found[name].append(perfdhcp(unit, rate, seconds, clients))
    return found


def best_dhcp(starters: dict[str, Starter], seconds: int, rounds: int, clients: int) -> dict[str, list[float]]:
    """The highest rates of a ladder of which at most MOST_DROPS are lost."""
    best: dict[str, list[float]] = {name: [] for name in starters}
    ground = LOWEST_RATE
    for _round in range(rounds):
        highest = dict.fromkeys(starters, 0.0)
        rate, climbing = ground, set(starters)
        while climbing:
            for name in sorted(climbing):
                with starters[name]() as unit:
                    time.sleep(1)
                    # A client that comes again gets the lease that it has, which costs no disk
                    measured = perfdhcp(unit, round(rate), max(1, min(seconds, round(clients / rate))), clients)
                if 100 * measured.failed > MOST_DROPS * (measured.served + measured.failed):
                    climbing.remove(name)
                else:
                    highest[name] = measured.rate
            rate *= RUNG
        for name, reached in highest.items():
            best[name].append(reached)
        # The next round need not climb all of it again
        ground = max(LOWEST_RATE, min(highest.values()) / RUNG**3)
    return best


def wrk(unit: str, url: str, seconds: int, new_connections: bool) -> Measured:
    command = [*INSIDE, "wrk", "--threads=2", "--connections=64", "--timeout=10s", f"--duration={seconds}s"]
    if new_connections:
        command += ["--header", "Connection: close"]
    before = used(unit)
    text = run(*command, url)
    served = int(re.search(r"(\d+) requests in", text)[1])  # type: ignore[index]
    wrong = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    # With each answer the connection ends, which wrk takes for an error of reading
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    lost = [int(number) for number in errors.groups()] if errors else [0] * 4
    failed = (int(wrong[1]) if wrong else 0) + lost[0] + lost[2] + lost[3] + (0 if new_connections else lost[1])
    return Measured(served, float(re.search(r"Requests/sec:\s+([0-9.]+)", text)[1]), used(unit) - before, failed)  # type: ignore[index]


def with_certificate(unit: str, place: str, seconds: int) -> Measured:
    """Fetch a phone's own file again and again, with a full handshake each time. One client that waits: its rate is no limit."""
    own = f"/etc/preprovision/certificates/devices/{PHONE}"
    command = [*INSIDE, "openssl", "s_time", "-connect", place, "-new", "-time", str(seconds), "-www", f"/device/{PHONE}.cfg"]
    before = used(unit)
    text = run(*command, "-cert", f"{own}.pem", "-key", f"{own}.key", check=False)
    found = re.search(r"(\d+) connections in (\d+) real seconds, (\d+) bytes read per connection", text)
    if not found or int(found[3]) < Path("/srv/preprovision/current/device", f"{PHONE}.cfg").stat().st_size:
        raise SystemExit(f"openssl s_time: {text}")
    return Measured(int(found[1]), int(found[1]) / int(found[2]), used(unit) - before, 0)


def web_turns(path: str, seconds: int, rounds: int) -> dict[str, dict[str, list[Measured]]]:
    found: dict[str, dict[str, list[Measured]]] = {}
    config = Path("/etc/nginx/bare.conf")
    config.write_text(BARE_NGINX.replace("ADDRESS", BARE))
    Path("/var/log/nginx-bare").mkdir(exist_ok=True)
    try:
        with bare("nginx", "/usr/sbin/nginx", "-c", str(config), "-g", "daemon off;") as unit:
            time.sleep(1)
            for scheme, port in (("http", 80), ("https", 443)):
                for new in (False, True):
                    turns = found.setdefault(f"{scheme.upper()}, {'a connection each' if new else 'connections kept'}", {})
                    for _round in range(rounds):
                        for name, server, address in (("station", "nginx", STATION), ("bare", unit, BARE)):
                            turns.setdefault(name, []).append(wrk(server, f"{scheme}://{address}:{port}/{path}", seconds, new))
            turns = found.setdefault("HTTPS, a phone's own file", {})
            for _round in range(rounds):
                for name, server, place in (("station", "nginx", f"{STATION}:443"), ("bare", unit, f"{BARE}:8443")):
                    turns.setdefault(name, []).append(with_certificate(server, place, seconds))
    finally:
        config.unlink()
        run("rm", "-r", "/var/log/nginx-bare")
    return found


def tftp_turns(name: str, clients: int, transfers: int, rounds: int) -> dict[str, list[Measured]]:
    """Run inside the namespace: the load is this process."""
    content = Path("/srv/preprovision/current/open", name).read_bytes()
    found: dict[str, list[Measured]] = {"station": [], "bare": []}
    for _round in range(rounds):
        for who, unit, address in (("station", "preprovision-tftp", STATION), ("bare", "bare-dnsmasq", BARE)):
            before = used(unit)
            storm = tftp_servers.storm(content, clients, transfers, 60, name, address, SOURCES)
            found[who].append(Measured(len(storm.latencies), storm.rate, used(unit) - before, storm.failures))
    return found


def row(what: str, turns: dict[str, list[Measured]], first: str = "station", second: str = "bare") -> str:
    """A line of the table; figures are medians, ratios those of the pairs, failures sums."""
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


def reservation_turns(rate: int, seconds: int, rounds: int, clients: int) -> dict[str, list[Measured]]:
    starters: dict[str, Starter] = {
        name: lambda name=name: station_dhcp(FOLDER / f"{name}.conf")  # type: ignore[misc]
        for name in ("none", "known", "fixed")
    }
    return dhcp_turns(starters, rate, seconds, rounds, clients)


def restart_seconds(name: str) -> float:
    """How long nobody answers a client that has a lease or a reservation: the server stops, and starts anew."""
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
    """The pools of the station's own configuration."""
    return "\n  ".join(re.findall(r"pool \{ range .* \}", (FOLDER / "none.conf").read_text()))


def inside(part: str, options: argparse.Namespace) -> Iterator[str]:
    """The lines of one part's table."""
    rate, seconds, rounds, clients = options.rate, options.seconds, options.rounds, options.clients
    if part == "dhcp":
        (FOLDER / "bare.conf").write_text(BARE_DHCP.replace("POOLS", pools()))
        starters: dict[str, Starter] = {"station": lambda: station_dhcp(FOLDER / "none.conf"), "bare": bare_dhcp}
        yield row(f"DHCP, {rate} a second", dhcp_turns(starters, rate, seconds, rounds, clients))
        best = best_dhcp(starters, seconds, rounds, clients)
        ours, theirs = (statistics.median(best[name]) for name in ("station", "bare"))
        ratio = statistics.median(a / b if b else float("nan") for a, b in zip(best["station"], best["bare"], strict=True))
        yield f"| DHCP, most | {ours:.0f} | {theirs:.0f} | {ratio:.2f} | | | | | |"
    elif part == "tftp":
        command = ["/usr/sbin/dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--user=nobody", "--port=0"]
        command += ["--bind-interfaces", f"--listen-address={BARE}", "--enable-tftp", "--tftp-max=1000"]
        with bare("dnsmasq", *command, "--tftp-root=/srv/preprovision/current/open"):
            time.sleep(1)
            for at_once in (5, 200):
                argv = [*INSIDE, sys.executable, __file__, "tftp-load", str(at_once), str(options.transfers), str(rounds)]
                found = json.loads(subprocess.run(argv, stdout=subprocess.PIPE, check=True).stdout)
                turns = {who: [Measured(**each) for each in measured] for who, measured in found.items()}
                yield row(f"TFTP, {at_once} at a time", turns)
    elif part == "web":
        for what, turns in web_turns(options.file, seconds, rounds).items():
            yield row(what, turns)
    elif part == "reservations":
        found = reservation_turns(rate, seconds, rounds, clients)
        for name, words in (("known", "known, from the pool"), ("fixed", "each its address")):
            yield row(f"DHCP, 10,000 reservations, {words}; beside none", found, name, "none")
        yield "\n| dhcpd restarts with | s without an answer | at most |\n| --- | ---: | ---: |"
        for name, words in (("none", "no reservation"), ("known", "10,000 known phones"), ("fixed", "10,000 with addresses")):
            pauses = [restart_seconds(name) for _round in range(rounds)]
            yield f"| {words} | {statistics.median(pauses):.2f} | {max(pauses):.2f} |"


def main() -> None:
    if sys.argv[1] == "tftp-load":
        turns = tftp_turns("spa504G.cfg", *(int(number) for number in sys.argv[2:]))
        print(json.dumps({who: [dataclasses.asdict(each) for each in measured] for who, measured in turns.items()}))
        return
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("parts", nargs="+", choices=["dhcp", "tftp", "web", "reservations"])
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rate", type=int, default=150)
    parser.add_argument("--clients", type=int, default=4000)
    parser.add_argument("--transfers", type=int, default=4000)
    parser.add_argument("--file", default="spa504G.cfg")
    options = parser.parse_args()
    with load_namespace(), dhcp_put_back():
        print(f"| {' | '.join(COLUMNS)} |\n| --- |{' ---: |' * (len(COLUMNS) - 1)}", flush=True)
        for part in options.parts:
            for line in inside(part, options):
                print(line, flush=True)


if __name__ == "__main__":
    main()
