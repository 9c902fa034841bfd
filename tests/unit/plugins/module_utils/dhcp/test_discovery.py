# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking and listening for DHCP servers: answers, then a bridge with real frames from servers in and behind it.

The bridge is in the test's own network namespace, which ends with it.
"""

from __future__ import annotations

import ctypes
import json
import shutil
import socket
import subprocess
import threading
import time
from contextlib import ExitStack

import pytest
from server_frames import CLIENT, FOREIGN, SERVER, frame_of, with_checksums

from ansible_collections.voip.preprovision.plugins.module_utils.common.mac import Mac, parse_mac
from ansible_collections.voip.preprovision.plugins.module_utils.dhcp.discovery import (
    Offer,
    Probe,
    ProbeError,
    discover,
    open_interface,
    random_mac,
    read_offer,
    read_own,
    watch,
)
from ansible_collections.voip.preprovision.plugins.module_utils.dhcp.frames import Datagram
from ansible_collections.voip.preprovision.plugins.module_utils.dhcp.packets import REPLY, DhcpPacket, build, parse

OWN = Mac("00005e005302")
CLONE_NEWNET = 0x40000000
ALL_PROTOCOLS = 3


def offer(xid, client=CLIENT, server=SERVER, **fields):
    options = {53: b"\2", 54: socket.inet_aton(server), 66: b"prov.example.net"}
    return DhcpPacket(REPLY, xid, client, **{"your_address": "192.0.2.77", "options": options, **fields})


@pytest.mark.parametrize(
    ("data", "xid", "expected"),
    [
        (
            build(offer(7, relay="192.0.2.254", next_server="192.0.2.8", server_name=b"a\n", boot_file=b"b")),
            7,
            Offer(
                server=SERVER,
                server_mac=FOREIGN.colon,
                source="192.0.2.3",
                message="offer",
                address="192.0.2.77",
                relay="192.0.2.254",
                next_server="192.0.2.8",
                server_name="a\\x0a",
                boot_file="b",
                options={"option_53": 2, "option_54": SERVER, "option_66": "prov.example.net"},
            ),
        ),
        (
            build(DhcpPacket(REPLY, 7, CLIENT, options={53: b"\6"})),
            7,
            Offer("192.0.2.3", FOREIGN.colon, "192.0.2.3", "nak", options={"option_53": 6}),
        ),
        (build(offer(7)), 8, None),
        (build(DhcpPacket(1, 7, CLIENT)), 7, None),
        (b"\2\0\0\0\0\0\0", 7, None),
        (b"", None, None),
        (
            b"\2\0\0\0\0\0\0\7",
            7,
            Offer(
                "192.0.2.3",
                FOREIGN.colon,
                "192.0.2.3",
                "damaged",
                fault="8 bytes are too few for a DHCP message; its fixed part has 240 bytes",
            ),
        ),
    ],
)
def test_reads_answers(data, xid, expected):
    assert read_offer(Datagram(FOREIGN, "192.0.2.3", data), xid) == expected


def test_reads_answers_to_others_without_a_transaction_id():
    read = read_offer(Datagram(FOREIGN, SERVER, build(offer(7))))
    assert read is not None
    assert read.address == "192.0.2.77"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (
            Offer(SERVER, FOREIGN.colon, SERVER, "offer", "192.0.2.77"),
            "the DHCP server 192.0.2.9 (00:00:5e:00:53:09) offers 192.0.2.77",
        ),
        (
            Offer(SERVER, FOREIGN.colon, SERVER, "nak", relay="192.0.2.254"),
            "the DHCP server 192.0.2.9 (00:00:5e:00:53:09) via the relay 192.0.2.254 answers with nak",
        ),
    ],
)
def test_describes_answers(said, expected):
    assert str(said) == expected


def test_random_addresses_are_locally_administered_and_differ():
    macs = {random_mac() for _number in range(100)}
    assert len(macs) == 100
    assert all(parse_mac(mac.colon) == mac and int(mac.plain[:2], 16) & 3 == 2 for mac in macs)


def test_reads_own_servers_in_any_spelling():
    assert read_own(["0000.5E00.5302", "192.0.2.1"]) == {OWN.colon, "192.0.2.1"}


@pytest.mark.parametrize("value", ["prov.example.net", "192.0.2.1/24", 5, None, "2001:db8::1"])
def test_rejects_invalid_own_servers(value):
    with pytest.raises(ProbeError, match="neither an IPv4 address nor a MAC address"):
        read_own([value])


on_a_lan = pytest.mark.root(reason="the test makes a network namespace")


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture
def lan():
    """A bridge br0 without an address, and a cable x1 that ends in its port p1, in the test's own network namespace."""
    if shutil.which("ip") is None:
        pytest.skip("needs iproute2")
    library = ctypes.CDLL(None, use_errno=True)
    with open("/proc/thread-self/ns/net", "rb") as home:
        if library.unshare(CLONE_NEWNET) != 0:
            pytest.skip("network namespaces cannot be made here")
        try:
            ip("link", "add", "br0", "address", OWN.colon, "type", "bridge")
            ip("link", "add", "p1", "type", "veth", "peer", "name", "x1", "address", FOREIGN.colon)
            ip("address", "add", f"{SERVER}/24", "dev", "x1")
            ip("link", "set", "p1", "master", "br0", "up")
            ip("link", "set", "x1", "up")
            ip("link", "set", "br0", "up")
            yield
        finally:
            assert library.setns(home.fileno(), CLONE_NEWNET) == 0


