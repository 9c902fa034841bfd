# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Parse the station's log lines about phones: those of dhcpd or Kea, dnsmasq (TFTP), nginx, the station's services and the phones.

Strangers control parts of each line, so a line proves only what its writer can know: nginx knows a verified certificate, dhcpd
or Kea who has an address, and dnsmasq chooses a unit's folder by the MAC address of the requester. Whatever else a path, a header
or a phone's own message says is a claim.

Sources: the lines that dhcpd 4.4, Kea 2.2, 2.6 and 3.0, dnsmasq 2.90 and nginx 1.22 write; syslog_messages.py for those of phones.
nginx writes bytes that are not UTF-8 as they are; dnsmasq (sanitise() in tftp.c) leaves out what is not printable, so a name may
have been another.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple

from ...common.mac import MacError, parse_mac
from ...common.redaction import redact
from ...common.text_tables import printable
from ...families.user_agent import parse_user_agent
from .evidence import CLAIMS, Evidence, Place
from .refusals import add_verify_error
from .syslog_messages import recognise


class EventKind(StrEnum):
    """The kinds of events; the database stores these values."""

    LEASE = "lease"
    TFTP = "tftp"
    HTTP = "http"
    """A request that nginx logged."""
    RESYNC = "resync"
    UPGRADE = "upgrade"
    PROFILE = "profile"
    """A profile that the profile service delivered or refused."""
    REPORT = "report"
    REDIRECT = "redirect"
    ARMING = "arming"
    """From now on, or no longer, a unit gets its own file by TFTP."""


_OF_SERVICE = (EventKind.PROFILE, EventKind.REPORT, EventKind.REDIRECT)


class WebAnswer(StrEnum):
    """How the web server answered a request for a file; the database stores these values."""

    FILE = "file"
    """With a published file, or not at all."""
    PASSED_ON = "passed on"
    """By the profile service, whose own line says what it delivered."""


class Writer(StrEnum):
    """The programs that write log lines."""

    DHCP = "dhcp"
    KEA = "kea"
    TFTP = "tftp"
    WEB = "web"
    SERVICE = "service"
    PHONE = "phone"
    ARMING = "arming"


UNITS: Mapping[str, Writer] = MappingProxyType(
    {
        "isc-dhcp-server.service": Writer.DHCP,
        "kea-dhcp4-server.service": Writer.KEA,
        "preprovision-tftp.service": Writer.TFTP,
        "nginx.service": Writer.WEB,
        "preprovision-service.service": Writer.SERVICE,
        "preprovision-arming.service": Writer.ARMING,
    }
)
"""A line's writer by the unit that the journal recorded: no other program can take that name."""

_MAX_LINE_LENGTH = 32768
_MAX_TEXT_LENGTH = 512
_MAX_PATH_LENGTH = 1024
# A client identifier has up to 255 bytes, in digits
_MAX_KEA_LENGTH = 1536
_MAX_DETAILS = 16

# A MAC address inside a path or a subject, in any spelling
_MAC_INSIDE = re.compile(r"(?<![0-9a-f])(?:[0-9a-f]{2}[-:.]?){5}[0-9a-f]{2}(?![0-9a-f])", re.IGNORECASE)
_JOINT = re.compile(r"[-:.]")
# ID of a key in the name of a file, see profiles.keys.key_id(); that of no key is all zeros
_KEY_ID = re.compile(r"(?<![0-9a-z])(?!0{8})[0-9a-f]{8}(?![0-9a-z])")
_DELIVERED = (200, 206, 304)
_ADDRESS = re.compile(r"[0-9a-f.:]{2,45}", re.IGNORECASE)
# Attributes of a certificate's subject; a comma or plus sign inside a value has a backslash before it
_ATTRIBUTE = re.compile(r"(?:^|[,+])([^=,+]{1,64})=((?:\\.|[^\\,+])*)")
_SERIAL_NUMBERS = ("l", "serialnumber")

