# SPDX-License-Identifier: GPL-3.0-or-later
"""What the board's pages and the API share."""

from __future__ import annotations

from flask import Response, current_app, make_response, render_template, request
from sqlalchemy.orm import Session
from werkzeug.exceptions import BadRequest, NotFound

from ..store import queries
from ..store.filters import MAX_TEXT_LENGTH

COMMANDS = {"board": "board.board", "in": "board.scan_in", "out": "board.scan_out", "batch": "board.batch"}
"""Words that can be typed, or scanned from a sheet on the wall, instead of a label, and the pages that they open."""


def open_session() -> Session:
    """Return a database session; the caller closes it."""
    session: Session = current_app.extensions["sessions"]()
    return session


def render_live(template: str, **values: object) -> Response:
    """Render a page that the script polls, and send it only if it has changed."""
    response = make_response(render_template(template, **values))
    response.add_etag()
    response.make_conditional(request)
    return response


def existing_phone(database: Session, mac: str) -> queries.PhoneView:
    """Return the phone that a path names; raise NotFound."""
    found = queries.find(database, queries.plain_mac(mac))
    if found is None:
        raise NotFound(f"Unknown phone {mac[:MAX_TEXT_LENGTH]}.")
    return found


def event_before() -> int:
    """Return the event ID in the argument ``before``, or 0; raise BadRequest."""
    before = request.args.get("before", "0")
    if not before.isascii() or not before.isdigit() or len(before) > 18:
        raise BadRequest(f"before: '{before[:20]}' is not the ID of an event.")
    return int(before)
