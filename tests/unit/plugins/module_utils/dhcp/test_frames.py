# SPDX-License-Identifier: GPL-3.0-or-later
"""DHCP frames byte by byte."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from server_frames import CLIENT, FOREIGN, SERVER, frame_of, with_checksums

from ansible_collections.voip.preprovision.plugins.module_utils.common.mac import Mac
from ansible_collections.voip.preprovision.plugins.module_utils.dhcp.frames import Datagram, build_frame, checksum, read_frame


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        # RFC 1071 section 3: the sum of these is ddf2
        (bytes.fromhex("0001f203f4f5f6f7"), 0xFFFF - 0xDDF2),
        (b"", 0xFFFF),
        (b"\xff\xff", 0),
        (b"\x01", 0xFEFF),
    ],
)
def test_checksums(data, expected):
    assert checksum(data) == expected


def test_builds_broadcast_frames_without_a_source_address():
    frame = build_frame(CLIENT, b"hello")
    assert frame[:14] == b"\xff" * 6 + bytes.fromhex(CLIENT.plain) + b"\x08\0"
    assert frame[14:16] + frame[16:18] == bytes([0x45, 0, 0, 33])
    assert frame[26:34] == bytes(4) + b"\xff" * 4
    assert frame[34:40] == bytes([0, 68, 0, 67, 0, 13])
    assert frame[42:] == b"hello"
    assert with_checksums(frame) == frame


def test_a_checksum_of_zero_is_sent_as_all_ones():
    # RFC 768: zero means that there is no checksum
    data = build_frame(CLIENT, b"\0\0")[40:42]
    assert build_frame(CLIENT, data)[40:42] == b"\xff\xff"


@given(st.binary(max_size=600), st.binary(min_size=6, max_size=6), st.binary(max_size=40))
def test_reads_frames_of_servers(data, mac, padding):
    frame = frame_of(data, Mac(mac.hex()))
    assert read_frame(frame + padding) == Datagram(Mac(mac.hex()), SERVER, data)


@given(st.binary(max_size=60), st.integers(0, 2**20))
def test_drops_a_frame_with_a_flipped_bit(data, position):
    frame = bytearray(frame_of(data))
    bit = 14 * 8 + position % ((len(frame) - 14) * 8)
    frame[bit // 8] ^= 1 << bit % 8
    assume(bytes(frame[40:42]) != b"\0\0")  # means that there is no checksum
    assert read_frame(bytes(frame)) is None


@given(st.one_of(st.binary(max_size=100), st.binary(max_size=100).map(lambda data: frame_of(b"x" * 50)[:14] + data)))
def test_any_bytes_are_a_datagram_or_none(frame):
    assert read_frame(frame) is None or read_frame(frame).source


def changed(position, value):
    frame = bytearray(frame_of(b"x" * 20))
    frame[position : position + len(value)] = value
    return with_checksums(frame)


@pytest.mark.parametrize(
    ("frame", "checksum_ready", "accepted"),
    [
        (frame_of(b"x"), True, True),
        (changed(12, b"\x81\0"), True, False),  # VLAN
        (changed(12, b"\x86\xdd"), True, False),  # IPv6
        (changed(14, b"\x65"), True, False),
        (changed(14, b"\x44"), True, False),
        (changed(16, b"\0\x14"), True, False),  # shorter than its UDP header
        (changed(16, b"\xff\xff"), True, False),  # longer than the frame
        (changed(20, b"\x20\0"), True, False),  # the first fragment
        (changed(20, b"\0\1"), True, False),  # a later fragment
        (changed(20, b"\x40\0"), True, True),  # don't fragment
        (changed(23, b"\x06"), True, False),  # TCP
        (changed(38, b"\0\x07"), True, False),
        (changed(38, b"\xff\0"), True, False),
        (frame_of(b"x", port=67), True, False),
        (frame_of(b"x")[:40] + b"\0\0x", True, True),  # RFC 768: no checksum
        (frame_of(b"x")[:40] + b"\x12\x34x", True, False),
        (frame_of(b"x")[:40] + b"\x12\x34x", False, True),
    ],
)
def test_frames(frame, checksum_ready, accepted):
    assert (read_frame(frame, checksum_ready) is not None) is accepted


def test_skips_ip_options():
    frame = bytearray(frame_of(b"abc"))
    frame[14] = 0x46
    frame[16:18] = (int.from_bytes(frame[16:18], "big") + 4).to_bytes(2, "big")
    frame[34:34] = b"\1\1\1\0"
    frame[24:26] = b"\0\0"
    frame[24:26] = checksum(bytes(frame[14:38])).to_bytes(2, "big")
    assert read_frame(bytes(frame)) == Datagram(FOREIGN, SERVER, b"abc")
