# SPDX-License-Identifier: GPL-3.0-or-later
"""Scan-out asks the provisioning servers, here on addresses of the loopback, whether they have a unit's profile."""

from __future__ import annotations

import datetime
import ipaddress
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from flask import Flask
from preprovision_service.http import auth
from preprovision_service.receiving import home_check
from preprovision_service.receiving.home_check import check_home
from preprovision_service.store.tables import Operator, Phone, Shipment
from sqlalchemy import select, update

NAME, MAC = "prov.example.com", "00005e005301"
PATH = f"/service/{MAC}-12345678.cfg"
NEVER = 0


class Home:
    """Provisioning servers, each an HTTP server on an address of its own, all on one port."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []
        self.servers: list[ThreadingHTTPServer] = []
        self.port = 0
        self.context: ssl.SSLContext | None = None

    def serve(self, address: str, status: int) -> None:
        asked = self.asked

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                asked.append((self.command, self.path, str(self.headers["Host"])))
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_values: object) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer((address, self.port), Handler)
        self.port = server.server_address[1]
        if self.context:
            server.socket = self.context.wrap_socket(server.socket, server_side=True)
        self.servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()


@pytest.fixture
def home() -> Iterator[Home]:
    found = Home()
    yield found
    for server in found.servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("statuses", "good", "text"),
    [
        ([200, 200, 200], True, "home-1, home-2 and home-3 have its service profile."),
        ([200], True, "home-1 has its service profile."),
        (
            [200, 404, 200],
            False,
            f"home-2 does not know its service profile {PATH} yet; run ansible-playbook voip.preprovision.profiles for the"
            " provisioning servers.",
        ),
        (
            [404, 404],
            False,
            f"home-1 and home-2 do not know its service profile {PATH} yet; run ansible-playbook voip.preprovision.profiles for the"
            " provisioning servers.",
        ),
        # One that is drained, broken or dead does not keep the bench from working
        ([200, 503], True, "home-1 has its service profile; no answer from home-2 (127.0.0.3: HTTP 503)."),
        ([NEVER, 200], True, "home-2 has its service profile; no answer from home-1 (127.0.0.2: Connection refused)."),
        (
            [503, NEVER],
            False,
            f"No provisioning server says whether it knows its service profile {PATH}: home-1 (127.0.0.2: HTTP 503); home-2"
            " (127.0.0.3: Connection refused).",
        ),
        # Something else answers there
        (
            [301],
            False,
            f"No provisioning server says whether it knows its service profile {PATH}: home-1 (127.0.0.2: HTTP 301).",
        ),
        # profile_service_access: certificate
        ([403, 403], True, "home-1 and home-2 tell nobody but the phone itself."),
        ([403, 200], True, "home-2 has its service profile; home-1 tells nobody but the phone itself."),
    ],
)
def test_what_servers_answer(home: Home, statuses: list[int], good: bool, text: str) -> None:
    servers = {f"home-{number}": [f"127.0.0.{number + 1}"] for number in range(1, len(statuses) + 1)}
    for address, status in zip(servers.values(), statuses, strict=True):
        if status != NEVER:
            home.serve(address[0], status)
    found = check_home(f"http://{NAME}:{home.port}{PATH}", servers)
    assert (found.what, found.good, found.text) == ("Home", good, text)
    assert set(home.asked) <= {("HEAD", PATH, f"{NAME}:{home.port}")}


def test_a_server_is_asked_at_each_of_its_addresses(home: Home) -> None:
    home.serve("127.0.0.2", 200)
    home.serve("127.0.0.3", 404)
    url = f"http://{NAME}:{home.port}{PATH}"
    assert check_home(url, {"home-1": ["127.0.0.2", "127.0.0.9"]}).good
    assert not check_home(url, {"home-1": ["127.0.0.2", "127.0.0.3"]}).good
    assert not check_home(url, {"home-1": []}).good


def test_a_server_that_does_not_answer_takes_no_longer_than_that(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.serve("127.0.0.2", 200)
    url = f"http://{NAME}:{home.port}{PATH}"
    # It takes connections, and says nothing
    with socket.create_server(("127.0.0.3", home.port)):
        monkeypatch.setattr(home_check, "ANSWER_SECONDS", 0.05)
        found = check_home(url, {"home-1": ["127.0.0.2"], "home-2": ["127.0.0.3"]})
        assert found.text == "home-1 has its service profile; no answer from home-2 (127.0.0.3: no answer)."
        monkeypatch.setattr(home_check, "ANSWER_SECONDS", 5)
        monkeypatch.setattr(home_check, "TOTAL_SECONDS", 0.5)
        found = check_home(url, {"home-2": ["127.0.0.3"]})
        assert found.text.endswith("home-2 (127.0.0.3: no answer within 0.5 s).")


def certificate(folder: Path, name: str) -> Path:
    """Return a file with a key and a certificate for *name* that it has signed itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName([x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("127.0.0.4"))])
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=1))
    made = builder.add_extension(names, False).sign(key, hashes.SHA256())
    private = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / f"{name}.pem"
    path.write_bytes(key.private_bytes(*private) + made.public_bytes(serialization.Encoding.PEM))
    return path


