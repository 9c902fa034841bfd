# SPDX-License-Identifier: GPL-3.0-or-later
"""The migrations lead to the tables that the code uses."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from preprovision_service import app
from preprovision_service.cli import migrate
from preprovision_service.store.connection import engine_of, open_database
from preprovision_service.store.tables import Base
from sqlalchemy import inspect, text
from sqlalchemy.engine import Engine


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """Return an empty database."""
    return engine_of(open_database(f"sqlite:///{tmp_path}/service.sqlite", create=True))


def test_the_newest_revision_matches_the_models(engine: Engine) -> None:
    migrate.upgrade(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
        assert context.get_current_revision()
    # Again, with all there
    migrate.upgrade(engine)


def test_upgrades_and_downgrades(engine: Engine) -> None:
    migrate.upgrade(engine)
    with engine.connect() as connection:
        command.downgrade(migrate.configuration(connection), "base")
    assert inspect(engine).get_table_names() == ["alembic_version"]
    migrate.upgrade(engine)
    assert {*Base.metadata.tables} < {*inspect(engine).get_table_names()}


def test_keeps_milestones_from_events(engine: Engine) -> None:
    migrate.upgrade(engine, "0002")
    names = "name, serial, model, family, customer, source, variables, version, redirect, state, since, reason, address, firmware"
    names += ", profile_hash, subject, customization, packed_by"
    phone = f"INSERT INTO phones (mac, {names}) VALUES (:mac{', :mac' * len(names.split(','))})"  # noqa: S608
    row = "INSERT INTO events (key, time, mac, address, kind, detail) VALUES (:key, :key, :mac, '', :kind, :detail)"
    kinds = [
        ("lease", "{}"),
        ("lease", "{}"),
        ("resync", '{"what":"failure"}'),
        ("resync", '{"what": "success"}'),
        ("packed", "{}"),
    ]
    with engine.begin() as connection:
        connection.execute(text(phone), [{"mac": mac} for mac in ("00005e005301", "00005e005302")])
        events = [
            {"key": key, "mac": "00005e005301", "kind": kind, "detail": detail} for key, (kind, detail) in enumerate(kinds, 1)
        ]
        connection.execute(text(row), events)
        connection.execute(text("INSERT INTO reports VALUES (1, '00005e005301', 1, '', '', '', '', 0, '')"))
    migrate.upgrade(engine)
    with engine.connect() as connection:
        found = connection.execute(
            text("SELECT first_leased, first_profile, first_resynced, first_packed FROM phones ORDER BY mac")
        )
        assert [tuple(one) for one in found] == [(1, 0, 4, 5), (0, 0, 0, 0)]
        command.downgrade(migrate.configuration(connection), "0002")
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM reports")).scalar() == 1


def test_phones_that_were_done_before_need_no_file(engine: Engine) -> None:
    migrate.upgrade(engine, "0003")
    names = "name, serial, model, family, customer, source, variables, version, redirect, reason, address, firmware, profile_hash"
    names += ", subject, customization, packed_by"
    columns = names.count(",") + 1
    phone = f"INSERT INTO phones (mac, state, since, {names}) VALUES (:mac, :state, 7{', :mac' * columns})"  # noqa: S608
    states = ("expected", "profile", "resynced", "reported", "packed", "failed")
    with engine.begin() as connection:
        connection.execute(text(phone), [{"mac": f"00005e00530{number}", "state": state} for number, state in enumerate(states)])
    migrate.upgrade(engine)
    with engine.connect() as connection:
        found = connection.execute(text("SELECT unit_file, logs, done FROM phones ORDER BY mac")).all()
        assert [tuple(one) for one in found] == [("", 1, done) for done in (0, 0, 7, 7, 7, 0)]
    with engine.connect() as connection:
        command.downgrade(migrate.configuration(connection), "0003")
    assert "done" not in {column["name"] for column in inspect(engine).get_columns("phones")}


def test_packed_phones_stay_so_on_the_way_to_deployed_ones_and_back(engine: Engine) -> None:
    migrate.upgrade(engine, "0006")
    names = "name, serial, model, family, customer, source, variables, version, redirect, reason, address, firmware, profile_hash"
    names += ", subject, customization, packed_by"
    columns = names.count(",") + 1
    phone = f"INSERT INTO phones (mac, state, since, {names}) VALUES (:mac, :state, :since{', :mac' * columns})"  # noqa: S608
    rows = [("resynced", 5), ("packed", 7), ("packed", 9)]
    given = [{"mac": f"00005e00530{number}", "state": state, "since": since} for number, (state, since) in enumerate(rows)]
    with engine.begin() as connection:
        connection.execute(text(phone), given)
    migrate.upgrade(engine)
    with engine.begin() as connection:
        assert connection.execute(text("SELECT packed FROM phones ORDER BY mac")).scalars().all() == [0, 7, 9]
        # A server with the earlier release goes on writing
        connection.execute(text(phone), {"mac": "00005e005303", "state": "expected", "since": 3})
        connection.execute(
            text("INSERT INTO events (key, time, mac, address, kind, detail) VALUES ('k', 1, '', '', 'http', '{}')"),
        )
        connection.execute(text("UPDATE phones SET state = 'deployed', since = 20, contact = 20 WHERE since = 9"))
    with engine.connect() as connection:
        command.downgrade(migrate.configuration(connection), "0006")
    with engine.connect() as connection:
        found = connection.execute(text("SELECT state, since FROM phones ORDER BY mac")).all()
        assert [tuple(one) for one in found] == [*rows, ("expected", 3)]


def test_an_interrupted_migration_changes_nothing(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE reports (id INTEGER)"))
    with pytest.raises(Exception, match="already exists"):
        migrate.upgrade(engine)
    assert inspect(engine).get_table_names() == ["reports"]


def test_migrates_before_the_service_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.json").write_text(f'{{"DATABASE": "sqlite:///{tmp_path}/service.sqlite"}}')
    monkeypatch.setenv("PREPROVISION_SERVICE_CONFIG", str(tmp_path / "config.json"))
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    migrate.main()
    assert app.application().test_client().get("/health").status_code == 200
