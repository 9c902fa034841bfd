# SPDX-License-Identifier: GPL-3.0-or-later
"""Sealing as openssl enc does it, with the system's openssl as a witness in both directions."""

from __future__ import annotations

import hashlib
import itertools
import re
import subprocess

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.profiles.sealing import openssl_enc
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.sealing.compression import (
    decompress,
)
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.sealing.model import Digest, SealingError
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.sealing.openssl_enc import (
    bytes_to_key,
    is_sealed,
    repeatable_salt,
    seal,
    unseal,
)

PHRASE = "SecretPhrase1234"
PROFILE = b'<?xml version="1.0"?>\n<flat-profile>\n<Profile_Rule>/$MA.cfg</Profile_Rule>\n</flat-profile>\n'
CONTENTS = [b"", b"x", b"x" * 15, b"x" * 16, b"x" * 17, PROFILE, bytes(range(256)) * 300]
SALT = bytes(range(8))
DOES_NOT_FIT = "the key does not fit, or the digest is not {}, or the file is damaged"
phrases = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
digests = st.sampled_from(Digest)


def openssl(direction: str, data: bytes, *phrase: str) -> bytes:
    """Run ``openssl enc`` with *phrase* as its arguments about passphrase and digest."""
    command = ["openssl", "enc", direction, "-aes-256-cbc", *phrase]
    return subprocess.run(command, input=data, capture_output=True, check=True).stdout


def hexadecimal(*parts: bytes) -> tuple[str, ...]:
    return tuple(part.hex() for part in parts)


# openssl starts twice for each content and each passphrase: 38 times in all.
@pytest.mark.parametrize(("content", "digest"), list(zip(CONTENTS, itertools.cycle(Digest), strict=False)))
def test_openssl_agrees_on_any_content(content, digest):
    phrase = ("-k", PHRASE, "-md", digest)
    assert openssl("-d", seal(content, PHRASE, digest), *phrase) == content
    assert unseal(openssl("-e", content, *phrase), PHRASE, digest) == content


@pytest.fixture(scope="module")
def phrase_file(tmp_path_factory):
    return tmp_path_factory.mktemp("phrase") / "phrase"


# From a file openssl reads one line of at most 1023 bytes.
@settings(max_examples=4)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\n"), min_size=1, max_size=255), digests)
@example("Schlüssel für Gerät 7", "md5")
@example("Schlüssel für Gerät 7", "sha256")
@example("\N{LATIN SMALL LETTER U}\N{COMBINING DIAERESIS} differs from \N{LATIN SMALL LETTER U WITH DIAERESIS}", "sha256")
@example("κλειδί ключ 鍵 \U0001f511", "md5")
@example("""it's "quoted" `twice`, $HOME \\n %s""", "md5")
@example("-k", "sha256")
@example(" \t blanks around \xa0 ", "md5")
@example("x" * 1023, "sha256")
def test_openssl_agrees_on_any_passphrase(phrase_file, phrase, digest):
    phrase_file.write_bytes(f"{phrase}\nsecond line\n".encode())
    assert openssl("-d", seal(PROFILE, phrase, digest), "-pass", f"file:{phrase_file}", "-md", digest) == PROFILE
    assert unseal(openssl("-e", PROFILE, "-k", phrase, "-md", digest), phrase, digest) == PROFILE


@pytest.mark.parametrize(
    ("digest", "key", "iv"),
    [
        ("md5", "02b4b43c835f3890ee33c79b9d9a37a9fbeccdca2e31e9b4eae21d95ddcb9d53", "977a51bb32dc5589b8b46bbe180efff4"),
        ("sha256", "ca4e0bcd28d5d24f5a5ac1373c8741f4612989e3168d2ed1a571bf55c44a323f", "c3aaefe455b11c918539161c79a4e9ad"),
    ],
)
def test_key_and_iv_as_openssl_derives_them(digest, key, iv):
    assert hexadecimal(*bytes_to_key(PHRASE.encode(), SALT, digest)) == (key, iv)


@pytest.mark.parametrize(
    ("digest", "sha256"),
    [
        ("md5", "12da56b3d2de5d29feeb754cc60784596ab15c25a516ad8c26b912bb1e9e44dd"),
        ("sha256", "0067aa56822d39dafd4cfae50a709540b950a2c34a176316cb37223b2fea9f37"),
    ],
)
def test_sealed_bytes_never_change(digest, sha256):
    # Other bytes here mean that every station sends every profile again.
    assert hashlib.sha256(seal(PROFILE, PHRASE, digest)).hexdigest() == sha256


