# SPDX-License-Identifier: GPL-3.0-or-later
"""The board: what a technician sees and does at the bench, as HTML that works without script too."""

from __future__ import annotations

import socket
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, cast

from flask import Blueprint, Flask, Response, current_app, g, make_response, redirect, render_template, request, session, url_for
from flask.blueprints import BlueprintSetupState
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.exceptions import BadRequest, HTTPException, NotFound
from werkzeug.wrappers import Response as Answer

from . import manifest, operators, phone_list, scanning
from .clock import iso, now
from .database import Report
from .domain.mac import parse_mac
from .domain.progress import STATES
from .phone_list import DONE, MILESTONES, STUCK, Filter, FilterError
from .phones import NotReady
from .web import asking

PACK_STATES = ("resynced", "reported")
"""States in which a phone may leave."""

STEPS = 240
PLOT = (960, 320)
"""Width and height of the plot."""
SPANS = {"1": 1, "8": 8, "24": 24, "168": 168}
"""How many hours a plot may show."""

COMMANDS = {"board": "board.board", "in": "board.scan_in", "out": "board.scan_out", "batch": "board.batch"}
"""What can be typed, or scanned from a sheet on the wall, instead of a label."""

blueprint = Blueprint(
    "board", __name__, url_prefix="/board", template_folder="templates", static_folder="static/board", static_url_path="/static"
)


@blueprint.record
def _set_up(state: BlueprintSetupState) -> None:
    app = cast(Flask, state.app)
    app.session_interface = operators.SessionInterface()
    app.config["SESSION_COOKIE_NAME"] = "preprovision_board"


@blueprint.before_request
def _admit() -> Answer | tuple[str, int] | None:
    """Let operators in alone, and take forms from nobody else's pages."""
    if request.endpoint == "board.static":
        return None
    if operators.came_in_clear():
        if request.method == "POST":
            return _error(403, "Use HTTPS: a password or a session must not be sent in clear.")
        return redirect(request.url.replace("http:", "https:", 1), 308)
    if request.method == "POST" and not operators.is_own_form(request.form.get("token", "")):
        if request.endpoint != "board.log_in" and "operator" not in session:
            return _log_in_first()
        return _error(403, "The form is too old, or it is not the board's own. Load the page again.")
    if request.endpoint == "board.log_in":
        return None
    with open_session() as database:
        g.operator = operators.from_session(database)
    return None if g.operator else _log_in_first()


def _log_in_first() -> Answer | tuple[str, int]:
    if request.method == "POST":
        return render_template("board/login.html", problem="Log in again.", then=url_for("board.board")), 401
    return redirect(url_for("board.log_in", then=request.full_path.rstrip("?")), 303)


@blueprint.after_request
def _protect(response: Response) -> Response:
    return operators.protect(response)


@blueprint.errorhandler(HTTPException)
def _http_error(error: HTTPException) -> Any:
    if error.code is None or error.code < 400:
        return error
    return _error(error.code, error.description or "")


@blueprint.errorhandler(FilterError)
def _filter_error(error: FilterError) -> Any:
    return _error(400, f"{error}.")


def _error(status: int, text: str) -> tuple[str, int]:
    return render_template("board/error.html", status=status, text=text), status


@blueprint.context_processor
def _helpers() -> dict[str, object]:
    return {"token": operators.token, "operator": g.get("operator", ""), "states": STATES, "commands": tuple(COMMANDS)}


def open_session() -> Session:
    """Return a session with the database, to be closed."""
    made: Session = current_app.extensions["sessions"]()
    return made


def who_asks() -> str:
    """Return the address that a request comes from, as nginx tells it."""
    return asking().address or request.remote_addr or ""


# ---- login


