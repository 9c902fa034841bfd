# SPDX-License-Identifier: GPL-3.0-or-later
"""Whoever meets a broken database says what is wrong with it: files that are really broken, and everything that opens them."""

from __future__ import annotations

import html
import io
import json
import os
import re
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest
from preprovision_service.app import create_app
from preprovision_service.cli import accounts, migrate, phone_events, report
from preprovision_service.domain.common.database_faults import Case, postgresql_case
from preprovision_service.ingest import collector
from preprovision_service.ingest.collector import Collector
from preprovision_service.ingest.errors import RetryLater
from preprovision_service.store import connection, tables
from preprovision_service.store.connection import open_database
from preprovision_service.store.faults import REVISIONS
from sqlalchemy import select

from ansible_collections.voip.preprovision.plugins.modules import phone_table

NOBODY = 65534
LINE = json.dumps(
    {
        "unit": "isc-dhcp-server.service",
        "time": "2026-11-24T12:00:00.000001+00:00",
        "msg": "DHCPACK on 192.0.2.20 to 00:00:5e:00:53:01 via bench0",
    }
)
ALWAYS, WRITING, REVISION = "always", "writing", "revision"
"""Who notices a fault: everyone, those who write, or those who ask for the revision of the tables."""


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder that every user reaches."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@contextmanager
def damaged_pages(path: Path) -> Iterator[None]:
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (size - 4096))
    yield


@contextmanager
def overwritten_header(path: Path) -> Iterator[None]:
    with path.open("r+b") as file:
        file.write(b"\0" * 100)
    yield


@contextmanager
def truncated(path: Path) -> Iterator[None]:
    os.truncate(path, 8192)
    yield


@contextmanager
def emptied(path: Path) -> Iterator[None]:
    os.truncate(path, 0)
    yield


@contextmanager
def deleted(path: Path) -> Iterator[None]:
    path.unlink()
    yield


@contextmanager
def locked(path: Path) -> Iterator[None]:
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    yield
    holder.close()


@contextmanager
def of_revision(revision: str, path: Path) -> Iterator[None]:
    with sqlite3.connect(path) as changed:
        changed.execute("UPDATE alembic_version SET version_num = ?", (revision,))
        changed.execute("UPDATE settings SET value = ? WHERE name = 'oldest_code'", (revision,))
    changed.close()
    yield


@contextmanager
def full(path: Path) -> Iterator[None]:
    kept = path.read_bytes()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", path.parent], check=True)
    try:
        path.write_bytes(kept)
        # The last write is cut short, or fails
        with path.with_name("filler").open("wb", buffering=0) as file, suppress(OSError):
            while file.write(b"\0" * 4096) == 4096:
                pass
        yield
    finally:
        subprocess.run(["umount", "--lazy", path.parent], check=True)


@contextmanager
def read_only(path: Path) -> Iterator[None]:
    kept = path.read_bytes()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", path.parent], check=True)
    try:
        path.write_bytes(kept)
        subprocess.run(["mount", "-o", "remount,ro", path.parent], check=True)
        yield
    finally:
        subprocess.run(["umount", "--lazy", path.parent], check=True)


@contextmanager
def of_another(path: Path) -> Iterator[None]:
    path.chmod(0o600)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@contextmanager
def in_a_folder_of_another(path: Path) -> Iterator[None]:
    path.chmod(0o666)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


ROOT = pytest.mark.root(reason="mounts file systems, and becomes another user")
RESTORE = "ansible-playbook voip.preprovision.restore -e backup_file=FILE"
OWNER = "It has the mode 0600 of root, in a folder with 0755 of root; give it back: chown preprovision-service: "
BROKEN = [
    pytest.param(damaged_pages, ALWAYS, "is damaged", "malformed", RESTORE, id="pages"),
    pytest.param(overwritten_header, ALWAYS, "is damaged", "file is not a database", RESTORE, id="header"),
    pytest.param(truncated, ALWAYS, "is damaged", "malformed", RESTORE, id="truncated"),
    pytest.param(emptied, ALWAYS, "was deleted or emptied", "it has no tables", RESTORE, id="emptied"),
    pytest.param(deleted, ALWAYS, "was deleted or emptied", "", RESTORE, id="deleted"),
    pytest.param(locked, WRITING, "is locked by another program", "database is locked", "and end it: lslocks", id="locked"),
    pytest.param(
        partial(of_revision, "0001"),
        REVISION,
        "is too old",
        f"its tables are of revision 0001, this version needs {REVISIONS[-1]}",
        "systemctl restart preprovision-service",
        id="old",
    ),
    pytest.param(
        partial(of_revision, "9999"),
        REVISION,
        "is too new",
        f"its tables are of revision 9999, this version needs {REVISIONS[-1]}",
        "Install the version of the collection that wrote it",
        id="new",
    ),
    pytest.param(full, WRITING, "is on a full disk", "full", "df --human-readable --local", marks=ROOT, id="full"),
    pytest.param(read_only, WRITING, "does not let us in", "", "is mounted read-only", marks=ROOT, id="read-only"),
    pytest.param(of_another, ALWAYS, "does not let us in", "unable to open database file", OWNER, marks=ROOT, id="owner"),
    pytest.param(
        in_a_folder_of_another, WRITING, "does not let us in", "", "chown preprovision-service: ", marks=ROOT, id="folder"
    ),
]
"""How a database is broken, who notices it, what each says: the state, words of SQLite or a reason, what to do."""


