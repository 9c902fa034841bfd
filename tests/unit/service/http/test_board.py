# SPDX-License-Identifier: GPL-3.0-or-later
"""The board as a browser gets it: login, filters, scanning in and out, and that untrusted text is shown but never executed."""

from __future__ import annotations

import io
import itertools
import json
import re
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from flask import Flask
from flask.testing import FlaskClient
from preprovision_service import clock
from preprovision_service.domain.events.progress.observations import read_observations
from preprovision_service.domain.events.progress.progress import position_of
from preprovision_service.http import arming, auth, board
from preprovision_service.receiving import arrivals, packing
from preprovision_service.receiving.outcomes import Check
from preprovision_service.station import Alert, Station
from preprovision_service.store.batches import MILESTONES, over_time
from preprovision_service.store.connection import engine_of
from preprovision_service.store.filters import PAGE, Filter, set_silent_days
from preprovision_service.store.tables import BoardSession, Event, LoginFailure, Operator, Phone, Report, Shipment
from sqlalchemy import delete, event, select, update
from werkzeug.test import TestResponse

NAME, PASSWORD = "ann", "correct horse battery"
HASHED = auth.hash_password(PASSWORD)
COOKIE_NAME = "preprovision_board"
COOKIE: list[tuple[str, dict[str, Any]]] = []
"""The cookie and the stored session of NAME, once it is logged in; valid for all tests, since operator and secret are the same."""
PUBLISHED = "656af3b1-2f1"
"""An ETag as nginx makes it."""
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"' onmouseover='alert(3)' {{7*7}} </td></script>&lt;"


def phone(number: int, **columns: Any) -> Phone:
    """Return a phone of the inventory."""
    usual = {
        "mac": f"00005e0053{number:02x}",
        "name": f"phone-{number}",
        "serial": f"FCH0000D{number:03}",
        "model": "ATA192",
        "family": "ata19x",
        "customer": "Example",
        "since": 1_700_000_000_000 + number * 1000,
    }
    return Phone(**{**usual, **columns})


def label(number: int) -> str:
    return f"00:00:5E:00:53:{number:02X}"


class Page(HTMLParser):
    """What a browser would see: elements with attributes, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def field(self, name: str) -> str:
        return next(attributes["value"] for attributes in self.all("input") if attributes.get("name") == name)

    @property
    def verdict(self) -> str:
        return next((attributes["data-verdict"] for attributes in self.all("section") if "data-verdict" in attributes), "")

    @property
    def macs(self) -> list[str]:
        return [attributes["id"].removeprefix("phone-") for attributes in self.all("tr") if "id" in attributes]


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    """Return an application with an operator."""
    app = make_app()
    with app.extensions["sessions"].begin() as session:
        session.add(Operator(name=NAME, password=HASHED))
    return app


@pytest.fixture
def put(app: Flask) -> Callable[..., None]:
    """Return a function that stores rows in the database."""

    def put(*rows: object) -> None:
        with app.extensions["sessions"].begin() as session:
            session.add_all(rows)

    return put


@pytest.fixture
def row(app: Flask) -> Callable[[int], Phone]:
    """Return a function that reads a phone from the database."""

    def row(number: int) -> Phone:
        with app.extensions["sessions"]() as session:
            return session.get(Phone, f"00005e0053{number:02x}")

    return row


def log_in(client: FlaskClient, name: str = NAME, password: str = PASSWORD, **more: str) -> TestResponse:
    token = Page(client.get("/board/login").text).field("token")
    return client.post("/board/login", data={"token": token, "name": name, "password": password, **more})


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Return a logged-in browser. It uses HTTPS, since the cookie requires it."""
    client = app.test_client()
    client.environ_base["wsgi.url_scheme"] = "https"
    columns = ("id", "operator", "since", "proof")
    if not COOKIE:
        assert log_in(client).status_code == 303
        with app.extensions["sessions"]() as session:
            stored = session.scalars(select(BoardSession)).one()
            COOKIE.append((client.get_cookie(COOKIE_NAME).value, {name: getattr(stored, name) for name in columns}))
    else:
        with app.extensions["sessions"].begin() as session:
            session.add(BoardSession(**COOKIE[0][1]))
    client.set_cookie(COOKIE_NAME, COOKIE[0][0], secure=True)
    return client


def token_of(client: FlaskClient) -> str:
    with client.session_transaction(base_url="https://localhost") as session:
        return session["token"]


def post(client: FlaskClient, path: str, **fields: str) -> TestResponse:
    return client.post(path, data={"token": token_of(client), **fields})


# ---- who may


PAGES = ("/board/", "/board/scan-in", "/board/scan-out", "/board/batch", "/board/phones/00005e005301", "/board/manifest.csv",
         "/board/manifest.pem", "/board/reports/1", "/board/find?code=x")  # fmt: skip


@pytest.mark.parametrize("path", PAGES)
def test_requires_login(app: Flask, put: Callable[..., None], path: str) -> None:
    put(phone(1))
    answer = app.test_client().get(path)
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/board/login?then=")
    assert "phone-1" not in answer.text


def test_login_returns_to_the_page(app: Flask) -> None:
    client = app.test_client()
    answer = log_in(client, then="/board/?state=failed")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/board/?state=failed")


@pytest.mark.parametrize(
    "then",
    [
        "https://example.net/",
        "//example.net/",
        "/board//example.net",
        "/board/\\example.net",
        "/board/\r\nX: 1",
        "/",
        "javascript:1",
    ],
)
def test_login_redirects_only_to_its_own_pages(app: Flask, then: str) -> None:
    assert log_in(app.test_client(), then=then).headers["Location"] == "/board/"


def test_cookie(app: Flask) -> None:
    cookie = log_in(app.test_client()).headers["Set-Cookie"]
    assert {"HttpOnly", "Secure", "SameSite=Strict", "Path=/"} <= {part.strip() for part in cookie.split(";")}


@pytest.mark.parametrize(("name", "password"), [(NAME, "wrong"), ("nobody", PASSWORD), ("", ""), (NAME, ""), (NAME, "x" * 2000)])
def test_wrong_password(app: Flask, name: str, password: str) -> None:
    client = app.test_client()
    answer = log_in(client, name, password)
    assert answer.status_code == 403
    assert "Wrong name or password" in answer.text
    assert client.get("/board/").status_code == 303


