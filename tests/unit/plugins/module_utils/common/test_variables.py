# SPDX-License-Identifier: GPL-3.0-or-later
"""Misspelt names of variables, and values of the wrong kind."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.common.variables import KnownNames, kind_faults, option_fault

NAMES = (
    "bench_ports",
    "bench_clients_ports",
    "firmware_images",
    "phone_lines",
    "phone_profiles_hosts",
    "backup_passphrase",
    "phone",
)
KNOWN = KnownNames(
    NAMES,
    {
        "bench_": "; see bench",
        "bench_clients_": "; see bench_clients",
        "firmware_": "; see firmware",
        "phone_profiles_": "; see profiles",
    },
    ("phone_", "firmware_"),
    ("phone_parameters_",),
)
OWN = "; if it is your own, give it a name that does not begin like those of this collection"


@pytest.mark.parametrize(
    ("name", "end", "is_error"),
    [
        ("bench_port", "; did you mean 'bench_ports'?", True),
        ("bench_prots", "; did you mean 'bench_ports'?", True),
        ("bench_clients_port", "; did you mean 'bench_clients_ports'?", True),
        ("bench_colour", "; see bench", True),
        ("bench_clients_colour", "; see bench_clients", True),
        ("phone_profiles_colour", "; see profiles", True),
        ("phone_paramters_20_customer", "; did you mean 'phone_parameters_20_customer'?", True),
        ("phone_parameter_customer", "; did you mean 'phone_parameters_customer'?", True),
        ("phone_line", "; did you mean 'phone_lines'?", True),
        ("phone_owner", OWN, False),
        ("firmware_mirror", OWN, False),
        ("backup_pasphrase", "; did you mean 'backup_passphrase'?", False),
        ("backup_pasphrases_", "; did you mean 'backup_passphrase'?", False),
        ("BACKUP_PASSPHRASE", "; did you mean 'backup_passphrase'?", False),
        ("Bench_Ports", "; did you mean 'bench_ports'?", False),
        ("PHONE", "; did you mean 'phone'?", False),
    ],
)
def test_reports_misspelt_names(name, end, is_error):
    assert KNOWN.fault(name) == (f"unknown variable '{name}'{end}", is_error)


@pytest.mark.parametrize("name", [*NAMES, "phone_parameters_20_customer", "phones", "backup_host", "benchmark", "phon", "site", ""])
def test_leaves_known_names_and_those_of_others_alone(name):
    assert KNOWN.fault(name) is None


@given(st.sampled_from([name for name in NAMES if len(name) > 8]), st.data())
def test_finds_every_name_that_lacks_a_letter_or_has_one_more(name, data):
    place = data.draw(st.integers(0, len(name) - 1))
    letter = data.draw(st.sampled_from("abcxyz_"))
    for misspelt in (
        name[:place] + name[place + 1 :],
        name[:place] + letter + name[place:],
        name[:place] + letter + name[place + 1 :],
    ):
        assert misspelt in KNOWN or KNOWN.misspelt(misspelt) in NAMES


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("fon", None),
        ("phon", "; did you mean 'phone'?"),
        ("captures_", "; did you mean 'captures'?"),
        ("capture_place", "; the playbook capture knows phone, seconds, captures"),
        ("ticket", None),
    ],
)
def test_knows_what_a_playbook_can_be_given(name, end):
    fault = option_fault(name, "capture", ["phone", "seconds", "captures"])
    assert fault == (end and (f"unknown variable '{name}'{end}", False))


LIST = {"type": "list", "elements": "str"}


@pytest.mark.parametrize(
    ("value", "option", "sentence"),
    [
        ("enp2s0", LIST, "x is a list: write [enp2s0]"),
        ("a, b", LIST, "x is a list: write [a, b]"),
        ("['a', \"b\"]", LIST, "x is a list: write [a, b]"),
        (53, LIST, "x is a list: write [53]"),
        ("", LIST, "x is a list: write []"),
        (None, LIST, "x is a list: write []"),
        ({"a": 1}, LIST, "x is a list: write [...]"),
        ("a" * 61, LIST, "x is a list: write [...]"),
        ("s3cret", {**LIST, "no_log": True}, "x is a list: write [...]"),
        ([], LIST, None),
        (["a"], LIST, None),
        ("a=b", {"type": "dict"}, "x is a mapping, not text: write {NAME: VALUE}"),
        (["a"], {"type": "dict"}, "x is a mapping, not a list: write {NAME: VALUE}"),
        ({}, {"type": "dict"}, None),
        (["a"], {"type": "str"}, "x is text, not a list"),
        ({}, {"type": "path"}, "x is text, not a mapping"),
        (True, {"type": "str"}, "x is text, not true or false; write it in quotes, such as 'on'"),
        (1.1, {"type": "str"}, "x is text, not a decimal fraction; write it in quotes, such as '1.10'"),
        (date(2026, 1, 31), {"type": "path"}, "x is text, not a date; write it in quotes, such as '2026-01-31'"),
        (["a", True], LIST, "x: entry 2 is text, not true or false; write it in quotes, such as 'on'"),
        (["a", None], LIST, "x: entry 2 is empty"),
        (
            ["a", "b"],
            {"type": "list", "elements": "int"},
            "x: entry 1 is a whole number, not 'a'|x: entry 2 is a whole number, not 'b'",
        ),
        ([80, "443"], {"type": "list", "elements": "int"}, None),
        (["x"], {"type": "list", "elements": "str", "choices": ["a", "b"]}, "x: entry 1 is 'x'; write one of a, b"),
        (5, {"type": "str"}, None),
        (None, {"type": "str"}, None),
        ("ja", {"type": "bool"}, "x is true or false, not 'ja'"),
        ("s3cret", {"type": "bool", "no_log": True}, "x is true or false, not text"),
        ([], {"type": "bool"}, "x is true or false, not a list"),
        ("no", {"type": "bool"}, None),
        ("ten", {"type": "int"}, "x is a whole number, not 'ten'"),
        (["1"], {"type": "int"}, "x is a whole number, not a list"),
        ("10", {"type": "int"}, None),
        ("x", {"type": "str", "choices": ["a", "b"]}, "x is 'x'; write one of a, b"),
        ("301", {"type": "int", "choices": [301, 302]}, None),
        ("anything", {"type": "raw"}, None),
    ],
)
def test_reports_values_of_another_kind(value, option, sentence):
    assert list(kind_faults("x", value, option)) == (sentence.split("|") if sentence else [])


def test_looks_into_values():
    option = {"type": "list", "elements": "dict", "options": {"ports": LIST, "name": {"type": "str"}, "more": {"type": "dict"}}}
    values = [{"name": "a", "ports": [1]}, {"name": ["a"], "ports": "1"}, {"more": 1}, "no mapping"]
    assert list(kind_faults("x", values, option)) == [
        "x: entry 2: ports is a list: write [1]",
        "x: entry 2: name is text, not a list",
        "x: entry 3: more is a mapping, not a number: write {NAME: VALUE}",
        "x: entry 4 is a mapping, not text: write {NAME: VALUE}",
    ]


@pytest.mark.parametrize(
    ("value", "option", "sentence"),
    [
        ("ata192-1", LIST, """x is a list: write -e '{"x": ["ata192-1"]}'"""),
        ("a=b", {"type": "dict"}, """x is a mapping, not text: write -e '{"x": {"NAME": "VALUE"}}'"""),
    ],
)
def test_says_how_to_write_values_on_the_command_line(value, option, sentence):
    assert list(kind_faults("x", value, option, on_command_line=True)) == [sentence]
