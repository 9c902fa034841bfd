# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables that roles and playbooks share: one page documents them, each role that reads one specifies it, and defaults agree."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment, meta
from parsed_files import parse_yaml, read_yaml

ROOT = Path(__file__).parents[3]
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())
PLAYBOOKS = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "playbooks").rglob("*.yml"))
SCENARIOS = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "extensions/molecule").rglob("*.yml"))
PAGE = (ROOT / "docs/reference/variables.md").read_text()
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("| `")]
SHARED = {cells[0].strip("`"): cells[1].strip("`") for cells in ROWS}
"""Default of each variable, as written on the page."""

CONDITIONS = {"when", "that", "until", "failed_when", "changed_when"}
MAGIC = {
    *("ansible_check_mode", "ansible_facts", "ansible_host", "ansible_play_hosts_all", "ansible_play_role_names", "ansible_port"),
    *("groups", "hostvars", "inventory_hostname", "role_path"),
    *("item", "lookup", "now", "omit", "q", "query"),
}
"""Variables and functions that Ansible itself defines."""


class _AnyName(dict[str, Any]):
    """Provide a filter or test for every name; only variables matter here."""

    def get(self, _name: str, _default: object = None) -> Any:
        return lambda value, *_more: value


def _environment() -> Environment:
    environment = Environment(autoescape=True)
    environment.filters = _AnyName()
    environment.tests = _AnyName()
    return environment


ENVIRONMENT = _environment()


def expressions(value: Any, is_condition: bool = False) -> Iterator[str]:
    """Yield the templates in a document, and its conditions as templates."""
    if isinstance(value, dict):
        for key, below in value.items():
            yield from expressions(key)
            yield from expressions(below, key in CONDITIONS)
    elif isinstance(value, list):
        for below in value:
            yield from expressions(below, is_condition)
    elif isinstance(value, str):
        yield f"{{{{ {value} }}}}" if is_condition else value


def templates(role: str) -> Iterator[str]:
    """Yield all of a role's text that may contain variables."""
    folder = ROOT / "roles" / role
    for part in ("tasks", "handlers", "vars", "defaults"):
        for path in sorted((folder / part).glob("*.yml")):
            yield from expressions(read_yaml(path))
    for path in sorted((folder / "templates").rglob("*.j2")):
        yield path.read_text()


@cache
def read_variables(role: str) -> set[str]:
    # Like Ansible, which takes a backslash in a template's text literally
    texts = [text.replace("\\", "\\\\") for text in templates(role)]
    return {name for text in texts for name in meta.find_undeclared_variables(ENVIRONMENT.parse(text))}


def foreign(role: str) -> set[str]:
    """Return the variables that a role reads and that are neither its own nor Ansible's."""
    return {name for name in read_variables(role) - MAGIC if not name.startswith((f"{role}_", f"__{role}_"))}


def specified(role: str) -> dict[str, dict[str, Any]]:
    entries = read_yaml(ROOT / "roles" / role / "meta/argument_specs.yml")["argument_specs"]
    return {name: option for entry in entries.values() for name, option in entry.get("options", {}).items()}


def test_finds_variables():
    assert {"bench_address", "dns_server_records", "preprovision_installed_packages"} <= read_variables("dns_server")
    assert {"bench_address", "provisioning_name", "preprovision_no_log"} <= set(SHARED)
    assert {"extensions/molecule/station/capture.yml", "extensions/molecule/station/tasks/refuse.yml"} <= set(SCENARIOS)


@pytest.mark.parametrize("role", ROLES)
def test_roles_read_only_their_own_and_shared_variables(role):
    assert foreign(role) - set(SHARED) == set()


@pytest.mark.parametrize("role", ROLES)
def test_roles_specify_every_shared_variable_that_they_read(role):
    specified_foreign = {name for name in specified(role) if not name.startswith(f"{role}_")}
    assert specified_foreign == foreign(role)


@pytest.mark.parametrize("name", SHARED)
def test_specifications_of_a_shared_variable_are_equal(name):
    found = [specified(role)[name] for role in ROLES if name in specified(role) and not name.startswith(f"{role}_")]
    assert all(option == found[0] for option in found)


@cache
def home_defaults() -> dict[str, Any]:
    return {
        name: value
        for role in ROLES
        if (path := ROOT / "roles" / role / "defaults/main.yml").exists()
        for name, value in read_yaml(path).items()
    }


def test_page_repeats_the_defaults_of_roles():
    documented = {name: parse_yaml(default) for name, default in SHARED.items() if name in home_defaults()}
    assert documented
    assert documented == {name: home_defaults()[name] for name in documented}


def default_filters() -> list[tuple[str, str]]:
    """Return (name, default) of each shared variable read with a default filter."""
    sources = [text for role in ROLES for text in templates(role)]
    sources += [text for path in PLAYBOOKS for text in expressions(read_yaml(ROOT / path))]
    found = [pair for text in sources for pair in re.findall(r"\b(\w+) \| default\(([^()]*)\)", text)]
    return sorted({(name, default) for name, default in found if name in SHARED})


# On hosts without the role that provides them: no database, no firmware, and an address that check_variables asks for
ELSEWHERE = {
    ("profile_service_database", "''"),
    ("phone_profiles_master_key", "omit, true"),
    ("firmware_images", "[]"),
    ("bench_address", "''"),
}


def test_default_filters_use_the_documented_defaults():
    pairs = [pair for pair in default_filters() if pair not in ELSEWHERE and SHARED[pair[0]]]
    assert {("phone_families", "{}"), ("preprovision_no_log", "true"), ("certificates_key_bits", "2048")} <= set(pairs)
    assert [(name, written) for name, written in pairs if as_json(written) != as_json(SHARED[name])] == []


def as_json(value: str) -> str:
    """Return a YAML value as JSON, because 0 == False."""
    return json.dumps(parse_yaml(value))


@pytest.mark.parametrize("path", [*PLAYBOOKS, *SCENARIOS])
def test_playbooks_and_scenarios_read_no_private_variables_of_roles(path):
    found = re.findall(r"\b__\w+", (ROOT / path).read_text())
    # It renders the role's template for plans that no station has
    assert found == (["__dhcp_server_plan"] if path == "extensions/molecule/station/kea.yml" else [])


@pytest.mark.parametrize("path", PLAYBOOKS)
def test_playbooks_borrow_no_defaults_of_roles(path):
    assert "public: true" not in (ROOT / path).read_text()
