# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Controller side of the fleet_servers module, which has no other: no connection is opened."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ..module_utils.common.own_addresses import own_addresses
from ..module_utils.fleet.servers import FleetError, Server, faults, record_fault
from ..plugin_utils.options import read_options
from ..plugin_utils.target_module import failing

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "servers": {"type": "list", "elements": "str", "required": True},
    "records": {"type": "str", "default": "warn", "choices": ["warn", "error", "ignore"]},
}


class ActionModule(ActionBase):
    """Wiring."""

    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Check the servers of all names."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        options = read_options("fleet_servers", ARGUMENT_SPEC, self._task.args)
        hostvars = (task_vars or {})["hostvars"]
        servers = [_server(name, hostvars[name]) for name in options["servers"]]
        found = faults(servers)
        misled = list(_record_faults(servers)) if options["records"] != "ignore" else []
        if options["records"] == "error":
            found += misled
        else:
            for sentence in misled:
                Display().warning(sentence)
        with failing(FleetError):
            if found:
                raise FleetError("\n".join(f"{sentence}." for sentence in found))
        return {**result, "changed": False}


def _server(name: str, variables: Mapping[str, Any]) -> Server:
    facts = variables.get("ansible_facts", {})
    own = own_addresses(facts) if "all_ipv4_addresses" in facts else None
    return Server(
        name,
        str(variables.get("provisioning_name", "")),
        variables.get("provisioning_server_addresses", []),
        variables.get("provisioning_server_private_addresses", []),
        str(variables.get("certificates_key", "")),
        str(variables.get("certificates_signed", "")),
        own,
        bool(variables.get("certificates_requests_folder", "")),
    )


def _record_faults(servers: Sequence[Server]) -> Iterator[str]:
    for name, group in groupby(
        sorted(servers, key=lambda server: server.provisioning_name), lambda server: server.provisioning_name
    ):
        fault = record_fault(name, _resolve(name), list(group))
        if fault:
            yield fault


def _resolve(name: str) -> set[str]:
    """Return the addresses that this machine finds for a name; none if it does not resolve."""
    try:
        return {str(answer[4][0]) for answer in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)}
    except OSError:
        return set()
