# SPDX-License-Identifier: GPL-3.0-or-later
"""Many phones at once: all problems are reported together, changes are sent, and diffs contain no values."""

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.families.catalogue import BUILTIN
from ansible_collections.voip.preprovision.plugins.module_utils.phones.phone import PhoneError
from ansible_collections.voip.preprovision.plugins.module_utils.phones.reader import PhoneReader
from ansible_collections.voip.preprovision.plugins.module_utils.phones.rows import PhoneRows
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.flat_profile import Setting
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.sealing import openssl_enc
from ansible_collections.voip.preprovision.plugins.module_utils.publishing.publisher import Publisher
from ansible_collections.voip.preprovision.plugins.module_utils.publishing.settings import Settings
from ansible_collections.voip.preprovision.plugins.module_utils.publishing.templates import ProfileTemplate
from ansible_collections.voip.preprovision.plugins.module_utils.publishing.transfer import Live, LiveFile
from ansible_collections.voip.preprovision.plugins.plugin_utils.phone_source import Entry
from ansible_collections.voip.preprovision.plugins.plugin_utils.plan_changes import (
    MAX_SHOWN,
    Changes,
    describe,
    new_salt,
    plan_changes,
)
from ansible_collections.voip.preprovision.plugins.plugin_utils.progress import MIN_FOR_PROGRESS
from ansible_collections.voip.preprovision.plugins.plugin_utils.validate_phones import (
    ValidatedPhones,
    Validation,
    report_ignored,
    validate_phones,
)

MASTER = "a master key for tests"
SETTINGS = Settings(
    bench_url="https://prov.example.net/device/$MA.cfg",
    bench_delivery="certificate",
    remote_url="http://prov.example.com/service/$MA-{key_id}.cfg",
    kinds=("preprovision", "service"),
)


def entry(number: int, name: str = "", **variables) -> Entry:
    required = {"phone_mac": f"00005e0053{number:02x}", "phone_model": "ATA192"}
    return Entry(name or f"desk-{number}", {**required, **variables})


class Target:
    """A published folder in memory."""

    def __init__(self, settings=SETTINGS, master=MASTER, previous=None):
        self.live = Live("000001", new_salt(), {})
        self.contents: dict[str, bytes] = {}
        self.use(settings, master, previous)

    def use(self, settings=SETTINGS, master=MASTER, previous=None, templates=None):
        self.reader, self.publisher = PhoneReader(BUILTIN, master, previous), Publisher(settings, templates)

    def add(self, path, fingerprint, owner, kind, content):
        self.live = self.live._replace(entries={**self.live.entries, path: LiveFile(fingerprint, owner, kind)})
        self.contents[path] = content

    def look(self, *entries, keep=True):
        return validate_phones(
            entries,
            Validation(ValidatedPhones(entries, self.reader, self.publisher, kept=[] if keep else None)),
            lambda *_values: None,
        )

    def publish(self, *entries, purge=True, check=False) -> Changes:
        sink = None if check else self
        changes = plan_changes(self.look(*entries), self.live, purge, sink, lambda *_values: None)
        if not check:
            kept = {path: file for path, file in self.live.entries.items() if path not in changes.removed_paths}
            self.live = self.live._replace(entries=kept)
        return changes


def listed(changes: Changes) -> tuple[list[str], list[str], list[str]]:
    return changes.published, changes.unchanged, changes.removed


def test_check_run_check_run():
    target = Target()
    phones = [entry(1), entry(2)]
    for expected in ((["desk-1", "desk-2"], [], []), ([], ["desk-1", "desk-2"], [])):
        assert listed(target.publish(*phones, check=True)) == expected
        assert listed(target.publish(*phones)) == expected
    phones[1] = entry(2, phone_parameters={"Time_Zone": "GMT"})
    assert listed(target.publish(*phones, check=True)) == (["desk-2"], ["desk-1"], [])
    changes = target.publish(*phones)
    assert (listed(changes), changes.sent, changes.files) == ((["desk-2"], ["desk-1"], []), 1, 4)


@pytest.mark.parametrize("purge", [True, False])
def test_removes_unlisted_phones_only_with_purge(purge):
    target = Target()
    target.publish(entry(1), entry(2))
    changes = target.publish(entry(1), purge=purge)
    assert listed(changes) == ([], ["desk-1"], ["desk-2"] if purge else [])
    assert {file.owner for file in target.live.entries.values()} == {"desk-1", *([] if purge else ["desk-2"])}


