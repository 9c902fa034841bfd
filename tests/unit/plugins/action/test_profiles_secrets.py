# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever fails: the message helps, the target stays unchanged, and no secret is shown or left anywhere."""

from __future__ import annotations

import gzip
import re
import sqlite3
from contextlib import closing

import pytest
from ansible.parsing.vault import VaultLib, VaultSecret

from ansible_collections.voip.preprovision.plugins.module_utils.common.mac import parse_mac
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.keys import derive_key

pytestmark = [pytest.mark.ansible, pytest.mark.root(reason="only root can give files to a group")]

URLS = {
    "bench_url": "https://prov.example.net/device/$MA.cfg",
    "bench_delivery": "certificate",
    "remote_url": "http://prov.example.net/service/$MA-{key_id}.cfg",
}
KEY_OF_DESK_1, OLD_KEY_OF_DESK_1 = "planted-key-of-desk-1", "planted-old-key-of-desk-1"


def phone(number, **variables):
    """Return an ATA with two secrets and any other variables."""
    own = {
        "phone_lines": [{"user_id": "1", "password": f"planted-line-{number}"}],
        "phone_web": {"admin_password": f"planted-web-{number}"},
    }
    return {"phone_mac": f"00005e005{number:03x}", "phone_model": "SPA504G", **own, **variables}


