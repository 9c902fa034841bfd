# SPDX-License-Identifier: GPL-3.0-or-later
"""Run on a station, from a machine on its bench: guess names by TFTP, try to escape from its folder, and flood the log.

Arguments: the station's address, the number of phones to guess, the log lines that one address may send at once and per second.
Prints figures and failures.
"""

from __future__ import annotations

import collections
import concurrent.futures
import itertools
import secrets
import select
import socket
import subprocess
import sys
import time
from pathlib import Path

STATION = sys.argv[1]
COUNT, LOG_BURST, LOG_RATE = map(int, sys.argv[2:])
ROOT = Path("/srv/preprovision/current")
OPEN = ROOT / "open"
PUBLIC = "spa504g.cfg"
NETWORK = STATION.rpartition(".")[0]
PHONE, GUESSER, FLOODER = (f"{NETWORK}.{host}" for host in (9, 11, 12))
LOG = Path("/var/log/preprovision/phones") / f"{FLOODER}.log"
# So many that no address exceeds the request limit
ESCAPERS = [f"{NETWORK}.{host}" for host in range(201, 209)]
# By certificate, and by TFTP; the links in a unit's folder lead to what everybody gets
OWN = [*ROOT.glob("device/*"), *(path for path in ROOT.glob("units/*/*.*") if not path.is_symlink())]
SECRETS = [path.read_bytes() for path in OWN]
KNOWN = {path.stem for path in ROOT.glob("device/*")} | {path.name.replace("-", "") for path in ROOT.glob("units/*")}

READ, WRITE, DATA, ERROR = 1, 2, 3, 5
# Phones whose answers are awaited one by one; three requests each stay below the limit
FIRST = 256


def request(operation: int, name: bytes, mode: bytes = b"octet") -> bytes:
    """Return a read or write request (RFC 1350, section 5)."""
    return operation.to_bytes(2, "big") + name + b"\0" + mode + b"\0"


def is_error(answer: bytes) -> bool:
    return int.from_bytes(answer[:2], "big") == ERROR


def is_leaked(answer: bytes) -> bool:
    return b"root:" in answer or any(answer[4:] == secret[:512] for secret in SECRETS)


def client(source: str) -> socket.socket:
    asking = socket.socket(type=socket.SOCK_DGRAM)
    asking.bind((source, 0))
    return asking


def answers(asking: socket.socket, seconds: float) -> list[bytes]:
    """Return all packets received until *seconds* pass without one."""
    found = []
    while select.select([asking], [], [], seconds)[0]:
        found.append(asking.recv(2048))
    return found


def download(source: str) -> tuple[int, bytes]:
    """Fetch the public file like a phone; return curl's exit status (28: no answer) and the body."""
    command = ["curl", "--silent", "--interface", source, "--max-time", "3", f"tftp://{STATION}/{PUBLIC}"]
    ended = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    return ended.returncode, ended.stdout


def guess() -> list[str]:
    """Request every phone's file under three names, existing phones among the first; return the failures."""
    wrong, kinds, late = [], collections.Counter(), 0
    macs = [f"00005e00{(0x5300 + number) % 65536:04x}" for number in range(COUNT)]
    with client(GUESSER) as asking:
        for mac, form in itertools.product(macs[:FIRST], ("{}.cfg", "device/{}.cfg", "service/{}.cfg")):
            name = form.format(mac).encode()
            asking.sendto(request(READ, name), (STATION, 69))
            if not select.select([asking], [], [], 5)[0]:
                wrong.append(f"{name.decode()}: no answer, although requests were below the limit")
                break
            answer = asking.recv(2048)
            if is_leaked(answer) or not is_error(answer):
                wrong.append(f"{name.decode()}: {answer[:100]!r}")
            # The error text repeats the name
            kinds[answer.replace(mac.encode(), b"MAC")] += 1
        if len(kinds) > 3:
            wrong.append(f"known and unknown phones are answered differently: {dict(kinds)}")
        if KNOWN - set(macs[:FIRST]):
            wrong.append("not all existing phones were among the guesses")
        begun = time.monotonic()
        rest = []
        for number, mac in enumerate(macs[FIRST:]):
            asking.sendto(request(READ, f"{mac}.cfg".encode()), (STATION, 69))
            if number % 50 == 0:
                rest += answers(asking, 0)
        rest += answers(asking, 1)
        if any(is_leaked(answer) or not is_error(answer) for answer in rest):
            wrong.append("some answers to the guesser are not errors")
        duration = time.monotonic() - begun
        for mac in macs[:100]:
            asking.sendto(request(READ, f"{mac}.cfg".encode()), (STATION, 69))
        late = len(answers(asking, 1))
    print(f"{COUNT} phones guessed, {len(macs) - FIRST} of them in {duration:.1f} s; {3 * FIRST + len(rest)} requests answered")
    if late or 3 * FIRST + len(rest) > 2000:
        wrong.append(f"the guesser is not cut off: {late} answers to the last 100 requests")
    if download(GUESSER)[0] != 28:
        wrong.append("the guesser can still fetch a public file")
    return wrong


