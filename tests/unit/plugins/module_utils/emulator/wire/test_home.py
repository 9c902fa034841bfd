# SPDX-License-Identifier: GPL-3.0-or-later
"""Phones at the customer's: real servers and a real name server, on the loopback interface."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import threading
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.certificates import tls_scan
from ansible_collections.voip.preprovision.plugins.module_utils.common.mac import Mac
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.device.ports import WireFailure, WireRequest
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.load.options import HomeOptions, IpMode
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.wire import home as home_wire
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.wire.exchange import PhoneIdentity
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.wire.home import Home, HomeError
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.wire.namespace import NamedNamespace
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.rules.model import Target

NAME = "prov.example.net"
IDENTITY = PhoneIdentity(Mac("00005e005301"))


class Handler(BaseHTTPRequestHandler):
    """Answers with the address that the client used, and with its Host header."""

    def do_GET(self):
        body = f"{self.server.server_address[0]} {self.headers['Host']}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments):
        """Say nothing."""


class Server6(ThreadingHTTPServer):
    address_family = socket.AF_INET6


@contextmanager
def web_server(kind, address, port=0):
    with kind((address, port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join(5)


@contextmanager
def name_server(records, address="127.0.0.1"):
    """Answer A and AAAA queries; *records*: type -> addresses. Yield the queried types, and the port."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    asked = []
    with socket.socket(family, socket.SOCK_DGRAM) as opened:
        opened.bind((address, 0))

        def serve():
            while query := opened.recvfrom(600):
                packet, client = query
                if packet == b"stop":
                    return
                (kind,) = struct.unpack("!H", packet[-4:-2])
                asked.append(kind)
                found = [socket.inet_pton(socket.AF_INET if kind == 1 else socket.AF_INET6, one) for one in records.get(kind, ())]
                answers = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 60, len(one)) + one for one in found)
                opened.sendto(packet[:2] + struct.pack("!5H", 0x8180, 1, len(found), 0, 0) + packet[12:] + answers, client)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield opened.getsockname()[1], asked
        with socket.socket(family, socket.SOCK_DGRAM) as client:
            client.sendto(b"stop", opened.getsockname()[:2])
        thread.join(5)


@contextmanager
def link(timeout=5, **options):
    with Home(HomeOptions(**options), timeout) as home, home.connect(IDENTITY) as opened:
        yield opened


RECORDS = {1: ["192.0.2.1", "192.0.2.2"], 28: ["2001:db8::1"]}


@pytest.mark.parametrize(
    ("mode", "expected", "types"),
    [
        (IpMode.IPV4, ["192.0.2.1", "192.0.2.2"], [1]),
        (IpMode.IPV6, ["2001:db8::1"], [28]),
        (IpMode.DUAL, ["2001:db8::1", "192.0.2.1", "192.0.2.2"], [28, 1]),
    ],
)
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_asks_its_own_name_server_for_the_records_that_it_uses(monkeypatch, mode, expected, types, address):
    with name_server(RECORDS, address) as (port, asked):
        monkeypatch.setattr(tls_scan, "_DNS_PORT", port)
        with link(name_servers=(address,), ip_mode=mode) as phone:
            assert list(phone.addresses(NAME)) == expected
    assert asked == types


def test_asks_again_for_each_file(monkeypatch):
    records = {1: ["192.0.2.1"]}
    with name_server(records) as (port, _asked):
        monkeypatch.setattr(tls_scan, "_DNS_PORT", port)
        with link(name_servers=("127.0.0.1",)) as phone:
            assert list(phone.addresses(NAME)) == ["192.0.2.1"]
            records[1] = ["192.0.2.2", "192.0.2.1"]
            assert list(phone.addresses(NAME)) == ["192.0.2.2", "192.0.2.1"]


def test_tries_the_next_name_server(monkeypatch):
    monkeypatch.setattr(home_wire, "_NAME_WAITS", (0.2,))
    with name_server(RECORDS) as (port, _asked), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.2", port))
        monkeypatch.setattr(tls_scan, "_DNS_PORT", port)
        with link(name_servers=("127.0.0.2", "127.0.0.1")) as phone:
            assert list(phone.addresses(NAME)) == ["192.0.2.1", "192.0.2.2"]
        with link(name_servers=("127.0.0.2",)) as phone:
            assert list(phone.addresses(NAME)) == []


@pytest.mark.parametrize(
    ("mode", "name", "expected"),
    [
        (IpMode.IPV4, "PROV.example.net.", ["192.0.2.9"]),
        (IpMode.DUAL, NAME, ["192.0.2.9", "2001:db8::9"]),
        (IpMode.IPV4, "192.0.2.7", ["192.0.2.7"]),
        (IpMode.IPV4, "[2001:DB8:0::7]", ["2001:db8::7"]),
    ],
)
def test_given_records_and_addresses_need_no_name_server(mode, name, expected):
    with link(records={NAME: ("192.0.2.9", "2001:db8::9")}, name_servers=("192.0.2.250",), ip_mode=mode) as phone:
        assert list(phone.addresses(name)) == expected


