# SPDX-License-Identifier: GPL-3.0-or-later
"""Run on a station: a stranger on the bench says what a unit on a wire can say, and the station gives nothing and takes nothing.

Each case is part of a row of the table in docs/operators/security.md; with a control, it fails without the protection.
Within a network namespace it runs itself with the argument "inside": it reads frames from its input, sends them, and prints the
answers.
"""

from __future__ import annotations

import itertools
import json
import select
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

STATION, STRANGER, GATEWAY, NEIGHBOUR = "192.0.2.1", "192.0.2.77", "192.0.2.78", "192.0.2.79"
OFFICE, OUTSIDE, BEYOND = "198.51.100.1", "198.51.100.2", "203.0.113.9"
MAC = "00:00:5e:00:53:77"
BROADCAST = "ff:ff:ff:ff:ff:ff"
PORT = 8099
NO_ADDRESS = str(IPv4Address(0))
SYSCTL = Path("/proc/sys/net")


def run(*command: str, check: bool = True) -> str:
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=check).stdout


# -- frames


def mac_bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def checksum(data: bytes) -> int:
    total = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def ethernet(target: str, kind: int, payload: bytes, source: str = MAC, tag: bytes = b"") -> bytes:
    return (mac_bytes(target) + mac_bytes(source) + tag + kind.to_bytes(2, "big") + payload).ljust(60, b"\0")


def llc(target: str, payload: bytes) -> bytes:
    """An IEEE 802.3 frame, which has a length in place of a type."""
    return ethernet(target, len(payload), payload)


def ipv4(target_mac: str, protocol: int, source: str, target: str, payload: bytes, options: bytes = b"") -> bytes:
    def header(total: int) -> bytes:
        length = 20 + len(options)
        fixed = struct.pack("!BBHHHBBH", 0x40 | length // 4, 0, length + len(payload), 7, 0, 64, protocol, total)
        return fixed + IPv4Address(source).packed + IPv4Address(target).packed + options

    return ethernet(target_mac, 0x0800, header(checksum(header(0))) + payload)


def pseudo(protocol: int, source: str, target: str, data: bytes) -> bytes:
    return IPv4Address(source).packed + IPv4Address(target).packed + struct.pack("!BBH", 0, protocol, len(data)) + data


def udp(
    source: str, target: str, port: int, data: bytes, target_mac: str = "", options: bytes = b"", source_port: int = 4000
) -> bytes:
    def segment(total: int) -> bytes:
        return struct.pack("!HHHH", source_port, port, 8 + len(data), total) + data

    return ipv4(target_mac or bench_mac(), 17, source, target, segment(checksum(pseudo(17, source, target, segment(0)))), options)


def syn(target: str, port: int, source: str = STRANGER) -> bytes:
    def segment(total: int) -> bytes:
        return struct.pack("!HHIIBBHHH", 4000, port, 1, 0, 0x50, 2, 1024, total, 0)

    return ipv4(bench_mac(), 6, source, target, segment(checksum(pseudo(6, source, target, segment(0)))))


def icmp(kind: int, code: int, rest: bytes, target: str = STATION, source: str = STRANGER, target_mac: str = "") -> bytes:
    def message(total: int) -> bytes:
        return struct.pack("!BBH", kind, code, total) + rest

    return ipv4(target_mac or bench_mac(), 1, source, target, message(checksum(message(0))))


def ipv6(target: str, protocol: int, payload: bytes, source: str = "fe80::77", mark: int | None = 2, options: bytes = b"") -> bytes:
    """A packet whose *payload* has its checksum at the offset *mark*; to a group, or to the station."""
    source6, target6 = IPv6Address(source).packed, IPv6Address(target).packed
    if mark is not None:
        total = checksum(source6 + target6 + struct.pack("!IBBBB", len(payload), 0, 0, 0, protocol) + payload)
        payload = payload[:mark] + total.to_bytes(2, "big") + payload[mark + 2 :]
    first = 0 if options else protocol
    header = struct.pack("!IHBB", 6 << 28, len(options + payload), first, 255) + source6 + target6
    group = "33:33:" + ":".join(f"{byte:02x}" for byte in target6[-4:])
    return ethernet(group if target6[0] == 0xFF else bench_mac(), 0x86DD, header + options + payload)


def arp(operation: int, sender: str, target: str, sender_mac: str = MAC, tag: bytes = b"") -> bytes:
    packet = struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation) + mac_bytes(sender_mac) + IPv4Address(sender).packed
    return ethernet(BROADCAST, 0x0806, packet + bytes(6) + IPv4Address(target).packed, tag=tag)


