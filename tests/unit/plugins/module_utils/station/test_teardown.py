# SPDX-License-Identifier: GPL-3.0-or-later
"""Teardown removes what the roles have installed, and restores what was there before."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.station import baseline
from ansible_collections.voip.preprovision.plugins.module_utils.station import teardown as subject
from ansible_collections.voip.preprovision.plugins.module_utils.station.baseline import sysctl_values
from ansible_collections.voip.preprovision.plugins.module_utils.station.teardown import Teardown, TeardownError

Made = Callable[..., Teardown]


class Machine:
    """The state of a simulated host, and the commands run on it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.packages: dict[str, str] = {}
        self.units: dict[str, list[str]] = {}
        self.unneeded: set[str] = set()
        self.before: dict[str, Any] | None = None
        self.done: list[tuple[str, ...]] = []
        self.parts: dict[str, tuple[str, ...]] = {}

    def path(self, name: str, content: str | None = None) -> str:
        path = self.root / name
        if content is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return str(path)

    def knows(self, **what: Any) -> None:
        empty = {
            "late": False,
            "packages": {},
            "automatic": [],
            "users": [],
            "groups": [],
            "units": {},
            "paths": {},
            "folders": [],
            "links": {},
        }
        self.before = {**empty, **what}

    def check(self, command: list[str]) -> str:
        if "autoremove" in command:
            return "".join(f"Remv {name} [1]\n" for name in sorted(self.unneeded))
        if "-o" not in command:
            self.done.append(tuple(command))
        return ""

    def output(self, *command: str) -> str:
        if command[0] == "apt-cache":
            drawn = ["nginx", "  Depends: nginx-common", "  Depends: libpcre", "nginx-common", "libpcre", "chrony", "nmap", ""]
            return "\n".join(drawn)
        return ""


@pytest.fixture
def machine(tmp_path, monkeypatch) -> Machine:
    made = Machine(tmp_path)
    monkeypatch.setattr(subject, "BASELINE", str(tmp_path / "lib/baseline.json"))
    monkeypatch.setattr(subject, "_UNITS", str(tmp_path / "units"))
    monkeypatch.setattr(subject, "_BENCH", str(tmp_path / "no bridge"))
    monkeypatch.setattr(subject, "_STATES", str(tmp_path / "no states"))
    monkeypatch.setattr(subject, "across_roles", lambda part: iter(made.parts.get(part, ())))
    monkeypatch.setattr(subject, "parent_folders", lambda: {str(tmp_path / "etc"), str(tmp_path / "etc/own")})
    monkeypatch.setattr(subject, "read_baseline", lambda *_paths: made.before)
    monkeypatch.setattr(subject, "installed_packages", lambda: made.packages)
    monkeypatch.setattr(subject, "unit_states", lambda: made.units)
    monkeypatch.setattr(subject, "command_output", made.output)
    monkeypatch.setattr(subject, "is_station", lambda: bool(made.parts))
    monkeypatch.setattr(subject, "_check", made.check)
    monkeypatch.setattr(subject, "systemctl", lambda *arguments: made.done.append(arguments))
    monkeypatch.setattr(subject, "_apt", lambda *arguments: made.done.append(arguments))
    return made


def test_rejects_a_host_that_is_not_a_station(machine):
    with pytest.raises(TeardownError, match=r"^this host is not a station: .*nothing was done"):
        Teardown()


def test_restores_former_files_and_removes_others(machine):
    own, secret = machine.path("etc/own/file", "own"), machine.path("etc/key", "secret")
    changed, gone, mine = machine.path("etc/changed", "by a role"), machine.path("etc/gone"), machine.path("etc/mine", "somebody's")
    machine.parts = {"paths": (own, mine, secret), "secret": (secret,), "replaced": (changed, gone)}
    was = {"kind": "file", "mode": 0o640, "uid": os.getuid(), "gid": os.getgid(), "content": base64.b64encode(b"before").decode()}
    mine_was = subject.describe(mine)
    machine.knows(
        paths={changed: was, gone: {"kind": "link", "target": "changed"}, mine: mine_was}, folders=[str(machine.root / "etc")]
    )
    teardown = Teardown()
    assert teardown.summary() == [f"shredded {secret}", f"file {own}", f"put back {changed}", f"put back {gone}"]
    assert Path(own).exists()
    teardown.run()
    assert sorted(path.name for path in (machine.root / "etc").iterdir()) == ["changed", "gone", "mine"]
    assert Path(changed).read_text() == Path(gone).read_text() == "before"
    assert Path(changed).stat().st_mode & 0o777 == 0o640
    assert Path(mine).read_text() == "somebody's"


def test_removes_what_packages_create_until_they_are_purged(machine, monkeypatch):
    kernel_log, kept = machine.path("var/log/kern.log"), machine.path("var/log/auth.log")
    machine.parts = {"packages": ("rsyslog",), "purge_paths": (kernel_log, kept)}
    machine.packages, machine.unneeded = {"rsyslog": "1"}, {"rsyslog"}
    monkeypatch.setattr(subject, "_with_dependencies", set)
    machine.path("var/log/auth.log", "an earlier log server's")
    machine.knows(paths={kept: subject.describe(kept)})
    # The bridge goes down, and the kernel says so
    monkeypatch.setattr(subject, "_apt", lambda *_arguments: machine.path("var/log/kern.log", "bench0: entered disabled state"))
    teardown = Teardown()
    assert teardown.summary() == ["package rsyslog"]
    teardown.run()
    assert not Path(kernel_log).exists()
    assert Path(kept).read_text() == "an earlier log server's"


