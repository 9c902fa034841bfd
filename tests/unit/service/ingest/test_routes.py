# SPDX-License-Identifier: GPL-3.0-or-later
"""Every route of the service, from its own URL map: which requests move a phone by what they leave in the logs.

extensions/molecule/station/files/claims.py does the same with nginx, rsyslogd and a leased address.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from flask import Flask
from preprovision_service.http import auth
from preprovision_service.ingest.collector import Collector
from preprovision_service.store.connection import open_database
from preprovision_service.store.tables import Event, Lease, Phone
from sqlalchemy import delete, select, update

MAC, ADDRESS = "00005e005301", "192.0.2.20"
VALUES = {"mac": MAC, "key": "0" * 8, "form": "json", "number": "1", "filename": "board.css"}
# Endpoints of what phones fetch and send, with the methods that move a phone from each state: a refusal makes it fail
MOVERS = {
    "leased": {
        "provisioning.service": {"GET", "POST", "PUT"},
        "provisioning.device": {"GET", "POST", "PUT"},
        "provisioning.report": {"POST", "PUT"},
    },
    "failed": {"provisioning.service": {"GET", "POST"}},
}


def stamped(unit: str, message: str, number: int) -> str:
    stamp = f"2026-11-24T12:00:{number:02}.000001+00:00"
    return json.dumps({"unit": unit, "time": stamp, "process": "7", "msg": message})


@pytest.fixture
def app(make_app: Callable[..., Flask], sync_phones: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> Flask:
    """Return an application with a phone, whose every visitor is an operator."""
    app = make_app()
    variables = {"phone_mac": MAC, "phone_model": "ATA192", "phone_serial": "FCH0000D001"}
    sync_phones(app, {"phone-1": variables})
    monkeypatch.setattr(auth, "from_session", lambda _database: "ann")
    monkeypatch.setattr(auth, "is_valid_token", lambda _given: True)
    return app


@pytest.mark.parametrize("before", MOVERS)
def test_only_requests_for_profiles_move_a_phone(app: Flask, capsys: pytest.CaptureFixture[str], before: str) -> None:
    sessions = app.extensions["sessions"]
    # It changes how its engine begins transactions
    collector = Collector(open_database(app.config["DATABASE"]))
    client = app.test_client()
    moved: dict[str, set[str]] = {}
    rules = list(app.url_map.iter_rules())
    assert {rule.endpoint for rule in rules} >= {"health", "board.phone", "api.phone", *MOVERS["leased"]}
    for rule in rules:
        path = re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", lambda match: VALUES[match[1]], rule.rule)
        # GET of profiles is answered ahead of the map
        for method in sorted({*(rule.methods or ()), "GET"}):
            with sessions.begin() as session:
                for table in (Event, Lease):
                    session.execute(delete(table))
                session.execute(update(Phone).values(facts="{}", state="expected", since=0, claimed=0, done=0, profile_hash=""))
            lines = [stamped("isc-dhcp-server.service", f"DHCPACK on {ADDRESS} to 00:00:5e:00:53:01 via bench0", 1)]
            if before == "failed":
                lines.append(stamped("nginx.service", record("/device/x", path=f"/device/{MAC}.cfg", status=403), 2))
            collector.store_lines(lines)
            capsys.readouterr()
            answer = client.open(path, method=method, headers={"X-Preprovision-Address": ADDRESS}, base_url="https://localhost")
            answer.close()
            of_service = [line for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
            with sessions() as session:
                found = session.scalars(select(Phone)).one().state
            etag = answer.headers.get("ETag", "")
            logged = record(rule.endpoint, path, answer.status_code, etag, method)
            collector.store_lines(
                [stamped("nginx.service", logged, 3), *(stamped("preprovision-service.service", line, 4) for line in of_service)]
            )
            with sessions() as session:
                if session.scalars(select(Phone)).one().state != found:
                    moved.setdefault(rule.endpoint, set()).add(method)
    assert moved == MOVERS[before]


def record(endpoint: str, path: str, status: int, etag: str = "", method: str = "GET") -> str:
    """Return a line as nginx writes it; test_web_locations.py compares the locations with the configuration."""
    is_file = endpoint.startswith(("provisioning.", "/")) and endpoint != "provisioning.customization"
    fields = {
        "address": ADDRESS,
        "scheme": "https",
        "method": method,
        "uri": path,
        "status": status,
        "etag": etag,
        "verify": "NONE",
    }
    upstream = "" if endpoint.startswith("/") else str(status)
    return json.dumps({**fields, "file": path if is_file else "", "upstream": upstream, "agent": "x", "subject": ""})
