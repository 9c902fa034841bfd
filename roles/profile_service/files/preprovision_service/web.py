# SPDX-License-Identifier: GPL-3.0-or-later
"""The application: its settings, its database, and the parts that answer.

nginx alone can reach it, by a Unix socket, and says in headers of its own who asks: see `asking`.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from flask import Flask, Response, current_app, request
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from .database import Setting, open_database

CONFIG = "/etc/preprovision-service.json"

PARTS = ("provisioning", "board", "api")
"""Modules with a blueprint; one that is not there is left out."""

DEFAULTS: Mapping[str, object] = {
    "PROFILE_PATH": "/live/$MA.cfg",
    "DEVICE_PATH": "/live/device/$MA.cfg",
    "REPORT_PATH": "/report/$MA.xml",
    "CUSTOMIZATION_PATH": "/customization",
    # What a profile needs that is sealed with the phone's own key: nothing, or the phone's certificate too
    "PROFILE_ACCESS": "sealed",
    # What a report needs: to be sealed or sent with the phone's certificate, or nothing
    "REPORT_ACCESS": "proved",
    "REPORT_SIZE": 256 * 1024,
    "REPORT_DAYS": 30,
    "REPORT_KEEP": 20,
    "REDIRECT_STATUS": 302,
    "CACHE_SIZE": 24 * 1024 * 1024,
    "SESSION_COOKIE_SECURE": True,
    "SESSION_COOKIE_HTTPONLY": True,
    "SESSION_COOKIE_SAMESITE": "Strict",
}


class Asking(NamedTuple):
    """Who asks, as nginx tells it."""

    address: str
    agent: str
    verify: str
    """``SUCCESS`` when the client certificate was verified; see $ssl_client_verify of nginx."""
    subject: str


def asking() -> Asking:
    """Return who asks. nginx sets these headers or empties them, whatever a client has sent."""
    headers = request.headers
    return Asking(
        headers.get("X-Preprovision-Address", ""),
        headers.get("User-Agent", "")[:512],
        headers.get("X-Preprovision-Verify", ""),
        headers.get("X-Preprovision-Subject", "")[:1024],
    )


def create_app(config: Mapping[str, object]) -> Flask:
    """Return the application. *config* has DATABASE, a URL of SQLAlchemy, SECRET_KEY, and what differs from DEFAULTS."""
    app = Flask(__package__)
    app.config.update(DEFAULTS)
    app.config.update(config)
    app.extensions["sessions"] = open_database(str(config["DATABASE"]))
    app.add_url_rule("/health", "health", _health)
    for part in PARTS:
        if importlib.util.find_spec(f"{__package__}.{part}"):
            app.register_blueprint(importlib.import_module(f"{__package__}.{part}").blueprint)
    return app


def _health() -> Response:
    """Tell whether the database answers and has been filled."""
    try:
        with current_app.extensions["sessions"]() as session:
            filled = session.scalar(select(Setting.name).where(Setting.name == "publication"))
    except SQLAlchemyError as error:
        current_app.logger.error("the database does not answer: %s", type(error).__name__)
        return Response("the database does not answer\n", 503, mimetype="text/plain")
    return Response("ok\n" if filled else "ok, but no phones were put in yet\n", mimetype="text/plain")


def read_config() -> dict[str, object]:
    """Return the settings in the file that PREPROVISION_SERVICE_CONFIG names, which is the role's unless that is set."""
    config: dict[str, object] = json.loads(Path(os.environ.get("PREPROVISION_SERVICE_CONFIG", CONFIG)).read_text())
    return config


def application() -> Flask:
    """Return what gunicorn runs, with the settings in the file that PREPROVISION_SERVICE_CONFIG names."""
    config = read_config()
    config["SECRET_KEY"] = _secret(Path(os.environ["STATE_DIRECTORY"], "secret"))
    return create_app(config)


def _secret(path: Path) -> str:
    """Return what signs the sessions' cookies; made once, so that a restart logs nobody out."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, stat.S_IRUSR | stat.S_IWUSR)
    except FileExistsError:
        return path.read_text()
    with os.fdopen(descriptor, "w") as file:
        text = secrets.token_hex(32)
        file.write(text)
    return text
