# SPDX-License-Identifier: GPL-3.0-or-later
"""The module against a real server on loopback: results, failures and rejected options."""

from __future__ import annotations

import datetime
import json
import socket
import ssl
import threading
from contextlib import contextmanager, suppress

import pytest
from ansible.module_utils.testing import patch_module_args
from cryptography.x509 import ExtendedKeyUsageOID

from ansible_collections.voip.preprovision.plugins.module_utils.certificates import tls_scan
from ansible_collections.voip.preprovision.plugins.module_utils.certificates.tls_scan import RecordType
from ansible_collections.voip.preprovision.plugins.modules import server_certificate_check

NAME = "prov.example.net"
TODAY = {"now": datetime.datetime.now(datetime.UTC)}
KEYS = {"address", "resolved", "certificate", "protocols", "cipher", "asks_for_certificate", "client_cas", "findings", "changed"}

# Each scan starts six processes of openssl
many_scans = pytest.mark.slow


@contextmanager
def https(certificate, key, roots=None, address="127.0.0.1", port=0):
    """Run an HTTPS server; with *roots*, it requests client certificates. Yield its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    if roots:
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_verify_locations(roots)
    stop = threading.Event()

    def serve(server):
        while not stop.is_set():
            connection, _peer = server.accept()
            with connection, suppress(OSError):
                connection.settimeout(5)
                with context.wrap_socket(connection, server_side=True) as secure:
                    if secure.recv(4096):
                        secure.sendall(b"HTTP/1.0 404 Not Found\r\n\r\n")

    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, port), family=family) as server:
        thread = threading.Thread(target=serve, args=[server])
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            stop.set()
            socket.create_connection(server.getsockname()[:2]).close()
            thread.join()


@pytest.fixture
def run(capsys):
    """Return a function that runs the module with the given options and returns its result."""

    def run_(options, check_mode=False, **more):
        given = {"name": NAME, "family": "ata19x", "address": "127.0.0.1", **options, **more, "_ansible_check_mode": check_mode}
        given = {name: value for name, value in given.items() if value is not None}
        with patch_module_args(given), pytest.raises(SystemExit):
            server_certificate_check.main()
        return json.loads(capsys.readouterr().out)

    return run_


@pytest.fixture(scope="module")
def paths(tiny_ca, tmp_path_factory):
    """Return a folder of files of a CA's root, a phone, a good and a bad server, valid today because the module reads the clock."""
    folder = tmp_path_factory.mktemp("certificates")
    root = tiny_ca.issue("Root of today", signer=None, key="ca", ca=True, san=None, **TODAY)
    texts = {
        "root": root,
        "good": tiny_ca.issue(signer=root, **TODAY),
        "phone": tiny_ca.issue("00005e005301", signer=root, extended=[ExtendedKeyUsageOID.CLIENT_AUTH], **TODAY),
        "bad": tiny_ca.issue("www.example.net", san=None, signer=root, days=(-9, -1), **TODAY),
    }
    for name, issued in texts.items():
        (folder / f"{name}.pem").write_text(issued.pem)
        (folder / f"{name}.key").write_text(issued.key)
    return folder


@pytest.fixture
def resolved(monkeypatch):
    """Make every name resolve to a list of addresses; return the list."""
    addresses = ["127.0.0.1"]
    monkeypatch.setattr(
        server_certificate_check,
        "resolve",
        lambda name, name_server, timeout, record=RecordType.A: tuple(
            address for address in addresses if (":" in address) == (record is RecordType.AAAA)
        ),
    )
    return addresses


@pytest.mark.usefixtures("resolved")
@pytest.mark.parametrize("check_mode", [False, True])
def test_a_good_server_passes(run, paths, check_mode):
    with https(paths / "good.pem", paths / "good.key") as port:
        result = run({"port": port, "roots": str(paths / "root.pem")}, check_mode)
    assert result.keys() - {"invocation"} == KEYS
    assert not result.get("failed")
    assert not result["changed"]
    assert [(finding["level"], finding["code"]) for finding in result["findings"]] == [("info", "no_client_certificate")]
    assert result["certificate"]["subject"] == f"CN={NAME},O=Example"
    assert result["certificate"]["chain_length"] == 1
    assert result["protocols"]["TLS 1.2"]
    assert result["address"] == "127.0.0.1"
    assert result["cipher"]


