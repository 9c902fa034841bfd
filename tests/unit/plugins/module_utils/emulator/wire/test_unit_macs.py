# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames of emulated phones on a bridge, as a packet socket on the bridge's port sees them."""

from __future__ import annotations

import ctypes
import http.server
import shutil
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from ipaddress import IPv4Address

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.common.mac import Mac
from ansible_collections.voip.preprovision.plugins.module_utils.dhcp.packets import NO_ADDRESS, REPLY, build, parse
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.device.habits import Habit
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.device.ports import WireRequest
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.wire import bench_lan
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.wire.bench_lan import BenchLan, PhoneIdentity
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.wire.namespace import Namespace
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.wire.unit_macs import UnitMacs, UnitMacsError
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.rules.model import Target

pytestmark = pytest.mark.root(reason="the test makes network namespaces")

SERVER = "192.0.2.1"
FIRST, SECOND = Mac("00005e005301"), Mac("00005e005302")
ADDRESSES = {FIRST: "192.0.2.21", SECOND: "192.0.2.22"}
STOP = b"stop"
CLONE_NEWNET = 0x40000000
ALL_PROTOCOLS = 3
SO_BINDTODEVICE = 25
PATH = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True)


@dataclass(frozen=True)
class Frame:
    """A frame of a phone: who sent it, and what it is."""

    source: str
    kind: str
    address: str
    """Its sender's IPv4 address, in the packet or the ARP message."""
    claimed: str
    """The MAC address in the message, of ARP and DHCP; else as source."""


def read(frame):
    source = frame[6:12].hex()
    if frame[12:14] == b"\x08\x06":
        return Frame(source, "arp", str(IPv4Address(frame[28:32])), frame[22:28].hex())
    if frame[12:14] != b"\x08\0":
        return Frame(source, frame[12:14].hex(), "", source)
    ports = frame[34:38]
    kind = {1: "icmp", 6: "tcp", 17: "udp"}.get(frame[23], str(frame[23]))
    if ports == b"\0\x44\0\x43":
        packet = parse(frame[42:])
        return Frame(source, packet.message, str(IPv4Address(frame[26:30])), packet.client.plain)
    return Frame(source, kind, str(IPv4Address(frame[26:30])), source)


class Capture:
    """Everything that the phones send, taken at the bridge's port."""

    def __init__(self, interface):
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL_PROTOCOLS))
        self._socket.bind((interface, ALL_PROTOCOLS))
        self._socket.settimeout(0.1)
        self._stopped = threading.Event()
        self.frames = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while not self._stopped.is_set():
            try:
                frame, sender = self._socket.recvfrom(70000)
            except TimeoutError:
                continue
            if sender[2] != socket.PACKET_OUTGOING:
                self.frames.append(read(frame))

    def close(self):
        self._stopped.set()
        self._thread.join()
        self._socket.close()


def messages(opened):
    """Yield what a socket receives until it is told to stop."""
    while True:
        data, client = opened.recvfrom(2000)
        if data == STOP:
            return
        yield data, client


def serve_dhcp(opened, answers):
    """Assign each phone its address, and record the requests; *answers* may name another answer to the next renewal."""
    for data, client in messages(opened):
        question = parse(data)
        kind = {"discover": b"\2", "request": b"\5"}.get(question.message)
        if kind is None:
            continue
        renewal = question.client_address != NO_ADDRESS
        if renewal and answers:
            kind = answers.pop()
        address = NO_ADDRESS if kind == b"\6" else ADDRESSES[question.client]
        options = {53: kind, 54: IPv4Address(SERVER).packed, 51: (60).to_bytes(4, "big"), 1: b"\xff\xff\xff\0"}
        reply = replace(question, operation=REPLY, your_address=address, options=options)
        direct = renewal and kind == b"\5"
        opened.sendto(build(reply), (client[0] if direct else "255.255.255.255", 68))


def serve_tftp(opened):
    for packet, client in messages(opened):
        if packet[:2] == b"\0\1":
            opened.sendto(b"\0\3\0\1" + packet[2:].split(b"\0")[0], client)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.client_address[0].encode())

    def log_message(self, *_):
        pass


@contextmanager
def in_a_new_namespace():
    """Enter a network namespace for the duration, with this thread only."""
    library = ctypes.CDLL(None, use_errno=True)
    with open("/proc/thread-self/ns/net", "rb") as home:
        if library.unshare(CLONE_NEWNET) != 0:
            pytest.skip("network namespaces cannot be made here")
        try:
            yield
        finally:
            assert library.setns(home.fileno(), CLONE_NEWNET) == 0