def dns_name(name: str) -> bytes:
    return b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"


def dhcp(kind: int, tag: bytes = b"") -> bytes:
    packet = (
        b"\1\1\6\0"
        + b"wire"
        + bytes(4)
        + bytes(16)
        + mac_bytes(MAC)
        + bytes(10 + 192)
        + b"\x63\x82\x53\x63\x35\1"
        + bytes([kind, 255])
    )
    frame = udp(NO_ADDRESS, "255.255.255.255", 67, packet.ljust(300, b"\0"), BROADCAST, source_port=68)
    return frame[:12] + tag + frame[12:]


def vlan(number: int, kind: int = 0x8100) -> bytes:
    return struct.pack("!HH", kind, number)


def advertisement() -> bytes:
    """A router advertisement (RFC 4861, 4.2): a default router of high preference, a prefix, a DNS server, an MTU."""
    message = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0x08, 9000, 0, 0) + b"\1\1" + mac_bytes(MAC)
    message += struct.pack("!BBBBIII", 3, 4, 64, 0xC0, 86400, 86400, 0) + IPv6Address("2001:db8:bad::").packed
    message += struct.pack("!BBHI", 25, 3, 0, 9000) + IPv6Address("fe80::77").packed + struct.pack("!BBHI", 5, 1, 0, 1280)
    return ipv6("ff02::1", 58, message)


# -- within a namespace


HEARD: list[bytes] = []
"""What the station sent last, to show with a fault."""


def inside() -> None:
    """Send frames; print what arrives within some seconds."""
    frames, seconds = json.loads(sys.stdin.read())
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as wire:
        wire.bind(("eth0", 3))
        for frame in frames:
            wire.send(bytes.fromhex(frame))
        heard, end = [], time.monotonic() + seconds
        while select.select([wire], [], [], max(0, end - time.monotonic()))[0]:
            data, sender = wire.recvfrom(2048)
            if sender[2] != socket.PACKET_OUTGOING:
                heard.append(data.hex())
        print(json.dumps(heard))


def say(*frames: bytes, machine: str = "stranger", seconds: float = 1) -> list[bytes]:
    """Send frames from a machine; return what arrives there within some seconds."""
    order = json.dumps([[frame.hex() for frame in frames], seconds])
    command = ["ip", "netns", "exec", machine, "python3", __file__, "inside"]
    done = subprocess.run(command, input=order, stdout=subprocess.PIPE, text=True, check=True)
    return [bytes.fromhex(frame) for frame in json.loads(done.stdout)]


def answers(*frames: bytes, seconds: float = 1) -> list[bytes]:
    """Return what the station sends after these frames, without the requests by which it looks for the stranger's own MAC."""
    mine = mac_bytes(bench_mac())
    looks = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1)
    heard = say(*frames, seconds=seconds)
    HEARD[:] = [frame for frame in heard if frame[6:12] == mine and not (frame[12:14] == b"\x08\x06" and frame[14:22] == looks)]
    return list(HEARD)


# -- on the station


def bench_mac() -> str:
    return Path("/sys/class/net/bench0/address").read_text().strip()


def bridge_root() -> list[str]:
    """Return who is the root of the spanning tree, and whether there is one."""
    return [Path("/sys/class/net/bench0/bridge", name).read_text() for name in ("root_id", "stp_state")]


def write(path: str, value: object) -> None:
    (SYSCTL / path).write_text(f"{value}\n")


def read(path: str) -> str:
    return (SYSCTL / path).read_text().strip()


