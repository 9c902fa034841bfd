# SPDX-License-Identifier: GPL-3.0-or-later
"""Remote customization: a unit asks with its MAC address and model for its customer's provisioning URL."""

from __future__ import annotations

import re
from urllib.parse import parse_qs

from flask import Response, request

from ..domain.common.mac import MacError, parse_mac
from ..domain.common.redaction import redact_urls
from .access_log import logged
from .client import client_identity
from .reports import FORM, find_phone, read_body

_MAX_FORM_SIZE = 4096


def customization() -> Response:
    """Answer the provisioning URL of the unit's customer, or nothing, with 200 in either case."""
    client = client_identity()
    given = request.args.to_dict()
    if request.method == "POST" and request.mimetype == FORM:
        body = read_body(_MAX_FORM_SIZE)
        if body is None:
            return logged(client, "redirect", "", Response(status=413), reason=f"more than {_MAX_FORM_SIZE} bytes")
        given.update({name: texts[-1] for name, texts in parse_qs(body.decode("ascii", "replace")).items()})
    fields = {name.lower(): text for name, text in given.items()}
    model = fields.get("model", "")
    try:
        mac = parse_mac(fields.get("mac", "")).plain
    except MacError:
        return logged(client, "redirect", "", Response(status=400), reason="mac is missing or not a MAC address")
    url, reason = _provisioning_url(mac, model)
    response = Response(url, mimetype="text/plain")
    if not url:
        # The web server answers the same, and counts it as a guess
        response.headers["X-Accel-Redirect"] = "/.nothing"
    return logged(client, "redirect", mac, response, reason=reason, location=redact_urls(url), model=model[:64])


def _provisioning_url(mac: str, model: str) -> tuple[str, str]:
    """Return the provisioning URL of the phone's customer, or an empty one and the reason why there is none."""
    known = find_phone(mac)
    if known is None:
        return "", "no such phone"
    if not same_model(model, known.model):
        return "", f"it is a {known.model}"
    return known.provisioning_url, "" if known.provisioning_url else "its customer has no provisioning URL"


def same_model(given: str, model: str) -> bool:
    """Return whether a unit's model is the one in the inventory; phones name it with and without maker and firmware line."""
    given, model = (re.sub(r"^CISCO[-/ ]?|^CP-|-(MPP|3PCC)$", "", text.strip().upper()) for text in (given, model))
    return re.sub(r"^CP-", "", given) == re.sub(r"^CP-", "", model)
