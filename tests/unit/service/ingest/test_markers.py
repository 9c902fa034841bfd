# SPDX-License-Identifier: GPL-3.0-or-later
"""The decisions folder follows the database, whatever happens to either."""

from __future__ import annotations

import io
import os
import shutil
import syslog
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from preprovision_service.ingest import collector as collector_module
from preprovision_service.ingest import markers as module
from preprovision_service.ingest.collector import Collector
from preprovision_service.ingest.markers import MarkerError, Markers
from preprovision_service.ingest.omprog import BEGIN, COMMIT, OmprogSession
from preprovision_service.store.connection import engine_of, open_database
from preprovision_service.store.tables import Phone
from sqlalchemy import delete, event, insert, update

NOW, GRACE = 1795521600000, 600
DUE = NOW - GRACE * 1000


def mac(number):
    return f"00005e0053{number:02x}"


def marker(number):
    return f"00-00-5e-00-53-{number:02x}"


@pytest.fixture
def sessions(tmp_path, empty_database):
    return open_database(f"sqlite:///{shutil.copyfile(empty_database, tmp_path / 'x.sqlite')}")


@pytest.fixture
def folder(tmp_path):
    """Return an empty decisions folder."""
    path = tmp_path / "done"
    path.mkdir()
    return path


@pytest.fixture
def clock(monkeypatch):
    """Return the time of the collector, as a list with one item."""
    clock = [NOW]
    monkeypatch.setattr(collector_module, "now", lambda: clock[0])
    return clock


@pytest.fixture
def collector(sessions, folder, clock):
    return Collector(sessions, markers=Markers(folder, GRACE))


def put(sessions, **done):
    """Store phones, by number, and when each was done."""
    with sessions.begin() as session:
        session.execute(delete(Phone))
        for name, time in done.items():
            row = {"mac": mac(int(name[1:])), "name": name, "model": "ATA192", "family": "ata19x", "done": time}
            session.execute(insert(Phone), [row])


def change(sessions, number, **values):
    with sessions.begin() as session:
        session.execute(update(Phone).where(Phone.mac == mac(number)).values(values))


def names(folder):
    return {path.name for path in folder.iterdir()}


def test_marks_phones_once_the_grace_time_is_over(sessions, folder, collector, clock):
    put(sessions, p1=DUE, p2=DUE + 1, p3=0)
    collector.update_markers()
    assert names(folder) == {marker(1)}
    assert (folder / marker(1)).read_bytes() == b""
    clock[0] += 1
    collector.update_markers()
    assert names(folder) == {marker(1), marker(2)}


def test_unmarks_a_phone_that_is_armed_again_or_removed(sessions, folder, collector):
    put(sessions, p1=DUE, p2=DUE - 5, p3=DUE - 9)
    collector.update_markers()
    change(sessions, 1, done=0)
    with sessions.begin() as session:
        session.execute(delete(Phone).where(Phone.mac == mac(2)))
    collector.update_markers()
    assert names(folder) == {marker(3)}


def test_notices_one_phone_in_the_place_of_another(sessions, folder, collector, clock):
    put(sessions, p1=DUE - 5, p2=DUE + 5, p3=DUE + 5)
    collector.update_markers()
    change(sessions, 1, done=0)
    clock[0] += 5
    collector.update_markers()
    assert names(folder) == {marker(2), marker(3)}
    # One of which only late lines have told, neither the first nor the last
    change(sessions, 2, done=0)
    change(sessions, 1, done=DUE - 3)
    collector.update_markers()
    assert names(folder) == {marker(1), marker(3)}


def test_reads_neither_phones_nor_folder_while_nothing_changes(sessions, folder, collector, clock, monkeypatch):
    put(sessions, p1=DUE, p2=NOW)
    collector.update_markers()
    monkeypatch.setattr(os, "listdir", lambda _path: pytest.fail("the folder was read"))
    statements = []
    event.listen(engine_of(sessions), "before_cursor_execute", lambda *told: statements.append(told[2]))
    clock[0] += 1000
    collector.update_markers()
    (asked,) = (one for one in statements if one.startswith("SELECT"))
    assert "count(" in asked
    assert "phones.mac" not in asked
    with engine_of(sessions).connect() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {asked}", (0,) * asked.count("?")).all()
    assert all("COVERING INDEX ix_phones_done" in row[-1] for row in plan), plan


