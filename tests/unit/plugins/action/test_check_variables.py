# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables of a host, checked before a play does anything: in the inventory, in a play and on the command line."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.ansible

GOOD = {
    "provisioning_name": "prov.example.net",
    "bench_ports": [],
    "dns_server_records": "{{ {provisioning_name: ['192.0.2.1']} }}",
    "bench_services_elsewhere": [{"interface": "eth0", "ports": "{{ [123] }}"}],
    "dhcp_server_option_6": "{{ unknown_yet }}",
    "phone_parameters_20_customer": {},
    "profile_service_operators": {"anna": "{{ vault_anna | default('s3cret-anna') }}"},
    "_bench_note": 1,
    "my_own": 1,
}
VAULT = " in a vault such as group_vars/all/vault.yml"
MISTAKES = {
    "name": ({"bench_port": ["enp2s0"]}, "unknown variable 'bench_port'; did you mean 'bench_ports'?"),
    "layer": (
        {"phone_paramters_20_customer": {}},
        "unknown variable 'phone_paramters_20_customer'; did you mean 'phone_parameters_20_customer'?",
    ),
    "unlike any": (
        {"tftp_server_colour": 1},
        "unknown variable 'tftp_server_colour'; ansible-doc -t role voip.preprovision.tftp_server lists the variables of that role",
    ),
    "list": ({"bench_ports": "enp2s0"}, "bench_ports is a list: write [enp2s0]"),
    "list from a template": ({"bench_ports": "{{ 'enp2s0' }}"}, "bench_ports is a list: write [enp2s0]"),
    "mapping": ({"dns_server_records": "a"}, "dns_server_records is a mapping, not text: write {NAME: VALUE}"),
    "list below": (
        {"bench_services_elsewhere": [{"interface": "eth0", "ports": 123}]},
        "bench_services_elsewhere: entry 1: ports is a list: write [123]",
    ),
    "flag for a text": (
        {"database_server_password": True},
        "database_server_password is text, not true or false; write it in quotes, such as 'on'",
    ),
    "flag": ({"bench_firewall": "perhaps"}, "bench_firewall is true or false, not 'perhaps'"),
    "vault": (
        {"profile_service_operators": {"anna": "{{ vault_anna }}", "bert": "{{ vault_bert | default('s3cret-bert') }}"}},
        f"profile_service_operators uses vault_anna, which is not defined; define it{VAULT}",
    ),
    "two of a vault": (
        {"phone_profiles_master_key": "{{ vault_a ~ vault_b }}"},
        f"phone_profiles_master_key uses vault_a and vault_b, which are not defined; define them{VAULT}",
    ),
    "missing": (
        {"provisioning_name": ""},
        "provisioning_name is missing; set it in the inventory, such as in group_vars/all/main.yml: name under which phones reach"
        " the server, such as prov.example.net",
    ),
    "two": (
        {"bench_port": 1, "bench_ports": "a,b"},
        "unknown variable 'bench_port'; did you mean 'bench_ports'?\nbench_ports is a list: write [a, b]",
    ),
}
WARNINGS = {
    "near": ({"offline_bundel": "x"}, "unknown variable 'offline_bundel'; did you mean 'offline_bundle'?"),
    "perhaps own": (
        {"firmware_mirror": "x"},
        "unknown variable 'firmware_mirror'; if it is your own, give it a name that does not begin like those of this collection",
    ),
    "perhaps of another role": (
        {"time_server_hue": 1},
        "unknown variable 'time_server_hue'; if it is your own, give it a name that does not begin like those of this collection",
    ),
    "no operator": (
        {"profile_service_operators": {}},
        "station: nobody can log in to the board; name an operator in profile_service_operators",
    ),
}


def step(name, playbook="site", **variables):
    task = {"name": name, "voip.preprovision.check_variables": {"playbook": playbook}, "ignore_errors": True}
    return {**task, "vars": {**GOOD, **variables}}


ADDRESS = "(address of the station on the bench, with the length of the network's prefix, such as 192.0.2.1/24)"
ROLE_CASES = {
    "role: name": ({"bench_port": ["enp2s0"]}, "unknown variable 'bench_port'; did you mean 'bench_ports'?"),
    "role: list": ({"bench_ports": "enp2s0"}, "bench_ports is a list: write [enp2s0]"),
    "role: good": ({}, None),
    "role: of others": ({"dhcp_server_wacht": 1, "dhcp_server_option_6": "192.0.2.1"}, None),
    "role: internal": ({"__bench_result": 1}, None),
}
TWO = {"stun_server_address": "{{ bench_address | default('') }}", "stun_server_clients": ["{{ bench_address | default('') }}"]}
THREE = {**TWO, "stun_server_alternate_address": "{{ bench_address | default('') }}"}
DERIVED_CASES = {
    "derived: one": (
        {"stun_server_clients": ["{{ bench_address | default('') }}"], "stun_server_enabled": "{{ 1 == 1 }}"},
        f"bench_address is missing; set it in the inventory {ADDRESS}, or set stun_server_clients",
    ),
    "derived: three, source empty": (
        {**THREE, "bench_address": ""},
        f"bench_address is missing; set it in the inventory {ADDRESS}, or set stun_server_address,"
        " stun_server_alternate_address and stun_server_clients",
    ),
    "derived: source set": ({**TWO, "bench_address": "192.0.2.1/24"}, None),
    "derived: no bench": ({**TWO, "provisioning_server_addresses": ["198.51.100.11"]}, None),
    "derived: other values": ({"stun_server_address": "192.0.2.1", "stun_server_clients": ["192.0.2.0/24"]}, None),
    "derived: of another role": ({"tftp_server_address": "{{ bench_address | default('') }}"}, None),
    "derived: off": ({**TWO, "stun_server_enabled": "{{ 1 == 2 }}"}, None),
}


