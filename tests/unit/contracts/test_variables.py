# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables that users set: every one is checked by its specification, and the inventory can set each that a playbook reads."""

from __future__ import annotations

import ast
import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from parsed_files import parse_yaml, read_python, read_yaml

from ansible_collections.voip.preprovision.plugins.module_utils.common.variables import kind_faults
from ansible_collections.voip.preprovision.plugins.plugin_utils.variable_specs import variable_specs

ROOT = Path(__file__).parents[3]
SPECS = variable_specs()
ROLES = sorted(SPECS.roles)
PLAYBOOKS = sorted(path.stem for path in (ROOT / "playbooks").glob("*.yml"))
# It imports another one
RUNNING = [name for name in PLAYBOOKS if name != "site"]
DOCUMENTED = set(SPECS.options)
PAGE = (ROOT / "docs/reference/playbook_variables.md").read_text()
SHARED_VARIABLES = re.findall(r"^\| `(\w+)`", (ROOT / "docs/reference/variables.md").read_text(), re.MULTILINE)
SHARED = ("firmware", "certificates", "dns_server", "log_server", "time_server", "web_server")


def plays(playbook: str) -> list[dict[str, Any]]:
    return read_yaml(ROOT / f"playbooks/{playbook}.yml")


def text_of(playbook: str) -> str:
    """Return a playbook and the files of tasks that it includes."""
    text = (ROOT / f"playbooks/{playbook}.yml").read_text()
    return text + "".join((ROOT / "playbooks" / path).read_text() for path in re.findall(r"tasks/\w+\.yml", text))


def test_finds_variables():
    assert {"bench_ports", "phone_profiles_check_phones_boot", "backup_folder", "provisioning_name"} <= DOCUMENTED
    assert set(PLAYBOOKS) == set(SPECS.playbooks)
    assert {path.name for path in (ROOT / "roles").iterdir() if path.is_dir()} == set(ROLES)


@pytest.mark.parametrize("name", sorted(DOCUMENTED))
def test_every_variable_is_known_and_every_misspelling_of_it_is_reported(name):
    assert SPECS.names.fault(name) is None
    fault = SPECS.names.fault(f"{name}x")
    role = max((role for role in ROLES if name.startswith(f"{role}_")), default="")
    # Shorter names of playbooks resemble too many words
    assert fault or len(name) < 10
    assert not role or (fault and fault.is_error)


@pytest.mark.parametrize("role", ROLES)
def test_unknown_variables_of_a_role_are_refused(role):
    fault = SPECS.names.fault(f"{role}_zzzzzzzz")
    assert fault
    assert fault.is_error == (role not in SHARED)


@pytest.mark.parametrize("name", sorted(name for name, option in SPECS.options.items() if option["type"] in ("list", "dict")))
def test_text_is_refused_for_every_list_and_mapping(name):
    (sentence,) = kind_faults(name, "one", SPECS.options[name])
    assert re.match(rf"{name} is a (list: write \[|mapping, not text: write )", sentence)


@pytest.mark.parametrize("name", sorted(name for name, option in SPECS.options.items() if option["type"] in ("str", "path")))
def test_what_yaml_makes_of_text_is_refused_for_every_text(name):
    for value in (True, 1.1, date(2026, 1, 31)):
        assert re.match(
            rf"{name} is text, not .*; write it in quotes, such as '", next(kind_faults(name, value, SPECS.options[name]))
        )


@pytest.mark.parametrize("name", sorted(DOCUMENTED))
def test_defaults_are_of_the_specified_kind(name):
    option = SPECS.options[name]
    assert not option.get("default") or list(kind_faults(name, option["default"], option)) == []


@pytest.mark.parametrize("entry", ["main", "check"])
@pytest.mark.parametrize("role", ROLES)
def test_every_role_checks_its_variables_first(role, entry):
    (first, *_others) = read_yaml(ROOT / f"roles/{role}/tasks/{entry}.yml")
    while imported := first.get("ansible.builtin.import_tasks"):
        (first, *_others) = read_yaml(ROOT / f"roles/{role}/tasks/{imported}")
    assert first["voip.preprovision.check_variables"] == {"role": role}


TEMPLATED = sorted(path for kind in ("tasks/*.yml", "vars/*.yml", "templates/**/*.j2") for path in ROOT.glob(f"roles/*/{kind}"))
NUMBERS = "|".join(name for name, option in SPECS.options.items() if option["type"] == "int")


