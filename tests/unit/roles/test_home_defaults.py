# SPDX-License-Identifier: GPL-3.0-or-later
"""Defaults of roles that depend on whether the host is a station or a provisioning server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from parsed_files import read_yaml

ROLES = Path(__file__).parents[3] / "roles"
HOME = {"provisioning_server_addresses": ["198.51.100.11", "2001:db8::11"]}
PRIVATE = {"provisioning_server_private_addresses": ["192.0.2.11"]}
BENCH = {"bench_address": "203.0.113.1/24"}
FLEET = {
    "groups": {"stations": ["station"], "provisioning_servers": ["home-1"]},
    "hostvars": {"station": {"bench_address": "203.0.113.1/24"}, "home-1": {}},
}
ELSEWHERE = {"phone_profiles_remote_url": "https://home.example.net:8443/service/$MA.cfg"}
FIRMWARE = "phone_profiles_remote_firmware_url"


def trusted(value: Any) -> Any:
    """Return values of a file as Ansible loads them."""
    return {name: trust_as_template(text) if isinstance(text, str) else text for name, text in value.items()}


@pytest.mark.parametrize(
    ("name", "variables", "value"),
    [
        ("phone_profiles_kinds", BENCH, ["bootstrap", "preprovision", "service"]),
        ("phone_profiles_kinds", HOME, ["service"]),
        ("phone_profiles_syslog_server", BENCH, "203.0.113.1"),
        # Part of what a service profile says
        ("phone_profiles_syslog_server", HOME | FLEET, "203.0.113.1"),
        ("phone_profiles_syslog_server", HOME | FLEET | {"hostvars": {"station": {}}}, "192.0.2.1"),
        ("phone_profiles_syslog_server", HOME, ""),
        (FIRMWARE, FLEET, "http://prov.example.net/firmware/"),
        (FIRMWARE, ELSEWHERE, ""),
        (FIRMWARE, ELSEWHERE | FLEET, "https://home.example.net:8443/firmware/"),
        ("certificates_addresses", BENCH, ["203.0.113.1"]),
        ("certificates_addresses", HOME | PRIVATE, ["192.0.2.11"]),
        ("certificates_addresses", HOME, []),
        ("service_health_address", BENCH, "203.0.113.1"),
        ("service_health_address", HOME | PRIVATE, "192.0.2.11"),
        ("service_health_address", HOME, "127.0.0.1"),
    ],
)
def test_defaults(name, variables, value):
    role = next(role for role in ("phone_profiles", "certificates", "service_health") if name.startswith(f"{role}_"))
    found = read_yaml(ROLES / role / "defaults/main.yml") | read_yaml(ROLES / role / "vars/main.yml")
    given = {"groups": {}, "hostvars": {}, "provisioning_name": "prov.example.net", **trusted(found), **variables}
    assert Templar(DataLoader(), variables=given).template(given[name]) == value
