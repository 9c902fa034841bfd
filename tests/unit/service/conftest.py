# SPDX-License-Identifier: GPL-3.0-or-later
"""An application with an empty database for each test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from preprovision_service.database import Base, engine_of
from preprovision_service.web import create_app


@pytest.fixture
def make_app(tmp_path: Path) -> Callable[..., Flask]:
    """Return what makes the application, with settings of the test's own; all of one test share a database."""

    def make(**config: object) -> Flask:
        url = f"sqlite:///{tmp_path}/service.sqlite"
        app = create_app({"DATABASE": url, "SECRET_KEY": "for tests alone", "TESTING": True, **config})
        Base.metadata.create_all(engine_of(app.extensions["sessions"]))
        return app

    return make


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    """Return the application with its usual settings."""
    return make_app()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Return what asks it."""
    return app.test_client()
