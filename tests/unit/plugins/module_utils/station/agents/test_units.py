# SPDX-License-Identifier: GPL-3.0-or-later
"""What systemd says of services."""

from __future__ import annotations

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.station.agents.units import (
    Unit,
    parse_units,
    read_time_span,
    silent_reporters,
)


def shown(name, state="active", **properties):
    lines = {"Id": name, "ActiveState": state, "LoadState": "loaded", "UnitFileState": "enabled", "StatusText": "", **properties}
    return "\n".join(f"{key}={value}" for key, value in lines.items()) + "\n"


def test_omits_what_is_not_installed_or_switched_off():
    blocks = [
        shown("nginx.service", "failed"),
        shown("chrony.service", "inactive", LoadState="not-found"),
        shown("preprovision-dhcp-watch.service", "inactive", UnitFileState="disabled"),
        shown("preprovision-stun.service", "failed", UnitFileState="disabled"),
        shown("isc-dhcp-server.service", "inactive", UnitFileState="disabled"),
    ]
    found = parse_units("\n".join(blocks), 0)
    assert {name: unit.state for name, unit in found.items()} == {"web": "failed", "stun": "failed", "dhcp": "inactive"}
    assert parse_units("", 0) == {}


@pytest.mark.parametrize(("used", "other"), [("isc-dhcp-server", "kea-dhcp4-server"), ("kea-dhcp4-server", "isc-dhcp-server")])
def test_omits_the_back_end_that_another_has_replaced(used, other):
    blocks = [shown(f"{used}.service", "failed"), shown(f"{other}.service", "inactive", UnitFileState="disabled")]
    assert [unit.state for unit in parse_units("\n".join(blocks), 0).values()] == ["failed"]
    # None of them may go unmentioned
    both = [shown(f"{name}.service", "inactive", UnitFileState="disabled") for name in (used, other)]
    assert len(parse_units("\n".join(both), 0)) == 2


def test_reads_times_and_what_a_service_says():
    block = shown(
        "preprovision-dhcp-watch.service",
        StatusText="the wire is looked at first.",
        ActiveEnterTimestampMonotonic=900_000_000,
        WatchdogUSec="1min 30s",
        WatchdogTimestampMonotonic=990_000_000,
    )
    assert parse_units(block, 1000) == {"watch": Unit("active", "the wire is looked at first", 100, 90, 990)}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("", 0),
        ("infinity", 0),
        ("30s", 30),
        ("1min 30s", 90),
        ("3min", 180),
        ("1h 1min 5s", 3665),
        ("500ms", 0.5),
        ("2d", 172800),
    ],
)
def test_reads_time_spans_as_systemd_shows_them(text, seconds):
    assert read_time_span(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("unit", "clause"),
    [
        (Unit("active", "", 100, 90, 954), "has not reported for 46 seconds"),
        (Unit("active", "", 100, 90, 956), None),
        # Not since it was started, and not at all
        (Unit("active", "", 100, 90, 0), None),
        (Unit("active", "", 100, 0, 954), None),
        (Unit("deactivating", "", 100, 90, 954), None),
    ],
)
def test_a_service_that_must_report_is_silent_after_half_of_its_time(unit, clause):
    assert silent_reporters({"events": unit}, 1000) == ({"events": clause} if clause else {})
