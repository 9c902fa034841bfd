# SPDX-License-Identifier: GPL-3.0-or-later
"""The documents about phones list what the code accepts: variables, keys of lines, typed variables, families, forms of sealing."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from parsed_files import parse_yaml

from ansible_collections.voip.preprovision.plugins.module_utils.families.catalogue import BUILTIN
from ansible_collections.voip.preprovision.plugins.module_utils.families.model import Family
from ansible_collections.voip.preprovision.plugins.module_utils.families.parameter_names import KNOWN
from ansible_collections.voip.preprovision.plugins.module_utils.phones.phone import PLAIN, STRUCTURED
from ansible_collections.voip.preprovision.plugins.module_utils.phones.reader import PhoneReader
from ansible_collections.voip.preprovision.plugins.module_utils.phones.typed_variables import TYPED
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.sealing.model import Sealing
from ansible_collections.voip.preprovision.plugins.module_utils.publishing.settings import KINDS

DOCS = Path(__file__).parents[3] / "docs"
PAGES = ("guides/phones", "reference/phone_variables", "reference/families")
GUIDE = "\n".join((DOCS / f"{name}.md").read_text() for name in PAGES)


def section(title: str) -> str:
    """Return the text below a heading, up to the next heading of any level."""
    return re.split(r"^#+ ", re.split(rf"^#+ {title}$", GUIDE, maxsplit=1, flags=re.MULTILINE)[1], maxsplit=1, flags=re.MULTILINE)[
        0
    ]


def rows(title: str) -> list[list[str]]:
    """Return the cells of a section's table, without its header."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def names(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def test_documents_every_variable():
    assert {name for row in rows("Variables") for name in names(row[0])} == {*PLAIN, *STRUCTURED, "phone_parameters_<layer>"}


def test_documents_every_typed_variable():
    documented = [(names(row[0])[0], row[1]) for row in rows("Typed variables")]
    assert documented == [
        (f"{variable}.{key}", setting.description) for variable, keys in TYPED.items() for key, setting in keys.items()
    ]


def test_documents_every_key_of_lines():
    keys = names(section("Lines").partition("Keys are")[2].partition(";")[0])
    assert len(set(keys)) == len(keys)
    for family in BUILTIN.families.values():
        assert set(family.line_settings) == set(keys), family.name


def test_documents_every_kind_of_profile():
    assert [row[0] for row in rows("Profiles")] == list(KINDS)


def test_documents_every_form_of_sealing():
    (meaning,) = [row[1] for row in rows("Variables") if row[0] == "`phone_sealing`"]
    assert names(meaning) == list(Sealing)


def test_documents_every_family():
    assert [name for row in rows("Families") for name in names(row[0])] == list(BUILTIN.families)


@pytest.mark.parametrize("family", KNOWN)
def test_documents_the_number_of_parameter_names(family):
    (row,) = [row for row in rows("Families") if names(row[0]) == [family]]
    (count,) = re.findall(r"parameter names \(([\d,]+)", row[4])
    assert int(count.replace(",", "")) == len(KNOWN[family].names)


def test_example_of_a_custom_family_works():
    (example,) = re.findall(r"```yaml\n(.*?)```", section("Your own family"), re.DOTALL)
    families = parse_yaml(example)["phone_families"]
    catalogue = BUILTIN.extended(families)
    assert catalogue.find_model("acme200").factory_file == "/acme200.cfg"
    given = {name for attributes in families.values() for name in attributes} - {"based_on"}
    assert given <= {attribute.name for attribute in dataclasses.fields(Family)}


def test_example_of_group_variables_works():
    examples = [parse_yaml(text) for text in re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)]
    (groups,) = [example["phone_profiles_groups"] for example in examples if "phone_profiles_groups" in example]
    variables = {**groups["all"], **groups["customer"]["example"], "phone_mac": "00005e005301", "phone_model": "ATA192"}
    phone = PhoneReader().read("desk", variables)
    assert (phone.ignored, {*phone.parameters}) == ((), {"Resync_Periodic", "Proxy_1_"})


def _parameters(value: object) -> Iterator[str]:
    """Yield the parameters that variables set, at any depth below groups."""
    if not isinstance(value, dict):
        return
    for name, below in value.items():
        if str(name).startswith("phone_parameters"):
            yield from below
        yield from _parameters(below)


def test_examples_set_parameters_that_all_phones_have():
    text = "\n".join(path.read_text() for path in DOCS.glob("**/*.md"))
    examples = re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    found = {name for example in examples for name in _parameters(parse_yaml(example))}
    found |= set(re.findall(r"^name,.*\bphone_parameters\.(\w+)", text, re.MULTILINE))
    assert len(found) > 2
    # Examples are for all phones, unless they name a family's own sections
    for family in ("ata19x", "spa", "mpp"):
        assert {name for name in found if not KNOWN[family].knows(name)} == set()