GOOD = {
    "desk-1": phone(
        1,
        phone_profile_key=KEY_OF_DESK_1,
        phone_profile_key_previous=OLD_KEY_OF_DESK_1,
        phone_web={"admin_password": "{{ word | default('planted-admin') }}", "user_password": "planted-user"},
        phone_parameters={"GPP_SA": "planted-gpp", "GPP_A": "public"},
    ),
    "desk-2": phone(2, phone_profile_template="good.j2"),
    "desk-3": phone(3, phone_model="CP-8851-3PCC", phone_sealing="aes128gcm"),
}
# Invalid phone variables, and what the message says about them; a sentence that applies to several phones names the first
WRONG = {
    "key": ({"phone_profile_key": "planted [key]"}, "phone_profile_key: the profile key has 13 characters"),
    "line-key": (
        {"phone_lines": [{"passwort": "planted-1"}]},
        "phone_lines: line 1: unknown key 'passwort'; did you mean 'password'?",
    ),
    "lines": ({"phone_lines": {"password": "planted-2"}}, "phone lines and 1 more: phone_lines: it must be a list of mappings"),
    "line-text": ({"phone_lines": ["planted-3"]}, None),
    "password": ({"phone_lines": [{"password": ["planted-4"]}]}, "phone_lines: line 1: password"),
    "web": ({"phone_web": "planted-5"}, "phone_web: it is text; write a mapping"),
    "web-key": (
        {"phone_web": {"admin_pasword": "planted-6"}},
        "phone_web: unknown key 'admin_pasword'; did you mean 'admin_password'?",
    ),
    "control": ({"phone_parameters": {"GPP_SA": "planted-7\u0001"}}, "phone_parameters: GPP_SA"),
    "rule": ({"phone_parameters": {"Profile_Rule": "[--key planted-8 http://example.com/a.cfg"}}, "Profile_Rule: "),
    "vault": ({}, "phone_parameters: Error rendering template: Attempt to use undecryptable variable"),
    "upgrade": (
        {"phone_parameters": {"Upgrade_Rule": "( $SWVER lt 1.0 )? http://planted-10@example.com/a.bin |"}},
        "Upgrade_Rule: ",
    ),
    "template": ({"phone_profile_template": "fails.j2"}, "phone_profile_template: fails.j2: it fails with ZeroDivisionError"),
    "template-2": (
        {"phone_profile_template": "asks.j2"},
        "phone_profile_template: asks.j2: it uses something that is not defined",
    ),
    "template-3": ({"phone_profile_template": "text.j2"}, "phone_profile_template: text.j2: its output is not a profile"),
    "template-4": ({"phone_profile_template": "none.j2"}, "phone_profile_template: the template 'none.j2' cannot be read"),
    "template-5": ({"phone_profile_template": "syntax.j2"}, "phone_profile_template: syntax.j2 line 2: "),
    "undefined": (
        {"phone_parameters": {"GPP_SA": "planted-11", "GPP_A": "{{ nothing }}"}},
        "phone_parameters: 'nothing' is undefined",
    ),
    "computed": (
        {"secret": "planted-12", "phone_parameters": {"GPP_A": "{{ {}[secret] }}"}},
        "phone_parameters: it uses something that is not defined",
    ),
    "filter": ({"phone_parameters": {"GPP_SA": "{{ 'planted-13' | nofilter }}"}}, "phone_parameters: Syntax error in template: "),
    "filter-2": (
        {"secret": "planted-14", "phone_parameters": {"GPP_SA": "{{ secret | ansible.builtin.from_json }}"}},
        "phone_parameters: The filter plugin ",
    ),
    "model": ({"phone_model": "ATA1922"}, "phone_model: "),
    "plain": ({"phone_model": "T46S"}, "account.1.password would be in a file that anybody can read"),
    "mac": ({"phone_mac": "00005e00530"}, "phone_mac: "),
    "mac-number": ({"phone_mac": None}, "the variable phone_mac is missing"),
    "twin-1": ({"phone_mac": "00005e005fff"}, None),
    "twin-2": ({"phone_mac": "00-00-5e-00-5f-ff"}, "phones twin-1 and twin-2: phone_mac: all have 00:00:5e:00:5f:ff"),
}
TEMPLATES = {
    "good.j2": "<flat-profile><GPP_SA>planted-template</GPP_SA><Password_1_>{{ lines[0].password }}</Password_1_>"
    "<Profile_Rule>{{ parameters.Profile_Rule }}</Profile_Rule></flat-profile>",
    "fails.j2": "<flat-profile>{{ lines[0].password }}{{ 1 // 0 }}</flat-profile>",
    "asks.j2": "<flat-profile>{{ parameters[lines[0].password] }}</flat-profile>",
    "text.j2": "{{ lines[0].password }}",
    "syntax.j2": "<flat-profile>\n{{ 'planted-syntax' | nofilter }}</flat-profile>",
}
HEADER = "name,phone_mac,phone_model,phone_lines.1.password,phone_parameters\n"
ROWS = f"""{HEADER}row-1,00005e005301,SPA504G,planted-row,
"""
BAD_ROWS = HEADER + "\n".join(
    [
        "row-1,00005e005301,SPA504G,planted-row-1,more,planted-row-2",
        'row-2,00005e005302,SPA504G,planted-row-3,"{""GPP_SA"": ""planted-row-4"""',
        "row-3,00005e005303,ATA1922,planted-row-5,",
        'row-4,00005e005304,SPA504G,planted-row-6,"[""planted-row-7""]"',
        'row-5,00005e005305,SPA504G,"planted"-row-8,',
    ]
)
BAD_JSON = """{"phone_mac": "00005e005301", "phone_model": "SPA504G", "phone_profile_key": "planted-json-1"
["planted-json-2"]
{"phone_mac": "00005e005303", "phone_model": "SPA504G", "phone_lines": [{"passwort": "planted-json-3"}]}
"""
# Invalid options, and what the message says about them
REFUSED = {
    "target is a file": ({"dest": "{{ folder }}/file"}, "/file"),
    "no such group": ({"device_group": "no-such-group"}, "there is no group no-such-group on this host"),
    "nothing before": ({"state": "previous", "dest": "{{ folder }}/never"}, "there is no earlier generation below "),
    "unknown phone": ({"phones": ["desk-1", "desk-9"]}, "phone desk-9: it is not in the inventory"),
    "unknown phone explained": ({"explain": "desk-9"}, "unknown phone 'desk-9'; did you mean 'desk-"),
    "wrong phone explained": ({"explain": "web", "phones": ["web"]}, "phone web: phone_web: "),
    "hosts and rows": ({"rows": "rows.csv"}, "phones and rows exclude each other"),
    "no file of rows": ({"phones": [], "rows": "none.csv"}, "none.csv: the phones cannot be read: No such file"),
    "rows": ({"phones": [], "rows": "bad.csv"}, "(bad.csv line 2)"),
    "rows of JSON": ({"phones": [], "rows": "bad.jsonl"}, "(bad.jsonl line 1)"),
    "header": ({"phones": [], "rows": "header.csv"}, "header.csv line 1: the column "),
    "query": (
        {"phones": [], "rows": "rows.db", "query": "SELECT absent FROM units"},
        "rows.db: SQLite reports: no such column: absent",
    ),
    "column": (
        {"phones": [], "rows": "rows.db", "query": "SELECT * FROM units"},
        "rows.db: unknown phone variable 'secret'",
    ),
    "purge of all": ({"phones": [], "rows": "empty.csv", "purge": True}, "empty.csv contains no phones"),
    "misspelt group": (
        {
            "phones": [],
            "rows": "rows.csv",
            "unknown_parameters": "error",
            "groups": {
                "all": {"phone_customer": "exampel"},
                "customer": {"example": {"phone_web": {"admin_password": "planted-o1"}}},
            },
        },
        "rows.csv: groups has no customer 'exampel', so its phones share nothing; did you mean 'example'?",
    ),
    "no group": ({"phones": [], "rows": "rows.csv", "groups": {"customr": {"x": {"phone_web": "planted-o2"}}}}, "groups: "),
    "group as text": (
        {"phones": [], "rows": "rows.csv", "groups": {"customer": {"x": "planted-o3"}}},
        "groups: customer x is text; write a mapping",
    ),
    "groups as text": ({"phones": [], "rows": "rows.csv", "groups": "{{ text }}"}, "'groups'"),
    "variable of a group": (
        {"phones": [], "rows": "rows.csv", "groups": {"all": {"phone_wab": {"admin_password": "planted-o4"}}}},
        "groups: all: unknown phone variable 'phone_wab'; did you mean 'phone_web'?",
    ),
    "value of a group": (
        {"phones": [], "rows": "rows.csv", "groups": {"all": {"phone_web": {"admin_pasword": "planted-o5"}}}},
        "phone row-1 (rows.csv line 2): phone_web: ",
    ),
    "family": ({"families": {"acme": {"based_on": "nothing", "factory_text": "planted-o6"}}}, "acme"),
    "family as text": ({"families": {"acme": "planted-o7"}}, "acme"),
    "families as text": ({"families": "{{ text }}"}, "'families'"),
    "unknown parameter": (
        {"unknown_parameters": "error", "phones": ["unknown"]},
        "phone unknown: phone_parameters: the family spa does not know GPP_SAA and would ignore it; did you mean ",
    ),
    "no URL": ({"bench_url": "{{ omit }}"}, "bench_url"),
    "URL in the clear": (
        {"bench_url": "http://prov.example.net/$MA.cfg"},
        "bench_url: 'http://prov.example.net/$MA.cfg' is not https",
    ),
    "short master key": ({"master_key": "planted-key"}, "master_key: the master key has 11 characters"),
    "short old master key": ({"previous_master_key": "planted-key"}, "previous_master_key: the master key has 11 characters"),
    "master key as list": ({"master_key": ["planted-master-key-2"]}, "profiles: master_key must be text, not a list or dictionary"),
    "old master key as mapping": (
        {"previous_master_key": {"planted-o11": "planted-o12"}},
        "previous_master_key must be text, not a list or dictionary",
    ),
    "bootstrap": ({"bootstrap_parameters": {"GPP_SA": "planted-o9"}}, "bootstrap_parameters: GPP_SA is secret"),
    "preprovision": ({"preprovision_parameters": {"GPP_SA": ["planted-o10"]}}, "preprovision_parameters: GPP_SA is a list"),
    "undefined option": ({"master_key": "{{ nothing }}"}, "'nothing' is undefined"),
}