class Station:
    """Sends and receives frames on an interface; it does not receive its own."""

    def __init__(self, interface):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.socket.bind((interface, ALL_PROTOCOLS))

    def send(self, data, **names):
        self.socket.send(frame_of(data, **names))

    def question(self, probe):
        """Return the next DHCP request on the wire; ask again until the bridge forwards."""
        self.socket.settimeout(1)
        for _attempt in range(60):
            probe.ask()
            try:
                while True:
                    frame, sender = self.socket.recvfrom(2000)
                    if frame[12:14] == b"\x08\0" and frame[36:38] == b"\0\x43" and sender[2] != socket.PACKET_OUTGOING:
                        assert with_checksums(frame) == frame
                        return parse(frame[42:])
            except TimeoutError:
                pass
        raise AssertionError("no question on the wire for a minute")


@pytest.fixture
def wire(lan):
    """Return a function that opens stations; all are closed at the end."""
    with ExitStack() as stack:

        def open_station(interface):
            station = Station(interface)
            stack.enter_context(station.socket)
            return station

        yield open_station


def next_answer(probe, all_clients=False):
    """Return the next answer, or None after a minute without one."""
    return next(probe.listen(time.monotonic() + 60, all_clients), None)


@on_a_lan
def test_receives_answers_from_behind_the_bridge(wire):
    foreign = wire("x1")
    with Probe("br0", CLIENT, vendor_class="CISCO ATA192-MPP") as probe:
        question = foreign.question(probe)
        foreign.send(build(offer(question.xid)))
        answer = next_answer(probe)
    assert (question.message, question.client, question.broadcast) == ("discover", CLIENT, True)
    assert question.options[60] == b"CISCO ATA192-MPP"
    assert (answer.server, answer.server_mac, answer.address) == (SERVER, FOREIGN.colon, "192.0.2.77")
    assert answer.options["option_66"] == "prov.example.net"


@on_a_lan
def test_uses_an_interface_opened_by_the_caller(wire):
    foreign = wire("x1")
    with open_interface("br0") as opened:
        for _time in range(2):
            # By no name: it need not be there for who asks
            with Probe("elsewhere", CLIENT, opened=opened) as probe:
                xid = foreign.question(probe).xid
                foreign.send(build(offer(xid, server="192.0.2.3")), source_mac=OWN)
                foreign.send(build(offer(xid)))
                assert next_answer(probe).server == SERVER


@on_a_lan
def test_neither_asks_nor_hears_its_own_server(wire):
    # On a packet socket, as dhcpd: it sees all frames of its interface
    foreign, own = wire("x1"), wire("br0")
    own.socket.settimeout(60)
    with Probe("br0") as probe:
        xid = foreign.question(probe).xid
        own.send(build(offer(xid, server="192.0.2.1")))
        foreign.send(build(offer(xid)))
        assert next_answer(probe).server == SERVER
    ports = b""
    while ports != b"\0\x44":
        frame = own.socket.recv(2000)
        ports = frame[36:38] if frame[12:14] == b"\x08\0" else b""
        assert ports != b"\0\x43"


