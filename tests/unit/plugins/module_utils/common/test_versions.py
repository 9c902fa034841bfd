# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers and versions in the order that the provisioning guides give."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.common.versions import NumberError, read_number


@pytest.mark.parametrize(
    ("less", "more"),
    [
        ("2", "10"),
        ("-1", "0"),
        ("2.0.6", "2.0.10"),
        ("1.0.31(b)", "1.0.33"),
        ("2.0.3", "2.0.3(G)"),
        ("7.5.2b", "7.6.1"),
        ("7.5.2", "7.5.2b"),
        ("7.6.2", "7.6.2.a"),
        # the MPP guides' own examples
        ("sipyyyy.11-2-3MPP-256", "sipyyyy.11-3-1MPP-110"),
        ("sipyyyy.11-3-2MPP0001-609", "sipyyyy.11-3-2MPP0002-256"),
        ("sip88xx.9-3-1-7MPP-1", "sip88xx.11-0-0MPP-1"),
        ("sip68xx.11-0-0MPP-7", "sip68xx.11-0-0MN-1MPP-7"),
        ("sip78xx.11-0-0MPP-7", "sip78xx.11-2-1MES-3"),
        ("sip7832.11-0-1MPP-312", "sip7832.11-0-1MPP-1312"),
        ("11-3-1MPP-376", "11-3-2MPP0001-609"),
        ("11-3-2MPP-609", "11-3-2MPP0001-1"),
        ("11-1-0MPP-16", "11-1-0MPP-19"),
        ("11-1-0MPP", "11-1-0MPP-1"),
        ("11-2-1MPP", "11-2-10MPP"),
    ],
)
def test_order(less, more):
    one, other = read_number(less), read_number(more)
    assert one.kind == other.kind
    assert one < other
    assert other >= one
    assert one != other


@pytest.mark.parametrize(
    ("text", "same"),
    [("7", "007"), ("2.0.6", "2.00.6"), ("sip88xx.11-3-2MPP0001-609", "11-3-2MPP0001-609"), ("11-0-1MPP-5", "11-0-1MPP-05")],
)
def test_equal(text, same):
    assert read_number(text) == read_number(same)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        *(("0", "number"), ("2.0.3(0412s)", "dotted"), ("11-1-0-MSR4", "dashed"), ("PHONEOS-8875.2-3-1-0001", "dashed")),
        *(("sip8845_65.11-2-3MPP-398", "dashed"), ("7.6.2.a", "dotted")),
    ],
)
def test_kinds(text, kind):
    assert read_number(text).kind == kind


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "-",
        "7.5",
        "11-0",
        "1.",
        "1..2.3",
        "a.b.c",
        "2.0.3()",
        "2.0.3(a",
        "2.0.3 (a)",
        "$SWVER",
        "1" * 19,
        "\u0661",
        "11-0-1MPP-",
    ],
)
def test_rejects_invalid_versions(text):
    with pytest.raises(NumberError, match=r"^is neither a number nor a version, such as 7\.5\.2b or 11-3-2MPP0001-609$"):
        read_number(text)


@given(st.integers(-(10**17), 10**17), st.integers(-(10**17), 10**17))
def test_numbers_sort_like_integers(one, other):
    assert (read_number(str(one)) < read_number(str(other))) == (one < other)
    assert (read_number(str(one)) == read_number(str(other))) == (one == other)


parts = st.tuples(*[st.integers(0, 2000)] * 4)


@given(parts, parts)
def test_versions_sort_by_their_parts(one, other):
    for form in ("{}.{}.{}.{}", "{}-{}-{}MPP-{}", "sip88xx.{}-{}-{}MPP0001-{}"):
        left, right = read_number(form.format(*one)), read_number(form.format(*other))
        assert [left < right, left == right, left > right] == [one < other, one == other, one > other]
