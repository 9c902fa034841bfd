# SPDX-License-Identifier: GPL-3.0-or-later
"""Profile_Rule: targets, options in brackets, and what is refused without quoting a key."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.rules import Rule, RuleError, Target, parse_rule, parse_url

FORM = "the rule is not '[--key K] URL'; alternatives (|), conditions and assignments are not supported"
OPTIONS = "the options in brackets must be --key, --uid or --pwd, each with a value (position {})"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        # without scheme: tftp; without server: the one of DHCP; without port: the scheme's
        ("/ata192.cfg", Target("tftp", None, 69, "/ata192.cfg")),
        ("192.0.2.1/ata192.cfg", Target("tftp", "192.0.2.1", 69, "/ata192.cfg")),
        ("192.0.2.1:6969/ata192.cfg", Target("tftp", "192.0.2.1", 6969, "/ata192.cfg")),
        ("tftp://prov.example.net/a", Target("tftp", "prov.example.net", 69, "/a")),
        ("http://prov.example.net/a", Target("http", "prov.example.net", 80, "/a")),
        ("https://prov.example.net/a", Target("https", "prov.example.net", 443, "/a")),
        ("HTTPS://Prov.Example.net:8443/A/b", Target("https", "Prov.Example.net", 8443, "/A/b")),
        ("https:///a", Target("https", None, 443, "/a")),
        ("http://h:65535/a", Target("http", "h", 65535, "/a")),
        ("http://h/", Target("http", "h", 80, "/")),
        ("http://h/a/b.cfg?mac=00005e005301&u=a@b", Target("http", "h", 80, "/a/b.cfg?mac=00005e005301&u=a@b")),
        # macros that are not expanded yet
        ("https://$A.example.net/$MA(x)/$(MAU:8:2).cfg", Target("https", "$A.example.net", 443, "/$MA(x)/$(MAU:8:2).cfg")),
    ],
)
def test_targets(url, expected):
    assert parse_url(url) == expected
    assert parse_rule(f" {url} ") == Rule(expected, {})


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "'' is not [scheme://][server[:port]]/path"),
        ("http://h", "'http://h' is not [scheme://][server[:port]]/path"),
        ("ata192.cfg", "'ata192.cfg' is not [scheme://][server[:port]]/path"),
        ("http://h:/a", "'http://h:/a' is not [scheme://][server[:port]]/path"),
        ("http://h:80x/a", "'http://h:80x/a' is not [scheme://][server[:port]]/path"),
        ("http://h/a b", "'http://h/a b' is not [scheme://][server[:port]]/path"),
        ("http://h/a|http://h/b", "'http://h/a|http://h/b' is not [scheme://][server[:port]]/path"),
        ('("$A"eq"x")?http://h/a', '\'("$A"eq"x")?http://h/a\' is not [scheme://][server[:port]]/path'),
        ("ftp://h/a", "the scheme of 'ftp://h/a' is not one of tftp, http, https"),
        ("http://h:0/a", "the port of 'http://h:0/a' is not between 1 and 65535"),
        ("http://h:65536/a", "the port of 'http://h:65536/a' is not between 1 and 65535"),
        ("http://h:655360/a", "'http://h:655360/a' is not [scheme://][server[:port]]/path"),
        ("https://user:secret@h/a", "the URL holds a user name before @; credentials belong into --uid and --pwd"),
    ],
)
def test_urls_that_are_refused(url, message):
    with pytest.raises(RuleError, match=f"^{re.escape(message)}$"):
        parse_url(url)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("", {}),
        ("[]", {}),
        ("[ ]", {}),
        ("[--key K]", {"key": "K"}),
        ("[ --key  K ] ", {"key": "K"}),
        ('[--key "a key"]', {"key": "a key"}),
        ('[--key ""]', {"key": ""}),
        ("[--key K|L;(M)=]", {"key": "K|L;(M)="}),
        ("[--uid u --pwd p --key K]", {"uid": "u", "pwd": "p", "key": "K"}),
        ('[--uid "u" --pwd "--p"]', {"uid": "u", "pwd": "--p"}),
        ("[--key K --key L]", {"key": "L"}),
    ],
)
def test_options(options, expected):
    rule = parse_rule(f"{options}http://h/a")
    assert rule.options == expected
    assert rule.key == expected.get("key")
    assert rule.target == Target("http", "h", 80, "/a")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", FORM),
        ("[--key SECRET]", FORM),
        ("[--key SECRET http://h/a", FORM),
        ("--key SECRET http://h/a", FORM),
        ("[--key SECRET] [--uid u] http://h/a", FORM),
        ("[--key SECRET]] http://h/a", FORM),
        ("[--key SEC]RET]http://h/a", FORM),
        ("[--keySECRET/a", FORM),
        ("[--key SECRET] http://h/a | http://h/b", FORM),
        ("http://h/a|http://h/b", FORM),
        ("($SWVER ne X)? [--key SECRET] http://h/a", FORM),
        ('(Line_Enable_1_ = "No";)! http://h/a', FORM),
        ('(A="x")!/a', "'(A=\"x\")!/a' is not [scheme://][server[:port]]/path"),
        ("[--key SECRET] ftp://h/a", "the scheme of 'ftp://h/a' is not one of tftp, http, https"),
        ("[--key] SECRET", OPTIONS.format(1)),
        ("[--key] http://h/a", OPTIONS.format(1)),
        ("[--key=SECRET] http://h/a", OPTIONS.format(1)),
        ("[--key --uid SECRET] http://h/a", OPTIONS.format(1)),
        ("[-key SECRET] http://h/a", OPTIONS.format(1)),
        ("[SECRET] http://h/a", OPTIONS.format(1)),
        ("[--key a SECRET] http://h/a", OPTIONS.format(9)),
        ("[--uid u --post SECRET] http://h/a", OPTIONS.format(9)),
        ("[--uid u --srv] http://h/a", OPTIONS.format(9)),
    ],
)
def test_rules_that_are_refused(text, message):
    with pytest.raises(RuleError, match=f"^{re.escape(message)}$"):
        parse_rule(text)
    assert "SECRET" not in message


pieces = st.lists(st.sampled_from(["[", "]", " ", "--key ", "--uid u", '"', "|", "http://h/a", "/a", "$A", "(x)?"]), max_size=4)


@given(pieces.map("".join), pieces.map("".join))
def test_no_error_quotes_a_key(before, after):
    try:
        said = repr(parse_rule(f"{before}[--key SECRET{after}").target)
    except RuleError as error:
        said = str(error)
    assert "SECRET" not in said
