# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates, keys and chains before they are installed: one table of files and the findings on each."""

from __future__ import annotations

import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from ansible_collections.voip.preprovision.plugins.module_utils.certificates.chain import in_order, normalise_pem, read_certificates
from ansible_collections.voip.preprovision.plugins.module_utils.certificates.install_checks import (
    PemFiles,
    Requirements,
    check_installation,
    prepare_installation,
)
from ansible_collections.voip.preprovision.plugins.module_utils.certificates.requests import CertificateError

NAME = "prov.example.net"


def problems(ca, certificate=None, key=None, chain=None, name=NAME, now=None, key_bits=2048):
    certificate = ca.server.pem if certificate is None else certificate
    chain = ca.intermediate.pem + ca.root.pem if chain is None else chain
    files = PemFiles(certificate, ca.server.key if key is None else key, chain)
    return check_installation(files, Requirements(name, now or ca.now, key_bits=key_bits))


FILES = {
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


@pytest.mark.parametrize(("given_", "expected"), FILES.values(), ids=FILES)
def test_findings_on_files(tiny_ca, given_, expected):
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


def test_accepts_repaired_files(tiny_ca):
    mixed = (tiny_ca.root.pem + tiny_ca.intermediate.pem + tiny_ca.server.pem).replace("\n", "\r\n")
    key = tiny_ca.server.key.replace("\n", "\r\n")
    assert {problem.code for problem in problems(tiny_ca, mixed, key, "")} == {"pem_form", "wrong_order"}
    mended = "".join(certificate.pem for certificate in in_order(read_certificates(mixed, "x")))
    assert problems(tiny_ca, mended, normalise_pem(key), "") == []


def test_findings_never_show_the_key(tiny_ca):
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
def test_a_request_may_replace_its_key(tiny_ca, owner, expected):
    assert [problem.code for problem in problems(tiny_ca, key=owner(tiny_ca))] == expected


def test_returns_what_to_install(tiny_ca):
    ready = prepare_installation(
        PemFiles(tiny_ca.server.pem, tiny_ca.server.key, tiny_ca.intermediate.pem), Requirements(NAME, tiny_ca.now, 80)
    )
    assert ready.pem == tiny_ca.chain
    assert ready.issuer == "CN=Test intermediate,O=Example"
    assert ready.not_before == tiny_ca.now - datetime.timedelta(days=1)
    assert ready.not_after == tiny_ca.now + datetime.timedelta(days=90)


def test_the_first_in_a_chain_to_expire_counts(tiny_ca):
    signer = tiny_ca.issue("Short", signer=tiny_ca.root, key="other", ca=True, san=None, days=(-300, 20))
    server = tiny_ca.issue(signer=signer)
    files = PemFiles(server.pem, server.key, signer.pem)
    ready = prepare_installation(files, Requirements(NAME, tiny_ca.now, 19))
    assert ready.not_after == tiny_ca.now + datetime.timedelta(20)
    with pytest.raises(CertificateError, match=r"of 'CN=Short,O=Example' expires on 2026-07-05 12:00 UTC, in 20 days, but phones"):
        prepare_installation(files, Requirements(NAME, tiny_ca.now, 21))