def ask_api(url: str) -> str:
    return _ask(url, "/api/phones", auth=("anna", "a password of hers"))


def _ask(url: str, path: str, auth: tuple[str, str] | None = None, **form: str) -> str:
    client = create_app({"DATABASE": url, "SECRET_KEY": "for tests", "SESSION_COOKIE_SECURE": False}).test_client()
    if not form:
        answer = client.get(path, auth=auth)
    else:
        with client.session_transaction() as session:
            session["token"] = "a token"
        answer = client.post(path, data={"token": "a token", **form})
    return html.unescape(answer.text) if answer.status_code == 503 else ""


def call(module: ModuleType, *arguments: str, stdin: str = "{}") -> Callable[[str], str]:
    """Return a function that runs a command, and returns what it says when it fails."""

    def run(url: str) -> str:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "read_settings", lambda: {"DATABASE": url})
            patch.setattr("sys.argv", ["command", *arguments])
            patch.setattr("sys.stdin", io.StringIO(stdin))
            patch.setattr("sys.stdout", io.StringIO())
            try:
                module.main()
            except SystemExit as ended:
                return str(ended.code)
        return ""

    return run


def store_lines(url: str) -> str:
    try:
        Collector(open_database(url)).store_lines([LINE])
    except RetryLater as error:
        return str(error)
    return ""


def write_phones(url: str) -> str:
    end = {"removed": [], "rearmed": [], "customers": {"Example": {}}, "settings": {}, "inputs": None}
    return _phone_table(url, io.BytesIO(json.dumps(end).encode()))


def try_to_write(url: str) -> str:
    return _phone_table(url, None, try_writing=True)


def _phone_table(url: str, stream: io.BytesIO | None, try_writing: bool = False) -> str:
    try:
        phone_table.run({"database": url, "code": "/none", "try_writing": try_writing}, stream)
    except phone_table.DatabaseError as error:
        return str(error)
    return ""


READERS = {"api": ask_api, "report": call(report, "table"), "events": call(phone_events, "show", "0", "00005e005301")}
WRITERS = {
    "health": lambda url: _ask(url, "/health"),
    "board": lambda url: _ask(url, "/board/login", name="anna", password="a wrong password"),
    "operators": call(accounts, stdin='{"anna": "a password of hers"}'),
    "collector": store_lines,
    "phones": write_phones,
    "publication": try_to_write,
}
OF_REVISION = {name: WRITERS[name] for name in ("health", "phones", "publication")}
EVERYONE = {ALWAYS: {**READERS, **WRITERS}, WRITING: WRITERS, REVISION: OF_REVISION}


@pytest.fixture
def path(folder: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a database that nobody waits for."""
    monkeypatch.setattr(connection, "BUSY_SECONDS", 0)
    monkeypatch.setattr(collector, "_LOCK_SECONDS", 0)
    return shutil.copyfile(empty_database, folder / "service.sqlite")


@pytest.mark.parametrize(("broken", "who", "state", "words", "remedy"), BROKEN)
def test_everyone_says_what_is_wrong(broken, who, state, words, remedy, path):
    with broken(path):
        said = {name: ask(f"sqlite:///{path}") for name, ask in EVERYONE[who].items()}
    for name, text in said.items():
        assert f"{path} {state} (" in text, name
        assert words in text, name
        assert remedy in text, name


@pytest.mark.parametrize(
    ("sqlstate", "case"),
    [
        (None, Case.UNREACHABLE),
        ("08006", Case.UNREACHABLE),
        ("57P03", Case.UNREACHABLE),
        ("28P01", Case.FORBIDDEN),
        ("42501", Case.FORBIDDEN),
        ("25006", Case.FORBIDDEN),
        ("3D000", Case.DELETED),
        ("53100", Case.FULL),
        ("55P03", Case.LOCKED),
        ("XX001", Case.DAMAGED),
        ("42P01", Case.TABLES),
        ("22003", Case.OTHER),
    ],
)
def test_postgresql_is_judged_by_its_codes(sqlstate, case):
    assert postgresql_case(sqlstate) is case


def test_migrations_leave_a_newer_database_alone(empty_database, tmp_path):
    path = shutil.copyfile(empty_database, tmp_path / "service.sqlite")
    with of_revision("9999", path):
        before = path.read_bytes()
        said = call(migrate)(f"sqlite:///{path}")
    assert said == (
        f"the database {path} is too new (its tables are of revision 9999, this version needs {REVISIONS[-1]}). "
        f"Install the version of the collection that wrote it, or restore an older backup: {RESTORE}"
    )
    assert path.read_bytes() == before


def test_revisions_are_those_of_the_migrations():
    versions = Path(migrate.MIGRATIONS, "versions")
    named = [re.search(r'^revision = "(.*)"$', path.read_text(), re.MULTILINE)[1] for path in sorted(versions.glob("*.py"))]
    assert list(REVISIONS) == named


def test_a_file_in_place_of_the_old_one_is_used(empty_database, tmp_path):
    path = shutil.copyfile(empty_database, tmp_path / "service.sqlite")
    other = shutil.copyfile(empty_database, tmp_path / "other.sqlite")
    sessions = open_database(f"sqlite:///{path}")
    with sessions.begin() as session:
        session.add(tables.Customer(name="before"))
    for old in (path, *path.parent.glob("service.sqlite-*")):
        old.unlink()
    other.rename(path)
    with sessions() as session:
        assert session.scalars(select(tables.Customer.name)).all() == []
