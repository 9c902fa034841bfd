# SPDX-License-Identifier: GPL-3.0-or-later
"""When unknown MAC addresses are a flood, and what is said of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.events.causes.flood import MAX_STRANGERS, Stranger, find_flood


def strangers(count, refused=0):
    """Return so many, of whom the last have got no address."""
    return [Stranger(f"02000000{number:04x}", number >= count - refused) for number in range(count)]


@pytest.mark.parametrize(
    ("found", "cause"),
    [
        (
            strangers(2000, refused=1905),
            "2000 unknown MAC addresses, the latest 02:00:00:00:07:cf, asked for an address within 5 minutes, and 1905 got none:"
            " those for unknown units are used up",
        ),
        (
            strangers(MAX_STRANGERS + 1),
            "51 unknown MAC addresses, the latest 02:00:00:00:00:32, asked for an address within 5 minutes, which may use up those"
            " for unknown units",
        ),
        # A small pool
        (
            strangers(1, refused=1),
            "the unknown MAC address 02:00:00:00:00:00 asked for an address within 5 minutes, and 1 got none: those for unknown"
            " units are used up",
        ),
    ],
)
def test_says_who_floods_and_what_to_do(found, cause):
    [clause] = find_flood(found)
    assert clause.cause == cause
    latest = re.search("(?:[0-9a-f]{2}:){5}[0-9a-f]{2}", cause)[0]
    assert clause.remedy.startswith(f"find its port with 'bridge fdb show | grep {latest}', and unplug what should not be there;")
    assert "'systemctl stop isc-dhcp-server && rm /var/lib/dhcp/dhcpd.leases* && systemctl start isc-dhcp-server'" in clause.remedy


COMMAND = {
    (): "'systemctl stop isc-dhcp-server && rm /var/lib/dhcp/dhcpd.leases* && systemctl start isc-dhcp-server'",
    ("dhcp", "web"): "'systemctl stop isc-dhcp-server && rm /var/lib/dhcp/dhcpd.leases* && systemctl start isc-dhcp-server'",
    ("kea", "web"): "'systemctl stop kea-dhcp4-server && rm /var/lib/kea/kea-leases4.csv* && systemctl start kea-dhcp4-server'",
}


@pytest.mark.parametrize("services", COMMAND)
def test_frees_the_leases_of_the_server_that_runs(services):
    [clause] = find_flood(strangers(2, refused=1), services)
    assert COMMAND[services] in clause.remedy


@pytest.mark.parametrize("services", [("dhcp",), ("kea",)])
@pytest.mark.parametrize("path", ["docs/operators/security.md", "extensions/molecule/station/files/dhcp.py"])
def test_the_command_that_frees_addresses_is_the_documented_one_and_the_one_that_is_tried(path, services):
    (clause,) = find_flood(strangers(2, refused=1), services)
    command = re.search("'(systemctl stop .*)'", clause.remedy)[1]
    assert command in (Path(__file__).parents[6] / path).read_text()


@pytest.mark.parametrize("count", [0, 1, MAX_STRANGERS])
def test_a_switch_full_of_unknown_units_is_no_flood_while_addresses_are_left(count):
    assert list(find_flood(strangers(count))) == []
