# SPDX-License-Identifier: GPL-3.0-or-later
"""The API: access, responses, and that they match its description."""

from __future__ import annotations

import base64
import io
import json
import re
import zipfile
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest
from flask import Flask
from flask.testing import FlaskClient
from preprovision_service.clock import iso
from preprovision_service.http import api, auth
from preprovision_service.receiving.outcomes import STATUS
from preprovision_service.station import Alert, Station
from preprovision_service.store.filters import FILTER_STATES, STATES
from preprovision_service.store.tables import Event, Operator, Phone, Report
from werkzeug.test import TestResponse

PASSWORD = "correct horse battery: \u00e9"
HASHED = auth.hash_password(PASSWORD)
BASIC = {"Authorization": "Basic " + base64.b64encode(f"ann:{PASSWORD}".encode()).decode()}
DESCRIPTION = json.loads(api.DESCRIPTION.read_text())
MAC = "00005e005301"
FACTS = json.dumps({kind: [1, "k", "1a-2b", "address"] for kind in ("profile", "hash", "succeeded")})


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    """Return an application with an operator and four phones."""
    app = make_app()
    usual = {"model": "ATA192", "family": "ata19x", "customer": "Example", "since": 1_700_000_000_000}
    with app.extensions["sessions"].begin() as session:
        session.add(Operator(name="ann", password=HASHED))
        session.add(
            Phone(mac=MAC, name="phone-1", serial="FCH0000D001", state="resynced", profile_hash="1a-2b", facts=FACTS, **usual)
        )
        session.add(Phone(mac="00005e005302", name="phone-2", serial="FCH0000D002", state="leased", **usual))
        session.add(Phone(mac="00005e005303", name="phone-3", serial="FCH0000D003", state="packed", **usual))
        claimed = {"mac": "00005e005304", "name": "phone-4", "serial": "FCH0000D004", "state": "resynced", "claimed": 1}
        session.add(Phone(**claimed, profile_hash="1a-2b", **usual))
        session.flush()
        session.add(Event(key="1", time=1, mac=MAC, address="192.0.2.5", kind="lease", detail='{"what": "ack"}'))
        session.add(Event(key="2", time=2, mac=MAC, kind="http", detail="no JSON"))
        session.add(Report(mac=MAC, time=3, address="192.0.2.5", body=b"<x/>"))
    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Return a client of the application."""
    return app.test_client()


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    return {**schema, "components": DESCRIPTION["components"]}


def judge(answer: TestResponse, path: str, method: str = "get") -> TestResponse:
    """Check that the description allows *answer*; return it."""
    response = DESCRIPTION["paths"][path][method]["responses"][str(answer.status_code)]
    if "$ref" in response:
        response = DESCRIPTION["components"]["responses"][response["$ref"].rpartition("/")[2]]
    schema = response["content"][answer.mimetype]["schema"]
    if "json" in answer.mimetype:
        jsonschema.validate(json.loads(answer.data), resolved(schema), cls=jsonschema.Draft202012Validator)
    for name in response.get("headers", {}):
        assert name in answer.headers
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    return answer


GETS = [
    ("/api/session", {}, 200),
    ("/api/station", {}, 200),
    ("/api/summary", {}, 200),
    ("/api/summary", {"state": "none"}, 400),
    ("/api/phones", {}, 200),
    ("/api/phones", {"customer": "Example", "model": "ATA192", "state": "stuck", "text": "5e", "page": "1", "size": "2"}, 200),
    ("/api/phones", {"page": "2"}, 200),
    ("/api/phones", {"page": "0"}, 400),
    ("/api/phones/{mac}", {}, 200),
    ("/api/phones/{mac}", {"mac": "00:00:5E:00:53:FF"}, 404),
    ("/api/phones/{mac}/events", {}, 200),
    ("/api/phones/{mac}/events", {"before": "x"}, 400),
    ("/api/phones/{mac}/events", {"mac": "none"}, 404),
    ("/api/phones/{mac}/reports", {}, 200),
    ("/api/phones/{mac}/reports", {"mac": "none"}, 404),
    ("/api/manifest.json", {}, 200),
    ("/api/manifest.json", {"since": "x"}, 400),
    ("/api/manifest.csv", {}, 200),
    ("/api/manifest.csv", {"until": "2026-02-30"}, 400),
    ("/api/manifest.zip", {}, 200),
    ("/api/manifest.zip", {"state": "none"}, 400),
    ("/api/manifest.pem", {}, 200),
]


@pytest.mark.parametrize(("path", "query", "status"), GETS)
def test_get(client: FlaskClient, path: str, query: dict[str, str], status: int) -> None:
    real = path.format(mac=query.get("mac", MAC))
    arguments = {name: value for name, value in query.items() if name != "mac"}
    assert judge(client.get(real, query_string=arguments), path).status_code == 401
    assert judge(client.get(real, query_string=arguments, headers=BASIC), path).status_code == status


LABEL, NEW = "00:00:5E:00:53:01", "00:00:5e:00:53:09"
POSTS = [
    ("/api/scan-in", {"code": LABEL}, 200, "found"),
    ("/api/scan-in", {"code": NEW, "add": True, "model": "ATA192"}, 201, "added"),
    ("/api/scan-in", {"code": NEW}, 404, "unknown"),
    ("/api/scan-in", {"code": LABEL, "model": "ATA191"}, 409, "wrong"),
    ("/api/scan-in", {"code": LABEL, "customer": "Other"}, 409, "wrong"),
    ("/api/scan-in", {"code": "FCH0000D003"}, 409, "duplicate"),
    ("/api/scan-in", {"code": "?"}, 422, "unreadable"),
    ("/api/scan-in", {}, 422, "unreadable"),
    ("/api/scan-out", {"unit": LABEL}, 200, "ready"),
    ("/api/scan-out", {"unit": LABEL, "box": "FCH0000D001"}, 200, "packed"),
    ("/api/scan-out", {"unit": LABEL, "box": "FCH0000D002"}, 409, "wrong"),
    ("/api/scan-out", {"unit": "FCH0000D004", "box": "FCH0000D004"}, 409, "unproven"),
    ("/api/scan-out", {"unit": "FCH0000D004", "box": "FCH0000D004", "override": "seen by eye"}, 200, "packed"),
    ("/api/scan-out", {"unit": "FCH0000D002"}, 409, "refused"),
    ("/api/scan-out", {"unit": NEW}, 404, "unknown"),
    ("/api/scan-out", {"unit": "?"}, 422, "unreadable"),
    ("/api/phones/{mac}/take-back", {}, 200, "returned"),
]


@pytest.mark.parametrize(("path", "body", "status", "verdict"), POSTS)
def test_post(client: FlaskClient, path: str, body: dict[str, Any], status: int, verdict: str) -> None:
    real = path.format(mac=MAC)
    assert judge(client.post(real, json=body), path, "post").status_code == 401
    answer = judge(client.post(real, json=body, headers=BASIC), path, "post")
    assert (answer.status_code, json.loads(answer.data)["verdict"]) == (status, verdict)


def test_arms_a_unit_again(app: Flask, client: FlaskClient) -> None:
    with app.extensions["sessions"].begin() as session:
        session.get(Phone, MAC).unit_file, session.get(Phone, MAC).done = "model", 7
    shown = judge(client.get(f"/api/phones/{MAC}", headers=BASIC), "/api/phones/{mac}").json
    assert (shown["unit_file"], shown["done"]) == ("model", iso(7))
    answer = judge(client.post("/api/scan-in", json={"code": LABEL}, headers=BASIC), "/api/scan-in", "post").json
    assert (answer["verdict"], answer["phone"]["arming"], answer["phone"]["done"]) == ("armed", "armed", "")


@pytest.mark.parametrize(
    ("sent", "status", "words"),
    [
        ({"data": b"code=1", "content_type": "application/x-www-form-urlencoded"}, 415, "Send JSON"),
        ({"data": b'{"code": "x"}', "content_type": "text/plain"}, 415, "Send JSON"),
        ({"data": b"{", "content_type": "application/json"}, 400, ""),
        ({"json": []}, 400, "must be a JSON object"),
        ({"json": {"colour": "red"}}, 400, "Unknown name 'colour'; expected code, model, customer, add."),
        ({"json": {"code": 1}}, 400, "'code' must be text."),
        ({"json": {"add": "yes"}}, 400, "'add' must be true or false."),
        ({"json": {"code": "x" * 17000}}, 400, "larger than 16384 bytes"),
    ],
)
def test_rejects_invalid_bodies(client: FlaskClient, sent: dict[str, Any], status: int, words: str) -> None:
    answer = judge(client.post("/api/scan-in", headers=BASIC, **sent), "/api/scan-in", "post")
    assert answer.status_code == status
    assert words in json.loads(answer.data)["detail"]


def test_session(app: Flask) -> None:
    """The board's login does, with its token."""
    client = app.test_client()
    client.environ_base["wsgi.url_scheme"] = "https"
    token = re.search(r'name="token" value="([^"]+)"', client.get("/board/login").text)[1]
    client.post("/board/login", data={"token": token, "name": "ann", "password": PASSWORD})
    found = judge(client.get("/api/session"), "/api/session").get_json()
    assert found["operator"] == "ann"
    assert judge(client.post("/api/scan-in", json={"code": LABEL}), "/api/scan-in", "post").status_code == 403
    headers = {"X-CSRF-Token": found["token"]}
    assert judge(client.post("/api/scan-in", json={"code": LABEL}, headers=headers), "/api/scan-in", "post").status_code == 200


