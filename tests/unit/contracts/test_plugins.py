# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules and filters: what the documentation says is what the code takes."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

PACKAGE = "ansible_collections.voip.preprovision.plugins"
PLUGINS = Path(__file__).parents[3] / "plugins"
MODULES = sorted(path.stem for path in PLUGINS.glob("modules/*.py"))
ACTIONS = sorted(path.stem for path in PLUGINS.glob("action/*.py"))
FILTERS = {
    name: function
    for path in sorted(PLUGINS.glob("filter/*.py"))
    for name, function in importlib.import_module(f"{PACKAGE}.filter.{path.stem}").FilterModule().filters().items()
}


def module_text(name: str, constant: str) -> Any:
    """DOCUMENTATION, EXAMPLES or RETURN, without importing the module."""
    tree = ast.parse((PLUGINS / "modules" / f"{name}.py").read_text())
    texts = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == constant
    ]
    return yaml.safe_load(texts[0])


def documented_options(name: str) -> dict[str, Any]:
    """A module's own options, and those of the fragments that it names."""
    documentation = module_text(name, "DOCUMENTATION")
    options = documentation["options"]
    for fragment in documentation.get("extends_documentation_fragment", ()):
        file, _dot, part = fragment.removeprefix("voip.preprovision.").partition(".")
        shared = importlib.import_module(f"{PACKAGE}.doc_fragments.{file}")
        more = yaml.safe_load(getattr(shared.ModuleDocFragment, part.upper() or "DOCUMENTATION"))["options"]
        assert not set(more) & set(options), "each option is documented once"
        options = {**options, **more}
    return options


def argument_spec(name: str) -> dict[str, Any]:
    """The specification is where the code runs: in the action plugin, if there is one."""
    kind = "action" if name in ACTIONS else "modules"
    return importlib.import_module(f"{PACKAGE}.{kind}.{name}").ARGUMENT_SPEC


def filter_texts(name: str) -> dict[str, Any]:
    return yaml.safe_load((PLUGINS / "filter" / f"{name}.yml").read_text())


def comparable(options: dict[str, Any], below: str) -> dict[str, Any]:
    """What both sides say of each option; *below* is the key that nested options have there."""
    return {
        name: {
            "type": option.get("type", "str"),
            "required": option.get("required", False),
            **{key: option[key] for key in ("default", "elements", "choices", "aliases") if key in option},
            "options": comparable(option.get(below, {}), below),
        }
        for name, option in options.items()
    }


def test_there_are_plugins():
    assert {"profiles", "emulated_phone"} <= set(MODULES)
    assert set(ACTIONS) <= set(MODULES)
    assert {"dhcp_plan", "bench_plan"} <= set(FILTERS)


@pytest.mark.parametrize("name", MODULES)
def test_documented_options_of_a_module_are_its_arguments(name):
    documented = comparable(documented_options(name), "suboptions")
    # As JSON, since 0 == False
    assert json.dumps(documented, sort_keys=True) == json.dumps(comparable(argument_spec(name), "options"), sort_keys=True)


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_a_module_use_its_options(name):
    options = documented_options(name)
    assert module_text(name, "DOCUMENTATION")["module"] == name
    uses = [task[key] for task in module_text(name, "EXAMPLES") for key in task if key == f"voip.preprovision.{name}"]
    assert uses
    for arguments in uses:
        assert set(arguments) <= set(options)
        assert {option for option, value in options.items() if value.get("required")} <= set(arguments)


@pytest.mark.parametrize("name", MODULES)
def test_a_module_says_what_check_and_diff_mode_do(name):
    assert {"check_mode", "diff_mode"} <= set(module_text(name, "DOCUMENTATION")["attributes"])


def test_every_filter_has_its_sidecar_and_every_sidecar_its_filter():
    assert sorted(path.stem for path in PLUGINS.glob("filter/*.yml")) == sorted(FILTERS)


@pytest.mark.parametrize("name", FILTERS)
def test_documented_options_of_a_filter_are_its_arguments(name):
    documentation = filter_texts(name)["DOCUMENTATION"]
    first, *others = inspect.signature(FILTERS[name]).parameters.values()
    assert first.default is first.empty
    assert documentation["name"] == name
    documented = {
        option: None if value.get("required") else json.dumps(value.get("default"))
        for option, value in documentation["options"].items()
        if option != "_input"
    }
    assert documented == {other.name: None if other.default is other.empty else json.dumps(other.default) for other in others}
    assert documentation.get("positional", "") == ", ".join(other.name for other in others)


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_has_an_example_and_says_what_it_returns(name):
    texts = filter_texts(name)
    assert f"voip.preprovision.{name}" in texts["EXAMPLES"]
    assert yaml.safe_load(texts["EXAMPLES"])
    assert texts["RETURN"]["_value"]["description"]
