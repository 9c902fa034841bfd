# SPDX-License-Identifier: GPL-3.0-or-later
"""The links in the TFTP server's folder: what they should be, and that they become so from any state and after any kill."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.station.agents import arming
from ansible_collections.voip.preprovision.plugins.module_utils.station.agents.arming import (
    FILE,
    ArmingError,
    Plan,
    Published,
    describe,
    keep_right,
    plan,
    wanted_links,
)

DESK, DOOR, FAX = "00-00-5e-00-53-01", "00-00-5e-00-53-02", "00-00-5e-00-53-03"
BASE = "../current"


class Station:
    """A published folder below a temporary one, with its folder of links and its decisions."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.links = root / "tftp"
        self.done = root / "done"
        self.arguments = (str(root), str(self.links), str(self.done))
        self.lines: list[str] = []
        self.links.mkdir(parents=True)

    def publish(self, *units: str, files: tuple[str, ...] = ("ata192.cfg",), folders: tuple[str, ...] = ()) -> None:
        """Make a generation live."""
        generations = self.root / "generations"
        live = generations / f"{len(list(generations.iterdir())) + 1 if generations.exists() else 1:06d}"
        for folder in (*(f"units/{unit}" for unit in units), "open", *(f"open/{name}" for name in folders)):
            (live / folder).mkdir(parents=True)
        for name in files:
            (live / "open" / name).write_text("")
        (self.root / ".current").symlink_to(f"generations/{live.name}")
        (self.root / ".current").rename(self.root / "current")

    def decide(self, *units: str) -> None:
        shutil.rmtree(self.done, ignore_errors=True)
        self.done.mkdir()
        for unit in units:
            (self.done / unit).touch()

    def run(self, check: bool = False) -> bool:
        self.lines.clear()
        return keep_right(*self.arguments, self.lines.append, check)

    def present(self) -> dict[str, str]:
        return {name: os.readlink(self.links / name) for name in os.listdir(self.links) if (self.links / name).is_symlink()}

    def units(self) -> set[str]:
        return set(filter(arming.UNIT.fullmatch, self.present()))


@pytest.fixture
def station(tmp_path):
    return Station(tmp_path)


# -- decide


@pytest.mark.parametrize(
    ("units", "files", "done", "names"),
    [
        ((), {}, (), {}),
        ((DESK,), {}, (), {DESK: f"units/{DESK}"}),
        ((DESK, DOOR), {}, (DESK,), {DOOR: f"units/{DOOR}"}),
        # A mark for a unit that is not published, and a name that only resembles the unit's
        ((DESK,), {}, (DOOR, DESK.upper(), f"{DESK} "), {DESK: f"units/{DESK}"}),
        # Not as dnsmasq spells a unit
        ((DESK.upper(), "00005e005301", f"{DESK}-04", f"{DESK}\n", ".x", "..."), {}, (), {}),
        ((), {"a.cfg": False}, (), {"a.cfg": "open/a.cfg", "a.cfg\udcff": "open/a.cfg"}),
        ((), {"firmware": True}, (), {"firmware": "open/firmware"}),
        ((), {".hidden": False, ".next": True}, (), {}),
        # Published with the byte
        ((), {"a": False, "a\udcff": False}, (), {"a": "open/a", "a\udcff": "open/a\udcff"}),
        # A shared folder must not become a unit's
        ((), {DESK: True, DOOR: False, f"{FAX}\udcff": True}, (), {}),
        ((DESK,), {DESK: True}, (), {DESK: f"units/{DESK}"}),
        ((), {254 * "x": False}, (), {254 * "x": f"open/{254 * 'x'}", f"{254 * 'x'}\udcff": f"open/{254 * 'x'}"}),
        ((), {255 * "x": False}, (), {255 * "x": f"open/{255 * 'x'}"}),
        ((), {127 * "é" + "x": False}, (), {127 * "é" + "x": f"open/{127 * 'é'}x"}),
    ],
)
def test_links_what_is_published_and_not_done(units, files, done, names):
    wanted = {name: f"{BASE}/{target}" for name, target in names.items()}
    assert wanted_links(Published(units, files), done, BASE) == wanted


