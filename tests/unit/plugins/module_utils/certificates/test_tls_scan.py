# SPDX-License-Identifier: GPL-3.0-or-later
"""Real servers on loopback, with various versions, ciphers, chains and demands for client certificates."""

from __future__ import annotations

import itertools
import socket
import ssl
import struct
import subprocess
import threading
import warnings
from contextlib import contextmanager, suppress

import pytest
from cryptography.x509 import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.certificates import tls_scan as tls_probe
from ansible_collections.voip.preprovision.plugins.module_utils.certificates.tls_facts import VERSIONS, TlsFacts, tls_facts
from ansible_collections.voip.preprovision.plugins.module_utils.certificates.tls_scan import (
    ProbeError,
    Server,
    UnreachableError,
    resolve,
)

NAME = "prov.example.net"
ANSWER = b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"
ATA = tls_facts("ata19x")


@contextmanager
def listening(talk):
    """Serve each connection in turn with *talk*; yield the port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        stop = threading.Event()

        def serve():
            while not stop.is_set():
                connection, _peer = server.accept()
                with connection, suppress(OSError):
                    connection.settimeout(5)
                    talk(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            stop.set()
            socket.create_connection(server.getsockname()).close()
            thread.join()


@contextmanager
def serving(context, answer=ANSWER):
    def talk(connection):
        with context.wrap_socket(connection, server_side=True) as secure:
            if secure.recv(4096):
                secure.sendall(answer)

    with listening(talk) as port:
        yield Server("127.0.0.1", port, NAME, 20)


@pytest.fixture
def files(tiny_ca, tmp_path):
    """Write an issued certificate's chain and key; return the paths."""

    def write(issued, rest=""):
        paths = [tmp_path / f"{len(list(tmp_path.iterdir()))}.{kind}" for kind in ("pem", "key")]
        for path, text in zip(paths, (issued.pem + rest, issued.key), strict=True):
            path.write_text(text)
        return [str(path) for path in paths]

    return write


def context(*pairs, lowest=ssl.TLSVersion.TLSv1, highest=ssl.TLSVersion.TLSv1_3, ciphers="ALL"):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.set_ciphers(f"{ciphers}:@SECLEVEL=0")
    with warnings.catch_warnings():
        # Old versions are deprecated, and old phones have no other
        warnings.simplefilter("ignore")
        made.minimum_version, made.maximum_version = lowest, highest
    for certificate, key in pairs:
        made.load_cert_chain(certificate, key)
    return made


@pytest.fixture
def pair(tiny_ca, files):
    return files(tiny_ca.server, tiny_ca.intermediate.pem + tiny_ca.root.pem)


# Each scan starts six processes of openssl
many_scans = pytest.mark.slow

VERSION = ssl.TLSVersion


@pytest.mark.parametrize(
    ("lowest", "highest", "accepted"),
    [
        (VERSION.TLSv1, VERSION.TLSv1_3, VERSIONS),
        (VERSION.TLSv1_2, VERSION.TLSv1_3, VERSIONS[2:]),
        (VERSION.TLSv1, VERSION.TLSv1_1, VERSIONS[:2]),
        (VERSION.TLSv1_3, VERSION.TLSv1_3, VERSIONS[3:]),
    ],
)
def test_reports_versions_and_the_whole_chain(tiny_ca, pair, lowest, highest, accepted):
    with serving(context(pair, lowest=lowest, highest=highest)) as server:
        offer = server.scan(ATA)
    assert tuple(version for version in VERSIONS if offer.protocols[version]) == accepted
    assert offer.chain == tiny_ca.chain + tiny_ca.root.pem
    assert bool(offer.as_phone) == (accepted != VERSIONS[3:])
    assert not offer.asks


def test_keeps_the_servers_order(tiny_ca, files):
    chain = files(tiny_ca.server, tiny_ca.root.pem + tiny_ca.intermediate.pem)
    with serving(context(chain)) as server:
        assert server.scan(ATA).chain == tiny_ca.server.pem + tiny_ca.root.pem + tiny_ca.intermediate.pem


@pytest.mark.parametrize(
    ("ciphers", "facts", "agreed"),
    [
        ("AES128-SHA", tls_facts("spa"), "AES128-SHA"),
        ("ECDHE+AESGCM", tls_facts("spa"), ""),
        ("ECDHE-RSA-AES128-GCM-SHA256", ATA, "ECDHE-RSA-AES128-GCM-SHA256"),
        ("ECDHE-RSA-AES128-GCM-SHA256", ATA.corrected({"ciphers": ["AES256-SHA"]}), ""),
    ],
)
@many_scans
def test_offers_the_ciphers_of_a_family(pair, ciphers, facts, agreed):
    with serving(context(pair, ciphers=ciphers)) as server:
        offer = server.scan(facts)
    assert offer.as_phone == agreed
    assert offer.protocols["TLS 1.2"].startswith(("AES", "ECDHE"))
    assert offer.chain


