# SPDX-License-Identifier: GPL-3.0-or-later
"""Simulated NATs of every kind and their classification; then real sockets on this host."""

from __future__ import annotations

import socket
import threading
from itertools import count

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.nat.discovery import (
    Dependence,
    StunCheckError,
    UdpAsker,
    discover,
)
from ansible_collections.voip.preprovision.plugins.module_utils.nat.stun import Endpoint, Response

INDEPENDENT, ADDRESS, ADDRESS_AND_PORT, UNKNOWN = Dependence
SERVER, OTHER = Endpoint("192.0.2.1", 3478), Endpoint("192.0.2.2", 3479)
INSIDE, OUTSIDE = "198.18.0.2", "198.51.100.7"
DEPENDS = {INDEPENDENT: lambda end: (), ADDRESS: lambda end: end.address, ADDRESS_AND_PORT: lambda end: end}


class Nat:
    """A NAT with a STUN server behind it; each of open()'s sockets is one inside."""

    def __init__(self, mapping, filtering, other=OTHER, outside=OUTSIDE):
        self.mapping, self.filtering, self.other, self.outside = DEPENDS[mapping], DEPENDS[filtering], other, outside
        self.ports = count(40000)

    def open(self):
        return Inside(self)


class Inside:
    def __init__(self, nat):
        self.nat, self.seen, self.sent = nat, {}, []
        self.local = Endpoint(INSIDE if nat.outside else OUTSIDE, 40000)

    def ask(self, server, change_address=False, change_port=False):
        nat = self.nat
        self.sent.append(server)
        port = self.local.port if not nat.outside else self.seen.setdefault(nat.mapping(server), next(nat.ports))
        there = nat.other or server
        sender = Endpoint(there.address if change_address else server.address, there.port if change_port else server.port)
        if nat.filtering(sender) not in map(nat.filtering, self.sent):
            return None
        return Response(b"", Endpoint(nat.outside or OUTSIDE, port), nat.other)


@pytest.mark.parametrize(
    ("mapping", "filtering", "name", "stun_helps", "tftp_passes"),
    [
        (INDEPENDENT, INDEPENDENT, "full cone", True, True),
        (INDEPENDENT, ADDRESS, "restricted cone", True, True),
        (INDEPENDENT, ADDRESS_AND_PORT, "port restricted cone", True, False),
        (ADDRESS, INDEPENDENT, "symmetric", False, True),
        (ADDRESS, ADDRESS_AND_PORT, "symmetric", False, False),
        (ADDRESS_AND_PORT, ADDRESS, "symmetric", False, True),
        (ADDRESS_AND_PORT, ADDRESS_AND_PORT, "symmetric", False, False),
    ],
)
def test_classifies_every_kind_of_nat(mapping, filtering, name, stun_helps, tftp_passes):
    found = discover(Nat(mapping, filtering).open, SERVER)
    assert (found.mapping, found.filtering, found.nat) == (mapping, filtering, name)
    assert (found.stun_helps, found.tftp_passes) == (stun_helps, tftp_passes)
    assert ("STUN will not help" in str(found)) is not stun_helps
    assert ("STUN helps" in str(found)) is stun_helps
    assert ("keep_alive: true" in str(found)) is ((mapping, filtering) != (INDEPENDENT, INDEPENDENT))
    assert ("TFTP does not pass" in str(found)) is not tftp_passes


def test_reports_no_nat():
    found = discover(Nat(INDEPENDENT, INDEPENDENT, outside="").open, SERVER)
    assert (found.nat, found.behind_nat, found.stun_helps) == ("none", False, False)
    assert str(found) == (
        "192.0.2.1:3478 sees 198.51.100.7:40000, this host's own address: there is no NAT. A phone here needs no STUN."
    )


@pytest.mark.parametrize(("mapping", "name"), [(INDEPENDENT, "cone"), (ADDRESS_AND_PORT, "symmetric")])
def test_uses_alternates_of_a_server_with_one_address(mapping, name):
    found = discover(Nat(mapping, ADDRESS_AND_PORT, other=None).open, SERVER, [Endpoint("192.0.2.1", 3479)])
    assert (found.nat, found.mapping, found.filtering, found.tftp_passes) == (name, mapping, UNKNOWN, None)


def test_knows_nothing_about_mapping_with_only_one_endpoint():
    found = discover(Nat(INDEPENDENT, ADDRESS, other=None).open, SERVER)
    assert (found.nat, found.mapping, found.stun_helps) == (UNKNOWN, UNKNOWN, None)
    assert "there is a NAT. Whether STUN helps is unknown" in str(found)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (None, "192.0.2.1:3478 does not answer STUN requests by UDP"),
        (Response(b"", failure="401 Unauthorized"), "(401 Unauthorized)"),
    ],
)
def test_reports_an_unusable_server_in_one_sentence(answer, words):
    asker = Inside(Nat(INDEPENDENT, INDEPENDENT))
    asker.ask = lambda server: answer
    with pytest.raises(StunCheckError) as raised:
        discover(lambda: asker, SERVER)
    assert words in str(raised.value)


@pytest.fixture
def server():
    """Start a STUN server on this host that ignores the first request, and sends rubbish and a stranger's response first."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as served, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        served.bind(("127.0.0.1", 0))

        def serve():
            served.recvfrom(99)
            data, client = served.recvfrom(99)
            mapped = bytes.fromhex("00010008") + b"\0\1" + client[1].to_bytes(2, "big") + socket.inet_aton(client[0])
            answer = b"\1\1\0\x0c" + data[4:20] + mapped
            for sender, bytes_sent in ((served, b"rubbish"), (stranger, answer[:-1] + b"\x09"), (served, answer)):
                sender.sendto(bytes_sent, client)

        thread = threading.Thread(target=serve)
        thread.start()
        yield Endpoint(*served.getsockname())
        thread.join()


def test_discovers_over_real_sockets(server):
    with UdpAsker(server, 10) as asker:
        answer = asker.ask(server)
        assert answer.mapped == asker.local
        assert asker.local.address == "127.0.0.1"


def test_returns_none_without_a_response():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        place = Endpoint(*silent.getsockname())
        with UdpAsker(place, 0.3) as asker:
            assert asker.ask(place) is None
