# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The plan of a DHCP server for the bench: addresses, options for all phones and for those of a family, known phones.

It knows nothing of a server's own configuration; dhcpd_configuration.py writes that of ISC DHCP.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from ..bench.network import (
    AddressRange,
    BenchError,
    BenchNetwork,
    Reservation,
    parse_bench_address,
    plan_pool,
    plan_reservations,
    split_pool,
    whole_number,
)
from ..common.suggest import unknown
from ..common.validate import is_ipv4
from ..families.catalogue import BUILTIN, Catalogue
from .options import (
    MAX_OPTION_LENGTH,
    Option,
    OptionError,
    OptionType,
    addresses,
    addresses_option,
    custom_options,
    identified_vendor_option,
    name_option,
    server_option,
    vendor_option,
    vlan_option,
)

_VENDOR_CLASS = re.compile(r"[\x21-\x7e][\x20-\x7e]{0,254}")
_FAMILY_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}", re.IGNORECASE)
_INTERFACE = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{0,14}")
_ROUTERS, _DOMAIN = 3, 15


@dataclass(frozen=True)
class VendorClass:
    """A family's DHCP clients, known by the beginning of option 60, and the options that only they get."""

    family: str
    prefixes: tuple[str, ...]
    """Beginnings of option 60, to be compared without case."""
    others: tuple[str, ...]
    """Those of other families, in lower case. A client whose option 60 begins with a longer one of these belongs there."""
    options: tuple[Option, ...]


@dataclass(frozen=True)
class DhcpPlan:
    """What the server does, whichever program it is."""

    bench: BenchNetwork
    interface: str
    partner: str
    """Address of the other server of a pair; empty for a server of its own."""
    lease_time: int
    unknown_lease_time: int
    """The same for phones that are not known."""
    authoritative: bool
    options: tuple[Option, ...]
    """Options for all clients, by number."""
    known_pool: tuple[AddressRange, ...]
    """Ranges for known phones alone."""
    pool: tuple[AddressRange, ...]
    """Ranges for everybody."""
    classes: tuple[VendorClass, ...]
    reservations: tuple[Reservation, ...]

    @property
    def all_options(self) -> tuple[Option, ...]:
        """The options of all clients and of the families."""
        return (*self.options, *(option for family in self.classes for option in family.options))


_ENCODERS = MappingProxyType(
    {
        3: addresses_option,
        6: addresses_option,
        42: addresses_option,
        43: vendor_option,
        66: server_option,
        125: identified_vendor_option,
        150: addresses_option,
        159: server_option,
        160: server_option,
    }
)
"""Code of an option with a setting of its own -> what checks and encodes it; 15 and 132 take more than a value."""

_VLAN = 132
_CODES = (66, 150, 159, 160, 3, 6, 42, 43, 125, _VLAN)
_NAMED = {code: f"option_{code}" for code in _CODES}
_FAMILY_KEYS = ("vendor_classes", *_NAMED.values(), "option_132_type", "custom_options")


