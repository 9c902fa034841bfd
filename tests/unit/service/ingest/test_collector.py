# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines become events and states, once each, for any content and any failure of the database."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
import syslog
import threading
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from preprovision_service.domain.common.database_faults import Case, describe
from preprovision_service.domain.common.mac import Mac
from preprovision_service.domain.events.logs.log_lines import UNITS
from preprovision_service.domain.events.progress.observations import reset, write_observations
from preprovision_service.ingest import collector as module
from preprovision_service.ingest.collector import Collector
from preprovision_service.ingest.errors import RetryLater
from preprovision_service.ingest.omprog import BEGIN, COMMIT, OmprogSession, read_lines
from preprovision_service.store.connection import engine_of, open_database
from preprovision_service.store.resets import reset_values
from preprovision_service.store.tables import Base, Event, Lease, Phone
from sqlalchemy import delete, insert, select, update

ATA, SPA = "00005e005301", "00005e005302"
HERE, THERE = "192.0.2.20", "192.0.2.155"


def line(number, unit, message):
    stamp = f"2026-11-24T12:{number // 60 % 60:02}:{number % 60:02}.000001+00:00"
    return json.dumps({"unit": unit, "time": stamp, "process": "7", "msg": message})


def moment(number):
    return 1795521600000 + number * 1000


def lease(number, mac=ATA, address=HERE):
    colons = ":".join(mac[place : place + 2] for place in range(0, 12, 2))
    return line(number, "isc-dhcp-server.service", f"DHCPACK on {address} to {colons} via bench0")


def tftp(number, path="/ata192.cfg", address=HERE):
    return line(number, "preprovision-tftp.service", f"sent /run/tftp{path} to {address}")


def http(number, mac=ATA, address=HERE, status=200, **more):
    path = f"/device/{mac}.cfg"
    record = {"address": address, "method": "GET", "uri": path, "file": path, "status": status, "etag": '"65f-1"', **more}
    return line(number, "nginx.service", json.dumps(record))


def phone_says(number, what, mac=ATA, address=HERE):
    colons = ":".join(mac[place : place + 2] for place in range(0, 12, 2))
    stamp = f"2026-11-24T12:{number // 60 % 60:02}:{number % 60:02}.000001+00:00"
    message = f"{stamp} {address} local0.info ATA192-MPP {colons} -- {what} https://192.0.2.1:443/device/{mac}.cfg"
    return json.dumps({"offset": str(number), "msg": message})


def unit_file(number, mac=ATA, name="ata192.cfg", address=HERE):
    return tftp(number, f"/{Mac(mac).dash}/{name}", address)


def arming(number, what, mac=ATA):
    return line(number, "preprovision-arming.service", f"{what} {Mac(mac).dash}")


def by_tftp(number, what="Successful resync", mac=ATA, address=HERE):
    return phone_says(number, what, mac, address).replace(f"https://192.0.2.1:443/device/{mac}.cfg", "tftp://192.0.2.1/ata192.cfg")


WALK = [lease(1), tftp(2), phone_says(3, "Requesting resync"), http(4), phone_says(5, "Successful resync")]


@pytest.fixture
def sessions(tmp_path, empty_database):
    return open_database(f"sqlite:///{shutil.copyfile(empty_database, tmp_path / 'x.sqlite')}")


@pytest.fixture
def logged(monkeypatch):
    logged = []
    monkeypatch.setattr(syslog, "syslog", lambda _priority, text: logged.append(text))
    return logged


def expect(sessions, *macs, **columns):
    with sessions.begin() as session:
        for mac in macs:
            row = {"mac": mac, "name": f"phone-{mac}", "model": "ATA192", "family": "ata19x", "since": moment(0), **columns}
            session.execute(insert(Phone), [row])


def rows(sessions, entity=Phone):
    with sessions() as session:
        return session.scalars(select(entity)).all()


def state(sessions, mac=ATA):
    with sessions() as session:
        return session.get(Phone, mac).state


def test_follows_a_phone_to_the_end(sessions):
    expect(sessions, ATA)
    collector = Collector(sessions)
    states = []
    for one in WALK:
        collector.store_lines([one])
        states.append(state(sessions))
    assert states == ["leased", "bootstrap", "bootstrap", "profile", "resynced"]
    phone = rows(sessions)[0]
    assert (phone.since, phone.address, phone.profile_hash, phone.customization) == (moment(5), HERE, "65f-1", "Aborted")
    assert [row.kind for row in rows(sessions, Event)] == ["lease", "tftp", "resync", "http", "resync"]
    assert [(row.address, row.mac, row.since) for row in rows(sessions, Lease)] == [(HERE, ATA, moment(1))]


