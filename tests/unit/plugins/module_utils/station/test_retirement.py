# SPDX-License-Identifier: GPL-3.0-or-later
"""Units and files of earlier releases go, in an order that leaves the units in their place alone."""

from __future__ import annotations

import subprocess

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.station import retirement as subject
from ansible_collections.voip.preprovision.plugins.module_utils.station.footprint import FOOTPRINTS, Footprint
from ansible_collections.voip.preprovision.plugins.module_utils.station.retirement import (
    RetirementError,
    find_retired,
    retire,
    stop_retired_sockets,
)


@pytest.fixture
def host(tmp_path, monkeypatch):
    """Set up retired units and files of two roles; return their folder, and the calls of systemctl."""
    units, old = tmp_path / "system", tmp_path / "old"
    units.mkdir()
    old.mkdir()
    (old / "code.py").write_text("")
    for name in ("old.socket", "old.service", "main.service"):
        (units / name).write_text("")
    footprints = {
        "bench": Footprint(retired_units=("old.socket", "old.service", "main.service", "never.service")),
        "playbooks": Footprint(retired_paths=(str(old), str(tmp_path / "nothing"))),
    }
    calls = []

    def run(command, **_options):
        calls.append((" ".join(command[1:]), sorted(path.name for path in units.iterdir())))
        return subprocess.CompletedProcess(command, 0 if "old.service" not in command or "is-active" not in command else 3, "", "")

    monkeypatch.setattr(subject, "FOOTPRINTS", footprints)
    monkeypatch.setattr(subject, "UNIT_FOLDER", str(units))
    monkeypatch.setattr(subprocess, "run", run)
    return tmp_path, calls


def test_finds_only_what_is_there(host):
    folder, _calls = host
    assert find_retired(["playbooks"]) == [f"{folder}/old"]
    assert [path.rpartition("/")[2] for path in find_retired()] == ["old.socket", "old.service", "main.service", "old"]


def test_stops_active_units_when_systemd_no_longer_knows_what_they_run(host):
    folder, calls = host
    found = find_retired()
    assert retire() == found
    commands = [command for command, _there in calls if "is-active" not in command]
    assert commands == ["disable old.socket old.service main.service", "daemon-reload", "stop old.socket", "stop main.service"]
    assert dict(calls)["daemon-reload"] == []
    assert find_retired() == []
    assert not (folder / "old").exists()


def test_one_role_leaves_what_others_have_retired(host):
    retire(["bench"])
    assert [path.rpartition("/")[2] for path in find_retired()] == ["old"]


def test_frees_the_ports_of_sockets_and_removes_nothing(host):
    _folder, calls = host
    assert stop_retired_sockets(["bench"]) == ["old.socket", "old.service"]
    assert [command for command, _there in calls] == ["stop old.socket old.service"]
    assert len(find_retired()) == 4


def test_does_nothing_where_nothing_is_retired(host):
    _folder, calls = host
    retire()
    calls.clear()
    assert (retire(), stop_retired_sockets(), calls) == ([], [], [])


def test_reports_what_systemctl_refuses(monkeypatch, host):
    failed = subprocess.CompletedProcess([], 1, "", "Failed to stop\n")
    monkeypatch.setattr(subprocess, "run", lambda *_command, **_options: failed)
    with pytest.raises(RetirementError, match=r"systemctl stop old\.socket old\.service: Failed to stop$"):
        stop_retired_sockets()


def test_nothing_in_use_is_retired():
    used = {name for footprint in FOOTPRINTS.values() for name in (*footprint.units, *footprint.paths, *footprint.services)}
    retired = {name for footprint in FOOTPRINTS.values() for name in (*footprint.retired_units, *footprint.retired_paths)}
    assert retired
    assert used.isdisjoint(retired)
