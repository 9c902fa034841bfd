# SPDX-License-Identifier: GPL-3.0-or-later
"""Causes and remedies: every code has them, and the station's own facts come first."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils import diagnosis
from ansible_collections.voip.preprovision.plugins.module_utils.diagnosis import CODES, SERVICES, diagnose, explain_state, span
from ansible_collections.voip.preprovision.plugins.module_utils.progress import Diagnosis

DOMAIN = Path(diagnosis.__file__).parent
SOURCES = (
    "phone_behaviour",
    "phone_fetching",
    "phone_upgrade",
    "phone_reporting",
    "profile_opening",
    "server_judge",
    "dhcp_sources",
)
URL = "https://prov.example.net/device/00005e005301.cfg"
FETCH = {"url": URL, "server": "prov.example.net", "path": "/device/00005e005301.cfg", "scheme": "https", "status": 0}
HERE = {"bridge": {"name": "bench0", "state": "up", "address": "192.0.2.1"}}


def down(name, state="inactive"):
    return {**HERE, "services": {**dict.fromkeys(SERVICES, "active"), name: state}}


def failure(code, **facts):
    return {"code": code, "step": "fetch", "what": "", "facts": facts}


def refused(words):
    return {**HERE, "events": [{"kind": "http", "detail": {"path": FETCH["path"], "status": 403, "refused": words}}]}


def test_each_code_that_a_unit_can_end_with_has_a_diagnosis_of_its_own():
    text = "\n".join((DOMAIN / f"{name}.py").read_text() for name in SOURCES)
    calls = r'(?:ResyncError|OpeningError|_failed|\.fail)\(\s*"(\w+)"'
    results = r'\bcode = "(\w+)"|return "(\w+)", (?:f?"|answer)|code: str = "(\w+)"'
    told = f"{calls}|{results}"
    used = {code for found in re.findall(told, text) for code in found if code}
    assert len(used) > 15
    assert used - set(CODES) == set()


@pytest.mark.parametrize("code", [*CODES, "", "unheard of"])
def test_each_code_gives_whole_sentences(code):
    for cause, remedy in diagnose(failure(code)):
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
        ("no_lease", {}, HERE, "No DHCP request of it has arrived."),
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
        ("timeout", FETCH, HERE, f"{URL} does not come to its end in time."),
        ("refused", {**FETCH, "address": "192.0.2.9"}, HERE, "prov.example.net leads to 192.0.2.9, which is not this station"),
        (
            "not_found",
            {**FETCH, "path": "/ata192.cfg"},
            {"files": ["/ATA192.cfg"]},
            "It asks for /ata192.cfg, which is not there; what",
        ),
        ("not_found", FETCH, {"files": [], "generation": ""}, "Nothing is published on this station."),
        ("not_found", FETCH, {"files": ["/ata192.cfg"]}, f"It asks for {FETCH['path']}, which is not there."),
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
            "The server's certificate is not as phones want it: it expired.",
        ),
        ("certificate_time", FETCH, {"clock_off": 1}, "By the phone's clock the server's certificate is not valid."),
        ("loop", {"profile_rule": "/x.cfg"}, {}, "Its Profile_Rule '/x.cfg' leads back to itself."),
        ("no_log", {"server": "192.0.2.7"}, HERE, "It logs to 192.0.2.7, which is not this station (192.0.2.1)."),
        ("no_event", {}, down("events"), "The unit that brings events into the database does not run."),
    ],
)
def test_what_the_station_says_comes_first(code, facts, station, cause):
    found = diagnose(failure(code, **facts), station)
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
def test_a_phone_that_comes_no_further_is_explained_by_the_station_first(state, station, published, cause):
    assert explain_state(state, Diagnosis("As progress says.", "Do so."), station, published).cause == cause


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 seconds"), (61, "1 minute"), (3600, "1 hour"), (2 * 86400 + 5, "2 days"), (59.4, "59 seconds")]
)
def test_times_are_told_in_words(seconds, text):
    assert span(seconds) == text


@given(
    st.sampled_from(CODES),
    st.dictionaries(st.sampled_from(("url", "path", "server", "names", "address", "name", "error")), st.text(max_size=30)),
)
def test_whatever_a_failure_holds_has_a_cause(code, facts):
    assert diagnose(failure(code, **facts), HERE)
