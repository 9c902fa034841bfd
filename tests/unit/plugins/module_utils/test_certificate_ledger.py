# SPDX-License-Identifier: GPL-3.0-or-later
"""When certificates are issued anew, and what the ledger says of them."""

from __future__ import annotations

import datetime
import hashlib

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.certificate_ledger import (
    LEDGER,
    SENT,
    ending,
    format_ledger,
    format_report,
    is_sent,
    is_settled,
    read_ledger,
)
from ansible_collections.voip.preprovision.plugins.module_utils.certificates import CertificateError

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


def settled(requests=REQUESTS, roots=(), files=FILES, until=1000.0 + 800 * DAY):
    """Whether nothing is to be issued on a station whose ledger was written for REQUESTS and FILES."""
    noted = hashlib.sha1(format_ledger(REQUESTS, [], {}, FILES).encode(), usedforsecurity=False).hexdigest()
    present = {**files, LEDGER: {"checksum": noted, "mode": "0644", "uid": 0, "gid": 0, "mtime": 2000.0}}
    return is_settled(format_ledger(requests, roots, {}, present), requests, present, until)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, True),
        ({"until": 1000.0 + 826 * DAY}, False),
        ({"requests": [*REQUESTS, DEVICE]}, False),
        ({"requests": [CA, {**SERVER, "days": 90}]}, False),
        ({"roots": ["-----BEGIN CERTIFICATE-----"]}, False),
        ({"files": {path: file for path, file in FILES.items() if path != "server.key"}}, False),
        ({"files": {**FILES, "server.key": {**FILES["server.key"], "checksum": "another"}}}, False),
        ({"files": {**FILES, "server.key": {**FILES["server.key"], "mode": "0644"}}}, False),
        ({"files": {**FILES, "server.key": {**FILES["server.key"], "uid": 33}}}, False),
    ],
    ids=[
        "as noted",
        "near its end",
        "one more",
        "shorter",
        "another root",
        "missing",
        "other content",
        "other mode",
        "other owner",
    ],
)
def test_when_certificates_are_issued(change, expected):
    assert settled(**change) is expected


def test_a_station_without_ledger_is_not_settled():
    assert not is_settled(format_ledger(REQUESTS, [], {}, {}), REQUESTS, {}, 0.0)


def test_the_end_of_what_others_signed_is_not_ours():
    """Its renewal is theirs, and another one is told by what the ledger says."""
    ledger = format_ledger([GIVEN], [], SIGNED, FILES)
    noted = hashlib.sha1(ledger.encode(), usedforsecurity=False).hexdigest()
    assert is_settled(ledger, [GIVEN], {LEDGER: {"checksum": noted}}, 1e12)
    other = format_ledger([GIVEN], [], {**SIGNED, "expires": "2027-12-31T00:00:00Z"}, FILES)
    assert not is_settled(other, [GIVEN], {LEDGER: {"checksum": noted}}, 0.0)


def sent(checksum="sum of server.csr"):
    return {**FILES, SENT: {"checksum": checksum, "mode": "0644", "uid": 0, "gid": 0, "mtime": 3 * DAY}}


def test_a_request_is_sent_as_long_as_it_is_the_same():
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


def test_what_ends():
    assert ending(rows([GIVEN]), NOW, 36) == []
    assert ending(rows([GIVEN]), NOW, 38) == [
        "the certificate 'server' expires on 2026-12-31 00:00 UTC, in 37 days, and phones that leave now may come to it for "
        "38 days (certificates_renew_days); have it renewed first"
    ]


def test_what_has_ended():
    assert ending(rows([SERVER, DEVICE]), NOW, 0) == [
        "the certificate 'server' expired on 1972-04-05 00:16 UTC; set the station up again, which renews it"
    ]


def test_report():
    lines = format_report(rows([GIVEN], sent()), NOW, 30).splitlines()
    assert lines == [
        "certificate  for               made        sent        signed      installed   expires     signer",
        "-----------  ----------------  ----------  ----------  ----------  ----------  ----------  --------------",
        "server       prov.example.net  1970-01-01  1970-01-04  2026-01-01  1970-01-01  2026-12-31  CN=Phones Inc.",
    ]


def test_a_request_without_answer_is_told():
    lines = format_report(rows([{**SERVER, "days": 99999}], sent()), NOW, 30).splitlines()
    assert lines[-1].startswith("the signing request of prov.example.net was sent on 1970-01-04; until certificates_signed names")


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"certificates": [{}]}', '{"certificates": 1}'])
def test_a_damaged_ledger_is_told(text):
    with pytest.raises(CertificateError, match="damaged; remove it"):
        read_ledger(text)
