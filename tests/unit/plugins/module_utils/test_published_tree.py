# SPDX-License-Identifier: GPL-3.0-or-later
"""Generations on a real file system (as root, since files get owners)."""

from __future__ import annotations

import grp
import io
import itertools
import os
import random
import signal
import stat
import time
from pathlib import Path

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils import published_tree
from ansible_collections.voip.preprovision.plugins.module_utils.published_tree import MANIFEST, PublishedTree, TreeError
from ansible_collections.voip.preprovision.plugins.module_utils.sealing import seal, unseal
from ansible_collections.voip.preprovision.plugins.module_utils.transfer import Live, Writer, read_live

GROUP = "www-data"
KEY = "0123456789abcdef"
FILES = {"open/ata192.cfg": b"bootstrap", "open/service/a.cfg": b"sealed", "device/a.cfg": b"secret"}

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to a group")


@pytest.fixture
def tree(tmp_path):
    return PublishedTree(str(tmp_path / "srv"), {"device": GROUP})


def archive(files, base="", removed=(), salt="salt") -> io.BytesIO:
    stream = io.BytesIO()
    writer = Writer(stream, base, salt)
    for path, content in files.items():
        writer.add(path, f"print of {content!r}", "desk", "service", content)
    writer.finish(removed)
    stream.seek(0)
    return stream


def live_of(tree) -> Live:
    return read_live(tree.inspect())


def publish(tree, files, keep=2):
    """Send what differs, as the controller does."""
    live = live_of(tree)
    changed = {
        path: content
        for path, content in files.items()
        if path not in live.entries or live.entries[path].fingerprint != f"print of {content!r}"
    }
    return tree.install(archive(changed, live.name, set(live.entries) - set(files)), keep)


def read(tree):
    return {
        os.path.relpath(os.path.join(folder, name), tree.current): open(os.path.join(folder, name), "rb").read()
        for folder, _folders, names in os.walk(tree.current)
        for name in names
        if name != MANIFEST
    }


def test_nothing_is_published_at_first(tree):
    assert live_of(tree) == Live()


def test_what_is_installed_is_live_and_intact(tree):
    assert publish(tree, FILES) == "000001"
    assert read(tree) == FILES
    live = live_of(tree)
    assert (live.name, live.salt, set(live.entries)) == ("000001", "salt", set(FILES))
    assert all(file.fingerprint and (file.owner, file.kind) == ("desk", "service") for file in live.entries.values())


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
    assert access(MANIFEST) == ("-rw-------", "root")


def test_unchanged_files_are_linked_and_changed_ones_written(tree):
    publish(tree, FILES)
    inode = os.stat(os.path.join(tree.current, "open/ata192.cfg")).st_ino
    assert publish(tree, {**FILES, "device/a.cfg": b"new secret"}) == "000002"
    assert os.stat(os.path.join(tree.current, "open/ata192.cfg")).st_ino == inode
    assert read(tree)["device/a.cfg"] == b"new secret"


@pytest.mark.parametrize("damage", ["content", "mode", "group", "gone"])
def test_damage_is_noticed_and_repaired(tree, damage):
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
        os.unlink(path)
    assert [path for path, file in live_of(tree).entries.items() if not file.fingerprint] == ["device/a.cfg"]
    publish(tree, FILES)
    assert read(tree) == FILES
    assert all(file.fingerprint for file in live_of(tree).entries.values())


def test_files_of_others_stay(tree):
    publish(tree, FILES)
    Path(tree.current, "open/by-hand.txt").write_bytes(b"mine")
    os.symlink("by-hand.txt", os.path.join(tree.current, "open/link"))
    assert set(live_of(tree).entries) == set(FILES)
    publish(tree, {"open/ata192.cfg": b"new"})
    assert read(tree) == {"open/ata192.cfg": b"new", "open/by-hand.txt": b"mine", "open/link": b"mine"}
    assert set(live_of(tree).entries) == {"open/ata192.cfg"}


def test_a_manifest_that_cannot_be_read_makes_all_files_somebody_elses(tree):
    publish(tree, FILES)
    Path(tree.current, MANIFEST).write_bytes(b"rubbish")
    assert live_of(tree) == Live("000001", "", {})
    publish(tree, {"open/ata192.cfg": b"new"})
    assert read(tree) == {**FILES, "open/ata192.cfg": b"new"}


def test_nothing_that_is_live_is_opened_for_writing_when_one_file_changes(tree, monkeypatch):
    publish(tree, FILES)
    opened = []
    real = published_tree._write
    monkeypatch.setattr(published_tree, "_write", lambda path, *more: (opened.append(path), real(path, *more)))
    publish(tree, {**FILES, "device/a.cfg": b"new secret"})
    assert [os.path.relpath(path, tree.generations) for path in opened] == [".incoming/device/a.cfg"]


