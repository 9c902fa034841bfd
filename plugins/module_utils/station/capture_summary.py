# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Summarize one phone's captured packets, one line per packet, from fields that tshark dissected.

DHCP and syslog messages are parsed from their bytes instead. All text comes from strangers.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from ..common.mac import Mac
from ..common.text_tables import printable
from ..dhcp.packets import NO_ADDRESS, DhcpPacketError, parse, show_options, show_text

FIELDS = (
    *(
        "frame.time_epoch",
        "frame.protocols",
        "eth.src",
        "ip.src",
        "ip.dst",
        "tcp.srcport",
        "tcp.dstport",
        "udp.dstport",
        "udp.payload",
    ),
    *("tftp.opcode", "tftp.source_file", "tftp.destination_file", "tftp.error.code", "tftp.error.message"),
    *("http.request.method", "http.request.uri", "http.host", "http.user_agent"),
    *("http.response.code", "http.response.phrase", "http.content_length", "http.location"),
    *("tls.record.content_type", "tls.handshake.type", "tls.handshake.extensions_server_name", "tls.alert_message.desc"),
    *("dns.flags.response", "dns.flags.rcode", "dns.qry.name", "dns.qry.type", "dns.a"),
    *("icmp.type", "icmp.code", "tcp.flags.reset"),
)
"""Fields to request from tshark with ``-T json -e``."""

SHOWN = (
    "dhcp or syslog or dns or http.request or http.response or tls.handshake.type == 1 or tls.record.content_type == 21"
    " or tftp.opcode in {1, 2, 5, 6} or (tftp.opcode == 3 and tftp.block == 1) or icmp.type == 3"
    # The response to a SYN for a closed port
    " or (tcp.flags.reset == 1 and tcp.flags.ack == 1 and tcp.seq == 1 and tcp.ack == 1)"
)
"""Display filter for packets that are worth a line."""

ALERTS: Mapping[int, str] = MappingProxyType(
    {
        0: "closes the connection",
        10: "unexpected message",
        20: "damaged record",
        22: "record too long",
        40: "handshake failure: no common version, cipher or certificate type",
        42: "the certificate is damaged",
        43: "the certificate's type is not supported",
        44: "the certificate has been revoked",
        45: "the certificate has expired, or the clock is wrong",
        46: "the certificate is rejected for another reason",
        47: "a field has an invalid value",
        48: "the certificate's root is not known here",
        49: "access denied",
        50: "a message cannot be decoded",
        51: "a signature or key exchange is invalid",
        70: "no common TLS version",
        71: "the peer's ciphers are too weak",
        80: "internal error",
        86: "inappropriate fallback to an older version",
        90: "cancelled by the user",
        109: "an extension is missing",
        110: "an extension that was not requested",
        112: "unknown server name",
        113: "invalid OCSP response",
        116: "a client certificate is required, but none was sent",
        120: "no common application protocol",
    }
)
"""Meaning of a TLS alert (RFC 8446 section 6); it describes what its sender received."""

_SEVERITY = re.compile(rb"<\d{1,3}>")
_ALERT = "21"
_WORDS_FOR_UNREACHABLE = {"0": "there is no route to its network", "1": "the host does not respond", "3": "nothing listens there"}
_FORBIDDEN = {"9", "10", "13"}
_DNS_FAILURES = {
    "1": "the query is damaged",
    "2": "the server failed",
    "3": "no such name",
    "5": "the server refuses to answer",
}
_TFTP_ERRORS = {
    "0": "",
    "1": "file not found",
    "2": "access violation",
    "3": "disk full",
    "4": "illegal operation",
    "5": "unknown transfer",
    "6": "file exists already",
    "8": "option refused",
}


class CaptureError(ValueError):
    """The text is not output of tshark; the message says why."""


