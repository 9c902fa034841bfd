# SPDX-License-Identifier: GPL-3.0-or-later
"""The watch service: what it logs, how it ends, and that it runs as installed on a station."""

from __future__ import annotations

import dataclasses
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ansible_collections.voip.preprovision.plugins.module_utils.dhcp import watch as dhcp_watch
from ansible_collections.voip.preprovision.plugins.module_utils.dhcp.discovery import Offer, ProbeError
from ansible_collections.voip.preprovision.plugins.module_utils.dhcp.partner import PartnerKey

ROOT = Path(__file__).parents[5]
ROLE = yaml.safe_load((ROOT / "roles/dhcp_server/vars/main.yml").read_text())
OFFER = Offer("192.0.2.9", "00:00:5e:00:53:09", "192.0.2.9", "offer", "192.0.2.77")


MISSING = "this machine has no network interface 'nowhere0'; 'ip -br link' lists its interfaces"


class Clock:
    """What main() does to the time, and what watch() meets each time: an offer, or how long it runs until it fails."""

    def __init__(self, *events):
        self.now = 0.0
        self.events = list(events)
        self.watches = []

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds

    def watch(self, *arguments, partner=None):
        self.partner = partner
        *options, on_foreign, self.opened, self.on_quiet = arguments
        self.watches.append(options)
        event = self.events.pop(0)
        if isinstance(event, Offer):
            on_foreign(event)
        self.now += event
        raise ProbeError("bench0 is down")


@pytest.fixture
def clock(monkeypatch, tmp_path):
    def start(*events):
        monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "run"))
        (tmp_path / "run").mkdir(exist_ok=True)
        clock = Clock(*events)
        monkeypatch.setattr(dhcp_watch, "time", clock)
        monkeypatch.setattr(dhcp_watch, "watch", clock.watch)
        return clock

    return start


def test_a_rogue_server_ends_the_watch_with_one_line(clock, capsys):
    watches = clock(OFFER).watches
    assert dhcp_watch.main(["bench0", "60", "30", "192.0.2.2"]) == 3
    assert capsys.readouterr().err == (
        "<1>On bench0 the DHCP server 192.0.2.9 (00:00:5e:00:53:09) offers 192.0.2.77; this station's DHCP server stops\n"
    )
    assert watches == [["bench0", ["192.0.2.2"], 60.0]]


