# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of one phone: one cause on top, and nothing secret below."""

from __future__ import annotations

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.phone_page import format_page

MAC = "00005e005301"
KNOWN = {"name": "desk-1", "mac": MAC, "model": "ATA192", "serial": "S1"}
STATION = {
    "time": 2_000_000,
    "clock_off": 0,
    "services": {"dhcp": "active", "tftp": "active"},
    "bridge": {"name": "bench0", "state": "up", "address": "192.0.2.1"},
    "certificate": {"names": ["prov.example.net"], "issuer": "CA", "not_before": "a", "not_after": "b", "problems": []},
    "offered": {"tftp-server-name": '"192.0.2.1"'},
}
OWN = ({"path": f"device/{MAC}.cfg", "owner": "desk-1", "kind": "preprovision", "fingerprint": "f00"},)


def event(number, kind, **detail):
    return {"time": 1_000_000_000 + number, "kind": kind, "address": "192.0.2.20", "mac": MAC, "detail": detail}


LEASED = event(1, "lease", what="ack")
FETCHED = event(2, "tftp", what="sent", path="/ata192.cfg")
TAKEN = event(5, "resync", what="success", text=f"https://prov.example.net/device/{MAC}.cfg")
REFUSED = event(3, "http", method="GET", path=f"/device/{MAC}.cfg", status=403, refused="the client certificate of another phone")


def told(*events, own=OWN, **more):
    return {
        **{"who": "desk-1", "mac": MAC, "lease": {}, "events": list(events), "log": [], "database": None, "files": []},
        **{"own": list(own), "generation": "000001", "reservation": {}},
        **more,
    }


@pytest.mark.parametrize(
    ("one", "station", "first"),
    [
        (told(), STATION, "Cause: No DHCP request of it has arrived."),
        (told(), {**STATION, "services": {"dhcp": "failed"}}, "Cause: The DHCP server is failed."),
        (told(LEASED), STATION, "Cause: It has an address, but has asked for no file."),
        (told(LEASED), {**STATION, "services": {"tftp": "inactive"}}, "Cause: The TFTP server does not run."),
        (told(LEASED, own=[]), STATION, "Cause: No profile of its own is published."),
        (told(LEASED, FETCHED, REFUSED), STATION, "Cause: Its client certificate is that of another phone."),
        (told(LEASED, FETCHED, TAKEN), STATION, "Cause: none; it has taken its profile."),
    ],
)
def test_one_cause_stands_on_top(one, station, first):
    page = format_page(one, station, KNOWN)
    assert page.splitlines()[0] == first
    assert page.count("Cause:") == 1


@pytest.mark.parametrize(
    ("who", "names", "words"),
    [
        ("desk-11", ["desk-1", "desk-2"], "did you mean desk-1?"),
        ("nobody", [], "give its MAC address, serial number or name."),
        ("00:00:5e:00:53:77", ["desk-1"], "no line of a log names it."),
    ],
)
def test_a_phone_that_nobody_knows_is_one_sentence(who, names, words):
    one = {"who": who, "mac": MAC if ":" in who else ""}
    page = format_page(one, STATION, {}, (), names)
    assert page.startswith(f"No phone {who}: neither the inventory nor the station knows it")
    assert page.endswith(words)
    assert "\n" not in page


def test_a_phone_that_the_inventory_does_not_know_is_told_as_such():
    page = format_page(told(LEASED, own=[]), STATION, {})
    assert "The inventory does not know it." in page
    assert page.startswith("Cause: No profile of its own is published.")


def test_the_database_speaks_where_there_is_one():
    row = {"name": "desk-1", "model": "ATA192", "serial": "S1", "state": "packed", "since": 1000, "customer": "example"}
    page = format_page(told(LEASED, database={"phone": row, "events": []}), STATION, KNOWN)
    assert "Board: packed since 1970-01-01 00:00:01, customer example" in page


def test_all_of_it_is_on_the_page():
    rows = [
        {"kind": "service", "parameter": "Profile_Rule", "value": "[--key secret] /x", "variable": "", "origin": "the publication"}
    ]
    lines = ["2026-11-24T16:09:11+00:00 192.0.2.20 local0.info Requesting resync"]
    lease = {"address": "192.0.2.20", "state": "active", "starts": "a", "ends": "b", "class": "CISCO"}
    page = format_page(told(LEASED, FETCHED, REFUSED, log=lines, lease=lease), STATION, KNOWN, rows)
    for words in (
        "lease: 192.0.2.20, active, from a to b UTC",
        "class: CISCO",
        'tftp-server-name "192.0.2.1"',
        "sent /ata192.cfg",
        "HTTP 403 (the client certificate of another phone)",
        "Requesting resync",
        f"/device/{MAC}.cfg  preprovision  f00",
        "for prov.example.net, by CA, from a to b",
        "bridge bench0: up 192.0.2.1",
        "clock: as the controller's",
        "Profile_Rule",
    ):
        assert words in page
    assert "secret" not in page
