# SPDX-License-Identifier: GPL-3.0-or-later
"""Another master key than that of the published phones is refused, unless it follows that one on purpose."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ansible_collections.voip.preprovision.plugins.module_utils.phones.phone import PhoneError
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.keys import fingerprint
from ansible_collections.voip.preprovision.plugins.module_utils.publishing.master_key import check_master_key

KEY, OTHER = "a master key of sixteen characters", "another master key, as long"
PRINT = fingerprint(KEY)


def test_a_fingerprint_is_always_the_same_and_another_for_each_key():
    witness = HKDF(SHA256(), 8, salt=b"voip.preprovision", info=b"master key fingerprint")
    assert witness.derive(KEY.encode()).hex() == PRINT
    assert fingerprint(OTHER) != PRINT


@pytest.mark.parametrize(
    ("published", "key", "previous", "noted"),
    [
        # Nothing is published, or nobody noted the key
        ("", KEY, None, PRINT),
        ("", None, None, ""),
        (PRINT, KEY, None, PRINT),
        # A rotation, at its beginning and later
        (PRINT, OTHER, KEY, fingerprint(OTHER)),
        (fingerprint(OTHER), OTHER, KEY, fingerprint(OTHER)),
        # And taken back
        (fingerprint(OTHER), KEY, OTHER, PRINT),
    ],
)
def test_accepts_the_same_key_and_one_that_follows(published, key, previous, noted):
    assert check_master_key(published, key, previous) == noted


@pytest.mark.parametrize(
    ("key", "previous", "told"),
    [(OTHER, None, f"the inventory's has {fingerprint(OTHER)}"), (None, None, "the inventory has none"), (OTHER, OTHER, "has")],
)
def test_refuses_another_one(key, previous, told):
    with pytest.raises(PhoneError) as refused:
        check_master_key(PRINT, key, previous)
    assert PRINT in str(refused.value)
    assert told in str(refused.value)
    assert OTHER not in str(refused.value)


def test_refuses_a_short_key_without_showing_it():
    with pytest.raises(PhoneError, match=r"^previous_master_key: the master key has 5 characters") as refused:
        check_master_key("", KEY, "short")
    assert "short" not in str(refused.value)
