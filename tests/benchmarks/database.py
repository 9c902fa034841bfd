# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure what filling the profile service's database costs, the first time and again, compared with an earlier commit.

    .venv/bin/python tests/benchmarks/database.py --before FOLDER [--rows 100000] [--rounds 3]

FOLDER is a checkout of the earlier commit in which ``make tools build/service`` has run, as here. Both fill SQLite databases of
their own with the same rows on the local connection, and then take turns as incremental.py does, which tells what the figures are.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from incremental import Cost, Side, compare
from profiles import PROJECT, PUBLICATION, calibration


class Filling(Side):
    """A checkout, and the database that it fills."""

    def __init__(self, name: str, project: Path, folder: Path) -> None:
        super().__init__(name, project, folder)
        self.url = f"sqlite:///{self.folder}/service.sqlite"
        self.code = project / "build/service"
        configuration = self.folder / "config.json"
        configuration.write_text(json.dumps({"DATABASE": self.url}))
        variables = {"PREPROVISION_SERVICE_CONFIG": str(configuration), "STATE_DIRECTORY": str(self.folder)}
        command = [str(project / ".venv/bin/python"), "-m", "preprovision_service.cli.migrate"]
        subprocess.run(command, cwd=self.code, env={**os.environ, **variables, "PYTHONPATH": str(self.code)}, check=True)

    def publish(self, inventory: Path, rows: Path, groups: dict[str, Any]) -> Cost:
        """Fill the database, and return the cost beyond the empty playbook."""
        place = {"database": self.url, "code": str(self.code), "owner": "root", "bench_delivery": "certificate"}
        arguments = {name: value for name, value in PUBLICATION.items() if name != "purge"}
        task = {"voip.preprovision.phone_database": {**arguments, **place, "rows": str(rows), "groups": groups}}
        return self.cost(inventory, task, "upserted")


def main() -> int:
    """Run both sides in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(calibration())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sides = (Filling("before", options.before, folder), Filling("after", PROJECT, folder))
        compare(folder, sides, options.rows, options.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
