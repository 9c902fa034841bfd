# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages for a bench without a network: which, from where, and how apt finds them."""

from __future__ import annotations

import hashlib
import subprocess
import tarfile
from pathlib import Path

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.station import offline_bundle as subject
from ansible_collections.voip.preprovision.plugins.module_utils.station.footprint import FOOTPRINTS
from ansible_collections.voip.preprovision.plugins.module_utils.station.offline_bundle import (
    OfflineError,
    collect,
    mirrors,
    sources,
    wanted,
)

TARGETS = """http://deb.example.net/debian/ bookworm
http://deb.example.net/debian/ bookworm-updates
http://deb.example.net/debian-security/ bookworm-security
http://other.example.com/tool/ stable
"""


def make_package(folder: Path, name: str) -> None:
    control = folder / name / "DEBIAN/control"
    control.parent.mkdir(parents=True)
    control.write_text(
        f"Package: {name}\nVersion: 1:2.3\nArchitecture: all\nMaintainer: a <a@example.net>\nDescription: short\n long\n"
    )
    subprocess.run(
        ["dpkg-deb", "--build", "--root-owner-group", folder / name, folder / f"archives/{name}_2.3_all.deb"], check=True
    )


@pytest.fixture
def apt(tmp_path, monkeypatch) -> list[list[str]]:
    """An apt that has fetched two packages."""
    called: list[list[str]] = []
    original = subject._run

    def run(command: list[str], environment: dict[str, str]) -> str:
        called.append(command)
        if command[0] != "apt-get":
            return original(command, environment)
        if "install" in command:
            for name in ("one", "two"):
                make_package(tmp_path / "work", name)
        return TARGETS if "indextargets" in command else ""

    monkeypatch.setattr(subject, "_run", run)
    monkeypatch.setattr(subject, "_KEYRING", __file__)
    (tmp_path / "work").mkdir()
    return called


def test_collects_every_package_of_every_role():
    assert set(wanted()) == {name for found in FOOTPRINTS.values() for name in (*found.packages, *found.optional_packages)}
    assert "nginx" in wanted()


def test_uses_the_mirrors_of_the_host(apt):
    assert mirrors() == ("http://deb.example.net/debian", "http://deb.example.net/debian-security")


def test_names_a_release_with_its_updates():
    text = sources("trixie", "http://deb.example.net/debian", "http://deb.example.net/security")
    assert [line.split("] ")[1] for line in text.splitlines()] == [
        "http://deb.example.net/debian trixie main",
        "http://deb.example.net/debian trixie-updates main",
        "http://deb.example.net/security trixie-security main",
    ]
    assert "security" not in sources("trixie", "http://deb.example.net/debian", "")


def test_archives_the_packages_with_their_index(apt, tmp_path):
    target = tmp_path / "bookworm-amd64.tar"
    collected = collect(str(tmp_path / "work"), str(target), "bookworm", "amd64", "http://deb.example.net/debian", "")
    assert collected.packages == ["one=1:2.3", "two=1:2.3"]
    with tarfile.open(target) as bundle:
        assert bundle.getnames() == ["Packages", "one_2.3_all.deb", "two_2.3_all.deb"]
        index = bundle.extractfile("Packages").read().decode()
        package = bundle.extractfile("two_2.3_all.deb").read()
    assert f"Filename: ./two_2.3_all.deb\nSize: {len(package)}\nSHA256: {hashlib.sha256(package).hexdigest()}\n" in index
    assert "Description: short\n long\n" in index
    assert next(command for command in apt if "install" in command)[-len(wanted()) :] == wanted()
    assert not list(tmp_path.glob("*.part"))


def test_leaves_the_hosts_own_apt_state_unchanged(apt, tmp_path):
    work = tmp_path / "work"
    collect(str(work), str(tmp_path / "a.tar"), "bookworm", "arm64", "http://deb.example.net/debian", "")
    settings = (work / "apt.conf").read_text()
    for name in ("Dir::State::status", "Dir::State::lists", "Dir::Cache::archives", "Dir::Etc::sourcelist"):
        assert f'{name} "{work}/' in settings
    assert 'APT::Architectures "arm64";' in settings
    assert (work / "status").read_text() == ""


def test_collects_nothing_without_debians_keys(tmp_path, monkeypatch):
    monkeypatch.setattr(subject, "_KEYRING", "/nowhere")
    with pytest.raises(OfflineError, match="install debian-archive-keyring"):
        collect(str(tmp_path), str(tmp_path / "a"), "bookworm", "amd64", "http://deb.example.net/debian", "")


def test_reports_the_errors_of_apt(monkeypatch, tmp_path):
    (tmp_path / "apt-get").write_text("#!/bin/sh\necho 'W: slow' >&2\necho 'E: no such release' >&2\nexit 100\n")
    (tmp_path / "apt-get").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    with pytest.raises(OfflineError) as caught:
        mirrors()
    assert str(caught.value) == "apt-get: no such release"
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(OfflineError, match="apt-get is missing"):
        mirrors()
