# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of a provisioning server's firewall, which never cuts off whoever loads it."""

from __future__ import annotations

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.bench.network import BenchError
from ansible_collections.voip.preprovision.plugins.module_utils.bench.public_firewall import Session, plan_public_firewall

PUBLIC = ["203.0.113.10", "2001:db8:53::10"]
ELSEWHERE = Session("10.0.0.1", "10.0.0.9", 22)


def test_sorts_addresses_and_networks_by_version():
    plan = plan_public_firewall(PUBLIC, ["198.51.100.0/24", "2001:db8:77::/48"], ELSEWHERE)
    assert plan == (["203.0.113.10"], ["2001:db8:53::10"], ["198.51.100.0/24"], ["2001:db8:77::/48"], 22)


@pytest.mark.parametrize(
    ("networks", "session", "good"),
    [
        ([], ELSEWHERE, True),
        ([], Session("", "", 22), True),
        ([], Session("203.0.113.10", "198.51.100.7", 22), False),
        (["192.0.2.0/24"], Session("203.0.113.10", "198.51.100.7", 22), False),
        (["198.51.100.0/24"], Session("203.0.113.10", "198.51.100.7", 22), True),
        (["198.51.100.0/24"], Session("2001:db8:53::10", "2001:db8:77::7", 22), False),
        (["2001:db8:77::/64"], Session("2001:db8:53::10", "2001:db8:77::7", 22), True),
        # With sudo, the client is not known
        ([], Session("203.0.113.10", "", 22), False),
        (["198.51.100.0/24"], Session("203.0.113.10", "", 22), True),
    ],
)
def test_keeps_the_session_of_the_administrator(networks, session, good):
    if good:
        assert plan_public_firewall(PUBLIC, networks, session).ipv4 == ["203.0.113.10"]
    else:
        with pytest.raises(BenchError, match=r"^the firewall would cut off ssh to .* in provisioning_server_admin_networks$"):
            plan_public_firewall(PUBLIC, networks, session)


@pytest.mark.parametrize(
    ("addresses", "networks", "sentence"),
    [
        ([], [], "provisioning_server_addresses is empty; name the addresses on which phones reach this server"),
        (
            ["203.0.113.300"],
            [],
            "provisioning_server_addresses contains '203.0.113.300', which is neither an IPv4 address nor an IPv6 address in its"
            " shortest form; write it as [192.0.2.53, '2001:db8::53']",
        ),
        (
            PUBLIC,
            ["198.51.100.1/24"],
            "provisioning_server_admin_networks contains '198.51.100.1/24', which is not a network; write it as [198.51.100.0/24]",
        ),
        (PUBLIC, [7], "provisioning_server_admin_networks contains 7, which is not a network; write it as [198.51.100.0/24]"),
    ],
)
def test_rejects_invalid_values(addresses, networks, sentence):
    with pytest.raises(BenchError) as raised:
        plan_public_firewall(addresses, networks, ELSEWHERE)
    assert str(raised.value) == sentence
