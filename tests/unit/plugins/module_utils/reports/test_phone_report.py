# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of one phone: one cause at the top, and no secrets below."""

from __future__ import annotations

import re

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.reports.phone_report import format_page

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
BY_TFTP = ({**OWN[0], "path": "units/00-00-5e-00-53-01/ata192.cfg"},)


def event(number, kind, **detail):
    return {"time": 1_000_000_000 + number, "kind": kind, "address": "192.0.2.20", "mac": MAC, "detail": detail}


LEASED = event(1, "lease", what="ack")
MISSING = event(2, "tftp", what="missing", path="/ata192.cfg")
FETCHED = event(2, "tftp", what="sent", path="/ata192.cfg")
TAKEN = event(5, "resync", what="success", text=f"https://prov.example.net/device/{MAC}.cfg")
LATER = 1_000_000_009
REFUSED = event(
    3, "http", what="file", method="GET", path=f"/device/{MAC}.cfg", status=403, refused="the client certificate of another phone"
)


def phone_facts(*events, own=OWN, **more):
    return {
        **{"who": "desk-1", "mac": MAC, "lease": {}, "events": list(events), "log": [], "database": None, "files": []},
        **{"own": list(own), "generation": "000001", "reservation": {}},
        **more,
    }


@pytest.mark.parametrize(
    ("one", "station", "first"),
    [
        (phone_facts(), STATION, "Cause: No DHCP request from it has arrived."),
        (phone_facts(), {**STATION, "services": {"dhcp": "failed"}}, "Cause: The DHCP server is failed."),
        (
            phone_facts(LEASED),
            STATION,
            "Cause: It has an address, but has not asked for a profile, as a unit with an old customer's profile does not.",
        ),
        (phone_facts(LEASED), {**STATION, "services": {"tftp": "inactive"}}, "Cause: The TFTP server does not run."),
        (phone_facts(LEASED, own=[]), STATION, "Cause: No profile of its own is published."),
        (phone_facts(LEASED, FETCHED, REFUSED), STATION, "Cause: Its client certificate is that of another phone."),
        (phone_facts(LEASED, FETCHED), STATION, "Cause: It has its bootstrap profile, but has not asked for its own."),
        (
            phone_facts(LEASED, FETCHED, own=BY_TFTP, armed=False),
            STATION,
            "Cause: It has fetched its model's file, since its own was taken away.",
        ),
        (
            phone_facts(LEASED, FETCHED, own=BY_TFTP, armed=True),
            STATION,
            "Cause: It has fetched its model's file, since its own was not served.",
        ),
        (phone_facts(LEASED, MISSING), STATION, "Cause: It asks for /ata192.cfg, which does not exist."),
        *(
            (
                phone_facts(LEASED, {**MISSING, "detail": {"what": "missing", "path": path}}, files=["/ata192.cfg"], own=BY_TFTP),
                STATION,
                f"Cause: It asked for {path} before that existed, or for a name with unprintable characters, which the TFTP server"
                " does not log.",
            )
            for path in ("/ata192.cfg", "/00-00-5e-00-53-01/ata192.cfg")
        ),
        # A unit that is done is not shown its folder
        (
            phone_facts(
                LEASED,
                {**MISSING, "detail": {"what": "missing", "path": "/00-00-5e-00-53-01/ata192.cfg"}},
                own=BY_TFTP,
                armed=False,
            ),
            STATION,
            "Cause: It asks for /00-00-5e-00-53-01/ata192.cfg, which does not exist.",
        ),
        (phone_facts(LEASED, FETCHED, TAKEN), STATION, "Cause: none; it has applied its profile."),
        # What it did before it was scanned in again does not count
        (
            phone_facts(REFUSED, event(10, "lease", what="ack"), database={"phone": {"begun": LATER}, "events": []}),
            STATION,
            "Cause: It has an address, but has not asked for a profile, as a unit with an old customer's profile does not.",
        ),
    ],
)
def test_begins_with_one_cause(one, station, first):
    page = format_page(one, station, KNOWN)
    assert page.splitlines()[0] == first
    assert page.count("Cause:") == 1


@pytest.mark.parametrize(
    ("who", "names", "words"),
    [
        ("desk-11", ["desk-1", "desk-2"], "did you mean 'desk-1'?"),
        ("nobody", [], "give its MAC address, serial number or name."),
        ("00:00:5e:00:53:77", ["desk-1"], "no log line names it."),
    ],
)
def test_reports_an_unknown_phone_in_one_sentence(who, names, words):
    one = {"who": who, "mac": MAC if ":" in who else ""}
    page = format_page(one, STATION, {}, (), names)
    assert page.startswith(f"No phone {who}: neither the inventory nor the station knows it")
    assert page.endswith(words)
    assert "\n" not in page


