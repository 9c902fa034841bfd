# SPDX-License-Identifier: GPL-3.0-or-later
"""What phones demand of a server's TLS."""

from __future__ import annotations

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.certificates.handshake_checks import (
    check_client_cas,
    check_client_certificate,
    check_protocols,
    check_server_name,
)
from ansible_collections.voip.preprovision.plugins.module_utils.certificates.tls_facts import VERSIONS, TlsFacts, tls_facts
from ansible_collections.voip.preprovision.plugins.module_utils.families.catalogue import BUILTIN


def codes(found):
    return {(finding.level, finding.code) for finding in found}


MODERN = {"TLS 1.0": "", "TLS 1.1": "", "TLS 1.2": "ECDHE-RSA-AES256-GCM-SHA384", "TLS 1.3": "TLS_AES_256_GCM_SHA384"}
OLD = {"TLS 1.0": "AES128-SHA", "TLS 1.1": "AES128-SHA", "TLS 1.2": "AES128-SHA256", "TLS 1.3": ""}
NEWEST = {**dict.fromkeys(VERSIONS, ""), "TLS 1.3": "TLS_AES_256_GCM_SHA384"}


@pytest.mark.parametrize(
    ("protocols", "cipher", "facts", "expected"),
    [
        (MODERN, "AES128-SHA", tls_facts("ata19x"), set()),
        (MODERN, "", tls_facts("ata19x"), {("warning", "no_common_cipher")}),
        (MODERN, "", tls_facts("spa"), {("warning", "no_common_protocol")}),
        (MODERN, "", tls_facts("spa").corrected({"highest": "TLS 1.0"}), {("error", "no_common_protocol")}),
        (OLD, "", tls_facts("spa"), {("warning", "no_common_cipher")}),
        (OLD, "", tls_facts("spa").corrected({"ciphers": ["RC4-SHA"]}), {("error", "no_common_cipher")}),
        (OLD, "AES128-SHA", tls_facts("spa"), set()),
        (OLD, "AES128-SHA", tls_facts("mpp"), {("info", "old_protocol")}),
        (NEWEST, "", tls_facts("ata19x"), {("warning", "no_common_protocol")}),
        (NEWEST, "x", tls_facts("ata19x").corrected({"highest": "TLS 1.3"}), set()),
        (MODERN, "x", tls_facts("ata19x").corrected({"highest": "TLS 1.3"}), set()),
        (OLD, "", TlsFacts(lowest="TLS 1.3", highest="TLS 1.3", uncertain=frozenset()), {("error", "no_common_protocol")}),
        (dict.fromkeys(VERSIONS, ""), "", TlsFacts(uncertain=frozenset()), {("error", "no_common_protocol")}),
    ],
)
def test_protocols(protocols, cipher, facts, expected):
    assert codes(check_protocols(protocols, cipher, facts)) == expected


def test_a_certificate_that_needs_a_server_name(tiny_ca):
    assert check_server_name(tiny_ca.chain, tiny_ca.chain) == []
    assert codes(check_server_name(tiny_ca.chain, tiny_ca.other_root.pem)) == {("warning", "needs_server_name")}
    assert codes(check_server_name(tiny_ca.chain, "")) == {("warning", "needs_server_name")}


@pytest.mark.parametrize(
    ("requested", "status", "expected"),
    [
        (False, None, {("info", "no_client_certificate")}),
        (True, None, set()),
        (True, 200, set()),
        (True, 403, set()),
        (True, 400, {("error", "client_certificate_refused")}),
        (True, 0, {("error", "client_certificate_refused")}),
    ],
)
def test_client_certificates(requested, status, expected):
    assert codes(check_client_certificate(requested, status)) == expected


BENCH = "CN = Preprovisioning bench CA"


@pytest.mark.parametrize(
    ("family", "client_cas", "missing"),
    [
        ("mpp", [], False),
        ("mpp", [BENCH], True),
        ("mpp", [BENCH, "O = Cisco, CN = Cisco Root CA M2"], False),
        ("spa", [BENCH, "O = Cisco, CN = Cisco Root CA M2"], True),
        ("snom", [BENCH], True),
        ("snom", [BENCH, "CN = Any other"], False),
    ],
)
def test_client_cas(family, client_cas, missing):
    assert codes(check_client_cas(BUILTIN.families[family], client_cas)) == ({("warning", "no_maker_ca")} if missing else set())


def test_a_missing_ca_is_named():
    (finding,) = check_client_cas(BUILTIN.families["poly"], [BENCH, "CN = \x1b[31mred"])
    assert finding.sentence == (
        "the server accepts client certificates of 'CN = Preprovisioning bench CA', 'CN = \\x1b[31mred', and no CA of the maker of "
        "poly is among them; add the maker's CA (Polycom Root CA, Polycom Equipment Policy CA, Polycom Equipment Issuing CA 1, "
        "Polycom Equipment Issuing CA 2) to certificates_device_roots, or use no client certificates with these phones"
    )
