# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters that several services share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.voip.preprovision.plugins.module_utils.bench_network import BenchError, check_addresses


def service_addresses(addresses: object, variable: str) -> list[str]:
    """Check the addresses on which a service listens."""
    try:
        checked = check_addresses(addresses, variable)
    except BenchError as error:
        raise AnsibleFilterError(str(error)) from error
    if not checked:
        raise AnsibleFilterError(f"{variable} is empty; name at least one IPv4 address to listen on")
    return list(checked)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"service_addresses": service_addresses}
