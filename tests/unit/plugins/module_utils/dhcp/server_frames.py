# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames of a DHCP server, byte by byte."""

from __future__ import annotations

import socket

from ansible_collections.voip.preprovision.plugins.module_utils.common.mac import Mac
from ansible_collections.voip.preprovision.plugins.module_utils.dhcp.frames import build_frame, checksum

CLIENT = Mac("00005e005301")
FOREIGN = Mac("00005e005309")
SERVER = "192.0.2.9"


def frame_of(data: bytes, source_mac: Mac = FOREIGN, source: str = SERVER, port: int = 68) -> bytes:
    """Return a server's broadcast: a frame as the probe builds it, with ends swapped."""
    frame = bytearray(build_frame(source_mac, data))
    frame[26:30] = socket.inet_aton(source)
    frame[34:38] = (67).to_bytes(2, "big") + port.to_bytes(2, "big")
    return with_checksums(frame)


def with_checksums(frame: bytes | bytearray) -> bytes:
    """Return a frame with the checksums of its IPv4 header and its UDP datagram calculated again."""
    frame = bytearray(frame)
    frame[24:26] = b"\0\0"
    frame[24:26] = checksum(bytes(frame[14:34])).to_bytes(2, "big")
    frame[40:42] = b"\0\0"
    pseudo = bytes(frame[26:34]) + b"\0\x11" + bytes(frame[38:40])
    frame[40:42] = checksum(pseudo + bytes(frame[34:])).to_bytes(2, "big")
    return bytes(frame)
