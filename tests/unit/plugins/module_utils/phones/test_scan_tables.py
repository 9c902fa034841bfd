# SPDX-License-Identifier: GPL-3.0-or-later
"""Scans with a header line."""

from __future__ import annotations

import pytest
from sample_scans import ATA, problems_of, read, units

ARTICLE = "is a UPC or EAN article number, not a MAC address; scan the right code, or write a MAC address with colons"


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        (
            "mac,customer,model\n00005e005301,Example, Inc,ATA192",
            ["line 2: it has 4 cells and the header 3; put a cell that contains ',' in double quotes"],
        ),
        (
            'mac,model\n00005e005301,ATA192\n00005e005302,"ATA192',
            ["line 3: it cannot be read as a table: unexpected end of data; check its quotes"],
        ),
        (
            "MAC,Model,PID,mac address\n",
            [
                "line 1: the columns MAC and mac address all mean phone_mac; keep one",
                "line 1: the columns Model and PID all mean phone_model; keep one",
            ],
        ),
        (
            "# pallet\nserial,model\nA001,ATA192",
            ["line 2: no column contains the MAC address; name it one of mac, mac address, mac addr, mac id, ethernet address"],
        ),
    ],
)
def test_rejects_invalid_tables(text, problems):
    found = problems_of(text)
    assert len(found) == len(problems)
    for line, problem in zip(found, problems, strict=True):
        assert line.startswith(f"scans.csv {problem}")


def test_counts_the_lines_inside_quoted_cells():
    text = 'mac,model,customer\n00005e005301,ATA192,"two\nlines"\n00005e00530,ATA192,x'
    assert problems_of(text)[0].startswith("scans.csv line 4: '00005e00530' is not a MAC address")


def test_warns_of_ignored_columns():
    assert read("Price,mac,model,,Phone number,phone_note\n1,00005e005301,ATA192,,2,3").warnings == (
        "scans.csv: line 1: ignored columns: Price, Phone number; for phone variables, begin the name with phone_",
    )


def test_reads_cells_by_the_standards_of_labels():
    text = (
        "mac,serial,model\n23S00005E005321,SFCH0000D021,1PATA192-3PW-K9\nMAC00005E005322,]C121FCH0000D022,ATA192\n"
        '"SN:FCH0000D023 MAC:00005E005323","SN:FCH0000D023 MAC:00005E005323",ATA192\n'
    )
    assert units(text) == [(f"00005e00532{number}", f"FCH0000D02{number}", "ATA192") for number in (1, 2, 3)]


@pytest.mark.parametrize(
    ("cells", "problem"),
    [
        (
            "00005E005321,]E09506000134352",
            "the column serial holds '9506000134352', a UPC or EAN article number; scan the right code into it",
        ),
        ("]C121FCH0000D021,FCH0000D021", "the column MAC address holds 'FCH0000D021', serial; scan the right code into it"),
        (
            "882658123450,FCH0000D021",
            f"'882658123450' {ARTICLE}",
        ),
        (
            "012345678905,FCH0000D021",
            f"'012345678905' {ARTICLE}",
        ),
        ("00005E005321,]C1X", "the GS1 code cannot be read from 'X' on; scan the unit's other codes"),
    ],
)
def test_refuses_cells_that_say_they_hold_something_else(cells, problem):
    assert problems_of(f"mac,serial\n{cells}", defaults=ATA) == [f"scans.csv line 2: {problem}"]


@pytest.mark.parametrize("cell", ["88:26:58:12:34:50", "MAC:882658123450", "23S882658123450", "882658-123450"])
def test_accepts_mac_addresses_that_could_be_article_numbers(cell):
    assert units(f"mac\n{cell}\n000216123458", defaults=ATA) == [("882658123450", "", "ATA192"), ("000216123458", "", "ATA192")]


def test_warns_of_serial_numbers_that_look_like_article_numbers():
    rows = "".join(f"00005E0053{number:02x},01234567890{number}\n" for number in range(10))
    assert read(f"mac,serial\n{rows}", defaults=ATA).warnings == (
        "scans.csv: line 7: the serial number has the check digit of a UPC or EAN article number; check the label",
    )


def test_columns_reach_into_variables():
    columns = "mac,phone_lines.1.user_id,phone_lines.2.user_id,phone_parameters.Time_Zone,phone_parameters_a"
    text = f'{columns}\n00005E005321,1001,,GMT,\n00005E005322,,1002,,"{{""X"": 1}}"\n'
    found = [
        {name: phone.variables[name] for name in phone.variables if name != "phone_mac"}
        for phone in read(text, defaults=ATA).phones
    ]
    assert found == [
        {"phone_model": "ATA192", "phone_lines": [{"user_id": "1001"}], "phone_parameters": {"Time_Zone": "GMT"}},
        {"phone_model": "ATA192", "phone_lines": [{}, {"user_id": "1002"}], "phone_parameters_a": {"X": 1}},
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "mac,phone_lines.0.x\n",
            "line 1: the column 'phone_lines.0.x' names no line; write phone_lines.1.user_id, lines from 1 to 64",
        ),
        ("mac,phone_site.x\n", "line 1: the column 'phone_site.x' goes into phone_site, which is text"),
        ("mac,phone_line.1.x\n", "line 1: unknown phone variable 'phone_line'; did you mean 'phone_lines'?"),
        (
            "mac,phone_lines\n00005E005321,[x\n",
            "line 2: the column phone_lines is not JSON: Expecting value at column 2; write JSON, or a column for each of its keys",
        ),
        (
            "mac,phone_lines,phone_lines.1.x\n00005E005321,[],1\n",
            "line 2: it has both phone_lines and columns of its lines; fill in only one of the two",
        ),
    ],
)
def test_rejects_columns_that_reach_nowhere(text, problem):
    assert problems_of(text, defaults=ATA) == [f"scans.csv {problem}"]


def test_blank_names_at_the_end_of_a_header_are_no_columns():
    text = "mac,Product Number,,\n00005E005321,ATA192-3PW-K9,,\n00005E005322,ATA192\n"
    assert [unit[2] for unit in units(text)] == ["ATA192", "ATA192"]
    assert read(text).warnings == ()
    assert read("mac,,\n00005E005321,,x\n00005E005322,,y\n", defaults=ATA).warnings == (
        "scans.csv: line 2, line 3: ignored column 3, which has no name in the header",
    )