@pytest.mark.parametrize("path", TEMPLATED, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_numbers_are_converted_before_they_are_used(path):
    """-e gives text, and twice a text is a longer text."""
    expressions = re.findall(r"{{.*?}}", path.read_text(), re.DOTALL)
    assert [text for text in expressions if re.search(rf"[*/+-] (?:{NUMBERS})\b(?! \| int)|\b(?:{NUMBERS}) [*/+-] ", text)] == []


@pytest.mark.parametrize("playbook", RUNNING)
def test_every_play_checks_the_variables_first(playbook):
    for play in plays(playbook):
        first = [*play.get("pre_tasks", []), *play.get("tasks", [])][0]
        assert first["voip.preprovision.check_variables"] == {"playbook": playbook}
        # Tags choose among the other tasks
        tagged = any("tags" in task for task in [*play.get("pre_tasks", []), *play.get("tasks", [])][1:])
        assert first.get("tags") == ("always" if tagged else None)


@pytest.mark.parametrize("playbook", RUNNING)
def test_no_play_sets_a_documented_variable_over_the_inventory(playbook):
    for play in plays(playbook):
        ours = set(play.get("vars", {})) | {
            name for path in play.get("vars_files", []) for name in read_yaml(ROOT / "playbooks" / path)
        }
        assert ours & DOCUMENTED == set()
        assert [name for name in ours if SPECS.names.fault(name)] == []


# Read without a default after a check that they are set
ASKED_FOR = {"phone", "backup_file"}


def variables_of_playbooks() -> list[tuple[str, str]]:
    return [(playbook, name) for playbook in RUNNING for name in SPECS.playbooks[playbook]]


@pytest.mark.parametrize(("playbook", "name"), variables_of_playbooks())
def test_playbooks_read_their_variables_with_the_documented_defaults(playbook, name):
    option = SPECS.playbooks[playbook][name]
    text = text_of(playbook)
    if option.get("required"):
        assert "default" not in option
        return
    assert re.search(rf"\b{name}\b", text)
    # A sentence may name a variable, too
    reads = re.findall(rf"(?<![\w-]){name} \| default\(([^()]*)", text)
    assert reads or (name in ASKED_FOR and f"{name} is defined" in text)
    if "default" in option:
        assert {json.dumps(parse_yaml(written)) for written in reads} <= {json.dumps(option["default"]), '""'}


@pytest.mark.parametrize(
    ("playbook", "name"), [(playbook, name) for playbook, name in variables_of_playbooks() if SPECS.options[name]["type"] == "path"]
)
def test_paths_are_relative_to_where_the_user_stands(playbook, name):
    read = re.findall(rf"\b{name}\b[^}}]*?\| (?:expanduser \| realpath)", text_of(playbook))
    assert read, "Ansible looks for relative paths below the playbook"


ADVISING = sorted(ROOT.glob("plugins/module_utils/events/*/*.py")) + sorted(ROOT.glob("plugins/module_utils/reports/*.py"))


def words_of(path: Path) -> set[str]:
    """Return the words in a module's sentences that begin as variables do; a docstring is no sentence for operators."""
    tree = read_python(path)
    sentences = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    documents = {node.value.value for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)}
    begins = "|".join(ROLES)
    return {word for text in sentences - documents if " " in text for word in re.findall(rf"\b(?:{begins}|check)_\w+\b", text)}


def test_finds_advice():
    words = {word for path in ADVISING for word in words_of(path)}
    assert {"dns_server_records", "dhcp_server_option_66", "certificates_signed", "check_phones"} <= words


@pytest.mark.parametrize("path", ADVISING, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_advice_names_variables_that_exist(path):
    assert words_of(path) - DOCUMENTED == set()


def rows() -> dict[str, tuple[str, str]]:
    """Return variable -> playbooks and meaning, from the page's table of the variables of playbooks."""
    table = PAGE.partition("\n## ")[0]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line.startswith("| `")]
    return {row[0].strip("`"): (row[1], row[3]) for row in cells}


def test_page_lists_the_variables_of_all_playbooks():
    wanted: dict[str, list[str]] = {}
    for playbook, name in variables_of_playbooks():
        if name not in SHARED_VARIABLES:
            wanted.setdefault(name, []).append(f"`{playbook}`")
    assert {name: cells[0] for name, cells in rows().items()} == {name: ", ".join(names) for name, names in wanted.items()}
    assert {name: cells[1] for name, cells in rows().items()} == {name: SPECS.options[name]["description"] for name in wanted}