def test_always_removes_files_that_a_listed_phone_no_longer_needs():
    target = Target(master="the new master key", previous=MASTER)
    target.publish(entry(1))
    assert len(target.live.entries) == 3
    target.use(master="the new master key")
    changes = target.publish(entry(1), purge=False)
    assert (listed(changes), len(changes.removed_paths), len(target.live.entries)) == (([], ["desk-1"], []), 1, 2)


def test_keeps_kinds_that_are_not_published():
    target = Target()
    target.publish(entry(1))
    target.use(dataclasses.replace(SETTINGS, kinds=("service",)))
    assert not target.publish(entry(1)).changed
    assert {file.kind for file in target.live.entries.values()} == {"preprovision", "service"}
    assert target.publish(entry(2)).removed == ["desk-1"]
    assert {(file.kind, file.owner) for file in target.live.entries.values()} == {("preprovision", "desk-1"), ("service", "desk-2")}


POLY = {"phone_model": "VVX150"}


@pytest.mark.parametrize("purge", [True, False])
def test_removes_bootstrap_profiles_of_unlisted_models_only_with_purge(purge):
    settings = dataclasses.replace(SETTINGS, kinds=("bootstrap", "service"))
    target = Target(settings)
    target.publish(entry(1, **POLY), entry(2))
    changes = target.publish(entry(2), purge=purge)
    assert changes.removed_paths == (["open/00005e005301-config.cfg", "open/000000000000.cfg"] if purge else [])
    # What a model asks for by another name now is not needed any more
    target.reader = PhoneReader(BUILTIN.extended({"ata19x": {"factory_rule": "/new$PSN.cfg"}}), MASTER)
    assert target.publish(entry(2), purge=False).removed_paths == ["open/ata191.cfg", "open/ata192.cfg"]


def test_models_that_share_a_bootstrap_file():
    target = Target(dataclasses.replace(SETTINGS, kinds=("bootstrap", "service")))
    phones = [entry(1, **POLY), entry(2, phone_model="VVX250")]
    target.publish(*phones)
    assert [file.owner for path, file in target.live.entries.items() if path == "open/000000000000.cfg"] == ["poly"]
    assert not target.publish(*phones).changed


def test_a_renamed_phone():
    target = Target()
    target.publish(entry(1, "old"))
    assert listed(target.publish(entry(1, "new"))) == (["new"], [], [])
    assert {file.owner for file in target.live.entries.values()} == {"new"}
    assert listed(target.publish(entry(1, "new"))) == ([], ["new"], [])
    assert listed(target.publish()) == ([], [], ["new"])


def test_reports_phones_that_cannot_be_sealed(monkeypatch):
    monkeypatch.setattr(openssl_enc, "MISSING", ImportError("cryptography"))
    with pytest.raises(
        PhoneError, match=r"^desk-1: its service profile cannot be sealed: the Python package 'cryptography' is missing"
    ):
        Target().publish(entry(1))


def test_sends_damaged_files_again():
    target = Target()
    target.publish(entry(1))
    path, file = next(iter(target.live.entries.items()))
    target.live = target.live._replace(entries={**target.live.entries, path: file._replace(fingerprint="")})
    assert target.publish(entry(1)).sent == 1


def test_reports_all_problems_together():
    entries = [
        entry(1, "a"),
        entry(2, "b", phone_model="ATA19"),
        entry(1, "c", phone_parameters={"Profile_Rule": "ftp://x/y"}),
        Entry("d", {}, "phones.csv line 5", "it has 1 columns, and the header 2"),
        entry(1, "e", phone_model="ATA19"),
    ]
    with pytest.raises(PhoneError) as caught:
        Target().look(*entries)
    assert str(caught.value).splitlines() == [
        "phone b and 1 more: phone_model: unknown model 'ATA19'; did you mean 'ATA192'?",
        "phone c: Profile_Rule: column 1: unknown scheme 'ftp'; expected one of tftp, http, https",
        "phone d (phones.csv line 5): it has 1 columns, and the header 2",
        "phones a and c and e: phone_mac: all have 00:00:5e:00:53:01, and so the same file names; a MAC belongs to one phone",
    ]


