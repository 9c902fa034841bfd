# SPDX-License-Identifier: GPL-3.0-or-later
"""PEM texts as they come by mail and from other systems; order and signatures, with openssl as a witness."""

from __future__ import annotations

import itertools
import subprocess
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.certificates import CertificateError
from ansible_collections.voip.preprovision.plugins.module_utils.x509_chain import (
    in_order,
    is_signed_by,
    normalise_pem,
    public_bytes,
    read_certificates,
    read_key,
    shown,
    signing_path,
)

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
def test_a_pem_text_becomes_its_blocks(text, expected):
    assert normalise_pem(text) == expected


@given(st.text())
def test_normalising_twice_is_normalising_once(text):
    assert normalise_pem(normalise_pem(text)) == normalise_pem(text)


@given(st.text())
def test_what_is_shown_is_printable(text):
    assert shown(text).isprintable()
    if text.isprintable():
        assert shown(text) == text


def test_a_certificate_is_read(tiny_ca):
    certificate = one(tiny_ca.issue("pv.example.net/info", san=["pv.example.net", "192.0.2.1"]).pem.replace("\n", "\r\n"))
    assert certificate.common_names == ("pv.example.net/info",)
    assert certificate.dns_names == ("pv.example.net",)
    assert certificate.addresses == ("192.0.2.1",)
    assert (certificate.key, certificate.key_size, certificate.digest) == ("RSA", 2048, "sha256")
    assert (certificate.not_after - tiny_ca.now).days == 90
    assert certificate.key_usage == {"digitalSignature", "keyEncipherment"}
    assert not certificate.is_ca


@pytest.mark.parametrize(("key", "expected"), [("rsa1024", ("RSA", 1024)), ("ec", ("EC", 256)), ("ed25519", ("Ed25519", 256))])
def test_kinds_of_keys(tiny_ca, key, expected):
    certificate = one(tiny_ca.issue(key=key, signer=None).pem)
    assert (certificate.key, certificate.key_size) == expected
    assert is_signed_by(certificate, certificate)


@pytest.mark.parametrize("digest", ["sha256", "sha1", "md5"])
def test_signatures_are_checked_as_openssl_does(tiny_ca, tmp_path, digest):
    issued = tiny_ca.issue(signer=tiny_ca.root, digest=digest)
    (tmp_path / "root").write_text(tiny_ca.root.pem)
    (tmp_path / "server").write_text(issued.pem)
    command = ["openssl", "verify", "-no_check_time", "-auth_level", "0", "-CAfile", tmp_path / "root", tmp_path / "server"]
    subprocess.run(command, check=True, capture_output=True)
    assert one(issued.pem).digest == digest
    assert is_signed_by(one(issued.pem), one(tiny_ca.root.pem))


def test_a_signature_by_another_key_of_that_name_is_none(tiny_ca):
    impostor = tiny_ca.issue("Test root", signer=None, key="other-ca", ca=True, san=None)
    assert one(impostor.pem).subject == one(tiny_ca.root.pem).subject
    assert is_signed_by(one(tiny_ca.intermediate.pem), one(tiny_ca.root.pem))
    assert not is_signed_by(one(tiny_ca.intermediate.pem), one(impostor.pem))
    assert not is_signed_by(one(tiny_ca.intermediate.pem), one(tiny_ca.other_root.pem))


def test_any_order_becomes_the_right_one(tiny_ca):
    right = [tiny_ca.server.pem, tiny_ca.intermediate.pem, tiny_ca.root.pem]
    for order in itertools.permutations(right):
        assert [certificate.pem for certificate in in_order(read_certificates("".join(order), "x"))] == right
        assert signing_path(one(right[0]), [one(pem) for pem in order]) == [one(pem) for pem in right]
    assert in_order(read_certificates(right[0] * 2, "x")) == [one(right[0])]


def test_what_is_no_chain_cannot_be_ordered(tiny_ca):
    with pytest.raises(CertificateError, match=r"'CN=prov\.example\.net,O=Example', 'CN=Other root,O=Example' are not one chain"):
        in_order(read_certificates(tiny_ca.server.pem + tiny_ca.other_root.pem, "x"))


def test_two_cas_that_sign_each_other_end(tiny_ca):
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


def test_a_key_signs_under_its_own_name_alone(tiny_ca):
    renamed = tiny_ca.issue("Renamed root", signer=None, key="ca", ca=True, san=None)
    assert not is_signed_by(one(tiny_ca.intermediate.pem), one(renamed.pem))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "it holds no certificate in PEM form, which begins with -----BEGIN CERTIFICATE-----; openssl x509"),
        ("0\x82\x03", "it holds no certificate"),
        (FAKE.replace("CERTIFICATE", "CERTIFICATE REQUEST"), "it holds no certificate"),
        (BEGIN + "QUJD\n", "it holds no certificate"),
        (FAKE, "it is damaged, or of a kind that cannot be read: "),
        (FAKE + FAKE, "certificate 1 of it is damaged"),
    ],
)
def test_what_is_no_certificate_is_told(text, expected):
    with pytest.raises(CertificateError) as raised:
        read_certificates(text, "it")
    assert str(raised.value).startswith(expected)


@given(st.data())
def test_a_damaged_certificate_is_read_or_told(tiny_ca, data):
    lines = tiny_ca.server.pem.splitlines(keepends=True)
    line = data.draw(st.integers(1, len(lines) - 2))
    place = data.draw(st.integers(0, len(lines[line]) - 2))
    lines[line] = lines[line][:place] + data.draw(st.sampled_from("Ab0+/=")) + lines[line][place + 1 :]
    # Whatever else cryptography says of it would leave here as it is
    with suppress(CertificateError):
        assert one("".join(lines)).pem.startswith(BEGIN)


def test_a_key_belongs_to_its_certificate(tiny_ca):
    assert read_key(tiny_ca.server.key.replace("\n", "\r\n"), "it") == public_bytes(tiny_ca.server.certificate.public_key())
    assert read_key(tiny_ca.key("ec"), "it") != public_bytes(tiny_ca.server.certificate.public_key())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (lambda ca: ca.server.pem, "it holds no private key in PEM form"),
        (lambda ca: ca.key("rsa") + ca.key("ec"), "it holds 2 private keys; leave the one that belongs to the certificate"),
        (lambda ca: ca.key("rsa", b"secret"), "it has a passphrase, which nobody enters when the server starts; openssl pkey"),
        (lambda ca: ca.key("rsa", b"old"), "it has a passphrase"),
        (lambda ca: ca.key("rsa").replace("M", "m", 3), "it is damaged, or of a kind that cannot be read"),
    ],
)
def test_what_is_no_key_is_told_without_showing_it(tiny_ca, text, expected):
    with pytest.raises(CertificateError) as raised:
        read_key(text(tiny_ca), "it")
    assert str(raised.value).startswith(expected)
    assert not any(line in str(raised.value) for line in text(tiny_ca).splitlines()[1:-1] if line)
