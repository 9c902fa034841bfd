# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Turn inventory hosts into phones, and format reports on phones, checks and explanations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.voip.preprovision.plugins.module_utils.common.mac import MacError, parse_mac
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.load.resyncs import format_totals
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.load.statistics import format_statistics
from ansible_collections.voip.preprovision.plugins.module_utils.families.catalogue import BUILTIN
from ansible_collections.voip.preprovision.plugins.module_utils.families.model import FamilyError
from ansible_collections.voip.preprovision.plugins.module_utils.phones.phone import Phone, PhoneError
from ansible_collections.voip.preprovision.plugins.module_utils.phones.reader import PhoneReader, read_phones
from ansible_collections.voip.preprovision.plugins.module_utils.phones.serial_numbers import normalize_serial
from ansible_collections.voip.preprovision.plugins.module_utils.reports.check_report import Checked, failures, format_check
from ansible_collections.voip.preprovision.plugins.module_utils.reports.phone_report import format_page
from ansible_collections.voip.preprovision.plugins.module_utils.reports.phone_tables import (
    format_emulated_phones,
    format_explanation,
)
from ansible_collections.voip.preprovision.plugins.plugin_utils.number_spelling import NumberSpelling

# Only these are read: a host's other variables may need a vault or missing facts
_VARIABLES = ("phone_mac", "phone_model", "phone_serial", "phone_address")


def _read(hostvars: Mapping[str, Mapping[str, Any]], names: Iterable[str], families: Mapping[str, Any] | None) -> list[Phone]:
    pairs: list[tuple[str, dict[str, Any]]] = []
    spelling = NumberSpelling()
    for name in names:
        if name not in hostvars:
            raise AnsibleFilterError(f"phone {name}: the inventory has no host of this name")
        host = hostvars[name]
        variables = {variable: host[variable] for variable in _VARIABLES if variable in host}
        for variable, value in variables.items():
            if problem := spelling.problem(variable, value):
                raise AnsibleFilterError(f"phone {name}: {problem}")
        pairs.append((name, variables))
    try:
        return read_phones(pairs, PhoneReader(BUILTIN.extended(families or {})))
    except (FamilyError, PhoneError) as error:
        raise AnsibleFilterError(str(error)) from error


def emulated_phones(
    hostvars: Mapping[str, Mapping[str, Any]], names: Iterable[str], certificates: str, families: Mapping[str, Any] | None = None
) -> list[dict[str, str]]:
    """Return the phones as options of emulated_phone."""
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
    """Return the contents of each phone's certificate."""
    return [
        {"mac": phone.mac.colon, "model": phone.model.name, "serial": _serial(phone)} for phone in _read(hostvars, names, families)
    ]


def known_phones(
    hostvars: Mapping[str, Mapping[str, Any]], names: Iterable[str], families: Mapping[str, Any] | None = None
) -> list[dict[str, str]]:
    """Return the phones as reservations of a DHCP server."""
    return [
        {"name": phone.name, "mac": phone.mac.colon, **({"address": phone.address} if phone.address else {})}
        for phone in _read(hostvars, names, families)
    ]


def _serial(phone: Phone) -> str:
    # A real unit always has one
    return phone.serial or phone.mac.upper


def phone_table(results: Iterable[Mapping[str, Any]]) -> str:
    """Format the results of emulated_phone as a table."""
    return format_emulated_phones(results)


def find_phone(
    hostvars: Mapping[str, Mapping[str, Any]], names: Iterable[str], who: str, families: Mapping[str, Any] | None = None
) -> dict[str, str]:
    """Return the inventory's phone with this MAC address, serial number or name; an empty dict if there is none."""
    mac = _mac_of(who)
    serial = normalize_serial(who)
    for name in names:
        # An invalid phone must not hide another
        found = {variable: hostvars[name][variable] for variable in ("phone_mac", "phone_serial") if variable in hostvars[name]}
        # Digits without quotes are a number
        is_serial = bool(serial) and normalize_serial(str(found.get("phone_serial") or "")) == serial
        if who == name or is_serial or (mac and _mac_of(found.get("phone_mac")) == mac):
            phone = _read(hostvars, [name], families)[0]
            return {"name": name, "mac": phone.mac.plain, "model": phone.model.name, "serial": phone.serial}
    return {}


def _mac_of(text: object) -> str:
    try:
        return parse_mac(text).plain
    except MacError:
        return ""


def phone_page(
    facts: Mapping[str, Any],
    station: Mapping[str, Any],
    known: Mapping[str, str] | None = None,
    parameters: Iterable[Mapping[str, str]] = (),
    names: Sequence[str] = (),
) -> str:
    """Return everything known about one phone as a page of text."""
    return format_page(facts, station, known or {}, parameters, names)


def check_table(
    reports: Iterable[Mapping[str, Any]], seen: Mapping[str, Any], left: Sequence[str] = (), checked: Checked | None = None
) -> str:
    """Format the steps of emulated phones as a table."""
    return format_check(reports, seen, left, checked)


def check_failures(
    reports: Iterable[Mapping[str, Any]], seen: Mapping[str, Any], left: Sequence[str] = (), checked: Checked | None = None
) -> list[str]:
    """Return the failed steps with their causes and remedies."""
    return failures(reports, seen, left, checked)


def load_test_table(statistics: Mapping[str, Any]) -> str:
    """Format the statistics of emulated_phone as a table."""
    return format_statistics(statistics)


def resync_table(runs: Mapping[str, Mapping[str, Any]]) -> str:
    """Format the resyncs in the statistics of several runs of emulated_phone as a table."""
    return format_totals([(name, statistics["resyncs"]) for name, statistics in runs.items()])


def explanation_table(rows: Iterable[Mapping[str, str]]) -> str:
    """Format the origins of a phone's parameters as a table."""
    return format_explanation(rows)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "emulated_phones": emulated_phones,
            "device_certificates": device_certificates,
            "known_phones": known_phones,
            "phone_table": phone_table,
            "load_test_table": load_test_table,
            "resync_table": resync_table,
            "explanation_table": explanation_table,
            "find_phone": find_phone,
            "phone_page": phone_page,
            "check_table": check_table,
            "check_failures": check_failures,
        }