@dataclass(frozen=True)
class Packet:
    """The fields of one packet, each with all its values."""

    fields: Mapping[str, Sequence[str]]

    def first(self, name: str) -> str:
        """Return the first value, escaped; an empty text if there is none."""
        return printable(next(iter(self.fields.get(name, ())), ""))

    def all(self, name: str) -> list[str]:
        """Return all values, escaped."""
        return [printable(value) for value in self.fields.get(name, ())]

    @property
    def payload(self) -> bytes:
        try:
            return bytes.fromhex(self.first("udp.payload").replace(":", ""))
        except ValueError:
            return b""

    @property
    def seconds(self) -> float:
        """The time since 1970; tshark writes a number, or since 4.2 a date."""
        text = self.first("frame.time_epoch")
        try:
            return float(text)
        except ValueError:
            # fromisoformat accepts at most six decimals of a second
            return datetime.datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text).replace("Z", "+00:00")).timestamp()


def record_filter(phone: Mac) -> str:
    """Return a capture filter for a phone's packets, and for broadcast DHCP responses that contain its address.

    A mirrored port may carry VLAN tags. What follows ``vlan`` in a filter sees tagged packets only (pcap-filter(7)), so it is last.
    """
    digits = phone.plain
    dhcp = f"(udp port 67 or udp port 68) and udp[36:4] = 0x{digits[:8]} and udp[40:2] = 0x{digits[8:]}"
    return f"ether host {phone.colon} or ({dhcp}) or (vlan and {dhcp})"


def phone_filter(phone: Mac, since: float | None = None) -> str:
    """Return a display filter for the same packets, from *since* on (seconds since 1970)."""
    own = f"(eth.addr == {phone.colon} or dhcp.hw.mac_addr == {phone.colon})"
    return own if since is None else f"{own} and frame.time_epoch >= {since:.3f}"


def summarize(text: str, phone: Mac, max_lines: int = 1000) -> list[str]:
    """Return a line for each packet of interest, ordered by time (UTC), after one with the date; no lines without such packets.

    *text*: tshark's output; raise CaptureError for anything else. Lines beyond *max_lines* are only counted.
    """
    packets = sorted(_packets(text), key=lambda packet: packet.seconds)
    lines = [line for packet in packets for line in _lines(packet, phone)]
    if not lines:
        return []
    more = [f"... and {len(lines) - max_lines} more"] if len(lines) > max_lines else []
    return [f"{_time(packets[0]):%Y-%m-%d} (UTC), {phone.colon}", *lines[:max_lines], *more]


def _packets(text: str) -> Iterator[Packet]:
    try:
        rows = json.loads(text or "[]")
        for row in rows:
            fields = row["_source"]["layers"]
            packet = Packet({name: [str(value) for value in values] for name, values in fields.items()})
            _time(packet)
            yield packet
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, OSError) as error:
        raise CaptureError(f"the text is not output of tshark -T json: {error}") from error


def _time(packet: Packet) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(packet.seconds, datetime.UTC)


def _lines(packet: Packet, phone: Mac) -> Iterator[str]:
    who = "phone" if packet.first("eth.src") == phone.colon else packet.first("ip.src") or packet.first("eth.src")
    protocols = packet.first("frame.protocols").split(":")
    for protocol, describe in _DESCRIBERS.items():
        if protocol in protocols:
            for text in describe(packet):
                yield f"{_time(packet):%H:%M:%S.%f}"[:12] + f"  {_NAMES.get(protocol, protocol.upper()):<6}  {who}: {text}"
            return


def _dhcp(packet: Packet) -> Iterator[str]:
    try:
        message = parse(packet.payload)
    except DhcpPacketError as error:
        yield f"a message that cannot be decoded: {error}"
        return
    options = {code: value for code, value in message.options.items() if code != 53}
    shown = {name.removeprefix("option_"): value for name, value in show_options(options).items()}
    if 55 in options:
        shown["55"] = [str(code) for code in options[55]]
    parts = [f"{code}={','.join(value) if isinstance(value, list) else value}" for code, value in shown.items()]
    if message.boot_file:
        parts.append(f"file={show_text(message.boot_file)}")
    if message.next_server != NO_ADDRESS:
        parts.append(f"next server={message.next_server}")
    address = f" {message.your_address}" if message.your_address != NO_ADDRESS else ""
    yield f"{message.message}{address}" + (f"; options {' '.join(parts)}" if parts else "")


