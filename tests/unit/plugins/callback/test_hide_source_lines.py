# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors and warnings of ansible-playbook: where it is, and no line of the file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
VARIABLES = """---
neighbour: planted-1
neighbour: planted-2
wrong: planted-3 {{ nothing }}
"""
PLAY = """---
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.debug:
        msg: "{{ wrong }}"
"""


@pytest.fixture
def run(tmp_path):
    """Run a play whose variable is wrong, with the collection's playbooks beside it or not; return what is shown."""
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars" / "all.yml").write_text(VARIABLES)

    def run_play(play, *options, **environment):
        (tmp_path / "play.yml").write_text(play)
        clean = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        own = {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache" / "collections")}
        command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", "-vvvv", *options, "play.yml"]
        return subprocess.run(
            command,
            env={**clean, **own, **environment},
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        ).stdout

    return run_play


IMPORTED = f"{PLAY}- ansible.builtin.import_playbook: voip.preprovision.explain\n"
ENABLED = {"ANSIBLE_CALLBACKS_ENABLED": "voip.preprovision.hide_source_lines"}


@pytest.mark.parametrize(
    ("play", "environment"),
    [(IMPORTED, {}), (PLAY, ENABLED), (IMPORTED, ENABLED)],
    ids=["with a playbook of the collection", "enabled", "both"],
)
def test_the_place_is_told_and_no_line(run, play, environment):
    shown = run(play, **environment)
    assert "'nothing' is undefined" in shown
    assert "/group_vars/all.yml:4:8" in shown
    assert "Found duplicate mapping key 'neighbour'" in shown
    assert "planted" not in shown


@pytest.mark.parametrize(
    ("play", "options"),
    [
        (PLAY, []),
        (IMPORTED, ["-e", "preprovision_no_log=false"]),
        (IMPORTED.replace("  tasks:", "  vars: {preprovision_no_log: false}\n  tasks:"), []),
    ],
    ids=["not loaded", "turned off by the command line", "turned off by the play"],
)
def test_what_is_hidden_otherwise(run, play, options):
    assert "planted-3 {{ nothing }}" in run(play, *options)


def test_a_switch_that_is_no_switch_hides(run):
    assert "planted" not in run(IMPORTED, "-e", "preprovision_no_log=perhaps")
