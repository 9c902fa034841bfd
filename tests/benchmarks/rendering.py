# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure what several processes cost that render and seal, compared with one.

    .venv/bin/python tests/benchmarks/rendering.py [--rows 10000] [--pairs 5]

One process and two take turns with the same rows, which have passed their check. The longest part is the CPU time of the process
that needs most, so it hardly depends on other load: as long as each process has a core, a run takes no less, and little more.
Memory is the peak of the processes together.
"""

from __future__ import annotations

import argparse
import gc
import os
import resource
import statistics
import sys
import tempfile
from pathlib import Path

from profiles import GROUPS, MASTER, PUBLICATION, calibration, write_rows


def main() -> int:
    """Measure in turn."""
    from ansible_collections.voip.preprovision.plugins.module_utils.families.catalogue import BUILTIN
    from ansible_collections.voip.preprovision.plugins.module_utils.phones.reader import PhoneReader
    from ansible_collections.voip.preprovision.plugins.module_utils.phones.rows import PhoneRows
    from ansible_collections.voip.preprovision.plugins.module_utils.publishing.publisher import Publisher
    from ansible_collections.voip.preprovision.plugins.module_utils.publishing.settings import Settings
    from ansible_collections.voip.preprovision.plugins.plugin_utils.phone_source import _Rows
    from ansible_collections.voip.preprovision.plugins.plugin_utils.rendering import Comparing, make_files
    from ansible_collections.voip.preprovision.plugins.plugin_utils.validate_phones import ValidatedPhones

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--pairs", type=int, default=5)
    options = parser.parse_args()
    print(calibration())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "phones.csv")
        write_rows(path, options.rows)
        gc.freeze()
        ratios, totals = [], []
        print(f"{'pair':>4} {'one, CPU s':>11} {'two, all CPU s':>15} {'longest part':>13} {'ratio':>6}")
        for pair in range(1, options.pairs + 1):
            found = []
            for processes in (1, 2):
                shared = [value for variables in (GROUPS["all"], *GROUPS["customer"].values()) for value in variables.values()]
                rows = _Rows(PhoneRows(str(path), groups=GROUPS), None)
                settings = Settings(bench_url=PUBLICATION["bench_url"], remote_url=PUBLICATION["remote_url"])
                phones = ValidatedPhones(rows, PhoneReader(BUILTIN, MASTER, None, shared), Publisher(settings))
                comparing = Comparing({}, b"salt", seal=True, max_shown=100)
                before = os.times()
                count = sum(len(files) for _name, files in make_files(phones, comparing, options.rows, processes))
                after = os.times()
                own = after.user - before.user + after.system - before.system
                children = after.children_user - before.children_user + after.children_system - before.children_system
                found.append((own, children, count))
            (one, _none, count), (own, children, same) = found
            assert count == same
            longest = max(own, children / 2)
            ratios.append(longest / one)
            totals.append((own + children) / one)
            print(f"{pair:>4} {one:>11.2f} {own + children:>15.2f} {longest:>13.2f} {ratios[-1]:>6.2f}", flush=True)
    memory = (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss + 2 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    ) // 1024
    print(f"median ratio {statistics.median(ratios):.2f}; all CPU time {statistics.median(totals):.2f} of one's; {memory} MiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
