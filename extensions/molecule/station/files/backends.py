# SPDX-License-Identifier: GPL-3.0-or-later
"""Run on a station: give the same plans to ISC DHCP and to Kea, let the same clients ask both, and compare the packets.

Argument: a folder with the configurations of each plan, NAME.isc and NAME.kea. Each server runs in a network namespace of its own,
on a wire of its own; the clients' ends of the wires stay here. On Kea's side, /run/kea and /var/lib/kea are empty and its own.

With "lease" and MAC addresses, it asks the station's own server on the bench instead, and prints the address that each gets.
"""

from __future__ import annotations

import contextlib
import secrets
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from ipaddress import IPv4Address
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

# The code of the watch, which is the collection's own
sys.path.insert(0, "/usr/local/lib/preprovision-dhcp-watch")

from preprovision.common.mac import Mac
from preprovision.dhcp.frames import build_frame, read_frame
from preprovision.dhcp.packets import DhcpPacket, MessageType, build, parse, show_options

STATION, NETWORK = "192.0.2.1", "192.0.2."
NO_ADDRESS = str(IPv4Address(0))
FIXED, KNOWN, STRANGER = "00005e005301", "00005e005302", "00005e0053c1"
# What the plans say of them
RESERVED = f"{NETWORK}20"
PHONE = (1, 3, 6, 12, 15, 42, 43, 60, 66, 67, 125, 132, 150, 159, 160, 2, 7, 128, 224)
LISTS = {"phone": PHONE, "pc": (1, 28, 2, 3, 15, 6, 12), "short": (66,), "times": (1, 58, 59, 51), "none": None}
CLASSES = (
    "",
    "Cisco ATA192-MPP",
    "CISCO ATA191",
    "ciSCo SPA504G",
    "Cisco SPA5000",
    "Cisco SPA",
    "yealink",
    "YeALink SIP-T46S",
    "snom",
    "snomD785",
    "Acme's VP-9",
    "ACME'S VP",
    "Acme'",
    "Polycom-VVX",
    "MSFT 5.0",
)
SECONDS = 3.5
REQUEST = 1


class Client(NamedTuple):
    """A client that asks for an address."""

    name: str
    mac: str
    options: dict[int, bytes]


def clients() -> list[Client]:
    """Return a client for each beginning of option 60 and each request list, and those of other peculiarities."""
    size = {57: (1500).to_bytes(2, "big")}
    found = [
        Client(f"{words or 'no class'}, list {name}", "", {**_listed(numbers), **size, **({60: words.encode()} if words else {})})
        for words in CLASSES
        for name, numbers in LISTS.items()
        if name in ("phone", "none") or words in ("", "yealink")
    ]
    found = [client._replace(mac=f"0200000001{number:02x}") for number, client in enumerate(found)]
    plain = {**_listed(PHONE), **size}
    return [
        *found,
        Client("known phone with an address", FIXED, plain),
        Client("known phone without one", KNOWN, plain),
        Client("client identifier", "020000000201", {**plain, 61: b"\1\2\0\0\0\2\1"}),
        Client("host name", "020000000202", {**plain, 12: b"phone"}),
        Client("wishes a day", "020000000203", {**plain, 51: (86400).to_bytes(4, "big")}),
        Client("wishes an address of another network", "020000000204", {**plain, 50: IPv4Address("198.51.100.9").packed}),
        Client("takes small messages", "020000000205", _listed((1, 66, 150))),
        Client("binary class", "020000000206", {**plain, 60: bytes(range(128, 160))}),
    ]


def _listed(numbers: Sequence[int] | None) -> dict[int, bytes]:
    return {55: bytes(numbers)} if numbers else {}


