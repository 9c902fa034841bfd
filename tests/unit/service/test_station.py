# SPDX-License-Identifier: GPL-3.0-or-later
"""What the board, its API and the report say of the station's own services."""

from __future__ import annotations

import json

import pytest
from preprovision_service import station as station_module
from preprovision_service.cli.report import report
from preprovision_service.station import MAX_AGE, SHOWN_SECONDS, read_station

NOW = 1_800_000_000


@pytest.fixture
def written(tmp_path):
    """Write a state, NOW; return what is read SECONDS later."""

    def write(seconds=0, **state):
        path, unit = tmp_path / "state.json", tmp_path / "unit"
        unit.touch()
        path.write_text(json.dumps({"time": NOW, "services": {}, "answers": {}, "restarts": [], **state}))
        return read_station(path, unit, NOW + seconds)

    return write


def test_says_nothing_where_nobody_asks(tmp_path):
    found = read_station(tmp_path / "none", tmp_path / "unit", NOW)
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
    [alert] = read_station(tmp_path / "state.json", tmp_path / "unit", NOW).alerts
    assert alert.cause == "The unit that asks all services whether they answer does not run."


def test_a_restart_is_shown_for_a_while(written):
    restarts = [{"service": "names", "time": NOW, "answer": "does not answer"}]
    [sentence] = written(30, restarts=restarts).restarts
    assert sentence.startswith("The DNS server hung, and was started again at ")
    assert written(SHOWN_SECONDS + 1, restarts=restarts).restarts == ()


def test_the_report_begins_with_it(app, monkeypatch, tmp_path):
    (tmp_path / "unit").touch()
    monkeypatch.setattr(station_module.read_station, "__defaults__", (tmp_path / "none", tmp_path / "unit", None))
    with app.extensions["sessions"]() as session:
        assert report(session, "table").splitlines()[:2] == [
            "Station: The unit that asks all services whether they answer does not run. Start it with 'systemctl start"
            " preprovision-health.service', and read why it stopped with 'journalctl -u preprovision-health.service'.",
            "",
        ]
        assert json.loads(report(session, "json"))["phones"] == []
