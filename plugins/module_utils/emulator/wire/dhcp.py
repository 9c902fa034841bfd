# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""DHCP clients of many phones on one packet socket; each has its own MAC address in frame and message.

Sources: RFC 2131 (sections 3.1 and 4.4: the exchange; 4.1: retransmission after 4, 8, 16 ... seconds, plus or
minus one second; table 5 in 4.4.1: what a request to extend a lease contains). When a lease is extended is the phone's business.
"""

from __future__ import annotations

import queue
import random
import secrets
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from ipaddress import IPv4Address

from ...common.mac import Mac
from ...dhcp.discovery import receive
from ...dhcp.frames import Datagram, build_frame
from ...dhcp.packets import NO_ADDRESS, REPLY, DhcpPacket, DhcpPacketError, MessageType, build, discover_message, parse, show_option

REQUESTED = (1, 3, 6, 15, 42, 43, 60, 66, 67, 125, 132, 150, 159, 160)
"""Options that a phone requests."""

_SHOWN = (1, 3, 6, 15, 42, 43, 51, 54, 60, 66, 67, 125, 132, 150, 159, 160)
_MESSAGE_TYPE, _PARAMETER_LIST, _REQUESTED_ADDRESS, _SERVER, _VENDOR_CLASS = 53, 55, 50, 54, 60
_FIRST_WAIT = 4.0
_MAX_WAIT = 64.0
_JITTER = 1.0
_MAX_REQUESTS = 3  # then the phone discovers servers again
_POLL_INTERVAL = 0.5
_ETHERTYPE_ARP = 0x0806
_MIN_FRAME_SIZE = 60
_SO_RCVBUFFORCE = 33  # from asm-generic/socket.h
_BUFFER = 8 * 1024 * 1024


@dataclass(frozen=True)
class DhcpAck:
    """A server's DHCPACK."""

    address: str
    server: str
    options: Mapping[int, bytes]

    @property
    def prefix(self) -> int:
        """Length of the network's prefix; 24 where the server sends no valid mask."""
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
        """The options as text; list items are separated by spaces."""
        shown = {code: show_option(code, self.options[code]) for code in _SHOWN if code in self.options}
        return {code: " ".join(value) if isinstance(value, list) else str(value) for code, value in shown.items()}


