# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures for Prometheus: what they say, and what is left while a part is away, for Prometheus' own parser in scenario fleet."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from preprovision_service.clock import now
from preprovision_service.http import metrics
from preprovision_service.store.tables import Event, Phone

LINE = re.compile(r'(?P<name>preprovision_[a-z_]+)(?:\{(?P<label>[a-z]+)="(?P<value>[^"\\]+)"\})? (?P<figure>[0-9.e+]+)')
HOUR = 3_600_000


def read(app: Flask) -> dict[str, float]:
    """Return the figures by name and label, as ``phones.packed``."""
    answer = app.test_client().get("/metrics")
    assert (answer.status_code, answer.content_type) == (200, metrics.CONTENT_TYPE)
    figures: dict[str, float] = {}
    for line in answer.text.splitlines():
        if not line.startswith("# "):
            found = LINE.fullmatch(line)
            assert found, line
            name = found["name"].removeprefix(metrics.PREFIX) + (f".{found['value']}" if found["value"] else "")
            assert name not in figures
            figures[name] = float(found["figure"])
    return figures


@pytest.fixture
def app(make_app: Callable[..., Flask], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """Return an application on a machine with some phones, events and files."""
    app = make_app()
    monkeypatch.setattr(metrics, "QUEUE", tmp_path / "events.qi")
    monkeypatch.setattr(metrics, "PUBLISHED", tmp_path / "current")
    monkeypatch.setattr(metrics, "CERTIFICATE", tmp_path / "server.pem")
    monkeypatch.setattr(metrics, "DRAINED", {"draining": tmp_path / "drain", "closed": tmp_path / "closed"})
    usual = {"model": "ATA192", "family": "ata19x", "since": now()}
    with app.extensions["sessions"].begin() as session:
        for number, (state, hours) in enumerate([("packed", 0), ("deployed", 0.5), ("deployed", 30), ("deployed", 900)], 1):
            contact = int(now() - hours * HOUR) if hours else 0
            session.add(Phone(mac=f"00005e00530{number}", name=f"p{number}", state=state, contact=contact, **usual))
        for number, (status, hours) in enumerate([(200, 0), (404, 0), (404, 0.5), (404, 2), (503, 0)], 1):
            detail = json.dumps({"status": status, "path": "/x"}, separators=(",", ":"))
            session.add(Event(key=str(number), time=int(now() - hours * HOUR), kind="http", detail=detail))
    return app


def test_phones_and_refusals(app: Flask) -> None:
    found = read(app)
    assert (found["phones.packed"], found["phones.deployed"], found["phones.expected"]) == (1, 3, 0)
    assert [found[f"phones_called_home.{age}"] for age in metrics.CONTACT_SECONDS] == [1, 1, 2, 2]
    assert [found[f"requests_refused.{status}"] for status in metrics.REFUSED_STATUS] == [0, 2, 0, 1]
    assert (found["database_up"], found["database_primary_up"]) == (1, 1)
    assert abs(found["newest_event_timestamp_seconds"] - now() / 1000) < 60
    assert 1000 < now() / 1000 - found["last_contact_timestamp_seconds"] < 2000


def test_the_machine(app: Flask, tmp_path: Path) -> None:
    assert read(app)["state.serving"] == 1
    assert not {"events_queued", "publication_timestamp_seconds", "certificate_end_timestamp_seconds"} & {*read(app)}
    (tmp_path / "events.qi").write_text("<OPB:1:qqueue:1:\n+iQueueSize:2:3:770:\n+tVars.disk.sizeOnDisk:2:4:1340:\n>End\n.\n")
    (tmp_path / "current").symlink_to("generations/1")
    (tmp_path / "drain").touch()
    found = read(app)
    assert (found["state.serving"], found["state.draining"], found["events_queued"]) == (0, 1, 770)
    assert abs(found["publication_timestamp_seconds"] - now() / 1000) < 60


def test_a_database_that_is_away_is_a_figure(app: Flask, database: Path) -> None:
    database.rename(database.with_name("away.sqlite"))
    found = read(app)
    assert (found["database_up"], found["database_primary_up"], found["state.serving"]) == (0, 0, 1)
    assert "phones.packed" not in found


def test_no_phone_is_named(app: Flask) -> None:
    assert "00005e" not in app.test_client().get("/metrics").text.lower()
