# SPDX-License-Identifier: GPL-3.0-or-later
"""Scans without a header: which code is what, and where a unit ends."""

from __future__ import annotations

import pytest
from sample_scans import ATA, CISCO, HEX_SERIAL, LINKSYS, POLY, problems_of, read, units

from ansible_collections.voip.preprovision.plugins.module_utils.phones.label_standards import EOT, GS, RS
from ansible_collections.voip.preprovision.plugins.module_utils.phones.scan_columns import Column


@pytest.mark.parametrize(
    ("text", "mac", "serial"),
    [
        # By column, however it looks
        (f"serial,mac\n{HEX_SERIAL},{LINKSYS}", LINKSYS, HEX_SERIAL),
        (f"serial,mac\n{LINKSYS},{CISCO}", CISCO, LINKSYS),
        (f"mac,serial\n{POLY},{POLY}", POLY, POLY),
        # By label and by separators
        (f"SN: {LINKSYS}\nMAC: {CISCO}", CISCO, LINKSYS),
        (f"{HEX_SERIAL}\n88-01-9f-a4-28-06", "88019FA42806", HEX_SERIAL),
        (f"8801.9fa4.2806\n{HEX_SERIAL}", "88019FA42806", HEX_SERIAL),
        # By OUI: of a maker of phones
        (f"{LINKSYS}\n{HEX_SERIAL}", LINKSYS, HEX_SERIAL),
        (f"{HEX_SERIAL}\n{LINKSYS}", LINKSYS, HEX_SERIAL),
        (f"{HEX_SERIAL}\n00005E005301", "00005E005301", HEX_SERIAL),
        # By OUI: of anybody (08:00:20 is Oracle's)
        (f"{HEX_SERIAL}\n080020000001", "080020000001", HEX_SERIAL),
        (f"080020000001\n{HEX_SERIAL}", "080020000001", HEX_SERIAL),
        ("080020000001", "080020000001", ""),
        # By what else the unit has
        (f"{HEX_SERIAL}\nFCH0000D001", HEX_SERIAL, "FCH0000D001"),
        (f"FCH0000D001\n{HEX_SERIAL}", HEX_SERIAL, "FCH0000D001"),
        (f"00:00:5e:00:53:01\n{HEX_SERIAL}", "00005E005301", HEX_SERIAL),
        # Twelve digits that cannot be a MAC address
        ("018012345678\n00005E005301", "00005E005301", "018012345678"),
        ("4MM00F903042\n00005E005301", "00005E005301", "4MM00F903042"),
    ],
)
def test_tells_mac_addresses_from_serial_numbers(text, mac, serial):
    assert units(text, defaults=ATA) == [(mac.lower(), serial, "ATA192")]


@pytest.mark.parametrize("codes", [[HEX_SERIAL, "88019FA42806"], [HEX_SERIAL], ["080020000001", "080020000002"]])
def test_rejects_codes_that_may_be_either(codes):
    said = " and ".join(f"'{code}'" for code in codes)
    assert problems_of("# codes\n" + "\n".join(codes), defaults=ATA) == [
        f"scans.csv line 2: {said} may be a MAC address or a serial number;"
        " write a header line such as mac,serial above the codes, or MAC: before the MAC address"
    ]


UNIT = ("00005e005321", "FCH0000D021", "ATA192")
UPC = "882658123450"
# Digits only, the check digit of a UPC, and registered to Cisco
DECIMAL_CISCO = "000216123458"
HOW_TO_ENTER = "; leave it out, or write MAC: or SN: before it if it is one"


@pytest.mark.parametrize(
    "text",
    [
        # Data identifiers and labels without a separator
        "00005E005321\nSFCH0000D021",
        "sfch0000d021\n23s00005e005321",
        "23S00005E005321\nFCH0000D021\n1PATA192-3PW-K9",
        f"00005E005321\n{GS}21FCH0000D021",
        "21FCH0000D021\nMAC00005E005321",
        "00005E005321\nSNFCH0000D021",
        "WAN MAC: 00005E005321\nSer. No.: FCH0000D021",
        # Names of units in call managers
        "SEP00005E005321\nFCH0000D021",
        "ATA00005E005321\nFCH0000D021",
        # Code 39 with the characters at its ends
        "*00005E005321*\n*SFCH0000D021*",
        # Symbologies
        "]C000005E005321\n]C0FCH0000D021",
        "00005E005321\n]C1010950600013435221FCH0000D021",
        # As printed below the bars
        "00005E005321\n(S)FCH0000D021",
        "(23S)00005E005321 (S)FCH0000D021",
        # Several fields in one code
        f"[)>{RS}06{GS}SFCH0000D021{GS}1PATA192-3PW-K9{GS}23S00005E005321{GS}Q1{GS}4LCN{RS}{EOT}",
        f"SFCH0000D021{GS}1P74-1234-01{GS}23S00005E005321",
        '{"sn": "FCH0000D021", "mac": "00:00:5E:00:53:21", "ean": "09506000134352"}',
        "https://example.com/?sn=FCH0000D021&mac=00005E005321",
        "SN:FCH0000D021 MAC:00005E005321",
        "MODEL=ATA192 SN=FCH0000D021 MAC=00005E005321",
        "MAC=00005E005321&SN=FCH0000D021",
        "MAC: 00005E005321 / SN: FCH0000D021",
        "PID=ATA192;SN=FCH0000D021;MAC=00005E005321;VER=1.2",
        "S/N: FCH0000D021, MAC: 00:00:5e:00:53:21, P/N: 74-1234-01",
        "Example ATA192 SN:FCH0000D021 MAC:00005E005321",
        # Several codes in one line
        f"00005E005321\tFCH0000D021\t{UPC}",
        "00005E005321\tFCH0000D021\t0882658123450\t1P74-1234-01\tQ1",
    ],
)
def test_reads_labels_by_their_standards(text):
    assert units(text, defaults=ATA) == [UNIT]


