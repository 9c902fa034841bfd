# SPDX-License-Identifier: GPL-3.0-or-later
"""Codes by the standards of bar codes: symbology, envelope, identifiers, check digits."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.phones.label_standards import (
    EOT,
    GS,
    RS,
    Field,
    LabelError,
    decode,
    identify,
    is_article_number,
    strip_mac_label,
    strip_symbology,
)
from ansible_collections.voip.preprovision.plugins.module_utils.phones.scan_columns import Column

SERIAL = Field("FCH0000D021", Column.SERIAL)
MAC = Field("00005E005321", Column.MAC)
MODEL = Field("ATA192-3PW-K9", other="a part number")
GTIN = Field("09506000134352", other="a UPC or EAN article number")


# Article numbers in the GS1 General Specifications and on GS1's pages, and one made up
@pytest.mark.parametrize("number", ["614141000036", "9506000134352", "09506000134352", "012345678905", "882658123450"])
def test_article_numbers(number):
    assert is_article_number(number)
    wrong = str((int(number[-1]) + 1) % 10)
    assert not is_article_number(number[:-1] + wrong)


@pytest.mark.parametrize("text", ["", "00005E005321", "96385075", "123456789012345", "000000000000", "٦14141000036", "FCH0000D021"])
def test_other_texts_are_no_article_numbers(text):
    assert not is_article_number(text)


@given(st.text("0123456789", min_size=12, max_size=14), st.data())
def test_one_wrong_digit_is_found(number, data):
    """GS1 promises that any single wrong digit is found."""
    assume(number[:-1].strip("0"))
    check = next(digit for digit in "0123456789" if is_article_number(number[:-1] + digit))
    right = number[:-1] + check
    at = data.draw(st.integers(0, len(right) - 1))
    other = data.draw(st.sampled_from([digit for digit in "0123456789" if digit != right[at]]))
    assert not is_article_number(right[:at] + other + right[at + 1 :])


@pytest.mark.parametrize(
    ("code", "fields"),
    [
        # ISO/IEC 15434 with data identifiers, complete or without its end
        (f"[)>{RS}06{GS}SFCH0000D021{GS}1PATA192-3PW-K9{GS}23S00005E005321{RS}{EOT}", [SERIAL, MODEL, MAC]),
        (f"]d1[)>{RS}06{GS}SFCH0000D021{GS}Q1", [SERIAL, Field("1", other="a quantity")]),
        (f"[)>{RS}06{GS}sFCH0000D021{GS}16D20261130{RS}{EOT}", [SERIAL, Field("20261130", other="the field 16D")]),
        # with application identifiers, and both
        (f"[)>{RS}05{GS}0109506000134352{GS}21FCH0000D021{RS}{EOT}", [GTIN, SERIAL]),
        (f"[)>{RS}06{GS}23S00005E005321{RS}05{GS}21FCH0000D021{RS}{EOT}", [MAC, SERIAL]),
        (f"[)>{RS}12{GS}SER X{RS}06{GS}SFCH0000D021{RS}{EOT}", [SERIAL]),
        # GS1 by symbology, by FNC1, in brackets, by its GTIN
        ("]C121FCH0000D021", [SERIAL]),
        ("]d2010950600013435221FCH0000D021", [GTIN, SERIAL]),
        (f"]Q321FCH0000D021{GS}0109506000134352", [SERIAL, GTIN]),
        (f"]e010A{GS}21FCH0000D021", [Field("A", other="a batch number"), SERIAL]),
        (f"{GS}21FCH0000D021", [SERIAL]),
        (
            f"{GS}11261130240ATA192-3PW-K9{GS}21FCH0000D021{GS}301",
            [Field("261130", other="a date"), MODEL, SERIAL, Field("1", other="a quantity")],
        ),
        ("(01)09506000134352(21)FCH0000D021", [GTIN, SERIAL]),
        ("010950600013435221FCH0000D021", [GTIN, SERIAL]),
        (
            "(8006)095060001343520102(8004)A1(21)FCH0000D021",
            [Field("095060001343520102", other="a UPC or EAN article number"), Field("A1", other="the number of an asset"), SERIAL],
        ),
        # Data identifiers as printed
        ("(23S)00005E005321(S) FCH0000D021", [MAC, SERIAL]),
        ("(1P) ATA192-3PW-K9 (Q)1", [MODEL, Field("1", other="a quantity")]),
        ("SN (R) FCH0000D021", []),
        # A UPC or EAN symbol
        ("]E09506000134352", [Field("9506000134352", other="a UPC or EAN article number")]),
        ("]E496385074", [Field("96385074", other="a UPC or EAN article number")]),
        # Nothing says what it is
        ("]C0FCH0000D021", []),
        ("FCH0000D021", []),
        (f"{GS}FCH0000D021", []),
        (f"{GS}10005E005301", []),
        ("010950600013435321FCH0000D021", []),
        ("21FCH0000D021", []),
        ("", []),
    ],
)
def test_decodes_standards(code, fields):
    assert decode(code) == fields


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        (
            "[)>06SFCH0000D021",
            "the 2D code came without its separators; set the scanner to send the control characters GS, RS and EOT,",
        ),
        (f"[)>{RS}12{GS}SER X{RS}{EOT}", "the 2D code has the format 12 of ISO/IEC 15434, not 05 or 06; scan the other codes"),
        (f"[)>{RS}06{GS}+X{RS}{EOT}", "the field '+X' of the 2D code has no data identifier; scan the other codes"),
        ("]C100005E005321", "the GS1 code cannot be read from '00005E005321' on; scan the unit's other codes"),
        ("]C10109506000134352FCH", "the GS1 code cannot be read from 'FCH' on; scan the unit's other codes"),
        ("]C130X", "the GS1 code cannot be read from '30X' on; scan the unit's other codes"),
        (
            f"[)>{RS}05{GS}21{'X' * 21}{RS}{EOT}",
            "the GS1 code cannot be read from '21XXXXXXXXXXXXXXXXXX' on; scan the unit's other codes",
        ),
    ],
)
def test_reports_broken_codes(code, problem):
    with pytest.raises(LabelError, match=f"^{re.escape(problem)}"):
        decode(code)


@given(st.text(alphabet=f"[)>]CEdQ01256SPQ{GS}{RS}{EOT}AF", max_size=40))
def test_any_code_gives_fields_or_a_label_error(code):
    try:
        assert all(field.text for field in decode(code))
    except LabelError:
        return


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("1PATA192-3PW-K9", MODEL),
        ("1pATA192-3PW-K9", MODEL),
        ("30P74-1234-01", Field("74-1234-01", other="a part number")),
        ("Q1", Field("1", other="a quantity")),
        ("4LCN", Field("CN", other="a country of origin")),
        ("10D2648", Field("2648", other="a date")),
        ("1TA0001", Field("A0001", other="a batch number")),
        ("30SFCH0000D021", Field("FCH0000D021", other="the field 30S")),
        ("52s00005E005321", Field("00005E005321", other="the field 52S")),
        # Not what follows the identifier, or one that any serial number may begin with
        ("QUANTITY", None),
        ("4L0001", None),
        ("1S0001", None),
        ("SFCH0000D021", None),
        ("P0001", None),
        ("", None),
    ],
)
def test_identifies_fields_outside_an_envelope(text, field):
    assert identify(text) == field


@pytest.mark.parametrize(
    ("text", "mac"),
    [
        ("MAC00005E005321", "00005E005321"),
        ("mac00:00:5e:00:53:21", "00:00:5e:00:53:21"),
        ("23S00005E005321", "00005E005321"),
        ("MAC0000.5e00.5321", "0000.5e00.5321"),
        ("MACHINE1", "MACHINE1"),
        ("00005E005321", "00005E005321"),
    ],
)
def test_strips_labels_of_mac_addresses(text, mac):
    assert strip_mac_label(text) == mac


@pytest.mark.parametrize(
    ("code", "parts"),
    [("]C1X", ("]C1", "X")), ("]", ("", "]")), ("X]C1", ("", "X]C1")), ("[)>", ("", "[)>")), ("]d2", ("]d2", ""))],
)
def test_strips_symbology_identifiers(code, parts):
    assert strip_symbology(code) == parts
