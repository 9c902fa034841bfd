# SPDX-License-Identifier: GPL-3.0-or-later
"""The file format of backups: sealing, unsealing with and without this collection, and rejection of everything else."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.station.backup import archive as subject
from ansible_collections.voip.preprovision.plugins.module_utils.station.backup.archive import (
    Backup,
    BackupError,
    Header,
    Keys,
    check_passphrase,
    derive,
    write,
)

PASSPHRASE = "correct horse battery"
HEADER = Header("station", "2026-11-24T16:00:00Z", "12", "0011223344556677", 1000)
KEYS = derive(PASSPHRASE, HEADER.salt, HEADER.iterations)


def make(path: Path, content: bytes = b"secret content", header: Header = HEADER) -> Path:
    def fill(inner: tarfile.TarFile) -> None:
        info = tarfile.TarInfo("one")
        info.size = len(content)
        inner.addfile(info, io.BytesIO(content))

    write(str(path), header, derive(PASSPHRASE, header.salt, header.iterations), fill)
    return path


def contents(path: Path) -> dict[str, bytes]:
    with Backup(str(path)) as backup:
        inner = backup.unseal(KEYS)
        return {member.name: inner.extractfile(member).read() for member in inner}


@settings(max_examples=20, deadline=None)
@given(st.binary(max_size=100_000))
def test_unseals_what_was_sealed(tmp_path_factory, content):
    assert contents(make(tmp_path_factory.mktemp("backup") / "a", content)) == {"one": content}


def test_seals_more_than_one_chunk(tmp_path, monkeypatch):
    monkeypatch.setattr(subject, "_CHUNK", 48)
    content = bytes(range(256)) * 99
    assert contents(make(tmp_path / "a", content)) == {"one": content}


def test_stores_nothing_unencrypted(tmp_path):
    raw = make(tmp_path / "a").read_bytes()
    assert b"secret content" not in raw
    assert PASSPHRASE.encode() not in raw
    assert (tmp_path / "a").stat().st_mode & 0o077 == 0


def test_openssl_and_tar_open_it(tmp_path):
    make(tmp_path / "a")
    subprocess.run(["tar", "-xf", "a"], cwd=tmp_path, check=True)
    assert "-iter 1000" in (tmp_path / "README.txt").read_text()
    command = ["openssl", "enc", "-d", "-aes-256-cbc", "-md", "sha256", "-pbkdf2", "-iter", "1000", "-pass", "stdin"]
    command += ["-in", "backup.tar.gz.enc", "-out", "backup.tar.gz"]
    subprocess.run(command, cwd=tmp_path, input=PASSPHRASE.encode(), check=True)
    with tarfile.open(tmp_path / "backup.tar.gz") as inner:
        assert inner.getnames() == ["one"]


def refused(path: Path, keys: Keys = KEYS) -> str:
    def use() -> None:
        with Backup(str(path)) as backup:
            backup.check(keys)

    with pytest.raises(BackupError) as caught:
        use()
    return str(caught.value)


def test_detects_every_changed_byte(tmp_path):
    path = make(tmp_path / "a")
    raw = path.read_bytes()
    with tarfile.open(path) as outer:
        # README.txt is for people, and headers of tar have check sums of their own
        parts = [
            (outer.getmember(name).offset_data, outer.getmember(name).size)
            for name in ("backup.json", "backup.tar.gz.enc", "backup.mac")
        ]
    for start, size in parts:
        for place in range(start, start + size, 7):
            path.write_bytes(raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :])
            assert any(word in refused(path) for word in ("damaged", "in the format", "not a backup"))


@pytest.mark.parametrize("share", [0.05, 0.3, 0.6, 0.9])
def test_rejects_a_backup_that_is_cut_off(tmp_path, share):
    path = make(tmp_path / "a", os.urandom(50_000))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    assert "cut off" in refused(path) or "not a backup" in refused(path)


@pytest.mark.parametrize("content", [b"", b"nothing", bytes(10240), b"\x1f\x8b" * 99])
def test_rejects_another_file(tmp_path, content):
    (tmp_path / "a").write_bytes(content)
    assert "is not a backup of a station" in refused(tmp_path / "a")


def test_rejects_another_archive(tmp_path):
    with tarfile.open(tmp_path / "a", "w") as archive:
        archive.addfile(tarfile.TarInfo("other"))
    assert refused(tmp_path / "a").endswith("is not a backup of a station")


def test_reports_a_missing_file(tmp_path):
    assert refused(tmp_path / "a").endswith("cannot be read: No such file or directory")


def test_reports_another_passphrase_with_the_station_of_the_backup(tmp_path):
    said = refused(make(tmp_path / "a"), derive("another passphrase", HEADER.salt, HEADER.iterations))
    assert "a passphrase other than backup_passphrase" in said
    assert "'station', made 2026-11-24T16:00:00Z" in said


def test_rejects_another_format(tmp_path):
    path = make(tmp_path / "a", header=Header("s", "now", "12", HEADER.salt, 1000, "other 2"))
    assert "in the format 'other 2'" in refused(path)


def test_rejects_an_excessive_number_of_iterations(tmp_path):
    path = make(tmp_path / "a", header=Header("s", "now", "12", HEADER.salt, 1000))
    path.write_bytes(path.read_bytes().replace(b'"iterations": 1000', b'"iterations": 9e99'))
    assert "damaged" in refused(path)


def test_each_backup_has_its_own_keys():
    other = derive(PASSPHRASE, "ffeeddccbbaa9988", 1000)
    assert not set(KEYS) & set(other)
    assert Keys.read(KEYS.text()) == KEYS
    with pytest.raises(BackupError):
        Keys.read("00")


@pytest.mark.parametrize("passphrase", ["", "short", None, 123456789012, "two\nlines are too many", "nul\0 in the middle"])
def test_rejects_an_invalid_passphrase_without_showing_it(passphrase):
    with pytest.raises(BackupError) as caught:
        check_passphrase(passphrase)
    assert "backup_passphrase must be" in str(caught.value)
    assert not passphrase or str(passphrase) not in str(caught.value)
