# SPDX-License-Identifier: GPL-3.0-or-later
"""The module as run by Ansible, with and without check mode; as root, because files get owners."""

from __future__ import annotations

import base64
import contextlib
import json
import os
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.voip.preprovision.plugins.module_utils.profiles.sealing import aes128gcm
from ansible_collections.voip.preprovision.plugins.module_utils.publishing.transfer import (
    EncryptedWriter,
    Live,
    LiveFile,
    Writer,
    read_contents,
    read_live,
)
from ansible_collections.voip.preprovision.plugins.modules import published_tree

KEY = "a key for one transfer"

pytestmark = pytest.mark.root(reason="only root can give files to a group")


@pytest.fixture
def call(tmp_path, capsys):
    """Return a function that runs the module and returns its result."""

    def run(check=False, **arguments):
        with patch_module_args({"path": str(tmp_path / "srv"), "_ansible_check_mode": check, **arguments}):
            with pytest.raises(SystemExit):
                published_tree.main()
            return json.loads(capsys.readouterr().out)

    return run


@pytest.fixture
def archive(tmp_path):
    """Return a function that writes an archive of one file and returns its path."""

    def write(content, base="", cut=0):
        path = tmp_path / "archive"
        with path.open("wb") as file, contextlib.closing(EncryptedWriter(file, KEY.encode())) as stream:
            writer = Writer(stream, base, "salt")
            writer.add("open/a.cfg", f"print of {content!r}", "desk", "service", content)
            writer.finish(())
        os.truncate(path, path.stat().st_size - cut)
        return str(path)

    return write


def live_of(result) -> Live:
    return read_live(base64.b64decode(result["live"]))


def names(result) -> tuple[bool, str]:
    return result["changed"], result["generation"]


def test_reads_installs_and_reads_again(call, archive, tmp_path):
    assert names(call()) == (False, "")
    assert live_of(call()) == Live()
    assert names(call(check=True, archive=archive(b"first"), archive_key=KEY)) == (True, "")
    assert not (tmp_path / "srv").exists()
    assert names(call(archive=archive(b"first"), archive_key=KEY)) == (True, "000001")
    found = call(check=True)
    assert names(found) == (False, "000001")
    assert live_of(found) == Live("000001", "salt", {"open/a.cfg": LiveFile("print of b'first'", "desk", "service")})


def test_returns_to_the_previous_generation_once(call, archive, tmp_path):
    call(archive=archive(b"first"), archive_key=KEY)
    assert "no earlier generation" in call(check=True, state="previous")["msg"]
    call(archive=archive(b"second", "000001"), archive_key=KEY)
    live = tmp_path / "srv/current/open/a.cfg"
    assert names(call(check=True, state="previous")) == (True, "000001")
    assert live.read_bytes() == b"second"
    assert names(call(state="previous")) == (True, "000001")
    assert live.read_bytes() == b"first"
    assert names(call(check=True, state="previous")) == (False, "000001")
    assert names(call(state="previous")) == (False, "000001")


def test_keeps_the_requested_number_of_earlier_generations(call, archive, tmp_path):
    for number in range(1, 5):
        call(archive=archive(b"%d" % number, f"00000{number - 1}" if number > 1 else ""), archive_key=KEY, keep=1)
    assert sorted(path.name for path in (tmp_path / "srv/generations").iterdir()) == [".lock", "000003", "000004"]


def test_returns_contents_sealed(call, archive):
    call(archive=archive(b"plain secret"), archive_key=KEY)
    result = call(contents=["open/a.cfg", "open/none"], archive_key=KEY)
    packed = base64.b64decode(result["contents"])
    assert read_contents(packed, KEY) == {"open/a.cfg": b"plain secret"}
    assert b"secret" not in packed
    assert KEY not in json.dumps(result)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"contents": ["../escape"], "archive_key": KEY}, "'../escape' is not a path below the published folder"),
        ({"contents": ["open/a.cfg"], "archive_key": ""}, "the key is empty"),
        ({"contents": ["open/a.cfg"]}, "missing parameter(s) required by 'contents': archive_key"),
        ({"archive": "/nonexistent/archive", "archive_key": KEY}, "/nonexistent/archive"),
    ],
)
def test_rejects_invalid_arguments_with_a_message(call, arguments, message):
    result = call(**arguments)
    assert result["failed"]
    assert message in result["msg"]
    assert "exception" not in result


@pytest.mark.parametrize("key", [KEY, "another key"])
def test_truncated_archive_or_other_key_changes_nothing(call, archive, key):
    call(archive=archive(b"first"), archive_key=KEY)
    result = call(archive=archive(b"second", "000001", cut=1), archive_key=key)
    assert result["failed"]
    assert "the old files stay" in result["msg"]
    assert names(call()) == (False, "000001")


def test_names_the_package_to_install_without_cryptography(call, archive, monkeypatch):
    path = archive(b"first")
    monkeypatch.setattr(aes128gcm, "MISSING", ImportError("no cryptography"))
    for arguments in ({"archive": path}, {"contents": []}):
        assert "python3-cryptography" in call(archive_key=KEY, **arguments)["msg"]


def test_reads_without_cryptography(call, archive, monkeypatch, tmp_path):
    call(archive=archive(b"first"), archive_key=KEY)
    monkeypatch.setattr(aes128gcm, "MISSING", ImportError("no cryptography"))
    assert names(call()) == (False, "000001")
    Path(tmp_path, "srv/current/open/a.cfg").write_bytes(b"other")
    assert not live_of(call()).entries["open/a.cfg"].fingerprint