def test_limits_guesses(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    # The hash is slow on purpose, here twenty times
    monkeypatch.setattr(auth, "check_password_hash", lambda stored, given: (stored, given) == (HASHED, PASSWORD))
    client = app.test_client()
    assert [log_in(client, NAME, f"guess {i}").status_code for i in range(6)] == [403] * auth.PER_NAME + [429]
    # The right one comes too late, from here; from elsewhere it counts
    answer = log_in(client)
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 600
    other = app.test_client()
    other.environ_base["REMOTE_ADDR"] = "192.0.2.77"
    assert log_in(other).status_code == 303
    # Other names do not help for long either
    assert [log_in(client, f"name {i}", "guess").status_code for i in range(16)] == [403] * 15 + [429]
    with app.extensions["sessions"].begin() as session:
        session.execute(update(LoginFailure).values(time=clock.now() - auth.WINDOW - 1))
    assert log_in(client).status_code == 303


@pytest.mark.parametrize("basic", [False, True], ids=["form", "basic"])
def test_limits_guesses_at_the_same_moment(app: Flask, monkeypatch: pytest.MonkeyPatch, basic: bool) -> None:
    """No check of a password ends before all other attempts are answered."""
    attempts, checks, answered = 24, itertools.count(), threading.Semaphore(0)
    late = threading.Event()

    def check(_stored: str, _given: str) -> bool:
        next(checks)
        assert late.wait(60)
        return False

    monkeypatch.setattr(auth, "check_password_hash", check)

    def guess(number: int) -> int:
        client = app.test_client()
        client.environ_base["wsgi.url_scheme"] = "https"
        try:
            if basic:
                return client.get("/api/summary", auth=(NAME, f"guess {number}")).status_code
            return log_in(client, NAME, f"guess {number}").status_code
        finally:
            answered.release()

    with ThreadPoolExecutor(attempts) as pool:
        found = pool.map(guess, range(attempts))
        for _number in range(attempts - auth.PER_NAME):
            assert answered.acquire(timeout=60)
        late.set()
        statuses = sorted(found)
    assert statuses == [401 if basic else 403] * auth.PER_NAME + [429] * (attempts - auth.PER_NAME)
    assert next(checks) == auth.PER_NAME


def test_right_password_resets_the_count_of_wrong_ones(app: Flask) -> None:
    client = app.test_client()
    for _round in range(2):
        log_in(client, NAME, "wrong")
        assert log_in(client).status_code == 303
    with app.extensions["sessions"]() as session:
        assert session.scalars(select(LoginFailure)).all() == []


def test_login_ends(app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert client.get("/board/").status_code == 200
    monkeypatch.setattr(auth, "now", lambda: clock.now() + auth.SHIFT)
    assert client.get("/board/").status_code == 303
    monkeypatch.setattr(auth, "now", lambda: clock.now() - auth.SHIFT)
    assert client.get("/board/").status_code == 303


def test_logout_ends_the_session_of_every_copy_of_the_cookie(app: Flask, client: FlaskClient) -> None:
    other = app.test_client()
    other.environ_base["wsgi.url_scheme"] = "https"
    log_in(other)
    copy = client.get_cookie(COOKIE_NAME).value
    assert post(client, "/board/logout").status_code == 303
    client.set_cookie(COOKIE_NAME, copy, secure=True)
    assert client.get("/board/").status_code == 303
    assert client.get("/api/summary").status_code == 401
    assert post(client, "/board/scan-in", code=label(1)).status_code in (303, 401)
    # That of another browser goes on
    assert other.get("/board/").status_code == 200


def test_a_new_login_ends_the_browsers_earlier_session(app: Flask, client: FlaskClient) -> None:
    copy = client.get_cookie(COOKIE_NAME).value
    assert log_in(client).status_code == 303
    assert client.get("/board/").status_code == 200
    client.set_cookie(COOKIE_NAME, copy, secure=True)
    assert client.get("/board/").status_code == 303


def test_sessions_are_bounded(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "check_password_hash", lambda _stored, _given: True)
    monkeypatch.setattr(auth, "MAX_SESSIONS", 3)
    with app.extensions["sessions"].begin() as session:
        session.add(BoardSession(id="old", operator="bob", since=clock.now() - 2 * auth.SHIFT, proof=""))
        session.add(BoardSession(id="ahead", operator="bob", since=clock.now() + 86_400_000, proof=""))
    ticks = itertools.count(clock.now() - 1000)
    monkeypatch.setattr(auth, "now", lambda: next(ticks))
    for _number in range(5):
        log_in(app.test_client())
    with app.extensions["sessions"]() as session:
        assert [row.operator for row in session.scalars(select(BoardSession))] == [NAME] * 3


@pytest.mark.parametrize("change", [update(Operator).values(password=auth.hash_password("new")), delete(Operator)])
def test_changed_password_ends_the_session(app: Flask, client: FlaskClient, change: Any) -> None:
    with app.extensions["sessions"].begin() as session:
        session.execute(change)
    assert client.get("/board/").status_code == 303


POSTS = ("/board/scan-in", "/board/scan-out", "/board/logout", "/board/phones/00005e005301/take-back")


@pytest.mark.parametrize("path", [*POSTS, "/board/login"])
@pytest.mark.parametrize("token", [None, "", "wrong", "\u00e9"])
def test_rejects_forms_of_other_sites(
    client: FlaskClient, put: Callable[..., None], row: Callable[[int], Phone], path: str, token: str | None
) -> None:
    put(phone(1))
    fields = {"code": label(1), "name": NAME, "password": PASSWORD, **({} if token is None else {"token": token})}
    assert client.post(path, data=fields).status_code == 403
    assert row(1).arrived == 0


@pytest.mark.parametrize("path", ["/board/scan-in", "/board/scan-out", "/board/phones/00005e005301"])
def test_every_form_sends_the_sessions_token(client: FlaskClient, put: Callable[..., None], path: str) -> None:
    put(phone(1, state="packed", packed_by="bob"))
    page = Page(client.get(path).text)
    forms = [form for form in page.all("form") if form.get("method") == "post"]
    assert forms
    assert [field["value"] for field in page.all("input") if field.get("name") == "token"] == [token_of(client)] * len(forms)


@pytest.mark.parametrize("path", POSTS)
def test_posts_without_login(app: Flask, put: Callable[..., None], row: Callable[[int], Phone], path: str) -> None:
    put(phone(1))
    client = app.test_client()
    assert client.post(path, data={"code": label(1)}).status_code == 401
    token = Page(client.get("/board/login").text).field("token")
    assert client.post(path, data={"code": label(1), "token": token}).status_code == 401
    assert row(1).arrived == 0


# ---- what a browser may do with it


@pytest.mark.parametrize("path", [*PAGES[:6], "/board/login", "/board/static/board.js", "/board/?state=none", "/board/phones/none"])
def test_headers(client: FlaskClient, put: Callable[..., None], path: str) -> None:
    put(phone(1))
    with client.get(path) as answer:
        headers = answer.headers
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert (headers["X-Frame-Options"], headers["X-Content-Type-Options"]) == ("DENY", "nosniff")
    assert "no-store" in headers["Cache-Control"] or "no-cache" in headers["Cache-Control"]


def judge_page(html: str) -> Page:
    """Check that a page contains nothing that its policy forbids, and that inputs have labels."""
    page = Page(html)
    for tag, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on") or name == "style"], (tag, attributes)
        for name in ("src", "href", "action", "formaction"):
            assert attributes.get(name, "#").startswith(("/board/", "#")), attributes
    assert [attributes["src"] for attributes in page.all("script")] == ["/board/static/board.js"]
    assert page.all("style") == page.all("iframe") == page.all("object") == page.all("img") == page.all("base") == []
    assert len(page.all("h1")) == 1
    assert page.all("html")[0]["lang"] == "en"
    identifiers = [attributes["id"] for _tag, attributes in page.elements if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))
    labelled = {attributes["for"] for attributes in page.all("label") if "for" in attributes}
    for attributes in page.all("input"):
        if attributes.get("type") != "hidden" and attributes.get("id"):
            assert attributes["id"] in labelled
    return page


SHOWN = ("/board/", "/board/?text=%3Cscript%3E", "/board/?unknown=%3Cscript%3E", "/board/?customer=%3Cscript%3E", *PAGES[1:5])


@pytest.mark.parametrize("path", SHOWN)
def test_escapes_untrusted_text(client: FlaskClient, put: Callable[..., None], path: str) -> None:
    columns = dict.fromkeys(
        ("serial", "model", "family", "customer", "reason", "address", "firmware", "profile_hash", "subject"), HOSTILE
    )
    put(
        phone(1, **columns, name=HOSTILE, packed_by=HOSTILE, state="failed", arrived=1),
        Event(
            key="1",
            time=1,
            mac="00005e005301",
            address=HOSTILE,
            kind="http",
            detail=json.dumps({HOSTILE: HOSTILE, "agent": HOSTILE}),
        ),
        Event(key="2", time=2, mac="00005e005301", kind=HOSTILE, detail="no JSON " + HOSTILE),
        Event(key="3", time=3, mac="00005e005301", kind="scanned", detail=json.dumps({"operator": HOSTILE})),
        Event(key="4", time=4, mac="00005e005301", kind="packed", detail=json.dumps({"operator": HOSTILE})),
        Report(
            mac="00005e005301",
            time=3,
            address=HOSTILE,
            agent=HOSTILE,
            subject=HOSTILE,
            content_type=HOSTILE,
            body=f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e "{HOSTILE}">]><x>&e;</x>\x00\x1b[31m\u202e'.encode() + b"\xff",
        ),
    )
    answer = client.get(path)
    page = judge_page(answer.text)
    assert len(page.all("script")) == 1
    if path.startswith("/board/phones"):
        assert page.text.count(HOSTILE) >= 12
        assert "&e;</x>\\x00\\x1b[31m\\u202e\\xff" in page.text


def test_reports_are_downloads(client: FlaskClient, put: Callable[..., None]) -> None:
    put(phone(1), Report(id=7, mac="00005e005301", time=1, address="192.0.2.5", body=b"<html><script>alert(1)</script>"))
    answer = client.get("/board/reports/7")
    assert answer.data == b"<html><script>alert(1)</script>"
    assert answer.mimetype == "application/octet-stream"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="report-7.bin"'
    assert client.get("/board/reports/8").status_code == client.get(f"/board/reports/{2**64}").status_code == 404


@pytest.mark.parametrize("code", [HOSTILE, HOSTILE[:60], "=1+1", "'; DROP TABLE phones; --", "\x00", "x" * 600])
@pytest.mark.parametrize("path", ["/board/scan-in", "/board/scan-out"])
def test_hostile_labels(client: FlaskClient, put: Callable[..., None], row: Callable[[int], Phone], path: str, code: str) -> None:
    put(phone(1))
    answer = post(client, path, code=code, add="1", model=HOSTILE, customer=HOSTILE)
    assert answer.status_code in (422, 200)
    assert judge_page(answer.text).verdict in ("unreadable", "")
    assert row(1).name == "phone-1"


# ---- the list


@pytest.fixture
def many(put: Callable[..., None]) -> None:
    """Put in 120 phones of three models, two customers and several states."""
    states = ("expected", "leased", "resynced", "failed", "packed")
    put(
        *(
            phone(
                n,
                state=states[n % 5],
                model=("ATA192", "ATA191", "SPA504G")[n % 3],
                customer=("Example", "Other")[n % 2],
                reason="why" * (n % 5 == 3),
            )
            for n in range(1, 121)
        )
    )


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize(
    ("query", "total"),
    [
        ("", 120),
        ("customer=Other", 60),
        ("model=ATA191", 40),
        ("state=failed", 24),
        ("state=stuck", 24),
        ("customer=Other&model=ATA191&state=failed", 4),
        ("text=00:00:5E:00:53:0A", 1),
        ("text=0000.5e00.530", 15),
        ("text=FCH0000D05", 10),
        ("text=phone-11", 11),
        ("text=%25", 0),
        ("text=_", 0),
        ("text=nothing", 0),
        ("customer=Nobody", 0),
    ],
)
def test_filters(client: FlaskClient, query: str, total: int) -> None:
    answer = client.get(f"/board/?{query}")
    assert (f"{total} phone" in answer.text) == bool(total)
    assert len(judge_page(answer.text).macs) == min(total, PAGE)


@pytest.mark.usefixtures("many")
def test_counts(client: FlaskClient) -> None:
    text = " ".join(Page(client.get("/board/").text).text.split())
    assert "48 of 120 done, 24 failed, 24 stuck" in text
    assert (
        "24 expected 24 leased 0 bootstrap 0 profile 24 resynced 0 reported 24 packed 0 deployed 24 failed 24 stuck 0 silent"
        in text
    )
    # The counts are of what the filter means apart from its own state, so that one sees what else there is
    text = " ".join(Page(client.get("/board/?customer=Other&state=failed").text).text.split())
    assert "12 expected 12 leased" in text


CALLED = {
    "home called home": [1_700_100_000_000, "k", "198.51.100.7", "certificate"],
    "home failed": [1_700_100_001_000, "k", HOSTILE, "certificate"],
}
CLAIMED = {
    "home claimed asked by key id": [1_700_200_000_000, "k", "198.51.100.8", "name"],
    "home claimed called home": [1_700_300_000_000, "k", "198.51.100.9", "claim"],
}


def shipped() -> tuple[Phone, ...]:
    """Return phones that were packed: one calls home, one is asked for by somebody, and one is silent."""
    deployed = {"state": "deployed", "contact": 1_700_100_000_000, "contact_address": "198.51.100.7", "firmware": "11-1"}
    asked = {"state": "packed", "asked_by_key_id": 1_700_200_000_000, "since": 1_700_000_000_000}
    return (
        phone(1, **deployed, facts=json.dumps(CALLED)),
        phone(2, **asked, facts=json.dumps(CLAIMED)),
        phone(3, state="packed", since=1_700_000_000_000),
        phone(4, state="resynced"),
    )


@pytest.fixture
def _silent_after_14_days(app: Flask) -> Iterator[None]:
    set_silent_days(app.extensions["sessions"], 14)
    yield
    set_silent_days(app.extensions["sessions"], 0)


@pytest.mark.usefixtures("_silent_after_14_days")
@pytest.mark.parametrize(
    ("state", "macs"),
    [("deployed", [1]), ("packed", [2, 3]), ("silent", [1, 2, 3]), ("resynced", [4]), ("text=198.51.100.7", [1])],
)
def test_shipped_phones_have_a_view_of_their_own(
    client: FlaskClient, put: Callable[..., None], state: str, macs: list[int]
) -> None:
    put(*shipped())
    text = client.get(f"/board/?{state}" if "=" in state else f"/board/?state={state}").text
    found = judge_page(text)
    assert sorted(found.macs) == [f"00005e00530{number}" for number in macs]
    # The page says nothing of homes to the bench
    assert ("Called home" in found.text) == (state in ("deployed", "packed", "silent"))


@pytest.mark.usefixtures("_silent_after_14_days")
def test_the_board_shows_calls_claims_and_failures(client: FlaskClient, put: Callable[..., None]) -> None:
    put(*shipped())
    text = " ".join(judge_page(client.get("/board/?state=silent").text).text.split())
    one = " ".join(judge_page(client.get("/board/phones/00005e005301").text).text.split())
    two = " ".join(judge_page(client.get("/board/phones/00005e005302").text).text.split())
    assert "3 silent" in text
    assert "deployed, silent" in text
    assert "packed, silent" in text
    called = f"{clock.minute(clock.iso(1_700_100_000_000))} from 198.51.100.7, with its own certificate"
    assert called in text
    assert called in one
    assert "never unproved:" in text
    assert "11-1" in text
    assert f"{clock.minute(clock.iso(1_700_100_001_000))}: it reports that" in one
    assert HOSTILE.split()[0] in one
    assert "by the name of its file, which whoever has overheard it knows too" in two
    assert "named by whoever asked, which anybody can do" in two
    assert "Ask the customer whether it is connected and gets an address" in text


@pytest.mark.usefixtures("many")
def test_pages_contain_each_phone_once(client: FlaskClient) -> None:
    found = [mac for number in (1, 2, 3, 4) for mac in Page(client.get(f"/board/?page={number}").text).macs]
    assert len(found) == len(set(found)) == 120
    assert found == sorted(found, reverse=True)


@pytest.mark.parametrize(
    "query", ["state=none", "page=0", "page=x", "page=1e9", "page=9999999999", "size=501", "size=\u00b2", "text=" + "x" * 300]
)
def test_rejects_invalid_filters(client: FlaskClient, query: str) -> None:
    assert client.get(f"/board/?{query}").status_code == 400


def test_statements_do_not_grow_with_phones(app: Flask, client: FlaskClient, put: Callable[..., None]) -> None:
    def count(path: str) -> int:
        statements: list[str] = []

        def note(*arguments: object) -> None:
            statements.append(str(arguments[2]))

        event.listen(engine_of(app.extensions["sessions"]), "before_cursor_execute", note)
        client.get(path)
        event.remove(engine_of(app.extensions["sessions"]), "before_cursor_execute", note)
        return len(statements)

    paths = ("/board/", "/board/batch", "/board/manifest.json", "/board/scan-in")
    few = [count(path) for path in paths]
    put(*(phone(n, state="packed") for n in range(1, 60)))
    assert [count(path) for path in paths] == few
    assert max(few) <= 8


def test_sends_only_changes(client: FlaskClient, put: Callable[..., None], app: Flask) -> None:
    put(phone(1, state="resynced"))
    for path in ("/board/", "/board/phones/00005e005301"):
        tag = client.get(path).headers["ETag"]
        again = client.get(path, headers={"If-None-Match": tag})
        assert (again.status_code, again.data) == (304, b"")
        with app.extensions["sessions"].begin() as session:
            session.execute(update(Phone).values(firmware=f"after {path}", state="failed"))
        changed = client.get(path, headers={"If-None-Match": tag})
        assert (changed.status_code, "failed" in changed.text) == (200, True)


@pytest.mark.parametrize(
    ("code", "place"),
    [
        (label(1), "/board/phones/00005e005301"),
        ("FCH0000D001", "/board/phones/00005e005301"),
        ("fch0000d001", "/board/phones/00005e005301"),
        ("phone-1", "/board/phones/00005e005301"),
        ("D002", "/board/phones/00005e005302"),
        ("phone-", "/board/?text=phone-"),
        ("nothing", "/board/?unknown=nothing"),
        ("OUT", "/board/scan-out"),
        ("in", "/board/scan-in"),
        ("", "/board/"),
    ],
)
def test_find(client: FlaskClient, put: Callable[..., None], code: str, place: str) -> None:
    put(phone(1), phone(2))
    answer = client.get("/board/find", query_string={"code": code})
    assert (answer.status_code, answer.headers["Location"]) == (303, place)


def test_unknown_devices_raise_an_alarm(client: FlaskClient) -> None:
    page = judge_page(client.get("/board/?unknown=FCH9").text)
    assert page.verdict == "unknown"
    assert {"role": "alert"}.items() <= next(a for a in page.all("section") if "data-verdict" in a).items()


# ---- one phone


def test_timeline_in_pages(client: FlaskClient, put: Callable[..., None]) -> None:
    put(
        phone(1),
        *(
            Event(key=str(n), time=n * 1000, mac="00005e005301", kind="lease", detail=json.dumps({"n": f"event{n}."}))
            for n in range(120)
        ),
    )
    path, seen = "/board/phones/00005e005301", []
    while path:
        page = client.get(path).text
        seen += re.findall(r"event(\d+)\.", page)
        more = re.search(r'href="([^"]+before=\d+)"', page)
        path = more[1] if more else ""
    assert seen == [str(n) for n in reversed(range(120))]
    assert client.get("/board/phones/00005e005301?before=x").status_code == 400
    assert client.get("/board/phones/00005e0053ff").status_code == 404
    assert client.get("/board/phones/00:00:5E:00:53:01").status_code == 200


def test_shows_no_secrets(client: FlaskClient, put: Callable[..., None]) -> None:
    put(phone(1, variables='{"phone_profile_key": "canary"}', redirect="https://user:canary@example.net/", state="packed"))
    for path in ("/board/", "/board/phones/00005e005301", "/board/manifest.json", "/board/manifest.csv"):
        assert "canary" not in client.get(path).text


# ---- in


@pytest.mark.parametrize(
    ("fields", "verdict", "status"),
    [
        ({"code": label(1)}, "found", 200),
        ({"code": "FCH0000D001"}, "found", 200),
        ({"code": "S/N: fch0000d001"}, "found", 200),
        ({"code": "S/N: SFCH0000D001"}, "found", 200),
        ({"code": f"{label(1)},FCH0000D001,ATA192-3PW-K9"}, "found", 200),
        ({"code": label(1), "model": "ATA192", "customer": "Example"}, "found", 200),
        ({"code": label(1), "model": "ATA191"}, "wrong", 409),
        ({"code": f"{label(1)},SPA504G"}, "wrong", 409),
        ({"code": f"{label(1)},CP-8851-K9"}, "wrong", 409),
        ({"code": label(1), "customer": "Other"}, "wrong", 409),
        ({"code": f"{label(1)},FCH0000D002"}, "wrong", 409),
        ({"code": f"{label(1)},FCH0000D999"}, "wrong", 409),
        ({"code": f"{label(9)},FCH0000D001"}, "wrong", 409),
        ({"code": f"{label(1)},{label(2)}"}, "unreadable", 422),
        ({"code": label(3)}, "duplicate", 409),
        ({"code": label(4)}, "duplicate", 409),
        ({"code": label(9)}, "unknown", 404),
        ({"code": "FCH0000D999"}, "unknown", 404),
        ({"code": "FCH0000D999", "add": "1", "model": "ATA192"}, "unknown", 404),
        ({"code": label(9), "add": "1"}, "unknown", 404),
        ({"code": label(9), "model": "ATA192"}, "unknown", 404),
        ({"code": label(9), "add": "1", "model": "ATA192"}, "added", 201),
        ({"code": f"{label(9)},FCH0000D009,ATA192", "add": "1", "customer": "Example"}, "added", 201),
        ({"code": f"{label(9)},ATA191", "add": "1", "model": "ATA192"}, "wrong", 409),
        ({"code": label(9), "add": "1", "model": "ATA999"}, "wrong", 409),
        ({"code": "01:00:5e:00:53:01"}, "unreadable", 422),
        ({"code": "ATA192"}, "unreadable", 422),
        ({"code": "?"}, "unreadable", 422),
        ({"code": "88019FA42805", "add": "1", "model": "ATA192"}, "unreadable", 422),
        # Codes by their standards
        ({"code": "SFCH0000D001"}, "found", 200),
        ({"code": "\x1d21FCH0000D001"}, "found", 200),
        ({"code": "23S00005E005301"}, "found", 200),
        ({"code": "SN:FCH0000D001 MAC:00005E005301"}, "found", 200),
        ({"code": '{"sn": "FCH0000D001", "mac": "00005E005301"}'}, "found", 200),
        ({"code": "[)>\x1e06\x1dSFCH0000D001\x1d1PATA192-3PW-K9\x1dQ1\x1e\x04"}, "found", 200),
        ({"code": "[)>\x1e06\x1dSFCH0000D001\x1d1PCP-8851-3PCC-K9\x1e\x04"}, "wrong", 409),
        ({"code": "SN:FCH0000D001 MAC:00005E005302"}, "wrong", 409),
        ({"code": "882658123450", "add": "1", "model": "ATA192"}, "unreadable", 422),
        ({"code": "MAC:882658123450", "add": "1", "model": "ATA192"}, "added", 201),
        ({"code": "]E00882658123450"}, "unreadable", 422),
        ({"code": "1P74-1234-01", "add": "1", "model": "ATA192"}, "unreadable", 422),
        ({"code": "Q1"}, "unreadable", 422),
        ({"code": "MAC:88019FA42805", "add": "1", "model": "ATA192"}, "added", 201),
        ({"code": "00005E005309", "add": "1", "model": "ATA192"}, "added", 201),
        ({"code": "  "}, "", 200),
        # done by TFTP; on its way; done otherwise; done and packed
        ({"code": label(5)}, "armed", 200),
        ({"code": label(6)}, "duplicate", 409),
        ({"code": label(7)}, "duplicate", 409),
        ({"code": label(8)}, "duplicate", 409),
        ({"code": label(5), "customer": "Other"}, "wrong", 409),
    ],
)
def test_scan_in(
    client: FlaskClient, put: Callable[..., None], row: Callable[[int], Phone], fields: dict[str, str], verdict: str, status: int
) -> None:
    put(phone(1), phone(2), phone(3, arrived=5), phone(4, state="packed", packed_by="bob"))
    put(done(5, unit_file="model", done=7), phone(6, unit_file="model", state="profile", arrived=5))
    put(done(7, done=7), done(8, unit_file="model", done=7, state="packed", packed_by="bob"))
    answer = post(client, "/board/scan-in", **fields)
    page = judge_page(answer.text)
    assert (page.verdict, answer.status_code) == (verdict, status)
    assert ("loud" in answer.text.split("<section")[-1] if verdict else False) == (status >= 400)
    assert bool(row(1).arrived) == (verdict == "found")
    assert bool(row(9)) == (verdict == "added" and "88" not in fields["code"])


def test_scan_in_compares_serial_numbers_in_one_spelling(client: FlaskClient, put: Callable[..., None]) -> None:
    put(phone(1, serial="SFCH0000D001"))
    answer = post(client, "/board/scan-in", code=f"{label(1)}\tfch0000d001")
    assert judge_page(answer.text).verdict == "found"


def test_scan_in_names_what_identifies_no_unit(client: FlaskClient) -> None:
    answer = post(client, "/board/scan-in", code="882658123450", add="1", model="ATA192")
    assert "&#39;882658123450&#39; is a UPC or EAN article number, not a MAC address or serial number; leave it out" in answer.text


def test_added_phone(client: FlaskClient, app: Flask, row: Callable[[int], Phone]) -> None:
    post(client, "/board/scan-in", code=f"FCH0000D009\t{label(9)}", model="ATA192", customer="Example", add="1")
    added = row(9)
    assert (added.name, added.serial, added.model, added.family) == ("phone-00005e005309", "FCH0000D009", "ATA192", "ata19x")
    assert (added.customer, added.source, added.state) == ("Example", "scan", "expected")
    assert json.loads(added.variables) == {
        "phone_mac": "00:00:5e:00:53:09",
        "phone_serial": "FCH0000D009",
        "phone_model": "ATA192",
        "phone_customer": "Example",
    }
    with app.extensions["sessions"]() as session:
        noted = session.scalars(select(Event)).one()
    assert (noted.mac, noted.kind) == ("00005e005309", "scanned")
    assert json.loads(noted.detail)["operator"] == NAME
    # It is there from now on
    assert Page(post(client, "/board/scan-in", code=label(9)).text).verdict == "duplicate"


def text_of(answer: TestResponse) -> str:
    return " ".join(judge_page(answer.text).text.split())


def test_arms_a_unit_again(app: Flask, client: FlaskClient, put: Callable[..., None], row: Callable[[int], Phone]) -> None:
    put(done(1, unit_file="model", done=7, serial="", first_resynced=7, facts='{"succeeded":[7,"k",""]}'))
    answer = post(client, "/board/scan-in", code=f"{label(1)},FCH0000D001")
    assert (
        "ARMED AGAIN phone-1: its own file is served again. Reset the unit to factory settings, so that it asks for it."
        in text_of(answer)
    )
    found = row(1)
    assert (found.state, found.done, found.first_resynced, found.serial) == ("expected", 0, 0, "FCH0000D001")
    assert found.arrived == found.since > 7
    assert position_of(read_observations(found.facts)).state == "expected"
    with app.extensions["sessions"]() as session:
        noted = session.scalars(select(Event)).one()
    assert (noted.kind, json.loads(noted.detail)["rearmed"]) == ("scanned", 1)
    # It is expected from now on
    answer = post(client, "/board/scan-in", code=label(1))
    assert (Page(answer.text).verdict, row(1).arrived) == ("duplicate", found.arrived)


def test_arms_a_unit_that_is_scanned_twice_at_once_only_once(
    app: Flask, client: FlaskClient, put: Callable[..., None], row: Callable[[int], Phone], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(done(1, unit_file="model", done=7))

    def reset_meanwhile(_row: object, _codes: object) -> dict[str, str]:
        with app.extensions["sessions"].begin() as session:
            session.execute(update(Phone).values(done=0))
        return {}

    monkeypatch.setattr(arrivals, "_new_serial", reset_meanwhile)
    assert Page(post(client, "/board/scan-in", code=label(1)).text).verdict == "duplicate"
    assert row(1).state == "resynced"


NO_PROFILE = "add it to the inventory, then run ansible-playbook voip.preprovision.profiles"
GRACE = 600_000


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"unit_file": "model"}, "armed"),
        ({"unit_file": "own"}, "armed"),
        ({"unit_file": "model", "state": "leased"}, "armed"),
        ({"unit_file": "model", "done": -GRACE + 1000}, "will be taken away at {}"),
        ({"unit_file": "model", "done": -GRACE}, "taken away at {}; scan it in again to serve it again"),
        ({"unit_file": "model", "done": -GRACE, "state": "packed"}, "taken away at {}; take it back to serve it again"),
        ({}, ""),
        ({"done": -GRACE}, ""),
        ({"source": "scan"}, f"no profile exists for it: {NO_PROFILE}"),
    ],
)
def test_shows_whether_the_units_own_file_is_served(
    client: FlaskClient, put: Callable[..., None], monkeypatch: pytest.MonkeyPatch, columns: dict[str, Any], words: str
) -> None:
    moment = clock.now() // 1000 * 1000
    monkeypatch.setattr(arming, "now", lambda: moment)
    ends = moment + columns.get("done", 0) + GRACE
    expected = words.format(clock.local_minute(ends))
    put(phone(1, **{**columns, **({"done": moment + columns["done"]} if "done" in columns else {})}))
    shown = re.search(r"<dt>Own file</dt><dd>(.*?)</dd>", client.get("/board/phones/00005e005301").text)
    assert (shown[1] if shown else "") == expected
    row = re.search(r'<span class="arming">(.*?)</span>', client.get("/board/").text)
    assert (row[1] if row else "") == expected
    assert client.get("/api/phones/00005e005301").json["arming"] == expected
    assert client.get("/api/phones").json["phones"][0]["arming"] == expected


