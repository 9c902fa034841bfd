# SPDX-License-Identifier: GPL-3.0-or-later
"""The watching service: what it says, how it ends, and that it runs as the package that is put on a station."""

from __future__ import annotations

import os
import shutil
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
        *options, on_foreign = arguments
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
