# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""DHCP options for preprovisioning: check, encode and format them for dhcpd.conf; and the plan of a whole server.

Sources: RFC 2132 (options 6, 15, 42, 66), RFC 5859 (150); phones' use of 66, 150, 160: provisioning guides of the
multiplatform phones. A value reaches dhcpd.conf only quoted, and only if it is printable ASCII.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..bench.network import (
    AddressRange,
    BenchNetwork,
    Reservation,
    parse_bench_address,
    plan_pool,
    plan_reservations,
    split_pool,
    whole_number,
)
from ..common.suggest import unknown
from ..common.validate import is_host, is_host_name, is_ipv4
from ..families.catalogue import BUILTIN, Catalogue

# The length field of an option is one byte
MAX_OPTION_LENGTH = 255

_URL = re.compile(r"(?:tftp|https?)://(?P<host>[^/:?#@]+)(?::(?P<port>[0-9]{1,5}))?(?:/.*)?", re.IGNORECASE)
_PRINTABLE = re.compile(r"[\x20-\x7e]*")
_VENDOR_CLASS = re.compile(r"[\x21-\x7e][\x20-\x7e]{0,254}")
_FAMILY_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}", re.IGNORECASE)
_INTERFACE = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{0,14}")


class OptionError(ValueError):
    """An option's value or a family's settings are invalid; the message names the variable."""


@dataclass(frozen=True)
class Option:
    """One option with its value on the wire (``data``) and in dhcpd.conf (``text``)."""

    code: int
    data: bytes
    text: str

    @property
    def name(self) -> str:
        """The option's name in dhcpd.conf."""
        return OPTION_NAMES[self.code]


@dataclass(frozen=True)
class VendorClass:
    """A family's DHCP clients, known by prefixes of option 60, and the options that only they get."""

    family: str
    condition: str
    options: tuple[Option, ...]


@dataclass(frozen=True)
class DhcpPlan:
    """The content of dhcpd.conf."""

    bench: BenchNetwork
    interface: str
    lease_time: int
    unknown_lease_time: int
    """The same for phones that are not known."""
    authoritative: bool
    options: tuple[Option, ...]
    known_pool: tuple[AddressRange, ...]
    """Ranges for known phones alone."""
    pool: tuple[AddressRange, ...]
    """Ranges for everybody."""
    classes: tuple[VendorClass, ...]
    reservations: tuple[Reservation, ...]


# dhcpd knows neither 150 nor 160, so dhcpd.conf declares them under these names
OPTION_NAMES = {
    6: "domain-name-servers",
    15: "domain-name",
    42: "ntp-servers",
    66: "tftp-server-name",
    150: "preprovision-tftp-servers",
    160: "preprovision-url",
}

_FAMILY_KEYS = ("vendor_classes", "option_66", "option_150", "option_160", "option_42", "option_6")


def quote(text: str) -> str:
    """Return the text as a string of dhcpd.conf; raise OptionError unless it is printable ASCII."""
    if not _PRINTABLE.fullmatch(text):
        raise OptionError(f"{text!r} contains characters other than printable ASCII, which dhcpd.conf cannot contain")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def name_option(code: int, value: object, variable: str) -> Option:
    """Return an option with a domain name (15)."""
    if not is_host_name(value):
        raise OptionError(f"{variable} is {value!r}, which is not a DNS name; write it as bench.example.net")
    return _string(code, str(value), variable)