def test_the_grace_time_is_a_setting(make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch) -> None:
    view = {"source": "inventory", "unit_file": "model", "done": clock.iso(1_700_000_000_000), "state": "resynced"}
    monkeypatch.setattr(arming, "now", lambda: 1_700_000_060_000)
    for grace, begin in ((61, "will be taken away at"), (60, "taken away at")):
        with make_app(ARMING_GRACE=grace).app_context():
            assert arming.arming(view).startswith(begin)


def test_another_day_has_its_date() -> None:
    assert re.fullmatch(r"\d\d:\d\d", clock.local_minute(clock.now()))
    assert re.fullmatch(r"2023-11-1\d \d\d:\d\d", clock.local_minute(1_700_000_000_000))


@pytest.mark.parametrize(
    ("columns", "hint"),
    [
        ({"unit_file": "model", "done": 7}, "its own was taken away. Scan it in again, then switch it off and on."),
        (
            {"unit_file": "model"},
            "its own was not served. Run ansible-playbook voip.preprovision.profiles, then switch it off and on.",
        ),
        ({"source": "scan"}, f"no profile exists for it. {NO_PROFILE[:1].upper()}{NO_PROFILE[1:]}."),
        ({}, "It has its bootstrap profile, but has not asked for its own."),
    ],
)
def test_explains_why_a_unit_got_its_models_file(
    client: FlaskClient, put: Callable[..., None], columns: dict[str, Any], hint: str
) -> None:
    put(phone(1, state="bootstrap", **columns))
    assert hint in text_of(client.get("/board/phones/00005e005301"))


