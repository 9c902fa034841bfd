# SPDX-License-Identifier: GPL-3.0-or-later
"""Publishing as users see it: ansible-playbook itself, with hosts and with rows (as root, since files get owners)."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import sqlite3

import pytest
from ansible.parsing.vault import VaultLib, VaultSecret
from ansible.utils.display import Display

from ansible_collections.voip.preprovision.plugins.plugin_utils.progress import MIN_FOR_PROGRESS, report_progress

pytestmark = [pytest.mark.ansible, pytest.mark.root(reason="only root can give files to a group")]

OPTIONS = {
    "bench_url": "https://prov.example.net/device/$MA.cfg",
    "bench_delivery": "certificate",
    "remote_url": "http://prov.example.net/service/$MA-{key_id}.cfg",
    "device_group": "root",
    "keep": 99,
    "master_key": "{{ master }}",
    "phones": "{{ groups['phones'] }}",
}
OTHER_KEY = "another master key, of sixteen characters and more"
OWN_KEY = "a-profile-key-of-its-own"
GROUPS = {
    "all": {"phone_resync": {"periodic": 3600}, "phone_parameters_10_all": {"Time_Zone": "GMT+01:00"}},
    "model": {"ATA192": {"phone_web": {"admin_password": "secret-of-models"}}},
    "customer": {"example": {"phone_parameters_20_customer": {"Proxy_1_": "sip.example.com"}}},
}
PHONES = {
    "desk-1": {
        "phone_mac": "00:00:5e:00:53:01",
        "phone_model": "ATA192",
        "phone_customer": "example",
        "phone_lines": [{"user_id": "1001", "password": "secret-1001"}, {}, {"user_id": "1003", "display_name": "Café & <Bar>"}],
    },
    "desk-2": {
        "phone_mac": "0000.5e00.5302",
        "phone_model": "SPA504G",
        "phone_profile_key_previous": "the-key-that-it-still-holds",
        "phone_lines": [{"user_id": "2001", "password": "secret-2001"}],
        "phone_parameters": {"Time_Zone": "GMT+02:00"},
    },
    "desk-3": {
        "phone_mac": "00-00-5E-00-53-03",
        "phone_model": "CP-8851-3PCC",
        "phone_customer": "example",
        "phone_profile_key": OWN_KEY,
        "phone_sealing": "aes128gcm",
    },
    "desk-4": {
        "phone_mac": "00005e005304",
        "phone_model": "SPA504G",
        "phone_profile_template": "own.j2",
        "phone_lines": [{"user_id": "4001", "password": "secret-4001"}],
    },
}
TEMPLATE = """<flat-profile>
<Profile_Rule>{{ parameters.Profile_Rule }}</Profile_Rule>
<Password_1_>{{ lines[0].password }}</Password_1_>
</flat-profile>
"""
VAULT = VaultLib([("default", VaultSecret(b"a password of the vault"))])


def vaulted(text):
    return VAULT.encrypt(text)


def inventory_of(station, changed):
    """Return the phones as hosts, in groups with the variables of GROUPS; *changed* replaces variables in PHONES."""
    hosts = {name: {**variables, **changed.get(name, {})} for name, variables in PHONES.items()}
    return {
        "all": {
            "vars": {**GROUPS["all"], "master": "a master key of sixteen characters and more"},
            "children": {
                "stations": {"hosts": station},
                "phones": {"hosts": hosts},
                "ata192": {"hosts": {"desk-1": {}}, "vars": GROUPS["model"]["ATA192"]},
                "example": {"hosts": {"desk-1": {}, "desk-3": {}}, "vars": GROUPS["customer"]["example"]},
            },
        }
    }


def columns_of(variables, name=()):
    """Flatten a phone's variables into cells by their columns."""
    cells = {}
    for key, value in variables.items():
        path = (*name, str(key))
        if isinstance(value, list):
            value = dict(enumerate(value, 1))
        if isinstance(value, dict):
            cells |= columns_of(value, path)
        else:
            cells[".".join(path)] = value
    return cells


def csv_of(phones):
    rows = [{"name": name, **columns_of(variables)} for name, variables in phones.items()]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(column for row in rows for column in row)))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def json_lines_of(phones):
    return "".join(json.dumps({"name": name, **variables}) + "\n" for name, variables in phones.items())


def make_database(path, phones):
    """Store the phones in the table units, with columns of its own and lists as JSON."""
    columns = sorted({column for variables in phones.values() for column in variables})
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute(f"CREATE TABLE units (shipped, id, {', '.join(columns)})")
        for name, variables in (*phones.items(), ("desk-9", {})):
            values = [variables.get(column) for column in columns]
            cells = [json.dumps(value) if isinstance(value, list | dict) else value for value in values]
            places = ", ".join("?" * (len(cells) + 2))
            database.execute(f"INSERT INTO units VALUES ({places})", [None if variables else "yes", name, *cells])  # noqa: S608
    return f"SELECT id AS name, {', '.join(columns)} FROM units WHERE shipped IS NULL ORDER BY id"  # noqa: S608


