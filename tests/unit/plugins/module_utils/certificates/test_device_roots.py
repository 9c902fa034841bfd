# SPDX-License-Identifier: GPL-3.0-or-later
"""Makers' CAs in every form that openssl writes, alone and mixed, and what is refused."""

from __future__ import annotations

import subprocess
from contextlib import suppress

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.certificates.chain import read_certificates
from ansible_collections.voip.preprovision.plugins.module_utils.certificates.device_roots import (
    Found,
    check_cas,
    is_ca,
    read_ca_file,
)
from ansible_collections.voip.preprovision.plugins.module_utils.certificates.requests import CertificateError

FORMS = ("pem", "pem with comments", "pem of Windows", "der", "p7b", "p7b as pem", "p7b as cms")


def openssl(*arguments, data):
    return subprocess.run(["openssl", *arguments], input=data, capture_output=True, check=True).stdout


def made(pem, form, folder):
    """Return certificates (PEM) in a form; DER holds one, so it is that of the first."""
    text = pem.encode()
    if form == "pem of Windows":
        return b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n")
    if form == "pem with comments":
        return b"subject=/CN=x\n\n" + text + b"more\n"
    if form == "der":
        return openssl("x509", "-outform", "der", data=text)
    if form.startswith("p7b"):
        file = folder / "bundle.pem"
        file.write_bytes(text)
        kind = "DER" if form == "p7b" else "PEM"
        bundle = openssl("crl2pkcs7", "-nocrl", "-certfile", str(file), "-outform", kind, data=b"")
        return bundle.replace(b" PKCS7-----", b" CMS-----") if form == "p7b as cms" else bundle
    return text


def subjects(found):
    return [item.certificate.subject for item in found]


@pytest.mark.parametrize("form", FORMS)
def test_reads_every_form(tiny_ca, tmp_path, form):
    pems = [tiny_ca.root.pem, tiny_ca.intermediate.pem][: 1 if form == "der" else 2]
    found = read_ca_file(made("".join(pems), form, tmp_path), "it")
    assert sorted(item.certificate.pem for item in found) == sorted(pems)
    assert {item.where for item in found} == {"it"}


def test_reads_certificates_and_bundles_of_one_text(tiny_ca, tmp_path):
    text = made(tiny_ca.root.pem, "p7b as pem", tmp_path) + tiny_ca.other_root.pem.encode()
    assert subjects(read_ca_file(text, "it")) == ["CN=Test root,O=Example", "CN=Other root,O=Example"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "it is empty; download it again"),
        (b" \r\n", "it is empty; download it again"),
        (b"<html>Not found</html>", "it contains no certificate as PEM, DER or PKCS#7 (.p7b); download it again"),
        (b"\x30\x82\x00\x05\x01", "it contains no certificate as PEM, DER or PKCS#7 (.p7b); download it again"),
        (b"-----BEGIN PKCS7-----\nAAA\n-----END PKCS7-----\n", "it is damaged; download it again"),
        (
            b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
            "it contains no certificate in PEM form, which begins with -----BEGIN CERTIFICATE-----; "
            "convert a DER file with openssl x509 -inform der",
        ),
    ],
)
def test_refuses_other_files(content, expected):
    with pytest.raises(CertificateError) as caught:
        read_ca_file(content, "it")
    assert str(caught.value) == expected


def test_refuses_a_bundle_without_certificates():
    # SignedData without digests, certificates and signers, as RFC 2315 section 9 has it
    empty = bytes.fromhex("302306092a864886f70d010702a01630140201013100300b06092a864886f70d0107013100")
    with pytest.raises(CertificateError, match=r"^it (?:is PKCS#7 without a certificate|contains no certificate as)"):
        read_ca_file(empty, "it")


@pytest.fixture(scope="module")
def whole(tiny_ca, tmp_path_factory):
    return {form: made(tiny_ca.root.pem, form, tmp_path_factory.mktemp("forms")) for form in ("pem", "der", "p7b")}


@settings(deadline=None)
@given(content=st.binary(max_size=200), cut=st.integers(0, 2000), form=st.sampled_from(("pem", "der", "p7b")))
def test_damaged_files_raise_only_the_documented_error(whole, content, cut, form):
    for damaged in (content, whole[form][:cut] + content + whole[form][cut + len(content) :]):
        with suppress(CertificateError):
            assert read_ca_file(damaged, "it")


# -- which are of use


