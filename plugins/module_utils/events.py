# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a line of the station's logs says of a phone: lines of dhcpd, dnsmasq's TFTP, nginx, the profile service and the phones.

Others decide what stands in a line, so that nothing in one is believed beyond what its writer can know: nginx knows a verified
certificate, dhcpd who has an address. What a path, a header or a phone's own message says is a claim.

Sources: the lines that dhcpd 4.4, dnsmasq 2.90 and nginx 1.22 write; messages.py for those of phones.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple

from .mac import MacError, parse_mac
from .messages import recognise
from .profile import shown
from .user_agent import parse_user_agent

KINDS = ("lease", "tftp", "http", "resync", "upgrade", "profile", "report", "redirect")

UNITS: Mapping[str, str] = MappingProxyType(
    {
        "isc-dhcp-server.service": "dhcp",
        "preprovision-tftp.service": "tftp",
        "nginx.service": "web",
        "preprovision-service.service": "service",
    }
)
"""Who writes a line, by the unit that the journal knows of it: no other program can take that name."""

_PHONE = "phone"
_LONGEST_LINE = 32768
_LONGEST_TEXT = 512
_LONGEST_PATH = 1024
_MOST_DETAILS = 16

# A MAC address inside a path or a subject, in any spelling
_MAC_INSIDE = re.compile(r"(?<![0-9a-f])(?:[0-9a-f]{2}[-:.]?){5}[0-9a-f]{2}(?![0-9a-f])", re.IGNORECASE)
_JOINT = re.compile(r"[-:.]")
_ADDRESS = re.compile(r"[0-9a-f.:]{2,45}", re.IGNORECASE)
# Attributes of a certificate's subject; a comma or plus sign inside a value has a backslash before it
_ATTRIBUTE = re.compile(r"(?:^|[,+])([^=,+]{1,64})=((?:\\.|[^\\,+])*)")
_SERIAL_NUMBERS = ("l", "serialnumber")

_MAC = r"(?P<mac>(?:[0-9a-f]{2}:){5}[0-9a-f]{2})"
_IP = r"(?P<address>[0-9.]{7,15})"
# What a client calls itself stands in parentheses behind its MAC address, so that it cannot take another's place
_DHCP = (
    ("ack", re.compile(rf"DHCPACK on {_IP} to {_MAC} ")),
    ("discover", re.compile(rf"DHCPDISCOVER from {_MAC} ")),
    ("nak", re.compile(rf"DHCPNAK on {_IP} to {_MAC} ")),
    ("decline", re.compile(rf"DHCPDECLINE of {_IP} from {_MAC} ")),
    ("release", re.compile(rf"DHCPRELEASE of {_IP} from {_MAC} ")),
)
_NONE_FREE = re.compile(r": (?:network \S{1,64}: )?no free leases$")
# A name may hold spaces, even " to " and an address: the last one is dnsmasq's own
_TFTP = (
    ("sent", re.compile(rf"sent (?P<path>.+) to {_IP}$")),
    ("missing", re.compile(rf"file (?P<path>.+) not found for {_IP}$")),
    ("failed", re.compile(rf"failed sending (?P<path>.+) to {_IP}$")),
    ("aborted", re.compile(rf"error \d+ (?P<path>.*) received from {_IP}$")),
)
# Without one of these, a text holds no key or password that would not be shown; this is quicker than to look for each
_MAY_HIDE = re.compile(r"--|://|[?&;]")
_TFTP_ROOT = "/srv/preprovision/current/open"
_FROM_PHONE = re.compile(r"(?P<time>\S{20,40}) (?P<address>[0-9a-f.:]{2,45}) \S{1,32} ?(?P<text>.*)", re.DOTALL | re.IGNORECASE)


class Line(NamedTuple):
    """A line, and where it comes from."""

    writer: str
    """``dhcp``, ``tftp``, ``web``, ``service`` or ``phone``."""
    time: int
    """Milliseconds since 1970."""
    text: str
    key: str
    """Same for the same line however often it is handed over, and no other."""
    address: str = ""
    """Of a phone that has sent it."""


@dataclass(frozen=True)
class Event:
    """Something that happened to a phone."""

    key: str
    time: int
    """Milliseconds since 1970."""
    kind: str
    """One of KINDS."""
    mac: str = ""
    """12 hex digits of the phone that it is sure to be about, or empty."""
    address: str = ""
    claim: str = ""
    """12 hex digits of the phone that it says it is about, when nothing better is known."""
    detail: Mapping[str, str | int] = field(default_factory=dict)
    """Texts of others, cut to a length, without secrets and without characters that do not print."""


def read_line(text: str) -> Line | None:
    """Read what rsyslog hands over: JSON with unit, time, process and message, or the offset and message of a phone's log."""
    record = _read_json(text)
    message = record.get("msg")
    if not isinstance(message, str):
        return None
    if record.get("offset"):
        return _of_phone(message, str(record["offset"]))
    writer = UNITS.get(str(record.get("unit")))
    # The journal's own time has microseconds, and no process can write two lines within one
    stamp = str(record.get("time"))
    time = _milliseconds(stamp)
    if writer is None or time is None:
        return None
    return Line(writer, time, message, _key(writer, stamp, str(record.get("process")), message))


def _of_phone(message: str, offset: str) -> Line | None:
    match = _FROM_PHONE.fullmatch(message)
    time = _milliseconds(match["time"]) if match else None
    if match is None or time is None:
        return None
    return Line(_PHONE, time, match["text"], _key(_PHONE, offset, message), match["address"])


