# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan sends, and what its diff tells."""

from __future__ import annotations

import hashlib

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.profile import Setting
from ansible_collections.voip.preprovision.plugins.module_utils.publication import File
from ansible_collections.voip.preprovision.plugins.module_utils.published_tree import Generation
from ansible_collections.voip.preprovision.plugins.plugin_utils.publishing import Plan, plan


def file(path, **parameters):
    content = repr(parameters).encode()
    return File(path, "ata", "service", content, {name: Setting(value) for name, value in parameters.items()})


def make_plan(files, live) -> Plan:
    return plan(files, live, {file.path: hashlib.sha256(file.content).hexdigest() for file in files})


def live_of(todo: Plan) -> Generation:
    return Generation("000001", {p: hashlib.sha256(c).hexdigest() for p, c in todo.contents.items()}, todo.notes)


OLD = [file("open/a", Password_1_="old secret", Proxy_1_="sip.example.net"), file("open/b", Register_1_="Yes")]


@pytest.mark.parametrize(
    ("new", "missing", "removed", "before", "after"),
    [
        (OLD, set(), set(), [], []),
        (
            [file("open/a", Password_1_="new secret", Proxy_1_="sip.example.net"), OLD[1]],
            {"open/a"},
            set(),
            ["ata: service profile open/a", "    Password_1_: ******** (old value)"],
            ["ata: service profile open/a", "    Password_1_: ******** (new value)"],
        ),
        (
            [file("open/a", Password_1_="old secret", Dial_Plan_1_="x"), OLD[1]],
            {"open/a"},
            set(),
            ["ata: service profile open/a", "    Proxy_1_: ******** (old value)"],
            ["ata: service profile open/a", "    Dial_Plan_1_: ******** (new value)"],
        ),
        ([*OLD, file("open/c", X="1")], {"open/c"}, set(), [], ["ata: service profile open/c"]),
        (OLD[:1], set(), {"open/b"}, ["ata: service profile open/b"], []),
    ],
    ids=["unchanged", "changed", "parameter replaced", "new file", "removed file"],
)
def test_the_difference(new, missing, removed, before, after):
    todo = make_plan(new, live_of(make_plan(OLD, Generation())))
    assert (todo.missing, todo.removed, todo.before, todo.after) == (missing, removed, before, after)
    assert todo.changed == bool(missing or removed)


def test_a_first_publication_sends_everything():
    todo = make_plan(OLD, Generation())
    assert todo.missing == {"open/a", "open/b"}
    assert todo.before == []


def test_a_damaged_file_is_sent_again():
    live = live_of(make_plan(OLD, Generation()))
    damaged = Generation(live.name, {**live.files, "open/a": ""}, live.notes)
    todo = make_plan(OLD, damaged)
    assert todo.missing == {"open/a"}
    assert todo.after == ["ata: service profile open/a", "    sealed anew, or restored on the target"]


def test_notes_and_diff_hold_no_value():
    todo = make_plan(OLD, Generation())
    assert "secret" not in repr((todo.notes, todo.before, todo.after))


def test_fingerprints_are_salted():
    prints = [make_plan(OLD, Generation()).notes["files"]["open/a"]["parameters"]["Password_1_"] for _run in range(2)]
    assert prints[0] != prints[1]
