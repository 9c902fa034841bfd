# SPDX-License-Identifier: GPL-3.0-or-later
"""QR codes with several fields: JSON, URLs, names with values."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.phones.label_standards import Field
from ansible_collections.voip.preprovision.plugins.module_utils.phones.label_texts import (
    is_part_number,
    read_document,
    read_pairs,
)
from ansible_collections.voip.preprovision.plugins.module_utils.phones.scan_columns import Column

SERIAL = Field("FCH0000D021", Column.SERIAL)
MAC = Field("00005E005321", Column.MAC)
MODEL = Field("ATA192-3PW-K9", Column.MODEL)


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ('{"serialNumber": "FCH0000D021", "macAddress": "00005E005321", "pid": "ATA192-3PW-K9"}', [SERIAL, MAC, MODEL]),
        ('{"sn": "FCH0000D021", "device": {"mac": "00005E005321"}, "ports": [1], "on": null}', [SERIAL, MAC]),
        ('{"SN": "FCH0000D021", "port": 2}', [SERIAL, Field("2", other="the field port")]),
        ('{"devices": [{"sn": "FCH0000D021", "mac": "00005E005321"}]}', [SERIAL, MAC]),
        ("mac=00005E005321&sn=FCH0000D021&v=", [MAC, SERIAL]),
        # The name of a product is not that of a host
        (
            '{"name": "Desk phone", "phone_site": "Berlin"}',
            [Field("Desk phone", other="the field name"), Field("Berlin", "phone_site")],
        ),
        ("https://example.com/register?sn=FCH0000D021&mac=00005E005321", [SERIAL, MAC]),
        ("HTTPS://example.com/#mac=00005E005321", [MAC]),
        ("https://example.com/01/09506000134352/21/FCH0000D021", [SERIAL]),
        ("https://example.com/21/FCH0000D021", []),
        ("https://example.com/01/21", []),
        ("https://[example.com/?sn=1", []),
        ("http://example.net/", []),
        ("{", []),
        ("{}", []),
        ("[" * 100_000, []),
        ('{"sn":' * 100_000, []),
        ("FCH0000D021", []),
    ],
)
def test_reads_documents(text, fields):
    assert read_document(text) == fields


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("SN:FCH0000D021 MAC:00005E005321", [SERIAL, MAC]),
        ("sn=FCH0000D021 mac=00005E005321 ", [SERIAL, MAC]),
        ("SN FCH0000D021 MAC 00005E005321", [SERIAL, MAC]),
        ("S/N: FCH0000D021 MAC Address: 00005E005321", [SERIAL, MAC]),
        ("Serial No FCH0000D021 MAC: 00:00:5E:00:53:21", [SERIAL, Field("00:00:5E:00:53:21", Column.MAC)]),
        ("MAC: ee:00:5e:00:53:21 SN: FCH0000D021", [Field("ee:00:5e:00:53:21", Column.MAC), SERIAL]),
        ("MAC AA 00 5E 00 53 21 SN FCH0000D021", [Field("AA 00 5E 00 53 21", Column.MAC), SERIAL]),
        ("PID: ATA192-3PW-K9 SN: FCH0000D021 VER: 1.2", [MODEL, SERIAL, Field("1.2", other="the field VER")]),
        ("P/N: 74-1234-01 SN: FCH0000D021", [Field("74-1234-01", other="a part number"), SERIAL]),
        ("Example ATA192 SN:FCH0000D021 MAC:00005E005321", [Field("Example ATA192", other="a text"), SERIAL, MAC]),
        ("SN: MAC:00005E005321", [MAC]),
        # One field, or none that identifies a unit
        ("SN:FCH0000D021", []),
        ("MAC: AA:00:5E:00:53:21", []),
        ("VER:1 REV:2", []),
        ("Customer: Mac Donald", []),
        ("FCH0000D021", []),
        ("", []),
    ],
)
def test_reads_names_with_values(text, fields):
    assert read_pairs(text) == fields


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("P/N", "74-1234-01", True),
        ("part number", "800-1234", True),
        ("PN", "ATA192-3PW-K9", False),
        ("PID", "8851", False),
    ],
)
def test_tells_part_numbers_from_product_ids(name, value, found):
    assert is_part_number(name, value) is found


@given(st.dictionaries(st.text(max_size=8), st.one_of(st.text(max_size=8), st.integers(), st.none(), st.booleans())))
def test_any_json_gives_fields(value):
    assert all(field.text for field in read_document(json.dumps(value)))


@given(st.text(max_size=60), st.text("SNMAC:= 0aF/;", max_size=60))
def test_any_text_gives_fields(text, label):
    for one in (text, label):
        assert all(field.text for field in (*read_document(one), *read_pairs(one)))
