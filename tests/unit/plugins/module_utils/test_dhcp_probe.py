# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking and listening for DHCP servers: frames byte by byte, then a bridge with real frames from servers in and behind it.

The bridge is in a network namespace of the test's own, which ends with it.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import socket
import subprocess
import threading
import time
from contextlib import ExitStack

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.dhcp_packets import REPLY, DhcpPacket, build, parse
from ansible_collections.voip.preprovision.plugins.module_utils.dhcp_probe import (
    Datagram,
    Offer,
    Probe,
    ProbeError,
    build_frame,
    checksum,
    discover,
    open_interface,
    random_mac,
    read_frame,
    read_offer,
    read_own,
    watch,
)
from ansible_collections.voip.preprovision.plugins.module_utils.mac import Mac, parse_mac

CLIENT = Mac("00005e005301")
FOREIGN = Mac("00005e005309")
OWN = Mac("00005e005302")
SERVER = "192.0.2.9"
CLONE_NEWNET = 0x40000000
ALL_PROTOCOLS = 3


def offer(xid, client=CLIENT, server=SERVER, **fields):
    options = {53: b"\2", 54: socket.inet_aton(server), 66: b"prov.example.net"}
    return DhcpPacket(REPLY, xid, client, **{"your_address": "192.0.2.77", "options": options, **fields})


def frame_of(data, source_mac=FOREIGN, source=SERVER, port=68):
    """What a server sends to everybody: a frame as the probe builds it, turned round."""
    frame = bytearray(build_frame(source_mac, data))
    frame[26:30] = socket.inet_aton(source)
    frame[34:38] = (67).to_bytes(2, "big") + port.to_bytes(2, "big")
    return with_checksums(frame)


def with_checksums(frame):
    frame = bytearray(frame)
    frame[24:26] = b"\0\0"
    frame[24:26] = checksum(bytes(frame[14:34])).to_bytes(2, "big")
    frame[40:42] = b"\0\0"
    pseudo = bytes(frame[26:34]) + b"\0\x11" + bytes(frame[38:40])
    frame[40:42] = checksum(pseudo + bytes(frame[34:])).to_bytes(2, "big")
    return bytes(frame)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        # RFC 1071 section 3: the sum of these is ddf2
        (bytes.fromhex("0001f203f4f5f6f7"), 0xFFFF - 0xDDF2),
        (b"", 0xFFFF),
        (b"\xff\xff", 0),
        (b"\x01", 0xFEFF),
    ],
)
def test_checksums(data, expected):
    assert checksum(data) == expected


def test_a_question_goes_to_everybody_from_nowhere():
    frame = build_frame(CLIENT, b"hello")
    assert frame[:14] == b"\xff" * 6 + bytes.fromhex(CLIENT.plain) + b"\x08\0"
    assert frame[14:16] + frame[16:18] == bytes([0x45, 0, 0, 33])
    assert frame[26:34] == bytes(4) + b"\xff" * 4
    assert frame[34:40] == bytes([0, 68, 0, 67, 0, 13])
    assert frame[42:] == b"hello"
    assert with_checksums(frame) == frame


def test_a_checksum_of_zero_is_sent_as_all_ones():
    # RFC 768: zero says that there is none
    data = build_frame(CLIENT, b"\0\0")[40:42]
    assert build_frame(CLIENT, data)[40:42] == b"\xff\xff"


@given(st.binary(max_size=600), st.binary(min_size=6, max_size=6), st.binary(max_size=40))
def test_what_a_server_sends_is_read(data, mac, padding):
    frame = frame_of(data, Mac(mac.hex()))
    assert read_frame(frame + padding) == Datagram(Mac(mac.hex()), SERVER, data)


