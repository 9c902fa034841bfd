# SPDX-License-Identifier: GPL-3.0-or-later
"""Run on a station: machines on the bench try to get another unit's file by TFTP.

Arguments: the station's address, the path by which dnsmasq knows the folder that it serves. Prints what was tried and what failed.
Within a network namespace it runs itself with the argument "inside": it reads an order from its input and prints what came of it.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import select
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

SECRET = b"profile of one unit"
SHARED = b"bootstrap profile"
PUBLIC = b"public file"
NAME = "ata192.cfg"
UNIT, NEIGHBOUR = "00:00:5e:00:53:01", "00:00:5e:00:53:99"
FOLDER = UNIT.replace(":", "-")
TABLES = ("inet", "arp", "bridge")
SERVICE = "preprovision-tftp.service"
IS_KEA = Path("/etc/systemd/system/kea-dhcp4-server.service").exists()
LEASES = Path("/var/lib/kea/kea-leases4.csv" if IS_KEA else "/var/lib/dhcp/dhcpd.leases")
# Seconds for which an address still belongs to a silent MAC, while its lease lasts and after its end
SILENT, ENDED = 1900, 180
# What phones ask for, and what their makers' packages contain
LEGITIMATE = [
    "/ata192.cfg",
    "ata192.cfg",
    "\\ata192.cfg",
    "ATA192.CFG",
    "/Cisco/CP-8851-3PCC/001234ab45de.cfg",
    "Cisco\\CP-8851-3PCC\\001234ab45de.cfg",
    "/firmware/x.loads",
    "cmterm-88xx-11-2-3.loads",
    "/cmterm-88xx-11-2-3.loads",
    "00-00-5e-00-53-01.cfg",
    "/run.cfg",
]


def run(*command: str, check: bool = True, data: str | None = None) -> str:
    return subprocess.run(command, input=data, stdout=subprocess.PIPE, text=True, check=check).stdout


# Requests that the server answers with an error, each in another place of its code
ERRORS = {
    "a file that does not exist": b"\0\1missing.cfg\0octet\0",
    "one whose folder does not exist": b"\0\1missing/missing.cfg\0octet\0",
    "one that the server may not read": b"\0\1hidden.cfg\0octet\0",
    "a folder": b"\0\1firmware\0octet\0",
    "a file below a file": b"\0\1ata192.cfg/x\0octet\0",
    "a name that is too long": b"\0\1" + b"x" * 300 + b"\0octet\0",
    "a name outside of the folder": b"\0\1cisco/../../x\0octet\0",
    "a mode that does not exist": b"\0\1ata192.cfg\0mail\0",
    "a write": b"\0\2ata192.cfg\0octet\0",
}


# -- within a namespace


def read_request(name: bytes, padding: int = 0) -> bytes:
    """Return a read request (RFC 1350), with an option that nobody knows of so many bytes (RFC 2347)."""
    option = b"x\0" + b"y" * padding + b"\0" if padding else b""
    return b"\0\1" + name + b"\0octet\0" + option


def ask_all(station: str, source: str, requests: Sequence[str]) -> list[str | None]:
    """Send each request from a port of its own; return the first packet of each answer, None without one."""
    answers: list[str | None] = [None] * len(requests)
    waiting: dict[socket.socket, int] = {}
    for number, request in enumerate(requests):
        client = socket.socket(type=socket.SOCK_DGRAM)
        client.bind((source, 0))
        client.sendto(request.encode("latin-1"), (station, 69))
        waiting[client] = number
    while ready := select.select(list(waiting), [], [], 1)[0]:
        for client in ready:
            answers[waiting.pop(client)] = client.recv(2048).decode("latin-1")
    return answers


def send_frame(frame: str) -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
        wire.bind(("eth0", 0))
        wire.send(bytes.fromhex(frame))


def send_release(station: str, source: str) -> None:
    """Send a DHCPRELEASE (RFC 2131, section 4.4.6)."""
    packet = (
        b"\1\1\6\0" + bytes(8) + IPv4Address(source).packed + bytes(12) + bytes.fromhex(UNIT.replace(":", "")) + bytes(10 + 192)
    )
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.bind((source, 0))
        client.sendto(packet + b"\x63\x82\x53\x63\x35\x01\x07\xff", (station, 67))


def inside() -> None:
    order = json.loads(sys.stdin.read())
    action: Callable[..., object] = {"ask": ask_all, "frame": send_frame, "release": send_release}[order[0]]
    print(json.dumps(action(*order[1:])))


# -- on the station


class Machine:
    """A machine on the bench, in a network namespace."""

    def __init__(self, name: str, mac: str, address: str) -> None:
        self.name, self.mac, self.address = name, mac, address
        run("ip", "netns", "add", name)
        run("ip", "link", "add", f"{name}0", "type", "veth", "peer", "name", "eth0", "address", mac, "netns", name)
        run("ip", "link", "set", f"{name}0", "master", "bench0", "up")
        self.take(address)
        run("ip", "-n", name, "link", "set", "eth0", "up")

    def take(self, address: str) -> None:
        """Take an address as by DHCP: a machine that gets one looks for its neighbours anew."""
        run("ip", "-n", self.name, "address", "add", f"{address}/24", "dev", "eth0")
        run("ip", "-n", self.name, "neighbour", "flush", "dev", "eth0")

    def give_up(self, address: str) -> None:
        """Lose an address: after a release, a machine does not answer for it any more."""
        run("ip", "-n", self.name, "address", "del", f"{address}/24", "dev", "eth0")

    def do(self, *order: object) -> Any:
        command = ["ip", "netns", "exec", self.name, "python3", __file__, "inside"]
        return json.loads(run(*command, data=json.dumps(order)))

    def ask(self, *names: str, source: str = "", padding: int = 0) -> list[bytes | None]:
        """Return the beginning of each file; b"" for an error, None without an answer."""
        answers = self.send(*(read_request(name.encode("latin-1"), padding) for name in names), source=source)
        return [None if answer is None else answer[4:] if answer[:2] == b"\0\3" else b"" for answer in answers]

    def send(self, *requests: bytes, source: str = "") -> list[bytes | None]:
        """Return the first packet of each answer, None without one."""
        answers = self.do("ask", STATION, source or self.address, [request.decode("latin-1") for request in requests])
        return [None if answer is None else answer.encode("latin-1") for answer in answers]

    def ask_again(self, content: bytes, source: str = "") -> list[bytes | None]:
        """Ask for the file until *content* comes: the watch may still read what was sent before it was forgiven."""
        for _attempt in range(10):
            forgive()
            answer = self.ask(NAME, source=source)
            if answer == [content]:
                break
        return answer

    def claim(self, address: str, mac: str) -> None:
        """Send an ARP request to the station that says that *address* has *mac*, in a frame from that MAC (RFC 826)."""
        sender = bytes.fromhex(mac.replace(":", "")) + IPv4Address(address).packed
        arp = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + sender + bytes(6) + IPv4Address(STATION).packed
        self.do("frame", (b"\xff" * 6 + sender[:6] + b"\x08\x06" + arp + bytes(18)).hex())


def hostile_names(root: str) -> list[str]:
    """Return spellings of the unit's file, most of which dnsmasq itself would open."""
    file = f"{FOLDER}/{NAME}"
    starts = [
        "",
        "/",
        "//",
        "///",
        "./",
        "/./",
        ".//",
        "/.//",
        "//./",
        "././",
        "/./././",
        "./../tftp/",
        "x/../",
        "/x/../",
        "../tftp/",
    ]
    starts += [f"{root}/", f"/{root}/", f"{root}//", f"{root}/./", f"/.{root}/", "firmware/../", "firmware/./../", "cisco/../"]
    names = [start + file for start in starts]
    names += [f"{FOLDER}//{NAME}", f"/{FOLDER}/./{NAME}", f"{FOLDER}/../{FOLDER}/{NAME}", f"{FOLDER}/x/../{NAME}"]
    slashes = [name.replace("/", "\\") for name in names]
    mixed = [name.replace("/", "\\", 1) for name in names] + [f"{FOLDER}\\{NAME}", f"/{FOLDER}\\{NAME}"]
    spelled = names + slashes + mixed
    return list(
        dict.fromkeys(spelling(name) for name, spelling in itertools.product(spelled, (str, str.upper, str.title, str.swapcase)))
    )


