# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure what one provisioning server does for phones at home, and compare a herd of phones with its simulation.

    tests/machines/machine run .venv/bin/python tests/benchmarks/home.py [PART...] [--rounds 5] [--seconds 2]

Boot a clean machine, set it up with the site playbook, and run home_server.py and home_swarm.py on it. Parts: server, swarm; both
by default. The machine is removed at the end. Print the servers that fleets need, computed by fleet_simulation.py from what was
measured.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from fleet_simulation import SHARES, Result, Servers, Timers, plan, simulate_phones
from morning import MACHINE, PROJECT, play

FULL = "HTTPS with certificate, TLS 1.3, full handshake"
PARTS = ("server", "swarm")
SETTINGS = {
    # RFC 2544: addresses for benchmarks
    "bench_address": "198.18.0.1/15",
    "dhcp_server_pool_size": 4096,
    # The demo's have addresses of another network
    "dhcp_server_reservations": [],
    "certificates_devices": [{"mac": "00:00:5e:00:53:01", "model": "ATA192", "serial": "FCH0000D001"}],
}
PATIENT = {"phones": 150, "random_delay": 0, "error_retry": "0", "servers": 1, "share": 0.02, "seconds": 60, "timeout": 60}
"""Phones that all come at once, and wait: what a resync costs a server that is never idle."""
HERDS: Sequence[dict[str, Any]] = [
    {"phones": 400, "random_delay": 1, "error_retry": "20+20", "servers": 1, "share": 0.02, "seconds": 150},
    {"phones": 400, "random_delay": 1, "error_retry": "20+20", "servers": 2, "share": 0.02, "seconds": 150},
    {"phones": 400, "random_delay": 1, "error_retry": "20+20", "servers": 1, "share": 0.05, "drained": 30, "seconds": 150},
]
SEEDS = range(1, 8)


def on_machine(name: str, *argv: str) -> str:
    """Run a command on the machine *name*, show what it prints, and return it."""
    process = subprocess.Popen(["podman", "exec", "--workdir", "/root/benchmarks", name, *argv], stdout=subprocess.PIPE, text=True)
    lines = []
    for line in process.stdout or ():
        lines.append(line)
        if not line.startswith("{"):
            print(line, end="", flush=True)
    if process.wait():
        raise SystemExit(f"{' '.join(argv)[:200]} failed: {''.join(lines)[-2000:]}")
    return "".join(lines)


def set_up(name: str) -> None:
    """Boot the machine, and give it what the benchmark needs."""
    subprocess.run([MACHINE, "up", name, "bookworm"], check=True)
    with tempfile.NamedTemporaryFile("w", suffix=".json") as settings:
        json.dump({**SETTINGS, "ansible_host": name}, settings)
        settings.flush()
        done = play("voip.preprovision.site", Path(settings.name))
    if done.returncode:
        raise SystemExit(done.stdout)
    subprocess.run(["podman", "exec", name, "mkdir", "-p", "/root/benchmarks"], check=True)
    on_machine(name, "sh", "-c", "apt-get install -qq -y --no-install-recommends wrk >/dev/null 2>&1")
    for file in ("raw_servers.py", "home_server.py", "home_swarm.py"):
        subprocess.run(["podman", "cp", str(PROJECT / "tests/benchmarks" / file), f"{name}:/root/benchmarks/"], check=True)
    subprocess.run(["podman", "cp", f"{PROJECT}/plugins/module_utils/.", f"{name}:/root/benchmarks/domain"], check=True)


def simulated(swarm: dict[str, Any], cost: float) -> list[Result]:
    """Return what the simulation says about a swarm, for several seeds."""
    timers = Timers.of_parameters(swarm["random_delay"], "86400", swarm["error_retry"], timeout=10.0)
    # What a request costs whose phone gives up is between half a handshake and all of it; it is counted in full
    costs = dict.fromkeys(("cost", "refusal_cost", "abandoned_cost"), cost)
    servers = Servers(count=swarm["servers"], cores=swarm["share"], draining_until=swarm.get("drained", 0.0), **costs)
    return [simulate_phones(swarm["phones"], timers, servers, swarm["seconds"], seed) for seed in SEEDS]


