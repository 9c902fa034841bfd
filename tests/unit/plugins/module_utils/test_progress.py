# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a phone is by what is known of it: tables, and what must hold in any order."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.events import Event
from ansible_collections.voip.preprovision.plugins.module_utils.progress import (
    MILESTONES,
    PATIENCE,
    STATES,
    arrived,
    begin,
    diagnose,
    explain,
    judge,
    learn,
    reach,
    read_facts,
    write_facts,
)

MAC, SERIAL, OTHER = "00005e005301", "FCH0000D001", "00005e005302"
ADDRESS = "192.0.2.20"
OWN_URL = f"https://192.0.2.1:443/device/{MAC}.cfg"
NOW = 1795524177778


def event(number, kind, mac=MAC, **detail):
    return Event(f"{number:04}", NOW + number * 1000, kind, mac, ADDRESS, MAC, detail)


def lease(number, what="ack"):
    return event(number, "lease", what=what)


def tftp(number, path="/ata192.cfg", what="sent"):
    return event(number, "tftp", what=what, path=path)


def http(number, path=f"/device/{MAC}.cfg", status=200, method="GET", **detail):
    return event(number, "http", path=path, status=status, method=method, **detail)


def resync(number, what, text=OWN_URL):
    return event(number, "resync", what=what, text=text)


def told(*events):
    return learn({}, events, MAC, SERIAL)


def state_after(*events, packed=0):
    return judge(told(*events), packed).state


LEASE, BOOTSTRAP, PROFILE, SUCCESS = lease(1), tftp(2), http(3), resync(4, "success")
WALK = (lease(0, "discover"), LEASE, BOOTSTRAP, resync(2, "request"), PROFILE, SUCCESS)


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ([], "expected"),
        ([lease(0, "discover")], "expected"),
        ([lease(0, "release")], "expected"),
        ([LEASE], "leased"),
        ([LEASE, http(2, "/bench-ca.pem")], "leased"),
        ([LEASE, tftp(2, f"/{OTHER}.cfg")], "leased"),
        # a phone asks for more than there is
        ([LEASE, tftp(2, "/8851-3PCC.xml", "missing"), http(3, "/8851-3PCC.xml", 404)], "leased"),
        ([LEASE, BOOTSTRAP], "bootstrap"),
        ([LEASE, http(2, "/8851-3PCC.xml?x")], "bootstrap"),
        ([LEASE, http(2, "/8851-3PCC.xml", method="HEAD")], "leased"),
        # the message of success of the bootstrap profile is not that of the phone's own
        ([LEASE, BOOTSTRAP, resync(3, "success", "tftp://192.0.2.1/ata192.cfg")], "bootstrap"),
        ([LEASE, resync(3, "success", "tftp://192.0.2.1/ata192.cfg")], "bootstrap"),
        ([LEASE, BOOTSTRAP, PROFILE], "profile"),
        ([LEASE, BOOTSTRAP, PROFILE, resync(3, "success", "tftp://192.0.2.1/ata192.cfg")], "profile"),
        ([LEASE, BOOTSTRAP, http(3, "/00-00-5E-00-53-01/x", 304)], "profile"),
        ([LEASE, BOOTSTRAP, tftp(3, f"/{SERIAL.lower()}.cfg")], "profile"),
        ([event(3, "profile", status=200, path="/live/x", etag='"abc"')], "profile"),
        (WALK, "resynced"),
        ([*WALK, event(5, "report", status=200)], "reported"),
        ([*WALK, event(5, "report", status=403)], "resynced"),
        # a template without a URL
        ([LEASE, BOOTSTRAP, PROFILE, resync(4, "success", "")], "resynced"),
        ([LEASE, BOOTSTRAP, resync(4, "success", "")], "bootstrap"),
        # switched on again, renewed, looked again
        ([*WALK, lease(9)], "resynced"),
        ([*WALK, http(9, f"/service/{MAC}-1.cfg")], "resynced"),
        # reset to its factory settings
        ([*WALK, lease(9), tftp(10)], "bootstrap"),
        ([*WALK, resync(9, "failure", "http_get failed")], "failed"),
        ([LEASE, resync(2, "failure", "x"), lease(3)], "failed"),
        ([LEASE, resync(2, "failure", "x"), tftp(3)], "bootstrap"),
        ([LEASE, BOOTSTRAP, resync(2, "failure", "x"), PROFILE], "profile"),
        ([LEASE, BOOTSTRAP, PROFILE, resync(3, "failure", "bad key")], "failed"),
        ([LEASE, BOOTSTRAP, http(3, status=403, refused="no client certificate")], "failed"),
        ([LEASE, BOOTSTRAP, http(3, status=401)], "bootstrap"),
        ([LEASE, BOOTSTRAP, http(3, status=401), http(4)], "profile"),
        ([LEASE, BOOTSTRAP, http(3, status=502)], "failed"),
        # nobody's file
        ([LEASE, BOOTSTRAP, http(3, "/", status=403)], "bootstrap"),
        ([*WALK, event(5, "upgrade", what="failure", text="http_get failed")], "failed"),
        ([*WALK, event(5, "upgrade", what="failure", text="x"), event(6, "upgrade", what="success")], "resynced"),
        ([*WALK, event(5, "upgrade", what="request")], "resynced"),
    ],
)
def test_states(events, state):
    assert state_after(*events) == state


