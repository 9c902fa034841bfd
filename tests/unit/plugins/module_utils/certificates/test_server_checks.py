# SPDX-License-Identifier: GPL-3.0-or-later
"""What phones demand of a server's certificate: one table of certificates and the findings on each."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.x509 import ExtendedKeyUsageOID

from ansible_collections.voip.preprovision.plugins.module_utils.certificates.findings import Level
from ansible_collections.voip.preprovision.plugins.module_utils.certificates.requests import CertificateError
from ansible_collections.voip.preprovision.plugins.module_utils.certificates.server_checks import (
    Demands,
    Endpoint,
    check_certificate,
    compare_servers,
    summarise,
)
from ansible_collections.voip.preprovision.plugins.module_utils.certificates.tls_facts import tls_facts
from ansible_collections.voip.preprovision.plugins.module_utils.families.catalogue import BUILTIN

NAME = "prov.example.net"
ADDRESS = "192.0.2.1"


def findings(ca, chain=None, *, roots="", family="ata19x", now=None, facts=None, **options):
    """Check a chain at the fixed time of the CA, with its root unless another text is given.

    *options*: *name* and *resolved* of the endpoint, and further demands.
    """
    name, resolved = options.pop("name", NAME), options.pop("resolved", (ADDRESS,))
    demands = Demands(
        BUILTIN.families[family], tls_facts(family) if facts is None else facts, ca.root.pem if roots == "" else roots, **options
    )
    return check_certificate(ca.chain if chain is None else chain, Endpoint(name, ADDRESS, resolved), demands, now or ca.now)


def codes(found):
    return {(finding.level, finding.code) for finding in found}


@pytest.mark.parametrize("family", ["ata19x", "spa", "mpp", "yealink", "snom"])
def test_a_good_certificate_has_no_finding(tiny_ca, family):
    assert findings(tiny_ca, family=family) == []


CHAINS = {
    "intermediate missing": (lambda ca: ca.server.pem, {("error", "missing_intermediate")}),
    "wrong order": (
        lambda ca: ca.server.pem + ca.root.pem + ca.intermediate.pem,
        {("error", "wrong_order"), ("info", "root_sent")},
    ),
    "root sent": (lambda ca: ca.chain + ca.root.pem, {("info", "root_sent")}),
    "needless": (lambda ca: ca.chain + ca.other_root.pem, {("warning", "unneeded_certificate")}),
    "twice": (lambda ca: ca.server.pem + ca.chain, {("error", "wrong_order")}),
    "self-signed": (lambda ca: ca.issue(signer=None).pem, {("error", "self_signed")}),
    "other root": (lambda ca: ca.issue(signer=ca.other_root).pem, {("error", "missing_intermediate")}),
    "other root sent": (lambda ca: ca.issue(signer=ca.other_root).pem + ca.other_root.pem, {("error", "unknown_root")}),
    "root of that name": (
        lambda ca: ca.issue(signer=ca.issue("Test root", signer=None, key="other-ca", ca=True, san=None)).pem,
        {("error", "root_mismatch")},
    ),
    "signed by a server": (
        lambda ca: (
            (signer := ca.issue("signer.example.net", key="other-ca"))
            and ca.issue(signer=signer).pem + signer.pem + ca.intermediate.pem
        ),
        {("error", "not_a_ca")},
    ),
    "signed by what is no CA": (
        lambda ca: (
            (signer := ca.issue("Sub", signer=ca.root, key="other", ca=None, usage=("key_cert_sign",), san=None))
            and ca.issue(signer=signer).pem + signer.pem
        ),
        {("error", "not_a_ca")},
    ),
    "not for signing": (
        lambda ca: (
            ca.issue(signer=ca.issue("Sub", signer=ca.root, key="other", ca=True, usage=(), san=None)).pem
            + ca.issue("Sub", signer=ca.root, key="other", ca=True, usage=(), san=None).pem
        ),
        {("error", "not_a_ca")},
    ),
    "path too long": (
        lambda ca: (
            (top := ca.issue("Top", signer=ca.root, key="other-ca", ca=True, path_length=0, san=None))
            and (sub := ca.issue("Sub", signer=top, key="other", ca=True, san=None))
            and ca.issue(signer=sub).pem + sub.pem + top.pem
        ),
        {("error", "path_too_long")},
    ),
    "intermediate expired": (
        lambda ca: (
            ca.issue(signer=ca.issue("Sub", signer=ca.root, key="other", ca=True, san=None)).pem
            + ca.issue("Sub", signer=ca.root, key="other", ca=True, san=None, days=(-20, -1)).pem
        ),
        {("error", "expired")},
    ),
}


@pytest.mark.parametrize(("make", "expected"), CHAINS.values(), ids=CHAINS)
def test_chains(tiny_ca, make, expected):
    assert codes(findings(tiny_ca, make(tiny_ca))) == expected


def test_a_self_signed_certificate_is_trusted_where_phones_carry_it(tiny_ca):
    own = tiny_ca.issue(signer=None)
    assert codes(findings(tiny_ca, own.pem, roots=own.pem)) == {("warning", "self_signed")}


def test_ignores_the_signature_of_a_root(tiny_ca):
    root = tiny_ca.issue("Test root", signer=None, key="ca", ca=True, san=None, days=(-3000, 3000), digest="sha1")
    assert findings(tiny_ca, roots=root.pem) == []


def test_accepts_any_of_several_roots(tiny_ca):
    assert findings(tiny_ca, roots=tiny_ca.other_root.pem + tiny_ca.root.pem) == []


def test_warns_without_roots(tiny_ca):
    assert codes(findings(tiny_ca, roots=None)) == {("warning", "no_roots")}
    assert codes(findings(tiny_ca, tiny_ca.server.pem, roots=None)) == {("warning", "no_roots")}


def test_the_remedy_names_the_parameter_of_a_root(tiny_ca):
    for family, parameter in (("ata19x", "Custom_CA_URL"), ("mpp", "Custom_CA_Rule")):
        (found,) = findings(tiny_ca, tiny_ca.issue(signer=None).pem, family=family)
        assert parameter in found.remedy
    (found,) = findings(tiny_ca, tiny_ca.issue(signer=None).pem, family="spa")
    assert found.remedy == "have the server's certificate signed by a root that phones of spa carry"


CERTIFICATES = {
    "slash": ({"cn": f"{NAME}/mailto:admin@example.net"}, set()),
    "slash alone": ({"cn": f"{NAME}/"}, set()),
    "case": ({"cn": "PROV.example.NET", "san": ["Prov.Example.net"]}, set()),
    "wrong name": (
        {"cn": "www.example.net", "san": ["www.example.net"]},
        {("error", "common_name_mismatch"), ("error", "san_mismatch")},
    ),
    "wrong common name": ({"cn": "www.example.net"}, {("error", "common_name_mismatch")}),
    "longer name": ({"cn": f"{NAME}.example.com"}, {("error", "common_name_mismatch")}),
    "name behind the slash": ({"cn": f"example.com/{NAME}"}, {("error", "common_name_mismatch")}),
    "no common name": ({"cn": []}, {("error", "no_common_name")}),
    "empty common name": ({"cn": " "}, {("error", "common_name_mismatch")}),
    "two common names": ({"cn": [NAME, f"{NAME}/x"]}, {("warning", "several_common_names")}),
    "two different": ({"cn": [NAME, "other.example.net"]}, {("error", "common_name_mismatch")}),
    "too long": ({"cn": f"{NAME}/{'x' * 48}"}, {("error", "common_name_long")}),
    "just short enough": ({"cn": f"{NAME}/{'x' * 47}"}, set()),
    "NUL": ({"cn": f"{NAME}\0.example.com"}, {("error", "common_name_characters"), ("error", "common_name_mismatch")}),
    "line feed": ({"cn": f"{NAME}/a\nb"}, {("error", "common_name_characters"), ("error", "common_name_mismatch")}),
    "UTF-8": ({"cn": f"{NAME}/Büro"}, {("error", "common_name_characters"), ("error", "common_name_mismatch")}),
    "look-alike": ({"cn": "prоv.example.net"}, {("error", "common_name_characters"), ("error", "common_name_mismatch")}),  # noqa: RUF001
    "wildcard": (
        {"cn": "*.example.net", "san": ["*.example.net"]},
        {("error", "common_name_mismatch"), ("warning", "wildcard")},
    ),
    "wildcard beside": ({"san": ["*.example.net", NAME]}, set()),
    "no SAN": ({"san": None}, {("error", "no_san")}),
    "address in SAN": ({"san": [ADDRESS]}, {("error", "san_mismatch")}),
    "not yet": ({"days": (1, 90)}, {("error", "not_yet_valid")}),
    "expired": ({"days": (-90, -1)}, {("error", "expired")}),
    "expired an hour ago": ({"days": (-90, 0), "hours": -1}, {("error", "expired")}),
    "ends before phones come": ({"days": (-90, 1), "hours": -1}, {("error", "expires_before_resync")}),
    "ends after phones come": ({"days": (-90, 1), "hours": 1}, {("warning", "expires_soon")}),
    "ends in 31 days": ({"days": (-90, 31)}, set()),
    "1024 bits": ({"key": "rsa1024"}, {("warning", "key_old")}),
    "ECDSA": ({"key": "ec", "usage": ["digital_signature"]}, {("warning", "key_type")}),
    "Ed25519": ({"key": "ed25519", "usage": ["digital_signature"]}, {("error", "key_type")}),
    "SHA-1": ({"digest": "sha1"}, {("warning", "signature_old")}),
    "MD5": ({"digest": "md5"}, {("error", "signature_weak")}),
    "no uses": ({"usage": None, "extended": None}, set()),
    "no constraints": ({"ca": None}, set()),
    "for signing alone": ({"usage": ["key_cert_sign"]}, {("error", "key_usage")}),
    "no key encipherment": ({"usage": ["digital_signature"]}, {("warning", "key_usage")}),
    "for clients": ({"extended": [ExtendedKeyUsageOID.CLIENT_AUTH]}, {("error", "extended_key_usage")}),
    "a CA": ({"ca": True, "usage": None}, {("warning", "is_ca")}),
}


@pytest.mark.parametrize(("made", "expected"), CERTIFICATES.values(), ids=CERTIFICATES)
def test_certificates(tiny_ca, made, expected):
    assert codes(findings(tiny_ca, tiny_ca.issue(**made).pem + tiny_ca.intermediate.pem)) == expected


@pytest.mark.parametrize(
    ("family", "made", "expected"),
    [
        # Whether these check a subject alternative name is not known
        ("mpp", {"san": ["other.example.net"]}, {("warning", "san_mismatch")}),
        ("spa", {"san": None}, set()),
        # RSA is known of this one
        ("spa", {"key": "ec", "usage": ["digital_signature"]}, {("error", "key_type")}),
        # As RFC 2818: the subject alternative name where there is one, else the common name; nothing is known of these
        ("yealink", {"cn": "other.example.net"}, set()),
        ("yealink", {"cn": []}, set()),
        ("yealink", {"san": None}, set()),
        ("yealink", {"san": None, "cn": f"{NAME}/x"}, {("warning", "name_mismatch")}),
        ("yealink", {"san": ["other.example.net"]}, {("warning", "san_mismatch")}),
    ],
)
def test_families_differ(tiny_ca, family, made, expected):
    assert codes(findings(tiny_ca, tiny_ca.issue(**made).pem + tiny_ca.intermediate.pem, family=family)) == expected


@pytest.mark.parametrize(
    ("facts", "made", "expected"),
    [
        ({"checks_san": False}, {"san": None}, set()),
        ({"checks_san": False}, {"san": ["other.example.net"]}, {("warning", "san_mismatch")}),
        ({"needs_rsa": False}, {"key": "ec", "usage": ["digital_signature"]}, set()),
        ({"needs_rsa": True}, {"key": "ec", "usage": ["digital_signature"]}, {("error", "key_type")}),
        ({"common_name": False}, {"cn": "other.example.net"}, set()),
    ],
)
def test_corrected_facts_are_certain(tiny_ca, facts, made, expected):
    corrected = tls_facts("ata19x").corrected(facts)
    assert codes(findings(tiny_ca, tiny_ca.issue(**made).pem + tiny_ca.intermediate.pem, facts=corrected)) == expected


@pytest.mark.parametrize(
    ("family", "resolved", "expected"),
    [
        ("ata19x", ["192.0.2.9", ADDRESS], set()),
        ("ata19x", ["192.0.2.9"], {("error", "address_mismatch")}),
        ("snom", ["192.0.2.9"], {("warning", "address_mismatch")}),
        ("ata19x", [], {("error", "not_resolved")}),
        ("snom", [], {("error", "not_resolved")}),
    ],
)
def test_the_name_must_resolve_to_the_address(tiny_ca, family, resolved, expected):
    assert codes(findings(tiny_ca, family=family, resolved=resolved)) == expected


def test_a_different_address_is_a_warning_where_phones_do_not_compare(tiny_ca):
    facts = tls_facts("ata19x").corrected({"checks_address": False})
    assert codes(findings(tiny_ca, facts=facts, resolved=["192.0.2.9"])) == {("warning", "address_mismatch")}


def test_a_longer_resync_period_needs_a_longer_certificate(tiny_ca):
    assert codes(findings(tiny_ca, resync_period=91 * 86400)) == {("error", "expires_before_resync")}
    assert codes(findings(tiny_ca, expires_within=91)) == {("warning", "expires_soon")}
    assert findings(tiny_ca, resync_period=89 * 86400, expires_within=90) == []


def test_every_finding_is_one_sentence_with_a_remedy(tiny_ca):
    chains = [make(tiny_ca) for make, _expected in CHAINS.values()]
    chains += [tiny_ca.issue(**made).pem + tiny_ca.intermediate.pem for made, _expected in CERTIFICATES.values()]
    for chain in chains:
        found = findings(tiny_ca, chain)
        levels = [list(Level).index(finding.level) for finding in found]
        assert levels == sorted(levels)
        for finding in found:
            assert finding.sentence.isprintable()
            assert finding.what
            assert finding.remedy
            assert not finding.sentence.endswith(".")


def test_rejects_texts_without_certificates(tiny_ca):
    with pytest.raises(CertificateError, match="the server's chain contains no certificate"):
        findings(tiny_ca, "")
    with pytest.raises(CertificateError, match="roots contains no certificate"):
        findings(tiny_ca, roots="none")


def test_summarises_a_certificate(tiny_ca):
    issued = tiny_ca.issue([f"{NAME}/a\nb"], san=[NAME, ADDRESS], key="ec")
    spki = serialization.load_pem_private_key(issued.key.encode(), None).public_key()
    der = spki.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert summarise(issued.pem + tiny_ca.intermediate.pem) == {
        "subject": rf"CN={NAME}/a\nb,O=Example",
        "names": [NAME, ADDRESS],
        "issuer": "CN=Test intermediate,O=Example",
        "not_before": "2026-06-14T12:00:00Z",
        "not_after": "2026-09-13T12:00:00Z",
        "key": "EC 256",
        "signature": "sha256",
        "chain_length": 2,
        "public_key": hashlib.sha256(der).hexdigest(),
    }


SUMMARY = {"subject": "CN=prov.example.net", "not_after": "2027-01-01T00:00:00Z", "public_key": "aa"}


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ({}, []),
        (
            {"public_key": "bb"},
            [
                "203.0.113.1 and 203.0.113.2 have certificates of different keys; install one key and one certificate for the name"
                " on all of its servers"
            ],
        ),
        (
            {"not_after": "2026-01-01T00:00:00Z"},
            [
                "203.0.113.1 and 203.0.113.2 have different certificates of one key, until 2027-01-01T00:00:00Z and until"
                " 2026-01-01T00:00:00Z; install the newer one on both"
            ],
        ),
    ],
)
def test_compares_servers_behind_one_name(other, expected):
    found = compare_servers({"203.0.113.1": SUMMARY, "203.0.113.2": {**SUMMARY, **other}})
    assert [finding.sentence for finding in found] == expected
    assert {finding.level for finding in found} <= {Level.WARNING}