@pytest.mark.parametrize(
    ("wanted", "present", "expected"),
    [
        ({}, {}, Plan([], {}, [], [], [])),
        ({"a": "x"}, {"a": "x"}, Plan([], {}, [], [], [])),
        ({"a": "x"}, {}, Plan([], {"a": "x"}, [], [], [])),
        ({"a": "x"}, {"a": "y"}, Plan([], {"a": "x"}, [], [], [])),
        ({}, {"a": "y"}, Plan(["a"], {}, [], [], [])),
        ({}, {"a": FILE}, Plan([], {}, [], ["a"], [])),
        ({"a": "x"}, {"a": FILE}, Plan([], {"a": "x"}, ["a"], [], [])),
        ({}, {"a": None}, Plan([], {}, [], ["a"], [])),
        ({"a": "x"}, {"a": None}, Plan([], {}, [], [], ["a"])),
    ],
)
def test_plans_only_what_differs(wanted, present, expected):
    assert plan(wanted, present) == expected


def test_describes_units_only():
    assert list(describe("armed", ["a.cfg", DESK, "firmware", f"{DESK}\udcff"])) == [f"armed {DESK}"]
    assert list(describe("armed", [])) == []


def test_two_hundred_units_have_a_line_each_in_order():
    units = [f"00-00-5e-00-53-{number:02x}" for number in range(200)]
    assert list(describe("disarmed", reversed(units))) == [f"disarmed {unit}" for unit in units]
    assert list(describe("disarmed", [*units, FAX.replace("03", "ff")])) == ["disarmed 201 units"]


# -- look and act


def test_arms_disarms_and_arms_again(station):
    station.publish(DESK, DOOR)
    assert station.run()
    assert station.lines == [f"<5>armed {DESK}", f"<5>armed {DOOR}"]
    assert station.present() == {
        DESK: f"../current/units/{DESK}",
        DOOR: f"../current/units/{DOOR}",
        "ata192.cfg": "../current/open/ata192.cfg",
        "ata192.cfg\udcff": "../current/open/ata192.cfg",
    }
    station.decide(DESK)
    assert station.run()
    assert (station.lines, station.units()) == ([f"<5>disarmed {DESK}"], {DOOR})
    station.decide()
    assert station.run()
    assert (station.lines, station.units()) == ([f"<5>armed {DESK}"], {DESK, DOOR})


def test_a_file_is_read_through_its_links(station):
    station.publish(DESK)
    (station.root / "current/units" / DESK / "ata192.cfg").write_text("own")
    (station.root / "current/open/ata192.cfg").write_text("shared")
    station.run()
    assert [(station.links / name).read_text() for name in (f"{DESK}/ata192.cfg", "ata192.cfg", "ata192.cfg\udcff")] == [
        "own",
        "shared",
        "shared",
    ]


def test_links_survive_the_swap_of_a_generation(station):
    station.publish(DESK)
    station.run()
    before = {path.name: path.lstat().st_ino for path in station.links.iterdir()}
    station.publish(DESK)
    assert station.run()
    assert station.lines == []
    assert {path.name: path.lstat().st_ino for path in station.links.iterdir()} == before


def test_follows_the_live_generation(station):
    station.publish(DESK, DOOR, files=("old.cfg",), folders=("firmware",))
    station.run()
    station.publish(DOOR, FAX, files=("new.cfg",))
    station.run()
    assert station.lines == [f"<5>disarmed {DESK}", f"<5>armed {FAX}"]
    assert set(station.present()) == {DOOR, FAX, "new.cfg", "new.cfg\udcff"}


@pytest.mark.parametrize("missing", ["current", "generations/000001", "generations/000001/units", "generations/000001/open"])
def test_parts_that_are_not_published_are_not_linked(station, missing):
    station.publish(DESK)
    station.run()
    path = station.root / missing
    if path.is_symlink():
        path.unlink()
    else:
        shutil.rmtree(path)
    assert station.run()
    kept = {"units": {"ata192.cfg", "ata192.cfg\udcff"}, "open": {DESK}}.get(path.name, set())
    assert set(station.present()) == kept


