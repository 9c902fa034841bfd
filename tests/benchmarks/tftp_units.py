# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure what it costs that each unit gets a file of its own by TFTP. Run on a station by morning.py.

Three servers take turns at the station's address:
- own: dnsmasq as on every station. It looks up each client's MAC address, and the guard's tables see each of its packets.
- plain: the same unit without tftp-unique-root and without the guard's tables.
- bare: dnsmasq with next to no configuration, as root, without the guard's tables.

The clients are units in a network namespace on the bench, each with an address and a MAC address of its own, which nftables
writes into its frames. In each turn, each unit first asks for the station's MAC address by ARP and downloads once, as after
power-up; then they download again and again. What is received must be the unit's own file, or the one that all share; both have
the same length.

The figures are the server's rate and the CPU time of its control group. The kernel handles a packet, and so the guard's tables,
in the time of the process that sends it; so the last column adds the clients' CPU time.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address
from pathlib import Path

import raw_servers
import tftp_servers
from raw_servers import STATION, Measurement, run, used

NAMESPACE, INTERFACE = "units", "eth0"
INSIDE = ("nsenter", f"--net=/run/netns/{NAMESPACE}")
NETWORK, FIRST_ADDRESS = "198.18.68.0/22", IPv4Address("198.18.68.1")  # not those of raw_servers.py
UNIT = "preprovision-tftp"
ROOT = Path("/srv/preprovision/tftp")
PUBLISHED = Path("/srv/preprovision/current/units")
NAME = "ata192.cfg"
PLAIN_CONFIG = Path("/run/tftp-plain.conf")
DROP_IN = Path(f"/run/systemd/system/{UNIT}.service.d/plain.conf")
PLAIN_UNIT = f"""[Service]
ExecStartPre=
ExecStart=
ExecStart=/usr/sbin/dnsmasq --conf-file={PLAIN_CONFIG} --pid-file
"""
BARE_COMMAND = (
    *("/usr/sbin/dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--user=nobody", "--port=0"),
    *("--bind-interfaces", f"--listen-address={STATION}", "--enable-tftp", "--tftp-max=1000", f"--tftp-root={ROOT}"),
)
COLUMNS = (
    *("what", "own/s", "plain/s", "ratio", "own, CPU s per 1,000", "plain", "ratio", "own, lost packets", "plain"),
    "ratio with the clients' CPU",
)
# As in plugins/module_utils/emulator/wire/unit_macs.py
RULES = """
table netdev units {
    map macs { type ipv4_addr : ether_addr; elements = { %(macs)s }; }
    set units { type ipv4_addr . ether_addr; elements = { %(units)s }; }
    chain egress {
        type filter hook egress device "eth0" priority 0; policy drop;
        ether saddr set ip saddr map @macs accept
        arp saddr ether set arp saddr ip map @macs ether saddr set arp saddr ip map @macs accept
    }
    chain ingress {
        type filter hook ingress device "eth0" priority 0; policy accept;
        meta pkttype other ip daddr . ether daddr @units meta pkttype set host
        meta pkttype other arp daddr ip . ether daddr @units meta pkttype set host
    }
}
"""


@dataclasses.dataclass(frozen=True)
class Case:
    """How many units there are, how many of them download at a time, and whether all have used ARP before the first download.

    With a ramp, in seconds, the units send their first requests one after the other instead, evenly spaced.
    """

    units: int
    at_once: int
    early: bool = False
    ramp: float = 0

    @property
    def label(self) -> str:
        spread = f"within {self.ramp:g} seconds" if self.ramp else f"{self.at_once} at a time"
        return f"{self.units} units, {spread}"


CASES = (Case(1000, 5, ramp=10), Case(100, 5), Case(1000, 5), Case(1000, 200), Case(1000, 5, early=True))
MOST_UNITS = 1000


def address(number: int) -> str:
    return str(FIRST_ADDRESS + number)


