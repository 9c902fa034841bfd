# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who else answers DHCP on a wire: ask as a client that never takes a lease, or listen all the time.

Runs on the target and needs CAP_NET_RAW alone. Nothing is configured: frames are made and read here, on a packet socket, so that
the interface needs no address, and port 68 stays free. The interface is promiscuous meanwhile, for servers that answer a client
directly.

This machine's own DHCP server on the same interface is neither asked nor heard: what is sent here passes the taps of other programs
by (PACKET_QDISC_BYPASS, packet(7)), and only frames that come in from the wire are read. So the own server's pool and log stay as
they are, and no other machine can pass for this one by taking its addresses.
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

from .dhcp_packets import (
    CLIENT_PORT,
    NO_ADDRESS,
    REPLY,
    SERVER_PORT,
    DhcpPacketError,
    build,
    discover_message,
    parse,
    show_options,
    show_text,
)
from .mac import Mac, MacError, parse_mac

_ETHERTYPE_IP = 0x0800
_ETHERNET = struct.Struct("!6s6sH")
_IP = struct.Struct("!BBHHHBBH4s4s")
_UDP = struct.Struct("!HHHH")
_BROADCAST_MAC = b"\xff" * 6
_BROADCAST_ADDRESS = b"\xff" * 4
_PROTOCOL_UDP = 17
_FRAGMENT = 0x3FFF
_TIME_TO_LIVE = 64

# From linux/if_packet.h, if_ether.h, filter.h, if_arp.h and asm-generic/socket.h, which the module socket does not name
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
_LARGEST_FRAME = 65536
_ETH_P_ALL = 3
_ANCILLARY = 0xFFFFF000

# Classic BPF: (operation, jump if true, jump if false, operand). A frame that came in, of this LAN, with UDP to port 68 in an IPv4
# packet that is no later fragment.
_FILTER = (
    (0x20, 0, 0, _ANCILLARY + 4),  # packet type
    (0x15, 11, 0, socket.PACKET_OUTGOING),
    (0x20, 0, 0, _ANCILLARY + 44),  # VLAN tag; number 0 is no VLAN (IEEE 802.1Q: priority alone)
    (0x45, 9, 0, 0x0FFF),
    (0x28, 0, 0, 12),
    (0x15, 0, 7, _ETHERTYPE_IP),
    (0x30, 0, 0, 23),
    (0x15, 0, 5, _PROTOCOL_UDP),
    (0x28, 0, 0, 20),
    (0x45, 3, 0, 0x1FFF),
    (0xB1, 0, 0, 14),
    (0x48, 0, 0, 16),
    (0x15, 1, 0, CLIENT_PORT),
    (0x06, 0, 0, 0),
    (0x06, 0, 0, _LARGEST_FRAME),
)

# Servers that let others go first answer a client that has waited for long.
_WAITED_SECONDS = 60
# Soon, since the answer to the last question may take another three.
_PAUSE = 1
# A flood of made-up servers is told by its beginning.
_MOST_SERVERS = 64


class ProbeError(Exception):
    """The interface cannot be used, or an option cannot be understood; the message says why and what to do."""


@dataclass(frozen=True)
class Datagram:
    """A UDP datagram to port 68, and who put it on the wire."""

    source_mac: Mac
    source: str
    data: bytes


@dataclass(frozen=True)
class Offer:
    """What one DHCP server answered. Everything in it comes from a stranger."""

    server: str
    """Its server identifier; where it sent none, the address that the answer came from."""
    server_mac: str
    """Where the answer came from: the server, or the relay on this wire."""
    source: str
    message: str
    """``offer``, ``ack``, ``nak``, ``bootp``; ``damaged`` when there is a fault."""
    address: str = ""
    """The address for the client; empty when there is none."""
    relay: str = ""
    next_server: str = ""
    server_name: str = ""
    boot_file: str = ""
    options: dict[str, str | int | list[str]] = field(default_factory=dict)
    """As dhcp_packets.show_options()."""
    fault: str = ""
    """Why the message cannot be read; some clients read it nevertheless."""

    def __str__(self) -> str:
        way = f" by the relay {self.relay}" if self.relay else ""
        what = f"offers {self.address}" if self.message == "offer" else f"answers with {self.message}"
        return f"the DHCP server {self.server} ({self.server_mac}){way} {what}"


def random_mac() -> Mac:
    """Return a locally administered address that is not in use."""
    first, *others = secrets.token_bytes(6)
    return Mac(bytes([first & 0xFC | 2, *others]).hex())


def read_own(values: Iterable[object]) -> frozenset[str]:
    """Read the MAC and IPv4 addresses of servers that belong here; raise ProbeError for anything else."""
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
            f"{value!r} is neither an IPv4 address nor a MAC address of a server; write it as 192.0.2.1 or 00:00:5e:00:53:01"
        ) from error


def checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071); 0 for data that holds its own right checksum."""
    words = array.array("H", data + b"\0" * (len(data) % 2))
    total = sum(words)
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return socket.htons(~total & 0xFFFF)


def build_frame(client: Mac, data: bytes) -> bytes:
    """Return the Ethernet frame of a message from a client without an address to all servers."""
    source = IPv4Address(NO_ADDRESS).packed
    length = _UDP.size + len(data)
    pseudo = source + _BROADCAST_ADDRESS + struct.pack("!HH", _PROTOCOL_UDP, length)
    # 0 would say that there is none (RFC 768).
    total = checksum(pseudo + _UDP.pack(CLIENT_PORT, SERVER_PORT, length, 0) + data) or 0xFFFF
    datagram = _UDP.pack(CLIENT_PORT, SERVER_PORT, length, total) + data

    def ip(header_checksum: int) -> bytes:
        return _IP.pack(0x45, 0, _IP.size + length, 0, 0, _TIME_TO_LIVE, _PROTOCOL_UDP, header_checksum, source, _BROADCAST_ADDRESS)

    return _ETHERNET.pack(_BROADCAST_MAC, bytes.fromhex(client.plain), _ETHERTYPE_IP) + ip(checksum(ip(0))) + datagram


def read_frame(frame: bytes, checksum_ready: bool = True) -> Datagram | None:
    """Return the datagram to port 68 in an Ethernet frame; None for anything else, and for damage.

    *checksum_ready*: False for a frame whose UDP checksum a network card would have filled in.
    """
    if len(frame) < _ETHERNET.size + _IP.size:
        return None
    _destination, source_mac, kind = _ETHERNET.unpack_from(frame)
    packet = frame[_ETHERNET.size :]
    version, _service, total, _id, fragment, _ttl, protocol, _sum, source, destination = _IP.unpack_from(packet)
    header = (version & 15) * 4
    if kind != _ETHERTYPE_IP or version >> 4 != 4 or header < _IP.size or protocol != _PROTOCOL_UDP or fragment & _FRAGMENT:
        return None
    if not header + _UDP.size <= total <= len(packet) or checksum(packet[:header]) != 0:
        return None
    _from, to, length, told = _UDP.unpack_from(packet, header)
    if to != CLIENT_PORT or not _UDP.size <= length <= total - header:
        return None
    datagram = packet[header : header + length]
    if told and checksum_ready and checksum(source + destination + struct.pack("!HH", _PROTOCOL_UDP, length) + datagram) != 0:
        return None
    return Datagram(Mac(source_mac.hex()), str(IPv4Address(source)), datagram[_UDP.size :])


def receive(opened: socket.socket) -> Datagram | None:
    """Wait for a frame on a socket of open_interface(), and return the datagram in it; None for damage."""
    frame, extra, _flags, _sender = opened.recvmsg(_LARGEST_FRAME, socket.CMSG_SPACE(_AUXDATA.size))
    auxiliary = next((data for *kind, data in extra if tuple(kind) == _ANNOUNCED), b"")
    status = _AUXDATA.unpack(auxiliary)[0] if auxiliary else 0
    return read_frame(frame, checksum_ready=not status & _CHECKSUM_NOT_READY)


def read_offer(datagram: Datagram, xid: int | None = None) -> Offer | None:
    """Return what a server says; None when it is no server's message, or one of another exchange than *xid*."""
    data = datagram.data
    if data[:1] != bytes([REPLY]) or (xid is not None and data[4:8] != xid.to_bytes(4, "big")):
        return None
    try:
        packet = parse(data)
    except DhcpPacketError as error:
        return Offer(datagram.source, datagram.source_mac.colon, datagram.source, "damaged", fault=str(error))
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
    """Open a packet socket that hears what servers send to port 68 there; raise ProbeError when the interface cannot be used."""
    try:
        index = socket.if_nametoindex(interface)
    except (OSError, ValueError) as error:
        raise ProbeError(
            f"there is no network interface {interface!r} on this machine; 'ip -br link' lists those that are"
        ) from error
    with _explained(interface):
        try:
            # Without a protocol it hears nothing before the filter is there.
            opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        except PermissionError as error:
            raise ProbeError("asking DHCP servers needs root, or the capability CAP_NET_RAW; use become") from error
    try:
        _listen(opened, interface, index)
    except BaseException:
        opened.close()
        raise
    return opened