@on_a_lan
def test_receives_unicast_answers(wire):
    foreign = wire("x1")
    with Probe("br0", CLIENT) as probe:
        frame = frame_of(build(offer(foreign.question(probe).xid)))
        foreign.socket.send(bytes.fromhex(CLIENT.plain) + frame[6:])
        assert next_answer(probe).server == SERVER


@on_a_lan
@pytest.mark.parametrize(
    ("own", "names", "server"),
    [
        ([], {"source_mac": OWN}, SERVER),  # a loop brings the own server's frames back
        ([FOREIGN.dash], {}, SERVER),
        (["192.0.2.1"], {}, "192.0.2.1"),
    ],
)
def test_ignores_expected_servers(wire, own, names, server):
    foreign = wire("x1")
    with Probe("br0", own=own) as probe:
        xid = foreign.question(probe).xid
        foreign.send(build(offer(xid, server=server)), **names)
        foreign.send(build(offer(xid, server="192.0.2.3")), source_mac=CLIENT)
        assert next_answer(probe).server == "192.0.2.3"


@on_a_lan
def test_ignores_answers_to_others_unless_all_clients_are_wanted(wire):
    foreign = wire("x1")
    with Probe("br0") as probe:
        xid = foreign.question(probe).xid
        for _time in range(2):
            foreign.send(build(offer(xid ^ 1, server="192.0.2.3")))
            foreign.send(build(offer(xid)))
        assert next_answer(probe).server == SERVER
        assert next_answer(probe, all_clients=True).server == "192.0.2.3"


@on_a_lan
@pytest.mark.parametrize(("tag", "server"), [(b"\0\7", SERVER), (b"\xe0\0", "192.0.2.3"), (b"\xe0\0\x81\0\0\7", SERVER)])
def test_ignores_frames_of_other_vlans(wire, tag, server):
    foreign = wire("x1")
    with Probe("br0") as probe:
        xid = foreign.question(probe).xid
        frame = frame_of(build(offer(xid, server="192.0.2.3")))
        foreign.socket.send(frame[:12] + b"\x81\0" + tag + frame[12:])
        foreign.send(build(offer(xid)))
        assert next_answer(probe).server == server


class Server(threading.Thread):
    """A DHCP server on an ordinary UDP socket behind the bridge; it ignores the first *deaf* questions of each client."""

    def __init__(self, deaf=0):
        super().__init__(daemon=True)
        self.deaf = deaf
        self.questions = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"x1")
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        self.socket.settimeout(0.05)
        self.socket.bind(("", 67))
        self.ends = threading.Event()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ends.set()
        self.join()
        self.socket.close()

    def run(self):
        while not self.ends.is_set():
            try:
                question = parse(self.socket.recv(2000))
            except TimeoutError:
                continue
            self.questions.append(question)
            if sum(question.xid == earlier.xid for earlier in self.questions) > self.deaf:
                self.socket.sendto(build(offer(question.xid, question.client)), ("255.255.255.255", 68))


def patiently(ask, enough):
    """Ask with longer and longer timeouts, in case the machine is slow."""
    result = None
    for timeout in (0.5, 2, 8, 32):
        result = ask(timeout)
        if enough(result):
            break
    return result


@on_a_lan
def test_discover_reports_each_server_once(lan):
    with Server() as server:
        offers = patiently(
            lambda timeout: discover("br0", timeout, attempts=2, client=CLIENT), lambda _offers: len(server.questions) > 1
        )
    assert [(one.server, one.server_mac, one.address) for one in offers] == [(SERVER, FOREIGN.colon, "192.0.2.77")]
    assert {question.client for question in server.questions} == {CLIENT}
    assert all(question.seconds == 60 for question in server.questions)


@on_a_lan
def test_discover_asks_again(lan):
    with Server(deaf=1):
        assert patiently(lambda timeout: discover("br0", timeout, attempts=3), bool)


@on_a_lan
def test_discover_omits_own_servers(lan):
    with Server() as server:
        assert discover("br0", 0.5, own=[SERVER]) == []
        assert patiently(lambda timeout: discover("br0", timeout), bool)
    assert server.questions


