# SPDX-License-Identifier: GPL-3.0-or-later
"""Serial numbers in one spelling, and the shapes of makers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.phones.serial_numbers import is_maker_serial, normalize_serial


@pytest.mark.parametrize(
    ("text", "serial"),
    [
        ("FCH0000D021", "FCH0000D021"),
        ("fch0000d021", "FCH0000D021"),
        (" FCH 0000 D021\t", "FCH0000D021"),
        ("S/N FCH0000D021", "FCH0000D021"),
        ("S/N: fch0000d021", "FCH0000D021"),
        ("sn:FCH0000D021", "FCH0000D021"),
        ("Serial No. FCH0000D021", "FCH0000D021"),
        ("SNFCH0000D021", "FCH0000D021"),
        # Data identifiers, only in front of a maker's serial number
        ("SFCH0000D021", "FCH0000D021"),
        ("sfch0000d021", "FCH0000D021"),
        ("21FCH0000D021", "FCH0000D021"),
        ("S/N: SFCH0000D021", "FCH0000D021"),
        ("S88012BA01234", "88012BA01234"),
        ("S1", "S1"),
        ("SEP0001", "SEP0001"),
        ("SN12345678", "SN12345678"),
        ("2112345678", "2112345678"),
        # Another label is not a serial number's
        ("MAC: 00005E005301", "MAC:00005E005301"),
        ("SN:", ""),
        ("", ""),
    ],
)
def test_normalizes_serial_numbers(text, serial):
    assert normalize_serial(text) == serial


@pytest.mark.parametrize(
    ("text", "known"),
    [
        *((text, True) for text in ("FCH2118DGQP", "FCH2443D9R4", "CBT141100HR", "cbt141100hr")),
        *((text, True) for text in ("88012BA01234", "88019FA42805", "4MM00F903042", "FM500F100000")),
        *((text, False) for text in ("SFCH2118DGQP", "882658123450", "S1", "")),
    ],
)
def test_knows_the_shapes_of_makers(text, known):
    assert is_maker_serial(text) is known


@given(st.from_regex(r"[A-Z]{3}[0-9]{4}[0-9A-Z]{4}|[0-9A-Z]{4,20}", fullmatch=True))
def test_normal_form_is_stable(serial):
    assert normalize_serial(normalize_serial(serial)) == normalize_serial(serial)
