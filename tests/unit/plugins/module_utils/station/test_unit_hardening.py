# SPDX-License-Identifier: GPL-3.0-or-later
"""Units add to the shared hardening, and cannot weaken it."""

from __future__ import annotations

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.station.unit_hardening import (
    SHARED,
    UnitHardeningError,
    hardening_lines,
)

LEAST = {"CapabilityBoundingSet": "", "RestrictAddressFamilies": "none"}
SHARED_LINES = [f"{name}={value}" for name, values in SHARED.items() for value in values]


def test_returns_the_units_own_directives_before_the_shared_ones():
    assert hardening_lines({**LEAST, "TasksMax": 16, "IPAddressAllow": ["192.0.2.0/24", "localhost"]}) == [
        "CapabilityBoundingSet=",
        "RestrictAddressFamilies=none",
        "TasksMax=16",
        "IPAddressAllow=192.0.2.0/24",
        "IPAddressAllow=localhost",
        *SHARED_LINES,
    ]


def test_adds_system_call_filters_after_the_shared_ones():
    lines = hardening_lines({**LEAST, "SystemCallFilter": ["~@obsolete", "setuid"]})
    assert [line for line in lines if line.startswith("SystemCallFilter=")] == [
        "SystemCallFilter=@system-service",
        "SystemCallFilter=~@privileged @resources",
        "SystemCallFilter=~@obsolete",
        "SystemCallFilter=setuid",
    ]
    assert set(SHARED_LINES) <= set(lines)


def test_one_units_filters_do_not_reach_the_next_unit():
    hardening_lines({**LEAST, "SystemCallFilter": "setuid"})
    assert "SystemCallFilter=setuid" not in hardening_lines(LEAST)


@pytest.mark.parametrize(
    ("directives", "words"),
    [
        ({}, "CapabilityBoundingSet and RestrictAddressFamilies must be stated"),
        ({"CapabilityBoundingSet": ""}, "RestrictAddressFamilies must be stated"),
        ({**LEAST, "ProtectHome": "no"}, "ProtectHome must not be set here: all units share it"),
        ({**LEAST, "User": "a\nProtectHome=no"}, "'User' is not a directive"),
        ({**LEAST, "User=x\nProtectHome": "no"}, "is not a directive"),
    ],
)
def test_rejects_what_would_weaken_a_unit(directives, words):
    with pytest.raises(UnitHardeningError, match=words):
        hardening_lines(directives)
