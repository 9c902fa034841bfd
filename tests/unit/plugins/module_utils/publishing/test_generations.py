# SPDX-License-Identifier: GPL-3.0-or-later
"""Generations on a real file system (as root, since files get owners)."""

from __future__ import annotations

import contextlib
import errno
import grp
import hashlib
import io
import itertools
import json
import os
import re
import signal
import stat
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.profiles.sealing.openssl_enc import seal, unseal
from ansible_collections.voip.preprovision.plugins.module_utils.publishing import generations as published_tree
from ansible_collections.voip.preprovision.plugins.module_utils.publishing.generations import MANIFEST, PublishedTree, TreeError
from ansible_collections.voip.preprovision.plugins.module_utils.publishing.transfer import Live, Writer, read_live

GROUP = "www-data"
KEY = "0123456789abcdef"
FILES = {"open/ata192.cfg": b"bootstrap", "open/service/a.cfg": b"sealed", "device/a.cfg": b"secret"}

pytestmark = pytest.mark.root(reason="only root can give files to a group")


@pytest.fixture
def quick(monkeypatch):
    """Skip syncing to disk, which matters only for power cuts."""
    monkeypatch.setattr(published_tree, "_syncfs", lambda _descriptor: None)
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)


@pytest.fixture
def tree(tmp_path, quick):
    return PublishedTree(str(tmp_path / "srv"), {"device": GROUP, "units": GROUP})


def mark(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:24]


def archive(files, base="", removed=(), salt="salt") -> io.BytesIO:
    stream = io.BytesIO()
    writer = Writer(stream, base, salt)
    for path, content in files.items():
        writer.add(path, mark(content), "desk", "service", content)
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
        if path not in live.entries or live.entries[path].fingerprint != mark(content)
    }
    return tree.install(archive(changed, live.name, set(live.entries) - set(files)), keep)


def read(tree, name="") -> dict[str, bytes]:
    """Return a generation's files, by default those of the live one."""
    base = os.path.join(tree.generations, name) if name else tree.current
    return {
        os.path.relpath(os.path.join(folder, file), base): Path(folder, file).read_bytes()
        for folder, _folders, files in os.walk(base)
        for file in files
        if file != MANIFEST
    }


def left(tree) -> list[str]:
    """Return what is in the published folder, without the files of generations."""
    return sorted([*os.listdir(tree.root), *os.listdir(tree.generations)])


def access(tree, path) -> tuple[str, str]:
    status = os.lstat(os.path.join(tree.current, path))
    return stat.filemode(status.st_mode), grp.getgrgid(status.st_gid).gr_name


DONE, REFUSED, KILLED, BROKEN = range(4)
CHANGES = {"os.mkdir", "os.rename", "os.link", "os.symlink", "os.remove", "os.rmdir", "os.chmod", "os.chown"}


def start_child(work: Callable[[], object], hook: Callable[[int, str, Any], None]) -> int:
    """Run *work* in a child process, which calls *hook* before each step that changes the disk; return the process."""
    if child := os.fork():
        return child
    status = BROKEN
    steps = itertools.count(1)

    def audit(event, arguments):
        writes = event == "open" and (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if writes or event in CHANGES:
            hook(next(steps), event, arguments)

    try:
        sys.addaudithook(audit)
        work()
        status = DONE
    except TreeError:
        status = REFUSED
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def in_child(work: Callable[[], object], hook: Callable[[int, str, Any], None]) -> int:
    """Run *work* as `start_child` does; return how it ended."""
    return os.waitstatus_to_exitcode(os.waitpid(start_child(work, hook), 0)[1])


def test_nothing_is_published_at_first(tree):
    assert live_of(tree) == Live()


def test_published_files_are_live_and_intact(tree):
    assert publish(tree, FILES) == "000001"
    assert read(tree) == FILES
    live = live_of(tree)
    assert (live.name, live.salt, set(live.entries)) == ("000001", "salt", set(FILES))
    assert all(file.fingerprint and (file.owner, file.kind) == ("desk", "service") for file in live.entries.values())


def test_allows_firmware_beside_the_generations(tree):
    publish(tree, FILES)
    assert not os.path.lexists(os.path.join(tree.current, "open/firmware"))
    images = Path(tree.root, "firmware/sets/000001")
    images.mkdir(parents=True)
    (images / "a.bin").write_bytes(b"image")
    Path(tree.root, "firmware/current").symlink_to("sets/000001")
    for content in (b"1", b"2", b"3"):
        publish(tree, {**FILES, "open/ata192.cfg": content})
        assert Path(tree.current, "open/firmware/a.bin").read_bytes() == b"image"
        assert all(file.fingerprint for file in live_of(tree).entries.values())


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o000])
def test_modes_and_groups_do_not_depend_on_the_umask(tree, umask):
    before = os.umask(umask)
    try:
        publish(tree, FILES)
    finally:
        os.umask(before)

    assert access(tree, ".") == ("drwxr-xr-x", "root")
    assert access(tree, "open") == ("drwxr-xr-x", "root")
    assert access(tree, "open/service/a.cfg") == ("-rw-r--r--", "root")
    assert access(tree, "device") == ("drwxr-x---", GROUP)
    assert access(tree, "device/a.cfg") == ("-rw-r-----", GROUP)
    assert access(tree, MANIFEST) == ("-rw-------", "root")
    assert access(tree, "../.lock") == ("-rw-------", "root")


