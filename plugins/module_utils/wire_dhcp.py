# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""DHCP for many units on one packet socket; each has its own MAC address in frame and message.

Sources: RFC 2131 (sections 3.1 and 4.4: the exchange; 4.1: retransmission after 4, 8, 16 ... seconds, each a second more or less).
A lease is held as long as the unit is plugged in; it is not renewed.
"""

from __future__ import annotations

import queue
import random
import secrets
import socket
import struct
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from ipaddress import IPv4Address

from .dhcp_packets import NO_ADDRESS, REPLY, DhcpPacket, DhcpPacketError, build, discover_message, parse, show_option
from .dhcp_probe import Datagram, build_frame, receive
from .mac import Mac

REQUESTED = (1, 3, 6, 15, 42, 43, 60, 66, 67, 125, 150, 159, 160)
"""Options that a unit asks for."""

_SHOWN = (1, 3, 6, 15, 42, 51, 54, 60, 66, 67, 150, 159, 160)
_MESSAGE_TYPE, _PARAMETER_LIST, _WANTED_ADDRESS, _SERVER = 53, 55, 50, 54
_REQUEST, _RELEASE = b"\3", b"\7"
_FIRST_WAIT = 4.0
_LONGEST_WAIT = 64.0
_JITTER = 1.0
_REQUESTS = 3  # then the unit looks for another server
_LOOK_UP = 0.5
_ETHERTYPE_ARP = 0x0806
_SHORTEST_FRAME = 60
_SO_RCVBUFFORCE = 33  # from asm-generic/socket.h
_BUFFER = 8 * 1024 * 1024


@dataclass(frozen=True)
class Given:
    """What a server has given: the acknowledgement."""

    address: str
    server: str
    options: Mapping[int, bytes]

    @property
    def prefix(self) -> int:
        """Length of the network's prefix; where the server tells none, or nonsense, 24."""
        mask = int.from_bytes(self.options.get(1, b""), "big")
        ones = mask.bit_count()
        return ones if ones and mask == (1 << 32) - (1 << (32 - ones)) else 24

    @property
    def router(self) -> str:
        """The first router; empty when there is none."""
        value = self.options.get(3, b"")[:4]
        return str(IPv4Address(value)) if len(value) == 4 else ""

    @property
    def texts(self) -> dict[int, str]:
        """What its options say; lists are separated by spaces."""
        shown = {code: show_option(code, self.options[code]) for code in _SHOWN if code in self.options}
        return {code: " ".join(value) if isinstance(value, list) else str(value) for code, value in shown.items()}


class DhcpClients:
    """All units' DHCP clients; close() ends them."""

    def __init__(self, opened: socket.socket) -> None:
        """*opened*: of dhcp_probe.open_interface(); it is closed with the clients."""
        self._socket = opened
        with suppress(OSError):
            # A thousand answers at once
            opened.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
        self._waiting: dict[int, queue.SimpleQueue[DhcpPacket]] = {}
        self._closed = threading.Event()
        self._receiver = threading.Thread(target=self._listen, name="dhcp", daemon=True)
        self._receiver.start()

    def close(self) -> None:
        """Stop listening."""
        self._closed.set()
        self._receiver.join()
        self._socket.close()

    def ask(self, client: Mac, vendor_class: str, deadline: float) -> Given | None:
        """Get an address before *deadline* (time.monotonic()); None when no server gives one. Raise DhcpPacketError, or OSError."""
        number = secrets.randbits(32)
        answers: queue.SimpleQueue[DhcpPacket] = queue.SimpleQueue()
        self._waiting[number] = answers
        begin = time.monotonic()
        discover = discover_message(number, client, vendor_class)
        # A unit hears what is sent to its own address
        discover = replace(discover, broadcast=False, options={**discover.options, _PARAMETER_LIST: bytes(REQUESTED)})
        try:
            while (offer := self._exchange(discover, answers, ("offer",), begin, deadline)) is not None:
                answer = self._exchange(_request(discover, offer), answers, ("ack", "nak"), begin, deadline, _REQUESTS)
                if answer is not None and answer.message == "ack" and answer.your_address != NO_ADDRESS:
                    return Given(answer.your_address, answer.server or offer.server, answer.options)
        finally:
            del self._waiting[number]
        return None

    def announce(self, given: Given) -> None:
        """Ask by ARP for the router, or the server, from the new address, as every machine does that is new on a LAN.

        A server that has pinged the address in vain before it offered it would wait a second before it asks again.
        """
        own = self._socket.getsockname()[4]
        wanted = given.router or given.server
        if wanted:
            self._socket.send(build_arp(own, given.address, wanted))

    def _exchange(
        self,
        question: DhcpPacket,
        answers: queue.SimpleQueue[DhcpPacket],
        kinds: tuple[str, ...],
        begin: float,
        deadline: float,
        most: int | None = None,
    ) -> DhcpPacket | None:
        """Send a message, again when nothing comes, until one of *kinds* comes; None when time, or *most* attempts, are over."""
        wait = _FIRST_WAIT
        attempts = 0
        while time.monotonic() < deadline and (most is None or attempts < most):
            now = time.monotonic()
            self._socket.send(build_frame(question.client, build(replace(question, seconds=int(now - begin)))))
            attempts += 1
            # No secret: it keeps units apart that were powered on together
            end = min(now + wait + random.uniform(-_JITTER, _JITTER), deadline)  # noqa: S311
            wait = min(wait * 2, _LONGEST_WAIT)
            while (left := end - time.monotonic()) > 0:
                try:
                    answer = answers.get(timeout=left)
                except queue.Empty:
                    break
                if answer.message in kinds and answer.client == question.client:
                    return answer
        return None

    def _listen(self) -> None:
        self._socket.settimeout(_LOOK_UP)
        while not self._closed.is_set():
            try:
                datagram = receive(self._socket)
            except OSError:
                # Time is over, or the interface is going away
                continue
            if datagram:
                self._hand_out(datagram)

    def _hand_out(self, datagram: Datagram) -> None:
        try:
            packet = parse(datagram.data)
        except DhcpPacketError:
            return
        waiting = self._waiting.get(packet.xid)
        if packet.operation == REPLY and waiting is not None:
            waiting.put(packet)


def build_arp(mac: bytes, address: str, wanted: str) -> bytes:
    """Return the frame of an ARP request (RFC 826)."""
    header = struct.pack("!6s6sH", b"\xff" * 6, mac, _ETHERTYPE_ARP)
    body = struct.pack("!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, 1, mac, IPv4Address(address).packed, b"", IPv4Address(wanted).packed)
    return (header + body).ljust(_SHORTEST_FRAME, b"\0")


def release_message(client: Mac, given: Given) -> bytes:
    """Return the DHCPRELEASE that gives an address back, for UDP."""
    options = {_MESSAGE_TYPE: _RELEASE, _SERVER: IPv4Address(given.server).packed}
    packet = discover_message(secrets.randbits(32), client)
    return build(replace(packet, broadcast=False, client_address=given.address, options=options))


def _request(discover: DhcpPacket, offer: DhcpPacket) -> DhcpPacket:
    options = {
        **discover.options,
        _MESSAGE_TYPE: _REQUEST,
        _WANTED_ADDRESS: IPv4Address(offer.your_address).packed,
    }
    if offer.server:
        options[_SERVER] = IPv4Address(offer.server).packed
    return replace(discover, options=options)
