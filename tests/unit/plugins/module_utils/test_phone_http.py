# SPDX-License-Identifier: GPL-3.0-or-later
"""Every row of the vendor's table of HTTP answers, against a real server on this machine."""

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

from ansible_collections.voip.preprovision.plugins.module_utils.families import BUILTIN
from ansible_collections.voip.preprovision.plugins.module_utils.mac import Mac
from ansible_collections.voip.preprovision.plugins.module_utils.phone import Phone
from ansible_collections.voip.preprovision.plugins.module_utils.phone_behaviour import Unit
from ansible_collections.voip.preprovision.plugins.module_utils.phone_network import Answer, Ask, Lease
from ansible_collections.voip.preprovision.plugins.module_utils.profile import build, read_parameters
from ansible_collections.voip.preprovision.plugins.module_utils.wire_http import fetch

MAC = "00005e005301"
USER, PASSWORD = "desk", "open sesame"


def profile(**values):
    return build(read_parameters(values))


GOOD = profile(Profile_Rule="http://prov.example.net/$MA.cfg")


@dataclass
class Script:
    """What the server does: path -> status, headers and content, or a function of the handler."""

    pages: dict[str, object]
    asked: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)


@contextlib.contextmanager
def serving(pages, context=None) -> Iterator[tuple[Script, int]]:
    script = Script(pages)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            script.asked.append((self.command, self.path, dict(self.headers), body))
            page = script.pages[self.path]
            status, headers, content = page(self) if callable(page) else page
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = answer

        def log_message(self, *arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True)
            # What a client breaks off is no news here
            server.handle_error = lambda *_arguments: None
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield script, server.server_port
        finally:
            server.shutdown()
            thread.join()


class Loopback:
    """A network whose every name is this machine; files by TFTP come from a table. HTTP is Python's own client, or the wire's."""

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

    def fetch(self, ask: Ask) -> Answer:
        if ask.target.scheme == "tftp":
            content = self.tftp.get(ask.target.path)
            return Answer(404) if content is None else Answer(200, content)
        if self.by_wire or ask.target.scheme == "https":
            return fetch(ask, lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM), time.monotonic() + 10)
        connection = http.client.HTTPConnection(ask.address, ask.target.port, timeout=10)
        try:
            connection.request(ask.method, ask.target.path, ask.body or None, dict(ask.headers))
            response = connection.getresponse()
            return Answer(
                response.status, response.read(ask.most + 1), {name.lower(): text for name, text in response.getheaders()}
            )
        except OSError as error:
            return Answer(0, failure="refused", error=str(error))
        finally:
            connection.close()


def power_up(port, path="/a", options="", by_wire=False, **more):
    """Let an ATA192 follow a rule that leads to the server; return its report."""
    rule = f"{options}http://127.0.0.1:{port}{path}"
    network = Loopback({"/ata192.cfg": profile(Profile_Rule_B=rule, Syslog_Server="192.0.2.1", **more)}, by_wire)
    unit = Unit(Phone("desk", Mac(MAC), BUILTIN.find_model("ATA192"), serial="FCH0000D001"))
    unit.power_up(network)
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
def test_the_table(status, letter, code, by_wire):
    with serving({"/a": (status, {"Location": "/b"}, GOOD)}) as (script, port):
        report, network = power_up(port, by_wire=by_wire)
    assert letters(report) == [letter]
    assert report["failure"]["code"] == code
    assert len(script.asked) == 1
    assert (report["state"] == "preprovisioned") == (letter == "A")
    # What follows: the periodic timer after a success, that of errors after B and C
    assert report["next_resync"]["timer"] == ("Resync_Periodic" if letter == "A" else "Resync_Error_Retry_Delay")
    assert ("Successful resync" if letter == "A" else "Resync failed") in network.logged[-1]