def test_reports_files_that_phones_would_share():
    target = Target(dataclasses.replace(SETTINGS, remote_url="http://prov.example.com/all.cfg"))
    with pytest.raises(PhoneError, match=r"^desk-1 and desk-2 would share the file open/all.cfg; put \$MA into the URL"):
        target.look(entry(1), entry(2))
    whole = dataclasses.replace(SETTINGS, remote_url="http://prov.example.com/ata192.cfg", kinds=("bootstrap", "service"))
    with pytest.raises(PhoneError, match=r"^ATA192 and desk-1 would share the file open/ata192.cfg;"):
        Target(whole).look(entry(1))


def test_reports_ignored_parameters_once_for_all_phones():
    found = Target().look(*(entry(number, phone_parameters={"Prxy_1_": "x"}) for number in (1, 2, 3)))
    assert found.ignored == [
        "phone desk-1 and 2 more: phone_parameters: the family ata19x does not know Prxy_1_ and would ignore it;"
        " did you mean 'Proxy_1_'?"
    ]


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("phone_serail", "phone_serial"),
        ("phone_parameter", "phone_parameters"),
        ("phone_paramters_20_customer", "phone_parameters_20_customer"),
    ],
)
def test_refuses_misspelt_variables(name, near):
    with pytest.raises(PhoneError) as caught:
        Target().look(*(entry(number, **{name: {}}) for number in (1, 2)))
    assert str(caught.value) == f"phone desk-1 and 1 more: unknown variable '{name}'; did you mean '{near}'?"


def test_reports_variables_that_may_be_the_users_own():
    found = Target().look(entry(1, phone_owner="x", phone_parameters_={}), entry(2, phone_owner="y"))
    assert found.unknown == [
        "phone desk-1 and 1 more: unknown variable 'phone_owner'; if it is your own, give it a name that does not begin like those"
        " of this collection"
    ]
    assert found.ignored == []


@pytest.mark.parametrize(("action", "warned"), [("warn", ["a", "b"]), ("error", ["b"]), ("ignore", [])])
def test_unknown_variables_are_no_error(monkeypatch, action, warned):
    warnings: list[str] = []
    monkeypatch.setattr("ansible.utils.display.Display.warning", lambda _self, sentence: warnings.append(sentence))
    report_ignored(["a"] if action != "error" else [], ["b"], action)
    assert warnings == warned


def test_reports_what_phones_ignore_in_a_template_once_for_all_phones():
    target = Target()
    target.use(templates={"own.j2": ProfileTemplate("own.j2", "<flat-profile>\n<User_ID_1>1</User_ID_1></flat-profile>")})
    found = target.look(*(entry(number, phone_profile_template="own.j2") for number in (1, 2, 3)))
    assert found.ignored == [
        "phone desk-1 and 2 more: phone_profile_template: own.j2 line 2: the family ata19x does not know User_ID_1 and would ignore"
        " it; did you mean 'User_ID_1_'?"
    ]


def test_reports_ignored_parameters_of_the_publication():
    target = Target(dataclasses.replace(SETTINGS, preprovision_parameters={"Resync_Perodic": Setting("60")}))
    assert target.look(entry(1, phone_model="T46U", phone_sealing="none")).ignored == []
    assert [sentence.partition(" is ")[0] for sentence in target.look(entry(1)).ignored] == [
        "preprovision_parameters: Resync_Perodic"
    ]


def test_finds_parameters_shared_by_all_phones_of_a_model():
    target = Target(dataclasses.replace(SETTINGS, kinds=("bootstrap",), complete=("bootstrap",)))
    found = target.look(
        entry(1, phone_parameters={"Time_Zone": "GMT", "NTP_Server": "a"}),
        entry(2, phone_parameters={"Time_Zone": "GMT", "NTP_Server": "b"}),
        entry(3, phone_model="SPA504G", phone_parameters={"Time_Zone": "CET"}),
    )
    assert {model: {path: value for path, (value, _access) in shared.items()} for model, shared in found.used.items()} == {
        "ATA192": {"Time_Zone": "GMT"},
        "SPA504G": {"Time_Zone": "CET"},
    }


def test_progress():
    reported: list[tuple[str, int, int]] = []
    target = Target()
    entries = [
        Entry(f"p{number}", {"phone_mac": f"02{number:010x}", "phone_model": "ATA192"})
        for number in range(2 * MIN_FOR_PROGRESS + 1)
    ]
    found = validate_phones(
        entries,
        Validation(ValidatedPhones(entries, target.reader, target.publisher, kept=[])),
        lambda *values: reported.append(values),
    )
    plan_changes(found, target.live, True, None, lambda *values: reported.append(values))
    count = len(entries)
    checked, rendered = "read and checked", "rendered and compared"
    assert reported == [(checked, 500, 0), (checked, 1000, 0), (rendered, 500, count), (rendered, 1000, count)]


