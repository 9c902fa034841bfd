# SPDX-License-Identifier: GPL-3.0-or-later
"""Rendering rows as profiles, caching these, and syncing rows."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from preprovision_service.domain.events.progress.observations import read_observations
from preprovision_service.profile_cache import NotReady, ProfileCache, ProfileMaker
from preprovision_service.store.connection import engine_of
from preprovision_service.store.sync import COLUMNS, REARMED, SyncError, present, sync
from preprovision_service.store.tables import SCANS, Event, Phone, Report, Setting, Shipment
from sqlalchemy import delete, select, update

from ansible_collections.voip.preprovision.plugins.module_utils.profiles.sealing.compression import decompress
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.sealing.openssl_enc import unseal

MACS = [f"00005e0053{number:02x}" for number in range(1, 9)]
PHONES = {
    f"desk-{mac}": {"phone_mac": mac, "phone_model": "ATA192", "phone_parameters": {"GPP_A": "x" * 500 + mac}} for mac in MACS
}


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record each phone whose profiles are rendered."""
    made: list[str] = []
    make = ProfileMaker.make
    monkeypatch.setattr(ProfileMaker, "make", lambda self, connection, mac: made.append(mac) or make(self, connection, mac))
    return made


@pytest.fixture
def filled(app: Flask, sync_phones: Callable[..., None]) -> Flask:
    """Return an application with phones."""
    sync_phones(app, PHONES)
    return app


def get(app: Flask, phones: ProfileCache, mac: str) -> Any:
    """Return a phone's profiles."""
    with engine_of(app.extensions["sessions"]).connect() as connection:
        known = phones.find(connection, mac)
        assert known is not None
        return phones.profiles(connection, known)


def test_caches_profiles(filled: Flask, made: list[str]) -> None:
    phones = ProfileCache(10_000_000)
    first = [get(filled, phones, mac) for mac in MACS]
    assert [get(filled, phones, mac) for mac in MACS] == first
    assert made == MACS
    assert len({profile.etag for profiles in first for profile in profiles}) == 2 * len(MACS)


def test_evicts_the_oldest_profiles(filled: Flask, made: list[str]) -> None:
    size = sum(500 + len(profile.content) for profile in get(filled, ProfileCache(10_000_000), MACS[0]))
    made.clear()
    phones = ProfileCache(2 * size + size // 2)
    # The one that was asked for longest ago makes room
    for mac in (MACS[0], MACS[1], MACS[0], MACS[2], MACS[0], MACS[1]):
        get(filled, phones, mac)
    assert made == [MACS[0], MACS[1], MACS[2], MACS[1]]
    assert phones._free >= 0
    nothing = ProfileCache(1)
    assert get(filled, nothing, MACS[0]) == get(filled, nothing, MACS[0])
    assert nothing._free == 1


def test_renders_changed_profiles_again(filled: Flask, made: list[str], sync_phones: Callable[..., None]) -> None:
    phones = ProfileCache(10_000_000)
    before = get(filled, phones, MACS[0])
    changed = {"desk-changed": {**PHONES[f"desk-{MACS[0]}"], "phone_parameters": {"GPP_A": "changed"}}}
    sync_phones(filled, changed)
    assert get(filled, phones, MACS[0]) != before
    sync_phones(filled, {}, publication={"syslog_server": "192.0.2.1"})
    get(filled, phones, MACS[0])
    assert made == [MACS[0]] * 3


def test_many_threads(filled: Flask) -> None:
    phones = ProfileCache(20_000)
    expected = {mac: get(filled, ProfileCache(0), mac) for mac in MACS}
    wrong: list[str] = []

    def ask(start: int) -> None:
        for number in range(60):
            mac = MACS[(start + number * 3) % len(MACS)]
            if get(filled, phones, mac) != expected[mac]:
                wrong.append(mac)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert phones._free >= 0


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("publication", '{"bench_url": "http://a/$MA.cfg", "remote_url": "http://b/$MA.cfg"}', "is not https"),
        ("publication", '{"bench": 1}', "invalid settings: "),
        ("families", '{"x": 1}', "family x: must be a mapping of attributes, not a number"),
        ("templates", '{"own.j2": "{% if %}"}', "own.j2 line 1"),
    ],
)
def test_reports_invalid_settings(filled: Flask, name: str, value: str, words: str) -> None:
    with filled.extensions["sessions"].begin() as session:
        session.execute(delete(Setting).where(Setting.name == name))
        session.add(Setting(name=name, value=value))
    with pytest.raises(NotReady, match=words):
        get(filled, ProfileCache(0), MACS[0])


