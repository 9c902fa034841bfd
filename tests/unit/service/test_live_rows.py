# SPDX-License-Identifier: GPL-3.0-or-later
"""The customer's own database is asked when a phone asks, and its last good answer counts while it is away."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from preprovision_service import live_rows
from preprovision_service.store.tables import Phone
from sqlalchemy import select

from ansible_collections.voip.preprovision.plugins.module_utils.phones.row_database import RowDatabase, RowDatabaseError
from ansible_collections.voip.preprovision.plugins.module_utils.phones.rows import PhoneRows
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.flat_profile import parse, values
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.keys import key_id
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.sealing.compression import decompress
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.sealing.model import Digest
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.sealing.openssl_enc import unseal

MAC = "00005e005301"
OTHER = "00005e005302"
QUERY = 'SELECT mac AS phone_mac, model AS phone_model, title AS name, proxy AS "phone_parameters.Proxy_1_" FROM units'
GROUPS = {"all": {"phone_parameters_all": {"Register_Expires_1_": "3600"}}}


@pytest.fixture
def customers(tmp_path: Path) -> Path:
    """Return the customer's database, which spells MAC addresses in its own way."""
    path = tmp_path / "customers.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE units (mac, model, title, proxy)")
        for number in (1, 2):
            connection.execute(
                "INSERT INTO units VALUES (?, 'ATA192', ?, 'sip.example.net')", (f"00-00-5E-00-53-0{number}", f"u{number}")
            )
        connection.commit()
    return path


def change(path: Path, statement: str) -> None:
    """Change the customer's database."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
        connection.commit()


@pytest.fixture
def site(customers: Path, make_app: Callable[..., Flask], sync_phones: Callable[..., None]) -> SimpleNamespace:
    """Return a service that asks it, with the phones published from it as the playbook does, and what a phone gets."""
    url = f"sqlite:///{customers}"
    app = make_app(ROWS={"url": url, "query": QUERY, "password": ""}, PROFILE_PATH="/service/$MA-{key_id}.cfg")

    def publish() -> None:
        phones = {row.name: row.variables for row in PhoneRows(url, QUERY, GROUPS)}
        sync_phones(app, phones, groups=GROUPS)

    def record(mac: str = MAC) -> Any:
        with app.extensions["sessions"]() as session:
            return session.execute(select(Phone.version, Phone.variables, Phone.name).where(Phone.mac == mac)).one()

    def fetch(mac: str = MAC) -> dict[str, str]:
        key = json.loads(record(mac).variables)["phone_profile_key"]
        answer = app.test_client().get(f"/service/{mac}-{key_id(key)}.cfg")
        assert answer.status_code == 200
        return values(parse(decompress(unseal(answer.data, key, Digest.MD5))))

    publish()
    return SimpleNamespace(app=app, publish=publish, record=record, fetch=fetch, customers=customers)


def problems(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return what the service has logged of the database since the last call."""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [line["rows"] for line in lines if "rows" in line]


def test_what_is_unchanged_is_not_written(site: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    before = site.record()
    assert site.fetch()["Proxy_1_"] == "sip.example.net"
    assert (site.record(), problems(capsys)) == (before, [])


def test_a_changed_row_counts_at_once_and_stays(site: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    change(site.customers, "UPDATE units SET proxy = 'sip2.example.net' WHERE title = 'u1'")
    found = site.fetch()
    assert (found["Proxy_1_"], found["Register_Expires_1_"]) == ("sip2.example.net", "3600")
    assert site.fetch(OTHER)["Proxy_1_"] == "sip.example.net"
    stored = site.record()
    site.publish()
    assert site.record() == stored, "the playbook would write it otherwise"
    site.customers.unlink()
    assert site.fetch()["Proxy_1_"] == "sip2.example.net"
    (problem,) = problems(capsys)
    assert problem.startswith(f"the phones' database is not asked for 30 seconds: {site.customers}: SQLite reports: unable to open")


def test_after_a_failure_it_is_left_alone_for_a_while(site: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    away = site.customers.rename(site.customers.with_name("away"))
    site.fetch()
    away.rename(site.customers)
    change(site.customers, "UPDATE units SET proxy = 'sip2.example.net'")
    assert site.fetch()["Proxy_1_"] == "sip.example.net"
    later = time.monotonic() + live_rows.PAUSE_SECONDS
    monkeypatch.setattr(live_rows.time, "monotonic", lambda: later)
    assert site.fetch()["Proxy_1_"] == "sip2.example.net"


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("DELETE FROM units", "the phones' database has no row of it; it keeps its profile until profiles are published"),
        (
            "INSERT INTO units SELECT '0000.5e00.5301', model, 'twin', proxy FROM units WHERE title = 'u1'",
            "its row in the phones' database cannot be used: there is more than one row of it",
        ),
        (
            "UPDATE units SET model = 'ATA999'",
            "its row in the phones' database cannot be used: phone_model: unknown model 'ATA999'",
        ),
        (
            "UPDATE units SET proxy = x'00'",
            "its row in the phones' database cannot be used: the column phone_parameters.Proxy_1_ holds",
        ),
        ("UPDATE units SET title = 'u2'", "its row in the phones' database cannot be used: another phone has its name"),
        ("ALTER TABLE units RENAME COLUMN title TO label", "the phones' database is not asked for 30 seconds: "),
    ],
)
def test_an_unusable_answer_changes_nothing(
    site: SimpleNamespace, capsys: pytest.CaptureFixture[str], statement: str, problem: str
) -> None:
    change(site.customers, statement)
    before = site.record()
    assert site.fetch()["Proxy_1_"] == "sip.example.net"
    assert site.record() == before
    (found,) = problems(capsys)
    assert found.startswith(problem)


def test_a_slow_answer_is_not_awaited(site: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    change(site.customers, "ALTER TABLE units RENAME TO stored")
    change(site.customers, f"CREATE VIEW units AS SELECT mac, model, title, ({endless}) AS proxy FROM stored")  # noqa: S608
    began = time.monotonic()
    assert site.fetch()["Proxy_1_"] == "sip.example.net"
    assert live_rows.ANSWER_SECONDS <= time.monotonic() - began < 4 * live_rows.ANSWER_SECONDS
    (found,) = problems(capsys)
    assert found.endswith("SQLite reports: interrupted")


def test_a_guesser_makes_it_ask_nothing(site: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    site.customers.unlink()
    for path in (f"/service/{MAC}-00000000.cfg", "/service/00005e0053ff-00000000.cfg"):
        assert site.app.test_client().get(path).status_code == 404
    assert problems(capsys) == []


@pytest.mark.parametrize(
    ("url", "query", "message"),
    [
        ("postgresql://me:secret@192.0.2.50/crm", "", "the URL of the phones' database contains a password"),
        ("postgresql://me@192.0.2.50", "", "the URL of the phones' database: it must end with / and the name of the database"),
        ("mysql://me@192.0.2.50/crm", "", "'mysql://' names no database; write sqlite:////FILE or postgresql://HOST/NAME"),
        ("sqlite:////srv/crm.sqlite", "DELETE FROM units", "/srv/crm.sqlite: the query must begin with SELECT or WITH"),
    ],
)
def test_unusable_settings_are_refused(url: str, query: str, message: str) -> None:
    with pytest.raises(RowDatabaseError) as caught:
        RowDatabase(url, query)
    assert str(caught.value).startswith(message)
    assert "secret" not in str(caught.value)
