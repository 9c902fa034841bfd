# SPDX-License-Identifier: GPL-3.0-or-later
"""The board: what technicians see and do at the bench, as HTML that works without JavaScript too."""

from __future__ import annotations

from typing import Any, cast

from flask import Blueprint, Flask, Response, current_app, g, make_response, redirect, render_template, request, session, url_for
from flask.blueprints import BlueprintSetupState
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.wrappers import Response as AnyResponse

from ..clock import minute
from ..domain.events.logs.evidence import CONTACTS, PROOFS, Evidence
from ..receiving import labels, packing
from ..receiving.outcomes import Outcome
from ..station import Station, read_station
from ..store import queries
from ..store.faults import explain
from ..store.filters import FILTER_STATES, MAX_TEXT_LENGTH, PAGE, SHIPPED_STATES, Filter, FilterError
from ..store.recent import read_recent
from . import auth, batch, scan_pages
from .arming import arming
from .client import client_address
from .manifest_files import manifest_response
from .pages import COMMANDS, event_before, existing_phone, open_session, render_live

blueprint = Blueprint(
    "board", __name__, url_prefix="/board", template_folder="templates", static_folder="static/board", static_url_path="/static"
)
blueprint.add_url_rule("/scan-in", "scan_in", scan_pages.scan_in, methods=["GET", "POST"])
blueprint.add_url_rule("/scan-out", "scan_out", scan_pages.scan_out, methods=["GET", "POST"])
blueprint.add_url_rule("/batch", "batch", batch.batch)


@blueprint.record
def _set_up(state: BlueprintSetupState) -> None:
    app = cast(Flask, state.app)
    app.session_interface = auth.SessionInterface()
    app.config["SESSION_COOKIE_NAME"] = "preprovision_board"


@blueprint.before_request
def _admit() -> AnyResponse | tuple[str, int] | None:
    """Admit only operators, and only forms of the board's own pages."""
    if request.endpoint == "board.static":
        return None
    if auth.is_insecure():
        if request.method == "POST":
            return _error(403, "Use HTTPS: passwords and sessions must not be sent in clear text.")
        return redirect(request.url.replace("http:", "https:", 1), 308)
    if request.method == "POST" and not auth.is_valid_token(request.form.get("token", "")):
        if request.endpoint != "board.log_in" and "id" not in session:
            return _log_in_first()
        return _error(403, "The form has expired, or it is not from this board. Load the page again.")
    if request.endpoint == "board.log_in":
        return None
    with open_session() as database:
        g.operator = auth.from_session(database)
    return None if g.operator else _log_in_first()


def _log_in_first() -> AnyResponse | tuple[str, int]:
    if request.method == "POST":
        return render_template("board/login.html", problem="Log in again.", then=url_for("board.board")), 401
    return redirect(url_for("board.log_in", then=request.full_path.rstrip("?")), 303)


@blueprint.after_request
def _protect(response: Response) -> Response:
    return auth.protect(response)


@blueprint.errorhandler(HTTPException)
def _http_error(error: HTTPException) -> Any:
    if error.code is None or error.code < 400:
        return error
    return _error(error.code, error.description or "")


@blueprint.errorhandler(FilterError)
def _filter_error(error: FilterError) -> Any:
    return _error(400, f"{error}.")


@blueprint.errorhandler(SQLAlchemyError)
def _database_error(error: SQLAlchemyError) -> Any:
    fault = explain(error, current_app.extensions["engine"])
    current_app.logger.error("%s", fault.text)
    return _error(503, f"{fault.text[:1].upper()}{fault.text[1:]}")


def _error(status: int, text: str) -> tuple[str, int]:
    return render_template("board/error.html", status=status, text=text), status


@blueprint.context_processor
def _helpers() -> dict[str, object]:
    helpers: dict[str, object] = {"arming": arming, "evidence_text": _evidence_text, "token": auth.token}
    helpers |= {"contact_text": _contact_text, "claim_text": _claim_text, "failure_text": _failure_text}
    # Nobody else learns of the station's troubles
    helpers["station"] = _read_station() if g.get("operator") else Station({}, (), ())
    return {**helpers, "operator": g.get("operator", ""), "states": FILTER_STATES, "commands": tuple(COMMANDS)}


def _read_station() -> Station:
    with open_session() as database:
        return read_station(read_recent(database))


def _evidence_text(phone: queries.PhoneView) -> str:
    """Return how it is known that the phone has its profile, or that it is not known; empty if it has none yet."""
    if phone["evidence"] == Evidence.CLAIM:
        return "none: its state is only claimed, by requests or log lines that anybody could have sent"
    return f"it fetched its profile {PROOFS[phone['evidence']]}" if phone["evidence"] else ""


def _contact_text(phone: queries.PhoneView) -> str:
    """Return when, from where and how the phone certainly called home last; empty if it never did."""
    home = phone["home"]
    return f"{minute(home['called'])} from {home['address']}, {CONTACTS[home['evidence']]}" if home["called"] else ""


def _claim_text(phone: queries.PhoneView) -> str:
    """Return when somebody last called home who may be the phone; empty if nobody did."""
    home = phone["home"]
    parts = [f"{minute(home['asked_by_key_id'])} {CONTACTS[Evidence.NAME]}"] if home["asked_by_key_id"] else []
    parts += [f"{minute(home['claimed'])} {CONTACTS[Evidence.CLAIM]}"] if home["claimed"] > home["asked_by_key_id"] else []
    return f"unproved: {'; '.join(parts)}" if parts else ""


