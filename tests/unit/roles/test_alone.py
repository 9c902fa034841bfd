# SPDX-License-Identifier: GPL-3.0-or-later
"""Each role on its own, as in somebody else's repository: what is missing is said in one sentence, and nothing changes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

pytestmark = pytest.mark.ansible

ROOT = Path(__file__).parents[3]
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())
ADDRESS = (
    "bench_address is missing; set it in the inventory (address of the station on the bench, with the length of the network's"
    " prefix, such as 192.0.2.1/24), or set "
)
NAME = (
    "provisioning_name is missing; set it in the inventory (name under which phones reach the server, such as prov.example.net),"
    " or set "
)
WITHOUT_VARIABLES = {
    "bench_clients": "Validation of arguments failed:\nmissing required arguments: bench_clients_address, bench_clients_ports",
    "certificates": f"{ADDRESS}certificates_addresses\n{NAME}certificates_name",
    "database_server": "database_server_members is empty; name this host with its address, or three for a cluster",
    "dhcp_server": f"{ADDRESS}dhcp_server_address",
    "dns_server": f"{ADDRESS}dns_server_address and dns_server_records\n{NAME}dns_server_records",
    "firmware": "",
    "log_server": f"{ADDRESS}log_server_address and log_server_clients",
    "packet_capture": "",
    "phone_profiles": f"{ADDRESS}phone_profiles_syslog_server\n{NAME}phone_profiles_bench_url, phone_profiles_remote_url,"
    " phone_profiles_ca_url, phone_profiles_firmware_url and phone_profiles_remote_firmware_url",
    "profile_service": "station has no web server for the service (/etc/nginx/conf.d/preprovision.conf is missing); run the role"
    " web_server on it first.",
    "provisioning_server": "provisioning_server_addresses is empty; name the addresses on which phones reach this server",
    "service_health": f"{ADDRESS}service_health_address",
    "stun_server": "",
    "tftp_server": f"{ADDRESS}tftp_server_address and tftp_server_clients",
    "time_server": f"{ADDRESS}time_server_address",
    "web_server": f"{ADDRESS}web_server_address and web_server_clients",
    "zone_server": f"{NAME}zone_server_zone",
}
"""Role -> what it says without any variable; nothing if it has nothing to do. Role bench has a default for everything."""
DOCUMENTED = {"bench_address": "203.0.113.1/24", "provisioning_name": "prov.example.net"}
CRYPTO = (
    "The collection community.crypto is not installed on the controller; install it with: ansible-galaxy collection install"
    " community.crypto"
)
MADE_BY_OTHERS = {
    "dhcp_server": "dhcp_server_interface is bench0, which is no network interface of station; run the role bench on it first,"
    " which makes bench0, or name another one.",
    "phone_profiles": "Phones get their own files by TFTP, but station has no group preprovision-tftp, which alone may read them;"
    " run the role tftp_server on it first.",
    "tftp_server": "tftp_server_interface is bench0, which is no bridge of station; run the role bench on it first, which makes"
    " bench0, or name another bridge.",
    "web_server": "station has no server certificate and device roots (/etc/preprovision/certificates/device-roots.pem is missing);"
    " run the role certificates on it first.",
    # Last, since the others take what a role of the same play makes for given in check mode
    "certificates": CRYPTO,
}
"""Role -> what it says with its documented variables on a machine and a controller that have nothing else."""
GUIDE = (ROOT / "docs/guides/own_repository.md").read_text()
PROVIDERS = {
    "dhcp_server": "bench",
    "log_server": "bench",
    "phone_profiles": "tftp_server",
    "profile_service": "web_server",
    "tftp_server": "bench",
    "time_server": "bench",
    "web_server": "certificates",
}
LISTENING = ["log_server", "stun_server", "time_server"]
"""Roles that need the address that they serve, besides web_server, which asks for a certificate first."""


class Run(NamedTuple):
    """One run of ansible-playbook in check mode."""

    said: dict[str, str]
    """Role -> with which message it failed; nothing if it did not."""
    output: str


def run(folder: Path, play: dict, variables: dict, python: str = sys.executable) -> Run:
    """Run one play from an empty folder, with this collection and no other. *python*: the target's interpreter."""
    collections = folder / "collections/ansible_collections/voip"
    collections.mkdir(parents=True)
    (collections / "preprovision").symlink_to(ROOT)
    repository = folder / "repository"
    repository.mkdir()
    host = {"ansible_connection": "local", "ansible_python_interpreter": python}
    (repository / "inventory.yml").write_text(json.dumps({"all": {"hosts": {"station": host}}}))
    (repository / "play.yml").write_text(json.dumps([{"hosts": "all", "gather_facts": False, **play}]))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    environment |= {"ANSIBLE_COLLECTIONS_PATH": str(folder / "collections"), "ANSIBLE_NOCOLOR": "1", "ANSIBLE_PIPELINING": "1"}
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    command = [program, "--check", "-i", "inventory.yml", "-e", json.dumps(variables), "play.yml"]
    done = subprocess.run(command, cwd=repository, env=environment, capture_output=True, check=False, text=True)
    return Run(json.loads((repository / "said").read_text()), done.stdout + done.stderr)


