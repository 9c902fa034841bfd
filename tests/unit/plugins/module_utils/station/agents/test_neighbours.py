# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard learns what the kernel knows, and the kernel forgets what the guard forgets."""

from __future__ import annotations

import json
from ipaddress import IPv4Network

from ansible_collections.voip.preprovision.plugins.module_utils.station.agents.neighbours import (
    known_pairs,
    read_active,
    read_neighbours,
    read_pairs,
    shortened_pairs,
    silent_addresses,
)

NETWORKS = [IPv4Network("192.0.2.0/24")]
# As ip of iproute2 6.1 prints it
NEIGHBOURS = json.dumps(
    [
        {"dst": "192.0.2.21", "lladdr": "00:00:5e:00:53:01", "state": ["STALE"]},
        {"dst": "192.0.2.22", "lladdr": "00:00:5e:00:53:02", "state": ["REACHABLE"]},
        {"dst": "192.0.2.23", "state": ["FAILED"]},
        {"dst": "192.0.2.24", "lladdr": "00:00:5e:00:53:04", "state": ["PERMANENT"]},
        {"dst": "198.51.100.1", "lladdr": "00:00:5e:00:53:05", "state": ["STALE"]},
    ]
)
# As nft 1.0.6 prints it
ACTIVE = json.dumps(
    {
        "nftables": [
            {"metainfo": {"version": "1.0.6"}},
            {
                "set": {
                    "family": "bridge",
                    "name": "active",
                    "timeout": 2100,
                    "elem": [
                        {"elem": {"val": "192.0.2.21", "expires": 2082}},
                        {"elem": {"val": "192.0.2.22", "timeout": 200, "expires": 199}},
                    ],
                }
            },
        ]
    }
)


def test_reads_valid_neighbours_in_the_networks():
    assert read_neighbours(NEIGHBOURS, NETWORKS) == {"192.0.2.21": "00:00:5e:00:53:01", "192.0.2.22": "00:00:5e:00:53:02"}
    # ip prints nothing at all if there are none
    assert read_neighbours("", NETWORKS) == {}


def test_tells_the_guard_whose_each_address_is():
    assert known_pairs({"192.0.2.21": "00:00:5e:00:53:01", "192.0.2.22": "00:00:5e:00:53:02"}) == (
        "add element bridge preprovision_tftp active { 192.0.2.21, 192.0.2.22 }\n"
        "add element bridge preprovision_tftp pairs { 192.0.2.21 . 00:00:5e:00:53:01, 192.0.2.22 . 00:00:5e:00:53:02 }\n"
    )
    assert known_pairs({}) == ""


def test_forgets_addresses_before_the_guard_does():
    left = read_active(ACTIVE)
    assert left == {"192.0.2.21": 2082, "192.0.2.22": 199}
    assert silent_addresses(["192.0.2.21", "192.0.2.22", "192.0.2.25"], left, 300) == ["192.0.2.22", "192.0.2.25"]
    assert silent_addresses(["192.0.2.22"], left, 199) == []
    assert read_active('{"nftables": [{"set": {"name": "active"}}]}') == {}


def test_reads_whose_addresses_are():
    element = {"val": {"concat": ["192.0.2.21", "00:00:5e:00:53:01"]}, "expires": 2082}
    listing = json.dumps({"nftables": [{"metainfo": {}}, {"set": {"name": "pairs", "elem": [{"elem": element}]}}]})
    assert read_pairs(listing) == {"192.0.2.21": "00:00:5e:00:53:01"}
    assert read_pairs('{"nftables": [{"set": {"name": "pairs"}}]}') == {}


def test_shortens_the_time_of_addresses():
    assert shortened_pairs({"192.0.2.21": "00:00:5e:00:53:01"}, 180).splitlines() == [
        "delete element bridge preprovision_tftp active { 192.0.2.21 }",
        "add element bridge preprovision_tftp active { 192.0.2.21 timeout 180s }",
        "delete element bridge preprovision_tftp pairs { 192.0.2.21 . 00:00:5e:00:53:01 }",
        "add element bridge preprovision_tftp pairs { 192.0.2.21 . 00:00:5e:00:53:01 timeout 180s }",
    ]
    assert shortened_pairs({}, 180) == ""