def test_without_the_folder_of_decisions_no_unit_is_done(station):
    station.publish(DESK)
    assert not station.done.exists()
    assert station.run()
    assert station.units() == {DESK}


def test_leaves_the_links_alone_if_decisions_cannot_be_read(station):
    station.publish(DESK)
    station.run()
    station.done.write_text("not a folder")
    with pytest.raises(NotADirectoryError):
        station.run()
    assert station.units() == {DESK}


def test_without_the_folder_of_links_says_who_creates_it(station):
    station.links.rmdir()
    with pytest.raises(ArmingError, match=r"/tftp does not exist; run site, which creates it$"):
        station.run()


def test_does_not_follow_a_link_in_place_of_the_folder(station):
    station.publish(DESK)
    station.links.rmdir()
    (station.root / "elsewhere").mkdir()
    station.links.symlink_to("elsewhere")
    with pytest.raises(NotADirectoryError):
        station.run()
    assert os.listdir(station.root / "elsewhere") == []


def test_removes_links_but_not_what_they_lead_to(station, tmp_path):
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("x")
    station.publish(DESK)
    for name, target in {"folder": kept, "file": kept / "file", DOOR: kept, DESK: kept, ".next": "nowhere"}.items():
        (station.links / name).symlink_to(target)
    assert station.run()
    assert set(station.present()) == {DESK, "ata192.cfg", "ata192.cfg\udcff"}
    assert (kept / "file").read_text() == "x"


def test_reports_what_is_not_a_link_and_leaves_it(station):
    station.publish(DESK)
    (station.links / "note\n<0>armed x").write_text("mine")
    (station.links / DOOR).mkdir()
    assert station.run()
    assert sorted(station.lines[:2]) == [
        f"<4>{station.links}/{DOOR} is not a symbolic link; move it away",
        rf"<4>{station.links}/note\n<0>armed x is not a symbolic link; move it away",
    ]
    assert (station.links / "note\n<0>armed x").read_text() == "mine"


@pytest.mark.parametrize("name", [DESK, "ata192.cfg"])
def test_replaces_a_file_in_the_place_of_a_link(station, name):
    station.publish(DESK)
    (station.links / name).write_text("mine")
    assert not station.run(check=True)
    assert (station.links / name).read_text() == "mine"
    assert station.run()
    assert station.lines[0] == f"<4>{station.links}/{name} was not a symbolic link; it is replaced by one"
    assert {DESK, "ata192.cfg"} <= station.present().keys()
    assert station.run()
    assert station.lines == []


@pytest.mark.parametrize("name", [DESK, "ata192.cfg"])
def test_fails_if_a_folder_is_in_the_place_of_a_link(station, name):
    station.publish(DESK, DOOR)
    (station.links / name).mkdir()
    assert not station.run()
    assert station.lines[0] == f"<3>{station.links}/{name} is a folder in the place of a symbolic link; move it away"
    assert DOOR in station.units()
    assert (station.links / name).is_dir()


def test_check_changes_nothing(station):
    station.publish(DESK)
    (station.links / DOOR).symlink_to("x")
    assert not station.run(check=True)
    assert station.lines == [f"<5>disarmed {DOOR}", f"<5>armed {DESK}"]
    assert station.present() == {DOOR: "x"}
    station.run()
    assert station.run(check=True)
    station.links.chmod(0o700)
    assert not station.run(check=True)


@pytest.mark.parametrize("check", [[], ["--check"]])
def test_program_ends_with_1_if_links_are_or_stay_wrong(station, capsys, check):
    station.publish(DESK)
    wrong = 1 if check else 0
    assert arming.main([*check, *station.arguments]) == wrong
    assert capsys.readouterr().out == f"<5>armed {DESK}\n"
    station.run()
    assert arming.main([*check, *station.arguments]) == 0
    assert capsys.readouterr().out == ""
    shutil.rmtree(station.links)
    assert arming.main([*check, *station.arguments]) == 1
    assert capsys.readouterr().out == f"<3>{station.links} does not exist; run site, which creates it\n"


