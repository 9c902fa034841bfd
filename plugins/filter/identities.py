# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters for what identifies phones: MAC addresses and User-Agents."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.voip.preprovision.plugins.module_utils.common.mac import MacError, format_mac, parse_mac
from ansible_collections.voip.preprovision.plugins.module_utils.common.validate import kind_of
from ansible_collections.voip.preprovision.plugins.module_utils.families import user_agent


def mac_format(mac: object, style: str) -> str:
    """Return a MAC address in another spelling."""
    try:
        return format_mac(parse_mac(mac), style)
    except MacError as error:
        raise AnsibleFilterError(str(error)) from error


def parse_user_agent(text: object) -> dict[str, str]:
    """Return what a User-Agent says; all values are empty if no phone of a known family sends it."""
    if not isinstance(text, str):
        raise AnsibleFilterError(f"the User-Agent must be text, not {kind_of(text)}")
    found = user_agent.parse_user_agent(text)
    return {
        "vendor": found.vendor if found else "",
        "product": found.model if found else "",
        "firmware": found.firmware if found else "",
        "serial": (found and found.serial) or "",
        "mac": found.mac.colon if found and found.mac else "",
    }


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"mac_format": mac_format, "parse_user_agent": parse_user_agent}
