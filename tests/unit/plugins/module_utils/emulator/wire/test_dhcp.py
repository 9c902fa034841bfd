# SPDX-License-Identifier: GPL-3.0-or-later
"""Many DHCP clients on one socket, against a scripted server on a socket pair."""

from __future__ import annotations

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.common.mac import Mac
from ansible_collections.voip.preprovision.plugins.module_utils.dhcp.frames import Datagram
from ansible_collections.voip.preprovision.plugins.module_utils.dhcp.packets import NO_ADDRESS, REPLY, build, parse
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.wire import dhcp as wire_dhcp
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.wire.dhcp import (
    DhcpAck,
    DhcpClients,
    build_arp,
    release_message,
)

SERVER = bytes([192, 0, 2, 1])
FRAME = 14 + 20 + 8
OFFER, ACK, NAK = b"\2", b"\5", b"\6"


def reply(question, kind, address, **options):
    return replace(
        question,
        operation=REPLY,
        your_address=address,
        options={53: kind, 54: SERVER, **{int(name[1:]): value for name, value in options.items()}},
    )


@contextmanager
def clients(monkeypatch, script):
    """Have *script* yield the replies to each message."""
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    monkeypatch.setattr(wire_dhcp, "receive", lambda opened: Datagram(Mac("00005e005309"), "192.0.2.1", opened.recv(2000)))
    monkeypatch.setattr(wire_dhcp, "_FIRST_WAIT", 0.1)
    monkeypatch.setattr(wire_dhcp, "_JITTER", 0.01)
    received = []

    def serve():
        while frame := there.recv(2000):
            question = parse(frame[FRAME:])
            received.append((frame[6:12].hex(), question))
            for message in script(question):
                there.send(message if isinstance(message, bytes) else build(message))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    opened = DhcpClients(here)
    try:
        yield opened, received
    finally:
        opened.close()
        thread.join(5)
        there.close()


def good(question):
    address = f"192.0.2.{question.client.plain[-2:].lstrip('0') or '0'}"
    yield reply(question, OFFER if question.message == "discover" else ACK, address, o1=b"\xff\xff\xff\0", o66=b"h")


def test_each_client_gets_its_own_lease(monkeypatch):
    macs = [Mac(f"02005e1000{number:02d}") for number in range(1, 40)]
    with clients(monkeypatch, good) as (opened, received), ThreadPoolExecutor(len(macs)) as pool:
        found = list(pool.map(lambda mac: opened.acquire(mac, "CISCO ATA192-MPP", time.monotonic() + 10), macs))
    assert [ack.address for ack in found] == [f"192.0.2.{number}" for number in range(1, 40)]
    assert (found[0].server, found[0].prefix, found[0].texts[66]) == ("192.0.2.1", 24, "h")
    assert all(sender == question.client.plain for sender, question in received)
    (discover, request) = [question for _sender, question in received if question.client == macs[0]][:2]
    assert discover.options[60] == b"CISCO ATA192-MPP"
    assert 125 in discover.options[55]
    assert (request.options[50], request.options[54], request.xid) == (bytes([192, 0, 2, 1]), SERVER, discover.xid)


def test_retransmits_lost_messages(monkeypatch):
    dropped = []

    def script(question):
        if len(dropped) < 2:
            dropped.append(question)
            return
        yield from good(question)

    with clients(monkeypatch, script) as (opened, received):
        assert opened.acquire(Mac("02005e100007"), "", time.monotonic() + 10).address == "192.0.2.7"
    assert [question.message for _sender, question in received] == ["discover"] * 3 + ["request"]
    assert len({question.xid for _sender, question in received}) == 1


def test_starts_over_after_a_nak(monkeypatch):
    refused = []

    def script(question):
        if question.message == "request" and not refused:
            refused.append(question)
            yield reply(question, NAK, NO_ADDRESS)
        else:
            yield from good(question)

    with clients(monkeypatch, script) as (opened, received):
        assert opened.acquire(Mac("02005e100007"), "", time.monotonic() + 10) is not None
    assert [question.message for _sender, question in received] == ["discover", "request"] * 2


def test_gives_up_a_request_without_reply(monkeypatch):
    late = threading.Event()
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + 1000 * late.is_set())
    monkeypatch.setattr(wire_dhcp, "time", clock)
    kinds = []

    def script(question):
        kinds.append(question.message)
        if kinds.count("discover") == 2:
            late.set()
        elif question.message == "discover":
            yield from good(question)

    with clients(monkeypatch, script) as (opened, _heard):
        assert opened.acquire(Mac("02005e100007"), "", time.monotonic() + 500) is None
    assert kinds[:5] == ["discover", "request", "request", "request", "discover"]


