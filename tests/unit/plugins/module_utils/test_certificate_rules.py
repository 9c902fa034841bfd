# SPDX-License-Identifier: GPL-3.0-or-later
"""What phones demand of a server: one table of certificates and what is found in each; the same before they are installed."""

from __future__ import annotations

import dataclasses
import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.certificate_rules import (
    LEVELS,
    VERSIONS,
    Finding,
    TlsFacts,
    by_level,
    check_certificate,
    check_client_certificate,
    check_pair,
    check_protocols,
    check_server_name,
    covers,
    names_server,
    summary,
    take_signed,
    tls_facts,
)
from ansible_collections.voip.preprovision.plugins.module_utils.certificates import CertificateError
from ansible_collections.voip.preprovision.plugins.module_utils.families import BUILTIN
from ansible_collections.voip.preprovision.plugins.module_utils.x509_chain import in_order, normalise_pem, read_certificates

NAME = "prov.example.net"
ADDRESS = "192.0.2.1"

labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
host_names = st.lists(labels, min_size=2, max_size=4).map(".".join)


def findings(ca, chain=None, *, roots="", family="ata19x", **options):
    """Check a chain at the fixed time of the CA, with its root unless another text is given."""
    defaults = {
        "name": NAME,
        "resolved": [ADDRESS],
        "address": ADDRESS,
        "family": BUILTIN.families[family],
        "facts": tls_facts(family),
        "now": ca.now,
        "resync_period": 86400,
        "expires_within": 30,
    }
    return check_certificate(ca.chain if chain is None else chain, ca.root.pem if roots == "" else roots, **{**defaults, **options})


def told(found):
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
    assert told(findings(tiny_ca, make(tiny_ca))) == expected


def test_a_root_of_its_own_is_trusted_where_phones_carry_it(tiny_ca):
    own = tiny_ca.issue(signer=None)
    assert told(findings(tiny_ca, own.pem, roots=own.pem)) == {("warning", "self_signed")}


def test_nobody_asks_how_a_root_signed_itself(tiny_ca):
    root = tiny_ca.issue("Test root", signer=None, key="ca", ca=True, san=None, days=(-3000, 3000), digest="sha1")
    assert findings(tiny_ca, roots=root.pem) == []


def test_any_of_several_roots_does(tiny_ca):
    assert findings(tiny_ca, roots=tiny_ca.other_root.pem + tiny_ca.root.pem) == []


def test_without_roots_nobody_knows(tiny_ca):
    assert told(findings(tiny_ca, roots=None)) == {("warning", "no_roots")}
    assert told(findings(tiny_ca, tiny_ca.server.pem, roots=None)) == {("warning", "no_roots")}


def test_the_remedy_names_the_parameter_of_a_root(tiny_ca):
    for family, parameter in (("ata19x", "Custom_CA_URL"), ("mpp", "Custom_CA_Rule")):
        (found,) = findings(tiny_ca, tiny_ca.issue(signer=None).pem, family=family)
        assert parameter in found.remedy
    (found,) = findings(tiny_ca, tiny_ca.issue(signer=None).pem, family="spa")
    assert found.remedy == "have the server's certificate signed by one that phones of spa carry"


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
    assert told(findings(tiny_ca, tiny_ca.issue(**made).pem + tiny_ca.intermediate.pem)) == expected


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
    assert told(findings(tiny_ca, tiny_ca.issue(**made).pem + tiny_ca.intermediate.pem, family=family)) == expected


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
def test_what_is_known_better_counts(tiny_ca, facts, made, expected):
    corrected = tls_facts("ata19x").corrected(facts)
    assert told(findings(tiny_ca, tiny_ca.issue(**made).pem + tiny_ca.intermediate.pem, facts=corrected)) == expected


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
def test_the_name_leads_to_the_address(tiny_ca, family, resolved, expected):
    assert told(findings(tiny_ca, family=family, resolved=resolved)) == expected


def test_an_address_that_nobody_compares_is_a_warning(tiny_ca):
    facts = tls_facts("ata19x").corrected({"checks_address": False})
    assert told(findings(tiny_ca, facts=facts, resolved=["192.0.2.9"])) == {("warning", "address_mismatch")}


def test_a_longer_resync_period_needs_a_longer_certificate(tiny_ca):
    assert told(findings(tiny_ca, resync_period=91 * 86400)) == {("error", "expires_before_resync")}
    assert told(findings(tiny_ca, expires_within=91)) == {("warning", "expires_soon")}
    assert findings(tiny_ca, resync_period=89 * 86400, expires_within=90) == []