def test_says_that_an_added_unit_has_no_profile(client: FlaskClient) -> None:
    text = f"No profile exists for it: {NO_PROFILE}."
    fields = {"code": label(9), "add": "1", "model": "ATA192"}
    assert text in text_of(post(client, "/board/scan-in", **fields))
    post(client, "/board/phones/00005e005309/take-back")
    answer = post(client, "/board/scan-in", **fields)
    assert (Page(answer.text).verdict, text in text_of(answer)) == ("found", True)


def test_records_the_serial_number_of_the_label(client: FlaskClient, put: Callable[..., None], row: Callable[[int], Phone]) -> None:
    put(phone(1, serial=""))
    post(client, "/board/scan-in", code=f"{label(1)},fch0000d077")
    assert row(1).serial == "FCH0000D077"


def test_accepts_two_codes_per_unit(client: FlaskClient, put: Callable[..., None], row: Callable[[int], Phone]) -> None:
    put(phone(1))
    page = Page(post(client, "/board/scan-in", code="FCH0000D001", both="1").text)
    assert (page.verdict, page.field("first"), row(1).arrived) == ("first", "FCH0000D001", 0)
    page = Page(post(client, "/board/scan-in", code=label(1), both="1", first=page.field("first")).text)
    assert (page.verdict, page.field("first")) == ("found", "")


