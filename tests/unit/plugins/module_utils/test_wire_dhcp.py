# SPDX-License-Identifier: GPL-3.0-or-later
"""Many DHCP clients on one socket, against a server that plays a script; the wire is a pair of sockets."""

from __future__ import annotations

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils import wire_dhcp
from ansible_collections.voip.preprovision.plugins.module_utils.dhcp_packets import NO_ADDRESS, REPLY, build, parse
from ansible_collections.voip.preprovision.plugins.module_utils.dhcp_probe import Datagram
from ansible_collections.voip.preprovision.plugins.module_utils.mac import Mac
from ansible_collections.voip.preprovision.plugins.module_utils.wire_dhcp import DhcpClients, Given, build_arp, release_message

SERVER = bytes([192, 0, 2, 1])
FRAME = 14 + 20 + 8
OFFER, ACK, NAK = b"\2", b"\5", b"\6"


def answer(question, kind, address, **options):
    return replace(
        question,
        operation=REPLY,
        your_address=address,
        options={53: kind, 54: SERVER, **{int(name[1:]): value for name, value in options.items()}},
    )


@contextmanager
def clients(monkeypatch, script):
    """Let *script* answer each message with messages."""
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    monkeypatch.setattr(wire_dhcp, "receive", lambda opened: Datagram(Mac("00005e005309"), "192.0.2.1", opened.recv(2000)))
    monkeypatch.setattr(wire_dhcp, "_FIRST_WAIT", 0.1)
    monkeypatch.setattr(wire_dhcp, "_JITTER", 0.01)
    heard = []

    def serve():
        while frame := there.recv(2000):
            question = parse(frame[FRAME:])
            heard.append((frame[6:12].hex(), question))
            for message in script(question):
                there.send(message if isinstance(message, bytes) else build(message))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    opened = DhcpClients(here)
    try:
        yield opened, heard
    finally:
        opened.close()
        thread.join(5)
        there.close()


def good(question):
    address = f"192.0.2.{question.client.plain[-2:].lstrip('0') or '0'}"
    yield answer(question, OFFER if question.message == "discover" else ACK, address, o1=b"\xff\xff\xff\0", o66=b"h")


def test_each_client_gets_its_own_answer(monkeypatch):
    macs = [Mac(f"02005e1000{number:02d}") for number in range(1, 40)]
    with clients(monkeypatch, good) as (opened, heard), ThreadPoolExecutor(len(macs)) as pool:
        found = list(pool.map(lambda mac: opened.ask(mac, "CISCO ATA192-MPP", time.monotonic() + 10), macs))
    assert [given.address for given in found] == [f"192.0.2.{number}" for number in range(1, 40)]
    assert (found[0].server, found[0].prefix, found[0].texts[66]) == ("192.0.2.1", 24, "h")
    assert all(sender == question.client.plain for sender, question in heard)
    (discover, request) = [question for _sender, question in heard if question.client == macs[0]][:2]
    assert discover.options[60] == b"CISCO ATA192-MPP"
    assert 125 in discover.options[55]
    assert (request.options[50], request.options[54], request.xid) == (bytes([192, 0, 2, 1]), SERVER, discover.xid)


def test_what_is_lost_is_asked_again(monkeypatch):
    dropped = []

    def script(question):
        if len(dropped) < 2:
            dropped.append(question)
            return
        yield from good(question)

    with clients(monkeypatch, script) as (opened, heard):
        assert opened.ask(Mac("02005e100007"), "", time.monotonic() + 10).address == "192.0.2.7"
    assert [question.message for _sender, question in heard] == ["discover"] * 3 + ["request"]
    assert len({question.xid for _sender, question in heard}) == 1


def test_who_is_refused_begins_again(monkeypatch):
    refused = []

    def script(question):
        if question.message == "request" and not refused:
            refused.append(question)
            yield answer(question, NAK, NO_ADDRESS)
        else:
            yield from good(question)

    with clients(monkeypatch, script) as (opened, heard):
        assert opened.ask(Mac("02005e100007"), "", time.monotonic() + 10) is not None
    assert [question.message for _sender, question in heard] == ["discover", "request"] * 2


def test_a_request_that_nobody_answers_is_given_up(monkeypatch):
    def script(question):
        if question.message == "discover":
            yield from good(question)

    with clients(monkeypatch, script) as (opened, heard):
        assert opened.ask(Mac("02005e100007"), "", time.monotonic() + 1.5) is None
    assert [question.message for _sender, question in heard][:5] == ["discover", "request", "request", "request", "discover"]


def test_answers_to_others_and_damage_count_for_nothing(monkeypatch):
    def script(question):
        yield b"damage"
        yield answer(replace(question, client=Mac("02005e100008")), OFFER, "192.0.2.66")
        yield answer(replace(question, xid=question.xid ^ 1), OFFER, "192.0.2.67")
        yield replace(answer(question, OFFER, "192.0.2.68"), operation=1)

    with clients(monkeypatch, script) as (opened, _heard):
        assert opened.ask(Mac("02005e100007"), "", time.monotonic() + 0.3) is None


@pytest.mark.parametrize(
    ("mask", "prefix"),
    [(b"\xff\xff\xf0\0", 20), (b"\xff\xff\xff\xff", 32), (b"", 24), (b"\0\0\0\0", 24), (b"\xff\0\xff\0", 24), (b"\xff\xff", 24)],
)
def test_prefixes(mask, prefix):
    assert Given("192.0.2.9", "192.0.2.1", {1: mask} if mask else {}).prefix == prefix


def test_an_address_is_given_back():
    given = Given("192.0.2.9", "192.0.2.1", {3: b"\xc0\0\2\xfe"})
    packet = parse(release_message(Mac("02005e100007"), given))
    assert (packet.message, packet.client_address, packet.server, packet.client.plain) == (
        "release",
        "192.0.2.9",
        "192.0.2.1",
        "02005e100007",
    )
    assert given.router == "192.0.2.254"


def test_an_arp_request():
    frame = build_arp(bytes.fromhex("02005e100007"), "192.0.2.9", "192.0.2.1")
    assert frame.hex() == "ffffffffffff02005e100007080600010800060400010" + "2005e100007c0000209000000000000c0000201" + "00" * 18
