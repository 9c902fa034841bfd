# SPDX-License-Identifier: GPL-3.0-or-later
"""PEM texts as they come by mail and from other systems; order and signatures, with openssl as a witness."""

from __future__ import annotations

import itertools
import subprocess
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.certificates.chain import (
    in_order,
    is_signed_by,
    normalise_pem,
    public_bytes,
    read_certificates,
    read_key,
    signing_path,
)
from ansible_collections.voip.preprovision.plugins.module_utils.certificates.requests import CertificateError
from ansible_collections.voip.preprovision.plugins.module_utils.common.text_tables import printable

BEGIN, END = "-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n"
FAKE = f"{BEGIN}QUJD\nREVG\n{END}"


def one(text):
    (certificate,) = read_certificates(text, "it")
    return certificate


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (FAKE, FAKE),
        (FAKE * 3, FAKE * 3),
        ("", ""),
        ("no certificate\n", ""),
        (FAKE.replace("\n", "\r\n"), FAKE),
        (FAKE.replace("\n", "\r"), FAKE),
        (FAKE.replace("\n", "\r\r\n"), FAKE),
        (FAKE.replace("\n", " \t\n"), FAKE),
        ("\ufeff" + FAKE, FAKE),
        (FAKE.rstrip(), FAKE),
        (f"Bag Attributes\n  localKeyID: 01\nsubject=CN=x\n{FAKE}\nmore\n{FAKE}", FAKE * 2),
        (f"{BEGIN}QUJD\n\n{END}", f"{BEGIN}QUJD\n{END}"),
        (f"{BEGIN}Proc-Type: 4\r\n\r\nQUJD\r\n{END}", f"{BEGIN}Proc-Type: 4\n\nQUJD\n{END}"),
    ],
)
def test_splits_pem_text_into_blocks(text, expected):
    assert normalise_pem(text) == expected


@given(st.text())
def test_normalising_is_idempotent(text):
    assert normalise_pem(normalise_pem(text)) == normalise_pem(text)


@given(st.text())
def test_escaped_text_is_printable(text):
    assert printable(text).isprintable()
    if text.isprintable():
        assert printable(text) == text


def test_reads_a_certificate(tiny_ca):
    certificate = one(tiny_ca.issue("pv.example.net/info", san=["pv.example.net", "192.0.2.1"]).pem.replace("\n", "\r\n"))
    assert certificate.common_names == ("pv.example.net/info",)
    assert certificate.dns_names == ("pv.example.net",)
    assert certificate.addresses == ("192.0.2.1",)
    assert (certificate.key, certificate.key_size, certificate.digest) == ("RSA", 2048, "sha256")
    assert (certificate.not_after - tiny_ca.now).days == 90
    assert certificate.key_usage == {"digitalSignature", "keyEncipherment"}
    assert not certificate.is_ca


@pytest.mark.parametrize(("key", "expected"), [("rsa1024", ("RSA", 1024)), ("ec", ("EC", 256)), ("ed25519", ("Ed25519", 256))])
def test_reads_key_types(tiny_ca, key, expected):
    certificate = one(tiny_ca.issue(key=key, signer=None).pem)
    assert (certificate.key, certificate.key_size) == expected
    assert is_signed_by(certificate, certificate)


@pytest.mark.parametrize("digest", ["sha256", "sha1", "md5"])
def test_verifies_signatures_like_openssl(tiny_ca, tmp_path, digest):
    issued = tiny_ca.issue(signer=tiny_ca.root, digest=digest)
    (tmp_path / "root").write_text(tiny_ca.root.pem)
    (tmp_path / "server").write_text(issued.pem)
    command = ["openssl", "verify", "-no_check_time", "-auth_level", "0", "-CAfile", tmp_path / "root", tmp_path / "server"]
    subprocess.run(command, check=True, capture_output=True)
    assert one(issued.pem).digest == digest
    assert is_signed_by(one(issued.pem), one(tiny_ca.root.pem))


def test_rejects_a_signature_by_another_key_of_the_same_name(tiny_ca):
    impostor = tiny_ca.issue("Test root", signer=None, key="other-ca", ca=True, san=None)
    assert one(impostor.pem).subject == one(tiny_ca.root.pem).subject
    assert is_signed_by(one(tiny_ca.intermediate.pem), one(tiny_ca.root.pem))
    assert not is_signed_by(one(tiny_ca.intermediate.pem), one(impostor.pem))
    assert not is_signed_by(one(tiny_ca.intermediate.pem), one(tiny_ca.other_root.pem))


