# SPDX-License-Identifier: GPL-3.0-or-later
"""Set up one new database from several processes at once, as stations do that share it.

    python3 set_up_at_once.py URL

Migrates, sets the board's operators, and stores phones, each from PROCESSES processes that begin at the same moment, and prints how
many of each ended well. Runs as the service's user, with the service's code in the module path.
"""

from __future__ import annotations

import multiprocessing
import sys
import traceback
from typing import Any

from preprovision_service.cli import migrate
from preprovision_service.cli.accounts import set_operators
from preprovision_service.store.connection import engine_of, open_database
from preprovision_service.store.sync import COLUMNS, sync
from preprovision_service.store.tables import Operator, Phone
from sqlalchemy import func, select

PROCESSES = 3
PHONES = [
    {**dict.fromkeys(COLUMNS, ""), "mac": f"00005e0053{number:02x}", "name": f"p{number}", "logs": 1} for number in range(250)
]
OPERATORS = {"anna": "a password of hers", "ben": "a password of his"}

CHANGES = {
    "migrations": lambda sessions: migrate.upgrade(engine_of(sessions)),
    "operators": lambda sessions: set_operators(sessions, OPERATORS, keep=False),
    "phones": lambda sessions: sync(sessions, PHONES, [], {"Example": {}}, {"version": '"1"'}),
}


def change(name: str, url: str, barrier: Any) -> None:
    sessions = open_database(url, create=True)
    barrier.wait()
    try:
        CHANGES[name](sessions)
    except Exception:
        traceback.print_exc(limit=-1)
        raise SystemExit(1) from None


def main(url: str) -> int:
    failed = 0
    for name in CHANGES:
        barrier = multiprocessing.Barrier(PROCESSES)
        started = [multiprocessing.Process(target=change, args=(name, url, barrier)) for _number in range(PROCESSES)]
        for process in started:
            process.start()
        for process in started:
            process.join()
        good = sum(process.exitcode == 0 for process in started)
        print(f"{name}: {good} of {PROCESSES}")
        failed += PROCESSES - good
    with open_database(url)() as session:
        stored = [session.scalar(select(func.count()).select_from(table)) for table in (Phone, Operator)]
    print(f"stored: {stored[0]} phones, {stored[1]} operators")
    return int(failed > 0 or stored != [len(PHONES), len(OPERATORS)])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
