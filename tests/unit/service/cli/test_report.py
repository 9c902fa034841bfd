# SPDX-License-Identifier: GPL-3.0-or-later
"""What the terminal shows of phones."""

from __future__ import annotations

import csv
import io
import json

import pytest
from preprovision_service.cli.report import COLUMNS, FORMATS, MAX_ROWS, report
from preprovision_service.store.filters import set_silent_days
from preprovision_service.store.queries import HomeView
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
        ["one", "ATA192", "00:00:5e:00:53:01", "resynced"],
        ["=two", "SPA504G", "00:00:5e:00:53:02", "expected"],
    ]


def sync_many(session, number):
    """Store *number* phones: one stuck, one failed, and the others expected."""
    for index in range(number):
        mac, customer = f"00005e00{index:04x}", f"customer {index:04}"
        session.add(Phone(mac=mac, name=f"desk-{index}", model="ATA192", family="ata19x", customer=customer, since=index))
    session.flush()
    session.get(Phone, "00005e000005").state = "leased"
    session.get(Phone, "00005e000003").state = "failed"
    session.commit()


def test_a_table_of_many_phones_begins_with_those_that_need_attention_and_ends_soon(session):
    sync_many(session, MAX_ROWS + 10)
    lines = report(session, "table").splitlines()
    assert lines[0] == f"{MAX_ROWS + 10} phones: {MAX_ROWS + 8} expected, 1 leased, 1 failed, 1 stuck"
    newest = [f"desk-{index}" for index in range(MAX_ROWS + 9, 11, -1)]
    assert [line.split()[0] for line in lines[4:-2]] == ["desk-3", "desk-5", *newest]
    assert lines[-1] == "and 10 more; -e report_all=true shows all, -e report_file=phones.csv writes all to a file"


def test_a_table_of_all_phones_has_all(session):
    sync_many(session, MAX_ROWS + 10)
    lines = report(session, "all").splitlines()
    assert [line.split()[0] for line in lines[4:]] == [f"desk-{index}" for index in range(MAX_ROWS + 10)]


def test_json_and_csv_contain_the_same(session):
    sync_phones(session)
    found = json.loads(report(session, "json"))
    assert found["counts"]["total"] == 2
    rows = list(csv.DictReader(io.StringIO(report(session, "csv"))))
    assert [row["name"] for row in rows] == ["'=two", "one"]
    flat = [{**phone, **{f"home_{name}": value for name, value in phone["home"].items()}} for phone in found["phones"]]
    assert set(rows[0]) == set(flat[0]) - {"home"} == {*COLUMNS, *(f"home_{name}" for name in HomeView.__annotations__)} - {"home"}
    assert [[str(phone[name]) for name in rows[0] if name != "name"] for phone in flat] == [
        [row[name] for name in row if name != "name"] for row in rows
    ]


HOME = {
    "home called home": [1_700_100_000_000, "k", "198.51.100.7", "certificate"],
    "home refused": [1_700_100_000_000, "k", "overloaded (HTTP 503, /live/x)", "certificate"],
}
BY_KEY_ID = {"home claimed asked by key id": [1_700_000_060_000, "k", "198.51.100.8", "name"]}


def deploy(session):
    usual = {"model": "ATA192", "family": "ata19x", "since": 1_700_000_000_000}
    shipped = [
        {"name": "calls", "state": "deployed", "firmware": "11-1", "contact": 1_700_100_000_000, "facts": json.dumps(HOME)},
        {"name": "asks", "state": "packed", "asked_by_key_id": 1_700_000_060_000, "facts": json.dumps(BY_KEY_ID)},
        {"name": "silent", "state": "packed"},
    ]
    session.add_all(Phone(**usual, mac=f"00005e00531{number}", **row) for number, row in enumerate(shipped))
    session.commit()


@pytest.fixture
def _silent_after_14_days(app):
    set_silent_days(app.extensions["sessions"], 14)
    yield
    set_silent_days(app.extensions["sessions"], 0)


@pytest.mark.usefixtures("_silent_after_14_days")
def test_shipped_phones_have_columns_of_their_own(session):
    sync_phones(session)
    deploy(session)
    lines = report(session, "table").splitlines()
    assert lines[0] == "5 phones: 1 expected, 1 resynced, 2 packed, 1 deployed, 3 silent"
    start = lines.index("shipped:")
    assert lines[2] == "on the bench:"
    assert lines[start + 1].split()[:6] == ["name", "model", "mac", "state", "called", "home"]
    shown = {line.split()[0]: line for line in lines[start + 3 :]}
    assert "deployed, silent  2023-11-16 " in shown["calls"]
    assert " 198.51.100.7  11-1 " in shown["calls"]
    assert "the server could not answer" in shown["calls"]
    assert "It has not called home for" in shown["calls"]
    assert "unproved 2023-11-14" in shown["asks"]
    assert "by a name that anybody may have overheard" in shown["asks"]
    assert " never " in shown["silent"]
    assert "no request has named it" in shown["silent"]


def test_no_phone_is_silent_where_nobody_would_hear_it(session):
    deploy(session)
    assert report(session, "table").splitlines()[0] == "3 phones: 2 packed, 1 deployed"


def test_csv_and_json_say_who_called_home(session):
    deploy(session)
    row = next(row for row in csv.DictReader(io.StringIO(report(session, "csv"))) if row["name"] == "calls")
    assert (row["home_address"], row["home_evidence"], row["silent"]) == ("198.51.100.7", "certificate", "False")
    phone = next(one for one in json.loads(report(session, "json"))["phones"] if one["name"] == "calls")
    assert (phone["home"]["address"], phone["home"]["failure_claimed"]) == ("198.51.100.7", False)


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
