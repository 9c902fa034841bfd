# SPDX-License-Identifier: GPL-3.0-or-later
"""DHCP messages as servers of all kinds may write them, and as a client must."""

from __future__ import annotations

import dataclasses
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.common.mac import Mac
from ansible_collections.voip.preprovision.plugins.module_utils.dhcp.packets import (
    REPLY,
    REQUEST,
    DhcpPacket,
    DhcpPacketError,
    build,
    discover_message,
    parse,
    show_option,
    show_options,
    show_text,
)

CLIENT = Mac("00005e005301")
COOKIE = b"\x63\x82\x53\x63"

addresses = st.integers(0, 2**32 - 1).map(lambda number: str(IPv4Address(number)))
names = st.binary(max_size=64).map(lambda value: value.replace(b"\0", b""))
packets = st.builds(
    DhcpPacket,
    operation=st.sampled_from([REQUEST, REPLY]),
    xid=st.integers(0, 2**32 - 1),
    client=st.binary(min_size=6, max_size=6).map(lambda value: Mac(value.hex())),
    seconds=st.integers(0, 65535),
    broadcast=st.booleans(),
    client_address=addresses,
    your_address=addresses,
    next_server=addresses,
    relay=addresses,
    server_name=names,
    boot_file=names,
    options=st.dictionaries(st.integers(1, 254).filter(lambda code: code != 52), st.binary(max_size=600), max_size=6),
)


def reply(options=b"\xff", sname=b"", file=b"", operation=b"\2", hardware=b"\1\6", cookie=COOKIE):
    head = operation + hardware + b"\0" + b"\xde\xad\xbe\xef" + bytes(4)
    head += bytes([0, 0, 0, 0, 192, 0, 2, 77, 192, 0, 2, 9, 0, 0, 0, 0])
    return head + bytes.fromhex(CLIENT.plain).ljust(16, b"\0") + sname.ljust(64, b"\0") + file.ljust(128, b"\0") + cookie + options


@given(packets)
def test_parses_built_packets(packet):
    assert parse(build(packet)) == packet


@given(st.one_of(st.binary(max_size=600), st.binary(max_size=300).map(reply), st.binary(max_size=128).map(lambda b: reply(file=b))))
def test_any_bytes_are_a_printable_message_or_rejected(data):
    try:
        packet = parse(data)
    except DhcpPacketError:
        return
    assert list(show_options(packet.options)) == [f"option_{code}" for code in sorted(packet.options)]
    assert packet.message
    assert packet.server == "" or IPv4Address(packet.server)


def test_discover_requests_the_provisioning_options():
    data = build(discover_message(0x01020304, CLIENT, "CISCO ATA192-MPP", 60))
    assert data[:4] == bytes([1, 1, 6, 0])
    assert data[4:8] == bytes([1, 2, 3, 4])
    assert data[8:12] == b"\0\x3c\x80\0"
    assert data[28:44] == bytes.fromhex("00005e005301").ljust(16, b"\0")
    assert data[236:243] == COOKIE + b"\x35\1\1"
    assert len(data) == 300
    packet = parse(data)
    assert packet.message == "discover"
    assert set(packet.options[55]) == {1, 3, 6, 12, 15, 42, 43, 60, 66, 67, 125, 132, 150, 159, 160}
    assert packet.options[60] == b"CISCO ATA192-MPP"
    assert 60 not in discover_message(1, CLIENT).options


@pytest.mark.parametrize("vendor_class", ["Müller", "a\nb", "x" * 256])
def test_rejects_vendor_classes_that_cannot_be_sent(vendor_class):
    with pytest.raises(DhcpPacketError, match="at most 255 printable ASCII characters"):
        discover_message(1, CLIENT, vendor_class)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"xid": 2**32}, "has an invalid value"),
        ({"seconds": -1}, "has an invalid value"),
        ({"relay": "192.0.2"}, "has an invalid value"),
        ({"server_name": b"x" * 65}, "too long"),
        ({"boot_file": b"x" * 129}, "too long"),
        ({"options": {0: b""}}, "option 0 is not possible"),
        ({"options": {255: b""}}, "option 255 is not possible"),
        ({"options": {52: b"\1"}}, "option 52 is not possible"),
    ],
)
def test_rejects_values_that_do_not_fit_in_a_message(change, message):
    with pytest.raises(DhcpPacketError, match=message):
        build(dataclasses.replace(DhcpPacket(REPLY, 1, CLIENT), **change))


def test_reads_all_fields_of_an_offer():
    packet = parse(reply(b"\x35\1\2\x36\4\xc0\0\2\x09\x42\x03abc\xff\x43\1x", sname=b"tftp\0rest", file=b"/a.cfg"))
    assert packet == DhcpPacket(
        operation=REPLY,
        xid=0xDEADBEEF,
        client=CLIENT,
        your_address="192.0.2.77",
        next_server="192.0.2.9",
        server_name=b"tftp",
        boot_file=b"/a.cfg",
        options={53: b"\2", 54: bytes([192, 0, 2, 9]), 66: b"abc"},
    )
    assert (packet.message, packet.server) == ("offer", "192.0.2.9")


