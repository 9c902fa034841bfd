# SPDX-License-Identifier: GPL-3.0-or-later
"""Every row of the vendor's table of HTTP status codes, against a real server on this machine."""

from __future__ import annotations

import base64
import contextlib
import datetime
import hashlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.common.mac import Mac
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.device.ports import (
    Lease,
    WireFailure,
    WireRequest,
    WireResponse,
)
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.phone import EmulatedPhone
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.wire.http import fetch
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.wire.system_clock import SystemClock
from ansible_collections.voip.preprovision.plugins.module_utils.families.catalogue import BUILTIN
from ansible_collections.voip.preprovision.plugins.module_utils.families.user_agent import format_user_agent
from ansible_collections.voip.preprovision.plugins.module_utils.phones.phone import Phone
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.flat_profile import build, read_parameters

MAC = "00005e005301"
USER, PASSWORD = "desk", "open sesame"


def profile(**values):
    return build(read_parameters(values))


GOOD = profile(Profile_Rule="http://prov.example.net/$MA.cfg")


@dataclass
class Script:
    """What the server does: path -> status, headers and content, or a function of the handler."""

    pages: dict[str, object]
    requests: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)


@contextlib.contextmanager
def serving(pages, context=None) -> Iterator[tuple[Script, int]]:
    script = Script(pages)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def response(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            script.requests.append((self.command, self.path, dict(self.headers), body))
            page = script.pages[self.path]
            status, headers, content = page(self) if callable(page) else page
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = response

        def log_message(self, *arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True)
            # A connection that the client closes needs no message
            server.handle_error = lambda *_arguments: None
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield script, server.server_port
        finally:
            server.shutdown()
            thread.join()


class Loopback:
    """A network in which every name is this machine; TFTP files come from a table. HTTP by Python's client or the emulator's."""

    def __init__(self, tftp, by_wire=False):
        self.tftp = tftp
        self.by_wire = by_wire
        self.logged = []

    def lease(self, _vendor_class):
        return Lease("192.0.2.20", {66: "192.0.2.1"})

    def addresses(self, name):
        return ("127.0.0.2",) if name == "other.example.net" else ("127.0.0.1",)

    def log(self, _server, text):
        self.logged.append(text)
        return True

    def fetch(self, request: WireRequest) -> WireResponse:
        if request.target.scheme == "tftp":
            content = self.tftp.get(request.target.path)
            return WireResponse(404) if content is None else WireResponse(200, content)
        if self.by_wire or request.target.scheme == "https":
            return fetch(request, lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM), time.monotonic() + 10)
        connection = http.client.HTTPConnection(request.address, request.target.port, timeout=10)
        try:
            connection.request(request.method, request.target.path, request.body or None, dict(request.headers))
            response = connection.getresponse()
            return WireResponse(
                response.status, response.read(request.max_bytes + 1), {name.lower(): text for name, text in response.getheaders()}
            )
        except OSError as error:
            return WireResponse(0, failure=WireFailure.REFUSED, error=str(error))
        finally:
            connection.close()


def power_up(port, path="/a", options="", by_wire=False, **more):
    """Have an ATA192 follow a rule that leads to the server; return its report."""
    rule = f"{options}http://127.0.0.1:{port}{path}"
    network = Loopback({"/ata192.cfg": profile(Profile_Rule_B=rule, Syslog_Server="192.0.2.1", **more)}, by_wire)
    unit = EmulatedPhone(Phone("desk", Mac(MAC), BUILTIN.find_model("ATA192"), serial="FCH0000D001"))
    unit.power_up(network, SystemClock())
    return unit.report(), network


def letters(report):
    return [request["behaviour"] for request in report["requests"]][1:]


