# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters about the bench LAN."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.voip.preprovision.plugins.module_utils import bench_network


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except bench_network.BenchError as error:
        raise AnsibleFilterError(str(error)) from error


def _interfaces(facts: Mapping[str, Any]) -> dict[str, bench_network.Interface]:
    """The machine's interfaces; their facts lie under their names with "_" for "-"."""
    found = {}
    for name in facts["interfaces"]:
        fact = facts.get(name.replace("-", "_"), {})
        ipv4 = [*([fact["ipv4"]] if "ipv4" in fact else []), *fact.get("ipv4_secondaries", [])]
        addresses = tuple(f"{entry['address']}/{entry.get('prefix', entry['netmask'])}" for entry in ipv4)
        found[str(name)] = bench_network.Interface(fact.get("macaddress", ""), addresses)
    return found


def bench_plan(address: str, ports: Sequence[str], facts: Mapping[str, Any], allow_default_route: bool = False) -> dict[str, Any]:
    """Check the bench's address and ports against the machine's facts."""
    interfaces = _interfaces(facts)
    defaults = () if allow_default_route else ("default_ipv4", "default_ipv6")
    uplinks = [facts.get(default, {}).get("interface", "") for default in defaults]
    session = str(facts.get("env", {}).get("SSH_CONNECTION", "")).split()[2:3]
    with _translated():
        bench = bench_network.parse_bench_address(address)
        checked = bench_network.check_ports(ports, interfaces, uplinks, *session)
        bench_network.check_overlap(bench, interfaces, checked)
    return {
        "address": str(bench),
        "ports": list(checked),
        "mac": interfaces[checked[0]].mac if checked else bench_network.VIRTUAL_MAC,
    }


def dns_plan(address: str, records: Mapping[str, Sequence[str]], forwarders: Sequence[str]) -> dict[str, Any]:
    """Check the settings of role dns_server."""
    with _translated():
        bench = bench_network.parse_bench_address(address, "dns_server_address")
        planned = bench_network.plan_records(records, "dns_server_records")
        asked = bench_network.check_addresses(forwarders, "dns_server_forwarders")
    return {
        "address": bench.address,
        "network": bench.cidr,
        "records": [{"name": name, "addresses": list(addresses)} for name, addresses in planned],
        "forwarders": list(asked),
    }


def time_plan(address: str, upstream: Sequence[str], local_stratum: int) -> dict[str, Any]:
    """Check the settings of role time_server."""
    with _translated():
        bench = bench_network.parse_bench_address(address, "time_server_address")
        followed = bench_network.check_servers(upstream, "time_server_upstream")
        stratum = bench_network.whole_number(local_stratum, "time_server_local_stratum", 1, 15)
    return {"address": bench.address, "network": bench.cidr, "upstream": list(followed), "local_stratum": stratum}


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"bench_plan": bench_plan, "dns_plan": dns_plan, "time_plan": time_plan}