def test_reports_an_empty_database(filled: Flask) -> None:
    with filled.extensions["sessions"].begin() as session:
        session.execute(delete(Setting))
    with pytest.raises(NotReady, match="contains no phones yet"):
        get(filled, ProfileCache(0), MACS[0])


def test_custom_template(app: Flask, sync_phones: Callable[..., None]) -> None:
    phone = {"phone_mac": MACS[0], "phone_model": "SPA504G", "phone_parameters": {"GPP_A": "hello"}}
    sync_phones(app, {"desk": phone}, templates={"own.j2": "<flat-profile><GPP_B>{{ parameters.GPP_A }}</GPP_B></flat-profile>"})
    with app.extensions["sessions"].begin() as session:
        changed = Phone.variables
        text = session.scalar(select(changed))
        session.execute(
            update(Phone).values(variables=text.replace('"phone_model"', '"phone_profile_template":"own.j2","phone_model"'))
        )
    with engine_of(app.extensions["sessions"]).connect() as connection:
        phones = ProfileCache(0)
        known = phones.find(connection, MACS[0])
        assert known is not None
        key = phones.read(connection, known).key
    assert key
    *_others, service = get(app, phones, MACS[0])
    assert b"<GPP_B>hello</GPP_B>" in decompress(unseal(service.content, key, "md5"))


# -- filling


def row(mac: str, name: str, version: str = "1") -> dict[str, Any]:
    """Return a row as the playbook sends it."""
    return {
        **dict.fromkeys(COLUMNS, ""),
        "mac": mac,
        "name": name,
        "model": "ATA192",
        "variables": "{}",
        "version": version,
        "logs": 1,
    }


def names(app: Flask) -> dict[str, str]:
    """Return the names of all phones."""
    with app.extensions["sessions"]() as session:
        return {found.mac: found.name for found in session.scalars(select(Phone))}


def test_names_may_be_swapped(app: Flask) -> None:
    sessions = app.extensions["sessions"]
    sync(sessions, [row(MACS[0], "a"), row(MACS[1], "b")], [])
    sync(sessions, [row(MACS[0], "b"), row(MACS[1], "a"), row(MACS[2], "c")], [])
    sync(sessions, [row(MACS[3], "c")], [MACS[2]])
    assert names(app) == {MACS[0]: "b", MACS[1]: "a", MACS[3]: "c"}


def test_sync_keeps_discovered_data(app: Flask) -> None:
    sessions = app.extensions["sessions"]
    sync(sessions, [row(MACS[0], "a")], [], {}, {"version": '"1"', "salt": '"s"'})
    with sessions.begin() as session:
        session.execute(update(Phone).values(state="packed", since=7))
        session.add(Report(mac=MACS[0], time=1, address="", body=b""))
    sync(sessions, [row(MACS[0], "b", "2")], [])
    with sessions() as session:
        phone = session.get(Phone, MACS[0])
        assert (phone.name, phone.state, phone.since, phone.version) == ("b", "packed", 7, "2")
    assert present(sessions) == ("s", {MACS[0]: ("2", "b")}, "1", "", b"")
    sync(sessions, [], [MACS[0]])
    with sessions() as session:
        assert session.scalars(select(Report)).all() == []


def test_rearmed_phones_start_over(app: Flask) -> None:
    sessions = app.extensions["sessions"]
    sync(sessions, [row(mac, mac) for mac in MACS[:3]], [])
    with sessions.begin() as session:
        session.execute(
            update(Phone).values(state="packed", done=7, first_resynced=5, arrived=3, packed_by="ann", profile_hash="x")
        )
        shipped = {"operator": "ann", "name": "", "serial": "", "model": "", "customer": "", "firmware": "", "profile_hash": ""}
        session.add_all(Shipment(mac=mac, time=7, subject="", arrived=3, fetched=4, **shipped) for mac in MACS[:3])
    sync(sessions, [row(MACS[3], "new")], [MACS[2]], rearmed=[MACS[0], MACS[3]])
    with sessions() as session:
        phones = {phone.mac: phone for phone in session.scalars(select(Phone))}
        events = session.scalars(select(Event)).all()
        returned = {shipment.mac: bool(shipment.returned) for shipment in session.scalars(select(Shipment))}
    assert {mac: (phone.state, phone.done) for mac, phone in phones.items()} == {
        MACS[0]: ("expected", 0),
        MACS[1]: ("packed", 7),
        MACS[3]: ("expected", 0),
    }
    found = phones[MACS[0]]
    assert (found.first_resynced, found.arrived, found.packed_by, found.profile_hash) == (0, 0, "", "")
    assert read_observations(found.facts).reset == found.since > 7
    assert {(event.mac, event.kind, event.time, event.detail) for event in events} == {
        (MACS[0], "rearmed", found.since, '{"state": "packed"}'),
        (MACS[3], "rearmed", found.since, '{"state": "expected"}'),
    }
    assert returned == {MACS[0]: True, MACS[1]: False, MACS[2]: False}
    # They are none of the scans that an index finds
    assert REARMED not in SCANS