def plan_classes(
    families: Mapping[str, Any],
    variable: str = "dhcp_server_families",
    catalogue: Catalogue = BUILTIN,
    common: Mapping[str, Any] = MappingProxyType({}),
) -> tuple[VendorClass, ...]:
    """Return the classes of all families, including the user's overrides and own families; raise OptionError.

    A client belongs only to the family with the longest matching prefix, or it would get the options of several. *common*: the
    settings for all clients; a family that reads option 132 in another form may leave out the number.
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
        options[name] = _family_options(settings, common, where)
    owners = _owners(prefixes, variable)
    others = {name: tuple(prefix for prefix, owner in owners.items() if owner != name) for name in prefixes}
    return tuple(VendorClass(name, prefixes[name], others[name], options.get(name, ())) for name in sorted(prefixes))


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
    """Return the server's plan. *settings*: the role's variables without *prefix*. Raise OptionError or BenchError."""

    def variable(key: str) -> str:
        return f"{prefix}{key}"

    bench = parse_bench_address(settings["address"], variable("address"))
    interface = settings["interface"]
    if not isinstance(interface, str) or not _INTERFACE.fullmatch(interface):
        raise OptionError(f"{variable('interface')} is {interface!r}, which is not the name of a network interface, such as bench0")
    partner = _partner(settings.get("partner", ""), bench, variable("partner"))
    options = _common_options(settings, bench, partner, prefix)
    classes = plan_classes(settings["families"], variable("families"), catalogue, settings)
    routers = [
        *_routers(options, bench, variable("option_3")),
        *(
            address
            for family in classes
            for address in _routers(family.options, bench, f"{variable('families')}: {family.family}: option_3")
        ),
    ]
    pool = plan_pool(bench, settings["pool_size"], variable("pool_size"), [*routers, *([partner] if partner else [])])
    reservations = plan_reservations(settings["reservations"], bench, pool, variable("reservations"))
    for phone in reservations:
        if partner and phone.address == partner:
            raise BenchError(
                f"{variable('reservations')}: phone '{phone.name}' has the address {partner}, which is the partner's;"
                " give it another one"
            )
    lease_time = whole_number(settings["lease_time"], variable("lease_time"), 60, 31_536_000)
    unknown_lease_time = whole_number(settings["unknown_lease_time"], variable("unknown_lease_time"), 60, 31_536_000)
    known_pool, shared_pool = split_pool(pool, sum(phone.address is None for phone in reservations))
    return DhcpPlan(
        bench=bench,
        interface=interface,
        partner=partner,
        lease_time=lease_time,
        unknown_lease_time=min(unknown_lease_time, lease_time),
        authoritative=bool(settings["authoritative"]),
        options=options,
        known_pool=known_pool,
        pool=shared_pool,
        classes=classes,
        reservations=reservations,
    )


def _partner(value: object, bench: BenchNetwork, variable: str) -> str:
    """Return the address of the other server of a pair, or an empty text; raise OptionError for one that cannot be it."""
    if value in ("", None):
        return ""
    if not isinstance(value, str) or not is_ipv4(value):
        raise OptionError(
            f"{variable} is {value!r}, which is not an IPv4 address; write the partner's on the bench, such as 192.0.2.2"
        )
    if value == bench.address:
        raise OptionError(f"{variable} is {value}, which is this station's own address; name that of the other station")
    if not bench.contains(value):
        raise OptionError(f"{variable} is {value}, which is not an address of the bench {bench.cidr}, where both stations are")
    return str.__str__(value)


def _common_options(settings: Mapping[str, Any], bench: BenchNetwork, partner: str, prefix: str) -> tuple[Option, ...]:
    """Return the options for all clients. Servers that are not named are the station, and after it its partner.

    Option 66 has room for one server that every phone understands: the station that answers, which is up.
    """
    stations = [bench.address, *([partner] if partner else [])]
    named = {
        **settings,
        "option_6": settings["option_6"] or stations,
        "option_42": settings["option_42"] or stations,
        "option_66": settings["option_66"] or bench.address,
        "option_150": settings["option_150"] or stations,
    }
    planned = [*_named_options(named, prefix)]
    # A number on the command line is text
    if str(settings["option_132"]) not in ("0", ""):
        planned.append(vlan_option(_VLAN, settings["option_132"], settings["option_132_type"], f"{prefix}option_132"))
    if settings["domain"]:
        planned.append(name_option(_DOMAIN, settings["domain"], f"{prefix}domain"))
    own = {**{code: f"{prefix}{key}" for code, key in _NAMED.items()}, _DOMAIN: f"{prefix}domain"}
    planned += custom_options(settings["custom_options"], f"{prefix}custom_options", own)
    return tuple(sorted(planned, key=lambda option: option.code))


def _family_options(settings: Mapping[str, Any], common: Mapping[str, Any], where: str) -> tuple[Option, ...]:
    planned = [*_named_options(settings, f"{where}: ")]
    kind = settings.get("option_132_type")
    if settings.get("option_132") or kind:
        number = settings.get("option_132") or common.get("option_132")
        if not number:
            raise OptionError(f"{where}: option_132_type is {kind!r}, but there is no number of a VLAN; set option_132, too")
        planned.append(vlan_option(_VLAN, number, kind or common.get("option_132_type", OptionType.TEXT), f"{where}: option_132"))
    own = {**_NAMED, _DOMAIN: "the domain of all families"}
    planned += custom_options(settings.get("custom_options") or [], f"{where}: custom_options", own)
    return tuple(sorted(planned, key=lambda option: option.code))


def _named_options(settings: Mapping[str, Any], prefix: str) -> list[Option]:
    """Return the options that *settings* give a value for, except those that take more than a value."""
    return [
        encode(code, settings[f"option_{code}"], f"{prefix}option_{code}")
        for code, encode in _ENCODERS.items()
        if settings.get(f"option_{code}")
    ]


def _routers(options: Sequence[Option], bench: BenchNetwork, where: str) -> list[str]:
    """Return the routers; raise OptionError for one that is not on the clients' own network (RFC 2132, section 3.5)."""
    routers = [address for option in options if option.code == _ROUTERS for address in addresses(option)]
    for router in routers:
        if not bench.contains(router):
            raise OptionError(
                f"{where} contains {router}, which is not an address of the bench {bench.cidr}, where phones could reach it"
            )
    return routers


def _prefixes(values: object, where: str) -> tuple[str, ...]:
    if isinstance(values, Sequence) and not isinstance(values, (str, bytes)):
        prefixes = tuple(value for value in values if isinstance(value, str) and _VENDOR_CLASS.fullmatch(value))
        if prefixes and len(prefixes) == len(values):
            return prefixes
    raise OptionError(
        f"{where}: vendor_classes is {values!r}; it must be a list of texts, in printable ASCII and of at most"
        f" {MAX_OPTION_LENGTH} bytes, that the family's DHCP option 60 begins with, such as ['Acme VP']"
    )
