# SPDX-License-Identifier: GPL-3.0-or-later
"""What provisioning servers log of a phone: what is certain deploys it, and no claim changes anything but the claims."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.events.logs.evidence import CLAIMS, CONTACTS, Evidence, Place
from ansible_collections.voip.preprovision.plugins.module_utils.events.logs.log_lines import Event, EventKind, Line, Writer, parse
from ansible_collections.voip.preprovision.plugins.module_utils.events.progress.home_contact import (
    diagnose_silence,
    last_asked_by_key_id,
    last_claimed_contact,
    last_contact,
    last_failure,
)
from ansible_collections.voip.preprovision.plugins.module_utils.events.progress.observations import (
    Observations,
    apply_events,
    before_clock_change,
    names_of,
    observe_at_home,
    read_observations,
    write_observations,
)
from ansible_collections.voip.preprovision.plugins.module_utils.events.progress.progress import first_reached, position_of
from ansible_collections.voip.preprovision.plugins.module_utils.events.progress.progress_table import MILESTONES, ObservationKind

MAC, SERIAL = "00005e005301", "FCH0000D001"
BENCH, HOME = "192.0.2.20", "198.51.100.7"
NOW = 1795524177778
HOUR = 3600
KEYED = f"/service/{MAC}-12345678.cfg"


def event(number, kind, place=Place.HOME, evidence="certificate", **detail):
    proved = Evidence(evidence) not in (*CLAIMS, Evidence.NONE)
    address = HOME if place is Place.HOME else BENCH
    return Event(
        f"{number:09}", NOW + number * 1000, EventKind(kind), MAC if proved else "", address, MAC, detail, Evidence(evidence), place
    )


def fetched(number, evidence="certificate", status=200, path=KEYED, **detail):
    return event(number, "http", evidence=evidence, what="file", path=path, status=status, method="GET", **detail)


def live(number, evidence="certificate", status=200, **detail):
    return event(number, "profile", evidence=evidence, path=f"/live/{MAC}.cfg", status=status, method="GET", **detail)


def report(number, evidence="key", status=200):
    return event(number, "report", evidence=evidence, path=f"/report/{MAC}.xml", status=status, method="POST")


def customization(number, evidence="claim", **detail):
    return event(number, "redirect", evidence=evidence, path="/customization", status=200, method="GET", **detail)


def logged(number, what, text="x"):
    return event(number, "resync", evidence="claim", what=what, text=text)


def on_bench(number, kind, **detail):
    proof = "" if kind == "lease" else "address"
    one = event(number, kind, Place.BENCH, proof, **detail)
    return Event(**{**vars(one), "mac": MAC})


WALK = (
    on_bench(1, "lease", what="ack"),
    on_bench(2, "tftp", what="sent", path="/ata192.cfg"),
    on_bench(3, "http", what="file", path=f"/device/{MAC}.cfg", status=200, method="GET", etag='"65f-1"', firmware="11-1"),
    on_bench(4, "resync", what="success", text=f"https://192.0.2.1/device/{MAC}.cfg"),
)
CLAIMS_AT_HOME = (
    fetched(3 * 24 * HOUR, "name"),
    fetched(3 * 24 * HOUR, "claim", path=f"/service/{MAC}.cfg", firmware="66-6", etag='"f00-1"'),
    fetched(3 * 24 * HOUR, "claim", 403, f"/device/{MAC}.cfg", refused="no client certificate"),
    fetched(3 * 24 * HOUR, "claim", 404, f"/{MAC}.cfg"),
    live(3 * 24 * HOUR, "claim", etag="f00"),
    live(3 * 24 * HOUR, "claim", 503, reason="overloaded"),
    report(3 * 24 * HOUR, "claim"),
    report(3 * 24 * HOUR, "claim", 403),
    customization(3 * 24 * HOUR, location="https://attacker.example.com/"),
    customization(3 * 24 * HOUR),
    logged(3 * 24 * HOUR, "success", f"https://prov.example.com/service/{MAC}.cfg"),
    logged(3 * 24 * HOUR, "failure", "http_get failed"),
    logged(3 * 24 * HOUR, "request"),
    event(3 * 24 * HOUR, "upgrade", evidence="claim", what="failure", text="x"),
    event(3 * 24 * HOUR, "http", evidence="claim", what="", path=f"/board/phones/{MAC}", status=200, method="GET"),
)


def observed(*events):
    return apply_events(Observations(), events, MAC, SERIAL)


@pytest.mark.parametrize(
    ("events", "packed", "state"),
    [
        # Never on a bench here: bought elsewhere, or deployed before there was a board
        ([fetched(9)], 0, "deployed"),
        ([live(9)], 0, "deployed"),
        ([report(9)], 0, "deployed"),
        ([report(9, "certificate")], 0, "deployed"),
        ([customization(9, "certificate")], 0, "deployed"),
        # It called, and was refused
        ([live(9, status=503)], 0, "deployed"),
        # HEAD is from scan-out; a look at the board is no call
        ([event(9, "profile", path=KEYED, status=200, method="HEAD")], 0, "expected"),
        ([event(9, "http", what="", path="/board/", status=200, method="GET")], 0, "expected"),
        # Packed
        ([*WALK], 100, "packed"),
        ([*WALK, fetched(99)], 100, "packed"),
        ([*WALK, fetched(101)], 100, "deployed"),
        # Nobody scanned it out
        ([*WALK, fetched(101)], 0, "resynced"),
        ([*WALK, fetched(25 * HOUR)], 0, "deployed"),
        # Back on the bench, and back at home
        ([*WALK, fetched(101), on_bench(200, "tftp", what="sent", path="/ata192.cfg")], 100, "bootstrap"),
        ([*WALK, fetched(101), on_bench(200, "lease", what="ack")], 100, "deployed"),
        ([*WALK, fetched(26 * HOUR), on_bench(27 * HOUR, "lease", what="ack")], 0, "resynced"),
    ],
)
def test_what_is_certain_deploys_a_phone(events, packed, state):
    found = position_of(observed(*events), packed and NOW + packed * 1000)
    assert (found.state, found.claimed) == (state, False)


@pytest.mark.parametrize("packed", [0, 100])
@pytest.mark.parametrize("before", [(), WALK, (*WALK, fetched(2 * 24 * HOUR, firmware="11-2", etag='"65f-2"'))])
@pytest.mark.parametrize("claim", CLAIMS_AT_HOME, ids=lambda one: f"{one.kind}-{one.detail.get('status', one.detail.get('what'))}")
def test_a_claim_at_home_moves_no_phone(before, claim, packed):
    observations = observed(*before)
    after = apply_events(observations, [claim], MAC, SERIAL)
    moment = packed and NOW + packed * 1000
    assert position_of(after, moment) == position_of(observations, moment)
    assert last_contact(after) == last_contact(observations)
    assert (after.certain, after.claimed, after.home) == (observations.certain, observations.claimed, observations.home)
    assert first_reached(dict.fromkeys(MILESTONES, 0), observations, [claim], names_of(MAC)) == dict.fromkeys(MILESTONES, 0)


def test_a_claim_is_shown_as_such():
    after = observed(fetched(5, "name"), customization(9))
    claimed, named = last_claimed_contact(after), last_asked_by_key_id(after)
    assert (claimed.time, claimed.text, claimed.evidence) == (NOW + 9000, HOME, "claim")
    assert (named.time, named.evidence) == (NOW + 5000, "name")
    assert {claimed.evidence, named.evidence} <= set(CONTACTS)


def test_shows_the_last_contact():
    after = observed(*WALK, fetched(200, firmware="11-2", etag='"65f-2"', subject=f"CN={MAC}"), report(300))
    contact, found = last_contact(after), position_of(after, NOW + 100_000)
    assert (contact.time, contact.text, contact.evidence) == (NOW + 300_000, HOME, "key")
    assert (found.firmware, found.profile_hash, found.subject, found.address) == ("11-2", "65f-2", f"CN={MAC}", BENCH)


@pytest.mark.parametrize(
    ("events", "customization"),
    [
        ([customization(5, location="https://x.example/")], "Open"),
        ([customization(5, "certificate")], "Unavailable"),
        ([customization(5, "certificate", location="https://x.example/")], "Custom Pending"),
        ([customization(5, "certificate", location="https://x.example/"), fetched(6, "name")], "Custom Pending"),
        ([customization(5, "certificate", location="https://x.example/"), fetched(6)], "Acquired"),
    ],
)
def test_the_customization_state_follows_what_is_certain(events, customization):
    assert position_of(observed(*events)).customization == customization


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([fetched(5)], None),
        ([live(5, status=503, reason="overloaded")], (5, "the server could not answer", False, False)),
        ([live(5, status=503), live(6)], (5, "the server could not answer", False, True)),
        ([logged(5, "failure", "cannot decrypt")], (5, "it could not decrypt its profile", True, False)),
        # A claim of success ends a claimed failure, and no certain one
        ([logged(5, "failure", "cannot decrypt"), logged(6, "success", "")], (5, "it could not decrypt its profile", True, True)),
        ([live(5, status=503), logged(6, "success", "")], (5, "the server could not answer", False, False)),
        ([fetched(5, "claim", 403, refused="no client certificate")], (5, "it showed no client certificate", True, False)),
    ],
)
def test_shows_the_last_failure(events, expected):
    found = last_failure(observed(*events))
    shown = found and ((found.time - NOW) // 1000, found.failure.reason.partition(":")[0], found.claimed, found.over)
    assert shown == expected


LATE = 15 * 24 * HOUR
PACKED = NOW + 100_000


@pytest.mark.parametrize(
    ("events", "state", "since", "days", "cause"),
    [
        ([], "packed", PACKED, 0, ""),
        ([], "packed", PACKED, 15, ""),
        ([], "packed", PACKED, 14, "It has not called home in the 14 days since it was packed: no request has named it."),
        ([], "resynced", PACKED, 14, ""),
        (
            [fetched(200, "claim", 403, f"/device/{MAC}.cfg", refused="no client certificate")],
            *("packed", PACKED, 14),
            "It has not called home in the 14 days since it was packed, and whoever asked in its name was refused: it showed no"
            " client certificate.",
        ),
        # Before it was packed
        (
            [fetched(9, "claim", 403, f"/device/{MAC}.cfg", refused="no client certificate")],
            *("packed", PACKED, 14),
            "It has not called home in the 14 days since it was packed: no request has named it.",
        ),
        (
            [customization(200)],
            *("packed", PACKED, 14),
            "It has not called home in the 14 days since it was packed, or cannot prove it: requests have named it, without its"
            " certificate and without a sealed report.",
        ),
        ([fetched(LATE - HOUR, "name")], "packed", PACKED, 14, ""),
        (
            [fetched(200, "name")],
            *("packed", PACKED, 14),
            "Its file was last fetched 14 days ago by a name that anybody may have overheard, and nothing proves that it has ever"
            " called home itself.",
        ),
        ([fetched(200)], "deployed", NOW, 14, "It has not called home for 14 days."),
        ([fetched(200), report(LATE - HOUR)], "deployed", NOW, 14, ""),
        (
            [fetched(200), fetched(300, "claim", 429)],
            *("deployed", NOW, 14),
            "It has not called home for 14 days, and whoever asked in its name was refused: the server treats it as one that"
            " searches for other phones' files.",
        ),
    ],
)
def test_says_why_a_phone_is_silent(events, state, since, days, cause):
    found = diagnose_silence(observed(*events), state, since, NOW + LATE * 1000, days)
    assert (found.cause if found else "") == cause
    assert found is None or (found.remedy.endswith(".") and len(found.remedy) > 20)


EVERYTHING = [*WALK, *(live(100 + number) for number in range(3)), fetched(110, status=403), report(120), *CLAIMS_AT_HOME]


@given(st.permutations(EVERYTHING), st.integers(1, 9))
def test_the_order_of_events_does_not_matter(events, size):
    observations = Observations()
    for first in range(0, len(events), size):
        observations = apply_events(observations, events[first : first + size], MAC, SERIAL)
        assert read_observations(write_observations(observations)) == observations
    expected = observed(*EVERYTHING)
    # Of events at one moment with one key, the text decides
    assert observations == expected


def test_a_clock_that_was_ahead_is_corrected_at_home_too():
    after = before_clock_change(observed(fetched(1000), customization(2000)), NOW, NOW - 5000)
    assert (last_contact(after).time, last_claimed_contact(after).time) == (NOW - 1_005_001, NOW - 5001)


def read(writer, **record):
    found = parse(Line(writer, NOW, json.dumps(record), "k"))
    assert found is not None
    return found.mac, found.claim, found.evidence


@pytest.mark.parametrize(
    ("path", "status", "method", "evidence"),
    [
        (KEYED, 200, "GET", "name"),
        (KEYED, 304, "GET", "name"),
        (KEYED, 200, "HEAD", ""),
        (KEYED, 404, "GET", ""),
        (KEYED, 503, "GET", ""),
        (f"/service/{MAC}-12345678.cfg.aes128gcm", 200, "GET", "name"),
        (f"/service/12345678-{MAC}.cfg", 200, "GET", "name"),
        # The ID of no key, and other digits
        (f"/service/{MAC}-00000000.cfg", 200, "GET", ""),
        (f"/service/{MAC}.cfg", 200, "GET", ""),
        (f"/12345678/{MAC}.cfg", 200, "GET", ""),
        (f"/service/{MAC}-123456789.cfg", 200, "GET", ""),
        ("/service/spa-12345678.cfg", 200, "GET", ""),
    ],
)
def test_the_id_of_a_key_in_a_name_is_weak_evidence(path, status, method, evidence):
    mac = MAC if MAC in path else ""
    asked = {"address": HOME, "method": method, "status": status, "agent": "x", "subject": ""}
    assert read(Writer.WEB, uri=path, file=path, verify="NONE", **asked) == ("", mac, evidence)
    assert read(Writer.SERVICE, kind="profile", mac=MAC, path=path, **asked) == ("", MAC, evidence if mac else "")


def test_a_certificate_counts_before_the_name():
    subject = f"CN={MAC},O=Maker"
    record = {"address": HOME, "method": "GET", "status": 200, "agent": "x", "subject": subject, "verify": "SUCCESS"}
    assert read(Writer.WEB, uri=KEYED, file=KEYED, **record) == (MAC, MAC, "certificate")
    assert read(Writer.SERVICE, kind="profile", mac=MAC, path=KEYED, **record) == (MAC, MAC, "certificate")


def test_nothing_at_home_is_taken_for_the_bench():
    kinds = {kind for one in (*EVERYTHING, tftp_at_home()) for kind, _text in observe_at_home(one, names_of(MAC, SERIAL))}
    assert not kinds & {ObservationKind.LEASED, ObservationKind.BOOTSTRAP_FETCHED, ObservationKind.ADDRESS}


def tftp_at_home():
    return event(1, "tftp", what="sent", path="/ata192.cfg")
