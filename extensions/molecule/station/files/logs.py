# SPDX-License-Identifier: GPL-3.0-or-later
"""Run on a station, from a machine on its bench with many addresses: log hostile lines, and normal lines during a flood.

Arguments: the station's address, the maximum size of a log in bytes, the number of lines in a flood.
"""

from __future__ import annotations

import collections
import multiprocessing
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
import zlib
from pathlib import Path

STATION, LIMIT, FLOOD = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
FOLDER = Path("/var/log/preprovision/phones")
PID = Path("/run/preprovision-log/pid")
NET = STATION.rpartition(".")[0]
HOSTILE, STREAMER, FORGER, FLOODER, STREAM_FLOODER = (f"{NET}.{host}" for host in range(31, 36))
PHONES = [f"{NET}.{host}" for host in range(41, 61)]
ADDRESSES = [HOSTILE, STREAMER, FORGER, FLOODER, STREAM_FLOODER, *PHONES]
LINES = 200
SECONDS = 8
LINE = re.compile(rb"\d{4}-\d\d-\d\dT[\d:.]+[+-]\d\d:\d\d ([0-9.]+) ([a-z0-9]+\.[a-z]+) ([ -~]*)")

# A packet, and facility, severity and text of the line it must produce
PACKETS = [
    (b"no priority", "user.notice no priority"),
    (b"<134>a priority", "local0.info a priority"),
    (b"<13>one\nline", "user.notice one#012line"),
    (b"<13>one\r\n<13>line\n", "user.notice one#015#012<13>line"),
    (b"<13>NUL \0 NUL", "user.notice NUL #000 NUL"),
    (b"\x1b[2J\x1b]0;title\x07", "user.notice #033[2J#033]0;title#007"),
    (b"<13>8 bits \x9b31m \x85 \xff", "user.notice 8 bits #23331m #205 #377"),
    ("<13>Caf\u00e9 \u202e \u009b \u2028".encode(), "user.notice Caf#303#251 #342#200#256 #302#233 #342#200#250"),
    (b"<13>Oct 11 22:14:15 ../../../etc/cron.d/x su/../..: x", "user.notice Oct 11 22:14:15 ../../../etc/cron.d/x su/../..: x"),
    (b"<13>1 2003-10-11T22:14:15Z /etc/cron.d/x ../x - - - x", "user.notice 1 2003-10-11T22:14:15Z /etc/cron.d/x ../x - - - x"),
    (b"<13>%fromhost-ip%%$now%%n %s%n $!x", "user.notice %fromhost-ip%%$now%%n %s%n $!x"),
    (b'@cee: {"x": 1}', 'user.notice @cee: {"x": 1}'),
    (b"z is no sign of compression", "user.notice z is no sign of compression"),
    (b"z" + zlib.compress(b"<13>compressed"), re.compile("user.notice zx.*#.*")),
    (b"<>x", re.compile(r"[a-z0-9]+\.[a-z]+ <>x")),
    (b"<999>x", re.compile(r"[a-z0-9]+\.[a-z]+ x")),
    (b"<000000013>x", "user.notice <000000013>x"),
    (b"<13>long " + 10000 * b"a" + b"z", re.compile("user.notice long a{8000,8192}")),
    (b"<13>long " + 10000 * b"\n" + b"z", re.compile("user.notice long (#012){2000,8192}")),
    (b"<13>long " + 60000 * b"\xff", re.compile("user.notice long (#377){2000,8192}")),
]
# The bytes of a connection, and its lines. A wrong octet count may only cut a line in two.
REST = re.compile("[a-z0-9]+\\.[a-z]+ .{0,3}")
STREAMS = [
    (b"<13>line\n<13>line\r\n", ["user.notice line", "user.notice line#015"]),
    (b"<13>no end", ["user.notice no end"]),
    (b"<13>NUL \0 \x1b\n", ["user.notice NUL #000 #033"]),
    (b"10 <13>c\nount11 <13>counted", ["user.notice c#012ount", "user.notice counted"]),
    (b"<13>long " + 20000 * b"a" + b"z\n<13>next\n", [re.compile("user.notice long a{8000,8192}"), "user.notice next"]),
    (b"999999999 <13>too long\nnext a\n", [re.compile("user.notice 999999999 ?<13>too long"), "user.notice next a"]),
    (b"9999 <13>less than counted", []),
    (b"-1 <13>x\n", ["user.notice -1 <13>x"]),
    (b"0 <13>x\n", [re.compile("user.notice (0 <13>)?x")]),
    (b"3 <13>x\nnext b\n", [REST, re.compile("user.notice >x"), "user.notice next b"]),
]


def sender(kind: socket.SocketKind, address: str) -> socket.socket:
    client = socket.socket(socket.AF_INET, kind)
    client.bind((address, 0))
    client.connect((STATION, 514))
    return client


