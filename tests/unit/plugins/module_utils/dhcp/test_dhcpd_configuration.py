# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan in the words of dhcpd.conf; nothing that a user writes becomes configuration."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.dhcp.dhcpd_configuration import (
    declarations,
    option_name,
    option_value,
    quote,
    unrequested,
    vendor_class_condition,
)
from ansible_collections.voip.preprovision.plugins.module_utils.dhcp.options import Option, OptionError, OptionType
from ansible_collections.voip.preprovision.plugins.module_utils.dhcp.server_options import plan_classes
from ansible_collections.voip.preprovision.plugins.module_utils.families.catalogue import BUILTIN


def unquote(text: str) -> str:
    """Read a string as dhcpd's lexer does: up to the first quote that no backslash precedes, and to its very end."""
    body = re.fullmatch(r'"((?:[^"\\\n]|\\.)*)"', text)
    assert body
    return re.sub(r"\\(.)", r"\1", body[1])


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E)))
def test_quoted_text_reads_back(text):
    assert unquote(quote(text)) == text


@pytest.mark.parametrize("text", ["a\nb", "a\tb", "a\x00", "ä", "a\x7f"])
def test_rejects_text_that_dhcpd_cannot_carry(text):
    with pytest.raises(OptionError, match="characters other than printable ASCII"):
        quote(text)


def test_condition():
    assert vendor_class_condition(["Cisco SPA", 'A"b']) == (
        'lcase(substring(option vendor-class-identifier, 0, 9)) = "cisco spa"'
        ' or lcase(substring(option vendor-class-identifier, 0, 3)) = "a\\"b"'
    )


def _fits(condition, vendor_class):
    """Evaluate a condition as dhcpd does."""
    condition = re.sub(
        r'lcase\(substring\(option vendor-class-identifier, 0, (\d+)\)\) = ("(?:[^"\\]|\\.)*")',
        lambda match: str(vendor_class.lower()[: int(match[1])] == json.loads(match[2])),
        condition,
    )
    assert re.fullmatch(r"(?:True|False|and|or|not|[() ])+", condition)
    return eval(condition)  # noqa: S307 - nothing but these words


def _families_of(classes, client):
    return [plan.family for plan in classes if _fits(vendor_class_condition(plan.prefixes, plan.others), client)]


@given(
    st.dictionaries(st.sampled_from("abcd"), st.lists(st.text("xY1", min_size=1, max_size=4), min_size=1, max_size=4)),
    st.text("xXyY1", max_size=6),
)
def test_the_longest_prefix_decides_the_family(families, client):
    taken = [{prefix.lower() for prefix in prefixes} for prefixes in families.values()]
    assume(sum(map(len, taken)) == len(set().union(*taken)))
    classes = plan_classes({name: {"vendor_classes": prefixes} for name, prefixes in families.items()})
    fitting = {
        prefix.lower(): name
        for name, prefixes in families.items()
        for prefix in prefixes
        if client.lower().startswith(prefix.lower())
    }
    expected = [fitting[max(fitting, key=len)]] if fitting else []
    assert _families_of(classes, client) == expected


def test_clients_of_the_inventorys_families():
    changes = {"acme": {"vendor_classes": "Acme VP"}, "cp6": {"based_on": "mpp", "vendor_classes": ["CP-6", "CP-68"]}}
    classes = plan_classes({}, catalogue=BUILTIN.extended(changes | {"mpp": {"vendor_classes": ["CP-7", "CP-8"]}}))
    for client, family in {"ACME VP 9": "acme", "CP-6841-3PCC": "cp6", "CP-8851-3PCC": "mpp", "Cisco SPA504G": "spa"}.items():
        assert _families_of(classes, client) == [family]


@pytest.mark.parametrize(
    ("option", "line"),
    [
        (Option(3, OptionType.ADDRESSES, bytes([192, 0, 2, 254])), "routers 192.0.2.254"),
        (Option(42, OptionType.ADDRESSES, bytes([192, 0, 2, 1, 192, 0, 2, 2])), "ntp-servers 192.0.2.1, 192.0.2.2"),
        (Option(66, OptionType.TEXT, b"prov.example.net"), 'tftp-server-name "prov.example.net"'),
        (Option(43, OptionType.HEX, b"\1\1x"), "vendor-encapsulated-options 01:01:78"),
        (Option(125, OptionType.HEX, b"\0\0\0\t\0"), "vivso 00:00:00:09:00"),
        (Option(132, OptionType.TEXT, b"20"), 'preprovision-vlan "20"'),
        (Option(132, OptionType.UINT16, b"\0\x14"), "preprovision-vlan 00:14"),
        (Option(159, OptionType.TEXT, b'http://h/a"b'), 'preprovision-url-159 "http://h/a\\"b"'),
        # dhcpd would take addresses here, but the same declaration serves any type
        (Option(7, OptionType.ADDRESSES, bytes([192, 0, 2, 7])), "preprovision-7 c0:00:02:07"),
        (Option(224, OptionType.TEXT, b'a"; } x'), 'preprovision-224 "a\\"; } x"'),
    ],
)
def test_options(option, line):
    assert f"{option_name(option.code)} {option_value(option)}" == line


def test_declares_each_option_once_that_is_not_built_in():
    codes = [224, 66, 150, 7, 224]
    assert declarations(Option(code, OptionType.HEX, b"x") for code in codes) == [
        ("preprovision-7", 7, "string"),
        ("preprovision-tftp-servers", 150, "array of ip-address"),
        ("preprovision-224", 224, "string"),
    ]


def test_what_is_sent_unrequested():
    options = [Option(224, OptionType.TEXT, b"x", True), Option(66, OptionType.TEXT, b"x"), Option(43, OptionType.HEX, b"x", True)]
    assert unrequested([*options, options[0]]) == "2b:e0"
    assert unrequested(options[1:2]) == ""
