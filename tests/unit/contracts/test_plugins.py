# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation of modules and filters matches their arguments."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from parsed_files import parse_yaml, read_python, read_yaml

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
    """Return DOCUMENTATION, EXAMPLES or RETURN, parsed without importing the module."""
    tree = read_python(PLUGINS / "modules" / f"{name}.py")
    texts = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == constant
    ]
    return parse_yaml(texts[0])


def documentation_of(name: str) -> dict[str, Any]:
    """Return a module's documentation with the options and attributes of its documentation fragments."""
    documentation = module_text(name, "DOCUMENTATION")
    merged = {**documentation, "attributes": documentation.get("attributes", {})}
    for fragment in documentation.get("extends_documentation_fragment", ()):
        file, _dot, part = fragment.removeprefix("voip.preprovision.").partition(".")
        shared = importlib.import_module(f"{PACKAGE}.doc_fragments.{file}")
        text = parse_yaml(getattr(shared.ModuleDocFragment, part.upper() or "DOCUMENTATION"))
        for section in ("options", "attributes"):
            assert not set(text.get(section, {})) & set(merged[section]), "each option is documented once"
            merged[section] = {**merged[section], **text.get(section, {})}
    return merged


def argument_spec(name: str) -> dict[str, Any]:
    """Return a module's specification: its action plugin's, if there is one."""
    kind = "action" if name in ACTIONS else "modules"
    return importlib.import_module(f"{PACKAGE}.{kind}.{name}").ARGUMENT_SPEC


def filter_texts(name: str) -> dict[str, Any]:
    return read_yaml(PLUGINS / "filter" / f"{name}.yml")


def comparable(options: dict[str, Any], below: str) -> dict[str, Any]:
    """Return the comparable properties of each option; *below* is the key of nested options."""
    return {
        name: {
            "type": option.get("type", "str"),
            "required": option.get("required", False),
            **{key: option[key] for key in ("default", "elements", "choices", "aliases") if key in option},
            "options": comparable(option.get(below, {}), below),
        }
        for name, option in options.items()
    }


def test_finds_plugins():
    assert {"profiles", "emulated_phone"} <= set(MODULES)
    assert set(ACTIONS) <= set(MODULES)
    assert {"dhcp_plan", "bench_plan"} <= set(FILTERS)


@pytest.mark.parametrize("name", MODULES)
def test_module_documents_exactly_its_arguments(name):
    documented = comparable(documentation_of(name)["options"], "suboptions")
    # Compare JSON, because 0 == False
    assert json.dumps(documented, sort_keys=True) == json.dumps(comparable(argument_spec(name), "options"), sort_keys=True)


@pytest.mark.parametrize("name", MODULES)
def test_module_examples_use_its_options(name):
    options = documentation_of(name)["options"]
    assert module_text(name, "DOCUMENTATION")["module"] == name
    uses = [task[key] for task in module_text(name, "EXAMPLES") for key in task if key == f"voip.preprovision.{name}"]
    assert uses
    for arguments in uses:
        assert set(arguments) <= set(options)
        assert {option for option, value in options.items() if value.get("required")} <= set(arguments)


@pytest.mark.parametrize("name", MODULES)
def test_module_documents_check_and_diff_mode(name):
    assert {"check_mode", "diff_mode"} <= set(documentation_of(name)["attributes"])


def descriptions(documentation: Any) -> Iterator[Any]:
    """Yield each description at any depth, paragraph by paragraph."""
    if isinstance(documentation, dict):
        for name, value in documentation.items():
            if name == "description" and not isinstance(value, dict):
                yield from value if isinstance(value, list) else [value]
            else:
                yield from descriptions(value)


@pytest.mark.parametrize("name", MODULES)
def test_module_descriptions_are_text(name):
    """A colon in an unquoted paragraph makes it a mapping, which ansible-doc rejects."""
    found = [*descriptions(documentation_of(name)), *descriptions(module_text(name, "RETURN"))]
    assert found
    assert [text for text in found if not isinstance(text, str)] == []


def test_filters_and_their_documents_match():
    assert sorted(path.stem for path in PLUGINS.glob("filter/*.yml")) == sorted(FILTERS)


@pytest.mark.parametrize("name", FILTERS)
def test_filter_documents_exactly_its_arguments(name):
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
def test_filter_documents_an_example_and_its_result(name):
    texts = filter_texts(name)
    assert f"voip.preprovision.{name}" in texts["EXAMPLES"]
    assert parse_yaml(texts["EXAMPLES"])
    assert texts["RETURN"]["_value"]["description"]
