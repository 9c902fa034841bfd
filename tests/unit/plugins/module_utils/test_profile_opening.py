# SPDX-License-Identifier: GPL-3.0-or-later
"""What a unit makes of a file: each way to be of no use has a name of its own, and foreign documents can be mapped."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.families import BUILTIN
from ansible_collections.voip.preprovision.plugins.module_utils.phone_network import Answer
from ansible_collections.voip.preprovision.plugins.module_utils.profile import ProfileError, build, read_parameters
from ansible_collections.voip.preprovision.plugins.module_utils.profile_opening import (
    MOST_MAPPINGS,
    OpeningError,
    open_profile,
    read_mappings,
)
from ansible_collections.voip.preprovision.plugins.module_utils.sealing import compress, encrypt_content, seal

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
def test_good_files(content, key):
    assert open_profile(Answer(200, content), key, None, ATA, {}) == VALUES


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
def test_files_of_no_use(content, key, code, why):
    with pytest.raises(OpeningError) as error:
        open_profile(Answer(200, content), key, None, ATA, {})
    assert (error.value.code, why in str(error.value)) == (code, True)
    assert KEY not in str(error.value)


def test_a_wrong_key_is_told_also_where_the_padding_happens_to_fit():
    codes = set()
    for number in range(2000):
        try:
            open_profile(Answer(200, seal(PLAIN, f"{OTHER}{number}", "md5")), KEY, None, ATA, {})
        except OpeningError as error:
            codes.add(error.code)
    assert codes == {"key_wrong"}


def test_families_that_cannot_decrypt():
    with pytest.raises(OpeningError, match="this family cannot decrypt"):
        open_profile(Answer(200, seal(PLAIN, KEY, "md5")), KEY, None, POLY, {})


@pytest.mark.parametrize(
    ("ikm", "code"),
    [("c2l4dGVlbiBieXRlcy4uLg", ""), ("", "key_missing"), ("!!", "key_wrong"), ("c2l4dGVlbiBieXRlcy4uLw", "key_wrong")],
)
def test_content_encryption(ikm, code):
    parameters = {"IKM_HTTP_Encrypt_Content": ikm}
    answer = Answer(200, encrypt_content(PLAIN, IKM), CODED)
    assert outcome(answer, KEY, None, parameters) == code


def outcome(answer, key, alias, parameters):
    """Return the code that opening ends with, or nothing."""
    try:
        open_profile(answer, key, alias, MPP, parameters)
    except OpeningError as error:
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
    assert open_profile(Answer(200, packed), None, mappings, ATA, {}) == expected


def test_sealed_and_mapped():
    answer = Answer(200, seal(compress(FOREIGN), KEY, "md5"))
    assert open_profile(answer, KEY, "/Zone=/flat-profile/Z;", ATA, {}) == {"Z": "GMT +1"}


@pytest.mark.parametrize(
    ("mappings", "why"),
    [
        ("", "there are 0 mappings"),
        ("/a = /b;", "a mapping is written"),
        ("/a /flat-profile/b;", "a mapping is written"),
        (";".join(f"/a{number}=/flat-profile/b" for number in range(MOST_MAPPINGS + 1)), "there are 31 mappings"),
    ],
)
def test_mappings_that_cannot_be_read(mappings, why):
    with pytest.raises(OpeningError, match="--alias") as error:
        open_profile(Answer(200, FOREIGN), None, mappings, ATA, {})
    assert why in str(error.value)
    assert error.value.code == "corrupt"


def test_deep_documents_are_refused():
    document = b"<a>" * 5000 + b"</a>" * 5000
    with pytest.raises(OpeningError, match="nested too deep"):
        open_profile(Answer(200, document), None, "/a=/flat-profile/b", ATA, {})


@given(st.text())
def test_any_mappings_are_read_or_refused(text):
    try:
        found = read_mappings(text)
    except ProfileError:
        return
    assert 0 < len(found) <= MOST_MAPPINGS


@given(st.binary(max_size=200), st.sampled_from([None, KEY]), st.sampled_from([None, "/a=/flat-profile/b"]), st.booleans())
def test_any_content_is_opened_or_refused(content, key, alias, coded):
    answer = Answer(200, content, CODED if coded else {})
    code = outcome(answer, key, alias, {"IKM_HTTP_Encrypt_Content": "c2l4dGVlbiBieXRlcy4uLg"})
    assert code in ("", "corrupt", "key_wrong", "key_missing", "digest_wrong", "not_sealed")