def test_makes_the_folder_durable_before_it_counts_as_done(sessions, folder, collector, monkeypatch):
    put(sessions, p1=DUE)
    synced = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.readlink(f"/proc/self/fd/{descriptor}")))
    collector.update_markers()
    assert synced == [str(folder)]
    collector.update_markers()
    change(sessions, 1, done=0)
    collector.update_markers()
    assert synced == [str(folder)] * 2


@pytest.mark.parametrize("step", ["touch", "unlink", "fsync"])
def test_tries_again_after_an_error(sessions, folder, collector, monkeypatch, step):
    def fail(*_arguments, **_options):
        raise OSError(28, "No space left on device")

    (folder / marker(9)).touch()
    put(sessions, p1=DUE)
    with monkeypatch.context() as patched:
        patched.setattr(os if step == "fsync" else Path, step, fail)
        with pytest.raises(MarkerError, match=f"cannot decide whose file is taken away: {folder}: No space left on device"):
            collector.update_markers()
    synced = []
    monkeypatch.setattr(module, "sync_folder", synced.append)
    collector.update_markers()
    assert names(folder) == {marker(1)}
    # After a failed fsync the names are there, but may not be on the disk
    assert synced == [folder]


def test_a_new_collector_corrects_whatever_it_finds(sessions, folder, clock):
    for name in (marker(1), marker(9), "notes.txt"):
        (folder / name).touch()
    put(sessions, p1=0, p2=DUE)
    Collector(sessions, markers=Markers(folder, GRACE)).update_markers()
    assert names(folder) == {marker(2), "notes.txt"}


def test_corrects_a_folder_that_somebody_has_changed(sessions, folder, collector):
    put(sessions, p1=DUE)
    collector.update_markers()
    (folder / marker(1)).unlink()
    os.utime(folder, ns=(1, 1))
    collector.update_markers()
    assert names(folder) == {marker(1)}


def test_follows_a_database_that_replaced_the_old_one(tmp_path, empty_database, sessions, folder, collector):
    put(sessions, p1=DUE, p2=DUE)
    collector.update_markers()
    other = tmp_path / "y.sqlite"
    shutil.copyfile(empty_database, other)
    # As many phones, done at the same times
    another = open_database(f"sqlite:///{other}")
    put(another, p3=DUE, p4=DUE)
    with engine_of(another).connect() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode=DELETE")
    for end in ("-wal", "-shm"):
        (tmp_path / f"x.sqlite{end}").unlink(missing_ok=True)
    other.rename(tmp_path / "x.sqlite")
    collector.update_markers()
    assert names(folder) == {marker(3), marker(4)}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 4), st.sampled_from([0, DUE - 1, DUE, DUE + 1, DUE + 2]), st.integers(0, 2)), max_size=12))
def test_is_the_same_as_the_database_after_every_change(sessions, folder, collector, clock, changes):
    done = dict.fromkeys(range(1, 5), 0)
    put(sessions, **{f"p{number}": 0 for number in done})
    clock[0] = NOW
    for number, time, passed in changes:
        change(sessions, number, done=time)
        done[number], clock[0] = time, clock[0] + passed
        collector.update_markers()
        assert names(folder) == {marker(one) for one, at in done.items() if at and at + GRACE * 1000 <= clock[0]}


def test_reports_a_missing_folder_once_and_goes_on_storing(sessions, folder, collector, monkeypatch):
    logged = []
    monkeypatch.setattr(syslog, "syslog", lambda _priority, text: logged.append(text))
    folder.rmdir()
    put(sessions, p1=DUE)
    answers = io.BytesIO()
    dialogue = OmprogSession(collector, answers)
    for number in range(3):
        dialogue._adopted_at = -1e9
        if number == 2:
            folder.mkdir()
        for one in (BEGIN, b"{}", COMMIT):
            dialogue.handle_line(one)
    assert answers.getvalue().decode().split() == ["OK", "DEFER_COMMIT", "OK"] * 3
    assert logged == [f"cannot decide whose file is taken away: {folder}: No such file or directory"]
    assert names(folder) == {marker(1)}