def test_follows_a_phone_with_one_file_by_tftp(sessions):
    expect(sessions, ATA, unit_file="model")
    collector = Collector(sessions)
    states = []
    lines = [arming(0, "armed"), lease(1), unit_file(2), by_tftp(5), arming(610, "disarmed"), tftp(700), by_tftp(701)]
    for one in lines:
        collector.store_lines([one])
        states.append(state(sessions))
    assert states == ["expected", "leased", "profile", "resynced", "resynced", "bootstrap", "bootstrap"]
    assert [row.kind for row in rows(sessions, Event)] == ["arming", "lease", "tftp", "resync", "arming", "tftp", "resync"]
    assert {row.mac for row in rows(sessions, Event)} == {ATA}
    phone = rows(sessions)[0]
    assert (phone.done, phone.first_profile, phone.first_resynced) == (moment(5), moment(2), moment(5))


def test_the_folder_of_a_unit_counts_before_the_lease_of_its_address(sessions):
    expect(sessions, ATA, SPA)
    Collector(sessions).store_lines([lease(1), lease(2, SPA, THERE), unit_file(3, SPA, address=HERE)])
    assert (state(sessions), state(sessions, SPA)) == ("leased", "profile")


def test_a_phone_that_does_not_log_is_done_with_its_file(sessions):
    expect(sessions, ATA, logs=0)
    Collector(sessions).store_lines([lease(1), unit_file(2)])
    phone = rows(sessions)[0]
    assert (phone.state, phone.done, phone.first_resynced) == ("resynced", moment(2), moment(2))


def test_a_phone_that_is_told_not_to_log_afterwards_is_done_too(sessions):
    expect(sessions, ATA)
    collector = Collector(sessions)
    collector.store_lines([lease(1), unit_file(2)])
    with sessions.begin() as session:
        session.execute(update(Phone).values(logs=0))
    collector.adopt_new_phones()
    assert (state(sessions), rows(sessions)[0].done) == ("resynced", moment(2))


def test_the_models_file_is_not_the_own_one_of_a_phone_with_another_name(sessions):
    expect(sessions, ATA, unit_file="own", logs=0)
    collector = Collector(sessions)
    collector.store_lines([lease(1), unit_file(2, name="000000000000.cfg")])
    assert state(sessions) == "leased"
    collector.store_lines([unit_file(3, name=f"{ATA}-config.cfg")])
    assert state(sessions) == "resynced"


def test_a_phone_stays_done_until_it_is_reset(sessions):
    expect(sessions, ATA)
    collector = Collector(sessions)
    collector.store_lines(WALK)
    collector.store_lines([phone_says(9, "Resync failed:")])
    assert (state(sessions), rows(sessions)[0].done) == ("failed", moment(5))
    collector.store_lines([tftp(20), http(21), phone_says(22, "Successful resync")])
    assert (state(sessions), rows(sessions)[0].done) == ("resynced", moment(5))
    with sessions.begin() as session:
        session.execute(update(Phone).values(reset_values(moment(30))))
    collector.store_lines([phone_says(23, "Successful resync")])
    assert (state(sessions), rows(sessions)[0].done) == ("expected", 0)


def test_what_the_station_does_is_no_reason_to_look_at_a_phone_again(sessions, monkeypatch):
    expect(sessions, ATA)
    collector = Collector(sessions)
    collector.store_lines([arming(1, "armed")])
    looked_at = []
    monkeypatch.setattr(collector, "_update_phones", lambda _connection, events: looked_at.extend(events))
    collector.adopt_new_phones()
    assert looked_at == []


def test_stores_repeated_lines_once(sessions):
    expect(sessions, ATA)
    Collector(sessions).store_lines(WALK)
    before = [(row.id, row.key) for row in rows(sessions, Event)]
    Collector(sessions).store_lines([*WALK, *WALK])
    Collector(sessions).store_lines(WALK[:2])
    assert [(row.id, row.key) for row in rows(sessions, Event)] == before
    assert state(sessions) == "resynced"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(
    st.permutations(
        [*WALK, lease(6, SPA, THERE), tftp(7, "/spa504G.cfg", THERE), phone_says(8, "Resync failed:", SPA, THERE), lease(20)]
    ),
    st.integers(1, 4),
)
def test_ignores_order_and_batches(sessions, lines, size):
    with sessions.begin() as session:
        for entity in (Event, Lease, Phone):
            session.execute(delete(entity))
    expect(sessions, ATA, SPA)
    collector = Collector(sessions)
    for first in range(0, len(lines), size):
        collector.store_lines(lines[first : first + size])
    assert {row.mac: row.state for row in rows(sessions)} == {ATA: "resynced", SPA: "failed"}
    first = {row.mac: (row.first_leased, row.first_profile, row.first_resynced) for row in rows(sessions)}
    assert first == {ATA: (moment(1), moment(4), moment(5)), SPA: (moment(6), 0, 0)}
    assert all(row.mac for row in rows(sessions, Event))


