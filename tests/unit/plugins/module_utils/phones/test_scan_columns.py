# SPDX-License-Identifier: GPL-3.0-or-later
"""Column names in scanned files: every synonym in every spelling."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sample_scans import read

from ansible_collections.voip.preprovision.plugins.module_utils.phones.scan_columns import SYNONYMS


@pytest.mark.parametrize(("kind", "word"), [(kind, word) for kind, words in SYNONYMS.items() for word in (kind, *words)])
def test_reads_synonyms_of_columns(kind, word):
    values = {"phone_mac": "00:00:5e:00:53:01", "phone_serial": "FCH0000D001", "phone_model": "SPA504G"}
    for spelling in (word, word.upper(), word.title(), f" {word.replace(' ', '_')} ", word.replace(" ", ""), f"{word}:"):
        columns = {"phone_mac": "mac", "phone_model": "model", kind: spelling}
        row = [values.get(column, "own") for column in columns]
        (phone,) = read(f"{','.join(columns.values())}\n{','.join(row)}").phones
        assert {"name": phone.name, **phone.variables}[kind] == values.get(kind, "own")


def test_the_guide_lists_every_synonym():
    guide = (Path(__file__).parents[5] / "docs/guides/scanning.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \|", guide, re.MULTILINE)
    listed = {heading: {heading, *names.lower().split(", ")} for heading, names in rows}
    assert listed == {names[0]: {*names} for names in SYNONYMS.values()}