def _tftp(packet: Packet) -> Iterator[str]:
    code = packet.first("tftp.opcode")
    name = packet.first("tftp.source_file") or packet.first("tftp.destination_file")
    if code == "1":
        yield f"asks {packet.first('ip.dst')} for {name}"
    elif code == "2":
        yield f"asks to write {name} to {packet.first('ip.dst')}"
    elif code == "3":
        yield f"begins to send {name}".rstrip()
    elif code == "6":
        yield f"accepts options for {name}".removesuffix(" for ")
    elif code == "5":
        number, text = packet.first("tftp.error.code"), packet.first("tftp.error.message")
        meaning = ", ".join(part for part in (_TFTP_ERRORS.get(number, ""), f"'{text}'" if text else "") if part)
        yield f"error {number}" + (f" ({meaning})" if meaning else "") + (f" for {name}" if name else "")


def _http(packet: Packet) -> Iterator[str]:
    method, code = packet.first("http.request.method"), packet.first("http.response.code")
    if method:
        agent = packet.first("http.user_agent")
        scheme = "https" if "tls" in packet.first("frame.protocols").split(":") else "http"
        where = packet.first("http.host") or packet.first("ip.dst")
        yield f"{method} {scheme}://{where}{packet.first('http.request.uri')}" + (f" ({agent})" if agent else "")
    if code:
        length, location = packet.first("http.content_length"), packet.first("http.location")
        more = [*([f"{length} bytes"] if length else []), *([f"redirects to {location}"] if location else [])]
        yield ", ".join([f"{code} {packet.first('http.response.phrase')}".rstrip(), *more])


def _tls(packet: Packet) -> Iterator[str]:
    yield from _http(packet)
    if "1" in packet.all("tls.handshake.type"):
        name = packet.first("tls.handshake.extensions_server_name")
        yield f"asks {packet.first('ip.dst')}:{packet.first('tcp.dstport')} for {name or 'an unnamed server'}"
    alerts = packet.all("tls.alert_message.desc")
    for number in alerts:
        yield f"alert {number}: {ALERTS.get(int(number), 'unknown')}" if number.isdecimal() else f"alert {number}"
    if _ALERT in packet.all("tls.record.content_type") and not alerts:
        yield "encrypted alert: it closes the connection or reports an error"


def _syslog(packet: Packet) -> Iterator[str]:
    text = _SEVERITY.sub(b"", packet.payload, count=1)
    yield f"logs to {packet.first('ip.dst')}: {show_text(text)}"


def _dns(packet: Packet) -> Iterator[str]:
    name, addresses = packet.first("dns.qry.name"), packet.all("dns.a")
    # The type of IPv4 addresses, which phones ask for
    what = name if packet.first("dns.qry.type") == "1" else f"{name} (type {packet.first('dns.qry.type')})"
    if packet.first("dns.flags.response") not in ("1", "True"):
        yield f"asks {packet.first('ip.dst')} for {what}"
    elif addresses:
        yield f"{what} is {', '.join(addresses)}"
    else:
        yield f"{what}: {_DNS_FAILURES.get(packet.first('dns.flags.rcode'), 'no address')}"


def _icmp(packet: Packet) -> Iterator[str]:
    code = packet.first("icmp.code")
    why = "a firewall rejects it" if code in _FORBIDDEN else _WORDS_FOR_UNREACHABLE.get(code, f"code {code}")
    # The second address and the port are those of the undelivered packet
    port = packet.first("udp.dstport") or packet.first("tcp.dstport")
    place = (packet.all("ip.dst")[1:] or [""])[0]
    yield f"{place}{f' port {port}' if port else ''} cannot be reached: {why}".lstrip()


def _tcp(packet: Packet) -> Iterator[str]:
    yield f"nothing listens on TCP port {packet.first('tcp.srcport')}"


# In order of precedence: an ICMP message contains the undelivered packet, and TLS contains HTTP
_DESCRIBERS: Mapping[str, Callable[[Packet], Iterator[str]]] = {
    "icmp": _icmp,
    "dhcp": _dhcp,
    "tftp": _tftp,
    "tls": _tls,
    "http": _http,
    "syslog": _syslog,
    "dns": _dns,
    "tcp": _tcp,
}
_NAMES = {"syslog": "log"}
