# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables on a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.common.text_tables import align, printable


def test_aligns_columns():
    assert align(("a", "long"), [("one", "x"), ("2", "")]) == ["a    long", "---  ----", "one  x", "2"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [("plain", "plain"), ("\x1b[2J", r"\x1b[2J"), ("\u202e", r"\u202e"), ("\ud800", r"\ud800"), ("\udcff", r"\xff")],
)
def test_escapes_unprintable_characters(text, shown):
    assert printable(text) == shown


@given(st.binary())
def test_shows_every_byte(data):
    shown = printable(data.decode("utf-8", "surrogateescape"))
    assert shown.isprintable()


@given(st.lists(st.tuples(st.text(), st.text())))
def test_cells_contain_no_control_characters(cells):
    lines = align(("a", "b"), cells)
    assert len(lines) == len(cells) + 2
    assert all(line.isprintable() for line in lines)
