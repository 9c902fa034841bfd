# SPDX-License-Identifier: GPL-3.0-or-later
"""What the board shows and does, as JSON; openapi.json describes it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, g, jsonify, request
from flask.blueprints import BlueprintSetupState
from werkzeug.exceptions import BadRequest, Forbidden, HTTPException, NotFound, TooManyRequests, Unauthorized, UnsupportedMediaType

from . import operators, phone_list, scanning
from .board import make_manifest, open_session, pack, who_asks
from .phone_list import Filter, FilterError

DESCRIPTION = Path(__file__).with_name("openapi.json")
LARGEST_BODY = 16 * 1024

blueprint = Blueprint("api", __name__, url_prefix="/api")


@blueprint.record
def _set_up(state: BlueprintSetupState) -> None:
    # What no page of the API has been found for is none of the blueprint's errors
    state.app.register_error_handler(HTTPException, _problem)


@blueprint.before_request
def _admit() -> None:
    """Let operators in alone: by the board's session, or by HTTP Basic."""
    if request.endpoint == "api.openapi":
        return
    if operators.came_in_clear():
        raise Forbidden("Use HTTPS: a password or a session must not be sent in clear.")
    with open_session() as database:
        if request.authorization is not None:
            try:
                g.operator = operators.from_basic(database, who_asks())
            except operators.LoginRefused as refused:
                if refused.wait:
                    raise TooManyRequests(f"{refused}.", retry_after=refused.wait) from refused
                raise Unauthorized(f"{refused}.") from refused
        else:
            g.operator = operators.from_session(database)
            # A page of somebody else can make a browser send the cookie, but not this header
            if g.operator and request.method == "POST" and not operators.is_own_form(request.headers.get("X-CSRF-Token", "")):
                raise Forbidden("X-CSRF-Token is not the token that /api/session tells.")
    if not g.operator:
        raise Unauthorized("Log in on the board, or send an operator's name and password by HTTP Basic.")


@blueprint.after_request
def _protect(response: Response) -> Response:
    return operators.protect(response)


@blueprint.errorhandler(FilterError)
def _filter_error(error: FilterError) -> Any:
    return _problem(BadRequest(f"{error}."))


def _problem(error: HTTPException) -> Any:
    """Return an error as RFC 9457 says; those of other parts as they are."""
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
    return operators.protect(response)


# ---- seeing


@blueprint.get("/openapi.json")
def openapi() -> Response:
    """Describe the API."""
    return Response(DESCRIPTION.read_bytes(), mimetype="application/json")


@blueprint.get("/session")
def session() -> Response:
    """Tell who asks, and the token that a session must send with what changes something."""
    return jsonify(operator=g.operator, token="" if request.authorization else operators.token())


@blueprint.get("/summary")
def summary() -> Response:
    """Count the phones by state."""
    chosen = Filter.read(request.args)
    with open_session() as database:
        counts = phone_list.summary(database, chosen)
        customers, models = phone_list.choices(database)
    total, stuck = counts.pop("total"), counts.pop(phone_list.STUCK)
    return jsonify(total=total, stuck=stuck, states=counts, customers=customers, models=models)


@blueprint.get("/phones")
def phones() -> Response:
    """Return a page of phones."""
    chosen = Filter.read(request.args)
    with open_session() as database:
        total, found = phone_list.page(database, chosen)
    return jsonify(total=total, page=chosen.page, size=chosen.size, phones=found)


@blueprint.get("/phones/<mac>")
def phone(mac: str) -> Response:
    """Return one phone."""
    with open_session() as database:
        return jsonify(_find(database, mac))


def _find(database: Any, mac: str) -> dict[str, Any]:
    found = phone_list.find(database, phone_list.plain_mac(mac))
    if found is None:
        raise NotFound(f"Nobody knows the phone {mac[: phone_list.LONGEST_TEXT]}.")
    return found


@blueprint.get("/phones/<mac>/events")
def events(mac: str) -> Response:
    """Return what happened to a phone, the latest first."""
    before = request.args.get("before", "0")
    if not before.isascii() or not before.isdigit() or len(before) > 18:
        raise BadRequest(f"before: '{before[:20]}' is no number of an event.")
    with open_session() as database:
        _find(database, mac)
        found = phone_list.timeline(database, phone_list.plain_mac(mac), int(before))
    more = len(found) == phone_list.PAGE
    return jsonify(events=found, next=found[-1]["id"] if more else None)


@blueprint.get("/phones/<mac>/reports")
def reports(mac: str) -> Response:
    """Return what a phone has sent, the latest first."""
    with open_session() as database:
        _find(database, mac)
        return jsonify(reports=phone_list.reports(database, phone_list.plain_mac(mac)))


@blueprint.get("/manifest.<form>")
def manifest(form: str) -> Response:
    """Return the manifest of what was packed."""
    with open_session() as database:
        return make_manifest(database, form, g.operator)


# ---- changing


@blueprint.post("/scan-in")
def scan_in() -> Response:
    """Take a unit in."""
    given = _body(code="", model="", customer="", add=False)
    with open_session() as database:
        outcome = scanning.scan_in(
            database, given["code"], g.operator, model=given["model"], customer=given["customer"], add=given["add"]
        )
    return _answer(outcome)


@blueprint.post("/scan-out")
def scan_out() -> Response:
    """Let a unit leave, or tell whether it may."""
    given = _body(unit="", box="")
    with open_session() as database:
        return _answer(pack(database, given["unit"], given["box"], g.operator))


@blueprint.post("/phones/<mac>/take-back")
def take_back(mac: str) -> Response:
    """Let a unit begin anew."""
    _body()
    with open_session() as database:
        return _answer(scanning.take_back(database, phone_list.plain_mac(mac), g.operator))


def _body(**known: str | bool) -> dict[str, Any]:
    """Return the request's JSON object: the *known* names, with values of the same type as theirs."""
    if request.mimetype != "application/json":
        raise UnsupportedMediaType("Send JSON, with Content-Type: application/json.")
    if (request.content_length or 0) > LARGEST_BODY:
        raise BadRequest(f"The body has more than {LARGEST_BODY} bytes.")
    given = request.get_json()
    if not isinstance(given, dict):
        raise BadRequest("The body is no JSON object.")
    for name, value in given.items():
        if name not in known:
            raise BadRequest(f"'{name[: phone_list.LONGEST_TEXT]}' is not known; known are {', '.join(known) or 'no names'}.")
        if type(value) is not type(known[name]):
            raise BadRequest(f"'{name}' is to be {'true or false' if isinstance(known[name], bool) else 'text'}.")
    return {**known, **given}


def _answer(outcome: scanning.Outcome) -> Response:
    """Return what a scan has led to; what is loud on the board is a problem here."""
    found = {
        "verdict": outcome.verdict,
        "phone": outcome.phone,
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
