# SPDX-License-Identifier: GPL-3.0-or-later
"""Single values that users write, and errors for invalid ones."""

from __future__ import annotations

from datetime import date

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.common.validate import (
    ValidationError,
    is_host,
    is_host_name,
    is_ipv4,
    is_ipv6,
    read_flag,
    read_mapping,
    read_number,
    read_text,
    read_texts,
)


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("192.0.2.1", True),
        ("192.0.2.01", False),
        ("192.0.2.256", False),
        ("192.0.2", False),
        ("3221225985", False),
        ("0xc0.0.2.1", False),
        (" 192.0.2.1", False),
        ("192.0.2.1/24", False),
        ("2001:db8::1", False),
        ("", False),
        (None, False),
        (3221225985, False),
    ],
)
def test_ipv4_addresses(text, good):
    assert is_ipv4(text) is good


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("2001:db8::10", True),
        ("::1", True),
        ("2001:DB8::10", False),
        ("2001:db8:0::10", False),
        ("[2001:db8::10]", False),
        ("fe80::1%eth0", False),
        ("2001:db8::/64", False),
        ("192.0.2.1", False),
        (None, False),
    ],
)
def test_ipv6_addresses(text, good):
    assert is_ipv6(text) is good


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("prov.example.net", True),
        ("prov", True),
        ("8851.example.net", True),
        ("a" * 63 + ".example", True),
        ("a" * 64 + ".example", False),
        (".".join(["a" * 63] * 4), False),
        ("prov.example.net.", False),
        ("prov..example", False),
        ("-prov.example", False),
        ("prov-.example", False),
        ("prov_1.example", False),
        ("192.0.2.300", False),
        ("prov.example.7", False),
        ("prov.example\n", False),
        ("bücher.example", False),
        ("", False),
        (None, False),
    ],
)
def test_host_names(text, good):
    assert is_host_name(text) is good
    assert is_host(text) is good


def test_an_address_is_a_host():
    assert is_host("192.0.2.1")


class Tagged(str):
    """As Ansible's texts, which carry their origin."""


def test_reads_text_without_its_tags():
    assert [type(text) for text in (read_text(Tagged("a")), *read_texts([Tagged("a"), "b"]))] == [str, str, str]
    assert read_texts("a") == ("a",)
    assert read_texts([]) == ()


@pytest.mark.parametrize(
    ("read", "value", "sentence"),
    [
        (read_text, 1, "must be text, not a number; write it in quotes, such as '0123'"),
        (read_text, None, "must be text, not empty; quote it where YAML reads something else"),
        (read_texts, ["a", 1], "must be text, not a number; write it in quotes, such as '0123'"),
        (lambda value: read_mapping(value, "names"), [], "must be a mapping of names, not a list"),
        (lambda value: read_mapping(value, "names"), Tagged("a"), "must be a mapping of names, not text"),
        (read_text, True, "must be text, not true or false; write it in quotes, such as 'on'"),
        (read_text, {}, "must be text, not a mapping; quote it where YAML reads something else"),
        (read_text, date(2026, 1, 31), "must be text, not a date; write it in quotes, such as '2026-01-31'"),
        (read_flag, "perhaps", "must be true or false"),
        (read_flag, None, "must be true or false"),
    ],
)
def test_rejects_values_of_other_types(read, value, sentence):
    with pytest.raises(ValidationError) as raised:
        read(value)
    assert str(raised.value) == sentence


@pytest.mark.parametrize(("value", "number"), [(0, 0), ("60", 60), (Tagged("7"), 7), ("007", 7)])
def test_reads_numbers(value, number):
    assert read_number(value, 0, 60) == number


@pytest.mark.parametrize("value", [True, 1.5, "", None, "1e3", "٣", "1 ", [1], 61, -1])
def test_rejects_invalid_numbers(value):
    with pytest.raises(ValidationError, match=r"^must be a whole number of seconds between 0 and 60$"):
        read_number(value, 0, 60, "seconds")


@pytest.mark.parametrize(
    ("value", "flag"),
    [
        (True, True),
        (False, False),
        ("Yes", True),
        ("on", True),
        ("1", True),
        (1, True),
        ("False", False),
        ("off", False),
        (0, False),
    ],
)
def test_reads_flags(value, flag):
    assert read_flag(value) is flag


def test_reads_mappings():
    assert read_mapping({"a": 1}, "names") == {"a": 1}