class Wire:
    """The clients' end of the wire of one server."""

    def __init__(self, interface: str) -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003))
        self._socket.bind((interface, 0x0003))

    def say(
        self, messages: Sequence[tuple[str, MessageType | None, dict[int, bytes], str]], seconds: float = SECONDS
    ) -> list[DhcpPacket | None]:
        """Send messages, each with MAC, type, options and the client's address; return the answer to each, or None."""
        numbers = [secrets.randbits(32) for _message in messages]
        answers: dict[int, DhcpPacket] = {}
        for number, (mac, kind, options, address) in zip(numbers, messages, strict=True):
            said = {53: bytes([kind]), **options} if kind else options
            packet = DhcpPacket(REQUEST, number, Mac(mac), broadcast=address == NO_ADDRESS, client_address=address, options=said)
            self._socket.send(build_frame(Mac(mac), build(packet), address))
            self._listen(0.005, answers)
        end = time.monotonic() + seconds
        while len(answers) < len(numbers) and time.monotonic() < end:
            self._listen(0.1, answers)
        return [answers.get(number) for number in numbers]

    def _listen(self, seconds: float, answers: dict[int, DhcpPacket]) -> None:
        end = time.monotonic() + seconds
        while select.select([self._socket], [], [], max(0, end - time.monotonic()))[0]:
            frame = self._socket.recv(4096)
            if frame[12:14] == b"\x08\x06" and frame[21] == 1:
                # Somebody resolves a client's address
                mine = next((mac for address, mac in ADDRESSES.items() if IPv4Address(address).packed == frame[38:42]), "")
                if mine:
                    own = bytes.fromhex(mine)
                    reply = frame[6:12] + own + frame[12:20] + b"\0\2" + own + frame[38:42] + frame[22:32]
                    self._socket.send(reply.ljust(60, b"\0"))
                continue
            datagram = read_frame(frame, checksum_ready=False)
            if datagram and datagram.data[:1] == b"\2":
                packet = parse(datagram.data)
                answers[packet.xid] = packet


ADDRESSES = {f"{NETWORK}66": "020000000301", f"{NETWORK}67": "020000000302"}


def run(*command: str, check: bool = True) -> str:
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=check).stdout


@contextlib.contextmanager
def server(kind: str, configuration: str) -> Iterator[Wire]:
    """Check the configuration with the server's own checker, run the server, and yield the wire that it answers on."""
    space, mine = f"back-{kind}", f"ask-{kind}"
    with TemporaryDirectory(dir="/etc/kea" if kind == "kea" else "/etc/dhcp") as folder:
        Path(folder).chmod(0o755)
        file = Path(folder) / "conf"
        file.write_text(configuration)
        run("ip", "netns", "add", space)
        started = None
        try:
            run("ip", "link", "add", mine, "type", "veth", "peer", "name", "bench0", "netns", space)
            run("ip", "link", "set", mine, "up")
            run("ip", "-n", space, "address", "add", f"{STATION}/24", "dev", "bench0")
            run("ip", "-n", space, "link", "set", "bench0", "up")
            checker, command = COMMANDS[kind]
            run("ip", "netns", "exec", space, "sh", "-c", checker, str(file))
            log = (Path(folder) / "log").open("w")
            started = subprocess.Popen(["ip", "netns", "exec", space, "sh", "-c", command, str(file)], stdout=log, stderr=log)
            wire = Wire(mine)
            for _attempt in range(20):
                # Not of the plans' clients, so it changes nothing but one address of the pool
                if wire.say([("0200000004ff", MessageType.DISCOVER, {}, NO_ADDRESS)], 1.5)[0]:
                    break
            else:
                sys.exit(f"{kind} does not answer: {(Path(folder) / 'log').read_text()[-2000:]}")
            yield wire
        finally:
            if started:
                started.terminate()
                started.wait()
            run("ip", "link", "delete", mine, check=False)
            run("ip", "netns", "delete", space, check=False)


# $0 is the file
COMMANDS = {
    "isc": (
        'dhcpd -t -4 -cf "$0" 2>&1',
        'exec 3>"$0.leases"; exec dhcpd -4 -f -d --no-pid -lf "$0.leases" -cf "$0" bench0',
    ),
    "kea": (
        'KEA_LOCKFILE_DIR=none kea-dhcp4 -t "$0" 2>&1',
        "for folder in /run/kea /var/lib/kea; do mkdir -p $folder; mount -t tmpfs -o mode=0750 tmpfs $folder || exit; done;"
        ' KEA_LOCKFILE_DIR=none exec kea-dhcp4 -c "$0"',
    ),
}


def seen(packet: DhcpPacket | None) -> dict[str, Any]:
    """Return what a client sees of an answer; any address of the pool is as good as another."""
    if packet is None:
        return {"message": "none"}
    reserved = packet.your_address in (RESERVED, NO_ADDRESS)
    return {
        "message": packet.message,
        "address": packet.your_address if reserved else "of the pool",
        "broadcast": packet.broadcast,
        "next server": packet.next_server,
        "server name": packet.server_name.hex(),
        "boot file": packet.boot_file.hex(),
        **show_options(packet.options),
        # Not only what is shown: the bytes
        **{f"bytes of {code}": value.hex() for code, value in packet.options.items()},
    }