SECRETS = {"password": "old secret", "user_id": "1001"}


def differences(before: list[Entry], after: list[Entry], **settings) -> tuple[str, str]:
    target = Target()
    target.publish(*before)
    live, contents = target.live, dict(target.contents)
    target.use(dataclasses.replace(SETTINGS, **settings))
    return describe(target.publish(*after, check=True), live, contents)


SERVICE = "desk-1: service profile open/service/00005e005301-"


def test_diffs_contain_parameters_without_values():
    before, after = differences([entry(1, phone_lines=[SECRETS])], [entry(1, phone_lines=[{**SECRETS, "password": "new secret"}])])
    assert [line[:50] for line in before.splitlines()] == [SERVICE[:50], "    Password_1_: ******** (old value)"]
    assert [line[:50] for line in after.splitlines()] == [SERVICE[:50], "    Password_1_: ******** (new value)"]
    assert "secret" not in before + after


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([], [entry(1)], (0, 2)),
        ([entry(1)], [], (2, 0)),
        ([entry(1)], [entry(1)], (0, 0)),
        ([entry(1)], [entry(1, phone_parameters={"Time_Zone": "GMT"})], (1, 2)),
        ([entry(1, phone_parameters={"Time_Zone": "GMT"})], [entry(1)], (2, 1)),
    ],
)
def test_lines_of_a_diff(before, after, expected):
    assert tuple(len(side.splitlines()) for side in differences(before, after)) == expected


def test_diff_of_a_file_whose_key_is_lost():
    target = Target()
    target.publish(entry(1, phone_profile_key="0123456789abcdef"))
    live, contents = target.live, dict.fromkeys(target.contents, b"rubbish")
    changes = target.publish(entry(1, phone_profile_key="0123456789abcdef", phone_parameters={"Time_Zone": "GMT"}), check=True)
    assert describe(changes, live, contents)[1].splitlines()[1] == "    sealed with another key before, or damaged"


def test_diff_of_a_file_without_parameters():
    target = Target(dataclasses.replace(SETTINGS, kinds=("bootstrap",)))
    target.publish(entry(1, **POLY))
    path = "open/000000000000.cfg"
    live = target.live._replace(entries={**target.live.entries, path: target.live.entries[path]._replace(fingerprint="")})
    target.live = live
    after = describe(target.publish(entry(1, **POLY), check=True), live, {path: target.contents[path]})[1].splitlines()
    assert after == [f"VVX150: bootstrap profile {path}", "    not made of parameters"]


def test_truncates_long_diffs():
    entries = [Entry(f"p{number}", {"phone_mac": f"02{number:010x}", "phone_model": "ATA192"}) for number in range(MAX_SHOWN)]
    after = differences([], entries)[1].splitlines()
    assert (len(after), after[-1]) == (MAX_SHOWN + 1, f"and {MAX_SHOWN} more files")


def test_fingerprints_of_two_folders_differ():
    one, other = Target(), Target()
    one.publish(entry(1))
    other.publish(entry(1))
    assert {file.fingerprint for file in one.live.entries.values()}.isdisjoint(
        file.fingerprint for file in other.live.entries.values()
    )
    assert one.contents == other.contents


texts = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=8).map(str.strip)


@given(
    st.sampled_from(["ATA192", "SPA504G", "CP-8851-3PCC"]),
    st.lists(st.dictionaries(st.sampled_from(["user_id", "password", "display_name"]), texts.filter(bool), min_size=1), max_size=3),
    texts,
)
def test_a_host_and_a_row_give_the_same_bytes(tmp_path_factory, model, lines, zone):

    group = {"phone_parameters_customer": {"Time_Zone": zone}, "phone_resync": {"periodic": 600}}
    own = {"phone_mac": "00005e005301", "phone_model": model, "phone_customer": "example", "phone_lines": lines}
    path = tmp_path_factory.mktemp("rows") / "phones.jsonl"
    path.write_text(json.dumps({"name": "desk-1", **own}))
    (row,) = PhoneRows(str(path), groups={"customer": {"example": group}})
    host, by_row = Target(), Target()
    host.publish(Entry("desk-1", {**group, **own}))
    by_row.publish(Entry(row.name, row.variables, row.where))
    assert host.contents == by_row.contents
    assert host.look(Entry("desk-1", {**group, **own})).kept == by_row.look(Entry(row.name, row.variables)).kept
