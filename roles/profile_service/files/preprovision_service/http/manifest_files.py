# SPDX-License-Identifier: GPL-3.0-or-later
"""Manifests of shipped phones as downloads."""

from __future__ import annotations

import socket
from datetime import datetime, timedelta
from typing import Any

from flask import Response, current_app, request
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound

from .. import manifest
from ..clock import iso, now
from ..domain.common.mac import parse_mac
from ..store import batches
from ..store.filters import Filter, FilterError

FORMS = {"csv": "text/csv", "json": "application/json", "zip": "application/zip", "pem": "application/x-pem-file"}
_ARGUMENTS = ("customer", "model", "text", "since", "until")


def manifest_response(database: Session, form: str, operator: str) -> Response:
    """Return the manifest of the phones that the request's arguments select, in one of FORMS."""
    if form not in FORMS:
        raise NotFound(f"There is no manifest.{form[:20]}; available are {', '.join(f'manifest.{known}' for known in FORMS)}.")
    key = manifest.signing_key(str(current_app.config["SECRET_KEY"]))
    if form == "pem":
        return _file(manifest.public_key(key), form)
    chosen = Filter.read(request.args)
    items = [_item(row) for row in batches.shipped(database, chosen, _day("since"), _day("until", 1))]
    if form == "csv":
        return _file(manifest.to_csv(items), form)
    arguments = {name: request.args[name] for name in _ARGUMENTS if request.args.get(name)}
    document = manifest.to_json(items, made=iso(now()), operator=operator, station=socket.gethostname(), chosen=arguments)
    return _file(document if form == "json" else manifest.to_archive(document, manifest.to_csv(items), key), form)


def _item(row: Any) -> manifest.Item:
    """Return a shipment as an item of the manifest."""
    return manifest.Item(
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
        evidence=row.evidence,
        override=row.override,
    )


def _day(name: str, later: int = 0) -> int:
    """Return the start of the day that an argument names, or of *later* days after it, in milliseconds; 0 without one."""
    text = request.args.get(name, "")
    if not text:
        return 0
    try:
        day = datetime.strptime(text, "%Y-%m-%d") + timedelta(days=later)
        return int(day.astimezone().timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        raise FilterError(f"{name}: '{text[:20]}' is not a date such as 2026-01-31") from error


def _file(content: bytes, form: str) -> Response:
    response = Response(content, mimetype=FORMS[form])
    name = f"manifest-{datetime.now().astimezone():%Y-%m-%d-%H%M}" if form != "pem" else "manifest"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.{form}"'
    return response
