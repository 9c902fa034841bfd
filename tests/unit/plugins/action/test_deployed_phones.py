# SPDX-License-Identifier: GPL-3.0-or-later
"""Phones as the bench has left them."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.ansible

PHONES = {
    "desk-1": {
        "phone_mac": "00:00:5e:00:53:01",
        "phone_model": "ata192",
        "phone_serial": "FCH0000D001",
        "phone_profile_key": "a-key-of-this-phone",
        "phone_lines": [{"user_id": "1001", "password": "own-secret"}],
    },
    "desk-2": {"phone_mac": "00:00:5e:00:53:02", "phone_model": "SPA504G"},
    "desk-3": {"phone_mac": "00:00:5e:00:53:03", "phone_model": "ATA192"},
    "desk-4": {"phone_mac": "00:00:5e:00:53:04", "phone_model": "snomD717"},
}
ROWS = "phone_mac,phone_model\n00:00:5e:00:53:11,SPA112\n"


@pytest.fixture(scope="module")
def run(controller):
    """One step after another, each a task of one playbook."""
    controller.write(
        "inventory/hosts.yml", {"all": {"children": {"stations": {"hosts": controller.station}, "phones": {"hosts": PHONES}}}}
    )
    rows = controller.write("rows.csv", ROWS)

    def step(name, **options):
        arguments = {
            "phones": "{{ groups['phones'] }}",
            "bench_url": "https://prov.example.net/device/$MA.cfg",
            "remote_url": "http://prov.example.net/service/$MA-{key_id}.cfg",
            "syslog_server": "192.0.2.1",
            "master_key": "not a real secret",
            **options,
        }
        return {"name": name, "voip.preprovision.deployed_phones": arguments, "register": "found", "ignore_errors": True}

    def write(name, value):
        return {
            "name": f"write {name}",
            "ansible.builtin.copy": {"content": value, "dest": str(controller.folder / name)},
            "no_log": True,
        }

    return controller.play(
        [
            step("all"),
            write("all.json", "{{ found.phones | to_json }}"),
            step("families", one_per_family=True, certificates="/certificates", roots="/roots.pem"),
            write("families.json", "{{ found.phones | to_json }}"),
            step("rows", phones=[], rows=rows),
            write("rows.json", "{{ found | to_json }}"),
            step("unknown", names=["desk-5"]),
            step("no rules", names=["desk-4"]),
            step("none", phones=[]),
        ]
    )


def read(controller, name):
    return json.loads((controller.folder / name).read_text())


def test_phones_have_what_their_preprovision_profiles_set(controller, run):
    phones = {phone["name"]: phone for phone in read(controller, "all.json")}
    assert [*phones] == ["desk-1", "desk-2", "desk-3"]
    assert (phones["desk-1"]["mac"], phones["desk-1"]["model"], phones["desk-1"]["serial"]) == (
        "00:00:5e:00:53:01",
        "ATA192",
        "FCH0000D001",
    )
    rule = phones["desk-1"]["parameters"]["Profile_Rule"]
    assert rule.startswith("[--key a-key-of-this-phone] http://prov.example.net/service/$MA-")
    assert phones["desk-2"]["serial"] == "00005E005302"
    assert "certificate" not in phones["desk-1"]


def test_takes_one_phone_of_each_family(controller, run):
    phones = read(controller, "families.json")
    assert [phone["name"] for phone in phones] == ["desk-1", "desk-2"]
    assert phones[0]["certificate"] == "/certificates/00005e005301.pem"
    assert phones[0]["private_key"] == "/certificates/00005e005301.key"
    assert phones[0]["roots"] == "/roots.pem"


def test_reads_rows(controller, run):
    found = read(controller, "rows.json")
    assert [phone["mac"] for phone in found["phones"]] == ["00:00:5e:00:53:11"]
    assert (found["server"], found["scheme"], found["port"]) == ("prov.example.net", "http", 80)
    assert found["families"] == ["spa"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("unknown", "names: unknown phone 'desk-5'"),
        ("no rules", "names: unknown phone 'desk-4'"),
        ("none", "there are no phones with profile rules, and so none that calls a server; add phones to the inventory"),
    ],
)
def test_refuses(run, name, message):
    assert message in run.failed[name]


def test_shows_no_key(run):
    assert "a-key-of-this-phone" not in run.output
    assert "own-secret" not in run.output
