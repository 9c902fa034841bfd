# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters for the bench's DHCP server."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.voip.preprovision.plugins.module_utils.bench.network import BenchError
from ansible_collections.voip.preprovision.plugins.module_utils.certificates.derived import (
    DerivedError,
    check_secret,
    derived_password,
    server_credentials,
)
from ansible_collections.voip.preprovision.plugins.module_utils.dhcp import dhcpd_configuration as dhcpd
from ansible_collections.voip.preprovision.plugins.module_utils.dhcp.kea_configuration import kea_configuration
from ansible_collections.voip.preprovision.plugins.module_utils.dhcp.kea_pair import FILES, compare_stations, with_partner
from ansible_collections.voip.preprovision.plugins.module_utils.dhcp.kea_paths import HOOKS
from ansible_collections.voip.preprovision.plugins.module_utils.dhcp.options import Option, OptionError
from ansible_collections.voip.preprovision.plugins.module_utils.dhcp.server_options import DhcpPlan, plan_dhcp
from ansible_collections.voip.preprovision.plugins.module_utils.families.catalogue import BUILTIN
from ansible_collections.voip.preprovision.plugins.module_utils.families.model import FamilyError


def dhcp_plan(settings: Mapping[str, Any], families: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the content of dhcpd.conf for the settings of role dhcp_server. *families*: the user's own product families."""
    plan = _plan(settings, families)
    return {
        "interface": plan.interface,
        "station": plan.bench.address,
        "network": plan.bench.network,
        "netmask": plan.bench.netmask,
        "lease_time": plan.lease_time,
        "unknown_lease_time": plan.unknown_lease_time,
        "authoritative": plan.authoritative,
        "declarations": [declaration._asdict() for declaration in dhcpd.declarations(plan.all_options)],
        "unrequested": dhcpd.unrequested(plan.all_options),
        "options": _options(plan.options),
        "known_pool": [asdict(part) for part in plan.known_pool],
        "pool": [asdict(part) for part in plan.pool],
        "classes": [
            {
                "name": family.family,
                "condition": dhcpd.vendor_class_condition(family.prefixes, family.others),
                "options": _options(family.options),
            }
            for family in plan.classes
        ],
        "hosts": [{"name": phone.name, "mac": phone.mac.colon, "address": phone.address} for phone in plan.reservations],
    }


def dhcp_plan_kea(settings: Mapping[str, Any], version: str, architecture: str, families: Mapping[str, Any] | None = None) -> str:
    """Return kea-dhcp4.conf of a Kea *version* for the settings of role dhcp_server. *families*: as for dhcp_plan."""
    plan = _plan(settings, families)
    try:
        configuration = kea_configuration(plan, version, architecture)
    except OptionError as error:
        raise AnsibleFilterError(str(error)) from error
    if plan.partner:
        configuration["Dhcp4"] = with_partner(
            configuration["Dhcp4"], HOOKS.format(architecture), plan.bench.address, plan.partner, FILES
        )
    return json.dumps(configuration, indent=1) + "\n"


def dhcp_pair(secret: object, address: str) -> dict[str, str]:
    """Return what proves the station at *address* to its partner: ``key``; as PEM, ``ca``, ``certificate`` and ``private_key``."""
    try:
        pair = derived_password(check_secret(secret, "dhcp_server_partner_secret"), "DHCP pair")
    except DerivedError as error:
        raise AnsibleFilterError(str(error)) from error
    credentials = server_credentials(pair, "DHCP pair", address, ())
    key = derived_password(pair, "confirmations")
    return {"key": key, "ca": credentials.ca, "certificate": credentials.certificate, "private_key": credentials.key}


def dhcp_pair_fault(stations: Mapping[str, Mapping[str, Any]], station: str) -> str:
    """Return one sentence on why a station and its partner cannot be a pair, or an empty text.

    *stations*: what role dhcp_server knows of each host of the play, by its name: address, partner, clock, release, settings.
    """
    return compare_stations(stations, station)


def _plan(settings: Mapping[str, Any], families: Mapping[str, Any] | None) -> DhcpPlan:
    try:
        return plan_dhcp(settings, BUILTIN.extended(families or {}))
    except (BenchError, FamilyError, OptionError) as error:
        raise AnsibleFilterError(str(error)) from error


def _options(options: Iterable[Option]) -> list[dict[str, str]]:
    return [{"name": dhcpd.option_name(option.code), "value": dhcpd.option_value(option)} for option in options]


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"dhcp_plan": dhcp_plan, "dhcp_plan_kea": dhcp_plan_kea, "dhcp_pair": dhcp_pair, "dhcp_pair_fault": dhcp_pair_fault}
