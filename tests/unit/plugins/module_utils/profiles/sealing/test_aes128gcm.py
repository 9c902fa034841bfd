# SPDX-License-Identifier: GPL-3.0-or-later
"""The content coding aes128gcm, with RFC 8188's own examples and another implementation of HKDF."""

from __future__ import annotations

import base64
import hashlib
import itertools
import re

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.profiles.sealing.aes128gcm import (
    ContentDecrypter,
    ContentEncrypter,
    decrypt_content,
    encrypt_content,
)
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.sealing.model import SealingError

PROFILE = b'<?xml version="1.0"?>\n<flat-profile>\n<Profile_Rule>/$MA.cfg</Profile_Rule>\n</flat-profile>\n'
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


def test_reproduces_an_example_of_the_rfc():
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
def test_detects_any_flipped_bit(data, record_size, draw):
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
def test_rejects_any_truncation(data, record_size, draw):
    content = encrypt_content(data, IKM, record_size=record_size)
    length = draw.draw(st.integers(0, len(content) - 1))
    with pytest.raises(SealingError):
        decrypt_content(content[:length], IKM)


@given(st.permutations(range(5)), st.integers(1, 5))
def test_rejects_reordered_or_repeated_records(order, length):
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
        (handmade(b"xyz\2", b"abc\2"), "the encrypted content is damaged: a record has the wrong delimiter for its place"),
        (handmade(b"xyz\3"), "the encrypted content is damaged: a record has the wrong delimiter for its place"),
        (handmade(b"\0\0\0\0"), "the encrypted content is damaged: a record has the wrong delimiter for its place"),
        (handmade(b"xyz\2") + b"x", "the encrypted content is damaged: a record has the wrong delimiter for its place"),
        (encrypt_content(PROFILE, b"another key"), NOT_AUTHENTIC),
        (SALT_16 + b"\0\0\0\x11\0", "the record size is 17; it must be from 18 to 4294967295 bytes"),
        (PROFILE, None),
    ],
)
def test_rejects_content_that_cannot_be_decrypted(content, message):
    with pytest.raises(SealingError, match=message and f"^{re.escape(message)}$"):
        decrypt_content(content, IKM)


@settings(max_examples=200)
@given(st.binary(max_size=40) | st.binary(max_size=60).map(lambda rest: SALT_16 + b"\0\0\0\x14\0" + rest))
def test_rejects_random_bytes(data):
    with pytest.raises(SealingError):
        decrypt_content(data, IKM)


def test_removes_padding():
    assert decrypt_content(handmade(b"x\1\0\0", b"\1\0\0\0", b"y\2\0"), IKM) == b"xy"


def test_a_header_does_not_control_the_buffer_size():
    content = encrypt_content(b"x", IKM, record_size=1024 * 1024 + 1)
    with pytest.raises(SealingError, match=r"^the encrypted content has records of 1048577 bytes; the limit is 1048576$"):
        ContentDecrypter(IKM).update(content)
    assert streamed(ContentDecrypter(IKM), [encrypt_content(b"x", IKM, record_size=1024 * 1024)]) == b"x"
    assert streamed(ContentDecrypter(IKM, 100), [encrypt_content(b"x", IKM, record_size=100)]) == b"x"


@given(st.binary(max_size=40), st.binary(max_size=40), st.sampled_from([IKM, b"other"]), st.integers(18, 30), st.integers(18, 30))
def test_never_uses_a_key_and_nonce_for_two_contents(data, other, other_ikm, record_size, other_size):
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
def test_rejects_invalid_content_options(options, message):
    with pytest.raises(SealingError, match=f"^{re.escape(message)}$"):
        encrypt_content(PROFILE, **{"ikm": IKM, **options})
