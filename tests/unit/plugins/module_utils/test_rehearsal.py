# SPDX-License-Identifier: GPL-3.0-or-later
"""Phones that exist for a check alone: their addresses, files and certificates, and that nothing of them stays."""

from __future__ import annotations

import datetime
import os
import stat

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from ansible_collections.voip.preprovision.plugins.module_utils.certificates import CertificateError
from ansible_collections.voip.preprovision.plugins.module_utils.events import mac_of_subject
from ansible_collections.voip.preprovision.plugins.module_utils.published_tree import PublishedTree
from ansible_collections.voip.preprovision.plugins.module_utils.rehearsal import RehearsalError, issue, macs, place, prefix, sweep

FIRST = "02:00:5e:00:53:00"
PLAIN = "02005e005300"


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A folder in which one phone is published, and an older generation of it."""
    monkeypatch.setattr(os, "fchown", lambda *_: None)
    monkeypatch.setattr(os, "chown", lambda *_: None)
    for name in ("000001", "000002"):
        for path in ("device/00005e005301.cfg", "open/ata192.cfg", "manifest.jsonl"):
            file = tmp_path / "generations" / name / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(name)
        (tmp_path / "generations" / name / "device").chmod(0o750)
    (tmp_path / "current").symlink_to("generations/000002")
    return PublishedTree(str(tmp_path), {})


def listed(tree):
    return {os.path.join(folder, name) for folder, _folders, names in os.walk(tree.generations) for name in names}


def test_addresses_follow_one_another():
    assert [mac.colon for mac in macs("02005E0053fe", 2)] == ["02:00:5e:00:53:fe", "02:00:5e:00:53:ff"]
    assert prefix(FIRST) == PLAIN[:10]


@pytest.mark.parametrize(
    ("first", "count", "words"),
    [
        ("00:00:5e:00:53:00", 1, "mac is 00:00:5e:00:53:00, which a maker may have given to a phone"),
        ("nonsense", 1, "mac: 'nonsense' is not a MAC address"),
        ("03:00:5e:00:53:00", 1, "is a group (multicast) address"),
        ("02:00:5e:00:53:fe", 3, "there are no 3 addresses with the same first five bytes"),
    ],
)
def test_addresses_that_a_phone_may_have_are_refused(first, count, words):
    with pytest.raises(RehearsalError) as caught:
        macs(first, count)
    assert words in str(caught.value)


def test_what_is_put_in_place_goes_again_and_nothing_else_has_changed(tree):
    before = listed(tree)
    placed = place(tree, [(f"device/{PLAIN}.cfg", b"x"), (f"open/service/{PLAIN}-0a1b2c3d.cfg", b"y")])
    assert set(placed) == listed(tree) - before
    assert all("/000002/" in path for path in placed)
    assert stat.S_IMODE(os.stat(placed[0]).st_mode) == 0o640
    assert stat.S_IMODE(os.stat(placed[1]).st_mode) == 0o644
    # One that publishes meanwhile links them
    os.link(placed[0], placed[0].replace("000002", "000001"))
    assert len(sweep(tree, prefix(FIRST))) == 3
    assert listed(tree) == before
    assert not os.path.exists(os.path.dirname(placed[1]))


@pytest.mark.parametrize("name", [f"{PLAIN.upper()}.cfg", f"a-{PLAIN}.cfg", f"{PLAIN[:10]}ff.xml"])
def test_what_a_killed_run_has_left_is_found_by_its_name(tree, name):
    path = os.path.join(tree.generations, "000001", "open", name)
    open(path, "w").close()
    assert sweep(tree, prefix(FIRST)) == [path]


@pytest.mark.parametrize("name", ["00005e005301.cfg", f"f{PLAIN}.cfg", f"{PLAIN[:8]}0000.cfg"])
def test_other_files_stay(tree, name):
    path = os.path.join(tree.generations, "000002", "open", name)
    open(path, "w").close()
    assert sweep(tree, prefix(FIRST)) == []
    assert os.path.exists(path)


def test_where_nothing_is_published_there_is_no_rehearsal(tmp_path):
    with pytest.raises(RehearsalError, match="nothing is published in"):
        place(PublishedTree(str(tmp_path), {}), [])


def test_certificates_are_of_the_bench_and_name_their_phone(tmp_path):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Bench CA")])
    now = datetime.datetime.now(datetime.UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    day = datetime.timedelta(days=1)
    root = made.not_valid_before(now - day).not_valid_after(now + day).sign(key, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    authority, folder = tmp_path / "ca.pem", tmp_path / "check"
    authority.write_bytes(root.public_bytes(serialization.Encoding.PEM))
    (tmp_path / "ca.key").write_bytes(private)
    folder.mkdir()
    (folder / "old.pem").touch()
    paths = issue([{"mac": PLAIN, "model": "ATA192", "serial": "S1"}], str(authority), str(tmp_path / "ca.key"), str(folder))
    assert sorted(os.listdir(folder)) == [f"{PLAIN}.pem", "key.pem"]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    certificate = x509.load_pem_x509_certificate((folder / f"{PLAIN}.pem").read_bytes())
    assert paths == {PLAIN: str(folder / f"{PLAIN}.pem")}
    assert certificate.issuer == name
    certificate.verify_directly_issued_by(root)
    assert mac_of_subject(certificate.subject.rfc4514_string()) == PLAIN


def test_without_the_cas_key_there_are_no_certificates(tmp_path):
    assert (
        issue([{"mac": PLAIN, "model": "m", "serial": "s"}], str(tmp_path / "ca"), str(tmp_path / "none"), str(tmp_path / "f"))
        == {}
    )


def test_a_ca_that_cannot_sign_is_named(tmp_path):
    (tmp_path / "ca.pem").write_text("no certificate")
    (tmp_path / "ca.key").write_text("no key")
    with pytest.raises((RehearsalError, CertificateError), match="are no CA that could sign"):
        issue([], str(tmp_path / "ca.pem"), str(tmp_path / "ca.key"), str(tmp_path / "f"))
