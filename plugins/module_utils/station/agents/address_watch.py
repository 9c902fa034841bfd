# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Report addresses of the bench that two MACs claim, and MACs that claim two addresses.

    python3 -m preprovision.station.agents.address_watch INTERFACE ADDRESS RELEASE MAC CONTEST LEASES NETWORK...

Times in seconds: ADDRESS, how long an address belongs to a MAC after the last packet; RELEASE, the same once the MAC has released
it; MAC, how long a MAC belongs to an address; CONTEST, for how long the TFTP server's guard gives no file to those in conflict.
LEASES: ISC DHCP's lease file; an address is free once the lease of its MAC is over. NETWORK: the networks that it guards.

It sees ARP, which every machine needs to receive an answer, and the two kinds of requests that begin a transfer: DHCP and TFTP. The
rest of the traffic would tell nothing more about who gets a file, and costs nothing here: the kernel filters it out.
"""

from __future__ import annotations

import array
import socket
import struct
import sys
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv4Network
from typing import NamedTuple

from ...common.notify import ALIVE, notify
from ...dhcp.lease_file import read_ended

# The prefix of a line's priority, see sd-daemon(3)
_ALERT = "<1>"

MAX_ENTRIES = 65536
"""Addresses, MACs and reported cases that are remembered at a time; beyond, the oldest are forgotten."""

_BEAT_SECONDS = 10

_LEASES_SECONDS = 10
"""The lease file is read that often at most, however many frames are forged."""

REPORT_INTERVAL = 3600
"""Seconds between two reports of the same case."""

MAX_REPORTS = 1000
"""Reports in REPORT_INTERVAL; somebody who forges frames must not fill the journal."""

# From linux/if_ether.h, linux/filter.h and asm-generic/socket.h; the module socket lacks them
_ETH_P_ALL = 3
_ETHERTYPE_IP = 0x0800
_ETHERTYPE_ARP = 0x0806
_SO_ATTACH_FILTER = 26
_ANCILLARY = 0xFFFFF000
_PROTOCOL_UDP = 17
_DHCP_SERVER_PORT, _TFTP_PORT = 67, 69
_MAX_FRAME_SIZE = 400

# Classic BPF: (operation, jump if true, jump if false, operand). It accepts incoming frames with ARP, or with UDP to port 67 or 69
# in an IPv4 packet, except later fragments.
_FILTER = (
    (0x20, 0, 0, _ANCILLARY + 4),  # packet type
    (0x15, 12, 0, socket.PACKET_OUTGOING),
    (0x28, 0, 0, 12),
    (0x15, 9, 0, _ETHERTYPE_ARP),
    (0x15, 0, 9, _ETHERTYPE_IP),
    (0x30, 0, 0, 23),
    (0x15, 0, 7, _PROTOCOL_UDP),
    (0x28, 0, 0, 20),
    (0x45, 5, 0, 0x1FFF),
    (0xB1, 0, 0, 14),
    (0x48, 0, 0, 16),
    (0x15, 1, 0, _DHCP_SERVER_PORT),
    (0x15, 0, 1, _TFTP_PORT),
    (0x06, 0, 0, _MAX_FRAME_SIZE),
    (0x06, 0, 0, 0),
)

# Offsets in an Ethernet frame: RFC 826 for ARP, RFC 791 for IP, RFC 2131 for DHCP
_ARP_SENDER = struct.Struct("!22x6s4s")
_IP_SENDER = struct.Struct("!6x6s14x4s")
_IP_HEADER = 14
_FIRST_DHCP_OPTION = 8 + 240
_RELEASE = b"\x35\x01\x07"


class Sighting(NamedTuple):
    """A MAC that uses an address."""

    address: str
    mac: str
    released: bool = False
    """Whether it gives the address up by this packet."""


def read_frame(frame: bytes) -> Sighting | None:
    """Return who sent an Ethernet frame that the filter has accepted; None if it is too short."""
    if frame[12:14] == b"\x08\x06":
        if len(frame) < _ARP_SENDER.size:
            return None
        mac, address = _ARP_SENDER.unpack_from(frame)
        return Sighting(str(IPv4Address(address)), mac.hex(":"))
    if len(frame) < _IP_SENDER.size:
        return None
    mac, address = _IP_SENDER.unpack_from(frame)
    udp = _IP_HEADER + (frame[_IP_HEADER] & 15) * 4
    option = frame[udp + _FIRST_DHCP_OPTION :][: len(_RELEASE)]
    to_dhcp = frame[udp + 2 : udp + 4] == _DHCP_SERVER_PORT.to_bytes(2, "big")
    return Sighting(str(IPv4Address(address)), mac.hex(":"), to_dhcp and option == _RELEASE)


class _Recent:
    """The latest MAX_ENTRIES values by key, each with its time in seconds."""

    def __init__(self) -> None:
        self._entries: OrderedDict[str, tuple[str, float]] = OrderedDict()

    def put(self, key: str, value: str, now: float) -> None:
        self._entries[key] = (value, now)
        self._entries.move_to_end(key)
        if len(self._entries) > MAX_ENTRIES:
            self._entries.popitem(last=False)

    def get(self, key: str, since: float) -> str | None:
        """Return the value that was put in after the time *since*."""
        value, put = self._entries.get(key, (None, 0.0))
        return value if put > since else None

    def drop(self, key: str) -> None:
        self._entries.pop(key, None)


class Times(NamedTuple):
    """For how long what is true, in seconds."""

    address: int
    """How long an address belongs to a MAC after the last packet."""
    release: int
    """The same once the MAC has released it; shorter."""
    mac: int
    """How long a MAC belongs to an address after the last packet."""
    contest: int
    """How long those in conflict get no file."""


class AddressWatch:
    """Whose each address is, by the same rules as the guard of the TFTP server."""

    def __init__(self, times: Times, ended: Callable[[str, str], bool] = lambda _address, _mac: False) -> None:
        """*ended*: says whether a MAC's lease of an address is over, and is asked only if another MAC claims the address."""
        self._times = times
        self._ended = ended
        self._owners = _Recent()
        self._homes = _Recent()
        self._reported = _Recent()
        self._reports: deque[float] = deque()

    def see(self, sighting: Sighting, now: float) -> str | None:
        """Note who uses an address at the time *now*, in seconds; return a sentence if that is a conflict not reported lately."""
        address, mac, released = sighting
        home = self._homes.get(mac, now - self._times.mac)
        owner = self._owners.get(address, now - self._times.address)
        if owner is not None and owner != mac and not self._ended(address, owner):
            return self._report(f"{address} {mac}", self._two_macs(address, owner, mac), now)
        self._owners.put(address, mac, now - (self._times.address - self._times.release if released else 0))
        if home is not None and home != address:
            return self._report(f"{mac} {address}", self._two_addresses(mac, home, address), now)
        if released:
            self._homes.drop(mac)
        else:
            self._homes.put(mac, address, now)
        return None

    def _two_macs(self, address: str, owner: str, claimant: str) -> str:
        return (
            f"{address} was used by {owner} and is now claimed by {claimant}; neither gets a file by TFTP for "
            f"{self._times.contest} seconds after the last claim; find {claimant} on the bench and unplug it, or give it "
            "an address of its own"
        )

    def _two_addresses(self, mac: str, home: str, address: str) -> str:
        return (
            f"{mac} uses {home} and now claims {address} too; it gets no file by TFTP for {self._times.contest} seconds after "
            "the last claim; if it has not just got another address, look for two devices with this MAC and unplug the wrong one"
        )

    def _report(self, case: str, sentence: str, now: float) -> str | None:
        since = now - REPORT_INTERVAL
        if self._reported.get(case, since) is not None:
            return None
        while self._reports and self._reports[0] <= since:
            self._reports.popleft()
        if len(self._reports) > MAX_REPORTS:
            return None
        self._reported.put(case, case, now)
        self._reports.append(now)
        if len(self._reports) > MAX_REPORTS:
            return (
                f"more than {MAX_REPORTS} conflicts within an hour: somebody forges addresses on the bench, and further "
                "conflicts are not reported; find the machine and unplug it"
            )
        return sentence


