# SPDX-License-Identifier: GPL-3.0-or-later
"""The unit's HTTP and HTTPS against servers that play a script, on the loopback."""

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

from ansible_collections.voip.preprovision.plugins.module_utils.phone_network import Ask
from ansible_collections.voip.preprovision.plugins.module_utils.rules import Target
from ansible_collections.voip.preprovision.plugins.module_utils.wire_http import ClientCertificate, fetch

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


def ask(port, scheme="http", seconds=5.0, own=None, path="/a b?c", name="prov.example.net", **values):
    target = Target(scheme, name, port, path)
    deadline = time.monotonic() + seconds
    question = Ask(target=target, address="127.0.0.1", **{"most": 1000, **values})
    return fetch(question, lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM), deadline, own)


def answering(*parts, heard=None, pause=0.0):
    def script(connection):
        request = b""
        while b"\r\n\r\n" not in request and (more := connection.recv(4096)):
            request += more
        if heard is not None:
            heard.append(request)
        for part in parts:
            connection.sendall(part)
            time.sleep(pause)

    return script


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([b"HTTP/1.0 200 OK\r\n\r\n", b"until the end"], (200, b"until the end", "")),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfour and more"], (200, b"four", "")),
        (
            [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: 1\r\n\r\n"],
            (200, b"abcde", ""),
        ),
        ([b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"], (404, b"", "")),
        ([b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"], (304, b"", "")),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"], (0, b"", "protocol")),
        ([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nshort"], (0, b"", "protocol")),
        ([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"], (0, b"", "protocol")),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n" + b"x" * 1001], (0, b"", "too_large")),
        ([b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1001], (0, b"", "too_large")),
        ([b"SSH-2.0-OpenSSH\r\n"], (0, b"", "protocol")),
        ([b"HTTP/1.1 200 OK\r\n" + b"x" * 70000 + b"\r\n\r\n"], (0, b"", "protocol")),
        ([], (0, b"", "protocol")),
    ],
)
def test_answers(parts, expected):
    with server(answering(*parts)) as port:
        answer = ask(port)
    assert (answer.status, answer.content, answer.failure) == expected
    assert bool(answer.error) == (answer.status == 0)


def test_the_request_is_the_units_own():
    heard = []
    with server(answering(b"HTTP/1.1 200 OK\r\nX: 1\r\nx: 2\r\nLocation: /b\r\n\r\n", heard=heard)) as port:
        answer = ask(port, headers={"User-Agent": "Cisco/ATA192"})
    assert heard == [
        b"GET /a%20b?c HTTP/1.1\r\n"
        + f"Host: prov.example.net:{port}\r\n".encode()
        + b"User-Agent: Cisco/ATA192\r\nConnection: close\r\n\r\n"
    ]
    assert answer.headers == {"x": "1, 2", "location": "/b"}


def test_a_report_is_sent_with_its_length():
    heard = []

    def script(connection):
        heard.append(connection.recv(4096))
        while not heard[0].endswith(b"body"):
            heard[0] += connection.recv(4096)
        connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    with server(script) as port:
        answer = ask(port, method="PUT", body=b"body")
    assert answer.status == 204
    assert heard[0].startswith(b"PUT /a%20b?c HTTP/1.1\r\n")
    assert b"\r\nContent-Length: 4\r\n" in heard[0]


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"])
def test_an_answer_that_never_ends_ends_in_time(start):
    drops = [b"1\r\nx\r\n" if b"chunked" in start else b"x"] * 60
    begin = time.monotonic()
    with server(answering(start, *drops, pause=0.02)) as port:
        answer = ask(port, seconds=0.3)
        assert time.monotonic() - begin < 1.1
    assert (answer.status, answer.failure) == (0, "timeout")


def test_nobody_there():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert ask(port).failure == "refused"


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


def test_https_shows_the_units_certificate_and_tells_the_servers(identities):
    own, _text, _der = identities["unit"]
    identity, text, der = identities["server"]
    shown = []
    with server(secured(identity, GOOD, identities["unit"][1])) as port:
        answer = ask(port, "https", own=own, roots=text, judge=lambda certificate: shown.append(certificate) or "")
    assert (answer.status, answer.content, answer.certificate, shown) == (200, b"secret", der, [der])


def test_what_the_judge_refuses_is_asked_for_nothing(identities):
    identity, text, der = identities["server"]
    heard = []

    def script(opened):
        heard.append(opened.recv(100))

    with server(secured(identity, script)) as port:
        answer = ask(port, "https", roots=text, judge=lambda _certificate: "wrong name")
    assert (answer.status, answer.failure, answer.error, answer.certificate) == (0, "certificate", "wrong name", der)
    assert heard in ([b""], [])


@pytest.mark.parametrize(("name", "root"), [("server", "other"), ("expired", "expired")])
def test_a_chain_that_does_not_hold_is_refused_and_its_certificate_told(identities, name, root):
    identity, _text, der = identities[name]
    with server(secured(identity, GOOD), connections=2) as port:
        answer = ask(port, "https", roots=identities[root][1])
    assert (answer.status, answer.failure, answer.certificate) == (0, "chain", der)


@pytest.mark.parametrize("shown", [None, "other"])
def test_a_server_that_refuses_the_unit_is_a_failed_handshake(identities, shown):
    identity, text, _der = identities["server"]
    own = identities[shown][0] if shown else None
    with server(secured(identity, GOOD, identities["unit"][1])) as port:
        answer = ask(port, "https", own=own, roots=text)
    assert (answer.status, answer.failure) == (0, "handshake")


def test_no_tls_and_no_roots_have_names(identities):
    with server(answering(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as port:
        assert ask(port, "https", seconds=0.5, roots=identities["server"][1]).failure in ("handshake", "timeout")
    with server(lambda _connection: None) as port:
        assert ask(port, "https", roots=b"no PEM").failure == "chain"


def test_a_handshake_that_never_ends_ends_in_time(identities):
    with server(lambda _connection: time.sleep(0.6)) as port:
        assert ask(port, "https", seconds=0.2, roots=identities["server"][1]).failure == "timeout"
