# SPDX-License-Identifier: GPL-3.0-or-later
"""Compression and encryption, with the system's gzip and openssl as witnesses in both directions, and RFC 8188's own examples."""

from __future__ import annotations

import base64
import gzip
import hashlib
import itertools
import re
import subprocess

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils import sealing
from ansible_collections.voip.preprovision.plugins.module_utils.sealing import (
    DIGESTS,
    ContentDecrypter,
    ContentEncrypter,
    SealingError,
    bytes_to_key,
    compress,
    decompress,
    decrypt_content,
    encrypt_content,
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

phrases = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
digests = st.sampled_from(DIGESTS)


def openssl(direction: str, data: bytes, *phrase: str) -> bytes:
    """Run ``openssl enc`` with *phrase* as its arguments about passphrase and digest."""
    command = ["openssl", "enc", direction, "-aes-256-cbc", *phrase]
    return subprocess.run(command, input=data, capture_output=True, check=True).stdout


def hexadecimal(*parts: bytes) -> tuple[str, ...]:
    return tuple(part.hex() for part in parts)


# openssl starts twice for each content and each passphrase: 38 times in all.
@pytest.mark.parametrize(("content", "digest"), list(zip(CONTENTS, itertools.cycle(DIGESTS), strict=False)))
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
        (("half a character: \udc80", "md5"), "the key is not valid Unicode text"),
        (("SecretPhrase\0001234", "md5"), "the key holds a zero character, which no command line can carry"),
        ((PHRASE, "sha1"), "the digest 'sha1' is not known; use md5 or sha256"),
        ((PHRASE, "md5", b"1234567"), "the salt has 7 bytes; it must have 8"),
    ],
)
def test_arguments_that_are_refused(arguments, message):
    with pytest.raises(SealingError, match=f"^{re.escape(message)}$") as caught:
        seal(PROFILE, *arguments)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("encrypt", [lambda: seal(PROFILE, PHRASE, "md5"), lambda: encrypt_content(PROFILE, IKM)])
def test_missing_package_is_named(monkeypatch, encrypt):
    monkeypatch.setattr(sealing, "MISSING", ImportError("no"))
    with pytest.raises(SealingError, match=r"^the Python package 'cryptography' is missing \(Debian: python3-cryptography\)$"):
        encrypt()


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


# -- the content coding aes128gcm

IKM = b"sixteen bytes or"
SALT_16 = bytes(range(16))
NOT_AUTHENTIC = "the key does not fit, or the encrypted content is damaged"
CUT_OFF = "the encrypted content is cut off"
record_sizes = st.integers(18, 80) | st.integers(18, 2**32 - 1)


def base64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def in_pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(places)]


def streamed(coder, pieces) -> bytes:
    return b"".join([*(coder.update(piece) for piece in pieces), coder.finish()])


def handmade(*records: bytes, record_size: int = 20) -> bytes:
    """Content made of padded plain records by another implementation of HKDF."""
    key, base = (
        HKDF(SHA256(), length, SALT_16, b"Content-Encoding: " + name + b"\0").derive(IKM)
        for length, name in ((16, b"aes128gcm"), (12, b"nonce"))
    )
    nonces = [(int.from_bytes(base, "big") ^ number).to_bytes(12, "big") for number in range(len(records))]
    body = b"".join(AESGCM(key).encrypt(nonce, record, None) for nonce, record in zip(nonces, records, strict=True))
    return SALT_16 + record_size.to_bytes(4, "big") + b"\0" + body


@pytest.mark.parametrize(
    ("ikm", "content"),
    [
        # RFC 8188, sections 3.1 and 3.2; the latter has two records, padding and a key ID
        ("yqdlZ-tYemfogSmv7Ws5PQ", "I1BsxtFttlv3u_Oo94xnmwAAEAAA-NAVub2qFgBEuQKRapoZu-IxkIva3MEB1PD-ly8Thjg"),
        (
            "BO3ZVPxUlnLORbVGMpbT1Q",
            "uNCkWiNYzKTnBN9ji3-qWAAAABkCYTHOG8chz_gnvgOqdGYovxyjuqRyJFjEDyoF1Fvkj6hQPdPHI51OEUKEpgz3SsLWIqS_uA",
        ),
    ],
)
def test_examples_of_the_rfc(ikm, content):
    assert decrypt_content(base64url(content), base64url(ikm)) == b"I am the walrus"


