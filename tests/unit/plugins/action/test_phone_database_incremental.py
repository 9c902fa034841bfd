# SPDX-License-Identifier: GPL-3.0-or-later
"""Storing what changed ends as storing everything does, whatever happened before.

The action runs in this process, and its module on real SQLite files, so that many histories can be tried. In each history the same
is done to two databases: one is filled incrementally, the other with ``full``.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, currently_in_test_context, event, given, settings
from hypothesis import strategies as st
from preprovision_service.store import sync
from preprovision_service.store.connection import engine_of, open_database
from preprovision_service.store.tables import Base
from publication_histories import CHANGES, LINKS, NUMBERS, SETTINGS, Inputs, OwnTarget, run_action

from ansible_collections.voip.preprovision.plugins.action import phone_database as action
from ansible_collections.voip.preprovision.plugins.modules import phone_table
from ansible_collections.voip.preprovision.plugins.plugin_utils import publication

CODE = Path(__file__).parents[4] / "roles/profile_service/files"
READ: list[str] = []
"""Names of the phones that were read."""


class Action(OwnTarget, action.ActionModule):
    """The action, whose target is this process."""

    def _execute_module(self, module_name=None, module_args=None, task_vars=None, **_more):
        assert module_name == "voip.preprovision.phone_table"
        parameters = {name: option.get("default") for name, option in phone_table.ARGUMENT_SPEC.items()} | module_args
        stream = phone_table.open_archive(parameters) if parameters["archive"] else None
        try:
            return phone_table.run(parameters, stream, self._task.check_mode)
        except phone_table.DatabaseError as error:
            return {"failed": True, "msg": str(error)}


class Database:
    """A database, and how it is filled."""

    def __init__(self, root: Path, full: bool) -> None:
        self.root, self.full = root, full
        root.mkdir()
        self.path = root / "service.sqlite"

    def run(self, **arguments: Any) -> dict[str, Any]:
        """Fill it."""
        place = {"database": f"sqlite:///{self.path}", "code": str(CODE), "owner": "nobody-here"}
        return run_action(Action, self.root / "tmp", self.root.parent, full=self.full, **place, **arguments)

    def content(self) -> dict[str, list[tuple[object, ...]]]:
        """Return what the service reads."""
        columns = ",".join((*sync.COLUMNS, "source", "state"))
        queries = {
            "phones": f"SELECT {columns} FROM phones ORDER BY mac",  # noqa: S608 - our own columns
            "settings": "SELECT * FROM settings ORDER BY name",
            "customers": "SELECT * FROM customers ORDER BY name",
        }
        with contextlib.closing(sqlite3.connect(self.path)) as connection:
            return {name: connection.execute(query).fetchall() for name, query in queries.items()}

    def change(self, number: int, how: str) -> None:
        """Change it as another program does."""
        mac = f"00005e0053{number:02x}"
        with contextlib.closing(sqlite3.connect(self.path)) as connection:
            match how:
                case "delete":
                    connection.execute("DELETE FROM phones WHERE mac = ?", (mac,))
                case "version":
                    connection.execute("UPDATE phones SET version = 'x' WHERE mac = ?", (mac,))
                case "scan":
                    connection.execute("UPDATE phones SET source = 'scan' WHERE mac = ?", (mac,))
                case "inputs":
                    connection.execute("UPDATE inputs SET content = substr(content, 1, length(content) - 1)")
                case "forget":
                    connection.execute("DELETE FROM inputs")
                case "settings":
                    connection.execute("UPDATE settings SET value = '\"x\"' WHERE name = 'version'")
            connection.commit()


def copy_database(source: Path, target: Path) -> None:
    """Make *target* what *source* is."""
    with contextlib.closing(sqlite3.connect(source)) as one, contextlib.closing(sqlite3.connect(target)) as other:
        one.backup(other)


class World(Inputs):
    """The inputs of both databases, and these."""

    def __init__(self, root: Path, empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(root, {**LINKS, "customers": {}, "redirects": {}})
        self.databases = [Database(root / "incremental", False), Database(root / "full", True)]
        for database in self.databases:
            copy_database(empty, database.path)
        monkeypatch.setattr(publication, "code_version", lambda: self.code)
        monkeypatch.setattr(sync.secrets, "token_hex", lambda size: "5a" * size)

    def apply(self, operation: tuple) -> None:
        super().apply(operation)
        match operation:
            case ("change", number, how):
                for database in self.databases:
                    database.change(number, how)
            case ("copy",):
                copy_database(self.databases[0].path, self.root / "copy.sqlite")
            case ("restore",):
                if (self.root / "copy.sqlite").exists():
                    for database in self.databases:
                        copy_database(self.root / "copy.sqlite", database.path)

    def fill(self, **more: Any) -> None:
        """Fill both; what they do, say and contain must be the same."""
        arguments = {**self.arguments(), **more}
        first, second = (database.run(**arguments) for database in self.databases)
        assert first == second
        if currently_in_test_context():
            event("refused" if "failed" in first else f"{first['upserted']} stored")
        assert self.databases[0].content() == self.databases[1].content()


@pytest.fixture(scope="module")
def empty(tmp_path_factory) -> Path:
    """Return a database without phones."""
    path = tmp_path_factory.mktemp("empty") / "service.sqlite"
    sessions = open_database(f"sqlite:///{path}", create=True)
    Base.metadata.create_all(engine_of(sessions))
    engine_of(sessions).dispose()
    return path


@pytest.fixture
def quick(monkeypatch) -> None:
    """Skip what is only for the real target."""
    monkeypatch.setattr("preprovision_service.store.faults.fault_of_revision", lambda _connection: None)
    monkeypatch.setattr(sys, "path", [*sys.path])


OPTIONS = (
    *SETTINGS,
    *(("customers", value) for value in ({}, {"acme": {"redirect": "https://other.example.com/"}})),
    *(("redirects", value) for value in ({}, {"00:00:5e:00:53:01": "https://other.example.com/"})),
)
OPERATIONS = st.one_of(
    *CHANGES,
    st.sampled_from(OPTIONS).map(lambda option: ("option", *option)),
    st.tuples(st.just("change"), NUMBERS, st.sampled_from(["delete", "version", "scan", "inputs", "forget", "settings"])),
    st.just(("copy",)),
    st.just(("restore",)),
    st.just(("rearm",)),
)


@settings(
    max_examples=int(os.environ.get("INCREMENTAL_EXAMPLES", "12")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(history=st.lists(OPERATIONS, min_size=3, max_size=12))
def test_storing_what_changed_is_storing_everything(tmp_path_factory, quick, empty, history):
    with pytest.MonkeyPatch.context() as monkeypatch:
        folder = tmp_path_factory.mktemp("history")
        world = World(folder / "world", empty, monkeypatch)
        world.fill()
        for operation in history:
            event(operation[0])
            world.apply(operation)
            world.fill(**({"rearm": ["all"]} if operation[0] == "rearm" else {}))
        shutil.rmtree(folder)


@pytest.fixture
def world(tmp_path, quick, empty, monkeypatch) -> World:
    """Return six phones that are stored."""
    found = World(tmp_path / "world", empty, monkeypatch)
    for number in range(6):
        customer = "acme" if number % 2 else "globex"
        found.phones[number] = {"phone_model": "ATA192", "phone_customer": customer, "name": f"desk-{number}"}
    real = action.record_of
    monkeypatch.setattr(action, "record_of", lambda *values: READ.append(values[1].name) or real(*values))
    found.fill()
    return found


def read_by(world: World) -> tuple[list[str], int]:
    """Fill the first database; return the names of the phones that were read, and how many were stored."""
    READ.clear()
    found = world.databases[0].run(**world.arguments())
    assert "failed" not in found, found
    return READ.copy(), found["upserted"]


def test_reads_only_phones_with_other_inputs(world):
    assert read_by(world) == ([], 0)
    world.apply(("cell", 3, "phone_lines.1.user_id", "100"))
    assert read_by(world) == (["desk-3"], 1)
    world.apply(("group", "acme", "GMT+01:00"))
    assert read_by(world) == (["desk-1", "desk-3", "desk-5"], 3)
    world.apply(("turn",))
    assert read_by(world) == ([], 0)
    world.apply(("drop", 4))
    assert read_by(world) == ([], 0)
    assert len(world.databases[0].content()["phones"]) == 5
    world.apply(("change", 2, "delete"))
    assert read_by(world) == (["desk-5", "desk-3", "desk-2", "desk-1", "desk-0"], 1)
    assert read_by(world) == ([], 0)


def test_stores_new_redirects(world):
    world.apply(("option", "redirects", {"00:00:5e:00:53:01": "https://other.example.com/"}))
    assert read_by(world) == ([f"desk-{number}" for number in range(6)], 1)
    world.apply(("option", "customers", {"acme": {"redirect": "https://other.example.com/"}}))
    assert read_by(world) == ([], 0)
    assert world.databases[0].content()["customers"] == [("acme", "", "https://other.example.com/")]


def test_reads_all_phones_on_request(world):
    world.databases[0].full = True
    assert read_by(world) == ([f"desk-{number}" for number in range(6)], 0)


def test_check_mode_stores_nothing(world):
    world.apply(("cell", 3, "phone_lines.1.user_id", "100"))
    before = world.databases[0].content()
    found = world.databases[0].run(check=True, **world.arguments())
    assert (found["changed"], found["upserted"]) == (True, 1)
    assert world.databases[0].content() == before
    assert read_by(world) == (["desk-3"], 1)
