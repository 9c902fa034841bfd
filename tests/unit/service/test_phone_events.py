# SPDX-License-Identifier: GPL-3.0-or-later
"""What single phones have left in the database, and how made-up ones are forgotten."""

from __future__ import annotations

import json

import pytest
from preprovision_service.database import Event, Lease, Phone
from preprovision_service.phone_events import forget, is_over, show
from sqlalchemy import select

REAL = "00005e005301"
MADE_UP = "02005e005300"


@pytest.fixture
def session(app):
    """A database with a phone, a made-up one that is no phone, and one of the same beginning that is."""
    with app.extensions["sessions"]() as session:
        for mac, name in ((REAL, "desk"), ("02005e005377", "mine")):
            session.add(Phone(mac=mac, name=name, serial=f"S-{name}", model="ATA192", family="ata19x"))
        for number, mac in enumerate((REAL, MADE_UP, MADE_UP, "02005e005377")):
            detail = json.dumps({"what": "release" if number == 2 else "ack"})
            session.add(Event(key=str(number), time=100 - number, mac=mac, kind="lease", address="192.0.2.9", detail=detail))
        session.add_all([Lease(address="192.0.2.9", mac=MADE_UP, since=1), Lease(address="192.0.2.8", mac=REAL, since=1)])
        session.commit()
        yield session


@pytest.mark.parametrize("who", [REAL, REAL.upper(), "desk", "S-desk"])
def test_a_phone_is_found_by_whatever_it_is_called(session, who):
    told = show(session, who)
    assert (told["phone"]["mac"], told["phone"]["name"]) == (REAL, "desk")
    assert [event["detail"]["what"] for event in told["events"]] == ["ack"]
    assert "variables" not in told["phone"]


def test_one_that_is_no_phone_has_its_events_in_the_order_in_which_they_happened(session):
    told = show(session, MADE_UP)
    assert told["phone"] == {}
    assert [event["time"] for event in told["events"]] == [98, 99]


@pytest.mark.parametrize(
    ("leases", "over"), [((), False), (("ack",), False), (("ack", "release"), True), (("release", "ack"), False)]
)
def test_it_is_over_when_the_last_lease_was_given_back(leases, over):
    assert is_over({"events": [{"kind": "lease", "detail": {"what": what}} for what in leases]}) is over


def test_what_is_forgotten_is_what_no_phone_has(session):
    assert forget(session, MADE_UP[:10]) == 2
    assert sorted(session.scalars(select(Event.mac))) == [REAL, "02005e005377"]
    assert list(session.scalars(select(Lease.mac))) == [REAL]
    assert len(list(session.scalars(select(Phone)))) == 2


@pytest.mark.parametrize("prefix", ["", "02", "%%%%%%%%%%", "02005e005"])
def test_a_prefix_that_would_take_others_along_is_refused(session, prefix):
    with pytest.raises(ValueError, match="10 hex digits"):
        forget(session, prefix)
