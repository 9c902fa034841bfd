# SPDX-License-Identifier: GPL-3.0-or-later
"""A run in the checkout shows what changed, failed or has a message; `make cores` runs this file with newer releases."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.ansible

ROOT = Path(__file__).parents[4]
COMMAND = {"ansible.builtin.command": "true"}
WARNS = """#!/usr/bin/python
from ansible.module_utils.basic import AnsibleModule
module = AnsibleModule({})
module.warn("about something")
module.exit_json(changed=False)
"""


@pytest.fixture
def run(tmp_path):
    """Return a function that runs plays and returns what they print, without the recap's counts."""

    def run_plays(*plays, options=(), hosts=("a",), **environment):
        common = {"hosts": "all", "gather_facts": False, "connection": "local"}
        (tmp_path / "play.yml").write_text(yaml.safe_dump([{"name": "Try", **common, **play} for play in plays]))
        clean = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        own = {
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache" / "collections"),
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
            "ANSIBLE_NOCOLOR": "1",
        }
        return subprocess.run(
            [sys.executable, "-m", "ansible", "playbook", "-i", f"{','.join(hosts)},", *options, "play.yml"],
            env={**clean, **own, **environment},
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        ).stdout

    return run_plays


@pytest.fixture
def roles(tmp_path):
    """Write roles, each with its tasks."""

    def write(**tasks):
        for name, content in tasks.items():
            (tmp_path / "roles" / name / "tasks").mkdir(parents=True)
            (tmp_path / "roles" / name / "tasks" / "main.yml").write_text(yaml.safe_dump(content))
        return list(tasks)

    return write


def above_the_recap(shown):
    return [line for line in shown.partition("PLAY RECAP")[0].splitlines() if line]


def test_a_role_is_one_line_with_its_changes_below(run, roles):
    names = roles(
        bench=[{"name": "Look", **COMMAND, "changed_when": False}, {"name": "Install", **COMMAND}],
        stun_server=[{"name": "Install", **COMMAND, "when": False}],
        web_server=[{"name": "Look", **COMMAND, "changed_when": False}],
    )
    shown = run({"roles": names})
    assert above_the_recap(shown) == [
        "Try",
        "  bench            1 changed",
        "    Install",
        "  stun_server      skipped",
        "  web_server       ok",
        "Changed: bench",
    ]
    assert re.search(r"^a +: ok=3 +changed=1 ", shown, re.MULTILINE)


def test_tasks_outside_of_roles_and_included_roles_are_shown_if_they_change_something(run, roles):
    roles(bench=[{"name": "Look", **COMMAND, "changed_when": False}])
    include = {"name": "Check all", "ansible.builtin.include_role": {"name": "bench"}}
    assert above_the_recap(run({"pre_tasks": [include], "tasks": [{"name": "Record", **COMMAND}]})) == [
        "Try",
        "  Record: changed",
        "Changed: Record",
    ]


def test_handlers_are_shown(run):
    tasks = [{"name": "Install", **COMMAND, "notify": "Restart"}]
    shown = above_the_recap(run({"tasks": tasks, "handlers": [{"name": "Restart", **COMMAND}]}))
    assert shown[1:] == ["  Install: changed", "  Restart: changed", "Changed: Install, Restart"]


def test_hosts_are_named_where_they_differ(run):
    tasks = [{"name": "Both", **COMMAND}, {"name": "One", **COMMAND, "when": "inventory_hostname == 'b'"}]
    assert above_the_recap(run({"tasks": tasks}, hosts=("a", "b")))[1:3] == ["  Both: changed", "  One: changed (b)"]


@pytest.mark.parametrize(
    ("message", "lines"),
    [
        ("one\ntwo", ["one", "two"]),
        (["one", "two"], ["one", "two"]),
        ({"one": 2}, ["    msg:", "        one: 2"]),
        (7, ["7"]),
    ],
)
def test_messages_are_shown_as_they_are(run, message, lines):
    assert above_the_recap(run({"tasks": [{"ansible.builtin.debug": {"msg": message}}]})) == ["Try", *lines, "Nothing changed."]


