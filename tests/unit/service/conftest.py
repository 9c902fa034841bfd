# SPDX-License-Identifier: GPL-3.0-or-later
"""An application with an empty database for each test."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from jinja2.bccache import Bucket, BytecodeCache
from preprovision_service.app import create_app
from preprovision_service.cli import migrate
from preprovision_service.http import auth
from preprovision_service.http.delivery import Delivery
from preprovision_service.profile_cache import ProfileCache
from preprovision_service.store.connection import engine_of, open_database
from preprovision_service.store.sync import present, sync

from ansible_collections.voip.preprovision.plugins.module_utils.phones.reader import PhoneReader
from ansible_collections.voip.preprovision.plugins.module_utils.publishing.phone_record import record_of
from ansible_collections.voip.preprovision.plugins.module_utils.publishing.publisher import Publisher
from ansible_collections.voip.preprovision.plugins.module_utils.publishing.settings import Settings
from ansible_collections.voip.preprovision.plugins.plugin_utils.phone_source import Entry
from ansible_collections.voip.preprovision.plugins.plugin_utils.validate_phones import ValidatedPhones, Validation, validate_phones

SLOW_METHOD, auth.METHOD = auth.METHOD, "pbkdf2:sha256:1"
"""How passwords are hashed outside tests. It costs half a second a login, so tests use a quick method instead."""

PUBLICATION = {
    "bench_url": "https://prov.example.net/device/$MA.cfg",
    "bench_delivery": "certificate",
    "remote_url": "http://prov.example.com/service/$MA-{key_id}.cfg",
    "preprovision_parameters": {"Resync_Periodic": 86400},
}


class CompiledTemplates(BytecodeCache):
    """Keeps compiled templates for the applications of all tests; each would compile its own otherwise."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._kept:
            bucket.bytecode_from_string(self._kept[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._kept[bucket.key] = bucket.bytecode_to_string()


COMPILED = CompiledTemplates()


@pytest.fixture
def slow_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash passwords as on a station."""
    monkeypatch.setattr(auth, "METHOD", SLOW_METHOD)


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an SQLite file with all tables and no rows, to be copied."""
    path = tmp_path_factory.mktemp("database") / "empty.sqlite"
    engine = engine_of(open_database(f"sqlite:///{path}", create=True))
    migrate.upgrade(engine)
    engine.dispose()
    return path


def _create_app(database: Path, **config: object) -> Flask:
    app = create_app(
        {"DATABASE": f"sqlite:///{database}", "SECRET_KEY": "for tests only: " + "0123456789abcdef" * 3, "TESTING": True, **config}
    )
    app.jinja_env.bytecode_cache = COMPILED
    return app


@pytest.fixture(scope="session")
def usual_app(empty_database: Path) -> Flask:
    """Return the application with its usual settings. It is created once, since its routes take most of a short test's time."""
    return _create_app(empty_database.with_name("service.sqlite"))


def _forget_everything(app: Flask) -> None:
    """Empty what the application keeps in memory, as a restart does."""
    engine_of(app.extensions["sessions"]).dispose()
    known = {"sessions", "engine", "phones", "purged", "delivery", "known_passwords", "written", "reading", "post_rules"}
    assert set(app.extensions) <= known, f"_forget_everything must also empty {set(app.extensions) - known}"
    app.extensions.pop("known_passwords", None)
    app.extensions |= {"phones": ProfileCache(int(app.config["CACHE_SIZE"])), "purged": 0.0, "written": 0.0}
    del app.wsgi_app
    app.extensions["delivery"] = app.wsgi_app = Delivery(app)


@pytest.fixture
def database(empty_database: Path) -> Path:
    """Return an SQLite file with all tables and no rows."""
    path = empty_database.with_name("service.sqlite")
    for end in ("", "-wal", "-shm"):
        path.with_name(path.name + end).unlink(missing_ok=True)
    return shutil.copyfile(empty_database, path)


@pytest.fixture
def make_app(usual_app: Flask, database: Path) -> Callable[..., Flask]:
    """Return a function that returns an application with the given settings; all applications of a test share a database."""

    def make(**config: object) -> Flask:
        if config:
            return _create_app(database, **config)
        _forget_everything(usual_app)
        return usual_app

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
def sync_phones() -> Callable[..., None]:
    """Return a function that stores phones, by name, in an application's database, as the playbook does."""
    return _sync_phones


def _sync_phones(app: Flask, phones: Mapping[str, Mapping[str, Any]], removed: tuple[str, ...] = (), **more: Any) -> None:
    """Store phones, by name, in the application's database as the playbook does."""
    sessions = app.extensions["sessions"]
    publication = {**PUBLICATION, **more.get("publication", {})}
    plain = {name: value for name, value in publication.items() if name != "preprovision_parameters"}
    reader = PhoneReader(master_key="for tests: a master key of some length")
    entries = [Entry(name, variables) for name, variables in phones.items()]
    publisher, salt, redirects, rows = Publisher(Settings(**plain)), present(sessions).salt, more.get("redirects", {}), []
    validation = Validation(
        ValidatedPhones(entries, reader, publisher),
        visit=lambda entry, phone: rows.append(
            record_of(entry.variables, phone, publisher, redirects.get(phone.mac.plain, ""), salt)
        ),
    )
    validate_phones(entries, validation, lambda *_told: None)
    settings = {"publication": publication, "families": more.get("families", {}), "templates": more.get("templates", {})}
    settings["groups"] = more.get("groups", {})
    settings |= {"salt": salt, "version": repr(sorted(settings.items()))}
    sync(
        sessions,
        rows,
        removed,
        more.get("customers", {}),
        {name: json.dumps(value) for name, value in settings.items()},
    )