def write_secrets(controller):
    """Write an inventory, templates and rows, valid and invalid ones, that contain secrets."""
    hosts = {**GOOD, **{name: phone(16 + number, **variables) for number, (name, (variables, _told)) in enumerate(WRONG.items())}}
    hosts["unknown"] = phone(4, phone_parameters={"GPP_SAA": "planted-unknown"})
    values = {
        "master": "planted-master-key",
        "old_master": "planted-old-master-key",
        "text": "planted-text",
        "folder": str(controller.folder),
        "options": {name: options for name, (options, _told) in REFUSED.items()},
    }
    children = {"stations": {"hosts": controller.station, "vars": values}, "phones": {"hosts": hosts}}
    controller.write("inventory/hosts.yml", {"all": {"children": children}})
    foreign = VaultLib([("default", VaultSecret(b"another password"))]).encrypt("planted-vault")
    block = foreign.decode().replace("\n", "\n  ")
    controller.write("inventory/host_vars/vault.yml", f"phone_parameters: !vault |\n  {block}\n")
    for name, text in TEMPLATES.items():
        controller.write(f"templates/{name}", text)
    for name, text in (("rows.csv", ROWS), ("bad.csv", BAD_ROWS), ("bad.jsonl", BAD_JSON), ("empty.csv", HEADER)):
        controller.write(name, text)
    controller.write("header.csv", "phone_mac,phone_lines.cell\n")
    controller.write("file", "not a folder")
    with closing(sqlite3.connect(controller.folder / "rows.db", isolation_level=None)) as database:
        database.execute("CREATE TABLE units (secret)")
        database.execute("INSERT INTO units VALUES ('planted-database')")


