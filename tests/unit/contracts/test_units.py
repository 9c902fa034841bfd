# SPDX-License-Identifier: GPL-3.0-or-later
"""Every service of a station comes back however it ends, and something notices when it hangs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.common.services import SERVICES
from ansible_collections.voip.preprovision.plugins.module_utils.station.agents.questions import QUESTIONS

ROOT = Path(__file__).parents[3]
TEMPLATES = {
    name: path
    for path in sorted(ROOT.glob("roles/*/templates/etc/systemd/system/**/*.j2"))
    if (name := (path.parent.name.removesuffix(".d") if path.parent.name.endswith(".d") else path.stem)).endswith(".service")
}
"""By the name of the unit; of a package's unit, the drop-in."""

STARTED_BY_OTHERS = {
    "nftables.service": "belongs to the machine; the drop-in only loads our tables again",
    "NetworkManager.service": "belongs to the machine; the drop-in only notes what it has read",
    "preprovision-firewall-alerts.service": "ends when nothing happens; the next packet starts it",
    "preprovision-arming-trigger.service": "ends at once; the next change starts it",
    "preprovision-tftp-neighbours.service": "ends at once; its timer starts it every minute",
    "preprovision-log-bound.service": "ends at once; its timer starts it every five minutes",
    "preprovision-database.service": "ends by itself; its timer starts it every hour",
    "preprovision-database-heal.service": "ends by itself; its path starts it as long as there is something to heal",
}
NOT_ASKED = {
    "preprovision-capture.service": "writes to files only, which capture reads",
    "postgresql@.service": "every profile service asks it all the time, and /health says what it answers",
    "patroni.service": "its time as a leader ends, and another member takes over",
    "etcd.service": "the other voters go on without it",
    "nsd.service": "resolvers ask the other servers of the zone",
}


CALLS_OF = {"CAP_SYS_TIME": "@clock", "CAP_CHOWN": "@chown", "CAP_SETUID": "@setuid", "CAP_SETGID": "@setuid"}
"""Capability -> group of system calls that it is for, each a part of @privileged; see `systemd-analyze syscall-filter`."""


def directives(name):
    text = re.sub(r"{[%#].*?[%#]}", "", TEMPLATES[name].read_text(), flags=re.DOTALL)
    return dict(line.split("=", 1) for line in text.splitlines() if re.match(r"[A-Z][A-Za-z]+=", line))


@pytest.mark.parametrize("name", sorted(TEMPLATES.keys() - STARTED_BY_OTHERS.keys()))
def test_comes_back_and_never_gives_up_but_does_not_spin(name):
    found = directives(name)
    assert found["Restart"] == ("always" if found.get("Type") != "oneshot" else found["Restart"])
    assert found["Restart"] in ("always", "on-failure", "on-abnormal")
    assert int(found["RestartSec"]) >= 1
    assert found["StartLimitIntervalSec"] == "0"


@pytest.mark.parametrize("name", sorted(TEMPLATES.keys() - STARTED_BY_OTHERS.keys() - NOT_ASKED.keys()))
def test_something_notices_when_it_hangs(name):
    found = directives(name)
    asked = {SERVICES[service].unit for service in QUESTIONS}
    if found.get("Type") == "oneshot":
        # systemd ends what takes longer than its time to start
        assert found.get("TimeoutStartSec") != "infinity"
    else:
        assert name in asked or int(found["WatchdogSec"]) > 0


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_what_has_a_capability_may_use_it(name):
    """systemd filters system calls apart from capabilities: chronyd may set the clock by one, and could not by the other."""
    text = TEMPLATES[name].read_text()
    filters = re.findall(r"^SystemCallFilter=(.*)$", text, re.MULTILINE)
    denied = [line for line in filters if line.startswith("~") and "@privileged" in line]
    capabilities = set(re.findall(r"CAP_\w+", " ".join(re.findall(r"^CapabilityBoundingSet=([^~].*)$", text, re.MULTILINE))))
    for calls in {CALLS_OF[capability] for capability in capabilities & CALLS_OF.keys()} if denied else ():
        assert any(calls in line for line in filters[filters.index(denied[-1]) + 1 :] if not line.startswith("~")), calls


def test_the_exceptions_are_units():
    assert TEMPLATES.keys() > STARTED_BY_OTHERS.keys() | NOT_ASKED.keys()


@pytest.mark.parametrize("name", [name for name in TEMPLATES if "WatchdogSec" in TEMPLATES[name].read_text()])
def test_whoever_must_report_is_known_to_the_reports(name):
    assert name in {service.unit for service in SERVICES.values()}
    assert directives(name)["WatchdogSignal"] == "SIGKILL"
