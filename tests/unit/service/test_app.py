# SPDX-License-Identifier: GPL-3.0-or-later
"""The application as a whole."""

from __future__ import annotations

import json
import os
import re
import syslog
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from preprovision_service.app import application, read_secret
from preprovision_service.store.connection import engine_of
from preprovision_service.store.tables import Base, Setting


def test_health(app: Flask, client: FlaskClient) -> None:
    assert client.get("/health").text == "ok, but the database contains no phones yet\n"
    with app.extensions["sessions"].begin() as session:
        session.add(Setting(name="publication", value="{}"))
    assert client.get("/health").text == "ok\n"


def test_health_without_tables(make_app: Callable[..., Flask]) -> None:
    app = make_app()
    Base.metadata.drop_all(engine_of(app.extensions["sessions"]))
    answer = app.test_client().get("/health")
    path = engine_of(app.extensions["sessions"]).url.database.removeprefix("file:")
    assert (answer.status_code, answer.text) == (
        503,
        f"the database {path} lacks tables (no such table: settings)."
        " Restore a backup: ansible-playbook voip.preprovision.restore -e backup_file=FILE\n",
    )


def test_keeps_its_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.json").write_text('{"DATABASE": "sqlite://", "REPORT_DAYS": 3}')
    monkeypatch.setenv("PREPROVISION_SERVICE_CONFIG", str(tmp_path / "config.json"))
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    first = application()
    assert first.config["REPORT_DAYS"] == 3
    assert len(first.config["SECRET_KEY"]) == 64
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600
    assert application().config["SECRET_KEY"] == first.config["SECRET_KEY"]


def test_takes_the_secret_that_it_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "of all servers that share a name"
    (tmp_path / "config.json").write_text(json.dumps({"DATABASE": "sqlite://", "SECRET_KEY": secret}))
    monkeypatch.setenv("PREPROVISION_SERVICE_CONFIG", str(tmp_path / "config.json"))
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    assert application().config["SECRET_KEY"] == secret
    assert not (tmp_path / "secret").exists()


@pytest.mark.parametrize("left", [b"", b"\0" * 64, b"0123456789abcdef" * 3, b"0" * 63, b"\xff" * 64])
def test_a_secret_that_a_power_cut_has_left_is_replaced(left: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[tuple[int, str]] = []
    monkeypatch.setattr(syslog, "syslog", lambda priority, text: said.append((priority, text)))
    path = tmp_path / "secret"
    path.write_bytes(left)
    found = read_secret(path)
    assert re.fullmatch("[0-9a-f]{64}", found)
    assert path.read_text() == found == read_secret(path)
    assert path.stat().st_mode & 0o777 == 0o600
    ((priority, text),) = said
    assert priority == syslog.LOG_ALERT
    assert text.startswith(f"{path} had {len(left)} characters instead of 64 hex digits, so it was replaced: operators must log")
    assert [entry.name for entry in tmp_path.iterdir()] == ["secret"]


def test_no_secret_is_there_before_all_of_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        read_secret(tmp_path / "secret")
    assert [*tmp_path.iterdir()] == []