@pytest.mark.parametrize(
    ("events", "stretches", "seconds"),
    [
        ([0] * 60, 1, 59),
        # It has worked meanwhile
        ([0] * 59 + [100] + [0] * 59, 2, 218),
        # A link that flaps works for moments
        ([0] * 59 + [3] + [0] * 59, 2, 121),
    ],
)
def test_an_interface_that_fails_for_a_minute_ends_the_watch(clock, capsys, events, stretches, seconds):
    time = clock(*events)
    assert dhcp_watch.main(["bench0", "60", "30"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        *["<3>bench0 is down"] * (12 * stretches),
        "<1>bench0 is down; this station's DHCP server stops, since it cannot watch for other servers",
    ]
    assert (time.now, time.events) == (seconds, [])


def test_knows_its_partner_by_the_key_from_systemd(clock, monkeypatch, tmp_path):
    (tmp_path / "key").write_text("secret\n")
    watched = clock(OFFER)
    with (tmp_path / "key").open("rb") as key:
        monkeypatch.setenv("LISTEN_FDS", "1")
        monkeypatch.setenv("LISTEN_FDNAMES", "partner")
        monkeypatch.setattr(dhcp_watch, "_FIRST_SOCKET", key.fileno())
        dhcp_watch.main(["--partner=192.0.2.2", "bench0", "60", "30"])
    assert (watched.partner, watched.watches) == (PartnerKey("192.0.2.2", b"secret"), [["bench0", [], 60.0]])


def test_a_recreated_bridge_does_not_end_the_watch(clock):
    clock(0, 0, OFFER)
    assert dhcp_watch.main(["bench0", "60", "30"]) == dhcp_watch.FOREIGN_SERVER


def test_watches_the_socket_from_systemd(clock, monkeypatch):
    opened, other = socket.socketpair()
    with opened, other:
        monkeypatch.setenv("LISTEN_FDS", "1")
        monkeypatch.setattr(dhcp_watch, "_FIRST_SOCKET", os.dup(opened.fileno()))
        watched = clock(OFFER)
        dhcp_watch.main(["bench0", "60", "30"])
        with watched.opened:
            other.send(b"frame")
            assert watched.opened.recv(10) == b"frame"


@pytest.fixture
def systemd(tmp_path, monkeypatch):
    """Receives notifications to systemd."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        receiver.settimeout(60)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield receiver


REASON = (
    "the DHCP server 192.0.2.9 (00:00:5e:00:53:09) offers 192.0.2.77; it starts by itself when none has answered for 30 seconds"
)


def test_says_what_it_does(clock, systemd):
    clock(0, OFFER)
    assert dhcp_watch.main(["bench0", "60", "30"]) == dhcp_watch.FOREIGN_SERVER
    assert systemd.recv(1000) == b"STATUS=the wire is looked at first"
    # An interface that is down makes it wait, and not hang
    assert systemd.recv(1000) == b"WATCHDOG=1"
    assert systemd.recv(1000).decode() == f"STATUS={REASON}"


@pytest.mark.parametrize(("seconds", "said"), [(4, b"WATCHDOG=1"), (5, b"READY=1\nWATCHDOG=1\nSTATUS=")])
def test_a_look_takes_five_seconds(clock, systemd, tmp_path, seconds, said):
    started = clock()
    hold = dhcp_watch.Hold(tmp_path / "heard", 30)
    started.now = seconds
    dhcp_watch.reporter(hold)()
    assert systemd.recv(1000) == said


def test_is_held_until_none_has_answered_for_a_while(clock, systemd, capsys):
    """The file tells the next start what the last one has heard."""
    started = clock(OFFER, OFFER, 29, 0, OFFER)
    for _start in range(2):
        assert dhcp_watch.main(["bench0", "60", "30"]) == dhcp_watch.FOREIGN_SERVER
        started.now += 10
    assert len(capsys.readouterr().err.splitlines()) == 1
    said = [systemd.recv(1000).decode() for _number in range(4)]
    assert said == ["STATUS=the wire is looked at first", *[f"STATUS={REASON}"] * 3]
    hold = dhcp_watch.Hold(Path(os.environ["RUNTIME_DIRECTORY"], dhcp_watch.HEARD), 30)
    for now, ends in ((39, False), (40, True)):
        started.now = now
        assert hold.ends() is ends
    assert str(hold) == ""
    assert list(Path(os.environ["RUNTIME_DIRECTORY"]).iterdir()) == []


@pytest.mark.parametrize(
    ("seconds", "change", "lines"), [(3599, {}, 1), (3601, {}, 2), (10, {"server_mac": "00:00:5e:00:53:0a"}, 2)]
)
def test_reports_a_server_again_after_an_hour_and_another_one_at_once(clock, capsys, seconds, change, lines):
    started = clock(OFFER, dataclasses.replace(OFFER, **change))
    dhcp_watch.main(["bench0", "60", "30"])
    started.now = seconds
    dhcp_watch.main(["bench0", "60", "30"])
    assert len(capsys.readouterr().err.splitlines()) == lines


@pytest.mark.parametrize("content", ["", "{}", "[1]", "null", "[1, 2, 3, 4, 5]"])
def test_survives_a_damaged_file(tmp_path, content):
    (tmp_path / "heard").write_text(content)
    assert str(dhcp_watch.Hold(tmp_path / "heard", 30)) == ""


def test_stores_the_open_socket_in_systemd_in_place_of_an_earlier_one(clock, systemd, monkeypatch):
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
    assert time.now == 1


def test_an_interface_that_cannot_be_opened_for_a_minute_ends_the_watch(clock, capsys):
    time = clock()
    assert dhcp_watch.main(["--open", "nowhere0"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        *[f"<3>{MISSING}"] * 12,
        f"<1>{MISSING}; this station's DHCP server stops, since it cannot watch for other servers",
    ]
    assert time.now == 59


def test_the_installed_files_are_sufficient(tmp_path):
    package = tmp_path / "preprovision"
    for name in ROLE["__dhcp_server_code"]:
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / f"plugins/module_utils/{name}.py", package / f"{name}.py")
    with subprocess.Popen(
        [sys.executable, "-m", "preprovision.dhcp.watch", "nowhere0", "60", "30"],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
    ) as started:
        line = started.stderr.readline()
        started.terminate()
    assert line == f"<3>{MISSING}\n"
