# SPDX-License-Identifier: GPL-3.0-or-later
"""The role makes no certificate with a wrong clock, and no new key where a certificate was signed elsewhere for the old one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
DAY = 86400
PLAY = [
    {
        "hosts": "localhost",
        "gather_facts": False,
        "tasks": [{"ansible.builtin.include_role": {"name": "voip.preprovision.certificates", "tasks_from": "issue.yml"}}],
    }
]


def issue(tmp_path, clock, **variables):
    """Run the tasks in check mode on a host with that clock; return the output, and whether they passed."""
    (tmp_path / "date").write_text(f"#!/bin/sh\necho {clock:.0f}\n")
    (tmp_path / "date").chmod(0o755)
    PLAY[0]["environment"] = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    (tmp_path / "play.yml").write_text(json.dumps(PLAY))
    given = {"__certificates_requests": [], "__certificates_packages": {"changed": True}, "provisioning_name": "prov.example.net"}
    given |= {"bench_address": "192.0.2.1/24", "ansible_python_interpreter": sys.executable}
    given |= variables
    program = str(Path(sys.executable).parent / "ansible-playbook")
    command = [program, "--check", "-i", "localhost,", "-c", "local", "-e", json.dumps(given), str(tmp_path / "play.yml")]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "COLUMNS": "1000"}
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr, done.returncode == 0


@pytest.mark.ansible
@pytest.mark.parametrize(
    ("off", "said"),
    [
        (-5 * 365 * DAY, "1825 days behind the controller's"),
        (3 * DAY, "3 days ahead of the controller's"),
        (3600, ""),
        (0, ""),
    ],
)
def test_refuses_to_make_certificates_with_a_wrong_clock(tmp_path, off, said):
    output, passed = issue(tmp_path, time.time() + off)
    assert passed is not bool(said), output
    # A clock years back may also be before the release
    assert not said or said in output or "but this release of the collection was made after" in output
    assert not said or "so certificates made now would have wrong dates, which phones refuse; set it with" in output


@pytest.mark.ansible
@pytest.mark.parametrize("brought", ["", "server.key"])
def test_refuses_to_replace_a_lost_key_of_a_certificate_signed_elsewhere(tmp_path, brought):
    noted = {"server.key": ["a checksum", "0600", 0, 0]}
    (tmp_path / "ledger").write_text(json.dumps({"files": noted}))
    ledger = {"path": f"{tmp_path}/ledger", "mode": "0644", "uid": 0, "gid": 0, "checksum": "another"}
    output, passed = issue(
        tmp_path,
        time.time(),
        __certificates_folder=str(tmp_path),
        __certificates_found={"files": [ledger]},
        __certificates_requests=[{"file": "server", "provider": "given", "key_bits": 0 if brought else 2048}],
        certificates_signed="signed.pem",
        certificates_key=brought,
    )
    assert passed is bool(brought), output
    assert ("server.key is lost, and the certificate in certificates_signed belongs to it" in output) is not passed
    assert not passed or f"{tmp_path}/server.key: missing" in output
