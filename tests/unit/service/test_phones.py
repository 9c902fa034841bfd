# SPDX-License-Identifier: GPL-3.0-or-later
"""From rows to profiles, what is kept of them, and how rows come in."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from preprovision_service.database import Phone, Report, Setting, engine_of
from preprovision_service.filling import COLUMNS, FillingError, fill, present
from preprovision_service.phones import NotReady, Phones, _Maker
from sqlalchemy import delete, select, update

from ansible_collections.voip.preprovision.plugins.module_utils.sealing import decompress, unseal

MACS = [f"00005e0053{number:02x}" for number in range(1, 9)]
PHONES = {
    f"desk-{mac}": {"phone_mac": mac, "phone_model": "ATA192", "phone_parameters": {"GPP_A": "x" * 500 + mac}} for mac in MACS
}


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note each phone whose profiles are made."""
    made: list[str] = []
    make = _Maker.make
    monkeypatch.setattr(_Maker, "make", lambda self, connection, mac: made.append(mac) or make(self, connection, mac))
    return made


@pytest.fixture
def filled(app: Flask, put_in: Callable[..., None]) -> Flask:
    """Return an application with phones."""
    put_in(app, PHONES)
    return app


def get(app: Flask, phones: Phones, mac: str) -> Any:
    """Return a phone's profiles."""
    with engine_of(app.extensions["sessions"]).connect() as connection:
        known = phones.find(connection, mac)
        assert known is not None
        return phones.profiles(connection, known)


def test_profiles_are_kept(filled: Flask, made: list[str]) -> None:
    phones = Phones(10_000_000)
    first = [get(filled, phones, mac) for mac in MACS]
    assert [get(filled, phones, mac) for mac in MACS] == first
    assert made == MACS
    assert len({profile.etag for profiles in first for profile in profiles}) == 2 * len(MACS)


def test_little_is_kept_where_there_is_little_room(filled: Flask, made: list[str]) -> None:
    size = sum(500 + len(profile.content) for profile in get(filled, Phones(10_000_000), MACS[0]))
    made.clear()
    phones = Phones(2 * size + size // 2)
    # The one that was asked for longest ago makes room
    for mac in (MACS[0], MACS[1], MACS[0], MACS[2], MACS[0], MACS[1]):
        get(filled, phones, mac)
    assert made == [MACS[0], MACS[1], MACS[2], MACS[1]]
    assert phones._room >= 0
    nothing = Phones(1)
    assert get(filled, nothing, MACS[0]) == get(filled, nothing, MACS[0])
    assert nothing._room == 1


def test_what_has_changed_is_made_again(filled: Flask, made: list[str], put_in: Callable[..., None]) -> None:
    phones = Phones(10_000_000)
    before = get(filled, phones, MACS[0])
    changed = {"desk-changed": {**PHONES[f"desk-{MACS[0]}"], "phone_parameters": {"GPP_A": "changed"}}}
    put_in(filled, changed)
    assert get(filled, phones, MACS[0]) != before
    put_in(filled, {}, publication={"syslog_server": "192.0.2.1"})
    get(filled, phones, MACS[0])
    assert made == [MACS[0]] * 3


def test_many_threads(filled: Flask) -> None:
    phones = Phones(20_000)
    expected = {mac: get(filled, Phones(0), mac) for mac in MACS}
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
    assert phones._room >= 0


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("publication", '{"bench_url": "http://a/$MA.cfg", "remote_url": "http://b/$MA.cfg"}', "is not https"),
        ("publication", '{"bench": 1}', "the settings cannot be: "),
        ("families", '{"x": 1}', "family x: it is a int"),
        ("templates", '{"own.j2": "{% if %}"}', "own.j2 line 1"),
    ],
)
def test_settings_that_cannot_be(filled: Flask, name: str, value: str, words: str) -> None:
    with filled.extensions["sessions"].begin() as session:
        session.execute(delete(Setting).where(Setting.name == name))
        session.add(Setting(name=name, value=value))
    with pytest.raises(NotReady, match=words):
        get(filled, Phones(0), MACS[0])


def test_nothing_was_put_in(filled: Flask) -> None:
    with filled.extensions["sessions"].begin() as session:
        session.execute(delete(Setting))
    with pytest.raises(NotReady, match="no phones were put in yet"):
        get(filled, Phones(0), MACS[0])


