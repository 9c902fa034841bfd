# SPDX-License-Identifier: GPL-3.0-or-later
"""The bench's filters read a machine's facts and refuse with the domain's sentence."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.voip.preprovision.plugins.filter.bench import FilterModule

FILTERS = FilterModule().filters()
FACTS = {
    "interfaces": ["lo", "eth0", "usb-nic.1", "eth2", "bench0"],
    "default_ipv4": {"interface": "eth0"},
    "default_ipv6": {},
    "env": {"SSH_CONNECTION": "203.0.113.99 50000 203.0.113.4 22"},
    "lo": {"ipv4": {"address": "127.0.0.1", "netmask": "255.0.0.0", "prefix": "8"}},
    "eth0": {"macaddress": "00:00:5e:00:53:10", "ipv4": {"address": "198.51.100.7", "netmask": "255.255.255.0"}},
    "usb_nic.1": {"macaddress": "00:00:5e:00:53:11"},
    "eth2": {
        "macaddress": "00:00:5e:00:53:12",
        "ipv4": {"address": "10.9.9.9", "netmask": "255.255.0.0", "prefix": "16"},
        "ipv4_secondaries": [{"address": "203.0.113.4", "netmask": "255.255.255.0", "prefix": "24"}],
    },
    "bench0": {"macaddress": "00:00:5e:00:53:11", "ipv4": {"address": "192.0.2.1", "netmask": "255.255.255.0", "prefix": "24"}},
}


@pytest.mark.parametrize(
    ("ports", "facts", "mac"),
    [
        (["usb-nic.1"], FACTS, "00:00:5e:00:53:11"),
        ([], FACTS, "02:00:00:00:00:01"),
        ([], {"interfaces": ["lo"]}, "02:00:00:00:00:01"),
    ],
)
def test_bench_plan(ports, facts, mac):
    assert FILTERS["bench_plan"]("192.0.2.1/24", ports, facts) == {"address": "192.0.2.1/24", "ports": ports, "mac": mac}


@pytest.mark.parametrize(
    ("address", "ports", "sentence"),
    [
        ("192.0.2.0/24", [], "bench_address is '192.0.2.0/24', the network address"),
        ("192.0.2.1/24", ["eth0"], "bench_ports: 'eth0' carries the default route"),
        ("192.0.2.1/24", ["eth1"], "bench_ports: the network interface 'eth1' does not exist"),
        ("192.0.2.1/24", ["eth2"], "bench_ports: 'eth2' has the address 203.0.113.4 of the connection"),
        ("10.9.0.1/24", [], "bench_address is '10.9.0.1/24', which overlaps the network of 'eth2'"),
    ],
)
def test_refused_bench(address, ports, sentence):
    with pytest.raises(AnsibleFilterError, match=f"^{sentence}"):
        FILTERS["bench_plan"](address, ports, FACTS)


def test_a_port_with_the_default_route_needs_permission():
    assert FILTERS["bench_plan"]("192.0.2.1/24", ["eth0"], FACTS, True)["ports"] == ["eth0"]
    with pytest.raises(AnsibleFilterError, match=r"set bench_allow_default_route where that network is the bench$"):
        FILTERS["bench_plan"]("192.0.2.1/24", ["eth0"], FACTS, False)
    with pytest.raises(AnsibleFilterError, match=r"of the connection that this play runs over"):
        FILTERS["bench_plan"]("192.0.2.1/24", ["eth2"], FACTS, True)


def test_dns_plan():
    assert FILTERS["dns_plan"]("192.0.2.1/24", {"prov.example.net": ["192.0.2.1"]}, ["198.51.100.53"]) == {
        "address": "192.0.2.1",
        "network": "192.0.2.0/24",
        "records": [{"name": "prov.example.net", "addresses": ["192.0.2.1"]}],
        "forwarders": ["198.51.100.53"],
    }
    with pytest.raises(AnsibleFilterError, match=r"^dns_server_address is '192.0.2.1', without the length"):
        FILTERS["dns_plan"]("192.0.2.1", {}, [])


def test_time_plan():
    assert FILTERS["time_plan"]("192.0.2.1/24", ["ntp.example.net"], "10") == {
        "address": "192.0.2.1",
        "network": "192.0.2.0/24",
        "upstream": ["ntp.example.net"],
        "local_stratum": 10,
    }
    with pytest.raises(AnsibleFilterError, match=r"^time_server_local_stratum is 16; it must be a whole number from 1 to 15"):
        FILTERS["time_plan"]("192.0.2.1/24", [], 16)
