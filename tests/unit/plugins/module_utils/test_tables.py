# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables on a terminal."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.tables import align


def test_columns_stand_below_each_other():
    assert align(("a", "long"), [("one", "x"), ("2", "")]) == ["a    long", "---  ----", "one  x", "2"]


@given(st.lists(st.tuples(st.text(), st.text())))
def test_nothing_steers_the_terminal_and_no_cell_makes_a_line(cells):
    lines = align(("a", "b"), cells)
    assert len(lines) == len(cells) + 2
    assert all(line.isprintable() for line in lines)
