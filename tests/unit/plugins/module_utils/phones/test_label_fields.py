# SPDX-License-Identifier: GPL-3.0-or-later
"""Fields of a line of codes."""

from __future__ import annotations

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.phones.label_fields import (
    read_fields,
    read_structured,
    split_cells,
)
from ansible_collections.voip.preprovision.plugins.module_utils.phones.label_standards import GS, Field
from ansible_collections.voip.preprovision.plugins.module_utils.phones.scan_columns import Column

SERIAL = Field("FCH0000D021", Column.SERIAL)
MAC = Field("00005E005321", Column.MAC)


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        ("FCH0000D021", [Field("FCH0000D021")]),
        (f"A1 ,B2;C3|D4\tE5{GS}F6", [Field(text) for text in ("A1", "B2", "C3", "D4", "E5", "F6")]),
        ("]C0882658123450", [Field("882658123450", is_retail=False)]),
        ("]A0882658123450", [Field("882658123450", is_retail=False)]),
        ("]Q0882658123450", [Field("882658123450")]),
        ('{"sn": "FCH0000D021", "mac": "00005E005321"}\tATA192', [SERIAL, MAC, Field("ATA192")]),
        ("]Q0SN:FCH0000D021 MAC:00005E005321;ATA192", [SERIAL, MAC, Field("ATA192")]),
        ("SN:FCH0000D021;MAC:00005E005321", [Field("SN:FCH0000D021"), Field("MAC:00005E005321")]),
        ("]C0", []),
        (" \t;", []),
    ],
)
def test_reads_fields(line, fields):
    assert read_fields(line) == fields


@pytest.mark.parametrize(
    ("code", "fields"),
    [
        ("]C121FCH0000D021", [SERIAL]),
        (']Q1{"sn": "FCH0000D021"}', [SERIAL]),
        ("SN:FCH0000D021 MAC:00005E005321", [SERIAL, MAC]),
        ("FCH0000D021", []),
        ("]C0FCH0000D021", []),
    ],
)
def test_reads_codes_that_say_what_they_are(code, fields):
    assert read_structured(code) == fields


def test_splits_cells():
    assert split_cells(f" A1 ;;B2{GS}") == ["A1", "B2"]