@given(st.binary(max_size=60), st.integers(0, 2**20))
def test_one_flipped_bit_is_damage(data, position):
    frame = bytearray(frame_of(data))
    bit = 14 * 8 + position % ((len(frame) - 14) * 8)
    frame[bit // 8] ^= 1 << bit % 8
    assume(bytes(frame[40:42]) != b"\0\0")  # says that there is no checksum
    assert read_frame(bytes(frame)) is None


@given(st.one_of(st.binary(max_size=100), st.binary(max_size=100).map(lambda data: frame_of(b"x" * 50)[:14] + data)))
def test_any_bytes_are_a_datagram_or_nothing(frame):
    assert read_frame(frame) is None or read_frame(frame).source


def changed(position, value):
    frame = bytearray(frame_of(b"x" * 20))
    frame[position : position + len(value)] = value
    return with_checksums(frame)


@pytest.mark.parametrize(
    ("frame", "checksum_ready", "heard"),
    [
        (frame_of(b"x"), True, True),
        (changed(12, b"\x81\0"), True, False),  # VLAN
        (changed(12, b"\x86\xdd"), True, False),  # IPv6
        (changed(14, b"\x65"), True, False),
        (changed(14, b"\x44"), True, False),
        (changed(16, b"\0\x14"), True, False),  # shorter than its UDP header
        (changed(16, b"\xff\xff"), True, False),  # longer than the frame
        (changed(20, b"\x20\0"), True, False),  # the first fragment
        (changed(20, b"\0\1"), True, False),  # a later fragment
        (changed(20, b"\x40\0"), True, True),  # don't fragment
        (changed(23, b"\x06"), True, False),  # TCP
        (changed(38, b"\0\x07"), True, False),
        (changed(38, b"\xff\0"), True, False),
        (frame_of(b"x", port=67), True, False),
        (frame_of(b"x")[:40] + b"\0\0x", True, True),  # RFC 768: no checksum
        (frame_of(b"x")[:40] + b"\x12\x34x", True, False),
        (frame_of(b"x")[:40] + b"\x12\x34x", False, True),
    ],
)
def test_frames(frame, checksum_ready, heard):
    assert (read_frame(frame, checksum_ready) is not None) is heard


def test_an_ip_header_with_options_is_skipped():
    frame = bytearray(frame_of(b"abc"))
    frame[14] = 0x46
    frame[16:18] = (int.from_bytes(frame[16:18], "big") + 4).to_bytes(2, "big")
    frame[34:34] = b"\1\1\1\0"
    frame[24:26] = b"\0\0"
    frame[24:26] = checksum(bytes(frame[14:38])).to_bytes(2, "big")
    assert read_frame(bytes(frame)) == Datagram(FOREIGN, SERVER, b"abc")


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
                fault="8 bytes are no DHCP message; its fixed part alone is 240 bytes long",
            ),
        ),
    ],
)
def test_what_servers_say(data, xid, expected):
    assert read_offer(Datagram(FOREIGN, "192.0.2.3", data), xid) == expected


def test_answers_to_others_are_read_when_no_exchange_is_named():
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
            "the DHCP server 192.0.2.9 (00:00:5e:00:53:09) by the relay 192.0.2.254 answers with nak",
        ),
    ],
)
def test_an_answer_in_words(said, expected):
    assert str(said) == expected


def test_random_addresses_are_locally_administered_and_differ():
    macs = {random_mac() for _number in range(100)}
    assert len(macs) == 100
    assert all(parse_mac(mac.colon) == mac and int(mac.plain[:2], 16) & 3 == 2 for mac in macs)


def test_own_servers_in_any_spelling():
    assert read_own(["0000.5E00.5302", "192.0.2.1"]) == {OWN.colon, "192.0.2.1"}


