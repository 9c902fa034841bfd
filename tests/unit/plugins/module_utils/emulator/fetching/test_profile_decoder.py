# SPDX-License-Identifier: GPL-3.0-or-later
"""Decoding of profiles: each failure has a code of its own, and foreign documents can be mapped."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.emulator.device.ports import WireResponse
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.fetching.profile_decoder import (
    MAX_MAPPINGS,
    ProfileDecodingError,
    decode_profile,
    parse_mappings,
)
from ansible_collections.voip.preprovision.plugins.module_utils.families.catalogue import BUILTIN
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.flat_profile import ProfileError, build, read_parameters
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.sealing.aes128gcm import encrypt_content
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.sealing.compression import compress
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.sealing.openssl_enc import seal

KEY, OTHER = "0123456789abcdef", "fedcba9876543210"
IKM = b"sixteen bytes..."
ATA, MPP, POLY = (BUILTIN.families[name] for name in ("ata19x", "mpp", "poly"))
PLAIN = build(read_parameters({"Profile_Rule": "http://h/$MA", "Proxy_1_": "sip.example.net"}))
VALUES = {"Profile_Rule": "http://h/$MA", "Proxy_1_": "sip.example.net"}
CODED = {"content-encoding": "AES128GCM "}


@pytest.mark.parametrize(
    ("content", "key"),
    [
        (PLAIN, None),
        (compress(PLAIN), None),
        (seal(PLAIN, KEY, "md5"), KEY),
        (seal(compress(PLAIN), KEY, "md5"), KEY),
        (
            seal(
                "\ufeff<flat-profile><Profile_Rule>http://h/$MA</Profile_Rule><Proxy_1_>sip.example.net</Proxy_1_></flat-profile>".encode(),
                KEY,
                "md5",
            ),
            KEY,
        ),
    ],
)
def test_decodes_files(content, key):
    assert decode_profile(WireResponse(200, content), key, None, ATA, {}) == VALUES


@pytest.mark.parametrize(
    ("content", "key", "code", "why"),
    [
        (seal(PLAIN, KEY, "md5"), None, "key_missing", "the rule has no --key"),
        (PLAIN, KEY, "not_sealed", "not encrypted"),
        (seal(PLAIN, KEY, "sha256"), KEY, "digest_wrong", "the digest is not md5: the key fits with sha256"),
        (seal(compress(PLAIN), KEY, "sha256"), KEY, "digest_wrong", "sha256"),
        (seal(PLAIN, OTHER, "md5"), KEY, "key_wrong", "the key does not fit"),
        (seal(PLAIN, OTHER, "sha256"), KEY, "key_wrong", "the key does not fit"),
        (seal(PLAIN, KEY, "md5")[:-3], KEY, "corrupt", "cut off"),
        (seal(b"<flat-profile>", KEY, "md5"), KEY, "corrupt", "not well-formed"),
        (seal(compress(PLAIN)[:-5], KEY, "md5"), KEY, "corrupt", "cut off"),
        (seal(b"<flat-profile>\xff</flat-profile>", KEY, "md5"), KEY, "corrupt", "not UTF-8"),
        (b"", None, "corrupt", "not well-formed"),
    ],
)
def test_rejects_files(content, key, code, why):
    with pytest.raises(ProfileDecodingError) as error:
        decode_profile(WireResponse(200, content), key, None, ATA, {})
    assert (error.value.code, why in str(error.value)) == (code, True)
    assert KEY not in str(error.value)


def test_finds_a_wrong_key_even_if_the_padding_happens_to_be_valid():
    codes = set()
    for number in range(2000):
        try:
            decode_profile(WireResponse(200, seal(PLAIN, f"{OTHER}{number}", "md5")), KEY, None, ATA, {})
        except ProfileDecodingError as error:
            codes.add(error.code)
    assert codes == {"key_wrong"}


def test_families_that_cannot_decrypt():
    with pytest.raises(ProfileDecodingError, match="this family cannot decrypt"):
        decode_profile(WireResponse(200, seal(PLAIN, KEY, "md5")), KEY, None, POLY, {})


@pytest.mark.parametrize(
    ("ikm", "code"),
    [("c2l4dGVlbiBieXRlcy4uLg", ""), ("", "key_missing"), ("!!", "key_wrong"), ("c2l4dGVlbiBieXRlcy4uLw", "key_wrong")],
)
def test_content_encryption(ikm, code):
    parameters = {"IKM_HTTP_Encrypt_Content": ikm}
    response = WireResponse(200, encrypt_content(PLAIN, IKM), CODED)
    assert outcome(response, KEY, None, parameters) == code


def outcome(response, key, alias, parameters):
    """Return the failure code of decoding, or nothing."""
    try:
        decode_profile(response, key, alias, MPP, parameters)
    except ProfileDecodingError as error:
        return error.code
    return ""


# -- aliases

FOREIGN = b"""<?xml version="1.0"?>
<Config><Router><Time><Zone> GMT
+1 </Zone></Time></Router><Server>http://h/$MA</Server><Line><Server>sip.example.net</Server></Line><Other>x</Other></Config>"""