def mac(number: int, separator: str = ":") -> str:
    """Return a unit's MAC address; it is locally administered, so no vendor assigns it."""
    return bytes.fromhex(f"02005e20{number:04x}").hex(separator)


@contextlib.contextmanager
def units_on_bench() -> Iterator[None]:
    """Connect all units to the bench."""
    numbers = range(MOST_UNITS)
    rules = RULES % {
        "macs": ", ".join(f"{address(number)} : {mac(number)}" for number in numbers),
        "units": ", ".join(f"{address(number)} . {mac(number)}" for number in numbers),
    }
    run("ip", "netns", "add", NAMESPACE)
    try:
        run("ip", "link", "add", "units0", "type", "veth", "peer", "name", INTERFACE, "netns", NAMESPACE)
        run("ip", "link", "set", "units0", "addrgenmode", "none", "master", "bench0", "up")
        subprocess.run([*INSIDE, "nft", "-f", "-"], input=rules.encode(), check=True)
        for command in (
            "link set lo up",
            f"link set {INTERFACE} addrgenmode none up",
            f"route add 198.18.0.0/15 dev {INTERFACE}",
            f"route add local {NETWORK} dev lo",
        ):
            run("ip", "-n", NAMESPACE, *command.split())
        yield
    finally:
        run("ip", "netns", "delete", NAMESPACE, check=False)


@contextlib.contextmanager
def own_files() -> Iterator[None]:
    """Publish a file for each unit, as long as the shared one; the station's arming unit makes the links."""
    content = own_content()
    folders = [PUBLISHED / mac(number, "-") for number in range(MOST_UNITS)]
    try:
        for folder in folders:
            folder.mkdir()
            (folder / NAME).write_bytes(content)
        run("systemctl", "start", "preprovision-arming")
        yield
    finally:
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
        run("systemctl", "start", "preprovision-arming")


def own_content() -> bytes:
    return (ROOT / NAME).read_bytes()[::-1]


@contextlib.contextmanager
def own_server() -> Iterator[str]:
    """Start the station's server; yield its unit."""
    run("systemctl", "start", UNIT)
    try:
        yield UNIT
    finally:
        run("systemctl", "stop", UNIT)


@contextlib.contextmanager
def plain_server() -> Iterator[str]:
    """Start the station's server without the units' folders and without its guard; yield its unit."""
    config = Path("/etc/preprovision-tftp.conf").read_text()
    PLAIN_CONFIG.write_text(config.replace("\ntftp-unique-root=mac\n", "\n"))
    DROP_IN.parent.mkdir(parents=True, exist_ok=True)
    DROP_IN.write_text(PLAIN_UNIT)
    run("systemctl", "daemon-reload")
    try:
        with own_server() as unit:
            yield unit
    finally:
        DROP_IN.unlink()
        PLAIN_CONFIG.unlink()
        run("systemctl", "daemon-reload")


def bare_server() -> contextlib.AbstractContextManager[str]:
    return raw_servers.bare("dnsmasq", *BARE_COMMAND)


SERVERS: dict[str, Callable[[], contextlib.AbstractContextManager[str]]] = {
    "own": own_server,
    "plain": plain_server,
    "bare": bare_server,
}


def neighbour_requests() -> Callable[[str], None]:
    """Return a function that asks for the station's MAC address from a unit's address, as a unit does before its first packet."""
    opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    opened.bind((INTERFACE, 0))
    ethernet = b"\xff" * 6 + bytes(6) + struct.pack("!H", 0x0806)
    kind = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1)
    wanted = bytes(6) + socket.inet_aton(STATION)

    def ask(source: str) -> None:
        opened.send(ethernet + kind + bytes(6) + socket.inet_aton(source) + wanted)

    return ask


