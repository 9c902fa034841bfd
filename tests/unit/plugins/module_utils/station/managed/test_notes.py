# SPDX-License-Identifier: GPL-3.0-or-later
"""A unit's notes say which files it reads, as the shell of the station writes them."""

from __future__ import annotations

import shlex
import subprocess

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.station.managed import notes as subject
from ansible_collections.voip.preprovision.plugins.module_utils.station.managed import units
from ansible_collections.voip.preprovision.plugins.module_utils.station.managed.notes import (
    LOADED,
    STARTED,
    digest_of,
    note_lines,
    notes_of,
    parse_note,
)
from ansible_collections.voip.preprovision.plugins.module_utils.station.managed.plan import Unit

SHA = "a" * 64


def test_reads_a_note():
    note = parse_note(f"0123\n{SHA}  /etc/a file\nsha256sum: /etc/b: Permission denied\n{SHA[1:]}  /etc/c\n")
    assert note == ("0123", {"/etc/a file": SHA})


def test_an_empty_note_is_of_no_unit():
    assert parse_note("") == ("", {})


@pytest.mark.parametrize(
    ("unit", "notes"),
    [
        (Unit("a.timer"), {}),
        (Unit("a.service", note="a.service", digest="d", restart_for=("/x",)), {f"{STARTED}/a.service": ("d", ("/x",))}),
        (
            Unit("a.service", note="a.service", digest="d", restart_for=("/x",), reload_for=("/y",)),
            {f"{STARTED}/a.service": ("d", ("/x",)), f"{LOADED}/a.service": ("-", ("/y",))},
        ),
        (
            Unit("a.service", note="a.service", digest="d", reload_for=("/y",), reload_for_unit=True),
            {f"{LOADED}/a.service": ("d", ("/y",))},
        ),
    ],
)
def test_a_note_is_about_what_one_step_applies(unit, notes):
    assert notes_of(unit) == notes


def test_lines_belong_to_the_unit_s_own_section():
    assert note_lines(Unit("a.socket", digest="d")).startswith("[Socket]\n")
    lines = note_lines(Unit("a.service", note="a.service", digest="d", reload_for=("/y",)))
    assert lines.startswith("[Service]\n")
    assert [line.partition("=")[0] for line in lines.splitlines()[2:]] == ["ExecStartPre", "ExecStartPre", "ExecReload"]


def run_lines(lines: str, directive: str) -> None:
    """Run what systemd would: without its prefixes and escapes, see systemd.service(5)."""
    for line in lines.splitlines():
        if line.startswith(f"{directive}=-+"):
            command = line.removeprefix(f"{directive}=-+").replace("%%", "%").replace("$$", "$")
            subprocess.run(shlex.split(command), check=True)


@pytest.fixture
def unit(tmp_path, monkeypatch) -> Unit:
    """A unit that reads a folder of code and a file, and whose notes lie in a folder of the test."""
    monkeypatch.setattr(subject, "STARTED", str(tmp_path / "run/started"))
    for module in (subject, units):
        monkeypatch.setattr(module, "LOADED", str(tmp_path / "run/loaded"))
    (tmp_path / "release/__pycache__").mkdir(parents=True)
    (tmp_path / "code").symlink_to("release")
    for name in ("release/a.py", "release/b c.py", "release/__pycache__/a.pyc", "conf", "rules"):
        (tmp_path / name).write_text(name)
    return Unit(
        "a.service",
        note="a.service",
        digest=digest_of("[Unit]\n"),
        restart_for=(str(tmp_path / "code"), str(tmp_path / "conf")),
        reload_for=(str(tmp_path / "rules"),),
    )


STATE = {"LoadState": "loaded", "ActiveState": "active", "UnitFileState": "enabled", "NeedDaemonReload": "no"}


def steps(unit: Unit, **state: str) -> list[str]:
    return [step.describe() for step in units.plan_steps(unit, {**STATE, **state})]


def test_a_unit_that_noted_what_is_on_disk_is_left_alone(unit):
    run_lines(note_lines(unit), "ExecStartPre")
    assert steps(unit) == []


def test_a_unit_that_started_without_its_lines_is_restarted(unit):
    assert steps(unit) == ["restarted a.service: it did not record which files it started with"]


