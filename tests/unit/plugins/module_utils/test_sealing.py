# SPDX-License-Identifier: GPL-3.0-or-later
"""Compression and encryption, with the system's gzip and openssl as witnesses in both directions."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import subprocess

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils import sealing
from ansible_collections.voip.preprovision.plugins.module_utils.sealing import (
    DIGESTS,
    SealingError,
    bytes_to_key,
    compress,
    decompress,
    is_compressed,
    is_sealed,
    seal,
    unseal,
)

PHRASE = "SecretPhrase1234"
PROFILE = b'<?xml version="1.0"?>\n<flat-profile>\n<Profile_Rule>/$MA.cfg</Profile_Rule>\n</flat-profile>\n'
CONTENTS = [b"", b"x", b"x" * 15, b"x" * 16, b"x" * 17, PROFILE, bytes(range(256)) * 300]
SALT = bytes(range(8))
DOES_NOT_FIT = "the key does not fit, or the digest is not {}, or the file is damaged"

phrases = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
digests = st.sampled_from(DIGESTS)


def openssl(direction: str, data: bytes, passphrase: str, digest: str) -> bytes:
    """Run ``openssl enc``; the passphrase goes by a descriptor, so that not even a test shows it in a process list."""
    reading, writing = os.pipe()
    with open(reading, "rb") as phrase:
        with open(writing, "wb") as pipe:
            pipe.write(f"{passphrase}\n".encode())
        command = ["openssl", "enc", direction, "-aes-256-cbc", "-md", digest, "-pass", f"fd:{phrase.fileno()}"]
        done = subprocess.run(command, input=data, capture_output=True, check=True, pass_fds=[phrase.fileno()])
    return done.stdout


def hexadecimal(*parts: bytes) -> tuple[str, ...]:
    return tuple(part.hex() for part in parts)


@pytest.mark.parametrize("content", CONTENTS, ids=len)
@pytest.mark.parametrize("digest", DIGESTS)
def test_openssl_reads_what_is_sealed_and_the_other_way_round(content, digest):
    assert openssl("-d", seal(content, PHRASE, digest), PHRASE, digest) == content
    assert unseal(openssl("-e", content, PHRASE, digest), PHRASE, digest) == content


def test_openssl_agrees_on_a_passphrase_beyond_ascii():
    assert openssl("-d", seal(PROFILE, "Schlüssel für Gerät 7", "sha256"), "Schlüssel für Gerät 7", "sha256") == PROFILE


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


def test_sealed_files_begin_as_those_of_openssl():
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
    assert len({sealing.repeatable_salt(d, p) for d in (data, other) for p in (phrase, other_phrase)}) == 4


def test_ten_thousand_contents_have_ten_thousand_salts():
    assert len({sealing.repeatable_salt(b"%d" % number, PHRASE) for number in range(10_000)}) == 10_000


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is not encrypted: it does not begin with 'Salted__'"),
        (PROFILE, "the file is not encrypted: it does not begin with 'Salted__'"),
        (b"Salted__", "the encrypted file is cut off: its length is no multiple of 16 bytes"),
        (b"Salted__1234", "the encrypted file is cut off: its length is no multiple of 16 bytes"),
        (b"Salted__" + SALT, "the encrypted file is cut off: its length is no multiple of 16 bytes"),
        (seal(PROFILE, PHRASE, "md5")[:-1], "the encrypted file is cut off: its length is no multiple of 16 bytes"),
        (seal(PROFILE, PHRASE, "md5")[:-16], DOES_NOT_FIT.format("md5")),
        (seal(PROFILE, PHRASE, "sha256"), DOES_NOT_FIT.format("md5")),
        (seal(PROFILE, PHRASE + "!", "md5"), DOES_NOT_FIT.format("md5")),
    ],
)
def test_files_that_cannot_be_unsealed(data, message):
    with pytest.raises(SealingError, match=f"^{re.escape(message)}$"):
        unseal(data, PHRASE, "md5")


@given(st.integers(8, len(seal(PROFILE, PHRASE, "sha256")) - 1), st.integers(1, 255))
def test_no_tampered_file_gives_the_profile(position, mask):
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
        ((PHRASE, "sha1"), "the digest 'sha1' is not known; use md5 or sha256"),
        ((PHRASE, "md5", b"1234567"), "the salt has 7 bytes; it must have 8"),
    ],
)
def test_arguments_that_are_refused(arguments, message):
    with pytest.raises(SealingError, match=f"^{re.escape(message)}$"):
        seal(PROFILE, *arguments)


def test_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(sealing, "MISSING", ImportError("no"))
    with pytest.raises(SealingError, match=r"^the Python package 'cryptography' is missing \(Debian: python3-cryptography\)$"):
        seal(PROFILE, PHRASE, "md5")


@pytest.mark.parametrize("content", CONTENTS, ids=len)
def test_gzip_reads_what_is_compressed_and_the_other_way_round(content):
    packed = compress(content)
    subprocess.run(["gzip", "--test"], input=packed, check=True)
    assert subprocess.run(["gunzip"], input=packed, capture_output=True, check=True).stdout == content
    assert decompress(subprocess.run(["gzip", "-c"], input=content, capture_output=True, check=True).stdout) == content


def test_compressed_files_carry_no_name_time_or_system():
    assert compress(PROFILE)[:10].hex() == "1f8b08000000000002ff"


def test_compressed_bytes_never_change():
    assert hashlib.sha256(compress(PROFILE)).hexdigest() == "eae2af02eb570487d26773e47e88eb67dd8e48821e8c4d624f43c7c10acbfb3e"


@given(st.binary(max_size=5000))
def test_decompress_undoes_compress(data):
    packed = compress(data)
    assert is_compressed(packed)
    assert not is_sealed(packed)
    assert decompress(packed) == data


@given(st.binary(min_size=2), st.data())
def test_limit_counts_unpacked_bytes(data, draw):
    limit = draw.draw(st.integers(1, len(data) - 1))
    assert decompress(compress(data), len(data)) == data
    with pytest.raises(SealingError, match=f"^the gzip data is cut off, or larger than {limit} bytes unpacked$"):
        decompress(compress(data), limit)


def test_a_bomb_is_not_unpacked():
    with pytest.raises(SealingError, match=r"larger than 16777216 bytes unpacked$"):
        decompress(gzip.compress(bytes(16 * 1024 * 1024 + 1)))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", r"the gzip data is cut off, or larger than \d+ bytes unpacked"),
        (PROFILE, "the gzip data is damaged: .*incorrect header check"),
        (compress(PROFILE)[:-1], r"the gzip data is cut off, or larger than \d+ bytes unpacked"),
        (compress(PROFILE)[:-8] + bytes(8), "the gzip data is damaged: .*incorrect data check"),
        (compress(PROFILE) + b"x", "the gzip data is damaged: other bytes follow it"),
        (seal(compress(PROFILE), PHRASE, "md5"), "the gzip data is damaged: .*incorrect header check"),
    ],
)
def test_files_that_cannot_be_unpacked(data, message):
    with pytest.raises(SealingError, match=f"^{message}$"):
        decompress(data)


@settings(max_examples=200)
@given(st.sampled_from([b"", b"\x1f\x8b", b"\x1f\x8b\x08\0\0\0\0\0\0\xff", b"Salted__12345678"]), st.binary(max_size=200))
def test_rubbish_is_refused_by_one_kind_of_error(start, data):
    for undo in (decompress, lambda rubbish: unseal(rubbish, PHRASE, "md5")):
        try:
            undo(start + data)
        except SealingError:
            continue


def test_the_cipher_gives_what_its_standard_says(monkeypatch):
    # NIST SP 800-38A, F.2.5: CBC-AES256.Encrypt; behind its four blocks comes the one of padding
    key = bytes.fromhex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4")
    iv = bytes.fromhex("000102030405060708090a0b0c0d0e0f")
    plain = bytes.fromhex(
        "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
        "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
    )
    monkeypatch.setattr(sealing, "bytes_to_key", lambda *_arguments: (key, iv))
    sealed = seal(plain, PHRASE, "md5", SALT)
    assert sealed[16:80].hex() == (
        "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d"
        "39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b"
    )
    assert unseal(sealed, PHRASE, "md5") == plain