@pytest.mark.usefixtures("resolved")
def test_a_bad_server_fails_with_a_sentence_for_each_error(run, paths):
    with https(paths / "bad.pem", paths / "bad.key") as port:
        result = run({"port": port})
    assert result["failed"]
    assert result.keys() >= KEYS
    first, *sentences = result["msg"].splitlines()
    assert first == f"{NAME}, port {port}, is not fit for phones of the family ata19x:"
    errors = [finding for finding in result["findings"] if finding["level"] == "error"]
    assert {finding["code"] for finding in errors} == {"common_name_mismatch", "no_san", "expired"}
    assert sentences == [f"{finding['what']}; {finding['remedy']}" for finding in errors]


@many_scans
@pytest.mark.usefixtures("resolved")
def test_fail_on_sets_the_failing_levels(run, paths):
    with https(paths / "bad.pem", paths / "bad.key") as port:
        assert not run({"port": port}, fail_on="never").get("failed")
    with https(paths / "good.pem", paths / "good.key") as port:
        result = run({"port": port}, fail_on="warning")
        assert "it is not known whether phones carry the root" in result["msg"]
        assert "asks for no client certificate" not in result["msg"]
        assert not run({"port": port}, fail_on="error").get("failed")


@many_scans
@pytest.mark.usefixtures("resolved")
def test_passes_facts_and_periods_on(run, paths):
    with https(paths / "good.pem", paths / "good.key") as port:
        options = {"port": port, "roots": str(paths / "root.pem")}
        assert "expires on" in run(options, resync_period=91 * 86400)["msg"]
        assert "less than 91 days" in run(options, expires_within=91, fail_on="warning")["msg"]
        assert "phones offer TLS 1.0" in run(options, facts={"lowest": "TLS 1.0", "highest": "TLS 1.0"})["msg"]


@many_scans
@pytest.mark.usefixtures("resolved")
def test_presents_a_client_certificate(run, paths):
    with https(paths / "good.pem", paths / "good.key", paths / "root.pem") as port:
        shown = {"certificate": str(paths / "phone.pem"), "private_key": str(paths / "phone.key")}
        result = run({"port": port, "roots": str(paths / "root.pem")}, **shown)
        assert (result["asks_for_certificate"], result["status"]) == (True, 404)
        assert not result.get("failed")
        # Refused, because it is not a client certificate
        shown = {"certificate": str(paths / "good.pem"), "private_key": str(paths / "good.key")}
        result = run({"port": port, "roots": str(paths / "root.pem")}, **shown)
        assert result["status"] == 0
        assert "closes the connection when it gets this client certificate" in result["msg"]
        assert "status" not in run({"port": port, "roots": str(paths / "root.pem")})


def test_tries_the_next_address(run, paths, resolved):
    resolved[:] = ["127.0.0.2", "127.0.0.1"]
    with https(paths / "good.pem", paths / "good.key") as port:
        result = run({"port": port, "roots": str(paths / "root.pem")}, address=None)
    assert result["address"] == "127.0.0.1"
    assert [(finding["level"], finding["code"]) for finding in result["findings"]] == [
        ("warning", "unreachable"),
        ("info", "no_client_certificate"),
    ]


