# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules that shape a profile by what a phone says of itself."""

from __future__ import annotations

from urllib.parse import urlencode
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.publishing.post_rules import (
    MAX_FIELDS,
    PostRuleError,
    parameters_for,
    read_fields,
    read_post_rules,
)

REPORT = b"""<?xml version="1.0"?>
<flat-profile>
 <Product_Name ua="na"> ATA192 </Product_Name>
 <status xmlns="urn:x"><Software_Version>11-1-0MPP-16</Software_Version><Empty/></status>
 <Software_Version>7.5.2</Software_Version>
 <Text>caf\xc3\xa9</Text>
</flat-profile>"""
FIELDS = {"Product_Name": "ATA192", "Software_Version": "11-1-0MPP-16", "Ext_IP": "198.51.100.7"}


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        ({}, True),
        ({"equals": "11-1-0MPP-16"}, True),
        ({"equals": "11-1-0MPP"}, False),
        ({"begins": "11-1-"}, True),
        ({"begins": "12"}, False),
        ({"below": "11-1-0MPP-17"}, True),
        ({"below": "11-1-0MPP-16"}, False),
        ({"at_least": "11-1-0MPP-16"}, True),
        ({"at_least": "11-2-0MPP-1"}, False),
        ({"at_least": "11-0-0MPP-1", "below": "12-0-0MPP-1"}, True),
        ({"at_least": "11-0-0MPP-1", "begins": "12"}, False),
        # Versions of another form do not compare
        ({"below": "99.1.1"}, False),
        ({"at_least": "1"}, False),
        ({"field": "Product_Name", "below": "99.1.1"}, False),
        ({"field": "missing"}, False),
    ],
)
def test_conditions(rule, found):
    (read,) = read_post_rules([{"field": "Software_Version", "parameters": {"GPP_A": "x"}, **rule}])
    assert read.fits(FIELDS) is found


def test_the_last_rule_that_fits_counts_and_may_hold_the_fields_text():
    rules = read_post_rules(
        [
            {"field": "Product_Name", "parameters": {"GPP_A": "{value}!", "GPP_B": 7}},
            {"field": "Ext_IP", "begins": "198.51.100.", "parameters": {"GPP_A": "from {value}"}},
            {"field": "Ext_IP", "begins": "203.0.113.", "parameters": {"GPP_B": "x"}},
        ]
    )
    assert parameters_for(rules, FIELDS) == {"GPP_A": "from 198.51.100.7", "GPP_B": 7}
    assert parameters_for(rules, {}) == {}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("x", "the rules must be a list"),
        (["x"], "rule 1 must be a mapping with field and parameters"),
        ([{"parameters": {"GPP_A": "x"}}], "rule 1: field must be the name of a field of the request's body"),
        ([{"field": "x"}], "rule 1: parameters must be a mapping of parameter names and values"),
        (
            [{"field": "x", "parameters": {"GPP_A": "x"}, "match": "y"}],
            "rule 1 has an unknown option 'match'; expected one of field, parameters, equals, begins, below, at_least",
        ),
        ([{"field": "x", "parameters": {"GPP_A": "x"}, "equals": 1}], "rule 1: equals must be text; quote it"),
        (
            [{"field": "x", "parameters": {"GPP_A": "x"}}, {"field": "x", "parameters": {"GPP_A": "x"}, "below": "new"}],
            "rule 2: below: 'new' is neither a number nor a version, such as 7.5.2b or 11-3-2MPP0001-609",
        ),
        (
            [{"field": "x", "parameters": {"GPP A": "x"}}],
            "rule 1: parameters: 'GPP A' cannot name a parameter; letters, digits and _ . - are allowed (a space in a web page's"
            " name becomes _)",
        ),
    ],
)
def test_refuses(given, message):
    with pytest.raises(PostRuleError) as caught:
        read_post_rules(given)
    assert str(caught.value) == message


def test_reads_the_first_of_each_field_of_xml():
    assert read_fields(REPORT, is_form=False) == {"Product_Name": "ATA192", "Software_Version": "11-1-0MPP-16", "Empty": ""}


@pytest.mark.parametrize(
    ("body", "is_form", "fields"),
    [
        (b"a=1&b=two+words&a=3&c=", True, {"a": "1", "b": "two words", "c": ""}),
        (b"a=%0a1%00", True, {}),
        (b"a=caf%C3%A9", True, {}),
        (b"a=" + b"x" * 256, True, {}),
        (b"\xff=1", True, {}),
        (b"no XML", False, {}),
        (b"", False, {}),
        (b"<x>1</x>", False, {"x": "1"}),
    ],
)
def test_reads_fields(body, is_form, fields):
    assert read_fields(body, is_form) == fields


def test_many_fields_are_cut():
    body = b"<x>" + b"".join(b"<f%d>1</f%d>" % (number, number) for number in range(MAX_FIELDS + 10)) + b"</x>"
    assert len(read_fields(body, is_form=False)) == MAX_FIELDS


PRINTABLE = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)


@given(st.dictionaries(st.from_regex(r"[A-Za-z_]{1,12}", fullmatch=True), PRINTABLE, max_size=8))
def test_a_form_and_xml_say_the_same(fields):
    xml = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in fields.items())
    expected = read_fields(urlencode(fields).encode(), is_form=True)
    assert expected == fields
    assert read_fields(f"<r>{xml}</r>".encode(), is_form=False) == (fields or {"r": ""})
