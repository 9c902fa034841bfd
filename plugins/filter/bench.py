# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters that check settings of the bench LAN."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible.utils.display import Display

from ansible_collections.voip.preprovision.plugins.module_utils.bench import network as bench_network
from ansible_collections.voip.preprovision.plugins.module_utils.bench import public_firewall as bench_public_firewall
from ansible_collections.voip.preprovision.plugins.module_utils.bench import tftp_guard

_NO_NEIGHBOUR_LIMITS = (
    "bench: this machine cannot change how many addresses the kernel remembers, as in a container; with many phones, set "
    "net.ipv4.neigh.default.gc_thresh3 to {} or more on its host"
)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (bench_network.BenchError, tftp_guard.TftpGuardError) as error:
        raise AnsibleFilterError(str(error)) from error


def _interfaces(facts: Mapping[str, Any]) -> dict[str, bench_network.Interface]:
    """Return the machine's interfaces; facts have their names with "_" for "-"."""
    found = {}
    for name in facts["interfaces"]:
        fact = facts.get(name.replace("-", "_"), {})
        ipv4 = [*([fact["ipv4"]] if "ipv4" in fact else []), *fact.get("ipv4_secondaries", [])]
        addresses = tuple(f"{entry['address']}/{entry.get('prefix', entry['netmask'])}" for entry in ipv4)
        found[str(name)] = bench_network.Interface(fact.get("macaddress", ""), addresses)
    return found


def bench_plan(
    address: str,
    ports: Sequence[str],
    facts: Mapping[str, Any],
    allow_default_route: bool = False,
    open_ports: Sequence[int] | None = None,
    host: str = "",
    port: int = 22,
) -> dict[str, Any]:
    """Return the bridge's address, ports, MAC address and kernel settings, checked against the machine's facts.

    *silent_ports* of the plan had no carrier, perhaps because they were switched off.

    *open_ports*: what the firewall leaves open besides the services; None without a firewall. *host* and *port*: where Ansible
    reaches the machine, if its facts do not say so, as with sudo.
    """
    interfaces = _interfaces(facts)
    defaults = () if allow_default_route else ("default_ipv4", "default_ipv6")
    uplinks = [facts.get(default, {}).get("interface", "") for default in defaults]
    session = str(facts.get("env", {}).get("SSH_CONNECTION", "")).split()[2:4]
    with _translated():
        bench = bench_network.parse_bench_address(address)
        checked = bench_network.check_ports(ports, interfaces, uplinks, *session[:1])
        bench_network.check_overlap(bench, interfaces, checked)
        if open_ports is not None:
            address, number = session or (host, port)
            bench_network.check_open_ports(open_ports, bench, (address, int(number)))
    return {
        "address": str(bench),
        "ports": list(checked),
        "silent_ports": [name for name in checked if not facts.get(name.replace("-", "_"), {}).get("active")],
        "mac": interfaces[checked[0]].mac if checked else bench_network.VIRTUAL_MAC,
        "neighbours": bench_network.neighbour_limits(bench),
        "settings": bench_network.interface_settings(checked),
    }


def neighbour_settings(limits: Mapping[str, int], present: str) -> dict[str, int]:
    """Return the limits of the neighbour table to set, none lower than at present; warn and return none if there are none."""
    found = {name: int(value) for name, value in (line.split() for line in present.splitlines())}
    if found.keys() != limits.keys():
        Display().warning(_NO_NEIGHBOUR_LIMITS.format(limits["gc_thresh3"]))
        return {}
    return {name: max(limit, found[name]) for name, limit in limits.items()}


def tftp_guard_plan(root: str, address: str, clients: Sequence[str]) -> dict[str, list[str]]:
    """Return what the rules that guard the TFTP server are made of."""
    with _translated():
        return {
            "clients": tftp_guard.client_networks(clients),
            "names": tftp_guard.forbidden_names(root),
            "networks": tftp_guard.neighbour_networks(address, clients),
        }


def dns_plan(address: str, records: Mapping[str, Sequence[str]], forwarders: Sequence[str]) -> dict[str, Any]:
    """Return the checked settings of role dns_server."""
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
    """Return the checked settings of role time_server."""
    with _translated():
        bench = bench_network.parse_bench_address(address, "time_server_address")
        followed = bench_network.check_servers(upstream, "time_server_upstream")
        stratum = bench_network.whole_number(local_stratum, "time_server_local_stratum", 1, 15)
    return {"address": bench.address, "network": bench.cidr, "upstream": list(followed), "local_stratum": stratum}


def public_firewall(
    addresses: Sequence[str], admin_networks: Sequence[str], facts: Mapping[str, Any], host: str = "", port: int = 22
) -> dict[str, Any]:
    """Return what the rules of a provisioning server's firewall need.

    *host* and *port*: where Ansible reaches the machine, if its facts do not say so, as with sudo.
    """
    client, _port, server, ssh_port = ([*str(facts.get("env", {}).get("SSH_CONNECTION", "")).split(), "", "", "", ""])[:4]
    session = bench_public_firewall.Session(server or host, client, int(ssh_port or port))
    with _translated():
        return bench_public_firewall.plan_public_firewall(addresses, admin_networks, session)._asdict()


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "bench_plan": bench_plan,
            "dns_plan": dns_plan,
            "neighbour_settings": neighbour_settings,
            "public_firewall": public_firewall,
            "tftp_guard_plan": tftp_guard_plan,
            "time_plan": time_plan,
        }