@pytest.mark.parametrize(
    ("data", "options"),
    [
        (reply(b""), {}),
        (reply(b"\0\0\x42\1a\0\0"), {66: b"a"}),
        (reply(b"\x42\0\xff"), {66: b""}),
        # RFC 3396: parts apart, and over several fields in the order options, file, sname
        (reply(b"\x42\2ab\x35\1\2\x42\1c\xff"), {66: b"abc", 53: b"\2"}),
        (reply(b"\x34\1\3\x42\1a\xff", sname=b"\x42\1c\xff", file=b"\x42\1b\xff"), {66: b"abc"}),
        (reply(b"\x34\1\1\xff", sname=b"\x42\1c\xff", file=b"\x43\1b\xff"), {67: b"b"}),
        (reply(b"\x34\1\2\xff", sname=b"\x42\1c\xff", file=b"\x43\1b\xff"), {66: b"c"}),
        (reply(b"\x43\1x\xff", file=b"\x42\1b\xff"), {67: b"x"}),
    ],
)
def test_layouts_of_options(data, options):
    assert parse(data).options == options


def test_overloaded_fields_are_not_names():
    packet = parse(reply(b"\x34\1\3\xff", sname=b"\xff", file=b"\xff"))
    assert (packet.server_name, packet.boot_file) == (b"", b"")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "0 bytes are too few for a DHCP message"),
        (reply(b"")[:-1], "239 bytes are too few for a DHCP message"),
        (reply(operation=b"\3"), "this one has 3"),
        (reply(hardware=b"\6\6"), "hardware type 6"),
        (reply(hardware=b"\1\x10"), "addresses of 16 bytes"),
        (reply(cookie=b"\0\0\0\0"), "63 82 53 63"),
        (reply(b"\x42"), "option 66 is truncated: the field options ends before its length"),
        (reply(b"\x42\4abc"), "option 66 is truncated: its length is 4 bytes, but the field options has 3 left"),
        (
            reply(b"\x34\1\1\xff", file=b"\0" * 126 + b"\x42\1"),
            "option 66 is truncated: its length is 1 bytes, but the field file has 0 left",
        ),
        (reply(b"\x34\1\4\xff"), "has the value '04'"),
        (reply(b"\x34\1\0\xff"), "has the value '00'"),
        (reply(b"\x34\2\1\1\xff"), "has the value '0101'"),
        (reply(b"\x34\1\1\xff", file=b"\x34\1\2\xff"), "the field file contains option 52"),
    ],
)
def test_damaged_messages(data, message):
    with pytest.raises(DhcpPacketError, match=message):
        parse(data)


@pytest.mark.parametrize(
    ("options", "message", "server"),
    [
        ({}, "bootp", ""),
        ({53: b"\5"}, "ack", ""),
        ({53: b"\6", 54: bytes(4)}, "nak", "0.0.0.0"),  # noqa: S104
        ({53: b"\x63", 54: b"abc"}, "63", ""),
        ({53: b""}, "bootp", ""),
    ],
)
def test_reads_message_types(options, message, server):
    packet = DhcpPacket(REPLY, 1, CLIENT, options=options)
    assert (packet.message, packet.server) == (message, server)


@pytest.mark.parametrize(
    ("code", "value", "shown"),
    [
        (1, b"\xff\xff\xff\0", "255.255.255.0"),
        (54, b"\xc0\0\2\x09", "192.0.2.9"),
        (54, b"\xc0\0\2", "c00002"),
        (3, b"\xc0\0\2\x01", ["192.0.2.1"]),
        (6, b"\xc0\0\2\x01\xc0\0\2\x02", ["192.0.2.1", "192.0.2.2"]),
        (42, b"", []),
        (150, b"\xc0\0\2\x09", ["192.0.2.9"]),
        (150, b"\xc0\0\2\x09\1", "c000020901"),
        (66, b"prov.example.net\0", "prov.example.net"),
        (67, b"boot\\x64\\a", "boot\\x64\\a"),
        (159, b"https://prov.example.net/", "https://prov.example.net/"),
        (160, b"a\nb\x1b[2J\xc3\xa4", "a\\x0ab\\x1b[2J\\xc3\\xa4"),
        (43, b"\1\4abcd", "010461626364"),
        (51, b"\0\0\x0e\x10", 3600),
        (51, b"\0\0\x0e\x10\0", "00000e1000"),
        (51, b"", ""),
        (2, b"\xff\xff\xf1\xf0", -3600),
        (132, b"20", "20"),
        (132, b"4094", "4094"),
        (132, b"\0\x14", 20),
        (132, b"\0\0\x0f\xfe", 4094),
        (132, b"\0\0\x14", "000014"),
        (132, b"", ""),
        (53, b"\2", 2),
        (224, b"abc", "616263"),
    ],
)
def test_formats_options(code, value, shown):
    assert show_option(code, value) == shown


@given(st.binary())
def test_received_text_is_printable(value):
    assert show_text(value).isprintable()
    assert show_text(value).isascii()
