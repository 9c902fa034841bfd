# SPDX-License-Identifier: GPL-3.0-or-later
"""What dpkg and systemd report becomes what roles ask about."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.station import host_state as subject
from ansible_collections.voip.preprovision.plugins.module_utils.station.host_state import (
    can_set_clock,
    is_interrupted,
    parse_packages,
    parse_units,
    read_host_state,
)

PACKAGES = "installed nginx\nconfig-files chrony\ninstalled bash\ninstalled nginx\nnot-installed x\n"
UNITS = """\
Id=nginx.service
ActiveState=active
UnitFileState=enabled

Id=chrony.service
ActiveState=inactive
UnitFileState=enabled

Id=cron.service
ActiveState=active
UnitFileState=disabled

Id=ssh.service
ActiveState=active
UnitFileState=
"""


def test_returns_only_installed_packages_once():
    assert parse_packages(PACKAGES) == ["bash", "nginx"]


def test_returns_only_units_that_are_active_and_enabled():
    assert parse_units(UNITS) == ["nginx.service"]


@pytest.mark.parametrize(
    ("listed", "updates", "interrupted"),
    [
        (PACKAGES, [], False),
        (PACKAGES, ["0001"], True),
        (PACKAGES, ["tmp.i"], False),
        ("half-configured nginx\n", [], True),
        ("half-installed nginx\n", [], True),
        ("unpacked nginx\n", [], True),
        ("triggers-pending nginx\n", [], True),
        ("", [], False),
    ],
)
def test_sees_that_dpkg_was_interrupted(listed, updates, interrupted):
    assert is_interrupted(listed, updates) is interrupted


def test_reads_all_that_roles_ask_about(monkeypatch, tmp_path):
    commands: dict[str, tuple[str, ...]] = {}

    def answer(command):
        commands[command[0]] = command
        return {"dpkg-query": PACKAGES, "systemctl": UNITS}[command[0]]

    monkeypatch.setattr(subject, "_run", answer)
    monkeypatch.setattr(subject, "_UPDATES", str(tmp_path))
    monkeypatch.setattr(subject, "find_retired", lambda: ["/etc/old"])
    assert read_host_state() == (["bash", "nginx"], ["nginx.service"], ["/etc/old"], False, can_set_clock())
    assert commands["systemctl"][-2:] == ("*.service", "*.path")


@pytest.mark.parametrize(
    ("bounding_set", "namespace", "possible"),
    [
        ("000001ffffffffff", "         0          0 4294967295", True),
        # podman's and docker's default
        ("00000000a80425fb", "         0          0 4294967295", False),
        # LXC without privileges
        ("000001ffffffffff", "         0     100000      65536", False),
    ],
)
def test_a_clock_can_be_set_with_the_capability_over_the_first_namespace(tmp_path, bounding_set, namespace, possible):
    (tmp_path / "status").write_text(f"Name:\tsystemd\nCapEff:\t000001ffffffffff\nCapBnd:\t{bounding_set}\n")
    (tmp_path / "uid_map").write_text(f"{namespace}\n")
    assert can_set_clock(tmp_path) is possible


@pytest.mark.root(reason="gives up a capability")
def test_reads_what_the_kernel_shows_of_a_process_that_cannot():
    asleep = [sys.executable, "-c", "print(flush=True); input()"]
    with subprocess.Popen(
        ["setpriv", "--bounding-set=-sys_time", *asleep], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        assert can_set_clock(Path(f"/proc/{process.pid}")) is False
        process.communicate(b"\n")