def test_an_address_may_move_to_another_phone(sessions):
    expect(sessions, ATA, SPA)
    Collector(sessions).store_lines([lease(1), tftp(2), lease(10, SPA), tftp(11, "/spa504G.cfg"), tftp(5, "/again.cfg")])
    assert [row.mac for row in rows(sessions, Event)] == [ATA, ATA, SPA, SPA, ATA]
    assert [(row.mac, row.since) for row in rows(sessions, Lease)] == [(SPA, moment(10))]


def test_prefers_certificate_over_lease_over_path(sessions):
    expect(sessions, ATA, SPA)
    proved = http(2, SPA, verify="SUCCESS", subject=f"SN={SPA}")
    Collector(sessions).store_lines([lease(1), proved, http(3, SPA), http(4, SPA, "192.0.2.99", status=403)])
    assert [row.mac for row in rows(sessions, Event)] == [ATA, SPA, ATA, SPA]
    # A claim without proof makes no phone fail
    assert state(sessions, SPA) == "profile"


ABROAD = "192.0.2.99"


def evidence(sessions):
    return [json.loads(row.detail).get("evidence") for row in rows(sessions, Event)]


def test_stores_how_it_is_known_whose_an_event_is(sessions):
    expect(sessions, ATA)
    proved = http(2, verify="SUCCESS", subject=f"SN={ATA}")
    Collector(sessions).store_lines([lease(1), proved, unit_file(3), http(4), phone_says(5, "Successful resync")])
    assert evidence(sessions) == [None, "certificate", "tftp", "address", "address"]
    Collector(sessions).store_lines(
        [http(6, address=ABROAD), phone_says(7, "Successful resync", address=ABROAD), tftp(8, address=ABROAD)]
    )
    assert evidence(sessions)[5:] == ["claim", "claim", None]


def test_a_phone_that_never_came_up_is_only_claimed(sessions):
    """One request for its profile, and one line by UDP, from any address."""
    expect(sessions, ATA, unit_file="model")
    Collector(sessions).store_lines([http(4, address=ABROAD), phone_says(5, "Successful resync", address=ABROAD)])
    phone = rows(sessions)[0]
    assert (phone.state, phone.claimed, phone.address) == ("resynced", 1, "")
    # Nor is its file taken away, nor does it count in a batch
    assert (phone.done, phone.first_profile, phone.first_resynced) == (0, 0, 0)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(
    st.permutations([*WALK, http(6, address=ABROAD, etag='"x"'), phone_says(7, "Resync failed:", address=ABROAD)]),
    st.integers(1, 4),
)
def test_claims_do_not_count_beside_a_lease_in_any_order(sessions, lines, size):
    with sessions.begin() as session:
        for entity in (Event, Lease, Phone):
            session.execute(delete(entity))
    expect(sessions, ATA)
    collector = Collector(sessions)
    for first in range(0, len(lines), size):
        collector.store_lines(lines[first : first + size])
    phone = rows(sessions)[0]
    assert (phone.state, phone.claimed, phone.address, phone.done) == ("resynced", 0, HERE, moment(5))
    assert (phone.profile_hash, phone.first_profile, phone.first_resynced) == ("65f-1", moment(4), moment(5))
    known = {json.loads(row.detail)["evidence"] for row in rows(sessions, Event) if row.kind != "lease" and row.address == HERE}
    assert known == {"address"}


@pytest.mark.parametrize("lines", [[lease(9), phone_says(5, "Successful resync")], [phone_says(5, "Successful resync"), lease(9)]])
def test_the_journal_may_be_late_with_the_lease(sessions, lines):
    expect(sessions, ATA)
    for one in lines:
        Collector(sessions).store_lines([one])
    assert [(row.state, row.claimed) for row in rows(sessions)] == [("resynced", 0)]
    # But not with that of another phone, nor by minutes
    Collector(sessions).store_lines([lease(200, SPA, THERE), phone_says(100, "Resync failed:", ATA, THERE)])
    assert evidence(sessions)[-2:] == [None, "claim"]
    Collector(sessions).store_lines([phone_says(100, "Resync failed:", SPA, THERE), lease(300, SPA, THERE)])
    assert "claim" in evidence(sessions)[-2:]