def load(server: str, unit: str, case: Case, transfers: int) -> dict[str, Measurement]:
    """Download, each unit once and then `transfers` times in all; run inside the namespace. Return also the clients' CPU time.

    Unless the case is an early one, each unit asks for the station's MAC address right before its first download.
    """
    content = own_content() if server == "own" else (ROOT / NAME).read_bytes()
    sources = [address(number) for number in range(case.units)]
    ask = neighbour_requests()
    if case.early:
        for source in sources:
            ask(source)
        time.sleep(1)
    found = {}
    parts = [("first", case.units, None if case.early else ask, case.ramp), ("later", transfers, None, 0)]
    for part, count, prepare, ramp in parts:
        downloads = tftp_servers.Storm(content, count, NAME, (STATION, tftp_servers.PORT), sources, prepare)
        clients, daemon = time.process_time(), used(unit)
        downloads.run(case.at_once, 60, ramp)
        result = downloads.result
        if not result.latencies:
            raise SystemExit(f"{server}: none of {count} downloads ended with the expected file.")
        lost = result.retries + result.failures
        found[part] = Measurement(len(result.latencies), result.rate, used(unit) - daemon, lost)
        found[f"{part}, clients"] = dataclasses.replace(found[part], cpu=time.process_time() - clients)
    return found


def turns(case: Case, transfers: int, rounds: int) -> dict[str, dict[str, list[Measurement]]]:
    """Return the measurements of each part of load(), for each server."""
    found: dict[str, dict[str, list[Measurement]]] = {}
    for _round in range(rounds):
        for name, starter in SERVERS.items():
            # The firewall limits the requests of each address
            for limit in ("tftp_requests", "tftp_caught"):
                run("nft", "flush", "set", "inet", "preprovision", limit)
            run("ip", "neighbour", "flush", "dev", "bench0")
            with starter() as unit:
                time.sleep(0.5)
                argv = [*INSIDE, sys.executable, __file__, "load", name, unit, json.dumps(dataclasses.asdict(case)), str(transfers)]
                measured = json.loads(subprocess.run(argv, stdout=subprocess.PIPE, check=True).stdout)
            for part, values in measured.items():
                found.setdefault(part, {}).setdefault(name, []).append(Measurement(**values))
    return found


def rows(case: Case, found: dict[str, dict[str, list[Measurement]]]) -> Iterator[str]:
    """Return the lines of the table for one case."""
    yield row(f"{case.label}, first requests, {'a second' if case.early else 'right'} after ARP", found, "first", "plain")
    if not (case.early or case.ramp):
        yield row(f"{case.label}, later requests", found, "later", "plain")
        yield row(f"{case.label}, later requests; compared with bare", found, "later", "bare")


def row(what: str, found: dict[str, dict[str, list[Measurement]]], part: str, other: str) -> str:
    """Return a line of the table, with the ratio of the CPU time of server and clients."""
    servers, clients = found[part], found[f"{part}, clients"]
    ours, theirs = ([a.cost + b.cost for a, b in zip(servers[name], clients[name], strict=True)] for name in ("own", other))
    ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    return f"{raw_servers.row(what, servers, 'own', other)} {ratio:.2f} |"


def main() -> None:
    if sys.argv[1:2] == ["load"]:
        server, unit, case, transfers = sys.argv[2:]
        measured = load(server, unit, Case(**json.loads(case)), int(transfers))
        print(json.dumps({part: dataclasses.asdict(each) for part, each in measured.items()}))
        return
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--transfers", type=int, default=4000)
    options = parser.parse_args()
    with units_on_bench(), own_files():
        run("systemctl", "stop", UNIT)
        try:
            print(f"| {' | '.join(COLUMNS)} |\n| --- |{' ---: |' * (len(COLUMNS) - 1)}", flush=True)
            for case in CASES:
                for line in rows(case, turns(case, options.transfers, options.rounds)):
                    print(line, flush=True)
        finally:
            run("systemctl", "start", UNIT)


if __name__ == "__main__":
    main()