def test_messages_name_their_host_if_there_are_several(run):
    shown = run({"tasks": [{**COMMAND, "changed_when": False}, {"ansible.builtin.debug": {"msg": "hello"}}]}, hosts=("a", "b"))
    lines = above_the_recap(shown)[1:-1]
    # Hosts end in any order
    assert sorted([lines[:2], lines[2:]]) == [["a:", "hello"], ["b:", "hello"]]


def test_messages_of_a_loop_are_shown(run):
    tasks = [{"ansible.builtin.debug": {"msg": "{{ item }}"}, "loop": ["one", "two"]}]
    assert above_the_recap(run({"tasks": tasks}))[1:-1] == ["one", "two"]


def test_an_error_is_shown_in_full_and_its_role_has_failed(run, roles):
    roles(bench=[{"name": "Check", "ansible.builtin.assert": {"that": False, "fail_msg": "Wrong thing"}}])
    shown = run({"roles": ["bench"]})
    assert "TASK [bench : Check]" in shown
    assert "fatal: [a]: FAILED! =>" in shown
    assert "Wrong thing" in shown
    assert "  bench            failed\n" in shown


def test_warnings_of_tasks_without_changes_are_shown(run, tmp_path):
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "warn.py").write_text(WARNS)
    assert "[WARNING]: about something" in run({"tasks": [{"warn": {}}, {"warn": {}, "loop": [1]}]})


def test_differences_are_shown(run, tmp_path):
    copy = {"ansible.builtin.copy": {"content": "new\n", "dest": str(tmp_path / "file"), "mode": "0600"}}
    shown = run({"tasks": [{"name": "Write", **copy}]}, options=["--check", "--diff"])
    assert "\n+new\n" in shown
    assert shown.index("TASK [Write]") < shown.index("+new") < shown.index("  Write: changed") < shown.index("Would change: Write")
    assert "Try (check mode)" in shown


def test_retries_and_includes_are_not_shown(run, tmp_path):
    (tmp_path / "more.yml").write_text("[]")
    again = {"register": "it", "until": "it.rc == 0", "retries": 1, "delay": 0, "failed_when": False}
    tasks = [{"ansible.builtin.command": "false", **again}, {"ansible.builtin.include_tasks": "more.yml"}]
    shown = run({"tasks": tasks})
    assert "RETRYING" not in shown
    assert "included" not in shown


def test_verbose_runs_are_those_of_the_default_callback(run, roles):
    plays = {"roles": roles(bench=[{"name": "Install", **COMMAND}, {"name": "Never", **COMMAND, "when": False}])}
    plays["tasks"] = [{"ansible.builtin.debug": {"msg": "hello"}}, {"ansible.builtin.meta": "noop"}]
    outputs = [
        re.sub(r"\d+:\d\d:\d\d\.\d+|\d{4}-\d\d-\d\d", "", run(plays, options=["-v"], ANSIBLE_STDOUT_CALLBACK=name))
        for name in ("voip.preprovision.summary", "ansible.builtin.default")
    ]
    assert "skipping: [a]" in outputs[0]
    assert outputs[0] == outputs[1]


def test_its_documentation_is_found():
    done = subprocess.run(
        [sys.executable, "-m", "ansible", "doc", "--type", "callback", "voip.preprovision.summary"],
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "display_failed_stderr" in done.stdout


def test_says_nothing_of_kinds_of_hosts_that_the_inventory_does_not_have(run):
    absent = {"name": "Set up others", "hosts": "{{ 'others' if 'others' in groups else 'all:!all' }}", "tasks": [COMMAND]}
    output = run(absent, {"tasks": [{"name": "Do it", **COMMAND}]})
    assert "Set up others" not in output
    assert "WARNING" not in output
    assert "Do it" in output
    alone = run(absent)
    assert "No host matched; hosts belong to the groups stations, provisioning_servers and database_servers." in alone
    named = run({"name": "Set up others", "hosts": "others", "tasks": [COMMAND]})
    assert re.search(r"Set up others\n.*no hosts matched", named)
