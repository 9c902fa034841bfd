# SPDX-License-Identifier: GPL-3.0-or-later
"""An application with an empty database for each test."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from preprovision_service.database import Base, engine_of
from preprovision_service.filling import fill, present
from preprovision_service.web import create_app

from ansible_collections.voip.preprovision.plugins.module_utils.phone import PhoneReader
from ansible_collections.voip.preprovision.plugins.module_utils.publication import Publisher, Settings
from ansible_collections.voip.preprovision.plugins.plugin_utils.phone_records import records
from ansible_collections.voip.preprovision.plugins.plugin_utils.publishing import Entry, survey

PUBLICATION = {
    "bench_url": "https://prov.example.net/device/$MA.cfg",
    "remote_url": "http://prov.example.com/service/$MA-{key_id}.cfg",
    "preprovision_parameters": {"Resync_Periodic": 86400},
}


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


@pytest.fixture
def put_in() -> Callable[..., None]:
    """Return what puts phones, by name, into an application's database, as the playbook does."""
    return _put_in


def _put_in(app: Flask, phones: Mapping[str, Mapping[str, Any]], removed: tuple[str, ...] = (), **more: Any) -> None:
    """Put phones, by name, into the application's database as the playbook does."""
    sessions = app.extensions["sessions"]
    publication = {**PUBLICATION, **more.get("publication", {})}
    plain = {name: value for name, value in publication.items() if name != "preprovision_parameters"}
    reader = PhoneReader(master_key="for tests: a master key of some length")
    entries = [Entry(name, variables) for name, variables in phones.items()]
    found = survey(entries, reader, Publisher(Settings(**plain)), False, lambda *_told: None)
    salt = present(sessions).salt
    settings = {"publication": publication, "families": more.get("families", {}), "templates": more.get("templates", {})}
    settings |= {"salt": salt, "version": repr(sorted(settings.items()))}
    fill(
        sessions,
        records(found, reader, more.get("redirects", {}), salt),
        removed,
        more.get("customers", {}),
        {name: json.dumps(value) for name, value in settings.items()},
    )
