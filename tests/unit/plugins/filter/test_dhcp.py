# SPDX-License-Identifier: GPL-3.0-or-later
"""The DHCP plan for the role's template, and errors for invalid settings."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.voip.preprovision.plugins.filter.dhcp import FilterModule

SETTINGS = {
    "address": "192.0.2.1/29",
    "interface": "bench0",
    "pool_size": 3,
    "lease_time": 3600,
    "unknown_lease_time": 300,
    "authoritative": False,
    "domain": "",
    "option_66": "prov.example.net",
    "option_150": [],
    "option_159": "",
    "option_160": "",
    "option_3": [],
    "option_42": [],
    "option_6": [],
    "option_43": [],
    "option_125": [],
    "option_132": 0,
    "option_132_type": "text",
    "custom_options": [],
    "reservations": [{"name": "a", "mac": "00005E005301", "address": "192.0.2.2"}, {"name": "b", "mac": "00005E005302"}],
    "families": {"spa": {"option_66": "spa.example.net"}},
}
dhcp_plan = FilterModule().filters()["dhcp_plan"]


def test_returns_the_plan():
    plan = dhcp_plan(SETTINGS)
    classes = {family["name"]: family["options"] for family in plan.pop("classes")}
    others = {name: [] for name in ("ata19x", "grandstream", "mpp", "pap2t", "phoneos", "poly", "snom", "yealink")}
    assert classes == {**others, "spa": [{"name": "tftp-server-name", "value": '"spa.example.net"'}]}
    assert plan == {
        "interface": "bench0",
        "station": "192.0.2.1",
        "network": "192.0.2.0",
        "netmask": "255.255.255.248",
        "lease_time": 3600,
        "unknown_lease_time": 300,
        "authoritative": False,
        "declarations": [{"name": "preprovision-tftp-servers", "code": 150, "type": "array of ip-address"}],
        "unrequested": "",
        "options": [
            {"name": "domain-name-servers", "value": "192.0.2.1"},
            {"name": "ntp-servers", "value": "192.0.2.1"},
            {"name": "tftp-server-name", "value": '"prov.example.net"'},
            {"name": "preprovision-tftp-servers", "value": "192.0.2.1"},
        ],
        "known_pool": [{"first": "192.0.2.4", "last": "192.0.2.4"}],
        "pool": [{"first": "192.0.2.5", "last": "192.0.2.6"}],
        "hosts": [
            {"name": "a", "mac": "00:00:5e:00:53:01", "address": "192.0.2.2"},
            {"name": "b", "mac": "00:00:5e:00:53:02", "address": None},
        ],
    }


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"pool_size": 6}, "dhcp_server_pool_size is 6, but 192.0.2.0/29 has room for 5 phones"),
        ({"option_66": "a b"}, "dhcp_server_option_66 is 'a b'"),
        ({"reservations": [{"name": "a", "mac": "x"}]}, "dhcp_server_reservations: phone 'a': 'x' is not a MAC address"),
    ],
)
def test_rejects_invalid_settings(change, sentence):
    with pytest.raises(AnsibleFilterError, match="^" + sentence.replace("(", r"\(")):
        dhcp_plan(SETTINGS | change)


def test_uses_families_of_the_inventory():
    settings = SETTINGS | {"families": {"acme": {"option_66": "acme.example.net"}}}
    classes = dhcp_plan(settings, {"acme": {"vendor_classes": ["Acme VP"]}})["classes"]
    assert classes[0] == {
        "name": "acme",
        "condition": 'lcase(substring(option vendor-class-identifier, 0, 7)) = "acme vp"',
        "options": [{"name": "tftp-server-name", "value": '"acme.example.net"'}],
    }
    with pytest.raises(AnsibleFilterError, match=r"^family acme: unknown attribute 'vendor_clases'; did you mean"):
        dhcp_plan(settings, {"acme": {"vendor_clases": ["Acme VP"]}})
