# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What ISC DHCP's configuration and lease file say about phones."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ..dhcp.lease_file import read_statements
from ..events.diagnosis.known_facts import LeaseFacts, Reservation
from ..events.logs.log_lines import clean

_HOST = re.compile(r"host (\S+) \{ hardware ethernet ([0-9a-f:]{17});(?: fixed-address ([0-9.]+);)? \}")


def read_leases(path: str) -> list[LeaseFacts]:
    """Return the latest lease of each address."""
    return [
        {
            "address": address,
            "mac": said.get("hardware ethernet", "").replace(":", ""),
            "state": said.get("binding state", ""),
            "starts": said.get("starts", ""),
            "ends": said.get("ends", ""),
            "class": clean(said.get("set vendor-class-identifier", "").strip('"')),
        }
        for address, said in read_statements(_read(path)).items()
    ]


def read_reservation(path: str, mac: str) -> Reservation:
    """Return the phone's name in dhcpd's configuration, and its fixed address; empty for an unknown phone."""
    nothing: Reservation = {}
    return next(
        (Reservation(name=name, address=address) for address, other, name in reserved_phones(path) if other == mac), nothing
    )


def reserved_phones(path: str) -> Iterator[tuple[str, str, str]]:
    """Yield address, MAC address and name of each phone in dhcpd's configuration."""
    for name, mac, address in _HOST.findall(_read(path)):
        yield address, mac.replace(":", ""), name


def _read(path: str) -> str:
    """Return the text of a file; nothing if it cannot be read."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def read_offered(path: str) -> dict[str, str]:
    """Return the options that dhcpd offers to all phones, by their names in its configuration."""
    network = _read(path).partition("\nshared-network ")[2].partition("\n}")[0]
    return {name: clean(value) for name, value in re.findall(r"^\s+option (\S+) (.*);$", network, re.MULTILINE)}
