# SPDX-License-Identifier: GPL-3.0-or-later
"""A phone's progress from its events: tables, and properties that hold in any order of events."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.events.diagnosis.phone_diagnosis import diagnose_phone
from ansible_collections.voip.preprovision.plugins.module_utils.events.logs.evidence import Evidence
from ansible_collections.voip.preprovision.plugins.module_utils.events.logs.log_lines import Event, EventKind
from ansible_collections.voip.preprovision.plugins.module_utils.events.progress.observations import (
    Observation,
    Observations,
    Sightings,
    apply_events,
    before_clock_change,
    names_of,
    profile_evidence,
    read_observations,
    reset,
    without_model_files,
    write_observations,
)
from ansible_collections.voip.preprovision.plugins.module_utils.events.progress.progress import (
    entered_at,
    first_reached,
    is_proved,
    position_of,
)
from ansible_collections.voip.preprovision.plugins.module_utils.events.progress.progress_table import (
    MILESTONES,
    STATES,
    STUCK_AFTER,
    ObservationKind,
)

MAC, SERIAL, OTHER = "00005e005301", "FCH0000D001", "00005e005302"
ADDRESS = "192.0.2.20"
OWN_URL = f"https://192.0.2.1:443/device/{MAC}.cfg"
NOW = 1795524177778


def event(number, kind, mac=MAC, evidence="address", **detail):
    proof = Evidence(evidence if mac and kind not in ("lease", "arming") else "")
    return Event(f"{number:04}", NOW + round(number * 1000), EventKind(kind), mac, ADDRESS, MAC, detail, proof)


def lease(number, what="ack"):
    return event(number, "lease", what=what)


def tftp(number, path="/ata192.cfg", what="sent"):
    return event(number, "tftp", what=what, path=path)


def http(number, path=f"/device/{MAC}.cfg", status=200, method="GET", **detail):
    return event(number, "http", what="file", path=path.partition("?")[0], status=status, method=method, **detail)


def resync(number, what, text=OWN_URL):
    return event(number, "resync", what=what, text=text)


def observed(*events):
    return apply_events(Observations(), events, MAC, SERIAL)


def state_after(*events, packed=0, logs=True):
    return position_of(observed(*events), packed, logs).state


FOLDER, OTHER_FOLDER = "/00-00-5e-00-53-01", "/00-00-5e-00-53-02"
BY_NAME = "tftp://192.0.2.1/ata192.cfg"


def unit_file(number, name="/ata192.cfg", what="sent"):
    return tftp(number, FOLDER + name, what)


def applied(number):
    return resync(number, "success", BY_NAME)


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
        # one file by TFTP, whose message of success has the name of the model's
        ([LEASE, unit_file(2)], "profile"),
        ([LEASE, unit_file(2), applied(3)], "resynced"),
        ([unit_file(2), applied(3)], "resynced"),
        ([LEASE, unit_file(2), applied(3), event(4, "report", status=200)], "reported"),
        ([LEASE, unit_file(2), resync(3, "failure", BY_NAME)], "failed"),
        ([LEASE, unit_file(2), resync(3, "failure", BY_NAME), applied(4)], "resynced"),
        # the success of the file before, and twice at once
        ([LEASE, applied(1), unit_file(2)], "profile"),
        # The server's line may be a little late
        ([LEASE, applied(1.2), unit_file(2)], "resynced"),
        ([LEASE, unit_file(2), unit_file(2), applied(3), applied(3)], "resynced"),
        # the service profile by HTTP in between
        ([LEASE, unit_file(2), http(3), applied(4)], "resynced"),
        ([LEASE, unit_file(2), applied(3), http(4)], "resynced"),
        # its folder is gone: the model's file again, and what is told of it
        ([LEASE, unit_file(2), applied(3), tftp(9)], "bootstrap"),
        ([LEASE, unit_file(2), applied(3), tftp(9), applied(10)], "bootstrap"),
        ([LEASE, BOOTSTRAP, applied(3), unit_file(9)], "profile"),
        ([LEASE, BOOTSTRAP, applied(3), unit_file(9), applied(10)], "resynced"),
        # neither firmware nor certificates from its folder are its profile
        ([LEASE, unit_file(2, "/firmware/ata192.bin")], "leased"),
        ([LEASE, unit_file(2, "/bench-ca.pem"), applied(3)], "bootstrap"),
        ([LEASE, unit_file(2, what="failed"), applied(3)], "bootstrap"),
        ([LEASE, unit_file(2, what="missing")], "leased"),
        # the station's own doing
        ([LEASE, event(2, "arming", what="armed"), event(3, "arming", what="disarmed")], "leased"),
    ],
)
def test_states(events, state):
    assert state_after(*events) == state


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ([LEASE, BOOTSTRAP], "bootstrap"),
        ([LEASE, unit_file(2)], "resynced"),
        ([LEASE, BOOTSTRAP, PROFILE], "resynced"),
        ([LEASE, unit_file(2), event(4, "report", status=200)], "reported"),
        ([LEASE, unit_file(2), tftp(9)], "bootstrap"),
        ([LEASE, http(2, status=403)], "failed"),
    ],
)
def test_a_phone_that_does_not_log_is_done_with_its_own_file(events, state):
    assert state_after(*events, logs=False) == state


def test_another_units_folder_says_nothing_of_this_phone():
    assert state_after(LEASE, tftp(2, f"{OTHER_FOLDER}/ata192.cfg"), applied(3)) == "bootstrap"


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        (f"{FOLDER}/000000000000.cfg", False),
        (f"{FOLDER}/{MAC}-config.cfg", True),
        (f"{FOLDER}/{SERIAL.lower()}.cfg", True),
        (f"{FOLDER}/firmware/x.bin", True),
        ("/000000000000.cfg", True),
    ],
)
def test_leaves_out_the_models_file_in_the_folder_of_a_phone_with_a_file_of_its_own_name(path, kept):
    assert without_model_files([tftp(1, path), PROFILE], MAC, SERIAL) == [*([tftp(1, path)] if kept else []), PROFILE]


def test_a_claim_cannot_make_a_phone_fail():
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
def test_returns_the_start_of_a_state(events, state, since, expected):
    facts = observed(*events)
    assert entered_at(facts, position_of(facts), state, since) == expected


def claimed(number, kind="http", address="192.0.2.99", **detail):
    detail = {"status": 200, "method": "GET", "what": "file", **detail}
    return Event(f"{number:06}", NOW + number * 1000, EventKind(kind), "", address, MAC, detail)


def test_trusts_a_claim_if_nothing_better_is_known():
    fetched = claimed(50, path=f"/live/{MAC}.cfg", etag='"2"', firmware="9")
    # Whoever claims to be a phone does not say where it is, nor what firmware it has
    assert position_of(observed(fetched)) == ("profile", NOW + 50_000, "", "", "", "2", "", "Open", True)
    # On the bench, the lease says who asks
    assert state_after(LEASE, fetched, claimed(51, "tftp", path="/ata192.cfg", what="sent")) == "leased"
    assert position_of(observed(*WALK, http(5, firmware="7.6.2", etag="1"), fetched))[3:] == (
        *(ADDRESS, "7.6.2", "1", "", "Aborted"),
        False,
    )
    # At the customer's
    later = claimed(90_000, "profile", path=f"/live/{MAC}.cfg", etag="3", firmware="9")
    assert position_of(observed(*WALK, http(5, etag="1"), later))[3:6] == (ADDRESS, "", "3")
    assert position_of(observed(LEASE, later))[::8] == ("profile", True)


CLAIMS = [
    claimed(51, "http", path=f"/live/{MAC}.cfg"),
    claimed(52, "profile", path=f"/live/{MAC}.cfg", etag="2"),
    claimed(53, "tftp", path="/ata192.cfg", what="sent"),
    claimed(54, "resync", what="success", text=OWN_URL),
    claimed(54, "resync", what="failure", text="x"),
    claimed(54, "upgrade", what="failure", text="x"),
    claimed(55, "redirect", location="https://elsewhere.example.com/"),
    claimed(56, "report"),
]


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda one: f"{one.kind} {one.detail['what']}")
@pytest.mark.parametrize("seen", [[LEASE], [http(3, evidence="certificate")], [unit_file(3)]], ids=["lease", "certificate", "tftp"])
def test_no_claim_moves_a_phone_of_which_something_is_certain(seen, claim):
    assert position_of(observed(*seen, claim)) == position_of(observed(*seen))


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda one: f"{one.kind} {one.detail['what']}")
def test_claims_are_marked_and_prove_nothing(claim):
    observations = observed(claim)
    position = position_of(observations)
    assert (position.claimed, position.address, position.firmware) == (position.state != "expected", "", "")
    assert profile_evidence(observations) == ""
    assert not is_proved(observations, ("resynced", "reported", "profile"))
    assert position_of(observed(*WALK, claimed(90_000, "tftp", path="/ata192.cfg", what="sent")), NOW + 20_000).state == "packed"


@pytest.mark.parametrize(
    ("events", "evidence"),
    [
        ([LEASE, BOOTSTRAP], ""),
        (WALK, "address"),
        ([LEASE, tftp(3, f"{FOLDER}/ata192.cfg")], "address"),
        ([event(3, "tftp", evidence="tftp", what="sent", path=f"{FOLDER}/ata192.cfg"), applied(4)], "tftp"),
        ([http(3, evidence="certificate")], "certificate"),
        # The key was overheard
        ([event(4, "report", evidence="key", status=200)], ""),
        # It started over
        ([*WALK, tftp(9)], ""),
        ([*WALK, claimed(9, "http", path=f"/live/{MAC}.cfg")], "address"),
    ],
)
def test_only_the_unit_itself_proves_that_it_has_its_profile(events, evidence):
    assert profile_evidence(observed(*events)) == evidence


def test_keeps_the_evidence():
    observations = observed(*WALK, claimed(9, path=f"/live/{MAC}.cfg"))
    assert read_observations(write_observations(observations)) == observations


@pytest.mark.parametrize("what", ["", "passed on"])
def test_a_look_at_a_phone_is_no_fetch(what):
    """Whatever the path, only what nginx serves as a file counts; what it passes on, the service logs itself."""
    looks = [
        event(3, "http", what=what, path=path, status=200, method="GET", etag='"x"') for path in (f"/api/phones/{MAC}", "/a.cfg")
    ]
    assert state_after(LEASE, *looks) == "leased"
    refused = event(4, "http", what=what, path=f"/x/{MAC}", status=429, method="GET")
    assert state_after(LEASE, refused) == ("failed" if what else "leased")


def test_a_packed_phone_stays_packed_until_it_is_reset():
    assert state_after(*WALK, lease(30), packed=NOW + 20_000) == "packed"
    assert state_after(*WALK, resync(30, "failure", "x"), packed=NOW + 20_000) == "packed"
    assert state_after(*WALK, tftp(30), packed=NOW + 20_000) == "bootstrap"


def test_a_position_contains_what_is_known():
    subject = f"SN={MAC},L={SERIAL},OU=ATA192"
    facts = observed(*WALK, http(5, etag='"65f-1"', firmware="11-1-0MPP-16", subject=subject), event(6, "report", status=200))
    position = position_of(facts)
    assert position == ("reported", NOW + 6000, "", ADDRESS, "11-1-0MPP-16", "65f-1", subject, "Aborted", False)


def test_ignores_another_phones_certificate():
    assert position_of(observed(http(5, subject=f"SN={OTHER},L={SERIAL}"))).subject == ""


def test_prefers_the_servers_reason():
    facts = observed(*WALK, http(7, status=403, refused="no client certificate"), resync(8, "failure", "http_get failed"))
    reason = position_of(facts).reason
    assert reason == f"it showed no client certificate: no client certificate (HTTP 403, /device/{MAC}.cfg)"


def test_ignores_events_before_a_reset():
    facts = apply_events(reset(NOW + 8000), [*WALK, lease(9)], MAC, SERIAL)
    assert position_of(facts).state == "leased"
    assert position_of(reset(NOW)).state == "expected"


@pytest.mark.parametrize(
    ("status", "reason", "cause"),
    [
        (403, "no client certificate", "showed no client certificate"),
        (403, "a client certificate of no phone in particular", "generic"),
        (403, "the client certificate of another phone", "another phone"),
        (403, "a client certificate that is not valid", "not valid here"),
        (403, "a client certificate that is not valid: out of memory", "not valid here"),
        (403, "a client certificate that is not valid: certificate has expired", "certificate has expired"),
        (403, "not by HTTPS", "without HTTPS"),
        (403, "", "refused it"),
        (403, "a reason of an earlier release", "refused it"),
        (429, "", "searches for other phones' files"),
        (502, "", "could not answer"),
        (503, "the key file cannot be read", "could not answer"),
    ],
)
def test_names_the_cause_of_a_refusal(status, reason, cause):
    observations = observed(LEASE, BOOTSTRAP, http(3, status=status, refused=reason), resync(4, "failure", "http_get failed"))
    position = position_of(observations)
    words = f"{reason} (HTTP {status}, /device/{MAC}.cfg)" if reason else f"HTTP {status}, /device/{MAC}.cfg"
    assert cause in position.reason
    assert position.reason.endswith(f": {words}")
    assert cause in diagnose_phone(observations, "failed", position.since, NOW + 5000).cause


@pytest.mark.parametrize(
    ("error", "cause", "remedy"),
    [
        ("certificate has expired", "has expired", "clock"),
        ("certificate is not yet valid", "not valid yet", "clock"),
        ("unsuitable certificate purpose", "another purpose", "with a password"),
        ("self-signed certificate", "self-signed", "with a password"),
        ("self signed certificate", "self-signed", "with a password"),
        ("unable to verify the first certificate", "device roots", "certificates_device_roots"),
        ("self-signed certificate in certificate chain", "device roots", "certificates_device_roots"),
        ("certificate signature failure", "signature of its client certificate is wrong", "certificates_device_roots"),
        ("invalid CA certificate", "may not issue it", "certificates_device_roots"),
        ("CA signature digest algorithm too weak", "SHA-1", "web_server_tls to legacy"),
        ("EE certificate key too weak", "1024 bits", "web_server_tls to legacy"),
        ("CA certificate key too weak", "1024 bits", "web_server_tls to legacy"),
    ],
)
def test_names_what_is_wrong_with_a_client_certificate(error, cause, remedy):
    reason = f"a client certificate that is not valid: {error}"
    observations = observed(LEASE, BOOTSTRAP, http(3, status=403, refused=reason))
    found = diagnose_phone(observations, "failed", NOW, NOW + 5000)
    assert cause in found.cause
    assert remedy in found.remedy


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("https://192.0.2.1/key.xml: file not found", "does not exist"),
        (f"{OWN_URL}: HTTP status 404", "does not exist"),
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
        ("42", "reports that the resync failed"),
        ("", "reports that the resync failed"),
    ],
)
def test_reads_the_cause_from_a_phones_own_words(text, cause):
    observations = observed(LEASE, resync(5, "failure", text))
    position = position_of(observations)
    assert cause in position.reason
    assert cause in diagnose_phone(observations, "failed", position.since, NOW + 5000).cause


@pytest.mark.parametrize(
    ("events", "cause", "remedy"),
    [
        ([], "No DHCP request", "VLAN"),
        ([lease(0, "discover")], "accepts none", "another DHCP server"),
        ([lease(0, "none free")], "no free address", "nlarge the pool"),
        ([lease(0, "nak")], "refused the address", "new address"),
        ([LEASE], "not asked for a profile, as a unit with an old customer's", "factory settings (docs/guides/reset.md)"),
        # what units try first
        ([LEASE, tftp(2, f"/SEP{MAC.upper()}.cnf.xml", "missing")], "not asked for a profile", "option 66"),
        ([LEASE, unit_file(2, f"/sep{MAC}.cnf.xml", "missing")], "not asked for a profile", "option 66"),
        ([LEASE, tftp(2, "/XMLDefault.cnf.xml", "missing")], "not asked for a profile", "option 66"),
        ([LEASE, http(2, "/xmldefault.cnf.xml?x", 404)], "not asked for a profile", "option 66"),
        ([LEASE, tftp(2, "/myxmldefault.cnf.xml", "missing")], "/myxmldefault.cnf.xml, which does not exist", "model"),
        ([LEASE, unit_file(2)], "fetched its own file by TFTP, but has logged nothing", "phone_families.ata19x.logs_to_new_server"),
        ([LEASE, unit_file(2), resync(3, "request")], "does not log that it applied it", "key"),
        ([LEASE, tftp(2, "/spa122.cfg", "missing")], "/spa122.cfg, which does not exist", "model"),
        # what nginx has logged of a name with a byte that is no text
        ([LEASE, http(2, r"/spa122.cfg\xff", 404)], r"/spa122.cfg\xff, which does not exist", "model"),
        ([LEASE, tftp(2, what="failed")], "breaks off", "UDP"),
        # before this lease
        ([tftp(0, "/spa122.cfg", "missing"), LEASE], "not asked for a profile", "option 66"),
        ([LEASE, BOOTSTRAP], "has not asked for its own", "Profile_Rule"),
        ([LEASE, BOOTSTRAP, resync(3, "request")], "HTTPS, but no request", "option 42"),
        ([LEASE, BOOTSTRAP, resync(3, "request", f"http://prov.example.net/{MAC}.cfg")], "no request has arrived", "resolves"),
        ([LEASE, BOOTSTRAP, http(3, status=404)], "does not exist", "MAC address"),
        ([LEASE, BOOTSTRAP, http(3, status=401)], "password", "--uid"),
        ([LEASE, BOOTSTRAP, PROFILE], "does not log", "syslog"),
        ([LEASE, BOOTSTRAP, resync(2, "request"), PROFILE], "does not log that it applied it", "key"),
    ],
)
def test_explains_a_stuck_phone(events, cause, remedy):
    facts = observed(*events)
    state, since = position_of(facts).state, NOW
    patience = STUCK_AFTER[state] * 1000
    assert diagnose_phone(facts, state, since, since + patience - 1) is None
    found = diagnose_phone(facts, state, since, since + patience, "ata19x")
    assert cause in found.cause
    assert remedy in found.remedy
    assert found.cause.endswith(".")
    assert found.remedy.endswith(".")


@pytest.mark.parametrize("state", ["resynced", "reported", "packed"])
def test_a_finished_phone_is_never_stuck(state):
    assert diagnose_phone(observed(*WALK), state, 0, NOW) is None


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
    assert position_of(observed(*events)).customization == customization


KINDS_OF_EVENTS = st.sampled_from(
    [
        ("lease", {"what": "ack"}),
        ("lease", {"what": "discover"}),
        ("tftp", {"what": "sent", "path": "/ata192.cfg"}),
        ("tftp", {"what": "sent", "path": f"{FOLDER}/ata192.cfg"}),
        ("tftp", {"what": "missing", "path": "/x.cfg"}),
        ("arming", {"what": "armed"}),
        ("http", {"method": "GET", "status": 200, "path": f"/device/{MAC}.cfg", "etag": "a"}),
        ("http", {"method": "GET", "status": 403, "path": f"/device/{MAC}.cfg"}),
        ("resync", {"what": "request", "text": OWN_URL}),
        ("resync", {"what": "success", "text": OWN_URL}),
        ("resync", {"what": "success", "text": ""}),
        ("resync", {"what": "success", "text": BY_NAME}),
        ("resync", {"what": "failure", "text": "http_get failed"}),
        ("upgrade", {"what": "failure", "text": "x"}),
        ("upgrade", {"what": "success", "text": "x"}),
        ("report", {"status": 200}),
        ("redirect", {"status": 200}),
    ]
)
EVENTS = st.lists(st.tuples(st.integers(0, 9), KINDS_OF_EVENTS), max_size=12).map(
    lambda found: [
        Event(f"{number:04}", NOW + time, EventKind(kind), MAC, ADDRESS, MAC, detail)
        for number, (time, (kind, detail)) in enumerate(found)
    ]
)


@given(EVENTS, st.randoms(use_true_random=False), st.integers(0, 12))
def test_order_repetition_and_batches_do_not_matter(events, random, cut):
    expected = observed(*events)
    shuffled = [*events, *events[:cut]]
    random.shuffle(shuffled)
    assert observed(*shuffled) == expected
    assert apply_events(observed(*shuffled[:cut]), shuffled[cut:], MAC, SERIAL) == expected
    assert read_observations(write_observations(expected)) == expected


@given(EVENTS)
def test_any_position_can_be_stored_and_explained(events):
    facts = observed(*events)
    position = position_of(facts)
    assert position.state in STATES
    assert position.customization in ("Open", "Aborted", "Pending", "Custom Pending", "Acquired", "Unavailable")
    assert (position.state == "failed") == bool(position.reason)
    diagnosis = diagnose_phone(facts, position.state, position.since, NOW * 2)
    assert (diagnosis is None) == (position.state in ("resynced", "reported"))


@given(EVENTS)
def test_a_late_event_does_not_change_a_newer_state(late):
    done = observed(tftp(20), resync(21, "success"))
    assert position_of(apply_events(done, late, MAC, SERIAL)).state == "resynced"


@pytest.mark.parametrize(
    "text", ["", "[]", "null", "{", '{"a": 1}', '{"a": [1]}', '{"a": ["x", "y", "z"]}', json.dumps({"a": [1, 2, 3, 4]})]
)
def test_reads_any_text_as_observations(text):
    assert read_observations(text) == Observations()


@given(st.text())
def test_explains_whatever_a_phone_says(text):
    assert all(diagnose_phone(observed(LEASE, resync(5, "failure", text)), "failed", NOW, NOW))


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
def test_detects_a_firmware_loop(events, state):
    facts = observed(*WALK, *events)
    assert position_of(facts).state == state
    if state == "failed":
        assert "again and again: fetched 3 times: /firmware/" in position_of(facts).reason.lower()
        assert diagnose_phone(facts, "failed", 0, NOW).remedy.startswith("Hold it with phone_firmware_hold")


@given(st.permutations([*CIRCLE, http(700, "/firmware/other.img"), *CIRCLE[:1]]), st.integers(0, 5))
def test_detects_repeated_fetches_in_any_order(events, cut):
    assert apply_events(observed(*events[:cut]), events, MAC, SERIAL) == observed(*sorted(events, key=lambda one: one.time))


NEVER = dict.fromkeys(MILESTONES, 0)
NAMES = names_of(MAC, SERIAL)


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
        # Claims do not count
        ([claimed(3, path=f"/service/{MAC}-12345678.cfg"), claimed(4, "resync", what="success", text=OWN_URL)], {}),
        ([http(3, status=404), http(4, f"/device/{OTHER}.cfg")], {}),
        # One file by TFTP; the model's, before and afterwards, is another
        ([LEASE, tftp(1), applied(2), unit_file(3), applied(4), tftp(8), applied(9)], {"leased": 1, "profile": 3, "resynced": 4}),
        ([unit_file(3), tftp(8), applied(9)], {"profile": 3}),
        ([LEASE, applied(2.2), unit_file(3)], {"leased": 1, "profile": 3, "resynced": 2}),
    ],
)
def test_returns_when_each_state_was_first_reached(events, reached):
    assert seconds(first_reached(NEVER, Observations(), events, NAMES)) == reached


@given(st.permutations([*WALK, *(lease(number) for number in range(5, 8)), http(9), resync(9, "success")]), st.integers(1, 5))
def test_first_times_are_the_same_in_any_order(events, size):
    times = NEVER
    for first in range(0, len(events), size):
        times = first_reached(times, Observations(), events[first : first + size], NAMES)
    assert seconds(times) == {"leased": 1, "profile": 3, "resynced": 4}


@given(st.permutations([LEASE, tftp(1), applied(2), unit_file(3), applied(4), http(5)]), st.integers(1, 4))
def test_the_success_of_a_units_own_file_counts_in_any_order(events, size):
    times, observations = NEVER, Observations()
    for first in range(0, len(events), size):
        batch = events[first : first + size]
        times = first_reached(times, observations, batch, NAMES)
        observations = apply_events(observations, batch, MAC, SERIAL)
    assert seconds(times) == {"leased": 1, "profile": 3, "resynced": 4}


def test_a_phone_that_does_not_log_reaches_its_end_with_its_own_file():
    assert seconds(first_reached(NEVER, Observations(), [LEASE, unit_file(3)], NAMES, logs=False)) == {
        "leased": 1,
        "profile": 3,
        "resynced": 3,
    }


def test_a_returned_phone_starts_again():
    assert seconds(first_reached(NEVER, reset(NOW + 3500), WALK, NAMES)) == {"resynced": 4}


def test_reads_and_writes_what_earlier_releases_stored():
    names = (
        "leased",
        "asked",
        "address",
        "firmware",
        "subject",
        "hash",
        "missing",
        "broken off",
        "bootstrap",
        "profile",
        "refused",
    )
    names += ("login", "told", "succeeded", "succeeded somewhere", "requested", "failed", "upgraded", "upgrade failed", "reported")
    names += ("customization", "image", "image 2", "image 3", "claimed profile", "claimed image", "claimed image 2")
    stored = {name: [NOW - number, f"{number:04}", "/x"] for number, name in enumerate(names)}
    stored["begun"] = [NOW - 5000, "", ""]
    text = json.dumps(stored, separators=(",", ":"), sort_keys=True)
    assert write_observations(read_observations(text)) == text
    assert read_observations(text).reset == NOW - 5000


def test_observations_of_a_clock_that_was_ahead_keep_the_times_between_them():
    kinds = (ObservationKind.LEASED, ObservationKind.PROFILE_FETCHED, ObservationKind.PROFILE_APPLIED)
    times = dict(zip(kinds, (1_000, 9_000_000, 9_000_500), strict=True))
    image = Observation(9_000_100, "i")
    before = Observations(Sightings({kind: Observation(time, "k") for kind, time in times.items()}, (image,)), reset=500)
    after = before_clock_change(before, 100_000, 50_000)
    assert [after.certain.get(kind).time for kind in kinds] == [1_000, 49_499, 49_999]
    assert (after.certain.images[0].time, after.reset) == (49_599, 500)
    assert before_clock_change(after, 100_000, 50_000) == after