def test_a_publication_gives_earlier_generations_to_todays_groups(tree):
    """An earlier release gave the files to a group that others share."""
    shared = PublishedTree(tree.root, {"device": "games", "units": "games"})
    files = {**FILES, "device/below/b.cfg": b"secret"}
    publish(shared, files)
    publish(shared, {**files, "device/a.cfg": b"new secret"})
    assert access(tree, "../000001/device") == ("drwxr-x---", "games")
    publish(tree, {**files, "device/a.cfg": b"newer secret"})
    for name in ("000001", "000002", "000003"):
        for path in ("device", "device/below"):
            assert access(tree, f"../{name}/{path}") == ("drwxr-x---", GROUP)
        for path in ("device/a.cfg", "device/below/b.cfg"):
            assert access(tree, f"../{name}/{path}") == ("-rw-r-----", GROUP)
        assert access(tree, f"../{name}/open/ata192.cfg") == ("-rw-r--r--", "root")


def test_servers_that_publish_the_same_at_different_times_send_the_same_etags(tmp_path, quick):
    """nginx makes an ETag of time and size. What only one phone may have tells no hash of its content."""
    files = {"open/a.cfg": b"sealed", "open/service/b.cfg": b"sealed", "open/c.cfg": b"other!", "device/a.cfg": b"secret"}
    etags = []
    for number in (1, 2):
        tree = PublishedTree(str(tmp_path / f"server{number}"), {"device": GROUP, "units": GROUP})
        publish(tree, files if number == 2 else {"open/a.cfg": b"earlier"})
        publish(tree, files)
        statuses = {path: (tmp_path / f"server{number}/current" / path).stat() for path in files}
        etags.append({path: (status.st_mtime, status.st_size) for path, status in statuses.items()})
        assert abs(etags[-1].pop("device/a.cfg")[0] - time.time()) < 3600
    assert etags[0] == etags[1]
    assert etags[0]["open/a.cfg"] == etags[0]["open/service/b.cfg"] != etags[0]["open/c.cfg"]
    assert all(moment < time.time() - 86400 for moment, _size in etags[0].values())


def test_unchanged_files_are_linked_and_changed_ones_written(tree):
    publish(tree, FILES)
    inode = os.stat(os.path.join(tree.current, "open/ata192.cfg")).st_ino
    assert publish(tree, {**FILES, "device/a.cfg": b"new secret"}) == "000002"
    assert os.stat(os.path.join(tree.current, "open/ata192.cfg")).st_ino == inode
    assert read(tree)["device/a.cfg"] == b"new secret"


