# SPDX-License-Identifier: GPL-3.0-or-later
"""What the latest events say of the station: a flood of made-up MAC addresses, which the collector has heard of from dhcpd."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta

import pytest
from preprovision_service.domain.events.causes import flood
from preprovision_service.domain.events.causes.flood import FLOOD_SECONDS, Stranger
from preprovision_service.ingest import collector as module
from preprovision_service.ingest.collector import Collector
from preprovision_service.station import read_station
from preprovision_service.store.connection import open_database
from preprovision_service.store.recent import read_recent
from preprovision_service.store.tables import Phone
from sqlalchemy import insert

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
KNOWN = "00:00:5e:00:53:01"
POOL = 95
"""Addresses for unknown units."""


def moment(at=NOW):
    return int(at.timestamp() * 1000)


def made_up(number):
    return f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}"


class Station:
    """What dhcpd logs, a millisecond after the other."""

    def __init__(self, sessions):
        self.sessions, self.collector, self.lines = sessions, Collector(sessions), []

    def log(self, text, at=NOW):
        stamp = at + timedelta(milliseconds=len(self.lines))
        line = {"unit": "isc-dhcp-server.service", "time": stamp.isoformat(timespec="microseconds"), "process": "7", "msg": text}
        self.lines.append(json.dumps(line))

    def flood(self, count, at=NOW):
        for number in range(count):
            mac = made_up(number)
            if number < POOL:
                self.log(f"DHCPDISCOVER from {mac} via bench0", at)
                self.log(f"DHCPACK on 192.0.2.{number + 150} to {mac} via bench0", at)
            else:
                self.log(f"DHCPDISCOVER from {mac} via bench0: network 192.0.2.0/24: no free leases", at)

    def recent(self, at=NOW):
        self.collector.store_lines(self.lines)
        with self.sessions() as session:
            return read_recent(session, moment(at))

    def alerts(self, tmp_path, at=NOW):
        found = read_station(self.recent(at), tmp_path / "none", tmp_path / "none", at.timestamp())
        return [(alert.service, alert.cause) for alert in found.alerts]


@pytest.fixture
def station(tmp_path, empty_database, monkeypatch):
    monkeypatch.setattr(module, "now", moment)
    sessions = open_database(f"sqlite:///{shutil.copyfile(empty_database, tmp_path / 'x.sqlite')}")
    with sessions.begin() as session:
        row = {"mac": KNOWN.replace(":", ""), "name": "desk-1", "model": "ATA192", "family": "ata19x"}
        session.execute(insert(Phone), [row])
    return Station(sessions)


def test_tells_of_made_up_addresses_until_they_ask_no_more(station, tmp_path):
    station.log(f"DHCPACK on 192.0.2.20 to {KNOWN} via bench0")
    station.flood(2000)
    assert station.alerts(tmp_path, NOW + timedelta(seconds=10)) == [
        (
            "flood",
            "2000 unknown MAC addresses, the latest 02:00:00:00:07:cf, asked for an address within 5 minutes, and 1905 got"
            " none: those for unknown units are used up.",
        )
    ]
    with station.sessions() as session:
        # The known phone has got through
        assert session.get(Phone, KNOWN.replace(":", "")).address == "192.0.2.20"
    assert station.alerts(tmp_path, NOW + timedelta(seconds=FLOOD_SECONDS + 10)) == []


def test_known_phones_and_a_few_others_are_no_flood(station, tmp_path):
    station.flood(40)
    # Its own hint says that it got no address
    station.log(f"DHCPDISCOVER from {KNOWN} via bench0: network 192.0.2.0/24: no free leases")
    assert station.recent().strangers[0] == Stranger("020000000000", False)
    assert len(station.recent().strangers) == 40
    assert station.alerts(tmp_path) == []


def test_who_was_refused_once_counts_once_and_is_the_latest_when_it_asks_again(station):
    first, second = made_up(1), made_up(2)
    station.log(f"DHCPDISCOVER from {first} via bench0: network 192.0.2.0/24: no free leases")
    station.log(f"DHCPDISCOVER from {second} via bench0")
    station.log(f"DHCPDISCOVER from {first} via bench0")
    assert station.recent().strangers == [Stranger("020000000002", False), Stranger("020000000001", True)]


def test_looks_at_a_bounded_number_of_events(station, monkeypatch):
    monkeypatch.setattr(flood, "NEWEST_EVENTS", 100)
    station.flood(300)
    assert [stranger.mac for stranger in station.recent().strangers] == [
        made_up(number).replace(":", "") for number in range(200, 300)
    ]


def test_events_of_a_clock_that_was_ahead_do_not_count(station):
    station.flood(100, NOW + timedelta(hours=1))
    assert station.recent().strangers == []
