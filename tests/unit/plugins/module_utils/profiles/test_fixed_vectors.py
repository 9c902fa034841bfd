# SPDX-License-Identifier: GPL-3.0-or-later
"""The bytes of sealed profiles never change: phones in the field and stations of every release must agree on them.

The constants were recorded once and must not be recorded again. A difference here means that every published profile changes.
The gzip bytes are those of the original zlib; a Python built with zlib-ng compresses differently.
"""

from __future__ import annotations

import hashlib

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.common.mac import parse_mac
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.flat_profile import Setting
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.formats import FORMATS
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.keys import derive_key, hkdf, key_id
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.sealing.aes128gcm import encrypt_content
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.sealing.compression import compress
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.sealing.openssl_enc import seal

PHRASE = "SecretPhrase1234"
UNICODE_PHRASE = "Schlüssel für Gerät 7"
PROFILE = b'<?xml version="1.0"?>\n<flat-profile>\n<Profile_Rule>/$MA.cfg</Profile_Rule>\n</flat-profile>\n'
LARGE = b"".join(b"<Parameter_%d_>%x</Parameter_%d_>\n" % (number, number * 7919, number) for number in range(2000))
MASTER = "a master key for tests"
MAC = parse_mac("00005e005301")


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_gzip():
    assert compress(PROFILE).hex() == (
        "1f8b08000000000002ffb3b1afc8cd51284b2d2acecccfb35532d43350b2b7e3b249cb492cd12d28ca4fcbcc4905720320ac"
        "f8a05220575fc5d7512f392ddd461f4598cb461f551700615e7dc75b000000"
    )
    assert sha256(compress(LARGE)) == "6e1257addfe60f9e88d91f153e4932fc366fe2331d894b2780dcf8bbfc44847d"


@pytest.mark.parametrize(
    ("digest", "phrase", "expected", "large"),
    [
        (
            "md5",
            PHRASE,
            "53616c7465645f5fc716e1404fb83a074411d174202e33aed245051b9599963f",
            "c3cb3a53f34af291b8a0e1b2043086c275da3a623c951a448a59979556490023",
        ),
        (
            "md5",
            UNICODE_PHRASE,
            "53616c7465645f5f1ab31df6665aba80ea943c8cedd0571f5521842b167f1d4d",
            "d202a53b475c68596fbfb7fb83a1090f2e972e2830e2e38cbe3662177f2851d0",
        ),
        (
            "sha256",
            PHRASE,
            "53616c7465645f5fc716e1404fb83a07686031427d9a5a2f8b7e74fc4c7e6876",
            "6be5cc858e6c404225a69e70c2aa67240bf05ec437c7e17759c79d566a535433",
        ),
        (
            "sha256",
            UNICODE_PHRASE,
            "53616c7465645f5f1ab31df6665aba80d0f293e531809e40a713e7d89fb83e14",
            "326f56e48beb87bdedd5d5f7ab1ce493f5d18106f14735f05ff77961d60d8d7a",
        ),
    ],
)
def test_openssl_enc(digest, phrase, expected, large):
    assert seal(b"Profile", phrase, digest).hex() == expected
    assert sha256(seal(compress(LARGE), phrase, digest)) == large


@pytest.mark.parametrize(
    ("record_size", "expected", "large"),
    [
        (
            18,
            "73af8d3c88def43b5a4b41b00eb856770000001200960b1ada57cb44eebe27f6822b46c562d7b559214990bbbbbb892ec770"
            "54646cb07c42efad59c7992bac0d7d0adaaef034a2eadcdbecd2aae541a61082dc8bee2a306edf443114134eeceefb9a5a17"
            "78fe1414b991393cd1af63b96a1f62778bbde42b95b761bd36b06730485bda75e73f2f0d5e49d375a04084111a4f37",
            "deb9a83c1596c10e7aa0eac50c6f8f711d2d2561226a8068c7c7daa1bf31c83e",
        ),
        (
            100,
            "4cfe0ef8097e9f483d8888caaf6127d300000064003e460c41d5d215d8130e3395e858f22ca0ebf734d2db0b18",
            "f75a9912742809a63d75165cc82089442e2323b8d5cdf44340199ba43625d9a6",
        ),
        (
            4096,
            "07d8f977fe16d9df80e7af77ded653ba0000100000d24eaee7ab94f789c3104bda81a3a3a98346989cea384805",
            "57dba2e40c738aee77ebd85615e659fc8b6c029465b717727fda80c01f9f3d95",
        ),
        (
            4294967295,
            "3803c8398e0a0f5d0fb96a770ec897a1ffffffff00b4d4d7fae10b23678782a410ff198f5853e8507e2d2b35d8",
            "e72c05a47a5e2a024cbadcaac5bf7284d2f1a542d3c85e1649a96c7bd02774da",
        ),
    ],
)
def test_aes128gcm(record_size, expected, large):
    assert encrypt_content(b"Profile", PHRASE.encode(), record_size=record_size).hex() == expected
    assert sha256(encrypt_content(compress(LARGE), PHRASE.encode(), record_size=record_size)) == large


def test_aes128gcm_with_a_key_id():
    assert (
        encrypt_content(b"Profile", PHRASE.encode(), key_id=b"a1").hex()
        == "07d8f977fe16d9df80e7af77ded653ba00001000026131d24eaee7ab94f789c3104bda81a3a3a98346989cea384805"
    )


def test_derived_key_and_key_id():
    assert derive_key(MASTER, MAC) == "48a660503f3d0c2822602ae5885a89e59bf8b7ea410764177434217d1243065e"
    assert key_id(derive_key(MASTER, MAC)) == "0249f77b"
    assert hkdf(b"secret", b"salt", b"info").hex() == "f6d2fcc47cb939deafe3853a1e641a27e6924aff7a63d09cb04ccfffbe4776ef"


PARAMETERS = {
    "name_1": Setting("quotes \" ' and <&>", "ro"),
    "name_2": Setting(""),
    "Name_3": Setting("Schlüssel 鍵"),
    "router-configuration/SSH/Enable": Setting("Yes"),
    "zz": Setting("last", "na"),
}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("flat-profile", "156307e297c64300cd2a2c8c62eb9981086f107fdbbea9674d4599899202a304"),
        ("grandstream", "6810faa80759a2c09c39019635c17a4b4c058142f8149712942bc587a70c4d55"),
        ("yealink", "20c3d8a6f43cae2a89d0ec7396cfba6e047ff96ab98596229e06b7a2020b7e9f"),
        ("poly", "e55dc02873eda6caed099f479744c4d5ea33535c191261d1b58cda0ef1e3d386"),
        ("snom", "a33370ad7e9d0b34254bd90422b8513ee2ba514855957058dac3924b00800e2b"),
    ],
)
def test_formats(name, expected):
    chosen = FORMATS[name]
    parameters = {
        path: Setting(value, access if access in chosen.access else None)
        for path, (value, access) in PARAMETERS.items()
        if chosen.takes(path)
    }
    assert sha256(chosen.build(parameters, "00005e005301")) == expected
