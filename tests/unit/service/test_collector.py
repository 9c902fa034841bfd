# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines become events and states, once each, whatever they hold and whatever the database does meanwhile."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from preprovision_service import collector as module
from preprovision_service.collector import BEGIN, COMMIT, Collector, Dialogue, LaterError, lines_of
from preprovision_service.database import Base, Event, Lease, Phone, engine_of, open_database
from preprovision_service.domain.events import UNITS
from preprovision_service.domain.progress import begin, write_facts
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
    return line(number, "preprovision-tftp.service", f"sent /srv/preprovision/current/open{path} to {address}")


def http(number, mac=ATA, address=HERE, status=200, **more):
    record = {"address": address, "method": "GET", "uri": f"/device/{mac}.cfg", "status": status, "etag": '"65f-1"', **more}
    return line(number, "nginx.service", json.dumps(record))


def phone_says(number, what, mac=ATA, address=HERE):
    colons = ":".join(mac[place : place + 2] for place in range(0, 12, 2))
    stamp = f"2026-11-24T12:{number // 60 % 60:02}:{number % 60:02}.000001+00:00"
    message = f"{stamp} {address} local0.info ATA192-MPP {colons} -- {what} https://192.0.2.1:443/device/{mac}.cfg"
    return json.dumps({"offset": str(number), "msg": message})


WALK = [lease(1), tftp(2), phone_says(3, "Requesting resync"), http(4), phone_says(5, "Successful resync")]


@pytest.fixture
def sessions(tmp_path):
    sessions = open_database(f"sqlite:///{tmp_path}/x.sqlite")
    Base.metadata.create_all(engine_of(sessions))
    return sessions


@pytest.fixture
def said(monkeypatch):
    said = []
    monkeypatch.setattr(module, "_say", said.append)
    return said


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


def test_a_phone_walks_its_way(sessions):
    expect(sessions, ATA)
    collector = Collector(sessions)
    states = []
    for one in WALK:
        collector.take([one])
        states.append(state(sessions))
    assert states == ["leased", "bootstrap", "bootstrap", "profile", "resynced"]
    phone = rows(sessions)[0]
    assert (phone.since, phone.address, phone.profile_hash, phone.customization) == (moment(5), HERE, "65f-1", "Aborted")
    assert [row.kind for row in rows(sessions, Event)] == ["lease", "tftp", "resync", "http", "resync"]
    assert [(row.address, row.mac, row.since) for row in rows(sessions, Lease)] == [(HERE, ATA, moment(1))]


def test_what_comes_again_is_stored_once(sessions):
    expect(sessions, ATA)
    Collector(sessions).take(WALK)
    before = [(row.id, row.key) for row in rows(sessions, Event)]
    Collector(sessions).take([*WALK, *WALK])
    Collector(sessions).take(WALK[:2])
    assert [(row.id, row.key) for row in rows(sessions, Event)] == before
    assert state(sessions) == "resynced"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(
    st.permutations(
        [*WALK, lease(6, SPA, THERE), tftp(7, "/spa504G.cfg", THERE), phone_says(8, "Resync failed:", SPA, THERE), lease(20)]
    ),
    st.integers(1, 4),
)
def test_neither_order_nor_batches_matter(sessions, lines, size):
    with sessions.begin() as session:
        for entity in (Event, Lease, Phone):
            session.execute(delete(entity))
    expect(sessions, ATA, SPA)
    collector = Collector(sessions)
    for first in range(0, len(lines), size):
        collector.take(lines[first : first + size])
    assert {row.mac: row.state for row in rows(sessions)} == {ATA: "resynced", SPA: "failed"}
    first = {row.mac: (row.first_leased, row.first_profile, row.first_resynced) for row in rows(sessions)}
    assert first == {ATA: (moment(1), moment(4), moment(5)), SPA: (moment(6), 0, 0)}
    assert all(row.mac for row in rows(sessions, Event))


