# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Discover other DHCP servers on a wire: ask as a client that never takes a lease, or listen all the time.

Runs on the target and needs only CAP_NET_RAW. It configures nothing: it builds and reads frames itself on a packet socket, so the
interface needs no address and port 68 stays free. The interface is promiscuous meanwhile, for servers that answer a client
directly.

It neither asks nor hears this machine's own DHCP server on the same interface: the frames that it sends bypass the taps of other
programs (PACKET_QDISC_BYPASS, packet(7)), and it reads only frames that arrive from the wire. So the own server's pool and log do
not change, and no other machine can hide by taking this one's addresses.

In a pair of servers it also reads what the own server sends, to confirm it to the partner, and asks the partner to confirm what
comes from there; see the module partner.
"""

from __future__ import annotations

import array
import errno
import secrets
import socket
import struct
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import NoReturn

from ..common.mac import Mac, MacError, parse_mac
from .frames import ETHERTYPE_IP, PROTOCOL_UDP, Datagram, build_frame, read_frame
from .packets import (
    CLIENT_PORT,
    NO_ADDRESS,
    REPLY,
    DhcpPacketError,
    MessageType,
    build,
    discover_message,
    parse,
    show_options,
    show_text,
)
from .partner import ETHERTYPE, Confirmations, PartnerKey

DAMAGED = "damaged"
"""Message of an offer that is invalid."""

# From linux/if_packet.h, if_ether.h, filter.h, if_arp.h and asm-generic/socket.h; the module socket lacks these
_SOL_PACKET = 263
_PACKET_ADD_MEMBERSHIP = 1
_PACKET_AUXDATA = 8
_PACKET_QDISC_BYPASS = 20
_PACKET_MR_PROMISC = 1
_SO_ATTACH_FILTER = 26
_ARPHRD_ETHER = 1
_AUXDATA = struct.Struct("=IIIHHHH")
_CHECKSUM_NOT_READY = 1 << 3
_ANNOUNCED = (_SOL_PACKET, _PACKET_AUXDATA)
_MAX_FRAME_SIZE = 65536
_ETH_P_ALL = 3
_ANCILLARY = 0xFFFFF000

# Classic BPF: (operation, jump if true, jump if false, operand). It accepts incoming frames of this LAN with UDP to port 68 in an
# IPv4 packet, except later fragments.
_FILTER = (
    (0x20, 0, 0, _ANCILLARY + 4),  # packet type
    (0x15, 11, 0, socket.PACKET_OUTGOING),
    (0x20, 0, 0, _ANCILLARY + 44),  # VLAN tag; number 0 is no VLAN (IEEE 802.1Q: only priority)
    (0x45, 9, 0, 0x0FFF),
    (0x28, 0, 0, 12),
    (0x15, 0, 7, ETHERTYPE_IP),
    (0x30, 0, 0, 23),
    (0x15, 0, 5, PROTOCOL_UDP),
    (0x28, 0, 0, 20),
    (0x45, 3, 0, 0x1FFF),
    (0xB1, 0, 0, 14),
    (0x48, 0, 0, 16),
    (0x15, 1, 0, CLIENT_PORT),
    (0x06, 0, 0, 0),
    (0x06, 0, 0, _MAX_FRAME_SIZE),
)

# The same, and also outgoing ones, and the frames that partners exchange
_PAIR_FILTER = (
    (0x28, 0, 0, 12),
    (0x15, 0, 4, ETHERTYPE),
    (0x20, 0, 0, _ANCILLARY + 4),
    (0x15, 1, 0, socket.PACKET_OUTGOING),
    (0x06, 0, 0, _MAX_FRAME_SIZE),
    (0x06, 0, 0, 0),
    *_FILTER[2:],
)

LOOK_SECONDS = 5
"""Within this time, a server has answered a question."""

# Servers that give way to others answer a client that has waited long
_WAITED_SECONDS = 60
# Short, to leave time for the answer to the last question, which may take three seconds
_PAUSE = 1
# The first servers of a flood of forged ones are enough
_MAX_SERVERS = 64


class ProbeError(Exception):
    """The interface cannot be used, or an option is invalid; the message says why and what to do."""


@dataclass(frozen=True)
class Offer:
    """The answer of one DHCP server. All of it comes from a stranger."""

    server: str
    """Its server identifier, or the source address if it sent none."""
    server_mac: str
    """Sender of the answer on this wire: the server or its relay."""
    source: str
    message: str
    """As DhcpPacket.message, or DAMAGED when there is a fault."""
    address: str = ""
    """The address for the client, or empty."""
    relay: str = ""
    next_server: str = ""
    server_name: str = ""
    boot_file: str = ""
    options: dict[str, str | int | list[str]] = field(default_factory=dict)
    """As packets.show_options()."""
    fault: str = ""
    """Why the message is invalid; some clients accept it anyway."""

    def __str__(self) -> str:
        way = f" via the relay {self.relay}" if self.relay else ""
        what = f"offers {self.address}" if self.message == MessageType.OFFER.label else f"answers with {self.message}"
        return f"the DHCP server {self.server} ({self.server_mac}){way} {what}"


def random_mac() -> Mac:
    """Return a random, locally administered address."""
    first, *others = secrets.token_bytes(6)
    return Mac(bytes([first & 0xFC | 2, *others]).hex())


def read_own(values: Iterable[object]) -> frozenset[str]:
    """Return the MAC and IPv4 addresses of the expected servers; raise ProbeError for anything else."""
    return frozenset(_read_own(value) for value in values)


def _read_own(value: object) -> str:
    try:
        return str(IPv4Address(str(value)))
    except ValueError:
        pass
    try:
        return parse_mac(value).colon
    except MacError as error:
        raise ProbeError(
            f"{value!r} is neither an IPv4 address nor a MAC address; write the server as 192.0.2.1 or 00:00:5e:00:53:01"
        ) from error


def receive(opened: socket.socket) -> Datagram | None:
    """Wait for a frame on a socket of open_interface(); return the datagram in it, or None if it is damaged."""
    frame, checksum_ready, _direction = _receive_frame(opened)
    return read_frame(frame, checksum_ready)


def _receive_frame(opened: socket.socket) -> tuple[bytes, bool, int]:
    """Wait for a frame; return it, whether its UDP checksum is filled in, and its packet type (packet(7))."""
    frame, extra, _flags, sender = opened.recvmsg(_MAX_FRAME_SIZE, socket.CMSG_SPACE(_AUXDATA.size))
    auxiliary = next((data for *kind, data in extra if tuple(kind) == _ANNOUNCED), b"")
    status = _AUXDATA.unpack(auxiliary)[0] if auxiliary else 0
    return frame, not status & _CHECKSUM_NOT_READY, sender[2]


def read_offer(datagram: Datagram, xid: int | None = None) -> Offer | None:
    """Return a server's answer; None for a client's message, or one of another exchange than *xid*."""
    data = datagram.data
    if data[:1] != bytes([REPLY]) or (xid is not None and data[4:8] != xid.to_bytes(4, "big")):
        return None
    try:
        packet = parse(data)
    except DhcpPacketError as error:
        return Offer(datagram.source, datagram.source_mac.colon, datagram.source, DAMAGED, fault=str(error))
    return Offer(
        server=packet.server or datagram.source,
        server_mac=datagram.source_mac.colon,
        source=datagram.source,
        message=packet.message,
        address=_address(packet.your_address),
        relay=_address(packet.relay),
        next_server=_address(packet.next_server),
        server_name=show_text(packet.server_name),
        boot_file=show_text(packet.boot_file),
        options=show_options(packet.options),
    )


def _address(text: str) -> str:
    return "" if text == NO_ADDRESS else text


def open_interface(interface: str) -> socket.socket:
    """Open a packet socket for messages to port 68 on the interface; raise ProbeError when it cannot be used."""
    try:
        index = socket.if_nametoindex(interface)
    except (OSError, ValueError) as error:
        raise ProbeError(f"this machine has no network interface {interface!r}; 'ip -br link' lists its interfaces") from error
    with _translated(interface):
        try:
            # Without a protocol it receives nothing before the filter is attached
            opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        except PermissionError as error:
            raise ProbeError("DHCP discovery needs root or the capability CAP_NET_RAW; use become") from error
    try:
        _listen(opened, interface, index)
    except BaseException:
        opened.close()
        raise
    return opened


def _listen(opened: socket.socket, interface: str, index: int) -> None:
    with _translated(interface):
        _attach(opened, _FILTER)
        opened.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
        opened.setsockopt(_SOL_PACKET, _PACKET_QDISC_BYPASS, 1)
        membership = struct.pack("@iHH8s", index, _PACKET_MR_PROMISC, 0, b"")
        opened.setsockopt(_SOL_PACKET, _PACKET_ADD_MEMBERSHIP, membership)
        opened.bind((interface, _ETH_P_ALL))
    if opened.getsockname()[3] != _ARPHRD_ETHER:
        raise ProbeError(f"{interface} is not an Ethernet interface; name a NIC or a bridge")


def _attach(opened: socket.socket, steps: tuple[tuple[int, int, int, int], ...]) -> None:
    program = array.array("B", b"".join(struct.pack("=HBBI", *step) for step in steps))
    opened.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", len(steps), program.buffer_info()[0]))


class Probe:
    """A DHCP client on an interface that only asks and listens; a context manager."""

    def __init__(
        self,
        interface: str,
        client: Mac | None = None,
        own: Collection[str] = (),
        vendor_class: str = "",
        opened: socket.socket | None = None,
        partner: PartnerKey | None = None,
    ) -> None:
        """Raise ProbeError or DhcpPacketError for invalid options.

        *own*: MAC and IPv4 addresses of servers to ignore, besides this interface's own. *client*: random if None. *opened*: a
        socket from open_interface(), perhaps of another process; it stays open. *partner*: whose answers are expected if it
        confirms them.
        """
        self._interface = interface
        self._partner = partner
        self._confirmations: Confirmations | None = None
        self._opened = opened
        self._own = read_own(own)
        self._xid = secrets.randbits(32)
        client = client or random_mac()
        self._question = build_frame(client, build(discover_message(self._xid, client, vendor_class, _WAITED_SECONDS)))

    def __enter__(self) -> Probe:
        """Open the interface; raise ProbeError when it cannot be used."""
        self._socket = self._opened.dup() if self._opened else open_interface(self._interface)
        mac = Mac(self._socket.getsockname()[4].hex())
        if self._partner:
            self._confirmations = Confirmations(self._partner, mac)
            with _translated(self._interface):
                _attach(self._socket, _PAIR_FILTER)
        else:
            # A loop on the wire returns the frames of this machine's own server
            self._own |= {mac.colon}
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the interface as it was."""
        self._socket.close()

    def ask(self) -> None:
        """Send a DHCPDISCOVER."""
        self._send(self._question)

    def listen(self, end: float, all_clients: bool = False) -> Iterator[Offer]:
        """Yield each answer of an unexpected server until *end* (time.monotonic()).

        *all_clients*: also answers to other clients. What the partner has to confirm is waited for beyond *end*.
        """
        xid = None if all_clients else self._xid
        while (left := end - time.monotonic()) > 0 or self._doubts_before(end):
            datagrams = self._receive(left, xid)
            for datagram in datagrams:
                offer = read_offer(datagram, xid)
                if offer and self._own.isdisjoint({offer.server_mac, offer.server}):
                    yield offer

    def _doubts_before(self, end: float) -> bool:
        return self._confirmations is not None and self._confirmations.has_doubts(end)

    def _receive(self, left: float, xid: int | None) -> list[Datagram]:
        """Wait for a frame, for at most *left* seconds; return what neither this machine nor its partner has sent."""
        if self._confirmations is None:
            datagram = self._receive_within(left)[0]
            return [datagram] if datagram else []
        pause = self._confirmations.pause
        datagram, frame, direction = self._receive_within(min(left, pause) if left > 0 else pause)
        now = time.monotonic()
        foreign = self._sort(self._confirmations, datagram, direction == socket.PACKET_OUTGOING, xid) if datagram else []
        if frame and not datagram:
            self._send(self._confirmations.hear(frame))
        for question in self._confirmations.due(now):
            self._send(question)
        return foreign + self._confirmations.refused(now)

    def _receive_within(self, seconds: float) -> tuple[Datagram | None, bytes, int]:
        self._socket.settimeout(seconds)
        with _translated(self._interface):
            try:
                frame, checksum_ready, direction = _receive_frame(self._socket)
            except TimeoutError:
                return None, b"", 0
        return read_frame(frame, checksum_ready), frame, direction

    def _sort(self, known: Confirmations, datagram: Datagram, is_own: bool, xid: int | None) -> list[Datagram]:
        """Take a datagram; return it if it is a stranger's. One that may be the partner's is kept until that is clear."""
        now = time.monotonic()
        if is_own:
            known.note_sent(datagram, now)
        elif not known.has_sent(datagram):
            offer = read_offer(datagram, xid)
            if offer and known.partner.address not in (offer.server, offer.source):
                return [datagram]
            if offer:
                self._send(known.ask(datagram, now))
        return []

    def _send(self, frame: bytes) -> None:
        """Send a frame, if there is one; a missing cable is not an error."""
        if not frame:
            return
        with _translated(self._interface):
            try:
                self._socket.send(frame)
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise


def discover(
    interface: str,
    timeout: float = 5,
    attempts: int = 2,
    client: Mac | None = None,
    vendor_class: str = "",
    own: Collection[str] = (),
    partner: PartnerKey | None = None,
) -> list[Offer]:
    """Ask *attempts* times, listen for *timeout* seconds, and return the first answer of each unexpected server.

    *own*: MAC and IPv4 addresses of servers to ignore. *partner* is as in Probe. Raise ProbeError or DhcpPacketError.
    """
    seen: set[tuple[str, str]] = set()
    offers: list[Offer] = []
    with Probe(interface, client, own, vendor_class, partner=partner) as probe:
        start = time.monotonic()
        pause = min(_PAUSE, timeout / attempts)
        for attempt in range(1, attempts + 1):
            probe.ask()
            end = start + (pause * attempt if attempt < attempts else timeout)
            offers += _first_of_each(probe.listen(end), seen)
    return offers


def watch(
    interface: str,
    own: Collection[str],
    interval: float,
    on_foreign: Callable[[Offer], None],
    opened: socket.socket | None = None,
    on_quiet: Callable[[], None] = lambda: None,
    partner: PartnerKey | None = None,
) -> NoReturn:
    """Ask every *interval* seconds, and listen all the time, also to answers to phones.

    Call *on_foreign* once per interval and unexpected server, and *on_quiet* each time that LOOK_SECONDS have passed without one.
    *own* is as in discover(), *opened* and *partner* as in Probe. Ends with what *on_foreign* raises, or with
    ProbeError when the interface goes down.
    """
    with Probe(interface, own=own, opened=opened, partner=partner) as probe:
        while True:
            probe.ask()
            end = time.monotonic() + interval
            seen: set[tuple[str, str]] = set()
            while (left := end - time.monotonic()) > 0:
                heard = len(seen)
                for offer in _first_of_each(probe.listen(time.monotonic() + min(left, LOOK_SECONDS), all_clients=True), seen):
                    on_foreign(offer)
                if len(seen) == heard:
                    on_quiet()


def _first_of_each(offers: Iterable[Offer], seen: set[tuple[str, str]]) -> Iterator[Offer]:
    for offer in offers:
        server = (offer.server_mac, offer.server)
        if server not in seen and len(seen) < _MAX_SERVERS:
            seen.add(server)
            yield offer


@contextmanager
def _translated(interface: str) -> Iterator[None]:
    """Turn the kernel's error about the interface into a ProbeError."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENETDOWN:
            raise ProbeError(f"{interface} is down; bring it up, for example with 'ip link set {interface} up'") from error
        raise ProbeError(f"{interface} cannot be used: {error.strerror}") from error
