# SPDX-License-Identifier: GPL-3.0-or-later
"""The specifications of roles match their defaults, and variable names begin with their role's name."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from parsed_files import read_yaml

ROOT = Path(__file__).parents[3]
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())
HARDENING = ("DevicePolicy", "LockPersonality", "MemoryDenyWriteExecute", "NoNewPrivileges", "Protect", "Restrict", "SystemCall")
_CHRONY = "roles/time_server/templates/etc/systemd/system/chrony.service.d/preprovision.conf.j2"
OWN_HARDENING = {_CHRONY: "adds to Debian's own hardening"}
"""Units that do not use the shared hardening, with the reason."""
TEMPLATES = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("roles/*/templates/**/*.j2"))


def load(role: str, path: str) -> Any:
    file = ROOT / "roles" / role / path
    return read_yaml(file) if file.exists() else {}


def defaults(role: str) -> dict[str, Any]:
    return load(role, "defaults/main.yml")


def entry_points(role: str) -> dict[str, Any]:
    return load(role, "meta/argument_specs.yml")["argument_specs"]


def options(role: str) -> list[tuple[str, dict[str, Any]]]:
    return [pair for entry in entry_points(role).values() for pair in entry.get("options", {}).items()]


def with_suboptions(pairs: list[tuple[str, dict[str, Any]]]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, option in pairs:
        yield name, option
        yield from with_suboptions([(f"{name}.{below}", value) for below, value in option.get("options", {}).items()])


def is_templated(value: Any) -> bool:
    return "{{" in json.dumps(value)


def tasks(role: str) -> Iterator[dict[str, Any]]:
    """Yield all tasks and blocks of a role, at any depth."""
    waiting: list[dict[str, Any]] = []
    for folder in ("tasks", "handlers"):
        for path in sorted((ROOT / "roles" / role / folder).glob("*.yml")):
            waiting += read_yaml(path)
    while waiting:
        task = waiting.pop()
        yield task
        waiting += [below for part in ("block", "rescue", "always") for below in task.get(part, [])]


def test_finds_roles():
    assert {"bench", "dhcp_server", "phone_profiles"} <= set(ROLES)
    assert TEMPLATES


@pytest.mark.parametrize("role", ROLES)
def test_defaults_and_optional_options_are_the_same(role):
    optional = {name for name, option in options(role) if not option.get("required") and name.startswith(f"{role}_")}
    assert optional == set(defaults(role))


@pytest.mark.parametrize("role", ROLES)
def test_specification_repeats_exactly_the_literal_defaults(role):
    specified = {name: option["default"] for name, option in options(role) if "default" in option}
    literal = {name: value for name, value in defaults(role).items() if not is_templated(value)}
    # Compare JSON, because 0 == False
    assert json.dumps(specified, sort_keys=True) == json.dumps(literal, sort_keys=True)


@pytest.mark.parametrize("role", ROLES)
def test_entry_points_agree(role):
    pairs = options(role)
    assert all(option == dict(pairs)[name] for name, option in pairs)


@pytest.mark.parametrize("role", ROLES)
def test_every_entry_point_and_option_is_described(role):
    assert [name for name, entry in entry_points(role).items() if not entry.get("short_description")] == []
    assert [name for name, option in with_suboptions(options(role)) if not (option.get("description") and option.get("type"))] == []


@pytest.mark.parametrize("role", ROLES)
def test_galaxy_and_the_specification_describe_the_role_alike(role):
    assert load(role, "meta/main.yml")["galaxy_info"]["description"] == entry_points(role)["main"]["short_description"]


@pytest.mark.parametrize("role", ROLES)
def test_variable_names_begin_with_the_role(role):
    assert [name for name in defaults(role) if not name.startswith(f"{role}_")] == []
    private = set(load(role, "vars/main.yml"))
    for task in tasks(role):
        private |= set(task.get("vars", {})) | set(task.get("ansible.builtin.set_fact", {}))
        private |= {task["register"]} if "register" in task else set()
        private |= {name for key, name in task.get("loop_control", {}).items() if key in ("loop_var", "index_var")}
    returned = {
        name
        for name in private
        if f"C({name})" in json.dumps([entry.get("description", "") for entry in entry_points(role).values()])
    }
    assert [name for name in sorted(returned) if not name.startswith(f"{role}_")] == []
    assert [name for name in sorted(private - returned) if not name.startswith(f"__{role}_")] == []


@pytest.mark.parametrize("role", ROLES)
def test_roles_neither_call_nor_depend_on_roles(role):
    assert load(role, "meta/main.yml")["dependencies"] == []
    assert [task["name"] for task in tasks(role) if any(key.endswith((".include_role", ".import_role")) for key in task)] == []


@pytest.mark.parametrize("role", ROLES)
def test_every_task_has_a_name(role):
    assert [task for task in tasks(role) if not task.get("name") and "block" not in task] == []


@pytest.mark.parametrize("role", ROLES)
def test_every_role_is_used_by_a_playbook(role):
    playbooks = (ROOT / "playbooks" / f"{name}.yml" for name in ("database", "station", "provisioning_server", "bench_clients"))
    plays = [play for playbook in playbooks for play in read_yaml(playbook)]
    assert f"voip.preprovision.{role}" in [entry["role"] for play in plays for entry in play.get("roles", [])]


def test_scenario_runs_every_role_by_itself():
    groups = read_yaml(ROOT / "extensions/molecule/roles/inventory/machines.yml")["machines"]["children"]
    tried = {name: {role for host in group["hosts"].values() for role in host["roles_in_order"]} for name, group in groups.items()}
    assert tried["named"] | tried["others"] == set(ROLES)
    # Those that failed most
    assert {"tftp_server", "log_server", "web_server", "profile_service", "certificates", "phone_profiles"} <= tried["named"]


def test_proof_runs_them_with_the_oldest_and_the_newest_ansible_core():
    (line,) = re.findall(r"for core in ([0-9. ]+);", (ROOT / "Makefile").read_text())
    releases = [path.stem for path in (ROOT / "tests/cores").glob("2.*.txt")]
    newest = max(releases, key=lambda release: int(release.split(".")[1]))
    oldest = re.findall(r"^>=([0-9]+\.[0-9]+)\.0,", read_yaml(ROOT / "meta/runtime.yml")["requires_ansible"])
    assert line.split() == [*oldest, newest]


@pytest.mark.parametrize("path", TEMPLATES)
def test_templates_name_the_role_that_manages_the_file(path):
    assert f"Managed by Ansible (voip.preprovision.{path.split('/')[1]})" in (ROOT / path).read_text().splitlines()[0]


UNITS = [path for path in TEMPLATES if "/etc/systemd/system/" in path and "[Service]" in (ROOT / path).read_text()]


def test_finds_units():
    assert len(UNITS) > 10
    assert set(OWN_HARDENING) <= set(UNITS)


@pytest.mark.parametrize("path", UNITS)
def test_units_use_the_shared_hardening(path):
    text = (ROOT / path).read_text()
    written = [line for line in text.splitlines() if line.startswith(HARDENING)]
    # The firewall's drop-in for nftables.service starts no process
    confined = "voip.preprovision.unit_hardening" in text or "__packet_capture_captures" in text or "nftables.service.d" in path
    assert path in OWN_HARDENING or (confined and written == [])