def test_an_address_that_changes_hands(sessions):
    expect(sessions, ATA, SPA)
    Collector(sessions).take([lease(1), tftp(2), lease(10, SPA), tftp(11, "/spa504G.cfg"), tftp(5, "/again.cfg")])
    assert [row.mac for row in rows(sessions, Event)] == [ATA, ATA, SPA, SPA, ATA]
    assert [(row.mac, row.since) for row in rows(sessions, Lease)] == [(SPA, moment(10))]


def test_the_certificate_counts_before_the_lease_and_the_lease_before_the_path(sessions):
    expect(sessions, ATA, SPA)
    proved = http(2, SPA, verify="SUCCESS", subject=f"SN={SPA}")
    Collector(sessions).take([lease(1), proved, http(3, SPA), http(4, SPA, "192.0.2.99", status=403)])
    assert [row.mac for row in rows(sessions, Event)] == [ATA, SPA, ATA, SPA]
    # A claim alone makes no phone fail
    assert state(sessions, SPA) == "profile"


def test_a_phone_that_is_put_in_later_begins_with_what_is_known(sessions):
    collector = Collector(sessions)
    collector.take(WALK[:4])
    expect(sessions, ATA)
    collector.look_around()
    assert state(sessions) == "profile"
    expect(sessions, SPA)
    collector.take([lease(30, SPA, THERE)])
    assert state(sessions, SPA) == "leased"


def test_a_phone_that_begins_anew(sessions):
    expect(sessions, ATA)
    collector = Collector(sessions)
    collector.take(WALK)
    with sessions.begin() as session:
        session.execute(update(Phone).values(state="expected", since=moment(10), facts=write_facts(begin(moment(10)))))
    collector.take([phone_says(6, "Successful resync"), lease(11)])
    collector.look_around()
    assert state(sessions) == "leased"


def test_what_is_packed_stays_packed(sessions):
    expect(sessions, ATA, state="packed")
    with sessions.begin() as session:
        session.execute(update(Phone).values(since=moment(50), packed_by="eve"))
    Collector(sessions).take([*WALK, lease(55)])
    phone = rows(sessions)[0]
    assert (phone.state, phone.since, phone.packed_by, phone.address) == ("packed", moment(50), "eve", HERE)


def test_a_repeated_failure_is_no_new_state(sessions):
    expect(sessions, ATA)
    collector = Collector(sessions)
    for number in (1, 2, 3):
        collector.take([phone_says(number, "Resync failed:")])
    assert rows(sessions)[0].since == moment(1)


def test_the_oldest_events_make_room(sessions):
    collector = Collector(sessions, keep=10)
    for first in range(0, 100, 10):
        collector.take([lease(number) for number in range(first, first + 10)])
    assert [row.time for row in rows(sessions, Event)] == [moment(number) for number in range(90, 100)]


def test_no_log_line_drives_out_a_scan(sessions):
    def scan(*numbers):
        with sessions.begin() as session:
            session.add_all(Event(key=f"scan-{number}", time=number, mac=ATA, kind="packed") for number in numbers)

    def scans():
        return [row.time for row in rows(sessions, Event) if row.kind == "packed"]

    collector = Collector(sessions, keep=10)
    scan(1, 2)
    for first in range(0, 100, 10):
        collector.take([lease(number) for number in range(first, first + 10)])
    assert scans() == [1, 2]
    scan(*range(3, 15))
    collector.take([lease(number) for number in range(100, 110)])
    assert scans() == list(range(5, 15))
    assert [row.time for row in rows(sessions, Event) if row.kind == "lease"] == [moment(number) for number in range(100, 110)]


def test_a_phones_own_secrets_and_markup_are_only_text(sessions):
    expect(sessions, ATA)
    Collector(sessions).take([lease(1), http(2, agent="<script>\x00\ud800[--key Geheim7]", status=403, refused="not by HTTPS")])
    kept = rows(sessions, Event)[-1].detail
    assert "Geheim7" not in kept
    assert json.loads(kept)["agent"] == r"<script>\x00\ud800[--key ****]"


