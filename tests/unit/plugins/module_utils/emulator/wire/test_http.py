# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP and HTTPS client against scripted servers on the loopback interface."""

from __future__ import annotations

import datetime
import socket
import ssl
import threading
import time
from contextlib import contextmanager, suppress

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ansible_collections.voip.preprovision.plugins.module_utils.emulator.device.ports import WireFailure, WireRequest
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.wire.http import ClientCertificate, fetch
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.rules.model import Target

NOW = datetime.datetime.now(datetime.UTC)


def certify(folder, name, days=1):
    """Write a self-signed certificate and its key; return their paths, and the PEM text."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - datetime.timedelta(days=10))
        .not_valid_after(NOW + datetime.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = (str(folder / f"{name}.pem"), str(folder / f"{name}.key"))
    text = certificate.public_bytes(serialization.Encoding.PEM)
    with open(paths[0], "wb") as file:
        file.write(text)
    with open(paths[1], "wb") as file:
        file.write(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
            )
        )
    return ClientCertificate(*paths), text, certificate.public_bytes(serialization.Encoding.DER)


@contextmanager
def server(script, connections=1):
    """Call *script* with each connection, in a thread."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(5)

    def run():
        for _number in range(connections):
            with suppress(OSError):
                connection, _sender = listener.accept()
                connection.settimeout(5)
                with connection, suppress(OSError):
                    script(connection)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()
        thread.join(10)


def request(port, scheme="http", seconds=5.0, own=None, path="/a b?c", name="prov.example.net", **values):
    target = Target(scheme, name, port, path)
    deadline = time.monotonic() + seconds
    question = WireRequest(target=target, address="127.0.0.1", **{"max_bytes": 1000, **values})
    return fetch(question, lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM), deadline, own)


