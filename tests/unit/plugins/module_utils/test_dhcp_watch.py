# SPDX-License-Identifier: GPL-3.0-or-later
"""The watching service: what it says, how it ends, and that it runs as the package that is put on a station."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ansible_collections.voip.preprovision.plugins.module_utils import dhcp_watch
from ansible_collections.voip.preprovision.plugins.module_utils.dhcp_probe import Offer, ProbeError

ROOT = Path(__file__).parents[4]
ROLE = yaml.safe_load((ROOT / "roles/dhcp_server/vars/main.yml").read_text())
OFFER = Offer("192.0.2.9", "00:00:5e:00:53:09", "192.0.2.9", "offer", "192.0.2.77")


MISSING = "there is no network interface 'nowhere0' on this machine; 'ip -br link' lists those that are"


class Clock:
    """What main() does to the time, and what watch() meets each time: an offer, or how long it runs until it fails."""

    def __init__(self, *events):
        self.now = 0.0
        self.events = list(events)
        self.asked = []

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds

    def watch(self, *arguments):
        *options, on_foreign, self.opened = arguments
        self.asked.append(options)
        event = self.events.pop(0)
        if isinstance(event, Offer):
            on_foreign(event)
        self.now += event
        raise ProbeError("bench0 is down")


@pytest.fixture
def clock(monkeypatch):
    def start(*events):
        clock = Clock(*events)
        monkeypatch.setattr(dhcp_watch, "time", clock)
        monkeypatch.setattr(dhcp_watch, "watch", clock.watch)
        return clock

    return start


def test_another_server_ends_it_with_one_line(clock, capsys):
    asked = clock(OFFER).asked
    assert dhcp_watch.main(["bench0", "60", "192.0.2.2"]) == 3
    assert capsys.readouterr().err == (
        "<1>On bench0 the DHCP server 192.0.2.9 (00:00:5e:00:53:09) offers 192.0.2.77; this station's DHCP server stops\n"
    )
    assert asked == [["bench0", ["192.0.2.2"], 60.0]]


@pytest.mark.parametrize(
    ("events", "seconds"),
    [
        ([0] * 12, 55),
        # It has worked meanwhile
        ([0] * 11 + [100] + [0] * 11, 210),
    ],
)
def test_a_wire_that_cannot_be_watched_for_a_minute_ends_it(clock, capsys, events, seconds):
    time = clock(*events)
    assert dhcp_watch.main(["bench0", "60"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        *["<3>bench0 is down"] * (len(events) - 1),
        "<1>bench0 is down; this station's DHCP server stops, since nobody watches for others",
    ]
    assert (time.now, time.events) == (seconds, [])


def test_a_bridge_that_is_built_anew_does_not(clock):
    clock(0, 0, OFFER)
    assert dhcp_watch.main(["bench0", "60"]) == dhcp_watch.FOREIGN_SERVER


def test_what_systemd_hands_over_is_watched(clock, monkeypatch):
    opened, other = socket.socketpair()
    with opened, other:
        monkeypatch.setenv("LISTEN_FDS", "1")
        monkeypatch.setattr(dhcp_watch, "_FIRST_SOCKET", os.dup(opened.fileno()))
        watched = clock(OFFER)
        dhcp_watch.main(["bench0", "60"])
        with watched.opened:
            other.send(b"frame")
            assert watched.opened.recv(10) == b"frame"


@pytest.fixture
def systemd(tmp_path, monkeypatch):
    """Receives what is said to systemd."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        receiver.settimeout(60)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield receiver


def test_the_interface_is_left_open_with_systemd_in_place_of_an_earlier_one(clock, systemd, monkeypatch):
    opened, other = socket.socketpair()

    def open_later(interface):
        if not time.now:
            raise ProbeError(f"{interface} is not there yet")
        return opened

    time = clock()
    monkeypatch.setattr(dhcp_watch, "open_interface", open_later)
    with opened, other:
        assert dhcp_watch.main(["--open", "bench0"]) == 0
        assert systemd.recv(100) == b"FDSTOREREMOVE=1\nFDNAME=wire"
        said, (left,), _flags, _sender = socket.recv_fds(systemd, 100, 1)
        assert said == b"FDSTORE=1\nFDNAME=wire"
        with socket.socket(fileno=left) as stored:
            other.send(b"frame")
            assert stored.recv(10) == b"frame"
    assert time.now == 5


def test_an_interface_that_cannot_be_opened_for_a_minute_ends_it(clock, capsys):
    time = clock()
    assert dhcp_watch.main(["--open", "nowhere0"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        *[f"<3>{MISSING}"] * 11,
        f"<1>{MISSING}; this station's DHCP server stops, since nobody watches for others",
    ]
    assert time.now == 55


def test_the_files_that_are_put_on_a_station_are_all_that_it_needs(tmp_path):
    package = tmp_path / "preprovision"
    package.mkdir()
    for name in ROLE["__dhcp_server_code"]:
        shutil.copy(ROOT / "plugins/module_utils" / name, package)
    with subprocess.Popen(
        [sys.executable, "-m", "preprovision.dhcp_watch", "nowhere0", "60"],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
    ) as started:
        line = started.stderr.readline()
        started.terminate()
    assert line == f"<3>{MISSING}\n"
