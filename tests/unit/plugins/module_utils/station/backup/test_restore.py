# SPDX-License-Identifier: GPL-3.0-or-later
"""Back up a station, and restore it completely or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.station.backup import file_swap, packing
from ansible_collections.voip.preprovision.plugins.module_utils.station.backup import restore as backup_restore
from ansible_collections.voip.preprovision.plugins.module_utils.station.backup.archive import BackupError, Header, derive
from ansible_collections.voip.preprovision.plugins.module_utils.station.backup.packing import find_state, pack

HEADER = Header("station", "2026-11-24T16:00:00Z", "12", "0011223344556677", 10)
KEYS = derive("correct horse battery", HEADER.salt, HEADER.iterations)
LONG_AGO = 1_700_000_000


class Station:
    """A folder in the place of a station's root."""

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

    monkeypatch.setattr(backup_restore, "systemctl", systemctl)
    return called


@pytest.fixture
def station(tmp_path, monkeypatch, commands) -> Station:
    made = Station(tmp_path / "station")
    parts = {"state": (str(made.keys), str(made.leases)), "stop_for_restore": ("nginx.service", "other.service")}
    for module in (packing, backup_restore):
        monkeypatch.setattr(module, "across_roles", lambda part: iter(parts[part]))
        monkeypatch.setattr(
            module, "is_of_state", lambda path: any(path == top or path.startswith(f"{top}/") for top in parts["state"])
        )
    monkeypatch.setattr(backup_restore, "_SPARE", 0)
    made.fill("old")
    return made


@pytest.fixture
def backup(station, tmp_path) -> Path:
    path = tmp_path / "backup"
    packed = pack(str(path), HEADER, KEYS, station.url)
    assert packed.database == "sqlite"
    assert packed.paths == [str(station.keys), str(station.leases), str(station.database)]
    return path


def restore(station: Station, backup: Path, dry_run: bool = False) -> backup_restore.Restored:
    return backup_restore.restore(str(backup), "the backup", KEYS, station.url, dry_run)


def remains(station: Station) -> list[str]:
    return [path.name for path in station.root.rglob("*") if path.name.endswith((".restoring", ".replaced"))]


def test_restores_a_station_on_a_new_host(station, backup):
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
    assert remains(station) == []


def test_replaces_the_whole_state_of_another_station(station, backup, commands):
    before = station.content()
    shutil.rmtree(station.root)
    station.fill("new")
    (station.keys / "more.key").write_text("of the other")
    assert restore(station, backup).restarted == ["nginx.service"]
    assert station.content() == before
    assert remains(station) == []
    assert [call for call in commands if call[0] in ("stop", "start")] == [("stop", "nginx.service"), ("start", "nginx.service")]


def test_a_dry_run_changes_nothing(station, backup, commands):
    shutil.rmtree(station.root)
    station.fill("new")
    before = station.content()
    assert restore(station, backup, dry_run=True).database == "sqlite"
    assert station.content() == before
    assert commands == []


def test_backs_up_rows_that_are_only_in_the_write_ahead_log(station, tmp_path):
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
    """Make the *which*-th call of a function of os fail, as on a full disk."""
    original, count = getattr(os, name), [0]

    def failing(*arguments, **options):
        count[0] += 1
        if count[0] == which:
            raise OSError(28, "No space left on device", str(arguments[0]))
        return original(*arguments, **options)

    monkeypatch.setattr(file_swap.os, name, failing)


@pytest.mark.parametrize(
    ("name", "which"), [("mkdir", 1), ("fsync", 1), ("fsync", 3), *(("rename", which) for which in range(1, 7))]
)
def test_a_failed_restore_changes_nothing(station, backup, monkeypatch, name, which):
    shutil.rmtree(station.root)
    station.fill("new")
    before = station.content()
    broken_at(monkeypatch, name, which)
    with pytest.raises(BackupError, match="no space"):
        restore(station, backup)
    monkeypatch.undo()
    assert station.content() == before
    assert remains(station) == []


def test_undoes_the_restore_if_a_service_does_not_start(station, backup, monkeypatch):
    shutil.rmtree(station.root)
    station.fill("new")
    before = station.content()
    monkeypatch.setattr(backup_restore, "systemctl", lambda *arguments: arguments[0] != "start")
    with pytest.raises(BackupError, match=r"does not start with the restored state .*everything is as it was"):
        restore(station, backup)
    assert station.content() == before


def test_first_undoes_a_restore_that_a_power_failure_interrupted(station, backup):
    before = station.content()
    os.rename(station.keys, f"{station.keys}.replaced")
    (station.root / "etc/keys.restoring").mkdir()
    station.keys.mkdir()
    restore(station, backup)
    assert station.content() == before
    assert remains(station) == []


def test_rejects_a_full_disk_before_anything_changes(station, backup, monkeypatch, commands):
    monkeypatch.setattr(backup_restore, "_SPARE", 1 << 60)
    with pytest.raises(BackupError, match=r"MiB free, but a restore needs .* MiB; nothing was changed"):
        restore(station, backup)
    assert commands == []


def test_rejects_a_path_that_is_not_part_of_the_state(station, backup, monkeypatch):
    monkeypatch.setattr(backup_restore, "is_of_state", lambda path: path == str(station.leases))
    with pytest.raises(BackupError, match="which is not part of a station's state"):
        restore(station, backup)


def test_rejects_a_database_of_another_kind(station, backup):
    with pytest.raises(BackupError, match="contains a sqlite database, but profile_service_database names a postgresql one"):
        backup_restore.restore(str(backup), "the backup", KEYS, "postgresql://db.example.net/preprovision", False)


def test_rejects_a_host_that_is_not_a_station(station):
    shutil.rmtree(station.root)
    with pytest.raises(BackupError, match=r"^this host is not a station"):
        find_state(station.url)


def test_rejects_a_damaged_database(station, tmp_path):
    station.database.write_bytes(b"no database" * 999)
    with pytest.raises(BackupError, match="is damaged"):
        pack(str(tmp_path / "backup"), HEADER, KEYS, station.url)