@pytest.mark.parametrize(
    "given",
    [
        "Basic !",
        "Basic YW5u",
        "Bearer x",
        "Basic " + base64.b64encode(b"ann:wrong").decode(),
        "Basic " + base64.b64encode(b"ann:\xff").decode(),
    ],
)
def test_wrong_credentials(client: FlaskClient, given: str) -> None:
    answer = client.get("/api/summary", headers={"Authorization": given})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")


def test_limits_guesses(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "check_password_hash", lambda _stored, _given: False)
    guesses = [client.get("/api/summary", headers=BASIC) for _number in range(auth.PER_NAME + 1)]
    assert [guess.status_code for guess in guesses] == [401] * auth.PER_NAME + [429]
    judge(guesses[-1], "/api/summary")


def test_checks_a_correct_password_once(client: FlaskClient, app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[str] = []
    monkeypatch.setattr(
        auth, "check_password_hash", lambda stored, given: bool(checked.append(given)) or (stored, given) == (HASHED, PASSWORD)
    )
    for _number in range(3):
        assert client.get("/api/summary", headers=BASIC).status_code == 200
    assert len(checked) == 1
    # It counts for the password that the table holds now
    with app.extensions["sessions"].begin() as session:
        session.get(Operator, "ann").password = auth.hash_password("another")
    assert client.get("/api/summary", headers=BASIC).status_code == 401


def test_errors_are_problems(client: FlaskClient) -> None:
    for path, method, status in (("/api/none", "get", 404), ("/api/phones", "delete", 405), ("/api/manifest.exe", "get", 404)):
        answer = client.open(path, method=method, headers=BASIC)
        assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
        assert json.loads(answer.data)["status"] == status
    assert "GET" in client.delete("/api/phones", headers=BASIC).headers["Allow"]
    # Others' errors stay what they were
    assert client.get("/nothing").mimetype == "text/html"


def test_pages(client: FlaskClient) -> None:
    found = [client.get(f"/api/phones?size=2&page={number}", headers=BASIC).get_json() for number in (1, 2, 3)]
    assert [len(one["phones"]) for one in found] == [2, 2, 0]
    assert {one["total"] for one in found} == {4}
    assert client.get(f"/api/phones/{MAC}/events", headers=BASIC).get_json() == {
        "events": [
            {"id": 2, "time": iso(2), "kind": "http", "address": "", "place": "bench", "detail": {"text": "no JSON"}},
            {"id": 1, "time": iso(1), "kind": "lease", "address": "192.0.2.5", "place": "bench", "detail": {"what": "ack"}},
        ],
        "next": None,
    }


def test_manifest(client: FlaskClient) -> None:
    with zipfile.ZipFile(io.BytesIO(client.get("/api/manifest.zip", headers=BASIC).data)) as archive:
        assert json.loads(archive.read("manifest.json"))["count"] == 0


# ---- the description


def test_description_is_served_to_all(client: FlaskClient) -> None:
    assert judge(client.get("/api/openapi.json"), "/api/openapi.json").get_json() == DESCRIPTION


def test_description_lists_exactly_the_routes(app: Flask) -> None:
    served = set()
    for rule in app.url_map.iter_rules():
        if rule.endpoint.startswith("api."):
            paths = [rule.rule.replace("<mac>", "{mac}")]
            if "<form>" in rule.rule:
                paths = [rule.rule.replace("<form>", form) for form in ("csv", "json", "zip", "pem")]
            served |= {(path, method.lower()) for path in paths for method in rule.methods - {"HEAD", "OPTIONS"}}
    described = {(path, method) for path, methods in DESCRIPTION["paths"].items() for method in methods if method != "parameters"}
    assert described == served


def test_description_matches_the_code(app: Flask) -> None:
    schemas = DESCRIPTION["components"]["schemas"]
    assert (
        set(schemas["Phone"]["properties"]["state"]["enum"])
        == set(STATES)
        == set(schemas["Summary"]["properties"]["states"]["properties"])
    )
    assert DESCRIPTION["components"]["parameters"]["state"]["schema"]["enum"] == ["", *FILTER_STATES]
    verdicts = {*schemas["Outcome"]["properties"]["verdict"]["enum"], *schemas["Refusal"]["properties"]["verdict"]["enum"]}
    assert verdicts == set(STATUS)
    for verdict, status in STATUS.items():
        assert verdict in schemas["Refusal" if status >= 400 else "Outcome"]["properties"]["verdict"]["enum"]


def test_every_response_is_tested_here() -> None:
    """A described status that no test has seen may be wrong."""
    tried = {(path, "get", status) for path, _query, status in GETS} | {
        (path, "post", status) for path, _body, status, _verdict in POSTS
    }
    named = {
        (path, method, int(status))
        for path, methods in DESCRIPTION["paths"].items()
        for method, operation in methods.items()
        if method != "parameters"
        for status in operation["responses"]
    }
    everywhere = {400, 401, 403, 415, 429}
    assert {one for one in named - tried if one[2] not in everywhere} == {
        ("/api/openapi.json", "get", 200),
        ("/api/phones/{mac}/take-back", "post", 404),
    }


def test_says_what_is_wrong_with_the_station(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    alert = Alert("names", "The DNS server runs, but does not answer.", "Restart it.")
    monkeypatch.setattr(api, "read_station", lambda _recent: Station({"names": "hung"}, (alert,), ("The web server hung.",)))
    answer = client.get("/api/station", headers=BASIC)
    judge(answer, "/api/station")
    assert answer.json == {
        "services": {"names": "hung"},
        "alerts": [{"service": "names", "cause": "The DNS server runs, but does not answer.", "remedy": "Restart it."}],
        "restarts": ["The web server hung."],
    }