def test_runs_as_systemd_starts_it(station):
    """Alone below a package, in the C locale, so that bytes that are no UTF-8 are kept."""
    code = station.root / "lib/preprovision/station/agents"
    code.mkdir(parents=True)
    shutil.copy(arming.__file__, code)
    station.publish(DESK)
    command = [sys.executable, "-m", "preprovision.station.agents.arming", *station.arguments]
    environment = {"PYTHONPATH": str(station.root / "lib"), "LC_ALL": "C"}
    done = subprocess.run(command, env=environment, capture_output=True, check=True)
    assert done.stdout == f"<5>armed {DESK}\n".encode()
    assert b"ata192.cfg\xff" in os.listdir(os.fsencode(station.links))


# -- any state, any kill

units = st.sets(st.sampled_from([DESK, DOOR, FAX]))
files = st.sets(st.sampled_from(["a.cfg", "b.cfg", "c\udcff"]))
messes = st.dictionaries(
    st.sampled_from([DESK, DOOR, FAX, "a.cfg", "a.cfg\udcff", "b.cfg", "x", ".next", ".y"]),
    st.sampled_from(["", f"../current/units/{DESK}", "../current/open/a.cfg", "/etc", "."]),
)


def make_mess(station: Station, mess: Mapping[str, str]) -> None:
    for name, target in mess.items():
        if target:
            (station.links / name).symlink_to(target)
        elif name.startswith("x"):
            (station.links / name).mkdir()


def expected(published: set[str], shared: set[str], done: set[str]) -> dict[str, str]:
    """Return the right links, in a second spelling of the rules."""
    right = {unit: f"../current/units/{unit}" for unit in published - done}
    for name in shared:
        right[name] = right[name.rstrip("\udcff") + "\udcff"] = f"../current/open/{name}"
    return right


@settings(deadline=None)
@given(units, files, units, messes)
def test_any_state_becomes_right_and_stays_so(published, shared, done, mess):
    with tempfile.TemporaryDirectory() as folder:
        station = Station(Path(folder))
        station.publish(*published, files=tuple(shared))
        station.decide(*done)
        make_mess(station, mess)
        assert station.run()
        assert station.present() == expected(published, shared, done)
        assert station.run()
        assert [line for line in station.lines if "armed" in line] == []


CHANGES = {"os.symlink", "os.rename", "os.remove"}


def run_and_kill(station: Station, last: int) -> bool:
    """Run in a child that is killed before the change after the first *last* ones; return whether it was killed."""
    child = os.fork()
    if not child:
        steps = itertools.count()

        def audit(event: str, _arguments: object) -> None:
            if event in CHANGES and next(steps) == last:
                os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(audit)
        keep_right(*station.arguments, lambda _line: None)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def test_the_next_run_heals_what_a_kill_at_any_step_leaves(tmp_path):
    """In every state in between, the name of a link that leads elsewhere exists, and no unit that is done has been armed."""
    for last in itertools.count():
        station = Station(tmp_path / str(last))
        station.publish(DESK, DOOR)
        station.decide(DOOR)
        make_mess(station, {DESK: "/etc", DOOR: f"../current/units/{DOOR}", "x2": "old", "ata192.cfg": "../old", ".next": "y"})
        killed = run_and_kill(station, last)
        assert {DESK, "ata192.cfg"} <= set(station.present())
        assert station.run()
        assert station.present() == expected({DESK}, {"ata192.cfg"}, set())
        if not killed:
            break
    # Two links are replaced, one is made, and three are removed
    assert last == 2 * 2 + 1 + 3


def test_a_unit_that_is_done_goes_first(tmp_path):
    station = Station(tmp_path)
    station.publish(DESK)
    station.run()
    station.decide(DESK)
    station.publish(DESK, DOOR, FAX)
    assert run_and_kill(station, 1)
    assert station.units() == set()


def test_changes_are_durable_before_they_are_reported(station, monkeypatch):
    happened: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda _folder: happened.append("fsync"))
    station.publish(DESK)
    (station.links / DOOR).symlink_to("x")
    keep_right(*station.arguments, happened.append)
    assert happened == ["fsync", f"<5>disarmed {DOOR}", "fsync", f"<5>armed {DESK}"]
    happened.clear()
    keep_right(*station.arguments, happened.append)
    assert happened == []
