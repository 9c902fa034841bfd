# SPDX-License-Identifier: GPL-3.0-or-later
"""Run on a station, from a machine on its bench: what becomes of those that guess by TFTP, climb out of its folder or flood logs.

Arguments: the station's address, how many phones' names are guessed, how many log lines one address may send at once and a second.
Prints figures and what is wrong.
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
# Enough of them that none makes too many requests
CLIMBERS = [f"{NETWORK}.{host}" for host in range(201, 209)]
SECRETS = [path.read_bytes() for path in (ROOT / "device").iterdir()]
KNOWN = {path.stem for path in (ROOT / "device").iterdir()}

READ, WRITE, DATA, ERROR = 1, 2, 3, 5
# Of each address that is asked first, and waited for: fewer requests than one may make
FIRST = 256


def request(operation: int, name: bytes, mode: bytes = b"octet") -> bytes:
    """RFC 1350, 5."""
    return operation.to_bytes(2, "big") + name + b"\0" + mode + b"\0"


def is_error(answer: bytes) -> bool:
    return int.from_bytes(answer[:2], "big") == ERROR


def is_taken(answer: bytes) -> bool:
    return b"root:" in answer or any(answer[4:] == secret[:512] for secret in SECRETS)


def client(source: str) -> socket.socket:
    asking = socket.socket(type=socket.SOCK_DGRAM)
    asking.bind((source, 0))
    return asking


def answers(asking: socket.socket, seconds: float) -> list[bytes]:
    """What comes until nothing has come for so long."""
    found = []
    while select.select([asking], [], [], seconds)[0]:
        found.append(asking.recv(2048))
    return found


def download(source: str) -> tuple[int, bytes]:
    """The public file as a phone fetches it: curl's status (28: no answer), and what came."""
    command = ["curl", "--silent", "--interface", source, "--max-time", "3", f"tftp://{STATION}/{PUBLIC}"]
    ended = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    return ended.returncode, ended.stdout


def guess() -> list[str]:
    """Ask for every phone's file under three names, those that there are among the first; return what is wrong."""
    wrong, kinds, late = [], collections.Counter(), 0
    macs = [f"00005e00{(0x5300 + number) % 65536:04x}" for number in range(COUNT)]
    with client(GUESSER) as asking:
        for mac, form in itertools.product(macs[:FIRST], ("{}.cfg", "device/{}.cfg", "service/{}.cfg")):
            name = form.format(mac).encode()
            asking.sendto(request(READ, name), (STATION, 69))
            if not select.select([asking], [], [], 5)[0]:
                wrong.append(f"{name.decode()}: no answer, though there were few requests")
                break
            answer = asking.recv(2048)
            if is_taken(answer) or not is_error(answer):
                wrong.append(f"{name.decode()}: {answer[:100]!r}")
            # The text of the error repeats the name
            kinds[answer.replace(mac.encode(), b"MAC")] += 1
        if len(kinds) > 3:
            wrong.append(f"known and unknown phones are answered differently: {dict(kinds)}")
        if KNOWN - set(macs[:FIRST]):
            wrong.append("the phones that there are were not guessed")
        begun = time.monotonic()
        rest = []
        for number, mac in enumerate(macs[FIRST:]):
            asking.sendto(request(READ, f"{mac}.cfg".encode()), (STATION, 69))
            if number % 50 == 0:
                rest += answers(asking, 0)
        rest += answers(asking, 1)
        if any(is_taken(answer) or not is_error(answer) for answer in rest):
            wrong.append("something else than an error came")
        asked = time.monotonic() - begun
        for mac in macs[:100]:
            asking.sendto(request(READ, f"{mac}.cfg".encode()), (STATION, 69))
        late = len(answers(asking, 1))
    print(f"{COUNT} phones guessed, {len(macs) - FIRST} of them in {asked:.1f} s; {3 * FIRST + len(rest)} requests answered")
    if late or 3 * FIRST + len(rest) > 2000:
        wrong.append(f"the guesser is not cut off: {late} answers to the last 100 requests")
    if download(GUESSER)[0] != 28:
        wrong.append("the guesser gets a file that is for everybody")
    return wrong


def phone_goes_on(guesser: concurrent.futures.Future[list[str]]) -> list[str]:
    """Fetch the public file again and again as another phone, until the guesser has ended."""
    wrong, rounds = [], 0
    right = (0, (OPEN / PUBLIC).read_bytes())
    while not guesser.done() or rounds < 10:
        rounds += 1
        came = download(PHONE)
        if came != right:
            wrong.append(f"a phone got curl's status {came[0]} and {len(came[1])} bytes while another guessed")
        time.sleep(0.05)
    print(f"a phone was served {rounds - len(wrong)} of {rounds} times meanwhile")
    return wrong


def ways_out() -> list[bytes]:
    """Names that lead out of the folder, or break what reads them: more than 2,000."""
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
    # dnsmasq takes an absolute name that begins with its folder as it is
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