@on_a_lan
def test_reports_at_most_64_servers(wire):
    foreign = wire("x1")
    answered = threading.Event()

    def flood():
        question = parse(foreign_question())
        for number in range(200):
            foreign.send(build(offer(question.xid, server=f"198.51.100.{number}")))
        answered.set()

    def foreign_question():
        while True:
            frame = foreign.socket.recv(2000)
            if frame[36:38] == b"\0\x43":
                return frame[42:]

    thread = threading.Thread(target=flood, daemon=True)
    thread.start()
    offers = patiently(lambda timeout: [] if answered.is_set() else discover("br0", timeout), lambda _offers: answered.is_set())
    thread.join()
    assert [one.server for one in offers] == [f"198.51.100.{number}" for number in range(64)]


class Caught(Exception):
    """Ends a watch."""


@pytest.fixture
def watched(lan):
    """Take the bridge down under a watch that does not end."""
    timer = threading.Timer(60, ip, ("link", "set", "br0", "down"))
    timer.start()
    yield
    timer.cancel()


@on_a_lan
def test_watch_asks_until_a_server_answers(watched):
    def on_foreign(answer):
        raise Caught(answer.server)

    with Server(deaf=2) as server, pytest.raises(Caught, match=SERVER):
        watch("br0", [], 0.2, on_foreign)
    assert len(server.questions) >= 3
    assert len({(question.xid, question.client) for question in server.questions}) == 1


@on_a_lan
def test_watch_tells_that_the_wire_is_quiet_unless_a_server_answers(watched):
    def on_foreign(answer):
        raise Caught(answer.server)

    def on_quiet():
        raise Caught("quiet")

    with pytest.raises(Caught, match="quiet"):
        watch("br0", [], 0.2, on_foreign, None, on_quiet)
    with Server(), pytest.raises(Caught, match=SERVER):
        watch("br0", [], 60, on_foreign, None, on_quiet)


@on_a_lan
def test_watch_reports_answers_to_phones_repeatedly(watched, wire):
    foreign = wire("x1")
    answers = []
    ended = threading.Event()

    def on_foreign(answer):
        answers.append(answer)
        if len(answers) == 3:
            raise Caught

    def answer_phones():
        while not ended.wait(0.02):
            foreign.send(build(offer(1, options={53: b"\5"})))

    thread = threading.Thread(target=answer_phones, daemon=True)
    thread.start()
    try:
        with pytest.raises(Caught):
            watch("br0", ["192.0.2.1"], 0.2, on_foreign)
    finally:
        ended.set()
        thread.join()
    assert {(one.message, one.server) for one in answers} == {("ack", SERVER)}


@on_a_lan
def test_watch_ends_when_the_interface_goes_down(lan):
    with Server(), pytest.raises(ProbeError, match="br0 is down; bring it up"):
        watch("br0", [], 0.2, lambda _answer: ip("link", "set", "br0", "down"))


@on_a_lan
def test_a_missing_cable_is_not_an_error(lan):
    ip("link", "set", "x1", "down")
    assert discover("br0", 0.1) == []


@on_a_lan
@pytest.mark.parametrize(
    ("interface", "message"),
    [
        ("nosuch0", "this machine has no network interface 'nosuch0'"),
        ("a name longer than any", "this machine has no network interface"),
        ("a\0b", "this machine has no network interface"),
        ("", "this machine has no network interface"),
        ("lo", "lo is not an Ethernet interface"),
        ("down0", "down0 is down; bring it up, for example with 'ip link set down0 up'"),
    ],
)
def test_rejects_unusable_interfaces(lan, interface, message):
    ip("link", "set", "lo", "up")
    ip("link", "add", "down0", "type", "bridge")
    with pytest.raises(ProbeError, match=message):
        discover(interface, 0.1)


@on_a_lan
def test_leaves_the_interface_unchanged(lan):
    def promiscuity():
        shown = subprocess.run(["ip", "-json", "-details", "link", "show", "br0"], check=True, capture_output=True).stdout
        return json.loads(shown)[0]["promiscuity"]

    assert promiscuity() == 0
    with Probe("br0"):
        assert promiscuity() == 1
    assert promiscuity() == 0


def test_reports_missing_permission_for_raw_sockets(monkeypatch):
    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(socket, "socket", refuse)
    with pytest.raises(ProbeError, match="needs root or the capability CAP_NET_RAW; use become"):
        discover("lo", 0.1)
