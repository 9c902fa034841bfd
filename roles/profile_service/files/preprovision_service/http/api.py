# SPDX-License-Identifier: GPL-3.0-or-later
"""The board's data and actions as JSON; openapi.json describes them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, current_app, g, jsonify, request
from flask.blueprints import BlueprintSetupState
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import (
    BadRequest,
    Forbidden,
    HTTPException,
    ServiceUnavailable,
    TooManyRequests,
    Unauthorized,
    UnsupportedMediaType,
)

from ..receiving import arrivals, packing
from ..receiving.outcomes import Outcome
from ..station import read_station
from ..store import queries
from ..store.faults import explain
from ..store.filters import MAX_TEXT_LENGTH, PAGE, Filter, FilterError
from ..store.recent import read_recent
from . import auth
from .arming import with_arming
from .client import client_address
from .manifest_files import manifest_response
from .pages import event_before, existing_phone, open_session
from .scan_pages import pack

DESCRIPTION = Path(__file__).with_name("openapi.json")
MAX_BODY_SIZE = 16 * 1024

blueprint = Blueprint("api", __name__, url_prefix="/api")


@blueprint.record
def _set_up(state: BlueprintSetupState) -> None:
    # A blueprint's own handler does not see the errors of unknown paths
    state.app.register_error_handler(HTTPException, _problem)


@blueprint.before_request
def _admit() -> None:
    """Admit only operators, by the board's session or by HTTP Basic."""
    if request.endpoint == "api.openapi":
        return
    if auth.is_insecure():
        raise Forbidden("Use HTTPS: passwords and sessions must not be sent in clear text.")
    with open_session() as database:
        if request.authorization is not None:
            try:
                g.operator = auth.from_basic(database, client_address())
            except auth.LoginRefused as refused:
                if refused.wait:
                    raise TooManyRequests(f"{refused}.", retry_after=refused.wait) from refused
                raise Unauthorized(f"{refused}.") from refused
        else:
            g.operator = auth.from_session(database)
            # Pages of other sites can make a browser send the cookie, but not this header
            if g.operator and request.method == "POST" and not auth.is_valid_token(request.headers.get("X-CSRF-Token", "")):
                raise Forbidden("X-CSRF-Token is not the token from /api/session.")
    if not g.operator:
        raise Unauthorized("Log in on the board, or send an operator's name and password by HTTP Basic.")


@blueprint.after_request
def _protect(response: Response) -> Response:
    return auth.protect(response)


@blueprint.errorhandler(FilterError)
def _filter_error(error: FilterError) -> Any:
    return _problem(BadRequest(f"{error}."))


@blueprint.errorhandler(SQLAlchemyError)
def _database_error(error: SQLAlchemyError) -> Any:
    fault = explain(error, current_app.extensions["engine"])
    current_app.logger.error("%s", fault.text)
    return _problem(ServiceUnavailable(f"{fault.text[:1].upper()}{fault.text[1:]}"))


def _problem(error: HTTPException) -> Any:
    """Return an error of the API in the form of RFC 9457, and others unchanged."""
    if not request.path.startswith("/api/") or error.code is None:
        return error
    response = jsonify(type="about:blank", title=error.name, status=error.code, detail=error.description)
    response.status_code = error.code
    response.mimetype = "application/problem+json"
    for name, value in error.get_headers():
        if name in ("Allow", "Retry-After"):
            response.headers[name] = value
    if error.code == 401:
        response.headers["WWW-Authenticate"] = 'Basic realm="preprovision", charset="UTF-8"'
    return auth.protect(response)


# ---- data


@blueprint.get("/openapi.json")
def openapi() -> Response:
    """Describe the API."""
    return Response(DESCRIPTION.read_bytes(), mimetype="application/json")


@blueprint.get("/session")
def session() -> Response:
    """Return the operator's name, and the token that a session must send with every change."""
    return jsonify(operator=g.operator, token="" if request.authorization else auth.token())


@blueprint.get("/summary")
def summary() -> Response:
    """Count the phones by state."""
    chosen = Filter.read(request.args)
    with open_session() as database:
        counts = queries.count_phones(database, chosen)
        customers, models = queries.choices(database)
    return jsonify(
        total=counts.total,
        stuck=counts.stuck,
        silent=counts.silent,
        claimed=counts.claimed,
        states=counts.states,
        customers=customers,
        models=models,
    )