class DhcpClients:
    """The DHCP clients of all phones; close() stops them."""

    def __init__(self, opened: socket.socket) -> None:
        """*opened*: a socket from discovery.open_interface(), which close() closes."""
        self._socket = opened
        with suppress(OSError):
            # A thousand replies can arrive at once
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

    def acquire(self, client: Mac, vendor_class: str, deadline: float) -> DhcpAck | None:
        """Return an acknowledged lease; None when no server assigned one before *deadline* (time.monotonic()).

        *vendor_class*: option 60; a zero byte at its end is sent too. Raise DhcpPacketError or OSError.
        """
        begin = time.monotonic()
        discover = _discover(client, vendor_class)
        with self._answers(discover) as answers:
            while (offer := self._exchange(discover, answers, (MessageType.OFFER,), begin, deadline)) is not None:
                reply = self._exchange(
                    _request(discover, offer), answers, (MessageType.ACK, MessageType.NAK), begin, deadline, _MAX_REQUESTS
                )
                if reply is not None and reply.message == MessageType.ACK.label and reply.your_address != NO_ADDRESS:
                    return DhcpAck(reply.your_address, reply.server or offer.server, reply.options)
        return None

    def extend(self, client: Mac, vendor_class: str, ack: DhcpAck, send: Callable[[bytes], object]) -> DhcpPacket | None:
        """Ask once to extend a lease, and return the DHCPACK or DHCPNAK; None without an answer within some seconds.

        *send* gets the message as UDP carries it. Raise DhcpPacketError or OSError.
        """
        request = _discover(client, vendor_class)
        options = {**request.options, _MESSAGE_TYPE: bytes([MessageType.REQUEST])}
        request = replace(request, client_address=ack.address, options=options)
        with self._answers(request) as answers:
            send(build(request))
            return _next_reply(answers, request, (MessageType.ACK, MessageType.NAK), time.monotonic() + _FIRST_WAIT)

    def broadcast(self, client: Mac, address: str, message: bytes) -> None:
        """Send a message from a client's *address* to all servers."""
        self._socket.send(build_frame(client, message, address))

    @contextmanager
    def _answers(self, question: DhcpPacket) -> Iterator[queue.SimpleQueue[DhcpPacket]]:
        """Collect the replies to a question and to those that follow with its number."""
        answers: queue.SimpleQueue[DhcpPacket] = queue.SimpleQueue()
        self._waiting[question.xid] = answers
        try:
            yield answers
        finally:
            del self._waiting[question.xid]

    def announce(self, client: Mac, ack: DhcpAck) -> None:
        """Send an ARP request for the router or the server from the new address, as every new host on a LAN does.

        Otherwise a server that pinged the address in vain before offering it waits a second before it resolves it again.
        """
        wanted = ack.router or ack.server
        if wanted:
            self._socket.send(build_arp(bytes.fromhex(client.plain), ack.address, wanted))

    def _exchange(
        self,
        question: DhcpPacket,
        answers: queue.SimpleQueue[DhcpPacket],
        kinds: tuple[MessageType, ...],
        begin: float,
        deadline: float,
        max_attempts: int | None = None,
    ) -> DhcpPacket | None:
        """Send a message until a reply of one of *kinds* arrives; None after *deadline*, or after *max_attempts*."""
        wait = _FIRST_WAIT
        attempts = 0
        while time.monotonic() < deadline and (max_attempts is None or attempts < max_attempts):
            now = time.monotonic()
            self._socket.send(build_frame(question.client, build(replace(question, seconds=int(now - begin)))))
            attempts += 1
            # Not a secret: it spreads phones that were switched on together
            end = min(now + wait + random.uniform(-_JITTER, _JITTER), deadline)  # noqa: S311
            wait = min(wait * 2, _MAX_WAIT)
            reply = _next_reply(answers, question, kinds, end)
            if reply is not None:
                return reply
        return None

    def _listen(self) -> None:
        self._socket.settimeout(_POLL_INTERVAL)
        while not self._closed.is_set():
            try:
                datagram = receive(self._socket)
            except OSError:
                # A timeout, or the interface is being removed
                continue
            if datagram:
                self._dispatch(datagram)

    def _dispatch(self, datagram: Datagram) -> None:
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
    return (header + body).ljust(_MIN_FRAME_SIZE, b"\0")


def release_message(client: Mac, ack: DhcpAck) -> bytes:
    """Return the DHCPRELEASE for an address, as UDP payload."""
    options = {_MESSAGE_TYPE: bytes([MessageType.RELEASE]), _SERVER: IPv4Address(ack.server).packed}
    packet = discover_message(secrets.randbits(32), client)
    return build(replace(packet, broadcast=False, client_address=ack.address, options=options))


def _discover(client: Mac, vendor_class: str) -> DhcpPacket:
    text = vendor_class.rstrip("\0")
    discover = discover_message(secrets.randbits(32), client, text)
    options = {**discover.options, _PARAMETER_LIST: bytes(REQUESTED)}
    if text:
        options[_VENDOR_CLASS] = vendor_class.encode("ascii")
    # No broadcast flag: the packet socket also receives what is sent to the new address
    return replace(discover, broadcast=False, options=options)


def _next_reply(
    answers: queue.SimpleQueue[DhcpPacket], question: DhcpPacket, kinds: tuple[MessageType, ...], end: float
) -> DhcpPacket | None:
    """Return the next reply of one of *kinds* to the question's client; None after *end* (time.monotonic())."""
    labels = [kind.label for kind in kinds]
    while (left := end - time.monotonic()) > 0:
        try:
            reply = answers.get(timeout=left)
        except queue.Empty:
            return None
        if reply.message in labels and reply.client == question.client:
            return reply
    return None


def _request(discover: DhcpPacket, offer: DhcpPacket) -> DhcpPacket:
    options = {
        **discover.options,
        _MESSAGE_TYPE: bytes([MessageType.REQUEST]),
        _REQUESTED_ADDRESS: IPv4Address(offer.your_address).packed,
    }
    if offer.server:
        options[_SERVER] = IPv4Address(offer.server).packed
    return replace(discover, options=options)