@pytest.mark.parametrize("highest", ["TLS 1.2", "TLS 1.3"])
@many_scans
def test_selects_the_rsa_certificate_of_two(tiny_ca, files, pair, highest):
    curve = tiny_ca.issue(key="ec", signer=tiny_ca.root, usage=["digital_signature"])
    with serving(context(pair, files(curve))) as server:
        facts = TlsFacts(highest=highest)
        assert server.scan(facts).chain.startswith(tiny_ca.server.pem)
        assert server.scan(facts.corrected({"needs_rsa": False})).chain.startswith(curve.pem)


def test_reports_a_server_with_only_an_ec_key(tiny_ca, files):
    curve = tiny_ca.issue(key="ec", signer=tiny_ca.root, usage=["digital_signature"])
    with serving(context(files(curve))) as server:
        offer = server.scan(ATA)
    assert offer.as_phone == ""
    assert offer.chain == curve.pem


def test_reports_small_keys_and_old_signatures(tiny_ca, files):
    old = tiny_ca.issue(key="rsa1024", digest="sha1", signer=tiny_ca.root)
    certificate, key = files(old)
    made = context(ciphers="ALL")
    made.load_cert_chain(certificate, key)
    with serving(made) as server:
        assert server.scan(tls_facts("spa")).chain == old.pem


@many_scans
def test_reports_the_certificate_sent_without_sni(tiny_ca, files, pair):
    default = tiny_ca.issue("www.example.net", signer=tiny_ca.root)
    named = context(pair)
    made = context(files(default))

    def choose(connection, name, _context):
        if name == NAME:
            connection.context = named

    made.sni_callback = choose
    with serving(made) as server:
        offer = server.scan(ATA)
    assert offer.chain.startswith(tiny_ca.server.pem)
    assert offer.without_name == default.pem
    with serving(context(pair)) as server:
        offer = server.scan(ATA)
    assert offer.without_name == offer.chain


@pytest.mark.parametrize("highest", [VERSION.TLSv1_2, VERSION.TLSv1_3])
@pytest.mark.parametrize("mode", [ssl.CERT_OPTIONAL, ssl.CERT_REQUIRED])
@many_scans
def test_client_certificates(tiny_ca, files, pair, highest, mode):
    made = context(pair, highest=highest)
    made.verify_mode = mode
    made.load_verify_locations(cadata=tiny_ca.other_root.pem)
    issue = {"extended": [ExtendedKeyUsageOID.CLIENT_AUTH], "days": (-9000, 9000)}
    right = files(tiny_ca.issue("00005e005301", signer=tiny_ca.other_root, **issue))
    other = files(tiny_ca.issue("00005e005301", signer=tiny_ca.root, **issue))
    with serving(made) as server:
        offer = server.scan(ATA)
        assert offer.asks
        assert offer.chain.startswith(tiny_ca.server.pem)
        assert offer.protocols["TLS 1.2"]
        assert server.request_with(*right) == 200
        assert server.request_with(*other) == 0


@pytest.mark.parametrize(("answer", "status"), [(b"HTTP/1.1 403 Forbidden\r\n\r\n", 403), (b"hello", 0)])
def test_status(tiny_ca, files, pair, answer, status):
    with serving(context(pair), answer) as server:
        assert server.request_with(*files(tiny_ca.server)) == status


def test_rejects_invalid_client_certificates(tiny_ca, tmp_path, files, pair):
    certificate, key = files(tiny_ca.server)
    locked = tmp_path / "locked"
    locked.write_text(tiny_ca.key("rsa", b"secret"))
    other = files(tiny_ca.issue(key="ec"))[1]
    with serving(context(pair)) as server:
        for wrong in ((str(tmp_path / "none"), key), (certificate, certificate), (certificate, str(locked)), (certificate, other)):
            with pytest.raises(ProbeError, match="are not a client certificate and its key; give a PEM file of each"):
                server.request_with(*wrong)


@pytest.mark.parametrize(
    "talk",
    [
        lambda connection: None,
        lambda connection: connection.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n"),
        lambda connection: connection.sendall(b"\x15\x03\x01\x00\x02\x02\x28"),
        lambda connection: connection.recv(1) and connection.sendall(b"\x16\x03\x03\x00\x05\x02\xff\xff\xff\xff"),
    ],
)
@many_scans
def test_rejects_a_server_without_tls(talk):
    with listening(talk) as port, pytest.raises(UnreachableError, match=f"127.0.0.1 answers on port {port}, but not with TLS"):
        Server("127.0.0.1", port, NAME, 20).scan(ATA)


def test_times_out_on_a_silent_server():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(UnreachableError, match="not with TLS"):
            Server("127.0.0.1", port, NAME, 0.2).scan(ATA)


