# SPDX-License-Identifier: GPL-3.0-or-later
"""Which certificates a station has, and what none can say."""

from __future__ import annotations

import hashlib
import re

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.certificates import (
    LEDGER,
    CertificateError,
    certificate_requests,
    format_ledger,
    is_settled,
)

NAME = "prov.example.net"
ATA = {"mac": "00-00-5E-00-53-01", "model": "ATA192", "serial": "FCH2118DGQP"}


def test_station():
    ca, server = certificate_requests(NAME, [], 90)
    assert (ca.file, ca.provider, ca.basic_constraints) == ("bench-ca", "selfsigned", ("CA:TRUE", "pathlen:0"))
    assert (server.file, server.provider, server.days) == ("server", "ownca", 90)
    assert (server.subject, server.subject_alt_name) == ({"CN": NAME}, (f"DNS:{NAME}",))
    assert server.extended_key_usage == ("serverAuth",)


def test_the_ca_outlives_the_name():
    """Phones hold the bench CA; another name must not replace it."""
    assert certificate_requests(NAME, [], 90)[0] == certificate_requests("other.example.net", [], 400)[0]


def test_device():
    device = certificate_requests(NAME, [ATA], 90)[2]
    assert (device.file, device.provider, device.days) == ("devices/00005e005301", "ownca", 90)
    assert device.subject == {"OU": "ATA192", "L": "FCH2118DGQP", "SN": "00005e005301"}
    assert (device.extended_key_usage, device.basic_constraints) == (("clientAuth",), ("CA:FALSE",))


@pytest.mark.parametrize("name", ["a.b", "prov.example.net", "Prov-1.example.net", "a" * 58 + ".b-net"])
def test_names(name):
    assert certificate_requests(name, [], 90)[1].subject["CN"] == name


@pytest.mark.parametrize(
    "name",
    ["", "prov", "192.0.2.1", "http://prov.example.net", "prov example.net", "-a.example.net", "a" * 59 + ".b-net"],
)
def test_refused_names(name):
    with pytest.raises(CertificateError, match=re.escape(f"certificates_name is '{name}'; it must be")):
        certificate_requests(name, [], 90)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mac": "00:00:5e:00:53"}, "certificates_devices: '00:00:5e:00:53' is not a MAC address"),
        ({"serial": ""}, "certificates_devices: the serial of 00:00:5e:00:53:01 is ''; a certificate takes"),
        ({"serial": "é"}, "certificates_devices: the serial of 00:00:5e:00:53:01 is 'é'; a certificate takes"),
        ({"model": "x" * 65}, "certificates_devices: the model of 00:00:5e:00:53:01 is 'xxx"),
        ({"model": "two\nlines"}, "certificates_devices: the model of 00:00:5e:00:53:01 is 'two"),
    ],
)
def test_refused_devices(change, message):
    with pytest.raises(CertificateError, match=re.escape(message)):
        certificate_requests(NAME, [ATA | change], 90)


def test_one_mac_twice():
    with pytest.raises(CertificateError, match="certificates_devices holds 00:00:5e:00:53:01 twice"):
        certificate_requests(NAME, [ATA, ATA | {"mac": "0000.5e00.5301"}], 90)


DAY = 86400
REQUESTS = ({"file": "bench-ca", "days": 7300}, {"file": "server", "days": 825})
FILES = {
    f"{name}.{kind}": {"checksum": f"sum of {name}.{kind}", "mode": "0600", "uid": 0, "gid": 0, "mtime": 1000.0}
    for name in ("bench-ca", "server")
    for kind in ("key", "csr", "pem")
}


def settled(requests=REQUESTS, roots=(), files=FILES, until=1000.0 + 800 * DAY):
    """Whether nothing is to be issued on a station whose ledger was written for REQUESTS and FILES."""
    noted = hashlib.sha1(format_ledger(REQUESTS, [], FILES).encode(), usedforsecurity=False).hexdigest()
    present = {**files, LEDGER: {"checksum": noted, "mode": "0644", "uid": 0, "gid": 0, "mtime": 2000.0}}
    return is_settled(format_ledger(requests, roots, present), requests, present, until)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, True),
        ({"until": 1000.0 + 826 * DAY}, False),
        ({"requests": [*REQUESTS, {"file": "devices/00005e005301", "days": 825}]}, False),
        ({"roots": ["-----BEGIN CERTIFICATE-----"]}, False),
        ({"files": {path: file for path, file in FILES.items() if path != "server.key"}}, False),
        ({"files": {**FILES, "server.key": {**FILES["server.key"], "checksum": "another"}}}, False),
        ({"files": {**FILES, "server.key": {**FILES["server.key"], "mode": "0644"}}}, False),
        ({"files": {**FILES, "server.key": {**FILES["server.key"], "uid": 33}}}, False),
    ],
    ids=["as noted", "near its end", "one more", "another root", "missing", "other content", "other mode", "other owner"],
)
def test_when_certificates_are_issued(change, expected):
    assert settled(**change) is expected


def test_a_station_without_ledger_is_not_settled():
    assert not is_settled(format_ledger(REQUESTS, [], {}), REQUESTS, {}, 0.0)