def test_refuses_a_code_of_two_units(client: FlaskClient, put: Callable[..., None], row: Callable[[int], Phone]) -> None:
    """A serial number equal to another unit's MAC address is ambiguous."""
    put(phone(1, mac="88019fa42805"), phone(2, serial="88019FA42805"))
    page = Page(post(client, "/board/scan-in", code="88019FA42805").text)
    assert page.verdict == "unreadable"
    assert "phone-1 and phone-2" in page.text


def test_command_labels(client: FlaskClient) -> None:
    assert post(client, "/board/scan-in", code="Out").headers["Location"] == "/board/scan-out"
    assert post(client, "/board/scan-out", code="board").headers["Location"] == "/board/"


# ---- out


def proved(evidence: str = "address", etag: str = PUBLISHED, **more: list[Any]) -> str:
    """Return the facts of a phone that has fetched and applied its profile, with this evidence."""
    fetched, applied = [1_700_000_005_000, "k"], [1_700_000_006_000, "l", "", "address"]
    kinds = ("profile", "unit file") if evidence == "tftp" else ("profile",)
    facts = {**{kind: [*fetched, "/x.cfg", evidence] for kind in kinds}, "succeeded": applied, **more}
    return json.dumps(facts | ({"hash": [*fetched, etag, evidence]} if etag else {}))