@pytest.fixture
def names(monkeypatch):
    """Names of its own for everything that this machine has only one of, so that a real run is not disturbed."""
    for command in ("ip", "nft"):
        if shutil.which(command, path=PATH["PATH"]) is None:
            pytest.skip(f"needs {command}")
    monkeypatch.setattr(bench_lan, "_NAMESPACE", "preprovision-test-phones")
    # The folder /sys shows the interfaces of another namespace
    monkeypatch.setattr(bench_lan, "_is_bridge", lambda name: name == "br0")
    monkeypatch.setattr(bench_lan, "_LOCK", "\0preprovision-test-phones")


@pytest.fixture
def station(names):
    """A bridge with the station's address, its DHCP, TFTP and HTTP servers, and the answers to the next renewals."""
    with in_a_new_namespace():
        ip("link", "set", "lo", "up")
        ip("link", "add", "br0", "type", "bridge")
        ip("address", "add", f"{SERVER}/24", "dev", "br0")
        ip("link", "set", "br0", "up")
        dhcp, tftp = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _number in range(2))
        dhcp.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        dhcp.setsockopt(socket.SOL_SOCKET, SO_BINDTODEVICE, b"br0\0")
        dhcp.bind(("", 67))
        tftp.bind((SERVER, 69))
        answers = []
        web = http.server.ThreadingHTTPServer((SERVER, 80), Handler)
        with ThreadPoolExecutor(3) as pool:
            pool.submit(serve_dhcp, dhcp, answers)
            pool.submit(serve_tftp, tftp)
            pool.submit(web.serve_forever)
            yield answers
            web.shutdown()
            for port in (67, 69):
                dhcp.sendto(STOP, (SERVER, port))
        for opened in (dhcp, tftp, web.socket):
            opened.close()


def neighbours():
    shown = subprocess.run(["ip", "-4", "neighbour", "show"], check=True, capture_output=True, text=True).stdout
    return {words[0]: words[words.index("lladdr") + 1] for line in shown.splitlines() if "lladdr" in (words := line.split())}


def ask(link, scheme, port):
    return link.fetch(WireRequest(Target(scheme, SERVER, port, "/x"), SERVER))


def live(lan, mac):
    """Let a phone get a lease, read by TFTP and HTTP, log and renew its lease; return what it read."""
    with lan.connect(PhoneIdentity(mac, habits=frozenset({Habit.TFTP_NAME_FF, Habit.ASKS_TWICE}))) as link:
        assert link.lease("CISCO ATA192-MPP\0").address == ADDRESSES[mac]
        files = [ask(link, "tftp", 69).content, ask(link, "http", 80).content]
        assert link.log(SERVER, "a message")
        files += [link.renew(any_server=any_server).lease.address for any_server in (False, True)]
        # Whoever has forgotten the phone asks who has its address
        ip("neighbour", "flush", "all")
        deadline = time.monotonic() + 10
        while ADDRESSES[mac] not in neighbours() and time.monotonic() < deadline:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
                opened.sendto(b"", (ADDRESSES[mac], 9))
            time.sleep(0.05)
        files.append(neighbours()[ADDRESSES[mac]])
    return files


def test_every_frame_of_a_phone_carries_its_own_mac(station):
    with BenchLan("br0", 10) as lan:
        capture = Capture(bench_lan._LINK)
        try:
            for mac, address in ADDRESSES.items():
                assert live(lan, mac) == [b"/x\xff", address.encode(), address, address, mac.colon]
            # What still leaves after the last release must be seen too
            time.sleep(0.3)
        finally:
            capture.close()
    assert {frame.source for frame in capture.frames} == {FIRST.plain, SECOND.plain}
    for mac, address in ADDRESSES.items():
        frames = [frame for frame in capture.frames if frame.source == mac.plain]
        # The probe of a closed port may be answered after the phone is gone
        assert {frame.kind for frame in frames} - {"icmp"} == {"discover", "request", "arp", "udp", "tcp", "release"}
        assert {frame.claimed for frame in frames} == {mac.plain}
        assert {frame.address for frame in frames} == {NO_ADDRESS, address}
        assert {frame.kind for frame in frames if frame.address == NO_ADDRESS} == {"discover", "request"}


