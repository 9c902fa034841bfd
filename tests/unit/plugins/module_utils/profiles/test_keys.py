# SPDX-License-Identifier: GPL-3.0-or-later
"""Derived keys against another implementation of HKDF, and invalid secrets rejected without being shown."""

from __future__ import annotations

import re

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.common.mac import Mac
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.keys import (
    MIN_LENGTH,
    ProfileKeyError,
    check_key,
    check_previous_key,
    derive_key,
    hkdf,
    key_id,
)
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.rules.parser import parse_rule

MASTER = "a master key for tests"
ONE, OTHER = Mac("00005e005301"), Mac("00005e005302")
FORM = "the profile key must be printable ASCII text without spaces, quotes, brackets, | and $, and must not begin with -"

masters = st.text(st.characters(exclude_categories=["Cs"]), min_size=MIN_LENGTH)


@given(masters, st.integers(1, 2**40 - 1).map(lambda number: Mac(f"{number:012x}")))
def test_derivation_is_hkdf(master, mac):
    witness = HKDF(SHA256(), 32, salt=b"voip.preprovision", info=b"profile key 1 " + mac.plain.encode())
    assert derive_key(master, mac) == witness.derive(master.encode()).hex()


def test_derived_keys_stay_the_same_for_ever():
    # Units in the field hold theirs: another value here locks them out.
    assert derive_key(MASTER, ONE) == "48a660503f3d0c2822602ae5885a89e59bf8b7ea410764177434217d1243065e"


def test_keys_differ_by_phone_and_by_master():
    keys = {derive_key(master, mac) for master in (MASTER, MASTER + "!") for mac in (ONE, OTHER)}
    assert len(keys) == 4


@pytest.mark.parametrize("key", ["0123456789abcdef", "CorrectHorseBattery", "a/b+c=d;e(f)g?h!i", derive_key(MASTER, ONE)])
def test_accepts_valid_macs(key):
    assert check_key(key) == key


@given(st.text(st.characters(codec="ascii"), min_size=MIN_LENGTH))
def test_a_profile_rule_carries_every_accepted_key(key):
    try:
        check_key(key)
    except ProfileKeyError:
        return
    (alternative,) = parse_rule(f"[--key {key}] http://prov.example.com/$MA.cfg").alternatives
    assert alternative.targets[0].options == {"key": key}


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("", "the profile key has 0 characters; use at least 16 random ones"),
        ("fifteen-letters", "the profile key has 15 characters; use at least 16 random ones"),
        (1234567890123456, "the profile key is not text; write it in quotes, such as '0123'"),
        (True, "the profile key is not text; write it in quotes, such as 'on'"),
        (b"0123456789abcdef", "the profile key is not text"),
        ("sixteen letters and spaces", FORM),
        ("0123456789abcde\n", FORM),
        ('0123456789"abcdef', FORM),
        ("0123456789'abcdef", FORM),
        ("0123456789[abcdef", FORM),
        ("0123456789]abcdef", FORM),
        ("0123456789|abcdef", FORM),
        ("0123456789$MAabcdef", FORM),
        ("--key-0123456789abc", FORM),
        ("clé-de-profil-secrète", FORM),
    ],
)
def test_rejects_invalid_keys_without_showing_them(key, message):
    with pytest.raises(ProfileKeyError, match=f"^{re.escape(message)}$"):
        check_key(key)


@pytest.mark.parametrize(
    ("master", "message"),
    [
        ("", "the master key has 0 characters; use at least 16 random ones"),
        ("too short", "the master key has 9 characters; use at least 16 random ones"),
        (None, "the master key is not text"),
        ("half a character: \udc80", "the master key is not valid Unicode text"),
    ],
)
def test_rejects_invalid_master_keys(master, message):
    with pytest.raises(ProfileKeyError, match=f"^{re.escape(message)}$") as caught:
        derive_key(master, ONE)
    assert caught.value.__cause__ is None


@given(masters, st.integers(1, 32))
def test_hkdf_of_any_length(secret, length):
    witness = HKDF(SHA256(), length, salt=b"salt", info=b"info")
    assert hkdf(secret.encode(), b"salt", b"info", length) == witness.derive(secret.encode())


def test_key_ids_never_change():
    # Files are named by them: other ones here, and units ask for files that are gone.
    assert key_id(MASTER) == "a0d95e00"


def test_keys_have_different_ids():
    ids = {key_id(f"{number:032x}") for number in range(1000)}
    assert len(ids) == 1000
    assert all(re.fullmatch("[0-9a-f]{8}", digits) for digits in ids)


@pytest.mark.parametrize(
    ("secret", "salt", "info", "expected"),
    [
        # RFC 5869, appendix A, test cases 1 and 3: the first 32 of the 42 bytes
        (
            "0b" * 22,
            "000102030405060708090a0b0c",
            "f0f1f2f3f4f5f6f7f8f9",
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf",
        ),
        ("0b" * 22, "", "", "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"),
    ],
)
def test_hkdf_matches_its_rfc(secret, salt, info, expected):
    assert hkdf(bytes.fromhex(secret), bytes.fromhex(salt), bytes.fromhex(info)).hex() == expected


@given(st.text(min_size=1))
def test_phones_may_hold_any_printable_key(key):
    if key.isprintable():
        assert check_previous_key(key) == key
    else:
        with pytest.raises(ProfileKeyError, match=r"printable|Unicode"):
            check_previous_key(key)


@pytest.mark.parametrize("key", ["", None, 1, b"x", "\ud800", "a\0b"])
def test_rejects_keys_that_no_phone_can_hold(key):
    with pytest.raises(ProfileKeyError, match=r"^the profile key"):
        check_previous_key(key)
