# SPDX-License-Identifier: GPL-3.0-or-later
"""One phone's link on the loopback interface; tests on a real bench cover the rest."""

from __future__ import annotations

import resource
import socket
import threading
from dataclasses import replace

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.certificates.tls_scan import ProbeError
from ansible_collections.voip.preprovision.plugins.module_utils.common.mac import Mac
from ansible_collections.voip.preprovision.plugins.module_utils.dhcp.packets import NO_ADDRESS, DhcpPacket
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.device.habits import Habit
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.device.ports import Renewal, WireFailure, WireRequest
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.wire import bench_lan as bench_wire
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.wire.bench_lan import (
    BenchLan,
    BenchLanError,
    PhoneIdentity,
    PhoneLink,
    max_parallel,
)
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.wire.dhcp import DhcpAck
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.rules.model import Target

FIRST, SECOND = Mac("00005e005301"), Mac("00005e005302")
ACK = DhcpAck("127.0.0.2", "", {1: b"\xff\0\0\0", 3: b"\x7f\0\0\1", 6: b"\x7f\0\0\1\x7f\0\0\3"})


class Loopback:
    """A Namespace whose interface has all loopback addresses."""

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


class Macs:
    """The MAC address of each address, recorded with what the namespace does."""

    def __init__(self, done):
        self._done = done

    def set(self, address, mac, previous=None):
        self._done.append(("mac", address, mac, previous))

    def remove(self, address, mac):
        self._done.append(("no mac", address, mac))


class Clients:
    def __init__(self, ack, reply=None):
        self._given = ack
        self._reply = reply
        self.sent = []

    def acquire(self, *_):
        return self._given

    def announce(self, client, ack):
        self.sent.append(("arp", client, ack.address))

    def broadcast(self, client, address, message):
        self.sent.append(("broadcast", client, address, message))

    def extend(self, client, vendor_class, ack, send):
        send(b"request")
        return self._reply


@pytest.fixture
def lan():
    lan = BenchLan("bench0", 1)
    lan._namespace = Loopback()
    lan._macs = Macs(lan._namespace.done)
    return lan


def connect(lan, ack=ACK, mac=FIRST, reply=None, habits=()):
    return PhoneLink(lan, lan._namespace, Clients(ack, reply), PhoneIdentity(mac, habits=frozenset(habits)), 1)


def test_a_lease_configures_the_interface_until_it_is_released(lan):
    link = connect(lan)
    lease = link.lease("x")
    assert (lease.address, lease.options[3], lease.options[6]) == ("127.0.0.2", "127.0.0.1", "127.0.0.1 127.0.0.3")
    link.close()
    assert lan._namespace.done == [
        ("mac", "127.0.0.2", FIRST, None),
        ("add", "127.0.0.2"),
        ("route", "127.0.0.0/8", ""),
        ("route", "0.0.0.0/0", "127.0.0.1"),
        ("no mac", "127.0.0.2", FIRST),
        ("delete", "127.0.0.2"),
    ]
    assert link._clients.sent == [("arp", FIRST, "127.0.0.2")]


@pytest.mark.parametrize("ack", [None, DhcpAck(NO_ADDRESS, "", {})])
def test_sends_nothing_without_an_address(lan, ack):
    link = connect(lan, ack)
    assert link.lease("x") is None
    assert link.addresses("prov.example.net") == ()
    assert link.fetch(WireRequest(Target("http", "h", 80, "/"), "127.0.0.1")).failure is WireFailure.UNREACHABLE
    assert link.log("127.0.0.1", "x") is False
    assert link.renew(any_server=False) == Renewal()
    assert lan._holders == {}


def test_records_a_duplicate_address_and_leaves_it_to_the_second_phone(lan):
    one, two = connect(lan), connect(lan, mac=SECOND)
    one.lease("x")
    two.lease("x")
    one.close()
    assert ("delete", "127.0.0.2") not in lan._namespace.done
    two.close()
    assert lan.duplicate_addresses == ["127.0.0.2 was assigned to 00:00:5e:00:53:02 while 00:00:5e:00:53:01 had it"]
    assert lan._namespace.done[-2:] == [("no mac", "127.0.0.2", SECOND), ("delete", "127.0.0.2")]
    assert [entry for entry in lan._namespace.done if entry[0] == "mac"] == [
        ("mac", "127.0.0.2", FIRST, None),
        ("mac", "127.0.0.2", SECOND, FIRST),
    ]


REPLY_ACK = DhcpPacket(2, 1, FIRST, your_address="127.0.0.2", options={53: b"\5", 51: b"\0\0\0\x09"})


@pytest.mark.parametrize("any_server", [False, True])
def test_extends_a_lease_of_the_same_address(lan, monkeypatch, any_server):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        monkeypatch.setattr(bench_wire, "SERVER_PORT", server.getsockname()[1])
        monkeypatch.setattr(bench_wire, "CLIENT_PORT", 0)
        link = connect(lan, DhcpAck("127.0.0.2", "127.0.0.1", ACK.options), reply=REPLY_ACK)
        link.lease("x")
        renewal = link.renew(any_server)
        server.settimeout(0 if any_server else 5)
        if any_server:
            assert link._clients.sent[-1] == ("broadcast", FIRST, "127.0.0.2", b"request")
        else:
            message, client = server.recvfrom(100)
            assert (message, client[0]) == (b"request", "127.0.0.2")
    assert (renewal.lease.address, renewal.lease.options[51], renewal.refused) == ("127.0.0.2", "9", False)


