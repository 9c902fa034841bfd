# SPDX-License-Identifier: GPL-3.0-or-later
"""What the playbook check shows: lines as they are, each cause once, and one sentence as its failure."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.ansible

MAC = "02:00:5e:00:53:00"
FAILURE = {"code": "no_lease", "step": "lease", "what": "power-up 1: no lease", "facts": {}}
PHONE = {
    **{"name": "test-ATA192", "mac": MAC, "model": "ATA192", "address": "", "state": "failed", "cause": FAILURE["what"]},
    **{"failure": FAILURE, "failures": [FAILURE], "requests": [], "messages": [], "dhcp_options": {}, "steps": []},
}
STOPPED = {"station": {"services": {"dhcp": "inactive", "log": "failed"}}, "phones": []}
GOOD = {"station": {"services": {"dhcp": "active"}, "bridge": {"name": "bench0", "ports": {"enp2s0": "no carrier"}}}, "phones": []}


def step(name, emulated, seen, **more):
    arguments = {"emulated": emulated, "seen": seen, **more}
    return {"name": name, "voip.preprovision.check_report": arguments, "ignore_errors": True}


@pytest.fixture(scope="module")
def run(controller):
    """All cases, each a task of one play."""
    controller.write("inventory/hosts.yml", {"all": {"hosts": controller.station}})
    return controller.play(
        [
            step("failed", {"phones": [PHONE]}, STOPPED, left=["a lease is left"]),
            step("none", {"failed": True, "msg": "there is no bridge bench0"}, GOOD),
            step("no answer", {"failed": True}, GOOD),
            step("check mode", {"phones": []}, GOOD),
        ]
    )


def test_prints_the_table_as_it_is(run):
    lines = run.shown("failed").splitlines()
    assert lines[1].split() == ["phone", "step", "result", "what"]
    assert lines[3].split(maxsplit=4) == ["test-ATA192", f"({MAC})", "lease", "failed", "power-up 1: no lease"]
    assert "not removed: a lease is left" in lines


def test_tells_each_cause_once_and_fails_with_one_sentence(run):
    shown = run.shown("failed")
    assert shown.count("The DHCP server does not run.") == 1
    assert shown.count("The log server is failed.") == 1
    assert "\\n" not in shown
    assert run.failed["failed"] == (
        "check failed: test-ATA192, lease; station, log; not removed. The lines below the table say why, and what to do."
    )


@pytest.mark.parametrize(("name", "why"), [("none", "there is no bridge bench0"), ("no answer", "emulated_phone has not answered")])
def test_says_why_no_phone_could_be_booted(run, name, why):
    assert run.failed[name] == f"check: no phone could be booted: {why}"


def test_shows_nothing_where_nothing_was_booted(run):
    assert run.done["check mode"]["changed"] is False
    assert "phone " not in run.shown("check mode")