def test_reports_a_closed_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(UnreachableError, match=f"127.0.0.1 cannot be reached on port {port}: connection refused; start the server"):
        Server("127.0.0.1", port, NAME, 20).scan(ATA)


def test_reports_missing_openssl(monkeypatch, pair):
    monkeypatch.setitem(tls_probe._ENVIRONMENT, "PATH", "/nowhere")
    with serving(context(pair)) as server, pytest.raises(ProbeError, match="install the Debian package openssl") as raised:
        server.scan(ATA)
    assert not isinstance(raised.value, UnreachableError)


QUESTION = b"\4prov\7example\3net\0\0\1\0\1"
ALIAS = b"\xc0\x0c\0\5\0\1\0\0\0\1\0\2\xc0\x11"


def record(address, name=b"\xc0\x0c"):
    return name + b"\0\1\0\1\0\0\0\1\0\4" + socket.inet_aton(address)


def message(*records, code=0, number=None):
    """Return a function that answers a DNS query, with the query's number unless another is given."""
    head = struct.pack("!5H", 0x8180 | code, 1, len(records), 0, 0)
    return lambda query_id: (query_id if number is None else number) + head + QUESTION + b"".join(records)


@contextmanager
def name_server(monkeypatch, answer):
    """Run a name server with one answer; yield the queries that it receives."""
    queries = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        monkeypatch.setattr(tls_probe, "_DNS_PORT", server.getsockname()[1])

        def serve():
            data, peer = server.recvfrom(512)
            queries.append(data)
            server.sendto(answer(data[:2]), peer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield queries
        thread.join()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (message(record("192.0.2.1")), ("192.0.2.1",)),
        (message(record("192.0.2.2"), record("192.0.2.1"), record("192.0.2.2")), ("192.0.2.2", "192.0.2.1")),
        (message(ALIAS, record("192.0.2.1", b"\xc0\x11")), ("192.0.2.1",)),
        (message(ALIAS, record("192.0.2.1", b"\1a\xc0\x11")), ("192.0.2.1",)),
        (message(), ()),
        (message(code=3), ()),
    ],
)
def test_queries_a_name_server(monkeypatch, answer, expected):
    with name_server(monkeypatch, answer) as queries:
        assert resolve(f"{NAME}.", "127.0.0.1") == expected
    assert queries[0][2:] == b"\1\0\0\1\0\0\0\0\0\0" + QUESTION


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (message(code=2), "it answers with the error 2"),
        (message(record("192.0.2.1"), number=b"x"), "the answer belongs to another query"),
        (message(record("192.0.2.1")[:-9]), "buffer"),
        (lambda query_id: query_id, "buffer"),
    ],
)
def test_rejects_bad_answers(monkeypatch, answer, expected):
    with name_server(monkeypatch, answer), pytest.raises(ProbeError, match=f"127.0.0.1 cannot be asked for {NAME}: .*{expected}"):
        resolve(NAME, "127.0.0.1")


@given(st.binary(max_size=40))
def test_any_answer_gives_addresses_or_an_error(junk):
    with suppress(ValueError, IndexError, struct.error):
        answer = message(record("192.0.2.1"))(b"\0\1")[:12] + junk
        assert all(socket.inet_aton(address) for address in tls_probe._addresses(answer, 1))


def test_reports_a_silent_name_server(monkeypatch):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        monkeypatch.setattr(tls_probe, "_DNS_PORT", server.getsockname()[1])
        with pytest.raises(ProbeError, match="no answer; let it answer on port 53"):
            resolve(NAME, "127.0.0.1", 0.2)


def test_asks_the_system_only_for_ipv4():
    assert resolve("localhost") == ("127.0.0.1",)
    assert resolve("prov.invalid") == ()


@contextmanager
def s_server(*options):
    """Run openssl's server, which names the CAs of client certificates as nginx does; yield it as a server to scan."""
    command = ["openssl", "s_server", "-accept", "127.0.0.1:0", *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            (line,) = itertools.islice((line for line in process.stdout if line.startswith(b"ACCEPT")), 1)
            yield Server("127.0.0.1", int(line.rpartition(b":")[2]), NAME, 20)
        finally:
            process.terminate()


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
@many_scans
def test_names_of_client_cas(tiny_ca, files, pair, tmp_path, version):
    odd = tiny_ca.issue("Peer signing, \nInc", signer=None, key="ca", ca=True, san=None)
    roots = tmp_path / "roots.pem"
    roots.write_text(tiny_ca.other_root.pem + odd.pem)
    with s_server(version, "-cert", pair[0], "-key", pair[1], "-CAfile", str(roots), "-verify", "1") as server:
        offer = server.scan(ATA)
    assert offer.asks
    listed = [subject.replace(" ", "") for subject in offer.client_cas]
    assert "O=Example,CN=Otherroot" in listed
    assert len(listed) == 2
    with s_server(version, "-cert", pair[0], "-key", pair[1]) as server:
        assert server.scan(ATA).client_cas == ()
