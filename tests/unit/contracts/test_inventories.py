# SPDX-License-Identifier: GPL-3.0-or-later
"""Example inventories load, their phones are valid, and some role or plugin reads each of their variables."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from parsed_files import parse_yaml, read_yaml

from ansible_collections.voip.preprovision.plugins.module_utils.phones.reader import read_phones
from ansible_collections.voip.preprovision.plugins.module_utils.phones.rows import PhoneRows

# Every test runs ansible-inventory
pytestmark = pytest.mark.ansible

ROOT = Path(__file__).parents[3]
INVENTORIES = sorted(path.name for path in (ROOT / "inventories").iterdir() if path.is_dir())
DEFAULTS = {path.parts[-3]: set(read_yaml(path)) for path in ROOT.glob("roles/*/defaults/main.yml")}
PHONE_VARIABLES = {
    *("phone_mac", "phone_model", "phone_serial", "phone_customer", "phone_address"),
    *("phone_lines", "phone_profile_key", "phone_parameters"),
}


@cache
def inventory(name: str) -> tuple[dict[str, Any], str]:
    """Return the inventory listed by ansible-inventory, and its warnings."""
    return listing(f"inventories/{name}")


def listing(path: str) -> tuple[dict[str, Any], str]:
    command = [Path(sys.executable).with_name("ansible-inventory"), "-i", path, "--list"]
    environment = os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True, text=True)
    return json.loads(done.stdout, object_hook=plain), done.stderr


def plain(value: dict[str, Any]) -> Any:
    """Unwrap scanned text, which ansible-inventory lists as __ansible_unsafe."""
    return value.get("__ansible_unsafe", value)


def hosts(listed: dict[str, Any], group: str) -> dict[str, dict[str, Any]]:
    """Return the hosts of a group and of its children, each with its variables; ansible-inventory lists no empty groups."""
    members = listed.get(group, {})
    found = {name: listed["_meta"]["hostvars"].get(name, {}) for name in members.get("hosts", [])}
    for child in members.get("children", []):
        found |= hosts(listed, child)
    return found


def test_finds_inventories():
    assert {"demo", "bench", "scans", "fleet"} <= set(INVENTORIES)
    assert "bench" in DEFAULTS


@pytest.mark.parametrize("name", INVENTORIES)
def test_inventory_loads_without_a_warning(name):
    listed, warnings = inventory(name)
    assert warnings == ""
    assert hosts(listed, "stations")


@pytest.mark.parametrize("name", INVENTORIES)
def test_phones_are_valid(name):
    listed = inventory(name)[0]
    found = list(hosts(listed, "phones").items())
    station = next(iter(hosts(listed, "stations").values()))
    if rows := station.get("phone_profiles_rows"):
        path = str(ROOT / "inventories" / name / rows)
        found += [(row.name, row.variables) for row in PhoneRows(path, "", station["phone_profiles_groups"])]
    phones = read_phones(found)
    assert phones
    # RFC 7042: reserved for documentation
    assert all(phone.mac.plain.startswith("00005e0053") for phone in phones)


@pytest.mark.parametrize("name", INVENTORIES)
def test_role_variables_exist(name):
    # Ansible accepts a misspelt variable silently
    unknown = [
        f"{host}: {variable}"
        for host, variables in hosts(inventory(name)[0], "all").items()
        for variable in variables
        for role, known in DEFAULTS.items()
        if variable.startswith(f"{role}_") and variable not in known
    ]
    assert unknown == []


@pytest.mark.parametrize("name", INVENTORIES)
def test_a_vault_beside_the_variables_of_all_hides_none_of_them(name, tmp_path):
    """As a file group_vars/all.yml would be hidden by a folder group_vars/all."""
    folder = shutil.copytree(ROOT / "inventories" / name, tmp_path / name)
    example = folder / "group_vars/all/vault.yml.example"
    vault = example.read_text() if example.exists() else "vault_backup_passphrase: an example\n"
    (folder / "group_vars/all/vault.yml").write_text(vault)
    for variables in hosts(listing(str(folder))[0], "stations").values():
        assert variables["provisioning_name"] == "prov.example.net"
        assert {name for name in variables if name.startswith("vault_")} == set(parse_yaml(vault))


def test_examples_of_vaults_name_what_the_inventory_uses():
    for example in ROOT.glob("inventories/*/group_vars/all/vault.yml.example"):
        text = "".join(path.read_text() for path in example.parents[2].rglob("*.yml"))
        assert set(parse_yaml(example.read_text())) == set(re.findall(r"\bvault_\w+", text))


@pytest.mark.parametrize("name", INVENTORIES)
def test_phone_variables_exist(name):
    unknown = [
        f"{host}: {variable}"
        for host, variables in hosts(inventory(name)[0], "phones").items()
        for variable in variables
        if variable.startswith("phone_")
        and not variable.startswith(("phone_parameters_", "phone_profiles_"))
        and variable not in PHONE_VARIABLES
    ]
    assert unknown == []