def role_step(name, role="bench", **variables):
    task = {"name": name, "voip.preprovision.check_variables": {"role": role}}
    return {**task, "ignore_errors": True, "vars": {**GOOD, **variables}}


@pytest.fixture(scope="module")
def run(controller):
    """All cases, each a task of one play."""
    controller.write("inventory/hosts.yml", {"all": {"children": {"stations": {"hosts": controller.station}}}})
    register = {
        "name": "set",
        "ansible.builtin.set_fact": {"bench_found": 1, "phone_profiles_found": 1},
        "register": "web_server_result",
    }
    return controller.play(
        [
            register,
            step("good"),
            *(step(name, **variables) for name, (variables, _sentence) in (MISTAKES | WARNINGS).items()),
            step("playbook", "sites"),
            *(role_step(name, **variables) for name, (variables, _sentence) in ROLE_CASES.items()),
            *(role_step(name, "stun_server", **variables) for name, (variables, _sentence) in DERIVED_CASES.items()),
            role_step("role", "stun_sever"),
            {**step("neither"), "voip.preprovision.check_variables": {}},
            {**step("both"), "voip.preprovision.check_variables": {"playbook": "site", "role": "bench"}},
            step("backup", "backup", backup_passphrase="{{ vault_backup_passphrase }}"),
        ]
    )


@pytest.fixture(scope="module")
def inventory(controller, run):
    """One case with variables of a group, of the host and of the command line."""
    controller.write("inventory/group_vars/all/main.yml", {**GOOD, "bench_adress": "192.0.2.1/24"})
    controller.write("inventory/group_vars/stations.yml", {"bench_port": []})
    controller.write("inventory/host_vars/station.yml", {"web_server_tsl": "auto"})
    task = {"name": "all", "voip.preprovision.check_variables": {"playbook": "check"}, "ignore_errors": True}
    return controller.play([task], "-e", "check_phones=ata192-1", "-e", "dhcp_server_watc=1", "-e", "bench_firewall=no")


def test_accepts_good_variables(run):
    assert run.done["good"]["changed"] is False
    assert "[WARNING]" not in run.shown("good")


@pytest.mark.parametrize("name", MISTAKES)
def test_refuses_mistakes(run, name):
    assert run.failed[name] == MISTAKES[name][1]


@pytest.mark.parametrize("name", WARNINGS)
def test_warns_of_what_may_be_a_mistake(run, name):
    assert name in run.done
    assert f"[WARNING]: {WARNINGS[name][1]}" in " ".join(run.shown(name).split())


@pytest.mark.parametrize("name", ROLE_CASES | DERIVED_CASES)
def test_roles_check_their_own_variables(run, name):
    sentence = (ROLE_CASES | DERIVED_CASES)[name][1]
    if sentence:
        assert run.failed[name] == sentence
    else:
        assert name in run.done


def test_knows_its_playbooks_and_roles(run):
    assert run.failed["playbook"] == "check_variables: unknown playbook 'sites'; did you mean 'site'?"
    assert run.failed["role"] == "check_variables: unknown role 'stun_sever'; did you mean 'stun_server'?"


def test_checks_the_variables_of_either_a_playbook_or_a_role(run):
    assert run.failed["neither"] == "check_variables: one of the following is required: playbook, role"
    assert run.failed["both"] == "check_variables: parameters are mutually exclusive: playbook|role"


def test_checks_what_a_playbook_needs(run):
    assert run.failed["backup"] == f"backup_passphrase uses vault_backup_passphrase, which is not defined; define it{VAULT}"


def test_shows_no_value_of_a_secret(run):
    assert "s3cret" not in run.output


def test_finds_numbers_that_are_read_as_others(controller, run):
    controller.write("inventory/group_vars/all/main.yml", GOOD)
    numbers = "database_server_password: 0123\ncheck_phones: [1_000]\nbackup_passphrase: 123\n"
    path = controller.write("inventory/host_vars/station.yml", numbers)
    task = {"name": "all", "voip.preprovision.check_variables": {"playbook": "check"}, "ignore_errors": True}
    found = controller.play([task]).failed["all"].splitlines()
    clause = "is read as another one; write it in quotes, such as '0123'"
    assert found[-2:] == [
        f"check_phones.1: the number in {path} line 2 {clause}",
        f"database_server_password: the number in {path} line 1 {clause}",
    ]


def test_says_where_a_variable_is_set(inventory):
    assert inventory.failed["all"].splitlines() == [
        "group all: unknown variable 'bench_adress'; did you mean 'bench_address'?",
        "group stations: unknown variable 'bench_port'; did you mean 'bench_ports'?",
        "command line: unknown variable 'dhcp_server_watc'; did you mean 'dhcp_server_watch'?",
        "host station: unknown variable 'web_server_tsl'; did you mean 'web_server_tls'?",
        "bench_address is missing; set it in the inventory, such as in group_vars/all/main.yml: address of the station on the"
        " bench, with the length of the network's prefix, such as 192.0.2.1/24",
        """check_phones is a list: write -e '{"check_phones": ["ata192-1"]}'""",
    ]