def step(name, check=False, **options):
    general = {"dest": "{{ folder }}/tree", "device_group": "root", "master_key": "{{ master }}", "phones": [*GOOD]}
    arguments = {**URLS, **general, "previous_master_key": "{{ old_master }}", **options}
    return {"name": name, "voip.preprovision.profiles": arguments, "check_mode": check, "ignore_errors": True}


@pytest.fixture(scope="module")
def run(controller):
    """Publish valid phones and try all invalid ones, with all output that Ansible can give."""
    write_secrets(controller)
    change = {
        "ansible.builtin.set_fact": {"word": "planted-new-admin"},
        "no_log": True,
        "delegate_to": "desk-1",
        "delegate_facts": True,
    }
    everything = {"complete": ["bootstrap", "preprovision", "service"]}
    steps = [
        step("check", check=True, **everything),
        step("real", **everything),
        {"name": "another password", **change},
        step("check changed", check=True, **everything),
        step("real changed", **everything),
        step("explain", explain="desk-1"),
        step("rows published", phones=[], rows="rows.csv", dest="{{ folder }}/rows"),
        step("wrong", check=True, phones=[*WRONG]),
        step("real wrong", phones=[*GOOD, *WRONG]),
        # As users do: from variables, since Ansible may show the lines of a playbook
        *(
            step(f"refused: {name}", **{option: f"{{{{ options['{name}']['{option}'] }}}}" for option in options})
            for name, (options, _told) in REFUSED.items()
        ),
    ]
    # Without pipelining, Ansible's default, modules and their arguments are temporary files
    return controller.play(steps, "-vvvv", "--diff", watch=True, pipelining=False)


def invalid_phones():
    """Return the beginnings of the sentences on all invalid phones."""
    return [
        words if words.startswith(("phone ", "phones ")) else f"phone {name}: {words}"
        for name, (_own, words) in WRONG.items()
        if words
    ]


def test_publishes_valid_phones(run):
    assert run.code == 0, run.output
    assert {name for name in run.done if "refused" in name or "wrong" in name} == set()
    assert {*run.failed} == {"wrong", "real wrong", *(f"refused: {name}" for name in REFUSED)}


@pytest.mark.parametrize("sentence", invalid_phones())
def test_reports_each_invalid_phone(run, sentence):
    assert any(line.startswith(sentence) for line in run.failed["wrong"].splitlines()), run.failed["wrong"]


def test_reports_nothing_else(run):
    assert len(run.failed["wrong"].splitlines()) == len(invalid_phones())
    assert run.failed["wrong"] == run.failed["real wrong"]


@pytest.mark.parametrize("name", REFUSED)
def test_reports_each_invalid_option(run, name):
    assert REFUSED[name][1] in run.failed[f"refused: {name}"]


def test_does_not_repeat_causes(run):
    assert run.failed["refused: no file of rows"].count("none.csv") == 1