def server_option(code: int, value: object, variable: str) -> Option:
    """Return an option with a provisioning server (66, 160): an address, a name or a URL, or two of them joined by ``;``.

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
    return _string(code, value, variable)


def addresses_option(code: int, values: object, variable: str) -> Option:
    """Return an option with one or more IPv4 addresses (6, 42, 150)."""
    if isinstance(values, (str, bytes)) or not isinstance(values, Sequence) or not values:
        raise OptionError(f"{variable} is {values!r}; it must be a list of IPv4 addresses, such as [192.0.2.1]")
    addresses: list[str] = []
    for value in values:
        if not is_ipv4(value):
            raise OptionError(f"{variable} contains {value!r}, which is not an IPv4 address; write it as 192.0.2.1")
        if value in addresses:
            raise OptionError(f"{variable} contains {value} twice; keep one")
        addresses.append(value)
    data = b"".join(bytes(int(part) for part in address.split(".")) for address in addresses)
    if len(data) > MAX_OPTION_LENGTH:
        raise OptionError(
            f"{variable} has {len(addresses)} addresses, but a DHCP option can contain at most {MAX_OPTION_LENGTH // 4};"
            f" remove {len(addresses) - MAX_OPTION_LENGTH // 4}"
        )
    return Option(code, data, ", ".join(addresses))


def vendor_class_condition(prefixes: Sequence[str], others: Sequence[str] = ()) -> str:
    """Return dhcpd's expression for "option 60 begins with one of these, in any case, and with no longer one of the *others*"."""
    terms = []
    for prefix in (prefix.lower() for prefix in prefixes):
        term = f"lcase(substring(option vendor-class-identifier, 0, {len(prefix)})) = {quote(prefix)}"
        longer = [other for other in others if other.startswith(prefix)]
        terms.append(f"({term} and not ({vendor_class_condition(longer)}))" if longer else term)
    return " or ".join(terms)


def plan_classes(
    families: Mapping[str, Any], variable: str = "dhcp_server_families", catalogue: Catalogue = BUILTIN
) -> tuple[VendorClass, ...]:
    """Return the classes of all families, including the user's overrides and own families; raise OptionError.

    A client belongs only to the family with the longest matching prefix, or it would get the options of several.
    """
    prefixes = _known_prefixes(catalogue)
    options: dict[str, tuple[Option, ...]] = {}
    for name, settings in families.items():
        where = f"{variable}: {name}"
        if not isinstance(name, str) or not _FAMILY_NAME.fullmatch(name):
            raise OptionError(f"{variable}: {name!r} is not a family name; use letters, digits, '_' and '-'")
        if not isinstance(settings, Mapping):
            raise OptionError(f"{where}: the settings are {settings!r}; they must be a mapping")
        for key in settings:
            if key not in _FAMILY_KEYS:
                raise OptionError(f"{where}: {unknown('key', key, _FAMILY_KEYS)}")
        if settings.get("vendor_classes") or name not in prefixes:
            prefixes[name] = _prefixes(settings.get("vendor_classes"), where)
        options[name] = _family_options(settings, where)
    owners = _owners(prefixes, variable)
    others = {name: [prefix for prefix, owner in owners.items() if owner != name] for name in prefixes}
    return tuple(
        VendorClass(name, vendor_class_condition(prefixes[name], others[name]), options.get(name, ())) for name in sorted(prefixes)
    )


def _known_prefixes(catalogue: Catalogue) -> dict[str, tuple[str, ...]]:
    known: dict[str, tuple[str, ...]] = {}
    taken: set[str] = set()
    for name, family in catalogue.families.items():
        # A prefix inherited from the base family does not tell the two families' clients apart
        own = [prefix for prefix in family.vendor_classes if prefix.lower() not in taken]
        if own:
            if not _FAMILY_NAME.fullmatch(name):
                raise OptionError(
                    f"phone_families: {name!r} is not a valid name of a class of DHCP clients; use letters, digits, '_' and '-'"
                    " for a family with vendor_classes"
                )
            known[name] = _prefixes(own, f"phone_families: {name}")
            taken.update(prefix.lower() for prefix in own)
    return known


def _owners(prefixes: Mapping[str, Sequence[str]], variable: str) -> dict[str, str]:
    """Return prefix in lower case -> family; raise OptionError for a prefix of two families."""
    owners: dict[str, str] = {}
    for family, values in sorted(prefixes.items()):
        for prefix in (value.lower() for value in values):
            if owners.setdefault(prefix, family) != family:
                raise OptionError(
                    f"{variable}: a phone whose vendor class begins with '{prefix}' would belong to the families {owners[prefix]}"
                    f" and {family}; give each its own"
                )
    return owners