def _key(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _milliseconds(stamp: str) -> int | None:
    try:
        time = datetime.fromisoformat(stamp)
        # A time without a zone is nobody's
        return round(time.timestamp() * 1000) if time.tzinfo and time.year >= 1970 else None
    except (ValueError, OverflowError):
        return None


def _read_json(text: str) -> dict[str, Any]:
    """Return the object in *text*; an empty one for all else."""
    if len(text) > _LONGEST_LINE or not text.lstrip().startswith("{"):
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def parse(line: Line) -> Event | None:
    """Return what *line* says of a phone, or None. Whatever it holds raises nothing."""
    return _PARSERS[line.writer](line)


def _parse_dhcp(line: Line) -> Event | None:
    text = line.text[:_LONGEST_TEXT]
    for what, pattern in _DHCP:
        match = pattern.match(text)
        if match:
            if what == "discover" and _NONE_FREE.search(text):
                what = "none free"
            mac = mac_of(match["mac"])
            address = match.groupdict().get("address") or ""
            return Event(line.key, line.time, "lease", mac, address, detail={"what": what}) if mac else None
    return None


def _parse_tftp(line: Line) -> Event | None:
    for what, pattern in _TFTP:
        match = pattern.match(line.text)
        if match:
            path = match["path"].removeprefix(_TFTP_ROOT)
            detail = {"what": what, "path": clean(path, _LONGEST_PATH)}
            return Event(line.key, line.time, "tftp", "", match["address"], mac_inside(path), detail)
    return None


def _parse_web(line: Line) -> Event | None:
    record = _read_json(line.text)
    status, path, address = record.get("status"), record.get("uri"), _address(record.get("address"))
    if not isinstance(status, int) or not 100 <= status <= 599 or not path or not isinstance(path, str) or not address:
        return None
    agent = str(record.get("agent") or "")
    unit = parse_user_agent(agent[:_LONGEST_TEXT])
    detail: dict[str, str | int] = {
        "method": clean(record.get("method")),
        "path": clean(path, _LONGEST_PATH),
        "status": status,
        "scheme": clean(record.get("scheme")),
        "agent": clean(agent),
        "refused": clean(record.get("refused")),
        "etag": clean(record.get("etag")),
    }
    mac = ""
    if record.get("verify") == "SUCCESS":
        subject = str(record.get("subject") or "")
        mac = mac_of_subject(subject)
        detail["subject"] = clean(subject)
    if unit:
        detail["firmware"] = clean(unit.firmware)
    claim = mac_inside(path.partition("?")[0]) or (unit.mac.plain if unit and unit.mac else "")
    return Event(line.key, line.time, "http", mac, address, claim, _filled(detail))


def _parse_phone(line: Line) -> Event | None:
    message = recognise(line.text)
    if message is None:
        return None
    kind, _space, what = message.event.rpartition(" ")
    detail = {"what": what, "text": clean(message.detail, _LONGEST_PATH), "product": clean(message.product)}
    return Event(line.key, line.time, kind or "resync", "", line.address, message.mac.plain, _filled(detail))


def _parse_service(line: Line) -> Event | None:
    """The service names the phone whose file was asked for. Its certificate, or a report that was taken, says that it asks."""
    record = _read_json(line.text)
    kind, verify = record.pop("kind", None), record.pop("verify", None)
    mac, address = mac_of(record.pop("mac", "")), _address(record.pop("address", ""))
    if kind not in ("profile", "report", "redirect") or not mac:
        return None
    detail: dict[str, str | int] = {}
    for name, value in list(record.items())[:_MOST_DETAILS]:
        if isinstance(value, str):
            detail[clean(name)] = clean(value, _LONGEST_PATH)
        elif isinstance(value, int) and abs(value) < 2**53:
            detail[clean(name)] = value
    if verify != "SUCCESS":
        detail.pop("subject", None)
    unit = parse_user_agent(str(detail.get("agent", "")))
    if unit:
        detail["firmware"] = unit.firmware
    taken = kind == "report" and str(detail.get("status")).startswith("2")
    sure = taken or mac_of_subject(str(detail.get("subject", ""))) == mac
    return Event(line.key, line.time, kind, mac if sure else "", address, mac, _filled(detail))


_PARSERS: Mapping[str, Callable[[Line], Event | None]] = MappingProxyType(
    {"dhcp": _parse_dhcp, "tftp": _parse_tftp, "web": _parse_web, "service": _parse_service, _PHONE: _parse_phone}
)


def _filled(detail: Mapping[str, str | int]) -> dict[str, str | int]:
    return {name: value for name, value in detail.items() if value != ""}


def _address(value: object) -> str:
    return value if isinstance(value, str) and _ADDRESS.fullmatch(value) else ""


def clean(value: object, longest: int = _LONGEST_TEXT) -> str:
    """Return a text of others as it may be kept and shown: cut, without keys and passwords, what does not print as ``\\x..``."""
    text = value[:longest] if isinstance(value, str) else ""
    if not text.isprintable():
        text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return shown("", text) if _MAY_HIDE.search(text) else text


def mac_of(value: object) -> str:
    """Return the 12 hex digits of a MAC address that stands alone, or an empty string."""
    try:
        return parse_mac(value).plain
    except MacError:
        return ""


def mac_inside(text: str) -> str:
    """Return the one MAC address that *text* holds in any spelling; an empty string for none and for several."""
    found = {mac_of(_JOINT.sub("", match[0])) for match in _MAC_INSIDE.finditer(text[:_LONGEST_PATH])} - {""}
    return found.pop() if len(found) == 1 else ""


def mac_of_subject(subject: str) -> str:
    """Return whose certificate has *subject*, as nginx spells it: serial numbers, which may look alike, say nothing."""
    values = [value for name, value in _ATTRIBUTE.findall(subject[:_LONGEST_PATH]) if name.strip().lower() not in _SERIAL_NUMBERS]
    return mac_inside("\n".join(values))
