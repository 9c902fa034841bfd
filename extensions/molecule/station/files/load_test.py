# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare a load test with what the station has seen: load_test.py SINCE FIRST_MAC PHONES MESSAGES DELIVERY.

Checks what dhcpd, the TFTP server, the log server's files and the database have recorded about PHONES phones from FIRST_MAC on,
since SINCE (seconds since 1970). With the DELIVERY tftp, each must have got its own file, at the address that it had.
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
SENT = re.compile(r"sent /run/tftp/(?:([0-9a-f-]{17})/)?ata192\.cfg to (\S+)")
LEASE = re.compile(r"DHCP(ACK on|RELEASE of) (\S+) (?:to|from) ([0-9a-f:]{17})")
KEA_LEASE = re.compile(r"DHCP4_(LEASE_ALLOC|RELEASE) \[hwtype=1 ([0-9a-f:]{17})\].*: (?:lease|address) (\S+) (?:has|was)")
KEA = "kea-dhcp4-server"
IS_KEA = Path("/etc/systemd/system", f"{KEA}.service").exists()
BY_TFTP = sys.argv[5] == "tftp"
KINDS = ("lease", "tftp", "resync") if BY_TFTP else ("lease", "tftp", "http", "resync")
WAIT = 180  # seconds; on a slow disk, a thousand phones' records take a while


def given_twice(since, macs):
    """Return how many phones the DHCP server has served, and the addresses that it assigned to a phone while another held them."""
    held, served, twice = {}, set(), []
    for kind, address, mac in read_leases(since):
        plain = mac.replace(":", "")
        if plain not in macs:
            continue
        if kind == "RELEASE of":
            held.pop(address, None)
        elif held.setdefault(address, plain) != plain:
            twice.append(address)
        served.add(plain)
    return len(served), twice


def read_leases(since):
    """Yield what the DHCP server did ("ACK on" or "RELEASE of"), the address and the MAC address."""
    if not IS_KEA:
        yield from LEASE.findall(read_journal("isc-dhcp-server", since))
    for kind, mac, address in KEA_LEASE.findall(read_journal(KEA, since)) if IS_KEA else ():
        yield "ACK on" if kind == "LEASE_ALLOC" else "RELEASE of", address, mac


def read_journal(unit, since):
    command = ["journalctl", f"--unit={unit}", f"--since=@{since}", "--output=cat"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def own_files(since, macs):
    """Return how many phones the TFTP server has sent their own files, at an address that DHCP has given to that phone."""
    leases = {(address, mac) for kind, address, mac in read_leases(since) if kind == "ACK on"}
    sent = {(address, folder.replace("-", ":")) for folder, address in SENT.findall(read_journal("preprovision-tftp", since))}
    return len({mac for _address, mac in sent & leases if mac.replace(":", "") in macs})


def count_lines(since, macs):
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
    """Parse the log server's time stamp; 0 for an invalid one."""
    try:
        return datetime.fromisoformat(stamp).timestamp()
    except ValueError:
        return 0


def count_events(since, macs):
    """Return the number of the phones' resyncs in the database, and for each kind of event the number of phones that have one."""
    rows = sqlite3.connect(DATABASE, uri=True).execute(
        "SELECT kind, mac, count(*) FROM events WHERE time >= ? GROUP BY kind, mac", [since * 1000]
    )
    seen = [(kind, count) for kind, mac, count in rows if mac in macs]
    return sum(count for kind, count in seen if kind == "resync"), {
        wanted: sum(kind == wanted for kind, _count in seen) for wanted in KINDS
    }


def main():
    since, first, phones, messages = int(sys.argv[1]), int(sys.argv[2], 16), int(sys.argv[3]), int(sys.argv[4])
    own = phones if BY_TFTP else 0
    macs = {f"{first + number:012x}" for number in range(phones)}
    served, twice = given_twice(since, macs)
    started = time.monotonic()
    while True:
        events, seen = count_events(since, macs)
        found = {"served": served, "twice": twice, "lines": count_lines(since, macs), "events": events, "seen": seen}
        found["waited"] = round(time.monotonic() - started, 1)
        found["own files"] = own_files(since, macs)
        expected = (phones, [], own, messages, messages)
        good = (served, twice, found["own files"], found["lines"], events) == expected and set(seen.values()) == {phones}
        if good or found["waited"] > WAIT:
            break
        time.sleep(1)
    print(json.dumps(found))
    wanted = f"{phones} phones served, no address given twice, {own} own files by TFTP, {messages} lines and as many events"
    sys.exit(0 if good else f"expected: {wanted}")


if __name__ == "__main__":
    main()