@pytest.mark.parametrize(
    ("reply", "refused"),
    [(None, False), (replace(REPLY_ACK, your_address="127.0.0.9"), False), (replace(REPLY_ACK, options={53: b"\6"}), True)],
)
def test_keeps_the_lease_that_it_has_unless_told_to_give_it_up(lan, reply, refused):
    link = connect(lan, reply=reply)
    link.lease("x")
    assert link.renew(any_server=True) == Renewal(refused=refused)
    assert ("delete", "127.0.0.2") not in lan._namespace.done
    link.give_up_lease()
    assert lan._namespace.done[-1] == ("delete", "127.0.0.2")
    assert link.fetch(WireRequest(Target("http", "h", 80, "/"), "127.0.0.1")).error == "the phone has no address"
    link.close()
    assert lan._namespace.done[-1] == ("delete", "127.0.0.2")


@pytest.mark.parametrize(("habits", "expected"), [((), [b"/x"]), ((Habit.ASKS_TWICE, Habit.TFTP_NAME_FF), [b"/x\xff"] * 2)])
def test_habits_of_reading_by_tftp(lan, habits, expected):
    link = connect(lan, habits=habits)
    link.lease("x")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        requests = []

        def serve():
            # Answers only once both have asked: a phone that asks one after the other gets no answer
            while len(requests) < len(expected):
                requests.append(server.recvfrom(600))
            for number, (_packet, client) in enumerate(requests):
                server.sendto(b"\0\3\0\1content" if not number else b"\0\5\0\2no\0", client)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        response = link.fetch(WireRequest(Target("tftp", "h", server.getsockname()[1], "/x"), "127.0.0.1"))
        thread.join(5)
    assert [packet[2:].split(b"\0")[0] for packet, _client in requests] == expected
    # The worse of two answers counts
    assert (response.status, response.content) == ((200, b"content") if len(expected) == 1 else (0, b""))


def test_asks_each_name_server_twice_and_once_per_lease(lan, monkeypatch):
    queried = []

    def ask(_socket, _name, server, _timeout):
        queried.append(server)
        if len(queried) < 4:
            raise ProbeError("no answer")
        return ("192.0.2.7",)

    monkeypatch.setattr(bench_wire, "ask_name_server", ask)
    link = connect(lan)
    link.lease("x")
    assert [link.addresses("prov.example.net"), link.addresses("prov.example.net")] == [("192.0.2.7",)] * 2
    assert queried == ["127.0.0.1", "127.0.0.3"] * 2
    assert link.addresses("192.0.2.9") == ("192.0.2.9",)


@pytest.mark.parametrize(("method", "code"), [("GET", 1), ("PUT", 2)])
def test_tftp_uses_the_phones_own_address(lan, method, code):
    link = connect(lan)
    link.lease("x")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        received = []

        def serve():
            packet, client = server.recvfrom(600)
            received.append((packet[:2], client[0]))
            server.sendto(b"\0\5\0\1no\0", client)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        response = link.fetch(WireRequest(Target("tftp", "h", server.getsockname()[1], "/x"), "127.0.0.1", method=method))
        thread.join(5)
    assert (response.status, received) == (404, [(bytes([0, code]), "127.0.0.2")])


@pytest.mark.parametrize(
    ("hard", "wanted", "expected"), [(4096, 1000, 1000), (1024, 1000, 448), (100, 5, 1), (resource.RLIM_INFINITY, 5000, 5000)]
)
def test_open_files_limit_the_number_of_phones(monkeypatch, hard, wanted, expected):
    limits = []
    monkeypatch.setattr(bench_wire.resource, "getrlimit", lambda _kind: (64, hard))
    monkeypatch.setattr(bench_wire.resource, "setrlimit", lambda _kind, limit: limits.append(limit))
    assert (max_parallel(wanted), limits) == (expected, [(hard, hard)])


@pytest.mark.parametrize(
    ("user", "programs", "words"),
    [
        (1000, {"ip", "nft"}, "need root"),
        (0, {"nft"}, "the command ip is missing; install the Debian package iproute2"),
        (0, {"ip"}, "the command nft is missing; install the Debian package nftables"),
        (0, {"ip", "nft"}, "there is no bridge nosuchbridge on this machine"),
    ],
)
def test_rejects_machines_that_cannot_run_phones(monkeypatch, user, programs, words):
    monkeypatch.setattr(bench_wire.os, "geteuid", lambda: user)
    monkeypatch.setattr(bench_wire.shutil, "which", lambda name, **_: name if name in programs else None)
    with pytest.raises(BenchLanError, match=words):
        BenchLan("nosuchbridge", 1).__enter__()
