# SPDX-License-Identifier: GPL-3.0-or-later
"""The published bytes of one phone per family never change by themselves, since every change makes phones fetch again.

The constants were recorded once. Record one again only where a change of published profiles is the purpose of a commit.
"""

from __future__ import annotations

import hashlib

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.families.catalogue import BUILTIN
from ansible_collections.voip.preprovision.plugins.module_utils.phones.reader import PhoneReader
from ansible_collections.voip.preprovision.plugins.module_utils.publishing.publisher import Publisher
from ansible_collections.voip.preprovision.plugins.module_utils.publishing.settings import Settings

IMAGE = {"file": "spa.bin", "sha256": "a" * 64, "version": "7.6.2", "models": ["SPA504G"], "load": "spa.bin"}
SETTINGS = Settings(
    bench_url="https://prov.example.net/device/$MA.cfg",
    bench_delivery="certificate",
    remote_url="http://prov.example.com/service/$MA-{key_id}.cfg",
    ca_url="http://prov.example.net/bench-ca.pem",
    remote_ca_url="http://prov.example.com/ca.pem",
    syslog_server="192.0.2.1",
    remote_syslog_server="192.0.2.2",
    firmware_images=[IMAGE],
    firmware_url="http://prov.example.net/firmware/",
    remote_firmware_url="http://prov.example.com/fw/",
    plaintext_secrets=True,
)
VARIABLES = {
    "phone_mac": "00005e005301",
    "phone_lines": [{"user_id": "1001", "display_name": "Schlüssel & Co", "proxy": "sip.example.net"}],
}
FLAT_PROFILE = {
    "phone_resync": {"periodic": 3600},
    "phone_parameters_site": {"Time_Zone": "GMT+01:00"},
    "phone_web": {"admin_password": "Secret-1234"},
}
OWN: dict[str, dict[str, object]] = {
    "ATA192": FLAT_PROFILE,
    "SPA504G": {**FLAT_PROFILE, "phone_firmware": "7.6.2"},
    "CP-8851-3PCC": FLAT_PROFILE,
    "CP-8861-3PCC": {**FLAT_PROFILE, "phone_sealing": "aes128gcm"},
    "PAP2T": FLAT_PROFILE,
    "DP-9861": FLAT_PROFILE,
    "GXP2170": {"phone_parameters": {"P2": "admin"}},
    "HT802": {"phone_sealing": "openssl"},
}


def published(model: str) -> dict[str, str]:
    """Return path -> first digits of the SHA-256 of the bytes that are served."""
    phone = PhoneReader(BUILTIN, "a master key for tests").read("desk", {**VARIABLES, "phone_model": model, **OWN.get(model, {})})
    publisher = Publisher(SETTINGS)
    assert publisher.check(phone) == []
    files = [*publisher.bootstrap_files([phone.model], {model: phone.parameters}), *publisher.files(phone)]
    return {file.path: hashlib.sha256(file.content()).hexdigest()[:32] for file in files}