def test_sealed_files_begin_like_those_of_openssl():
    assert seal(PROFILE, PHRASE, "md5", SALT)[:16] == b"Salted__" + SALT


@given(st.binary(), phrases, digests)
def test_unseal_undoes_seal(data, phrase, digest):
    sealed = seal(data, phrase, digest)
    assert is_sealed(sealed)
    assert unseal(sealed, phrase, digest) == data
    assert seal(data, phrase, digest) == sealed


@given(st.binary(), st.binary(), phrases, phrases)
def test_salts_differ_when_content_or_key_do(data, other, phrase, other_phrase):
    assume(data != other and phrase != other_phrase)
    assert len({repeatable_salt(d, p) for d in (data, other) for p in (phrase, other_phrase)}) == 4


def test_ten_thousand_contents_have_ten_thousand_salts():
    assert len({repeatable_salt(b"%d" % number, PHRASE) for number in range(10_000)}) == 10_000


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is not encrypted: it does not begin with 'Salted__'"),
        (PROFILE, "the file is not encrypted: it does not begin with 'Salted__'"),
        (b"Salted__", "the encrypted file is cut off: its length is not a multiple of 16 bytes"),
        (b"Salted__1234", "the encrypted file is cut off: its length is not a multiple of 16 bytes"),
        (b"Salted__" + SALT, "the encrypted file is cut off: its length is not a multiple of 16 bytes"),
        (seal(PROFILE, PHRASE, "md5")[:-1], "the encrypted file is cut off: its length is not a multiple of 16 bytes"),
        (seal(PROFILE, PHRASE, "md5")[:-16], DOES_NOT_FIT.format("md5")),
        (seal(PROFILE, PHRASE, "sha256"), DOES_NOT_FIT.format("md5")),
        (seal(PROFILE, PHRASE + "!", "md5"), DOES_NOT_FIT.format("md5")),
    ],
)
def test_rejects_files_that_cannot_be_unsealed(data, message):
    with pytest.raises(SealingError, match=f"^{re.escape(message)}$"):
        unseal(data, PHRASE, "md5")


@given(st.integers(8, len(seal(PROFILE, PHRASE, "sha256")) - 1), st.integers(1, 255))
def test_a_tampered_file_never_gives_the_profile(position, mask):
    sealed = bytearray(seal(PROFILE, PHRASE, "sha256"))
    sealed[position] ^= mask
    try:
        assert unseal(bytes(sealed), PHRASE, "sha256") != PROFILE
    except SealingError:
        return


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("", "md5"), "the key is empty"),
        (("half a character: \udc80", "md5"), "the key is not valid Unicode text"),
        (("SecretPhrase\0001234", "md5"), "the key holds a null character, which no command line can carry"),
        ((PHRASE, "sha1"), "unknown digest 'sha1'; expected one of md5, sha256"),
        ((PHRASE, "md5", b"1234567"), "the salt has 7 bytes; it must have 8"),
    ],
)
def test_rejects_invalid_arguments(arguments, message):
    with pytest.raises(SealingError, match=f"^{re.escape(message)}$") as caught:
        seal(PROFILE, *arguments)
    assert caught.value.__cause__ is None


@settings(max_examples=200)
@given(st.sampled_from([b"", b"\x1f\x8b", b"\x1f\x8b\x08\0\0\0\0\0\0\xff", b"Salted__12345678"]), st.binary(max_size=200))
def test_any_bytes_raise_only_the_documented_error(start, data):
    for undo in (decompress, lambda rubbish: unseal(rubbish, PHRASE, "md5")):
        try:
            undo(start + data)
        except SealingError:
            continue


def test_the_cipher_matches_its_standard(monkeypatch):
    # NIST SP 800-38A, F.2.5: CBC-AES256.Encrypt; behind its four blocks comes the one of padding
    key = bytes.fromhex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4")
    iv = bytes.fromhex("000102030405060708090a0b0c0d0e0f")
    plain = bytes.fromhex(
        "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
        "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
    )
    monkeypatch.setattr(openssl_enc, "bytes_to_key", lambda *_arguments: (key, iv))
    sealed = seal(plain, PHRASE, "md5", SALT)
    assert sealed[16:80].hex() == (
        "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d"
        "39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b"
    )
    assert unseal(sealed, PHRASE, "md5") == plain
