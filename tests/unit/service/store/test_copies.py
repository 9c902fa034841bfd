# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies of the database are good, few and durable, and a damaged or deleted one is replaced by the newest good copy."""

from __future__ import annotations

import os
import shutil
import sqlite3
import syslog
from collections import namedtuple
from pathlib import Path

import pytest
from preprovision_service.cli import database, migrate
from preprovision_service.domain.common.database_faults import Case
from preprovision_service.store import copies as module
from preprovision_service.store.connection import engine_of, open_database
from preprovision_service.store.copies import CopyError, copies, heal, make_copy
from preprovision_service.store.faults import HEALING, explain
from preprovision_service.store.tables import Customer, Event
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError


@pytest.fixture
def path(empty_database: Path, tmp_path: Path) -> Path:
    return shutil.copyfile(empty_database, tmp_path / "service.sqlite")


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what goes to the journal with the priority alert."""
    texts: list[str] = []
    monkeypatch.setattr(syslog, "syslog", lambda priority, text: texts.append(f"{priority == syslog.LOG_ALERT}: {text}"))
    return texts


def store(path: Path, name: str) -> None:
    sessions = open_database(f"sqlite:///{path}")
    with sessions.begin() as session:
        session.add(Customer(name=name))
    engine_of(sessions).dispose()


def stored(path: Path) -> list[str]:
    sessions = open_database(f"sqlite:///{path}")
    with sessions() as session:
        found = list(session.scalars(select(Customer.name)))
    engine_of(sessions).dispose()
    return found


def damage(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (path.stat().st_size - 4096))


def ask(path: Path) -> Case:
    """Use the database as the service does; return what is said of it."""
    sessions = open_database(f"sqlite:///{path}")
    with pytest.raises(SQLAlchemyError) as error, sessions() as session:
        session.scalars(select(Event.id)).all()
    fault = explain(error.value, engine_of(sessions))
    assert fault.text.endswith(HEALING)
    return fault.case


def test_the_two_newest_copies_are_kept(path: Path) -> None:
    for name in ("one", "two", "three"):
        store(path, name)
        make_copy(str(path))
    assert [copy.name for copy in copies(str(path))] == ["1.sqlite", "2.sqlite"]
    assert [stored(copy) for copy in copies(str(path))] == [["one", "three", "two"], ["one", "two"]]
    assert {copy.stat().st_mode & 0o777 for copy in copies(str(path))} == {0o600}
    assert not [name for name in os.listdir(path.parent / "copies") if name.startswith("part")]


def test_a_copy_has_what_is_in_the_log_only(path: Path) -> None:
    sessions = open_database(f"sqlite:///{path}")
    with sessions.begin() as session:
        session.add(Customer(name="in the log"))
    # The connection stays open, so that nothing has gone from the log into the file
    assert path.with_name("service.sqlite-wal").stat().st_size > 0
    assert stored(make_copy(str(path))) == ["in the log"]


def test_a_damaged_database_replaces_no_copy(path: Path, said: list[str]) -> None:
    store(path, "good")
    make_copy(str(path))
    damage(path)
    assert database.check(str(path)) == 1
    assert said[0].startswith(f"True: the database {path} is damaged (")
    assert said[0].endswith("; the newest good copy will replace it")
    assert [stored(copy) for copy in copies(str(path))] == [["good"]]
    assert (path.parent / "copies" / "heal").exists()


def test_a_damaged_database_without_a_copy_is_only_reported(path: Path, said: list[str]) -> None:
    damage(path)
    before = path.read_bytes()
    assert database.check(str(path)) == 1
    assert said[0].endswith("Restore a backup: ansible-playbook voip.preprovision.restore -e backup_file=FILE")
    with pytest.raises(CopyError, match="there is no good copy of it; restore a backup"):
        heal(str(path))
    assert path.read_bytes() == before


def test_no_copy_fills_the_disk(path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: namedtuple("Usage", "total used free")(9 << 30, 0, 1 << 20))
    assert database.check(str(path)) == 1
    assert said == [f"True: {path.parent}/copies has 1 MiB free, but a copy of the database needs 1 MiB; free some space"]


@pytest.mark.parametrize("broken", [damage, lambda path: os.truncate(path, 0), Path.unlink], ids=["damaged", "emptied", "deleted"])
def test_whoever_finds_it_broken_has_it_healed(broken, path: Path, said: list[str]) -> None:
    store(path, "kept")
    make_copy(str(path))
    store(path, "lost")
    broken(path)
    for end in ("-wal", "-shm"):
        path.with_name(path.name + end).unlink(missing_ok=True)
    assert ask(path) in (Case.DAMAGED, Case.DELETED)
    assert (path.parent / "copies" / "heal").exists()
    assert database.restore(str(path)) == 0
    assert stored(path) == ["kept"]
    assert not (path.parent / "copies" / "heal").exists()
    assert said[0].startswith(f"True: the database {path} was damaged or deleted (")
    assert "of < 1 min since then are lost. Run voip.preprovision.profiles" in said[0]
    assert path.with_name("service.sqlite.damaged").exists() is (broken is not Path.unlink)
    assert heal(str(path)) is None


def test_an_old_log_is_not_applied_to_the_copy(path: Path) -> None:
    store(path, "kept")
    make_copy(str(path))
    sessions = open_database(f"sqlite:///{path}")
    with sessions.begin() as session:
        session.add(Customer(name="lost"))
    assert path.with_name("service.sqlite-wal").stat().st_size > 0
    damage(path)
    heal(str(path))
    assert stored(path) == ["kept"]


def test_a_damaged_copy_is_passed_over(path: Path) -> None:
    for name in ("one", "two"):
        store(path, name)
        make_copy(str(path))
    damage(copies(str(path))[0])
    damage(path)
    healed = heal(str(path))
    assert healed is not None
    assert stored(path) == ["one"]


def test_it_is_not_healed_again_and_again(path: Path) -> None:
    make_copy(str(path))
    damage(path)
    assert module.ask_for_healing(str(path))
    heal(str(path))
    assert not module.ask_for_healing(str(path))


def test_a_deleted_database_is_not_replaced_by_an_empty_one(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_copy(str(path))
    path.unlink()
    monkeypatch.setattr(migrate, "read_settings", lambda: {"DATABASE": f"sqlite:///{path}"})
    with pytest.raises(SystemExit, match=r"was deleted or emptied\. Its newest good copy will replace it"):
        migrate.main()
    assert not path.exists()


def test_a_lock_is_no_damage(path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    real = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *given, **more: real(*given, **{**more, "timeout": 0}))
    make_copy(str(path))
    holder = real(path, isolation_level=None)
    holder.execute("PRAGMA locking_mode=EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")
    holder.execute("DELETE FROM settings")
    assert database.check(str(path)) == 1
    holder.close()
    assert "is locked by another program" in said[0]
    assert not (path.parent / "copies" / "heal").exists()