@many_scans
def test_checks_all_addresses_of_the_name(run, paths, resolved):
    resolved[:] = ["127.0.0.1", "::1", "127.0.0.9"]
    good = (paths / "good.pem", paths / "good.key")
    with https(*good) as port, https(*good, address="::1", port=port):
        result = run({"port": port, "roots": str(paths / "root.pem")}, address=None, all_addresses=True)
    assert [server["address"] for server in result["servers"]] == ["127.0.0.1", "127.0.0.9", "::1"]
    assert [[one["code"] for one in server["findings"]] for server in result["servers"]] == [
        ["no_client_certificate"],
        ["unreachable"],
        ["no_client_certificate"],
    ]
    assert result["address"] == "127.0.0.1"
    _heading, sentence = result["msg"].splitlines()
    assert sentence.startswith(f"127.0.0.9 cannot be reached on port {port}: connection refused; ")


@many_scans
@pytest.mark.usefixtures("resolved")
def test_compares_the_servers(run, paths):
    with (
        https(paths / "good.pem", paths / "good.key") as port,
        https(paths / "bad.pem", paths / "bad.key", address="127.0.0.2", port=port),
    ):
        addresses = ["127.0.0.1", "127.0.0.2"]
        result = run({"port": port, "roots": str(paths / "root.pem")}, address=None, addresses=addresses)
    sentences = [f"{finding['level']}: {finding['what']}" for finding in result["findings"]]
    assert "error: 127.0.0.2: the common name is 'www.example.net', and phones look for prov.example.net" in sentences
    assert not any(sentence.startswith("error: 127.0.0.1") for sentence in sentences)
    assert any(
        sentence.startswith("warning: 127.0.0.1 and 127.0.0.2 have different certificates of one key") for sentence in sentences
    )


@pytest.mark.usefixtures("resolved")
def test_fails_without_an_address(run, resolved):
    resolved.clear()
    result = run({}, address=None, all_addresses=True)
    assert f"the name {NAME} has no IPv4 address in DNS" in result["msg"]
    assert result["servers"] == []


def test_fails_without_an_answer(run, resolved):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    result = run({"port": port})
    assert f"127.0.0.1 cannot be reached on port {port}: connection refused; start the server," in result["msg"]
    assert (result["certificate"], result["address"]) == ({}, "")
    resolved.clear()
    assert f"the name {NAME} has no IPv4 address in DNS" in run({"port": port}, address=None)["msg"]


def test_asks_the_name_server(run, monkeypatch):
    calls = []
    monkeypatch.setattr(tls_scan, "ask_name_server", lambda _client, *arguments: calls.append(arguments) or ())
    run({}, address=None, name_server="192.0.2.1", timeout=3)
    assert calls == [(NAME, "192.0.2.1", 3, RecordType.A)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "prov"}, "name is 'prov'; it must be the fully qualified name that phones use, such as prov.example.net"),
        ({"name": "192.0.2.1"}, "name is '192.0.2.1'; it must be"),
        ({"address": NAME}, f"address is '{NAME}'; phones use only IPv4 addresses, such as 192.0.2.1"),
        ({"name_server": "::1"}, "name_server is '::1'; phones use only IPv4"),
        ({"address": None, "addresses": ["prov"]}, "addresses: 'prov' is not an IPv4 or IPv6 address, such as 192.0.2.1"),
        ({"all_addresses": True}, "parameters are mutually exclusive: address|all_addresses"),
        ({"port": 0}, "port is 0; it must be from 1 to 65535"),
        ({"timeout": 0}, "timeout is 0; it must be from 1 to 600"),
        ({"resync_period": -1}, "resync_period is -1; it must be from 0 to 2147483647"),
        ({"facts": {"lowest": "TLS 1.3"}}, "facts: lowest is TLS 1.3, which is above highest, TLS 1.2; set both"),
        ({"roots": "/nowhere"}, "roots: cannot read /nowhere on the target: No such file or directory"),
        ({"roots": __file__}, f"roots: {__file__} contains no certificate in PEM form"),
        ({"certificate": "/x"}, "parameters are required together: certificate, private_key"),
        ({"family": "ata"}, "value of family must be one of: ata19x, spa, mpp"),
    ],
)
def test_rejects_invalid_options(run, options, message):
    result = run(options)
    assert result["failed"]
    assert result["msg"].startswith(message)
