# SPDX-License-Identifier: GPL-3.0-or-later
"""A host whose clock is years back, hours ahead, and right again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.certificates.clock_check import clock_problem
from ansible_collections.voip.preprovision.plugins.module_utils.common.host_clock import RELEASED

RIGHT = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
REST = (
    ", so certificates made now would have wrong dates, which phones refuse;"
    " set it with 'date --set=\"YYYY-MM-DD HH:MM\" && hwclock --systohc', and run the playbook site again"
)
BACK = f"the host's clock says 2021-11-25 12:00 UTC, but this release of the collection was made after {RELEASED}{REST}"
ALLOWED = "(2026-11-24 12:00 UTC; certificates_max_clock_offset allows 24 hours)"


@pytest.mark.parametrize(
    ("host", "controller", "problem"),
    [
        (RIGHT - timedelta(days=5 * 365), RIGHT, BACK),
        # Neither can be right
        (RIGHT - timedelta(days=5 * 365), RIGHT - timedelta(days=5 * 365), BACK),
        (RIGHT + timedelta(hours=1), RIGHT, ""),
        (RIGHT + timedelta(hours=24), RIGHT, ""),
        (
            RIGHT + timedelta(hours=49),
            RIGHT,
            f"the host's clock says 2026-11-26 13:00 UTC, 2 days ahead of the controller's {ALLOWED}{REST}",
        ),
        (
            RIGHT - timedelta(hours=25),
            RIGHT,
            f"the host's clock says 2026-11-23 11:00 UTC, 1 day behind the controller's {ALLOWED}{REST}",
        ),
        (RIGHT, RIGHT, ""),
        (datetime(RELEASED.year, RELEASED.month, RELEASED.day, tzinfo=UTC),) * 2 + ("",),
    ],
)
def test_a_host_makes_certificates_only_with_a_clock_that_is_right(host, controller, problem):
    assert clock_problem(host.timestamp(), controller.timestamp(), 24) == problem


def test_the_setting_counts():
    there, here = RIGHT.timestamp(), (RIGHT - timedelta(hours=2)).timestamp()
    assert clock_problem(there, here, 1).startswith("the host's clock says 2026-11-24 12:00 UTC, 2 hours ahead of the controller's")
    assert clock_problem(there, here, 2) == ""
