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
from preprovision_service.domain.events.logs.evidence import Place
from preprovision_service.domain.profiles.sealing.model import Digest
from preprovision_service.domain.profiles.sealing.openssl_enc import seal
from preprovision_service.http import auth
from preprovision_service.ingest.collector import Collector
from preprovision_service.store.connection import open_database
from preprovision_service.store.resets import reset_values
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
def public_app(make_app: Callable[..., Flask], sync_phones: Callable[..., None]) -> Flask:
    """Return an application with a phone, none of whose visitors is an operator."""
    app = make_app()
    sync_phones(app, {"phone-1": {"phone_mac": MAC, "phone_model": "ATA192", "phone_serial": "FCH0000D001"}})
    return app


@pytest.fixture
def app(public_app: Flask, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """Return an application whose every visitor is an operator."""
    app = public_app
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


CERTIFICATE = {"X-Preprovision-Verify": "SUCCESS", "X-Preprovision-Subject": f"CN=ATA192 {MAC},O=Maker"}
ON_BENCH = (
    stamped("isc-dhcp-server.service", "DHCPACK on 192.0.2.20 to 00:00:5e:00:53:01 via bench0", 1),
    stamped("preprovision-tftp.service", "sent /run/tftp/ata192.cfg to 192.0.2.20", 2),
)
CALLS = (
    "provisioning.service",
    "provisioning.service_coded",
    "provisioning.device",
    "provisioning.report",
    "provisioning.customization",
)


def requests(public_app: Flask) -> list[tuple[str, str, str]]:
    """Return endpoint, method and path of every request that the service or the web server answers, and of some others."""
    found = []
    for rule in public_app.url_map.iter_rules():
        path = re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", lambda match: VALUES[match[1]], rule.rule)
        if rule.endpoint == "provisioning.customization":
            path += f"?mac={MAC}&model=ATA192"
        found += [(rule.endpoint, method, path) for method in sorted({*(rule.methods or ()), "GET", "HEAD"})]
    return found


def exchange(public_app: Flask, request: tuple[str, str, str], capsys: pytest.CaptureFixture[str], **more: object) -> list[str]:
    """Send a request, and return the lines that web server and service log of it."""
    endpoint, method, path = request
    headers = {"X-Preprovision-Address": ADDRESS, **more.pop("headers", {})}  # type: ignore[dict-item]
    capsys.readouterr()
    answer = public_app.test_client().open(path, method=method, headers=headers, base_url="https://localhost", **more)  # type: ignore[arg-type]
    answer.close()
    of_service = [line for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    web = json.loads(record(endpoint, path.partition("?")[0], answer.status_code, answer.headers.get("ETag", ""), method))
    if "X-Preprovision-Verify" in headers:
        web |= {"verify": "SUCCESS", "subject": headers["X-Preprovision-Subject"]}
    lines = [stamped("nginx.service", json.dumps(web), 3)]
    return [*lines, *(stamped("preprovision-service.service", line, 4) for line in of_service)]


def column_values(public_app: Flask) -> dict[str, object]:
    """Return all columns of the phone but its claims."""
    with public_app.extensions["sessions"]() as session:
        row = session.execute(select(*Phone.__table__.columns)).one()._asdict()
    facts = json.loads(row.pop("facts"))
    row["facts"] = {name: values for name, values in facts.items() if not name.startswith("home claimed ")}
    del row["asked_by_key_id"]
    return row


def start(public_app: Flask, before: str) -> Collector:
    """Put the phone into a state; return the collector of a provisioning server."""
    with public_app.extensions["sessions"].begin() as session:
        for table in (Event, Lease):
            session.execute(delete(table))
        session.execute(update(Phone).values({**reset_values(0), "facts": "{}", "customization": "Open", "address": ""}))
    if before != "expected":
        Collector(open_database(public_app.config["DATABASE"])).store_lines(ON_BENCH)
    if before == "packed":
        with public_app.extensions["sessions"].begin() as session:
            session.execute(update(Phone).values(state="packed", since=1795521602000, packed=1795521602000))
    return Collector(open_database(public_app.config["DATABASE"]), place=Place.HOME)


@pytest.mark.parametrize("before", ["expected", "bootstrap", "packed"])
def test_nobody_without_proof_moves_a_phone_at_home(public_app: Flask, capsys: pytest.CaptureFixture[str], before: str) -> None:
    collector = start(public_app, before)
    found = column_values(public_app)
    assert found["state"] == before
    asked = requests(public_app)
    assert {endpoint for endpoint, _method, _path in asked} >= {*CALLS, "health", "board.phone", "api.phone"}
    for endpoint, method, path in asked:
        for headers in ({}, {"X-Preprovision-Verify": "SUCCESS", "X-Preprovision-Subject": "CN=00005e005302,O=Maker"}):
            collector.store_lines(exchange(public_app, (endpoint, method, path), capsys, headers=headers))
            assert column_values(public_app) == found, (endpoint, method, path, headers)
    # Published files, whatever the web server answers, with and without the ID of a key
    for folder in ("device", "service", "firmware", "open"):
        for name in (f"{MAC}.cfg", f"{MAC}-12345678.cfg", "ata192.cfg", "x.loads"):
            for status in (200, 206, 304, 401, 403, 404, 429, 503):
                collector.store_lines([stamped("nginx.service", record("/", f"/{folder}/{name}", status, '"65f-1"'), 5)])
                assert column_values(public_app) == found, (folder, name, status)
    with public_app.extensions["sessions"]() as session:
        phone = session.scalars(select(Phone)).one()
    assert phone.asked_by_key_id > 0, "somebody has asked by the ID of a key"
    assert '"home claimed called home"' in phone.facts


def test_no_log_line_moves_a_phone_at_home(public_app: Flask) -> None:
    collector = start(public_app, "packed")
    found = column_values(public_app)
    for number, text in enumerate(
        ("Requesting resync", "Successful resync", "Resync failed:", "Successful upgrade", "Upgrade failed:")
    ):
        # Even from the address that the phone had on the bench
        message = f"2026-11-24T12:00:3{number}.000001+00:00 {ADDRESS} local0.info ATA192-MPP 00:00:5e:00:53:01 -- {text} http://x/{MAC}.cfg"
        collector.store_lines([json.dumps({"offset": str(number), "msg": message})])
        assert column_values(public_app) == found


def test_its_certificate_deploys_a_phone(public_app: Flask, capsys: pytest.CaptureFixture[str]) -> None:
    deployed: dict[str, set[str]] = {}
    for request in requests(public_app):
        endpoint, method, _path = request
        collector = start(public_app, "packed")
        collector.store_lines(exchange(public_app, request, capsys, headers=CERTIFICATE))
        found = column_values(public_app)
        if found["state"] != "packed":
            assert (found["state"], found["contact_address"], found["address"]) == ("deployed", ADDRESS, ADDRESS)
            deployed.setdefault(endpoint, set()).add(method)
    moved = {endpoint: methods - {"OPTIONS"} for endpoint, methods in deployed.items()}
    uploads = {"GET", "POST", "PUT"}
    # What has no GET is still a file that the phone asked for
    assert moved == {**dict.fromkeys(CALLS[:4], uploads), CALLS[4]: {"GET", "POST"}}


def test_a_report_that_the_key_opens_deploys_a_phone(public_app: Flask, capsys: pytest.CaptureFixture[str]) -> None:
    key = "k" * 32
    start(public_app, "packed")
    with public_app.extensions["sessions"].begin() as session:
        variables = {**json.loads(session.scalars(select(Phone.variables)).one()), "phone_profile_key": key}
        session.execute(update(Phone).values(variables=json.dumps(variables), version="2"))
    for sealed_with, state in (("x" * 32, "packed"), (key, "deployed")):
        collector = start(public_app, "packed")
        body = seal(b"<flat-profile><Product_Name>ATA192</Product_Name></flat-profile>", sealed_with, Digest.SHA256)
        request = ("provisioning.report", "POST", f"/report/{MAC}.xml")
        collector.store_lines(exchange(public_app, request, capsys, data=body))
        assert column_values(public_app)["state"] == state