@contextmanager
def machines() -> Iterator[None]:
    """Plug a stranger and its neighbour into the bench and a machine into an office network; turn on forwarding, as Docker does."""
    forwarding = {path: read(path) for path in ("ipv4/ip_forward", "ipv6/conf/all/forwarding")}
    run("ip", "link", "add", "office0", "type", "veth", "peer", "name", "outside0")
    try:
        for name, mac, address in (("stranger", MAC, STRANGER), ("bystander", "00:00:5e:00:53:79", NEIGHBOUR)):
            run("ip", "netns", "add", name)
            run("ip", "link", "add", f"{name}0", "type", "veth", "peer", "name", "eth0", "address", mac, "netns", name)
            run("ip", "link", "set", f"{name}0", "master", "bench0", "up")
            run("ip", "-n", name, "address", "add", f"{address}/24", "dev", "eth0")
            run("ip", "-n", name, "link", "set", "eth0", "up")
        run("ip", "-n", "stranger", "route", "add", "default", "via", STATION)
        # Its kernel must not ask in between
        run("ip", "-n", "stranger", "neighbour", "add", STATION, "lladdr", bench_mac(), "dev", "eth0", "nud", "permanent")
        run("ip", "-n", "stranger", "address", "add", f"{GATEWAY}/24", "dev", "eth0")
        run("ip", "netns", "add", "outside")
        run("ip", "link", "set", "outside0", "netns", "outside", "name", "eth0")
        run("ip", "address", "add", f"{OFFICE}/24", "dev", "office0")
        run("ip", "link", "set", "office0", "up")
        run("ip", "-n", "outside", "address", "add", f"{OUTSIDE}/24", "dev", "eth0")
        run("ip", "-n", "outside", "link", "set", "eth0", "up")
        run("ip", "-n", "outside", "route", "add", "default", "via", OFFICE)
        for path in forwarding:
            write(path, 1)
        yield
    finally:
        for path, value in forwarding.items():
            write(path, value)
        for name in ("stranger", "bystander", "outside"):
            run("ip", "netns", "delete", name, check=False)
        run("ip", "link", "delete", "office0", check=False)
        run("ip", "route", "delete", f"{BEYOND}/32", check=False)
        run("systemctl", "restart", "preprovision-firewall.service")
        run("/usr/lib/systemd/systemd-sysctl", "--prefix=/net/ipv4/conf/bench0", "--prefix=/net/ipv6/conf/bench0")


@contextmanager
def without_firewall() -> Iterator[None]:
    run("systemctl", "stop", "preprovision-firewall.service")
    try:
        yield
    finally:
        run("systemctl", "start", "preprovision-firewall.service")


@contextmanager
def set_back(family: str, **settings: int) -> Iterator[None]:
    """Give the kernel its own defaults for the bridge, which any program may do."""
    before = {name: read(f"{family}/conf/bench0/{name}") for name in settings}
    for name, value in settings.items():
        write(f"{family}/conf/bench0/{name}", value)
    try:
        yield
    finally:
        for name, value in before.items():
            write(f"{family}/conf/bench0/{name}", value)


def taken() -> list[str]:
    """Return what the station took from a router advertisement: addresses, routes."""
    lines = run("ip", "-6", "-o", "address").splitlines() + run("ip", "-6", "route", "show", "table", "all").splitlines()
    return [line for line in lines if "2001:db8:bad" in line or ("default" in line and "bench0" in line)]


def found(solicitation: bytes) -> bool:
    """Say whether the station answers a neighbour solicitation; unasked, it looks for routers and reports its groups."""
    return any(frame[12:14] == b"\x86\xdd" and frame[20] == 58 and frame[54] == 136 for frame in answers(solicitation))


