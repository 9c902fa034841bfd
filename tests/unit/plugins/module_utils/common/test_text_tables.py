# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables on a terminal."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.common.text_tables import align


def test_aligns_columns():
    assert align(("a", "long"), [("one", "x"), ("2", "")]) == ["a    long", "---  ----", "one  x", "2"]


@given(st.lists(st.tuples(st.text(), st.text())))
def test_cells_contain_no_control_characters(cells):
    lines = align(("a", "b"), cells)
    assert len(lines) == len(cells) + 2
    assert all(line.isprintable() for line in lines)