def each(roles) -> dict:
    """Return a play that runs roles one after the other, whatever the others do, and notes why each failed."""
    note = {"content": "{{ said | default({}) | to_json }}", "dest": "{{ playbook_dir }}/said", "mode": "0600"}
    tasks = [
        {
            "block": [{"ansible.builtin.include_role": {"name": f"voip.preprovision.{role}"}}],
            "rescue": [
                {
                    "ansible.builtin.set_fact": {
                        "said": f"{{{{ said | default({{}}) | combine({{'{role}': ansible_failed_result.msg}}) }}}}"
                    }
                }
            ],
        }
        for role in roles
    ]
    written = {"delegate_to": "localhost", "check_mode": False, "changed_when": False}
    return {"tasks": [*tasks, {"ansible.builtin.copy": note, **written}]}


@pytest.fixture(scope="module")
def without_variables(tmp_path_factory) -> Run:
    return run(tmp_path_factory.mktemp("without"), each(WITHOUT_VARIABLES), {})


@pytest.fixture(scope="module")
def documented(tmp_path_factory) -> Run:
    variables = {**DOCUMENTED, "stun_server_enabled": True}
    return run(tmp_path_factory.mktemp("documented"), each([*LISTENING, *MADE_BY_OTHERS]), variables)


def documented_variables() -> dict[str, list[str]]:
    """Return role -> variables without a default, from the guide's table."""
    rows = re.findall(r"^\| (`.*?) \| (.*?) ?\|", GUIDE.partition("\n## Single roles\n")[2].partition("\n## ")[0], re.MULTILINE)
    return {role: re.findall(r"`(\w+)`", cells) for roles, cells in rows for role in re.findall(r"`(\w+)`", roles)}


def test_guide_lists_the_variables_of_each_role():
    asked_for = {role: re.findall(r"^(\w+) is missing;", said, re.MULTILINE) for role, said in WITHOUT_VARIABLES.items()}
    asked_for["bench_clients"] = WITHOUT_VARIABLES["bench_clients"].split(": ")[1].split(", ")
    # One after the other
    asked_for["database_server"] = [f"database_server_{name}" for name in ("members", "clients", "password", "secret")]
    # Off by default
    asked_for["stun_server"] = ["bench_address"]
    asked_for["provisioning_server"] = ["provisioning_server_addresses"]
    asked_for["zone_server"] = ["provisioning_name", "provisioning_server_addresses"]
    assert documented_variables() == {**asked_for, "bench": []}


def test_covers_all_roles():
    assert {*WITHOUT_VARIABLES, "bench"} == set(ROLES)


@pytest.mark.parametrize("role", WITHOUT_VARIABLES)
def test_names_the_variables_that_are_missing(without_variables, role):
    assert without_variables.said.get(role, "") == WITHOUT_VARIABLES[role]


@pytest.mark.parametrize("role", MADE_BY_OTHERS)
def test_names_the_role_or_collection_that_is_missing(documented, role):
    assert documented.said.get(role, "") == MADE_BY_OTHERS[role]


@pytest.mark.parametrize("role", LISTENING)
def test_names_the_address_that_the_machine_lacks(documented, role):
    said = documented.said.get(role, "")
    assert re.match(rf"{role}_address: station does not have 203\.0\.113\.1, only [0-9]", said)
    assert said.endswith("; run the role bench on it first, which brings up bench_address, or name an address that it has.")


def test_names_the_address_that_the_interface_of_dhcp_lacks(tmp_path):
    found = run(tmp_path, each(["dhcp_server"]), {**DOCUMENTED, "dhcp_server_interface": "lo"})
    assert found.said["dhcp_server"] == (
        "dhcp_server_address: lo of station does not have 203.0.113.1, only 127.0.0.1; run the role bench on it first with this"
        " bench_address, or name an address that it has."
    )


def test_names_the_group_that_phones_files_lack_with_delivery_by_certificate(tmp_path):
    found = run(tmp_path, each(["phone_profiles"]), {**DOCUMENTED, "phone_profiles_bench_delivery": "certificate"})
    assert found.said["phone_profiles"] == (
        "Phones get their own files by certificate, but station has no group preprovision-web, which alone may read them;"
        " run the role web_server on it first."
    )


@pytest.mark.parametrize("found", ["without_variables", "documented"])
def test_nothing_changes_before(request, found):
    output = request.getfixturevalue(found).output
    assert re.search(r"^station +: ok=[0-9]+ +changed=0 +unreachable=0 ", output, re.MULTILINE)
    assert "\nchanged: " not in output


@pytest.fixture(scope="module")
def with_providers(tmp_path_factory) -> Run:
    providers = [{"role": f"voip.preprovision.{provider}", "when": False} for provider in sorted({*PROVIDERS.values()})]
    # Without Python on the target, each role ends with its first module
    debian = {"distribution": "Debian", "distribution_version": "13", "distribution_major_version": "13"}
    facts = {**debian, "architecture": "x86_64", "cacheable": True}
    play = {"pre_tasks": [{"ansible.builtin.set_fact": facts}], "roles": providers, **each(PROVIDERS)}
    return run(tmp_path_factory.mktemp("providers"), play, DOCUMENTED, python="/bin/false")


@pytest.mark.parametrize("role", PROVIDERS)
def test_check_mode_trusts_a_role_of_the_same_play(with_providers, role):
    """In check mode, that role makes nothing."""
    looked = with_providers.output.split(f"TASK [voip.preprovision.{role} : See whether ")[1].split("\nTASK [")[0]
    assert "skipping: [station]" in looked
