# SPDX-License-Identifier: GPL-3.0-or-later
"""The service's code and database as users see them: ansible-playbook itself brings the one and fills the other."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
import sys
from pathlib import Path

import pytest

from ansible_collections.voip.preprovision.plugins.action.source_tree import pack

ROOT = Path(__file__).parents[4]
SOURCE = ROOT / "roles" / "profile_service" / "files" / "preprovision_service"
MASTER_KEY = "a master key of sixteen characters and more"
OWN_KEY = "a-profile-key-of-its-own"
PHONES = {
    "desk-1": {
        "phone_mac": "00:00:5e:00:53:01",
        "phone_model": "ata192",
        "phone_serial": "FCH0000D001",
        "phone_customer": "example",
        "phone_lines": [{"user_id": "1001", "password": "{{ word | default('secret-1001') }}"}],
        "ansible_user": "nobody",
    },
    "desk-2": {"phone_mac": "0000.5e00.5302", "phone_model": "SPA504G", "phone_profile_key": OWN_KEY},
    "desk-3": {"phone_mac": "00-00-5E-00-53-03", "phone_model": "SPA504G"},
}


@pytest.fixture(scope="module")
def folder(controller):
    """Where everything is."""
    return controller.folder


@pytest.fixture(scope="module")
def run(controller):
    """One step after another, each a task of one playbook."""
    folder = controller.folder
    hosts = {"stations": {"hosts": controller.station}, "phones": {"hosts": PHONES}}
    controller.write("inventory/hosts.yml", {"all": {"children": hosts}})
    source = folder / "source"
    shutil.copytree(SOURCE, source, ignore=shutil.ignore_patterns("__pycache__"))
    parts = {"domain": str(ROOT / "plugins" / "module_utils")}
    database = f"sqlite:///{folder}/service.sqlite"
    (folder / "config.json").write_text(json.dumps({"DATABASE": database}))

    def tree(name, check=False, **options):
        arguments = {"src": str(source), "parts": parts, "path": str(folder / "lib" / "preprovision_service"), **options}
        return {"name": name, "voip.preprovision.source_tree": arguments, "check_mode": check, "ignore_errors": True}

    def fill(name, check=False, **options):
        arguments = {
            "database": database,
            "code": str(folder / "lib"),
            "owner": "root",
            "phones": "{{ groups['phones'] }}",
            "master_key": MASTER_KEY,
            "bench_url": "https://prov.example.net/device/$MA.cfg",
            "remote_url": "http://prov.example.net/service/$MA-{key_id}.cfg",
            **options,
        }
        step = {"name": name, "voip.preprovision.phone_database": arguments, "check_mode": check, "ignore_errors": True}
        return {**step, "diff": True}

    migrate = {
        "name": "migrate",
        "ansible.builtin.command": {"argv": [sys.executable, "-m", "preprovision_service.migrate"], "chdir": str(folder / "lib")},
        "environment": {
            "PYTHONPATH": str(folder / "lib"),
            "PREPROVISION_SERVICE_CONFIG": str(folder / "config.json"),
            "STATE_DIRECTORY": str(folder),
        },
    }
    word = {"ansible.builtin.set_fact": {"word": "another-secret"}, "delegate_to": "desk-1", "delegate_facts": True}
    change = {"ansible.builtin.copy": {"content": "CHANGED = True\n", "dest": str(source / "more.py"), "mode": "0644"}}
    customers = {"example": {"provisioning_url": "https://prov.example.com/$MA.cfg"}}
    few = ["desk-1", "desk-3"]
    steps = [
        fill("check without code", check=True),
        tree("check tree", check=True),
        tree("tree"),
        tree("tree again"),
        fill("check without tables", check=True),
        migrate,
        fill("check", check=True),
        fill("fill"),
        fill("again"),
        {"name": "word", **word},
        fill("check changed", check=True),
        fill("changed"),
        fill("customers", customers=customers, redirects={"00:00:5e:00:53:02": "https://other.example.com/"}),
        fill("customers again", customers=customers, redirects={"00:00:5e:00:53:02": "https://other.example.com/"}),
        fill("fewer", phones=few),
        fill("none", phones=[]),
        fill("bad customer", customers={"example": {"url": "x"}}),
        fill("bad redirect", redirects={"00:00:5e:00:53:02": "somewhere else"}),
        fill("bad phone", bench_url="http://prov.example.net/$MA.cfg"),
        {"name": "change", **change},
        tree("tree changed"),
        tree("no tree", src=str(folder / "nowhere")),
    ]
    return controller.play(steps)


def told(run, name):
    """What a filling changed, or would change."""
    return tuple(run.done[name][key] for key in ("changed", "put_in", "removed"))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("check without code", (True, 3, 0)),
        ("check without tables", (True, 3, 0)),
        ("check", (True, 3, 0)),
        ("fill", (True, 3, 0)),
        ("again", (False, 0, 0)),
        ("check changed", (True, 1, 0)),
        ("changed", (True, 1, 0)),
        ("customers", (True, 1, 0)),
        ("customers again", (False, 0, 0)),
        ("fewer", (True, 0, 1)),
    ],
)
def test_fillings(run, name, expected):
    assert told(run, name) == expected, run.output


def test_what_is_in_the_database(run, folder):
    assert run.code == 0, run.output
    with contextlib.closing(sqlite3.connect(folder / "service.sqlite")) as database:
        rows = database.execute(
            "SELECT mac, name, model, serial, customer, source, state, variables FROM phones ORDER BY mac"
        ).fetchall()
        everything = "\n".join(database.iterdump())
    assert [row[:7] for row in rows] == [
        ("00005e005301", "desk-1", "ATA192", "FCH0000D001", "example", "inventory", "expected"),
        ("00005e005303", "desk-3", "SPA504G", "", "", "inventory", "expected"),
    ]
    variables = json.loads(rows[0][7])
    assert variables["phone_lines"] == [{"user_id": "1001", "password": "another-secret"}]
    assert len(variables["phone_profile_key"]) == 64
    assert not [name for name in variables if not name.startswith("phone_")]
    assert MASTER_KEY not in everything


def test_no_secret_is_shown(run):
    for secret in ("secret-1001", "another-secret", OWN_KEY, MASTER_KEY):
        for name in ("fill", "changed", "fewer"):
            assert secret not in json.dumps(run.done[name])
            assert secret not in run.shown(name)
    assert "desk-1 (changed)" in run.shown("changed")
    assert "00005e005302 (removed)" in run.shown("fewer")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("none", "phones holds no phone, and the 2 in the database would be removed"),
        ("bad customer", "customers: example: write a mapping with provisioning_url, redirect or both"),
        ("bad redirect", "redirects: 00:00:5e:00:53:02: it is no URL that a phone can follow"),
        ("bad phone", "bench_url: 'http://prov.example.net/$MA.cfg' is not https"),
        ("no tree", "nowhere is no folder on the controller"),
    ],
)
def test_refusals(run, name, words):
    assert words in run.failed[name]


def test_code(run, folder):
    assert [run.done[name]["changed"] for name in ("check tree", "tree", "tree again", "tree changed")] == [True, True, False, True]
    link = folder / "lib" / "preprovision_service"
    assert link.is_symlink()
    assert (link / "more.py").read_text() == "CHANGED = True\n"
    assert (link / "domain" / "mac.py").read_bytes() == (ROOT / "plugins/module_utils/mac.py").read_bytes()
    assert (link / "__pycache__").is_dir()
    # The one in use, and the one before
    releases = sorted(path.name for path in (folder / "lib" / ".releases").iterdir())
    assert releases == sorted([run.done["tree"]["digest"], run.done["tree changed"]["digest"]])


def test_nothing_is_left_behind(run, folder):
    assert [path for name in ("local", "remote") for path in (folder / name).rglob("*") if path.is_file()] == []


def test_equal_code_makes_equal_archives(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name / "below").mkdir(parents=True)
        for path in sorted(("a.py", "below/b.py"), reverse=name == "two"):
            (tmp_path / name / path).write_text(path)
    (tmp_path / "two" / "__pycache__").mkdir()
    (tmp_path / "two" / "__pycache__" / "a.pyc").write_bytes(b"compiled")
    one, two = ({"": tmp_path / name, "more/": tmp_path / name / "below"} for name in ("one", "two"))
    assert pack(one) == pack(two)
    (tmp_path / "two" / "a.py").write_text("changed")
    assert pack(one) != pack(two)
