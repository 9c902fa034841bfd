# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of a publication, and phones for it."""

from __future__ import annotations

import dataclasses
from typing import Any

from ansible_collections.voip.preprovision.plugins.module_utils.families.catalogue import BUILTIN, Catalogue
from ansible_collections.voip.preprovision.plugins.module_utils.phones.phone import Phone
from ansible_collections.voip.preprovision.plugins.module_utils.phones.reader import PhoneReader
from ansible_collections.voip.preprovision.plugins.module_utils.publishing.settings import Settings

MASTER = "a master key for tests"
SETTINGS = Settings(
    bench_url="https://prov.example.net/device/$MA.cfg",
    bench_delivery="certificate",
    remote_url="http://prov.example.com/service/$MA-{key_id}.cfg",
    ca_url="http://prov.example.net/bench-ca.pem",
    syslog_server="192.0.2.1",
)
IMAGE = {"file": "spa.bin", "sha256": "a" * 64, "version": "7.6.2", "models": ["SPA504G"], "load": "spa.bin"}
FIRMWARE = dataclasses.replace(
    SETTINGS,
    firmware_images=[IMAGE],
    firmware_url="http://prov.example.net/firmware/",
    remote_firmware_url="http://prov.example.com/fw/",
)
REQUIRED = {
    "ATA192": {"phone_mac": "00005e005301", "phone_model": "ATA192"},
    "CP-8851-3PCC": {"phone_mac": "00005e005303", "phone_model": "CP-8851-3PCC"},
    "SPA504G": {"phone_mac": "00005e005304", "phone_model": "SPA504G"},
}
"""The required variables of a phone, by model."""


def phone_of(model: str = "ATA192", previous_master_key: str | None = None, **variables: Any) -> Phone:
    """Return a phone with the required variables of its model, and others."""
    return PhoneReader(BUILTIN, MASTER, previous_master_key).read("desk", {**REQUIRED[model], **variables})


def other_family(**attributes: Any) -> Catalogue:
    """Return the built-in catalogue with one more family, acme, which is based on spa."""
    return BUILTIN.extended({"acme": {"based_on": "spa", "models": ["ACME1", "ACME2"], "series": r"ACME(\d)", **attributes}})
