# SPDX-License-Identifier: GPL-3.0-or-later
"""A pair of Kea servers: what it adds to a configuration, and which two stations can be one."""

from __future__ import annotations

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.dhcp.kea_pair import FILES, compare_stations, primary, with_partner

FIRST, SECOND = "192.0.2.9", "192.0.2.10"


def station(address, partner, **changes):
    settings = {"pool_size": 100, "option_66": "", "address": f"{address}/24"}
    return {"address": address, "partner": partner, "clock": 1000, "release": "13", "secret": "a", "settings": settings, **changes}


def test_both_come_to_the_same_pair():
    pairs = [with_partner({"valid-lifetime": 60}, "/hooks", own, other, FILES) for own, other in ((FIRST, SECOND), (SECOND, FIRST))]
    (first,), (second,) = (pair["hooks-libraries"][-1]["parameters"]["high-availability"] for pair in pairs)
    assert (first.pop("this-server-name"), second.pop("this-server-name")) == (FIRST, SECOND)
    assert first == second
    assert [(peer["name"], peer["role"]) for peer in first["peers"]] == [(FIRST, "primary"), (SECOND, "standby")]
    # Not as text, where 192.0.2.10 comes first
    assert primary(SECOND, FIRST) == FIRST


def test_keeps_what_the_server_has():
    plain = {"hooks-libraries": [{"library": "/hooks/libdhcp_lease_cmds.so"}, {"library": "/hooks/libdhcp_ping_check.so"}]}
    plain["multi-threading"] = {"thread-pool-size": 2}
    pair = with_partner(plain, "/hooks", FIRST, SECOND, FILES)
    names = [hook["library"].rpartition("/")[2] for hook in pair["hooks-libraries"]]
    assert names == ["libdhcp_ping_check.so", "libdhcp_lease_cmds.so", "libdhcp_ha.so"]
    assert pair["multi-threading"] == {"thread-pool-size": 2, "enable-multi-threading": True}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, ""),
        ({"partner": ""}, "which names nobody"),
        ({"partner": "192.0.2.77"}, "which names 192.0.2.77; set it to 192.0.2.9 there"),
        ({"release": "12"}, "have Debian 13 and 12"),
        ({"clock": 1031}, "are 31 s apart, and a pair allows 30 s"),
        ({"clock": 970}, ""),
        ({"secret": "b"}, "different values of dhcp_server_partner_secret"),
        ({"settings": {"pool_size": 50, "option_66": "x", "address": "192.0.2.10/24"}}, "a and b differ in dhcp_server_pool_size;"),
        # Not in this play, as with --limit
        ({"address": "192.0.2.11"}, ""),
    ],
)
def test_says_why_two_stations_are_no_pair(changes, said):
    fault = compare_stations({"a": station(FIRST, SECOND), "b": station(SECOND, FIRST) | changes}, "a")
    assert said in fault
    assert bool(fault) == bool(said)