@pytest.mark.parametrize(
    ("name", "sentences"),
    [
        (
            "rows",
            [
                "phone without a name (bad.csv line 2): it has 6 columns, but the header has 5",
                "phone row-2 (bad.csv line 3): the column phone_parameters is not JSON: ",
                "phone row-3 (bad.csv line 4): phone_model: ",
                "phone row-4 (bad.csv line 5): phone_parameters: ",
                "phone without a name (bad.csv line 6): its cells cannot be separated",
            ],
        ),
        (
            "rows of JSON",
            [
                "phone without a name (bad.jsonl line 1): it is not JSON: ",
                "phone without a name (bad.jsonl line 2): it is not a JSON object",
                "phone 00005e005303 (bad.jsonl line 3): phone_lines: line 1: unknown key 'passwort'",
            ],
        ),
    ],
)
def test_reports_all_invalid_rows_with_their_lines(run, name, sentences):
    lines = run.failed[f"refused: {name}"].splitlines()
    assert [line[: len(sentence)] for line, sentence in zip(lines, sentences, strict=True)] == sentences


def test_leaves_the_target_unchanged(run, controller):
    folder = controller.folder / "tree"
    assert sorted(path.name for path in folder.iterdir()) == ["current", "generations"]
    assert sorted(path.name for path in (folder / "generations").iterdir()) == [".lock", "000001", "000002"]
    assert (folder / "current").resolve().name == run.done["real changed"]["generation"] == "000002"
    assert (controller.folder / "file").read_text() == "not a folder"
    assert not (controller.folder / "never").exists()


def derived(number):
    """Return the keys that a phone without its own gets from the two master keys."""
    return [derive_key(master, parse_mac(f"00005e00{number}")) for master in ("planted-master-key", "planted-old-master-key")]


SECRETS = ["planted", *derived("5002"), *derived("5003"), *derived("5301")]


def secrets_in(text):
    return [secret for secret in SECRETS if secret in text]


def unpacked(content):
    return (gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content).decode(errors="replace")


def test_the_published_files_contain_the_secrets(run, controller):
    """Otherwise, none of the tests below could fail."""
    files = controller.files("tree/current")
    published = "".join(unpacked(content) for path, (_mode, _group, content) in files.items() if path.startswith("device/"))
    planted = {f"planted-{name}" for name in ("line-1", "line-2", "line-3", "web-3", "new-admin", "user", "gpp")}
    assert {secret for secret in (*planted, KEY_OF_DESK_1, derived("5002")[0]) if secret not in published} == set()


def test_shows_no_secrets(run):
    assert secrets_in(run.output) == []
    # What the module was called with is shown, without the key of the archive
    assert "archive_key: VALUE_SPECIFIED_IN_NO_LOG_PARAMETER" in run.shown("refused: no such group")
    # Diffs are shown, with names only
    assert re.search(r"^[+]    Admin_Passwd: [*]+ [(]new value[)]$", run.shown("real changed"), re.MULTILINE)


@pytest.mark.parametrize("name", ["log", "recorded"])
def test_neither_logs_nor_returns_secrets(run, controller, name):
    text = (controller.folder / name).read_text()
    assert "real changed" in text
    assert secrets_in(text) == []


def test_command_lines_contain_no_secrets(run):
    assert any("ansible-playbook" in command for command in run.commands)
    assert [command for command in run.commands if secrets_in(command)] == []


def test_leaves_nothing_in_temporary_folders(run, controller):
    assert [*(controller.folder / "local").iterdir(), *(controller.folder / "remote").iterdir()] == []


def test_the_fact_cache_contains_no_secrets(run, controller):
    assert [path for path in (controller.folder / "facts").iterdir() if secrets_in(path.read_text())] == []


@pytest.mark.parametrize("tree", ["tree", "rows"])
def test_world_readable_files_contain_no_secrets(run, controller, tree):
    files = controller.files(f"{tree}/current/open")
    assert any(path.startswith("service/") for path in files)
    assert [path for path, (_mode, _group, content) in files.items() if secrets_in(unpacked(content))] == []