class EndedLeases:
    """Whether a MAC's lease of an address is over, by a lease file."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._macs: dict[str, str] = {}
        self._read = -float(_LEASES_SECONDS)

    def __call__(self, address: str, mac: str) -> bool:
        """Say so, by a reading that is no older than _LEASES_SECONDS."""
        if time.monotonic() - self._read >= _LEASES_SECONDS:
            self._read = time.monotonic()
            self._macs = read_ended(self._path)
        return self._macs.get(address) == mac


def open_interface(interface: str) -> socket.socket:
    """Return a packet socket for the frames of the filter; raise OSError if the interface cannot be used."""
    # Without a protocol it receives nothing before the filter is attached
    opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    try:
        program = array.array("B", b"".join(struct.pack("=HBBI", *step) for step in _FILTER))
        opened.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", len(_FILTER), program.buffer_info()[0]))
        opened.bind((interface, _ETH_P_ALL))
    except BaseException:
        opened.close()
        raise
    return opened


def watch(opened: socket.socket, rules: AddressWatch, networks: Sequence[IPv4Network], say: Callable[[str], None]) -> None:
    """Report conflicts in *networks* until the interface goes down, which raises OSError. Tell systemd meanwhile that it lives."""
    opened.settimeout(_BEAT_SECONDS)
    beaten = -float(_BEAT_SECONDS)
    while True:
        try:
            sighting = read_frame(opened.recv(_MAX_FRAME_SIZE))
        except TimeoutError:
            sighting = None
        if time.monotonic() - beaten >= _BEAT_SECONDS:
            beaten = time.monotonic()
            notify(ALIVE)
        if sighting and any(IPv4Address(sighting.address) in network for network in networks):
            sentence = rules.see(sighting, time.monotonic())
            if sentence:
                say(_ALERT + sentence)


def main(arguments: Sequence[str]) -> int:
    """Watch an interface; systemd starts it again when the interface has gone."""
    interface, address, release, mac, contest, leases, *networks = arguments
    rules = AddressWatch(Times(int(address), int(release), int(mac), int(contest)), EndedLeases(leases))
    try:
        with open_interface(interface) as opened:
            watch(opened, rules, [IPv4Network(network) for network in networks], _say)
    except OSError as error:
        _say(f"{interface} cannot be watched: {error.strerror}")
    return 1


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
