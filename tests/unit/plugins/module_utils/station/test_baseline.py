# SPDX-License-Identifier: GPL-3.0-or-later
"""A host's state is recorded once, durably, and can be read again."""

from __future__ import annotations

import base64
import json

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.station import baseline as subject
from ansible_collections.voip.preprovision.plugins.module_utils.station.baseline import (
    FORMAT,
    adopt_earlier,
    describe,
    installed_packages,
    link_states,
    needs_adoption,
    parent_folders,
    read_baseline,
    unit_states,
    write_baseline,
)


def fake_output(monkeypatch, text: str) -> None:
    monkeypatch.setattr(subject, "command_output", lambda *_command: text)


def test_counts_only_installed_packages(monkeypatch):
    fake_output(monkeypatch, "installed nginx 1.22.1-9\nconfig-files chrony 4.3\ninstalled lib:amd64 1\nnot-installed x \n")
    assert installed_packages() == {"nginx": "1.22.1-9", "lib:amd64": "1"}


def test_ignores_missing_units(monkeypatch):
    shown = {
        "nginx.service": "UnitFileState=enabled\nActiveState=active\n",
        "chrony.service": "UnitFileState=\nActiveState=inactive\n",
    }
    monkeypatch.setattr(subject, "across_roles", lambda _part: iter(shown))
    monkeypatch.setattr(subject, "command_output", lambda *command: shown[command[-1]])
    assert unit_states() == {"nginx.service": ["enabled", "active"]}


def test_describes_files_links_and_folders(tmp_path):
    (tmp_path / "file").write_bytes(b"\0own")
    (tmp_path / "file").chmod(0o640)
    (tmp_path / "link").symlink_to("file")
    found = describe(str(tmp_path / "file"))
    assert (base64.b64decode(found["content"]), found["mode"], found["kind"]) == (b"\0own", 0o640, "file")
    assert describe(str(tmp_path / "link")) == {"kind": "link", "target": "file"}
    assert describe(str(tmp_path))["kind"] == "folder"
    assert describe(str(tmp_path / "nothing")) is None


def test_does_not_record_the_content_of_large_files(tmp_path, monkeypatch):
    monkeypatch.setattr(subject, "_MAX_SIZE", 3)
    (tmp_path / "log").write_text("more")
    assert "content" not in describe(str(tmp_path / "log"))


def test_describes_network_links_with_addresses_and_routes(monkeypatch):
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
    monkeypatch.setattr(subject, "command_output", lambda *command: answers[command])
    assert link_states() == {
        "eth1": {
            "up": True,
            "addresses": ["fe80::1/64", "198.18.0.5/24"],
            "routes": ["203.0.113.0/24 via 198.18.0.1", "2001:db8::/32 via fe80::2 metric 1024 pref medium"],
        }
    }
    fake_output(monkeypatch, "")
    assert link_states() == {}


def test_reads_what_it_wrote_for_root_only(tmp_path):
    path = tmp_path / "below/baseline.json"
    assert read_baseline(str(path)) is None
    write_baseline(str(path), {"format": FORMAT, "packages": {}})
    assert read_baseline(str(path)) == {"format": FORMAT, "packages": {}}
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert [file.name for file in path.parent.iterdir()] == ["baseline.json"]


@pytest.mark.parametrize("text", ['{"format": 99}', "[]", "{"])
def test_rejects_an_invalid_record(tmp_path, text):
    (tmp_path / "baseline.json").write_text(text)
    with pytest.raises(ValueError):  # noqa: PT011 - also what json says
        read_baseline(str(tmp_path / "baseline.json"))


def test_returns_all_parent_folders():
    assert {"/etc", "/etc/systemd", "/etc/systemd/system", "/etc/nginx/conf.d", "/usr/local/lib"} <= parent_folders()
    assert "" not in parent_folders()
    assert "/" not in parent_folders()


def test_gives_the_record_of_an_earlier_release_its_present_name(tmp_path):
    earlier, path = tmp_path / "before.json", tmp_path / "baseline.json"
    assert adopt_earlier(str(earlier), str(path)) is False
    earlier.write_text("{}")
    assert needs_adoption(str(earlier), str(path))
    assert adopt_earlier(str(earlier), str(path)) is True
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("baseline.json", "{}")]


def test_finishes_a_migration_that_was_killed(tmp_path):
    earlier, path = tmp_path / "before.json", tmp_path / "baseline.json"
    earlier.write_text("{}")
    path.hardlink_to(earlier)
    assert needs_adoption(str(earlier), str(path))
    assert adopt_earlier(str(earlier), str(path)) is True
    assert [file.name for file in tmp_path.iterdir()] == ["baseline.json"]


def test_never_overwrites_a_baseline(tmp_path):
    earlier, path = tmp_path / "before.json", tmp_path / "baseline.json"
    earlier.write_text("earlier")
    path.write_text("present")
    assert not needs_adoption(str(earlier), str(path))
    assert adopt_earlier(str(earlier), str(path)) is False
    assert (earlier.read_text(), path.read_text()) == ("earlier", "present")


def test_reads_the_record_under_either_name(tmp_path):
    earlier, path = tmp_path / "before.json", tmp_path / "baseline.json"
    earlier.write_text(json.dumps({"format": FORMAT, "made": "earlier"}))
    assert read_baseline(str(path), str(earlier))["made"] == "earlier"
    path.write_text(json.dumps({"format": FORMAT, "made": "now"}))
    assert read_baseline(str(path), str(earlier))["made"] == "now"