@blueprint.get("/station")
def station() -> Response:
    """Return the state of the station's services, and what to do about what is wrong with them, with the clock and with DHCP."""
    with open_session() as database:
        found = read_station(read_recent(database))
    return jsonify(services=found.services, alerts=[asdict(alert) for alert in found.alerts], restarts=list(found.restarts))


@blueprint.get("/phones")
def phones() -> Response:
    """Return a page of phones."""
    chosen = Filter.read(request.args)
    with open_session() as database:
        total, found = queries.page(database, chosen)
    return jsonify(total=total, page=chosen.page, size=chosen.size, phones=[*map(with_arming, found)])


@blueprint.get("/phones/<mac>")
def phone(mac: str) -> Response:
    """Return one phone."""
    with open_session() as database:
        return jsonify(with_arming(existing_phone(database, mac)))


@blueprint.get("/phones/<mac>/events")
def events(mac: str) -> Response:
    """Return a phone's events, latest first."""
    before = event_before()
    with open_session() as database:
        existing_phone(database, mac)
        found = queries.timeline(database, queries.plain_mac(mac), before)
    return jsonify(events=found, next=found[-1]["id"] if len(found) == PAGE else None)


@blueprint.get("/phones/<mac>/reports")
def reports(mac: str) -> Response:
    """Return a phone's reports, latest first."""
    with open_session() as database:
        existing_phone(database, mac)
        return jsonify(reports=queries.reports(database, queries.plain_mac(mac)))


@blueprint.get("/manifest.<form>")
def manifest(form: str) -> Response:
    """Return the manifest of the packed phones."""
    with open_session() as database:
        return manifest_response(database, form, g.operator)


# ---- actions


@blueprint.post("/scan-in")
def scan_in() -> Response:
    """Scan a unit in."""
    given = _body(code="", model="", customer="", add=False)
    selected = arrivals.Selection(given["model"], given["customer"], given["add"])
    with open_session() as database:
        return _answer(arrivals.scan_in(database, given["code"], g.operator, selected))


@blueprint.post("/scan-out")
def scan_out() -> Response:
    """Pack a unit, or only check it."""
    given = _body(unit="", box="", override="")
    if len(given["override"]) > packing.MAX_REASON_LENGTH:
        raise BadRequest(f"'override' must have at most {packing.MAX_REASON_LENGTH} characters.")
    with open_session() as database:
        return _answer(pack(database, given["unit"], given["box"], g.operator, given["override"]))


@blueprint.post("/phones/<mac>/take-back")
def take_back(mac: str) -> Response:
    """Reset a phone to expected."""
    _body()
    with open_session() as database:
        return _answer(packing.take_back(database, queries.plain_mac(mac), g.operator))


def _body(**known: str | bool) -> dict[str, Any]:
    """Return the request's JSON object: the *known* names, with values of the same types; raise an HTTPException."""
    if request.mimetype != "application/json":
        raise UnsupportedMediaType("Send JSON, with Content-Type: application/json.")
    if (request.content_length or 0) > MAX_BODY_SIZE:
        raise BadRequest(f"The body is larger than {MAX_BODY_SIZE} bytes.")
    given = request.get_json()
    if not isinstance(given, dict):
        raise BadRequest("The body must be a JSON object.")
    for name, value in given.items():
        if name not in known:
            raise BadRequest(f"Unknown name '{name[:MAX_TEXT_LENGTH]}'; expected {', '.join(known) or 'none'}.")
        if type(value) is not type(known[name]):
            raise BadRequest(f"'{name}' must be {'true or false' if isinstance(known[name], bool) else 'text'}.")
    return {**known, **given}


def _answer(outcome: Outcome) -> Response:
    """Return the outcome of a scan; an alarm on the board is a problem here."""
    found = {
        "verdict": outcome.verdict,
        "phone": with_arming(outcome.phone) if outcome.phone else None,
        "checks": [asdict(check) for check in outcome.checks],
        "warnings": list(outcome.warnings),
    }
    if outcome.loud:
        response = jsonify(type="about:blank", title=outcome.title, status=outcome.status, detail=outcome.text, **found)
        response.mimetype = "application/problem+json"
    else:
        response = jsonify(title=outcome.title, detail=outcome.text, **found)
    response.status_code = outcome.status
    return response