def test_a_claim_alone_makes_no_phone_fail():
    assert state_after(LEASE, BOOTSTRAP, event(3, "http", "", path=f"/device/{MAC}.cfg", status=403, method="GET")) == "bootstrap"


@pytest.mark.parametrize(
    ("events", "state", "since", "expected"),
    [
        ([], "expected", NOW - 1, NOW - 1),
        ([LEASE], "expected", NOW - 1, NOW + 1000),
        ([LEASE, lease(50)], "leased", NOW + 1000, NOW + 1000),
        ([LEASE, resync(5, "failure", "x"), resync(50, "failure", "x")], "failed", NOW + 5000, NOW + 5000),
        (WALK, "resynced", NOW + 4000, NOW + 4000),
        # all of its way again, seen at once
        ([*WALK, tftp(50), resync(52, "success")], "resynced", NOW + 4000, NOW + 52_000),
    ],
)
def test_since_when(events, state, since, expected):
    facts = told(*events)
    assert arrived(facts, judge(facts), state, since) == expected


def claimed(number, kind="http", address="192.0.2.99", **detail):
    return Event(f"{number:06}", NOW + number * 1000, kind, "", address, MAC, {"status": 200, "method": "GET", **detail})


def test_a_claim_is_believed_where_nobody_is_sure():
    fetched = claimed(50, path=f"/live/{MAC}.cfg", etag='"2"', firmware="9")
    assert judge(told(fetched)) == ("profile", NOW + 50_000, "", "192.0.2.99", "9", "2", "", "Open")
    # On the bench, the lease says who asks
    assert state_after(LEASE, fetched, claimed(51, "tftp", path="/ata192.cfg", what="sent")) == "leased"
    assert judge(told(*WALK, http(5, firmware="7.6.2", etag="1"), fetched))[3:6] == (ADDRESS, "7.6.2", "1")
    # At the customer's
    later = claimed(90_000, "profile", path=f"/live/{MAC}.cfg", etag="3", firmware="9")
    assert judge(told(*WALK, http(5, etag="1"), later))[3:6] == ("192.0.2.99", "9", "3")
    assert state_after(LEASE, later) == "profile"


def test_what_is_packed_stays_so_until_it_is_reset():
    assert state_after(*WALK, lease(30), packed=NOW + 20_000) == "packed"
    assert state_after(*WALK, resync(30, "failure", "x"), packed=NOW + 20_000) == "packed"
    assert state_after(*WALK, tftp(30), packed=NOW + 20_000) == "bootstrap"


def test_a_position_tells_what_is_known():
    subject = f"SN={MAC},L={SERIAL},OU=ATA192"
    facts = told(*WALK, http(5, etag='"65f-1"', firmware="11-1-0MPP-16", subject=subject), event(6, "report", status=200))
    position = judge(facts)
    assert position == ("reported", NOW + 6000, "", ADDRESS, "11-1-0MPP-16", "65f-1", subject, "Aborted")