def test_restores_settings_of_the_kernel(machine, tmp_path, monkeypatch):
    monkeypatch.setattr(baseline, "_SYSCTLS", str(tmp_path))
    monkeypatch.setattr(baseline, "across_roles", lambda _part: iter(["net.changed", "net.same", "net.new", "net.gone"]))
    for name, value in {"changed": 4096, "same": 1, "new": 7}.items():
        machine.path(f"net/{name}", f"{value}\n")
    assert sysctl_values() == {"net.changed": "4096", "net.same": "1", "net.new": "7"}
    machine.parts = {"paths": ("/nonexistent",)}
    # A baseline of an earlier release has none
    machine.knows()
    assert Teardown().summary() == []
    machine.knows(sysctls={"net.changed": "1024", "net.same": "1", "net.gone": "5"})
    teardown = Teardown()
    assert teardown.summary() == ["kernel setting net.changed back to 1024"]
    teardown.run()
    assert sysctl_values() == {"net.changed": "1024", "net.same": "1", "net.new": "7"}


def test_purges_the_roles_packages_with_their_dependencies(machine):
    machine.parts = {"packages": ("nginx", "chrony", "curl"), "removed_by_apt": ("systemd-timesyncd", "ntp")}
    machine.packages = dict.fromkeys(["nginx", "nginx-common", "libpcre", "chrony", "curl", "vim", "vim-runtime"], "1")
    machine.unneeded = {"nginx", "nginx-common", "libpcre", "vim-runtime", "chrony"}
    machine.knows(packages={"chrony": "1", "systemd-timesyncd": "1"}, automatic=["chrony"])
    teardown = Teardown()
    gone = ["package libpcre", "package nginx", "package nginx-common"]
    assert teardown.summary() == [*gone, "reinstalled systemd-timesyncd"]
    # curl is wanted by something else
    assert teardown.stays == ["package curl: a package that was installed since needs it"]
    teardown.run()
    changes = [call for call in machine.done if call[0] in ("purge", "install", "apt-mark")]
    assert changes == [
        ("purge", "libpcre", "nginx", "nginx-common"),
        ("install", "--no-install-recommends", "systemd-timesyncd"),
        ("apt-mark", "auto", "chrony"),
    ]


def test_purges_packages_that_were_installed_besides_the_roles(machine):
    machine.parts = {"packages": ("nginx",)}
    machine.packages = machine.unneeded = {"nmap": "1", "curl": "1"}
    machine.knows(packages={"curl": "1"}, asked=["curl", "nmap"])
    assert Teardown().summary() == ["package nmap"]


@pytest.mark.parametrize("what", [None, {"late": True}])
def test_keeps_packages_without_a_baseline(machine, what):
    own = machine.path("etc/own/file", "own")
    machine.parts = {"paths": (own,), "packages": ("nginx",), "purge_paths": (machine.path("etc/nginx", "configuration"),)}
    machine.packages = machine.unneeded = {"nginx": "1"}
    if what:
        machine.knows(**what)
    teardown = Teardown()
    teardown.run()
    assert teardown.summary() == [f"file {own}"]
    assert "was not recorded" in teardown.stays[0]
    assert not any(call[0] == "purge" for call in machine.done)


def test_restores_units(machine):
    machine.path("units/own.service", "unit")
    machine.parts = {"units": ("own.service",)}
    machine.units = {
        "chrony.service": ["enabled", "active"],
        "rsyslog.service": ["enabled", "active"],
        "new.service": ["enabled", "active"],
    }
    machine.knows(units={"chrony.service": ["enabled", "active"], "rsyslog.service": ["disabled", "inactive"]})
    Teardown().run()
    assert machine.done[:2] == [("disable", "--now", "own.service"), ("disable", "--now", "new.service")]
    assert {("restart", "chrony.service"), ("disable", "rsyslog.service"), ("stop", "rsyslog.service")} <= set(machine.done)
    assert not (machine.root / "units/own.service").exists()


def test_removes_what_earlier_releases_installed(machine):
    unit, path = machine.path("units/old.service", "unit"), machine.path("etc/old.nft", "rules")
    machine.parts = {"retired_units": ("old.service",), "retired_paths": (path,)}
    machine.knows()
    teardown = Teardown()
    assert teardown.summary() == ["unit old.service", f"file {path}"]
    teardown.run()
    assert machine.done[:2] == [("disable", "--now", "old.service"), ("daemon-reload",)]
    assert not Path(unit).exists()
    assert not Path(path).exists()


def test_removes_paths_that_the_inventory_configured(machine):
    machine.parts = {"paths": (machine.path("etc/own", "own"),)}
    elsewhere = machine.path("data/service.sqlite", "rows")
    teardown = Teardown([elsewhere, "", machine.path("etc/own"), machine.path("nothing")])
    teardown.run()
    assert teardown.summary()[0] == f"shredded {elsewhere}"
    assert not Path(elsewhere).exists()


def test_rejects_an_unreadable_baseline(machine, monkeypatch):
    def read(path: str, _earlier: str) -> None:
        raise ValueError(f"{path} has a format that this release does not know")

    monkeypatch.setattr(subject, "read_baseline", read)
    with pytest.raises(TeardownError, match="format that this release does not know"):
        Teardown()
