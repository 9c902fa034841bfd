# SPDX-License-Identifier: GPL-3.0-or-later
"""Text that YAML reads as something else, from the files of an inventory to the error."""

from __future__ import annotations

import pytest
from ansible.parsing.vault import VaultLib, VaultSecret

pytestmark = pytest.mark.ansible

PHONE = '{phone_mac: "00:00:5e:00:53:0%d", phone_model: ATA192, %s}'
WRITTEN = (
    ("phone_lines: [{}, {user_id: 0123}]", "phone_lines.2.user_id: the number in HOSTS line 6 is read as another one", "0123"),
    ("phone_lines: [{password: on}]", "phone_lines: line 1: password is true or false", "on"),
    ("phone_serial: 12:30", "phone_serial: the number in HOSTS line 8 is read as another one", "0123"),
    ("phone_firmware: 1.10", "phone_firmware: must be text, not a decimal fraction", "1.10"),
    (
        'phone_lines: [{password: "{{ vaulted }}"}]',
        "phone_lines.1.password: the number in VAULT line 1 is read as another one",
        "0123",
    ),
    ("phone_lines: [{user_id: 1001, auth_id: '0123', register: yes}], phone_serial: 4711", "", ""),
)
OPTIONS = {
    "state": "checked",
    "bench_url": "https://prov.example.net/device/$MA.cfg",
    "bench_delivery": "certificate",
    "remote_url": "http://prov.example.net/service/$MA-{key_id}.cfg",
    "master_key": "a master key of sixteen characters and more",
    "phones": "{{ groups['phones'] }}",
}


@pytest.fixture(scope="module")
def run(controller):
    """Check the phones, then those of a misspelt group of rows, then with a misspelt key."""
    hosts = [f"    desk-{number}: {PHONE % (number, text)}" for number, (text, *_said) in enumerate(WRITTEN, 1)]
    python = controller.station["station"]["ansible_python_interpreter"]
    station = f"{{ansible_connection: local, ansible_python_interpreter: {python}, shared: {{site: {{NO: {{}}}}}}}}"
    head = ["stations:", "  hosts:", f"    station: {station}", "phones:", "  hosts:"]
    controller.write("inventory/hosts.yml", "\n".join([*head, *hosts, ""]))
    vault = VaultLib([("default", VaultSecret(b"a password of the vault"))])
    controller.write("inventory/group_vars/phones.yml", vault.encrypt("vaulted: 0123").decode())
    password = controller.write("password", "a password of the vault")
    controller.write("phones.csv", "phone_mac,phone_model\n")
    arguments = {**OPTIONS, "dest": str(controller.folder / "site")}
    steps = [
        {"name": "phones", "voip.preprovision.profiles": arguments, "ignore_errors": True},
        {
            "name": "groups",
            "voip.preprovision.profiles": {**arguments, "phones": [], "rows": "phones.csv", "groups": "{{ shared }}"},
            "ignore_errors": True,
        },
        {"name": "key", "voip.preprovision.profiles": {**arguments, "master_key": 1.5}, "ignore_errors": True},
    ]
    return controller.play(steps, "--vault-password-file", password)


def test_names_phone_variable_and_place(run, controller):
    places = {"HOSTS": controller.folder / "inventory/hosts.yml", "VAULT": controller.folder / "inventory/group_vars/phones.yml"}
    expected = []
    for number, (_text, said, example) in enumerate(WRITTEN, 1):
        for name, path in places.items():
            said = said.replace(name, str(path))
        if said:
            expected.append(f"phone desk-{number}: {said}; write it in quotes, such as '{example}'")
    assert run.failed["phones"].splitlines() == expected, run.output


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("groups", "groups: a site must be text, not true or false; write it in quotes, such as 'on'"),
        ("key", "profiles: master_key must be text, not a decimal fraction; write it in quotes, such as '1.10'"),
    ],
)
def test_checks_the_options(run, name, message):
    assert message in run.failed[name]
