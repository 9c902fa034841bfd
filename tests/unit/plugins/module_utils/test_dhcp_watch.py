# SPDX-License-Identifier: GPL-3.0-or-later
"""The watching service: what it says, how it ends, and that it runs as the package that is put on a station."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ansible_collections.voip.preprovision.plugins.module_utils import dhcp_watch
from ansible_collections.voip.preprovision.plugins.module_utils.dhcp_probe import Offer, ProbeError

ROOT = Path(__file__).parents[4]
ROLE = yaml.safe_load((ROOT / "roles/dhcp_server/vars/main.yml").read_text())
OFFER = Offer("192.0.2.9", "00:00:5e:00:53:09", "192.0.2.9", "offer", "192.0.2.77")


@pytest.mark.parametrize(
    ("found", "status", "line"),
    [
        (
            OFFER,
            3,
            "<1>On bench0 the DHCP server 192.0.2.9 (00:00:5e:00:53:09) offers 192.0.2.77; this station's DHCP server stops\n",
        ),
        (ProbeError("bench0 is down"), 1, "<3>bench0 is down\n"),
    ],
)
def test_it_ends_with_one_line(monkeypatch, capsys, found, status, line):
    asked = []

    def watch(*arguments):
        *options, on_foreign = arguments
        asked.append(options)
        if isinstance(found, Exception):
            raise found
        on_foreign(found)

    monkeypatch.setattr(dhcp_watch, "watch", watch)
    assert dhcp_watch.main(["bench0", "60", "192.0.2.2"]) == status
    assert capsys.readouterr().err == line
    assert asked == [["bench0", ["192.0.2.2"], 60.0]]


def test_the_status_is_the_one_that_systemd_does_not_try_again_after():
    unit = (ROOT / "roles/dhcp_server/templates/etc/systemd/system/preprovision-dhcp-watch.service.j2").read_text()
    assert f"RestartPreventExitStatus={dhcp_watch.FOREIGN_SERVER}" in unit.splitlines()


def test_the_files_that_are_put_on_a_station_are_all_that_it_needs(tmp_path):
    package = tmp_path / "preprovision"
    package.mkdir()
    for name in ROLE["__dhcp_server_code"]:
        shutil.copy(ROOT / "plugins/module_utils" / name, package)
    done = subprocess.run(
        [sys.executable, "-m", "preprovision.dhcp_watch", "nowhere0", "60"],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr.splitlines()[-1]) == (
        1,
        "<3>there is no network interface 'nowhere0' on this machine; 'ip -br link' lists those that are",
    )