@pytest.mark.parametrize(
    ("name", "verb"), [("release/a.py", "restarted"), ("release/b c.py", "restarted"), ("conf", "restarted"), ("rules", "reloaded")]
)
@pytest.mark.parametrize("change", ["edit", "empty", "remove"])
def test_a_unit_that_runs_with_other_files_is_restarted_or_reloaded(unit, tmp_path, name, verb, change):
    run_lines(note_lines(unit), "ExecStartPre")
    path = tmp_path / name
    if change == "remove":
        path.unlink()
    else:
        path.write_text("" if change == "empty" else "other")
    known = tmp_path / name.replace("release", "code")
    assert steps(unit) == [f"{verb} a.service: it runs with another {known}"]
    run_lines(note_lines(unit), "ExecStartPre" if verb == "restarted" else "ExecReload")
    assert steps(unit) == []


def test_a_reload_does_not_hide_that_a_restart_is_due(unit, tmp_path):
    run_lines(note_lines(unit), "ExecStartPre")
    (tmp_path / "conf").write_text("other")
    run_lines(note_lines(unit), "ExecReload")
    assert steps(unit) == [f"restarted a.service: it runs with another {tmp_path}/conf"]


def test_compiled_code_does_not_count(unit, tmp_path):
    run_lines(note_lines(unit), "ExecStartPre")
    (tmp_path / "release/__pycache__/a.pyc").write_text("other")
    assert steps(unit) == []


def test_a_unit_that_systemd_had_loaded_earlier_is_restarted(unit):
    run_lines(note_lines(Unit(**{**unit.__dict__, "digest": digest_of("earlier")})), "ExecStartPre")
    assert steps(unit) == ["restarted a.service: it was started with another unit"]


@pytest.mark.parametrize(
    ("wanted", "state", "expected"),
    [
        ({"enabled": True, "state": "started"}, {}, []),
        ({"enabled": True, "state": "started"}, {"ActiveState": "inactive", "UnitFileState": "disabled"}, ["enabled", "started"]),
        ({"enabled": True, "state": "started"}, {"ActiveState": "failed"}, ["started"]),
        ({"enabled": True, "state": "started"}, {"ActiveState": "activating"}, []),
        (
            {"enabled": True, "state": "started"},
            {"LoadState": "masked", "ActiveState": "inactive", "UnitFileState": "masked"},
            ["unmasked", "enabled", "started"],
        ),
        ({"enabled": False, "state": "stopped"}, {}, ["disabled", "stopped"]),
        ({"enabled": False, "state": "stopped"}, {"LoadState": "not-found", "ActiveState": "inactive", "UnitFileState": ""}, []),
        ({}, {"ActiveState": "inactive"}, []),
        ({"holds": "true"}, {}, []),
        ({"holds": "false"}, {}, ["restarted"]),
        ({"holds": "false"}, {"ActiveState": "inactive"}, []),
    ],
)
def test_enables_starts_and_stops(wanted, state, expected):
    assert [text.split()[0] for text in steps(Unit("a.service", **wanted), **state)] == expected


TABLE = """\
table inet preprovision {
\tset caught {
\t\ttype ipv4_addr
\t\tsize 65535
\t}

\tchain input {
\t\ttype filter hook input priority filter - 10; policy accept;
\t\tiifname "lo" accept
\t}

\tchain limits {
\t\tip saddr @caught drop
\t}
}
"""


@pytest.mark.parametrize(
    ("change", "holds"),
    [
        (("", ""), True),
        (("\t\tip saddr @caught drop\n", ""), False),
        (("\t\tiifname", "\t\taccept\n\t\tiifname"), False),
        (("\t\tsize 65535\n", ""), False),
        (("\tchain limits {", "\tchain earlier {\n\t}\n\n\tchain limits {"), True),
        (
            (
                "\tchain limits {",
                "\tchain earlier {\n\t\ttype filter hook input priority filter; policy accept;\n\t}\n\n\tchain limits {",
            ),
            True,
        ),
        (("\tchain limits {", "\tchain added {\n\t\taccept\n\t}\n\n\tchain limits {"), False),
        ((TABLE, ""), False),
    ],
)
def test_compares_tables_of_nftables(change, holds):
    assert units.holds_table(TABLE.replace(*change), TABLE) is holds
