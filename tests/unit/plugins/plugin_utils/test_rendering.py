# SPDX-License-Identifier: GPL-3.0-or-later
"""Several processes make the same files in the same order as one, and leave nothing behind."""

from __future__ import annotations

import os

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.families.catalogue import BUILTIN
from ansible_collections.voip.preprovision.plugins.module_utils.phones.phone import PhoneError
from ansible_collections.voip.preprovision.plugins.module_utils.phones.reader import PhoneReader
from ansible_collections.voip.preprovision.plugins.module_utils.publishing.publisher import Publisher
from ansible_collections.voip.preprovision.plugins.module_utils.publishing.settings import Settings
from ansible_collections.voip.preprovision.plugins.module_utils.publishing.templates import ProfileTemplate
from ansible_collections.voip.preprovision.plugins.module_utils.publishing.transfer import LiveFile
from ansible_collections.voip.preprovision.plugins.plugin_utils.phone_source import Entry
from ansible_collections.voip.preprovision.plugins.plugin_utils.rendering import BLOCK, Comparing, make_files
from ansible_collections.voip.preprovision.plugins.plugin_utils.validate_phones import ValidatedPhones, Validation, validate_phones

SETTINGS = Settings(
    bench_url="https://prov.example.net/device/$MA.cfg", remote_url="http://prov.example.com/service/$MA-{key_id}.cfg"
)


def validated(count: int, keep: bool = False, **more: str) -> ValidatedPhones:
    entries = [
        Entry(f"desk-{number}", {"phone_mac": f"00005e00{number:04x}", "phone_model": "ATA192", **more}) for number in range(count)
    ]
    templates = {"own.j2": ProfileTemplate("own.j2", "<flat-profile>{{ none_such if phone.name == 'desk-90' }}</flat-profile>")}
    publisher = Publisher(SETTINGS, templates)
    reader = PhoneReader(BUILTIN, "a master key for tests")
    if more:
        return ValidatedPhones(entries, reader, publisher, count)
    return validate_phones(
        entries, Validation(ValidatedPhones(entries, reader, publisher, kept=[] if keep else None)), lambda *_values: None
    )


def comparing(live=()) -> Comparing:
    return Comparing(dict(live), b"salt", seal=True, max_shown=3)


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("count", [0, 1, BLOCK, 2 * BLOCK, 2 * BLOCK + 1, 5 * BLOCK - 1])
def test_makes_the_same_in_the_same_order(count, keep):
    phones = validated(count, keep)
    one = [*make_files(phones, comparing(), count, 1)]
    assert len(one) == count
    live = {file.path: LiveFile(file.fingerprint, file.owner, file.kind) for _name, files in one[::2] for file in files}
    for known in ({}, live):
        expected = [*make_files(phones, comparing(known), count, 1)]
        for processes in (2, 3):
            found = [*make_files(phones, comparing(known), count, processes)]
            assert [(name, [file[:6] for file in files]) for name, files in found] == [
                (name, [file[:6] for file in files]) for name, files in expected
            ]
            shown = [file.file for _name, files in found for file in files if not file.is_live][:3]
            assert shown == [file.file for _name, files in expected for file in files if not file.is_live][:3]
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_reports_the_phone_that_cannot_be_made(processes):
    phones = validated(3 * BLOCK, phone_profile_template="own.j2")
    with pytest.raises(PhoneError, match=r"^phone_profile_template: own\.j2: 'none_such' is undefined$"):
        [*make_files(phones, comparing(), 3 * BLOCK, processes)]
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_ends_its_processes_when_nobody_wants_more():
    made = make_files(validated(3 * BLOCK), comparing(), 3 * BLOCK, 2)
    next(made)
    made.close()
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
