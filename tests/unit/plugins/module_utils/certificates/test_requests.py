# SPDX-License-Identifier: GPL-3.0-or-later
"""Which certificates a station requests, and what no certificate can contain."""

from __future__ import annotations

import re

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.certificates.requests import (
    CertificateError,
    Server,
    certificate_requests,
)

NAME = "prov.example.net"
ATA = {"mac": "00-00-5E-00-53-01", "model": "ATA192", "serial": "FCH2118DGQP"}


def test_station():
    ca, server = certificate_requests(Server(NAME), [], 90)
    assert (ca.file, ca.provider, ca.basic_constraints) == ("bench-ca", "selfsigned", ("CA:TRUE", "pathlen:0"))
    assert (server.file, server.provider, server.days) == ("server", "ownca", 90)
    assert (server.subject, server.subject_alt_name) == ({"CN": NAME}, (f"DNS:{NAME}",))
    assert server.extended_key_usage == ("serverAuth",)


def test_the_ca_lives_longer_than_the_server_certificate():
    """Phones hold the bench CA; another name must not replace it."""
    assert certificate_requests(Server(NAME), [], 90)[0] == certificate_requests(Server("other.example.net"), [], 400)[0]


def test_device():
    device = certificate_requests(Server(NAME), [ATA], 90)[2]
    assert (device.file, device.provider, device.days) == ("devices/00005e005301", "ownca", 90)
    assert device.subject == {"OU": "ATA192", "L": "FCH2118DGQP", "SN": "00005e005301"}
    assert (device.extended_key_usage, device.basic_constraints) == (("clientAuth",), ("CA:FALSE",))


@pytest.mark.parametrize("name", ["a.b", "prov.example.net", "Prov-1.example.net", "a" * 58 + ".b-net"])
def test_names(name):
    assert certificate_requests(Server(name), [], 90)[1].subject["CN"] == name


@pytest.mark.parametrize(
    "name",
    ["", "prov", "192.0.2.1", "http://prov.example.net", "prov example.net", "-a.example.net", "a" * 59 + ".b-net"],
)
def test_rejects_invalid_names(name):
    with pytest.raises(CertificateError, match=re.escape(f"certificates_name is '{name}'; it must be")):
        certificate_requests(Server(name), [], 90)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mac": "00:00:5e:00:53"}, "certificates_devices: '00:00:5e:00:53' is not a MAC address"),
        ({"serial": ""}, "certificates_devices: the serial of 00:00:5e:00:53:01 is ''; a certificate takes"),
        ({"serial": "é"}, "certificates_devices: the serial of 00:00:5e:00:53:01 is 'é'; a certificate takes"),
        (
            {"serial": 1.1},
            "certificates_devices: the serial of 00:00:5e:00:53:01 must be text, not a decimal fraction; write it in",
        ),
        ({"serial": True}, "certificates_devices: the serial of 00:00:5e:00:53:01 must be text, not true or false; write it in"),
        ({"model": "x" * 65}, "certificates_devices: the model of 00:00:5e:00:53:01 is 'xxx"),
        ({"model": "two\nlines"}, "certificates_devices: the model of 00:00:5e:00:53:01 is 'two"),
    ],
)
def test_rejects_invalid_devices(change, message):
    with pytest.raises(CertificateError, match=re.escape(message)):
        certificate_requests(Server(NAME), [ATA | change], 90)


def test_rejects_duplicate_mac_addresses():
    with pytest.raises(CertificateError, match="certificates_devices contains 00:00:5e:00:53:01 twice"):
        certificate_requests(Server(NAME), [ATA, ATA | {"mac": "0000.5e00.5301"}], 90)


def server(**changes):
    return certificate_requests(Server(NAME, **changes), [], 90)[1]


def test_adds_addresses_of_the_board():
    assert server(addresses=("192.0.2.1",)).subject_alt_name == (f"DNS:{NAME}", "IP:192.0.2.1")
    with pytest.raises(CertificateError, match=r"^certificates_addresses contains 'board'; it must be an IPv4 address, such as"):
        server(addresses=("board",))


def test_adds_information_after_a_slash():
    request = server(information="Example Telecom, Inc.")
    assert (request.subject, request.subject_alt_name) == ({"CN": f"{NAME}/Example Telecom, Inc."}, (f"DNS:{NAME}",))


def test_tells_who_signs_and_who_made_the_key():
    assert (server().provider, server().key_bits) == ("ownca", 2048)
    assert (server(signed_elsewhere=True).provider, server(signed_elsewhere=True).key_bits) == ("given", 2048)
    assert server(signed_elsewhere=True, key_brought=True).key_bits == 0
    assert [server(key_bits=bits).key_bits for bits in (1024, 3072, 4096)] == [1024, 3072, 4096]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"information": "two\nlines"}, "certificates_information is 'two"),
        ({"information": " "}, "certificates_information is ' '; it must be"),
        ({"information": "x" * 48}, "of 65 characters; at most 64 are allowed"),
        ({"key_bits": 512}, "certificates_key_bits is 512; phones accept RSA keys of 2048 to 4096 bits, old ones 1024"),
        ({"key_bits": 8192}, "certificates_key_bits is 8192"),
        ({"key_brought": True}, "certificates_key is set without a certificate"),
    ],
)
def test_rejects_invalid_servers(changes, message):
    with pytest.raises(CertificateError, match=re.escape(message)):
        server(**changes)


def test_accepts_the_longest_common_name():
    assert len(server(information="x" * 47).subject["CN"]) == 64
