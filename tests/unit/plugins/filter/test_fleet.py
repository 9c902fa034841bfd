# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter that writes lines of a zone."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.voip.preprovision.plugins.filter.fleet import zone_lines


def test_zone_lines():
    assert zone_lines(["2001:db8::11", "198.51.100.11"], "prov.example.net", 60) == [
        "prov.example.net. 60 IN A 198.51.100.11",
        "prov.example.net. 60 IN AAAA 2001:db8::11",
    ]


def test_names_an_address_that_is_none():
    with pytest.raises(AnsibleFilterError, match="zone_lines: 'home-1' does not appear to be an IPv4 or IPv6 address"):
        zone_lines(["home-1"], "prov.example.net")
