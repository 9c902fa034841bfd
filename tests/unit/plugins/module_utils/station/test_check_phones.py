# SPDX-License-Identifier: GPL-3.0-or-later
"""Phones that exist only for a check: their addresses and files, and that nothing of them stays."""

from __future__ import annotations

import os
import stat

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.publishing.generations import PublishedTree
from ansible_collections.voip.preprovision.plugins.module_utils.station.check_phones import (
    CheckPhonesError,
    consecutive_macs,
    place,
    prefix,
    sweep,
)

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
    return PublishedTree(str(tmp_path), {"device": "root", "units": "root"})


def listed(tree):
    return {os.path.join(folder, name) for folder, _folders, names in os.walk(tree.generations) for name in names}


def test_returns_consecutive_addresses():
    assert [mac.colon for mac in consecutive_macs("02005E0053fe", 2)] == ["02:00:5e:00:53:fe", "02:00:5e:00:53:ff"]
    assert prefix(FIRST) == PLAIN[:10]


@pytest.mark.parametrize(
    ("first", "count", "words"),
    [
        ("00:00:5e:00:53:00", 1, "mac is 00:00:5e:00:53:00, which a real phone may have"),
        ("nonsense", 1, "mac: 'nonsense' is not a MAC address"),
        ("03:00:5e:00:53:00", 1, "is a group (multicast) address"),
        ("02:00:5e:00:53:fe", 3, "leaves fewer than 3 addresses with the same first five bytes"),
    ],
)
def test_rejects_addresses_that_real_phones_may_have(first, count, words):
    with pytest.raises(CheckPhonesError) as caught:
        consecutive_macs(first, count)
    assert words in str(caught.value)


def test_removes_what_it_wrote_and_nothing_else(tree):
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
def test_removes_the_remains_of_a_killed_run_by_their_names(tree, name):
    path = os.path.join(tree.generations, "000001", "open", name)
    open(path, "w").close()
    assert sweep(tree, prefix(FIRST)) == [path]


@pytest.mark.parametrize("name", ["00005e005301.cfg", f"f{PLAIN}.cfg", f"{PLAIN[:8]}0000.cfg"])
def test_keeps_other_files(tree, name):
    path = os.path.join(tree.generations, "000002", "open", name)
    open(path, "w").close()
    assert sweep(tree, prefix(FIRST)) == []
    assert os.path.exists(path)


def test_rejects_a_station_without_published_files(tmp_path):
    with pytest.raises(CheckPhonesError, match="nothing is published in"):
        place(PublishedTree(str(tmp_path), {}), [])


def test_a_units_folder_has_the_access_and_the_links_of_published_ones(tree):
    (path,) = place(tree, [("units/02-00-5e-00-53-00/ata192.cfg", b"x")])
    folder = os.path.dirname(path)
    assert [stat.S_IMODE(os.stat(name).st_mode) for name in (os.path.dirname(folder), folder, path)] == [0o755, 0o750, 0o640]
    assert {os.fsencode(name) for name in os.listdir(folder)} == {b"ata192.cfg", b"ata192.cfg\xff", b"firmware"}
    other = os.path.join(os.path.dirname(folder), "00-00-5e-00-53-01")
    os.mkdir(other)
    open(os.path.join(other, "ata192.cfg"), "w").close()
    # Not the links, one of whose names is no text
    assert sweep(tree, prefix(FIRST)) == [path]
    assert not os.path.exists(folder)
    assert os.listdir(other) == ["ata192.cfg"]