def test_a_line_that_names_another_phone_stays_a_claim(sessions):
    expect(sessions, ATA, SPA)
    Collector(sessions).store_lines([phone_says(5, "Successful resync", SPA), lease(1)])
    assert [(row.state, row.claimed) for row in rows(sessions)] == [("leased", 0), ("resynced", 1)]


def test_marks_of_earlier_releases_are_still_claims(sessions):
    with sessions.begin() as session:
        detail = {"method": "GET", "path": f"/device/{ATA}.cfg", "status": 200, "what": "file", "claimed": 1}
        session.add(Event(key="1", time=moment(1), mac=ATA, address=ABROAD, kind="http", detail=json.dumps(detail)))
    expect(sessions, ATA)
    Collector(sessions).adopt_new_phones()
    assert [(row.state, row.claimed) for row in rows(sessions)] == [("profile", 1)]


def test_applies_earlier_events_to_a_new_phone(sessions):
    collector = Collector(sessions)
    collector.store_lines(WALK[:4])
    expect(sessions, ATA)
    collector.adopt_new_phones()
    assert state(sessions) == "profile"
    expect(sessions, SPA)
    collector.store_lines([lease(30, SPA, THERE)])
    assert state(sessions, SPA) == "leased"


def test_a_phone_that_starts_over(sessions):
    expect(sessions, ATA)
    collector = Collector(sessions)
    collector.store_lines(WALK)
    with sessions.begin() as session:
        session.execute(update(Phone).values(state="expected", since=moment(10), facts=write_observations(reset(moment(10)))))
    collector.store_lines([phone_says(6, "Successful resync"), lease(11)])
    collector.adopt_new_phones()
    assert state(sessions) == "leased"


def test_packed_phones_stay_packed(sessions):
    expect(sessions, ATA, state="packed")
    with sessions.begin() as session:
        session.execute(update(Phone).values(since=moment(50), packed_by="eve"))
    Collector(sessions).store_lines([*WALK, lease(55)])
    phone = rows(sessions)[0]
    assert (phone.state, phone.since, phone.packed_by, phone.address) == ("packed", moment(50), "eve", HERE)


def test_a_repeated_failure_does_not_change_the_state(sessions):
    expect(sessions, ATA)
    collector = Collector(sessions)
    for number in (1, 2, 3):
        collector.store_lines([phone_says(number, "Resync failed:")])
    assert rows(sessions)[0].since == moment(1)


def test_discards_the_oldest_events(sessions):
    collector = Collector(sessions, keep=10)
    for first in range(0, 100, 10):
        collector.store_lines([lease(number) for number in range(first, first + 10)])
    assert [row.time for row in rows(sessions, Event)] == [moment(number) for number in range(90, 100)]


def test_logs_do_not_displace_scans(sessions):
    def scan(*numbers):
        with sessions.begin() as session:
            session.add_all(Event(key=f"scan-{number}", time=number, mac=ATA, kind="packed") for number in numbers)

    def scans():
        return [row.time for row in rows(sessions, Event) if row.kind == "packed"]

    collector = Collector(sessions, keep=10)
    scan(1, 2)
    for first in range(0, 100, 10):
        collector.store_lines([lease(number) for number in range(first, first + 10)])
    assert scans() == [1, 2]
    scan(*range(3, 15))
    collector.store_lines([lease(number) for number in range(100, 110)])
    assert scans() == list(range(5, 15))
    assert [row.time for row in rows(sessions, Event) if row.kind == "lease"] == [moment(number) for number in range(100, 110)]


def test_secrets_and_markup_in_log_lines_are_only_text(sessions):
    expect(sessions, ATA)
    Collector(sessions).store_lines(
        [lease(1), http(2, agent="<script>\x00\ud800[--key Geheim7]", status=403, refused="not by HTTPS")]
    )
    kept = rows(sessions, Event)[-1].detail
    assert "Geheim7" not in kept
    assert json.loads(kept)["agent"] == r"<script>\x00\ud800[--key ****]"


