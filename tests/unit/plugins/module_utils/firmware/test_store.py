# SPDX-License-Identifier: GPL-3.0-or-later
"""Images on a real file system: stored complete or not at all, and published as sets."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import io
import os
import time
import zipfile
from pathlib import Path

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.firmware import store as firmware_store
from ansible_collections.voip.preprovision.plugins.module_utils.firmware.store import (
    Arriving,
    FirmwareStore,
    Stored,
    StoreError,
    conflict,
)


def digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def packed(**parts) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name.replace("_", "."), content)
    return buffer.getvalue()


@pytest.fixture
def tree(tmp_path):
    """A published folder with a live generation."""
    generation = tmp_path / "srv/generations/000001/open"
    generation.mkdir(parents=True)
    (tmp_path / "srv/current").symlink_to("generations/000001")
    return tmp_path / "srv"


@pytest.fixture
def store(tree):
    return FirmwareStore(str(tree))


@pytest.fixture
def arriving(tmp_path):
    """Split an image into files of 3 bytes."""

    def lay(content, name="a.bin", digest=None, **options):
        paths = []
        for start in range(0, len(content), 3):
            path = tmp_path / f"{name}-{start}"
            path.write_bytes(content[start : start + 3])
            paths.append(str(path))
        return Arriving(digest or digest_of(content), name, paths, name.endswith(".zip"), **options)

    return lay


def served(tree) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (tree / "firmware/current").iterdir()}


def everything(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def put(store, *images) -> list[str]:
    for image in images:
        store.add(image)
    digests = [image.digest for image in images]
    store.publish(digests)
    return digests


def seen(store, digests) -> dict[str, Stored]:
    return {digest: store.stored(digest) for digest in digests}


def test_an_image_is_served_under_all_of_its_names(store, tree, arriving, tmp_path):
    image = arriving(b"ten bytes!", "ATA19x.A.img")
    put(store, image)
    assert served(tree) == dict.fromkeys(("ATA19x.A.img", "ata19x.a.img", "ATA19X.A.img"), b"ten bytes!")
    assert (tree / "current/open/firmware/ata19x.a.img").read_bytes() == b"ten bytes!"
    assert {os.stat(path).st_mode & 0o777 for path in (tree / "firmware/current").iterdir()} == {0o644}
    # The pieces are gone
    assert [path.name for path in tmp_path.iterdir()] == ["srv"]
    assert store.serves(seen(store, [image.digest]))
    assert store.all() == {image.digest: "ATA19x.A.img"}


def test_an_image_has_the_same_etag_on_every_server(store, tree, arriving, tmp_path):
    """nginx makes an ETag of time and size."""
    put(store, arriving(b"image"))
    first = (tree / "firmware/current/a.bin").stat().st_mtime
    other = tmp_path / "other"
    (other / "generations/000001/open").mkdir(parents=True)
    (other / "current").symlink_to("generations/000001")
    put(FirmwareStore(str(other)), arriving(b"image"))
    assert (other / "firmware/current/a.bin").stat().st_mtime == first < time.time() - 86400


def test_a_package_is_served_by_its_parts(store, tree, arriving):
    image = arriving(packed(sip_loads=b"names", rootfs_sbn=b"image"), "cmterm.zip")
    put(store, image)
    assert served(tree) == {"sip.loads": b"names", "rootfs.sbn": b"image"}
    assert store.stored(image.digest).files == {
        name: (5, digest_of(part)) for name, part in (("sip.loads", b"names"), ("rootfs.sbn", b"image"))
    }
    assert "package" not in str(everything(tree))


def test_publishing_removes_other_images_only(store, tree, arriving):
    put(store, arriving(b"one", "a.bin"), arriving(b"two", "b.bin"))
    inode = (tree / "firmware/current/b.bin").stat().st_ino
    store.publish([digest_of(b"two")])
    assert served(tree) == {"b.bin": b"two"}
    assert (tree / "firmware/current/b.bin").stat().st_ino == inode
    assert len(list((tree / "firmware/images").iterdir())) == len(list((tree / "firmware/sets").iterdir())) == 1
    store.publish([])
    assert everything(tree) == everything(tree) == ["current", "generations", "generations/000001", "generations/000001/open"]
    assert store.serves({})
    assert store.all() == {}


def test_a_later_generation_gets_the_link_for_tftp(store, tree, arriving):
    os.unlink(tree / "current")
    (digest,) = put(store, arriving(b"one"))
    assert store.serves(seen(store, [digest]))
    (tree / "current").symlink_to("generations/000001")
    assert not store.serves(seen(store, [digest]))
    store.publish([digest])
    assert store.serves(seen(store, [digest]))


@pytest.mark.parametrize("harm", ["content", "mode", "gone", "link", "manifest", "served", "more"])
def test_detects_and_repairs_damage(store, tree, arriving, harm):
    (digest,) = put(store, arriving(b"one"))
    file = tree / "firmware/images" / digest / "files/a.bin"
    served_file = tree / "firmware/current/a.bin"
    if harm == "content":
        file.write_bytes(b"two")
    elif harm == "mode":
        file.chmod(0o666)
    elif harm == "gone":
        file.unlink()
    elif harm == "link":
        file.unlink()
        file.symlink_to("/etc/passwd")
    elif harm == "manifest":
        (tree / "firmware/images" / digest / "manifest.json").write_text('{"files": []}')
    elif harm == "served":
        served_file.unlink()
        served_file.write_bytes(b"one")
    else:
        (tree / "firmware/current/b.bin").write_bytes(b"")
    found = store.stored(digest)
    assert found is None or not store.serves({digest: found})
    put(store, arriving(b"one"))
    assert store.serves(seen(store, [digest]))
    assert served(tree) == {"a.bin": b"one"}


@pytest.mark.parametrize(
    ("content", "options", "words"),
    [
        (b"one", {"digest": "0" * 64}, "a.bin was damaged in transit"),
        (b"no zip", {"name": "a.zip"}, "a.zip cannot be read as a zip file"),
        (packed(a_loads=b"x" * 10), {"name": "a.zip", "max_bytes": 9}, "a.zip would unpack to more than 9 bytes"),
    ],
)
def test_a_rejected_image_leaves_nothing_behind(store, tree, arriving, content, options, words):
    put(store, arriving(b"old", "old.bin"))
    before = everything(tree)
    with pytest.raises(StoreError, match=words):
        store.add(arriving(content, **options))
    assert everything(tree) == before
    assert served(tree) == {"old.bin": b"old"}


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_failing_disk_changes_nothing(store, tree, arriving, code, monkeypatch):
    put(store, arriving(b"old", "old.bin"))
    before = everything(tree)

    def fail(_file):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(firmware_store, "_make_durable", fail)
    with pytest.raises(StoreError) as caught:
        store.add(arriving(b"new"))
    assert ("there is no space left in" in str(caught.value)) == (code == errno.ENOSPC)
    assert "The images served so far are still served" in str(caught.value)
    assert everything(tree) == before


def test_one_run_at_a_time(store, tree, arriving):
    put(store, arriving(b"old"))
    with open(tree / "firmware/.lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(StoreError, match="another run is changing"):
            store.publish([])


def test_refuses_to_publish_an_image_that_has_disappeared(store):
    with pytest.raises(StoreError, match=r"has disappeared from .*; run again"):
        store.publish(["0" * 64])


def test_refuses_to_replace_a_published_file_with_the_link(store, tree, arriving):
    (tree / "current/open/firmware").mkdir()
    with pytest.raises(StoreError, match="exists where the link to the firmware must be"):
        put(store, arriving(b"one"))


def test_two_packages_may_share_identical_parts(store, tree, arriving):
    one = arriving(packed(a_loads=b"1", same_sbn=b"s"), "one.zip")
    two = arriving(packed(b_loads=b"2", same_sbn=b"s"), "two.zip")
    put(store, one, two)
    assert served(tree) == {"a.loads": b"1", "b.loads": b"2", "same.sbn": b"s"}


def test_two_packages_must_not_have_different_parts_of_one_name():
    images = {"1": Stored("one.zip", {"same.sbn": (1, "a")}), "2": Stored("two.zip", {"SAME.sbn": (1, "b")})}
    assert conflict(images) == "one.zip and two.zip contain different files named SAME.sbn; serve only one of these images"
    assert conflict({"1": images["1"]}) == ""


def test_reports_the_space_of_a_folder_that_does_not_exist_yet(tmp_path):
    free, device = FirmwareStore(str(tmp_path / "srv/preprovision")).space()
    assert free > 0
    assert device == tmp_path.stat().st_dev