def compare(found: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield a table of measured and simulated herds; the patient phones tell the cost of a resync."""
    patient = [one for one in found if one["swarm"] == PATIENT]
    cost = statistics.median(one["cpu"] / one["outcomes"]["200"] for one in patient)
    yield f"\nOne resync: {1000 * cost:.2f} ms of nginx's CPU time\n"
    yield "| swarm | figure | measured | simulated | error |"
    yield "| --- | --- | ---: | ---: | ---: |"
    for swarm in HERDS:
        measured = [_figures(one) for one in found if one["swarm"] == swarm]
        expected = [_simulated_figures(result) for result in simulated(swarm, cost)]
        drained = f", 503 for {swarm['drained']} s" if swarm.get("drained") else ""
        what = f"{swarm['phones']} phones, {swarm['servers']} server(s) of {swarm['share'] / cost:.1f}/s{drained}"
        for figure in measured[0]:
            ours, theirs = ([one[figure] for one in many] for many in (measured, expected))
            middle, other = statistics.median(ours), statistics.median(theirs)
            error = f"{100 * (other / middle - 1):+.0f} %" if middle else ""
            yield f"| {what} | {figure} | {_range(ours)} | {_range(theirs)} | {error} |"
            what = ""


def _range(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.4g} ({min(values):.4g} to {max(values):.4g})"


def _figures(found: dict[str, Any]) -> dict[str, float]:
    firsts, outcomes = sorted(found["firsts"]), found["outcomes"]
    return {
        **{_answered(share): firsts[max(0, round(share * len(firsts)) - 1)] for share in SHARES},
        "requests": len(found["requests"]),
        "without an answer in time": sum(number for status, number in outcomes.items() if not status.isdigit()),
        "503": outcomes.get("503", 0),
        "CPU seconds of the servers": found["cpu"],
    }


def _simulated_figures(result: Result) -> dict[str, float]:
    return {
        **{_answered(share): result.done[share] for share in SHARES},
        "requests": result.requests,
        "without an answer in time": result.unanswered,
        "503": result.refused,
        "CPU seconds of the servers": result.cpu,
    }


def _answered(share: float) -> str:
    return f"{share:.0%} have an answer after, s"


def full_cost(turns: Sequence[dict[str, Any]]) -> float:
    """Return the CPU seconds of one request, with all that follows from it."""
    return statistics.median((turn["nginx"] + turn["service"] + turn["logs"]) / turn["number"] for turn in turns)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=[], help=", ".join(PARTS))
    parser.add_argument("--rounds", default="5")
    parser.add_argument("--seconds", default="2")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--machine", default="preprovision-home", help="its name")
    parser.add_argument("--keep", action="store_true", help="use a machine that is there, and leave it")
    parser.add_argument("--result", type=Path, help="folder for the figures, JSON")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; parts are {', '.join(PARTS)}")
    chosen = options.parts or PARTS
    folder = options.result or Path(tempfile.mkdtemp(prefix="home-"))
    try:
        set_up(options.machine)
        if "server" in chosen:
            limits = ["--rounds", options.rounds, "--seconds", options.seconds]
            on_machine(options.machine, "python3", "home_server.py", *limits, "--result", "server.json")
            text = on_machine(options.machine, "cat", "server.json")
            (folder / "server.json").write_text(text)
            print("\n".join(plan(full_cost(json.loads(text)["turns"][FULL]))), flush=True)
        if "swarm" in chosen:
            text = on_machine(options.machine, "python3", "home_swarm.py", json.dumps([PATIENT, *HERDS] * options.repeats))
            (folder / "swarms.jsonl").write_text(text)
            print("\n".join(compare([json.loads(line) for line in text.splitlines() if line.startswith("{")])), flush=True)
    finally:
        if not options.result:
            shutil.rmtree(folder)
        if not options.keep:
            subprocess.run([MACHINE, "down", options.machine], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