def test_the_certificate_of_another_is_not_taken_for_its_own():
    assert judge(told(http(5, subject=f"SN={OTHER},L={SERIAL}"))).subject == ""


def test_the_server_says_better_why():
    facts = told(*WALK, http(7, status=403, refused="no client certificate"), resync(8, "failure", "http_get failed"))
    reason = judge(facts).reason
    assert reason == f"it showed no client certificate: no client certificate (HTTP 403, /device/{MAC}.cfg)"


def test_nothing_before_a_new_beginning_counts():
    facts = learn(begin(NOW + 8000), [*WALK, lease(9)], MAC, SERIAL)
    assert judge(facts).state == "leased"
    assert judge(begin(NOW)).state == "expected"


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("no client certificate (HTTP 403, /x)", "showed no client certificate"),
        ("a client certificate of no phone in particular", "generic"),
        ("the client certificate of another phone", "another phone"),
        ("a client certificate that is not valid", "not valid here"),
        ("not by HTTPS", "without HTTPS"),
        ("https://192.0.2.1/key.xml: file not found", "not there"),
        (f"{OWN_URL}: HTTP status 404", "not there"),
        ("http_get failed", "could not fetch"),
        ("HTTP status 403", "refused it"),
        ("HTTP status 503", "could not answer"),
        ("the file is encrypted, and the rule has no --key", "decrypt"),
        ("bad decrypt: wrong padding", "decrypt"),
        ("the file is no whole gzip file", "unpack"),
        ("the profile is not well-formed XML", "corrupt"),
        ("SSL certificate problem: certificate is not yet valid", "certificate"),
        ("Could not resolve host: prov.example.net", "resolve"),
        ("Connection timed out", "did not answer"),
        ("Connection refused", "did not answer"),
        ("42", "says that the resync failed"),
        ("", "says that the resync failed"),
    ],
)
def test_failures_in_words(text, cause):
    assert cause in explain(text)[0]
    facts = told(LEASE, resync(5, "failure", text))
    position = judge(facts)
    assert cause in position.reason
    diagnosis = diagnose(facts, "failed", position.since, NOW + 5000)
    assert cause in diagnosis.cause


@pytest.mark.parametrize(
    ("events", "cause", "remedy"),
    [
        ([], "No DHCP request", "VLAN"),
        ([lease(0, "discover")], "takes none", "another DHCP server"),
        ([lease(0, "none free")], "no free address", "pool larger"),
        ([lease(0, "nak")], "refused the address", "new address"),
        ([LEASE], "asked for no file", "option 66"),
        ([LEASE, tftp(2, "/spa122.cfg", "missing")], "/spa122.cfg, which is not there", "model"),
        ([LEASE, tftp(2, what="failed")], "breaks off", "UDP"),
        # before this lease
        ([tftp(0, "/spa122.cfg", "missing"), LEASE], "asked for no file", "option 66"),
        ([LEASE, BOOTSTRAP], "has not asked for its own", "Profile_Rule"),
        ([LEASE, BOOTSTRAP, resync(3, "request")], "HTTPS, but no request", "option 42"),
        ([LEASE, BOOTSTRAP, resync(3, "request", f"http://prov.example.net/{MAC}.cfg")], "no request has arrived", "resolves"),
        ([LEASE, BOOTSTRAP, http(3, status=404)], "is not there", "MAC address"),
        ([LEASE, BOOTSTRAP, http(3, status=401)], "password", "--uid"),
        ([LEASE, BOOTSTRAP, PROFILE], "does not log", "syslog"),
        ([LEASE, BOOTSTRAP, resync(2, "request"), PROFILE], "does not say that it took it", "key"),
    ],
)
def test_why_a_phone_is_stuck(events, cause, remedy):
    facts = told(*events)
    state, since = judge(facts).state, NOW
    patience = PATIENCE[state] * 1000
    assert diagnose(facts, state, since, since + patience - 1) is None
    found = diagnose(facts, state, since, since + patience)
    assert cause in found.cause
    assert remedy in found.remedy
    assert found.cause.endswith(".")
    assert found.remedy.endswith(".")