def leaving(interface: str, frame: bytes, content: bytes, machine: str = "stranger", addresses: bytes = b"") -> bool:
    """Send a frame; say whether one with that content, and with these MAC addresses, leaves the station by an interface."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as wire:
        wire.bind((interface, 3))
        say(frame, machine=machine)
        while select.select([wire], [], [], 0)[0]:
            data, sender = wire.recvfrom(2048)
            if sender[2] == socket.PACKET_OUTGOING and data.startswith(addresses) and content in data:
                return True
    return False


def crossing(frame: bytes, machine: str = "stranger", interface: str = "office0") -> bool:
    return leaving(interface, frame, CROSSING, machine)


def passed_on(frame: bytes) -> bool:
    """Say whether the bridge passes a frame on to its other ports; it may lose one."""
    # The kernel keeps a tag beside the frame. Its content alone, which may be nothing but zeros, is found in others, too
    return any(leaving("bystander0", frame, frame[18:60], addresses=frame[:12]) for _attempt in range(2))


def connected(*targets: tuple[str, int]) -> bool:
    """Say whether the station accepts a connection to one of these addresses and ports."""
    heard = answers(*(syn(address, port) for address, port in targets))
    return any(frame[12:14] == b"\x08\x00" and frame[23] == 6 and frame[47] & 0x12 == 0x12 for frame in heard)


def redirected() -> bool:
    """Send a redirect (RFC 792) from the router that the station uses, and say whether it is obeyed."""
    run("ip", "route", "replace", f"{BEYOND}/32", "via", STRANGER, "dev", "bench0")
    # The kernel obeys only if it can reach the new router
    run("ip", "neighbour", "replace", GATEWAY, "lladdr", MAC, "dev", "bench0", "nud", "reachable")
    sent = icmp(0, 0, bytes(4), BEYOND, STATION)[14:42]
    say(icmp(5, 1, IPv4Address(GATEWAY).packed + sent))
    obeyed = f"via {GATEWAY}" in run("ip", "route", "get", BEYOND)
    run("ip", "route", "delete", f"{BEYOND}/32")
    return obeyed


# Of the MAC address of a bridge without ports (RFC 4291, appendix A)
LINK_LOCAL = "fe80::ff:fe00:1"
CROSSING = b"cross the station"
SPOOFED = [OUTSIDE, OFFICE, STATION, "127.0.0.1", NO_ADDRESS, "224.0.0.1", "255.255.255.255"]
QUERY = b"\0\1\1\0\0\1" + bytes(6) + dns_name("prov.example.net") + b"\0\1\0\1"
MDNS = bytes(4) + b"\0\1" + bytes(6) + dns_name("_services._dns-sd._udp.local") + b"\0\x0c\0\1"
SSDP = b'M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: "ssdp:discover"\r\nMX: 1\r\nST: ssdp:all\r\n\r\n'


LLDP = b"\2\7\4" + mac_bytes(MAC) + b"\4\7\3" + mac_bytes(MAC) + b"\6\2\0\x78\0\0"
LINK_FRAMES = {
    "STP": llc("01:80:c2:00:00:00", b"\x42\x42\3" + bytes(25) + b"\x80\1\0\0\x14\0\2\0\x0f\0"),
    "RSTP": llc("01:80:c2:00:00:00", b"\x42\x42\3\0\0\2\2\x3c" + bytes(28)),
    "LLDP": ethernet("01:80:c2:00:00:0e", 0x88CC, LLDP),
    "CDP": llc("01:00:0c:cc:cc:cc", b"\xaa\xaa\3\0\0\x0c\x20\0\2\xb4" + bytes(20)),
    "LACP": ethernet("01:80:c2:00:00:02", 0x8809, b"\1\1" + bytes(108)),
    "802.1X": ethernet("01:80:c2:00:00:03", 0x888E, b"\1\1\0\0"),
    "PAUSE": ethernet("01:80:c2:00:00:01", 0x8808, b"\0\1\xff\xff"),
    "PPPoE": ethernet(BROADCAST, 0x8863, b"\x11\x09\0\0\0\4\1\1\0\0"),
    "loop": ethernet("cf:00:00:00:00:00", 0x9000, bytes(46)),
}


def answered() -> Iterator[tuple[str, bool]]:
    """Try what is answered: without it, silence would prove nothing."""
    yield "ARP for the bench address is answered", bool(answers(arp(1, STRANGER, STATION)))
    yield "an echo request to the bench address is answered", bool(answers(icmp(8, 0, bytes(8))))


def ipv6_cases() -> Iterator[tuple[str, bool]]:
    """Try to be an IPv6 router, and to find a neighbour."""
    solicitation = struct.pack("!BBHI", 135, 0, 0, 0) + IPv6Address(LINK_LOCAL).packed + b"\1\1" + mac_bytes(MAC)
    neighbour = ipv6("ff02::1:ff00:1", 58, solicitation)
    redirect = struct.pack("!BBHI", 137, 0, 0, 0) + IPv6Address("fe80::78").packed + IPv6Address("2001:db8::1").packed
    say(advertisement(), advertisement())
    yield "router advertisement", taken() == []
    with without_firewall():
        say(advertisement())
        yield "router advertisement without the firewall", taken() == []
    with set_back("ipv6", disable_ipv6=0, forwarding=0, accept_ra=1):
        # Until it has found out that no other machine has its address
        time.sleep(3)
        say(advertisement())
        yield "router advertisement when a program turned IPv6 on", taken() == [] and not found(neighbour)
        with without_firewall():
            yield "control: neighbour solicitation with neither", found(neighbour)
            say(advertisement())
            yield "control: router advertisement with neither", taken() != []
    yield "nothing stays of it", taken() == []
    yield (
        "IPv6: neighbour and router solicitation, echo to all, MLD query, redirect, DHCPv6",
        not answers(
            neighbour,
            ipv6("ff02::2", 58, struct.pack("!BBHI", 133, 0, 0, 0)),
            ipv6("ff02::1", 58, struct.pack("!BBHI", 128, 0, 0, 1)),
            ipv6("ff02::1", 58, struct.pack("!BBHI", 130, 0, 0, 1000 << 16) + bytes(16), options=bytes([58, 0, 5, 2, 0, 0, 1, 0])),
            ipv6("ff02::1", 58, redirect),
            ipv6("ff02::1:2", 17, struct.pack("!HHHH", 546, 547, 12, 0) + b"\1abc", mark=6),
        ),
    )


def crossing_cases() -> Iterator[tuple[str, bool]]:
    """Try to cross the station, and to change its routes."""
    office_mac = Path("/sys/class/net/office0/address").read_text().strip()
    across = udp(STRANGER, OUTSIDE, PORT, CROSSING)
    back = udp(OUTSIDE, STRANGER, PORT, CROSSING, target_mac=office_mac)
    loose = bytes([131, 7, 4]) + IPv4Address(OUTSIDE).packed + b"\0"
    yield "datagram to the office network", not crossing(across)
    yield "datagram from the office network", not crossing(back, "outside", "bench0")
    yield "datagram with a source route through the station", not crossing(udp(STRANGER, STATION, PORT, CROSSING, options=loose))
    yield "datagram back to the bench", not crossing(udp(STRANGER, NEIGHBOUR, PORT, CROSSING), interface="bench0")
    yield "no redirect is sent", not [frame for frame in answers(udp(STRANGER, NEIGHBOUR, PORT, b"")) if frame[34:35] == b"\5"]
    with without_firewall(), set_back("ipv4", forwarding=1):
        yield "control: datagrams cross without the firewall", crossing(across) and crossing(back, "outside", "bench0")
    yield "ICMP redirect", not redirected()
    with without_firewall(), set_back("ipv4", accept_redirects=1, forwarding=0):
        yield "control: ICMP redirect without the firewall", redirected()


def address_cases() -> Iterator[tuple[str, bool]]:
    """Try the station's other addresses and ports."""
    yield "ARP for the office address", not answers(arp(1, STRANGER, OFFICE))
    yield "connections to the office address", not connected(*((OFFICE, port) for port in (PORT, 80, 443)))
    yield "a datagram to the office address", not answers(udp(STRANGER, OFFICE, 53, QUERY), icmp(8, 0, bytes(8), OFFICE))
    yield "connection to another program on the bench address", not connected((STATION, PORT))
    yield "connection to a service on the bench address", connected((STATION, 80))
    with without_firewall():
        yield "control: other programs without the firewall", connected((OFFICE, PORT)) and connected((STATION, PORT))
        yield "ARP for the office address without the firewall", not answers(arp(1, STRANGER, OFFICE))
    with set_back("ipv4", arp_ignore=0):
        yield "control: ARP for the office address", bool(answers(arp(1, STRANGER, OFFICE)))
    yield "DNS is answered", bool(answers(udp(STRANGER, STATION, 53, QUERY)))
    yield "DNS with forged senders is not", not answers(*(udp(source, STATION, 53, QUERY) for source in SPOOFED))


