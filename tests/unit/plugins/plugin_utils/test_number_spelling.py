# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers that YAML reads otherwise than they are written, by the place where Ansible has read them."""

from __future__ import annotations

import pytest
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultLib, VaultSecret
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.plugin_utils import number_spelling
from ansible_collections.voip.preprovision.plugins.plugin_utils.number_spelling import NumberSpelling

SECRETS = [("default", VaultSecret(b"a password of the vault"))]


def problem(path, name="x"):
    """Return what is wrong with the variable *name* of a YAML file, as a loader of its own reads it."""
    loader = DataLoader()
    loader.set_vault_secrets(SECRETS)
    return NumberSpelling(loader).problem(name, loader.load_from_file(str(path))[name])


def sentence(place, path, line):
    return f"{place}: the number in {path} line {line} is read as another one; write it in quotes, such as '0123'"


@pytest.mark.parametrize(
    ("text", "place", "line"),
    [
        ("x: 0123", "x", 1),
        ("x: 0123 # comment", "x", 1),
        ("x: 12:30", "x", 1),
        ("x: 1_000", "x", 1),
        ("x: 0x1F", "x", 1),
        ("x: 0b11", "x", 1),
        ("x: +41441112233", "x", 1),
        ("x: &anchor 0123", "x", 1),
        ("---\ny: &a 0123\nx: *a", "x", 2),
        ("# x\u2028# a line of its own\nx:\n  - {user_id: 1001}\n  - {user_id: 0123,password: y}", "x.2.user_id", 5),
        ("x: {a: [1, 2, {b: 007}]}", "x.a.3.b", 1),
        ("x: {010: y}", "x: a key", 1),
        ("x:\n  ? 010\n  : y", "x: a key", 2),
        # what one character shows with others, or several bytes
        ("x: {ä: 1, \U0001f4de: 0123}", "x.\U0001f4de", 1),
    ],
)
def test_finds_numbers_that_were_written_otherwise(tmp_path, text, place, line):
    path = tmp_path / "x.yml"
    path.write_text(text)
    assert problem(path) == sentence(place, path, line)
    # Filters have no loader
    assert NumberSpelling().problem("x", DataLoader().load_from_file(str(path))["x"]) == sentence(place, path, line)
    path.write_text(VaultLib(SECRETS).encrypt(text).decode())
    assert problem(path) == sentence(place, path, line)


@pytest.mark.parametrize(
    "text",
    [
        *("x: 0", "x: 1001", "x: -5", "x: '0123'", 'x: "1_000"', "x: 089", "x: 0o17", "x: 1001 # 0123", "x: {1001: 5}", "x: 0123a"),
        *("x: yes", "x: 1.10", "x: 2026-01-31", "x:", "x: [1, 2]", "x: 00:00:5e:00:53:01"),
        # A number in quotes that is called one on purpose
        'x: !!int "0123"',
    ],
)
def test_leaves_other_values_alone(tmp_path, text):
    path = tmp_path / "x.yml"
    path.write_text(text)
    assert problem(path) == ""


def test_reads_ini_inventories(tmp_path):
    path = tmp_path / "hosts.ini"
    path.write_text(
        "[phones]\na phone_x=1_000\nb phone_x=1000\nc phone_x=0123\nd phone_x=31 other=0x1F\n[phones:vars]\nphone_y=0x1F\n"
    )
    loader = DataLoader()
    inventory = InventoryManager(loader, sources=[str(path)])
    found = {name: NumberSpelling(loader).problem("phone_x", inventory.get_host(name).vars["phone_x"]) for name in "abcd"}
    assert found == {"a": sentence("phone_x", path, 2), "b": "", "c": "", "d": ""}
    assert NumberSpelling(loader).problem("phone_y", inventory.groups["phones"].vars["phone_y"]) == sentence("phone_y", path, 7)


@pytest.mark.parametrize("text", ["x: 1001", "", "\n\n", "x: 5 0123"])
def test_believes_no_place_where_there_is_no_such_number(tmp_path, text):
    path = tmp_path / "x.yml"
    path.write_text("x: 0123")
    value = DataLoader().load_from_file(str(path))["x"]
    path.write_text(text)
    assert NumberSpelling(DataLoader()).problem("x", value) == ""
    path.unlink()
    assert NumberSpelling(DataLoader()).problem("x", value) == NumberSpelling().problem("x", value) == ""


def test_works_without_places(tmp_path, monkeypatch):
    path = tmp_path / "x.yml"
    path.write_text("x: 0123")
    monkeypatch.setattr(number_spelling, "Origin", None)
    assert problem(path) == ""


SPELLINGS = ("{}", "0{:o}", "0x{:x}", "0b{:b}", "+{}", "{:_}")


@given(st.lists(st.tuples(st.integers(0, 10**12), st.sampled_from(SPELLINGS)), min_size=1, max_size=5))
def test_a_number_is_right_if_its_text_is(tmp_path_factory, numbers):
    path = tmp_path_factory.mktemp("numbers") / "x.yml"
    texts = [spelling.format(number) for number, spelling in numbers]
    path.write_text("".join(f"x{place}: [{text}]\n" for place, text in enumerate(texts)))
    for place, (text, (number, _spelling)) in enumerate(zip(texts, numbers, strict=True)):
        assert (problem(path, f"x{place}") == "") is (text == str(number))