def test_structured_labels_name_the_model():
    text = f"[)>{RS}06{GS}SFCH0000D021{GS}1PCP-8851-3PCC-K9={GS}23S00005E005321{RS}{EOT}"
    for label in (text, "1PCP-8851-3PCC-K9=\n00005E005321\nFCH0000D021", "SN:FCH0000D021 MAC:00005E005321 P/N:CP-8851-3PCC"):
        assert units(label, defaults=ATA) == [(*UNIT[:2], "CP-8851-3PCC")]


@pytest.mark.parametrize(
    ("code", "what"),
    [
        (UPC, f"'{UPC}' is a UPC or EAN article number"),
        ("96385074", "'96385074' is a UPC or EAN article number"),
        ("9506000134352", "'9506000134352' is a UPC or EAN article number"),
        (f"]E00{UPC}", f"'0{UPC}' is a UPC or EAN article number"),
        ("]C10109506000134352", "'09506000134352' is a UPC or EAN article number"),
        ("1P74-1234-01", "'1P74-1234-01' is a part number"),
        ("1PABC12345", "'1PABC12345' is a part number"),
        ("P/N: 74-1234-01", "'74-1234-01' is a part number"),
        ("Q1", "'Q1' is a quantity"),
        ("4LCN", "'4LCN' is a country of origin"),
        ("1SFCH0000D029", "'1SFCH0000D029' is the field 1S"),
        ("52S00005E005329", "'52S00005E005329' is the field 52S"),
        (f"[)>{RS}06{GS}1PABC{GS}Q1{RS}{EOT}", "'ABC' is a part number and '1' is a quantity"),
        ('{"ssid": "x"}', "'x' is the field ssid"),
    ],
)
def test_names_what_identifies_no_unit(code, what):
    text = f"00005E005321\nFCH0000D021\n{code}\n00005E005322\nFCH0000D022"
    assert problems_of(text, defaults=ATA) == [f"scans.csv line 3: {what}, not a MAC address or serial number{HOW_TO_ENTER}"]


@pytest.mark.parametrize(
    ("label", "column"),
    [
        ("WAN MAC:00005E005321 LAN MAC:00005E005322 SN:FCH0000D021", "MAC address"),
        ("MAC:00005E005321,SN:FCH0000D021,SN:FCH0000D022", "serial"),
    ],
)
def test_refuses_a_label_with_several_addresses_and_one_serial_number(label, column):
    assert problems_of(f"00005E005323\tFCH0000D023\n{label}", defaults=ATA) == [
        f"scans.csv line 2: the label has more than one {column}; scan or type only the one that the phone uses"
    ]


def test_refuses_twelve_digits_that_may_be_what_is_missing():
    """Beside only a MAC address, an article number may be a serial number of digits."""
    assert problems_of(f"00005E005321\t{UPC}", defaults=ATA) == [
        f"scans.csv line 1: '{UPC}' is a UPC or EAN article number, not a MAC address or serial number{HOW_TO_ENTER}"
    ]
    assert units(f"00005E005321\t0{UPC}", defaults=ATA) == [("00005e005321", "", "ATA192")]


@pytest.mark.parametrize(
    ("text", "mac", "serial"),
    [
        # By label, by symbology and the unit's other code, by OUI
        (f"MAC:{UPC}", UPC, ""),
        (f"MAC{UPC}", UPC, ""),
        (f"23S{UPC}", UPC, ""),
        (f"00005E005321\nSN:{UPC}", "00005e005321", UPC),
        (f"00005E005321\n]C0{UPC}", "00005e005321", UPC),
        (f"]C0{UPC}\nFCH0000D021", UPC, "FCH0000D021"),
        (DECIMAL_CISCO, DECIMAL_CISCO, ""),
        (f"{DECIMAL_CISCO}\nFCH0000D021", DECIMAL_CISCO, "FCH0000D021"),
    ],
)
def test_context_tells_addresses_from_article_numbers(text, mac, serial):
    assert units(text, defaults=ATA) == [(mac, serial, "ATA192")]


