# SPDX-License-Identifier: GPL-3.0-or-later
"""The application as a whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from preprovision_service.database import Base, Setting, engine_of
from preprovision_service.web import application


def test_health(app: Flask, client: FlaskClient) -> None:
    assert client.get("/health").text == "ok, but no phones were put in yet\n"
    with app.extensions["sessions"].begin() as session:
        session.add(Setting(name="publication", value="{}"))
    assert client.get("/health").text == "ok\n"


def test_health_without_tables(make_app: Callable[..., Flask]) -> None:
    app = make_app()
    Base.metadata.drop_all(engine_of(app.extensions["sessions"]))
    answer = app.test_client().get("/health")
    assert (answer.status_code, answer.text) == (503, "the database does not answer\n")


def test_secret_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.json").write_text('{"DATABASE": "sqlite://", "REPORT_DAYS": 3}')
    monkeypatch.setenv("PREPROVISION_SERVICE_CONFIG", str(tmp_path / "config.json"))
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    first = application()
    assert first.config["REPORT_DAYS"] == 3
    assert len(first.config["SECRET_KEY"]) == 64
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600
    assert application().config["SECRET_KEY"] == first.config["SECRET_KEY"]