def climbs() -> list[tuple[bytes, bytes]]:
    """What is asked, and the request."""
    names = ways_out()
    asked = [
        (name, request(READ, name, mode))
        for name, mode in zip(names, itertools.cycle((b"octet", b"netascii", b"OCTET")), strict=False)
    ]
    asked += [(b"../\0" + name, request(READ, b"../\0" + name)) for name in names[:100]]
    asked += [
        (name, request(WRITE, name)) for name in (PUBLIC.encode(), b"new.cfg", b"service/new.cfg", b"../new.cfg", b"/tmp/new.cfg")
    ]
    asked += [
        (name, request(READ, name, mode)) for name, mode in itertools.product((b"../manifest.jsonl",), (b"mail", b"", b"x" * 600))
    ]
    # No end, no mode, no name, options without values, options that are too large
    asked += [
        (packet, packet)
        for packet in (b"", b"\0", b"\0\1", b"\0\1../manifest.jsonl", b"\0\1\0", b"\0\1\0octet", b"\0\3\0\1x", b"\xff" * 512)
    ]
    asked += [
        (options, request(READ, b"../manifest.jsonl") + options)
        for options in (b"blksize\0", b"blksize\0999999\0", b"tsize\0-1\0", b"\0\0")
    ]
    return asked


def climb() -> list[str]:
    """Ask for all of these, each from a port of its own; whatever comes but an error must be a file that everybody may have."""
    wrong, counts = [], collections.Counter()
    before = snapshot()
    asked = climbs()
    for batch in (asked[first : first + 200] for first in range(0, len(asked), 200)):
        waiting = {}
        for number, (name, packet) in enumerate(batch):
            asking = socket.socket(type=socket.SOCK_DGRAM)
            asking.bind((CLIMBERS[number % len(CLIMBERS)], 0))
            asking.sendto(packet, (STATION, 69))
            waiting[asking] = name
        while ready := select.select(list(waiting), [], [], 0.5)[0]:
            for asking in ready:
                name, answer = waiting.pop(asking), asking.recv(2048)
                counts["errors" if is_error(answer) else "files"] += 1
                if not is_error(answer):
                    wrong.append(f"{name[:100]!r} gave {answer[:100]!r}")
                asking.close()
        counts["no answer"] += len(waiting)
        for asking in waiting:
            asking.close()
    print(f"{len(asked)} ways out:", dict(counts))
    if snapshot() != before:
        wrong.append("something was written or the server has ended")
    if counts["errors"] < len(ways_out()) - 50:
        wrong.append("most were not heard")
    return wrong


def snapshot() -> tuple[str, list[tuple[str, int, int]]]:
    """The server's process, and what there is to serve."""
    show = ["systemctl", "show", "--property=MainPID,NRestarts,ActiveState", "preprovision-tftp.service"]
    files = [(str(path), path.lstat().st_size, path.lstat().st_mtime_ns) for path in sorted(ROOT.rglob("*"))]
    return subprocess.run(show, stdout=subprocess.PIPE, check=True).stdout.decode(), files


def set_free() -> list[str]:
    """As the report says; the guesser is served again."""
    free = ["nft", "delete", "element", "inet", "preprovision", "tftp_caught", f"{{ {GUESSER} }}"]
    subprocess.run(["nsenter", "--net=/proc/1/ns/net", *free], check=False)
    return [] if download(GUESSER)[0] == 0 else ["who is set free is not served"]


def flood() -> list[str]:
    """Send half as many lines again as one may, and one more later; return what is wrong."""
    mark, sent, begun = secrets.token_hex(8), LOG_BURST * 3 // 2, time.monotonic()
    with client(FLOODER) as sending:
        for number in range(sent):
            sending.sendto(f"<134>{mark} line {number}".encode(), (STATION, 514))
        most = LOG_BURST + LOG_RATE * (time.monotonic() - begun + 1)
        time.sleep(1)
        sending.sendto(f"<134>{mark} heard again".encode(), (STATION, 514))
    for _attempt in range(20):
        time.sleep(0.5)
        lines = [line for line in LOG.read_text().splitlines() if mark in line] if LOG.exists() else []
        if lines and "heard again" in lines[-1]:
            print(f"{sent} log lines sent, {len(lines) - 1} kept, and the next one as well")
            return [] if len(lines) <= most else ["the flood was not cut"]
    return ["who has flooded the log is not heard again"]


def main() -> None:
    before = snapshot()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        guesser = pool.submit(guess)
        wrong = phone_goes_on(guesser) + guesser.result()
    wrong += climb()
    wrong += set_free()
    wrong += flood()
    if snapshot() != before:
        wrong.append("the server is not the one that it was")
    print("\n".join(wrong[:50]))
    sys.exit(1 if wrong else 0)


main()
