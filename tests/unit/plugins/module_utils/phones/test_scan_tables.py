# SPDX-License-Identifier: GPL-3.0-or-later
"""Scans with a header line."""

from __future__ import annotations

import pytest
from sample_scans import problems_of, read


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        (
            "mac,customer,model\n00005e005301,Example, Inc,ATA192",
            ["line 2: it has 4 cells and the header 3; put a cell that contains ',' in double quotes"],
        ),
        (
            'mac,model\n00005e005301,ATA192\n00005e005302,"ATA192',
            ["line 3: it cannot be read as a table: unexpected end of data; check its quotes"],
        ),
        (
            "MAC,Model,PID,mac address\n",
            [
                "line 1: the columns MAC and mac address all mean phone_mac; keep one",
                "line 1: the columns Model and PID all mean phone_model; keep one",
            ],
        ),
        (
            "# pallet\nserial,model\nA001,ATA192",
            ["line 2: no column contains the MAC address; name it one of mac, mac address, mac addr, mac id, ethernet address"],
        ),
    ],
)
def test_rejects_invalid_tables(text, problems):
    found = problems_of(text)
    assert len(found) == len(problems)
    for line, problem in zip(found, problems, strict=True):
        assert line.startswith(f"scans.csv {problem}")


def test_counts_the_lines_inside_quoted_cells():
    text = 'mac,model,customer\n00005e005301,ATA192,"two\nlines"\n00005e00530,ATA192,x'
    assert problems_of(text)[0].startswith("scans.csv line 4: '00005e00530' is not a MAC address")


def test_warns_of_ignored_columns():
    assert read("Price,mac,model,,Phone number,phone_note\n1,00005e005301,ATA192,,2,3").warnings == (
        "scans.csv: ignored columns: Price, Phone number; for phone variables, begin the name with phone_",
    )