PUBLISHED = [
    (
        "ATA192",
        {
            "open/ata192.cfg": "050802e5f441e5ba602af0f7b8939f7d",
            "device/00005e005301.cfg": "f2aafa15900ca6a844cd3817e1d64390",
            "open/service/00005e005301-0249f77b.cfg": "1639fc51aa71935e8909ccab0dd96296",
        },
    ),
    (
        "SPA504G",
        {
            "open/spa504G.cfg": "6b8178c9329f59e00c38b320bd6eb858",
            "open/spa504g.cfg": "6b8178c9329f59e00c38b320bd6eb858",
            "device/00005e005301.cfg": "261fdef89946413ed2ea6add93809865",
            "open/service/00005e005301-0249f77b.cfg": "e3a241869136f99e00201483a0444dc7",
        },
    ),
    (
        "CP-8851-3PCC",
        {
            "open/8851-3PCC.xml": "719e71db34c88200155790d78cd946a6",
            "open/8851-3pcc.xml": "719e71db34c88200155790d78cd946a6",
            "open/CP-8851-3PCC.cfg": "719e71db34c88200155790d78cd946a6",
            "open/cp-8851-3pcc.cfg": "719e71db34c88200155790d78cd946a6",
            "device/00005e005301.cfg": "61c031fc800a6e6008c0c0a6fee39d23",
            "open/service/00005e005301-0249f77b.cfg": "c2ba40c35988c39471a21b5501aaa949",
        },
    ),
    (
        "CP-8861-3PCC",
        {
            "open/8861-3PCC.xml": "719e71db34c88200155790d78cd946a6",
            "open/8861-3pcc.xml": "719e71db34c88200155790d78cd946a6",
            "open/CP-8861-3PCC.cfg": "719e71db34c88200155790d78cd946a6",
            "open/cp-8861-3pcc.cfg": "719e71db34c88200155790d78cd946a6",
            "device/00005e005301.cfg": "50af4dfc59931c7dbdfca9539d437174",
            "open/service/00005e005301-0249f77b.cfg.aes128gcm": "546beb3f2715bee26c73c9624c28c892",
        },
    ),
    (
        "PAP2T",
        {
            "open/init.cfg": "6b8178c9329f59e00c38b320bd6eb858",
            "device/00005e005301.cfg": "bdc20047d617da1e4f79e53bb2d6162f",
            "open/service/00005e005301-0249f77b.cfg": "b1a8fdba9691bc0fd2f2bc336995eb1c",
        },
    ),
    (
        "DP-9861",
        {
            "open/9861.xml": "719e71db34c88200155790d78cd946a6",
            "open/DP-9861.cfg": "719e71db34c88200155790d78cd946a6",
            "open/DP-9861.xml": "719e71db34c88200155790d78cd946a6",
            "open/dp-9861.cfg": "719e71db34c88200155790d78cd946a6",
            "open/dp-9861.xml": "719e71db34c88200155790d78cd946a6",
            "device/00005e005301.cfg": "61c031fc800a6e6008c0c0a6fee39d23",
            "open/service/00005e005301-0249f77b.cfg": "c2ba40c35988c39471a21b5501aaa949",
        },
    ),
    (
        "GXP2170",
        {
            "open/cfg00005e005301.xml": "489b1c214cc906f063dde642bec23b85",
        },
    ),
    (
        "HT802",
        {
            "open/cfg00005e005301.xml": "3c096d65fd06899b72141a13a44a77a2",
        },
    ),
    (
        "T46S",
        {
            "open/00005e005301.cfg": "e013a12bbb4fda8b63d0589084b1cb46",
        },
    ),
    (
        "W52P",
        {
            "open/y000000000025.cfg": "e03dd2cad509e1085520172b233f7d94",
            "open/00005e005301.cfg": "e013a12bbb4fda8b63d0589084b1cb46",
        },
    ),
    (
        "VVX250",
        {
            "open/000000000000.cfg": "cce5d3179e5f6be11792816693d35e37",
            "open/00005e005301-config.cfg": "6b6e6764c5c47f4f345d66f1723d4932",
        },
    ),
    (
        "D735",
        {
            "open/snomD735.htm": "c176e8acd9ebfdb449cc22ebbe83b805",
            "open/snomd735.htm": "c176e8acd9ebfdb449cc22ebbe83b805",
            "open/snomD735-00005E005301.htm": "70fd3d9d465078af3e64e28b0c57f2c3",
            "open/snomd735-00005e005301.htm": "70fd3d9d465078af3e64e28b0c57f2c3",
        },
    ),
]


@pytest.mark.parametrize(("model", "expected"), PUBLISHED)
def test_published_bytes(model, expected):
    assert published(model) == expected


def test_every_family_has_a_vector():
    assert {BUILTIN.models[model].family.name for model, _expected in PUBLISHED} == set(BUILTIN.families)