def test_sorts_chains(tiny_ca):
    right = [tiny_ca.server.pem, tiny_ca.intermediate.pem, tiny_ca.root.pem]
    for order in itertools.permutations(right):
        assert [certificate.pem for certificate in in_order(read_certificates("".join(order), "x"))] == right
        assert signing_path(one(right[0]), [one(pem) for pem in order]) == [one(pem) for pem in right]
    assert in_order(read_certificates(right[0] * 2, "x")) == [one(right[0])]


def test_rejects_certificates_that_form_no_chain(tiny_ca):
    with pytest.raises(CertificateError, match=r"'CN=prov\.example\.net,O=Example', 'CN=Other root,O=Example' do not form"):
        in_order(read_certificates(tiny_ca.server.pem + tiny_ca.other_root.pem, "x"))


def test_cross_signed_cas_do_not_loop(tiny_ca):
    first = tiny_ca.issue(signer=tiny_ca.root)
    forth = tiny_ca.issue("Test root", signer=tiny_ca.other_root, key="ca", ca=True, san=None)
    back = tiny_ca.issue("Other root", signer=tiny_ca.root, key="other-ca", ca=True, san=None)
    certificates = [one(issued.pem) for issued in (first, forth, back)]
    assert in_order(certificates) == certificates
    assert in_order(certificates[1:]) == certificates[1:]


def test_a_root_ends_the_path(tiny_ca):
    crossed = tiny_ca.issue("Test root", signer=tiny_ca.other_root, key="ca", ca=True, san=None)
    others = [one(issued.pem) for issued in (tiny_ca.root, crossed, tiny_ca.other_root)]
    assert signing_path(one(tiny_ca.intermediate.pem), others) == [one(tiny_ca.intermediate.pem), others[0]]


def test_an_issuer_must_have_the_right_name(tiny_ca):
    renamed = tiny_ca.issue("Renamed root", signer=None, key="ca", ca=True, san=None)
    assert not is_signed_by(one(tiny_ca.intermediate.pem), one(renamed.pem))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "it contains no certificate in PEM form, which begins with -----BEGIN CERTIFICATE-----; convert a DER file"),
        ("0\x82\x03", "it contains no certificate"),
        (FAKE.replace("CERTIFICATE", "CERTIFICATE REQUEST"), "it contains no certificate"),
        (BEGIN + "QUJD\n", "it contains no certificate"),
        (FAKE, "it is damaged or unsupported: "),
        (FAKE + FAKE, "certificate 1 of it is damaged"),
    ],
)
def test_rejects_texts_without_certificate(text, expected):
    with pytest.raises(CertificateError) as raised:
        read_certificates(text, "it")
    assert str(raised.value).startswith(expected)


@given(st.data())
def test_a_damaged_certificate_is_read_or_rejected(tiny_ca, data):
    lines = tiny_ca.server.pem.splitlines(keepends=True)
    line = data.draw(st.integers(1, len(lines) - 2))
    place = data.draw(st.integers(0, len(lines[line]) - 2))
    lines[line] = lines[line][:place] + data.draw(st.sampled_from("Ab0+/=")) + lines[line][place + 1 :]
    # Any other exception of cryptography would fail the test
    with suppress(CertificateError):
        assert one("".join(lines)).pem.startswith(BEGIN)


def test_compares_key_and_certificate(tiny_ca):
    assert read_key(tiny_ca.server.key.replace("\n", "\r\n"), "it") == public_bytes(tiny_ca.server.certificate.public_key())
    assert read_key(tiny_ca.key("ec"), "it") != public_bytes(tiny_ca.server.certificate.public_key())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (lambda ca: ca.server.pem, "it contains no private key in PEM form"),
        (lambda ca: ca.key("rsa") + ca.key("ec"), "it contains 2 private keys; keep only the one that belongs to the certificate"),
        (lambda ca: ca.key("rsa", b"secret"), "it has a passphrase, but the server starts unattended; remove it with openssl pkey"),
        (lambda ca: ca.key("rsa", b"old"), "it has a passphrase"),
        (lambda ca: ca.key("rsa").replace("M", "m", 3), "it is damaged or unsupported"),
    ],
)
def test_rejects_bad_keys_without_showing_them(tiny_ca, text, expected):
    with pytest.raises(CertificateError) as raised:
        read_key(text(tiny_ca), "it")
    assert str(raised.value).startswith(expected)
    assert not any(line in str(raised.value) for line in text(tiny_ca).splitlines()[1:-1] if line)