def step(name, check=False, **options):
    """Return a task with OPTIONS unless others are given; None omits one."""
    arguments = {key: value for key, value in {**OPTIONS, **options}.items() if value is not None}
    return {"name": name, "voip.preprovision.profiles": arguments, "check_mode": check, "ignore_errors": True}


def changes(result):
    """Return what a publication changed or would change."""
    return {name: result[name] for name in ("changed", "published", "unchanged", "removed", "files", "sent")}


def write_phones(controller):
    """Write the same phones as an inventory and as rows of each form; return the query for those in the database."""
    word = "{{ word | default('secret-2001') }}"
    changed = {"desk-2": {"phone_lines": [{"user_id": "2001", "password": word}]}, "desk-3": {"phone_profile_key": None}}
    controller.write("inventory/hosts.yml", inventory_of(controller.station, changed))
    block = vaulted(OWN_KEY).decode().replace("\n", "\n  ")
    controller.write("inventory/host_vars/desk-3.yml", f"phone_profile_key: !vault |\n  {block}\n")
    controller.write("templates/own.j2", TEMPLATE)
    controller.write("password", "a password of the vault\n")
    controller.write("phones.csv", csv_of(PHONES))
    controller.write("vaulted.csv", vaulted(csv_of(PHONES)))
    controller.write("phones.jsonl", json_lines_of(PHONES))
    many = {f"many-{number}": {"phone_mac": f"00005e00{number:04x}", "phone_model": "ATA192"} for number in range(500)}
    controller.write("500.csv", csv_of(many))
    controller.write("499.csv", csv_of(dict(list(many.items())[:499])))
    return make_database(controller.folder / "phones.db", PHONES)


@pytest.fixture(scope="module")
def publications(controller):
    """One publication after another, each a task of one playbook."""
    query = write_phones(controller)

    def dest(name):
        return {"dest": str(controller.folder / name)}

    def rows(name, file, **options):
        return step(name, phones=None, rows=file, groups=GROUPS, **dest(name), **options)

    here, kinds, never = dest("hosts"), dest("kinds"), dest("never")
    one = ["desk-1"]
    change = {"ansible.builtin.set_fact": {"word": "another-secret"}, "delegate_to": "desk-2", "delegate_facts": True}
    return controller.play(
        [
            step("checked", state="checked", **never),
            step("check 1", check=True, **never),
            step("real 1", **here),
            step("check 2", check=True, **here),
            step("real 2", **here),
            rows("csv", "phones.csv"),
            rows("jsonl", "phones.jsonl"),
            rows("sqlite", "phones.db", query=query),
            rows("vault", "vaulted.csv"),
            {"name": "another password", **change},
            step("check changed", check=True, **here),
            step("real changed", **here),
            step("real fewer", phones=one, **here),
            step("check purge", check=True, phones=one, purge=True, **here),
            step("real purge", phones=one, purge=True, **here),
            step("check back", check=True, state="previous", **here),
            step("real back", state="previous", **here),
            step("real back again", state="previous", **here),
            step("forward", phones=one, purge=True, **here),
            step("kinds 1", kinds=["service"], **kinds),
            step("kinds 2", kinds=["preprovision"], **kinds),
            step("kinds 3", kinds=["service"], phones=one, purge=True, **kinds),
            step("499", check=True, phones=None, rows="499.csv", **never),
            step("500", check=True, phones=None, rows="500.csv", **never),
        ],
        "--vault-password-file",
        str(controller.folder / "password"),
    )


@pytest.fixture(scope="module")
def keys(publications, controller):
    """Publications with other master keys, in a folder of their own."""
    place = {"dest": str(controller.folder / "keys"), "phones": ["desk-1"]}
    follows = {**place, "master_key": OTHER_KEY, "previous_master_key": OPTIONS["master_key"]}
    return controller.play(
        [
            step("key", **place),
            step("another", master_key=OTHER_KEY, **place),
            step("another in check mode", check=True, master_key=OTHER_KEY, **place),
            step("next", **follows),
            step("next again", **follows),
            step("first", **place),
            step("first on purpose", replace_master_key=True, **place),
            step("first again", **place),
        ],
        "--vault-password-file",
        str(controller.folder / "password"),
    )


def test_another_master_key_is_refused_unless_it_follows(keys):
    assert {name: result["changed"] for name, result in keys.done.items() if name not in keys.failed} == {
        "key": True,
        "next": True,
        "next again": False,
        "first on purpose": True,
        "first again": False,
    }
    assert [*keys.failed] == ["another", "another in check mode", "first"]
    assert all("in the field would never find their files again" in message for message in keys.failed.values())
    assert OTHER_KEY not in keys.output


def test_all_succeed(publications):
    assert (publications.code, publications.failed) == (0, {}), publications.output


def test_neither_checks_nor_check_mode_touch_the_target(publications, controller):
    assert publications.done["checked"] == {"changed": False}
    assert publications.done["check 1"]["changed"]
    assert not (controller.folder / "never").exists()