def neighbour_of(address: str) -> str:
    """Return the MAC in the station's neighbour table; empty if none."""
    found = json.loads(run("ip", "-json", "neighbour", "show", address, "dev", "bench0") or "[]")
    return next((entry.get("lladdr", "") for entry in found), "")


def forgive() -> None:
    """End the time in which those who have been contested get nothing, and the firewall's limits."""
    for contested in ("contested", "contested_macs"):
        run("nft", "flush", "set", "bridge", "preprovision_tftp", contested)
    run("nft", "flush", "set", "inet", "preprovision", "tftp_requests", check=False)
    run("nft", "flush", "set", "inet", "preprovision", "tftp_caught", check=False)


def forget_silent() -> None:
    """Do what happens every minute, however often that was lately."""
    unit = "preprovision-tftp-neighbours.service"
    run("systemctl", "reset-failed", unit)
    run("systemctl", "start", unit)


def restart() -> None:
    """Restart the server, which loads the guard anew."""
    run("systemctl", "restart", SERVICE)
    run("nft", "flush", "set", "inet", "preprovision", "tftp_requests", check=False)


def unlike(what: str, found: object, expected: object) -> list[str]:
    return [] if found == expected else [f"{what}: {found!r} instead of {expected!r}"]


def tables() -> set[str]:
    return {line.split()[1] for line in run("nft", "list", "tables").splitlines() if line.endswith(" preprovision_tftp")}


