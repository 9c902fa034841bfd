# SPDX-License-Identifier: GPL-3.0-or-later
"""Problems found in scans."""

from __future__ import annotations

import pytest
from sample_scans import TABLE, problems_of


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        (
            # All at once, in the order of lines
            f"{TABLE},A001,ATA193,?,no good\n00005e005302,A001",
            [
                "line 2: 'no good' is not a host name; write letters, digits, dots, hyphens and underscores",
                "line 2: the customer '?' after 'customer_' gives no valid group name; use letters and digits",
                "line 2: this unit has no MAC address; scan it",
                "line 2: unknown model 'ATA193'; did you mean 'ATA192'?",
                "line 3: the serial number A001 is already on line 2; scan each unit once",
                "line 3: this unit has no model; scan it, add a model column, or set a model for all units",
            ],
        ),
    ],
)
def test_reports_all_problems_in_the_order_of_lines(text, problems):
    found = problems_of(text)
    assert len(found) == len(problems)
    for line, problem in zip(found, problems, strict=True):
        assert line.startswith(f"scans.csv {problem}")
