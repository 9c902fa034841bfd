# SPDX-License-Identifier: GPL-3.0-or-later
"""Conflicts about addresses and MACs are reported once an hour each, within bounds."""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import sys

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.station.agents import address_watch as subject
from ansible_collections.voip.preprovision.plugins.module_utils.station.agents.address_watch import (
    AddressWatch,
    Sighting,
    Times,
    read_frame,
)

UNIT, OTHER = "00:00:5e:00:53:01", "00:00:5e:00:53:99"
HOME, AWAY = "192.0.2.20", "192.0.2.29"
ADDRESS_SECONDS, RELEASE_SECONDS, MAC_SECONDS = 2100, 180, 60


@pytest.fixture
def watch() -> AddressWatch:
    return AddressWatch(Times(ADDRESS_SECONDS, RELEASE_SECONDS, MAC_SECONDS, 100))


def hardware(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))


def arp(address: str, mac: str, frame_mac: str = UNIT) -> bytes:
    """Return an ARP request (RFC 826)."""
    body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + hardware(mac) + socket.inet_aton(address) + bytes(6) + bytes(4)
    return b"\xff" * 6 + hardware(frame_mac) + b"\x08\x06" + body


def udp(address: str, mac: str, port: int, data: bytes = b"", words: int = 5, fragment: int = 0) -> bytes:
    """Return a frame with a UDP datagram; the IP header has so many words."""
    length = words * 4 + 8 + len(data)
    header = struct.pack("!BBHHHBBH4s4s", 0x40 + words, 0, length, 0, fragment, 64, 17, 0, socket.inet_aton(address), bytes(4))
    header += bytes((words - 5) * 4)
    return b"\xff" * 6 + hardware(mac) + b"\x08\x00" + header + struct.pack("!HHHH", 1024, port, 8 + len(data), 0) + data


def test_reports_an_address_that_changes_its_mac(watch):
    assert watch.see(Sighting(HOME, UNIT), 0) is None
    assert watch.see(Sighting(HOME, OTHER), 10) == (
        f"{HOME} was used by {UNIT} and is now claimed by {OTHER}; neither gets a file by TFTP for 100 seconds after the last "
        f"claim; find {OTHER} on the bench and unplug it, or give it an address of its own"
    )
    # The claim is not learned
    assert watch.see(Sighting(HOME, UNIT), 11) is None
    assert watch.see(Sighting(HOME, UNIT), 11 + ADDRESS_SECONDS) is None


def test_reports_a_mac_with_two_addresses(watch):
    assert watch.see(Sighting(HOME, UNIT), 0) is None
    assert watch.see(Sighting(AWAY, UNIT), MAC_SECONDS - 1) == (
        f"{UNIT} uses {HOME} and now claims {AWAY} too; it gets no file by TFTP for 100 seconds after the last claim; "
        "if it has not just got another address, look for two devices with this MAC and unplug the wrong one"
    )


def test_names_the_owner_if_both_are_wrong(watch):
    watch.see(Sighting(HOME, UNIT), 0)
    watch.see(Sighting(AWAY, OTHER), 0)
    assert str(watch.see(Sighting(HOME, OTHER), 1)).startswith(f"{HOME} was used by {UNIT} and is now claimed by {OTHER}")


def test_reports_two_devices_with_one_mac_that_both_stay(watch):
    watch.see(Sighting(HOME, UNIT), 0)
    watch.see(Sighting(AWAY, UNIT), MAC_SECONDS + 1)
    assert str(watch.see(Sighting(HOME, UNIT), MAC_SECONDS + 2)).startswith(f"{UNIT} uses {AWAY} and now claims {HOME} too")


def test_an_address_is_free_when_it_has_been_silent(watch):
    watch.see(Sighting(HOME, UNIT), 0)
    assert watch.see(Sighting(HOME, OTHER), ADDRESS_SECONDS) is None
    assert watch.see(Sighting(HOME, UNIT), ADDRESS_SECONDS + 1) is not None


def test_an_address_is_free_when_its_lease_is_over(tmp_path):
    leases = tmp_path / "leases"
    over = subject.EndedLeases(str(leases))
    watch = AddressWatch(Times(ADDRESS_SECONDS, RELEASE_SECONDS, MAC_SECONDS, 100), over)
    watch.see(Sighting(HOME, UNIT), 0)
    assert watch.see(Sighting(HOME, OTHER), 1) is not None
    lease = "lease {} {{\n  binding state free;\n  hardware ethernet {};\n}}\n"
    leases.write_text(lease.format(HOME, OTHER))
    # A forged frame must not make it read the file each time, and the lease of another MAC says nothing of this one
    assert not over(HOME, OTHER)
    over._read -= 10
    assert over(HOME, OTHER)
    assert not over(HOME, UNIT)
    leases.write_text(lease.format(HOME, UNIT))
    over._read -= 10
    assert watch.see(Sighting(HOME, OTHER), 2) is None
    assert watch.see(Sighting(AWAY, UNIT), MAC_SECONDS) is None


def test_a_mac_may_move_after_a_while_or_after_a_release(watch):
    watch.see(Sighting(HOME, UNIT), 0)
    assert watch.see(Sighting(AWAY, UNIT), MAC_SECONDS) is None
    assert watch.see(Sighting(AWAY, UNIT, released=True), MAC_SECONDS + 1) is None
    assert watch.see(Sighting(HOME, UNIT), MAC_SECONDS + 2) is None
    # The address is not free for others yet
    assert watch.see(Sighting(AWAY, OTHER), MAC_SECONDS + RELEASE_SECONDS) is not None
    assert watch.see(Sighting(AWAY, OTHER), MAC_SECONDS + 1 + RELEASE_SECONDS) is None