def answering(*parts, requests=None, pause=0.0):
    def script(connection):
        request = b""
        while b"\r\n\r\n" not in request and (more := connection.recv(4096)):
            request += more
        if requests is not None:
            requests.append(request)
        for part in parts:
            connection.sendall(part)
            time.sleep(pause)

    return script


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([b"HTTP/1.0 200 OK\r\n\r\n", b"until the end"], (200, b"until the end", None)),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfour and more"], (200, b"four", None)),
        (
            [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: 1\r\n\r\n"],
            (200, b"abcde", None),
        ),
        ([b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"], (404, b"", None)),
        ([b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"], (304, b"", None)),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"], (0, b"", WireFailure.PROTOCOL)),
        ([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nshort"], (0, b"", WireFailure.PROTOCOL)),
        ([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"], (0, b"", WireFailure.PROTOCOL)),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n" + b"x" * 1001], (0, b"", WireFailure.TOO_LARGE)),
        ([b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1001], (0, b"", WireFailure.TOO_LARGE)),
        ([b"SSH-2.0-OpenSSH\r\n"], (0, b"", WireFailure.PROTOCOL)),
        ([b"HTTP/1.1 200 OK\r\n" + b"x" * 70000 + b"\r\n\r\n"], (0, b"", WireFailure.PROTOCOL)),
        ([b"HTTP/1.1 2"], (0, b"", WireFailure.PROTOCOL)),
        ([], (0, b"", WireFailure.CLOSED)),
    ],
)
def test_reads_responses(parts, expected):
    with server(answering(*parts)) as port:
        response = request(port)
    assert (response.status, response.content, response.failure) == expected
    assert bool(response.error) == (response.status == 0)


def test_sends_the_phones_headers():
    received = []
    with server(answering(b"HTTP/1.1 200 OK\r\nX: 1\r\nx: 2\r\nLocation: /b\r\n\r\n", requests=received)) as port:
        response = request(port, headers={"User-Agent": "Cisco/ATA192"})
    assert received == [
        b"GET /a%20b?c HTTP/1.1\r\n"
        + f"Host: prov.example.net:{port}\r\n".encode()
        + b"User-Agent: Cisco/ATA192\r\nConnection: close\r\n\r\n"
    ]
    assert response.headers == {"x": "1, 2", "location": "/b"}


def test_sends_a_body_with_its_length():
    received = []

    def script(connection):
        received.append(connection.recv(4096))
        while not received[0].endswith(b"body"):
            received[0] += connection.recv(4096)
        connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    with server(script) as port:
        response = request(port, method="PUT", body=b"body")
    assert response.status == 204
    assert received[0].startswith(b"PUT /a%20b?c HTTP/1.1\r\n")
    assert b"\r\nContent-Length: 4\r\n" in received[0]


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"])
def test_gives_up_a_response_that_never_ends(start):
    # A client that waited for the end would get it
    drops = [b"1\r\nx\r\n" if b"chunked" in start else b"x"] * 900
    with server(answering(start, *drops, pause=0.02)) as port:
        response = request(port, seconds=0.3)
    assert (response.status, response.failure) == (0, WireFailure.TIMEOUT)


def test_reports_a_closed_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert request(port).failure is WireFailure.REFUSED


@pytest.fixture(scope="module")
def identities(tmp_path_factory):
    folder = tmp_path_factory.mktemp("identities")
    return {name: certify(folder, name, days) for name, days in (("server", 1), ("expired", -1), ("unit", 1), ("other", 1))}


def secured(identity, script, roots=b""):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity.certificate, identity.private_key)
    if roots:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=roots.decode())

    def run(connection):
        with context.wrap_socket(connection, server_side=True) as opened:
            script(opened)

    return run


GOOD = answering(b"HTTP/1.1 200 OK\r\n\r\nsecret")


def test_https_presents_the_phones_certificate_and_returns_the_servers(identities):
    own, _text, _der = identities["unit"]
    identity, text, der = identities["server"]
    shown = []
    with server(secured(identity, GOOD, identities["unit"][1])) as port:
        response = request(
            port, "https", own=own, roots=text, verify_certificate=lambda certificate: shown.append(certificate) or ""
        )
    assert (response.status, response.content, response.certificate, shown) == (200, b"secret", der, [der])


def test_sends_no_request_to_a_server_whose_certificate_is_refused(identities):
    identity, text, der = identities["server"]
    received = []

    def script(opened):
        received.append(opened.recv(100))

    with server(secured(identity, script)) as port:
        response = request(port, "https", roots=text, verify_certificate=lambda _certificate: "wrong name")
    assert (response.status, response.failure, response.error, response.certificate) == (
        0,
        WireFailure.CERTIFICATE,
        "wrong name",
        der,
    )
    assert received in ([b""], [])


@pytest.mark.parametrize(
    ("name", "root", "failure"),
    [("server", "other", WireFailure.CHAIN), ("expired", "expired", WireFailure.CERTIFICATE_TIME)],
)
def test_refuses_an_untrusted_certificate_and_returns_it(identities, name, root, failure):
    identity, _text, der = identities[name]
    with server(secured(identity, GOOD), connections=2) as port:
        response = request(port, "https", roots=identities[root][1])
    assert (response.status, response.failure, response.certificate) == (0, failure, der)


@pytest.mark.parametrize("shown", [None, "other"])
def test_reports_a_refused_client_certificate_as_handshake_failure(identities, shown):
    identity, text, _der = identities["server"]
    own = identities[shown][0] if shown else None
    with server(secured(identity, GOOD, identities["unit"][1])) as port:
        response = request(port, "https", own=own, roots=text)
    assert (response.status, response.failure) == (0, WireFailure.HANDSHAKE)


def test_reports_missing_tls_and_invalid_roots(identities):
    with server(answering(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as port:
        assert request(port, "https", seconds=0.5, roots=identities["server"][1]).failure in (
            WireFailure.HANDSHAKE,
            WireFailure.TIMEOUT,
        )
    with server(lambda _connection: None) as port:
        assert request(port, "https", roots=b"no PEM").failure is WireFailure.CHAIN


def test_gives_up_a_handshake_that_never_ends(identities):
    given_up = threading.Event()
    with server(lambda _connection: given_up.wait(60)) as port:
        assert request(port, "https", seconds=0.2, roots=identities["server"][1]).failure is WireFailure.TIMEOUT
        given_up.set()