def test_an_example_of_the_rfc_is_made_again():
    content = base64url("I1BsxtFttlv3u_Oo94xnmwAAEAAA-NAVub2qFgBEuQKRapoZu-IxkIva3MEB1PD-ly8Thjg")
    assert encrypt_content(b"I am the walrus", base64url("yqdlZ-tYemfogSmv7Ws5PQ"), content[:16]) == content


@pytest.mark.parametrize(
    ("plain", "records"),
    [
        (b"", [b"\2"]),
        (b"x", [b"x\2"]),
        (b"xyz", [b"xyz\2"]),
        (b"xyza", [b"xyz\1", b"a\2"]),
        (b"xyzabc", [b"xyz\1", b"abc\2"]),
        (b"xyzabcd", [b"xyz\1", b"abc\1", b"d\2"]),
        (b"\0\1\2\0", [b"\0\1\2\1", b"\0\2"]),
    ],
)
def test_records(plain, records):
    content = handmade(*records)
    assert encrypt_content(plain, IKM, SALT_16, 20) == content
    assert decrypt_content(content, IKM) == plain


def test_encrypted_bytes_never_change():
    # Other bytes here mean that every station sends every profile again.
    digest = "b250699e0337abcfeae7ffac0efcfd6bdfb5130a93fc2f8a71bd655894b7e2a6"
    assert hashlib.sha256(encrypt_content(PROFILE, IKM)).hexdigest() == digest


@given(
    st.binary(max_size=300),
    st.binary(min_size=1),
    st.none() | st.binary(min_size=16, max_size=16),
    record_sizes,
    st.binary(max_size=255),
)
def test_decrypt_undoes_encrypt(data, ikm, salt, record_size, key_id):
    content = encrypt_content(data, ikm, salt, record_size, key_id)
    assert decrypt_content(content, ikm) == data
    assert encrypt_content(data, ikm, salt, record_size, key_id) == content
    assert content[16 : 21 + len(key_id)] == record_size.to_bytes(4, "big") + bytes([len(key_id)]) + key_id


@given(st.binary(max_size=300), st.integers(18, 80), st.lists(st.integers(0, 300)), st.lists(st.integers(0, 1500)))
def test_a_stream_is_the_same_in_any_pieces(data, record_size, cuts, other_cuts):
    content = streamed(ContentEncrypter(IKM, SALT_16, record_size, b"id"), in_pieces(data, cuts))
    assert content == encrypt_content(data, IKM, SALT_16, record_size, b"id")
    assert streamed(ContentDecrypter(IKM), in_pieces(content, other_cuts)) == data


def test_a_stream_lags_by_less_than_a_record():
    encrypter, decrypter = ContentEncrypter(IKM, SALT_16, 4096), ContentDecrypter(IKM)
    taken = given_back = 0
    for _number in range(100):
        given_back += len(decrypter.update(encrypter.update(bytes(1000))))
        taken += 1000
        assert taken - given_back <= 2 * 4096


@given(st.binary(max_size=100), st.integers(18, 60), st.data())
def test_no_flipped_bit_changes_what_is_read(data, record_size, draw):
    content = bytearray(encrypt_content(data, IKM, record_size=record_size, key_id=b"id"))
    position = draw.draw(st.integers(0, len(content) - 1))
    content[position] ^= 1 << draw.draw(st.integers(0, 7))
    try:
        read = decrypt_content(bytes(content), IKM)
    except SealingError:
        return
    # The format protects neither the key ID nor the size of records where there is one alone.
    assert read == data
    assert position in range(16, 20) or position in (21, 22)


@given(st.binary(max_size=100), st.integers(18, 60), st.data())
def test_any_truncation_is_refused(data, record_size, draw):
    content = encrypt_content(data, IKM, record_size=record_size)
    length = draw.draw(st.integers(0, len(content) - 1))
    with pytest.raises(SealingError):
        decrypt_content(content[:length], IKM)