_MAC = r"(?P<mac>(?:[0-9a-f]{2}:){5}[0-9a-f]{2})"
_IP = r"(?P<address>[0-9.]{7,15})"
# dhcpd prints a client's own name in parentheses after its MAC address, so a name cannot pose as an address
_DHCP = (
    ("ack", re.compile(rf"DHCPACK on {_IP} to {_MAC} ")),
    ("discover", re.compile(rf"DHCPDISCOVER from {_MAC} ")),
    ("nak", re.compile(rf"DHCPNAK on {_IP} to {_MAC} ")),
    ("decline", re.compile(rf"DHCPDECLINE of {_IP} from {_MAC} ")),
    ("release", re.compile(rf"DHCPRELEASE of {_IP} from {_MAC} ")),
)
_NONE_FREE = re.compile(r": (?:network \S{1,64}: )?no free leases$")
# Kea writes the line before it sends the answer, and what clients say of themselves as digits; kea_configuration.py has the loggers
_KEA_CLIENT = rf"\[hwtype=1 {_MAC}\], cid=\[[^\]]{{1,800}}\], tid=0x[0-9a-f]{{1,8}}"
_KEA = tuple(
    (what, re.compile(rf"(?:[A-Z]+ +\[kea-dhcp4\.[a-z0-9-]+\] )?{words}"))
    for what, words in (
        ("ack", rf"DHCP4_LEASE_(?:ALLOC|REUSE) {_KEA_CLIENT}: lease {_IP} "),
        ("discover", rf"DHCP4_LEASE_(?:ADVERT|OFFER) {_KEA_CLIENT}: lease "),
        ("none free", rf"DHCP4_PACKET_NAK_0003 {_KEA_CLIENT}: "),
        ("nak", rf"DHCP4_PACKET_NAK_000[124] {_KEA_CLIENT}: .*?(?:invalid address|requested-ip-address) {_IP}"),
        ("decline", rf"DHCP4_DECLINE_LEASE Received DHCPDECLINE for addr {_IP} from client {_KEA_CLIENT}"),
        ("release", rf"DHCP4_RELEASE {_KEA_CLIENT}: address {_IP} "),
    )
)
# A file name may contain spaces, even " to " and an address: only the last one is dnsmasq's own
_TFTP = (
    ("sent", re.compile(rf"sent (?P<path>.+) to {_IP}$")),
    ("missing", re.compile(rf"file (?P<path>.+) not found for {_IP}$")),
    ("failed", re.compile(rf"failed sending (?P<path>.+) to {_IP}$")),
    ("aborted", re.compile(rf"error \d+ (?P<path>.*) received from {_IP}$")),
)
# A text without any of these has nothing to redact; one search is quicker than redact()'s three
_MAY_HIDE = re.compile(r"--|://|[?&;]")
# By which the role tftp_server lets dnsmasq name the served folder
_TFTP_ROOT = "/run/tftp"
# dnsmasq serves a unit from the folder with the unit's MAC address (tftp-unique-root=mac)
_UNIT_FOLDER = re.compile(r"/((?:[0-9a-f]{2}-){5}[0-9a-f]{2})(?=/)")
_ARMING = re.compile(r"(?P<what>armed|disarmed) (?P<mac>(?:[0-9a-f]{2}-){5}[0-9a-f]{2})")
_FROM_PHONE = re.compile(r"(?P<time>\S{20,40}) (?P<address>[0-9a-f.:]{2,45}) \S{1,32} ?(?P<text>.*)", re.DOTALL | re.IGNORECASE)


class Line(NamedTuple):
    """A log line and its origin."""

    writer: Writer
    time: int
    """Milliseconds since 1970."""
    text: str
    key: str
    """Identifies the line, however often it is read."""
    address: str = ""
    """Address of the phone that sent it."""


@dataclass(frozen=True)
class Event:
    """Something that happened to a phone."""

    key: str
    time: int
    """Milliseconds since 1970."""
    kind: EventKind
    mac: str = ""
    """12 hex digits of the phone, if proven; else empty."""
    address: str = ""
    claim: str = ""
    """12 hex digits of the phone that the event claims to be about; used if nothing better is known."""
    detail: Mapping[str, str | int] = field(default_factory=dict)
    """Strangers' texts, truncated, redacted and escaped."""
    evidence: Evidence = Evidence.NONE
    """What proves *mac*; of an event without, NAME if *claim* was named by its key ID too."""
    place: Place = Place.BENCH
    """Where the server stands that logged it."""


def decode(data: bytes) -> str:
    """Return bytes of a log as text; clean() shows those that are not UTF-8 as ``\\xff``."""
    return data.decode("utf-8", "surrogateescape")


def journal_text(message: object) -> str | None:
    """Return the message of an entry that journalctl prints as JSON; None if there is none, or one that it calls too long.

    Source: JSON format of systemd's journal export formats. Text that is not UTF-8 or not printable is an array of its bytes there.
    """
    if isinstance(message, list):
        try:
            return decode(bytes(message))
        except (TypeError, ValueError):
            return None
    return message if isinstance(message, str) else None


def read_line(text: str) -> Line | None:
    """Read a line from rsyslog: JSON with unit, time, process and message, or with the offset and message of a phone's log."""
    record = _read_json(text)
    message = record.get("msg")
    if not isinstance(message, str):
        return None
    if record.get("offset"):
        return _read_phone_line(message, str(record["offset"]))
    writer = UNITS.get(str(record.get("unit")))
    # The journal's time has microseconds, and no process writes two lines within one
    stamp = str(record.get("time"))
    time = _milliseconds(stamp)
    if writer is None or time is None:
        return None
    return Line(writer, time, message, _key(writer, stamp, str(record.get("process")), message))


