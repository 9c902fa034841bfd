# SPDX-License-Identifier: GPL-3.0-or-later
"""Expressions in nginx's configuration that decide whom a limit counts, and what a blocked address still gets."""

from __future__ import annotations

import re
from ipaddress import IPv6Address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

TEXT = (Path(__file__).parents[3] / "roles/web_server/templates/etc/nginx/conf.d/preprovision.conf.j2").read_text()


def expressions_of(variable: str) -> list[tuple[str, str]]:
    """Return the expressions of a map, in order, each with its value."""
    body = TEXT.partition(f" {variable} {{\n")[2].partition("\n}")[0]
    return re.findall(r'^    "(~[^"]+)" "?([^";]+)"?;$', body, re.MULTILINE)


def network_of(address: str) -> str:
    for expression, value in expressions_of("$preprovision_network"):
        if found := re.search(expression.removeprefix("~"), address):
            return value.replace("$1", found[1])
    return address


def is_shut(key: str) -> bool:
    for expression, value in expressions_of("$preprovision_shut"):
        flags = re.IGNORECASE if expression.startswith("~*") else 0
        if re.search(expression.removeprefix("~").removeprefix("*"), key, flags):
            return value == "1"
    return False


@given(st.integers(0, 2**128 - 1), st.lists(st.integers(0, 7), max_size=6))
def test_an_ipv6_address_counts_for_its_64_and_no_other(number, zeros):
    """A /64 that contains zeros may have two names, so it has two budgets."""
    for position in zeros:
        number &= ~(0xFFFF << 16 * position)
    found = network_of(str(IPv6Address(number)))
    start = IPv6Address(found if found.endswith("::") else f"{found}0:0:0:0")
    assert int(start) == number >> 64 << 64


@pytest.mark.parametrize(
    ("one", "two"),
    [("2001:db8:77::2", "2001:db8:77::ffff"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::9"), ("2001:db8::1", "2001:db8::2:3")],
)
def test_neighbours_count_together(one, two):
    assert network_of(one) == network_of(two) != network_of("2001:db8:99::1")


def test_an_ipv4_address_counts_for_itself():
    assert network_of("192.0.2.1") == "192.0.2.1"


@pytest.mark.parametrize(
    ("key", "shut"),
    [
        (":NONE:GET:/service/00005e005301.cfg", False),
        ("1:NONE:GET:/service/00005e005301.cfg", True),
        ("1:NONE:GET:/service/00005e005301-0a1b2c3d.cfg", False),
        ("1:NONE:HEAD:/service/00005E005301-0a1b2c3d.cfg.aes128gcm", False),
        ("1:NONE:GET:/0a1b2c3d/00005e005301.cfg", False),
        ("1:NONE:GET:/service/00005e005301-0a1b2c3.cfg", True),
        ("1:NONE:GET:/service/00005e005301-0a1b2c3d4.cfg", True),
        ("1:NONE:GET:/service/0a1b2c3d.cfg", True),
        ("1:FAILED:unable to verify:GET:/service/00005e005301-0a1b2c3d.cfg", False),
        ("1:FAILED:unable to verify:GET:/device/00005e005301.cfg", True),
        ("1:SUCCESS:GET:/device/00005e005301.cfg", False),
        ("1:NONE:POST:/service/00005e005301-0a1b2c3d.cfg", True),
        ("1:NONE:GET:/customization", True),
        ("1:NONE:GET:/firmware/x.img", False),
        ("1:NONE:GET:/health", False),
        ("1:NONE:GET:/", True),
    ],
)
def test_what_a_blocked_address_still_gets(key, shut):
    assert is_shut(key) is shut
