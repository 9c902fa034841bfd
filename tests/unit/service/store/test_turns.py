# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that change the whole database at the same moment wait for each other.

extensions/molecule/station/postgresql.yml does the same with PostgreSQL, from two machines.
"""

from __future__ import annotations

import multiprocessing
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from preprovision_service.cli import migrate
from preprovision_service.cli.accounts import set_operators
from preprovision_service.store.connection import engine_of, open_database
from preprovision_service.store.sync import COLUMNS, sync
from preprovision_service.store.tables import Operator, Phone
from sqlalchemy import func, select

PROCESSES = 4
PHONES = [{**dict.fromkeys(COLUMNS, ""), "mac": f"00005e0053{number:02x}", "name": f"p{number}", "logs": 1} for number in range(50)]
OPERATORS = {"anna": "a password of hers", "ben": "a password of his"}

CHANGES: dict[str, Callable[[Any], object]] = {
    "migrations": lambda sessions: migrate.upgrade(engine_of(sessions)),
    "operators": lambda sessions: set_operators(sessions, OPERATORS, keep=False),
    "phones": lambda sessions: sync(sessions, PHONES, [], {"Example": {}}, {"version": '"1"'}),
}


def change(name: str, url: str, barrier: Any, errors: Any) -> None:
    sessions = open_database(url, create=True)
    barrier.wait()
    try:
        CHANGES[name](sessions)
    except Exception:
        errors.put(traceback.format_exc(limit=-1))


def at_once(name: str, url: str) -> list[str]:
    """Start a change in several processes at the same moment; return their errors."""
    context = multiprocessing.get_context("fork")
    barrier, errors = context.Barrier(PROCESSES), context.SimpleQueue()
    started = [context.Process(target=change, args=(name, url, barrier, errors)) for _number in range(PROCESSES)]
    for process in started:
        process.start()
    for process in started:
        process.join()
    return [errors.get() for _number in range(PROCESSES) if not errors.empty()]


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Return the URL of a database that nobody has opened yet."""
    return f"sqlite:///{tmp_path}/service.sqlite"


def test_migrations_of_a_new_database(url: str) -> None:
    assert at_once("migrations", url) == []


def test_operators_and_phones_of_several_playbooks(url: str) -> None:
    migrate.upgrade(engine_of(open_database(url, create=True)))
    for name in ("operators", "phones"):
        assert at_once(name, url) == []
    with open_database(url)() as session:
        assert session.scalar(select(func.count()).select_from(Phone)) == len(PHONES)
        assert session.scalar(select(func.count()).select_from(Operator)) == len(OPERATORS)
