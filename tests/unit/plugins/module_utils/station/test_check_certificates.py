# SPDX-License-Identifier: GPL-3.0-or-later
"""The maker of a check's phones: what openssl says of its certificates, and how long the web server trusts it."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.events.logs.log_lines import mac_of_subject
from ansible_collections.voip.preprovision.plugins.module_utils.station.check_certificates import (
    ROOTS,
    distrust,
    issue,
    read_trust,
    signers_of,
    trust,
    write_roots,
)

PLAIN = "02005e005300"
DEVICES = [{"mac": f"02005e0053{number:02x}", "model": "ATA192", "serial": f"S{number}"} for number in range(3)]


def openssl(*arguments, **options):
    return subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False, **options)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "check"
    folder.mkdir()
    (folder / "old.pem").touch()
    assert issue(DEVICES, str(folder)) == {device["mac"]: str(folder / f"{device['mac']}.pem") for device in DEVICES}
    return folder


def test_each_phone_has_a_certificate_of_its_own_and_the_cas_key_is_nowhere(folder):
    assert sorted(os.listdir(folder)) == sorted([*(f"{device['mac']}.pem" for device in DEVICES), "key.pem", ROOTS])
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for device in DEVICES:
        file = folder / f"{device['mac']}.pem"
        assert openssl("verify", "-purpose", "sslclient", "-CAfile", str(folder / ROOTS), str(file)).returncode == 0
        subject = openssl("x509", "-in", str(file), "-noout", "-subject", "-nameopt", "RFC2253").stdout.removeprefix("subject=")
        assert mac_of_subject(subject.strip()) == device["mac"]
    own = openssl("rsa", "-in", str(folder / "key.pem"), "-noout", "-modulus").stdout
    assert own == openssl("x509", "-in", str(folder / f"{PLAIN}.pem"), "-noout", "-modulus").stdout
    assert own != openssl("x509", "-in", str(folder / ROOTS), "-noout", "-modulus").stdout


def test_the_ca_cannot_sign_for_any_other_phone(tmp_path, monkeypatch):
    """Even with the CA's key, which is caught here before it is thrown away."""
    from cryptography.hazmat.primitives import serialization

    from ansible_collections.voip.preprovision.plugins.module_utils.station import check_certificates

    keys = []
    generate = check_certificates.rsa.generate_private_key

    def remember(**options):
        keys.append(generate(**options))
        return keys[-1]

    monkeypatch.setattr(check_certificates.rsa, "generate_private_key", remember)
    folder = tmp_path / "check"
    issue(DEVICES, str(folder))
    pem = keys[0].private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    (tmp_path / "ca.key").write_bytes(pem)
    for subject, accepted in ((f"/OU=ATA192/L=S0/SN={PLAIN}", True), ("/OU=ATA192/L=S0/SN=00005e005301", False)):
        request, made = tmp_path / "request.pem", tmp_path / "made.pem"
        openssl("req", "-new", "-key", str(folder / "key.pem"), "-subj", subject, "-out", str(request))
        signing = ("-CA", str(folder / ROOTS), "-CAkey", str(tmp_path / "ca.key"), "-set_serial", "9", "-out", str(made))
        assert openssl("x509", "-req", "-in", str(request), *signing).returncode == 0
        verified = openssl("verify", "-CAfile", str(folder / ROOTS), str(made))
        assert (verified.returncode == 0) is accepted, verified.stderr


def test_the_web_servers_roots_hold_the_maker_for_the_time_of_the_check_only(folder, tmp_path):
    bundle = tmp_path / "device-roots.pem"
    before = b"# Managed by Ansible\n-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"
    bundle.write_bytes(before)
    bundle.chmod(0o644)
    os.utime(bundle, (1, 1))
    for _number in range(2):
        trust(str(bundle), str(folder))
        assert bundle.read_bytes().count((folder / ROOTS).read_bytes()) == 1
    assert bundle.read_bytes().startswith(before)
    assert distrust(str(bundle))
    assert (bundle.read_bytes(), stat.S_IMODE(bundle.stat().st_mode), bundle.stat().st_mtime) == (before, 0o644, 1)
    assert not distrust(str(bundle))
    assert sorted(os.listdir(tmp_path)) == ["check", "device-roots.pem"]


def test_a_station_without_a_web_server_has_nothing_to_forget(tmp_path):
    assert not distrust(str(tmp_path / "none.pem"))


def self_signed(folder, name, *arguments):
    """Return a certificate and its key, made by openssl."""
    pem, key = folder / f"{name}.pem", folder / f"{name}.key"
    made = openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", str(key), "-out", str(pem))
    assert made.returncode == 0, made.stderr
    return pem


def test_what_a_station_trusts_is_read_without_its_own_ca_and_without_the_checks(folder, tmp_path):
    bench, maker, public = (self_signed(tmp_path, name) for name in ("Bench CA", "Some Maker", "Public CA"))
    bundle, server = tmp_path / "device-roots.pem", tmp_path / "server.pem"
    bundle.write_bytes(bench.read_bytes() + maker.read_bytes())
    trust(str(bundle), str(folder))
    server.write_bytes(public.read_bytes() + maker.read_bytes())
    assert read_trust(str(bundle), str(server), str(bench)) == {
        "device_roots": ["CN=Some Maker"],
        "server_signers": ["CN=Public CA", "CN=Some Maker"],
    }
    server.write_bytes(bench.read_bytes())
    assert read_trust(str(bundle), str(server), str(bench))["server_signers"] == []
    nowhere = str(tmp_path / "none.pem")
    assert read_trust(nowhere, nowhere, nowhere) == {"device_roots": [], "server_signers": []}


def test_only_phones_whose_maker_signed_the_server_trust_its_signers(folder, tmp_path):
    leaf, maker, stranger = (self_signed(tmp_path, name) for name in ("prov.example.net", "Some Maker", "Another Maker"))
    signed, request = tmp_path / "signed.pem", tmp_path / "request.pem"
    openssl("req", "-new", "-key", str(leaf.with_suffix(".key")), "-subj", "/CN=prov.example.net", "-out", str(request))
    signing = ("-CA", str(maker), "-CAkey", str(maker.with_suffix(".key")), "-set_serial", "9", "-out", str(signed))
    assert openssl("x509", "-req", "-in", str(request), *signing).returncode == 0
    bundle = tmp_path / "device-roots.pem"
    bundle.write_bytes(stranger.read_bytes() + maker.read_bytes())
    macs = [device["mac"] for device in DEVICES]
    roots = write_roots(macs, [macs[1]], signers_of(str(signed), str(bundle)), str(folder))
    own = (folder / ROOTS).read_bytes()
    assert [Path(roots[mac]).read_bytes() for mac in macs] == [own, own + maker.read_bytes(), own]
    assert openssl("verify", "-CAfile", roots[macs[1]], str(signed)).returncode == 0
    assert {*write_roots(macs, [], b"", str(folder)).values()} == {str(folder / ROOTS)}
    # A chain that comes with the certificate counts too
    signed.write_bytes(signed.read_bytes() + stranger.read_bytes())
    assert signers_of(str(signed), str(bundle)) == stranger.read_bytes() + maker.read_bytes()
