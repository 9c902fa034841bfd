# SPDX-License-Identifier: GPL-3.0-or-later
"""What a machine was is written down once, and can be read again."""

from __future__ import annotations

import base64
import json

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils import before as subject
from ansible_collections.voip.preprovision.plugins.module_utils.before import (
    FORMAT,
    describe,
    links,
    packages,
    parents,
    read,
    units,
    write,
)


def told(monkeypatch, text: str) -> None:
    monkeypatch.setattr(subject, "output", lambda *_command: text)


def test_only_installed_packages_count(monkeypatch):
    told(monkeypatch, "installed nginx 1.22.1-9\nconfig-files chrony 4.3\ninstalled lib:amd64 1\nnot-installed x \n")
    assert packages() == {"nginx": "1.22.1-9", "lib:amd64": "1"}


def test_units_that_are_not_there_are_not_told(monkeypatch):
    shown = {
        "nginx.service": "UnitFileState=enabled\nActiveState=active\n",
        "chrony.service": "UnitFileState=\nActiveState=inactive\n",
    }
    monkeypatch.setattr(subject, "each", lambda _part: iter(shown))
    monkeypatch.setattr(subject, "output", lambda *command: shown[command[-1]])
    assert units() == {"nginx.service": ["enabled", "active"]}


def test_files_links_and_folders_are_described(tmp_path):
    (tmp_path / "file").write_bytes(b"\0own")
    (tmp_path / "file").chmod(0o640)
    (tmp_path / "link").symlink_to("file")
    found = describe(str(tmp_path / "file"))
    assert (base64.b64decode(found["content"]), found["mode"], found["kind"]) == (b"\0own", 0o640, "file")
    assert describe(str(tmp_path / "link")) == {"kind": "link", "target": "file"}
    assert describe(str(tmp_path))["kind"] == "folder"
    assert describe(str(tmp_path / "nothing")) is None


def test_a_large_file_is_no_configuration(tmp_path, monkeypatch):
    monkeypatch.setattr(subject, "_LARGEST", 3)
    (tmp_path / "log").write_text("more")
    assert "content" not in describe(str(tmp_path / "log"))


def test_links_are_described_with_what_a_bridge_takes_from_them(monkeypatch):
    own = {"local": "fe80::1", "prefixlen": 64, "scope": "link"}
    given = {"local": "198.18.0.5", "prefixlen": 24, "scope": "global"}
    loop = {"local": "127.0.0.1", "prefixlen": 8, "scope": "host"}
    answers = {
        ("ip", "-json", "address"): json.dumps([{"ifname": "eth1", "flags": ["UP"], "addr_info": [own, given, loop]}]),
        ("ip", "-4", "route", "show", "dev", "eth1"): "198.18.0.0/24 proto kernel scope link src 198.18.0.5 linkdown \n"
        "203.0.113.0/24 via 198.18.0.1 linkdown \n",
        ("ip", "-6", "route", "show", "dev", "eth1"): "2001:db8::/32 via fe80::2 metric 1024 pref medium\n"
        "default via fe80::3 proto ra\n",
    }
    monkeypatch.setattr(subject, "output", lambda *command: answers[command])
    assert links() == {
        "eth1": {
            "up": True,
            "addresses": ["fe80::1/64", "198.18.0.5/24"],
            "routes": ["203.0.113.0/24 via 198.18.0.1", "2001:db8::/32 via fe80::2 metric 1024 pref medium"],
        }
    }
    told(monkeypatch, "")
    assert links() == {}


def test_what_is_written_is_for_root_alone_and_is_read(tmp_path):
    path = tmp_path / "below/before.json"
    assert read(str(path)) is None
    write(str(path), {"format": FORMAT, "packages": {}})
    assert read(str(path)) == {"format": FORMAT, "packages": {}}
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert [file.name for file in path.parent.iterdir()] == ["before.json"]


@pytest.mark.parametrize("text", ['{"format": 99}', "[]", "{"])
def test_what_cannot_be_understood_is_refused(tmp_path, text):
    (tmp_path / "before.json").write_text(text)
    with pytest.raises(ValueError):  # noqa: PT011 - also what json says
        read(str(tmp_path / "before.json"))


def test_parents_are_all_folders_above():
    assert {"/etc", "/etc/systemd", "/etc/systemd/system", "/etc/nginx/conf.d", "/usr/local/lib"} <= parents()
    assert "" not in parents()
    assert "/" not in parents()
