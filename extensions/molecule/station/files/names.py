# SPDX-License-Identifier: GPL-3.0-or-later
"""Run on a station: request every name that a unit of each family tries by itself, by TFTP and HTTP, in every case of letters.

Argument: the address of a station that delivers units' own files by TFTP. A unit is a network namespace with its MAC address, which
udhcpc configures; curl fetches. By HTTP a name is served as units spell it, and in lower case.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

(STATION,) = sys.argv[1:]
SCRIPT = Path("/run/names-lease")
# curl's exit status for TFTP's error "file not found"
NOT_FOUND = 68
CISCO_ENTERPRISE = ("/SEP{MAC}.cnf.xml", "/XMLDefault.cnf.xml")


class Unit(NamedTuple):
    """What a unit requests; {mac} and {MAC} stand for its address in lower and upper case."""

    mac: str
    vendor_class: str
    shared: tuple[str, ...]
    """Served to everybody."""
    own: tuple[str, ...] = ()
    """Its own file, which holds a password, so nobody gets it by HTTP."""
    in_vain: tuple[str, ...] = ()


UNITS = (
    Unit("00:00:5e:00:53:b0", "Cisco ATA191", ("/ata191.cfg",), (), ("/ATA{MAC}.cnf.xml", *CISCO_ENTERPRISE)),
    Unit("00:00:5e:00:53:b1", "Cisco SPA122", ("/spa122.cfg",), (), CISCO_ENTERPRISE),
    Unit("00:00:5e:00:53:b2", "CP-7841-3PCC", ("/7841-3PCC.xml", "/CP-7841-3PCC.cfg"), (), CISCO_ENTERPRISE),
    Unit("00:00:5e:00:53:b3", "LINKSYS PAP2T", ("/init.cfg",)),
    Unit("00:00:5e:00:53:b4", "DP-9861", ("/9861.xml", "/DP-9861.xml", "/DP-9861.cfg"), (), CISCO_ENTERPRISE),
    Unit(
        *("00:00:5e:00:53:b5", "Grandstream HT802", (), ("/cfg{mac}.xml",)),
        ("/cfg{mac}", "/cfg{mac}.bin", "/cfgHT802.xml", "/cfg.xml"),
    ),
    Unit(
        *("00:00:5e:00:53:b6", "yealink", (), ("/{mac}.cfg",)),
        ("/{mac}.boot", "/y000000000000.boot", "/y000000000108.cfg"),
    ),
    Unit("00:00:5e:00:53:b7", "yealink", ("/y000000000025.cfg",), ("/{mac}.cfg",), ("/{mac}.boot", "/y000000000000.boot")),
    # The last one is what Yealink's units are served, so it is told if it is missing
    Unit("00:00:5e:00:53:b8", "Polycom-VVX411", ("/000000000000.cfg",), ("/{mac}-config.cfg",), ("/{mac}.cfg",)),
    Unit("00:00:5e:00:53:b9", "snomD345", ("/snomD345.htm",), ("/snomD345-{MAC}.htm",)),
)

# Each of these fetches nothing: the first requests only what units may miss, the other one what no unit requests by itself
UNITS += (
    Unit(
        "00:00:5e:00:53:ba", "Cisco SPA122", (), (), tuple(name for unit in UNITS for name in unit.in_vain if name != "/{mac}.cfg")
    ),
    Unit("00:00:5e:00:53:bb", "Cisco SPA122", (), (), ("/another.cfg",)),
)

failures: list[str] = []
requested = 0


def check(what: str, found: object, right: object) -> None:
    """Compare, and record a difference."""
    if found != right:
        failures.append(f"{what}: {found!r}, expected {right!r}")


def inside(*argv: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["ip", "netns", "exec", "unit", *argv], capture_output=True, check=False)


@contextlib.contextmanager
def plugged_in(unit: Unit) -> Iterator[None]:
    """Connect the unit to the bench, with the address that DHCP assigns."""

    def ip(*argv: str) -> None:
        subprocess.run(["ip", *argv], check=True)

    ip("netns", "add", "unit")
    try:
        ip("link", "add", "unit0", "type", "veth", "peer", "name", "eth0", "address", unit.mac, "netns", "unit")
        ip("link", "set", "unit0", "master", "bench0", "up")
        ip("-n", "unit", "link", "set", "lo", "up")
        ip("-n", "unit", "link", "set", "eth0", "up")
        lease = inside("udhcpc", "-f", "-n", "-q", "-t", "10", "-i", "eth0", "-V", unit.vendor_class, "-s", str(SCRIPT))
        check(f"{unit.mac}: no lease: {lease.stderr!r}", lease.returncode, 0)
        yield
    finally:
        # Deleting a namespace deletes its interfaces too, but later
        subprocess.run(["ip", "link", "delete", "unit0"], check=False)
        ip("netns", "delete", "unit")


def fetch(scheme: str, name: str) -> tuple[int, int, bytes]:
    """Return curl's exit status, the HTTP status and the body."""
    global requested
    requested += 1
    # As phones do, with a slash at the beginning of the name
    slash = "/" if scheme == "tftp" else ""
    done = inside("curl", "--silent", "--max-time", "20", "--write-out", "\n%{http_code}", f"{scheme}://{STATION}{slash}{name}")
    body, status = done.stdout.rsplit(b"\n", 1)
    return done.returncode, int(status), body


def spellings(name: str) -> tuple[str, ...]:
    return name, name.lower(), name.upper()


def request_all(unit: Unit) -> None:
    """Request all names of a unit."""
    mac = unit.mac.replace(":", "")

    def written(names: tuple[str, ...]) -> list[str]:
        return [name.format(mac=mac, MAC=mac.upper()) for name in names]

    for name in written(unit.in_vain):
        for spelling in spellings(name):
            check(f"tftp {spelling}", fetch("tftp", spelling)[0], NOT_FOUND)
            check(f"http {spelling}", fetch("http", spelling)[1], 404)
    for name in written((*unit.shared, *unit.own)):
        code, _status, right = fetch("tftp", name)
        check(f"tftp {name}: status, and whether there is content", (code, len(right) > 0), (0, True))
        for spelling in spellings(name)[1:]:
            check(f"tftp {spelling}", fetch("tftp", spelling), (0, 0, right))
    for name in written(unit.shared):
        _code, status, right = fetch("http", name)
        check(f"http {name}: status, and whether there is content", (status, len(right) > 0), (200, True))
        check(f"http {name.lower()}", fetch("http", name.lower()), (0, 200, right))
    for name in written(unit.own):
        for spelling in (name, name.lower()):
            check(f"http {spelling}", fetch("http", spelling)[1], 404)


def forget() -> None:
    """Let the TFTP server serve whoever has an address now: its guard binds each to one MAC for half an hour."""
    subprocess.run(["ip", "neighbour", "flush", "dev", "bench0"], check=True)
    subprocess.run(["systemctl", "restart", "preprovision-tftp.service"], check=True)


def main() -> None:
    SCRIPT.write_text('#!/bin/sh\n[ "$1" != bound ] || ip address add "$ip/$mask" dev "$interface"\n')
    SCRIPT.chmod(0o700)
    forget()
    for unit in UNITS:
        with plugged_in(unit):
            request_all(unit)
    forget()
    print(f"{requested} requests of {len(UNITS)} units")
    sys.exit("\n".join(failures) if failures else 0)


if __name__ == "__main__":
    main()