def test_reports_a_phone_that_is_not_in_the_inventory():
    page = format_page(phone_facts(LEASED, own=[]), STATION, {})
    assert "The inventory does not know it." in page
    assert page.startswith("Cause: No profile of its own is published.")


def test_uses_the_database_if_there_is_one():
    row = {"name": "desk-1", "model": "ATA192", "serial": "S1", "state": "packed", "since": 1000, "customer": "example"}
    page = format_page(phone_facts(LEASED, database={"phone": row, "events": []}), STATION, KNOWN)
    assert "Board: packed since 1970-01-01 00:00:01, customer example" in page


def test_shows_a_scan_at_the_board():
    row = {"name": "desk-1", "state": "resynced", "since": 0}
    page = format_page(phone_facts(database={"phone": row, "events": [event(1, "scanned", operator="Ada")]}), STATION, KNOWN)
    assert "scanned" in page


CALLED = {**event(4, "http", what="file", method="GET", path=f"/service/{MAC}.cfg", status=200), "address": "198.51.100.7"}
AT_HOME = {"place": "home", "events": [], "phone": {"state": "packed", "since": 1_000_000_003, "packed": 1_000_000_003}}


def at_home(event, evidence):
    proof = MAC if evidence in ("certificate", "key") else ""
    return {**event, "place": "home", "mac": proof, "detail": {**event["detail"], "evidence": evidence}}


@pytest.mark.parametrize(
    ("events", "first", "lines"),
    [
        ([], "Cause: It has not called home yet: no request has named it.", []),
        (
            [at_home(CALLED, "claim")],
            "Cause: It has not called home yet, or cannot prove it: requests have named it, without its certificate and"
            " without a sealed report.",
            ["State: packed", "claimed: 1970-01-12 13:46:40 from 198.51.100.7, named by whoever asked, which anybody can do"],
        ),
        (
            [at_home({**REFUSED, "time": LATER}, "claim")],
            "Cause: It has not called home yet, and whoever asked in its name was refused: its client certificate is that of"
            " another phone.",
            ["State: packed", "failed: 1970-01-12 13:46:40, as anybody could have said: its client certificate is that of another"],
        ),
        (
            [at_home(CALLED, "certificate")],
            "Cause: none; it has called home from where it was shipped to.",
            ["State: deployed", "called: 1970-01-12 13:46:40 from 198.51.100.7, with its own certificate"],
        ),
    ],
)
def test_says_whether_a_phone_calls_home(events, first, lines):
    page = format_page(phone_facts(*events, database=AT_HOME), STATION, KNOWN)
    assert page.splitlines()[0] == first
    assert [line for line in lines if line not in page] == []


def test_a_packed_phone_needs_nothing_on_the_bench():
    row = {"state": "packed", "since": LATER, "packed": LATER}
    page = format_page(phone_facts(LEASED, FETCHED, TAKEN, database={"phone": row, "events": []}), STATION, KNOWN)
    assert page.startswith("Cause: none; it is in its box.\nState: packed")


def test_shows_which_parameters_the_phone_ignores():
    row = {"kind": "service", "value": "GMT", "variable": "phone_parameters", "origin": "group all"}
    heeded, ignored = {**row, "parameter": "Proxy_1_", "ignored": ""}, {**row, "parameter": "Time_Zone", "ignored": "unknown to it"}
    page = format_page(phone_facts(), STATION, KNOWN, [heeded, ignored])
    assert re.search(r"origin +ignored\n", page)
    assert re.search(r"Time_Zone .* group all +unknown to it$", page, re.MULTILINE)
    assert "ignored" not in format_page(phone_facts(), STATION, KNOWN, [heeded])


def test_shows_everything_on_the_page():
    rows = [
        {"kind": "service", "parameter": "Profile_Rule", "value": "[--key secret] /x", "variable": "", "origin": "the publication"}
    ]
    lines = ["2026-11-24T16:09:11+00:00 192.0.2.20 local0.info Requesting resync"]
    lease = {"address": "192.0.2.20", "state": "active", "starts": "a", "ends": "b", "class": "CISCO"}
    page = format_page(phone_facts(LEASED, FETCHED, REFUSED, log=lines, lease=lease), STATION, KNOWN, rows)
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
        "clock: the same as the controller's",
        "Profile_Rule",
    ):
        assert words in page
    assert "secret" not in page