@pytest.mark.parametrize(
    ("predicted", "real"),
    [("check 1", "real 1"), ("check 2", "real 2"), ("check changed", "real changed"), ("check purge", "real purge")],
)
def test_check_mode_predicts_the_run(publications, predicted, real):
    assert changes(publications.done[predicted]) == changes(publications.done[real])


@pytest.mark.parametrize(
    ("task", "generation", "published", "unchanged", "removed", "sent"),
    [
        ("real 1", "000001", [*PHONES], [], [], 134),
        ("real 2", "000001", [], [*PHONES], [], 0),
        # Its profile is published for each of its two keys
        ("real changed", "000002", ["desk-2"], ["desk-1", "desk-3", "desk-4"], [], 2),
        ("real fewer", "000002", [], ["desk-1"], [], 0),
        ("real purge", "000003", [], ["desk-1"], ["desk-2", "desk-3", "desk-4"], 0),
        ("forward", "000004", [], ["desk-1"], ["desk-2", "desk-3", "desk-4"], 0),
        ("kinds 1", "000001", [*PHONES], [], [], 5),
        ("kinds 2", "000002", [*PHONES], [], [], 4),
        ("kinds 3", "000003", [], ["desk-1"], ["desk-2", "desk-3", "desk-4"], 0),
    ],
)
def test_reports_what_a_run_does(publications, task, generation, published, unchanged, removed, sent):
    result = publications.done[task]
    assert (result["generation"], result["changed"]) == (generation, bool(sent or removed))
    assert (result["published"], result["unchanged"], result["removed"]) == (published, unchanged, removed)
    assert result["sent"] == sent


def test_a_generation_contains_what_the_run_reported(publications, controller):
    first, changed, purged = (controller.files(f"hosts/generations/00000{number}") for number in (1, 2, 4))
    assert len(first) == publications.done["real 1"]["files"]
    different = {path for path in changed if changed[path] != first[path]}
    assert {path.rpartition("-")[0] for path in different} == {"open/service/00005e005302"}
    assert len(different) == publications.done["real changed"]["sent"]
    assert purged == {path: file for path, file in changed.items() if not any(f"00005e00530{phone}" in path for phone in (2, 3, 4))}
    assert len(purged) == publications.done["real purge"]["files"]


def test_only_root_and_the_group_can_read_device_files(publications, controller):
    modes = {(path.partition("/")[0], mode, group) for path, (mode, group, _content) in controller.files("csv/current").items()}
    assert modes == {("open", 0o100644, 0), ("device", 0o100640, 0)}


@pytest.mark.parametrize("form", ["csv", "jsonl", "sqlite", "vault"])
def test_rows_and_hosts_get_the_same_files(publications, controller, form):
    assert publications.done[form]["published"] == [*PHONES]
    assert controller.files(f"{form}/current") == controller.files("hosts/generations/000001")


def test_returns_to_the_previous_generation(publications, controller):
    assert publications.done["check back"] == publications.done["real back"] == {"changed": True, "generation": "000002"}
    assert publications.done["real back again"] == {"changed": False, "generation": "000002"}
    # What was given up by going back is gone
    assert sorted(path.name for path in (controller.folder / "hosts/generations").glob("0*")) == ["000001", "000002", "000004"]
    assert (controller.folder / "hosts/current").resolve().name == "000004"


def test_keeps_files_of_other_kinds(publications, controller):
    folders = {path.rpartition("/")[0]: 0 for path in controller.files("kinds/generations/000002")}
    assert sorted(folders) == ["device", "open/service"]
    left = controller.files("kinds/current")
    assert sum(path.startswith("device/") for path in left) == len(PHONES)
    assert sum(path.startswith("open/service/") for path in left) == 1


def test_long_runs_show_progress(publications):
    assert "profiles: " not in publications.shown("499")
    progress = [line for line in publications.shown("500").splitlines() if line.startswith("profiles: ")]
    assert progress == [
        "profiles: read and checked 500 phones",
        "profiles: checked all 500 phones; now reading the live files",
        "profiles: rendered and compared 500 of 500 (100 %) phones",
    ]


@pytest.mark.parametrize(
    ("count", "steps"),
    [
        (499, []),
        (1_000, [500, 1_000]),
        (9_999, [500, 1_000, 2_000, 5_000]),
        (100_000, [500, 1_000, 2_000, 5_000, *range(10_000, 100_001, 10_000)]),
    ],
)
@pytest.mark.parametrize("known", [False, True])
def test_steps_of_progress(count, steps, known, monkeypatch):
    displayed = []
    monkeypatch.setattr(Display, "display", lambda _self, text: displayed.append(text))
    for done in range(MIN_FOR_PROGRESS, count + 1, MIN_FOR_PROGRESS):
        report_progress("did", done, known * count)
    of = f" of {count:,} ({{}} %)" if known else ""
    assert displayed == [f"profiles: did {step:,}{of.format(step * 100 // count)} phones" for step in steps]
