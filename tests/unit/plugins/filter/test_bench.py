# SPDX-License-Identifier: GPL-3.0-or-later
"""The bench's filters read a machine's facts and raise AnsibleFilterError with the domain's message."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.voip.preprovision.plugins.filter.bench import FilterModule
from ansible_collections.voip.preprovision.plugins.module_utils.bench.network import interface_settings

FILTERS = FilterModule().filters()
FACTS = {
    "interfaces": ["lo", "eth0", "usb-nic.1", "eth2", "bench0"],
    "default_ipv4": {"interface": "eth0"},
    "default_ipv6": {},
    "env": {"SSH_CONNECTION": "203.0.113.99 50000 203.0.113.4 22"},
    "lo": {"ipv4": {"address": "127.0.0.1", "netmask": "255.0.0.0", "prefix": "8"}},
    "eth0": {"macaddress": "00:00:5e:00:53:10", "ipv4": {"address": "198.51.100.7", "netmask": "255.255.255.0"}},
    "usb_nic.1": {"macaddress": "00:00:5e:00:53:11", "active": True},
    "eth2": {
        "macaddress": "00:00:5e:00:53:12",
        "ipv4": {"address": "10.9.9.9", "netmask": "255.255.0.0", "prefix": "16"},
        "ipv4_secondaries": [{"address": "203.0.113.4", "netmask": "255.255.255.0", "prefix": "24"}],
    },
    "bench0": {"macaddress": "00:00:5e:00:53:11", "ipv4": {"address": "192.0.2.1", "netmask": "255.255.255.0", "prefix": "24"}},
}

UNPLUGGED = {"macaddress": "00:00:5e:00:53:11", "active": False}


@pytest.mark.parametrize(
    ("ports", "facts", "mac", "silent"),
    [
        (["usb-nic.1"], FACTS, "00:00:5e:00:53:11", []),
        (["usb-nic.1"], {**FACTS, "usb_nic.1": UNPLUGGED}, "00:00:5e:00:53:11", ["usb-nic.1"]),
        ([], FACTS, "02:00:00:00:00:01", []),
        ([], {"interfaces": ["lo"]}, "02:00:00:00:00:01", []),
    ],
)
def test_returns_the_bench_plan(ports, facts, mac, silent):
    assert FILTERS["bench_plan"]("192.0.2.1/24", ports, facts) == {
        "address": "192.0.2.1/24",
        "ports": ports,
        "silent_ports": silent,
        "mac": mac,
        "neighbours": {"gc_thresh1": 254, "gc_thresh2": 512, "gc_thresh3": 1024},
        "settings": interface_settings(ports),
    }


SSH_BY_SUDO = {**FACTS, "env": {}}
SSH = {**FACTS, "env": {"SSH_CONNECTION": "192.0.2.9 50000 192.0.2.1 2222"}}


@pytest.mark.parametrize(
    ("facts", "open_ports", "host"),
    [
        (SSH, None, ""),
        (SSH, [22, "2222"], ""),
        (SSH_BY_SUDO, [22], "192.0.2.1"),
        (SSH_BY_SUDO, [], "198.51.100.7"),
        (FACTS, [], "bench-pc"),
    ],
)
def test_leaves_the_connection_open(facts, open_ports, host):
    assert FILTERS["bench_plan"]("192.0.2.1/24", [], facts, False, open_ports, host)["ports"] == []


@pytest.mark.parametrize(("facts", "open_ports", "host", "port"), [(SSH, [22], "", 2222), (SSH_BY_SUDO, [], "192.0.2.1", 22)])
def test_refuses_to_cut_the_connection(facts, open_ports, host, port):
    with pytest.raises(AnsibleFilterError) as raised:
        FILTERS["bench_plan"]("192.0.2.1/24", [], facts, False, open_ports, host)
    assert str(raised.value) == (
        f"bench_open_ports: this play reaches the machine at 192.0.2.1, port {port}, on the bench, where the firewall would close"
        f" it; connect by another network, or add {port} to bench_open_ports"
    )


def test_never_lowers_the_limits_of_the_neighbour_table():
    limits = {"gc_thresh1": 1022, "gc_thresh2": 2044, "gc_thresh3": 4088}
    present = "gc_thresh1 128\ngc_thresh2 4096\ngc_thresh3 8192\n"
    assert FILTERS["neighbour_settings"](limits, present) == {"gc_thresh1": 1022, "gc_thresh2": 4096, "gc_thresh3": 8192}


def test_warns_if_the_neighbour_table_cannot_be_sized(capsys):
    assert FILTERS["neighbour_settings"]({"gc_thresh1": 254, "gc_thresh3": 1024}, "") == {}
    assert "gc_thresh3 to 1024 or more" in " ".join(capsys.readouterr().err.split())


def test_returns_the_plan_of_the_tftp_guard():
    plan = FILTERS["tftp_guard_plan"]("/run/tftp", "192.0.2.1", ["192.0.2.1/24", "198.51.100.0/24"])
    assert plan["networks"] == ["192.0.2.0/24"]
    assert plan["clients"] == ["192.0.2.0/24", "198.51.100.0/24"]
    assert plan["names"]
    with pytest.raises(AnsibleFilterError, match=r"^the served folder must be .* but is 'x'"):
        FILTERS["tftp_guard_plan"]("x", "192.0.2.1", ["192.0.2.1/24"])


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
def test_rejects_invalid_bench(address, ports, sentence):
    with pytest.raises(AnsibleFilterError, match=f"^{sentence}"):
        FILTERS["bench_plan"](address, ports, FACTS)


def test_port_with_the_default_route_needs_permission():
    assert FILTERS["bench_plan"]("192.0.2.1/24", ["eth0"], FACTS, True)["ports"] == ["eth0"]
    with pytest.raises(AnsibleFilterError, match=r"set bench_allow_default_route where that network is the bench$"):
        FILTERS["bench_plan"]("192.0.2.1/24", ["eth0"], FACTS, False)
    with pytest.raises(AnsibleFilterError, match=r"of the connection that this play runs over"):
        FILTERS["bench_plan"]("192.0.2.1/24", ["eth2"], FACTS, True)


def test_returns_the_dns_plan():
    assert FILTERS["dns_plan"]("192.0.2.1/24", {"prov.example.net": ["192.0.2.1"]}, ["198.51.100.53"]) == {
        "address": "192.0.2.1",
        "network": "192.0.2.0/24",
        "records": [{"name": "prov.example.net", "addresses": ["192.0.2.1"]}],
        "forwarders": ["198.51.100.53"],
    }
    with pytest.raises(AnsibleFilterError, match=r"^dns_server_address is '192.0.2.1', without the prefix length"):
        FILTERS["dns_plan"]("192.0.2.1", {}, [])


def test_returns_the_time_plan():
    assert FILTERS["time_plan"]("192.0.2.1/24", ["ntp.example.net"], "10") == {
        "address": "192.0.2.1",
        "network": "192.0.2.0/24",
        "upstream": ["ntp.example.net"],
        "local_stratum": 10,
    }
    with pytest.raises(AnsibleFilterError, match=r"^time_server_local_stratum is 16; it must be a whole number between 1 and 15"):
        FILTERS["time_plan"]("192.0.2.1/24", [], 16)
