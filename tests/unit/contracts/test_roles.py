# SPDX-License-Identifier: GPL-3.0-or-later
"""Roles: what the specification says is what the defaults do, and names tell whose they are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())
TEMPLATES = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("roles/*/templates/**/*.j2"))


def load(role: str, path: str) -> Any:
    file = ROOT / "roles" / role / path
    return yaml.safe_load(file.read_text()) if file.exists() else {}


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
    """All tasks and blocks of a role, at any depth."""
    waiting: list[dict[str, Any]] = []
    for folder in ("tasks", "handlers"):
        for path in sorted((ROOT / "roles" / role / folder).glob("*.yml")):
            waiting += yaml.safe_load(path.read_text())
    while waiting:
        task = waiting.pop()
        yield task
        waiting += [below for part in ("block", "rescue", "always") for below in task.get(part, [])]


def test_there_are_roles():
    assert {"bench", "dhcp_server", "phone_profiles"} <= set(ROLES)
    assert TEMPLATES


@pytest.mark.parametrize("role", ROLES)
def test_every_default_is_specified_and_the_other_way_round(role):
    optional = {name for name, option in options(role) if not option.get("required")}
    assert optional == set(defaults(role))


@pytest.mark.parametrize("role", ROLES)
def test_literal_defaults_are_the_same_and_templated_ones_are_not_repeated(role):
    specified = {name: option["default"] for name, option in options(role) if "default" in option}
    literal = {name: value for name, value in defaults(role).items() if not is_templated(value)}
    # As JSON, since 0 == False
    assert json.dumps(specified, sort_keys=True) == json.dumps(literal, sort_keys=True)


@pytest.mark.parametrize("role", ROLES)
def test_entry_points_agree(role):
    pairs = options(role)
    assert all(option == dict(pairs)[name] for name, option in pairs)


@pytest.mark.parametrize("role", ROLES)
def test_everything_specified_is_described(role):
    assert [name for name, entry in entry_points(role).items() if not entry.get("short_description")] == []
    assert [name for name, option in with_suboptions(options(role)) if not (option.get("description") and option.get("type"))] == []


@pytest.mark.parametrize("role", ROLES)
def test_names_begin_with_the_role(role):
    assert [name for name in defaults(role) if not name.startswith(f"{role}_")] == []
    private = set(load(role, "vars/main.yml"))
    for task in tasks(role):
        private |= set(task.get("vars", {})) | set(task.get("ansible.builtin.set_fact", {}))
        private |= {task["register"]} if "register" in task else set()
        private |= {name for key, name in task.get("loop_control", {}).items() if key in ("loop_var", "index_var")}
    assert [name for name in sorted(private) if not name.startswith(f"__{role}_")] == []


@pytest.mark.parametrize("role", ROLES)
def test_roles_neither_call_nor_depend_on_roles(role):
    assert load(role, "meta/main.yml")["dependencies"] == []
    assert [task["name"] for task in tasks(role) if any(key.endswith((".include_role", ".import_role")) for key in task)] == []


@pytest.mark.parametrize("role", ROLES)
def test_every_task_says_what_it_does(role):
    assert [task for task in tasks(role) if not task.get("name") and "block" not in task] == []


@pytest.mark.parametrize("role", ROLES)
def test_stations_and_clients_are_made_of_every_role(role):
    playbooks = (ROOT / "playbooks" / f"{name}.yml" for name in ("station", "bench_clients"))
    plays = [play for playbook in playbooks for play in yaml.safe_load(playbook.read_text())]
    assert f"voip.preprovision.{role}" in [entry["role"] for play in plays for entry in play.get("roles", [])]


@pytest.mark.parametrize("path", TEMPLATES)
def test_files_say_who_manages_them(path):
    assert f"Managed by Ansible (voip.preprovision.{path.split('/')[1]})" in (ROOT / path).read_text().splitlines()[0]