def group_cases() -> Iterator[tuple[str, bool]]:
    """Try what is said to all."""
    yield (
        "ICMP timestamp, address mask, router solicitation, echo to broadcast",
        not answers(
            icmp(13, 0, bytes(16)),
            icmp(17, 0, bytes(8)),
            icmp(10, 0, bytes(4)),
            icmp(8, 0, bytes(8), "192.0.2.255", target_mac=BROADCAST),
            icmp(8, 0, bytes(8), "224.0.0.1", target_mac="01:00:5e:00:00:01"),
        ),
    )
    yield (
        "mDNS, LLMNR, SSDP, WS-Discovery, NetBIOS, IGMP, PTP, SIP to groups",
        not answers(
            udp(STRANGER, "224.0.0.251", 5353, MDNS, "01:00:5e:00:00:fb", source_port=5353),
            udp(STRANGER, "224.0.0.252", 5355, QUERY, "01:00:5e:00:00:fc"),
            udp(STRANGER, "239.255.255.250", 1900, SSDP, "01:00:5e:7f:ff:fa"),
            udp(STRANGER, "239.255.255.250", 3702, b"<Probe/>", "01:00:5e:7f:ff:fa"),
            udp(STRANGER, "192.0.2.255", 137, QUERY, BROADCAST),
            udp(STRANGER, "224.0.1.129", 319, bytes(44), "01:00:5e:00:01:81"),
            udp(STRANGER, "224.0.1.75", 5060, b"SUBSCRIBE sip:x SIP/2.0\r\n\r\n", "01:00:5e:00:01:4b"),
            ipv4("01:00:5e:00:00:01", 2, STRANGER, "224.0.0.1", b"\x11\x64\xee\x9b" + bytes(4), b"\x94\4\0\0"),
        ),
    )


