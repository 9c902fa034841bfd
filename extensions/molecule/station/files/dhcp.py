# SPDX-License-Identifier: GPL-3.0-or-later
"""Run on a station: strangers on the bench try to take all addresses, and known phones get theirs.

Arguments: the station's address, and the MAC addresses of two known phones without reserved addresses. In a network namespace it
runs itself with the argument "inside": it reads what to send from its input, and prints the answers.
"""

from __future__ import annotations

import csv
import json
import re
import select
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

LEASES = Path("/var/lib/dhcp/dhcpd.leases")
KEA_LEASES = Path("/var/lib/kea/kea-leases4.csv")
IS_KEA = Path("/etc/systemd/system/kea-dhcp4-server.service").exists()
UNIT = "kea-dhcp4-server" if IS_KEA else "isc-dhcp-server"
DISCOVER, REQUEST, INFORM, OFFER, ACK = 1, 3, 8, 2, 5
STRANGERS, BOOTP_CLIENTS = 2000, 100
STATIC, STATIC_MAC = "192.0.2.66", "00:00:5e:00:53:66"
# As in docs/operators/security.md
FREE = (
    "systemctl stop kea-dhcp4-server && rm /var/lib/kea/kea-leases4.csv* && systemctl start kea-dhcp4-server"
    if IS_KEA
    else "systemctl stop isc-dhcp-server && rm /var/lib/dhcp/dhcpd.leases* && systemctl start isc-dhcp-server"
)
NO_ADDRESS = str(IPv4Address(0))


def run(*command: str, check: bool = True) -> str:
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=check).stdout


# -- within a namespace


def checksum(data: bytes) -> int:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def build(mac: str, message: int, options: dict[str, str], sender: str = NO_ADDRESS) -> bytes:
    """Return a frame with a client's message (RFC 2131); 0 for one of BOOTP. *options*: number -> value in hexadecimal."""
    chaddr = bytes.fromhex(mac.replace(":", ""))
    packet = b"\1\1\6\0" + chaddr[2:] + b"\0\0\x80\0" + IPv4Address(sender).packed + bytes(12) + chaddr + bytes(10 + 192)
    packet += b"\x63\x82\x53\x63" + (bytes([53, 1, message]) if message else b"")
    for number, value in options.items():
        packet += bytes([int(number), len(value) // 2]) + bytes.fromhex(value)
    packet = (packet + b"\xff").ljust(300, b"\0")
    datagram = struct.pack("!HHHH", 68, 67, 8 + len(packet), 0) + packet
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(datagram), 1, 0, 64, 17, 0)
    header += IPv4Address(sender).packed + b"\xff" * 4
    header = header[:10] + checksum(header).to_bytes(2, "big") + header[12:]
    return b"\xff" * 6 + chaddr + b"\x08\0" + header + datagram


def read(frame: bytes) -> dict[str, Any] | None:
    """Return the server's answer in a frame."""
    if frame[12:14] != b"\x08\0" or frame[23] != 17 or frame[36:38] != b"\0\x44":
        return None
    packet, options, at = frame[42:], {}, 240
    while at < len(packet) and packet[at] != 255:
        length = packet[at + 1] if packet[at] else -1
        options[packet[at]] = packet[at + 2 : at + 2 + length]
        at += 2 + length
    return {
        "mac": packet[28:34].hex(":"),
        "message": options.get(53, b"\0")[0],
        "address": str(IPv4Address(packet[16:20])),
        "seconds": int.from_bytes(options.get(51, b""), "big"),
    }


def inside() -> None:
    """Send messages at a pace that the server can read, and request what is offered; print the answers."""
    messages, seconds, station, enough = json.loads(sys.stdin.read())
    answers = []
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800)) as wire:
        wire.bind(("eth0", 0x0800))

        def listen(patience: float) -> None:
            end = time.monotonic() + patience
            while [answer["message"] for answer in answers].count(ACK) != enough and select.select(
                [wire], [], [], max(0, end - time.monotonic())
            )[0]:
                answer = read(wire.recv(2048))
                if answer:
                    answers.append(answer)
                    if answer["message"] == OFFER:
                        wanted = {"50": IPv4Address(answer["address"]).packed.hex(), "54": station}
                        wire.send(build(answer["mac"], REQUEST, wanted))

        for message in messages:
            wire.send(build(*message))
            listen(0.001)
        listen(seconds)
    print(json.dumps(answers))


# -- on the station


def say(messages: Sequence[tuple[Any, ...]], seconds: float = 4, enough: int = -1) -> list[dict[str, Any]]:
    """Send clients' messages from the bench; return all answers within some seconds, or so many acknowledgements."""
    order = json.dumps([messages, seconds, IPv4Address(STATION).packed.hex(), enough])
    command = ["ip", "netns", "exec", "strangers", "python3", __file__, "inside"]
    done = subprocess.run(command, input=order, stdout=subprocess.PIPE, text=True, check=True)
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def lease(mac: str, **options: str) -> dict[str, Any]:
    """Return what a client that asks until it is answered gets, or an empty address."""
    for _attempt in range(3):
        answers = say([(mac, DISCOVER, {number[1:]: value for number, value in options.items()})], enough=1)
        acks = [answer for answer in answers if answer["mac"] == mac and answer["message"] == ACK]
        if acks:
            return acks[0]
    return {"address": "", "seconds": 0}