def test_waits_for_a_missing_database(tmp_path):
    path = tmp_path / "none.sqlite"
    collector = Collector(open_database(f"sqlite:///{path}"))
    with pytest.raises(RetryLater, match="deleted or emptied \\(there is no file\\)"):
        collector.store_lines(WALK)
    assert not path.exists()
    path.touch()
    with pytest.raises(RetryLater, match=r"none.sqlite was deleted or emptied \(it has no tables\)"):
        collector.store_lines(WALK)


def test_keeps_lines_while_the_database_is_damaged(logged, tmp_path):
    path = tmp_path / "damaged.sqlite"
    path.write_bytes(b"no database " * 1000)
    collector = Collector(open_database(f"sqlite:///{path}"))
    with pytest.raises(RetryLater, match="not a database"):
        collector.store_lines(WALK)
    assert logged == []


def test_creates_no_empty_database(tmp_path):
    path = tmp_path / "none.sqlite"
    collector = Collector(open_database(f"sqlite:///{path}"))
    collector._check_file = lambda: None
    with pytest.raises(RetryLater, match="unable to open"):
        collector.store_lines(WALK)
    assert not path.exists()


def test_uses_a_database_that_replaced_the_old_one(sessions, tmp_path):
    collector = Collector(sessions)
    collector.store_lines(WALK)
    other = open_database(f"sqlite:///{tmp_path}/y.sqlite", create=True)
    Base.metadata.create_all(engine_of(other))
    with engine_of(other).connect() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode=DELETE")
    for end in ("", "-wal", "-shm"):
        (tmp_path / f"x.sqlite{end}").unlink(missing_ok=True)
    (tmp_path / "y.sqlite").rename(tmp_path / "x.sqlite")
    collector.store_lines(WALK[:2])
    again = open_database(f"sqlite:///{tmp_path}/x.sqlite")
    assert len(rows(again, Event)) == 2


def test_waits_for_a_locked_database(sessions, monkeypatch):
    expect(sessions, ATA)
    url = str(engine_of(sessions).url)
    monkeypatch.setattr(module, "_LOCK_SECONDS", 0)
    collector = Collector(open_database(url))
    with engine_of(open_database(url)).connect() as holder:
        holder.exec_driver_sql("BEGIN IMMEDIATE")
        with pytest.raises(RetryLater, match="locked"):
            collector.store_lines(WALK)
        holder.exec_driver_sql("ROLLBACK")
    collector.store_lines(WALK)
    assert state(sessions) == "resynced"


def test_skips_only_the_line_that_causes_an_error(sessions, logged, monkeypatch):
    expect(sessions, ATA)
    apply_events = module.apply_events

    def troubled(facts, events, mac, serial):
        if any(one.kind == "tftp" for one in events):
            raise RuntimeError("a mistake")
        return apply_events(facts, events, mac, serial)

    monkeypatch.setattr(module, "apply_events", troubled)
    Collector(sessions).store_lines(WALK)
    assert [row.kind for row in rows(sessions, Event)] == ["lease", "resync", "http", "resync"]
    assert logged == ["skipped a line that caused an error: RuntimeError"]


def test_survives_a_bug_in_the_parser(sessions, logged, monkeypatch):
    monkeypatch.setattr(module, "parse", lambda _line: {}["x"])
    Collector(sessions).store_lines(WALK)
    assert rows(sessions, Event) == []
    assert len(logged) == len(WALK)


def hold(collector, *lines):
    answers = io.BytesIO()
    dialogue = OmprogSession(collector, answers)
    dialogue.start()
    for one in lines:
        dialogue.handle_line(one if isinstance(one, bytes) else one.encode())
    return answers.getvalue().decode().splitlines()


def test_talks_to_rsyslog(sessions):
    expect(sessions, ATA)
    answers = hold(Collector(sessions), BEGIN, *WALK[:2], COMMIT, WALK[2], b"\xff\x00 rubbish", BEGIN, COMMIT)
    assert answers == ["OK", "OK", "DEFER_COMMIT", "DEFER_COMMIT", "OK", "OK", "OK", "OK", "OK"]
    assert len(rows(sessions, Event)) == 3


def test_stores_bytes_that_are_no_text(sessions):
    expect(sessions, ATA)
    request = http(1, status=404).encode().replace(b".cfg", b".cfg\xff")
    assert hold(Collector(sessions), request) == ["OK", "OK"]
    (event,) = rows(sessions, Event)
    assert json.loads(event.detail)["path"] == rf"/device/{ATA}.cfg\xff"


def test_refuses_a_commit_without_its_transaction(sessions):
    assert hold(Collector(sessions), COMMIT, BEGIN, COMMIT) == ["OK", "error: no transaction is open", "OK", "OK"]