def fetch_meanwhile(guesser: concurrent.futures.Future[list[str]]) -> list[str]:
    """Fetch the public file repeatedly as another phone until the guesser has finished."""
    wrong, rounds = [], 0
    right = (0, (OPEN / PUBLIC).read_bytes())
    while not guesser.done() or rounds < 10:
        rounds += 1
        came = download(PHONE)
        if came != right:
            wrong.append(f"a phone got curl's status {came[0]} and {len(came[1])} bytes during the guessing")
        time.sleep(0.05)
    print(f"a phone was served {rounds - len(wrong)} of {rounds} times during the guessing")
    return wrong


def escaping_names() -> list[bytes]:
    """Return more than 2,000 names that lead out of the folder or could break a parser."""
    ups = [
        b"../",
        b"..\\",
        b"%2e%2e/",
        b"..%2f",
        b"..%5c",
        b"....//",
        b"/..",
        b"./../",
        b"..;/",
        b"\xc0\xae\xc0\xae/",
        b"service/../../",
    ]
    ends = [b"etc/passwd", b"etc/shadow", b"device/00005e005302.cfg", b"manifest.jsonl", b"spa504g.cfg/../../manifest.jsonl"]
    climbing = [
        start + up * depth + end for start, up, depth, end in itertools.product((b"", b"/", b"//", b"\\"), ups, range(1, 10), ends)
    ]
    absolute = [
        b"/etc/passwd",
        b"/srv/preprovision/current/device/00005e005302.cfg",
        b"/proc/self/environ",
        b"/dev/zero",
        b"C:\\boot.ini",
    ]
    # dnsmasq accepts an absolute name that begins with its folder
    absolute += [bytes(OPEN) + b"/../device/00005e005302.cfg", bytes(OPEN) + b"/service/../../manifest.jsonl", bytes(OPEN) + b"/"]
    odd = [
        b"",
        b".",
        b"..",
        b"/",
        b"service",
        b"service/",
        b"~root/.bashrc",
        b"$(id)",
        b"|id",
        b"%s%n%x",
        b"a\r\nb",
        b"\x1b[2J",
        b"\xff" * 64,
    ]
    long = [b"a" * length for length in (255, 256, 1023, 1400, 20000)] + [b"../" * 400 + b"etc/passwd", b"a/" * 500]
    return climbing + absolute + odd + long


def escape_requests() -> list[tuple[bytes, bytes]]:
    """Return (name for messages, request packet) of every attempt."""
    names = escaping_names()
    requests = [
        (name, request(READ, name, mode))
        for name, mode in zip(names, itertools.cycle((b"octet", b"netascii", b"OCTET")), strict=False)
    ]
    requests += [(b"../\0" + name, request(READ, b"../\0" + name)) for name in names[:100]]
    requests += [
        (name, request(WRITE, name)) for name in (PUBLIC.encode(), b"new.cfg", b"service/new.cfg", b"../new.cfg", b"/tmp/new.cfg")
    ]
    requests += [
        (name, request(READ, name, mode)) for name, mode in itertools.product((b"../manifest.jsonl",), (b"mail", b"", b"x" * 600))
    ]
    # No end, no mode, no name, options without values, options that are too large
    requests += [
        (packet, packet)
        for packet in (b"", b"\0", b"\0\1", b"\0\1../manifest.jsonl", b"\0\1\0", b"\0\1\0octet", b"\0\3\0\1x", b"\xff" * 512)
    ]
    requests += [
        (options, request(READ, b"../manifest.jsonl") + options)
        for options in (b"blksize\0", b"blksize\0999999\0", b"tsize\0-1\0", b"\0\0")
    ]
    return requests