@pytest.mark.parametrize(
    ("mappings", "expected"),
    [
        (
            "/Config/Server = /flat-profile/Profile_Rule ; /Config/Line/Server = /flat-profile/Proxy_1_ ;",
            VALUES,
        ),
        ("Server=/flat-profile/Profile_Rule", {"Profile_Rule": "sip.example.net"}),
        ("/Server = /flat-profile/A;\n/Line/Server = /flat-profile/B;\n", {"A": "http://h/$MA", "B": "sip.example.net"}),
        ("/Time/Zone = /flat-profile/router-configuration/Zone ;", {"router-configuration/Zone": "GMT +1"}),
        ("/Nothing = /flat-profile/A;", {}),
        ("/erver = /flat-profile/A;", {}),
    ],
)
@pytest.mark.parametrize("packed", [FOREIGN, compress(FOREIGN)])
def test_aliases(mappings, expected, packed):
    assert decode_profile(WireResponse(200, packed), None, mappings, ATA, {}) == expected


def test_maps_a_sealed_document():
    response = WireResponse(200, seal(compress(FOREIGN), KEY, "md5"))
    assert decode_profile(response, KEY, "/Zone=/flat-profile/Z;", ATA, {}) == {"Z": "GMT +1"}


@pytest.mark.parametrize(
    ("mappings", "why"),
    [
        ("", "0 mappings"),
        ("/a = /b;", "write each mapping as"),
        ("/a /flat-profile/b;", "write each mapping as"),
        (";".join(f"/a{number}=/flat-profile/b" for number in range(MAX_MAPPINGS + 1)), "31 mappings"),
    ],
)
def test_rejects_invalid_mappings(mappings, why):
    with pytest.raises(ProfileDecodingError, match="--alias") as error:
        decode_profile(WireResponse(200, FOREIGN), None, mappings, ATA, {})
    assert why in str(error.value)
    assert error.value.code == "corrupt"


def test_rejects_deeply_nested_documents():
    document = b"<a>" * 5000 + b"</a>" * 5000
    with pytest.raises(ProfileDecodingError, match="nested too deeply"):
        decode_profile(WireResponse(200, document), None, "/a=/flat-profile/b", ATA, {})


@given(st.text())
def test_any_mappings_are_parsed_or_rejected(text):
    try:
        found = parse_mappings(text)
    except ProfileError:
        return
    assert 0 < len(found) <= MAX_MAPPINGS


@given(st.binary(max_size=200), st.sampled_from([None, KEY]), st.sampled_from([None, "/a=/flat-profile/b"]), st.booleans())
def test_any_content_is_decoded_or_rejected(content, key, alias, coded):
    response = WireResponse(200, content, CODED if coded else {})
    code = outcome(response, key, alias, {"IKM_HTTP_Encrypt_Content": "c2l4dGVlbiBieXRlcy4uLg"})
    assert code in ("", "corrupt", "key_wrong", "key_missing", "digest_wrong", "not_sealed")
