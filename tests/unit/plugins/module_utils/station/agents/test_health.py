# SPDX-License-Identifier: GPL-3.0-or-later
"""Which daemon is ended, and that it is ended even if it is stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.station.agents import health
from ansible_collections.voip.preprovision.plugins.module_utils.station.agents.health import (
    BUSY_ROUNDS,
    FOLLOW_SECONDS,
    MAX_RESTARTS,
    REMEMBERED,
    SILENT_ROUNDS,
    START_SECONDS,
    Judge,
    TimeSource,
    ask_round,
    end_unit,
    write_state,
)
from ansible_collections.voip.preprovision.plugins.module_utils.station.agents.questions import NO_ANSWER, Target
from ansible_collections.voip.preprovision.plugins.module_utils.station.agents.units import Unit

OLD = {"web": 100.0, "names": 100.0, "service": 100.0, "log": 100.0}


def rounds(judge, *answers, busy=None, ages=None, now=0):
    return [judge.hear({"names": "", **given}, busy or {}, ages or OLD, now) for given in answers]


SILENT = {"names": NO_ANSWER}


@pytest.mark.parametrize(
    ("answers", "ended"),
    [
        ([SILENT] * 3, ["", "", "names"]),
        ([SILENT, SILENT, {"names": f"{NO_ANSWER} (Connection refused)"}], ["", "", "names"]),
        ([SILENT, SILENT, {"names": "does not listen"}], ["", "", "names"]),
        # One answer is enough
        ([SILENT, SILENT, {}, SILENT], [""] * 4),
        # It says what is wrong, so it does not hang
        ([{"names": "answers: the disk is full"}] * 4, [""] * 4),
        # After it was ended, it gets as much time as before
        ([SILENT] * 6, ["", "", "names", "", "", "names"]),
    ],
)
def test_a_daemon_is_ended_when_it_was_silent_several_times_in_a_row(answers, ended):
    assert rounds(Judge(), *answers) == ended


def test_a_daemon_that_has_just_started_is_let_start():
    assert rounds(Judge(), *[SILENT] * 5, ages={"names": START_SECONDS - 1}) == [""] * 5


def test_a_daemon_that_computes_gets_more_time():
    assert rounds(Judge(), *[SILENT] * BUSY_ROUNDS, busy={"names": True}) == [""] * (BUSY_ROUNDS - 1) + ["names"]


def test_one_daemon_is_ended_at_a_time():
    both = {"names": NO_ANSWER, "log": NO_ANSWER}
    assert rounds(Judge(), *[both] * 4) == ["", "", "names", "log"]


def test_the_service_is_not_ended_for_a_web_server_that_hangs():
    both = {"web": NO_ANSWER, "service": NO_ANSWER}
    assert rounds(Judge(), both, both, both, {"web": ""}, {"service": NO_ANSWER}) == ["", "", "web", "", ""]


def test_a_daemon_that_hangs_again_and_again_is_left_alone_for_a_while():
    judge = Judge()
    ended = rounds(judge, *[SILENT] * SILENT_ROUNDS * (MAX_RESTARTS + 2))
    assert ended.count("names") == MAX_RESTARTS
    assert (judge.given_up(), judge.given_up()) == (["names"], [])
    assert rounds(judge, SILENT, now=REMEMBERED) == ["names"]
    assert judge.given_up() == []


def test_restarts_of_a_clock_that_was_ahead_do_not_count():
    judge = Judge()
    ahead = rounds(judge, *[SILENT] * SILENT_ROUNDS * MAX_RESTARTS, now=5 * REMEMBERED)
    assert ahead.count("names") == MAX_RESTARTS
    assert rounds(judge, *[SILENT] * SILENT_ROUNDS, now=0) == ["", "", "names"]
    assert len(judge.restarts) == 1


@pytest.mark.parametrize(
    ("rounds_of", "told"),
    [
        # It never had servers, or follows one
        ([(0, []), (2000, [])], []),
        # A start, and a network that comes late
        ([(0, ["a"]), (FOLLOW_SECONDS - 1, ["a"])], []),
        ([(0, ["a"]), (FOLLOW_SECONDS, ["a"])], ["a"]),
        # The time begins anew when it has followed one
        ([(0, ["a"]), (800, []), (900, ["a"]), (1700, ["a"])], []),
        ([(0, ["a"]), (FOLLOW_SECONDS, ["a"]), (FOLLOW_SECONDS + 10, [])], []),
    ],
)
def test_a_time_server_that_follows_none_of_its_servers_is_told_after_a_while(rounds_of, told):
    source = TimeSource()
    assert [source.hear(servers, now) for now, servers in rounds_of][-1] == told


@pytest.fixture
def unit(tmp_path):
    """A stopped process in a unit of its own, and one outside."""
    (tmp_path / "x.service").mkdir()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        os.kill(process.pid, signal.SIGSTOP)
        (tmp_path / "x.service/cgroup.procs").write_text(f"{process.pid}\n")
        yield process
        process.kill()


def test_ends_stopped_processes_and_only_those_of_the_unit(unit, tmp_path):
    target = Target("192.0.2.1", control_groups=str(tmp_path))
    assert end_unit(target, "y.service") == 0
    assert unit.poll() is None
    assert end_unit(target, "x.service") == 1
    assert unit.wait(60) == -signal.SIGKILL
    assert end_unit(target, "x.service") == 0


def test_does_not_end_a_process_that_has_taken_over_the_number(unit, tmp_path, monkeypatch):
    lists = iter([[unit.pid], []])
    monkeypatch.setattr(health, "_processes", lambda _target, _unit: next(lists))
    assert end_unit(Target("192.0.2.1", control_groups=str(tmp_path)), "x.service") == 0
    assert unit.poll() is None


def test_ends_if_systemd_says_nothing(monkeypatch):
    monkeypatch.setattr(health, "read_units", dict)
    with pytest.raises(SystemExit, match="systemd does not say how the services are"):
        ask_round(Target("192.0.2.1"), Judge(), TimeSource(), str)


@pytest.mark.parametrize(("answer", "written"), [("", ["ntp.example.net"]), (NO_ANSWER, [])])
def test_a_round_writes_down_which_servers_the_time_server_does_not_follow(monkeypatch, tmp_path, answer, written):
    units = {"time": Unit("active", "", 100, 0, 0)}
    monkeypatch.setattr(health, "read_units", lambda: units)
    monkeypatch.setattr(health, "ask_all", lambda _target, active: dict.fromkeys(active, answer))
    monkeypatch.setattr(health, "unfollowed_servers", lambda _target: ["ntp.example.net"])
    monkeypatch.setattr(health, "FOLLOW_SECONDS", 0)
    state = ask_round(Target("192.0.2.1", control_groups=str(tmp_path)), Judge(), TimeSource(), str)
    assert state["unfollowed"] == written


def test_a_round_writes_down_what_it_has_found(monkeypatch, tmp_path):
    units = {
        "watch": Unit("activating", "the DHCP server 192.0.2.9 answers", 0, 30, 0),
        "dhcp": Unit("inactive", "", 0, 0, 0),
        "names": Unit("active", "", 100, 0, 0),
        "web": Unit("active", "", 100, 0, 0),
    }
    ended, said, judge = [], [], Judge()
    monkeypatch.setattr(health, "read_units", lambda: units)
    monkeypatch.setattr(health, "ask_all", lambda _target, active: {name: NO_ANSWER if name == "names" else "" for name in active})
    monkeypatch.setattr(health, "end_unit", lambda _target, unit: ended.append(unit))
    target = Target("192.0.2.1", control_groups=str(tmp_path))
    states = [ask_round(target, judge, TimeSource(), said.append) for _number in range(SILENT_ROUNDS)]
    assert states[0]["services"] == {"watch": "activating", "dhcp": "inactive", "names": "hung", "web": "active"}
    assert states[0]["answers"] == {"watch": "the DHCP server 192.0.2.9 answers", "names": "does not answer"}
    assert (ended, said) == (
        ["unbound.service"],
        ["<1>the DNS server does not answer; it is ended, and systemd starts it again"],
    )
    assert [one["service"] for one in states[-1]["restarts"]] == ["names"]
    write_state(tmp_path / "state.json", states[-1])
    assert json.loads((tmp_path / "state.json").read_text()) == states[-1]
    assert oct((tmp_path / "state.json").stat().st_mode)[-3:] == "644"