@pytest.mark.parametrize(
    ("status", "letter", "code"),
    [
        *((status, "A", "") for status in (200, 201, 202, 206)),
        *((status, "C", "http_status") for status in (300, 303, 305, 306, 307, 308)),
        *((status, "C", "http_status") for status in (400, 402, 405, 406, 408, 409, 410, 415, 418, 429, 451)),
        (401, "C", "login"),
        (403, "C", "forbidden"),
        (404, "B", "not_found"),
        (407, "C", "login"),
        *((status, "C", "http_status") for status in (500, 501, 502, 503, 504, 505, 507, 511, 599)),
    ],
)
@pytest.mark.parametrize("by_wire", [False, True])
def test_status_codes(status, letter, code, by_wire):
    with serving({"/a": (status, {"Location": "/b"}, GOOD)}) as (script, port):
        report, network = power_up(port, by_wire=by_wire)
    assert letters(report) == [letter]
    assert report["failure"]["code"] == code
    assert len(script.requests) == 1
    assert (report["state"] == "preprovisioned") == (letter == "A")
    # Next: the periodic timer after a success, the error timer after B and C
    assert report["next_resync"]["timer"] == ("Resync_Periodic" if letter == "A" else "Resync_Error_Retry_Delay")
    assert ("Successful resync" if letter == "A" else "Resync failed") in network.logged[-1]


@pytest.mark.parametrize(
    ("content", "why"), [(b"", "corrupt"), (b"<flat-profile>", "corrupt"), (b"\x1f\x8brubbish", "corrupt"), (b"<html/>", "corrupt")]
)
def test_a_corrupt_profile_counts_as_b(content, why):
    with serving({"/a": (200, {}, content)}) as (_script, port):
        report, _network = power_up(port)
    assert letters(report) == ["B"]
    assert report["failure"]["code"] == why
    assert report["next_resync"]["timer"] == "Resync_Error_Retry_Delay"


def test_204_has_no_profile():
    with serving({"/a": (204, {}, b"")}) as (_script, port):
        report, _network = power_up(port)
    assert letters(report) == ["B"]


def test_a_missing_file_counts_as_success_where_allowed():
    with serving({"/a": (404, {}, b"no")}) as (_script, port):
        report, _network = power_up(port, Resync_Fails_On_FNF="No", Profile_Rule="http://h/$MA")
    assert letters(report) == ["A"]
    assert report["next_resync"]["timer"] == "Resync_Periodic"


@pytest.mark.parametrize("status", [301, 302])
@pytest.mark.parametrize("form", ["/b", "b", "{base}/b", "//127.0.0.1:{port}/b", "/b#part"])
def test_follows_redirections_at_once(status, form):
    pages = {"/b": (200, {}, GOOD)}
    with serving(pages) as (script, port):
        location = form.format(base=f"http://127.0.0.1:{port}", port=port)
        pages["/a"] = (status, {"Location": location}, b"moved")
        report, _network = power_up(port)
    assert letters(report) == ["", "A"]
    assert [path for _method, path, _headers, _body in script.requests] == ["/a", "/b"]


@pytest.mark.parametrize(("status", "form"), [(301, "/a"), (302, "/a"), (302, "")])
def test_stops_redirection_loops(status, form):
    with serving({"/a": (status, {"Location": form}, b"")}) as (script, port):
        report, _network = power_up(port)
    assert (len(script.requests), report["failure"]["code"]) == (6, "redirects")
    assert letters(report)[-1] == "C"


@pytest.mark.parametrize("location", ["ftp://h/a", "http://[", "http://u@h/a", "http://h:0/a"])
def test_reports_redirections_to_invalid_urls(location):
    with serving({"/a": (302, {"Location": location}, b"")}) as (_script, port):
        report, _network = power_up(port)
    assert report["failure"]["code"] == "redirects"
    assert "redirects to an invalid URL" in report["cause"]


# -- logins: the server computes the expected answer independently


def basic(handler, name):
    return handler.headers.get(name) == "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


def digest(handler, name, algorithm):
    given = handler.headers.get(name) or ""
    if not given.startswith("Digest "):
        return False
    fields = dict(part.strip().split("=", 1) for part in given.removeprefix("Digest ").split(","))
    fields = {key: value.strip('"') for key, value in fields.items()}

    def hashed(text):
        return hashlib.new({"MD5": "md5", "SHA-256": "sha256"}[algorithm], text.encode()).hexdigest()

    one, two = hashed(f"{USER}:bench:{PASSWORD}"), hashed(f"{handler.command}:{handler.path}")
    proof = hashed(f"{one}:{fields['nonce']}:{fields['nc']}:{fields['cnonce']}:{fields['qop']}:{two}")
    return fields["uri"] == handler.path and fields["response"] == proof and fields["nonce"] == "abc"