def ask(wire: Wire) -> dict[str, dict[str, Any]]:
    """Let all clients ask, request, extend, come back, and misbehave; return what each sees, by client and step."""
    found: dict[str, dict[str, Any]] = {}
    asking = clients()
    offers = wire.say([(client.mac, MessageType.DISCOVER, client.options, NO_ADDRESS) for client in asking])
    found.update({f"{client.name}: offer": seen(offer) for client, offer in zip(asking, offers, strict=True)})
    server_id = IPv4Address(STATION).packed
    given = [(client, offer.your_address) for client, offer in zip(asking, offers, strict=True) if offer]
    ADDRESSES.update({address: client.mac for client, address in given})
    if len({address for _client, address in given}) < len(given):
        sys.exit("an address was offered twice")

    def step(
        name: str, make: Callable[[Client, str], tuple[dict[int, bytes], str]], kind: MessageType = MessageType.REQUEST
    ) -> None:
        some = [(client, address) for client, address in given if kind == MessageType.REQUEST]
        said = [(client.mac, kind, *make(client, address)) for client, address in some]
        for (client, address), answer in zip(some, wire.say(said), strict=True):
            if answer and answer.message == "ack" and answer.your_address != address:
                sys.exit(f"{client.name}: acknowledged {answer.your_address} instead of {address}")
            found[f"{client.name}: {name}"] = seen(answer)

    def packed(address: str) -> bytes:
        return IPv4Address(address).packed

    step("requests the offer", lambda client, address: ({**client.options, 54: server_id, 50: packed(address)}, NO_ADDRESS))
    step("restarts with its address", lambda client, address: ({**client.options, 50: packed(address)}, NO_ADDRESS))
    step("extends its lease", lambda client, address: ({key: client.options[key] for key in client.options if key != 50}, address))
    again = wire.say([(client.mac, MessageType.DISCOVER, client.options, NO_ADDRESS) for client, _address in given])
    for (client, address), answer in zip(given, again, strict=True):
        found[f"{client.name}: comes back"] = {**seen(answer), "the same address": bool(answer and answer.your_address == address)}
    found.update(oddities(wire, given))
    return found


def oddities(wire: Wire, given: list[tuple[Client, str]]) -> dict[str, dict[str, Any]]:
    """Return what clients see that do not follow the usual course."""
    plain = {**_listed(PHONE), 57: (1500).to_bytes(2, "big")}
    (first, at), (second, other_at), *_rest = given
    foreign, free = IPv4Address("198.51.100.9").packed, IPv4Address(f"{NETWORK}254").packed
    stranger, server_id = "020000000401", IPv4Address(STATION).packed
    messages = {
        "BOOTP": ("020000000402", None, plain, NO_ADDRESS),
        "restart with an address of another network": (stranger, MessageType.REQUEST, {**plain, 50: foreign}, NO_ADDRESS),
        "restart of a stranger with a free address": ("020000000403", MessageType.REQUEST, {**plain, 50: free}, NO_ADDRESS),
        "restart with a foreign address, with a lease here": (first.mac, MessageType.REQUEST, {**plain, 50: foreign}, NO_ADDRESS),
        "restart with somebody's address": (
            second.mac,
            MessageType.REQUEST,
            {**plain, 50: IPv4Address(at).packed},
            NO_ADDRESS,
        ),
        "request to another server": (
            "020000000404",
            MessageType.REQUEST,
            {**plain, 50: free, 54: IPv4Address(f"{NETWORK}9").packed},
            NO_ADDRESS,
        ),
        "extends a lease of another network": ("020000000406", MessageType.REQUEST, plain, "198.51.100.9"),
        "request of what was not offered": (
            "020000000405",
            MessageType.REQUEST,
            {**plain, 50: IPv4Address(other_at).packed, 54: server_id},
            NO_ADDRESS,
        ),
        "inform": (ADDRESSES[f"{NETWORK}66"], MessageType.INFORM, plain, f"{NETWORK}66"),
        "inform of a family": (ADDRESSES[f"{NETWORK}67"], MessageType.INFORM, {**plain, 60: b"yealink"}, f"{NETWORK}67"),
    }
    found = {}
    for name, message in messages.items():
        found[name] = seen(wire.say([message], 2)[0])
    wire.say([(first.mac, MessageType.RELEASE, {54: server_id}, at)], 0.5)
    (answer,) = wire.say([(first.mac, MessageType.DISCOVER, first.options, NO_ADDRESS)])
    found["after a release"] = {**seen(answer), "the same address": bool(answer and answer.your_address == at)}
    wire.say([(second.mac, MessageType.DECLINE, {54: server_id, 50: IPv4Address(other_at).packed}, NO_ADDRESS)], 0.5)
    (answer,) = wire.say([(second.mac, MessageType.DISCOVER, second.options, NO_ADDRESS)])
    found["after a decline"] = {**seen(answer), "the same address": bool(answer and answer.your_address == other_at)}
    return found