def active() -> dict[str, str]:
    """Return the addresses that are leased, each with its MAC address; the last entry of an address counts."""
    found: dict[str, str] = {}
    if IS_KEA:
        for row in csv.DictReader(KEA_LEASES.read_text().splitlines()):
            found.pop(row["address"], None)
            if row["state"] == "0" and int(row["valid_lifetime"]) and int(row["expire"]) > time.time():
                found[row["address"]] = row["hwaddr"]
        return found
    for address, body in re.findall(r"^lease (\S+) \{(.*?)^\}", LEASES.read_text(), re.MULTILINE | re.DOTALL):
        found.pop(address, None)
        if "\n  binding state active;" in body and (mac := re.search(r"hardware ethernet (\S+);", body)):
            found[address] = mac[1]
    return found


def flood_is_reported() -> bool:
    """Say whether the report names the flood, which the collector may store some seconds later."""
    module = "preprovision_service.cli.report"
    command = ["env", "--chdir=/usr/local/lib/preprovision-service", "runuser", "--user=preprovision-service", "--"]
    command += ["python3", "-m", module, "table"]
    for _attempt in range(60):
        alerts = [line for line in run(*command).splitlines() if line.startswith("Station: ")]
        found = [line for line in alerts if re.search(r"unknown MAC addresses, the latest 02:00:00:.* got none", line)]
        if found:
            print(found[0])
            return True
        time.sleep(1)
    return False


def cases(known: str, newcomer: str) -> Iterator[tuple[str, bool]]:
    """Yield what was tried, and whether the server behaved as documented."""
    wanted = {"5": IPv4Address("192.0.2.200").packed.hex(), "6": IPv4Address("192.0.2.201").packed.hex()}
    first = lease(known)
    yield "a known phone gets an address for an hour", first["seconds"] == 3600
    before = len(active())
    bootp = [(f"02:00:00:00:b0:{number:02x}", 0, {}) for number in range(BOOTP_CLIENTS)]
    yield f"{BOOTP_CLIENTS} BOOTP requests get no answer and no lease", say(bootp) == [] and len(active()) == before
    stranger = "02:00:00:00:c0:01"
    yield "a stranger gets one for five minutes", lease(stranger)["seconds"] == 300
    for client in ("00aa", "00bb", "00cc"):
        lease(stranger, _61=client)
    for address in wanted.values():
        lease(stranger, _50=address)
    yield "whatever it asks for, it has one", list(active().values()).count(stranger) == 1
    begun = run("date", "+%s").strip()
    inform = say([(STATIC_MAC, INFORM, {}, STATIC)])
    lines = run("journalctl", f"--unit={UNIT}", f"--since=@{begun}", "--output=cat", "--no-pager").splitlines()
    yield "DHCPINFORM is answered", [answer["message"] for answer in inform] == [ACK]
    logged = [line for line in lines if STATIC in line or "authoritative" in line]
    yield "and logged in two lines by ISC DHCP, in none by Kea", len(logged) == (0 if IS_KEA else 2)
    foreign = {"50": IPv4Address("198.51.100.9").packed.hex()}
    yield "an address of another network is not refused", say([("02:00:00:00:c0:03", REQUEST, foreign)]) == []

    made_up = [(f"02:00:00:01:{number >> 8:02x}:{number & 255:02x}", DISCOVER, {}) for number in range(STRANGERS)]
    answers = say(made_up, seconds=10)
    taken = [answer for answer in answers if answer["message"] == ACK]
    print(f"{STRANGERS} made-up MAC addresses: {len(taken)} got an address, {len(active())} are leased")
    yield "strangers take all addresses that are for everybody", len(active()) > 90
    yield "then a further stranger gets none", lease("02:00:00:00:c0:04")["address"] == ""
    yield "the report says who floods, and that strangers get none", flood_is_reported()
    yield "a known phone keeps its address", lease(known)["address"] == first["address"]
    yield "a known phone that comes now gets one", lease(newcomer)["seconds"] == 3600
    yield "a lease of a stranger lasts five minutes at most", max(answer["seconds"] for answer in taken) == 300
    run("sh", "-c", FREE)
    yield "freed, the pool has addresses for strangers", lease("02:00:00:00:c0:04")["address"] != ""
    own = IPv4Address(first["address"]).packed.hex()
    yield "and a known phone that asks for its own gets it", lease(known, _50=own)["address"] == first["address"]


def main(known: str, newcomer: str) -> int:
    run("ip", "netns", "add", "strangers")
    wrong = []
    try:
        run("ip", "link", "add", "strangers0", "type", "veth", "peer", "name", "eth0", "address", STATIC_MAC, "netns", "strangers")
        run("ip", "link", "set", "strangers0", "master", "bench0", "up")
        run("ip", "-n", "strangers", "address", "add", f"{STATIC}/24", "dev", "eth0")
        run("ip", "-n", "strangers", "link", "set", "eth0", "up")
        # Leases that other plays left would end meanwhile
        run("sh", "-c", FREE)
        for name, right in cases(known, newcomer):
            print("right" if right else "WRONG", name, flush=True)
            wrong += [] if right else [name]
    finally:
        run("ip", "netns", "delete", "strangers", check=False)
        # Other plays find the pool as before
        run("sh", "-c", FREE, check=False)
    return 1 if wrong else 0


if __name__ == "__main__":
    if sys.argv[1:] == ["inside"]:
        raise SystemExit(inside())
    STATION, *PHONES = sys.argv[1:]
    raise SystemExit(main(*PHONES))
