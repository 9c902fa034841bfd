# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""DHCP options for preprovisioning: check values that users write, and encode them as they travel, for any server.

Sources: RFC 2132 (options 3, 6, 15, 42, 66; section 8.4 for 43), RFC 3925 (125), RFC 5859 (150), IEEE 802.1Q (numbers of VLANs);
phones' use of 66, 150, 159, 160: provisioning guides of the multiplatform phones. IANA's registry names 132 a VLAN ID beside its
use by PXE (RFC 4578), but not how it is encoded: some phones read digits, others a number, as BusyBox's udhcpc does (two bytes).
It has 159 for port parameters (RFC 7618), and had 160 for captive portals (RFC 7710), for which no phone reads them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from ..common.suggest import unknown, unknown_choice
from ..common.validate import ValidationError, is_host, is_host_name, is_ipv4, kind_of, read_flag, read_number, read_text

# The length field of an option is one byte
MAX_OPTION_LENGTH = 255

_URL = re.compile(r"(?:tftp|https?)://(?P<host>[^/:?#@]+)(?::(?P<port>[0-9]{1,5}))?(?:/.*)?", re.IGNORECASE)
_PRINTABLE = re.compile(r"[\x20-\x7e]*")
_HEX = re.compile(r"[0-9a-f]{2}(?:[: -]?[0-9a-f]{2})*", re.IGNORECASE)
_MAX_VLAN = 4094
_MAX_ENTERPRISE = 0xFFFFFFFF
_ENTRY_KEYS = ("code", "type", "value")
_VENDOR_KEYS = ("enterprise", "options")


class OptionError(ValueError):
    """An option's value or a family's settings are invalid; the message names the variable."""


class OptionType(StrEnum):
    """How a value is written by users and encoded."""

    TEXT = "text"
    ADDRESSES = "addresses"
    UINT8 = "uint8"
    UINT16 = "uint16"
    UINT32 = "uint32"
    INT32 = "int32"
    BOOLEAN = "boolean"
    HEX = "hex"


@dataclass(frozen=True)
class Option:
    """One option with its value on the wire."""

    code: int
    type: OptionType
    data: bytes
    always: bool = False
    """Whether clients get it that do not request it (RFC 2131, section 4.3.1)."""


_NUMBERS: Mapping[OptionType, tuple[int, bool]] = MappingProxyType(
    {
        OptionType.UINT8: (1, False),
        OptionType.UINT16: (2, False),
        OptionType.UINT32: (4, False),
        OptionType.INT32: (4, True),
    }
)
"""Number of bytes, and whether there is a sign."""

VLAN_TYPES = (OptionType.TEXT, OptionType.UINT16, OptionType.UINT32)
"""How phones read option 132."""

_TYPES: Mapping[int, OptionType] = MappingProxyType(
    {
        2: OptionType.INT32,
        **dict.fromkeys((12, 14, 17, 18, 40, 47, 60, 62, 64, 67, 100, 101, 114), OptionType.TEXT),
        **dict.fromkeys((4, 5, 7, 8, 9, 10, 11, 16, 28, 32, 41, 44, 45, 48, 49, 65, *range(68, 77)), OptionType.ADDRESSES),
        **dict.fromkeys((19, 20, 27, 29, 30, 31, 34, 36, 39), OptionType.BOOLEAN),
        **dict.fromkeys((23, 37, 46), OptionType.UINT8),
        **dict.fromkeys((13, 22, 26), OptionType.UINT16),
        **dict.fromkeys((24, 35, 38), OptionType.UINT32),
    }
)
"""Code -> type of an option that RFC 2132, 2242, 4833 or 8910 defines."""

_SINGLE_ADDRESS = (16, 28, 32)
_OF_THE_EXCHANGE = frozenset((1, *range(50, 60), 61, 80, 81, 82, 90, 91, 92, 118))
"""What client, relay and server negotiate, or the server computes: mask, message and lease, authentication, queries."""


def name_option(code: int, value: object, variable: str) -> Option:
    """Return an option with a domain name (15)."""
    if not is_host_name(value):
        raise OptionError(f"{variable} is {value!r}, which is not a DNS name; write it as bench.example.net")
    return _option(code, OptionType.TEXT, str(value).encode("ascii"), variable)


def server_option(code: int, value: object, variable: str) -> Option:
    """Return an option with a provisioning server (66, 159, 160): an address, a name or a URL, or two of them joined by ``;``.

    Phones that support the second form try the second server after the first one fails.
    """
    if not isinstance(value, str) or not _PRINTABLE.fullmatch(value) or value != value.strip():
        raise OptionError(
            f"{variable} is {value!r}; phones accept printable ASCII without spaces around it,"
            " such as prov.example.net or http://prov.example.net/"
        )
    if len(value) > MAX_OPTION_LENGTH:
        raise OptionError(
            f"{variable} is {len(value)} bytes long, but a DHCP option can contain at most {MAX_OPTION_LENGTH};"
            f" shorten it, for example by a shorter path: {value[:40]}..."
        )
    servers = value.split(";")
    if len(servers) > 2:
        raise OptionError(f"{variable} is {value!r}; phones accept at most two servers, joined by ';'")
    for server in servers:
        if not _is_server(server):
            raise OptionError(
                f"{variable} is {value!r}, and {server!r} is not an IPv4 address, host name or URL;"
                " write it as 192.0.2.1, prov.example.net or http://prov.example.net/path"
            )
    return _option(code, OptionType.TEXT, value.encode("ascii"), variable)


