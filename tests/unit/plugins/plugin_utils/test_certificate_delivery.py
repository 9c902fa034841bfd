# SPDX-License-Identifier: GPL-3.0-or-later
"""The phones with delivery by certificate are counted by family, and what their families lack stops the task."""

from __future__ import annotations

import dataclasses
import datetime

import pytest
from ansible.parsing.dataloader import DataLoader

from ansible_collections.voip.preprovision.plugins.module_utils.families.catalogue import BUILTIN
from ansible_collections.voip.preprovision.plugins.module_utils.phones.phone import PhoneError
from ansible_collections.voip.preprovision.plugins.module_utils.phones.reader import PhoneReader
from ansible_collections.voip.preprovision.plugins.module_utils.publishing.publisher import Publisher
from ansible_collections.voip.preprovision.plugins.module_utils.publishing.settings import Settings
from ansible_collections.voip.preprovision.plugins.plugin_utils.certificate_delivery import (
    check_certificate_delivery,
    read_exempt_phones,
)
from ansible_collections.voip.preprovision.plugins.plugin_utils.phone_source import Entry
from ansible_collections.voip.preprovision.plugins.plugin_utils.validate_phones import ValidatedPhones, Validation, validate_phones

SETTINGS = Settings(
    bench_url="https://prov.example.net/device/$MA.cfg",
    remote_url="http://prov.example.com/service/$MA-{key_id}.cfg",
    bench_delivery="certificate",
    kinds=("preprovision", "service"),
)
NOTHING = {"device_roots": [], "server_certificate": None, "server_chain": None, "ca_url": "http://prov.example.net/bench-ca.pem"}
TODAY = {"now": datetime.datetime.now(datetime.UTC), "san": None}


def entry(number, model, **variables):
    return Entry(f"desk-{number}", {"phone_mac": f"00005e0053{number:02x}", "phone_model": model, **variables})


def counted(*entries, passwords=(), settings=SETTINGS, families=None):
    """Return name of a family -> phones with delivery by certificate, and those among them without a password."""
    reader = PhoneReader(BUILTIN.extended(families or {}), "a master key for tests", None)
    macs = read_exempt_phones(passwords)
    return validate_phones(
        entries, Validation(ValidatedPhones(entries, reader, Publisher(settings)), macs), lambda *_values: None
    ).certificate_families


def numbers(families):
    return {name: (group.phones, group.without_password) for name, group in families.items()}


def test_phone_wins_over_family_and_family_over_publication():
    phones = [entry(1, "ATA192"), entry(2, "SPA504G", phone_bench_delivery="tftp"), entry(3, "SPA504G"), entry(4, "CP-8851-3PCC")]
    by_tftp = {"mpp": {"bench_delivery": "tftp"}}
    assert numbers(counted(*phones)) == {"ata19x": (1, 1), "spa": (1, 1), "mpp": (1, 1)}
    assert numbers(counted(*phones, families=by_tftp)) == {"ata19x": (1, 1), "spa": (1, 1)}
    tftp = dataclasses.replace(SETTINGS, bench_delivery="tftp")
    assert counted(*phones, settings=tftp) == {}
    one = entry(5, "ATA191", phone_bench_delivery="certificate")
    assert numbers(counted(*phones, one, settings=tftp)) == {"ata19x": (1, 1)}


def test_phones_with_a_password_are_told_apart():
    phones = [entry(1, "ATA192"), entry(2, "ATA191"), entry(3, "ATA191")]
    passwords = ["00:00:5e:00:53:01", "0000.5e00.5303", "00-00-5E-00-53-77", "no address"]
    assert numbers(counted(*phones, passwords=passwords)) == {"ata19x": (3, 1)}


def check(families, **options):
    check_certificate_delivery({**NOTHING, **options}, families.values(), DataLoader(), str)


def test_stops_with_a_sentence_for_each_family():
    families = counted(entry(1, "SPA504G"), entry(2, "ATA192"), entry(3, "SPA112"))
    with pytest.raises(PhoneError) as caught:
        check(families)
    first, second = str(caught.value).splitlines()
    lacks = "bench delivery is certificate, but certificates_device_roots has no CA of the maker ("
    assert first.startswith(f"family spa (2 phones): {lacks}")
    assert second.startswith(f"family ata19x (1 phone): {lacks}")


def test_passes_with_the_makers_cas_and_a_signed_server(tiny_ca, tmp_path):
    families = counted(entry(1, "SPA504G"), entry(2, "ATA192"))
    (tmp_path / "makers").mkdir()
    for number, name in enumerate(("Sipura CA", "Cisco Root CA M2")):
        root = tiny_ca.issue(name, signer=None, key="ca", ca=True, **TODAY)
        (tmp_path / f"makers/{number}.pem").write_text(root.pem)
        (tmp_path / "server.pem").write_text(tiny_ca.issue(signer=root, **TODAY).pem if number == 0 else tiny_ca.server.pem)
        (tmp_path / f"server-{number}.pem").write_text((tmp_path / "server.pem").read_text())
    signed = {"device_roots": [str(tmp_path / "makers")], "server_certificate": str(tmp_path / "server-0.pem")}
    check(families, **signed)
    with pytest.raises(PhoneError, match=r"^family spa \(1 phone\): [^\n]*certificates_signed must name [^\n]*$"):
        check(families, **{**signed, "server_certificate": str(tmp_path / "server-1.pem")})


def test_reads_nothing_unless_a_phone_needs_it():
    gone = {"device_roots": ["/nowhere"], "server_certificate": "/nowhere/either"}
    check(counted(entry(1, "ATA192", phone_bench_delivery="tftp")), **gone)
    check(counted(entry(1, "ATA192")), **{**gone, "device_roots": None})