def test_asks_rsyslog_to_repeat_a_batch(sessions, logged, tmp_path):
    expect(sessions, ATA)
    path = tmp_path / "x.sqlite"
    path.rename(tmp_path / "away")
    collector = Collector(sessions)
    answers = io.BytesIO()
    dialogue = OmprogSession(collector, answers)
    for _attempt in range(2):
        for one in (BEGIN, WALK[0].encode(), COMMIT):
            dialogue.handle_line(one)
    (tmp_path / "away").rename(path)
    for one in (BEGIN, WALK[0].encode(), COMMIT):
        dialogue.handle_line(one)
    missing = describe(Case.DELETED, str(path), "there is no file").text
    again = ["OK", "DEFER_COMMIT", f"error: {missing}"]
    assert answers.getvalue().decode().splitlines() == [*again, *again, "OK", "DEFER_COMMIT", "OK"]
    assert logged == [
        f"cannot store events, so rsyslog queues them: {missing}",
        "the database stores events again",
    ]
    assert state(sessions) == "leased"


def test_joins_partial_lines():
    reading, writing = os.pipe()

    def write():
        with os.fdopen(writing, "wb", buffering=0) as file:
            for piece in (b"on", b"e\ntwo\nthr", b"ee\n", b"x" * 3_000_000 + b"\nfour\n", b"no end"):
                file.write(piece)

    writer = threading.Thread(target=write)
    writer.start()
    found = list(read_lines(reading, lambda: None))
    writer.join()
    os.close(reading)
    assert [one for one in found if len(one) < 10] == [b"one", b"two", b"three", b"four"]
    assert max(map(len, found)) <= (1 << 20) + 65536


def test_templates_of_rsyslog_match_the_parser():
    role = Path(__file__).parents[4] / "roles/profile_service"
    variables = yaml.safe_load((role / "vars/main.yml").read_text())
    units = [
        unit.replace("{{ __profile_service_unit }}", variables["__profile_service_unit"])
        for unit in variables["__profile_service_events_units"]
    ]
    assert sorted(units) == sorted(UNITS)
    configuration = (role / "templates/etc/preprovision-events.conf.j2").read_text()
    assert {"resync", "upgrade"} == set(re.findall(r'contains_i "(\w+)"', configuration))


def test_a_mark_wakes_the_collector_and_is_no_event(sessions):
    configuration = Path(__file__).parents[4] / "roles/profile_service/templates/etc/preprovision-events.conf.j2"
    assert 'ruleset="preprovision_events"' in next(line for line in configuration.read_text().splitlines() if '"immark"' in line)
    Collector(sessions).store_lines(
        ['{"unit":"", "time":"2026-11-30T08:00:00.000000+00:00", "process":"", "offset":"", "msg":"-- MARK --"}']
    )
    assert not rows(sessions, Event)


@pytest.mark.parametrize(
    ("place", "expected"), [({}, "resynced"), ({"PLACE": "bench"}, "resynced"), ({"PLACE": "home"}, "expected")]
)
def test_runs_as_a_program(sessions, tmp_path, place, expected):
    expect(sessions, ATA)
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"DATABASE": str(engine_of(sessions).url), **place}))
    program = [sys.executable, "-m", "preprovision_service.ingest.omprog", str(config)]
    code = tmp_path / "code" / "preprovision_service"
    shutil.copytree(Path(module.__file__).parents[1], code, ignore=shutil.ignore_patterns("__pycache__"))
    (code / "domain").symlink_to(Path(__file__).parents[4] / "plugins" / "module_utils")
    environment = {**os.environ, "PYTHONPATH": str(code.parent)}
    lines = [BEGIN.decode(), *WALK, COMMIT.decode()]
    done = subprocess.run(program, input="\n".join([*lines, ""]), capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.split() == ["OK", "OK", *["DEFER_COMMIT"] * len(WALK), "OK"]
    assert state(sessions) == expected


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(
    st.lists(
        st.text()
        | st.builds(line, st.integers(0, 3599), st.sampled_from(["nginx.service", "isc-dhcp-server.service"]), st.text())
        | st.builds(http, st.integers(0, 3599), st.text(), st.text(), st.integers(), agent=st.text(), subject=st.text())
    )
)
def test_survives_any_line(sessions, lines):
    answers = hold(Collector(sessions), BEGIN, *[one.encode("utf-8", "surrogatepass").replace(b"\n", b"") for one in lines], COMMIT)
    assert answers[-1] == "OK"
