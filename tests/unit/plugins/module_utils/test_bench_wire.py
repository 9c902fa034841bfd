# SPDX-License-Identifier: GPL-3.0-or-later
"""What one unit does on the wire, on the loopback; the rest is exercised by phones on a real bench."""

from __future__ import annotations

import resource
import socket
import threading

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils import bench_wire
from ansible_collections.voip.preprovision.plugins.module_utils.bench_wire import Identity, Plug, Wire, WireError, most_at_a_time
from ansible_collections.voip.preprovision.plugins.module_utils.dhcp_packets import NO_ADDRESS
from ansible_collections.voip.preprovision.plugins.module_utils.mac import Mac
from ansible_collections.voip.preprovision.plugins.module_utils.phone_network import Ask
from ansible_collections.voip.preprovision.plugins.module_utils.rules import Target
from ansible_collections.voip.preprovision.plugins.module_utils.tls_probe import ProbeError
from ansible_collections.voip.preprovision.plugins.module_utils.wire_dhcp import Given

FIRST, SECOND = Mac("00005e005301"), Mac("00005e005302")
GIVEN = Given("127.0.0.2", "", {1: b"\xff\0\0\0", 3: b"\x7f\0\0\1", 6: b"\x7f\0\0\1\x7f\0\0\3"})


class Loopback:
    """A Namespace whose interface has all addresses of the loopback."""

    def __init__(self):
        self.done = []

    def socket(self, kind, address, port=0):
        opened = socket.socket(socket.AF_INET, kind)
        opened.bind((address, port))
        return opened

    def add_address(self, address):
        if address == NO_ADDRESS:
            raise OSError(22, "Invalid argument")
        self.done.append(("add", address))

    def delete_address(self, address):
        self.done.append(("delete", address))

    def add_route(self, network, gateway=""):
        self.done.append(("route", str(network), gateway))


class Clients:
    def __init__(self, given):
        self._given = given

    def ask(self, *_):
        return self._given

    def announce(self, given):
        pass


@pytest.fixture
def wire():
    wire = Wire("bench0", 1)
    wire._namespace = Loopback()
    return wire


def plug_in(wire, given=GIVEN, mac=FIRST):
    return Plug(wire, wire._namespace, Clients(given), Identity(mac), 1)


def test_a_lease_configures_the_interface_and_is_given_back(wire):
    plug = plug_in(wire)
    lease = plug.lease("x")
    assert (lease.address, lease.options[3], lease.options[6]) == ("127.0.0.2", "127.0.0.1", "127.0.0.1 127.0.0.3")
    plug.close()
    assert wire._namespace.done == [
        ("add", "127.0.0.2"),
        ("route", "127.0.0.0/8", ""),
        ("route", "0.0.0.0/0", "127.0.0.1"),
        ("delete", "127.0.0.2"),
    ]


@pytest.mark.parametrize("given", [None, Given(NO_ADDRESS, "", {})])
def test_without_an_address_nothing_goes_out(wire, given):
    plug = plug_in(wire, given)
    assert plug.lease("x") is None
    assert plug.addresses("prov.example.net") == ()
    assert plug.fetch(Ask(Target("http", "h", 80, "/"), "127.0.0.1")).failure == "unreachable"
    assert plug.log("127.0.0.1", "x") is False


def test_an_address_that_two_have_is_noted_and_stays_with_the_second(wire):
    one, two = plug_in(wire), plug_in(wire, mac=SECOND)
    one.lease("x")
    two.lease("x")
    one.close()
    assert ("delete", "127.0.0.2") not in wire._namespace.done
    two.close()
    assert wire.twice == ["127.0.0.2 was given to 00:00:5e:00:53:02 while 00:00:5e:00:53:01 had it"]
    assert wire._namespace.done[-1] == ("delete", "127.0.0.2")


def test_names_are_asked_of_each_server_twice_and_once_a_lease(wire, monkeypatch):
    asked = []

    def ask(_socket, _name, server, _timeout):
        asked.append(server)
        if len(asked) < 4:
            raise ProbeError("no answer")
        return ("192.0.2.7",)

    monkeypatch.setattr(bench_wire, "ask_name_server", ask)
    plug = plug_in(wire)
    plug.lease("x")
    assert [plug.addresses("prov.example.net"), plug.addresses("prov.example.net")] == [("192.0.2.7",)] * 2
    assert asked == ["127.0.0.1", "127.0.0.3"] * 2
    assert plug.addresses("192.0.2.9") == ("192.0.2.9",)


@pytest.mark.parametrize(("method", "code"), [("GET", 1), ("PUT", 2)])
def test_tftp_comes_from_the_units_own_address(wire, method, code):
    plug = plug_in(wire)
    plug.lease("x")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        heard = []

        def serve():
            packet, client = server.recvfrom(600)
            heard.append((packet[:2], client[0]))
            server.sendto(b"\0\5\0\1no\0", client)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        answer = plug.fetch(Ask(Target("tftp", "h", server.getsockname()[1], "/x"), "127.0.0.1", method=method))
        thread.join(5)
    assert (answer.status, heard) == (404, [(bytes([0, code]), "127.0.0.2")])


@pytest.mark.parametrize(
    ("hard", "wanted", "expected"), [(4096, 1000, 1000), (1024, 1000, 448), (100, 5, 1), (resource.RLIM_INFINITY, 5000, 5000)]
)
def test_units_are_no_more_than_files_allow(monkeypatch, hard, wanted, expected):
    limits = []
    monkeypatch.setattr(bench_wire.resource, "getrlimit", lambda _kind: (64, hard))
    monkeypatch.setattr(bench_wire.resource, "setrlimit", lambda _kind, limit: limits.append(limit))
    assert (most_at_a_time(wanted), limits) == (expected, [(hard, hard)])


@pytest.mark.parametrize(
    ("user", "program", "words"),
    [
        (1000, "/sbin/ip", "need root"),
        (0, None, "install the Debian package iproute2"),
        (0, "/sbin/ip", "there is no bridge nosuchbridge on this machine"),
    ],
)
def test_machines_that_cannot_hold_units(monkeypatch, user, program, words):
    monkeypatch.setattr(bench_wire.os, "geteuid", lambda: user)
    monkeypatch.setattr(bench_wire.shutil, "which", lambda *_, **__: program)
    with pytest.raises(WireError, match=words):
        Wire("nosuchbridge", 1).__enter__()
