# SPDX-License-Identifier: GPL-3.0-or-later
"""A service listens only on addresses that its machine has."""

from __future__ import annotations

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.common.own_addresses import (
    OwnAddressError,
    check_own,
    own_addresses,
)

FACTS = {"all_ipv4_addresses": ["192.0.2.1"], "all_ipv6_addresses": ["2001:db8::1", "fe80::1"]}


def test_addresses_of_links_do_not_count():
    assert own_addresses(FACTS) == ["192.0.2.1", "2001:db8::1"]
    assert own_addresses({}) == []


@pytest.mark.parametrize("wanted", [[], ["192.0.2.1"], ["2001:db8::1", "127.0.0.1", "::1"]])
def test_accepts_own_addresses_and_those_of_the_loopback(wanted):
    check_own("pc", "web_server_address", wanted, own_addresses(FACTS))


@pytest.mark.parametrize(
    ("wanted", "own", "public", "sentence"),
    [
        (
            ["192.0.2.1", "192.0.2.7", "192.0.2.8"],
            ["192.0.2.1"],
            False,
            "v: pc does not have 192.0.2.7, 192.0.2.8, only 192.0.2.1; run the role bench on it first, which brings up"
            " bench_address, or name an address that it has.",
        ),
        (["192.0.2.7"], [], False, "v: pc does not have 192.0.2.7, only none; run the role bench on it first, which brings up "),
        (
            ["127.0.0.1"],
            ["192.0.2.1"],
            True,
            "v: pc does not have 127.0.0.1, only 192.0.2.1; name addresses that it has in provisioning_server_addresses.",
        ),
    ],
)
def test_names_variable_machine_and_remedy(wanted, own, public, sentence):
    with pytest.raises(OwnAddressError) as caught:
        check_own("pc", "v", wanted, own, public)
    assert str(caught.value).startswith(sentence)