@pytest.mark.parametrize("value", ["prov.example.net", "192.0.2.1/24", 5, None, "2001:db8::1"])
def test_own_servers_that_are_none(value):
    with pytest.raises(ProbeError, match="neither an IPv4 address nor a MAC address"):
        read_own([value])


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture
def lan():
    """A bridge br0 without an address, and a cable x1 that ends in its port p1, in a network namespace of the test's own."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("needs root and iproute2")
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
    """Sends and hears frames on an interface; a frame that it has sent is not heard."""

    def __init__(self, interface):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.socket.bind((interface, ALL_PROTOCOLS))

    def send(self, data, **names):
        self.socket.send(frame_of(data, **names))

    def question(self, probe):
        """Return the next DHCP question on the wire; ask again as long as the bridge does not forward yet."""
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
    """Opens stations, and closes them at the end."""
    with ExitStack() as stack:

        def open_station(interface):
            station = Station(interface)
            stack.enter_context(station.socket)
            return station

        yield open_station


def heard(probe, everybody=False):
    """The next answer; None if there is none for a minute."""
    return next(probe.hear(time.monotonic() + 60, everybody), None)


def test_a_server_behind_the_bridge_is_heard(wire):
    foreign = wire("x1")
    with Probe("br0", CLIENT, vendor_class="CISCO ATA192-MPP") as probe:
        question = foreign.question(probe)
        foreign.send(build(offer(question.xid)))
        answer = heard(probe)
    assert (question.message, question.client, question.broadcast) == ("discover", CLIENT, True)
    assert question.options[60] == b"CISCO ATA192-MPP"
    assert (answer.server, answer.server_mac, answer.address) == (SERVER, FOREIGN.colon, "192.0.2.77")
    assert answer.options["option_66"] == "prov.example.net"


def test_an_interface_that_somebody_else_has_opened(wire):
    foreign = wire("x1")
    with open_interface("br0") as opened:
        for _time in range(2):
            # By no name: it need not be there for who asks
            with Probe("elsewhere", CLIENT, opened=opened) as probe:
                xid = foreign.question(probe).xid
                foreign.send(build(offer(xid, server="192.0.2.3")), source_mac=OWN)
                foreign.send(build(offer(xid)))
                assert heard(probe).server == SERVER


def test_the_own_server_is_neither_asked_nor_heard(wire):
    # On a packet socket, as dhcpd: it sees all frames of its interface
    foreign, own = wire("x1"), wire("br0")
    own.socket.settimeout(60)
    with Probe("br0") as probe:
        xid = foreign.question(probe).xid
        own.send(build(offer(xid, server="192.0.2.1")))
        foreign.send(build(offer(xid)))
        assert heard(probe).server == SERVER
    ports = b""
    while ports != b"\0\x44":
        frame = own.socket.recv(2000)
        ports = frame[36:38] if frame[12:14] == b"\x08\0" else b""
        assert ports != b"\0\x43"


def test_a_server_that_answers_the_client_alone_is_heard(wire):
    foreign = wire("x1")
    with Probe("br0", CLIENT) as probe:
        frame = frame_of(build(offer(foreign.question(probe).xid)))
        foreign.socket.send(bytes.fromhex(CLIENT.plain) + frame[6:])
        assert heard(probe).server == SERVER


@pytest.mark.parametrize(
    ("own", "names", "server"),
    [
        ([], {"source_mac": OWN}, SERVER),  # a loop brings the own server's frames back
        ([FOREIGN.dash], {}, SERVER),
        (["192.0.2.1"], {}, "192.0.2.1"),
    ],
)
def test_servers_that_belong_here_are_not_told(wire, own, names, server):
    foreign = wire("x1")
    with Probe("br0", own=own) as probe:
        xid = foreign.question(probe).xid
        foreign.send(build(offer(xid, server=server)), **names)
        foreign.send(build(offer(xid, server="192.0.2.3")), source_mac=CLIENT)
        assert heard(probe).server == "192.0.2.3"


def test_only_answers_to_the_own_question_are_heard_unless_all_are_wanted(wire):
    foreign = wire("x1")
    with Probe("br0") as probe:
        xid = foreign.question(probe).xid
        for _time in range(2):
            foreign.send(build(offer(xid ^ 1, server="192.0.2.3")))
            foreign.send(build(offer(xid)))
        assert heard(probe).server == SERVER
        assert heard(probe, everybody=True).server == "192.0.2.3"


@pytest.mark.parametrize(("tag", "server"), [(b"\0\7", SERVER), (b"\xe0\0", "192.0.2.3"), (b"\xe0\0\x81\0\0\7", SERVER)])
def test_frames_of_another_lan_on_the_wire_are_not_heard(wire, tag, server):
    foreign = wire("x1")
    with Probe("br0") as probe:
        xid = foreign.question(probe).xid
        frame = frame_of(build(offer(xid, server="192.0.2.3")))
        foreign.socket.send(frame[:12] + b"\x81\0" + tag + frame[12:])
        foreign.send(build(offer(xid)))
        assert heard(probe).server == server


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
    """Ask with more and more time, for a machine that is slow at the moment."""
    result = None
    for timeout in (0.5, 2, 8, 32):
        result = ask(timeout)
        if enough(result):
            break
    return result


def test_discover_tells_each_server_once(lan):
    with Server() as server:
        offers = patiently(
            lambda timeout: discover("br0", timeout, attempts=2, client=CLIENT), lambda _offers: len(server.questions) > 1
        )
    assert [(one.server, one.server_mac, one.address) for one in offers] == [(SERVER, FOREIGN.colon, "192.0.2.77")]
    assert {question.client for question in server.questions} == {CLIENT}
    assert all(question.seconds == 60 for question in server.questions)


def test_discover_asks_again(lan):
    with Server(deaf=1):
        assert patiently(lambda timeout: discover("br0", timeout, attempts=3), bool)


def test_discover_leaves_out_what_belongs_here(lan):
    with Server() as server:
        assert discover("br0", 0.5, own=[SERVER]) == []
        assert patiently(lambda timeout: discover("br0", timeout), bool)
    assert server.questions


def test_many_servers_are_told_by_the_first(wire):
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
    """Pulls the plug on a watch that does not end."""
    timer = threading.Timer(60, ip, ("link", "set", "br0", "down"))
    timer.start()
    yield
    timer.cancel()


def test_watch_asks_until_somebody_answers(watched):
    def on_foreign(answer):
        raise Caught(answer.server)

    with Server(deaf=2) as server, pytest.raises(Caught, match=SERVER):
        watch("br0", [], 0.2, on_foreign)
    assert len(server.questions) >= 3
    assert len({(question.xid, question.client) for question in server.questions}) == 1


def test_watch_hears_what_phones_are_answered_and_tells_it_again(watched, wire):
    foreign = wire("x1")
    told = []
    ended = threading.Event()

    def on_foreign(answer):
        told.append(answer)
        if len(told) == 3:
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
    assert {(one.message, one.server) for one in told} == {("ack", SERVER)}


def test_watch_ends_when_the_interface_goes_down(lan):
    with Server(), pytest.raises(ProbeError, match="br0 is down; bring it up first"):
        watch("br0", [], 0.2, lambda _answer: ip("link", "set", "br0", "down"))


def test_asking_where_no_cable_is_plugged_in_is_no_error(lan):
    ip("link", "set", "x1", "down")
    assert discover("br0", 0.1) == []


@pytest.mark.parametrize(
    ("interface", "message"),
    [
        ("nosuch0", "there is no network interface 'nosuch0' on this machine"),
        ("a name longer than any", "there is no network interface"),
        ("a\0b", "there is no network interface"),
        ("", "there is no network interface"),
        ("lo", "lo is no Ethernet interface"),
        ("down0", "down0 is down; bring it up first, as with 'ip link set down0 up'"),
    ],
)
def test_interfaces_that_cannot_be_asked_on(lan, interface, message):
    ip("link", "set", "lo", "up")
    ip("link", "add", "down0", "type", "bridge")
    with pytest.raises(ProbeError, match=message):
        discover(interface, 0.1)


def test_the_interface_is_as_before(lan):
    def promiscuity():
        shown = subprocess.run(["ip", "-json", "-details", "link", "show", "br0"], check=True, capture_output=True).stdout
        return json.loads(shown)[0]["promiscuity"]

    assert promiscuity() == 0
    with Probe("br0"):
        assert promiscuity() == 1
    assert promiscuity() == 0


def test_without_the_right_to_raw_sockets(monkeypatch):
    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(socket, "socket", refuse)
    with pytest.raises(ProbeError, match="needs root, or the capability CAP_NET_RAW; use become"):
        discover("lo", 0.1)
