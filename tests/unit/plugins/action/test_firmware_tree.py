# SPDX-License-Identifier: GPL-3.0-or-later
"""firmware_tree as users run it: ansible-playbook verifies images, sends them in pieces and publishes them."""

from __future__ import annotations

import functools
import hashlib
import http.server
import io
import threading
import zipfile

import pytest

pytestmark = pytest.mark.ansible

BIG = b"0123456789abcdef" * (17 * 1024 * 64)
SMALL = b"a small image"
OTHER = b"another image"


def packed(**parts: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return buffer.getvalue()


PACKAGE = packed(**{"sip88xx.loads": b"names of parts", "rootfs.sbn": b"\0" * 100_000})
OUTSIDE = packed(**{"../../sip88xx.loads": b"names of parts"})


def entry(file: str, content: bytes, version: str, **changes: object) -> dict[str, object]:
    return {"file": file, "sha256": hashlib.sha256(content).hexdigest(), "version": version, "models": ["SPA504G"], **changes}


BIG_IMAGE = entry("images/big.bin", BIG, "7.6.2", minimum="7.5.2b", size=len(BIG))
SMALL_IMAGE = entry("images/Small.BIN", SMALL, "7.5.2b")
PACKAGE_IMAGE = entry("images/cmterm.zip", PACKAGE, "sip88xx.11-3-2MPP0001-609", models=["CP-8851-3PCC"], load="sip88xx.loads")
OTHER_IMAGE = entry("images/other.bin", OTHER, "7.5.2b")
BAD = {
    "checksum": {**OTHER_IMAGE, "sha256": "0" * 64},
    "size": {**OTHER_IMAGE, "size": 5},
    "missing": {**OTHER_IMAGE, "file": "images/nowhere.bin"},
    "outside": entry("images/outside.zip", OUTSIDE, "7.6.2", load="sip88xx.loads"),
    "load": {**PACKAGE_IMAGE, "load": "sip99xx.loads"},
    "version": {**OTHER_IMAGE, "version": "new"},
    "changed": entry("http://127.0.0.1:{port}/far.bin", OTHER, "7.5.2b"),
    "url": entry("http://127.0.0.1:{port}/nowhere.bin", OTHER, "7.5.2b"),
}
WORDS = {
    "checksum": f"other.bin has the sha256 {hashlib.sha256(OTHER).hexdigest()}, but the catalogue says {'0' * 64}",
    "size": "other.bin has 13 bytes, but the catalogue says 5",
    "missing": "nowhere.bin does not exist on the controller",
    "outside": "outside.zip contains '../../sip88xx.loads', a path that leads out of the package",
    "load": "cmterm.zip does not contain sip99xx.loads, the file that its load names; it contains sip88xx.loads",
    "version": "(other.bin): version: 'new' is neither a number nor a version",
    "changed": f"far.bin has the sha256 {hashlib.sha256(SMALL * 2).hexdigest()}, but the catalogue says",
    "url": "nowhere.bin could not be downloaded: HTTP Error 404",
}


@pytest.fixture(scope="module")
def web(tmp_path_factory):
    """A server of images; returns its port."""
    folder = tmp_path_factory.mktemp("web")
    (folder / "far.bin").write_bytes(SMALL * 2)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def run(controller, web):
    """One step after another, each a task of one playbook."""
    controller.write("inventory/hosts.yml", {"all": {"children": {"stations": {"hosts": controller.station}}}})
    for name, content in (
        ("big.bin", BIG),
        ("Small.BIN", SMALL),
        ("other.bin", OTHER),
        ("cmterm.zip", PACKAGE),
        ("outside.zip", OUTSIDE),
    ):
        # Beside the inventory
        controller.write(f"inventory/images/{name}", content)

    def tree(name, *images, check=False, **options):
        images = [{**image, "file": image["file"].format(port=web)} for image in images]
        arguments = {"path": str(controller.folder / "srv"), "cache": str(controller.folder / "cache"), "images": images, **options}
        return {
            "name": name,
            "voip.preprovision.firmware_tree": arguments,
            "check_mode": check,
            "diff": True,
            "ignore_errors": True,
        }

    far = entry("http://127.0.0.1:{port}/far.bin", SMALL * 2, "7.6.2")
    three = (BIG_IMAGE, SMALL_IMAGE, PACKAGE_IMAGE)
    return controller.play(
        [
            tree("nothing"),
            tree("look", *three, state="checked"),
            tree("gap", BIG_IMAGE, state="checked"),
            tree("foresee", *three, check=True),
            tree("serve", *three),
            tree("foresee again", *three, check=True),
            tree("serve again", *three),
            *(tree(f"{name}: {state}", image, state=state) for name, image in BAD.items() for state in ("present", "checked")),
            tree("bomb", PACKAGE_IMAGE, limit=50_000, state="checked"),
            tree("still there", *three),
            tree("foresee a download", far, check=True),
            tree("download", far),
            tree("downloaded", far, SMALL_IMAGE | {"version": "7.5.2a"}),
            tree("end"),
            tree("ended"),
        ],
        # Without pipelining Ansible treats its temporary folder otherwise
        pipelining=False,
    )


def outcome(run, name) -> tuple[bool, list[str], list[str]]:
    done = run.done[name]
    return done["changed"], done["sent"], done["removed"]


def test_the_play_ran(run):
    assert run.code == 0, run.output


def test_an_empty_catalogue_changes_nothing(run):
    assert outcome(run, "nothing") == (False, [], [])


def test_check_mode_predicts_the_changes(run):
    names = ["big.bin", "Small.BIN", "cmterm.zip"]
    assert outcome(run, "foresee") == outcome(run, "serve") == (True, names, [])
    assert outcome(run, "foresee again") == outcome(run, "serve again") == outcome(run, "still there") == (False, [], [])


def test_shows_the_progress_of_a_big_image(run):
    shown = run.shown("serve")
    assert "firmware: sending big.bin (17.8 MB), 1 of 3" in shown
    assert "firmware: sent big.bin: 16.8 MB of 17.8 MB (94 %)" in shown


def test_a_diff_names_images(run):
    for name in ("foresee", "serve"):
        shown = run.shown(name)
        assert [line.split(" sha256:")[0] for line in shown.splitlines() if " sha256:" in line] == [
            "+Small.BIN",
            "+big.bin",
            "+cmterm.zip",
        ]
    assert "sha256:" not in run.shown("serve again")
    assert "-big.bin sha256:" in run.shown("download")


def test_state_checked_only_looks_at_the_controller(run):
    assert run.done["look"]["changed"] is False
    assert "the catalogue has no step for older phones such as a SPA504G" in " ".join(run.shown("gap").split())
    assert "older phones" not in run.shown("look")


@pytest.mark.parametrize("name", BAD)
def test_rejects_bad_images_before_anything_changes(run, name):
    for state in ("present", "checked"):
        if name in ("changed", "url") and state == "checked":
            # Nothing is downloaded to look at it, and nothing that was wrong is kept
            assert run.done[f"{name}: checked"]["changed"] is False
        else:
            assert WORDS[name] in run.failed[f"{name}: {state}"]
            assert "\n" not in run.failed[f"{name}: {state}"]


def test_rejects_a_package_that_would_be_too_big(run):
    assert run.failed["bomb"] == "firmware_images: cmterm.zip would unpack to more than 50,000 bytes"


def test_an_image_from_a_url(run):
    changed, sent, removed = outcome(run, "download")
    assert (changed, sent, {*removed}) == (True, ["far.bin"], {"big.bin", "Small.BIN", "cmterm.zip"})
    assert outcome(run, "foresee a download") == (changed, sent, removed)
    assert "firmware: downloading far.bin" in run.shown("download")
    assert "downloading" not in run.shown("downloaded")
    assert outcome(run, "downloaded") == (True, ["Small.BIN"], [])


def test_an_empty_catalogue_removes_all_images(run, controller):
    assert {*outcome(run, "end")[2]} == {"far.bin", "Small.BIN"}
    assert outcome(run, "ended") == (False, [], [])
    assert list((controller.folder / "srv").iterdir()) == []