@pytest.mark.parametrize("state", ["resynced", "reported", "packed"])
def test_who_is_done_is_never_stuck(state):
    assert diagnose(told(*WALK), state, 0, NOW) is None


def test_families_that_do_not_log_are_done_with_a_profile():
    assert diagnose(told(LEASE, BOOTSTRAP, PROFILE), "profile", 0, NOW, logs=False) is None


@pytest.mark.parametrize(
    ("events", "customization"),
    [
        ([], "Open"),
        ([LEASE], "Aborted"),
        ([BOOTSTRAP], "Aborted"),
        ([event(2, "redirect", status=400)], "Pending"),
        ([event(2, "redirect", status=200, location="https://x")], "Custom Pending"),
        ([event(2, "redirect", status=200, location="https://x"), PROFILE], "Acquired"),
        ([event(2, "redirect", status=200)], "Unavailable"),
        ([event(1, "redirect", status=200), BOOTSTRAP], "Aborted"),
        # sent on to another server
        ([LEASE, event(2, "redirect", status=302, location="https://x")], "Aborted"),
    ],
)
def test_customization_states(events, customization):
    assert judge(told(*events)).customization == customization


KINDS_OF_EVENTS = st.sampled_from(
    [
        ("lease", {"what": "ack"}),
        ("lease", {"what": "discover"}),
        ("tftp", {"what": "sent", "path": "/ata192.cfg"}),
        ("tftp", {"what": "missing", "path": "/x.cfg"}),
        ("http", {"method": "GET", "status": 200, "path": f"/device/{MAC}.cfg", "etag": "a"}),
        ("http", {"method": "GET", "status": 403, "path": f"/device/{MAC}.cfg"}),
        ("resync", {"what": "request", "text": OWN_URL}),
        ("resync", {"what": "success", "text": OWN_URL}),
        ("resync", {"what": "success", "text": ""}),
        ("resync", {"what": "failure", "text": "http_get failed"}),
        ("upgrade", {"what": "failure", "text": "x"}),
        ("upgrade", {"what": "success", "text": "x"}),
        ("report", {"status": 200}),
        ("redirect", {"status": 200}),
    ]
)
EVENTS = st.lists(st.tuples(st.integers(0, 9), KINDS_OF_EVENTS), max_size=12).map(
    lambda found: [
        Event(f"{number:04}", NOW + time, kind, MAC, ADDRESS, MAC, detail) for number, (time, (kind, detail)) in enumerate(found)
    ]
)


@given(EVENTS, st.randoms(use_true_random=False), st.integers(0, 12))
def test_neither_order_nor_repetition_nor_batches_matter(events, random, cut):
    expected = told(*events)
    shuffled = [*events, *events[:cut]]
    random.shuffle(shuffled)
    assert told(*shuffled) == expected
    assert learn(told(*shuffled[:cut]), shuffled[cut:], MAC, SERIAL) == expected
    assert read_facts(write_facts(expected)) == expected


@given(EVENTS)
def test_any_position_can_be_stored_and_explained(events):
    facts = told(*events)
    position = judge(facts)
    assert position.state in STATES
    assert position.customization in ("Open", "Aborted", "Pending", "Custom Pending", "Acquired", "Unavailable")
    assert (position.state == "failed") == bool(position.reason)
    diagnosis = diagnose(facts, position.state, position.since, NOW * 2)
    assert (diagnosis is None) == (position.state in ("resynced", "reported"))


@given(EVENTS)
def test_a_late_event_of_before_changes_no_state_reached_since(late):
    done = told(tftp(20), resync(21, "success"))
    assert judge(learn(done, late, MAC, SERIAL)).state == "resynced"


@pytest.mark.parametrize(
    "text", ["", "[]", "null", "{", '{"a": 1}', '{"a": [1]}', '{"a": ["x", "y", "z"]}', json.dumps({"a": [1, 2, 3, 4]})]
)
def test_facts_that_nobody_has_written(text):
    assert read_facts(text) == {}


