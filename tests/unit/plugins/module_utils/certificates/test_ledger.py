# SPDX-License-Identifier: GPL-3.0-or-later
"""When certificates are issued again, and what the ledger records about them."""

from __future__ import annotations

import datetime
import hashlib

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.certificates.ledger import (
    LEDGER,
    MAX_ROWS,
    SENT,
    ending,
    find_drift,
    format_ledger,
    format_report,
    is_sent,
    is_settled,
    read_ledger,
)
from ansible_collections.voip.preprovision.plugins.module_utils.certificates.requests import CertificateError

DAY = 86400
CA = {"file": "bench-ca", "subject": {"CN": "Preprovisioning bench CA"}, "days": 7300, "provider": "selfsigned"}
SERVER = {"file": "server", "subject": {"CN": "prov.example.net"}, "days": 825, "provider": "ownca"}
DEVICE = {"file": "devices/00005e005301", "subject": {"OU": "ATA192", "SN": "00005e005301"}, "days": 825, "provider": "ownca"}
GIVEN = {**SERVER, "provider": "given"}
SIGNED = {"issuer": "CN=Phones Inc.", "signed": "2026-01-01T00:00:00Z", "expires": "2026-12-31T00:00:00Z"}
REQUESTS = (CA, SERVER)
FILES = {
    f"{name}.{kind}": {"checksum": f"sum of {name}.{kind}", "mode": "0600", "uid": 0, "gid": 0, "mtime": 1000.0}
    for name in ("bench-ca", "server")
    for kind in ("key", "csr", "pem")
}


def settled(requests=REQUESTS, roots=(), files=FILES, now=2000.0, until=1000.0 + 800 * DAY, ledger=None):
    """Return whether a station with the ledger of REQUESTS and FILES needs no new certificates."""
    noted = hashlib.sha1(format_ledger(REQUESTS, [], {}, FILES).encode(), usedforsecurity=False).hexdigest()
    own = {"checksum": noted, "mode": "0644", "uid": 0, "gid": 0, "mtime": 2000.0, **(ledger or {})}
    present = {**files, LEDGER: own}
    return is_settled(format_ledger(requests, roots, {}, present), requests, present, now, until)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, True),
        ({"until": 1000.0 + 826 * DAY}, False),
        # Made while the clock was an hour, or two days, ahead, and it is set back: a certificate is valid from a day before
        ({"now": 1000.0 - 3600}, True),
        ({"now": 1000.0 - 2 * DAY}, False),
        ({"requests": [*REQUESTS, DEVICE]}, False),
        ({"requests": [CA, {**SERVER, "days": 90}]}, False),
        ({"roots": [{"subject": "CN=Maker", "sha256": "00"}]}, False),
        ({"files": {path: file for path, file in FILES.items() if path != "server.key"}}, False),
        ({"files": {**FILES, "server.key": {**FILES["server.key"], "checksum": "another"}}}, False),
        ({"files": {**FILES, "server.key": {**FILES["server.key"], "mode": "0644"}}}, False),
        ({"files": {**FILES, "server.key": {**FILES["server.key"], "uid": 33}}}, False),
        ({"files": {**FILES, "devices": {"mode": "0777", "uid": 0, "gid": 0, "mtime": 1.0}}}, False),
        ({"ledger": {"mode": "0666"}}, False),
        ({"ledger": {"gid": 33}}, False),
    ],
    ids=[
        "as noted",
        "near its end",
        "an hour ahead",
        "not valid yet",
        "one more",
        "shorter",
        "another root",
        "missing",
        "other content",
        "other mode",
        "other owner",
        "other folder",
        "other mode of the ledger",
        "other group of the ledger",
    ],
)
def test_when_certificates_are_issued(change, expected):
    assert settled(**change) is expected


def test_a_station_without_a_ledger_is_not_settled():
    assert not is_settled(format_ledger(REQUESTS, [], {}, {}), REQUESTS, {}, 0.0, 0.0)


def test_ignores_the_expiry_of_certificates_signed_elsewhere():
    """Its renewal is theirs; a new one changes the ledger's text."""
    ledger = format_ledger([GIVEN], [], SIGNED, FILES)
    noted = hashlib.sha1(ledger.encode(), usedforsecurity=False).hexdigest()
    assert is_settled(ledger, [GIVEN], {LEDGER: {"checksum": noted, "mode": "0644", "uid": 0, "gid": 0}}, 0.0, 1e12)
    other = format_ledger([GIVEN], [], {**SIGNED, "expires": "2027-12-31T00:00:00Z"}, FILES)
    assert not is_settled(other, [GIVEN], {LEDGER: {"checksum": noted, "mode": "0644", "uid": 0, "gid": 0}}, 0.0, 0.0)


def sent(checksum="sum of server.csr"):
    return {**FILES, SENT: {"checksum": checksum, "mode": "0644", "uid": 0, "gid": 0, "mtime": 3 * DAY}}


def test_an_unchanged_request_stays_sent():
    assert is_sent(sent())
    assert not is_sent(sent("another"))
    assert not is_sent(FILES)


NOW = datetime.datetime(2026, 11, 24, tzinfo=datetime.UTC)


def rows(requests, files=FILES):
    return read_ledger(format_ledger(requests, [], SIGNED, files))


def test_rows():
    ca, server = rows([CA, GIVEN], sent())
    assert ca == {
        "certificate": "bench-ca",
        "for": "Preprovisioning bench CA",
        "made": "1970-01-01T00:16:40Z",
        "sent": "",
        "signed": "1970-01-01T00:16:40Z",
        "installed": "1970-01-01T00:16:40Z",
        "expires": "1989-12-27T00:16:40Z",
        "signer": "bench CA",
    }
    assert server == {
        **{"certificate": "server", "for": "prov.example.net", "made": "1970-01-01T00:16:40Z", "sent": "1970-01-04T00:00:00Z"},
        **{
            "signed": SIGNED["signed"],
            "installed": "1970-01-01T00:16:40Z",
            "expires": SIGNED["expires"],
            "signer": SIGNED["issuer"],
        },
    }


