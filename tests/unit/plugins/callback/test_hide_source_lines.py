# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors and warnings of ansible-playbook give the position and quote no lines; `make cores` runs this file with newer releases."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from ansible.release import __version__ as core
from ansible.utils.display import Display

from ansible_collections.voip.preprovision.plugins.callback import hide_source_lines

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
IMPORTED = f"{PLAY}- ansible.builtin.import_playbook: voip.preprovision.explain\n"
ENABLED = {"ANSIBLE_CALLBACKS_ENABLED": "voip.preprovision.hide_source_lines"}
ANOTHER_RELEASE = "import ansible.release; ansible.release.__version__ = '2.99.1'\n"
OTHER_INTERNALS = (
    f"{ANOTHER_RELEASE}from ansible._internal._errors import _error_utils as e; e.RedactAnnotatedSourceContext.__enter__ = None\n"
)


@pytest.fixture
def run(tmp_path):
    """Return a function that runs a play with a faulty variable and returns its output."""
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars" / "all.yml").write_text(VARIABLES)

    def run_play(play, *options, before="", **environment):
        """*before*: Python code that runs before Ansible."""
        (tmp_path / "play.yml").write_text(play)
        (tmp_path / "start.py").write_text(f"{before}from ansible.cli.playbook import main\nmain()\n")
        clean = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        own = {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache" / "collections")}
        program = ["-m", "ansible", "playbook"] if not before else ["start.py"]
        return subprocess.run(
            [sys.executable, *program, "-i", "localhost,", "-vvvv", *options, "play.yml"],
            env={**clean, **own, **environment},
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        ).stdout

    return run_play


def assert_position_without_lines(shown):
    assert "'nothing' is undefined" in shown
    assert shown.count("/group_vars/all.yml:4:8") == 1
    assert "source not shown" not in shown
    assert "Found duplicate mapping key 'neighbour'" in shown
    assert "planted" not in shown


@pytest.mark.ansible
@pytest.mark.parametrize(
    ("play", "environment"),
    [(IMPORTED, {}), (PLAY, ENABLED), (IMPORTED, ENABLED)],
    ids=["with a playbook of the collection", "enabled", "both"],
)
def test_gives_the_position_and_quotes_no_line(run, play, environment):
    shown = run(play, **environment)
    assert_position_without_lines(shown)
    assert "hide_source_lines is tested with" not in shown


@pytest.mark.ansible
@pytest.mark.parametrize(
    ("play", "options"),
    [
        (PLAY, []),
        (IMPORTED, ["-e", "preprovision_no_log=false"]),
        (IMPORTED.replace("  tasks:", "  vars: {preprovision_no_log: false}\n  tasks:"), []),
    ],
    ids=["not loaded", "turned off by the command line", "turned off by the play"],
)
def test_lines_are_quoted_without_the_plugin(run, play, options):
    assert "planted-3 {{ nothing }}" in run(play, *options)


@pytest.mark.ansible
def test_an_invalid_switch_hides(run):
    assert "planted" not in run(IMPORTED, "-e", "preprovision_no_log=perhaps")


@pytest.mark.ansible
def test_an_unknown_release_warns_once_and_hides(run):
    shown = run(IMPORTED, before=ANOTHER_RELEASE, **ENABLED)
    assert_position_without_lines(shown)
    assert re.sub(r"\s+", " ", shown).count("not with 2.99.1. It hid a line in its own check") == 1


@pytest.mark.ansible
def test_a_release_with_other_internals_warns_once_and_runs_the_play(run):
    shown = run(IMPORTED, before=OTHER_INTERNALS, **ENABLED)
    assert re.sub(r"\s+", " ", shown).count("hide_source_lines does not work with ansible-core 2.99.1") == 1
    assert "planted-3 {{ nothing }}" in shown
    assert "PLAY RECAP" in shown


@pytest.mark.parametrize("missing", ["SourceContext", "from_value", "error", "Origin", "RedactAnnotatedSourceContext"])
def test_missing_internals_warn_and_leave_ansible_unchanged(monkeypatch, missing):
    warnings = []
    monkeypatch.setattr(Display, "warning", lambda _display, text, **_options: warnings.append(text))
    context = hide_source_lines.SourceContext
    if hasattr(context, missing):
        monkeypatch.delattr(context, missing)
    else:
        monkeypatch.setattr(hide_source_lines, missing, None)
    before = dict(vars(context))
    hide_source_lines.CallbackModule()
    assert dict(vars(context)) == before
    assert warnings == [
        f"hide_source_lines does not work with ansible-core {core}: errors may quote lines of files. Keep secrets in a vault."
    ]


def test_running_release_is_listed():
    assert ".".join(core.split(".")[:2]) in hide_source_lines.TESTED
