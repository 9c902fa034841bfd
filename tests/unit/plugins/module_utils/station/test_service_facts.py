# SPDX-License-Identifier: GPL-3.0-or-later
"""The services of a station: what systemd and the journal say of them."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.station import service_facts
from ansible_collections.voip.preprovision.plugins.module_utils.station.agents.units import Unit
from ansible_collections.voip.preprovision.plugins.module_utils.station.service_facts import (
    parse_complaints,
    read_full_folders,
    read_services,
)

ACTIVE = Unit("active", "", 100, 0, 0)


@pytest.fixture
def station(monkeypatch):
    """Set what systemd says, and what the daemons answer."""

    def show(silent=None, pages=None, **units):
        monkeypatch.setattr(service_facts, "read_units", lambda: units)
        monkeypatch.setattr(
            service_facts, "ask_all", lambda _target, active: {name: (silent or {}).get(name, "") for name in active}
        )
        monkeypatch.setattr(service_facts, "ask_page", lambda _target, path: (pages or {}).get(path, ""))
        monkeypatch.setattr(service_facts.time, "monotonic", lambda: 1000.0)
        return read_services("192.0.2.1")

    return show


def test_a_service_that_does_not_answer_is_hung(station):
    found = station({"names": "does not answer"}, names=ACTIVE, time=ACTIVE)
    assert found["services"] == {"names": "hung", "time": "active"}
    assert found["answers"] == {"names": "does not answer"}


def test_a_service_that_does_not_report_is_hung(station):
    found = station(events=ACTIVE._replace(watchdog=90, reported=954))
    assert found["services"] == {"events": "hung"}
    assert found["answers"] == {"events": "has not reported for 46 seconds"}


def test_a_watch_that_holds_dhcp_says_why(station):
    said = "the DHCP server 192.0.2.9 answers"
    found = station(watch=Unit("activating", said, 0, 30, 0), dhcp=Unit("inactive", "", 0, 0, 0), log=ACTIVE._replace(said="fine"))
    assert found["answers"] == {"watch": said}


def test_asks_for_pages_only_of_servers_that_answer(station):
    pages = {"/board/login": "does not answer"}
    assert station(pages=pages, web=ACTIVE, service=ACTIVE)["pages"] == pages
    assert station({"web": "does not answer"}, pages, web=ACTIVE, service=ACTIVE)["pages"] == {}
    assert station(pages=pages, web=ACTIVE)["pages"] == {}


def test_reads_complaints_of_services_and_of_systemd_about_them():
    lines = [
        {"_SYSTEMD_UNIT": "isc-dhcp-server.service", "PRIORITY": "3", "MESSAGE": "write_lease: No space left on device"},
        {"_SYSTEMD_UNIT": "init.scope", "UNIT": "nginx.service", "PRIORITY": "4", "MESSAGE": "Failed with result 'watchdog'."},
        {"_SYSTEMD_UNIT": "cron.service", "PRIORITY": "3", "MESSAGE": "no"},
        {"_SYSTEMD_UNIT": "unbound.service", "PRIORITY": "3", "MESSAGE": None},
    ]
    found = list(parse_complaints("\n".join([*map(json.dumps, lines), "no JSON"])))
    assert [(one["service"], one["priority"], one["text"]) for one in found] == [
        ("dhcp", 3, "write_lease: No space left on device"),
        ("web", 4, "Failed with result 'watchdog'."),
    ]


@pytest.mark.parametrize(
    ("bytes_left", "files_left", "files", "full"),
    [(4096, 10000, 10000, False), (255, 10000, 10000, True), (4096, 99, 10000, True), (4096, 0, 0, False)],
)
def test_finds_full_file_systems(monkeypatch, bytes_left, files_left, files, full):
    status = SimpleNamespace(f_bavail=bytes_left, f_frsize=4096, f_files=files, f_favail=files_left)
    monkeypatch.setattr(service_facts.os, "statvfs", {"/here": status}.__getitem__)
    assert read_full_folders(["/here"]) == (["/here"] if full else [])


def test_a_folder_that_is_not_there_is_not_full(tmp_path):
    assert read_full_folders([str(tmp_path / "none")]) == []
