# SPDX-License-Identifier: GPL-3.0-or-later
"""The service's database as users see it: ansible-playbook fills it."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
import sys
from pathlib import Path

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.profiles.keys import fingerprint
from ansible_collections.voip.preprovision.plugins.plugin_utils.source_code import collect

pytestmark = pytest.mark.ansible

ROOT = Path(__file__).parents[4]
SOURCE = ROOT / "roles" / "profile_service" / "files" / "preprovision_service"
MASTER_KEY = "a master key of sixteen characters and more"
DOMAIN = [path.name for path in (ROOT / "plugins" / "module_utils").iterdir() if (path / "__init__.py").is_file()]
OTHER_KEY = "another master key of sixteen characters and more"
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
    """Return the folder of code and database."""
    return controller.folder


def place_code(folder):
    """Return a step that puts the service's code where a role would."""
    for name, path in collect(str(SOURCE), DOMAIN, "domain").items():
        copied = folder / "built" / "preprovision_service" / name
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copied)
    return {"name": "code", "ansible.builtin.command": {"argv": ["mv", str(folder / "built"), str(folder / "lib")]}}


def fill(folder, name, check=False, **options):
    arguments = {
        "database": f"sqlite:///{folder}/service.sqlite",
        "code": str(folder / "lib"),
        "owner": "root",
        "phones": "{{ groups['phones'] }}",
        "master_key": MASTER_KEY,
        "bench_url": "https://prov.example.net/device/$MA.cfg",
        "bench_delivery": "certificate",
        "remote_url": "http://prov.example.net/service/$MA-{key_id}.cfg",
        **options,
    }
    step = {"name": name, "voip.preprovision.phone_database": arguments, "check_mode": check, "ignore_errors": True}
    return {**step, "diff": True}


def migrate(folder):
    return {
        "name": "migrate",
        "ansible.builtin.command": {
            "argv": [sys.executable, "-m", "preprovision_service.cli.migrate"],
            "chdir": str(folder / "lib"),
        },
        "environment": {
            "PYTHONPATH": str(folder / "lib"),
            "PREPROVISION_SERVICE_CONFIG": str(folder / "config.json"),
            "STATE_DIRECTORY": str(folder),
        },
    }


@pytest.fixture(scope="module")
def run(controller):
    """One step after another, each a task of one playbook."""
    folder = controller.folder
    hosts = {"stations": {"hosts": controller.station}, "phones": {"hosts": PHONES}}
    controller.write("inventory/hosts.yml", {"all": {"children": hosts}})
    (folder / "config.json").write_text(json.dumps({"DATABASE": f"sqlite:///{folder}/service.sqlite"}))
    word = {"ansible.builtin.set_fact": {"word": "another-secret"}, "delegate_to": "desk-1", "delegate_facts": True}
    customers = {"example": {"provisioning_url": "https://prov.example.com/$MA.cfg"}}
    few = ["desk-1", "desk-3"]
    steps = [
        fill(folder, "check without code", check=True),
        place_code(folder),
        fill(folder, "check without tables", check=True),
        migrate(folder),
        fill(folder, "check", check=True),
        fill(folder, "fill"),
        fill(folder, "again"),
        {"name": "word", **word},
        fill(folder, "check changed", check=True),
        fill(folder, "changed"),
        fill(folder, "customers", customers=customers, redirects={"00:00:5e:00:53:02": "https://other.example.com/"}),
        fill(folder, "customers again", customers=customers, redirects={"00:00:5e:00:53:02": "https://other.example.com/"}),
        fill(folder, "check rearm", check=True, rearm=["desk-3", "00:00:5e:00:53:01"]),
        fill(folder, "rearm", rearm=["desk-3", "00:00:5e:00:53:01"]),
        fill(folder, "rearm one", rearm="desk-2"),
        fill(folder, "rearm all", rearm="all"),
        fill(folder, "rearm nobody", rearm=["desk-3", "desk-9"]),
        fill(folder, "fewer", phones=few),
        fill(folder, "none", phones=[]),
        fill(folder, "bad customer", customers={"example": {"url": "x"}}),
        fill(folder, "bad redirect", redirects={"00:00:5e:00:53:02": "somewhere else"}),
        fill(folder, "bad phone", bench_url="http://prov.example.net/$MA.cfg"),
        fill(folder, "trial", state="checked"),
        fill(folder, "trial in check mode", check=True, state="checked"),
        fill(folder, "trial with another key", state="checked", master_key=OTHER_KEY),
        fill(folder, "another key", phones=few, master_key=OTHER_KEY),
        fill(folder, "replaced key", phones=few, master_key=OTHER_KEY, replace_master_key=True),
        fill(folder, "key that follows", phones=few, previous_master_key=OTHER_KEY),
    ]
    return controller.play(steps)