DAMAGES: dict[str, Callable[[str], object]] = {
    "other content": lambda path: Path(path).write_bytes(b"other!"),
    "more content": lambda path: Path(path).write_bytes(b"secret!"),
    "mode": lambda path: os.chmod(path, 0o644),
    "group": lambda path: os.chown(path, 0, 0),
    "owner": lambda path: os.chown(path, 1, -1),
    "gone": os.unlink,
    "link": lambda path: (os.rename(path, f"{path}.moved"), os.symlink("a.cfg.moved", path)),
    "pipe": lambda path: (os.unlink(path), os.mkfifo(path, 0o640), os.chown(path, -1, grp.getgrnam(GROUP).gr_gid)),
    "folder's mode": lambda path: os.chmod(os.path.dirname(path), 0o755),  # noqa: S103
    "folder's group": lambda path: os.chown(os.path.dirname(path), -1, 0),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_detects_and_repairs_damage(tree, damage):
    publish(tree, FILES)
    damage(os.path.join(tree.current, "device/a.cfg"))
    assert [path for path, file in live_of(tree).entries.items() if not file.fingerprint] == ["device/a.cfg"]
    publish(tree, FILES)
    assert {path: read(tree)[path] for path in FILES} == FILES
    assert all(file.fingerprint for file in live_of(tree).entries.values())


def test_a_large_file_is_verified_to_its_end(tree):
    publish(tree, {"open/firmware": bytes(1_000_000)})
    assert live_of(tree).entries["open/firmware"].fingerprint
    with open(os.path.join(tree.current, "open/firmware"), "r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"!")
    assert not live_of(tree).entries["open/firmware"].fingerprint


def test_keeps_other_files(tree):
    publish(tree, FILES)
    Path(tree.current, "open/by-hand.txt").write_bytes(b"mine")
    os.symlink("by-hand.txt", os.path.join(tree.current, "open/link"))
    assert set(live_of(tree).entries) == set(FILES)
    publish(tree, {"open/ata192.cfg": b"new"})
    assert read(tree) == {"open/ata192.cfg": b"new", "open/by-hand.txt": b"mine", "open/link": b"mine"}
    assert set(live_of(tree).entries) == {"open/ata192.cfg"}


def test_keeps_other_folders(tree):
    publish(tree, FILES)
    os.makedirs(os.path.join(tree.current, "device/private/deep"))
    Path(tree.current, "device/private/deep/note").write_bytes(b"mine")
    os.chmod(os.path.join(tree.current, "device/private"), 0o700)
    os.chown(os.path.join(tree.current, "device/private/deep"), 1, 1)
    publish(tree, {"open/ata192.cfg": b"new"})
    assert read(tree) == {"open/ata192.cfg": b"new", "device/private/deep/note": b"mine"}
    assert access(tree, "device/private") == ("drwx------", "root")
    assert access(tree, "device/private/deep") == ("drwxr-xr-x", grp.getgrgid(1).gr_name)


def test_never_removes_other_files(tree):
    publish(tree, FILES)
    Path(tree.current, "open/by-hand.txt").write_bytes(b"mine")
    tree.install(archive({}, "000001", ["open/by-hand.txt", "device/a.cfg"]), 2)
    assert set(read(tree)) == {"open/ata192.cfg", "open/service/a.cfg", "open/by-hand.txt"}


@pytest.mark.parametrize(("foreign", "new"), [("open/a/b", "open/a"), ("open/a", "open/a/b")])
def test_names_foreign_files_in_the_way(tree, foreign, new):
    publish(tree, FILES)
    path = Path(tree.current, foreign)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"mine")
    with pytest.raises(
        TreeError,
        match=r"current/open/a(/b)? was not published by this collection, and a file to publish needs its place; move it away",
    ):
        publish(tree, {**FILES, new: b"ours"})
    assert read(tree) == {**FILES, foreign: b"mine"}


@pytest.mark.parametrize(("first", "second"), [("open/a/b", "open/a"), ("open/a", "open/a/b")])
def test_a_file_may_become_a_folder_and_vice_versa(tree, first, second):
    publish(tree, {first: b"1"})
    publish(tree, {second: b"2"})
    assert read(tree) == {second: b"2"}
    with pytest.raises(TreeError, match="File exists"):
        tree.install(archive({first: b"3"}, "000002"), 2)
    assert read(tree) == {second: b"2"}


def with_line(line: bytes) -> Callable[[bytes], bytes]:
    """Return a function that replaces the second line of a manifest."""
    return lambda manifest: b"\n".join([*manifest.split(b"\n")[:1], line, *manifest.split(b"\n")[2:]])


MANIFESTS: dict[str, Callable[[bytes], bytes]] = {
    "rubbish": lambda _manifest: b"rubbish",
    "empty": lambda _manifest: b"",
    "another header": lambda manifest: b"[]" + manifest,
    "cut off": lambda manifest: manifest[:-300],
    "not JSON": with_line(b"rubbish"),
    "nested": with_line(b"[" * 100_000),
    "not a list": with_line(b"5"),
    "too short": with_line(b'["open/a"]'),
    "not texts": with_line(b'["open/a",1,2,3,4]'),
    "not a path": with_line(json.dumps(["open/\0", *"dfok"]).encode()),
}


@pytest.mark.parametrize("damage", MANIFESTS.values(), ids=MANIFESTS)
def test_files_missing_from_a_damaged_manifest_are_foreign(tree, damage):
    publish(tree, FILES)
    manifest = Path(tree.current, MANIFEST)
    manifest.write_bytes(damage(manifest.read_bytes()))
    assert len(live_of(tree).entries) < len(FILES)
    publish(tree, {"open/ata192.cfg": b"new"})
    assert read(tree) == {**FILES, "open/ata192.cfg": b"new"}
    assert set(live_of(tree).entries) == {"open/ata192.cfg"}


def test_reading_changes_nothing(tree):
    publish(tree, FILES)

    def refuse(*step):
        raise AssertionError(step)

    def look():
        assert set(live_of(tree).entries) == set(FILES)
        assert tree.live_name() == "000001"
        assert dict(tree.contents(FILES)) == FILES

    assert in_child(look, refuse) == DONE


def test_only_what_changed_is_opened_for_writing(tree):
    publish(tree, FILES)
    opened = []

    def change():
        publish(tree, {**FILES, "device/a.cfg": b"new secret"})
        paths = [str(path) for path in opened if not isinstance(path, int)]
        assert paths == [os.path.join(tree.generations, ".lock"), MANIFEST, "device/a.cfg"]

    assert in_child(change, lambda _step, event, arguments: opened.append(arguments[0]) if event == "open" else None) == DONE


def test_only_root_can_enter_an_incomplete_generation(tree, monkeypatch):
    modes = []
    real = published_tree._write

    def write(base, *more):
        modes.append(stat.filemode(os.fstat(base).st_mode))
        real(base, *more)

    monkeypatch.setattr(published_tree, "_write", write)
    publish(tree, FILES)
    assert modes == ["drwx------"] * len(FILES)


def test_rejects_duplicate_paths(tree):
    stream = io.BytesIO()
    writer = Writer(stream, "", "salt")
    for content in (b"long content", b"short"):
        writer.add("open/a", mark(content), "desk", "service", content)
    writer.finish(())
    stream.seek(0)
    with pytest.raises(TreeError, match="open/a: File exists; the old ones stay"):
        tree.install(stream, 2)
    assert left(tree) == [".lock", "generations"]


def test_calls_syncfs_once_and_fsync_at_most_three_times(tmp_path, monkeypatch):
    tree = PublishedTree(str(tmp_path / "srv"), {"device": GROUP})
    calls = []
    for module, name in ((published_tree, "_syncfs"), (os, "fsync")):
        real = getattr(module, name)
        monkeypatch.setattr(module, name, lambda folder, name=name, real=real: (calls.append(name), real(folder)))
    publish(tree, FILES)
    publish(tree, {**FILES, "open/more": b""})
    assert calls == ["_syncfs", "fsync", "fsync"] * 2
    tree.previous()
    assert calls[6:] == ["fsync", "fsync"]
    assert read(tree) == FILES


def test_does_not_serve_a_generation_that_cannot_be_synced(tree, monkeypatch):
    publish(tree, FILES)

    def fail(_descriptor):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(published_tree, "_syncfs", fail)
    with pytest.raises(TreeError, match="Input/output error; the old ones stay"):
        publish(tree, {**FILES, "open/more": b""})
    assert read(tree) == FILES


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


def test_going_back_needs_no_lock_without_changes(tree):
    publish(tree, FILES)
    publish(tree, {**FILES, "open/more": b""})
    with tree._locked():
        assert tree.previous(dry=True) == ("000001", True)
        with pytest.raises(TreeError, match="another run is publishing"):
            tree.previous()
    tree.previous()
    with tree._locked():
        assert tree.previous() == ("000001", False)


def test_going_back_means_the_one_before_the_newest(tree, monkeypatch):
    publish(tree, FILES)
    publish(tree, {**FILES, "open/more": b"second"})
    locked = tree._locked

    def after_another_run():
        publish(PublishedTree(tree.root, tree.groups), {**FILES, "open/more": b"third"})
        return locked()

    monkeypatch.setattr(tree, "_locked", after_another_run)
    assert tree.previous() == ("000002", True)
    assert read(tree)["open/more"] == b"second"


def test_rejects_going_back_to_a_removed_generation(tree):
    publish(tree, FILES)
    publish(tree, {**FILES, "open/more": b""}, keep=0)
    with pytest.raises(TreeError, match="there is no earlier generation"):
        tree.previous()


@pytest.mark.parametrize("base", ["000007", "000001", ""])
def test_rejects_an_archive_for_another_generation(tree, base):
    publish(tree, FILES)
    publish(tree, {**FILES, "open/more": b""})
    with pytest.raises(TreeError, match=r"another run published to .* in the meantime; run again"):
        tree.install(archive({"open/a": b""}, base=base), 2)
    assert read(tree) == {**FILES, "open/more": b""}


def test_keeps_generations_when_the_link_is_lost(tree):
    publish(tree, FILES)
    os.unlink(tree.current)
    assert live_of(tree) == Live()
    assert publish(tree, {"open/new": b""}) == "000002"
    assert read(tree, "000001") == FILES


def test_a_dangling_link_means_nothing_is_published(tree):
    publish(tree, FILES)
    os.rename(os.path.join(tree.generations, "000001"), os.path.join(tree.root, "elsewhere"))
    assert live_of(tree) == Live()
    assert tree.live_name() == ""
    publish(tree, FILES)
    assert read(tree) == FILES


@pytest.mark.parametrize("target", ["/etc", "generations/../generations/000001", "generations/first", "generations"])
def test_rejects_a_link_to_anything_but_a_generation(tree, target):
    publish(tree, FILES)
    os.unlink(tree.current)
    os.symlink(target, tree.current)
    for call in (tree.inspect, lambda: tree.install(archive(FILES), 2)):
        with pytest.raises(TreeError, match=f"current leads to {target}, which is not a generation; move it away"):
            call()


def test_rejects_a_folder_in_place_of_the_link(tree):
    os.makedirs(tree.current)
    with pytest.raises(TreeError, match="current is not a symbolic link"):
        tree.install(archive(FILES), 2)


@pytest.mark.parametrize("cut", [1, 5, 30])
def test_a_truncated_archive_changes_nothing(tree, cut):
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


def test_keeps_the_requested_number_of_generations(tree):
    for number in range(5):
        publish(tree, {**FILES, "open/n": b"%d" % number}, keep=1)
    assert sorted(os.listdir(tree.generations)) == [".lock", "000004", "000005"]


def test_fifty_publications_take_the_space_of_those_that_are_kept(tree):
    numbers, sizes = [], []
    for number in range(50):
        publish(tree, {**FILES, "open/n": b"%02d" % number}, keep=1)
        # A file that has not changed is one file in both generations
        inodes = {path.lstat().st_ino: path.lstat().st_size for path in Path(tree.root).rglob("*") if path.is_file()}
        numbers.append(len(inodes))
        sizes.append(sum(inodes.values()))
    assert set(numbers[1:]) == {numbers[1]}
    # The times in the two manifests have more or fewer digits
    assert max(sizes) < sizes[1] + 100


@pytest.mark.parametrize(
    ("error", "free", "reason"),
    [
        (errno.ENOSPC, 7, "No space left on device"),
        (errno.ENOSPC, 0, "the file system has no free inodes, so it takes no more files of any size"),
        (errno.EROFS, 0, "Read-only file system"),
        (errno.EDQUOT, 0, "Disk quota exceeded"),
    ],
)
def test_a_failure_leaves_the_old_generation_live(tree, monkeypatch, error, free, reason):
    publish(tree, FILES)
    before = left(tree)

    def fail(*_):
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(published_tree, "_write", fail)
    monkeypatch.setattr(os, "statvfs", lambda _path: SimpleNamespace(f_files=100, f_ffree=free))
    with pytest.raises(TreeError) as raised:
        publish(tree, {**FILES, "open/more": b"more"})
    assert str(raised.value) == f"the new files could not be written below {tree.root}: {reason}; the old ones stay"
    assert read(tree) == FILES
    assert left(tree) == before


def test_a_failure_after_the_swap_does_not_claim_that_the_old_files_stay(tree, monkeypatch):
    publish(tree, FILES)

    def fail(_descriptor):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(TreeError, match=r"000002 is live below .*, but may not outlast a power cut: Input/output error"):
        publish(tree, {**FILES, "open/more": b"more"})
    assert read(tree) == {**FILES, "open/more": b"more"}


SETS = {
    name: {
        "open/all.cfg": name.encode(),
        "open/same.cfg": b"same",
        f"open/{name}/one.cfg": b"one",
        "device/a.cfg": b"a " + name.encode(),
    }
    for name in "ABCDE"
}
HISTORIES = ["", "A", "AB", "ABC<"]
"""What was published before, in this order; <: going back."""


def with_history(root: Path, history: str) -> PublishedTree:
    tree = PublishedTree(str(root), {"device": GROUP})
    for name in history:
        if name == "<":
            tree.previous()
        else:
            publish(tree, SETS[name])
    return tree


def behind(tree) -> dict[str, bytes] | None:
    """Return the generation that going back would make live."""
    try:
        return read(tree, tree.previous(dry=True)[0])
    except TreeError:
        return None


def assert_next_run_succeeds(tree) -> None:
    served = read(tree)
    publish(tree, SETS["E"], keep=1)
    assert read(tree) == SETS["E"]
    assert behind(tree) == (served or None)
    assert [name for name in left(tree) if not name.startswith("0000")] == [".lock", "current", "generations"]
    assert len(os.listdir(tree.generations)) == (3 if served else 2)


@pytest.mark.parametrize(("history", "keep"), [*((history, 1) for history in HISTORIES), ("A", 0)])
def test_killed_before_any_step_a_complete_generation_is_served(tmp_path, quick, history, keep):
    for at in itertools.count(1):
        tree = with_history(tmp_path / str(at), history)
        before, back = read(tree) if history else {}, behind(tree)

        def kill(step, _event, _arguments, at=at):
            if step == at:
                os._exit(KILLED)

        kept = before if keep and before else None
        ended = in_child(lambda tree=tree: publish(tree, SETS["D"], keep), kill)
        served = read(tree)
        if ended == DONE:
            break
        assert ended == KILLED
        assert (served, behind(tree)) in [(before, back), (SETS["D"], before or None), (SETS["D"], kept)]
        assert all(file.fingerprint for file in live_of(tree).entries.values())
        assert_next_run_succeeds(tree)
    assert at > 30
    assert (served, behind(tree)) == (SETS["D"], kept)


def test_removes_only_leftovers_of_killed_runs(tree):
    publish(tree, FILES)
    for name in (".incoming", ".000007"):
        os.makedirs(os.path.join(tree.generations, name, "open"))
    for name in (".current", ".previous"):
        os.symlink("nowhere", os.path.join(tree.root, name))
    Path(tree.generations, ".note").touch()
    assert publish(tree, {**FILES, "open/more": b"more"}) == "000002"
    assert left(tree) == [".lock", ".note", "000001", "000002", "current", "generations"]


def failing_at(at, tree):
    """What raises at this step, and a publication that ends in KILLED if it has fewer."""
    last = []

    def fail(step, _event, _arguments):
        last.append(step)
        if step == at:
            raise OSError(errno.EIO, "Input/output error")

    def work():
        publish(tree, SETS["D"], keep=1)
        if last[-1] < at:
            os._exit(KILLED)

    return fail, work


@pytest.mark.parametrize("history", HISTORIES)
def test_failing_at_any_step_leaves_nothing_behind(tmp_path, quick, history):
    for at in itertools.count(1):
        tree = with_history(tmp_path / str(at), history)
        before, back, names = read(tree) if history else {}, behind(tree), left(tree) if history else []
        fail, work = failing_at(at, tree)
        ended = in_child(work, fail)
        if ended == KILLED:
            break
        assert ended in (DONE, REFUSED)
        served = read(tree) if os.path.exists(tree.current) else {}
        assert (served, behind(tree)) == ((SETS["D"], before or None) if ended == DONE else (before, back))
        if ended == REFUSED and names:
            assert left(tree) == names
        assert_next_run_succeeds(tree)
    assert at > 30


def test_going_back_can_be_repeated_after_a_kill(tmp_path, quick):
    for at in itertools.count(1):
        tree = with_history(tmp_path / str(at), "ABC")

        def kill(step, _event, _arguments, at=at):
            if step == at:
                os._exit(KILLED)

        if in_child(tree.previous, kill) == DONE:
            break
        assert read(tree) in [SETS["B"], SETS["C"]]
        assert behind(tree) == SETS["B"]
        # A run that fails meanwhile does not take the way back
        with pytest.raises(TreeError, match="cut off"):
            tree.install(io.BytesIO(archive({}, tree.live_name()).getvalue()[:-1]), 2)
        assert behind(tree) == SETS["B"]
        if at % 2:
            tree.previous()
            assert read(tree) == SETS["B"]
        assert_next_run_succeeds(tree)
    assert at > 3


UNIT = "units/00-00-5e-00-53-01"
UNIT_FILES = {**FILES, f"{UNIT}/ata192.cfg": b"own", "units/00-00-5e-00-53-02/spa504g.cfg": b"another's"}


def test_only_the_tftp_server_reads_a_units_folder_and_all_may_list_the_units(tree):
    publish(tree, UNIT_FILES)
    assert access(tree, "units") == ("drwxr-xr-x", "root")
    assert access(tree, UNIT) == ("drwxr-x---", GROUP)
    assert access(tree, f"{UNIT}/ata192.cfg") == ("-rw-r-----", GROUP)
    assert all(entry.fingerprint for entry in live_of(tree).entries.values())


def test_a_units_folder_links_to_what_all_units_get_and_to_names_with_a_byte_behind(tree):
    publish(tree, UNIT_FILES)
    folder = os.path.join(tree.current, UNIT)
    assert sorted(map(os.fsencode, os.listdir(folder))) == [b"ata192.cfg", b"ata192.cfg\xff", b"firmware", b"service"]
    assert Path(os.fsdecode(os.fsencode(folder) + b"/ata192.cfg\xff")).read_bytes() == b"own"
    assert Path(folder, "service/a.cfg").read_bytes() == b"sealed"
    os.makedirs(os.path.join(tree.root, "firmware/images"))
    Path(tree.root, "firmware/images/a.img").write_bytes(b"image")
    os.symlink("images", os.path.join(tree.root, "firmware/current"))
    publish(tree, {**UNIT_FILES, "open/new.cfg": b"new"})
    assert Path(folder, "firmware/a.img").read_bytes() == b"image"


def test_a_unit_that_is_not_published_any_more_has_no_folder(tree):
    publish(tree, UNIT_FILES)
    publish(tree, {path: content for path, content in UNIT_FILES.items() if not path.startswith(UNIT)})
    assert os.listdir(os.path.join(tree.current, "units")) == ["00-00-5e-00-53-02"]


def test_a_file_that_a_check_puts_into_a_units_folder_stays_with_its_links(tree):
    publish(tree, UNIT_FILES)
    folder = os.path.join(tree.current, "units/02-00-5e-00-53-00")
    os.mkdir(folder)
    Path(folder, "ata192.cfg").write_bytes(b"of a check")
    publish(tree, {**UNIT_FILES, "open/new.cfg": b"new"})
    assert Path(folder, "ata192.cfg").read_bytes() == b"of a check"
    assert "firmware" in os.listdir(folder)


@pytest.mark.parametrize(
    "path",
    ["../escape", "open/../../escape", "/etc/escape", "open//x", "open/./x", "open/", "", "open/\0", "open/\ud800", MANIFEST],
)
def test_rejects_paths_outside_the_folder(tree, path):
    with pytest.raises(TreeError, match="not a path below the published folder"):
        tree.install(archive({path: b""}), 2)
    assert live_of(tree) == Live()


def test_rejects_an_unknown_group(tmp_path):
    tree = PublishedTree(str(tmp_path / "srv"), {"device": "no-such-group"})
    with pytest.raises(TreeError, match="there is no group no-such-group on this host"):
        tree.install(archive(FILES), 2)


def test_reports_a_deleted_group(tree):
    publish(tree, FILES)
    later = PublishedTree(tree.root, {"device": "no-such-group"})
    assert [path for path, file in live_of(later).entries.items() if not file.fingerprint] == ["device/a.cfg"]
    with pytest.raises(TreeError, match="there is no group no-such-group on this host"):
        later.install(archive({"open/new": b""}, "000001"), 2)
    assert read(tree) == FILES


def test_rejects_a_second_run_at_once(tree):
    publish(tree, FILES)
    with tree._locked(), pytest.raises(TreeError, match="another run is publishing"):
        publish(tree, {**FILES, "open/more": b"more"})


NAMES = [f"open/{name}.cfg" for name in range(6)]


def sealed(number: int) -> dict[str, bytes]:
    """Return the files of one generation; their content names its number."""
    return {path: seal(b"%d of %s\n" % (number, path.encode()) * 50, KEY, "md5") for path in NAMES}


def number_of(base: str) -> int:
    """Return the number of the one whole generation in a folder."""
    plain = {path: unseal(Path(base, path).read_bytes(), KEY, "md5") for path in NAMES}
    numbers = {int(text.split()[0]) for text in plain.values()}
    assert len(numbers) == 1
    assert all(text == b"%d of %s\n" % (*numbers, path.encode()) * 50 for path, text in plain.items())
    return numbers.pop()


def publish_thrice(tree, first: int) -> None:
    """Publish three generations and go back from the last."""
    for number in range(first, first + 3):
        tree.install(archive(sealed(number), tree.live_name()), 1)
    tree.previous()


def publish_until(tree, first: int, stop: Callable[[int, str], bool]) -> tuple[list[str], int]:
    """Publish in a child that stops before the first step for which *stop* is true.

    Return the steps that it came to and its process, 0 if it has ended. A step is named by what it does to which path, whatever the
    numbers of the generations.
    """
    receiver, sender = os.pipe()

    def report(number, event, arguments):
        path = str(arguments[0]).removeprefix(tree.root)
        step = re.sub(r"\d+", "N", f"{event} {path}")
        os.write(sender, f"{step}\n".encode())
        if stop(number, step):
            os.kill(os.getpid(), signal.SIGSTOP)

    child = start_child(lambda: publish_thrice(tree, first), report)
    os.close(sender)
    _child, status = os.waitpid(child, os.WUNTRACED)
    steps = os.read(receiver, 2**16).decode().splitlines()
    os.close(receiver)
    if os.WIFSTOPPED(status):
        return steps, child
    assert os.waitstatus_to_exitcode(status) == DONE
    return steps, 0


def test_killed_at_any_step_of_a_series_a_complete_generation_is_served(tmp_path, quick):
    """Each run goes on from what the killed one left, and is killed at a step that none was killed at: by its number or its name.

    A reader looks while the child stands still at the step.
    """
    tree = PublishedTree(str(tmp_path / "srv"), {})
    tree.install(archive(sealed(0)), 1)
    killed_at, at, served, reading = set(), 1, 0, os.path.realpath(tree.current)
    for run in itertools.count(1):
        steps, child = publish_until(tree, 3 * run, lambda number, step: number == at or step not in killed_at)  # noqa: B023
        if not child:
            break
        killed_at.add(steps[-1])
        at += len(steps) == at
        # As a server does within one request, this reader stays in the folder that the link named when it began
        with contextlib.suppress(FileNotFoundError):
            assert number_of(reading) == served
        reading = os.path.realpath(tree.current)
        served = number_of(reading)
        os.kill(child, signal.SIGKILL)
        assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
        assert number_of(tree.current) == served
        with contextlib.suppress(TreeError):
            number_of(os.path.join(tree.generations, tree.previous(dry=True)[0]))
        assert all(file.fingerprint for file in live_of(tree).entries.values())
    # No step of the run that ended is one at which none was killed, and sweeping is among them
    assert at > len(steps) > 50
    assert killed_at >= {*steps, "os.rmdir /generations/.N", "os.rmdir /generations/.incoming", "os.rename /.current"}
    tree.install(archive({"open/after": b"after"}, tree.live_name()), 1)
    assert read(tree)["open/after"] == b"after"
    assert [name for name in left(tree) if not name.isdigit()] == [".lock", "current", "generations"]