def done(number: int, **columns: Any) -> Phone:
    return phone(number, **{"state": "resynced", "profile_hash": PUBLISHED, "arrived": 1, "facts": proved(), **columns})


@pytest.mark.parametrize(
    ("columns", "verdict", "words"),
    [
        ({}, "ready", "Scan the label of its box"),
        ({"state": "reported"}, "ready", "Scan the label of its box"),
        ({"state": "expected"}, "refused", "Its state is expected, not resynced or reported"),
        ({"state": "leased"}, "refused", "Its state is leased"),
        ({"state": "profile"}, "refused", "Its state is profile"),
        ({"state": "failed", "reason": "it could not decrypt its profile"}, "refused", "It could not decrypt its profile"),
        ({"state": "packed", "packed_by": "bob"}, "duplicate", "by bob"),
        ({"profile_hash": "", "facts": "{}"}, "refused", "It has not fetched its own profile"),
        ({"profile_hash": "", "facts": proved("tftp", "")}, "ready", "fetched by TFTP on 2023-11-1"),
        ({"profile_hash": "", "facts": '{"claimed unit file":[1700000000000,"k",""]}'}, "refused", "has not fetched"),
        ({"facts": proved(etag="0" * 32)}, "refused", "Its profile cannot be generated now"),
        # What proves it
        ({"facts": proved("certificate")}, "ready", "it fetched its profile with its own certificate"),
        ({"facts": proved("tftp")}, "ready", "it fetched its profile by TFTP from the folder of its MAC address"),
        ({}, "ready", "it fetched its profile from the address that is leased to it"),
        # What anybody can send, what an earlier release stored, a sealed report sent once more, and the file of another
        ({"facts": "{}"}, "unproven", "Nothing proves that this unit has fetched its profile"),
        (
            {"facts": json.dumps({f"claimed {kind}": [7, "k", ""] for kind in ("profile", "succeeded")})},
            "unproven",
            "Nothing proves",
        ),
        ({"facts": proved("")}, "unproven", "Nothing proves"),
        ({"facts": proved("key")}, "unproven", "Nothing proves"),
        # It has started over since, or it has not applied it
        ({"facts": proved(bootstrap=[1_700_000_007_000, "m", "/a.cfg", "address"])}, "unproven", "Nothing proves"),
        ({"facts": '{"profile":[7,"k","/x.cfg","address"],"hash":[7,"k","656af3b1-2f1","address"]}'}, "unproven", "Nothing proves"),
    ],
)
def test_scan_out(
    client: FlaskClient, put: Callable[..., None], row: Callable[[int], Phone], columns: dict[str, str], verdict: str, words: str
) -> None:
    put(done(1, **columns))
    answer = post(client, "/board/scan-out", code=label(1))
    page = judge_page(answer.text)
    assert page.verdict == verdict
    assert words in page.text
    assert row(1).state == columns.get("state", "resynced")
    # Nor does the box help
    if verdict != "ready":
        assert Page(post(client, "/board/scan-out", code=label(1), unit=label(1)).text).verdict == verdict
        assert row(1).packed_by == columns.get("packed_by", "")