def test_reports_each_case_once_an_hour(watch):
    def claims(now: float) -> list[bool]:
        watch.see(Sighting(HOME, UNIT), now)
        return [bool(watch.see(Sighting(HOME, mac), now)) for mac in (OTHER, OTHER, "00:00:5e:00:53:98")]

    assert claims(0) == [True, False, True]
    assert claims(1000) == [False, False, False]
    watch.see(Sighting(HOME, UNIT), 2000)
    assert claims(3600) == [True, False, True]


def test_forged_conflicts_do_not_fill_the_journal(watch, monkeypatch):
    monkeypatch.setattr(subject, "MAX_REPORTS", 3)
    watch.see(Sighting(HOME, UNIT), 0)
    said = [watch.see(Sighting(HOME, f"00:00:5e:00:54:{number:02x}"), 1) for number in range(10)]
    assert [text[:9] if text else None for text in said] == [HOME[:9]] * 3 + ["more than"] + [None] * 6


def test_memory_is_bounded(watch, monkeypatch):
    monkeypatch.setattr(subject, "MAX_ENTRIES", 2)
    for number in range(5):
        watch.see(Sighting(f"192.0.2.{number}", f"00:00:5e:00:53:{number:02x}"), number)
    # The oldest are forgotten, the latest are not
    assert watch.see(Sighting("192.0.2.0", OTHER), 6) is None
    assert watch.see(Sighting("192.0.2.4", UNIT), 6) is not None


@pytest.mark.parametrize(
    ("frame", "found"),
    [
        # What the sender says counts, not the frame around it
        (arp(HOME, OTHER, UNIT), Sighting(HOME, OTHER)),
        (udp(HOME, UNIT, 69, b"\0\1x\0octet\0"), Sighting(HOME, UNIT)),
        (udp(HOME, UNIT, 67, bytes(236) + b"\x63\x82\x53\x63\x35\x01\x07"), Sighting(HOME, UNIT, released=True)),
        (udp(HOME, UNIT, 67, bytes(236) + b"\x63\x82\x53\x63\x35\x01\x07", words=7), Sighting(HOME, UNIT, released=True)),
        (udp(HOME, UNIT, 67, bytes(236) + b"\x63\x82\x53\x63\x35\x01\x03"), Sighting(HOME, UNIT)),
        (udp(HOME, UNIT, 69, bytes(236) + b"\x63\x82\x53\x63\x35\x01\x07"), Sighting(HOME, UNIT)),
        (arp(HOME, UNIT)[:31], None),
        (udp(HOME, UNIT, 69)[:29], None),
    ],
)
def test_reads_frames(frame, found):
    assert read_frame(frame) == found


# Sends the frames in its input through a cable, and prints those that the watch's socket receives
_TRANSMIT = """
import json, socket, subprocess, sys
from ansible_collections.voip.preprovision.plugins.module_utils.station.agents.address_watch import open_interface
for order in ("link add x1 type veth peer name p1", "link set x1 up", "link set p1 up"):
    subprocess.run(["ip", *order.split()], check=True)
cable, own = (socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) for _ in range(2))
with open_interface("p1") as opened:
    cable.bind(("x1", 0))
    own.bind(("p1", 0))
    received = []
    frames = json.load(sys.stdin)
    # The cable takes a moment to come up
    opened.settimeout(0.1)
    probe = bytes(12) + b"\\x08\\x06" + bytes(46)
    while True:
        cable.send(probe)
        try:
            opened.recv(2000)
            break
        except TimeoutError:
            pass
    opened.settimeout(60)
    # The watch's own interface sends the first one
    own.send(bytes.fromhex(frames[0]))
    for frame in frames:
        cable.send(bytes.fromhex(frame))
    # The last one passes
    while frames[-1] not in received:
        received.append(opened.recv(2000).hex())
    json.dump(received, sys.stdout)
"""


def passed(frames: dict[str, bytes]) -> list[str]:
    """Return the names of the frames that the filter lets through, in a network namespace of its own."""
    command = ["unshare", "--net", sys.executable, "-c", _TRANSMIT]
    order = json.dumps([frame.hex() for frame in frames.values()])
    done = subprocess.run(
        command,
        input=order,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    names = {frame.hex(): name for name, frame in frames.items()}
    return [names[frame] for frame in json.loads(done.stdout) if frame in names]


@pytest.mark.root(reason="makes a network namespace")
def test_kernel_passes_only_frames_of_interest():
    frames = {
        "arp": arp(HOME, UNIT),
        "tftp": udp(HOME, UNIT, 69),
        "dhcp": udp(HOME, UNIT, 67),
        "longer header": udp(HOME, UNIT, 69, words=7),
        "first fragment": udp(HOME, UNIT, 69, fragment=0x2000),
        "later fragment": udp(HOME, UNIT, 69, fragment=0x2001),
        "http": udp(HOME, UNIT, 80),
        "ipv6": b"\xff" * 6 + hardware(UNIT) + b"\x86\xdd" + bytes(60),
        "last": arp(AWAY, OTHER),
    }
    assert passed(frames) == ["arp", "tftp", "dhcp", "longer header", "first fragment", "last"]