def test_a_missing_database_is_waited_for(tmp_path):
    path = tmp_path / "none.sqlite"
    collector = Collector(open_database(f"sqlite:///{path}"))
    with pytest.raises(LaterError, match="no database yet"):
        collector.take(WALK)
    assert not path.exists()
    path.touch()
    with pytest.raises(LaterError, match="no such table"):
        collector.take(WALK)


def test_a_damaged_database_takes_nothing_and_loses_nothing(said, tmp_path):
    path = tmp_path / "damaged.sqlite"
    path.write_bytes(b"no database " * 1000)
    collector = Collector(open_database(f"sqlite:///{path}"))
    with pytest.raises(LaterError, match="not a database"):
        collector.take(WALK)
    assert said == []


def test_no_empty_database_is_made(tmp_path):
    path = tmp_path / "none.sqlite"
    collector = Collector(open_database(module._existing(f"sqlite:///{path}")))
    collector._look = lambda: None
    with pytest.raises(LaterError, match="unable to open"):
        collector.take(WALK)
    assert not path.exists()


def test_a_database_that_is_put_in_its_place_is_the_one(sessions, tmp_path):
    collector = Collector(sessions)
    collector.take(WALK)
    other = open_database(f"sqlite:///{tmp_path}/y.sqlite")
    Base.metadata.create_all(engine_of(other))
    with engine_of(other).connect() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode=DELETE")
    for end in ("", "-wal", "-shm"):
        (tmp_path / f"x.sqlite{end}").unlink(missing_ok=True)
    (tmp_path / "y.sqlite").rename(tmp_path / "x.sqlite")
    collector.take(WALK[:2])
    again = open_database(f"sqlite:///{tmp_path}/x.sqlite")
    assert len(rows(again, Event)) == 2


def test_a_locked_database_is_waited_for(sessions, monkeypatch):
    expect(sessions, ATA)
    url = str(engine_of(sessions).url)
    monkeypatch.setattr(module, "_PATIENCE", 0)
    collector = Collector(open_database(url))
    with engine_of(open_database(url)).connect() as holder:
        holder.exec_driver_sql("BEGIN IMMEDIATE")
        with pytest.raises(LaterError, match="locked"):
            collector.take(WALK)
        holder.exec_driver_sql("ROLLBACK")
    collector.take(WALK)
    assert state(sessions) == "resynced"


def test_a_line_that_makes_trouble_stops_no_other(sessions, said, monkeypatch):
    expect(sessions, ATA)
    learn = module.learn

    def troubled(facts, events, mac, serial):
        if any(one.kind == "tftp" for one in events):
            raise RuntimeError("a mistake")
        return learn(facts, events, mac, serial)

    monkeypatch.setattr(module, "learn", troubled)
    Collector(sessions).take(WALK)
    assert [row.kind for row in rows(sessions, Event)] == ["lease", "resync", "http", "resync"]
    assert said == ["a line is left out, which made this trouble: RuntimeError"]


def test_a_mistake_of_the_reader_ends_nothing(sessions, said, monkeypatch):
    monkeypatch.setattr(module, "parse", lambda _line: {}["x"])
    Collector(sessions).take(WALK)
    assert rows(sessions, Event) == []
    assert len(said) == len(WALK)


def hold(collector, *heard):
    answers = io.BytesIO()
    dialogue = Dialogue(collector, answers)
    dialogue.start()
    for one in heard:
        dialogue.hear(one if isinstance(one, bytes) else one.encode())
    return answers.getvalue().decode().splitlines()


def test_the_dialogue_with_rsyslog(sessions):
    expect(sessions, ATA)
    answers = hold(Collector(sessions), BEGIN, *WALK[:2], COMMIT, WALK[2], b"\xff\x00 rubbish", BEGIN, COMMIT)
    assert answers == ["OK", "OK", "DEFER_COMMIT", "DEFER_COMMIT", "OK", "OK", "OK", "OK", "OK"]
    assert len(rows(sessions, Event)) == 3