def test_asks_the_machine_without_a_name_server_of_its_own():
    with link() as phone:
        assert "127.0.0.1" in phone.addresses("localhost")


@pytest.mark.parametrize(
    ("kind", "address", "server", "host"), [(ThreadingHTTPServer, "127.0.0.1", NAME, NAME), (Server6, "::1", "[::1]", "[::1]")]
)
def test_fetches_by_both_protocols(kind, address, server, host):
    with web_server(kind, address) as port, link() as phone:
        response = phone.fetch(WireRequest(Target("http", server, port, "/x"), address))
    assert (response.status, response.content.decode()) == (200, f"{address} {host}:{port}")


def test_says_when_nothing_listens_and_when_nothing_answers():
    with ExitStack() as stack:
        refusing = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
        refusing.bind(("127.0.0.1", 0))
        silent = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        phone = stack.enter_context(link(timeout=0.3))
        failures = [
            phone.fetch(WireRequest(Target("http", NAME, opened.getsockname()[1], "/"), "127.0.0.1")).failure
            for opened in (refusing, silent)
        ]
    assert failures == [WireFailure.REFUSED, WireFailure.TIMEOUT]


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_logs_by_both_protocols(monkeypatch, address):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as server:
        server.bind((address, 0))
        server.settimeout(5)
        monkeypatch.setattr(home_wire, "_SYSLOG_PORT", server.getsockname()[1])
        with link(records={"log.example.net": (address,)}, ip_mode=IpMode.DUAL) as phone:
            assert phone.log("log.example.net", "hello")
            assert not phone.log("unknown.invalid", "hello")
        assert server.recv(100) == b"hello"


def test_has_an_address_without_dhcp():
    with link(namespace="") as phone:
        lease = phone.lease("x")
    assert dict(lease.options) == {}
    assert phone.renew(any_server=True).lease is None


def test_names_a_namespace_that_does_not_exist():
    with pytest.raises(HomeError, match="there is no network namespace nowhere-1 on the target; create it with 'ip netns add"):
        Home(HomeOptions(namespace="nowhere-1"), 1).__enter__()


NAT = """
ip netns add {home}
ip netns add {router}
ip netns add {isp}
ip -n {home} link add eth0 type veth peer name lan netns {router}
ip -n {isp} link add eth0 type veth peer name wan netns {router}
ip -n {home} addr add 10.11.12.2/24 dev eth0
ip -n {router} addr add 10.11.12.1/24 dev lan
ip -n {router} addr add 198.51.100.2/24 dev wan
ip -n {isp} addr add 198.51.100.1/24 dev eth0
ip -n {home} link set eth0 up
ip -n {router} link set lan up
ip -n {router} link set wan up
ip -n {isp} link set eth0 up
ip -n {home} route add default via 10.11.12.1
ip netns exec {router} sh -c echo\t1\t>/proc/sys/net/ipv4/ip_forward
ip netns exec {router} nft add table ip nat
ip netns exec {router} nft add chain ip nat out {{ type nat hook postrouting priority srcnat; }}
ip netns exec {router} nft add rule ip nat out oifname wan masquerade
"""
"""Commands; tabs stand for spaces within an argument."""


@pytest.fixture
def behind_nat():
    """Yield the names of a namespace behind a router that masquerades, and of one with a server's address, 198.51.100.1."""
    names = {name: f"{name}-{os.getpid()}" for name in ("home", "router", "isp")}
    try:
        for line in NAT.format(**names).strip().splitlines():
            command = [word.replace("\t", " ") for word in line.split(" ")]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert not done.returncode, f"{line}: {done.stderr}"
        yield names["home"], names["isp"]
    finally:
        for name in names.values():
            subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)


@pytest.mark.root(reason="makes network namespaces")
def test_servers_see_the_routers_address_of_a_phone_behind_a_nat(behind_nat):
    home, isp = behind_nat
    seen = []

    class Noting(Handler):
        def do_GET(self):
            seen.append(self.client_address[0])
            super().do_GET()

    provider = NamedNamespace(isp)
    with provider.entered():
        server = ThreadingHTTPServer(("198.51.100.1", 0), Noting)
    with server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with link(namespace=home, records={NAME: ("198.51.100.1",)}) as phone:
            assert phone.lease("x").address == "10.11.12.2"
            response = phone.fetch(WireRequest(Target("http", NAME, server.server_address[1], "/x"), phone.addresses(NAME)[0]))
        server.shutdown()
    provider.close()
    assert (response.status, seen) == (200, ["198.51.100.2"])