def test_a_refused_renewal_is_reported_and_the_address_given_up(station):
    with BenchLan("br0", 10) as lan, lan.connect(PhoneIdentity(FIRST)) as link:
        link.lease("x")
        station.append(b"\6")
        assert link.renew(any_server=False).refused
        link.give_up_lease()
        assert link.lease("x").address == ADDRESSES[FIRST]
        assert ask(link, "tftp", 69).content == b"/x"


def test_frames_for_another_phones_mac_are_not_taken_in(station):
    with BenchLan("br0", 10) as lan, lan.connect(PhoneIdentity(FIRST)) as first, lan.connect(PhoneIdentity(SECOND)) as second:
        for link in (first, second):
            link.lease("x")
            assert ask(link, "tftp", 69).content == b"/x"
        ip("neighbour", "replace", ADDRESSES[FIRST], "lladdr", SECOND.colon, "dev", "br0", "nud", "permanent")
        first._timeout = 1
        assert ask(first, "tftp", 69).status == 0
        assert ask(second, "tftp", 69).content == b"/x"


def test_an_address_that_no_phone_has_sends_nothing(station):
    with BenchLan("br0", 10) as lan, lan.connect(PhoneIdentity(FIRST)) as link:
        link.lease("x")
        lan._namespace.add_address("192.0.2.30")
        capture = Capture(bench_lan._LINK)
        try:
            with lan._namespace.socket(socket.SOCK_DGRAM, "192.0.2.30") as opened, suppress(OSError):
                opened.sendto(b"", (SERVER, 9))
            assert ask(link, "tftp", 69).content == b"/x"
            time.sleep(0.3)
        finally:
            capture.close()
    assert {(frame.source, frame.address) for frame in capture.frames} == {(FIRST.plain, ADDRESSES[FIRST])}


@pytest.fixture
def macs(names):
    """The MAC addresses of a namespace with one interface, and the namespace's name."""
    name = "preprovision-test-macs"
    subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)
    ip("netns", "add", name)
    try:
        ip("-n", name, "link", "add", "eth0", "type", "veth", "peer", "name", "peer0")
        namespace = Namespace(name, "eth0")
        opened = UnitMacs(namespace, "eth0", PATH)
        yield opened, name
        opened.close()
        namespace.close()
    finally:
        ip("netns", "delete", name)


def elements(name):
    shown = subprocess.run(["ip", "netns", "exec", name, "nft", "list", "ruleset"], check=True, capture_output=True, text=True)
    lines = " ".join(shown.stdout.split())
    return [part.partition(" }")[0] for part in lines.split("elements = { ")[1:]]


def test_an_address_belongs_to_one_phone(macs):
    opened, name = macs
    opened.set("192.0.2.21", FIRST)
    opened.set("192.0.2.21", FIRST, FIRST)
    assert elements(name) == [f"192.0.2.21 : {FIRST.colon}", f"192.0.2.21 . {FIRST.colon}"]
    with pytest.raises(FileExistsError):
        opened.set("192.0.2.21", SECOND)
    assert elements(name)[0] == f"192.0.2.21 : {FIRST.colon}"
    opened.set("192.0.2.21", SECOND, FIRST)
    assert elements(name) == [f"192.0.2.21 : {SECOND.colon}", f"192.0.2.21 . {SECOND.colon}"]
    with pytest.raises(FileNotFoundError):
        opened.remove("192.0.2.21", FIRST)
    opened.remove("192.0.2.21", SECOND)
    assert elements(name) == []
    # The errors before have left nothing that a later call could read
    opened.set("192.0.2.21", FIRST)


def test_a_thousand_phones_cost_little(macs):
    opened, _name = macs
    phones = [(f"198.18.{number >> 8}.{number & 255}", Mac(f"{0x02005E100000 + number:012x}")) for number in range(1000)]
    started = time.process_time()
    for address, mac in phones:
        opened.set(address, mac)
    for address, mac in phones:
        opened.remove(address, mac)
    assert time.process_time() - started < 1


def test_says_why_the_rules_cannot_be_installed(names):
    with ThreadPoolExecutor(1) as pool:
        pool.submit(refuse_rules).result()


def refuse_rules():
    class Here:
        @contextmanager
        def entered(self):
            yield

    with in_a_new_namespace(), pytest.raises(UnitMacsError, match=r"^nft failed: .*the egress hook needs Linux 5\.16 or later\)$"):
        UnitMacs(Here(), "too-long-for-an-interface", PATH)