def test_what_was_told_to_another_is_not_confirmed(sessions):
    assert hold(Collector(sessions), COMMIT, BEGIN, COMMIT) == ["OK", "error: no transaction is open", "OK", "OK"]


def test_rsyslog_hears_that_a_batch_must_come_again(sessions, said, tmp_path):
    expect(sessions, ATA)
    path = tmp_path / "x.sqlite"
    path.rename(tmp_path / "away")
    collector = Collector(sessions)
    answers = io.BytesIO()
    dialogue = Dialogue(collector, answers)
    for _attempt in range(2):
        for one in (BEGIN, WALK[0].encode(), COMMIT):
            dialogue.hear(one)
    (tmp_path / "away").rename(path)
    for one in (BEGIN, WALK[0].encode(), COMMIT):
        dialogue.hear(one)
    again = ["OK", "DEFER_COMMIT", "error: there is no database yet"]
    assert answers.getvalue().decode().splitlines() == [*again, *again, "OK", "DEFER_COMMIT", "OK"]
    assert said == [
        "the database takes nothing, and rsyslog keeps what comes: there is no database yet",
        "the database takes events again",
    ]
    assert state(sessions) == "leased"


def test_lines_in_pieces():
    reading, writing = os.pipe()

    def write():
        for piece in (b"on", b"e\ntwo\nthr", b"ee\n", b"x" * 3_000_000 + b"\nfour\n", b"no end"):
            os.write(writing, piece) if len(piece) < 10 else os.fdopen(os.dup(writing), "wb").write(piece)
        os.close(writing)

    writer = threading.Thread(target=write)
    writer.start()
    found = list(lines_of(reading, lambda: None))
    writer.join()
    os.close(reading)
    assert [one for one in found if len(one) < 10] == [b"one", b"two", b"three", b"four"]
    assert max(map(len, found)) <= (1 << 20) + 65536


def test_what_is_handed_over_is_what_is_known():
    role = Path(__file__).parents[3] / "roles/profile_service"
    variables = yaml.safe_load((role / "vars/main.yml").read_text())
    units = [
        unit.replace("{{ __profile_service_unit }}", variables["__profile_service_unit"])
        for unit in variables["__profile_service_events_units"]
    ]
    assert sorted(units) == sorted(UNITS)
    configuration = (role / "templates/etc/preprovision-events.conf.j2").read_text()
    assert {"resync", "upgrade"} == set(re.findall(r'contains_i "(\w+)"', configuration))


def test_the_program(sessions, tmp_path):
    expect(sessions, ATA)
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"DATABASE": str(engine_of(sessions).url)}))
    program = [sys.executable, "-m", "preprovision_service.collector", str(config)]
    code = tmp_path / "code" / "preprovision_service"
    shutil.copytree(Path(module.__file__).parent, code, ignore=shutil.ignore_patterns("__pycache__"))
    (code / "domain").symlink_to(Path(__file__).parents[3] / "plugins" / "module_utils")
    environment = {**os.environ, "PYTHONPATH": str(code.parent)}
    lines = [BEGIN.decode(), *WALK, COMMIT.decode()]
    done = subprocess.run(program, input="\n".join([*lines, ""]), capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.split() == ["OK", "OK", *["DEFER_COMMIT"] * len(WALK), "OK"]
    assert state(sessions) == "resynced"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(
    st.lists(
        st.text()
        | st.builds(line, st.integers(0, 3599), st.sampled_from(["nginx.service", "isc-dhcp-server.service"]), st.text())
        | st.builds(http, st.integers(0, 3599), st.text(), st.text(), st.integers(), agent=st.text(), subject=st.text())
    )
)
def test_no_line_ends_it(sessions, lines):
    answers = hold(Collector(sessions), BEGIN, *[one.encode("utf-8", "surrogatepass").replace(b"\n", b"") for one in lines], COMMIT)
    assert answers[-1] == "OK"
