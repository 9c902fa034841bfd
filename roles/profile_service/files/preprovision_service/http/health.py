# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the service can do its work: read from the database, and write to it."""

from __future__ import annotations

import time

from flask import Flask, Response, current_app
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from ..domain.common.database_faults import Fault
from ..store.faults import explain, fault_of_revision
from ..store.tables import Setting, engine_of
from ..store.trial import try_to_write

_SECONDS = 5
"""Each worker writes at most so often, since anyone may ask."""


def set_up(app: Flask) -> None:
    """Answer ``/health``."""
    app.extensions["written"] = 0.0
    app.add_url_rule("/health", "health", _health)


def _health() -> Response:
    """Report whether the database can be read and written, and contains settings; otherwise, what is wrong with it."""
    sessions = current_app.extensions["sessions"]
    try:
        with sessions() as session:
            fault = fault_of_revision(session.connection())
            filled = None if fault else session.scalar(select(Setting.name).where(Setting.name == "publication"))
        if fault is None:
            _write_now_and_then(sessions())
    except SQLAlchemyError as error:
        fault = explain(error, engine_of(sessions))
    if fault:
        return _unwell(fault)
    return Response("ok\n" if filled else "ok, but the database contains no phones yet\n", mimetype="text/plain")


def _unwell(fault: Fault) -> Response:
    current_app.logger.error("%s", fault.text)
    return Response(f"{fault.text}\n", 503, mimetype="text/plain")


def _write_now_and_then(session: Session) -> None:
    """Write to the database, unless that went well just now."""
    if time.monotonic() - current_app.extensions["written"] < _SECONDS and current_app.extensions["written"]:
        return
    current_app.extensions["written"] = 0.0
    try_to_write(session)
    current_app.extensions["written"] = time.monotonic()