def in_station(*command: str) -> None:
    """Run a command in the station's own network namespace."""
    subprocess.run(["nsenter", "--net=/proc/1/ns/net", *command], check=True)


def try_escapes_unguarded() -> list[str]:
    """Try them without the guard, which drops most of such names before dnsmasq sees them."""
    in_station("nft", "delete", "table", "inet", "preprovision_tftp")
    try:
        return try_escapes(len(escaping_names()) - 50)
    finally:
        subprocess.run(["systemctl", "reload", "preprovision-tftp.service"], check=True)


def try_escapes(min_errors: int) -> list[str]:
    """Send each request from its own port; every answer must be an error."""
    wrong, counts = [], collections.Counter()
    before = snapshot()
    requests = escape_requests()
    for batch in (requests[first : first + 200] for first in range(0, len(requests), 200)):
        waiting = {}
        for number, (name, packet) in enumerate(batch):
            asking = socket.socket(type=socket.SOCK_DGRAM)
            asking.bind((ESCAPERS[number % len(ESCAPERS)], 0))
            asking.sendto(packet, (STATION, 69))
            waiting[asking] = name
        while ready := select.select(list(waiting), [], [], 0.5)[0]:
            for asking in ready:
                name, answer = waiting.pop(asking), asking.recv(2048)
                counts["errors" if is_error(answer) else "files"] += 1
                if not is_error(answer):
                    wrong.append(f"{name[:100]!r} returned {answer[:100]!r}")
                asking.close()
        counts["no answer"] += len(waiting)
        for asking in waiting:
            asking.close()
    print(f"{len(requests)} escaping requests:", dict(counts))
    if snapshot() != before:
        wrong.append("a file was written, or the server has stopped or restarted")
    if counts["errors"] < min_errors:
        wrong.append("most requests got no answer")
    return wrong


def snapshot() -> tuple[str, list[tuple[str, int, int]]]:
    """Return the server's process and state, and the served files."""
    show = ["systemctl", "show", "--property=MainPID,NRestarts,ActiveState", "preprovision-tftp.service"]
    files = [(str(path), path.lstat().st_size, path.lstat().st_mtime_ns) for path in sorted(ROOT.rglob("*"))]
    return subprocess.run(show, stdout=subprocess.PIPE, check=True).stdout.decode(), files


def release_guesser() -> list[str]:
    """Release the guesser with the command from the alert; it must be served again."""
    free = ["nft", "delete", "element", "inet", "preprovision", "tftp_caught", f"{{ {GUESSER} }}"]
    subprocess.run(["nsenter", "--net=/proc/1/ns/net", *free], check=False)
    return [] if download(GUESSER)[0] == 0 else ["the released guesser is not served"]


def flood() -> list[str]:
    """Send 1.5 times the permitted burst of lines, and one more later; return the failures."""
    mark, sent, begun = secrets.token_hex(8), LOG_BURST * 3 // 2, time.monotonic()
    with client(FLOODER) as sending:
        for number in range(sent):
            sending.sendto(f"<134>{mark} line {number}".encode(), (STATION, 514))
        most = LOG_BURST + LOG_RATE * (time.monotonic() - begun + 1)
        time.sleep(1)
        sending.sendto(f"<134>{mark} after the flood".encode(), (STATION, 514))
    for _attempt in range(20):
        time.sleep(0.5)
        lines = [line for line in LOG.read_text().splitlines() if mark in line] if LOG.exists() else []
        if lines and "after the flood" in lines[-1]:
            print(f"{sent} log lines sent, {len(lines) - 1} kept, and a later one too")
            return [] if len(lines) <= most else ["the flood was not limited"]
    return ["a line sent after the flood is not logged"]


def main() -> None:
    before = snapshot()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        guesser = pool.submit(guess)
        wrong = fetch_meanwhile(guesser) + guesser.result()
    wrong += try_escapes_unguarded()
    wrong += try_escapes(min_errors=400)
    wrong += release_guesser()
    wrong += flood()
    if snapshot() != before:
        wrong.append("the TFTP server has restarted, or its files have changed")
    print("\n".join(wrong[:50]))
    sys.exit(1 if wrong else 0)


main()