@pytest.mark.parametrize("serial", ["SABC1234567", "SEP12345678", "2112345678", "S8801234567", "1P000F100000"])
def test_keeps_serial_numbers_that_begin_like_an_identifier(serial):
    assert units(f"00005E005321\n{serial}", defaults=ATA) == [("00005e005321", serial, "ATA192")]


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        (
            "[)>06SFCH0000D021",
            "the 2D code came without its separators; set the scanner to send the control characters GS, RS and EOT,",
        ),
        ("]C100005E005321", "the GS1 code cannot be read from '00005E005321' on; scan the unit's other codes"),
        ("VER:1.2", "'VER:1.2' is neither a MAC address nor a serial number nor a known model"),
    ],
)
def test_reports_labels_that_break_their_standard(code, problem):
    (found,) = problems_of(f"00005E005321\n{code}", defaults=ATA)
    assert found.startswith(f"scans.csv line 2: {problem}")


def test_settings_may_contain_separators_and_reach_into_variables():
    text = "customer=Example, Inc\nphone_parameters.Time_Zone=GMT\n00005E005321\nphone_lines.1.user_id=7\n00005E005322"
    phones = read(text, defaults=ATA).phones
    assert [phone.variables["phone_customer"] for phone in phones] == ["Example, Inc", "Example, Inc"]
    assert [phone.variables["phone_parameters"] for phone in phones] == [{"Time_Zone": "GMT"}] * 2
    assert [phone.variables.get("phone_lines") for phone in phones] == [None, [{"user_id": "7"}]]
    assert problems_of("phone_lines.0.user_id=7\n00005E005321", defaults=ATA) == [
        "scans.csv line 1: the column 'phone_lines.0.user_id' names no line; write phone_lines.1.user_id, lines from 1 to 64"
    ]


def test_reads_units_with_mac_and_serial_in_either_order():
    text = f"{LINKSYS}\n{HEX_SERIAL}\n88019FA42806\n000E08AABB02\nFCH0000D001\n{CISCO}\n"
    assert [unit[:2] for unit in units(text, defaults=ATA)] == [
        (LINKSYS.lower(), HEX_SERIAL),
        ("000e08aabb02", "88019FA42806"),
        (CISCO.lower(), "FCH0000D001"),
    ]


@pytest.mark.parametrize(
    ("lost", "sentence"),
    [
        # Of three units with MAC address and serial number, one code is missing
        (0, "line 5: this unit has serial, but others"),
        (1, "line 1: this unit has MAC address, but others"),
        (2, "line 5: this unit has serial, but others"),
        (3, "line 3: this unit has MAC address, but others"),
        (4, "line 5: this unit has serial, but others"),
        (5, "line 5: this unit has MAC address, but others"),
    ],
)
def test_a_missing_code_is_an_error(lost, sentence):
    codes = ["00005e005301", "FCH0000D001", "00005e005302", "FCH0000D002", "00005e005303", "FCH0000D003"]
    problems = problems_of("\n".join(codes[:lost] + codes[lost + 1 :]), defaults=ATA)
    assert [problem.startswith(f"scans.csv {sentence}") for problem in problems] == [True]


def test_blank_lines_separate_units():
    text = "00005e005301\n\nFCH0000D002\n00005e005302\n \n00005e005303\nFCH0000D003"
    assert [unit[:2] for unit in units(text, defaults=ATA)] == [
        ("00005e005301", ""),
        ("00005e005302", "FCH0000D002"),
        ("00005e005303", "FCH0000D003"),
    ]


def test_settings_apply_to_the_units_after_them():
    text = (
        "00005e005301\ncustomer=Example = Co\nmodel=spa504g\n00005e005302\n00005e005303\nCustomer = other\n00005e005304\n"
        "model=\nphone_note=on loan\n00005e005305\n"
    )
    phones = read(text, defaults={Column.MODEL: "ATA192", Column.CUSTOMER: "first"}).phones
    assert [(phone.line, phone.variables["phone_customer"], phone.model.name) for phone in phones] == [
        (1, "first", "ATA192"),
        (4, "Example = Co", "SPA504G"),
        (5, "Example = Co", "SPA504G"),
        (7, "other", "SPA504G"),
        (10, "other", "ATA192"),
    ]
    assert [phone.variables.get("phone_note") for phone in phones] == [None, None, None, None, "on loan"]


def test_a_labelled_value_applies_to_its_unit():
    text = "customer=first\n00005e005301\n\n00005e005302\nCustomer: second\n\n00005e005303"
    assert [phone.variables["phone_customer"] for phone in read(text, defaults=ATA).phones] == ["first", "second", "first"]


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        (
            "model=ATA192\n00005e005301\n00:00:5e:00:53\nhttp://example.net/\nscanner",
            [
                "line 3: '00:00:5e:00:53' is neither a MAC address nor a serial number nor a known model",
                "line 4: 'http://example.net/' is neither a MAC address nor a serial number nor a known model",
                "line 5: 'scanner' is neither a MAC address nor a serial number nor a known model",
            ],
        ),
        (
            "ATA192\t00005e005301\t00005e005301",
            ["line 1: this unit has MAC address, but others around it have MAC address and model; a code is missing"],
        ),
    ],
)
def test_rejects_invalid_codes(text, problems):
    found = problems_of(text)
    assert len(found) == len(problems)
    for line, problem in zip(found, problems, strict=True):
        assert line.startswith(f"scans.csv {problem}")
