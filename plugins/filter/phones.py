# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Inventory hosts as phones, and phones as a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.voip.preprovision.plugins.module_utils.check_table import failures, format_check
from ansible_collections.voip.preprovision.plugins.module_utils.families import BUILTIN, FamilyError
from ansible_collections.voip.preprovision.plugins.module_utils.mac import MacError, parse_mac
from ansible_collections.voip.preprovision.plugins.module_utils.phone import Phone, PhoneError, PhoneReader, read_phones
from ansible_collections.voip.preprovision.plugins.module_utils.phone_page import format_page
from ansible_collections.voip.preprovision.plugins.module_utils.swarm_statistics import format_statistics
from ansible_collections.voip.preprovision.plugins.module_utils.tables import format_explanation, format_table

# Only these are looked up: everything else a host has may need a vault, or a fact that is not there.
_VARIABLES = ("phone_mac", "phone_model", "phone_serial", "phone_address")


def _read(hostvars: Mapping[str, Mapping[str, Any]], names: Iterable[str], families: Mapping[str, Any] | None) -> list[Phone]:
    pairs: list[tuple[str, dict[str, Any]]] = []
    for name in names:
        if name not in hostvars:
            raise AnsibleFilterError(f"phone {name}: the inventory has no host of this name")
        host = hostvars[name]
        pairs.append((name, {variable: host[variable] for variable in _VARIABLES if variable in host}))
    try:
        return read_phones(pairs, PhoneReader(BUILTIN.extended(families or {})))
    except (FamilyError, PhoneError) as error:
        raise AnsibleFilterError(str(error)) from error


def emulated_phones(
    hostvars: Mapping[str, Mapping[str, Any]], names: Iterable[str], certificates: str, families: Mapping[str, Any] | None = None
) -> list[dict[str, str]]:
    """Return what emulated_phone needs to know of each phone."""
    return [
        {
            "name": phone.name,
            "mac": phone.mac.colon,
            "model": phone.model.name,
            "serial": _serial(phone),
            "certificate": f"{certificates}/{phone.mac.plain}.pem",
            "private_key": f"{certificates}/{phone.mac.plain}.key",
        }
        for phone in _read(hostvars, names, families)
    ]


def device_certificates(
    hostvars: Mapping[str, Mapping[str, Any]], names: Iterable[str], families: Mapping[str, Any] | None = None
) -> list[dict[str, str]]:
    """Return what the certificate of each phone says."""
    return [
        {"mac": phone.mac.colon, "model": phone.model.name, "serial": _serial(phone)} for phone in _read(hostvars, names, families)
    ]


def known_phones(
    hostvars: Mapping[str, Mapping[str, Any]], names: Iterable[str], families: Mapping[str, Any] | None = None
) -> list[dict[str, str]]:
    """Return what a DHCP server needs to know of each phone."""
    return [
        {"name": phone.name, "mac": phone.mac.colon, **({"address": phone.address} if phone.address else {})}
        for phone in _read(hostvars, names, families)
    ]


def _serial(phone: Phone) -> str:
    # A real unit always has one
    return phone.serial or phone.mac.upper


def phone_table(results: Iterable[Mapping[str, Any]]) -> str:
    """Print the results of emulated_phone as a table."""
    return format_table(results)


def find_phone(
    hostvars: Mapping[str, Mapping[str, Any]], names: Iterable[str], who: str, families: Mapping[str, Any] | None = None
) -> dict[str, str]:
    """Return what the inventory knows of the phone with that MAC address, serial number or name."""
    mac = _mac_of(who)
    for name in names:
        # One phone that is not right must not hide another
        told = {variable: hostvars[name][variable] for variable in ("phone_mac", "phone_serial") if variable in hostvars[name]}
        if who in (name, told.get("phone_serial")) or (mac and _mac_of(told.get("phone_mac")) == mac):
            phone = _read(hostvars, [name], families)[0]
            return {"name": name, "mac": phone.mac.plain, "model": phone.model.name, "serial": phone.serial}
    return {}


def _mac_of(text: object) -> str:
    try:
        return parse_mac(text).plain
    except MacError:
        return ""


def phone_page(
    told: Mapping[str, Any],
    station: Mapping[str, Any],
    known: Mapping[str, str] | None = None,
    parameters: Iterable[Mapping[str, str]] = (),
    names: Sequence[str] = (),
) -> str:
    """Print all that is known of one phone."""
    return format_page(told, station, known or {}, parameters, names)


def check_table(reports: Iterable[Mapping[str, Any]], seen: Mapping[str, Any], left: Sequence[str] = ()) -> str:
    """Print the way of emulated phones step by step."""
    return format_check(reports, seen, left)


def check_failures(reports: Iterable[Mapping[str, Any]], seen: Mapping[str, Any], left: Sequence[str] = ()) -> list[str]:
    """Return what failed, why, and what to do."""
    return failures(reports, seen, left)


def swarm_table(statistics: Mapping[str, Any]) -> str:
    """Print the statistics of emulated_phone as a table."""
    return format_statistics(statistics)


def explanation_table(rows: Iterable[Mapping[str, str]]) -> str:
    """Print where the parameters of a phone come from as a table."""
    return format_explanation(rows)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "emulated_phones": emulated_phones,
            "device_certificates": device_certificates,
            "known_phones": known_phones,
            "phone_table": phone_table,
            "swarm_table": swarm_table,
            "explanation_table": explanation_table,
            "find_phone": find_phone,
            "phone_page": phone_page,
            "check_table": check_table,
            "check_failures": check_failures,
        }