@pytest.mark.parametrize(
    ("content", "why"), [(b"", "corrupt"), (b"<flat-profile>", "corrupt"), (b"\x1f\x8brubbish", "corrupt"), (b"<html/>", "corrupt")]
)
def test_a_corrupt_profile_is_b(content, why):
    with serving({"/a": (200, {}, content)}) as (_script, port):
        report, _network = power_up(port)
    assert letters(report) == ["B"]
    assert report["failure"]["code"] == why
    assert report["next_resync"]["timer"] == "Resync_Error_Retry_Delay"


def test_204_has_no_profile():
    with serving({"/a": (204, {}, b"")}) as (_script, port):
        report, _network = power_up(port)
    assert letters(report) == ["B"]


def test_a_file_not_found_is_a_success_where_it_may_be():
    with serving({"/a": (404, {}, b"no")}) as (_script, port):
        report, _network = power_up(port, Resync_Fails_On_FNF="No", Profile_Rule="http://h/$MA")
    assert letters(report) == ["A"]
    assert report["next_resync"]["timer"] == "Resync_Periodic"


@pytest.mark.parametrize("status", [301, 302])
@pytest.mark.parametrize("form", ["/b", "b", "{base}/b", "//127.0.0.1:{port}/b", "/b#part"])
def test_redirections_are_followed_at_once(status, form):
    pages = {"/b": (200, {}, GOOD)}
    with serving(pages) as (script, port):
        location = form.format(base=f"http://127.0.0.1:{port}", port=port)
        pages["/a"] = (status, {"Location": location}, b"moved")
        report, _network = power_up(port)
    assert letters(report) == ["", "A"]
    assert [path for _method, path, _headers, _body in script.asked] == ["/a", "/b"]


@pytest.mark.parametrize(("status", "form"), [(301, "/a"), (302, "/a"), (302, "")])
def test_redirections_in_circles_end(status, form):
    with serving({"/a": (status, {"Location": form}, b"")}) as (script, port):
        report, _network = power_up(port)
    assert (len(script.asked), report["failure"]["code"]) == (6, "redirects")
    assert letters(report)[-1] == "C"


@pytest.mark.parametrize("location", ["ftp://h/a", "http://[", "http://u@h/a", "http://h:0/a"])
def test_redirections_to_what_is_no_url(location):
    with serving({"/a": (302, {"Location": location}, b"")}) as (_script, port):
        report, _network = power_up(port)
    assert report["failure"]["code"] == "redirects"
    assert "redirects to what cannot be followed" in report["cause"]


# -- logins: the server computes what it expects by itself


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
    ("status", "asked", "answered"),
    [(401, "WWW-Authenticate", "Authorization"), (407, "Proxy-Authenticate", "Proxy-Authorization")],
)
@pytest.mark.parametrize("kind", CHALLENGES)
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("by_wire", [False, True])
def test_logins(status, asked, answered, kind, method, by_wire):
    challenge, accepts = CHALLENGES[kind]

    def page(handler):
        return (200, {}, GOOD) if accepts(handler, answered) else (status, {asked: challenge}, b"who?")

    post = "--post a " if method == "POST" else ""
    with serving({"/a?x=1": page}) as (script, port):
        report, _network = power_up(port, "/a?x=1", f'[{post}--uid {USER} --pwd "{PASSWORD}"] ', by_wire, GPP_A="mac=$MA")
    assert letters(report) == ["", "A"]
    assert [entry[0] for entry in script.asked] == [method, method]
    assert {entry[3] for entry in script.asked} == {b"mac=00005e005301" if post else b""}
    assert [step["detail"] for step in report["steps"] if step["step"] == "login"] == ["Basic" if kind == "Basic" else "Digest"]
    assert PASSWORD not in str(report)


@pytest.mark.parametrize(("status", "asked"), [(401, "WWW-Authenticate"), (407, "Proxy-Authenticate")])
@pytest.mark.parametrize("kind", CHALLENGES)
def test_logins_are_tried_twice_again(status, asked, kind):
    with serving({"/a": (status, {asked: CHALLENGES[kind][0]}, b"")}) as (script, port):
        report, _network = power_up(port, options=f"[--uid {USER} --pwd wrong-one] ")
    assert len(script.asked) == 3
    assert letters(report) == ["", "", "C"]
    assert report["failure"]["code"] == "login"


