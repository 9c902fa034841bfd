# SPDX-License-Identifier: GPL-3.0-or-later
"""Summaries of packets from tshark's fields, and the rejection of anything else."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.common.mac import parse_mac
from ansible_collections.voip.preprovision.plugins.module_utils.dhcp.packets import REPLY, REQUEST, DhcpPacket, build
from ansible_collections.voip.preprovision.plugins.module_utils.station.capture_summary import (
    ALERTS,
    FIELDS,
    SHOWN,
    CaptureError,
    phone_filter,
    record_filter,
    summarize,
)

PHONE = parse_mac("00:00:5e:00:53:01")
STATION = "02:00:00:00:00:01"
TIME = "1795536857.440014749"
HEAD = "2026-11-24 (UTC), 00:00:5e:00:53:01"


def packet(protocols, phone=True, **fields):
    """A packet with these fields, whose names have "_" for "."; values are one or a list."""
    source, there = ("192.0.2.20", "192.0.2.1") if phone else ("192.0.2.1", "192.0.2.20")
    layers = {
        "frame.time_epoch": TIME,
        "frame.protocols": f"eth:ethertype:ip:{protocols}",
        "eth.src": PHONE.colon if phone else STATION,
        "ip.src": source,
        "ip.dst": there,
        **{name.replace("__", "."): value for name, value in fields.items()},
    }
    return {"_source": {"layers": {name: value if isinstance(value, list) else [value] for name, value in layers.items()}}}


def lines(*packets):
    return summarize(json.dumps(packets), PHONE)


def line(*arguments, **fields):
    head, only = lines(packet(*arguments, **fields))
    assert head == HEAD
    assert only.startswith("16:14:17.440  ")
    return only.removeprefix("16:14:17.440  ")


@pytest.mark.parametrize(
    ("protocols", "phone", "fields", "text"),
    [
        ("udp:tftp", True, {"tftp__opcode": "1", "tftp__source_file": "/a.cfg"}, "TFTP    phone: asks 192.0.2.1 for /a.cfg"),
        (
            "udp:tftp",
            True,
            {"tftp__opcode": "2", "tftp__destination_file": "/a"},
            "TFTP    phone: asks to write /a to 192.0.2.1",
        ),
        ("udp:tftp", False, {"tftp__opcode": "3", "tftp__source_file": "/a"}, "TFTP    192.0.2.1: begins to send /a"),
        ("udp:tftp", False, {"tftp__opcode": "6", "tftp__source_file": "/a"}, "TFTP    192.0.2.1: accepts options for /a"),
        ("udp:tftp", False, {"tftp__opcode": "6"}, "TFTP    192.0.2.1: accepts options"),
        (
            "udp:tftp",
            False,
            {"tftp__opcode": "5", "tftp__error__code": "1", "tftp__error__message": "no", "tftp__source_file": "/a"},
            "TFTP    192.0.2.1: error 1 (file not found, 'no') for /a",
        ),
        ("udp:tftp", False, {"tftp__opcode": "5", "tftp__error__code": "0"}, "TFTP    192.0.2.1: error 0"),
        (
            "tcp:http",
            True,
            {"http__request__method": "GET", "http__host": "a.example.net", "http__request__uri": "/x", "http__user_agent": "U"},
            "HTTP    phone: GET http://a.example.net/x (U)",
        ),
        (
            "tcp:tls:http",
            True,
            {"http__request__method": "GET", "http__request__uri": "/x", "tls__record__content_type": "23"},
            "TLS     phone: GET https://192.0.2.1/x",
        ),
        (
            "tcp:http:data-text-lines",
            False,
            {"http__response__code": "302", "http__response__phrase": "Found", "http__location": "/y", "http__content_length": "5"},
            "HTTP    192.0.2.1: 302 Found, 5 bytes, redirects to /y",
        ),
        (
            "tcp:tls",
            True,
            {"tls__handshake__type": "1", "tls__handshake__extensions_server_name": "a.example.net", "tcp__dstport": "443"},
            "TLS     phone: asks 192.0.2.1:443 for a.example.net",
        ),
        (
            "tcp:tls",
            True,
            {"tls__handshake__type": "1", "tcp__dstport": "443"},
            "TLS     phone: asks 192.0.2.1:443 for an unnamed server",
        ),
        (
            "tcp:tls",
            True,
            {"tls__record__content_type": "21", "tls__alert_message__desc": "48"},
            "TLS     phone: alert 48: the certificate's root is not known here",
        ),
        ("tcp:tls", True, {"tls__alert_message__desc": "200"}, "TLS     phone: alert 200: unknown"),
        (
            "tcp:tls",
            False,
            {"tls__record__content_type": ["23", "21"]},
            "TLS     192.0.2.1: encrypted alert: it closes the connection or reports an error",
        ),
        ("udp:syslog", True, {"udp__payload": b"<134>a\n\x1b[2J".hex()}, "log     phone: logs to 192.0.2.1: a\\x0a\\x1b[2J"),
        ("udp:syslog", True, {"udp__payload": ":".join(f"{byte:02x}" for byte in b"<1>b")}, "log     phone: logs to 192.0.2.1: b"),
        (
            "udp:dns",
            True,
            {"dns__qry__name": "a.example.net", "dns__qry__type": "1", "dns__flags__response": "0"},
            "DNS     phone: asks 192.0.2.1 for a.example.net",
        ),
        (
            "udp:dns",
            True,
            {"dns__qry__name": "a.example.net", "dns__qry__type": "28", "dns__flags__response": "False"},
            "DNS     phone: asks 192.0.2.1 for a.example.net (type 28)",
        ),
        (
            "udp:dns",
            False,
            {
                "dns__qry__name": "a.example.net",
                "dns__qry__type": "1",
                "dns__flags__response": "True",
                "dns__a": ["192.0.2.1", "192.0.2.2"],
            },
            "DNS     192.0.2.1: a.example.net is 192.0.2.1, 192.0.2.2",
        ),
        (
            "udp:dns",
            False,
            {"dns__qry__name": "a.b", "dns__qry__type": "1", "dns__flags__response": "1", "dns__flags__rcode": "3"},
            "DNS     192.0.2.1: a.b: no such name",
        ),
        (
            "udp:dns",
            False,
            {"dns__qry__name": "a.b", "dns__qry__type": "1", "dns__flags__response": "1", "dns__flags__rcode": "0"},
            "DNS     192.0.2.1: a.b: no address",
        ),
        (
            "icmp:ip:udp:tftp",
            False,
            {"icmp__type": "3", "icmp__code": "3", "ip__dst": ["192.0.2.20", "192.0.2.1"], "udp__dstport": "69"},
            "ICMP    192.0.2.1: 192.0.2.1 port 69 cannot be reached: nothing listens there",
        ),
        (
            "icmp:ip:tcp",
            False,
            {"icmp__type": "3", "icmp__code": "13", "ip__dst": ["192.0.2.20", "192.0.2.1"], "tcp__dstport": "80"},
            "ICMP    192.0.2.1: 192.0.2.1 port 80 cannot be reached: a firewall rejects it",
        ),
        ("tcp", False, {"tcp__srcport": "81", "tcp__flags__reset": "1"}, "TCP     192.0.2.1: nothing listens on TCP port 81"),
    ],
)
def test_describes_each_kind(protocols, phone, fields, text):
    assert line(protocols, phone, **fields) == text


def dhcp(operation, options, phone, **fields):
    message = DhcpPacket(operation, 7, PHONE, options=options, **fields)
    return line("udp:dhcp", phone, udp__payload=build(message).hex())


def test_shows_dhcp_messages_with_their_options():
    discover = dhcp(REQUEST, {53: b"\1", 55: bytes((1, 66)), 60: b"CISCO ATA192-MPP"}, True)
    assert discover == "DHCP    phone: discover; options 55=1,66 60=CISCO ATA192-MPP"
    offered = dhcp(
        REPLY,
        {53: b"\2", 66: b"prov.example.net", 150: bytes((192, 0, 2, 1, 192, 0, 2, 2))},
        False,
        your_address="192.0.2.20",
        next_server="192.0.2.1",
        boot_file=b"x.cfg",
    )
    assert offered == (
        "DHCP    192.0.2.1: offer 192.0.2.20; options 66=prov.example.net 150=192.0.2.1,192.0.2.2 file=x.cfg next server=192.0.2.1"
    )
    assert dhcp(REQUEST, {53: b"\7"}, True) == "DHCP    phone: release"


def test_reports_a_damaged_dhcp_message():
    assert line("udp:dhcp", udp__payload="00").startswith("DHCP    phone: a message that cannot be decoded: ")
    assert line("udp:dhcp", udp__payload="rubbish").startswith("DHCP    phone: a message that cannot be decoded: ")


def test_shows_several_alerts_of_one_packet():
    both = packet("tcp:tls", tls__record__content_type=["21", "21"], tls__alert_message__desc=["40", "0"])
    assert [one[22:] for one in lines(both)[1:]] == [f"phone: alert {number}: {ALERTS[number]}" for number in (40, 0)]


def test_orders_lines_by_time_as_old_and_new_tshark_write_it():
    early = packet("udp:syslog", udp__payload="61")
    late = packet("udp:syslog", udp__payload="62", frame__time_epoch="2026-11-24T16:14:17.900014749Z")
    assert [one[-1] for one in lines(late, early)[1:]] == ["a", "b"]
    assert lines(late)[1].startswith("16:14:17.900  ")


def test_limits_the_lines():
    text = json.dumps([packet("udp:syslog", udp__payload="61")] * 5)
    limited = summarize(text, PHONE, max_lines=3)
    assert (len(limited), limited[-1]) == (5, "... and 2 more")
    assert summarize(text, PHONE, max_lines=5)[-1][-1] == "a"


@pytest.mark.parametrize("text", ["", "[]", "[\n]\n", json.dumps([packet("icmpv6")]), json.dumps([packet("tcp:tls")])])
def test_returns_nothing_without_packets_of_interest(text):
    assert summarize(text, PHONE) == []


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "{}x",
        '[{"_source": {}}]',
        "[1]",
        '[{"_source": {"layers": []}}]',
        '[{"_source": {"layers": {"frame.time_epoch": ["x"]}}}]',
    ],
)
def test_rejects_other_text(text):
    with pytest.raises(CaptureError, match="the text is not output of tshark -T json"):
        summarize(text, PHONE)


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from([name for name in FIELDS if name != "frame.time_epoch"]),
            st.lists(
                st.one_of(st.text(max_size=9), st.sampled_from(["1", "3", "21", "eth:ip:tcp:tls", "eth:ip:udp:dhcp"])), max_size=3
            ),
        ),
        max_size=3,
    )
)
def test_lines_are_printable_whatever_strangers_send(packets):
    rows = [{"_source": {"layers": {**fields, "frame.time_epoch": [TIME]}}} for fields in packets]
    assert all(one.isprintable() for one in summarize(json.dumps(rows), PHONE))


def test_filters():
    dhcp = "(udp port 67 or udp port 68) and udp[36:4] = 0x00005e00 and udp[40:2] = 0x5301"
    assert record_filter(PHONE) == f"ether host 00:00:5e:00:53:01 or ({dhcp}) or (vlan and {dhcp})"
    assert phone_filter(PHONE) == "(eth.addr == 00:00:5e:00:53:01 or dhcp.hw.mac_addr == 00:00:5e:00:53:01)"
    assert phone_filter(PHONE, 12) == f"{phone_filter(PHONE)} and frame.time_epoch >= 12.000"
    assert SHOWN.count("(") == SHOWN.count(")")