@pytest.mark.parametrize(
    ("unit", "box", "verdict"),
    [
        (label(1), label(1), "packed"),
        (label(1), "FCH0000D001", "packed"),
        ("FCH0000D001", f"{label(1)},FCH0000D001,ATA192", "packed"),
        (label(1), label(2), "wrong"),
        (label(1), "FCH0000D002", "wrong"),
        (label(1), label(9), "wrong"),
        (label(1), f"{label(1)},FCH0000D002", "wrong"),
        (label(1), f"{label(1)},ATA191", "wrong"),
        (label(1), "?", "unreadable"),
        (f"{label(1)},ATA191", label(1), "wrong"),
        (label(9), label(9), "unknown"),
    ],
)
def test_the_box_must_match_the_unit(
    client: FlaskClient, put: Callable[..., None], row: Callable[[int], Phone], unit: str, box: str, verdict: str
) -> None:
    put(done(1), done(2))
    answer = post(client, "/board/scan-out", code=box, unit=unit)
    page = judge_page(answer.text)
    assert page.verdict == verdict
    assert page.field("unit") == ""
    assert row(1).state == ("packed" if verdict == "packed" else "resynced")
    assert row(2).state == "resynced"


def test_packed(app: Flask, client: FlaskClient, put: Callable[..., None], row: Callable[[int], Phone]) -> None:
    put(done(1))
    before = clock.now()
    first = Page(post(client, "/board/scan-out", code=label(1)).text)
    assert first.field("unit") == label(1)
    post(client, "/board/scan-out", code="FCH0000D001", unit=first.field("unit"))
    packed = row(1)
    assert (packed.state, packed.packed_by) == ("packed", NAME)
    assert before <= packed.since <= clock.now()
    with app.extensions["sessions"]() as session:
        noted = session.scalars(select(Event)).one()
    assert (noted.kind, noted.mac, noted.time) == ("packed", "00005e005301", packed.since)
    assert json.loads(noted.detail) == {
        "operator": NAME,
        "profile_hash": PUBLISHED,
        "evidence": "address",
        "serial": "FCH0000D001",
    }
    assert Page(post(client, "/board/scan-out", code=label(1)).text).verdict == "duplicate"


def test_packs_a_unit_without_evidence_only_for_a_reason(
    app: Flask, client: FlaskClient, put: Callable[..., None], row: Callable[[int], Phone]
) -> None:
    put(done(1, facts="{}", claimed=1), done(2))
    page = judge_page(client.get("/board/phones/00005e005301").text)
    assert "resynced, claimed" in page.text
    assert "its state is only claimed" in page.text
    first = judge_page(post(client, "/board/scan-out", code=label(1)).text)
    assert (first.verdict, first.field("unit"), first.field("override")) == ("unproven", label(1), "")
    for reason in ("", "   "):
        again = Page(post(client, "/board/scan-out", code=label(1), unit=label(1), override=reason).text)
        assert (again.verdict, row(1).state) == ("unproven", "resynced")
    reason = "behind the customer's router, looked at by hand"
    assert Page(post(client, "/board/scan-out", code=label(1), unit=label(1), override=reason).text).verdict == "packed"
    # With evidence, a reason is not one
    assert Page(post(client, "/board/scan-out", code=label(2), unit=label(2), override=reason).text).verdict == "packed"
    with zipfile.ZipFile(io.BytesIO(client.get("/board/manifest.zip").data)) as archive:
        document, signature = archive.read("manifest.json"), archive.read("manifest.json.sig")
    items = {item["name"]: (item["evidence"], item["override"]) for item in json.loads(document)["phones"]}
    assert items == {"phone-1": ("", reason), "phone-2": ("address", "")}
    key = load_pem_public_key(client.get("/board/manifest.pem").data)
    assert isinstance(key, Ed25519PublicKey)
    key.verify(signature, document)
    with app.extensions["sessions"]() as session:
        noted = [json.loads(event.detail) for event in session.scalars(select(Event).order_by(Event.id))]
    assert [detail.get("override") for detail in noted] == [reason, None]


def test_counts_claims_apart(client: FlaskClient, put: Callable[..., None]) -> None:
    put(done(1), done(2, claimed=1), phone(3, state="profile", claimed=1))
    page = judge_page(client.get("/board/").text)
    assert "1 of 3 done" in " ".join(page.text.split())
    assert "2 only claimed" in page.text


def test_requires_the_current_profile(
    app: Flask, client: FlaskClient, sync_phones: Callable[..., None], row: Callable[[int], Phone], monkeypatch: pytest.MonkeyPatch
) -> None:
    sync_phones(app, {"phone-1": {"phone_mac": label(1), "phone_model": "ATA192", "phone_serial": "FCH0000D001"}})
    with engine_of(app.extensions["sessions"]).connect() as connection:
        phones = app.extensions["phones"]
        tags = [profile.etag for profile in phones.profiles(connection, phones.find(connection, "00005e005301"))]
    for tag, verdict in ((tags[0], "ready"), ("0" * 32, "refused")):
        with app.extensions["sessions"].begin() as session:
            # The row has what a stranger has asked for since
            session.execute(update(Phone).values(state="resynced", profile_hash=tags[0], facts=proved(etag=tag)))
        page = Page(post(client, "/board/scan-out", code=label(1)).text)
        assert page.verdict == verdict
    assert "has changed since it was fetched; let it resync" in page.text