@pytest.mark.parametrize("challenge", ["Negotiate", "", 'Digest realm="x", algorithm=X, nonce="y"'])
def test_logins_of_another_kind(challenge):
    with serving({"/a": (401, {"WWW-Authenticate": challenge}, b"")}) as (script, port):
        report, _network = power_up(port, options=f"[--uid {USER} --pwd x-y-z] ")
    assert len(script.asked) == 1
    assert report["failure"]["code"] == "login"


def test_a_login_and_then_a_redirection():
    def page(handler):
        return (302, {"Location": "/b"}, b"") if basic(handler, "Authorization") else (401, {"WWW-Authenticate": "Basic"}, b"")

    with serving({"/a": page, "/b": (200, {}, GOOD)}) as (script, port):
        report, _network = power_up(port, options=f'[--uid {USER} --pwd "{PASSWORD}"] ')
    assert letters(report) == ["", "", "A"]
    # What is not asked for is not told
    assert "Authorization" not in script.asked[-1][2]


# -- what the requests say


def test_requests_introduce_the_unit():
    with serving({"/a": (200, {}, GOOD)}) as (script, port):
        power_up(port)
    assert script.asked[0][2]["User-Agent"] == "Cisco/ATA192-MPP-11-1-0MPP-16 (FCH0000D001)"


def test_posts_are_forms():
    with serving({"/a": (200, {}, GOOD)}) as (script, port):
        power_up(port, options="[--post b] ", GPP_B="mac=$MA&sw=$SWVER")
    method, _path, headers, body = script.asked[0]
    assert (method, body) == ("POST", b"mac=00005e005301&sw=11-1-0MPP-16")
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"


def test_nobody_listens():
    with serving({}) as (_script, port):
        pass
    report, network = power_up(port)
    assert report["failure"]["code"] == "refused"
    assert letters(report) == ["C"]
    assert "Resync failed" in network.logged[-1]


def test_content_is_limited():
    with serving({"/a": (200, {}, b"x" * (17 * 1024 * 1024))}) as (_script, port):
        report, _network = power_up(port)
    assert report["failure"]["code"] == "too_large"


# -- HTTPS, by the client that emulated phones have, against OpenSSL


def secured(tiny_ca, folder, path="/a", name="prov.example.net", root=None, **issued):
    """Let a unit fetch its profile from a server with such a certificate; return its report, and what the server was asked."""
    own = tiny_ca.issue(now=datetime.datetime.now(datetime.UTC), **issued)
    certificate, key = folder / "server.pem", folder / "server.key"
    certificate.write_text(own.pem + tiny_ca.intermediate.pem)
    key.write_text(own.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with serving({"/a": (200, {}, GOOD)}, context) as (script, port):
        first = profile(Profile_Rule_B=f"https://{name}:{port}{path}", Custom_CA_URL="tftp://192.0.2.1/ca.pem")
        network = Loopback({"/ata192.cfg": first, "/ca.pem": (root or tiny_ca.root).pem.encode()})
        unit = Unit(Phone("desk", Mac(MAC), BUILTIN.find_model("ATA192"), serial="FCH0000D001"))
        unit.power_up(network)
        return unit.report(), script.asked


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
def test_certificates(tiny_ca, tmp_path, issued, code):
    report, asked = secured(tiny_ca, tmp_path, **issued)
    assert report["failure"]["code"] == code
    # A server that is refused never hears what is wanted of it
    assert len(asked) == (0 if code else 1)


def test_a_chain_of_another_root(tiny_ca, tmp_path):
    report, asked = secured(tiny_ca, tmp_path, root=tiny_ca.other_root)
    assert (report["failure"]["code"], asked) == ("chain", [])
