# SPDX-License-Identifier: GPL-3.0-or-later
"""Files are overwritten before they are removed, and no others."""

from __future__ import annotations

import os

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.station.shredding import remove, shred


def test_overwrites_content_that_another_name_still_shows(tmp_path):
    folder = tmp_path / "keys"
    folder.mkdir()
    (folder / "one").write_bytes(b"secret" * 300_000)
    (folder / "empty").touch()
    os.link(folder / "one", folder / "again")
    os.link(folder / "one", tmp_path / "witness")
    assert shred(str(folder), str(tmp_path / "nothing")) == 2
    assert not folder.exists()
    witness = (tmp_path / "witness").read_bytes()
    assert len(witness) == 1_800_000
    assert b"secret" not in witness


def test_keeps_the_target_of_a_link(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/file").write_text("of somebody else")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/link").symlink_to("../elsewhere/file")
    (tmp_path / "folder/links").symlink_to("../elsewhere")
    (tmp_path / "link").symlink_to("elsewhere")
    assert shred(str(tmp_path / "folder"), str(tmp_path / "link")) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["elsewhere"]
    assert (tmp_path / "elsewhere/file").read_text() == "of somebody else"


@pytest.mark.parametrize("kind", ["file", "folder", "link", "nothing"])
def test_removes_any_kind_of_file(tmp_path, kind):
    path = tmp_path / "it"
    if kind == "file":
        path.touch()
    elif kind == "folder":
        (path / "below").mkdir(parents=True)
    elif kind == "link":
        path.symlink_to("/nowhere")
    remove(str(path))
    assert not os.path.lexists(path)