def test_reports_concurrent_changes(
    app: Flask, client: FlaskClient, put: Callable[..., None], row: Callable[[int], Phone], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The facts behind a decision must still hold when it is stored."""
    put(done(1))

    def change(*_arguments: object) -> Check:
        with app.extensions["sessions"].begin() as session:
            session.execute(update(Phone).values(profile_hash="656af3b1-999"))
        return Check("Profile", True, "")

    monkeypatch.setattr(packing, "profile_check", change)
    page = Page(post(client, "/board/scan-out", code=label(1), unit=label(1)).text)
    assert (page.verdict, row(1).state) == ("refused", "resynced")


def test_undoes_a_scan(client: FlaskClient, put: Callable[..., None], row: Callable[[int], Phone]) -> None:
    put(done(1, state="packed", packed_by="bob", done=7))
    answer = post(client, "/board/phones/00005e005301/take-back")
    assert Page(answer.text).verdict == "returned"
    found = row(1)
    assert found.done == 0
    assert (found.state, found.profile_hash, found.packed_by, found.arrived) == ("expected", "", "", 0)
    # So that the collector does not start from what it knew about the phone
    assert found.facts != "{}"
    assert position_of(read_observations(found.facts)).state == "expected"
    assert Page(post(client, "/board/scan-in", code=label(1)).text).verdict == "found"
    assert post(client, "/board/phones/00005e0053ff/take-back").status_code == 404


# ---- how it asks the database


LISTS = ("/api/summary", "/api/phones", "/api/phones/00005e005301/events", "/api/phones/00005e005301/events?before=9",
         "/api/phones/00005e005301/reports", "/api/manifest.json")  # fmt: skip


def test_no_page_scans_all_events(app: Flask, client: FlaskClient, put: Callable[..., None]) -> None:
    """Pages and lists of the API use indexes, for any number of events."""
    put(phone(1), Event(key="1", time=1, mac="00005e005301", kind="scanned"))
    put(Report(id=1, mac="00005e005301", time=1, address="192.0.2.9", body=b""))
    engine = engine_of(app.extensions["sessions"])
    executed: dict[str, Any] = {}

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_more: object) -> None:
        if statement.startswith("SELECT"):
            executed[statement] = parameters

    event.listen(engine, "before_cursor_execute", note)
    for path in (*PAGES, *LISTS):
        assert client.get(path).status_code < 400, path
    event.remove(engine, "before_cursor_execute", note)
    plans = {}
    with engine.connect() as connection:
        for statement, parameters in executed.items():
            found = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            plans[statement] = [row.detail for row in found if "events" in row.detail]
    assert sum(map(len, plans.values())) >= 3
    few = re.compile("SEARCH .* USING (.*INDEX|INTEGER PRIMARY KEY)|SEARCH events$|SCAN .* USING INDEX events_of_scans")
    assert [(statement, line) for statement, plan in plans.items() for line in plan if not few.match(line)] == []


# ---- a batch


def test_over_time(app: Flask, put: Callable[..., None]) -> None:
    hour, start = 3_600_000, 1_700_000_000_000
    # One had its address before, one gets it at the end; two resync in each of five hours
    leased = [start - hour, *[start] * 8, start + 8 * hour]
    put(*(phone(n, first_leased=leased[n - 1], first_resynced=start + (n - 1) // 2 * hour) for n in range(1, 11)))
    with app.extensions["sessions"].begin() as session:
        session.execute(update(Phone).where(Phone.name == "phone-1").values(first_packed=start + 6 * hour))
    with app.extensions["sessions"]() as session:
        assert over_time(session, Filter(), start, start + 8 * hour, 8) == {
            "leased": [9] * 8,
            "profile": [0] * 8,
            "resynced": [2, 4, 6, 8, 10, 10, 10, 10],
            "packed": [0] * 6 + [1, 1],
        }
        others = over_time(session, Filter(customer="Other"), start, start + hour, 4)
        assert others == dict.fromkeys(MILESTONES, [0] * 4)


def test_plot(client: FlaskClient, put: Callable[..., None]) -> None:
    put(*(phone(n, first_leased=1) for n in range(1, 10)), done(10))
    assert Page(post(client, "/board/scan-out", unit=label(10), code=label(10)).text).verdict == "packed"
    page = judge_page(client.get("/board/batch?hours=8").text)
    assert "Of 10 phones, 9 leased, 0 profile, 0 resynced, 1 packed" in page.text
    assert len(page.all("polyline")) == 4
    # A phone that was taken back is counted again
    post(client, "/board/phones/00005e00530a/take-back")
    assert "9 leased, 0 profile, 0 resynced, 0 packed" in client.get("/board/batch?hours=8").text


def test_manifest(app: Flask, client: FlaskClient, put: Callable[..., None]) -> None:
    """It describes each phone as it was when packed."""
    put(
        done(1, firmware="11.2.4", subject="CN=x", arrived=1_700_000_001_000),
        done(2, customer="=cmd|' /C calc'!A0"),
        done(3),
        done(4),
    )
    for number in (1, 2, 4):
        assert Page(post(client, "/board/scan-out", unit=label(number), code=label(number)).text).verdict == "packed"
    post(client, "/board/phones/00005e005304/take-back")
    with app.extensions["sessions"].begin() as session:
        session.execute(update(Phone).values(firmware="another"))
        session.execute(delete(Phone).where(Phone.name == "phone-1"))
    document = client.get("/board/manifest.json").get_json()
    assert (document["operator"], document["count"]) == (NAME, 2)
    assert [item["mac"] for item in document["phones"]] == ["00:00:5e:00:53:02", "00:00:5e:00:53:01"]
    item = document["phones"][1]
    assert (item["firmware"], item["certificate_subject"], item["profile_hash"]) == ("11.2.4", "CN=x", PUBLISHED)
    assert (item["scanned_in"], item["profile_fetched"]) == (clock.iso(1_700_000_001_000), clock.iso(1_700_000_005_000))
    assert (item["packed"][:10], item["operator"]) == (clock.iso(clock.now())[:10], NAME)
    assert "2 packed" in client.get("/board/batch").text
    table = client.get("/board/manifest.csv")
    assert table.mimetype == "text/csv"
    assert "\"'=cmd|' /C calc'!A0\"" in table.text
    with zipfile.ZipFile(io.BytesIO(client.get("/board/manifest.zip").data)) as archive:
        assert set(archive.namelist()) == {"manifest.json", "manifest.json.sig", "manifest.pem", "manifest.csv", "README.txt"}
        assert archive.read("manifest.pem") == client.get("/board/manifest.pem").data
    assert client.get("/board/manifest.exe").status_code == 404
    assert client.get("/board/manifest.csv?since=yesterday").status_code == 400


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 3),
        ("customer=Example", 2),
        ("model=ATA191", 1),
        ("text=0000.5e00.5301", 1),
        ("text=fch0000d00", 3),
        ("until=2026-03-05", 1),
        ("since=2026-03-06", 2),
        ("since=2026-03-05&until=2026-03-06", 2),
        ("since=2026-03-08", 0),
    ],
)
def test_manifest_of_a_batch(client: FlaskClient, put: Callable[..., None], query: str, count: int) -> None:
    noon = int(time.mktime((2026, 3, 5, 12, 0, 0, 0, 0, -1)) * 1000)
    usual = {"operator": "bob", "firmware": "", "profile_hash": "", "subject": "", "arrived": 0, "fetched": 0}
    for number in (1, 2, 3):
        changing = {"model": "ATA191" if number == 3 else "ATA192", "customer": "Other" if number == 2 else "Example"}
        row = {"mac": f"00005e00530{number}", "name": f"phone-{number}", "serial": f"FCH0000D00{number}", **usual, **changing}
        put(Shipment(**row, time=noon + (number - 1) * 86_400_000))
    assert client.get(f"/board/manifest.json?{query}").get_json()["count"] == count


def test_redirects_http_to_https(app: Flask) -> None:
    client, clear = app.test_client(), {"X-Forwarded-Proto": "http"}
    answer = client.get("/board/login?then=/board/", headers=clear)
    assert (answer.status_code, answer.headers["Location"]) == (308, "https://localhost/board/login?then=/board/")
    assert client.post("/board/login", data={"name": NAME, "password": PASSWORD}, headers=clear).status_code == 403
    assert client.get("/api/summary", headers=clear, auth=(NAME, PASSWORD)).status_code == 403


def pages_of(app: Flask) -> Iterator[str]:
    for rule in app.url_map.iter_rules():
        if rule.endpoint.startswith("board.") and rule.methods and "POST" in rule.methods:
            yield rule.rule


def test_every_post_route_is_tested_here(app: Flask) -> None:
    """A new one needs a token."""
    assert sorted(pages_of(app)) == sorted({"/board/login", "/board/phones/<mac>/take-back", *POSTS[:3]})


# ---- the station


@pytest.mark.parametrize("path", ["/board/", "/board/scan-in", "/board/scan-out", "/board/batch", "/board/phones/00005e005301"])
def test_every_page_begins_with_what_is_wrong_with_the_station(
    client: FlaskClient, put: Callable[..., None], monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    put(phone(1))
    assert "trouble" not in client.get(path).text
    alert = Alert("names", "The DNS server <b>hangs</b>.", "Restart it.")
    monkeypatch.setattr(board, "read_station", lambda _recent: Station({}, (alert,), ("The web server hung.",)))
    page = Page(client.get(path).text)
    assert [one.get("data-service") for one in page.all("p") if "trouble" in one.get("class", "")] == ["names", None]
    assert "The DNS server <b>hangs</b>. Restart it." in page.text
    assert "The web server hung." in page.text


def test_nobody_learns_of_it_who_has_not_logged_in(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board, "read_station", lambda _recent: Station({}, (Alert("names", "x", "y"),), ()))
    assert "trouble" not in app.test_client().get("/board/login").text