def test_one_syncfs_and_three_fsyncs_at_most(tree, monkeypatch):
    calls = []
    monkeypatch.setattr(published_tree, "_syncfs", lambda _descriptor: calls.append("syncfs"))
    monkeypatch.setattr(os, "fsync", lambda _descriptor: calls.append("fsync"))
    publish(tree, FILES)
    assert calls == ["syncfs", "fsync", "fsync"]


def test_going_back(tree):
    publish(tree, FILES)
    with pytest.raises(TreeError, match="there is no earlier generation"):
        tree.previous()
    publish(tree, {**FILES, "open/ata192.cfg": b"second"})
    publish(tree, {**FILES, "open/ata192.cfg": b"third"})
    assert tree.previous(dry=True) == ("000002", True)
    assert read(tree)["open/ata192.cfg"] == b"third"
    assert tree.previous() == ("000002", True)
    assert read(tree)["open/ata192.cfg"] == b"second"
    assert tree.previous() == ("000002", False)
    # What was gone back from is abandoned, and its number is not given again
    assert publish(tree, {**FILES, "open/ata192.cfg": b"fourth"}) == "000004"
    assert sorted(os.listdir(tree.generations)) == [".lock", "000001", "000002", "000004"]
    assert tree.previous() == ("000002", True)


def test_an_archive_for_another_generation_is_refused(tree):
    publish(tree, FILES)
    with pytest.raises(TreeError, match=r"another run has published to .* meanwhile; run again"):
        tree.install(archive({"open/a": b""}, base="000007"), 2)
    assert read(tree) == FILES


@pytest.mark.parametrize("cut", [1, 5, 30])
def test_an_archive_that_is_cut_off_changes_nothing(tree, cut):
    publish(tree, FILES)
    whole = archive({"open/more": b"more"}, "000001").getvalue()
    with pytest.raises(TreeError, match=r"cannot be used: .*; the old files stay"):
        tree.install(io.BytesIO(whole[:-cut]), 2)
    assert read(tree) == FILES
    assert sorted(os.listdir(tree.generations)) == [".lock", "000001"]


def test_contents(tree):
    publish(tree, FILES)
    assert dict(tree.contents(["device/a.cfg", "open/none"])) == {"device/a.cfg": b"secret"}
    with pytest.raises(TreeError):
        list(tree.contents(["../../etc/passwd"]))


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


@pytest.mark.parametrize("path", ["../escape", "open/../../escape", "/etc/escape", "open//x", "", MANIFEST])
def test_paths_cannot_leave_the_folder(tree, path):
    with pytest.raises(TreeError, match="not a path below the published folder"):
        tree.install(archive({path: b""}), 2)
    assert live_of(tree) == Live()


def test_an_unknown_group_is_refused(tmp_path):
    tree = PublishedTree(str(tmp_path / "srv"), {"device": "no-such-group"})
    with pytest.raises(TreeError, match="there is no group no-such-group on this host"):
        tree.install(archive(FILES), 2)


def test_two_runs_at_once_are_refused(tree):
    publish(tree, FILES)
    with tree._locked(), pytest.raises(TreeError, match="another run is publishing"):
        publish(tree, {**FILES, "open/more": b"more"})


TRIES = 200
NAMES = [f"open/{name}.cfg" for name in range(6)]


def sealed(number: int) -> dict[str, bytes]:
    """The files of one generation: what they hold tells its number."""
    return {path: seal(b"%d of %s\n" % (number, path.encode()) * 50, KEY, "md5") for path in NAMES}


def install_until_killed(tree, number: int) -> None:
    for following in itertools.count(number + 1):
        tree.install(archive(sealed(following), tree.live_name()), 1)


def test_whenever_it_is_killed_one_whole_generation_is_served(tmp_path):
    tree = PublishedTree(str(tmp_path / "srv"), {})
    tree.install(archive(sealed(0)), 1)
    chance = random.Random(1)  # noqa: S311
    seen = {0}
    for _try in range(TRIES):
        child = os.fork()
        if not child:
            try:
                install_until_killed(tree, max(seen) + 1000)
            finally:
                os._exit(1)
        end = time.monotonic() + chance.random() * 0.02
        while time.monotonic() < end:
            # As a server does within one request, the reader stays in the folder that the link named when it began
            base = os.path.realpath(tree.current)
            try:
                plain = {path: unseal(Path(base, path).read_bytes(), KEY, "md5") for path in NAMES}
            except FileNotFoundError:
                assert os.path.realpath(tree.current) != base
                continue  # two generations later, it is gone
            numbers = {int(text.split()[0]) for text in plain.values()}
            assert len(numbers) == 1
            assert all(text == b"%d of %s\n" % (*numbers, path.encode()) * 50 for path, text in plain.items())
            seen |= numbers
        os.kill(child, signal.SIGKILL)
        assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
        assert all(file.fingerprint for file in live_of(tree).entries.values())
    assert len(seen) > TRIES // 10
    tree.install(archive({"open/after": b"after"}, tree.live_name()), 1)
    assert read(tree)["open/after"] == b"after"
    assert ".incoming" not in os.listdir(tree.generations)
    assert not os.path.lexists(os.path.join(tree.root, ".current"))
