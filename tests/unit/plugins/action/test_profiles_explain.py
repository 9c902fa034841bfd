# SPDX-License-Identifier: GPL-3.0-or-later
"""Where parameters come from, as the action reports it: the inventory's files, the command line, rows and their groups."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.ansible

GROUPS = {
    "all": {"phone_resync": {"periodic": 3600}, "phone_parameters_10_all": {"Time_Zone": "GMT+01:00"}},
    "customer": {"example": {"phone_web": {"admin_password": "planted-web", "admin_name": "boss"}}},
}
ROWS = """name,phone_mac,phone_model,phone_customer,phone_lines.1.user_id,phone_lines.1.password,phone_parameters.Time_Zone
desk-8,00:00:5e:00:53:08,SPA504G,other,1008,planted-8,
desk-9,00:00:5e:00:53:09,SPA504G,example,1009,planted-9,GMT+02:00
"""


@pytest.fixture(scope="module")
def run(controller):
    """Explain a host and a row, on an unreachable target."""
    desk = {
        "phone_mac": "00:00:5e:00:53:01",
        "phone_model": "SPA504G",
        "phone_parameters": {"GPP_B": "{{ word }}"},
        "word": "templated",
    }
    children = {
        "stations": {"hosts": {"station": {"ansible_connection": "ssh", "ansible_host": "192.0.2.77"}}},
        "phones": {"children": {"customer": {"children": {"site": {"hosts": {"desk-1": desk}}}}}},
        "site": {"vars": {"phone_parameters_30_site": {"GPP_C": "inline"}}},
    }
    controller.write("inventory/hosts.yml", {"all": {"children": children, "vars": {"phone_parameters_10_all": {"GPP_D": "all"}}}})
    controller.write("inventory/group_vars/customer.yml", {"phone_web": {"admin_password": "planted-web", "admin_name": "boss"}})
    controller.write("inventory/group_vars/site/lines.yml", {"phone_parameters_40_file": {"GPP_E": "file"}})
    controller.write("inventory/host_vars/desk-1.yml", {"phone_lines": [{"user_id": "1001", "password": "planted-1"}]})
    controller.write("group_vars/phones.yml", {"phone_resync": {"periodic": 7200}})
    controller.write("rows.csv", ROWS)
    general = {
        "dest": str(controller.folder / "never"),
        "state": "checked",
        "bench_url": "https://prov.example.net/device/$MA.cfg",
        "bench_delivery": "certificate",
        "remote_url": "http://prov.example.net/service/$MA-{key_id}.cfg",
        "master_key": "planted-master-key",
        "preprovision_parameters": {"Resync_On_Reset": True},
    }
    steps = [
        {"name": "host", "voip.preprovision.profiles": {**general, "phones": ["desk-1"], "explain": "desk-1"}},
        {"name": "row", "voip.preprovision.profiles": {**general, "rows": "rows.csv", "groups": GROUPS, "explain": "desk-9"}},
    ]
    extra = {"phone_nat": {"keep_alive": True}}
    return controller.play(steps, "-e", json.dumps(extra))


def explained(run, name, kind):
    return {
        row["parameter"]: (row["value"], row["variable"], row["origin"])
        for row in run.done[name]["explanation"]
        if row["kind"] == kind
    }


def test_parameters_of_a_host(run):
    assert explained(run, "host", "service") == {
        "Admin_Passwd": ("****", "phone_web", "group customer"),
        "GPP_B": ("templated", "phone_parameters", "host desk-1"),
        "GPP_C": ("inline", "phone_parameters_30_site", "group site"),
        "GPP_D": ("all", "phone_parameters_10_all", "group all"),
        "GPP_E": ("file", "phone_parameters_40_file", "group site"),
        "NAT_Keep_Alive_Enable_1_": ("Yes", "phone_nat", "the play or the command line"),
        "Password_1_": ("****", "phone_lines", "host desk-1"),
        "Profile_Rule": ("[--key ****] http://prov.example.net/service/$MA-532840be.cfg", "", "the publication"),
        "Resync_Periodic": ("7200", "phone_resync", "group phones"),
        "User_ID_1_": ("1001", "phone_lines", "host desk-1"),
    }


def test_parameters_of_a_row(run):
    assert explained(run, "row", "service") == {
        "Admin_Passwd": ("****", "phone_web", "customer example"),
        "Password_1_": ("****", "phone_lines", "rows.csv line 3"),
        "Profile_Rule": ("[--key ****] http://prov.example.net/service/$MA-93347e73.cfg", "", "the publication"),
        "Resync_Periodic": ("3600", "phone_resync", "all"),
        "Time_Zone": ("GMT+02:00", "phone_parameters", "rows.csv line 3"),
        "User_ID_1_": ("1009", "phone_lines", "rows.csv line 3"),
    }


def test_parameters_of_every_phone(run):
    found = explained(run, "row", "preprovision")
    everyones = {parameter: row for parameter, row in found.items() if row[1:] == ("", "the publication")}
    assert everyones.keys() == {"Profile_Rule", "Profile_Rule_B", "Resync_On_Reset"}
    assert found.keys() - everyones.keys() == {"Admin_Passwd", "Resync_Periodic"}


def test_shows_no_secrets(run):
    assert "planted" not in run.output + json.dumps(run.done)


def test_does_not_contact_the_target(run):
    assert (run.code, run.failed) == (0, {}), run.output