def link_cases() -> Iterator[tuple[str, bool]]:
    """Try what is said below IP."""
    mine = bench_mac()
    tagged = [vlan(100), vlan(1), vlan(100, 0x88A8), vlan(100, 0x88A8) + vlan(0), vlan(0) + vlan(100)]
    yield "ARP in VLANs", not answers(*(arp(1, STRANGER, STATION, tag=tag) for tag in tagged))
    yield "ARP with VLAN 0, which is only a priority, is answered", bool(answers(arp(1, STRANGER, STATION, tag=vlan(0xA000))))
    yield "DHCP is answered", bool(answers(dhcp(1), seconds=4))
    yield "DHCP in VLANs is not", not answers(*(dhcp(1, tag) for tag in tagged), seconds=4)
    root = bridge_root()
    yield (
        "STP, RSTP, LLDP, CDP, LACP, 802.1X, PAUSE, PPPoE, loop detection",
        not answers(*LINK_FRAMES.values()) and root == bridge_root(),
    )
    passed = {name for name, frame in LINK_FRAMES.items() if passed_on(frame)}
    yield (
        f"the bridge passes on what concerns loops, and what is not for a bridge: {', '.join(sorted(passed))}",
        passed == {"STP", "RSTP", "CDP", "PPPoE", "loop"},
    )
    yield "the bridge passes on tagged frames", passed_on(arp(1, STRANGER, STATION, tag=vlan(100)))
    stray = [
        ethernet(target, kind, bytes(46))
        for target in (mine, BROADCAST)
        for kind in (0x0801, 0x6003, 0x809B, 0x8137, 0x88F7, 0xFFFF)
    ]
    yield "frames of unknown protocols", not answers(*stray)
    say(*(ethernet(BROADCAST, 0x0806, bytes(46), source) for source in (mine, BROADCAST, "01:00:5e:00:00:01", "00:00:00:00:00:00")))
    say(arp(2, STATION, STATION), arp(1, STATION, STATION), arp(1, NO_ADDRESS, STATION))
    yield (
        "frames and ARP that claim to be the station",
        bool(answers(icmp(8, 0, bytes(8)))) and STATION in run("ip", "address", "show", "bench0"),
    )
    yield "afterwards the services answer", connected((STATION, 80)) and bool(answers(udp(STRANGER, STATION, 53, QUERY)))


CASES = (answered, ipv6_cases, crossing_cases, address_cases, group_cases, link_cases)
"""Each yields what was tried, and whether the station behaved as documented."""


def main() -> int:
    with (
        machines(),
        subprocess.Popen(
            ["python3", "-m", "http.server", str(PORT)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as other,
    ):
        try:
            wrong = []
            for name, right in itertools.chain.from_iterable(cases() for cases in CASES):
                print("right" if right else "WRONG", name, *([] if right else map(bytes.hex, HEARD)), flush=True)
                wrong += [] if right else [name]
        finally:
            other.terminate()
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(inside() if sys.argv[1:] == ["inside"] else main())
