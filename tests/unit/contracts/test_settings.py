# SPDX-License-Identifier: GPL-3.0-or-later
"""The publication's settings, declared once, are the same in modules and in the role."""

from __future__ import annotations

import dataclasses
import importlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from parsed_files import read_yaml

from ansible_collections.voip.preprovision.plugins.module_utils.publishing.settings import KINDS, OPTIONS, Settings, read_settings
from ansible_collections.voip.preprovision.plugins.plugin_utils.publication_options import PHONES, SETTINGS

ROLE = Path(__file__).parents[3] / "roles/phone_profiles"
MODULES = ("profiles", "phone_database", "check_phones")
DEFAULTS: dict[str, Any] = read_yaml(ROLE / "defaults/main.yml")
PASSED: dict[str, str] = read_yaml(ROLE / "vars/main.yml")["__phone_profiles_publication"]

# The role's defaults make phones retry quickly on the bench; a module's defaults set no parameters
DIFFERENT = {"bootstrap_parameters", "preprovision_parameters"}


def argument_spec(module: str) -> dict[str, dict[str, Any]]:
    return importlib.import_module(f"ansible_collections.voip.preprovision.plugins.action.{module}").ARGUMENT_SPEC


def test_fields_and_options_have_the_same_names_and_defaults():
    assert [*OPTIONS] == [setting.name for setting in dataclasses.fields(Settings)]
    settings = Settings("https://prov.example.net/$MA.cfg", "http://prov.example.com/$MA.cfg")
    defaults = {name: option.default for name, option in OPTIONS.items() if option.default is not None}
    assert json.loads(json.dumps({name: getattr(settings, name) for name in defaults})) == defaults
    assert {name for name, option in OPTIONS.items() if option.default is None} == {"bench_url", "remote_url"}
    assert all(option.description for option in OPTIONS.values())


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("name", SETTINGS)
def test_modules_take_every_setting(module, name):
    given = argument_spec(module)[name]
    option = SETTINGS[name]
    assert (given["type"], given.get("default"), given.get("elements", ""), tuple(given.get("choices", ()))) == (
        option.type,
        option.default,
        option.elements,
        option.choices,
    )


@pytest.mark.parametrize("name", OPTIONS)
def test_role_variables_have_the_same_defaults(name):
    default = DEFAULTS[f"phone_profiles_{name}"]
    if "{{" not in json.dumps(default) and name not in DIFFERENT:
        assert json.dumps(default) == json.dumps(OPTIONS[name].default)


def test_role_passes_every_setting_and_all_phones_in_one_dictionary():
    assert set(PASSED) == {*SETTINGS, *PHONES}
    for name, value in PASSED.items():
        variables = re.findall("phone_profiles_[a-z_]+", value)
        assert variables == (["phone_profiles_rows", "phone_profiles_hosts"] if name == "phones" else [f"phone_profiles_{name}"])


@pytest.mark.parametrize("path", sorted((ROLE / "tasks").glob("*.yml")), ids=lambda path: path.name)
def test_role_tasks_name_no_setting(path):
    named = {f"phone_profiles_{name}" for name in SETTINGS} & set(re.findall(r"phone_profiles_\w+", path.read_text()))
    assert named == set()


def test_settings_survive_json():
    given = {
        "bench_url": "https://prov.example.net/$MA.cfg",
        "remote_url": "http://prov.example.com/$MA.cfg",
        "preprovision_parameters": {"Resync_Periodic": 60},
        "complete": ["preprovision", "service"],
        "syslog_server": "192.0.2.1",
    }
    settings = read_settings(given, KINDS)
    assert settings == read_settings(json.loads(json.dumps(given)), KINDS)
    assert settings.complete == ("preprovision", "service")
    assert settings.preprovision_parameters["Resync_Periodic"].value == "60"
    assert settings.kinds == KINDS
