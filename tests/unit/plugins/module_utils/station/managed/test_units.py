# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps of systemctl: what fails is said in the unit's own words, and a job that another one cancels is asked for again."""

from __future__ import annotations

import re
import subprocess

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.station.managed import units
from ansible_collections.voip.preprovision.plugins.module_utils.station.managed.files import ManagedFileError
from ansible_collections.voip.preprovision.plugins.module_utils.station.managed.plan import Unit
from ansible_collections.voip.preprovision.plugins.module_utils.station.managed.units import (
    Step,
    StepError,
    check_runs,
    plan_steps,
    read_states,
    run_step,
)

CANCELED = "Job for isc-dhcp-server.service canceled."


@pytest.fixture
def systemctl(monkeypatch):
    """Let systemctl fail with some texts, one call after the other, and then succeed; return its calls."""

    def prepare(*errors):
        left, calls = list(errors), []

        def run(command, **_options):
            error = left.pop(0) if command[0] == "systemctl" and command[1] == "restart" and left else ""
            calls.append(command[:2])
            return subprocess.CompletedProcess(command, 1 if error else 0, "its last words\n", error)

        monkeypatch.setattr(units.subprocess, "run", run)
        monkeypatch.setattr(units.time, "sleep", lambda _seconds: None)
        return calls

    return prepare


def test_asks_again_for_a_job_that_was_canceled(systemctl):
    calls = systemctl(CANCELED, CANCELED)
    run_step(Step("restart", "isc-dhcp-server.service", ""))
    assert calls == [["systemctl", "reset-failed"], *[["systemctl", "restart"]] * 3]


@pytest.mark.parametrize(("errors", "tries"), [(["no such unit"], 1), ([CANCELED] * 9, 5)])
def test_what_fails_is_said_in_the_units_own_words(systemctl, errors, tries):
    calls = systemctl(*errors)
    with pytest.raises(StepError, match=f"systemctl restart a.service: {errors[0]}\nits last words"):
        run_step(Step("restart", "a.service", ""))
    assert calls.count(["systemctl", "restart"]) == tries


def test_a_host_without_systemd_is_named(monkeypatch):
    said = "System has not been booted with systemd as init system (PID 1). Can't operate."
    refusal = subprocess.CompletedProcess([], 1, "", f"{said}\n")
    monkeypatch.setattr(units.subprocess, "run", lambda _command, **_options: refusal)
    with pytest.raises(ManagedFileError, match=f"^systemctl show: {re.escape(said)}$"):
        read_states([Unit("a.service")])


ENDED = "it had ended by itself (exit-code) and waited for its next attempt"


def state_of(active, sub="", result="success"):
    return {"LoadState": "loaded", "ActiveState": active, "SubState": sub, "Result": result, "UnitFileState": "enabled", "Job": ""}


# What systemd shows of units with Restart=, and of one that still starts
@pytest.mark.parametrize(
    ("wanted", "state", "expected"),
    [
        ("started", state_of("activating", "auto-restart", "exit-code"), [Step("start", "a.service", ENDED)]),
        ("started", state_of("activating", "auto-restart-queued", "exit-code"), [Step("start", "a.service", ENDED)]),
        ("started", state_of("activating", "start-pre"), []),
        ("started", state_of("activating", "start"), []),
        ("started", state_of("active", "running"), []),
        ("stopped", state_of("activating", "auto-restart", "exit-code"), [Step("stop", "a.service", "")]),
        ("", state_of("activating", "auto-restart", "exit-code"), []),
    ],
)
def test_a_unit_that_waits_for_its_next_attempt_does_not_run(wanted, state, expected):
    assert list(plan_steps(Unit("a.service", state=wanted), state)) == expected


@pytest.mark.parametrize(
    ("wanted", "state", "fails"),
    [
        ("started", state_of("activating", "auto-restart", "exit-code"), True),
        ("started", state_of("failed", "failed", "exit-code"), True),
        ("started", state_of("activating", "start-pre"), False),
        ("started", state_of("active", "running"), False),
        ("started", state_of("inactive", "dead"), False),
        ("stopped", state_of("failed", "failed", "exit-code"), False),
        ("", state_of("activating", "auto-restart", "exit-code"), False),
    ],
)
def test_a_unit_that_ends_after_its_start_is_an_error(monkeypatch, wanted, state, fails):
    def run(command, **_options):
        said = (
            "No subnet declaration\n" if command[0] == "journalctl" else "".join(f"{key}={value}\n" for key, value in state.items())
        )
        return subprocess.CompletedProcess(command, 0, said, "")

    monkeypatch.setattr(units.subprocess, "run", run)
    unit = Unit("a.service", state=wanted)
    if fails:
        with pytest.raises(StepError, match=re.escape("a.service does not stay up (exit-code)\nNo subnet declaration")):
            check_runs(unit)
    else:
        check_runs(unit)