def _failure_text(phone: queries.PhoneView) -> str:
    """Return what failed last at home; empty if nothing did."""
    home = phone["home"]
    claimed = ", as anybody could have said" if home["failure_claimed"] else ""
    return f"{minute(home['failed'])}{claimed}: {home['failure']}" if home["failed"] else ""


# ---- login


@blueprint.route("/login", methods=["GET", "POST"])
def log_in() -> Any:
    """Ask for name and password; start a session."""
    then = request.values.get("then", "")
    if not _is_own_path(then):
        then = url_for("board.board")
    if request.method == "GET":
        return render_template("board/login.html", problem="", then=then)
    try:
        with open_session() as database:
            auth.log_in(database, request.form.get("name", ""), request.form.get("password", ""), client_address())
    except auth.LoginRefused as refused:
        problem = f"{str(refused)[:1].upper()}{str(refused)[1:]}."
        response = make_response(render_template("board/login.html", problem=problem, then=then), 429 if refused.wait else 403)
        if refused.wait:
            response.headers["Retry-After"] = str(refused.wait)
        return response
    return redirect(then, 303)


def _is_own_path(path: str) -> bool:
    """Return whether *path* leads back to the board, whatever a browser makes of unusual characters in it."""
    return path.startswith("/board/") and path.isascii() and path.isprintable() and "\\" not in path and "//" not in path


@blueprint.post("/logout")
def log_out() -> AnyResponse:
    """End the session."""
    with open_session() as database:
        auth.log_out(database)
    return redirect(url_for("board.log_in"), 303)


# ---- phones


@blueprint.get("/")
def board() -> Response:
    """Show how far the batch is, and a page of its phones."""
    chosen = Filter.read(request.args)
    with open_session() as database:
        counts = queries.count_phones(database, chosen)
        customers, models = queries.choices(database)
        total, phones = queries.page(database, chosen)
    pages = max((total + chosen.size - 1) // chosen.size, 1)
    return render_live(
        "board/board.html",
        chosen=chosen,
        counts=counts,
        bar=_bar(counts),
        customers=customers,
        models=models,
        total=total,
        pages=pages,
        phones=phones,
        at_home=chosen.state in SHIPPED_STATES,
        unknown=request.args.get("unknown", "")[:MAX_TEXT_LENGTH],
    )


def _bar(counts: queries.Counts) -> list[tuple[str, int, int]]:
    """Return class, start and width of the parts of a bar that is 1000 wide."""
    bad = counts.states["failed"] + counts.stuck
    moving = counts.total - counts.done - bad - counts.states["expected"]
    parts, position = [], 0.0
    for name, count in (("done", counts.done), ("moving", moving), ("bad", bad)):
        width = 1000 * count / counts.total if counts.total else 0
        parts.append((name, round(position), round(position + width) - round(position)))
        position += width
    return parts


@blueprint.get("/find")
def find() -> Any:
    """Open what the scanned or typed text names: a page, a phone, or the list of all phones that contain it."""
    text = request.args.get("code", "").strip(labels.BLANKS)[: labels.MAX_CODE_LENGTH]
    if text.lower() in COMMANDS:
        return redirect(url_for(COMMANDS[text.lower()]), 303)
    with open_session() as database:
        mac = labels.look_up(database, text)
        if mac:
            return redirect(url_for("board.phone", mac=mac), 303)
        chosen = Filter(text=text[:MAX_TEXT_LENGTH])
        total, phones = queries.page(database, chosen)
    if text and total == 1:
        return redirect(url_for("board.phone", mac=queries.plain_mac(phones[0]["mac"])), 303)
    arguments: dict[str, Any] = chosen.arguments() if total else {"unknown": text}
    return redirect(url_for("board.board", **arguments), 303)


@blueprint.get("/phones/<mac>")
def phone(mac: str) -> Response:
    """Show one phone and its timeline."""
    return _show_phone(mac)


def _show_phone(mac: str, outcome: Outcome | None = None) -> Response:
    plain, before = queries.plain_mac(mac), event_before()
    with open_session() as database:
        found = existing_phone(database, mac)
        events = queries.timeline(database, plain, before)
        reports = [] if before else queries.reports(database, plain)
    return render_live(
        "board/phone.html",
        phone=found,
        plain=plain,
        events=events,
        more=len(events) == PAGE,
        reports=reports,
        before=before,
        outcome=outcome,
    )


@blueprint.post("/phones/<mac>/take-back")
def take_back(mac: str) -> Response:
    """Reset a phone to expected."""
    with open_session() as database:
        outcome = packing.take_back(database, queries.plain_mac(mac), g.operator)
    return _show_phone(mac, outcome)


@blueprint.get("/reports/<int:number>")
def report(number: int) -> Response:
    """Return a report's body, as a file that browsers save instead of showing it."""
    with open_session() as database:
        body = queries.report_body(database, number)
    if body is None:
        raise NotFound("There is no such report; it may be too old.")
    response = Response(body, mimetype="application/octet-stream")
    response.headers["Content-Disposition"] = f'attachment; filename="report-{number}.bin"'
    return response


@blueprint.get("/manifest.<form>")
def download(form: str) -> Response:
    """Return the manifest of a batch, or the public key that verifies it."""
    with open_session() as database:
        return manifest_response(database, form, g.operator)
