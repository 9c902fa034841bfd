# SPDX-License-Identifier: GPL-3.0-or-later
"""What the terminal shows of phones."""

from __future__ import annotations

import csv
import io
import json

import pytest
from preprovision_service.cli.report import COLUMNS, FORMATS, report
from preprovision_service.store.tables import Customer, Phone

ROWS = [
    {"mac": "00005e005301", "name": "one", "model": "ATA192", "family": "ata19x", "customer": "b", "state": "resynced", "since": 1},
    {"mac": "00005e005302", "name": "=two", "model": "SPA504G", "family": "spa", "customer": "a", "variables": '{"x": "secret"}'},
]


@pytest.fixture
def session(app):
    with app.extensions["sessions"]() as session:
        yield session


def sync_phones(session):
    session.add_all(Phone(**row) for row in ROWS)
    session.commit()


def test_table(session):
    sync_phones(session)
    lines = report(session, "table").splitlines()
    assert lines[0] == "2 phones: 1 expected, 1 resynced"
    assert lines[2].split() == ["name", "model", "mac", "state", "for", "address", "firmware", "what", "to", "do"]
    assert [line.split()[:4] for line in lines[4:]] == [
        ["=two", "SPA504G", "00:00:5e:00:53:02", "expected"],
        ["one", "ATA192", "00:00:5e:00:53:01", "resynced"],
    ]


def test_json_and_csv_contain_the_same(session):
    sync_phones(session)
    found = json.loads(report(session, "json"))
    assert found["counts"]["total"] == 2
    rows = list(csv.DictReader(io.StringIO(report(session, "csv"))))
    assert [row["name"] for row in rows] == ["'=two", "one"]
    assert [[str(phone[name]) for name in COLUMNS if name != "name"] for phone in found["phones"]] == [
        [row[name] for name in COLUMNS if name != "name"] for row in rows
    ]


def test_list_for_remote_customization(session):
    sync_phones(session)
    session.add(Customer(name="b", provisioning_url="https://prov.example.com/$MA.cfg"))
    session.add(Customer(name="a", redirect="https://prov.example.com/"))
    session.commit()
    assert list(csv.DictReader(io.StringIO(report(session, "customization")))) == [
        {
            **{"mac": "00005e005301", "serial": "", "model": "ATA192", "customer": "b"},
            "provisioning_url": "https://prov.example.com/$MA.cfg",
        }
    ]


@pytest.mark.parametrize("form", FORMATS)
def test_reports_contain_no_secrets(session, form):
    sync_phones(session)
    assert "secret" not in report(session, form)


def test_an_empty_database(session):
    assert report(session, "table") == "no phones yet"
    assert json.loads(report(session, "json"))["phones"] == []
