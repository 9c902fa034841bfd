# SPDX-License-Identifier: GPL-3.0-or-later
"""What does the station cost beside bare servers, and what do 10,000 reservations cost its dhcpd?

    tests/machines/machine run .venv/bin/python tests/benchmarks/morning.py [PART...] [--rounds 5] [--seconds 8]

Boots a clean machine, makes it a station with the site playbook, renders the DHCP server's configuration without and with
reservations, and has raw_servers.py measure on it. Parts: dhcp, tftp, web, reservations; all by default. The machine is removed at
the end.
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
PHONES = 10_000
PARTS = ("dhcp", "tftp", "web", "reservations")
# RFC 2544: addresses for benchmarks; the pools are at the end of the network, reservations and the load before them
SETTINGS = {"bench_address": "198.18.0.1/15", "dhcp_server_pool_size": 4096, "ansible_host": NAME}
ROLE = """
- hosts: stations
  gather_facts: false
  tasks:
    - ansible.builtin.import_role:
        name: voip.preprovision.dhcp_server
"""


def play(playbook: str, settings: Path) -> float:
    """Run a playbook on the machine; return its seconds."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    program = str(Path(sys.executable).parent / "ansible-playbook")
    command = [program, "-i", "inventories/demo", "-e", json.dumps(SETTINGS), "-e", f"@{settings}", playbook]
    start = time.perf_counter()
    done = subprocess.run(command, cwd=PROJECT, env=environment, check=False, stdout=subprocess.PIPE)
    if done.returncode:
        raise SystemExit(done.stdout.decode())
    return time.perf_counter() - start


def on_machine(*argv: str) -> None:
    subprocess.run(["podman", "exec", NAME, *argv], check=True)


def reservations(kind: str) -> list[dict[str, str]]:
    """Of phones that are known (they use the pools), or have an address each; MAC addresses as raw_servers.py has them."""
    phones = [{"name": f"phone-{number}", "mac": f"00005eaa{number:04x}"} for number in range(PHONES if kind != "none" else 0)]
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
        play(str(playbook), settings)
        again = play(str(playbook), settings)
        print(f"role dhcp_server with nothing to do, reservations {kind}: {again:.1f} s", flush=True)
        on_machine("cp", "/etc/dhcp/dhcpd.conf", f"/etc/dhcp/benchmark/{kind}.conf")


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
        play("voip.preprovision.site", folder / "site.json")
        on_machine("apt-get", "install", "-qq", "-y", "--no-install-recommends", "kea-admin", "wrk")
        subprocess.run(["podman", "cp", str(PROJECT / "tests/benchmarks"), f"{NAME}:/root/"], check=True)
        render(folder)
        limits = ["--rounds", options.rounds, "--seconds", options.seconds]
        on_machine("python3", "/root/benchmarks/raw_servers.py", *(options.parts or PARTS), *limits)
    finally:
        shutil.rmtree(folder)
        subprocess.run([MACHINE, "down", NAME], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
