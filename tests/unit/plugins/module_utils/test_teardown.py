# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes is what the roles have put there; what was there before stays."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils import teardown as subject
from ansible_collections.voip.preprovision.plugins.module_utils.teardown import Teardown, TeardownError

Made = Callable[..., Teardown]


class Machine:
    """What is on a machine, and what is done with it."""

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
    monkeypatch.setattr(subject, "BEFORE", str(tmp_path / "lib/before.json"))
    monkeypatch.setattr(subject, "_UNITS", str(tmp_path / "units"))
    monkeypatch.setattr(subject, "_BENCH", str(tmp_path / "no bridge"))
    monkeypatch.setattr(subject, "_STATES", str(tmp_path / "no states"))
    monkeypatch.setattr(subject, "each", lambda part: iter(made.parts.get(part, ())))
    monkeypatch.setattr(subject, "parents", lambda: {str(tmp_path / "etc"), str(tmp_path / "etc/own")})
    monkeypatch.setattr(subject, "read", lambda _path: made.before)
    monkeypatch.setattr(subject, "packages", lambda: made.packages)
    monkeypatch.setattr(subject, "units", lambda: made.units)
    monkeypatch.setattr(subject, "output", made.output)
    monkeypatch.setattr(subject, "is_station", lambda: bool(made.parts))
    monkeypatch.setattr(subject, "_check", made.check)
    monkeypatch.setattr(subject, "_systemctl", lambda *arguments: made.done.append(arguments))
    monkeypatch.setattr(subject, "_apt", lambda *arguments: made.done.append(arguments))
    return made


def test_a_machine_that_is_no_station_is_left_alone(machine):
    with pytest.raises(TeardownError, match=r"is no station: .*nothing was done"):
        Teardown()


def test_files_that_were_there_before_are_put_back_and_others_go(machine):
    own, secret = machine.path("etc/own/file", "own"), machine.path("etc/key", "secret")
    changed, gone, mine = machine.path("etc/changed", "by a role"), machine.path("etc/gone"), machine.path("etc/mine", "somebody's")
    machine.parts = {"paths": (own, mine, secret), "secret": (secret,), "replaced": (changed, gone)}
    was = {"kind": "file", "mode": 0o640, "uid": os.getuid(), "gid": os.getgid(), "content": base64.b64encode(b"before").decode()}
    mine_was = subject.describe(mine)
    machine.knows(
        paths={changed: was, gone: {"kind": "link", "target": "changed"}, mine: mine_was}, folders=[str(machine.root / "etc")]
    )
    teardown = Teardown()
    assert teardown.told() == [f"shredded {secret}", f"file {own}", f"put back {changed}", f"put back {gone}"]
    assert Path(own).exists()
    teardown.run()
    assert sorted(path.name for path in (machine.root / "etc").iterdir()) == ["changed", "gone", "mine"]
    assert Path(changed).read_text() == Path(gone).read_text() == "before"
    assert Path(changed).stat().st_mode & 0o777 == 0o640
    assert Path(mine).read_text() == "somebody's"


def test_packages_of_roles_go_with_what_they_drew_in_and_others_stay(machine):
    machine.parts = {"packages": ("nginx", "chrony", "curl"), "displaced": ("systemd-timesyncd", "ntp")}
    machine.packages = dict.fromkeys(["nginx", "nginx-common", "libpcre", "chrony", "curl", "vim", "vim-runtime"], "1")
    machine.unneeded = {"nginx", "nginx-common", "libpcre", "vim-runtime", "chrony"}
    machine.knows(packages={"chrony": "1", "systemd-timesyncd": "1"}, automatic=["chrony"])
    teardown = Teardown()
    gone = ["package libpcre", "package nginx", "package nginx-common"]
    assert teardown.told() == [*gone, "installed again systemd-timesyncd"]
    # curl is wanted by something else
    assert teardown.stays == ["package curl: something else that was installed since needs it"]
    teardown.run()
    changes = [call for call in machine.done if call[0] in ("purge", "install", "apt-mark")]
    assert changes == [
        ("purge", "libpcre", "nginx", "nginx-common"),
        ("install", "--no-install-recommends", "systemd-timesyncd"),
        ("apt-mark", "auto", "chrony"),
    ]


def test_packages_that_were_to_be_installed_beside_those_of_roles_go_too(machine):
    machine.parts = {"packages": ("nginx",)}
    machine.packages = machine.unneeded = {"nmap": "1", "curl": "1"}
    machine.knows(packages={"curl": "1"}, asked=["curl", "nmap"])
    assert Teardown().told() == ["package nmap"]


@pytest.mark.parametrize("what", [None, {"late": True}])
def test_where_nobody_knows_what_was_there_packages_stay(machine, what):
    own = machine.path("etc/own/file", "own")
    machine.parts = {"paths": (own,), "packages": ("nginx",), "leftovers": (machine.path("etc/nginx", "configuration"),)}
    machine.packages = machine.unneeded = {"nginx": "1"}
    if what:
        machine.knows(**what)
    teardown = Teardown()
    teardown.run()
    assert teardown.told() == [f"file {own}"]
    assert "nobody wrote down" in teardown.stays[0]
    assert not any(call[0] == "purge" for call in machine.done)


def test_units_are_as_they_were(machine):
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


def test_what_the_inventory_has_elsewhere_goes_too(machine):
    machine.parts = {"paths": (machine.path("etc/own", "own"),)}
    elsewhere = machine.path("data/service.sqlite", "rows")
    teardown = Teardown([elsewhere, "", machine.path("etc/own"), machine.path("nothing")])
    teardown.run()
    assert teardown.told()[0] == f"shredded {elsewhere}"
    assert not Path(elsewhere).exists()


def test_a_record_that_cannot_be_read_stops_it(machine, monkeypatch):
    def read(path: str) -> None:
        raise ValueError(f"{path} is in a format that this release does not know")

    monkeypatch.setattr(subject, "read", read)
    with pytest.raises(TeardownError, match="format that this release does not know"):
        Teardown()
