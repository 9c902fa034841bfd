# SPDX-License-Identifier: GPL-3.0-or-later
"""DHCP options as they travel and as dhcpd.conf spells them; nothing that a user writes becomes configuration."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.bench.network import BenchError
from ansible_collections.voip.preprovision.plugins.module_utils.dhcp.server_options import (
    OptionError,
    addresses_option,
    name_option,
    plan_classes,
    plan_dhcp,
    quote,
    server_option,
    vendor_class_condition,
)
from ansible_collections.voip.preprovision.plugins.module_utils.families.catalogue import BUILTIN

SETTINGS = {
    "address": "192.0.2.1/24",
    "interface": "bench0",
    "pool_size": 100,
    "lease_time": 3600,
    "unknown_lease_time": 300,
    "authoritative": False,
    "domain": "",
    "option_66": "",
    "option_150": [],
    "option_160": "",
    "option_42": [],
    "option_6": [],
    "reservations": [],
    "families": {},
}


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


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("192.0.2.1", '"192.0.2.1"'),
        ("prov.example.net", '"prov.example.net"'),
        ("tftp://192.0.2.1", '"tftp://192.0.2.1"'),
        ("http://prov.example.net:8080/a/$PSN.xml?m=$MA", '"http://prov.example.net:8080/a/$PSN.xml?m=$MA"'),
        ("HTTPS://prov.example.net/", '"HTTPS://prov.example.net/"'),
        ("https://a.example.net/;http://192.0.2.2", '"https://a.example.net/;http://192.0.2.2"'),
        ('http://prov.example.net/a"b\\c', '"http://prov.example.net/a\\"b\\\\c"'),
        ("http://h/" + "x" * 246, '"http://h/' + "x" * 246 + '"'),
    ],
)
def test_option_66(value, text):
    option = server_option(66, value, "where")
    assert (option.name, option.data, option.text) == ("tftp-server-name", value.encode(), text)


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("http://h/" + "x" * 247, "where is 256 bytes long, but a DHCP option can contain at most 255; shorten it"),
        ("192.0.2.300", "where is '192.0.2.300', and '192.0.2.300' is not an IPv4 address, host name or URL; write it as"),
        ("prov example", "where is 'prov example', and 'prov example' is not an IPv4 address, host name or URL"),
        ("ftp://prov.example.net/", "where is 'ftp://prov.example.net/', and 'ftp://prov.example.net/' is no"),
        ("http://prov.example.net/a b", "where is 'http://prov.example.net/a b', and "),
        ("http://user@prov.example.net/", "where is 'http://user@prov.example.net/', and "),
        ("http://prov.example.net:0/", "where is 'http://prov.example.net:0/', and "),
        ("http://prov.example.net:65536/", "where is 'http://prov.example.net:65536/', and "),
        ("http:///x", "where is 'http:///x', and "),
        ("http://[2001:db8::1]/", "where is 'http://[2001:db8::1]/', and "),
        ("prov.example.net/x", "where is 'prov.example.net/x', and "),
        ("a;b;c", "where is 'a;b;c'; phones accept at most two servers, joined by ';'"),
        ("a;", "where is 'a;', and '' is not an IPv4 address, host name or URL"),
        ('a"; } host x { "', "where is 'a\"; } host x { \"', and 'a\"' is no"),
        ("prov.example.net\n", "where is 'prov.example.net\\n'; phones accept printable ASCII without spaces around it"),
        (" prov.example.net", "where is ' prov.example.net'; phones accept printable ASCII without spaces around it"),
        ("prév.example.net", "where is 'prév.example.net'; phones accept printable ASCII"),
        (66, "where is 66; phones accept printable ASCII"),
    ],
)
def test_rejects_invalid_option_66(value, sentence):
    with pytest.raises(OptionError) as raised:
        server_option(66, value, "where")
    assert str(raised.value).startswith(sentence)


@pytest.mark.parametrize(
    ("code", "values", "name", "data", "text"),
    [
        (6, ["192.0.2.1"], "domain-name-servers", "c0000201", "192.0.2.1"),
        (42, ["192.0.2.1", "192.0.2.2"], "ntp-servers", "c0000201c0000202", "192.0.2.1, 192.0.2.2"),
        (150, ("192.0.2.255",), "preprovision-tftp-servers", "c00002ff", "192.0.2.255"),
    ],
)
def test_lists_of_addresses(code, values, name, data, text):
    option = addresses_option(code, values, "where")
    assert (option.name, option.data.hex(), option.text) == (name, data, text)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ("192.0.2.1", "where is '192.0.2.1'; it must be a list of IPv4 addresses"),
        ([], "where is []; it must be a list of IPv4 addresses"),
        (None, "where is None; it must be a list of IPv4 addresses"),
        (["prov.example.net"], "where contains 'prov.example.net', which is not an IPv4 address"),
        (["192.0.2.1; option x 1"], "where contains '192.0.2.1; option x 1', which is not an IPv4 address"),
        (["192.0.2.1", "192.0.2.1"], "where contains 192.0.2.1 twice; keep one"),
        ([f"192.0.2.{n}" for n in range(64)], "where has 64 addresses, but a DHCP option can contain at most 63; remove 1"),
    ],
)
def test_rejects_invalid_lists_of_addresses(values, sentence):
    with pytest.raises(OptionError) as raised:
        addresses_option(150, values, "where")
    assert str(raised.value).startswith(sentence)


def test_domain():
    assert name_option(15, "bench.example.net", "where").text == '"bench.example.net"'
    with pytest.raises(OptionError, match=r"^where is 'bench lan', which is not a DNS name; write it as bench.example.net$"):
        name_option(15, "bench lan", "where")


def test_condition():
    assert vendor_class_condition(["Cisco SPA", 'A"b']) == (
        'lcase(substring(option vendor-class-identifier, 0, 9)) = "cisco spa"'
        ' or lcase(substring(option vendor-class-identifier, 0, 3)) = "a\\"b"'
    )


def test_known_families_are_classes_by_default():
    classes = plan_classes({})
    assert [family.family for family in classes] == [
        "ata19x",
        "grandstream",
        "mpp",
        "pap2t",
        "phoneos",
        "poly",
        "snom",
        "spa",
        "yealink",
    ]
    assert all(family.condition and not family.options for family in classes)


def test_families_with_their_own_options():
    classes = {
        family.family: family
        for family in plan_classes(
            {
                "spa": {"option_66": "spa.example.net", "option_160": ""},
                "mpp": {"vendor_classes": ["CP-8"]},
                "acme": {"vendor_classes": ["Acme"], "option_150": ["192.0.2.9"], "option_6": ["192.0.2.8"]},
            }
        )
    }
    assert [(option.code, option.text) for option in classes["spa"].options] == [(66, '"spa.example.net"')]
    assert classes["spa"].condition == next(family.condition for family in plan_classes({}) if family.family == "spa")
    assert classes["mpp"].condition == 'lcase(substring(option vendor-class-identifier, 0, 4)) = "cp-8"'
    assert [option.code for option in classes["acme"].options] == [6, 150]


def _fits(condition, vendor_class):
    """Evaluate a condition as dhcpd does."""
    condition = re.sub(
        r'lcase\(substring\(option vendor-class-identifier, 0, (\d+)\)\) = ("(?:[^"\\]|\\.)*")',
        lambda match: str(vendor_class.lower()[: int(match[1])] == json.loads(match[2])),
        condition,
    )
    assert re.fullmatch(r"(?:True|False|and|or|not|[() ])+", condition)
    return eval(condition)  # noqa: S307 - nothing but these words


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
    assert [plan.family for plan in classes if _fits(plan.condition, client)] == expected


def test_families_of_the_catalogue():
    catalogue = BUILTIN.extended(
        {
            "acme": {"vendor_classes": "Acme VP", "models": "VP1"},
            "cp6": {"based_on": "mpp", "vendor_classes": ["CP-6", "CP-68"]},
            "spb": {"based_on": "spa"},
            "mpp": {"vendor_classes": ["CP-7", "CP-8"]},
            "no vendor class": {},
        }
    )
    classes = plan_classes({"acme": {"option_66": "acme.example.net"}}, catalogue=catalogue)
    names = [plan.family for plan in classes]
    # The prefix that spb shares with spa does not decide between them
    assert names == ["acme", "ata19x", "cp6", "grandstream", "mpp", "pap2t", "phoneos", "poly", "snom", "spa", "yealink"]
    assert [(option.code, option.text) for option in classes[0].options] == [(66, '"acme.example.net"')]
    for client, family in {"ACME VP 9": "acme", "CP-6841-3PCC": "cp6", "CP-8851-3PCC": "mpp", "Cisco SPA504G": "spa"}.items():
        assert [plan.family for plan in classes if _fits(plan.condition, client)] == [family]


@pytest.mark.parametrize(
    ("families", "sentence"),
    [
        ({"a b": {"vendor_classes": "x"}}, "phone_families: 'a b' is not a valid name of a class of DHCP clients; use letters,"),
        ({"acme": {"vendor_classes": "é"}}, "phone_families: acme: vendor_classes is ['é']; it must be a list of texts"),
    ],
)
def test_rejects_invalid_catalogue_families(families, sentence):
    with pytest.raises(OptionError) as raised:
        plan_classes({}, catalogue=BUILTIN.extended(families))
    assert str(raised.value).startswith(sentence)


@pytest.mark.parametrize(
    ("families", "sentence"),
    [
        ({"a b": {}}, "families: 'a b' is not a family name"),
        ({"spa": []}, "families: spa: the settings are []; they must be a mapping"),
        ({"spa": {"option66": "x"}}, "families: spa: unknown key 'option66'; did you mean 'option_66'?"),
        ({"spa": {"zzz": 1}}, "families: spa: unknown key 'zzz'; expected one of vendor_classes, option_66,"),
        ({"acme": {"option_66": "x"}}, "families: acme: vendor_classes is None; it must be a list of texts"),
        ({"acme": {"vendor_classes": "Acme"}}, "families: acme: vendor_classes is 'Acme'; it must be a list of texts"),
        ({"acme": {"vendor_classes": [""]}}, "families: acme: vendor_classes is ['']; it must be a list of texts"),
        ({"acme": {"vendor_classes": ["é"]}}, "families: acme: vendor_classes is ['é']; it must be a list of texts"),
        ({"acme": {"vendor_classes": ["A" * 256]}}, "families: acme: vendor_classes is ['AAA"),
        ({"spa": {"option_66": "a b"}}, "families: spa: option_66 is 'a b', and 'a b' is not an IPv4 address"),
        ({"spa": {"option_150": "x"}}, "families: spa: option_150 is 'x'; it must be a list of IPv4 addresses"),
        (
            {"a": {"vendor_classes": ["x"]}, "b": {"vendor_classes": ["X"]}},
            "families: a phone whose vendor class begins with 'x' would belong to the families a and b; give each its own",
        ),
        (
            {"acme": {"vendor_classes": ["cp-8"]}},
            "families: a phone whose vendor class begins with 'cp-8' would belong to the families acme and mpp; give each its own",
        ),
    ],
)
def test_rejects_invalid_families(families, sentence):
    with pytest.raises(OptionError) as raised:
        plan_classes(families, "families")
    assert str(raised.value).startswith(sentence)


def test_empty_settings_default_to_the_station():
    plan = plan_dhcp(SETTINGS)
    assert [(option.code, option.text) for option in plan.options] == [
        (6, "192.0.2.1"),
        (42, "192.0.2.1"),
        (66, '"192.0.2.1"'),
        (150, "192.0.2.1"),
    ]


def test_keeps_given_settings():
    plan = plan_dhcp(
        SETTINGS
        | {
            "option_6": ["192.0.2.6"],
            "option_42": ["192.0.2.42"],
            "option_66": "prov.example.net",
            "option_150": ["192.0.2.15"],
            "option_160": "https://prov.example.net",
            "domain": "bench.example.net",
            "lease_time": "600",
            "authoritative": True,
            "reservations": [{"name": "a", "mac": "00:00:5e:00:53:01", "address": "192.0.2.21"}],
        }
    )
    assert [(option.code, option.text) for option in plan.options] == [
        (6, "192.0.2.6"),
        (15, '"bench.example.net"'),
        (42, "192.0.2.42"),
        (66, '"prov.example.net"'),
        (150, "192.0.2.15"),
        (160, '"https://prov.example.net"'),
    ]
    assert (plan.lease_time, plan.unknown_lease_time) == (600, 300)
    assert (plan.authoritative, plan.reservations[0].address) == (True, "192.0.2.21")


def test_a_stranger_never_has_a_longer_lease_than_a_known_phone():
    assert plan_dhcp(SETTINGS | {"lease_time": 120}).unknown_lease_time == 120


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("address", "192.0.2.0/24"),
        ("interface", "bench0 eth0"),
        ("interface", "bench0\nX=1"),
        ("interface", "-cf"),
        ("pool_size", 254),
        ("lease_time", 59),
        ("unknown_lease_time", 59),
        ("domain", "a b"),
        ("option_66", "a b"),
        ("option_150", ["x"]),
        ("option_160", "a b"),
        ("option_42", ["x"]),
        ("option_6", ["x"]),
        ("reservations", [{"name": "a", "mac": "x"}]),
        ("families", {"acme": {}}),
    ],
)
def test_errors_name_the_variable(key, value):
    with pytest.raises((BenchError, OptionError)) as raised:
        plan_dhcp(SETTINGS | {key: value})
    assert str(raised.value).startswith(f"dhcp_server_{key}")
