# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups: what goes in comes out, by hand too, and nothing else is believed."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils import backup as subject
from ansible_collections.voip.preprovision.plugins.module_utils.backup import (
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
def test_what_goes_in_comes_out(tmp_path_factory, content):
    assert contents(make(tmp_path_factory.mktemp("backup") / "a", content)) == {"one": content}


def test_it_is_larger_than_a_chunk(tmp_path, monkeypatch):
    monkeypatch.setattr(subject, "_CHUNK", 48)
    content = bytes(range(256)) * 99
    assert contents(make(tmp_path / "a", content)) == {"one": content}


def test_nothing_of_it_is_in_the_clear(tmp_path):
    raw = make(tmp_path / "a").read_bytes()
    assert b"secret content" not in raw
    assert PASSPHRASE.encode() not in raw
    assert (tmp_path / "a").stat().st_mode & 0o077 == 0


def test_it_opens_by_hand(tmp_path):
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


def test_every_changed_byte_is_found(tmp_path):
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
            assert any(word in refused(path) for word in ("damaged", "in the format", "no backup"))


@pytest.mark.parametrize("share", [0.05, 0.3, 0.6, 0.9])
def test_one_that_is_cut_off_is_refused(tmp_path, share):
    path = make(tmp_path / "a", os.urandom(50_000))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    assert "cut off" in refused(path) or "no backup" in refused(path)


@pytest.mark.parametrize("content", [b"", b"nothing", bytes(10240), b"\x1f\x8b" * 99])
def test_another_file_is_no_backup(tmp_path, content):
    (tmp_path / "a").write_bytes(content)
    assert "is no backup of a station" in refused(tmp_path / "a")


def test_another_archive_is_no_backup(tmp_path):
    with tarfile.open(tmp_path / "a", "w") as archive:
        archive.addfile(tarfile.TarInfo("other"))
    assert refused(tmp_path / "a").endswith("is no backup of a station")


def test_a_file_that_is_not_there_is_told(tmp_path):
    assert refused(tmp_path / "a").endswith("cannot be read: No such file or directory")


def test_another_passphrase_is_told_and_whose_backup_it_is(tmp_path):
    said = refused(make(tmp_path / "a"), derive("another passphrase", HEADER.salt, HEADER.iterations))
    assert "another passphrase than backup_passphrase" in said
    assert "'station', made 2026-11-24T16:00:00Z" in said


def test_another_format_is_told(tmp_path):
    path = make(tmp_path / "a", header=Header("s", "now", "12", HEADER.salt, 1000, "other 2"))
    assert "in the format 'other 2'" in refused(path)


def test_nobody_is_kept_busy_for_hours(tmp_path):
    path = make(tmp_path / "a", header=Header("s", "now", "12", HEADER.salt, 1000))
    path.write_bytes(path.read_bytes().replace(b'"iterations": 1000', b'"iterations": 9e99'))
    assert "damaged" in refused(path)


def test_each_backup_has_keys_of_its_own():
    other = derive(PASSPHRASE, "ffeeddccbbaa9988", 1000)
    assert not set(KEYS) & set(other)
    assert Keys.read(KEYS.text()) == KEYS
    with pytest.raises(BackupError):
        Keys.read("00")


@pytest.mark.parametrize("passphrase", ["", "short", None, 123456789012, "two\nlines are too many", "nul\0 in the middle"])
def test_what_is_no_passphrase_is_refused_without_being_shown(passphrase):
    with pytest.raises(BackupError) as caught:
        check_passphrase(passphrase)
    assert "backup_passphrase must be" in str(caught.value)
    assert not passphrase or str(passphrase) not in str(caught.value)