def result_of(run, name):
    """Return what a sync changed or would change."""
    return tuple(run.done[name][key] for key in ("changed", "upserted", "removed"))


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
        # Without its redirect, one phone is changed too
        ("check rearm", (True, 1, 0)),
        ("rearm", (True, 1, 0)),
        ("rearm one", (True, 0, 0)),
        ("rearm all", (True, 0, 0)),
        ("fewer", (True, 0, 1)),
        ("replaced key", (True, 2, 0)),
        ("key that follows", (True, 2, 0)),
    ],
)
def test_sync_results(run, name, expected):
    assert result_of(run, name) == expected, run.output


@pytest.mark.parametrize(
    ("name", "rearmed"),
    [
        ("again", []),
        ("check rearm", ["desk-3", "desk-1"]),
        ("rearm", ["desk-3", "desk-1"]),
        ("rearm one", ["desk-2"]),
        ("rearm all", ["desk-1", "desk-2", "desk-3"]),
    ],
)
def test_rearms_phones(run, name, rearmed):
    assert run.done[name]["rearmed"] == rearmed
    assert [phone for phone in ("desk-1", "desk-2", "desk-3") if f"{phone} (rearmed)" in run.shown(name)] == sorted(rearmed)


def test_a_trial_changes_nothing(run):
    assert [run.done[name]["changed"] for name in ("trial", "trial in check mode")] == [False, False]


def test_rearms_in_the_database(run, folder):
    with contextlib.closing(sqlite3.connect(folder / "service.sqlite")) as database:
        events = database.execute("SELECT mac, detail FROM events WHERE kind = 'rearmed' ORDER BY id").fetchall()
    first, second, third = ("00005e005301", "00005e005302", "00005e005303")
    assert sorted(events[:2]) == [(first, '{"state": "expected"}'), (third, '{"state": "expected"}')]
    assert events[2][0] == second
    assert sorted(mac for mac, _detail in events[3:]) == [first, second, third]


def test_database_content(run, folder):
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


def test_shows_no_secrets(run):
    for secret in ("secret-1001", "another-secret", OWN_KEY, MASTER_KEY, OTHER_KEY):
        for name in ("fill", "changed", "fewer"):
            assert secret not in json.dumps(run.done[name])
            assert secret not in run.shown(name)
    assert "desk-1 (changed)" in run.shown("changed")
    assert "00005e005302 (removed)" in run.shown("fewer")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("none", "phones contains no phones, so all 2 in the database would be removed"),
        ("rearm nobody", "rearm: no phone of the inventory is called 'desk-9'; did you mean 'desk-"),
        ("bad customer", "customers: example: write a mapping with provisioning_url, redirect or both"),
        ("bad redirect", "redirects: 00:00:5e:00:53:02: a phone cannot follow this URL"),
        ("bad phone", "bench_url: 'http://prov.example.net/$MA.cfg' is not https"),
        ("trial with another key", f"were published with the key that has the fingerprint {fingerprint(MASTER_KEY)}, and"),
        ("another key", "run once with -e phone_profiles_replace_master_key=true"),
    ],
)
def test_rejects_invalid_input(run, name, words):
    assert words in run.failed[name]


def test_leaves_no_temporary_files(run, folder):
    assert [path for name in ("local", "remote") for path in (folder / name).rglob("*") if path.is_file()] == []
