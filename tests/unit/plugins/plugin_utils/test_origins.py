# SPDX-License-Identifier: GPL-3.0-or-later
"""Which group, host or row gives a variable: by Ansible's own precedence, with real inventories."""

from __future__ import annotations

import pytest
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.vars.manager import VariableManager

from ansible_collections.voip.preprovision.plugins.module_utils.phones.rows import PhoneRows
from ansible_collections.voip.preprovision.plugins.plugin_utils.origins import (
    ELSEWHERE,
    row_origins,
    variable_origins,
)
from ansible_collections.voip.preprovision.plugins.plugin_utils.phone_source import Entry, group_variables

HOSTS = """
all:
  vars: {phone_a: all of hosts}
  children:
    customer:
      vars: {phone_b: customer of hosts}
      children:
        site:
          vars: {phone_c: site of hosts}
          hosts:
            desk: {phone_d: desk of hosts}
    second: {hosts: {desk: }, vars: {phone_e: both, phone_f: second}}
    first: {hosts: {desk: }, vars: {phone_e: both, phone_f: first}}
    third: {hosts: {desk: }, vars: {phone_f: third, ansible_group_priority: 9}}
"""


@pytest.fixture
def inventory(tmp_path):
    """Write files, and return variable -> (origin, value) as Ansible would set it."""

    def look(files=None, play=None, extra=None):
        for name, text in {"hosts.yml": HOSTS, **(files or {})}.items():
            path = tmp_path / "inventory" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        for name, text in (play or {}).items():
            path = tmp_path / "play" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        loader = DataLoader()
        loader.set_basedir(str(tmp_path / "play"))
        found = InventoryManager(loader, [str(tmp_path / "inventory" / "hosts.yml")])
        manager = VariableManager(loader, found)
        manager._extra_vars.update(extra or {})
        values = manager.get_vars(host=found.get_host("desk"), include_hostvars=False)
        names = [name for name in values if name.startswith("phone_")]
        origins = variable_origins(manager, loader, found, "desk", names)
        return {name: (origins[name], values[name]) for name in names}

    return look


def test_variables_in_the_inventory_file(inventory):
    assert inventory() == {
        "phone_a": ("group all", "all of hosts"),
        "phone_b": ("group customer", "customer of hosts"),
        "phone_c": ("group site", "site of hosts"),
        "phone_d": ("host desk", "desk of hosts"),
        # of groups side by side the last by priority and name
        "phone_e": ("group second", "both"),
        "phone_f": ("group third", "third"),
    }


@pytest.mark.parametrize(
    ("files", "play", "extra", "expected"),
    [
        ({"group_vars/all.yml": "phone_a: x"}, {}, {}, ("group all", "x")),
        # A group's variables override those of all, and a host's override both, in files and in the inventory
        ({"group_vars/customer.yml": "phone_a: x"}, {}, {}, ("group customer", "x")),
        ({"group_vars/site.yml": "phone_a: x", "group_vars/customer.yml": "phone_a: y"}, {}, {}, ("group site", "x")),
        ({"group_vars/site.yml": "phone_a: x", "host_vars/desk.yml": "phone_a: y"}, {}, {}, ("host desk", "y")),
        ({"group_vars/site.yml": "phone_a: x"}, {"group_vars/site.yml": "phone_a: y"}, {}, ("group site", "y")),
        ({"group_vars/site.yml": "phone_a: x"}, {"group_vars/all.yml": "phone_a: y"}, {}, ("group site", "x")),
        ({"host_vars/desk.yml": "phone_a: x"}, {}, {"phone_a": "y"}, (ELSEWHERE, "y")),
    ],
)
def test_reports_the_origin_with_the_highest_precedence(inventory, files, play, extra, expected):
    assert inventory(files, play, extra)["phone_a"] == expected


GROUPS = {
    "all": {"phone_resync": {"periodic": 600}, "phone_nat": {"mapping": True}},
    "customer": {"example": {"phone_nat": {"mapping": False}}, "other": {"phone_nat": {"mapping": False}}},
    "model": {"ATA192": {"phone_web": {"admin_name": "bench"}}},
}


def test_origins_of_row_groups():
    assert [(origin, list(values)) for origin, values in group_variables(GROUPS)] == [
        ("all", ["phone_resync", "phone_nat"]),
        ("customer example", ["phone_nat"]),
        ("customer other", ["phone_nat"]),
        ("model ATA192", ["phone_web"]),
    ]


def test_origins_of_a_row(tmp_path):
    path = tmp_path / "phones.csv"
    path.write_text(
        "name,phone_mac,phone_model,phone_customer,phone_web.admin_name\na,00005e005301,ata192,example,\n,,spa504g,,x\n"
    )
    rows = PhoneRows(str(path), groups=GROUPS)
    first, second = (row_origins(GROUPS, Entry(row.name, row.variables, row.where)) for row in rows)
    assert {name: origin for name, origin in first.items() if name in ("phone_mac", "phone_customer")} == {
        "phone_mac": "phones.csv line 2",
        "phone_customer": "phones.csv line 2",
    }
    assert (first["phone_resync"], first["phone_nat"], first["phone_web"]) == ("all", "customer example", "model ATA192")
    assert (second["phone_nat"], second["phone_web"]) == ("all", "phones.csv line 3")