def _listen(opened: socket.socket, interface: str, index: int) -> None:
    with _explained(interface):
        program = array.array("B", b"".join(struct.pack("=HBBI", *step) for step in _FILTER))
        opened.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", len(_FILTER), program.buffer_info()[0]))
        opened.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
        opened.setsockopt(_SOL_PACKET, _PACKET_QDISC_BYPASS, 1)
        membership = struct.pack("@iHH8s", index, _PACKET_MR_PROMISC, 0, b"")
        opened.setsockopt(_SOL_PACKET, _PACKET_ADD_MEMBERSHIP, membership)
        opened.bind((interface, _ETH_P_ALL))
    if opened.getsockname()[3] != _ARPHRD_ETHER:
        raise ProbeError(f"{interface} is no Ethernet interface; DHCP servers for phones are on a NIC or a bridge")


class Probe:
    """A DHCP client on an interface that only asks and listens; use as a context manager."""

    def __init__(
        self,
        interface: str,
        client: Mac | None = None,
        own: Collection[str] = (),
        vendor_class: str = "",
        opened: socket.socket | None = None,
    ) -> None:
        """*own*: MAC and IPv4 addresses of servers that are not told, beside this interface's own. *client*: random if None.

        *opened*: what open_interface() has returned, perhaps in another process; it stays open. Raise ProbeError or DhcpPacketError
        for options that cannot be used.
        """
        self._interface = interface
        self._opened = opened
        self._own = read_own(own)
        self._xid = secrets.randbits(32)
        client = client or random_mac()
        self._question = build_frame(client, build(discover_message(self._xid, client, vendor_class, _WAITED_SECONDS)))

    def __enter__(self) -> Probe:
        """Open the interface; raise ProbeError when it cannot be used."""
        self._socket = self._opened.dup() if self._opened else open_interface(self._interface)
        # A loop on the wire brings back what this machine's server has sent.
        self._own |= {Mac(self._socket.getsockname()[4].hex()).colon}
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the interface as it was."""
        self._socket.close()

    def ask(self) -> None:
        """Send a DHCPDISCOVER; nobody hears it where no cable is plugged in, and that is no error."""
        with _explained(self._interface):
            try:
                self._socket.send(self._question)
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise

    def hear(self, end: float, everybody: bool = False) -> Iterator[Offer]:
        """Yield each answer by a server that does not belong here, until *end* (time.monotonic()).

        *everybody*: answers to other clients too.
        """
        while (left := end - time.monotonic()) > 0:
            self._socket.settimeout(left)
            with _explained(self._interface):
                try:
                    datagram = receive(self._socket)
                except TimeoutError:
                    return
            offer = read_offer(datagram, None if everybody else self._xid) if datagram else None
            if offer and self._own.isdisjoint({offer.server_mac, offer.server}):
                yield offer


def discover(
    interface: str,
    timeout: float = 5,
    attempts: int = 2,
    client: Mac | None = None,
    vendor_class: str = "",
    own: Collection[str] = (),
) -> list[Offer]:
    """Ask *attempts* times, listen for *timeout* seconds, and return the first answer of each server that does not belong here.

    *own*: MAC and IPv4 addresses of servers to leave out. Raise ProbeError or DhcpPacketError when that cannot be.
    """
    seen: set[tuple[str, str]] = set()
    offers: list[Offer] = []
    with Probe(interface, client, own, vendor_class) as probe:
        start = time.monotonic()
        pause = min(_PAUSE, timeout / attempts)
        for attempt in range(1, attempts + 1):
            probe.ask()
            end = start + (pause * attempt if attempt < attempts else timeout)
            offers += _first_of_each(probe.hear(end), seen)
    return offers


def watch(
    interface: str,
    own: Collection[str],
    interval: float,
    on_foreign: Callable[[Offer], None],
    opened: socket.socket | None = None,
) -> NoReturn:
    """Ask every *interval* seconds, and listen all the time, also to what servers answer to phones.

    Calls *on_foreign* once for each interval and server that does not belong here. *own* is as in discover(), *opened* as in
    Probe. Ends by what *on_foreign* raises, or by ProbeError when the interface goes down.
    """
    with Probe(interface, own=own, opened=opened) as probe:
        while True:
            probe.ask()
            for offer in _first_of_each(probe.hear(time.monotonic() + interval, everybody=True), set()):
                on_foreign(offer)


def _first_of_each(offers: Iterable[Offer], seen: set[tuple[str, str]]) -> Iterator[Offer]:
    for offer in offers:
        server = (offer.server_mac, offer.server)
        if server not in seen and len(seen) < _MOST_SERVERS:
            seen.add(server)
            yield offer


@contextmanager
def _explained(interface: str) -> Iterator[None]:
    """Turn what the kernel says of the interface into a ProbeError."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENETDOWN:
            raise ProbeError(f"{interface} is down; bring it up first, as with 'ip link set {interface} up'") from error
        raise ProbeError(f"{interface} cannot be used: {error.strerror}") from error
