# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure what publishing costs again, in proportion to what changed, compared with an earlier commit.

    .venv/bin/python tests/benchmarks/incremental.py --before FOLDER [--rows 100000] [--rounds 3] [--folder FOLDER]

FOLDER is a checkout of the earlier commit in which ``make tools`` has run. Both publish the same rows, each to a folder of its own,
on the local connection; then they take turns with nothing changed, with one phone changed, and with one group of phones changed.
Seconds are those beyond an empty playbook, CPU seconds (user and system) those of all processes, without those of the empty
playbook. Phones are those of profiles.py.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from profiles import GROUPS, PROJECT, PUBLICATION, calibration, write_inventory, write_rows


class Cost(NamedTuple):
    """What a run took."""

    seconds: float
    cpu: float
    memory: int
    """MiB, of the largest process."""
    sent: int


class Side:
    """A checkout, and the folder that it publishes to."""

    def __init__(self, name: str, project: Path, folder: Path) -> None:
        self.name, self.project, self.folder = name, project, folder / name
        self.folder.mkdir(exist_ok=True)
        self.environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        self.environment["ANSIBLE_CONFIG"] = str(project / "ansible.cfg")
        self.environment["ANSIBLE_COLLECTIONS_PATH"] = str(project / ".cache/collections")

    def run(self, inventory: Path, tasks: list[dict[str, Any]]) -> Cost:
        """Run a playbook with these tasks."""
        play = [{"hosts": "stations", "gather_facts": False, "tasks": tasks}]
        playbook = self.folder / "playbook.json"
        playbook.write_text(json.dumps(play))
        command = [str(self.project / ".venv/bin/ansible-playbook"), "-i", str(inventory), str(playbook)]
        start = time.perf_counter()
        process = subprocess.Popen(command, cwd=self.project, env=self.environment, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        output = process.stdout.read()
        _pid, status, usage = os.wait4(process.pid, 0)
        if status:
            sys.exit(f"{self.name} failed:\n{output}")
        sent = output.partition("sent=")[2].partition(" ")[0]
        return Cost(time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss // 1024, int(sent or 0))

    def publish(self, inventory: Path, rows: Path, groups: dict[str, Any]) -> Cost:
        """Publish, and return the cost beyond the empty playbook."""
        arguments = {**PUBLICATION, "dest": str(self.folder / "srv"), "device_group": "root", "unit_group": "root"}
        return self.cost(inventory, {"voip.preprovision.profiles": {**arguments, "rows": str(rows), "groups": groups}}, "sent")

    def cost(self, inventory: Path, task: dict[str, Any], sent: str) -> Cost:
        """Return the cost of a task beyond the empty playbook. *sent*: the result that tells how much it sent."""
        empty = self.run(inventory, [])
        shown = {"ansible.builtin.debug": {"msg": f"sent={{{{ found.{sent} }}}} in all"}}
        cost = self.run(inventory, [{**task, "register": "found"}, shown])
        return cost._replace(seconds=cost.seconds - empty.seconds, cpu=cost.cpu - empty.cpu)


def changed_groups(number: int) -> dict[str, Any]:
    """Return groups of which one has another value than before."""
    groups = copy.deepcopy(GROUPS)
    groups["customer"]["customer_3"]["phone_parameters_customer"]["Time_Zone"] = f"GMT+{number % 10:02}:00"
    return groups


def compare(folder: Path, sides: tuple[Side, Side], count: int, rounds: int) -> None:
    """Let both sides publish *count* rows in turn, and print what that cost."""
    inventory, rows = folder / "inventory-station.json", folder / "phones.csv"
    write_inventory(inventory, 0)
    found: dict[tuple[str, str], list[Cost]] = {}
    groups: dict[str, Any] = GROUPS

    def measure(step: str) -> None:
        for side in sides:
            cost = side.publish(inventory, rows, groups)
            found.setdefault((step, side.name), []).append(cost)
            figures = f"{cost.seconds:>7.2f} s {cost.cpu:>7.2f} CPU s {cost.sent:>7} sent {cost.memory:>5} MiB"
            print(f"{step:<18} {side.name:<7} {figures}", flush=True)

    write_rows(rows, count)
    measure("first")
    for number in range(1, rounds + 1):
        measure("nothing changed")
        text = rows.read_text(encoding="utf-8")
        rows.write_text(text.replace("Room 7 &", f"Hall {number} &", 1), encoding="utf-8")
        measure("one phone changed")
        rows.write_text(text, encoding="utf-8")
        measure("changed back")
        groups = changed_groups(number)
        measure("one group changed")
    print(f"{'step':<18} {'before s':>9} {'after s':>8} {'ratio':>6} {'before CPU':>11} {'after CPU':>10} {'ratio':>6}")
    for step in dict.fromkeys(step for step, _side in found):
        before, after = found[step, "before"], found[step, "after"]
        parts = []
        for field in ("seconds", "cpu"):
            was, now = ([getattr(cost, field) for cost in costs] for costs in (before, after))
            ratio = statistics.median(new / old for old, new in zip(was, now, strict=True))
            parts += [statistics.median(was), statistics.median(now), ratio]
        print("{:<18} {:>9.2f} {:>8.2f} {:>6.3f} {:>11.2f} {:>10.2f} {:>6.3f}".format(step, *parts))


def main() -> int:
    """Run both sides in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    print(calibration())
    with tempfile.TemporaryDirectory() as name:
        folder = options.folder or Path(name)
        folder.mkdir(exist_ok=True)
        compare(folder, (Side("before", options.before, folder), Side("after", PROJECT, folder)), options.rows, options.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
