# SPDX-License-Identifier: GPL-3.0-or-later
"""STUN messages byte by byte: the RFC's own example, responses of every kind of server, and damaged messages."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.nat.stun import (
    CHANGED_ADDRESS,
    ERROR_CODE,
    FAILURE,
    MAGIC,
    MAPPED_ADDRESS,
    OTHER_ADDRESS,
    SOFTWARE,
    SUCCESS,
    XOR_MAPPED_ADDRESS,
    Endpoint,
    Response,
    StunError,
    build_request,
    parse_response,
)

TRANSACTION = bytes(range(12))
# RFC 5769 section 2.2, without its last attributes, which sign it
RFC_ANSWER = bytes.fromhex(
    "0101 001c 2112a442 b7e7a701bc34d686fa87dfae 8022 000b 7465737420766563746f72 20 0020 0008 0001 a147 e112a643"
)
endpoints = st.builds(Endpoint, st.ip_addresses(v=4).map(str), st.integers(0, 65535))


def attribute(code, value):
    return struct.pack("!HH", code, len(value)) + value + b" " * (-len(value) % 4)


def address(endpoint, mask=0, family=1):
    number = int(IPv4Address(endpoint.address)) ^ mask
    return struct.pack("!xBHI", family, endpoint.port ^ mask >> 16, number)


def message(*attributes, kind=SUCCESS, magic=MAGIC):
    body = b"".join(attributes)
    return struct.pack("!HHI", kind, len(body), magic) + TRANSACTION + body


@pytest.mark.parametrize(
    ("changes", "body"),
    [
        ({}, ""),
        ({"change_address": True}, "0003000400000004"),
        ({"change_port": True}, "0003000400000002"),
        ({"change_address": True, "change_port": True}, "0003000400000006"),
    ],
)
def test_builds_requests(changes, body):
    data = build_request(TRANSACTION, **changes)
    assert data == struct.pack("!HHI", 1, len(body) // 2, MAGIC) + TRANSACTION + bytes.fromhex(body)


def test_parses_the_example_of_the_rfc():
    answer = parse_response(RFC_ANSWER)
    assert answer == Response(RFC_ANSWER[8:20], Endpoint("192.0.2.1", 32853), software="test vector")
    assert str(answer.mapped) == "192.0.2.1:32853"


@given(endpoints, endpoints, st.booleans())
def test_parses_responses_of_old_and_new_servers_alike(mapped, other, old):
    attributes = (
        [attribute(MAPPED_ADDRESS, address(mapped)), attribute(CHANGED_ADDRESS, address(other))]
        if old
        else [attribute(XOR_MAPPED_ADDRESS, address(mapped, MAGIC)), attribute(OTHER_ADDRESS, address(other))]
    )
    assert parse_response(message(*attributes)) == Response(TRANSACTION, mapped, other)


def test_prefers_the_address_that_a_router_cannot_rewrite():
    true, wrong = Endpoint("192.0.2.1", 1000), Endpoint("192.0.2.9", 9)
    attributes = [attribute(MAPPED_ADDRESS, address(wrong)), attribute(XOR_MAPPED_ADDRESS, address(true, MAGIC))]
    assert parse_response(message(*attributes)).mapped == true


def test_uses_the_first_attribute_of_a_type():
    first, second = Endpoint("192.0.2.1", 1000), Endpoint("192.0.2.9", 9)
    attributes = [attribute(MAPPED_ADDRESS, address(endpoint)) for endpoint in (first, second)]
    assert parse_response(message(*attributes)).mapped == first


@pytest.mark.parametrize(
    ("value", "failure"),
    [
        (b"\0\0\4\1Unauthorized", "401 Unauthorized"),
        (b"\0\0\3\x2c", "344"),
        (b"", "an error without a number"),
        (b"\0\0\4\0\x1b[2J", "400 ?[2J"),
    ],
)
def test_reads_refusals(value, failure):
    assert parse_response(message(attribute(ERROR_CODE, value), kind=FAILURE)) == Response(TRANSACTION, failure=failure)


ENDPOINT = attribute(MAPPED_ADDRESS, address(Endpoint("192.0.2.1", 1)))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "0 bytes are too few"),
        (message(ENDPOINT)[:19], "19 bytes are too few"),
        (message(ENDPOINT, kind=1), "not a response to a STUN binding request"),
        (message(ENDPOINT, magic=1), "not a response to a STUN binding request"),
        (message(ENDPOINT) + b"x", "12 bytes follow its header, but 13 do"),
        (message(b"\0\1"), "ends within an attribute"),
        (message(b"\0\1\0\7\0\1"), "ends within an attribute"),
        (message(), "contains no mapped IPv4 address"),
        (message(attribute(SOFTWARE, b"x")), "contains no mapped IPv4 address"),
        (message(attribute(MAPPED_ADDRESS, address(Endpoint("192.0.2.1", 1), family=2))), "contains no mapped IPv4 address"),
        (message(attribute(MAPPED_ADDRESS, b"\0\2" + bytes(18))), "contains no mapped IPv4 address"),
    ],
)
def test_rejects_damaged_messages(data, words):
    with pytest.raises(StunError, match=words):
        parse_response(data)


@given(st.one_of(st.binary(), st.binary().map(lambda body: struct.pack("!HHI", SUCCESS, len(body), MAGIC) + TRANSACTION + body)))
def test_parses_or_rejects_any_bytes(data):
    try:
        answer = parse_response(data)
    except StunError:
        return
    assert answer.transaction == data[8:20]
    assert answer.failure or answer.mapped