def send_udp(address: str, *packets: bytes) -> None:
    with sender(socket.SOCK_DGRAM, address) as client:
        for packet in packets:
            client.send(packet)


def log(address: str) -> Path:
    return FOLDER / f"{address}.log"


def logs(address: str) -> list[Path]:
    return [path for path in FOLDER.iterdir() if path.name.startswith(f"{address}.log")]


def lines(path: Path) -> list[tuple[str, str]]:
    """Return (address, rest of the line after it) of each line."""
    found = []
    # The last line may be incomplete
    for line in path.read_bytes().split(b"\n")[:-1] if path.exists() else []:
        parts = LINE.fullmatch(line)
        if not parts:
            raise SystemExit(f"{path} contains the malformed line {line[:100]!r}")
        address, level, rest = (part.decode() for part in parts.groups())
        if rest != "begin":
            found.append((address, f"{level} {rest}"))
    return found


def remove_logs() -> None:
    for address in ADDRESSES:
        for path in logs(address):
            path.unlink()
    os.kill(int(PID.read_text()), signal.SIGHUP)


def start_logs() -> None:
    remove_logs()
    deadline = time.monotonic() + 60
    while missing := [address for address in ADDRESSES if not log(address).exists()]:
        if time.monotonic() > deadline:
            raise SystemExit(f"no lines are logged from {missing}")
        for address in missing:
            send_udp(address, b"begin")
        time.sleep(0.2)


def wait_for_lines(path: Path, count: int) -> list[tuple[str, str]]:
    deadline = time.monotonic() + 60
    while len(found := lines(path)) < count and time.monotonic() < deadline:
        time.sleep(0.2)
    return found


def matches(expected: str | re.Pattern[str], line: str) -> bool:
    return line == expected if isinstance(expected, str) else bool(expected.fullmatch(line))


def shown(some: list[str]) -> list[str]:
    return [line[:100] for line in some]


def check_hostile_packets() -> None:
    for packet, _line in PACKETS:
        send_udp(HOSTILE, packet)
    # A line that claims another sender is logged under its real one
    claims = [f"Oct 11 22:14:15 {HOSTILE} su: forged", f"1 2003-10-11T22:14:15Z {HOSTILE} su - - - forged", f"{HOSTILE} forged"]
    send_udp(FORGER, *(b"<13>" + claim.encode() for claim in claims))
    table: dict[str, list[str | re.Pattern[str]]] = {
        HOSTILE: [line for _packet, line in PACKETS],
        FORGER: [f"user.notice {claim}" for claim in claims],
    }
    for address, expected in table.items():
        found = wait_for_lines(log(address), len(expected))
        if len(found) != len(expected):
            raise SystemExit(f"{log(address)} has {len(found)} lines for {len(expected)} packets")
        for wanted, (owner, line) in zip(expected, found, strict=True):
            if owner != address or not matches(wanted, line):
                raise SystemExit(f"{log(address)} has {owner} {shown([line])}, not {address} {wanted!r}")


def check_hostile_streams() -> None:
    for data, _lines in STREAMS:
        with sender(socket.SOCK_STREAM, STREAMER) as client:
            client.sendall(data)
    expected = [line for _data, some in STREAMS for line in some]
    left = [line for _owner, line in wait_for_lines(log(STREAMER), len(expected))]
    # The patterns that match most come last
    for wanted in sorted(expected, key=lambda line: (isinstance(line, re.Pattern), line == REST)):
        fitting = next((line for line in left if matches(wanted, line)), None)
        if fitting is None:
            raise SystemExit(f"{log(STREAMER)} lacks {wanted!r}; remaining lines: {shown(left)}")
        left.remove(fitting)
    if left:
        raise SystemExit(f"{log(STREAMER)} has additional lines: {shown(left)}")


def flood(kind: socket.SocketKind, address: str) -> None:
    """Send lines as fast as possible for SECONDS."""
    filler = 1000 * b"x"
    stop = time.monotonic() + SECONDS
    sent = 0
    with sender(kind, address) as client:
        while sent < FLOOD and time.monotonic() < stop:
            client.sendall(b"<134>flood %d %s\n" % (sent, filler))
            sent += 1
    print(f"{address} sent {sent} lines by {kind.name}")


