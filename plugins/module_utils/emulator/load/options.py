# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Options of a run of emulated phones: which phones, how often, how long and how fast."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from ...common.mac import MacError, parse_mac
from ...families.catalogue import BUILTIN
from ...phones.phone import Phone
from ...phones.reader import PhoneReader, read_phones
from ..device.habits import Habit, HabitError, read_habits

_ADDRESSES_OF_ONE_VENDOR = 1 << 24
_HEADER = re.compile("[ -~]*")
_MINIMA: Mapping[str, int] = {
    "count": 0,
    "power_cycles": 1,
    "lifetime": 0,
    "speed": 1,
    "timeout": 1,
    "parallel": 1,
    "ramp": 0,
    "think_time": 0,
    "reports": 1,
}


class IpMode(StrEnum):
    """Which protocols a phone at home uses, as the IP mode on its web page."""

    IPV4 = "ipv4"
    IPV6 = "ipv6"
    DUAL = "dual"


class LoadTestError(ValueError):
    """An invalid option; the message says which one and what would be right."""


@dataclass(frozen=True)
class PhoneOptions:
    """One phone, as suboptions of emulated_phone's option ``phones``."""

    name: str
    mac: str
    model: str
    serial: str = ""
    certificate: str | None = None
    private_key: str | None = None
    roots: str | None = None
    """File with the roots that it has from the factory; None: that of all phones."""
    parameters: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Parameters that the phone has when it is first switched on, besides factory settings."""
    habits: frozenset[Habit] = frozenset()
    user_agent: str = ""
    """User-Agent that it sends by HTTP unless a parameter sets another, with macros; empty: its family's."""


@dataclass(frozen=True)
class HomeOptions:
    """The network at the customer's, as suboptions of emulated_phone's option ``home``."""

    name_servers: tuple[str, ...] = ()
    """Addresses of the resolvers; without them, the target's own."""
    records: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Name in lower case -> its addresses, instead of what a resolver says."""
    ip_mode: IpMode = IpMode.IPV4
    namespace: str = ""
    """Network namespace of the phones; empty for the target's own network."""


@dataclass(frozen=True)
class LoadTestOptions:
    """Options of emulated_phone, see its documentation."""

    phones: tuple[PhoneOptions, ...]
    """Those named in ``phones``, and the synthetic ones."""
    families: dict[str, Any]
    bridge: str
    roots: str | None
    power_cycles: int
    lifetime: float
    speed: float
    customization: str
    checksums: Mapping[str, str]
    timeout: int
    parallel: int
    ramp: float
    think_time: float
    reports: int
    plot: str | None
    home: HomeOptions | None = None
    """None for phones on a bench."""
    stop_file: str | None = None
    """Phones are switched off when this file appears."""


def read_options(params: Mapping[str, Any]) -> LoadTestOptions:
    """Return the options from a module's parameters; raise LoadTestError."""
    for name, minimum in _MINIMA.items():
        if params[name] < minimum:
            raise LoadTestError(f"{name} is {params[name]:g}; it must be at least {minimum}")
    phones = [_read_phone(phone, params["habits"]) for phone in params["phones"]]
    if params["count"]:
        missing = [name for name in ("model", "first_mac") if not params[name]]
        if missing:
            raise LoadTestError(f"count also needs {' and '.join(missing)}")
        synthetic = synthetic_phones(params["count"], params["model"], params["first_mac"], params["certificates"])
        habits = _read_habits("habits", params["habits"])
        phones += [replace(phone, habits=habits) for phone in synthetic]
    if not phones:
        raise LoadTestError("no phones; list some in phones, or set count")
    home = None if params["home"] is None else read_home(params["home"])
    names = LoadTestOptions.__dataclass_fields__.keys() - {"phones", "home"}
    return LoadTestOptions(phones=tuple(phones), home=home, **{name: params[name] for name in names})


def read_home(given: Mapping[str, Any]) -> HomeOptions:
    """Return the options of the network at the customer's; raise LoadTestError."""
    records = {str(name).lower().rstrip("."): values for name, values in (given["records"] or {}).items()}
    for name, values in records.items():
        if not isinstance(values, list) or not values:
            raise LoadTestError(f"home: records: {name}: list its addresses, such as [203.0.113.1]")
    return HomeOptions(
        name_servers=_read_addresses("name_servers", given["name_servers"] or ()),
        records={name: _read_addresses(f"records: {name}", values) for name, values in records.items()},
        ip_mode=IpMode(given["ip_mode"]),
        namespace=given["namespace"] or "",
    )


def _read_addresses(option: str, values: Iterable[object]) -> tuple[str, ...]:
    try:
        return tuple(str(ip_address(str(value))) for value in values)
    except ValueError as error:
        raise LoadTestError(f"home: {option}: {error}") from error


def _read_phone(given: Mapping[str, Any], common_habits: Iterable[str]) -> PhoneOptions:
    parameters = {str(name): str(value) for name, value in given.get("parameters", {}).items()}
    habits = _read_habits(f"phone {given['name']}: habits", [*given.get("habits", ()), *common_habits])
    if not _HEADER.fullmatch(given.get("user_agent", "")):
        raise LoadTestError(f"phone {given['name']}: user_agent is {given['user_agent']!r}; it must be printable ASCII")
    return PhoneOptions(**{**given, "parameters": parameters, "habits": habits})


def _read_habits(option: str, names: Iterable[str]) -> frozenset[Habit]:
    try:
        return read_habits(names)
    except HabitError as error:
        raise LoadTestError(f"{option}: {error}") from error


def synthetic_phones(count: int, model: str, first_mac: str, certificates: str | None) -> Iterator[PhoneOptions]:
    """Yield *count* phones with consecutive MAC addresses; raise LoadTestError.

    *certificates*: folder of each phone's ``<MAC>.pem`` and ``<MAC>.key``, or one ``key.pem`` for all.
    """
    try:
        first = parse_mac(first_mac)
    except MacError as error:
        raise LoadTestError(f"first_mac: {error}") from error
    number = int(first.plain, 16)
    left = _ADDRESSES_OF_ONE_VENDOR - number % _ADDRESSES_OF_ONE_VENDOR
    if count > left:
        raise LoadTestError(
            f"count is {count}, but only {left} addresses from {first.colon} on have the same vendor prefix; use a lower first_mac"
        )
    shared = certificates is not None and Path(certificates, "key.pem").exists()
    for index in range(count):
        mac = f"{number + index:012x}"
        yield PhoneOptions(
            name=f"phone-{index + 1}",
            mac=":".join(mac[start : start + 2] for start in range(0, 12, 2)),
            model=model,
            serial=mac.upper(),
            certificate=certificates and f"{certificates}/{mac}.pem",
            private_key=certificates and f"{certificates}/{'key.pem' if shared else f'{mac}.key'}",
        )


def load_phones(options: LoadTestOptions) -> list[Phone]:
    """Validate the phones as inventory hosts are validated; raise PhoneError, or FamilyError for ``families``."""
    reader = PhoneReader(BUILTIN.extended(options.families))
    variables = (
        (phone.name, {"phone_mac": phone.mac, "phone_model": phone.model, "phone_serial": phone.serial}) for phone in options.phones
    )
    return read_phones(variables, reader)
