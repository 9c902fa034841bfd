# SPDX-License-Identifier: GPL-3.0-or-later
"""The guide to phones says what the code takes: variables, keys of lines, typed variables, families, forms of sealing."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
import yaml

from ansible_collections.voip.preprovision.plugins.module_utils.families import BUILTIN, Family
from ansible_collections.voip.preprovision.plugins.module_utils.parameter_names import KNOWN
from ansible_collections.voip.preprovision.plugins.module_utils.phone import PLAIN, STRUCTURED, PhoneReader
from ansible_collections.voip.preprovision.plugins.module_utils.phone_settings import TYPED
from ansible_collections.voip.preprovision.plugins.module_utils.publication import KINDS
from ansible_collections.voip.preprovision.plugins.module_utils.sealing import SEALINGS

GUIDE = (Path(__file__).parents[3] / "docs/phones.md").read_text()


def section(title: str) -> str:
    """The text below a heading, up to the next of any level."""
    return re.split(r"^#+ ", re.split(rf"^#+ {title}$", GUIDE, maxsplit=1, flags=re.MULTILINE)[1], maxsplit=1, flags=re.MULTILINE)[
        0
    ]


def rows(title: str) -> list[list[str]]:
    """The cells of a section's table, without its head."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def names(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def test_variables():
    assert {name for row in rows("Variables") for name in names(row[0])} == {*PLAIN, *STRUCTURED, "phone_parameters_<layer>"}


def test_typed_variables():
    documented = [(names(row[0])[0], row[1]) for row in rows("Typed variables")]
    assert documented == [
        (f"{variable}.{key}", setting.description) for variable, keys in TYPED.items() for key, setting in keys.items()
    ]


def test_keys_of_lines():
    keys = names(section("Lines").partition("Keys are")[2].partition(";")[0])
    assert len(set(keys)) == len(keys)
    for family in BUILTIN.families.values():
        assert set(family.line_settings) == set(keys), family.name


def test_kinds_of_profile():
    assert [row[0] for row in rows("Profiles")] == list(KINDS)


def test_ways_of_sealing():
    (meaning,) = [row[1] for row in rows("Variables") if row[0] == "`phone_sealing`"]
    assert names(meaning) == list(SEALINGS)


def test_families():
    assert [name for row in rows("Families") for name in names(row[0])] == list(BUILTIN.families)


@pytest.mark.parametrize("family", KNOWN)
def test_numbers_of_known_names(family):
    (row,) = [row for row in rows("Families") if names(row[0]) == [family]]
    (count,) = re.findall(r"parameter names \(([\d,]+)", row[4])
    assert int(count.replace(",", "")) == len(KNOWN[family].names)


def test_the_example_of_a_family_of_ones_own():
    (example,) = re.findall(r"```yaml\n(.*?)```", section("Your own family"), re.DOTALL)
    families = yaml.safe_load(example)["phone_families"]
    catalogue = BUILTIN.extended(families)
    assert catalogue.find_model("acme200").factory_file == "/acme200.cfg"
    given = {name for attributes in families.values() for name in attributes} - {"based_on"}
    assert given <= {attribute.name for attribute in dataclasses.fields(Family)}


def test_the_example_of_variables():
    examples = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)]
    (groups,) = [example["phone_profiles_groups"] for example in examples if "phone_profiles_groups" in example]
    variables = {**groups["all"], **groups["customer"]["example"], "phone_mac": "00005e005301", "phone_model": "ATA192"}
    phone = PhoneReader().read("desk", variables)
    assert (phone.ignored, {*phone.parameters}) == ((), {"Resync_Periodic", "Proxy_1_"})