@given(st.text())
def test_any_words_can_be_explained(text):
    assert all(explain(text))


IMAGE = "/firmware/spa50x-7-6-2.bin"
CIRCLE = [http(100, IMAGE), http(300, IMAGE), http(500, IMAGE)]


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ([], "resynced"),
        (CIRCLE[:2], "resynced"),
        (CIRCLE, "failed"),
        # TFTP knows no capitals
        ([tftp(100, IMAGE.upper().replace("/FIRMWARE/", "/firmware/")), *CIRCLE[1:]], "failed"),
        # Steps, parts, and pieces of one image
        ([*CIRCLE[:2], http(500, "/firmware/spa50x-8.bin")], "resynced"),
        ([http(number, "/firmware/rootfs.sbn") for number in (100, 200, 300)], "resynced"),
        ([http(number, IMAGE, 206) for number in (100, 200, 300)], "resynced"),
        # A resync between two rounds is no end, and days are no round
        ([*CIRCLE, http(600), resync(601, "success")], "failed"),
        ([*CIRCLE, http(9000), resync(9001, "success")], "resynced"),
        ([http(100, IMAGE), http(300, IMAGE), http(100_000, IMAGE)], "resynced"),
        # Reset to its factory settings
        ([*CIRCLE, tftp(600)], "bootstrap"),
    ],
)
def test_a_phone_that_fetches_its_firmware_again_and_again(events, state):
    facts = told(*WALK, *events)
    assert judge(facts).state == state
    if state == "failed":
        assert "again and again: fetched 3 times: /firmware/" in judge(facts).reason.lower()
        assert diagnose(facts, "failed", 0, NOW).remedy.startswith("Hold it with phone_firmware_hold")


@given(st.permutations([*CIRCLE, http(700, "/firmware/other.img"), *CIRCLE[:1]]), st.integers(0, 5))
def test_repeated_fetches_in_any_order(events, cut):
    assert learn(told(*events[:cut]), events, MAC, SERIAL) == told(*sorted(events, key=lambda one: one.time))


NEVER = dict.fromkeys(MILESTONES, 0)


def seconds(times):
    return {name: (time - NOW) // 1000 for name, time in times.items() if time}


@pytest.mark.parametrize(
    ("events", "reached"),
    [
        ([], {}),
        ([lease(0, "discover"), lease(1, "nak"), BOOTSTRAP, http(3, "/ata192.cfg")], {}),
        (WALK, {"leased": 1, "profile": 3, "resynced": 4}),
        # A renewed lease and a later resync say nothing new, and a late line what was before
        ([*WALK, lease(9), http(9), resync(9, "success")], {"leased": 1, "profile": 3, "resynced": 4}),
        ([lease(9), LEASE], {"leased": 1}),
        # A message of success that tells of the bootstrap profile is none
        ([resync(4, "success", "https://192.0.2.1/ata192.cfg"), resync(5, "failure")], {}),
        # Claims count, as no phone moves by it
        ([event(3, "http", mac="", path=f"/service/{MAC}-12345678.cfg", status=200, method="GET")], {"profile": 3}),
        ([http(3, status=404), http(4, f"/device/{OTHER}.cfg")], {}),
    ],
)
def test_what_was_reached_first(events, reached):
    assert seconds(reach(NEVER, {}, events, MAC, SERIAL)) == reached


@given(st.permutations([*WALK, *(lease(number) for number in range(5, 8)), http(9), resync(9, "success")]), st.integers(1, 5))
def test_what_was_reached_first_is_the_same_in_any_order(events, size):
    times = NEVER
    for first in range(0, len(events), size):
        times = reach(times, {}, events[first : first + size], MAC, SERIAL)
    assert seconds(times) == {"leased": 1, "profile": 3, "resynced": 4}


def test_a_phone_that_was_taken_back_counts_anew():
    assert seconds(reach(NEVER, begin(NOW + 3500), WALK, MAC, SERIAL)) == {"resynced": 4}