@given(st.permutations(range(5)), st.integers(1, 5))
def test_records_are_taken_once_and_in_their_order(order, length):
    content = encrypt_content(bytes(range(20)), IKM, record_size=21)
    header, records = content[:21], [content[start : start + 21] for start in range(21, len(content), 21)]
    assert len(records) == 5
    wanted = order[:length]
    assume(wanted != list(range(5)))
    with pytest.raises(SealingError):
        decrypt_content(header + b"".join(records[number] for number in wanted), IKM)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", CUT_OFF),
        (SALT_16, CUT_OFF),
        (SALT_16 + b"\0\0\x10\0", CUT_OFF),
        (SALT_16 + b"\0\0\x10\0\5name", CUT_OFF),
        (handmade(), CUT_OFF),
        (handmade(b"x\2")[:-2], CUT_OFF),
        (handmade(b"x\2")[:-1], NOT_AUTHENTIC),
        (handmade(b"xyz\1"), CUT_OFF),
        (handmade(b"xyz\1", b"abc\1"), CUT_OFF),
        (handmade(b"xyz\1", b"\2")[:-17], CUT_OFF),
        (handmade(b"xyz\2", b"abc\2"), "the encrypted content is damaged: a record does not end as its place demands"),
        (handmade(b"xyz\3"), "the encrypted content is damaged: a record does not end as its place demands"),
        (handmade(b"\0\0\0\0"), "the encrypted content is damaged: a record does not end as its place demands"),
        (handmade(b"xyz\2") + b"x", "the encrypted content is damaged: a record does not end as its place demands"),
        (encrypt_content(PROFILE, b"another key"), NOT_AUTHENTIC),
        (SALT_16 + b"\0\0\0\x11\0", "the record size is 17; it must be from 18 to 4294967295 bytes"),
        (PROFILE, None),
    ],
)
def test_content_that_cannot_be_decrypted(content, message):
    with pytest.raises(SealingError, match=message and f"^{re.escape(message)}$"):
        decrypt_content(content, IKM)


@settings(max_examples=200)
@given(st.binary(max_size=40) | st.binary(max_size=60).map(lambda rest: SALT_16 + b"\0\0\0\x14\0" + rest))
def test_rubbish_is_no_content(data):
    with pytest.raises(SealingError):
        decrypt_content(data, IKM)


def test_padding_is_taken_away():
    assert decrypt_content(handmade(b"x\1\0\0", b"\1\0\0\0", b"y\2\0"), IKM) == b"xy"


def test_a_header_does_not_decide_how_much_is_buffered():
    content = encrypt_content(b"x", IKM, record_size=1024 * 1024 + 1)
    with pytest.raises(SealingError, match=r"^the encrypted content has records of 1048577 bytes; at most 1048576 are read$"):
        ContentDecrypter(IKM).update(content)
    assert streamed(ContentDecrypter(IKM), [encrypt_content(b"x", IKM, record_size=1024 * 1024)]) == b"x"
    assert streamed(ContentDecrypter(IKM, 100), [encrypt_content(b"x", IKM, record_size=100)]) == b"x"


@given(st.binary(max_size=40), st.binary(max_size=40), st.sampled_from([IKM, b"other"]), st.integers(18, 30), st.integers(18, 30))
def test_no_key_and_nonce_serve_two_contents(data, other, other_ikm, record_size, other_size):
    # The salt decides both; records of another size are other contents.
    assume((data, IKM, record_size) != (other, other_ikm, other_size))
    one = encrypt_content(data, IKM, record_size=record_size)
    assert one[:16] != encrypt_content(other, other_ikm, record_size=other_size)[:16]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ikm": b""}, "the key is empty"),
        ({"salt": b"fifteen bytes ."}, "the salt has 15 bytes; it must have 16"),
        ({"record_size": 17}, "the record size is 17; it must be from 18 to 4294967295 bytes"),
        ({"record_size": 2**32}, "the record size is 4294967296; it must be from 18 to 4294967295 bytes"),
        ({"key_id": bytes(256)}, "the key ID has 256 bytes; at most 255 are possible"),
    ],
)
def test_content_options_that_are_refused(options, message):
    with pytest.raises(SealingError, match=f"^{re.escape(message)}$"):
        encrypt_content(PROFILE, **{"ikm": IKM, **options})