def test_every_finding_is_one_sentence_with_a_remedy(tiny_ca):
    chains = [make(tiny_ca) for make, _expected in CHAINS.values()]
    chains += [tiny_ca.issue(**made).pem + tiny_ca.intermediate.pem for made, _expected in CERTIFICATES.values()]
    for chain in chains:
        found = findings(tiny_ca, chain)
        assert [LEVELS.index(finding.level) for finding in found] == sorted(LEVELS.index(finding.level) for finding in found)
        for finding in found:
            assert finding.sentence.isprintable()
            assert finding.what
            assert finding.remedy
            assert not finding.sentence.endswith(".")


def test_texts_that_are_none_are_told(tiny_ca):
    with pytest.raises(CertificateError, match="what the server sends holds no certificate"):
        findings(tiny_ca, "")
    with pytest.raises(CertificateError, match="roots holds no certificate"):
        findings(tiny_ca, roots="none")


@given(host_names, st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_information_behind_a_slash_does_not_matter(name, information):
    assert names_server(name, name)
    assert names_server(name.upper(), f"{name}.")
    assert names_server(f"{name}/{information}", name)


@given(host_names, host_names)
def test_another_name_is_another(name, other):
    assert names_server(name, other) == (name == other)
    assert names_server(f"{name}/{other}", other) == (name == other)
    assert not names_server(f"{other}.{name}/", name)


@given(st.text(), host_names)
def test_only_a_name_names_a_server(common_name, name):
    if names_server(common_name, name):
        assert common_name.isprintable()
        assert common_name.lower().split("/")[0] == name


@given(labels, host_names)
def test_a_star_stands_for_one_label(label, domain):
    assert covers(f"*.{domain}", f"{label}.{domain}")
    assert covers(f"*.{domain}", f"{label}.{domain}".upper())
    assert not covers(f"*.{domain}", domain)
    assert not covers(f"*.{domain}", f"a.{label}.{domain}")
    assert not covers(f"{label}.{domain}", f"x{label}.{domain}")
    assert not names_server(f"*.{domain}", f"{label}.{domain}")


def test_a_star_does_not_stand_below_the_root():
    assert not covers("*.net", "example.net")
    assert not covers("*", "net")


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
    assert told(check_protocols(protocols, cipher, facts)) == expected


def test_facts_are_versions_between_two():
    assert tls_facts("mpp").versions == VERSIONS[:3]
    assert TlsFacts(lowest="TLS 1.3", highest="TLS 1.2").versions == ()


@pytest.mark.parametrize("family", [*BUILTIN.families, "another"])
def test_facts_without_a_source_are_marked(family):
    facts = tls_facts(family)
    names = {attribute.name for attribute in dataclasses.fields(TlsFacts)} - {"uncertain"}
    assert facts.uncertain <= names
    assert facts.versions
    assert facts.corrected({"highest": "TLS 1.3"}).uncertain == facts.uncertain - {"highest"}
    assert facts.corrected({}) == facts


def test_a_certificate_that_needs_a_server_name(tiny_ca):
    assert check_server_name(tiny_ca.chain, tiny_ca.chain) == []
    assert told(check_server_name(tiny_ca.chain, tiny_ca.other_root.pem)) == {("warning", "needs_server_name")}
    assert told(check_server_name(tiny_ca.chain, "")) == {("warning", "needs_server_name")}


@pytest.mark.parametrize(
    ("asked", "status", "expected"),
    [
        (False, None, {("info", "no_client_certificate")}),
        (True, None, set()),
        (True, 200, set()),
        (True, 403, set()),
        (True, 400, {("error", "client_certificate_refused")}),
        (True, 0, {("error", "client_certificate_refused")}),
    ],
)
def test_client_certificates(asked, status, expected):
    assert told(check_client_certificate(asked, status)) == expected


def test_findings_are_sorted_and_keep_their_order():
    given_ = [Finding(level, code, "", "") for level, code in zip(["info", "error", "warning", "error"], "abcd", strict=True)]
    assert [finding.code for finding in by_level(given_)] == ["b", "d", "c", "a"]


def test_a_summary_tells_what_people_ask(tiny_ca):
    issued = tiny_ca.issue([f"{NAME}/a\nb"], san=[NAME, ADDRESS], key="ec")
    assert summary(issued.pem + tiny_ca.intermediate.pem) == {
        "subject": rf"CN={NAME}/a\nb,O=Example",
        "names": [NAME, ADDRESS],
        "issuer": "CN=Test intermediate,O=Example",
        "not_before": "2026-06-14T12:00:00Z",
        "not_after": "2026-09-13T12:00:00Z",
        "key": "EC 256",
        "signature": "sha256",
        "chain_length": 2,
    }


def problems(ca, certificate=None, key=None, chain=None, name=NAME, now=None, key_bits=2048):
    certificate = ca.server.pem if certificate is None else certificate
    chain = ca.intermediate.pem + ca.root.pem if chain is None else chain
    return check_pair(certificate, ca.server.key if key is None else key, name, chain, now or ca.now, key_bits=key_bits)


PAIRS = {
    "good": ({}, []),
    "no chain": ({"chain": ""}, []),
    "one file": ({"certificate": lambda ca: ca.chain, "chain": ""}, []),
    "one file and the chain again": ({"certificate": lambda ca: ca.chain}, []),
    "name in capitals": ({"name": NAME.upper()}, []),
    "slash": ({"certificate": lambda ca: ca.issue(f"{NAME}/x", san=None).pem}, []),
    "public, without common name": ({"certificate": lambda ca: ca.issue([]).pem}, []),
    "wildcard": ({"certificate": lambda ca: ca.issue("x", san=["*.example.net"]).pem}, []),
    "another key": ({"key": lambda ca: ca.key("ec")}, ["key_mismatch"]),
    "passphrase": ({"key": lambda ca: ca.key("rsa", b"secret")}, ["key"]),
    "old passphrase": ({"key": lambda ca: ca.key("rsa", b"old")}, ["key"]),
    "no key": ({"key": lambda ca: ca.server.pem}, ["key"]),
    "another name": ({"name": "www.example.net"}, ["name_mismatch"]),
    "name in CN alone": ({"certificate": lambda ca: ca.issue(san=["www.example.net"]).pem}, ["name_mismatch"]),
    "name behind the slash": ({"certificate": lambda ca: ca.issue(f"x/{NAME}", san=None).pem}, ["name_mismatch"]),
    "long name": ({"certificate": lambda ca: ca.issue(f"{NAME}/{'x' * 48}").pem}, ["common_name_long"]),
    "name just short enough": ({"certificate": lambda ca: ca.issue(f"{NAME}/{'x' * 47}").pem}, []),
    "another chain": ({"chain": lambda ca: ca.other_root.pem}, ["chain_mismatch"]),
    "chain with a gap": ({"chain": lambda ca: ca.root.pem}, ["chain_mismatch"]),
    "something else in the chain": ({"chain": lambda ca: ca.intermediate.pem + ca.other_root.pem}, ["chain_mismatch"]),
    "wrong order": ({"chain": lambda ca: ca.root.pem + ca.intermediate.pem}, ["wrong_order"]),
    "chain first": ({"certificate": lambda ca: ca.intermediate.pem + ca.server.pem, "chain": ""}, ["wrong_order"]),
    "files mixed up": (
        {"certificate": lambda ca: ca.intermediate.pem, "chain": lambda ca: ca.server.pem},
        ["wrong_order"],
    ),
    "Windows": ({"certificate": lambda ca: ca.server.pem.replace("\n", "\r\n")}, ["pem_form"]),
    "Windows key": ({"key": lambda ca: ca.server.key.replace("\n", "\r\n")}, ["pem_form"]),
    "byte order mark": ({"chain": lambda ca: "\ufeff" + ca.intermediate.pem}, ["pem_form"]),
    "key among them": ({"certificate": lambda ca: ca.server.key + ca.server.pem}, ["key_exposed"]),
    "key in the chain": ({"chain": lambda ca: ca.intermediate.pem + ca.server.key}, ["key_exposed"]),
    "no certificate": ({"certificate": "nothing"}, ["unreadable"]),
    "damaged chain": ({"chain": lambda ca: ca.intermediate.pem.replace("M", "m", 3)}, ["unreadable"]),
    "expired": ({"certificate": lambda ca: ca.issue(days=(-9, -1)).pem}, ["expired"]),
    "not yet": ({"certificate": lambda ca: ca.issue(days=(1, 9)).pem}, ["not_yet_valid"]),
    "short key": ({"certificate": lambda ca: ca.issue(key="rsa1024").pem, "key": lambda ca: ca.key("rsa1024")}, ["key_small"]),
    "short key, wanted": (
        {"certificate": lambda ca: ca.issue(key="rsa1024").pem, "key": lambda ca: ca.key("rsa1024"), "key_bits": 1024},
        [],
    ),
    "too short a key": ({"key_bits": 4096}, ["key_small"]),
    "SHA-1": ({"certificate": lambda ca: ca.issue(digest="sha1").pem}, ["signature_weak"]),
    "SHA-1 for old phones": ({"certificate": lambda ca: ca.issue(digest="sha1").pem, "key_bits": 1024}, []),
    "MD5 for old phones": ({"certificate": lambda ca: ca.issue(digest="md5").pem, "key_bits": 1024}, ["signature_weak"]),
    "everything": (
        {
            "certificate": lambda ca: ca.issue(days=(-9, -1), key="ec", san=None).pem.replace("\n", "\r\n"),
            "name": "www.example.net",
            "chain": lambda ca: ca.other_root.pem,
        },
        ["pem_form", "key_mismatch", "chain_mismatch", "name_mismatch", "expired"],
    ),
}


@pytest.mark.parametrize(("given_", "expected"), PAIRS.values(), ids=PAIRS)
def test_pairs(tiny_ca, given_, expected):
    found = problems(tiny_ca, **{key: value(tiny_ca) if callable(value) else value for key, value in given_.items()})
    assert [problem.code for problem in found] == expected
    for problem in found:
        assert problem.level == "error"
        assert problem.what
        assert problem.remedy
        assert problem.sentence.isprintable()


def test_an_expired_signer_is_named(tiny_ca):
    found = problems(tiny_ca, now=tiny_ca.now + datetime.timedelta(days=3001))
    assert [problem.what for problem in found] == [
        "the server's certificate expired on 2026-09-13 12:00 UTC",
        "the certificate of 'CN=Test intermediate,O=Example' expired on 2034-09-01 12:00 UTC",
        "the certificate of 'CN=Test root,O=Example' expired on 2034-09-01 12:00 UTC",
    ]


def test_what_is_repaired_is_accepted(tiny_ca):
    mixed = (tiny_ca.root.pem + tiny_ca.intermediate.pem + tiny_ca.server.pem).replace("\n", "\r\n")
    key = tiny_ca.server.key.replace("\n", "\r\n")
    assert {problem.code for problem in problems(tiny_ca, mixed, key, "")} == {"pem_form", "wrong_order"}
    mended = "".join(certificate.pem for certificate in in_order(read_certificates(mixed, "x")))
    assert problems(tiny_ca, mended, normalise_pem(key), "") == []


def test_problems_never_show_the_key(tiny_ca):
    lines = tiny_ca.server.key.splitlines()[1:-1]
    for key in (tiny_ca.server.key.replace("M", "m", 2), tiny_ca.server.key + tiny_ca.key("ec"), tiny_ca.server.key[:-40]):
        found = problems(tiny_ca, certificate=tiny_ca.server.pem + key, key=key)
        assert found
        assert not any(line in problem.sentence for line in lines for problem in found)


def request_of(key_pem):
    key = serialization.load_pem_private_key(key_pem.encode(), None)
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


@pytest.mark.parametrize(
    ("owner", "expected"),
    [
        (lambda ca: request_of(ca.server.key), []),
        (lambda ca: request_of(ca.key("other-ca")), ["key_mismatch"]),
        (lambda ca: request_of(ca.server.key).replace("M", "m", 9), ["key"]),
        (lambda ca: "-----BEGIN CERTIFICATE REQUEST-----\n-----END CERTIFICATE REQUEST-----\n", ["key"]),
    ],
    ids=["its own", "another key's", "damaged", "empty"],
)
def test_a_request_stands_for_its_key(tiny_ca, owner, expected):
    assert [problem.code for problem in problems(tiny_ca, key=owner(tiny_ca))] == expected


def test_what_is_installed(tiny_ca):
    taken = take_signed(tiny_ca.server.pem, tiny_ca.server.key, NAME, tiny_ca.intermediate.pem, tiny_ca.now, 80)
    assert taken.pem == tiny_ca.chain
    assert taken.issuer == "CN=Test intermediate,O=Example"
    assert taken.not_before == tiny_ca.now - datetime.timedelta(days=1)
    assert taken.not_after == tiny_ca.now + datetime.timedelta(days=90)


def test_the_first_in_a_chain_to_end_counts(tiny_ca):
    signer = tiny_ca.issue("Short", signer=tiny_ca.root, key="other", ca=True, san=None, days=(-300, 20))
    server = tiny_ca.issue(signer=signer)
    assert take_signed(server.pem, server.key, NAME, signer.pem, tiny_ca.now, 19).not_after == tiny_ca.now + datetime.timedelta(20)
    with pytest.raises(CertificateError, match=r"of 'CN=Short,O=Example' expires on 2026-07-05 12:00 UTC, in 20 days, and phones"):
        take_signed(server.pem, server.key, NAME, signer.pem, tiny_ca.now, 21)
