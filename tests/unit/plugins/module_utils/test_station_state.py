# SPDX-License-Identifier: GPL-3.0-or-later
"""What a station has goes into a backup and comes out of it, whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils import station_state as subject
from ansible_collections.voip.preprovision.plugins.module_utils.backup import BackupError, Header, derive
from ansible_collections.voip.preprovision.plugins.module_utils.station_state import (
    Postgresql,
    Sqlite,
    look,
    open_database,
    pack,
    unpack,
)

HEADER = Header("station", "2026-11-24T16:00:00Z", "12", "0011223344556677", 10)
KEYS = derive("correct horse battery", HEADER.salt, HEADER.iterations)
LONG_AGO = 1_700_000_000


class Station:
    """A folder that stands for a machine."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.keys, self.leases, self.database = root / "etc/keys", root / "lib/leases", root / "lib/service.sqlite"
        self.url = f"sqlite:///{self.database}"

    def fill(self, text: str) -> None:
        (self.keys / "devices").mkdir(parents=True)
        (self.keys / "devices/one.key").write_text(f"{text} key")
        (self.keys / "devices/one.key").chmod(0o600)
        (self.keys / "latest").symlink_to("devices/one.key")
        os.utime(self.keys / "devices/one.key", (LONG_AGO, LONG_AGO))
        self.leases.parent.mkdir(exist_ok=True)
        self.leases.write_text(f"{text} lease")
        with contextlib.closing(sqlite3.connect(self.database)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("CREATE TABLE phones (name)")
            connection.execute("INSERT INTO phones VALUES (?)", (text,))
            connection.commit()

    def content(self) -> dict[str, str]:
        found = {path.relative_to(self.root).as_posix(): path for path in self.root.rglob("*") if path.is_file()}
        return {name: path.read_text() for name, path in found.items() if ".sqlite" not in name} | {"rows": self.rows()}

    def rows(self) -> str:
        if not self.database.exists():
            return ""
        with contextlib.closing(sqlite3.connect(self.database)) as connection:
            return str(connection.execute("SELECT name FROM phones").fetchall())


@pytest.fixture
def commands(monkeypatch) -> list[tuple[str, ...]]:
    called: list[tuple[str, ...]] = []

    def systemctl(*arguments: str) -> bool:
        called.append(arguments)
        return arguments[0] != "is-active" or arguments[-1] == "nginx.service"

    monkeypatch.setattr(subject, "_systemctl", systemctl)
    return called


@pytest.fixture
def station(tmp_path, monkeypatch, commands) -> Station:
    made = Station(tmp_path / "station")
    parts = {"state": (str(made.keys), str(made.leases)), "holders": ("nginx.service", "other.service")}
    monkeypatch.setattr(subject, "each", lambda part: iter(parts[part]))
    monkeypatch.setattr(
        subject, "is_of_state", lambda path: any(path == top or path.startswith(f"{top}/") for top in parts["state"])
    )
    monkeypatch.setattr(subject, "_SPARE", 0)
    made.fill("old")
    return made


@pytest.fixture
def backup(station, tmp_path) -> Path:
    path = tmp_path / "backup"
    packed = pack(str(path), HEADER, KEYS, station.url)
    assert packed.database == "sqlite"
    assert packed.paths == [str(station.keys), str(station.leases), str(station.database)]
    return path


def restore(station: Station, backup: Path, only_look: bool = False) -> subject.Restored:
    return unpack(str(backup), "the backup", KEYS, station.url, only_look)


def leftovers(station: Station) -> list[str]:
    return [path.name for path in station.root.rglob("*") if path.name.endswith((".restoring", ".replaced"))]


def test_a_new_machine_becomes_that_station(station, backup):
    before = station.content()
    shutil.rmtree(station.root)
    station.root.mkdir()
    restored = restore(station, backup)
    assert station.content() == before
    assert restored.paths == [str(station.keys), str(station.leases)]
    key = station.keys / "devices/one.key"
    # A certificate's end is reckoned from when it was made
    assert (int(key.stat().st_mtime), key.stat().st_mode & 0o777) == (LONG_AGO, 0o600)
    assert os.readlink(station.keys / "latest") == "devices/one.key"
    assert leftovers(station) == []


def test_another_station_becomes_that_one_and_nothing_of_it_stays(station, backup, commands):
    before = station.content()
    shutil.rmtree(station.root)
    station.fill("new")
    (station.keys / "more.key").write_text("of the other")
    assert restore(station, backup).restarted == ["nginx.service"]
    assert station.content() == before
    assert leftovers(station) == []
    assert [call for call in commands if call[0] in ("stop", "start")] == [("stop", "nginx.service"), ("start", "nginx.service")]


def test_looking_changes_nothing(station, backup, commands):
    shutil.rmtree(station.root)
    station.fill("new")
    before = station.content()
    assert restore(station, backup, only_look=True).database == "sqlite"
    assert station.content() == before
    assert commands == []


def test_rows_that_are_not_in_the_file_yet_are_in_the_backup(station, tmp_path):
    with contextlib.closing(sqlite3.connect(station.database)) as connection:
        connection.execute("INSERT INTO phones VALUES ('late')")
        connection.commit()
        assert station.database.with_name("service.sqlite-wal").stat().st_size
        pack(str(tmp_path / "backup"), HEADER, KEYS, station.url)
        connection.execute("DELETE FROM phones")
        connection.commit()
    restore(station, tmp_path / "backup")
    assert "late" in station.rows()


def broken_at(monkeypatch, name: str, which: int) -> None:
    """Let the *which*-th call of a function of os fail as on a disk that is broken."""
    original, count = getattr(os, name), [0]

    def failing(*arguments, **options):
        count[0] += 1
        if count[0] == which:
            raise OSError(28, "No space left on device", str(arguments[0]))
        return original(*arguments, **options)

    monkeypatch.setattr(subject.os, name, failing)


@pytest.mark.parametrize(
    ("name", "which"), [("mkdir", 1), ("fsync", 1), ("fsync", 3), *(("rename", which) for which in range(1, 7))]
)
def test_a_restore_that_fails_leaves_everything_as_it_was(station, backup, monkeypatch, name, which):
    shutil.rmtree(station.root)
    station.fill("new")
    before = station.content()
    broken_at(monkeypatch, name, which)
    with pytest.raises(BackupError, match="no space"):
        restore(station, backup)
    monkeypatch.undo()
    assert station.content() == before
    assert leftovers(station) == []


def test_a_service_that_does_not_start_takes_everything_back(station, backup, monkeypatch):
    shutil.rmtree(station.root)
    station.fill("new")
    before = station.content()
    monkeypatch.setattr(subject, "_systemctl", lambda *arguments: arguments[0] != "start")
    with pytest.raises(BackupError, match=r"does not start with what the backup holds .*everything is as it was"):
        restore(station, backup)
    assert station.content() == before


def test_what_a_loss_of_power_has_left_is_taken_back_first(station, backup):
    before = station.content()
    os.rename(station.keys, f"{station.keys}.replaced")
    (station.root / "etc/keys.restoring").mkdir()
    station.keys.mkdir()
    restore(station, backup)
    assert station.content() == before
    assert leftovers(station) == []


def test_a_full_disk_is_told_before_anything_changes(station, backup, monkeypatch, commands):
    monkeypatch.setattr(subject, "_SPARE", 1 << 60)
    with pytest.raises(BackupError, match=r"MiB free, and a restore needs .*; nothing was changed"):
        restore(station, backup)
    assert commands == []


def test_what_no_station_keeps_does_not_come_out(station, backup, monkeypatch):
    monkeypatch.setattr(subject, "is_of_state", lambda path: path == str(station.leases))
    with pytest.raises(BackupError, match="which is nothing that a station keeps"):
        restore(station, backup)


def test_a_database_of_another_kind_is_refused(station, backup):
    with pytest.raises(BackupError, match="holds a database of sqlite, and profile_service_database here is of postgresql"):
        unpack(str(backup), "the backup", KEYS, "postgresql://db.example.net/preprovision", False)


def test_a_machine_without_anything_is_no_station(station):
    shutil.rmtree(station.root)
    with pytest.raises(BackupError, match="is no station"):
        look(station.url)


def test_a_damaged_database_is_told(station, tmp_path):
    station.database.write_bytes(b"no database" * 999)
    with pytest.raises(BackupError, match="is damaged"):
        pack(str(tmp_path / "backup"), HEADER, KEYS, station.url)


@pytest.mark.parametrize("url", ["mysql://a/b", "sqlite://relative", ""])
def test_other_databases_are_refused(url):
    with pytest.raises(BackupError):
        open_database(url)


def test_databases_are_told_by_their_url():
    assert isinstance(open_database("sqlite:////a/b"), Sqlite)
    assert isinstance(open_database("postgresql+psycopg2://a/b"), Postgresql)


PG_DUMP = """#!/bin/sh
cat "$PGPASSFILE"
printf '%s\\n' "$@"
env
"""


def test_a_password_of_postgresql_is_neither_an_argument_nor_in_the_environment(tmp_path, monkeypatch):
    (tmp_path / "pg_dump").write_text(PG_DUMP)
    (tmp_path / "pg_dump").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    database = open_database("postgresql://anna:pass%3Aword%5C@db.example.net:5433/preprovision?sslmode=require")
    passwords, *rest = database.dump().decode().splitlines()
    assert passwords == r"*:*:*:*:pass\:word\\"
    assert "--dbname=postgresql://anna@db.example.net:5433/preprovision?sslmode=require" in rest
    assert not any(spelling in line for line in rest for spelling in ("pass%3A", "pass:", "word%5C", "word\\"))


def test_a_missing_client_and_a_failing_one_are_told(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BackupError, match="install postgresql-client"):
        open_database("postgresql://db.example.net/preprovision").dump()
    (tmp_path / "psql").write_text("#!/bin/sh\necho 'connection refused' >&2\necho 'DETAIL: a row' >&2\nexit 2\n")
    (tmp_path / "psql").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    with pytest.raises(BackupError) as caught:
        Postgresql("postgresql://db.example.net/preprovision").load(b"")
    assert str(caught.value) == "psql: connection refused"
