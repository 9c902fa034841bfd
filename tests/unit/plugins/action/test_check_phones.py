# SPDX-License-Identifier: GPL-3.0-or-later
"""Synthetic phones for a check: one of each model, and invalid options. Nothing is installed here."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.ansible

PHONES = {
    "desk-1": {
        "phone_mac": "00:00:5e:00:53:01",
        "phone_model": "ata192",
        "phone_lines": [{"user_id": "1001", "password": "own-secret"}],
    },
    "desk-2": {"phone_mac": "00:00:5e:00:53:02", "phone_model": "SPA504G"},
    "desk-3": {"phone_mac": "00:00:5e:00:53:03", "phone_model": "ATA192"},
}
ROWS = "phone_mac,phone_model\n00:00:5e:00:53:11,SPA112\n00:00:5e:00:53:12,SPA112\n"


@pytest.fixture(scope="module")
def run(controller):
    """One step after another, in check mode, each a task of one playbook."""
    controller.write(
        "inventory/hosts.yml", {"all": {"children": {"stations": {"hosts": controller.station}, "phones": {"hosts": PHONES}}}}
    )
    rows = controller.write("rows.csv", ROWS)

    def step(name, **options):
        arguments = {
            "dest": str(controller.folder / "published"),
            "phones": "{{ groups['phones'] }}",
            "bench_url": "https://prov.example.net/device/$MA.cfg",
            "bench_delivery": "certificate",
            "remote_url": "http://prov.example.net/service/$MA-{key_id}.cfg",
            **options,
        }
        return {"name": name, "voip.preprovision.check_phones": arguments, "check_mode": True, "ignore_errors": True}

    return controller.play(
        [
            step("all"),
            step("named", models=["spa504g", "cp-8851-3pcc"], mac="0a-00-00-00-00-10"),
            step("rows", phones=[], rows=rows),
            step("absent", state="absent"),
            step("none", phones=[]),
            step("no model", models=["ATA193"]),
            step("a maker's address", mac="00:00:5e:00:53:00"),
            step("bad url", bench_url="http://prov.example.net/$MA.cfg"),
        ]
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("all", [("test-ATA192", "02:00:5e:00:53:00"), ("test-SPA504G", "02:00:5e:00:53:01")]),
        ("named", [("test-SPA504G", "0a:00:00:00:00:10"), ("test-CP-8851-3PCC", "0a:00:00:00:00:11")]),
        ("rows", [("test-SPA112", "02:00:5e:00:53:00")]),
    ],
)
def test_each_model_has_one_phone(run, name, expected):
    phones = run.done[name]["phones"]
    assert [(phone["name"], phone["mac"]) for phone in phones] == expected
    assert all(phone["serial"] == phone["mac"].replace(":", "").upper() for phone in phones)


def test_removal_needs_no_phones(run):
    assert run.done["absent"]["left"] == []


def test_contains_no_phone_secrets(run):
    assert "own-secret" not in run.output


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("none", "there are no phones, and so no model to check; name some in models"),
        ("no model", "models: unknown model 'ATA193'; did you mean"),
        ("a maker's address", "use a locally administered address such as 02:00:5e:00:53:00"),
        ("bad url", "is not https"),
    ],
)
def test_rejects_invalid_options_in_one_sentence(run, name, words):
    assert words in run.failed[name]