def addresses_option(code: int, values: object, variable: str) -> Option:
    """Return an option with one or more IPv4 addresses (3, 6, 42, 150)."""
    return _option(code, OptionType.ADDRESSES, _encode_addresses(values, variable), variable)


def addresses(option: Option) -> list[str]:
    """Return the addresses of an option that contains them."""
    return [".".join(map(str, option.data[start : start + 4])) for start in range(0, len(option.data), 4)]


def vlan_option(code: int, value: object, kind: object, variable: str) -> Option:
    """Return an option with the number of a VLAN (132), as digits or as a number of two or four bytes."""
    try:
        number = read_number(value, 1, _MAX_VLAN)
    except ValidationError as error:
        raise OptionError(f"{variable} is {value!r}; it {error}, such as 20") from error
    if kind not in VLAN_TYPES:
        raise OptionError(f"{variable}_type: {unknown_choice('type', kind, VLAN_TYPES)}")
    chosen = OptionType(str(kind))
    data = str(number).encode("ascii") if chosen is OptionType.TEXT else number.to_bytes(_NUMBERS[chosen][0], "big")
    return _option(code, chosen, data, variable, always=True)


def vendor_option(code: int, entries: object, variable: str) -> Option:
    """Return an option with what its vendor defines (43): encapsulated options, or one value without a code, which is all of it."""
    return _option(code, OptionType.HEX, _encode_entries(entries, variable), variable, always=True)


def identified_vendor_option(code: int, vendors: object, variable: str) -> Option:
    """Return an option with what several vendors define (125), each known by its enterprise number at IANA."""
    blocks: dict[int, bytes] = {}
    for vendor, where in _mappings(vendors, variable, "[{enterprise: 3561, options: [{code: 11, type: text, value: ...}]}]"):
        _check_keys(vendor, _VENDOR_KEYS, where)
        try:
            number = read_number(vendor["enterprise"], 0, _MAX_ENTERPRISE)
        except ValidationError as error:
            raise OptionError(f"{where}: enterprise is {vendor['enterprise']!r}; it {error}") from error
        if number in blocks:
            raise OptionError(f"{variable}: enterprise {number} is listed twice; join its options in one entry")
        data = _encode_entries(vendor["options"], f"{variable}: enterprise {number}: options")
        _check_length(data, f"{variable}: enterprise {number}")
        blocks[number] = number.to_bytes(4, "big") + bytes([len(data)]) + data
    return _option(code, OptionType.HEX, b"".join(blocks.values()), variable, always=True)


def custom_options(entries: object, variable: str, named: Mapping[int, str]) -> tuple[Option, ...]:
    """Return the options of a list of mappings with code, type and value. *named*: code of an option -> its own setting."""
    options: dict[int, Option] = {}
    for entry, where in _mappings(entries, variable, "[{code: 2, type: int32, value: 3600}]"):
        _check_keys(entry, _ENTRY_KEYS, where)
        code = _read_code(entry["code"], where)
        where = f"{variable}: option {code}"
        if code in named:
            raise OptionError(f"{where} has a setting of its own; set {named[code]} instead")
        if code in _OF_THE_EXCHANGE:
            raise OptionError(f"{where} is set by the DHCP server itself or belongs to the exchange with it; remove the entry")
        if code in options:
            raise OptionError(f"{where} is listed twice; keep one")
        options[code] = _custom_option(code, entry, where)
    return tuple(options.values())


def _custom_option(code: int, entry: Mapping[str, Any], where: str) -> Option:
    kind = _read_type(entry["type"], where)
    expected = _TYPES.get(code, kind)
    if kind not in (expected, OptionType.HEX):
        raise OptionError(f"{where} has the type {kind}, but its RFC says {expected}; change the type, or give its bytes as hex")
    data = _encode(kind, entry["value"], where)
    if code in _SINGLE_ADDRESS and len(data) != 4:
        raise OptionError(f"{where} is {len(data)} bytes long, but its RFC says one address; keep one")
    return _option(code, kind, data, where, always=True)


def _option(code: int, kind: OptionType, data: bytes, where: str, always: bool = False) -> Option:
    _check_length(data, where)
    return Option(code, kind, data, always)


def _check_length(data: bytes, where: str) -> None:
    if len(data) > MAX_OPTION_LENGTH:
        raise OptionError(
            f"{where} is {len(data)} bytes long, but a DHCP option can contain at most {MAX_OPTION_LENGTH}; shorten it"
        )