def test_names(unit: Machine, neighbour: Machine, root: str) -> list[str]:
    wrong = unlike("the unit's own file", unit.ask(NAME, f"/{NAME}"), [SECRET, SECRET])
    names = hostile_names(root)
    got = neighbour.ask(*names)
    wrong += [f"the neighbour got the unit's file as {name!r}" for name, answer in zip(names, got, strict=True) if answer == SECRET]
    print(f"{len(names)} spellings of another unit's file: {got.count(None)} not answered, {got.count(b'')} answered with an error")
    wrong += unlike("what phones ask for", neighbour.ask(*LEGITIMATE), [SHARED] * 4 + [PUBLIC] * 7)
    # Several fragments
    wrong += unlike("requests in fragments", neighbour.ask(NAME, f"{FOLDER}/{NAME}", padding=1600), [SHARED, None])
    # Without the guard, the same names must be dangerous
    run("nft", "delete", "table", "inet", "preprovision_tftp")
    forgive()
    open_door = neighbour.ask(*names).count(SECRET)
    print(f"{open_door} of them would have given the file without the guard")
    wrong += [] if open_door > 100 else ["the spellings prove nothing"]
    restart()
    return wrong


def test_errors(unit: Machine, neighbour: Machine) -> list[str]:
    """No error tells where the station has its files, nor anything of another unit."""
    wrong = []
    for machine in (unit, neighbour):
        for what, answer in zip(ERRORS, machine.send(*ERRORS.values()), strict=True):
            print(f"{machine.name}, {what}: {answer!r}")
            told = [word for word in (b"srv", b"preprovision") if word in (answer or b"")]
            wrong += unlike(f"what {machine.name} is told of {what}", told, [])
    [missing] = neighbour.send(ERRORS["a file that does not exist"])
    wrong += unlike(
        "the error for a missing file", (missing or b"").partition(b" for ")[0], b"\0\5\0\1file /run/tftp/missing.cfg not found"
    )
    # What the neighbour learns by the name of the unit's folder is what it learns by that of no unit
    stranger = FOLDER.replace("53-01", "53-02")
    wrong += unlike("the folder of no unit", neighbour.send(read_request(f"{stranger}/{NAME}".encode())), [None])
    forgive()
    return wrong


def test_address(unit: Machine, neighbour: Machine) -> list[str]:
    """Let the neighbour take the unit's address while the unit is there."""
    wrong = unlike("the unit before", unit.ask(NAME), [SECRET])
    neighbour.claim(unit.address, NEIGHBOUR)
    wrong += unlike("the MAC of the unit's address", neighbour_of(unit.address), UNIT)
    wrong += unlike("the unit, once its address is contested", unit.ask(NAME), [None])
    forgive()
    neighbour.take(unit.address)
    wrong += unlike("the neighbour with the unit's address", neighbour.ask(NAME, source=unit.address), [None])
    wrong += unlike("the neighbour, who has claimed what is not its own", neighbour.ask(NAME), [None])
    neighbour.give_up(unit.address)
    wrong += unlike("the unit afterwards", unit.ask_again(SECRET), [SECRET])
    wrong += unlike("the neighbour afterwards", neighbour.ask_again(SHARED), [SHARED])
    return wrong