CHALLENGES = {
    "Basic": ('Basic realm="bench"', basic),
    "MD5": ('Digest realm="bench", nonce="abc", qop="auth"', lambda handler, name: digest(handler, name, "MD5")),
    "SHA-256": (
        'Digest realm="bench", nonce="abc", qop="auth", algorithm=SHA-256, opaque="x"',
        lambda handler, name: digest(handler, name, "SHA-256"),
    ),
}


@pytest.mark.parametrize(
    ("status", "challenge_header", "login_header"),
    [(401, "WWW-Authenticate", "Authorization"), (407, "Proxy-Authenticate", "Proxy-Authorization")],
)
@pytest.mark.parametrize("kind", CHALLENGES)
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("by_wire", [False, True])
def test_logins(status, challenge_header, login_header, kind, method, by_wire):
    challenge, accepts = CHALLENGES[kind]

    def page(handler):
        return (200, {}, GOOD) if accepts(handler, login_header) else (status, {challenge_header: challenge}, b"who?")

    post = "--post a " if method == "POST" else ""
    with serving({"/a?x=1": page}) as (script, port):
        report, _network = power_up(port, "/a?x=1", f'[{post}--uid {USER} --pwd "{PASSWORD}"] ', by_wire, GPP_A="mac=$MA")
    assert letters(report) == ["", "A"]
    assert [entry[0] for entry in script.requests] == [method, method]
    assert {entry[3] for entry in script.requests} == {b"mac=00005e005301" if post else b""}
    assert [step["detail"] for step in report["steps"] if step["step"] == "login"] == ["Basic" if kind == "Basic" else "Digest"]
    assert PASSWORD not in str(report)


@pytest.mark.parametrize(("status", "challenge_header"), [(401, "WWW-Authenticate"), (407, "Proxy-Authenticate")])
@pytest.mark.parametrize("kind", CHALLENGES)
def test_logs_in_at_most_twice(status, challenge_header, kind):
    with serving({"/a": (status, {challenge_header: CHALLENGES[kind][0]}, b"")}) as (script, port):
        report, _network = power_up(port, options=f"[--uid {USER} --pwd wrong-one] ")
    assert len(script.requests) == 3
    assert letters(report) == ["", "", "C"]
    assert report["failure"]["code"] == "login"


@pytest.mark.parametrize("challenge", ["Negotiate", "", 'Digest realm="x", algorithm=X, nonce="y"'])
def test_reports_unsupported_logins(challenge):
    with serving({"/a": (401, {"WWW-Authenticate": challenge}, b"")}) as (script, port):
        report, _network = power_up(port, options=f"[--uid {USER} --pwd x-y-z] ")
    assert len(script.requests) == 1
    assert report["failure"]["code"] == "login"


def test_a_redirection_after_a_login():
    def page(handler):
        return (302, {"Location": "/b"}, b"") if basic(handler, "Authorization") else (401, {"WWW-Authenticate": "Basic"}, b"")

    with serving({"/a": page, "/b": (200, {}, GOOD)}) as (script, port):
        report, _network = power_up(port, options=f'[--uid {USER} --pwd "{PASSWORD}"] ')
    assert letters(report) == ["", "", "A"]
    # Credentials are sent only on request
    assert "Authorization" not in script.requests[-1][2]


# -- content of the requests


def test_requests_have_the_phones_user_agent():
    with serving({"/a": (200, {}, GOOD)}) as (script, port):
        power_up(port)
    assert script.requests[0][2]["User-Agent"] == "Cisco/ATA192-MPP-11-1-0MPP-16 (FCH0000D001)"


