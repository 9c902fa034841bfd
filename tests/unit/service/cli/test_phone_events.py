# SPDX-License-Identifier: GPL-3.0-or-later
"""Single phones' traces in the database, and how synthetic ones are forgotten."""

from __future__ import annotations

import json

import pytest
from preprovision_service.cli.phone_events import _VERBS, forget, is_over, is_served, show
from preprovision_service.store.tables import Event, Lease, Phone
from sqlalchemy import select, update

REAL = "00005e005301"
MADE_UP = "02005e005300"


@pytest.fixture
def session(app):
    """A database with a phone, a synthetic one, and a real one with the same prefix."""
    with app.extensions["sessions"]() as session:
        for mac, name in ((REAL, "desk"), ("02005e005377", "mine")):
            session.add(Phone(mac=mac, name=name, serial=f"S-{name}", model="ATA192", family="ata19x"))
        for number, mac in enumerate((REAL, MADE_UP, MADE_UP, "02005e005377")):
            detail = json.dumps({"what": "release" if number == 2 else "ack"})
            session.add(Event(key=str(number), time=100 - number, mac=mac, kind="lease", address="192.0.2.9", detail=detail))
        session.add_all([Lease(address="192.0.2.9", mac=MADE_UP, since=1), Lease(address="192.0.2.8", mac=REAL, since=1)])
        session.commit()
        yield session


@pytest.mark.parametrize("who", [REAL, REAL.upper(), "desk", "S-desk", "s-DESK", "S/N: s-desk"])
def test_finds_a_phone_by_any_of_its_names(session, who):
    shown = show(session, who)
    assert (shown["phone"]["mac"], shown["phone"]["name"]) == (REAL, "desk")
    assert [event["detail"]["what"] for event in shown["events"]] == ["ack"]
    assert "variables" not in shown["phone"]


def test_an_empty_serial_number_finds_no_phone(session):
    session.execute(update(Phone).values(serial=""))
    assert show(session, "SN:")["phone"] == {}


def test_events_of_an_unknown_device_are_in_order(session):
    shown = show(session, MADE_UP)
    assert shown["phone"] == {}
    assert [event["time"] for event in shown["events"]] == [98, 99]


@pytest.mark.parametrize(
    ("leases", "over"), [((), False), (("ack",), False), (("ack", "release"), True), (("release", "ack"), False)]
)
def test_a_phone_has_left_when_its_last_lease_is_released(leases, over):
    assert is_over({"events": [{"kind": "lease", "detail": {"what": what}} for what in leases]}) is over


def test_forgets_only_events_without_a_phone(session):
    assert forget(session, MADE_UP[:10]) == 2
    assert sorted(session.scalars(select(Event.mac))) == [REAL, "02005e005377"]
    assert list(session.scalars(select(Lease.mac))) == [REAL]
    assert len(list(session.scalars(select(Phone)))) == 2


@pytest.mark.parametrize(("served", "seconds"), [(["armed", "disarmed"], 60), (["disarmed", "armed"], 0)])
def test_waits_until_the_units_are_known_to_be_served_no_longer(session, served, seconds):
    for number, what in enumerate(served):
        session.add(Event(key=f"arming {number}", time=200, mac=MADE_UP, kind="arming", detail=json.dumps({"what": what})))
    session.commit()
    assert is_served(session, MADE_UP[:10]) is (served[-1] == "armed")
    assert _VERBS["forget"](session, [MADE_UP[:10], str(seconds)]) == 4


@pytest.mark.parametrize("prefix", ["", "02", "%%%%%%%%%%", "02005e005"])
def test_rejects_prefixes_that_match_other_devices(session, prefix):
    with pytest.raises(ValueError, match="10 hex digits"):
        forget(session, prefix)


def test_rearmed_phones_start_over(session):
    session.execute(update(Phone).values(state="resynced", done=1))
    assert show(session, REAL)["phone"]["begun"] == 0
    assert _VERBS["rearm"](session, [REAL]) == 1
    assert session.execute(select(Phone.state, Phone.done).where(Phone.mac == REAL)).one() == ("expected", 0)
    assert session.execute(select(Phone.state, Phone.done).where(Phone.mac != REAL)).one() == ("resynced", 1)
    assert session.scalar(select(Event.kind).where(Event.mac == REAL).order_by(Event.id.desc()).limit(1)) == "rearmed"
    # A page about the phone counts only what happens from now on
    assert show(session, REAL)["phone"]["begun"] == session.scalar(select(Phone.since).where(Phone.mac == REAL)) > 0
