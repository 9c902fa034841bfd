# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters that render, seal and unseal profiles."""

from __future__ import annotations

import base64
import re
import traceback

import pytest
from ansible.errors import AnsibleFilterError
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.filter.profiles import (
    profile_key,
    profile_xml,
    resync_timers,
    seal_profile,
    service_secret,
    unseal_profile,
)
from ansible_collections.voip.preprovision.plugins.module_utils.common.mac import Mac
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.flat_profile import parse, values
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.keys import derive_key
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.sealing.compression import compress, is_compressed
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.sealing.model import Digest
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.sealing.openssl_enc import seal, unseal

KEY = "TopSecretPassphrase"
PROFILE = "<flat-profile><Display_Name_1_>Büro</Display_Name_1_></flat-profile>\n"
MAC = "00:00:5e:00:53:ab"
texts = st.text(st.characters(exclude_categories=["Cs"]))
HALF = "half a character: \udc80"


@pytest.mark.parametrize("family", ["spa", "SPA504G", "spa504g", "ata19x", "CP-8851-3PCC"])
def test_renders_xml(family):
    xml = profile_xml(
        {
            "User_ID_1_": "a<b",
            "Resync_On_Reset": True,
            "Resync_Periodic": 3600,
            "Profile_Rule": {"value": "/$MA.cfg", "ua": "na"},
            "Proxy_2_": None,
            "Display_Name_1_": "Büro",
        },
        family,
    )
    assert xml.isascii()
    assert 'ua="na"' in xml
    assert values(parse(xml.encode())) == {
        "User_ID_1_": "a<b",
        "Resync_On_Reset": "Yes",
        "Resync_Periodic": "3600",
        "Profile_Rule": "/$MA.cfg",
        "Display_Name_1_": "Büro",
    }


@pytest.mark.parametrize(
    ("family", "parameters", "text"),
    [
        ("yealink", {"account.1.label": "Büro"}, "#!version:1.0.0.1\naccount.1.label = Büro\n"),
        ("yealink", {"account.1.enable": True}, "#!version:1.0.0.1\naccount.1.enable = 1\n"),
        (
            "D785",
            {"user_name.1": "a<b"},
            '<?xml version="1.0"?>\n<settings>\n<phone-settings e="2">\n<user_name idx="1" perm="">a&lt;b</user_name>\n'
            "</phone-settings>\n</settings>\n",
        ),
        (
            "grandstream",
            {"P47": "a"},
            '<?xml version="1.0"?>\n<gs_provision version="1">\n<config version="1">\n<P47>a</P47>\n</config>\n</gs_provision>\n',
        ),
    ],
)
def test_renders_formats_of_other_vendors(family, parameters, text):
    assert profile_xml(parameters, family) == text


def test_accepts_custom_families():
    assert "<A>1</A>" in profile_xml({"A": 1}, "own", {"own": {"based_on": "spa", "models": ["SPA999"]}})
    assert "<A>1</A>" in profile_xml({"A": 1}, "SPA999", {"own": {"based_on": "spa", "models": ["SPA999"]}})


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (([], "spa"), "the parameters are a list; write a mapping of parameter names and values"),
        (({"A B": 1}, "spa"), "'A B' cannot name a parameter"),
        (({"A": [KEY]}, "spa"), "A is a list; a parameter takes text, a number, yes or no"),
        (({"A": f"{KEY}\0"}, "spa"), "A holds the character U+0000"),
        (
            ({"A": 1}, "spa504"),
            "unknown family 'spa504' (expected one of ata19x, spa, mpp, ",
        ),
        (({"user_name.first": 1}, "snom"), "'user_name.first' cannot name a parameter"),
        (({"A": 1}, "own", {"own": {"based_on": "none"}}), "family own: based_on: unknown family 'none'"),
    ],
)
def test_rejects_invalid_parameters(arguments, sentence):
    with pytest.raises(AnsibleFilterError) as caught:
        profile_xml(*arguments)
    assert str(caught.value).startswith(sentence)
    assert KEY not in str(caught.value)


@given(texts, texts.filter(lambda key: key and "\0" not in key), st.sampled_from(Digest), st.booleans())
def test_unseal_undoes_seal(profile, key, digest, packed):
    sealed = seal_profile(profile, key, digest, packed)
    assert unseal_profile(sealed, key, digest) == profile
    assert seal_profile(profile, key, digest, packed) == sealed


@pytest.mark.parametrize(
    ("options", "digest", "packed"), [((), "md5", True), (("sha256",), "sha256", True), (("md5", False), "md5", False)]
)
def test_seals_like_the_domain_code(options, digest, packed):
    content = unseal(base64.b64decode(seal_profile(PROFILE, KEY, *options)), KEY, digest)
    assert is_compressed(content) is packed
    assert content == (compress(PROFILE.encode()) if packed else PROFILE.encode())