def _is_server(text: str) -> bool:
    url = _URL.fullmatch(text)
    if url:
        return is_host(url["host"]) and 1 <= int(url["port"] or "1") <= 65535 and " " not in text
    return is_host(text)


# -- entries with code, type and value


def _mappings(entries: object, variable: str, example: str) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Yield each mapping of a list with how messages call it."""
    if isinstance(entries, (str, bytes)) or not isinstance(entries, Sequence):
        raise OptionError(f"{variable} is {kind_of(entries)}; it must be a list, such as {example}")
    for number, entry in enumerate(entries, 1):
        if not isinstance(entry, Mapping):
            raise OptionError(f"{variable}: entry {number} is {kind_of(entry)}; it must be a mapping, such as {example[1:-1]}")
        yield entry, f"{variable}: entry {number}"


def _check_keys(entry: Mapping[str, Any], keys: Sequence[str], where: str, optional: Sequence[str] = ()) -> None:
    for key in entry:
        if key not in keys:
            raise OptionError(f"{where}: {unknown('key', key, keys)}")
    for key in keys:
        if entry.get(key) is None and key not in optional:
            raise OptionError(f"{where}: {key} is missing; an entry has {', '.join(keys)}")


def _read_code(value: object, where: str) -> int:
    try:
        return read_number(value, 1, 254)
    except ValidationError as error:
        raise OptionError(f"{where}: code is {value!r}; it {error}") from error


def _read_type(value: object, where: str) -> OptionType:
    if value not in list(OptionType):
        raise OptionError(f"{where}: {unknown_choice('type', value, OptionType)}")
    return OptionType(str(value))


def _encode_entries(entries: object, variable: str) -> bytes:
    """Encode encapsulated options (RFC 2132, section 8.4); a single entry without a code is the value itself."""
    parts: list[bytes] = []
    codes: set[int] = set()
    example = "[{code: 1, type: text, value: 'http://prov.example.net/'}]"
    for entry, where in _mappings(entries, variable, example):
        _check_keys(entry, _ENTRY_KEYS, where, optional=("code",))
        data = _encode(_read_type(entry["type"], where), entry["value"], where)
        if entry.get("code") is None:
            parts.append(data)
            continue
        code = _read_code(entry["code"], where)
        if code in codes:
            raise OptionError(f"{variable}: code {code} is listed twice; keep one")
        codes.add(code)
        _check_length(data, where)
        parts.append(bytes([code, len(data)]) + data)
    if len(parts) > 1 and len(codes) < len(parts):
        raise OptionError(f"{variable} has several entries, one of them without code; only a single entry can do without")
    if not parts:
        raise OptionError(f"{variable} is empty; write {example}")
    return b"".join(parts)


def _encode(kind: OptionType, value: object, where: str) -> bytes:
    try:
        if kind in _NUMBERS:
            size, signed = _NUMBERS[kind]
            lowest, highest = (-(1 << 8 * size - 1), (1 << 8 * size - 1) - 1) if signed else (0, (1 << 8 * size) - 1)
            return read_number(value, lowest, highest).to_bytes(size, "big", signed=signed)
        if kind is OptionType.BOOLEAN:
            return bytes([read_flag(value)])
        if kind is OptionType.ADDRESSES:
            return _encode_addresses(value, f"{where}: value")
        return _encode_hex(value) if kind is OptionType.HEX else _encode_text(value)
    except ValidationError as error:
        raise OptionError(f"{where}: value is {value!r}; it {error}") from error


def _encode_text(value: object) -> bytes:
    text = read_text(value)
    if not text or not _PRINTABLE.fullmatch(text):
        raise ValidationError("must be printable ASCII, at least one character; give other bytes as hex")
    return text.encode("ascii")


def _encode_hex(value: object) -> bytes:
    text = read_text(value)
    if not _HEX.fullmatch(text):
        raise ValidationError("must be pairs of hexadecimal digits, such as '01:0a:ff'")
    return bytes.fromhex(re.sub("[: -]", "", text))


def _encode_addresses(values: object, variable: str) -> bytes:
    if isinstance(values, (str, bytes)) or not isinstance(values, Sequence) or not values:
        raise OptionError(f"{variable} is {values!r}; it must be a list of IPv4 addresses, such as [192.0.2.1]")
    found: list[str] = []
    for value in values:
        if not is_ipv4(value):
            raise OptionError(f"{variable} contains {value!r}, which is not an IPv4 address; write it as 192.0.2.1")
        if value in found:
            raise OptionError(f"{variable} contains {value} twice; keep one")
        found.append(value)
    if len(found) > MAX_OPTION_LENGTH // 4:
        raise OptionError(
            f"{variable} has {len(found)} addresses, but a DHCP option can contain at most {MAX_OPTION_LENGTH // 4};"
            f" remove {len(found) - MAX_OPTION_LENGTH // 4}"
        )
    return b"".join(bytes(map(int, address.split("."))) for address in found)