def test_ignores_replies_to_others_and_damaged_ones(monkeypatch):
    def script(question):
        kind = OFFER if question.message == "discover" else ACK
        yield b"damage"
        yield reply(replace(question, client=Mac("02005e100008")), kind, "192.0.2.66")
        yield reply(replace(question, xid=question.xid ^ 1), kind, "192.0.2.67")
        yield replace(reply(question, kind, "192.0.2.68"), operation=1)
        yield from good(question)

    with clients(monkeypatch, script) as (opened, received):
        assert opened.acquire(Mac("02005e100007"), "", time.monotonic() + 60).address == "192.0.2.7"
    assert {question.options.get(50) for _sender, question in received} == {None, bytes([192, 0, 2, 7])}


@pytest.mark.parametrize(("vendor_class", "sent"), [("CISCO ATA192-MPP\0", b"CISCO ATA192-MPP\0"), ("", None)])
def test_the_vendor_class_may_end_with_a_zero_byte_or_be_missing(monkeypatch, vendor_class, sent):
    with clients(monkeypatch, good) as (opened, received):
        opened.acquire(Mac("02005e100007"), vendor_class, time.monotonic() + 10)
    assert [question.options.get(60) for _sender, question in received] == [sent] * 2


def test_requests_and_shows_what_leads_phones(monkeypatch):
    with clients(monkeypatch, good) as (opened, received):
        opened.acquire(Mac("02005e100007"), "", time.monotonic() + 10)
    assert all({3, 43, 66, 125, 132, 150, 159, 160} <= set(question.options[55]) for _sender, question in received)
    sent = {3: b"\xc0\0\2\xfe", 43: b"\1\1x", 125: b"\0\0\0\t\0", 132: b"20", 159: b"http://h/"}
    assert DhcpAck("192.0.2.9", "192.0.2.1", sent).texts == {
        3: "192.0.2.254",
        43: "010178",
        125: "0000000900",
        132: "20",
        159: "http://h/",
    }


LEASED = DhcpAck("192.0.2.7", "192.0.2.1", {})


@pytest.mark.parametrize(("kind", "expected"), [(ACK, "ack"), (NAK, "nak"), (OFFER, None)])
def test_asks_once_to_extend_a_lease(monkeypatch, kind, expected):
    def script(question):
        yield reply(replace(question, xid=question.xid ^ 1), NAK, NO_ADDRESS)
        yield reply(question, kind, "192.0.2.7")

    with clients(monkeypatch, script) as (opened, received):
        mac = Mac("02005e100007")
        answer = opened.extend(mac, "CISCO ATA192-MPP", LEASED, lambda message: opened.broadcast(mac, "192.0.2.7", message))
        assert opened._waiting == {}
    assert (answer and answer.message) == expected
    ((sender, question),) = received
    # RFC 2131 table 5: the address in ciaddr, neither server nor requested address as options
    assert (sender, question.message, question.client_address, question.broadcast) == (mac.plain, "request", "192.0.2.7", False)
    assert question.options[60] == b"CISCO ATA192-MPP"
    assert question.options.keys() & {50, 54} == set()


@pytest.mark.parametrize(
    ("mask", "prefix"),
    [(b"\xff\xff\xf0\0", 20), (b"\xff\xff\xff\xff", 32), (b"", 24), (b"\0\0\0\0", 24), (b"\xff\0\xff\0", 24), (b"\xff\xff", 24)],
)
def test_prefixes(mask, prefix):
    assert DhcpAck("192.0.2.9", "192.0.2.1", {1: mask} if mask else {}).prefix == prefix


def test_builds_a_release():
    ack = DhcpAck("192.0.2.9", "192.0.2.1", {3: b"\xc0\0\2\xfe"})
    packet = parse(release_message(Mac("02005e100007"), ack))
    assert (packet.message, packet.client_address, packet.server, packet.client.plain) == (
        "release",
        "192.0.2.9",
        "192.0.2.1",
        "02005e100007",
    )
    assert ack.router == "192.0.2.254"


def test_builds_an_arp_request():
    frame = build_arp(bytes.fromhex("02005e100007"), "192.0.2.9", "192.0.2.1")
    assert frame.hex() == "ffffffffffff02005e100007080600010800060400010" + "2005e100007c0000209000000000000c0000201" + "00" * 18
