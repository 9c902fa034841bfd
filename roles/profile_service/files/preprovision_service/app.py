# SPDX-License-Identifier: GPL-3.0-or-later
"""The WSGI application: settings, database and blueprints. Only nginx can reach it, over a Unix socket."""

from __future__ import annotations

import os
import re
import secrets
import sys
import syslog
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from flask import Flask

from .domain.common.durable import create_durably, write_durably
from .http import api, board, health, metrics, provisioning
from .settings import read_settings
from .store.connection import PATIENCE, Reading, engine_of, open_database
from .store.filters import set_silent_days

DEFAULTS: Mapping[str, object] = {
    "PROFILE_PATH": "/live/$MA.cfg",
    "DEVICE_PATH": "/live/device/$MA.cfg",
    "REPORT_PATH": "/report/$MA.xml",
    "CUSTOMIZATION_PATH": "/customization",
    # "sealed" gives anyone the profiles that are sealed with the phone's own key, "certificate" only the phone itself
    "PROFILE_ACCESS": "sealed",
    # "proved" stores reports that are sealed or come with the phone's certificate, "anybody" all
    "REPORT_ACCESS": "proved",
    "REPORT_SIZE": 256 * 1024,
    "REPORT_DAYS": 30,
    "REPORT_KEEP": 20,
    "REDIRECT_STATUS": 302,
    # Parameters of profiles by what phones say of themselves with POST, see domain.publishing.post_rules
    "POST_RULES": [],
    # The customer's own database that is asked for the row of a phone: url, query, password; empty for none
    "ROWS": {},
    # Seconds from when a phone is done until its own file is taken away
    "ARMING_GRACE": 600,
    # Days without a call home after which a phone is silent; 0 for never
    "SILENT_DAYS": 0,
    # Name of each provisioning server -> its addresses, asked at scan-out whether they know a unit; a file with the CAs of their
    # certificates
    "HOME_SERVERS": {},
    "HOME_CA": "",
    "CACHE_SIZE": 24 * 1024 * 1024,
    "SESSION_COOKIE_SECURE": True,
    "SESSION_COOKIE_HTTPONLY": True,
    "SESSION_COOKIE_SAMESITE": "Strict",
}

_SECRET_BYTES = 32
_SECRET = re.compile(f"[0-9a-f]{{{2 * _SECRET_BYTES}}}")


def create_app(config: Mapping[str, object]) -> Flask:
    """Return the application. *config*: DATABASE, an SQLAlchemy URL, SECRET_KEY, and settings that differ from DEFAULTS."""
    app = Flask(__package__)
    app.config.update(DEFAULTS)
    app.config.update(config)
    sessions = app.extensions["sessions"] = open_database(str(config["DATABASE"]), patience=PATIENCE)
    app.extensions["reading"] = Reading(engine_of(sessions), str(config["DATABASE"]))
    set_silent_days(sessions, int(str(app.config["SILENT_DAYS"])))
    health.set_up(app)
    metrics.set_up(app)
    for part in (provisioning, board, api):
        app.register_blueprint(part.blueprint)
    return app


def application() -> Flask:
    """Return the application that gunicorn runs, with the settings of the station.

    Servers that share a name are given their secret, so that an operator's session is known to all of them.
    """
    config = read_settings()
    if "SECRET_KEY" not in config:
        config["SECRET_KEY"] = read_secret(Path(os.environ["STATE_DIRECTORY"], "secret"))
    return create_app(config)


def read_secret(path: Path) -> str:
    """Return the key that signs cookies and manifests. It is stored, so that sessions survive a restart.

    One that a power cut has emptied, or that someone has cut, is replaced: whoever knows it could sign.
    """
    try:
        text = path.read_text("ascii", "replace")
    except FileNotFoundError:
        with suppress(FileExistsError):
            create_durably(path, secrets.token_hex(_SECRET_BYTES).encode())
        text = path.read_text("ascii", "replace")
    except OSError as error:
        sys.exit(f"cannot read {path}: {error.strerror}. Give it back: chown preprovision-service: {path} && chmod 600 {path}")
    if not _SECRET.fullmatch(text):
        write_durably(path, secrets.token_hex(_SECRET_BYTES).encode())
        syslog.syslog(
            syslog.LOG_ALERT,
            f"{path} had {len(text)} characters instead of {2 * _SECRET_BYTES} hex digits, so it was replaced: operators must log"
            " in again, and manifests are signed with another key, so fetch manifest.pem again",
        )
        text = path.read_text("ascii", "replace")
    return text
