# SPDX-License-Identifier: GPL-3.0-or-later
"""One switch controls no_log in all tasks, and every option with a secret-looking name sets no_log."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from parsed_files import read_yaml

from ansible_collections.voip.preprovision.plugins.module_utils.common.redaction import is_secret

ROOT = Path(__file__).parents[3]
PACKAGE = "ansible_collections.voip.preprovision.plugins"
SWITCH = "preprovision_no_log | default(true)"
TASKS = sorted(path.relative_to(ROOT).as_posix() for path in [*ROOT.glob("roles/*/*/*.yml"), *ROOT.glob("playbooks/*.yml")])
PLUGINS = sorted(
    f"{path.parent.name}.{path.stem}" for folder in ("modules", "action") for path in ROOT.glob(f"plugins/{folder}/*.py")
)


def mappings(value: Any) -> Iterator[dict[str, Any]]:
    """Yield all mappings in a document, at any depth."""
    if isinstance(value, dict):
        yield value
    for below in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from mappings(below)


def hidden(path: str) -> list[dict[str, Any]]:
    """Return the tasks with no_log; options in an argument_spec, which have no_log too, are left out."""
    return [found for found in mappings(read_yaml(ROOT / path)) if "no_log" in found and "type" not in found]


def test_finds_tasks_with_no_log():
    assert [path for path in TASKS if hidden(path)]


@pytest.mark.parametrize("path", TASKS)
def test_no_log_follows_the_switch(path):
    assert [task["no_log"] for task in hidden(path) if SWITCH not in str(task["no_log"])] == []


def undecided(options: dict[str, Any]) -> list[str]:
    """Return the options with a secret-looking name that do not set no_log."""
    own = [name for name, option in options.items() if is_secret(name) and "no_log" not in option and option.get("type") != "bool"]
    return own + [name for option in options.values() for name in undecided(option.get("options", {}))]


@pytest.mark.parametrize("name", PLUGINS)
def test_secret_looking_options_set_no_log(name):
    assert undecided(getattr(importlib.import_module(f"{PACKAGE}.{name}"), "ARGUMENT_SPEC", {})) == []


@pytest.mark.ansible
def test_files_beside_an_inventory_are_not_read_as_inventories(tmp_path):
    (tmp_path / "templates").mkdir()
    for name in (
        "phones.csv",
        "phones.tsv",
        "phones.jsonl",
        "phones.ndjson",
        "phones.db",
        "phones.sqlite",
        "phones.sqlite3",
        "a.j2",
    ):
        (tmp_path / name).write_text("name planted phone\n")
    (tmp_path / "templates" / "b.xml").write_text("name planted phone\n")
    (tmp_path / "hosts.yml").write_text("all: {hosts: {desk-1: }}\n")
    command = [str(Path(sys.executable).parent / "ansible-inventory"), "-i", str(tmp_path), "--list"]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert "planted" not in done.stdout
    assert done.returncode == 0
    assert "desk-1" in done.stdout