def test_mac(unit: Machine, neighbour: Machine, network: str) -> list[str]:
    """Let the neighbour say that its address has the unit's MAC; and let a machine with that MAC come."""
    neighbour.claim(neighbour.address, UNIT)
    wrong = unlike("the MAC of the neighbour's address", neighbour_of(neighbour.address) in ("", NEIGHBOUR), True)
    wrong += unlike("the neighbour, whose address is contested", neighbour.ask(NAME), [None])
    forgive()
    spare = f"{network}.38"
    neighbour.claim(spare, UNIT)
    neighbour.take(spare)
    got = neighbour.ask(NAME, source=spare)
    neighbour.claim(spare, NEIGHBOUR)
    wrong += unlike("an address that has had the unit's MAC", SECRET in got + neighbour.ask(NAME, source=spare), False)
    forgive()
    unit.ask(NAME)
    twin = Machine("twin", UNIT, f"{network}.31")
    wrong += unlike("a machine with the unit's MAC", twin.ask(NAME), [None])
    # Deleting its namespace alone would leave it on the bench for a while
    run("ip", "link", "delete", "dev", "twin0")
    run("ip", "netns", "delete", "twin")
    wrong += unlike("the unit without its twin", unit.ask_again(SECRET), [SECRET])
    return wrong


def test_release(unit: Machine, network: str) -> list[str]:
    wrong = unlike("the unit before", unit.ask(NAME), [SECRET])
    unit.do("release", STATION, unit.address)
    wrong += unlike("the unit that returns at once", unit.ask(NAME), [SECRET])
    unit.do("release", STATION, unit.address)
    moved = f"{network}.22"
    unit.give_up(unit.address)
    unit.take(moved)
    wrong += unlike("the unit with another address after its release", unit.ask(NAME, source=moved), [SECRET])
    unit.do("release", STATION, moved)
    unit.give_up(moved)
    unit.take(unit.address)
    return wrong


def test_silence(unit: Machine, neighbour: Machine, network: str) -> list[str]:
    """Let an address be silent; the kernel forgets it before another MAC may have it."""
    restart()
    wrong = unlike("the unit before", unit.ask(NAME), [SECRET])
    forget_silent()
    wrong += unlike("the MAC of an address in use", neighbour_of(unit.address), UNIT)
    # A late answer to an ARP request makes it active again
    for _attempt in range(5):
        run("nft", "delete", "element", "bridge", "preprovision_tftp", "active", f"{{ {unit.address} }}", check=False)
        run("nft", "add", "element", "bridge", "preprovision_tftp", "active", f"{{ {unit.address} timeout 200s }}")
        forget_silent()
        if not neighbour_of(unit.address):
            break
        time.sleep(1)
    wrong += unlike("the MAC of a silent address", neighbour_of(unit.address), "")
    return wrong


def test_lease(unit: Machine) -> list[str]:
    """Let a lease end; another MAC may have the address soon. The leases are as the server writes them, in its own file."""
    restart()
    run("ip", "-n", unit.name, "neighbour", "flush", "dev", "eth0")
    wrong = unlike("the unit before", unit.ask(NAME), [SECRET])
    size = LEASES.stat().st_size
    for seconds, mac, most in ((3600, UNIT, SILENT), (-1, "", ENDED)):
        with LEASES.open("a") as file:
            file.write(written_lease(unit.address, time.time() + seconds))
        # A late answer to an ARP request makes it active again
        for _attempt in range(5):
            for name, element in (("active", unit.address), ("pairs", f"{unit.address} . {UNIT}")):
                run("nft", "delete", "element", "bridge", "preprovision_tftp", name, f"{{ {element} }}", check=False)
                run("nft", "add", "element", "bridge", "preprovision_tftp", name, f"{{ {element} timeout {SILENT}s }}")
            forget_silent()
            left, known = seconds_left(unit.address), neighbour_of(unit.address)
            if known == mac and all(most - 60 < number <= most for number in left):
                break
            time.sleep(1)
        else:
            wrong.append(f"an address whose lease ends in {seconds} s belongs to {known!r} for {left} s")
    # The server appends to the file, too
    os.truncate(LEASES, size)
    forget_silent()
    # As after DHCP, it looks for the station anew
    run("ip", "-n", unit.name, "neighbour", "flush", "dev", "eth0")
    return wrong + unlike("the unit that comes back", unit.ask(NAME), [SECRET])


