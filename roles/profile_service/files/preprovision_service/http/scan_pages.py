# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages of the board on which units are scanned in and out."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from flask import current_app, g, redirect, render_template, request, url_for
from sqlalchemy.orm import Session

from ..profile_cache import NotReady
from ..receiving import labels, packing
from ..receiving.arrivals import Selection
from ..receiving.arrivals import scan_in as scan_in_unit
from ..receiving.home_check import check_home
from ..receiving.journal import last_scans
from ..receiving.outcomes import OVERRIDABLE, Check, Outcome, Verdict
from ..store import queries
from .pages import COMMANDS, open_session

_MAX_FIELD_LENGTH = 255


def scan_in() -> Any:
    """Scan units in, one label after the other."""
    form = request.values
    model, customer = (form.get(name, "").strip()[:_MAX_FIELD_LENGTH] for name in ("model", "customer"))
    selected = Selection(model, customer, form.get("add") == "1")
    both = form.get("both") == "1"
    code, first, outcome = _code(), "", None
    if code.lower() in COMMANDS:
        return redirect(url_for(COMMANDS[code.lower()]), 303)
    with open_session() as database:
        if request.method == "POST" and code:
            first = request.form.get("first", "")[: labels.MAX_CODE_LENGTH]
            if both and not first:
                first = code
            else:
                label = f"{first}\t{code}" if both else code
                outcome, first = scan_in_unit(database, label, g.operator, selected), ""
        customers, known = queries.choices(database)
        page = render_template(
            "board/scan_in.html",
            selected=selected,
            both=both,
            first=first,
            outcome=outcome,
            customers=customers,
            models=sorted({*known, *labels.catalogue(database).models}),
            scans=last_scans(database, "scanned"),
        )
    return page, outcome.status if outcome else 200


def scan_out() -> Any:
    """Scan units out: first the unit, then its box."""
    code, outcome = _code(), None
    if code.lower() in COMMANDS:
        return redirect(url_for(COMMANDS[code.lower()]), 303)
    unit, override = "", request.form.get("override", "").strip()[: packing.MAX_REASON_LENGTH]
    with open_session() as database:
        if request.method == "POST" and code:
            first = request.form.get("unit", "")[: labels.MAX_CODE_LENGTH]
            outcome = pack(database, first or code, code if first else "", g.operator, override)
            unit = (first or code) if outcome.verdict in OVERRIDABLE else code if outcome.verdict is Verdict.READY else ""
        scans = last_scans(database, "packed")
    overridable = bool(outcome and outcome.verdict in OVERRIDABLE)
    page = render_template(
        "board/scan_out.html", unit=unit, overridable=overridable, override=override, outcome=outcome, scans=scans
    )
    return page, outcome.status if outcome else 200


def _code() -> str:
    return request.form.get("code", "").strip(labels.BLANKS)[: labels.MAX_CODE_LENGTH + 1]


def pack(database: Session, unit: str, box: str, operator: str, override: str = "") -> Outcome:
    """Scan a unit out, comparing its profile with the one of now and with those at home; see packing.scan_out()."""
    cache, config = current_app.extensions["phones"], current_app.config
    connection = database.connection()

    def current(mac: str) -> Collection[str] | None:
        try:
            known = cache.find(connection, mac)
            return [profile.etag for profile in cache.profiles(connection, known)] if known else None
        except NotReady:
            return None

    def home(mac: str) -> Check | None:
        if not config["HOME_SERVERS"]:
            return None
        try:
            known = cache.find(connection, mac)
            url = cache.remote_url(connection, known) if known else ""
        except NotReady as error:
            return Check(
                "Home", False, f"No provisioning server can be asked for its profile, which cannot be generated now: {error}."
            )
        if known and known.redirect:
            return Check("Home", True, "not checked, since the customer's phones are redirected to another server.")
        return check_home(url, config["HOME_SERVERS"], config["HOME_CA"]) if url else None

    return packing.scan_out(database, unit, box, operator, current, home, override)
