# SPDX-License-Identifier: GPL-3.0-or-later
"""Where services listen."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.voip.preprovision.plugins.filter.services import service_addresses


@pytest.mark.parametrize(
    ("value", "addresses"), [("192.0.2.1", ["192.0.2.1"]), (["192.0.2.1", "192.0.2.2"], ["192.0.2.1", "192.0.2.2"])]
)
def test_addresses(value, addresses):
    assert service_addresses(value, "web_server_address") == addresses


@pytest.mark.parametrize("value", ["192.0.2.300", "prov.example.net", "192.0.2.1/24", "", None, [], ["192.0.2.1", 7]])
def test_refused(value):
    with pytest.raises(AnsibleFilterError, match=r"^web_server_address "):
        service_addresses(value, "web_server_address")
