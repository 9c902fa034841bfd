# SPDX-License-Identifier: GPL-3.0-or-later
"""Each example of the documents is loaded: variables are known and of the right kind, and phones with them are published."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

ROOT = Path(__file__).parents[4]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
pytestmark = [pytest.mark.ansible, pytest.mark.root(reason="only root can give files to a group")]

# What playbooks and other examples define
GIVEN = {
    "provisioning_name": "prov.example.net",
    "bench_address": "192.0.2.1/24",
    "profile_service_operators": {"anna": "a password of the board"},
}
PUBLISHED = {
    "bench_url": "https://prov.example.net/device/$MA.cfg",
    "bench_delivery": "certificate",
    "remote_url": "http://prov.example.net/service/$MA-{key_id}.cfg",
    "device_group": "root",
    "master_key": "a master key of sixteen characters and more",
    "unknown_parameters": "error",
}
PHONE = {
    "phone_mac": "00:00:5e:00:53:01",
    "phone_model": "SPA504G",
    "phone_lines": [{"user_id": "1001", "password": "secret-1001"}],
    "phone_web": {"admin_password": "secret-of-administrators"},
    "phone_parameters_90_example": {"Proxy_1_": "sip.example.com"},
}
ROWS = "name,phone_mac,phone_model,phone_customer\ndesk-1,00:00:5e:00:53:01,ATA192,example\ndesk-2,00:00:5e:00:53:02,SPA504G,\n"


class Example(NamedTuple):
    """A block of a document."""

    name: str
    text: str


def examples(language: str) -> list[Example]:
    """Return the blocks of a language in all documents."""
    found = []
    for page in PAGES:
        blocks = re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
        found += [Example(f"{page.stem} {number}", text) for number, text in enumerate(blocks, 1)]
    return found


LOADED = {example.name: yaml.safe_load(example.text) for example in examples("yaml")}
TASKS = {
    name: value["pre_tasks"] if isinstance(value, dict) else value[0].get("tasks", value)
    for name, value in LOADED.items()
    # The tests of playbooks run the play that imports one, and those of single roles have a play like the one with a role
    if not re.search("import_playbook|'roles'", str(value)) and (isinstance(value, list) or "pre_tasks" in value)
}
VARIABLES = {
    # One example is a part of an inventory
    name: value["bench_clients"]["hosts"]["laptop"] if "bench_clients" in value else value
    for name, value in LOADED.items()
    if isinstance(value, dict) and not value.keys() & {"plugin", "pre_tasks"}
}
TEMPLATES = {example.name: example.text for example in examples("jinja") if example.text.startswith("<")}
# The module phone_database takes the first two; of the others, the role makes parameters
_NOT_OF_THE_MODULE = (
    "phone_profiles_customers",
    "phone_profiles_redirects",
    "phone_profiles_fleet_size",
    "phone_profiles_fleet_servers",
    "phone_profiles_fleet_resyncs_per_second",
)
# Images are looked for in the store of a station; the tests of the selector read that example
_OF_A_STORE = "phone_firmware"


def is_of_phones(variables: dict[str, Any]) -> bool:
    """Return whether an example sets variables of phones, or how they are read and published."""
    return any(name.startswith("phone_") for name in variables) and _OF_A_STORE not in variables


def publication(folder: Path, variables: dict[str, Any], hosts: list[str]) -> dict[str, Any]:
    """Return the options of the module that publishes phones with an example's variables below a folder."""
    own = [name for name in variables if name.startswith("phone_profiles_") and name not in _NOT_OF_THE_MODULE]
    options = {name.removeprefix("phone_profiles_"): variables[name] for name in own}
    if "phone_families" in variables:
        options["families"] = variables["phone_families"]
    return PUBLISHED | {"dest": str(folder / hosts[0])} | {"phones": [] if "rows" in options else hosts} | options


@pytest.fixture(scope="module")
def run(controller):
    """All examples, each a task of one play: those with variables of phones are those of a phone of their own."""
    vault = dict.fromkeys(re.findall(r"\bvault_\w+", "".join(page.read_text() for page in PAGES)), "a-secret-of-the-vault")
    controller.write("customers.csv", ROWS)
    phones = {}
    steps: list[dict[str, Any]] = []
    for number, (name, variables) in enumerate(VARIABLES.items()):
        check = {"voip.preprovision.check_variables": {"playbook": "site"}, "vars": {**GIVEN, **vault, **variables}}
        steps.append({"name": f"check {name}", **check, "ignore_errors": True})
        if is_of_phones(variables):
            phones[f"phone-{number}"] = {**PHONE, **variables}
            publish = {"voip.preprovision.profiles": publication(controller.folder, variables, [f"phone-{number}"])}
            steps.append({"name": f"publish {name}", **publish, "ignore_errors": True, "vars": {**GIVEN, **vault}})
    for number, (name, text) in enumerate(TEMPLATES.items()):
        controller.write(f"templates/{number}.j2", text)
        phones[f"template-{number}"] = {**PHONE, "phone_profile_template": f"templates/{number}.j2"}
        publish = {"voip.preprovision.profiles": publication(controller.folder, {}, [f"template-{number}"])}
        steps.append({"name": f"publish {name}", **publish, "ignore_errors": True})
    groups = {"stations": {"hosts": controller.station}, "phones": {"hosts": phones}}
    controller.write("inventory/hosts.yml", {"all": {"vars": vault, "children": groups}})
    return controller.play(steps)


def test_examples_are_found():
    assert len(TASKS) > 2
    assert len(VARIABLES) > 20
    assert len(TEMPLATES) > 2


@pytest.mark.parametrize("name", VARIABLES)
def test_variables_are_known_and_of_the_right_kind(run, name):
    assert run.failed.get(f"check {name}", "") == ""
    assert "[WARNING]" not in run.shown(f"check {name}")


@pytest.mark.parametrize("name", [*(name for name, variables in VARIABLES.items() if is_of_phones(variables)), *TEMPLATES])
def test_phones_are_published(run, name):
    failed = run.failed.get(f"publish {name}", "")
    if "://" in str(VARIABLES.get(name, {}).get("phone_profiles_rows", "")):
        # Nobody has that database here
        assert re.match(r"customers on 192\.0\.2\.50: PostgreSQL reports: ", failed)
        return
    assert failed == ""
    assert run.done[f"publish {name}"]["published"]
    assert "[WARNING]" not in run.shown(f"publish {name}")


def test_tasks_are_what_ansible_takes(controller):
    controller.write("inventory/hosts.yml", {"stations": {"hosts": controller.station}})
    done = controller.play([task for tasks in TASKS.values() for task in tasks], "--syntax-check")
    assert done.code == 0, done.output