def test_accepts_base64_text_in_lines():
    sealed = base64.encodebytes(seal(PROFILE.encode(), KEY, "md5")).decode()
    assert sealed.count("\n") > 1
    assert unseal_profile(sealed, KEY) == PROFILE


SEALED = seal_profile(PROFILE, KEY)
WRONG_KEY = "the key does not fit, or the digest is not md5, or the file is damaged"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: seal_profile(None, KEY), "the profile must be text, not empty"),
        (lambda: seal_profile(HALF + KEY, KEY), "the profile is not valid Unicode text"),
        (lambda: seal_profile(PROFILE, 12345678901234567890), "the key must be text, not a number"),
        (lambda: seal_profile(PROFILE, ""), "the key is empty"),
        (lambda: seal_profile(PROFILE, HALF + KEY), "the key is not valid Unicode text"),
        (lambda: seal_profile(PROFILE, f"{KEY}\0"), "the key holds a null character, which no command line can carry"),
        (lambda: seal_profile(PROFILE, KEY, "sha1"), "unknown digest 'sha1'; expected one of md5, sha256"),
        (lambda: unseal_profile(b"", KEY), "the sealed profile must be text, not a bytes"),
        (lambda: unseal_profile(SEALED[:-3], KEY), "the sealed profile is not base64 text"),
        (lambda: unseal_profile("Büro", KEY), "the sealed profile is not base64 text"),
        (lambda: unseal_profile("a-b_", KEY), "the sealed profile is not base64 text"),
        (lambda: unseal_profile("", KEY), "the file is not encrypted: it does not begin with 'Salted__'"),
        (lambda: unseal_profile(SEALED, f"{KEY}!"), WRONG_KEY),
        (lambda: unseal_profile(SEALED, KEY, "sha256"), WRONG_KEY.replace("md5", "sha256")),
        (
            lambda: unseal_profile(base64.b64encode(seal(b"\xff" + KEY.encode(), KEY, "md5")).decode(), KEY),
            "the key does not fit, or the digest is not md5: the result is not UTF-8 text",
        ),
        (
            lambda: unseal_profile(base64.b64encode(seal(b"\x1f\x8b" + KEY.encode(), KEY, "md5")).decode(), KEY),
            "the gzip data is damaged: Error -3 while decompressing data: unknown compression method",
        ),
        (lambda: profile_key("12", KEY), "the input is not a MAC address; write MAC | profile_key(MASTER)"),
        (lambda: profile_key(KEY, MAC), "the input is not a MAC address; write MAC | profile_key(MASTER)"),
        (lambda: profile_key(MAC, ["x"]), "the master key is not text"),
        (lambda: profile_key(MAC, KEY[:15]), "the master key has 15 characters; use at least 16 random ones"),
    ],
)
def test_errors_show_no_secret(call, message):
    with pytest.raises(AnsibleFilterError, match=f"^{re.escape(message)}$") as caught:
        call()
    # With -vvv, Ansible prints causes too
    printed = "".join(traceback.format_exception_only(caught.value)) + repr(caught.value.__cause__)
    assert KEY[:15] not in printed
    assert "Büro" not in printed


@pytest.mark.parametrize("mac", [MAC, "00005E0053AB", "0000.5e00.53ab"])
def test_derives_the_key(mac):
    assert profile_key(mac, KEY) == derive_key(KEY, Mac("00005e0053ab"))


def test_the_services_secret_is_not_that_of_a_phone():
    """HKDF by another implementation: cryptography's."""
    derived = HKDF(hashes.SHA256(), 32, b"voip.preprovision", b"profile service secret").derive(b"a master key for tests")
    assert service_secret("a master key for tests") == derived.hex()
    assert service_secret("") == ""
    with pytest.raises(AnsibleFilterError, match="the master key has 5 characters; use at least 16 random ones"):
        service_secret("short")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        # The role's default: phones keep what they have
        ((0, 3, 300), {}),
        (("0",), {}),
        ((800, 3, 300), {"Resync_Random_Delay": 2, "Resync_Periodic": "86400", "Resync_Error_Retry_Delay": "3600"}),
        (
            ("100000", "3"),
            {
                "Resync_Random_Delay": 17,
                "Resync_Periodic": "43200+86400,86400+3600",
                "Resync_Error_Retry_Delay": "900+900,1800+1800,3600+3600,7200+7200,14400+14400,28800+28800",
            },
        ),
    ],
)
def test_proposes_timers(arguments, expected):
    assert resync_timers(*arguments) == expected


def test_names_a_number_that_no_fleet_has():
    message = "the number of phones is 'many'; it must be a whole number between 0 and 1000000000"
    with pytest.raises(AnsibleFilterError, match=re.escape(message)):
        resync_timers("many")
