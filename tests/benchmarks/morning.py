# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure the station's cost compared with bare servers, dhcpd's cost of 10,000 reservations, and a boot of 1,000 phones at once.

    tests/machines/machine run .venv/bin/python tests/benchmarks/morning.py [PART...] [--rounds 5] [--seconds 8]

Boot a clean machine, make it a station with the site playbook, render the DHCP server's configuration without and with
reservations, and run raw_servers.py and tftp_units.py on it. Then switch on 1,000 emulated phones within ten seconds; the molecule
play load_test.yml checks that all are preprovisioned, that no address was assigned twice, and that every log line was kept. Parts:
dhcp, web, reservations, tftp, phones; all by default. The machine is removed at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
MACHINE = PROJECT / "tests/machines/machine"
NAME = "preprovision-morning"
RESERVATIONS, PHONES, RAMP = 10_000, 1000, 10
RAW_PARTS = ("dhcp", "web", "reservations")
PARTS = (*RAW_PARTS, "tftp", "phones")
UNITS = (
    "isc-dhcp-server",
    "preprovision-tftp",
    "unbound",
    "nginx",
    "preprovision-service",
    "preprovision-log",
    "preprovision-events",
    "systemd-journald",
)
# RFC 2544: addresses for benchmarks; the pools are at the end of the network, reservations and the load before them
SETTINGS = {"bench_address": "198.18.0.1/15", "dhcp_server_pool_size": 4096, "ansible_host": NAME}
ROLE = """
- hosts: stations
  gather_facts: false
  tasks:
    - ansible.builtin.import_role:
        name: voip.preprovision.dhcp_server
"""


def play(playbook: str, settings: Path) -> subprocess.CompletedProcess[str]:
    """Run a playbook on the machine; return the process with its output."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["ANSIBLE_STDOUT_CALLBACK"] = "ansible.builtin.default"
    program = str(Path(sys.executable).parent / "ansible-playbook")
    command = [program, "-i", "inventories/demo", "-e", json.dumps(SETTINGS), "-e", f"@{settings}", playbook]
    return subprocess.run(command, cwd=PROJECT, env=environment, check=False, stdout=subprocess.PIPE, text=True)


def seconds_of(playbook: str, settings: Path) -> float:
    """Run a playbook that must succeed; return its seconds."""
    start = time.perf_counter()
    done = play(playbook, settings)
    if done.returncode:
        raise SystemExit(done.stdout)
    return time.perf_counter() - start


def on_machine(*argv: str) -> None:
    subprocess.run(["podman", "exec", NAME, *argv], check=True)


def used() -> dict[str, float]:
    """Return the seconds of CPU time that each of the station's units has used."""
    argv = ["podman", "exec", NAME, "head", "-qn1", *(f"/sys/fs/cgroup/system.slice/{unit}.service/cpu.stat" for unit in UNITS)]
    shown = subprocess.run(argv, stdout=subprocess.PIPE, check=True).stdout.decode()
    return {unit: int(line.split()[1]) / 1e6 for unit, line in zip(UNITS, shown.splitlines(), strict=True)}


def reservations(kind: str) -> list[dict[str, str]]:
    """Return reservations: known phones (addresses from the pools) or fixed addresses, for the MAC addresses of raw_servers.py."""
    phones = [
        {"name": f"phone-{number}", "mac": f"00005eaa{number:04x}"} for number in range(RESERVATIONS if kind != "none" else 0)
    ]
    if kind == "fixed":
        return [{**phone, "address": f"198.18.{128 + n // 250}.{n % 250 + 1}"} for n, phone in enumerate(phones)]
    return phones


def render(folder: Path) -> None:
    """Save dhcpd's configuration for each kind of reservation on the station; the one without reservations stays active."""
    playbook, settings = folder / "dhcp_server.yml", folder / "settings.json"
    playbook.write_text(ROLE)
    on_machine("mkdir", "-p", "/etc/dhcp/benchmark")
    for kind in ("known", "fixed", "none"):
        settings.write_text(json.dumps({"dhcp_server_reservations": reservations(kind)}))
        seconds_of(str(playbook), settings)
        again = seconds_of(str(playbook), settings)
        print(f"role dhcp_server with nothing to do, reservations {kind}: {again:.1f} s", flush=True)
        on_machine("cp", "/etc/dhcp/dhcpd.conf", f"/etc/dhcp/benchmark/{kind}.conf")


def switch_on(settings: Path) -> None:
    """Boot the phones; print their results and their cost to the station."""
    settings.write_text(json.dumps({"dhcp_server_reservations": [], "load_test_phones": PHONES, "load_test_ramp": RAMP}))
    before = used()
    done = play("extensions/molecule/station/load_test.yml", settings)
    for title in ("Show how long the trips took", "Show the station's records"):
        print(done.stdout.partition(f"TASK [{title}]")[2].partition("\n")[2].partition("\nTASK")[0], flush=True)
    print("| unit | CPU ms per phone |\n| --- | ---: |")
    for unit, seconds in used().items():
        print(f"| {unit} | {(seconds - before[unit]) / PHONES * 1000:.1f} |", flush=True)
    if done.returncode:
        raise SystemExit(done.stdout[done.stdout.find("[ERROR]") :][:2000])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=[], help=", ".join(PARTS))
    parser.add_argument("--release", default="bookworm")
    parser.add_argument("--rounds", default="5")
    parser.add_argument("--seconds", default="8")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; parts are {', '.join(PARTS)}")

    subprocess.run([MACHINE, "up", NAME, options.release], check=True)
    folder = Path(tempfile.mkdtemp(prefix="morning-"))
    try:
        (folder / "site.json").write_text('{"dhcp_server_reservations": []}')
        seconds_of("voip.preprovision.site", folder / "site.json")
        chosen = options.parts or PARTS
        subprocess.run(["podman", "cp", str(PROJECT / "tests/benchmarks"), f"{NAME}:/root/"], check=True)
        if raw := [part for part in chosen if part in RAW_PARTS]:
            on_machine("apt-get", "install", "-qq", "-y", "--no-install-recommends", "kea-admin", "wrk")
            render(folder)
            limits = ["--rounds", options.rounds, "--seconds", options.seconds]
            on_machine("python3", "/root/benchmarks/raw_servers.py", *raw, *limits)
        if "tftp" in chosen:
            on_machine("python3", "/root/benchmarks/tftp_units.py", "--rounds", options.rounds)
        if "phones" in chosen:
            switch_on(folder / "phones.json")
    finally:
        shutil.rmtree(folder)
        subprocess.run([MACHINE, "down", NAME], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
