# SPDX-License-Identifier: GPL-3.0-or-later
"""Generations on a real file system (as root, since files get owners)."""

from __future__ import annotations

import grp
import hashlib
import os
import stat

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils import published_tree
from ansible_collections.voip.preprovision.plugins.module_utils.published_tree import Generation, PublishedTree, TreeError, pack

GROUP = "www-data"
FILES = {"open/ata192.cfg": b"bootstrap", "open/service/a.cfg": b"sealed", "device/a.cfg": b"secret"}

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to a group")


@pytest.fixture
def tree(tmp_path):
    return PublishedTree(str(tmp_path / "srv"), {"device": GROUP})


def publish(tree, files, keep=2):
    live = tree.inspect().files
    missing = {path for path, content in files.items() if live.get(path) != hashlib.sha256(content).hexdigest()}
    return tree.install(pack(files, missing, {}), keep)


def read(tree):
    return {
        os.path.relpath(os.path.join(folder, name), tree.current): open(os.path.join(folder, name), "rb").read()
        for folder, _folders, names in os.walk(tree.current)
        for name in names
        if name != "manifest.json"
    }


def test_nothing_is_published_at_first(tree):
    assert tree.inspect() == Generation()


def test_what_is_installed_is_live_and_intact(tree):
    assert publish(tree, FILES) == "000001"
    assert read(tree) == FILES
    live = tree.inspect()
    assert set(live.files) == set(FILES)
    assert all(live.files.values())


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o000])
def test_modes_and_groups_do_not_depend_on_the_umask(tree, umask):
    before = os.umask(umask)
    try:
        publish(tree, FILES)
    finally:
        os.umask(before)

    def access(path):
        status = os.stat(os.path.join(tree.current, path))
        return stat.filemode(status.st_mode), grp.getgrgid(status.st_gid).gr_name

    assert access(".") == ("drwxr-xr-x", "root")
    assert access("open") == ("drwxr-xr-x", "root")
    assert access("open/service/a.cfg") == ("-rw-r--r--", "root")
    assert access("device") == ("drwxr-x---", GROUP)
    assert access("device/a.cfg") == ("-rw-r-----", GROUP)
    assert access("manifest.json") == ("-rw-------", "root")


def test_unchanged_files_are_linked_and_changed_ones_written(tree):
    publish(tree, FILES)
    inode = os.stat(os.path.join(tree.current, "open/ata192.cfg")).st_ino
    assert publish(tree, {**FILES, "device/a.cfg": b"new secret"}) == "000002"
    assert os.stat(os.path.join(tree.current, "open/ata192.cfg")).st_ino == inode
    assert read(tree)["device/a.cfg"] == b"new secret"


@pytest.mark.parametrize("damage", ["content", "mode", "group", "extra"])
def test_foreign_changes_are_noticed(tree, damage):
    publish(tree, FILES)
    path = os.path.join(tree.current, "device/a.cfg")
    if damage == "content":
        with open(path, "ab") as file:
            file.write(b"!")
    elif damage == "mode":
        os.chmod(path, 0o644)
    elif damage == "group":
        os.chown(path, 0, 0)
    else:
        path = os.path.join(tree.current, "open/extra")
        with open(path, "wb"):
            pass
    assert tree.inspect().files[os.path.relpath(path, tree.current)] == ""


def test_earlier_generations_are_kept_as_told(tree):
    for number in range(5):
        publish(tree, {**FILES, "open/n": b"%d" % number}, keep=1)
    assert sorted(os.listdir(tree.generations)) == [".lock", "000004", "000005"]


def test_a_failure_leaves_the_old_generation_live(tree, monkeypatch):
    publish(tree, FILES)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(published_tree, "_write", full)
    with pytest.raises(TreeError, match="No space left on device; the old ones stay"):
        publish(tree, {**FILES, "open/more": b"more"})
    assert read(tree) == FILES
    assert sorted(os.listdir(tree.generations)) == [".lock", "000001"]


def test_what_a_killed_run_left_is_swept(tree):
    publish(tree, FILES)
    os.makedirs(os.path.join(tree.generations, ".incoming", "open"))
    os.symlink("nowhere", os.path.join(tree.root, ".current"))
    assert publish(tree, {**FILES, "open/more": b"more"}) == "000002"
    assert sorted(os.listdir(tree.root)) == ["current", "generations"]


@pytest.mark.parametrize("path", ["../escape", "open/../../escape", "/etc/escape"])
def test_paths_cannot_leave_the_folder(tree, path):
    with pytest.raises(TreeError, match="not a path below the published folder"):
        tree.install(pack({path: b""}, {path}, {}), 2)
    assert tree.inspect() == Generation()


def test_an_unknown_group_is_refused(tmp_path):
    tree = PublishedTree(str(tmp_path / "srv"), {"device": "no-such-group"})
    with pytest.raises(TreeError, match="there is no group no-such-group on this host"):
        tree.install(pack(FILES, set(FILES), {}), 2)


def test_two_runs_at_once_are_refused(tree):
    publish(tree, FILES)
    with tree._locked(), pytest.raises(TreeError, match="another run is publishing"):
        publish(tree, {**FILES, "open/more": b"more"})
