# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure the time of a second site run, as a share of the first.

Boot a clean machine, run the site playbook on it once and then --runs times more, and print the ratios.

    tests/machines/machine run .venv/bin/python tests/benchmarks/site.py [--release bookworm] [--runs 3]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
MACHINE = PROJECT / "tests/machines/machine"
NAME = "preprovision-benchmark"


def site() -> float:
    """Run the site playbook; return its seconds."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    playbook = str(Path(sys.executable).parent / "ansible-playbook")
    command = [playbook, "-i", "inventories/demo", "-e", f"ansible_host={NAME}", "voip.preprovision.site"]
    start = time.perf_counter()
    subprocess.run(command, cwd=PROJECT, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> int:
    """Run the benchmark and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--release", default="bookworm")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()

    subprocess.run([MACHINE, "up", NAME, options.release], check=True)
    try:
        first = site()
        print(f"first run {first:.1f} s", flush=True)
        ratios = []
        for number in range(options.runs):
            again = site()
            ratios.append(again / first)
            print(f"run {number + 2} {again:.1f} s, {ratios[-1]:.2f} of the first run", flush=True)
    finally:
        subprocess.run([MACHINE, "down", NAME], check=True)
    print(f"median ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