def test_nothing_starts_over_if_the_rows_are_refused(app: Flask) -> None:
    sessions = app.extensions["sessions"]
    with sessions.begin() as session:
        session.add(Phone(mac=MACS[0], name="a", model="ATA192", family="ata19x", source="scan", state="resynced", done=7))
    with pytest.raises(SyncError, match="with another MAC"):
        sync(sessions, [row(MACS[1], "a")], [], rearmed=[MACS[0]])
    with sessions() as session:
        assert session.get(Phone, MACS[0]).done == 7
        assert session.scalars(select(Event)).all() == []


def test_rows_say_which_file_is_the_phones_and_whether_it_logs(app: Flask, sync_phones: Callable[..., None]) -> None:
    def stored() -> dict[str, tuple[str, int]]:
        with app.extensions["sessions"]() as session:
            return {phone.name: (phone.unit_file, phone.logs) for phone in session.scalars(select(Phone))}

    phones = {
        "ata": {"phone_mac": MACS[0], "phone_model": "ATA192"},
        "poly": {"phone_mac": MACS[1], "phone_model": "VVX411"},
        "sent": {"phone_mac": MACS[2], "phone_model": "ATA192", "phone_bench_delivery": "certificate"},
    }
    logs = {"syslog_server": "192.0.2.1"}
    sync_phones(app, phones, publication={**logs, "bench_delivery": "tftp"})
    assert stored() == {"ata": ("model", 1), "poly": ("own", 0), "sent": ("", 0)}
    sync_phones(app, phones, publication={"bench_delivery": "tftp"})
    assert stored() == {"ata": ("model", 0), "poly": ("own", 0), "sent": ("", 0)}
    sync_phones(app, phones, publication={**logs, "remote_syslog_server": "192.0.2.1", "bench_delivery": "certificate"})
    assert stored() == {"ata": ("", 1), "poly": ("", 0), "sent": ("", 1)}


def test_sync_keeps_scanned_phones(app: Flask) -> None:
    sessions = app.extensions["sessions"]
    with sessions.begin() as session:
        session.add(Phone(mac=MACS[0], name="scanned", model="ATA192", family="ata19x", source="scan", state="leased"))
    assert present(sessions).phones == {}
    sync(sessions, [], [MACS[0]])
    assert names(app) == {MACS[0]: "scanned"}
    with pytest.raises(SyncError, match="with another MAC"):
        sync(sessions, [row(MACS[1], "scanned")], [])
    # One that comes into the inventory later is the inventory's from then on
    sync(sessions, [row(MACS[0], "desk")], [])
    assert present(sessions).phones == {MACS[0]: ("1", "desk")}
    with sessions() as session:
        assert session.get(Phone, MACS[0]).state == "leased"


def test_firmware_rules_match_published_profiles(app: Flask, sync_phones: Callable[..., None]) -> None:
    image = {"file": "ata.img", "sha256": "a" * 64, "version": "11-2-1MPP0001-006", "models": ["ATA192"], "load": "ata.img"}
    publication = {"firmware_images": [image], "firmware_url": "http://prov.example.net/firmware/"}
    sync_phones(app, {"desk": {"phone_mac": MACS[0], "phone_model": "ATA192", "phone_firmware": "11.2.1"}}, publication=publication)
    preprovision = next(profile for profile in get(app, ProfileCache(0), MACS[0]) if profile.kind == "preprovision")
    rule = b"<Upgrade_Rule>($SWVER ne 11-2-1MPP0001-006)? http://prov.example.net/firmware/ata.img</Upgrade_Rule>"
    assert rule in decompress(preprovision.content)