def compare(plan: dict[str, Any]) -> tuple[int, int, list[str]]:
    """Return how many answers were compared, how many differences are documented, and a line for each other one."""
    answers = {}
    for kind in COMMANDS:
        with server(kind, plan[kind]) as wire:
            answers[kind] = ask(wire)
    isc, kea = answers["isc"], answers["kea"]
    lines, known = [], 0
    for name in {**isc, **kea}:
        one, other = isc.get(name, {"message": "not asked"}), kea.get(name, {"message": "not asked"})
        for what in {**one, **other}:
            if one.get(what) == other.get(what):
                continue
            if is_documented(name, what, one, other):
                known += 1
            else:
                lines.append(f"{plan['name']}: {name}: {what}: ISC {one.get(what)!r}, Kea {other.get(what)!r}")
    return len(isc), known, lines


def is_documented(name: str, what: str, isc: dict[str, Any], kea: dict[str, Any]) -> bool:
    """Return whether the two differ as docs/operators/dhcp_servers.md says."""
    number = int(what.rpartition("_")[2] if what.startswith("option_") else what.rpartition(" ")[2]) if what[-1].isdigit() else 0
    messages = (isc["message"], kea["message"])
    if messages == ("nak", "nak"):
        return number in (1, 56) or (number > 0 and what not in isc)
    if name.startswith("inform"):
        return number == 1 and what not in kea
    if name == "restart of a stranger with a free address":
        return messages == ("ack", "nak")
    if name == "request to another server":
        return messages == ("nak", "none")
    if number == 51:
        return what.startswith("bytes") or kea[what] * 3 // 4 <= isc[what] <= kea[what]
    if name == "after a release" and what == "the same address":
        return run("kea-dhcp4", "-v").startswith("2.2")
    # 12 is the client's own word
    return number in (3, 6, 12, 15, 159) and what not in isc


def lease(macs: Sequence[str]) -> int:
    """Print the address that each client gets on the bench."""
    run("ip", "link", "add", "ask0", "type", "veth", "peer", "name", "ask1")
    try:
        run("ip", "link", "set", "ask0", "master", "bench0", "up")
        run("ip", "link", "set", "ask1", "up")
        wire, given = Wire("ask1"), {}
        for _attempt in range(10):
            left = [mac for mac in macs if mac not in given]
            offers = wire.say([(mac, MessageType.DISCOVER, _listed(PHONE), NO_ADDRESS) for mac in left], 2)
            wanted = {mac: offer.your_address for mac, offer in zip(left, offers, strict=True) if offer}
            own = {54: IPv4Address(STATION).packed}
            said = [(mac, MessageType.REQUEST, {50: IPv4Address(at).packed, **own}, NO_ADDRESS) for mac, at in wanted.items()]
            given.update({mac: ack.your_address for mac, ack in zip(wanted, wire.say(said, 2), strict=True) if ack})
            if len(given) == len(macs):
                break
        print(*(f"{mac} {given.get(mac, 'none')}" for mac in macs), sep="\n")
        return 0 if len(given) == len(macs) else 1
    finally:
        run("ip", "link", "delete", "ask0")


def main(folder: Path) -> int:
    wrong: list[str] = []
    for file in sorted(folder.glob("*.isc")):
        plan = {"name": file.stem, "isc": file.read_text(), "kea": file.with_suffix(".kea").read_text()}
        count, known, lines = compare(plan)
        print(f"{plan['name']}: {count} answers compared, {known} documented differences, {len(lines)} others", flush=True)
        wrong += lines
    print(*wrong, sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(lease(sys.argv[2:]) if sys.argv[1] == "lease" else main(Path(sys.argv[1])))
