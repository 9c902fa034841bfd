# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the service can do its work: read from the database, and write to it."""

from __future__ import annotations

import time

from flask import Flask, Response, current_app
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from ..domain.common.database_faults import Case, Fault
from ..store.connection import Reading, engine_of
from ..store.faults import explain, fault_of_revision, is_usable
from ..store.tables import Setting
from ..store.trial import try_to_write

_SECONDS = 5
"""Each worker writes at most so often, since anyone may ask."""


def set_up(app: Flask) -> None:
    """Answer ``/health``."""
    app.extensions["written"] = 0.0
    app.add_url_rule("/health", "health", _health)


def _health() -> Response:
    """Report whether the database can be read and written, and contains settings; otherwise, what is wrong with it.

    While it can only be read, this server may go on to take phones, so the status is 200, and the text says so.
    """
    sessions = current_app.extensions["sessions"]
    try:
        with sessions() as session:
            fault = fault_of_revision(session.connection())
            filled = None if fault else session.scalar(select(Setting.name).where(Setting.name == "publication"))
        if fault is None:
            _write_now_and_then(sessions())
    except SQLAlchemyError as error:
        fault = explain(error, engine_of(sessions))
        if fault.case is Case.UNREACHABLE and _reads_from_standby():
            return _reading_only(fault)
    if fault:
        return _unwell(fault)
    return Response("ok\n" if filled else "ok, but the database contains no phones yet\n", mimetype="text/plain")


def _reads_from_standby() -> bool:
    """Return whether a standby has the tables, so that profiles are served on while no host is primary."""
    reading: Reading = current_app.extensions["reading"]
    try:
        return reading.read(is_usable) and reading.from_standby
    except SQLAlchemyError:
        return False


def _reading_only(fault: Fault) -> Response:
    current_app.logger.error("%s", fault.text)
    return Response(f"reading only: profiles are served, reports and events wait, since {fault.text}\n", mimetype="text/plain")


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