def checked(tiny_ca, *pems):
    found = [Found(read_certificates(pem, "it")[0], f"file {number}") for number, pem in enumerate(pems, 1)]
    return [ca.subject.split(",")[0].removeprefix("CN=") for ca in check_cas(found, tiny_ca.now)]


def test_keeps_each_ca_once_in_the_order_of_the_files(tiny_ca):
    pems = [tiny_ca.intermediate.pem, tiny_ca.other_root.pem, tiny_ca.root.pem, tiny_ca.intermediate.pem, tiny_ca.root.pem]
    assert checked(tiny_ca, *pems) == ["Test intermediate", "Other root", "Test root"]
    assert checked(tiny_ca) == []


@settings(deadline=None)
@given(order=st.lists(st.sampled_from(("root", "other_root", "intermediate")), min_size=1))
def test_order_and_repetition_do_not_matter(tiny_ca, order):
    pems = [getattr(tiny_ca, name).pem for name in order]
    if "intermediate" in order and "root" not in order:
        with pytest.raises(CertificateError, match="whose certificate is missing"):
            checked(tiny_ca, *pems)
    else:
        assert len(checked(tiny_ca, *pems)) == len(set(order))


def refused(tiny_ca, *pems):
    with pytest.raises(CertificateError) as caught:
        checked(tiny_ca, *pems)
    return str(caught.value).splitlines()


def test_refuses_what_signs_no_phone(tiny_ca):
    root = {"signer": None, "key": "ca", "ca": True, "san": None}
    assert refused(
        tiny_ca,
        tiny_ca.server.pem,
        tiny_ca.issue("Old root", days=(-9, -1), **root).pem,
        tiny_ca.issue("Young root", days=(1, 9), **root).pem,
        tiny_ca.intermediate.pem,
    ) == [
        "file 1: the certificate of 'CN=prov.example.net,O=Example' is not a CA's, so it signs no phone's certificate; "
        "give the CA that signed it",
        "file 2: the certificate of 'CN=Old root,O=Example' expired on 2026-06-14 12:00 UTC; "
        "get its successor from the maker, or remove it",
        "file 3: the certificate of 'CN=Young root,O=Example' is valid only from 2026-06-16 12:00 UTC; correct the clock, or wait",
        "file 4: the certificate of 'CN=Test intermediate,O=Example' leads to 'CN=Test root,O=Example', whose certificate is "
        "missing; give all CAs up to the root",
    ]


def test_shows_no_control_characters_of_a_subject(tiny_ca):
    (line,) = refused(tiny_ca, tiny_ca.issue("\x1b[31mred").pem)
    assert line.isprintable()


CONTENTS = {
    "ca": {"ca": True},
    "ca without usage": {"ca": True, "usage": None},
    "no ca": {"ca": False},
    "no ca, no usage": {"ca": False, "usage": None},
    "neither": {"ca": None, "usage": None},
    "may sign, no constraints": {"ca": None, "usage": ("key_cert_sign",), "extended": None},
    "may not sign, no constraints": {"ca": None, "extended": None},
    "ca that may not sign": {"ca": True, "usage": ()},
}


@pytest.mark.parametrize("contents", CONTENTS.values(), ids=CONTENTS.keys())
def test_openssl_agrees_on_what_is_a_ca(tiny_ca, tmp_path, contents):
    """It verifies a certificate below it."""
    issuer = tiny_ca.issue("Judged", signer=None, key="ca", san=None, days=(-9000, 9000), **contents)
    below = tiny_ca.issue("below", signer=issuer, days=(-9000, 9000))
    (tmp_path / "ca").write_text(issuer.pem)
    (tmp_path / "below").write_text(below.pem)
    command = ["openssl", "verify", "-CAfile", str(tmp_path / "ca"), str(tmp_path / "below")]
    verified = subprocess.run(command, capture_output=True, check=False).returncode == 0
    assert is_ca(read_certificates(issuer.pem, "it")[0]) is verified


def test_old_roots_of_version_1_count(tiny_ca, tmp_path):
    key = tmp_path / "key"
    key.write_text(tiny_ca.key("ca"))
    pem = openssl("req", "-new", "-key", str(key), "-subj", "/CN=Root of 2004", data=b"")
    (tmp_path / "v1").write_bytes(openssl("x509", "-req", "-signkey", str(key), "-days", "9", data=pem))
    text = (tmp_path / "v1").read_text()
    assert x509.load_pem_x509_certificate(text.encode()).version is x509.Version.v1
    assert x509.load_pem_x509_certificate(text.encode()).signature_hash_algorithm.name == SHA256.name
    assert is_ca(read_certificates(text, "it")[0])
