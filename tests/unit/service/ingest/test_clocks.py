# SPDX-License-Identifier: GPL-3.0-or-later
"""Events count in the order in which they arrive if the station's clock was wrong, and nothing of a wrong clock stays."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta

import pytest
from preprovision_service.ingest import collector as module
from preprovision_service.ingest.collector import Collector
from preprovision_service.store.connection import open_database
from preprovision_service.store.tables import Event, Lease, Phone
from sqlalchemy import insert, select

ATA, SPA, HERE = "00005e005301", "00005e005302", "192.0.2.20"
RIGHT = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
JUMPS = [timedelta(days=4 * 365), timedelta(hours=1), timedelta(days=-5 * 365)]


def request(status: int = 200, mac: str = ATA) -> dict[str, object]:
    """Return what nginx logs of a request for a phone's profile."""
    path = f"/device/{mac}.cfg"
    record = {"address": HERE, "method": "GET", "uri": path, "file": path, "status": status, "etag": '"65f-1"'}
    return record | ({"refused": "no certificate"} if status == 403 else {})


class Station:
    """A station whose clock can be set: each line arrives when its clock says what is in the line."""

    def __init__(self, sessions) -> None:
        self.sessions, self.collector, self.clock = sessions, Collector(sessions), RIGHT

    def now(self) -> int:
        return int(self.clock.timestamp() * 1000)

    def hear(self, unit: str, message: str) -> None:
        self.clock += timedelta(seconds=1)
        line = {"unit": f"{unit}.service", "time": self.clock.isoformat(timespec="microseconds"), "process": "7", "msg": message}
        self.collector.store_lines([json.dumps(line)])

    def lease(self, mac: str = ATA) -> None:
        colons = ":".join(mac[place : place + 2] for place in range(0, 12, 2))
        self.hear("isc-dhcp-server", f"DHCPACK on {HERE} to {colons} via bench0")

    def fetch(self, status: int = 200, mac: str = ATA) -> None:
        self.hear("nginx", json.dumps(request(status, mac)))

    def phone(self, mac: str = ATA) -> Phone:
        with self.sessions() as session:
            return session.get(Phone, mac)


@pytest.fixture
def station(tmp_path, empty_database, monkeypatch):
    sessions = open_database(f"sqlite:///{shutil.copyfile(empty_database, tmp_path / 'x.sqlite')}")
    found = Station(sessions)
    monkeypatch.setattr(module, "now", found.now)
    with sessions.begin() as session:
        for mac in (ATA, SPA):
            row = {"mac": mac, "name": mac, "model": "ATA192", "family": "ata19x", "since": found.now()}
            session.execute(insert(Phone), [row])
    return found


@pytest.mark.parametrize("jump", JUMPS, ids=["years ahead", "an hour ahead", "years back"])
def test_what_arrives_later_counts_whatever_the_clock_was(station, jump):
    station.clock += jump
    station.lease()
    station.fetch()
    assert station.phone().state == "profile"
    station.clock -= jump
    station.fetch(status=403)
    assert station.phone().state == "failed"
    assert station.phone().since <= station.now()
    station.fetch()
    assert station.phone().state == "profile"
    assert station.now() - station.phone().since < 10_000


@pytest.mark.parametrize("jump", JUMPS[:2], ids=["years ahead", "an hour ahead"])
def test_a_phone_is_late_again_once_the_clock_is_right(station, jump):
    station.lease()
    station.clock += jump
    station.fetch()
    station.clock -= jump
    station.lease()
    assert station.phone().since <= station.now()


@pytest.mark.parametrize("jump", JUMPS[:2], ids=["years ahead", "an hour ahead"])
def test_an_address_goes_to_whoever_got_it_last(station, jump):
    station.clock += jump
    station.lease(ATA)
    station.clock -= jump
    station.lease(SPA)
    station.fetch(mac=SPA, status=403)
    with station.sessions() as session:
        assert session.scalar(select(Lease.mac)) == SPA
        assert [row.mac for row in session.scalars(select(Event).where(Event.kind == "http"))] == [SPA]
    assert station.phone(SPA).state == "failed"
    assert station.phone(ATA).state == "leased"


def test_milestones_of_a_clock_that_was_ahead_are_replaced(station):
    station.clock += JUMPS[0]
    station.lease()
    station.clock -= JUMPS[0]
    station.lease()
    assert 0 < station.phone().first_leased <= station.now()


def test_a_late_line_is_still_late(station):
    station.lease()
    station.fetch()
    station.clock -= timedelta(seconds=30)
    late = station.clock
    station.clock += timedelta(seconds=40)
    stamp = late.isoformat(timespec="microseconds")
    line = {"unit": "nginx.service", "time": stamp, "process": "7", "msg": json.dumps(request(403))}
    station.collector.store_lines([json.dumps(line)])
    assert station.phone().state == "profile"
