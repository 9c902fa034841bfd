# SPDX-License-Identifier: GPL-3.0-or-later
"""Provisioning servers that share a name: mistakes, records that lead elsewhere, and the lines of the zone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.fleet.servers import (
    FleetError,
    Server,
    delegation_lines,
    faults,
    record_fault,
    zone_file,
    zone_lines,
)

ONE = Server("home-1", "prov.example.net", ["198.51.100.11", "2001:db8::11"], ["192.0.2.11"], "key.pem", "cert.pem")
TWO = Server("home-2", "prov.example.net", ["198.51.100.12", "2001:db8::12"], ["192.0.2.12"], "key.pem", "cert.pem")
THREE = Server("home-3", "prov.example.net", ["198.51.100.13"], [], "key.pem", "cert.pem")


def many(count: int) -> list[str]:
    return [f"203.0.113.{number}" for number in range(1, count + 1)]


@pytest.mark.parametrize(
    "servers",
    [
        [],
        [ONE],
        [ONE, TWO, THREE],
        # Alone under its name, a server makes its own key
        [replace(ONE, key="", signed=""), replace(TWO, provisioning_name="other.example.net")],
        [replace(ONE, own_addresses=["198.51.100.11", "192.0.2.11", "2001:db8::11", "10.0.0.1"])],
        [replace(ONE, addresses=many(10))],
        # To have their common request signed
        [replace(server, signed="", is_requesting=True) for server in (ONE, TWO)],
        # Ten of each type
        [replace(ONE, addresses=[*many(10), *(f"2001:db8::{number}" for number in range(1, 10))])],
    ],
)
def test_servers_without_mistakes(servers):
    assert faults(servers) == []


@pytest.mark.parametrize(
    ("servers", "sentences"),
    [
        (
            [ONE, replace(TWO, addresses=["198.51.100.11"])],
            ["home-1 and home-2 both have the address 198.51.100.11; give each server its own"],
        ),
        (
            [ONE, replace(TWO, private_addresses=["2001:db8::11"])],
            ["home-1 and home-2 both have the address 2001:db8::11; give each server its own"],
        ),
        (
            [replace(ONE, addresses=[])],
            ["home-1 has no provisioning_server_addresses; name the addresses on which phones reach it"],
        ),
        (
            [replace(ONE, own_addresses=["198.51.100.11", "192.0.2.11"])],
            [
                "home-1 does not have 2001:db8::11, only 198.51.100.11, 192.0.2.11; name addresses of the machine in"
                " provisioning_server_addresses and provisioning_server_private_addresses"
            ],
        ),
        (
            [replace(ONE, addresses=many(5)), replace(TWO, addresses=[f"203.0.113.1{number}" for number in range(6)])],
            ["prov.example.net would have 11 A records, but phones try 10 at most; name fewer addresses"],
        ),
        (
            [ONE, replace(TWO, signed="", is_requesting=True)],
            [
                "home-1 and home-2 are prov.example.net with a certificate each, and phones would take one for another server; set"
                " certificates_signed to the same file for all of them, such as in group_vars/provisioning_servers.yml"
            ],
        ),
        (
            [ONE, replace(TWO, key="other.pem")],
            [
                "home-1 and home-2 are prov.example.net with a key each, and phones would take one for another server; set"
                " certificates_key to the same file for all of them, such as in group_vars/provisioning_servers.yml"
            ],
        ),
        (
            [replace(server, signed="") for server in (ONE, TWO, THREE)],
            [
                "home-1, home-2 and home-3 are prov.example.net with a certificate each, and phones would take one for another"
                " server; set certificates_signed to the same file for all of them, such as in group_vars/provisioning_servers.yml"
            ],
        ),
    ],
)
def test_mistakes(servers, sentences):
    assert faults(servers) == sentences


@pytest.mark.parametrize(
    ("resolved", "sentence"),
    [
        ([], ""),
        (["2001:db8::11", "198.51.100.11", "198.51.100.12", "2001:db8::12"], ""),
        (
            ["198.51.100.11", "198.51.100.12", "2001:db8::11"],
            "prov.example.net does not lead to 2001:db8::12; correct its records, or the inventory",
        ),
        (
            ["203.0.113.9", "203.0.113.10", "198.51.100.11", "198.51.100.12", "2001:db8::11", "2001:db8::12"],
            "prov.example.net leads to 203.0.113.9, 203.0.113.10, which no server of the inventory has; correct its records, or the"
            " inventory",
        ),
        (
            ["203.0.113.9", "2001:db8::11", "2001:db8::12"],
            "prov.example.net leads to 203.0.113.9, which no server of the inventory has and does not lead to 198.51.100.11,"
            " 198.51.100.12; correct its records, or the inventory",
        ),
    ],
)
def test_records_that_lead_elsewhere(resolved, sentence):
    assert record_fault("prov.example.net", resolved, [ONE, TWO]) == sentence


def test_zone_lines():
    assert zone_lines("prov.example.net", [*ONE.addresses, *TWO.addresses, "198.51.100.11"]) == [
        "prov.example.net. 300 IN A 198.51.100.11",
        "prov.example.net. 300 IN A 198.51.100.12",
        "prov.example.net. 300 IN AAAA 2001:db8::11",
        "prov.example.net. 300 IN AAAA 2001:db8::12",
    ]
    assert zone_lines("prov.example.net.", ["198.51.100.11"], ttl=60) == ["prov.example.net. 60 IN A 198.51.100.11"]


SERVED = {"home-1.internal": ["198.51.100.11", "2001:db8::11"], "Home-2": ["198.51.100.12"]}


def test_servers_are_the_name_servers_of_their_zone():
    assert zone_file("prov.example.net", SERVED, 60).splitlines() == [
        "prov.example.net. 60 IN SOA home-1.prov.example.net. hostmaster.prov.example.net. 1 3600 600 1209600 60",
        *delegation_lines("prov.example.net", SERVED, 60),
        *zone_lines("prov.example.net", ["198.51.100.11", "2001:db8::11", "198.51.100.12"], 60),
    ]
    assert delegation_lines("prov.example.net", SERVED, 60) == [
        "prov.example.net. 60 IN NS home-1.prov.example.net.",
        "prov.example.net. 60 IN NS home-2.prov.example.net.",
        "home-1.prov.example.net. 60 IN A 198.51.100.11",
        "home-1.prov.example.net. 60 IN AAAA 2001:db8::11",
        "home-2.prov.example.net. 60 IN A 198.51.100.12",
    ]


@pytest.mark.parametrize(
    ("zone", "servers", "message"),
    [
        ("net", SERVED, "provisioning_name 'net' is not a name that can be a zone; write one such as prov.example.net"),
        ("prov..example", SERVED, "provisioning_name 'prov..example' is not a name that can be a zone"),
        ("prov.example.net", {}, "no server has the provisioning_name prov.example.net"),
        ("prov.example.net", {"home_1": []}, "the name server of home_1 cannot be called 'home_1'; use letters, digits and dashes"),
        (
            "prov.example.net",
            {"home.a": [], "HOME.b": []},
            "two name servers of prov.example.net would be called home; rename HOME.b",
        ),
    ],
)
def test_reports_what_cannot_be_a_zone(zone, servers, message):
    with pytest.raises(FleetError) as caught:
        zone_file(zone, servers)
    assert str(caught.value).startswith(message)