def written_lease(address: str, end: float) -> str:
    """Return the unit's lease of an address, as the DHCP server writes it."""
    if IS_KEA:
        return f"{address},{UNIT},,3600,{end:.0f},1,0,0,,0,,0\n"
    day = time.strftime("%w %Y/%m/%d %H:%M:%S", time.gmtime(end))
    return f"lease {address} {{\n  ends {day};\n  binding state active;\n  hardware ethernet {UNIT};\n}}\n"


def seconds_left(address: str) -> list[int]:
    """Return the seconds until the guard forgets whose the address is, by both of its sets."""
    listed = (run("nft", "list", "set", "bridge", "preprovision_tftp", name) for name in ("active", "pairs"))
    found = (re.search(rf"{re.escape(address)}\b[^,}}]*? expires (?:(\d+)m)?(?:(\d+)s)?", text) for text in listed)
    return [int(one[1] or 0) * 60 + int(one[2] or 0) if one else 0 for one in found]


def test_loading(unit: Machine) -> list[str]:
    """The guard comes and goes with the server, and the machine's own firewall does not remove it."""
    wrong = []
    for order in ("start", "reload", "restart", "stop"):
        run("systemctl", order, "nftables.service")
        wrong += unlike(f"tables after {order} of nftables", tables(), set(TABLES))
        wait_until(lambda: not run("systemctl", "list-jobs", "--no-legend").strip())
        wrong += unlike(f"the unit after {order} of nftables", unit.ask(NAME), [SECRET])
    run("systemctl", "stop", SERVICE)
    wrong += unlike("tables without the server", tables(), set())
    rules = Path("/etc/preprovision-tftp.nft")
    kept = rules.read_text()
    rules.write_text("broken")
    run("systemctl", "start", SERVICE, check=False)
    wrong += unlike("the server without a guard", run("systemctl", "is-active", SERVICE, check=False).strip() == "active", False)
    rules.write_text(kept)
    run("systemctl", "restart", SERVICE)
    return wrong + unlike("the unit with the guard", unit.ask(NAME), [SECRET])


def test_alerts(since: str) -> list[str]:
    """Each case is reported once."""
    read = ["journalctl", "--quiet", "--output=cat", "--unit=preprovision-address-watch", "--priority=alert", f"--since={since}"]
    lines = run(*read).splitlines()
    expected = [
        f"{NETWORK}.21 was used by {UNIT} and is now claimed by {NEIGHBOUR}; neither gets a file by TFTP for 100 seconds",
        f"{NETWORK}.29 was used by {NEIGHBOUR} and is now claimed by {UNIT}; neither gets a file by TFTP for 100 seconds",
        f"{UNIT} uses {NETWORK}.21 and now claims {NETWORK}.31 too; it gets no file by TFTP for 100 seconds",
    ]
    print(*lines, sep="\n")
    found = [sum(line.startswith(start) for line in lines) for start in expected]
    return unlike("reports of each case", found, [1] * len(expected))


def wait_until(done: Callable[[], bool]) -> None:
    for _attempt in range(50):
        if done():
            return
        time.sleep(0.2)


def failures(root: str) -> Iterable[str]:
    # Nobody remembers an earlier run
    restart()
    run("systemctl", "restart", "preprovision-address-watch.service")
    since = time.strftime("%Y-%m-%d %H:%M:%S")
    unit = Machine("unit", UNIT, f"{NETWORK}.21")
    neighbour = Machine("neighbour", NEIGHBOUR, f"{NETWORK}.29")
    forgive()
    yield from test_names(unit, neighbour, root)
    yield from test_errors(unit, neighbour)
    yield from test_address(unit, neighbour)
    yield from test_mac(unit, neighbour, NETWORK)
    yield from test_release(unit, NETWORK)
    yield from test_silence(unit, neighbour, NETWORK)
    yield from test_lease(unit)
    yield from test_loading(unit)
    yield from test_alerts(since)


if __name__ == "__main__":
    if sys.argv[1] == "inside":
        inside()
        sys.exit()
    STATION = sys.argv[1]
    NETWORK = STATION.rpartition(".")[0]
    try:
        wrong = list(failures(sys.argv[2]))
    finally:
        for name in ("unit", "neighbour", "twin"):
            subprocess.run(["ip", "netns", "delete", name], stderr=subprocess.DEVNULL, check=False)
    print("\n".join(wrong[:50]))
    sys.exit(1 if wrong else 0)