def test_reports_certificates_that_expire_soon():
    assert ending(rows([GIVEN]), NOW, 36) == []
    assert ending(rows([GIVEN]), NOW, 38) == [
        "the certificate 'server' expires on 2026-12-31 00:00 UTC, in 37 days, but phones prepared now may need it for "
        "38 days (certificates_renew_days); have it renewed first"
    ]


def test_reports_expired_certificates():
    assert ending(rows([SERVER, DEVICE]), NOW, 0) == [
        "the certificate 'server' expired on 1972-04-05 00:16 UTC; set up the station again to renew it"
    ]


def test_report():
    lines = format_report(rows([GIVEN], sent()), NOW, 30).splitlines()
    assert lines == [
        "certificate  for               made        sent        signed      installed   expires     signer",
        "-----------  ----------------  ----------  ----------  ----------  ----------  ----------  --------------",
        "server       prov.example.net  1970-01-01  1970-01-04  2026-01-01  1970-01-01  2026-12-31  CN=Phones Inc.",
    ]


def test_a_report_of_many_certificates_ends_soon():
    lines = format_report(rows([GIVEN], sent()) * (MAX_ROWS + 7), NOW, 30).splitlines()
    assert len(lines) == 2 + MAX_ROWS + 2
    assert lines[-1] == "and 7 more certificates of phones; the ledger on the station lists all"


def test_reports_a_request_without_answer():
    lines = format_report(rows([{**SERVER, "days": 99999}], sent()), NOW, 30).splitlines()
    assert lines[-1].startswith("the signing request of prov.example.net was sent on 1970-01-04; until certificates_signed names")


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"certificates": [{}]}', '{"certificates": 1}'])
def test_rejects_a_damaged_ledger(text):
    with pytest.raises(CertificateError, match="damaged; remove it"):
        read_ledger(text)


EXISTING = {
    **FILES,
    **{f"{DEVICE['file']}.{kind}": dict(FILES["server.key"], checksum=f"device's {kind}") for kind in ("key", "csr", "pem")},
    "devices": {"mode": "0700", "uid": 0, "gid": 0},
    "device-roots.pem": dict(FILES["server.key"], checksum="roots"),
    SENT: dict(FILES["server.key"], checksum="sent"),
    LEDGER: {"checksum": "ledger", "mode": "0644", "uid": 0, "gid": 0},
}
WITH_KEYS = [{**request, "key_bits": 2048} for request in (CA, SERVER, DEVICE)]
NEW_SERVER = {"server.csr": "of a new key", "server.pem": "of a new key"}
NEW_CA = {
    "bench-ca.csr": "of a new key",
    **{f"{request['file']}.pem": "of a new key" for request in WITH_KEYS},
    "device-roots.pem": "of a new certificate of the bench CA",
}


@pytest.mark.parametrize(
    ("damage", "requests", "unusable", "expected"),
    [
        ({}, WITH_KEYS, [], {}),
        (
            {"server.key": {"mode": "0666"}, "devices": {"uid": 33}},
            WITH_KEYS,
            [],
            dict.fromkeys(("server.key", "devices"), "mode or owner"),
        ),
        ({LEDGER: {"mode": "0600"}}, WITH_KEYS, [], {LEDGER: "mode or owner"}),
        ({"server.pem": None, "server.csr": {"checksum": "x"}}, WITH_KEYS, [], {"server.pem": "missing", "server.csr": "edited"}),
        # Still a key, and none any more
        ({"server.key": {"checksum": "x"}}, WITH_KEYS, [], {"server.key": "edited"}),
        ({"server.key": {"checksum": "x"}}, WITH_KEYS, ["server.key"], {"server.key": "edited", **NEW_SERVER}),
        ({"server.key": None}, WITH_KEYS, [], {"server.key": "missing", **NEW_SERVER}),
        # Brought from the controller, with the certificate signed elsewhere
        ({"server.key": None}, [WITH_KEYS[0], {**GIVEN, "key_bits": 0}], [], {"server.key": "missing"}),
        ({"server.key": None}, [{**GIVEN, "key_bits": 2048}], [], {"server.key": "missing", "server.csr": "of a new key"}),
        ({"bench-ca.pem": None}, WITH_KEYS, [], {"bench-ca.pem": "missing", "device-roots.pem": NEW_CA["device-roots.pem"]}),
        ({"bench-ca.key": None}, WITH_KEYS, [], {"bench-ca.key": "missing", **NEW_CA}),
        # It is another one after each fetching of the request
        ({SENT: None}, WITH_KEYS, [], {}),
    ],
)
def test_finds_what_is_not_as_issued_and_what_follows(damage, requests, unusable, expected):
    text = format_ledger(requests, [], SIGNED, EXISTING)
    files = {path: {**file, **change} for path, file in EXISTING.items() if (change := damage.get(path, {})) is not None}
    found = find_drift(text, requests, files, unusable)
    assert {drift.path: drift.what for drift in found} == expected
    assert [drift.path for drift in found] == sorted(expected)


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "7", format_ledger(REQUESTS, [], {}, FILES) + "# drift\n", '{"files": {"server.key": []}}']
)
def test_nothing_is_known_to_have_drifted_with_a_damaged_ledger(text):
    assert find_drift(text, WITH_KEYS, EXISTING) == [(LEDGER, "edited")]
