# SPDX-License-Identifier: GPL-3.0-or-later
"""Macro expansion as the provisioning guides describe it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.profiles.macros import KNOWN, SECRET, expand, names, stray_dollars

VALUES = {
    "MA": "000e08012345",
    "MAU": "000E08012345",
    "MAC": "00:0e:08:01:23:45",
    "PN": "ATA192-MPP",
    "PSN": "192",
    "UID1": "1001",
    "A": "$MA",
    "B": "$",
    "C": "",
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # forms of a name
        ("/ata$PSN.cfg", "/ata192.cfg"),
        ("/ata$(PSN).cfg", "/ata192.cfg"),
        ("$MA$MAU$MAC", "000e08012345000E0801234500:0e:08:01:23:45"),
        ("$(PSN)$(PSN)", "192192"),
        ("$(MA)x/$MA/x", "000e08012345x/000e08012345/x"),
        ("user $UID1", "user 1001"),
        ("/$C/", "//"),
        # the longest name counts; parentheses end it
        ("$MAX", "$MAX"),
        ("$(MA)X", "000e08012345X"),
        ("$MAuX", "000e08012345uX"),
        ("$MA_$PSN.xml", "000e08012345_192.xml"),
        ("$MA2/$MAC0", "$MA2/$MAC0"),
        ("$(MA)2", "000e080123452"),
        # the guides' own examples
        ("$STRANGE$MAU.cfg", "$STRANGE000E08012345.cfg"),
        ("$(MAU)config.cfg", "000E08012345config.cfg"),
        # substrings, 0-based
        ("$(MAU:8:2)", "23"),
        ("$(MA:1:3)", "00e"),
        ("$(MA:8)", "2345"),
        ("$(MA:0:0)", ""),
        ("$(MA:10:99)", "45"),
        ("$(MA:99:2)", ""),
        ("$(PSN:0:1)$(PSN:1)", "192"),
        # dollars
        ("$$", "$"),
        ("$$MA", "$MA"),
        ("$$$MA", "$000e08012345"),
        ("5$ and $", "5$ and $"),
        # one pass
        ("$A", "$MA"),
        ("$B$(B)MA", "$$MA"),
        # unknown or malformed: as typed
        ("$XYZ/$(XYZ)/$(XYZ:1:2)", "$XYZ/$(XYZ)/$(XYZ:1:2)"),
        ("$ma $(ma) $Ma", "$ma $(ma) $Ma"),
        ("$(MA", "$(MA"),
        ("$()", "$()"),
        ("$(MA:)", "$(MA:)"),
        ("$(MA:-1)", "$(MA:-1)"),
        ("$(MA:1:2:3)", "$(MA:1:2:3)"),
        ("$(MA:\u0661)", "$(MA:\u0661)"),
        (f"$(MA:{'9' * 5000})", f"$(MA:{'9' * 5000})"),
    ],
)
def test_expansion(text, expected):
    assert expand(text, VALUES) == expected


@given(st.text().filter(lambda text: "$" not in text))
def test_text_without_dollar_stays(text):
    assert expand(text, VALUES) == text


@given(st.text())
def test_doubled_dollars_are_single_ones(text):
    assert expand(text.replace("$", "$$"), VALUES) == text


@given(st.text(), st.integers(0, 30), st.integers(0, 30))
def test_substrings_are_slices(value, start, length):
    assert expand(f"$(A:{start}:{length})", {"A": value}) == value[start : start + length]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("/ata$PSN.cfg", [("PSN", 5)]),
        ("$MA$(MAU:8:2)$$A$XYZ", [("MA", 1), ("MAU", 4), ("XYZ", 17)]),
        ("$$MA $ma 5$ $(MA:)", []),
    ],
)
def test_names(text, expected):
    assert names(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", []), ("$MA$$$(A:1)", []), ("$ma", [1]), ("$$$ma$MA$", [3, 9]), ("$(MA:-1)$(MA", [1, 9])],
)
def test_stray_dollars(text, expected):
    assert stray_dollars(text) == expected


@given(st.text("$MAx(:1)"))
def test_each_dollar_is_a_macro_doubled_or_stray(text):
    rest = expand(text, dict.fromkeys([name for name, _column in names(text)], ""))
    assert text.count("$") == len(names(text)) + len(stray_dollars(text)) + 2 * (rest.count("$") - len(stray_dollars(text)))


def test_known_macros():
    assert set("ABCDEFGHIJKLMNOP") | set(SECRET) | {"MA", "MAU", "MAC", "PN", "PSN", "SN", "CCERT", "SWVER", "UID1"} <= set(KNOWN)
    assert "Q" not in KNOWN
    assert all(names(f"${name} $({name}:1:2)") == [(name, 1), (name, len(name) + 3)] for name in KNOWN)
