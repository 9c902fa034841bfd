# SPDX-License-Identifier: GPL-3.0-or-later
"""The profile service's database in a backup."""

from __future__ import annotations

import os

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.station.backup.archive import BackupError
from ansible_collections.voip.preprovision.plugins.module_utils.station.backup.database import Postgresql, Sqlite, open_database


@pytest.mark.parametrize("url", ["mysql://a/b", "sqlite://relative", ""])
def test_rejects_other_databases(url):
    with pytest.raises(BackupError):
        open_database(url)


def test_recognises_databases_by_their_url():
    assert isinstance(open_database("sqlite:////a/b"), Sqlite)
    assert isinstance(open_database("postgresql+psycopg2://a/b"), Postgresql)


PG_DUMP = """#!/bin/sh
cat "$PGPASSFILE"
printf '%s\\n' "$@"
env
"""


def test_passes_the_postgresql_password_neither_as_an_argument_nor_in_the_environment(tmp_path, monkeypatch):
    (tmp_path / "pg_dump").write_text(PG_DUMP)
    (tmp_path / "pg_dump").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    database = open_database("postgresql://anna:pass%3Aword%5C@db.example.net:5433,192.0.2.2/preprovision?sslmode=require")
    passwords, *rest = database.dump().decode().splitlines()
    assert passwords == r"*:*:*:*:pass\:word\\"
    (url,) = [line.removeprefix("--dbname=") for line in rest if line.startswith("--dbname=")]
    assert url.startswith("postgresql://anna@/preprovision?")
    wanted = {"host=db.example.net,192.0.2.2", "port=5433,5432", "sslmode=require", "target_session_attrs=read-write"}
    assert wanted <= set(url.partition("?")[2].split("&"))
    assert not any(spelling in line for line in rest for spelling in ("pass%3A", "pass:", "word%5C", "word\\"))


def test_reports_a_missing_client_and_a_failing_one(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BackupError, match="install postgresql-client"):
        open_database("postgresql://db.example.net/preprovision").dump()
    (tmp_path / "psql").write_text("#!/bin/sh\necho 'connection refused' >&2\necho 'DETAIL: a row' >&2\nexit 2\n")
    (tmp_path / "psql").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    with pytest.raises(BackupError) as caught:
        Postgresql("postgresql://db.example.net/preprovision").load(b"")
    assert str(caught.value) == "psql: connection refused"