@blueprint.route("/login", methods=["GET", "POST"])
def log_in() -> Any:
    """Ask for name and password; begin a session."""
    then = request.values.get("then", "")
    if not _is_own_path(then):
        then = url_for("board.board")
    if request.method == "GET":
        return render_template("board/login.html", problem="", then=then)
    try:
        with open_session() as database:
            operators.log_in(database, request.form.get("name", ""), request.form.get("password", ""), who_asks())
    except operators.LoginRefused as refused:
        response = make_response(
            render_template("board/login.html", problem=f"{refused}.", then=then), 429 if refused.wait else 403
        )
        if refused.wait:
            response.headers["Retry-After"] = str(refused.wait)
        return response
    return redirect(then, 303)


def _is_own_path(path: str) -> bool:
    """Tell whether *path* leads back to the board, whatever a browser makes of odd characters in it."""
    return path.startswith("/board/") and path.isascii() and path.isprintable() and "\\" not in path and "//" not in path


@blueprint.post("/logout")
def log_out() -> Answer:
    """End the session."""
    session.clear()
    return redirect(url_for("board.log_in"), 303)


# ---- seeing


@blueprint.get("/")
def board() -> Response:
    """Show how far the batch is, and a page of its phones."""
    chosen = Filter.read(request.args)
    with open_session() as database:
        counts = phone_list.summary(database, chosen)
        customers, models = phone_list.choices(database)
        total, phones = phone_list.page(database, chosen)
    pages = max((total + chosen.size - 1) // chosen.size, 1)
    return _live(
        "board/board.html",
        chosen=chosen,
        counts=counts,
        bar=_bar(counts),
        done=sum(counts[state] for state in DONE),
        customers=customers,
        models=models,
        total=total,
        pages=pages,
        phones=phones,
        unknown=request.args.get("unknown", "")[: phone_list.LONGEST_TEXT],
    )


def _live(template: str, **values: object) -> Response:
    """Render a page that the script asks for again and again, and send it only if it has changed."""
    response = make_response(render_template(template, **values))
    response.add_etag()
    response.make_conditional(request)
    return response


def _bar(counts: dict[str, int]) -> list[tuple[str, int, int]]:
    """Return class, beginning and width of the parts of a bar that is 1000 wide."""
    done = sum(counts[state] for state in DONE)
    bad = counts["failed"] + counts[STUCK]
    moving = counts["total"] - done - bad - counts["expected"]
    parts, position = [], 0.0
    for name, count in (("done", done), ("moving", moving), ("bad", bad)):
        width = 1000 * count / counts["total"] if counts["total"] else 0
        parts.append((name, round(position), round(position + width) - round(position)))
        position += width
    return parts


@blueprint.get("/find")
def find() -> Any:
    """Go where the scanned or typed text leads: to a page, to a phone, or to all that have it in them."""
    text = request.args.get("code", "").strip()[: scanning.LONGEST_CODE]
    if text.lower() in COMMANDS:
        return redirect(url_for(COMMANDS[text.lower()]), 303)
    with open_session() as database:
        mac = scanning.look_up(database, text)
        if mac:
            return redirect(url_for("board.phone", mac=mac), 303)
        chosen = Filter(text=text[: phone_list.LONGEST_TEXT])
        total, phones = phone_list.page(database, chosen)
    if text and total == 1:
        return redirect(url_for("board.phone", mac=phone_list.plain_mac(phones[0]["mac"])), 303)
    arguments: dict[str, Any] = chosen.arguments() if total else {"unknown": text}
    return redirect(url_for("board.board", **arguments), 303)


@blueprint.get("/phones/<mac>")
def phone(mac: str) -> Response:
    """Show one phone and what has happened to it."""
    return _show_phone(mac)


def _show_phone(mac: str, outcome: scanning.Outcome | None = None) -> Response:
    plain = phone_list.plain_mac(mac)
    before = request.args.get("before", "0")
    if not before.isascii() or not before.isdigit() or len(before) > 18:
        raise BadRequest(f"before: '{before[:20]}' is no number of an event.")
    with open_session() as database:
        found = phone_list.find(database, plain)
        if found is None:
            raise NotFound(f"Nobody knows the phone {mac[: phone_list.LONGEST_TEXT]}.")
        events = phone_list.timeline(database, plain, int(before))
        reports = [] if int(before) else phone_list.reports(database, plain)
    return _live("board/phone.html", phone=found, plain=plain, events=events, reports=reports, before=int(before), outcome=outcome)


@blueprint.post("/phones/<mac>/take-back")
def take_back(mac: str) -> Response:
    """Have a phone begin anew."""
    with open_session() as database:
        outcome = scanning.take_back(database, phone_list.plain_mac(mac), g.operator)
    return _show_phone(mac, outcome)


@blueprint.get("/reports/<int:number>")
def report(number: int) -> Response:
    """Hand over what a phone has sent, as a file that no browser shows."""
    with open_session() as database:
        body = database.scalar(select(Report.body).where(Report.id == number)) if number < 2**63 else None
    if body is None:
        raise NotFound("There is no such report; it may be too old.")
    response = Response(bytes(body), mimetype="application/octet-stream")
    response.headers["Content-Disposition"] = f'attachment; filename="report-{number}.bin"'
    return response


# ---- scanning


@blueprint.route("/scan-in", methods=["GET", "POST"])
def scan_in() -> Any:
    """Take units in, one label after the other."""
    form = request.values
    settings = {name: form.get(name, "").strip()[:255] for name in ("model", "customer")}
    add, both = form.get("add") == "1", form.get("both") == "1"
    code, first, outcome = _code(), "", None
    if code.lower() in COMMANDS:
        return redirect(url_for(COMMANDS[code.lower()]), 303)
    with open_session() as database:
        if request.method == "POST" and code:
            first = request.form.get("first", "")[: scanning.LONGEST_CODE]
            if both and not first:
                first = code
            else:
                label = f"{first}\t{code}" if both else code
                outcome, first = scanning.scan_in(database, label, g.operator, add=add, **settings), ""
        customers, known = phone_list.choices(database)
        page = render_template(
            "board/scan_in.html",
            settings=settings,
            add=add,
            both=both,
            first=first,
            outcome=outcome,
            customers=customers,
            models=sorted({*known, *scanning.catalogue(database).models}),
            scans=scanning.last_scans(database, "scanned"),
        )
    return page, outcome.status if outcome else 200


@blueprint.route("/scan-out", methods=["GET", "POST"])
def scan_out() -> Any:
    """Let units leave: first the unit is scanned, then its box."""
    code, outcome = _code(), None
    if code.lower() in COMMANDS:
        return redirect(url_for(COMMANDS[code.lower()]), 303)
    unit = ""
    with open_session() as database:
        if request.method == "POST" and code:
            first = request.form.get("unit", "")[: scanning.LONGEST_CODE]
            outcome = pack(database, first or code, code if first else "", g.operator)
            unit = code if outcome.verdict == "ready" else ""
        scans = scanning.last_scans(database, "packed")
    return render_template("board/scan_out.html", unit=unit, outcome=outcome, scans=scans), outcome.status if outcome else 200


def _code() -> str:
    return request.form.get("code", "").strip()[: scanning.LONGEST_CODE + 1]


def pack(database: Session, unit: str, box: str, operator: str) -> scanning.Outcome:
    """Do scanning.scan_out with the settings of this station."""

    def current(mac: str) -> Collection[str] | None:
        phones = current_app.extensions["phones"]
        connection = database.connection()
        try:
            known = phones.find(connection, mac)
            return [profile.etag for profile in phones.profiles(connection, known)] if known else None
        except NotReady:
            return None

    return scanning.scan_out(database, unit, box, operator, states=PACK_STATES, current=current)


# ---- a batch


@blueprint.get("/batch")
def batch() -> Response:
    """Show a batch over time, and where to get its manifest."""
    chosen = Filter.read(request.args)
    hours = SPANS.get(request.args.get("hours", "8"), 8)
    step = hours * 3_600_000 // STEPS
    # The plot's end moves in steps, so that it is the same page for a while
    end = (now() // step + 1) * step
    start = end - hours * 3_600_000
    with open_session() as database:
        counts = phone_list.summary(database, chosen)
        customers, models = phone_list.choices(database)
        series = phone_list.over_time(database, chosen, start, end, STEPS)
        shipped = phone_list.count_shipped(database, chosen)
    return _live(
        "board/batch.html",
        chosen=chosen,
        counts=counts,
        shipped=shipped,
        customers=customers,
        models=models,
        hours=hours,
        spans=SPANS.values(),
        plot=_plot(series, counts["total"], start, end),
        series=series,
    )


def _plot(series: dict[str, list[int]], total: int, start: int, end: int) -> dict[str, Any]:
    """Return the lines and marks of the plot, in its own measure."""
    width, height = PLOT
    most = max(total, *(counts[-1] for counts in series.values()), 1)
    lines = {}
    for name in MILESTONES:
        points = [
            f"{round(width * (i + 1) / STEPS)},{round(height - height * count / most, 1)}" for i, count in enumerate(series[name])
        ]
        lines[name] = f"0,{points[0].partition(',')[2]} " + " ".join(points)
    marks = []
    for part in range(5):
        moment = datetime.fromtimestamp((start + (end - start) * part / 4) / 1000).astimezone()
        text = moment.strftime("%H:%M") if end - start <= 24 * 3_600_000 else moment.strftime("%d %b %H:%M")
        marks.append((width * part // 4, text))
    return {"width": width, "height": height, "most": most, "lines": lines, "marks": marks}


@blueprint.get("/manifest.<form>")
def download(form: str) -> Response:
    """Hand over the manifest of a batch, or the public key that verifies it."""
    with open_session() as database:
        return make_manifest(database, form, g.operator)


MANIFESTS = {"csv": "text/csv", "json": "application/json", "zip": "application/zip", "pem": "application/x-pem-file"}


def make_manifest(database: Session, form: str, operator: str) -> Response:
    """Return the manifest of the phones that the request's arguments mean, in one of MANIFESTS."""
    if form not in MANIFESTS:
        raise NotFound(f"A manifest is had as {', '.join(MANIFESTS)}.")
    key = manifest.signing_key(str(current_app.config["SECRET_KEY"]))
    if form == "pem":
        return _file(manifest.public_key(key), form)
    chosen = Filter.read(request.args)
    since, until = _day("since"), _day("until", 1)
    items = [
        manifest.Item(
            mac=parse_mac(row.mac).colon,
            serial=row.serial,
            model=row.model,
            customer=row.customer,
            name=row.name,
            firmware=row.firmware,
            profile_hash=row.profile_hash,
            certificate_subject=row.subject,
            scanned_in=iso(row.arrived),
            profile_fetched=iso(row.fetched),
            packed=iso(row.time),
            operator=row.operator,
        )
        for row in phone_list.shipped(database, chosen, since, until)
    ]
    if form == "csv":
        return _file(manifest.to_csv(items), form)
    arguments = {name: request.args[name] for name in ("customer", "model", "text", "since", "until") if request.args.get(name)}
    document = manifest.to_json(items, made=iso(now()), operator=operator, station=socket.gethostname(), chosen=arguments)
    return _file(document if form == "json" else manifest.to_archive(document, manifest.to_csv(items), key), form)


def _day(name: str, later: int = 0) -> int:
    """Return when the day that an argument names begins, or one *later*; 0 where there is none."""
    text = request.args.get(name, "")
    if not text:
        return 0
    try:
        day = datetime.strptime(text, "%Y-%m-%d") + timedelta(days=later)
        return int(day.astimezone().timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        raise FilterError(f"{name}: '{text[:20]}' is no day; write it as 2026-01-31") from error


def _file(content: bytes, form: str) -> Response:
    response = Response(content, mimetype=MANIFESTS[form])
    name = f"manifest-{datetime.now().astimezone():%Y-%m-%d-%H%M}" if form != "pem" else "manifest"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.{form}"'
    return response
