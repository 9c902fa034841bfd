# SPDX-License-Identifier: GPL-3.0-or-later
"""One line of JSON in the journal for every answer to a phone; the collector reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NamedTuple

from flask import Response, request

from ..clock import now
from .client import ClientIdentity

_encode = json.JSONEncoder().encode


class Exchange(NamedTuple):
    """A request of a phone and the status that answered it."""

    kind: str
    """``profile``, ``report`` or ``redirect``."""
    mac: str
    method: str
    path: str
    status: int


def log_exchange(client: ClientIdentity, exchange: Exchange, detail: Mapping[str, object]) -> None:
    """Write the line."""
    line = {
        "kind": exchange.kind,
        "time": now(),
        # A client that is refused may name any phone
        "claim" if exchange.status in (403, 404) else "mac": exchange.mac,
        "address": client.address,
        "method": exchange.method,
        "path": exchange.path[:256],
        "status": exchange.status,
        "agent": client.agent,
        "verify": client.verify,
        "subject": client.subject,
    }
    line.update({name: value for name, value in detail.items() if value != ""})
    print(_encode(line), flush=True)


def logged(client: ClientIdentity, kind: str, mac: str, response: Response, **detail: object) -> Response:
    """Log that *response* answers the current request, and return it."""
    log_exchange(client, Exchange(kind, mac, request.method, request.path, response.status_code), detail)
    return response


def refuse(client: ClientIdentity, mac: str) -> Response:
    """Log and return the refusal of a report."""
    return logged(client, "report", mac, Response(status=403), reason=client.refusal)
