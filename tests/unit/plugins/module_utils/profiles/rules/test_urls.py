# SPDX-License-Identifier: GPL-3.0-or-later
"""URLs of rules."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.profiles.rules.model import (
    Alternative,
    Rule,
    RuleError,
    RuleTarget,
    Target,
)
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.rules.parser import parse_rule
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.rules.urls import PORTS, format_url, parse_url


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
        # IPv6 addresses
        ("https://[2001:db8::1]/a", Target("https", "[2001:db8::1]", 443, "/a")),
        ("http://[2001:DB8::192.0.2.1]:8080/$MA.cfg", Target("http", "[2001:DB8::192.0.2.1]", 8080, "/$MA.cfg")),
        ("tftp://[::]/a", Target("tftp", "[::]", 69, "/a")),
        # macros that are not expanded yet
        ("https://$A.example.net/$MA(x)/$(MAU:8:2).cfg", Target("https", "$A.example.net", 443, "/$MA(x)/$(MAU:8:2).cfg")),
        ("https://$(A:1:3):8443/a", Target("https", "$(A:1:3)", 8443, "/a")),
    ],
)
def test_urls(url, expected):
    assert parse_url(url) == expected
    assert parse_rule(f" {url} ") == Rule((Alternative(targets=(RuleTarget(url),)),))


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "column 1: the URL has no path; write /FILE, or http://SERVER/FILE"),
        ("http://h", "column 8: the URL has no path"),
        ("$A", "column 1: the URL has no path"),
        ("ata192.cfg", "column 1: the URL has no path"),
        ("http://h?x", "column 8: the URL has no path"),
        ("http//h/a", "column 1: write http://, with a colon and two slashes"),
        ("HTTPS:/h/a", "column 1: write HTTPS://, with a colon and two slashes"),
        ("http://h:/a", "column 10: the port must be a number between 1 and 65535"),
        ("http://h:80x/a", "column 10: the port"),
        ("http://h:0/a", "column 10: the port"),
        ("http://h:65536/a", "column 10: the port"),
        (f"http://h:{'9' * 5000}/a", "column 10: the port"),
        ("tftp:/a", "column 1: write tftp://, with a colon"),
        ("http://h/a b", "column 11: a URL cannot hold this character; encode it with a percent sign"),
        ("http://h/a|http://h/b", "column 11: a URL cannot hold this character"),
        ("http://h/[a]", "column 10: a URL cannot hold this character"),
        (
            "http://h\u00f6/a",
            "column 8: invalid server; write a name, an IPv4 address or [IPv6 address], followed by :PORT if needed",
        ),
        ('("$A"eq"x")?http://h/a', "column 2: a URL cannot hold this character"),
        ("http://[2001:db8::1/a", "column 8: a URL cannot hold this character"),
        ("http://2001:db8::1]/a", "column 19: a URL cannot hold this character"),
        ("http://[2001:db8::1]:x/a", "column 22: the port must be a number"),
        ("http://[2001:db8::1]x/a", "column 8: invalid server"),
        ("http://2001:db8::1/a", "column 8: invalid server; write a name, an IPv4 address or [IPv6 address], "),
        ("http://[2001:db8:::1]/a", "column 8: invalid server"),
        ("http://[192.0.2.1]/a", "column 8: invalid server"),
        ("http://h/[::]", "column 10: a URL cannot hold this character"),
        ("http://a b/x", "column 9: a URL cannot hold this character"),
        ("ftp://h/a", "column 1: unknown scheme 'ftp'; expected one of tftp, http, https"),
        ("://h/a", "column 1: unknown scheme"),
        ("$A://h/a", "column 1: unknown scheme; expected one of tftp, http, https"),
        (
            "https://user:secret@h/a",
            "column 9: the URL holds a user name before @; write [--uid USER --pwd PASSWORD] before the URL",
        ),
        ("user:secret@h/a", "column 1: the URL holds a user name before @"),
    ],
)
def test_rejects_invalid_urls(url, message):
    with pytest.raises(RuleError, match=f"^{re.escape(message)}"):
        parse_url(url)


targets = st.builds(
    Target,
    scheme=st.sampled_from(list(PORTS)),
    server=st.none() | st.from_regex(r"[a-z0-9][a-z0-9.-]{0,9}", fullmatch=True),
    port=st.integers(1, 65535),
    path=st.from_regex(r"/[A-Za-z0-9/._?&=-]{0,9}", fullmatch=True),
)


@given(targets)
def test_parses_formatted_urls(target):
    assert parse_url(format_url(target)) == target


def test_omits_default_ports():
    assert format_url(Target("https", "h", 443, "/a")) == "https://h/a"
    assert format_url(Target("http", "h", 443, "/a")) == "http://h:443/a"