def plan_dhcp(settings: Mapping[str, Any], catalogue: Catalogue = BUILTIN, prefix: str = "dhcp_server_") -> DhcpPlan:
    """Return the plan of dhcpd.conf. *settings*: the role's variables without *prefix*. Raise OptionError or BenchError."""

    def variable(key: str) -> str:
        return f"{prefix}{key}"

    bench = parse_bench_address(settings["address"], variable("address"))
    interface = settings["interface"]
    if not isinstance(interface, str) or not _INTERFACE.fullmatch(interface):
        raise OptionError(f"{variable('interface')} is {interface!r}, which is not the name of a network interface, such as bench0")
    pool = plan_pool(bench, settings["pool_size"], variable("pool_size"))
    station = bench.address
    options = [
        addresses_option(6, settings["option_6"] or [station], variable("option_6")),
        addresses_option(42, settings["option_42"] or [station], variable("option_42")),
        server_option(66, settings["option_66"] or station, variable("option_66")),
        addresses_option(150, settings["option_150"] or [station], variable("option_150")),
    ]
    if settings["option_160"]:
        options.append(server_option(160, settings["option_160"], variable("option_160")))
    if settings["domain"]:
        options.append(name_option(15, settings["domain"], variable("domain")))
    reservations = plan_reservations(settings["reservations"], bench, pool, variable("reservations"))
    lease_time = whole_number(settings["lease_time"], variable("lease_time"), 60, 31_536_000)
    unknown_lease_time = whole_number(settings["unknown_lease_time"], variable("unknown_lease_time"), 60, 31_536_000)
    known_pool, shared_pool = split_pool(pool, sum(phone.address is None for phone in reservations))
    return DhcpPlan(
        bench=bench,
        interface=interface,
        lease_time=lease_time,
        unknown_lease_time=min(unknown_lease_time, lease_time),
        authoritative=bool(settings["authoritative"]),
        options=tuple(sorted(options, key=lambda option: option.code)),
        known_pool=known_pool,
        pool=shared_pool,
        classes=plan_classes(settings["families"], variable("families"), catalogue),
        reservations=reservations,
    )


def _string(code: int, value: str, variable: str) -> Option:
    data = value.encode("ascii")
    if len(data) > MAX_OPTION_LENGTH:
        raise OptionError(
            f"{variable} is {len(data)} bytes long, but a DHCP option can contain at most {MAX_OPTION_LENGTH}; shorten it"
        )
    return Option(code, data, quote(value))


def _is_server(text: str) -> bool:
    url = _URL.fullmatch(text)
    if url:
        return is_host(url["host"]) and 1 <= int(url["port"] or "1") <= 65535 and " " not in text
    return is_host(text)


def _prefixes(values: object, where: str) -> tuple[str, ...]:
    if isinstance(values, Sequence) and not isinstance(values, (str, bytes)):
        prefixes = tuple(value for value in values if isinstance(value, str) and _VENDOR_CLASS.fullmatch(value))
        if prefixes and len(prefixes) == len(values):
            return prefixes
    raise OptionError(
        f"{where}: vendor_classes is {values!r}; it must be a list of texts, in printable ASCII and of at most"
        f" {MAX_OPTION_LENGTH} bytes, that the family's DHCP option 60 begins with, such as ['Acme VP']"
    )


def _family_options(settings: Mapping[str, Any], where: str) -> tuple[Option, ...]:
    planned: list[Option] = []
    for code in (6, 42, 66, 150, 160):
        value = settings.get(f"option_{code}")
        if value:
            encode = server_option if code in (66, 160) else addresses_option
            planned.append(encode(code, value, f"{where}: option_{code}"))
    return tuple(planned)
