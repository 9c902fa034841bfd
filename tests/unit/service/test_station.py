# SPDX-License-Identifier: GPL-3.0-or-later
"""What the board, its API and the report say of the station's own services and clock."""

from __future__ import annotations

import itertools
import json

import pytest
from preprovision_service import station as station_module
from preprovision_service.cli.report import report
from preprovision_service.domain.events.causes.clocks import NEWEST_EVENTS
from preprovision_service.station import MAX_AGE, SHOWN_SECONDS, read_station
from preprovision_service.store.recent import Recent, read_recent
from preprovision_service.store.tables import Event
from sqlalchemy import insert, text

NOW = 1_800_000_000


@pytest.fixture
def written(tmp_path):
    """Write a state, NOW; return what is read SECONDS later."""

    def write(seconds=0, **state):
        path, unit = tmp_path / "state.json", tmp_path / "unit"
        unit.touch()
        path.write_text(json.dumps({"time": NOW, "services": {}, "answers": {}, "restarts": [], **state}))
        return read_station(Recent(), path, unit, NOW + seconds)

    return write


def test_says_nothing_where_nobody_asks(tmp_path):
    found = read_station(Recent(), tmp_path / "none", tmp_path / "unit", NOW)
    assert (found.services, found.alerts, found.restarts) == ({}, (), ())


def test_says_what_hangs_is_down_or_held_and_what_to_do(written):
    services = {"watch": "activating", "dhcp": "inactive", "names": "hung", "web": "active", "log": "failed"}
    answers = {"watch": "the DHCP server 192.0.2.9 answers", "names": "does not answer"}
    alerts = {alert.service: alert for alert in written(services=services, answers=answers).alerts}
    assert {name: alert.cause for name, alert in alerts.items()} == {
        "dhcp": "The DHCP server is held, since the DHCP server 192.0.2.9 answers.",
        "names": "The DNS server runs, but does not answer.",
        "log": "The log server is failed.",
    }
    assert alerts["names"].remedy.startswith("Restart it with 'systemctl restart unbound.service'")


def test_a_state_that_is_old_or_missing_is_told_instead_of_what_it_says(written, tmp_path):
    services = {"names": "active", "dhcp": "failed"}
    assert [alert.service for alert in written(MAX_AGE, services=services).alerts] == ["dhcp"]
    [alert] = written(MAX_AGE + 1, services=services).alerts
    assert str(alert).startswith(
        "The unit that asks all services whether they answer runs, but has not asked for a while. Restart it"
    )
    (tmp_path / "state.json").write_text("{")
    [alert] = read_station(Recent(), tmp_path / "state.json", tmp_path / "unit", NOW).alerts
    assert alert.cause == "The unit that asks all services whether they answer does not run."


def test_a_restart_is_shown_for_a_while(written):
    restarts = [{"service": "names", "time": NOW, "answer": "does not answer"}]
    [sentence] = written(30, restarts=restarts).restarts
    assert sentence.startswith("The DNS server hung, and was started again at ")
    assert written(SHOWN_SECONDS + 1, restarts=restarts).restarts == ()
    # Of a clock that was ahead
    assert written(-SHOWN_SECONDS - 1, restarts=restarts).restarts == ()


def test_a_clock_is_told_before_the_services(written):
    services, servers = {"names": "failed"}, ["ntp.example.net"]
    found = written(services=services, unfollowed=servers)
    assert [alert.service for alert in found.alerts] == ["clock", "names"]
    assert found.alerts[0].cause == (
        "The time server follows none of its servers (ntp.example.net), so nothing keeps the station's clock right."
    )
    # Nobody has asked for a while
    assert [alert.service for alert in written(MAX_AGE + 1, services=services, unfollowed=servers).alerts] == ["health"]


@pytest.fixture
def store(app):
    """Store an event at each of the times, in seconds since NOW; return what the latest events say."""
    count = itertools.count()

    def add(*times):
        with app.extensions["sessions"]() as session, session.begin():
            rows = [{"key": str(next(count)), "time": (NOW + time) * 1000, "kind": "lease"} for time in times]
            session.execute(insert(Event), rows)
        with app.extensions["sessions"]() as session:
            return read_recent(session)

    return add


def told_of_clock(tmp_path, recent, seconds=0):
    found = read_station(recent, tmp_path / "none", tmp_path / "none", NOW + seconds)
    return [alert.cause for alert in found.alerts]


HOUR, YEARS = 3600, 5 * 365 * 86400


def test_a_clock_five_years_back_is_told_whatever_arrives(store, tmp_path):
    assert told_of_clock(tmp_path, store(0)) == []
    [cause] = told_of_clock(tmp_path, store(-YEARS), -YEARS)
    assert cause.startswith("The station's clock says 2022-01-16, but its software was made after ")
    assert told_of_clock(tmp_path, store(*[-YEARS] * NEWEST_EVENTS), -YEARS) == [cause]
    # And back again
    assert told_of_clock(tmp_path, store(1), 1) == []


def test_a_clock_that_was_an_hour_ahead_is_told_until_enough_has_arrived(store, tmp_path):
    assert told_of_clock(tmp_path, store(HOUR + 1), HOUR + 1) == []
    [cause] = told_of_clock(tmp_path, store(1), 1)
    assert cause == (
        "The station's clock was ahead until it was set back, or it is behind now: the latest events are 1 hour ahead of it."
    )
    assert told_of_clock(tmp_path, store(*[1] * (NEWEST_EVENTS - 2)), 1) == [cause]
    assert told_of_clock(tmp_path, store(1), 1) == []


def test_a_database_that_cannot_be_read_says_nothing_of_the_clock(app, tmp_path):
    with app.extensions["sessions"]() as session:
        session.execute(text("DROP TABLE events"))
        assert read_recent(session) == Recent()


def test_the_report_begins_with_it(app, monkeypatch, tmp_path):
    (tmp_path / "unit").touch()
    monkeypatch.setattr(station_module.read_station, "__defaults__", (tmp_path / "none", tmp_path / "unit", NOW))
    with app.extensions["sessions"]() as session:
        assert report(session, "table").splitlines()[:2] == [
            "Station: The unit that asks all services whether they answer does not run. Start it with 'systemctl start"
            " preprovision-health.service', and read why it stopped with 'journalctl -u preprovision-health.service'.",
            "",
        ]
        assert json.loads(report(session, "json"))["phones"] == []
