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

NAME = "preprovision-home"
FULL = "HTTPS with certificate, TLS 1.3, full handshake"
ABANDONED = "HTTPS, abandoned before its turn"
PARTS = ("server", "swarm")
SETTINGS = {
    "ansible_host": NAME,
    # RFC 2544: addresses for benchmarks
    "bench_address": "198.18.0.1/15",
    "dhcp_server_pool_size": 4096,
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


def on_machine(*argv: str) -> str:
    """Run a command on the machine, show what it prints, and return it."""
    process = subprocess.Popen(["podman", "exec", "--workdir", "/root/benchmarks", NAME, *argv], stdout=subprocess.PIPE, text=True)
    lines = []
    for line in process.stdout or ():
        lines.append(line)
        if not line.startswith("{"):
            print(line, end="", flush=True)
    if process.wait():
        raise SystemExit(f"{' '.join(argv)[:200]} failed: {''.join(lines)[-2000:]}")
    return "".join(lines)


def set_up() -> None:
    """Boot the machine, and give it what the benchmark needs."""
    subprocess.run([MACHINE, "up", NAME, "bookworm"], check=True)
    with tempfile.NamedTemporaryFile("w", suffix=".json") as settings:
        json.dump(SETTINGS, settings)
        settings.flush()
        done = play("voip.preprovision.site", Path(settings.name))
    if done.returncode:
        raise SystemExit(done.stdout)
    on_machine("sh", "-c", "mkdir -p /root/benchmarks && apt-get install -qq -y --no-install-recommends wrk >/dev/null 2>&1")
    for name in ("raw_servers.py", "home_server.py", "home_swarm.py"):
        subprocess.run(["podman", "cp", str(PROJECT / "tests/benchmarks" / name), f"{NAME}:/root/benchmarks/"], check=True)
    subprocess.run(["podman", "cp", str(PROJECT / "plugins/module_utils"), f"{NAME}:/root/benchmarks/domain"], check=True)


def simulated(swarm: dict[str, Any], cost: float, abandoned: float) -> list[Result]:
    """Return what the simulation says about a swarm, for several seeds."""
    timers = Timers.of_parameters(swarm["random_delay"], "86400", swarm["error_retry"], timeout=10.0)
    servers = Servers(
        count=swarm["servers"],
        cores=swarm["share"],
        cost=cost,
        refusal_cost=cost,
        abandoned_cost=abandoned,
        draining_until=swarm.get("drained", 0.0),
    )
    return [simulate_phones(swarm["phones"], timers, servers, swarm["seconds"], seed) for seed in SEEDS]


def compare(swarms: Sequence[dict[str, Any]], abandoned: float) -> Iterator[str]:
    """Yield a table of measured and simulated herds; the first swarm tells the cost of a resync."""
    patient, *herds = swarms
    cost = patient["cpu"] / patient["outcomes"]["200"]
    yield f"One resync: {1000 * cost:.2f} ms of nginx's CPU time; an abandoned one {1000 * abandoned:.2f} ms\n"
    yield "| swarm | figure | measured | simulated | error | simulated, least and most |"
    yield "| --- | --- | ---: | ---: | ---: | ---: |"
    for found in herds:
        swarm = found["swarm"]
        results = simulated(swarm, cost, abandoned)
        drained = f", 503 for {swarm['drained']} s" if swarm.get("drained") else ""
        what = f"{swarm['phones']} phones, {swarm['servers']} server(s) of {swarm['share'] / cost:.1f}/s{drained}"
        for figure, measured, values in _figures(found, results):
            middle = statistics.median(values)
            error = f"{100 * (middle / measured - 1):+.0f} %" if measured else ""
            yield f"| {what} | {figure} | {measured:.1f} | {middle:.1f} | {error} | {min(values):.1f} to {max(values):.1f} |"
            what = ""


def _figures(found: dict[str, Any], results: Sequence[Result]) -> Iterator[tuple[str, float, list[float]]]:
    """Yield name, measured value and simulated values."""
    firsts, outcomes = sorted(found["firsts"]), found["outcomes"]
    for share in SHARES:
        known = firsts[max(0, round(share * len(firsts)) - 1)]
        yield f"{share:.0%} have an answer after, s", known, [result.done[share] for result in results]
    unanswered = sum(number for status, number in outcomes.items() if not status.isdigit())
    yield "requests", len(found["requests"]), [result.requests for result in results]
    yield "without an answer in time", unanswered, [result.unanswered for result in results]
    yield "503", outcomes.get("503", 0), [result.refused for result in results]
    yield "CPU s of the servers", found["cpu"], [result.cpu for result in results]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=[], help=", ".join(PARTS))
    parser.add_argument("--rounds", default="5")
    parser.add_argument("--seconds", default="2")
    parser.add_argument("--keep", action="store_true", help="use a machine that is there, and leave it")
    parser.add_argument("--result", type=Path, help="folder for the figures, JSON")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; parts are {', '.join(PARTS)}")
    chosen = options.parts or PARTS
    folder = options.result or Path(tempfile.mkdtemp(prefix="home-"))
    try:
        set_up()
        costs = ["python3", "home_server.py", "--rounds", options.rounds, "--seconds", options.seconds, "--result", "server.json"]
        on_machine(*costs, *(() if "server" in chosen else ("--only", "abandoned")))
        turns = json.loads(on_machine("cat", "server.json"))["turns"]
        cost = {what: statistics.median(_whole(turn) / turn["number"] for turn in found) for what, found in turns.items()}
        if "swarm" in chosen:
            text = on_machine("python3", "home_swarm.py", json.dumps([PATIENT, *HERDS]))
            (folder / "swarms.jsonl").write_text(text)
            swarms = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
            print("\n".join(compare(swarms, cost[ABANDONED])), flush=True)
        if "server" in chosen:
            (folder / "server.json").write_text(json.dumps(turns))
            print("\n".join(plan(cost[FULL], cost[ABANDONED])), flush=True)
    finally:
        if not options.result:
            shutil.rmtree(folder)
        if not options.keep:
            subprocess.run([MACHINE, "down", NAME], check=True)
    return 0


def _whole(turn: dict[str, Any]) -> float:
    return float(turn["nginx"] + turn["service"] + turn["logs"])


if __name__ == "__main__":
    sys.exit(main())