@pytest.mark.parametrize(
    ("model", "own", "parameters", "sent"),
    [
        ("CP-8851-3PCC", "", {}, "Cisco-CP-8851-3PCC/11.3.2 (00005e005301)"),
        ("CP-8851-3PCC", "", {"HTTP_User_Agent_Name": "$VERSION x"}, "Cisco-CP-8851-3PCC/11.3.2 x"),
        ("CP-8851-3PCC", "Example $MA", {}, "Example 00005e005301"),
        ("CP-8851-3PCC", "Example $MA", {"HTTP_User_Agent_Name": "Acme $GPP $A", "GPP_A": "a"}, "Acme $GPP a"),
        ("CP-8851-3PCC", "Example $MA", {"HTTP_User_Agent_Name": ""}, "Example 00005e005301"),
        # No source names its parameter
        ("ATA192", "", {"HTTP_User_Agent_Name": "x"}, "Cisco/ATA192-MPP-11-1-0MPP-16 (FCH0000D001)"),
        ("ATA192", "Example $VERSION", {}, "Example Cisco/ATA192-MPP-11-1-0MPP-16"),
    ],
)
def test_the_user_agent_is_configurable(model, own, parameters, sent):
    unit = EmulatedPhone(Phone("desk", Mac(MAC), BUILTIN.find_model(model), serial="FCH0000D001"))
    unit.configure_user_agent(own)
    with serving({"/a": (200, {}, GOOD)}) as (script, port):
        file, rule = BUILTIN.find_model(model).factory_file, f"http://127.0.0.1:{port}/a"
        unit.power_up(Loopback({file: profile(Profile_Rule_B=rule, **parameters)}), SystemClock())
        unit.factory_reset()
        unit.power_up(Loopback({file: profile(Profile_Rule_B=rule)}), SystemClock())
    usual = format_user_agent(BUILTIN.find_model(model), Mac(MAC), "FCH0000D001")
    assert [request[2]["User-Agent"] for request in script.requests] == [sent, usual]


def test_posts_are_forms():
    with serving({"/a": (200, {}, GOOD)}) as (script, port):
        power_up(port, options="[--post b] ", GPP_B="mac=$MA&sw=$SWVER")
    method, _path, headers, body = script.requests[0]
    assert (method, body) == ("POST", b"mac=00005e005301&sw=11-1-0MPP-16")
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"


def test_reports_a_closed_port():
    with serving({}) as (_script, port):
        pass
    report, network = power_up(port)
    assert report["failure"]["code"] == "refused"
    assert letters(report) == ["C"]
    assert "Resync failed" in network.logged[-1]


def test_limits_content():
    with serving({"/a": (200, {}, b"x" * (17 * 1024 * 1024))}) as (_script, port):
        report, _network = power_up(port)
    assert report["failure"]["code"] == "too_large"


# -- HTTPS, by the emulator's client, against OpenSSL


def secured(tiny_ca, folder, path="/a", name="prov.example.net", root=None, **issued):
    """Have a phone fetch its profile from a server with this certificate; return its report, and the requests to the server."""
    own = tiny_ca.issue(now=datetime.datetime.now(datetime.UTC), **issued)
    certificate, key = folder / "server.pem", folder / "server.key"
    certificate.write_text(own.pem + tiny_ca.intermediate.pem)
    key.write_text(own.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with serving({"/a": (200, {}, GOOD)}, context) as (script, port):
        first = profile(Profile_Rule_B=f"https://{name}:{port}{path}", Custom_CA_URL="tftp://192.0.2.1/ca.pem")
        network = Loopback({"/ata192.cfg": first, "/ca.pem": (root or tiny_ca.root).pem.encode()})
        unit = EmulatedPhone(Phone("desk", Mac(MAC), BUILTIN.find_model("ATA192"), serial="FCH0000D001"))
        unit.power_up(network, SystemClock())
        return unit.report(), script.requests


@pytest.mark.parametrize(
    ("issued", "code"),
    [
        ({}, ""),
        ({"cn": "prov.example.net/info@example.net"}, ""),
        ({"cn": "other.example.net"}, "certificate_name"),
        ({"san": ["other.example.net"]}, "certificate_name"),
        ({"days": (-9, -1)}, "certificate_time"),
        ({"days": (1, 9)}, "certificate_time"),
        ({"cn": "other.example.net", "san": ["127.0.0.1"], "name": "127.0.0.1"}, "certificate_address"),
    ],
)
def test_verifies_certificates(tiny_ca, tmp_path, issued, code):
    report, requests = secured(tiny_ca, tmp_path, **issued)
    assert report["failure"]["code"] == code
    # A refused server gets no request
    assert len(requests) == (0 if code else 1)


def test_refuses_a_chain_to_another_root(tiny_ca, tmp_path):
    report, requests = secured(tiny_ca, tmp_path, root=tiny_ca.other_root)
    assert (report["failure"]["code"], requests) == ("chain", [])
