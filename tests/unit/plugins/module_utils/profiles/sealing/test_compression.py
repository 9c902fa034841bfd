# SPDX-License-Identifier: GPL-3.0-or-later
"""Compression, with the system's gzip as a witness in both directions."""

from __future__ import annotations

import gzip
import hashlib
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.profiles.sealing.compression import (
    compress,
    decompress,
    is_compressed,
)
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.sealing.model import SealingError
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.sealing.openssl_enc import (
    is_sealed,
    seal,
)

PHRASE = "SecretPhrase1234"
PROFILE = b'<?xml version="1.0"?>\n<flat-profile>\n<Profile_Rule>/$MA.cfg</Profile_Rule>\n</flat-profile>\n'
CONTENTS = [b"", b"x", b"x" * 15, b"x" * 16, b"x" * 17, PROFILE, bytes(range(256)) * 300]


@pytest.mark.parametrize("content", CONTENTS, ids=len)
def test_gzip_and_compress_read_each_other(content):
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


def test_does_not_unpack_a_bomb():
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
def test_rejects_files_that_cannot_be_unpacked(data, message):
    with pytest.raises(SealingError, match=f"^{message}$"):
        decompress(data)
