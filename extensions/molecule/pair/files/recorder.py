# SPDX-License-Identifier: GPL-3.0-or-later
"""Record who asks and who answers by DHCP on a wire: recorder.py INTERFACE SECONDS STOP_FILE.

Prints as JSON what clients have lost. An exchange is lost if its message is repeated or never answered.
"""

import json
import socket
import struct
import sys
import time
from collections import namedtuple
from pathlib import Path

ETH_P_ALL = 3
NAMES = {1: "DISCOVER", 3: "REQUEST"}
ANSWERS = {1: (2,), 3: (5, 6)}
OFFER, ACK, RELEASE = 2, 5, 7
UNITS = "02:00:5e:20:"


Message = namedtuple("Message", "is_server xid mac address kind server lease")


def read(frame):
    """Return the message in a frame; None for others."""
    if len(frame) < 282 or frame[12:14] != b"\x08\0" or frame[23] != 17:
        return None
    start = 14 + (frame[14] & 15) * 4
    source, target = struct.unpack_from("!HH", frame, start)
    if (source, target) not in ((67, 68), (68, 67)):
        return None
    data, options, position = frame[start + 8 :], {}, 240
    while position < len(data) and data[position] != 255:
        if data[position] == 0:
            position += 1
            continue
        length = data[position + 1]
        options[data[position]] = data[position + 2 : position + 2 + length]
        position += 2 + length
    lease = int.from_bytes(options.get(51, b""), "big")
    address = data[16:20] if source == 67 else data[12:16]
    server = socket.inet_ntoa(options.get(54, bytes(4)))
    kind = (options.get(53) or b"\0")[0]
    return Message(source == 67, data[4:8], data[28:34].hex(":"), socket.inet_ntoa(address), kind, server, lease)


class Record:
    """What has happened on the wire."""

    def __init__(self):
        self.waiting, self.asked, self.lost = {}, {"DISCOVER": 0, "REQUEST": 0}, {"DISCOVER": 0, "REQUEST": 0}
        self.held, self.twice, self.servers, self.offered = {}, [], {}, {}
        self.two_masters = 0
        # Since when phones ask and nobody answers
        self.gap, self.since = 0.0, None

    def take(self, now, message):
        asked = message.xid, message.kind
        if message.is_server:
            self.answer(now, message)
        elif message.kind in NAMES:
            self.lost[NAMES[message.kind]] += asked in self.waiting
            self.asked[NAMES[message.kind]] += 1
            self.waiting[asked] = now
            self.since = now if self.since is None else self.since
        elif message.kind == RELEASE:
            self.held.pop(message.address, None)

    def answer(self, now, message):
        for asked, kinds in ANSWERS.items():
            if message.kind in kinds:
                self.waiting.pop((message.xid, asked), None)
        if self.since is not None:
            self.gap = max(self.gap, now - self.since)
        self.since = None
        self.servers[message.server] = self.servers.get(message.server, 0) + 1
        if message.kind == OFFER and self.offered.setdefault(message.xid, message.server) != message.server:
            self.two_masters += 1
        if message.kind == ACK and message.lease:
            owner, until = self.held.get(message.address, (message.mac, 0))
            if owner != message.mac and until > now:
                self.twice.append(f"{message.address} to {owner} and {message.mac}")
            self.held[message.address] = (message.mac, now + message.lease)


def main():
    interface, seconds, stop = sys.argv[1], float(sys.argv[2]), Path(sys.argv[3])
    record, end = Record(), time.monotonic() + seconds
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL)) as wire:
        wire.bind((interface, ETH_P_ALL))
        wire.setsockopt(263, 1, struct.pack("@iHH8s", socket.if_nametoindex(interface), 1, 0, b""))
        wire.settimeout(0.5)
        while time.monotonic() < end and not stop.exists():
            try:
                message = read(wire.recv(65536))
            except TimeoutError:
                continue
            # The stations' watches ask as well
            if message and message.mac.startswith(UNITS):
                record.take(time.monotonic(), message)
    for _xid, kind in record.waiting:
        record.lost[NAMES[kind]] += 1
    print(
        json.dumps(
            {
                "asked": record.asked,
                "lost": record.lost,
                "gap": round(record.gap, 1),
                "twice": record.twice,
                "answers": record.servers,
                "two_masters": record.two_masters,
            }
        )
    )


if __name__ == "__main__":
    main()
