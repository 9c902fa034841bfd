# SPDX-License-Identifier: GPL-3.0-or-later
"""Causes and remedies: every code has them, and the station's own facts come first."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.common.durations import format_duration
from ansible_collections.voip.preprovision.plugins.module_utils.common.services import SERVICES
from ansible_collections.voip.preprovision.plugins.module_utils.events.causes.causes import Diagnosis
from ansible_collections.voip.preprovision.plugins.module_utils.events.causes.failure_codes import FailureCode
from ansible_collections.voip.preprovision.plugins.module_utils.events.diagnosis.diagnosis import (
    diagnose_failure,
    diagnose_on_station,
)
from ansible_collections.voip.preprovision.plugins.module_utils.events.diagnosis.failure_case import Case
from ansible_collections.voip.preprovision.plugins.module_utils.events.diagnosis.failure_explainers import EXPLAINERS

URL = "https://prov.example.net/device/00005e005301.cfg"
FETCH = {"url": URL, "server": "prov.example.net", "path": "/device/00005e005301.cfg", "scheme": "https", "status": 0}
HERE = {"bridge": {"name": "bench0", "state": "up", "address": "192.0.2.1"}}


def down(name, state="inactive"):
    return {**HERE, "services": {**dict.fromkeys(SERVICES, "active"), name: state}}


def failure(code, **facts):
    return {"code": code, "step": "fetch", "what": "", "facts": facts}


def refused(words):
    return {**HERE, "events": [{"kind": "http", "detail": {"path": FETCH["path"], "status": 403, "refused": words}}]}


def test_explains_every_code():
    assert set(EXPLAINERS) == set(FailureCode)


@pytest.mark.parametrize("code", [*FailureCode, "", "unheard of"])
def test_each_code_gives_whole_sentences(code):
    for cause, remedy in diagnose_failure(failure(code)):
        for sentence in (cause, remedy):
            assert sentence.endswith(".")
            assert ".." not in sentence
            assert "None" not in sentence


@pytest.mark.parametrize(
    ("code", "facts", "station", "cause"),
    [
        ("no_lease", {}, down("dhcp"), "The DHCP server does not run."),
        ("no_lease", {}, down("dhcp", "failed"), "The DHCP server is failed."),
        ("no_lease", {}, {"bridge": {"name": "bench0", "state": "down"}}, "The bench's bridge bench0 is down."),
        ("no_lease", {}, {"bridge": {"name": "bench0", "state": "missing"}}, "There is no bridge bench0."),
        ("no_lease", {}, HERE, "No DHCP request from it has arrived."),
        (
            "no_lease",
            {},
            {**HERE, "events": [{"kind": "lease", "detail": {"what": "none free"}}]},
            "The DHCP server has no free address for it.",
        ),
        (
            "no_option",
            {"option": 66, "value": "ftp://x"},
            HERE,
            "Its family cannot follow what DHCP offers in option 66, 'ftp://x'.",
        ),
        ("no_option", {"options": [66, 150]}, HERE, "DHCP gave it an address, but not option 66 or 150"),
        ("no_address", {"server": "prov.example.net"}, down("names"), "The DNS server does not run."),
        ("no_address", {"server": "prov.example.net"}, HERE, "prov.example.net has no address on the bench."),
        ("refused", FETCH, down("web"), "The web server does not run."),
        ("no_answer", {**FETCH, "scheme": "tftp"}, down("tftp"), "The TFTP server does not run."),
        ("timeout", FETCH, HERE, f"{URL} does not end in time."),
        ("refused", {**FETCH, "address": "192.0.2.9"}, HERE, "prov.example.net leads to 192.0.2.9, which is not this station"),
        (
            "not_found",
            {**FETCH, "path": "/ata192.cfg"},
            {"files": ["/ATA192.cfg"]},
            "It asks for /ata192.cfg, which does not exist; what",
        ),
        # dnsmasq looks only in the unit's own folder, whatever other models' files exist
        (
            "not_found",
            {**FETCH, "path": "/ata192.cfg", "scheme": "tftp"},
            {"files": ["/ata191.cfg"], "own": [{"path": "units/00-00-5e-00-53-01/ata-192.cfg"}], "armed": True},
            "It asks for /ata192.cfg, which does not exist; what exists is called ata-192.cfg.",
        ),
        (
            "not_found",
            {**FETCH, "path": "/ata192.cfg", "scheme": "tftp"},
            {"files": ["/ata191.cfg"], "own": [{"path": "units/00-00-5e-00-53-01/ata192.cfg", "missing": True}], "armed": True},
            "It asks for /ata192.cfg, which does not exist.",
        ),
        ("not_found", FETCH, {"files": [], "generation": ""}, "Nothing is published on this station."),
        ("not_found", FETCH, {"files": ["/ata192.cfg"]}, f"It asks for {FETCH['path']}, which does not exist."),
        ("forbidden", FETCH, refused("no client certificate"), f"The web server refused {URL}: it showed no client certificate."),
        ("forbidden", FETCH, refused("the client certificate of another phone"), f"The web server refused {URL}: its client"),
        ("forbidden", FETCH, {"own": [{"path": FETCH["path"][1:], "readable": False}]}, "The web server may not read /device/"),
        ("http_status", {**FETCH, "status": 503}, down("service"), "The profile service does not run."),
        ("chain", FETCH, {"clock_off": -172800}, "The station's clock is 2 days behind the controller's."),
        (
            "chain",
            FETCH,
            {"certificate": {"problems": [], "names": ["a.example"]}},
            "The server's certificate is not signed by the root",
        ),
        (
            "chain",
            FETCH,
            {"certificate": {"names": ["a.example"], "problems": [{"code": "name_mismatch", "what": "w", "remedy": "r"}]}},
            "The server's certificate is not for prov.example.net (it is for a.example).",
        ),
        (
            "certificate_time",
            FETCH,
            {"certificate": {"problems": [{"code": "expired", "what": "it expired", "remedy": "renew it"}]}},
            "The server's certificate is not one that phones accept: it expired.",
        ),
        ("certificate_time", FETCH, {"clock_off": 1}, "The server's certificate is not valid by the phone's clock."),
        ("loop", {"profile_rule": "/x.cfg"}, {}, "Its Profile_Rule '/x.cfg' leads back to itself."),
        ("no_log", {"server": "192.0.2.7"}, HERE, "It logs to 192.0.2.7, which is not this station (192.0.2.1)."),
        ("no_event", {}, down("events"), "The unit that brings events into the database does not run."),
    ],
)
def test_puts_the_stations_own_facts_first(code, facts, station, cause):
    found = diagnose_failure(failure(code, **facts), station, station)
    assert found[0].cause.startswith(cause)


@pytest.mark.parametrize(
    ("state", "station", "published", "cause"),
    [
        ("expected", down("dhcp"), True, "The DHCP server does not run."),
        ("expected", {"bridge": {"name": "bench0", "state": "down"}}, True, "The bench's bridge bench0 is down."),
        ("leased", down("tftp"), True, "The TFTP server does not run."),
        ("bootstrap", HERE, False, "No profile of its own is published."),
        ("failed", HERE, True, "As progress says."),
        ("resynced", down("dhcp"), True, "As progress says."),
    ],
)
def test_explains_a_stuck_phone_by_the_stations_facts_first(state, station, published, cause):
    assert diagnose_on_station(state, Diagnosis("As progress says.", "Do so."), station, published).cause == cause


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 seconds"), (61, "1 minute"), (3600, "1 hour"), (2 * 86400 + 5, "2 days"), (59.4, "59 seconds")]
)
def test_formats_durations_in_words(seconds, text):
    assert format_duration(seconds) == text


@given(
    st.sampled_from(FailureCode),
    st.dictionaries(st.sampled_from(("url", "path", "server", "names", "address", "name", "error")), st.text(max_size=30)),
)
def test_finds_a_cause_for_any_facts(code, facts):
    assert diagnose_failure(failure(code, **facts), HERE)


def test_a_hung_service_is_named_with_what_it_did_not_do():
    hung = {**down("names", "hung"), "answers": {"names": "does not answer"}}
    [first, *_others] = diagnose_failure(failure("no_address", server="prov.example.net"), hung)
    assert first == Diagnosis(
        "The DNS server runs, but does not answer.",
        "Restart it with 'systemctl restart unbound.service', and read what it did before with 'journalctl -u unbound.service'.",
    )


@pytest.mark.parametrize(
    ("answers", "cause"),
    [
        ({"watch": "the DHCP server 192.0.2.9 answers"}, "The DHCP server is held, since the DHCP server 192.0.2.9 answers."),
        ({}, "The DHCP server is held, since nothing watches for other servers."),
    ],
)
def test_dhcp_without_its_watch_is_held(answers, cause):
    services = {**dict.fromkeys(SERVICES, "active"), "dhcp": "inactive", "watch": "activating"}
    station = {**HERE, "services": services, "answers": answers}
    [first, *_others] = diagnose_failure(failure("no_lease"), station)
    assert first.cause == cause
    assert [name for name, _clause in Case(station=station).all_stopped()] == ["dhcp"]


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_that_is_down_is_told_once(name):
    assert [one for one, _clause in Case(station=down(name, "failed")).all_stopped()] == [name]


def test_dhcp_that_was_stopped_with_its_watch_is_not_held():
    station = {**HERE, "services": {**dict.fromkeys(SERVICES, "active"), "dhcp": "inactive", "watch": "inactive"}}
    [first, *_others] = diagnose_failure(failure("no_lease"), station)
    assert first.cause == "The DHCP server does not run."
    assert [name for name, _clause in Case(station=station).all_stopped()] == ["watch", "dhcp"]
