# SPDX-License-Identifier: GPL-3.0-or-later
"""Code works with tables that are one release newer, if their migration only adds; docs/contributors/migrations.md has the rule."""

from __future__ import annotations

import ast
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from preprovision_service.cli import migrate, usable
from preprovision_service.cli.accounts import set_operators
from preprovision_service.ingest.collector import Collector
from preprovision_service.store import faults
from preprovision_service.store.connection import engine_of, open_database
from preprovision_service.store.faults import REVISIONS
from preprovision_service.store.sync import COLUMNS, sync
from preprovision_service.store.tables import Event, Operator, Phone, Setting
from preprovision_service.store.trial import try_to_write
from sqlalchemy import func, inspect, select, update

VERSIONS = migrate.MIGRATIONS / "versions"
FIRST_BOUND = "0007"
"""Earlier migrations came before servers were upgraded one after the other."""
HARMLESS = {"add_column", "create_table", "create_index", "execute"}

NEWER = '''"""What a later release may add."""
import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = "{before}"
oldest_code = "{oldest}"


def upgrade():
    op.create_table("visits", sa.Column("mac", sa.String(12), primary_key=True))
    op.create_index("phones_by_visit", "phones", ["since", "mac"])
    for table in ("phones", "events", "reports", "operators", "settings"):
        op.add_column(table, sa.Column("added", sa.Integer(), nullable=False, server_default="7"))
'''
LINE = json.dumps(
    {
        "unit": "isc-dhcp-server.service",
        "time": "2026-11-24T12:00:00.000001+00:00",
        "msg": "DHCPACK on 192.0.2.20 to 00:00:5e:00:53:01 via bench0",
    }
)
PHONE = {**dict.fromkeys(COLUMNS, ""), "mac": "00005e005301", "name": "p1", "logs": 1}


def migrations() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(VERSIONS.glob("[0-9]*.py")):
        if path.name[:4] >= FIRST_BOUND:
            yield path.name[:4], ast.parse(path.read_text())


def constant(tree: ast.Module, name: str) -> str | None:
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == name:
            return ast.literal_eval(node.value)
    return None


def breaks(tree: ast.Module) -> list[str]:
    """Return what a migration does that older code may not survive."""
    (upgrade,) = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "upgrade"]
    found = []
    for call in (node for node in ast.walk(upgrade) if isinstance(node, ast.Call)):
        if not isinstance(call.func, ast.Attribute) or ast.unparse(call.func.value) != "op":
            continue
        text = ast.unparse(call)
        if call.func.attr not in HARMLESS:
            found.append(call.func.attr)
        elif call.func.attr == "add_column" and not any(part in text for part in ("server_default", "nullable=True")):
            found.append(f"{text} without server_default")
    return found


@pytest.mark.parametrize(("revision", "tree"), list(migrations()))
def test_each_migration_says_which_code_can_use_its_tables(revision: str, tree: ast.Module) -> None:
    oldest = constant(tree, "oldest_code")
    assert oldest is not None, f"{revision} must set oldest_code; see docs/contributors/migrations.md"
    assert oldest in REVISIONS
    assert oldest == revision or breaks(tree) == []


def test_finds_what_older_code_does_not_survive() -> None:
    column = 'op.add_column("phones", sa.Column("x", sa.Integer(), nullable=False))'
    tree = ast.parse(f'def upgrade():\n    op.drop_column("phones", "state")\n    {column}\n')
    assert breaks(tree) == ["drop_column", f"{column.replace(chr(34), chr(39))} without server_default"]
    assert breaks(ast.parse(NEWER)) == []


@pytest.fixture
def newer(tmp_path: Path, database: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the URL of a database that a newer release has expanded."""
    folder = tmp_path / "migrations"
    shutil.copytree(migrate.MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "versions/9999_newer.py").write_text(NEWER.format(before=REVISIONS[-1], oldest=REVISIONS[-1]))
    with monkeypatch.context() as patched:
        patched.setattr(migrate, "MIGRATIONS", folder)
        migrate.upgrade(engine_of(open_database(f"sqlite:///{database}")))
    return f"sqlite:///{database}"


def test_old_code_works_with_expanded_tables(newer: str) -> None:
    sessions = open_database(newer)
    engine = engine_of(sessions)
    assert "added" in {column["name"] for column in inspect(engine).get_columns("phones")}
    # The service starts, and says that it is well
    migrate.prepare(engine)
    with engine.connect() as connection:
        assert faults.fault_of_revision(connection) is None
    # It writes what a playbook, phones and operators cause
    sync(sessions, [PHONE], [], {"Example": {}}, {"version": '"1"', "publication": "{}"})
    Collector(open_database(newer)).store_lines([LINE])
    set_operators(sessions, {"anna": "a password of hers"}, keep=False)
    try_to_write(sessions())
    with sessions() as session:
        assert [session.scalar(select(func.count()).select_from(table)) for table in (Phone, Event, Operator)] == [1, 1, 1]
        assert session.scalar(select(Phone.state)) == "leased"
    engine.dispose()


def test_old_code_refuses_tables_that_are_not_for_it(newer: str) -> None:
    engine = engine_of(open_database(newer))
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE settings SET value = '9999' WHERE name = 'oldest_code'")
    with pytest.raises(SystemExit) as ended:
        migrate.prepare(engine)
    path = newer.removeprefix("sqlite:///")
    assert str(ended.value).startswith(
        f"the database {path} is too new (its tables are of revision 9999, this version needs {REVISIONS[-1]}). Install the version"
    )
    engine.dispose()


@pytest.mark.parametrize(("oldest", "status"), [("0001", 0), (REVISIONS[-1], 0), ("9999", 3)])
def test_installed_code_says_whether_an_older_version_can_use_its_tables(newer, oldest, status, monkeypatch, capsys):
    with engine_of(open_database(newer)).begin() as connection:
        connection.execute(update(Setting).where(Setting.name == "oldest_code").values(value=oldest))
    # The code that is installed wrote these tables
    monkeypatch.setattr(usable, "REVISIONS", (*REVISIONS, "9999"))
    monkeypatch.setattr(usable, "read_settings", lambda: {"DATABASE": newer})
    monkeypatch.setattr(sys, "argv", ["usable", REVISIONS[-1]])
    if status:
        with pytest.raises(SystemExit, match=f"^{status}$"):
            usable.main()
        words = f"is too new (its tables are of revision 9999, this version needs {REVISIONS[-1]}). Install the version"
        assert words in capsys.readouterr().out
    else:
        usable.main()
        assert not capsys.readouterr().out


def test_a_database_that_is_away_is_not_too_new(monkeypatch, capsys):
    monkeypatch.setattr(usable, "read_settings", lambda: {"DATABASE": "postgresql://nobody@127.0.0.1:1/nothing"})
    monkeypatch.setattr(sys, "argv", ["usable", REVISIONS[-1]])
    usable.main()
    assert not capsys.readouterr().out