def test_own_template(app: Flask, put_in: Callable[..., None]) -> None:
    phone = {"phone_mac": MACS[0], "phone_model": "SPA504G", "phone_parameters": {"GPP_A": "hello"}}
    put_in(app, {"desk": phone}, templates={"own.j2": "<flat-profile><GPP_B>{{ parameters.GPP_A }}</GPP_B></flat-profile>"})
    with app.extensions["sessions"].begin() as session:
        changed = Phone.variables
        text = session.scalar(select(changed))
        session.execute(
            update(Phone).values(variables=text.replace('"phone_model"', '"phone_profile_template":"own.j2","phone_model"'))
        )
    with engine_of(app.extensions["sessions"]).connect() as connection:
        phones = Phones(0)
        known = phones.find(connection, MACS[0])
        assert known is not None
        key = phones.read(connection, known).key
    assert key
    *_others, service = get(app, phones, MACS[0])
    assert b"<GPP_B>hello</GPP_B>" in decompress(unseal(service.content, key, "md5"))


# -- filling


def row(mac: str, name: str, version: str = "1") -> dict[str, str]:
    """Return a row as the playbook sends it."""
    return {**dict.fromkeys(COLUMNS, ""), "mac": mac, "name": name, "model": "ATA192", "variables": "{}", "version": version}


def names(app: Flask) -> dict[str, str]:
    """Return the names of all phones."""
    with app.extensions["sessions"]() as session:
        return {found.mac: found.name for found in session.scalars(select(Phone))}


def test_names_may_be_swapped(app: Flask) -> None:
    sessions = app.extensions["sessions"]
    fill(sessions, [row(MACS[0], "a"), row(MACS[1], "b")], [])
    fill(sessions, [row(MACS[0], "b"), row(MACS[1], "a"), row(MACS[2], "c")], [])
    fill(sessions, [row(MACS[3], "c")], [MACS[2]])
    assert names(app) == {MACS[0]: "b", MACS[1]: "a", MACS[3]: "c"}


def test_what_was_found_out_stays(app: Flask) -> None:
    sessions = app.extensions["sessions"]
    fill(sessions, [row(MACS[0], "a")], [], {}, {"version": '"1"', "salt": '"s"'})
    with sessions.begin() as session:
        session.execute(update(Phone).values(state="packed", since=7))
        session.add(Report(mac=MACS[0], time=1, address="", body=b""))
    fill(sessions, [row(MACS[0], "b", "2")], [])
    with sessions() as session:
        phone = session.get(Phone, MACS[0])
        assert (phone.name, phone.state, phone.since, phone.version) == ("b", "packed", 7, "2")
    assert present(sessions) == ("s", {MACS[0]: "2"}, "1")
    fill(sessions, [], [MACS[0]])
    with sessions() as session:
        assert session.scalars(select(Report)).all() == []


def test_scanned_phones_stay(app: Flask) -> None:
    sessions = app.extensions["sessions"]
    with sessions.begin() as session:
        session.add(Phone(mac=MACS[0], name="scanned", model="ATA192", family="ata19x", source="scan", state="leased"))
    assert present(sessions).phones == {}
    fill(sessions, [], [MACS[0]])
    assert names(app) == {MACS[0]: "scanned"}
    with pytest.raises(FillingError, match="has another MAC"):
        fill(sessions, [row(MACS[1], "scanned")], [])
    # One that comes into the inventory later is the inventory's from then on
    fill(sessions, [row(MACS[0], "desk")], [])
    assert present(sessions).phones == {MACS[0]: "1"}
    with sessions() as session:
        assert session.get(Phone, MACS[0]).state == "leased"


def test_firmware_is_told_as_in_published_profiles(app: Flask, put_in: Callable[..., None]) -> None:
    image = {"file": "ata.img", "sha256": "a" * 64, "version": "11-2-1MPP0001-006", "models": ["ATA192"], "load": "ata.img"}
    told = {"firmware_images": [image], "firmware_url": "http://prov.example.net/firmware/"}
    put_in(app, {"desk": {"phone_mac": MACS[0], "phone_model": "ATA192", "phone_firmware": "11.2.1"}}, publication=told)
    preprovision = next(profile for profile in get(app, Phones(0), MACS[0]) if profile.kind == "preprovision")
    rule = b"<Upgrade_Rule>($SWVER ne 11-2-1MPP0001-006)? http://prov.example.net/firmware/ata.img</Upgrade_Rule>"
    assert rule in decompress(preprovision.content)