def _read_phone_line(message: str, offset: str) -> Line | None:
    match = _FROM_PHONE.fullmatch(message)
    time = _milliseconds(match["time"]) if match else None
    if match is None or time is None:
        return None
    return Line(Writer.PHONE, time, match["text"], _key(Writer.PHONE, offset, message), match["address"])


def _key(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _milliseconds(stamp: str) -> int | None:
    try:
        time = datetime.fromisoformat(stamp)
        # A time without a zone is ambiguous
        return round(time.timestamp() * 1000) if time.tzinfo and time.year >= 1970 else None
    except (ValueError, OverflowError):
        return None


def _read_json(text: str) -> dict[str, Any]:
    """Return the JSON object in *text*, or an empty one."""
    if len(text) > _MAX_LINE_LENGTH or not text.lstrip().startswith("{"):
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def parse(line: Line) -> Event | None:
    """Return the event that *line* describes, or None. No content of a line raises an exception."""
    return _PARSERS[line.writer](line)


def _parse_dhcp(line: Line) -> Event | None:
    text = line.text[:_MAX_TEXT_LENGTH]
    for what, pattern in _DHCP:
        match = pattern.match(text)
        if match:
            if what == "discover" and _NONE_FREE.search(text):
                what = "none free"
            mac = mac_of(match["mac"])
            address = match.groupdict().get("address") or ""
            return Event(line.key, line.time, EventKind.LEASE, mac, address, detail={"what": what}) if mac else None
    return None


def _parse_kea(line: Line) -> Event | None:
    text = line.text[:_MAX_KEA_LENGTH]
    for what, pattern in _KEA:
        match = pattern.match(text)
        if match:
            mac = mac_of(match["mac"])
            address = match.groupdict().get("address") or ""
            return Event(line.key, line.time, EventKind.LEASE, mac, address, detail={"what": what}) if mac else None
    return None


def _parse_tftp(line: Line) -> Event | None:
    for what, pattern in _TFTP:
        match = pattern.match(line.text)
        if match:
            path = match["path"].removeprefix(_TFTP_ROOT)
            detail = {"what": what, "path": clean(path, _MAX_PATH_LENGTH)}
            folder, _rest = split_unit_folder(path)
            # A name that is not found may have been requested with the folder of another unit
            proven = folder if what == "sent" else ""
            evidence = Evidence.TFTP if proven else Evidence.NONE
            claim = folder or mac_inside(path)
            return Event(line.key, line.time, EventKind.TFTP, proven, match["address"], claim, detail, evidence)
    return None


def split_unit_folder(path: str) -> tuple[str, str]:
    """Return the 12 hex digits of the unit whose TFTP folder *path* begins with, and the rest; without a folder, "" and *path*."""
    match = _UNIT_FOLDER.match(path)
    mac = mac_of(match[1]) if match else ""
    return (mac, path[match.end() :]) if match and mac else ("", path)


def _parse_arming(line: Line) -> Event | None:
    match = _ARMING.fullmatch(line.text)
    mac = mac_of(match["mac"]) if match else ""
    return Event(line.key, line.time, EventKind.ARMING, mac, detail={"what": match["what"]}) if match and mac else None


def _parse_web(line: Line) -> Event | None:
    """Return an event of the web server.

    ``file`` is the normalised path, in the locations that serve files to phones; nothing else is about a phone, whatever its path
    contains. Detail ``what``: one of WebAnswer.
    """
    record = _read_json(line.text)
    status, path, address = record.get("status"), record.get("uri"), _address(record.get("address"))
    if not isinstance(status, int) or not 100 <= status <= 599 or not path or not isinstance(path, str) or not address:
        return None
    file = record.get("file")
    file = file if isinstance(file, str) else ""
    agent = str(record.get("agent") or "")
    unit = parse_user_agent(agent[:_MAX_TEXT_LENGTH])
    detail: dict[str, str | int] = {
        "what": _web_answer(file, record.get("upstream")),
        "method": clean(record.get("method")),
        "path": clean(file or path, _MAX_PATH_LENGTH),
        "status": status,
        "scheme": clean(record.get("scheme")),
        "agent": clean(agent),
        "refused": clean(add_verify_error(str(record.get("refused") or ""), record.get("verify"))),
        "etag": clean(record.get("etag")),
    }
    mac = ""
    if record.get("verify") == "SUCCESS":
        subject = str(record.get("subject") or "")
        mac = mac_of_subject(subject)
        detail["subject"] = clean(subject)
    if unit:
        detail["firmware"] = clean(unit.firmware)
    claim = (mac_inside(file) or (unit.mac.plain if unit and unit.mac else "")) if file else ""
    evidence = Evidence.CERTIFICATE if mac else _evidence_by_name(file, detail)
    return Event(line.key, line.time, EventKind.HTTP, mac, address, claim, _filled(detail), evidence)


def _evidence_by_name(path: str, detail: Mapping[str, object]) -> Evidence:
    """Return NAME for a request that was answered with a file named after a phone and its key; no phone sends HEAD."""
    name = path.rpartition("/")[2]
    fetched = detail.get("status") in _DELIVERED and detail.get("method") != "HEAD"
    return Evidence.NAME if fetched and mac_inside(name) and _KEY_ID.search(name) else Evidence.NONE


def _web_answer(file: str, upstream: object) -> str:
    if not file:
        return ""
    return WebAnswer.PASSED_ON if upstream else WebAnswer.FILE


def _parse_phone(line: Line) -> Event | None:
    message = recognise(line.text)
    if message is None:
        return None
    upgrade, _space, what = message.event.rpartition(" ")
    kind = EventKind.UPGRADE if upgrade else EventKind.RESYNC
    detail = {"what": what, "text": clean(message.detail, _MAX_PATH_LENGTH), "product": clean(message.product)}
    return Event(line.key, line.time, kind, "", line.address, message.mac.plain, _filled(detail))


def _parse_service(line: Line) -> Event | None:
    """Return an event of the profile service, which names the phone whose file was requested.

    Only a verified certificate, or a report that was sealed with the phone's key, proves that the phone itself sent the request.
    """
    record = _read_json(line.text)
    kind, verify = record.pop("kind", None), record.pop("verify", None)
    mac, address = mac_of(record.pop("mac", "")), _address(record.pop("address", ""))
    if kind not in _OF_SERVICE or not mac:
        return None
    detail: dict[str, str | int] = {}
    for name, value in list(record.items())[:_MAX_DETAILS]:
        if isinstance(value, str):
            detail[clean(name)] = clean(value, _MAX_PATH_LENGTH)
        elif isinstance(value, int) and abs(value) < 2**53:
            detail[clean(name)] = value
    if "reason" in detail:
        detail["reason"] = clean(add_verify_error(str(detail["reason"]), verify))
    if verify != "SUCCESS":
        detail.pop("subject", None)
    unit = parse_user_agent(str(detail.get("agent", "")))
    if unit:
        detail["firmware"] = unit.firmware
    evidence = Evidence.NONE
    if mac_of_subject(str(detail.get("subject", ""))) == mac:
        evidence = Evidence.CERTIFICATE
    elif kind == EventKind.REPORT and detail.get("sealed") is True and str(detail.get("status")).startswith("2"):
        evidence = Evidence.KEY
    elif kind == EventKind.PROFILE:
        evidence = _evidence_by_name(str(detail.get("path", "")), detail)
    proven = evidence and evidence not in CLAIMS
    return Event(line.key, line.time, EventKind(kind), mac if proven else "", address, mac, _filled(detail), evidence)


_PARSERS: Mapping[Writer, Callable[[Line], Event | None]] = MappingProxyType(
    {
        Writer.DHCP: _parse_dhcp,
        Writer.KEA: _parse_kea,
        Writer.TFTP: _parse_tftp,
        Writer.WEB: _parse_web,
        Writer.SERVICE: _parse_service,
        Writer.PHONE: _parse_phone,
        Writer.ARMING: _parse_arming,
    }
)


def _filled(detail: Mapping[str, str | int]) -> dict[str, str | int]:
    return {name: value for name, value in detail.items() if value != ""}


def _address(value: object) -> str:
    return value if isinstance(value, str) and _ADDRESS.fullmatch(value) else ""


def clean(value: object, max_length: int = _MAX_TEXT_LENGTH) -> str:
    """Return a stranger's text as it may be stored and shown: truncated, redacted, unprintable characters escaped."""
    text = value[:max_length] if isinstance(value, str) else ""
    text = printable(text)
    return redact(text) if _MAY_HIDE.search(text) else text


def mac_of(value: object) -> str:
    """Return the 12 hex digits of *value* if it is a MAC address and nothing else, or an empty string."""
    try:
        return parse_mac(value).plain
    except MacError:
        return ""


def mac_inside(text: str) -> str:
    """Return the MAC address that *text* contains in any spelling; an empty string if there is none or more than one."""
    found = {mac_of(_JOINT.sub("", match[0])) for match in _MAC_INSIDE.finditer(text[:_MAX_PATH_LENGTH])} - {""}
    return found.pop() if len(found) == 1 else ""


def mac_of_subject(subject: str) -> str:
    """Return the MAC address in a certificate's *subject*, as nginx spells it; serial numbers may look alike and do not count."""
    subject = subject[:_MAX_PATH_LENGTH]
    values = [value for name, value in _ATTRIBUTE.findall(subject) if name.strip().lower() not in _SERIAL_NUMBERS]
    return mac_inside("\n".join(values))
