# SPDX-License-Identifier: GPL-3.0-or-later
"""Two stations on a wire: each knows its partner's answers, and nobody else's, whatever addresses a stranger takes."""

from __future__ import annotations

import ctypes
import shutil
import socket
import subprocess
import threading
import time
from contextlib import ExitStack

import pytest
from server_frames import CLIENT, FOREIGN, frame_of

from ansible_collections.voip.preprovision.plugins.module_utils.common.mac import Mac
from ansible_collections.voip.preprovision.plugins.module_utils.dhcp.discovery import Probe
from ansible_collections.voip.preprovision.plugins.module_utils.dhcp.packets import REPLY, DhcpPacket, build
from ansible_collections.voip.preprovision.plugins.module_utils.dhcp.partner import PATIENCE, PartnerKey

KEY = b"0123456789abcdef0123456789abcdef"
HERE, THERE = Mac("00005e005302"), Mac("00005e005303")
ADDRESSES = {"here": "192.0.2.1", "there": "192.0.2.2"}
CLONE_NEWNET = 0x40000000

pytestmark = pytest.mark.root(reason="the test makes a network namespace")


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture
def wire():
    """A switch in a network namespace of the test's own, with the stations "here" and "there", and a stranger."""
    if shutil.which("ip") is None:
        pytest.skip("needs iproute2")
    library = ctypes.CDLL(None, use_errno=True)
    with open("/proc/thread-self/ns/net", "rb") as home:
        if library.unshare(CLONE_NEWNET) != 0:
            pytest.skip("network namespaces cannot be made here")
        try:
            ip("link", "add", "switch", "type", "bridge")
            ip("link", "set", "switch", "up")
            for name, mac in (("here", HERE), ("there", THERE), ("stranger", FOREIGN)):
                ip("link", "add", name, "address", mac.colon, "type", "veth", "peer", "name", f"{name}-port")
                ip("link", "set", f"{name}-port", "master", "switch", "up")
                ip("link", "set", name, "up")
            yield
        finally:
            assert library.setns(home.fileno(), CLONE_NEWNET) == 0


class Watch(threading.Thread):
    """A station's watch, which hears what its server sends and what others send."""

    def __init__(self, interface, partner, key=KEY):
        super().__init__(daemon=True)
        self.probe = Probe(interface, partner=PartnerKey(ADDRESSES[partner], key))
        self.heard = []
        self.ends = threading.Event()

    def __enter__(self):
        self.probe.__enter__()
        self.start()
        return self

    def __exit__(self, *_):
        self.ends.set()
        self.join()
        self.probe.__exit__()

    def run(self):
        while not self.ends.is_set():
            self.heard += self.probe.listen(time.monotonic() + 0.2, all_clients=True)


def offer(server, xid, **fields):
    return build(
        DhcpPacket(REPLY, xid, CLIENT, your_address="192.0.2.77", options={53: b"\2", 54: socket.inet_aton(server)}, **fields)
    )


def send(interface, data, mac, source):
    """Send as Kea does, on a packet socket, which other packet sockets hear."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as opened:
        opened.bind((interface, 0))
        opened.send(frame_of(data, source_mac=mac, source=source))


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


@pytest.fixture
def pair(wire):
    with ExitStack() as stack:
        here = stack.enter_context(Watch("here", "there"))
        there = stack.enter_context(Watch("there", "here"))
        # A stranger of its own, so that both are known to listen
        for xid in range(1000, 1200):
            send("stranger", offer("192.0.2.9", xid), FOREIGN, "192.0.2.9")
            if until(lambda: here.heard and there.heard, 0.3):
                break
        assert here.heard
        assert there.heard
        time.sleep(0.3)
        here.heard.clear()
        there.heard.clear()
        yield here, there


def test_partners_confirm_each_other_in_both_directions(pair):
    here, there = pair
    for xid in range(50):
        send("there", offer(ADDRESSES["there"], xid), THERE, ADDRESSES["there"])
        send("here", offer(ADDRESSES["here"], xid), HERE, ADDRESSES["here"])
    time.sleep(PATIENCE + 1)
    assert (here.heard, there.heard) == ([], [])
    # Else they would have heard nothing at all
    send("stranger", offer("192.0.2.9", 7), FOREIGN, "192.0.2.9")
    assert until(lambda: here.heard and there.heard)


def test_a_stranger_with_the_partners_addresses_is_a_stranger(pair):
    here, there = pair
    # The real partner is up, and answers as well
    send("there", offer(ADDRESSES["there"], 1), THERE, ADDRESSES["there"])
    send("stranger", offer(ADDRESSES["there"], 2), THERE, ADDRESSES["there"])
    assert until(lambda: here.heard)
    # So is one with this station's own addresses: no loop returns what its server has not sent
    assert until(lambda: there.heard)
    time.sleep(PATIENCE + 1)
    assert [(one.server, one.server_mac) for one in here.heard] == [(ADDRESSES["there"], THERE.colon)]
    assert [(one.server, one.server_mac) for one in there.heard] == [(ADDRESSES["there"], THERE.colon)]


@pytest.mark.parametrize("change", ["option", "mac", "source"])
def test_what_the_partner_has_sent_is_confirmed_only_as_it_was_sent(pair, change):
    here, _there = pair
    genuine = offer(ADDRESSES["there"], 5)
    send("there", genuine, THERE, ADDRESSES["there"])
    forged = genuine + b"\0" if change == "option" else genuine
    send("stranger", forged, FOREIGN if change == "mac" else THERE, "192.0.2.9" if change == "source" else ADDRESSES["there"])
    assert until(lambda: here.heard)


def test_a_loop_returns_what_a_server_has_sent(pair):
    here, there = pair
    data = offer(ADDRESSES["there"], 5)
    send("there", data, THERE, ADDRESSES["there"])
    send("stranger", data, THERE, ADDRESSES["there"])
    time.sleep(PATIENCE + 1)
    assert (here.heard, there.heard) == ([], [])


def test_a_partner_with_another_key_is_a_stranger(wire):
    with Watch("here", "there") as here, Watch("there", "here", b"another key of thirty-two bytes!"):
        assert until(lambda: here.heard or send("there", offer(ADDRESSES["there"], 1), THERE, ADDRESSES["there"]), 60)
        assert here.heard[0].server == ADDRESSES["there"]


def test_questions_and_replies_of_others_change_nothing(pair):
    here, _there = pair
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0x88B5) as opened:
        opened.bind(("stranger", 0x88B5))
        opened.settimeout(10)
        send("stranger", offer(ADDRESSES["there"], 9), THERE, ADDRESSES["there"])
        question = opened.recv(2000)
        body = question[14:]
        for forged in (body, b"vppp\2" + body[5:], b"vppp\2" + body[5:-32] + bytes(32), body[:40], b""):
            opened.send(question[:14] + forged)
    assert until(lambda: here.heard)