def check_lines_during_flood() -> None:
    flooders = [
        multiprocessing.Process(target=flood, args=arguments)
        for arguments in ((socket.SOCK_DGRAM, FLOODER), (socket.SOCK_STREAM, STREAM_FLOODER))
    ]
    for flooder in flooders:
        flooder.start()
    phones = [sender(socket.SOCK_DGRAM, address) for address in PHONES]
    for number in range(LINES):
        for phone in phones:
            phone.send(b"<134>line %d" % number)
        time.sleep(SECONDS / LINES)
    for flooder in flooders:
        flooder.join()
        if flooder.exitcode:
            raise SystemExit("a flooding process has failed")
    expected = [f"local0.info line {number}" for number in range(LINES)]
    kept = 0
    for address in PHONES:
        found = wait_for_lines(log(address), LINES)
        if found != [(address, line) for line in expected]:
            raise SystemExit(f"{log(address)} has {len(found)} lines, expected exactly the {LINES} lines sent")
        kept += len(found)
    print(f"{kept} of {LINES * len(PHONES)} lines of {len(PHONES)} other phones kept")


def check_flood_limit() -> None:
    for address in (FLOODER, STREAM_FLOODER):
        # Wait until the queue is written
        deadline = time.monotonic() + 60
        while not any(line.endswith(" ebb") for _owner, line in lines(log(address))) and time.monotonic() < deadline:
            send_udp(address, b"ebb")
            time.sleep(0.5)
        size = sum(path.stat().st_size for path in logs(address))
        print(f"{address} fills {size / 1e6:.1f} MB with {', '.join(sorted(path.name for path in logs(address)))}")
        # Two files, each with the lines of one batch beyond the limit
        if size > 2 * (LIMIT + 2_000_000):
            raise SystemExit(f"{address} fills {size} bytes")
    # TCP loses nothing in transit, so the newest lines are kept without a gap
    newest = [line for path in (FOLDER / f"{STREAM_FLOODER}.log.full", log(STREAM_FLOODER)) for _owner, line in lines(path)]
    numbers = [int(line.split()[2]) for line in newest if not line.endswith(" ebb")]
    if not numbers or numbers != list(range(numbers[0], numbers[-1] + 1)):
        raise SystemExit(f"the {len(numbers)} lines kept of {STREAM_FLOODER} have a gap")


def check_rotation() -> None:
    """Rotate one log with logrotate; no line may be lost."""
    rules = Path("/etc/logrotate.d/preprovision-phones").read_text().replace("/*.log", f"/{HOSTILE}.log")
    here = Path("/tmp/logs-rules")  # noqa: S108
    here.write_text(rules)
    here.chmod(0o644)
    before = len(lines(log(HOSTILE)))
    subprocess.run(["logrotate", "--force", "--state", "/tmp/logs-state", here], check=True)  # noqa: S108
    here.unlink()
    Path("/tmp/logs-state").unlink()  # noqa: S108
    for number in range(50):
        send_udp(HOSTILE, b"rotated %d" % number)
        time.sleep(0.02)
    rotated = FOLDER / f"{HOSTILE}.log.1"
    found = wait_for_lines(log(HOSTILE), 1)
    deadline = time.monotonic() + 60
    while len(lines(rotated)) + len(found := lines(log(HOSTILE))) < before + 50 and time.monotonic() < deadline:
        time.sleep(0.2)
    if not found or len(found) + len(lines(rotated)) != before + 50:
        raise SystemExit(
            f"{len(found)} lines in the new log and {len(lines(rotated))} in the old one, expected {before + 50} together"
        )


def main() -> None:
    pid = PID.read_text()
    known = {path.name for path in FOLDER.iterdir()}
    elsewhere = set(Path("/etc/cron.d").iterdir()) if Path("/etc/cron.d").exists() else set()
    start_logs()
    check_hostile_packets()
    check_hostile_streams()
    check_rotation()
    print(f"{len(PACKETS)} hostile packets and {len(STREAMS)} connections: each line in its sender's log")
    check_lines_during_flood()
    check_flood_limit()
    kinds = collections.Counter(stat.filemode(path.stat().st_mode) for address in ADDRESSES for path in logs(address))
    groups = {path.group() for address in ADDRESSES for path in logs(address)}
    if set(kinds) != {"-rw-r-----"} or groups != {"adm"}:
        raise SystemExit(f"logs have modes {dict(kinds)} and groups {groups}, expected -rw-r----- and adm")
    if stat.filemode(FOLDER.stat().st_mode) != "drwxr-s---" or FOLDER.group() != "adm":
        raise SystemExit(f"{FOLDER} has mode {stat.filemode(FOLDER.stat().st_mode)} and group {FOLDER.group()}")
    remove_logs()
    strangers = {path.name for path in FOLDER.iterdir()} - known
    if strangers or elsewhere != (set(Path("/etc/cron.d").iterdir()) if Path("/etc/cron.d").exists() else set()):
        raise SystemExit(f"unexpected new files in {FOLDER} or /etc/cron.d: {strangers}")
    if PID.read_text() != pid:
        raise SystemExit("the log receiver has restarted")


main()
