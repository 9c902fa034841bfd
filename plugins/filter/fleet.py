# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters for provisioning servers that share a name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.voip.preprovision.plugins.module_utils.fleet import servers


def zone_lines(addresses: Sequence[str], name: str, ttl: int = 300) -> list[str]:
    """Return the lines of a zone file that lead *name* to the addresses."""
    try:
        return servers.zone_lines(name, addresses, ttl)
    except ValueError as error:
        raise AnsibleFilterError(f"zone_lines: {error}") from error


def zone_file(servers_of_zone: Mapping[str, Sequence[str]], name: str, ttl: int = 300) -> str:
    """Return the zone file of *name*, which leads to the addresses of all servers."""
    try:
        return servers.zone_file(name, servers_of_zone, ttl)
    except ValueError as error:
        raise AnsibleFilterError(f"zone_file: {error}") from error


def delegation_lines(servers_of_zone: Mapping[str, Sequence[str]], name: str, ttl: int = 300) -> list[str]:
    """Return the lines of the zone above that delegate *name* to the servers."""
    try:
        return servers.delegation_lines(name, servers_of_zone, ttl)
    except ValueError as error:
        raise AnsibleFilterError(f"delegation_lines: {error}") from error


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"delegation_lines": delegation_lines, "zone_file": zone_file, "zone_lines": zone_lines}
