# SPDX-License-Identifier: GPL-3.0-or-later
"""What does the station cost beside bare servers, what do 10,000 reservations cost its dhcpd, and what becomes of 1,000 phones?

    tests/machines/machine run .venv/bin/python tests/benchmarks/morning.py [PART...] [--rounds 5] [--seconds 8]

Boots a clean machine, makes it a station with the site playbook, renders the DHCP server's configuration without and with
reservations, and has raw_servers.py measure on it. Then 1,000 emulated phones are switched on within ten seconds: the play of the
tests judges that all are preprovisioned, that no address was given twice, and that every log line was kept. Parts: dhcp, tftp, web,
reservations, phones; all by default. The machine is removed at the end.
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
RAW_PARTS = ("dhcp", "tftp", "web", "reservations")
PARTS = (*RAW_PARTS, "phones")
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
    """Run a playbook on the machine; what it printed tells how far it got."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    program = str(Path(sys.executable).parent / "ansible-playbook")
    command = [program, "-i", "inventories/demo", "-e", json.dumps(SETTINGS), "-e", f"@{settings}", playbook]
    return subprocess.run(command, cwd=PROJECT, env=environment, check=False, stdout=subprocess.PIPE, text=True)


def seconds_of(playbook: str, settings: Path) -> float:
    """Run a playbook that must not fail."""
    start = time.perf_counter()
    done = play(playbook, settings)
    if done.returncode:
        raise SystemExit(done.stdout)
    return time.perf_counter() - start


def on_machine(*argv: str) -> None:
    subprocess.run(["podman", "exec", NAME, *argv], check=True)


def used() -> dict[str, float]:
    """Seconds of CPU time that each unit of the station has used."""
    argv = ["podman", "exec", NAME, "head", "-qn1", *(f"/sys/fs/cgroup/system.slice/{unit}.service/cpu.stat" for unit in UNITS)]
    shown = subprocess.run(argv, stdout=subprocess.PIPE, check=True).stdout.decode()
    return {unit: int(line.split()[1]) / 1e6 for unit, line in zip(UNITS, shown.splitlines(), strict=True)}


def reservations(kind: str) -> list[dict[str, str]]:
    """Of phones that are known (they use the pools), or have an address each; MAC addresses as raw_servers.py has them."""
    phones = [
        {"name": f"phone-{number}", "mac": f"00005eaa{number:04x}"} for number in range(RESERVATIONS if kind != "none" else 0)
    ]
    if kind == "fixed":
        return [{**phone, "address": f"198.18.{128 + n // 250}.{n % 250 + 1}"} for n, phone in enumerate(phones)]
    return phones


def render(folder: Path) -> None:
    """Leave the configurations with all kinds of reservations on the station; the last is that with none."""
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
    """Let the phones come, and print what became of them and what they cost the station."""
    settings.write_text(json.dumps({"dhcp_server_reservations": [], "swarm_phones": PHONES, "swarm_ramp": RAMP}))
    before = used()
    done = play("extensions/molecule/station/swarm.yml", settings)
    for title in ("Show how long they took", "Show what the station says"):
        print(done.stdout.partition(f"TASK [{title}]")[2].partition("\n")[2].partition("\nTASK")[0], flush=True)
    print("| unit | CPU ms a phone |\n| --- | ---: |")
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
        if raw := [part for part in chosen if part in RAW_PARTS]:
            on_machine("apt-get", "install", "-qq", "-y", "--no-install-recommends", "kea-admin", "wrk")
            subprocess.run(["podman", "cp", str(PROJECT / "tests/benchmarks"), f"{NAME}:/root/"], check=True)
            render(folder)
            limits = ["--rounds", options.rounds, "--seconds", options.seconds]
            on_machine("python3", "/root/benchmarks/raw_servers.py", *raw, *limits)
        if "phones" in chosen:
            switch_on(folder / "phones.json")
    finally:
        shutil.rmtree(folder)
        subprocess.run([MACHINE, "down", NAME], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
