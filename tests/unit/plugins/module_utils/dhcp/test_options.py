# SPDX-License-Identifier: GPL-3.0-or-later
"""DHCP options as they travel, from what users write; and one sentence for what cannot travel."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.dhcp.options import (
    VLAN_TYPES,
    Option,
    OptionError,
    OptionType,
    addresses,
    addresses_option,
    custom_options,
    identified_vendor_option,
    name_option,
    server_option,
    vendor_option,
    vlan_option,
)

PRINTABLE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=255)
NUMBERS = {"uint8": (1, False), "uint16": (2, False), "uint32": (4, False), "int32": (4, True)}


def custom(code=224, **entry):
    """Return the only option of a list with one entry."""
    (option,) = custom_options([{"code": code, **entry}], "where", {})
    return option


def parts(data, header):
    """Split a sequence of codes of *header* bytes, lengths and values."""
    found = []
    while data:
        end = header + 1 + data[header]
        assert end <= len(data)
        found.append((int.from_bytes(data[:header], "big"), data[header + 1 : end]))
        data = data[end:]
    return found


@pytest.mark.parametrize(
    "value",
    [
        "192.0.2.1",
        "prov.example.net",
        "tftp://192.0.2.1",
        "http://prov.example.net:8080/a/$PSN.xml?m=$MA",
        "HTTPS://prov.example.net/",
        "https://a.example.net/;http://192.0.2.2",
        'http://prov.example.net/a"b\\c',
        "http://h/" + "x" * 246,
    ],
)
def test_servers(value):
    assert server_option(66, value, "where") == Option(66, OptionType.TEXT, value.encode())


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("http://h/" + "x" * 247, "where is 256 bytes long, but a DHCP option can contain at most 255; shorten it"),
        ("192.0.2.300", "where is '192.0.2.300', and '192.0.2.300' is not an IPv4 address, host name or URL; write it as"),
        ("prov example", "where is 'prov example', and 'prov example' is not an IPv4 address, host name or URL"),
        ("ftp://prov.example.net/", "where is 'ftp://prov.example.net/', and 'ftp://prov.example.net/' is no"),
        ("http://prov.example.net/a b", "where is 'http://prov.example.net/a b', and "),
        ("http://user@prov.example.net/", "where is 'http://user@prov.example.net/', and "),
        ("http://prov.example.net:0/", "where is 'http://prov.example.net:0/', and "),
        ("http://prov.example.net:65536/", "where is 'http://prov.example.net:65536/', and "),
        ("http:///x", "where is 'http:///x', and "),
        ("http://[2001:db8::1]/", "where is 'http://[2001:db8::1]/', and "),
        ("prov.example.net/x", "where is 'prov.example.net/x', and "),
        ("a;b;c", "where is 'a;b;c'; phones accept at most two servers, joined by ';'"),
        ("a;", "where is 'a;', and '' is not an IPv4 address, host name or URL"),
        ('a"; } host x { "', "where is 'a\"; } host x { \"', and 'a\"' is no"),
        ("prov.example.net\n", "where is 'prov.example.net\\n'; phones accept printable ASCII without spaces around it"),
        (" prov.example.net", "where is ' prov.example.net'; phones accept printable ASCII without spaces around it"),
        ("prév.example.net", "where is 'prév.example.net'; phones accept printable ASCII"),
        (66, "where is 66; phones accept printable ASCII"),
    ],
)
def test_rejects_invalid_option_66(value, sentence):
    with pytest.raises(OptionError) as raised:
        server_option(66, value, "where")
    assert str(raised.value).startswith(sentence)


@pytest.mark.parametrize(
    ("code", "values", "data"),
    [
        (6, ["192.0.2.1"], "c0000201"),
        (42, ["192.0.2.1", "192.0.2.2"], "c0000201c0000202"),
        (150, ("192.0.2.255",), "c00002ff"),
    ],
)
def test_lists_of_addresses(code, values, data):
    option = addresses_option(code, values, "where")
    assert option == Option(code, OptionType.ADDRESSES, bytes.fromhex(data))
    assert addresses(option) == list(values)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ("192.0.2.1", "where is '192.0.2.1'; it must be a list of IPv4 addresses"),
        ([], "where is []; it must be a list of IPv4 addresses"),
        (None, "where is None; it must be a list of IPv4 addresses"),
        (["prov.example.net"], "where contains 'prov.example.net', which is not an IPv4 address"),
        (["192.0.2.1; option x 1"], "where contains '192.0.2.1; option x 1', which is not an IPv4 address"),
        (["192.0.2.1", "192.0.2.1"], "where contains 192.0.2.1 twice; keep one"),
        ([f"192.0.2.{n}" for n in range(64)], "where has 64 addresses, but a DHCP option can contain at most 63; remove 1"),
    ],
)
def test_rejects_invalid_lists_of_addresses(values, sentence):
    with pytest.raises(OptionError) as raised:
        addresses_option(150, values, "where")
    assert str(raised.value).startswith(sentence)


def test_domain():
    assert name_option(15, "bench.example.net", "where") == Option(15, OptionType.TEXT, b"bench.example.net")
    with pytest.raises(OptionError, match=r"^where is 'bench lan', which is not a DNS name; write it as bench.example.net$"):
        name_option(15, "bench lan", "where")


@pytest.mark.parametrize(
    ("kind", "value", "data"),
    [
        ("text", "VLAN-A=20;", b"VLAN-A=20;"),
        ("addresses", ["192.0.2.1", "192.0.2.2"], bytes([192, 0, 2, 1, 192, 0, 2, 2])),
        ("uint8", 255, b"\xff"),
        ("uint16", "258", b"\1\2"),
        ("uint32", 1, b"\0\0\0\1"),
        ("int32", -1, b"\xff\xff\xff\xff"),
        ("boolean", True, b"\1"),
        ("boolean", "no", b"\0"),
        ("hex", "01:0a:FF", b"\1\n\xff"),
        ("hex", "010aff", b"\1\n\xff"),
    ],
)
def test_types_of_custom_options(kind, value, data):
    assert custom(type=kind, value=value) == Option(224, OptionType(kind), data, always=True)


@given(st.sampled_from(sorted(NUMBERS)), st.integers(-(2**33), 2**33))
def test_numbers_read_back_or_are_out_of_range(kind, number):
    size, signed = NUMBERS[kind]
    lowest = -(2 ** (8 * size - 1)) if signed else 0
    if lowest <= number <= lowest + 2 ** (8 * size) - 1:
        data = custom(type=kind, value=number).data
        assert (len(data), int.from_bytes(data, "big", signed=signed)) == (size, number)
    else:
        with pytest.raises(OptionError, match=r"^where: option 224: value is -?[0-9]+; it must be a whole number between"):
            custom(type=kind, value=number)


@given(PRINTABLE)
def test_text_travels_as_it_is(text):
    assert custom(type="text", value=text).data == text.encode()


@given(st.binary(min_size=1, max_size=255), st.sampled_from(["", ":", "-", " "]))
def test_bytes_travel_as_they_are(data, separator):
    assert custom(type="hex", value=data.hex(separator) if separator else data.hex()).data == data


@given(st.dictionaries(st.integers(1, 254), PRINTABLE, min_size=1, max_size=6))
def test_encapsulated_options_read_back_or_are_too_long(texts):
    entries = [{"code": code, "type": "text", "value": text} for code, text in texts.items()]
    length = sum(2 + len(text) for text in texts.values())
    if length > 255:
        with pytest.raises(OptionError, match=rf"^where is {length} bytes long, but a DHCP option can contain at most 255"):
            vendor_option(43, entries, "where")
    else:
        option = vendor_option(43, entries, "where")
        assert parts(option.data, 1) == [(code, text.encode()) for code, text in texts.items()]
        assert option.always


@given(
    st.dictionaries(st.integers(0, 2**32 - 1), st.dictionaries(st.integers(1, 254), PRINTABLE, min_size=1, max_size=2), min_size=1)
)
def test_vendors_read_back_or_are_too_long(vendors):
    entries = [
        {"enterprise": number, "options": [{"code": code, "type": "text", "value": text} for code, text in texts.items()]}
        for number, texts in vendors.items()
    ]
    lengths = [sum(2 + len(text) for text in texts.values()) for texts in vendors.values()]
    if max(lengths) > 255 or sum(5 + length for length in lengths) > 255:
        with pytest.raises(OptionError, match=r"^where(: enterprise [0-9]+)? is [0-9]+ bytes long"):
            identified_vendor_option(125, entries, "where")
    else:
        blocks = parts(identified_vendor_option(125, entries, "where").data, 4)
        assert [(number, parts(block, 1)) for number, block in blocks] == [
            (number, [(code, text.encode()) for code, text in texts.items()]) for number, texts in vendors.items()
        ]


def test_a_single_entry_without_code_is_the_whole_value():
    assert vendor_option(43, [{"type": "text", "value": "http://prov.example.net/"}], "where").data == b"http://prov.example.net/"


@pytest.mark.parametrize(("kind", "data"), [("text", b"4094"), ("uint16", b"\x0f\xfe"), ("uint32", b"\0\0\x0f\xfe")])
def test_vlans(kind, data):
    assert vlan_option(132, 4094, kind, "where") == Option(132, OptionType(kind), data, always=True)
    assert {"text", "uint16", "uint32"} == set(VLAN_TYPES)


@pytest.mark.parametrize("number", [0, 4095, -1, "x", True, 20.5, None])
def test_rejects_numbers_that_no_vlan_has(number):
    with pytest.raises(OptionError, match=r"^where is .*; it must be a whole number between 1 and 4094, such as 20$"):
        vlan_option(132, number, "text", "where")


def test_rejects_types_that_no_phone_reads_a_vlan_in():
    with pytest.raises(OptionError, match=r"^where_type: unknown type 'hex'; expected one of text, uint16, uint32$"):
        vlan_option(132, 20, "hex", "where")


TEXT = {"type": "text", "value": "x"}


@pytest.mark.parametrize(
    ("entries", "sentence"),
    [
        ("x", "where is text; it must be a list, such as [{code: 2, type: int32, value: 3600}]"),
        ({"code": 2}, "where is a mapping; it must be a list, such as"),
        ([2], "where: entry 1 is a number; it must be a mapping, such as {code: 2, type: int32, value: 3600}"),
        ([{"cod": 2}], "where: entry 1: unknown key 'cod'; did you mean 'code'?"),
        ([{"code": 2, "value": 1}], "where: entry 1: type is missing; an entry has code, type, value"),
        ([{"code": 2, "type": "int32"}], "where: entry 1: value is missing; an entry has code, type, value"),
        ([{"code": 255, **TEXT}], "where: entry 1: code is 255; it must be a whole number between 1 and 254"),
        ([{"code": 0, **TEXT}], "where: entry 1: code is 0; it must be a whole number between 1 and 254"),
        ([{"code": 224, **TEXT}, {"code": 224, **TEXT}], "where: option 224 is listed twice; keep one"),
        ([{"code": 66, **TEXT}], "where: option 66 has a setting of its own; set its variable instead"),
        (
            [{"code": 224, "type": "string", "value": "x"}],
            "where: option 224: unknown type 'string'; expected one of text, addresses, uint8",
        ),
        (
            [{"code": 2, "type": "uint32", "value": 1}],
            "where: option 2 has the type uint32, but its RFC says int32; change the type, or",
        ),
        (
            [{"code": 7, **TEXT}],
            "where: option 7 has the type text, but its RFC says addresses; change the type, or give its bytes as hex",
        ),
        (
            [{"code": 28, "type": "addresses", "value": ["192.0.2.1", "192.0.2.2"]}],
            "where: option 28 is 8 bytes long, but its RFC says one",
        ),
        (
            [{"code": 224, "type": "text", "value": ""}],
            "where: option 224: value is ''; it must be printable ASCII, at least one character",
        ),
        ([{"code": 224, "type": "text", "value": "é"}], "where: option 224: value is 'é'; it must be printable ASCII"),
        (
            [{"code": 224, "type": "text", "value": 20}],
            "where: option 224: value is 20; it must be text, not a number; write it in quotes",
        ),
        (
            [{"code": 224, "type": "text", "value": "x" * 256}],
            "where: option 224 is 256 bytes long, but a DHCP option can contain at most",
        ),
        ([{"code": 224, "type": "hex", "value": "1"}], "where: option 224: value is '1'; it must be pairs of hexadecimal digits"),
        (
            [{"code": 224, "type": "hex", "value": "01:"}],
            "where: option 224: value is '01:'; it must be pairs of hexadecimal digits",
        ),
        (
            [{"code": 224, "type": "hex", "value": 66}],
            "where: option 224: value is 66; it must be text, not a number; write it in quotes",
        ),
        ([{"code": 224, "type": "boolean", "value": 2}], "where: option 224: value is 2; it must be true or false"),
        (
            [{"code": 224, "type": "addresses", "value": "192.0.2.1"}],
            "where: option 224: value is '192.0.2.1'; it must be a list of IPv4",
        ),
    ],
)
def test_rejects_invalid_custom_options(entries, sentence):
    with pytest.raises(OptionError) as raised:
        custom_options(entries, "where", {66: "its variable"})
    assert str(raised.value).startswith(sentence)


@pytest.mark.parametrize("code", [1, *range(50, 60), 61, 80, 81, 82, 90, 91, 92, 118])
def test_rejects_what_the_server_sets_itself(code):
    with pytest.raises(OptionError) as raised:
        custom_options([{"code": code, "type": "hex", "value": "00"}], "where", {})
    sentence = f"where: option {code} is set by the DHCP server itself or belongs to the exchange with it; remove the entry"
    assert str(raised.value) == sentence


@pytest.mark.parametrize(
    ("entries", "sentence"),
    [
        ("01:04", "where is text; it must be a list, such as [{code: 1, type: text, value: 'http://prov.example.net/'}]"),
        ([TEXT, TEXT], "where has several entries, one of them without code; only a single entry can do without"),
        ([{"code": 1, **TEXT}, TEXT], "where has several entries, one of them without code; only a single entry can do without"),
        ([{"code": 1, **TEXT}, {"code": 1, **TEXT}], "where: code 1 is listed twice; keep one"),
        ([{"code": 255, **TEXT}], "where: entry 1: code is 255; it must be a whole number between 1 and 254"),
        (
            [{"code": 1, "type": "text", "value": "x" * 256}],
            "where: entry 1 is 256 bytes long, but a DHCP option can contain at most 255",
        ),
        ([{"type": "text", "value": "x" * 256}], "where is 256 bytes long, but a DHCP option can contain at most 255"),
        ([{"type": "text"}], "where: entry 1: value is missing; an entry has code, type, value"),
        ([], "where is empty; write [{code: 1, type: text, value: 'http://prov.example.net/'}]"),
    ],
)
def test_rejects_invalid_encapsulated_options(entries, sentence):
    with pytest.raises(OptionError) as raised:
        vendor_option(43, entries, "where")
    assert str(raised.value).startswith(sentence)


@pytest.mark.parametrize(
    ("vendors", "sentence"),
    [
        ([{"enterprise": 9}], "where: entry 1: options is missing; an entry has enterprise, options"),
        (
            [{"enterprise": -1, "options": [TEXT]}],
            "where: entry 1: enterprise is -1; it must be a whole number between 0 and 4294967295",
        ),
        ([{"enterprise": 9, "options": []}], "where: enterprise 9: options is empty; write"),
        ([{"enterprise": 9, "options": [TEXT]}] * 2, "where: enterprise 9 is listed twice; join its options in one entry"),
        ([{"enterprise": 9, "option": [TEXT]}], "where: entry 1: unknown key 'option'; did you mean 'options'?"),
        (
            [{"enterprise": 9, "options": [{"code": 1}]}],
            "where: enterprise 9: options: entry 1: type is missing; an entry has code, type,",
        ),
    ],
)
def test_rejects_invalid_vendors(vendors, sentence):
    with pytest.raises(OptionError) as raised:
        identified_vendor_option(125, vendors, "where")
    assert str(raised.value).startswith(sentence)
