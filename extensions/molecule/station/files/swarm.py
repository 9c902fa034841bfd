# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge a morning on the station: swarm.py SINCE FIRST_MAC PHONES MESSAGES.

What dhcpd, the log server's files and the database say of the PHONES phones from FIRST_MAC on, since SINCE (seconds since 1970).
"""

import json
import re
import sqlite3
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

LOGS = Path("/var/log/preprovision/phones")
DATABASE = "file:/var/lib/preprovision-service/service.sqlite?mode=ro"
LEASE = re.compile(r"DHCP(ACK on|RELEASE of) (\S+) (?:to|from) ([0-9a-f:]{17})")
WAIT = 180  # a thousand phones at a time are behind for a while on a slow disk


def given_twice(since, macs):
    """Return the phones that dhcpd has served, and the addresses that it gave to one while another held them."""
    shown = subprocess.run(
        ["journalctl", "--unit=isc-dhcp-server", f"--since=@{since}", "--output=cat"], capture_output=True, text=True, check=True
    )
    held, served, twice = {}, set(), []
    for kind, address, mac in LEASE.findall(shown.stdout):
        plain = mac.replace(":", "")
        if plain not in macs:
            continue
        if kind == "RELEASE of":
            held.pop(address, None)
        elif held.setdefault(address, plain) != plain:
            twice.append(address)
        served.add(plain)
    return len(served), twice


def kept_lines(since, macs):
    """Count the phones' own lines in the log server's files."""
    count = 0
    for path in LOGS.glob("*.log"):
        if path.stat().st_mtime < since:
            continue
        for line in path.read_text(errors="replace").splitlines():
            words = set(re.findall(r"\b[0-9a-f]{12}\b", line.lower().replace(":", "").replace("-", "")))
            stamp = re.match(r"\S+", line)
            if words & macs and stamp and seconds(stamp[0]) >= since:
                count += 1
    return count


def seconds(stamp):
    """Read the time that the log server has written."""
    try:
        return datetime.fromisoformat(stamp).timestamp()
    except ValueError:
        return 0


def kept_events(since, macs):
    """Count what the database tells: the phones' resyncs, and how many phones it has seen do each thing."""
    rows = sqlite3.connect(DATABASE, uri=True).execute(
        "SELECT kind, mac, count(*) FROM events WHERE time >= ? GROUP BY kind, mac", [since * 1000]
    )
    seen = [(kind, count) for kind, mac, count in rows if mac in macs]
    return sum(count for kind, count in seen if kind == "resync"), {
        wanted: sum(kind == wanted for kind, _count in seen) for wanted in ("lease", "tftp", "http", "resync")
    }


def main():
    since, first, phones, messages = int(sys.argv[1]), int(sys.argv[2], 16), int(sys.argv[3]), int(sys.argv[4])
    macs = {f"{first + number:012x}" for number in range(phones)}
    served, twice = given_twice(since, macs)
    begun = time.monotonic()
    while True:
        events, seen = kept_events(since, macs)
        told = {"served": served, "twice": twice, "lines": kept_lines(since, macs), "events": events, "seen": seen}
        told["waited"] = round(time.monotonic() - begun, 1)
        good = (served, twice, told["lines"], events) == (phones, [], messages, messages) and set(seen.values()) == {phones}
        if good or told["waited"] > WAIT:
            break
        time.sleep(1)
    print(json.dumps(told))
    sys.exit(0 if good else f"expected: {phones} phones served, no address given twice, {messages} lines and as many events")


if __name__ == "__main__":
    main()