def test_certificates_are_verified_by_the_public_name(home: Home, tmp_path: Path) -> None:
    right, wrong = certificate(tmp_path, NAME), certificate(tmp_path, "other.example.com")
    home.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    home.context.load_cert_chain(right)
    home.serve("127.0.0.2", 200)
    url = f"https://{NAME}:{home.port}{PATH}"
    servers = {"home-1": ["127.0.0.2"]}
    assert check_home(url, servers, str(right)).text == "home-1 has its service profile."
    # The system's CAs do not know it
    assert "127.0.0.2: its certificate is not valid here: self-signed certificate" in check_home(url, servers).text
    assert not check_home(url.replace(NAME, "other.example.com"), servers, str(right)).good
    assert not check_home(url, servers, str(wrong)).good
    assert check_home(url, servers, str(tmp_path / "none")).text == (
        f"{tmp_path}/none, which verifies provisioning servers, cannot be read: No such file or directory."
    )


def test_other_protocols_are_not_checked() -> None:
    assert check_home(f"tftp://{NAME}{PATH}", {"home-1": ["127.0.0.2"]}).good


# ---- scan-out

FACTS = json.dumps({kind: [1, "k", "656af3b1-2f1", "address"] for kind in ("profile", "hash", "succeeded")})


@pytest.fixture
def bench(make_app: Callable[..., Flask], sync_phones: Callable[..., None], home: Home, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that scans a finished unit out at a bench whose provisioning servers answer with the given statuses."""
    home.serve("127.0.0.99", 500)
    servers = {"home-1": ["127.0.0.2"], "home-2": ["127.0.0.3"]}
    app = make_app(HOME_SERVERS=servers)
    variables = {"phone_mac": MAC, "phone_model": "ATA192", "phone_serial": "FCH0000D001", "phone_profile_key": "k" * 32}
    remote = {"remote_url": f"http://{NAME}:{home.port}/service/$MA-{{key_id}}.cfg"}
    sync_phones(app, {"phone-1": variables}, publication=remote)
    monkeypatch.setattr(auth, "from_basic", lambda *_given: "ann")
    with app.extensions["sessions"].begin() as session:
        session.add(Operator(name="ann", password="x"))
        session.execute(update(Phone).values(state="resynced", profile_hash="656af3b1-2f1", facts=FACTS))

    def scan(statuses: tuple[int, int], **more: str) -> Any:
        for address, status in zip(("127.0.0.2", "127.0.0.3"), statuses, strict=True):
            home.serve(address, status)
        given = {"unit": MAC, "box": MAC, **more}
        answer = app.test_client().post("/api/scan-out", json=given, auth=("ann", "x"), base_url="https://localhost").get_json()
        for server in home.servers[-2:]:
            server.shutdown()
            server.server_close()
        with app.extensions["sessions"]() as session:
            shipment = session.scalars(select(Shipment)).first()
        return answer, shipment

    return scan


def test_packs_a_unit_that_all_servers_know(bench: Any, home: Home) -> None:
    answer, shipment = bench((200, 200))
    assert (answer["verdict"], shipment.evidence, shipment.override) == ("packed", "address", "")
    assert answer["checks"][-1] == {"what": "Home", "good": True, "text": "home-1 and home-2 have its service profile."}
    (path,) = {path for _method, path, _host in home.asked}
    assert path.startswith(f"/service/{MAC}-")
    assert len(path) == len(PATH)


def test_refuses_a_unit_that_a_server_lacks_and_names_it(bench: Any) -> None:
    answer, shipment = bench((200, 404))
    assert (answer["verdict"], answer["title"], shipment) == ("unserved", "NOT KNOWN AT HOME", None)
    assert answer["detail"].startswith(f"phone-1: home-2 does not know its service profile /service/{MAC}-")
    answer, shipment = bench((200, 404), override="it goes out tomorrow")
    assert (answer["verdict"], shipment.evidence, shipment.override) == ("packed", "address", "it goes out tomorrow")
    assert answer["checks"][-1]["text"].startswith("packed by an operator's decision: it goes out tomorrow. home-2 does not know")


def test_a_reason_that_was_not_needed_is_not_kept(bench: Any) -> None:
    _answer, shipment = bench((200, 200), override="just in case")
    assert shipment.override == ""


def test_a_unit_whose_customer_has_servers_of_its_own_is_not_asked_for(bench: Any, home: Home, usual_app: Flask) -> None:
    with usual_app.extensions["sessions"].begin() as session:
        session.execute(update(Phone).values(redirect="https://elsewhere.example.net/"))
    answer, _shipment = bench((404, 404))
    assert (answer["verdict"], home.asked) == ("packed", [])
    assert answer["checks"][-1]["text"] == "not checked, since the customer's phones are redirected to another server."


def test_a_unit_whose_profile_cannot_be_generated_is_refused(bench: Any, home: Home, usual_app: Flask) -> None:
    with usual_app.extensions["sessions"].begin() as session:
        session.execute(update(Phone).values(variables='{"phone_mac": "x"}'))
    answer, _shipment = bench((200, 200))
    assert (answer["verdict"], home.asked) == ("unserved", [])
    assert "No provisioning server can be asked for its profile, which cannot be generated now: " in answer["detail"]
