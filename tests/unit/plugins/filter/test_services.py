# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters for services: addresses, families, access to the web server."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.voip.preprovision.plugins.filter.services import (
    model_families,
    service_addresses,
    web_access_plan,
    web_password_file,
)


@pytest.mark.parametrize(
    ("value", "addresses"), [("192.0.2.1", ["192.0.2.1"]), (["192.0.2.1", "192.0.2.2"], ["192.0.2.1", "192.0.2.2"])]
)
def test_returns_a_list_of_addresses(value, addresses):
    assert service_addresses(value, "web_server_address") == addresses


@pytest.mark.parametrize("value", ["192.0.2.300", "prov.example.net", "192.0.2.1/24", "", None, [], ["192.0.2.1", 7]])
def test_rejects_invalid_addresses(value):
    with pytest.raises(AnsibleFilterError, match=r"^web_server_address "):
        service_addresses(value, "web_server_address")


def test_accepts_ipv6_where_the_service_does():
    both = ["192.0.2.1", "2001:db8::1"]
    assert service_addresses(both, "web_server_address", ipv6=True) == both
    assert service_addresses([], "web_server_public_address", ipv6=True, may_be_empty=True) == []
    for value in ("2001:DB8::1", "2001:db8:0:0::1", "[2001:db8::1]", "fe80::1%eth0"):
        with pytest.raises(AnsibleFilterError, match=r"^web_server_address contains .* in its shortest form; write it as \["):
            service_addresses([value], "web_server_address", ipv6=True)


def test_rejects_an_address_that_is_named_twice():
    with pytest.raises(AnsibleFilterError, match=r"^web_server_address contains 192\.0\.2\.1 twice; name each address once$"):
        service_addresses(["192.0.2.1", "192.0.2.1"], "web_server_address")


HOSTS = {"one": {"phone_model": "ATA192"}, "two": {"phone_model": "spa504g"}, "three": {"phone_model": "ata191"}, "none": {}}


def test_returns_families_of_hosts():
    assert model_families(HOSTS, ["one", "two", "three", "none"]) == ["ata19x", "spa"]
    assert model_families(HOSTS, []) == []


def test_rejects_unknown_model():
    with pytest.raises(AnsibleFilterError, match="unknown model 'ATA19'"):
        model_families({"one": {"phone_model": "ATA19"}}, ["one"])


def test_access_plan_contains_no_password():
    plan = web_access_plan("auto", ["mpp"], {"00005e005301": "long enough to be a password"})
    assert plan["passwords"] == 1
    assert plan["level"] == "modern"
    assert "long enough" not in str(plan)


def test_warns_of_old_tls(monkeypatch):
    warnings = []
    monkeypatch.setattr("ansible.utils.display.Display.warning", lambda self, text: warnings.append(text))
    web_access_plan("modern", ["spa"], {})
    assert warnings == []
    web_access_plan("legacy", [], {})
    assert len(warnings) == 1


def test_rejects_invalid_tls_settings():
    with pytest.raises(AnsibleFilterError, match="web_server_tls: unknown level 'x'"):
        web_access_plan("x", [], {})
    with pytest.raises(AnsibleFilterError, match=r"^web_server_tls is 'modern', which accepts no .* of 1024 bits; set"):
        web_access_plan("modern", [], {}, "1024")


def test_returns_the_password_file():
    assert web_password_file({}) == ""
    assert web_password_file({"00:00:5E:00:53:01": "long enough to be a password"}).startswith("00005e005301:{SSHA}")
