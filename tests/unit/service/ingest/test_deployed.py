# SPDX-License-Identifier: GPL-3.0-or-later
"""A station and provisioning servers with one database: what each of them logs leads a phone from the bench to its home."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from preprovision_service.domain.events.logs.evidence import Place
from preprovision_service.ingest.collector import Collector
from preprovision_service.receiving import packing
from preprovision_service.receiving.outcomes import Verdict
from preprovision_service.store.connection import open_database
from preprovision_service.store.filters import Filter
from preprovision_service.store.queries import count_phones, find, timeline
from preprovision_service.store.tables import Event, Lease, Phone
from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session, sessionmaker

MAC = "00005e005301"
BENCH, HOME = "192.0.2.20", "198.51.100.7"
SUBJECT = f"CN=ATA192 {MAC},O=Maker"
Sessions = sessionmaker[Session]


def line(number: int, unit: str, message: str) -> str:
    stamp = f"2026-11-24T12:{number // 60 % 60:02}:{number % 60:02}.000001+00:00"
    return json.dumps({"unit": unit, "time": stamp, "process": "7", "msg": message})


def moment(number: int) -> int:
    return 1795521600000 + number * 1000


def web(number: int, path: str = f"/device/{MAC}.cfg", address: str = HOME, status: int = 200, **more: str) -> str:
    record = {"address": address, "method": "GET", "uri": path, "file": path, "status": status, "etag": '"65f-1"', **more}
    return line(number, "nginx.service", json.dumps(record))


def called(number: int, **more: str) -> str:
    agent = "Cisco/ATA192-MPP-11-1-0MPP-16 (FCH0000D001)"
    return web(number, verify="SUCCESS", subject=SUBJECT, agent=agent, **more)


def says(number: int, what: str, address: str) -> str:
    stamp = f"2026-11-24T12:{number // 60 % 60:02}:{number % 60:02}.000001+00:00"
    message = f"{stamp} {address} local0.info ATA192-MPP 00:00:5e:00:53:01 -- {what} https://192.0.2.1:443/device/{MAC}.cfg"
    return json.dumps({"offset": str(number), "msg": message})


ON_BENCH = [
    line(1, "isc-dhcp-server.service", f"DHCPACK on {BENCH} to 00:00:5e:00:53:01 via bench0"),
    web(4, address=BENCH),
    says(5, "Successful resync", BENCH),
]


@pytest.fixture
def sessions(tmp_path: Path, empty_database: Path) -> Sessions:
    return open_database(f"sqlite:///{shutil.copyfile(empty_database, tmp_path / 'x.sqlite')}")


@pytest.fixture
def collectors(sessions: Sessions) -> tuple[Collector, Collector]:
    """Return those of a station and of a provisioning server."""
    url = str(sessions.kw["bind"].url)
    return Collector(open_database(url)), Collector(open_database(url), place=Place.HOME)


@pytest.fixture
def expected(sessions: Sessions) -> None:
    with sessions.begin() as session:
        row = {"mac": MAC, "name": "phone-1", "model": "ATA192", "family": "ata19x", "since": moment(0)}
        session.execute(insert(Phone), [row])


def phone(sessions: Sessions) -> Phone:
    with sessions() as session:
        return session.scalars(select(Phone)).one()


def pack(sessions: Sessions, number: int) -> None:
    with sessions() as session:
        done = packing.scan_out(session, MAC, MAC, "ann", lambda _mac: ["65f-1"], lambda _mac: None)
        assert done.verdict is Verdict.PACKED
    with sessions.begin() as session:
        session.execute(update(Phone).values(since=moment(number), packed=moment(number)))


@pytest.mark.usefixtures("expected")
def test_from_bench_to_home(sessions: Sessions, collectors: tuple[Collector, Collector]) -> None:
    bench, home = collectors
    bench.store_lines(ON_BENCH)
    pack(sessions, 10)
    states = []
    steps = [
        # Somebody who has its MAC address, and its log line, from home
        (home, web(20, status=403)),
        (home, says(21, "Resync failed:", HOME)),
        (home, called(30)),
        # A late line of the bench, and a renewed lease
        (bench, says(6, "Successful resync", BENCH)),
        (bench, line(40, "isc-dhcp-server.service", f"DHCPACK on {BENCH} to 00:00:5e:00:53:01 via bench0")),
        (home, called(50, address="198.51.100.8")),
    ]
    for collector, one in steps:
        collector.store_lines([one])
        states.append(phone(sessions).state)
    assert states == ["packed", "packed", "deployed", "deployed", "deployed", "deployed"]
    found = phone(sessions)
    assert (found.since, found.packed, found.packed_by) == (moment(30), moment(10), "ann")
    assert (found.contact, found.contact_address, found.address) == (moment(50), "198.51.100.8", BENCH)
    assert (found.firmware, found.subject, found.first_resynced) == ("11-1-0MPP-16", SUBJECT, moment(5))
    with sessions() as session:
        shown = find(session, MAC)
        counts = count_phones(session, Filter())
        places = [event["place"] for event in timeline(session, MAC) if event["kind"] != "packed"]
    assert shown is not None
    assert (shown["stuck"], shown["home"]["evidence"], shown["home"]["failure_claimed"]) == (False, "certificate", True)
    assert (counts.done, counts.stuck, counts.states["deployed"]) == (1, 0, 1)
    assert sorted(places) == ["bench"] * 5 + ["home"] * 4


@pytest.mark.usefixtures("expected")
def test_a_deployed_phone_that_comes_back_starts_over(sessions: Sessions, collectors: tuple[Collector, Collector]) -> None:
    bench, home = collectors
    bench.store_lines(ON_BENCH)
    pack(sessions, 10)
    home.store_lines([called(30)])
    bench.store_lines([line(60, "preprovision-tftp.service", f"sent /run/tftp/ata192.cfg to {BENCH}")])
    assert phone(sessions).state == "bootstrap"
    with sessions() as session:
        assert packing.take_back(session, MAC, "ann").verdict is Verdict.RETURNED
    # Late lines of before
    home.store_lines([called(31)])
    found = phone(sessions)
    assert (found.state, found.contact, found.contact_address, found.packed) == ("expected", 0, "", 0)


@pytest.mark.usefixtures("expected")
def test_an_address_of_the_bench_proves_nothing_at_home(sessions: Sessions, collectors: tuple[Collector, Collector]) -> None:
    bench, home = collectors
    # A customer's network may have the same private addresses, before and after the bench gives one to the phone
    home.store_lines([web(2, address=BENCH)])
    bench.store_lines(ON_BENCH[:1])
    home.store_lines([web(3, address=BENCH, status=503), says(4, "Successful resync", BENCH)])
    bench.store_lines([line(5, "isc-dhcp-server.service", f"DHCPACK on {BENCH} to 00:00:5e:00:53:02 via bench0")])
    found = phone(sessions)
    assert (found.state, found.claimed, found.contact, found.reason) == ("leased", 0, 0, "")
    with sessions() as session:
        at_home = session.scalars(select(Event).where(Event.place == "home")).all()
        assert [lease.mac for lease in session.scalars(select(Lease))] == ["00005e005302"]
    assert [(one.mac, json.loads(one.detail)["evidence"]) for one in at_home] == [(MAC, "claim")] * 3


def test_a_phone_that_calls_before_it_is_known_is_deployed_once_it_is(
    sessions: Sessions, collectors: tuple[Collector, Collector], request: pytest.FixtureRequest
) -> None:
    _bench, home = collectors
    home.store_lines([called(30), web(31, path=f"/service/{MAC}-12345678.cfg")])
    request.getfixturevalue("expected")
    collectors[0].adopt_new_phones()
    found = phone(sessions)
    assert (found.state, found.contact, found.asked_by_key_id) == ("deployed", moment(30), moment(31))


@pytest.mark.usefixtures("expected")
def test_a_phone_that_an_earlier_release_has_packed(sessions: Sessions, collectors: tuple[Collector, Collector]) -> None:
    with sessions.begin() as session:
        session.execute(update(Phone).values(state="packed", since=moment(10), packed=0))
    collectors[1].store_lines([called(9)])
    assert phone(sessions).state == "packed"
    collectors[1].store_lines([called(11)])
    assert phone(sessions).state == "deployed"
