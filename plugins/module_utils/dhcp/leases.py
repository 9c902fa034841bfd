# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Leases in the files of ISC DHCP and of Kea, so that a station can change from one to the other.

Sources: dhcpd.leases(5); the Kea Administrator Reference Manual, "Memfile - Basic Storage for Leases", for the columns of 2.2,
which later releases read, too, and for the files of its clean-up. Both append; the last entry of an address counts. Times are in
UTC, in seconds since the epoch. Client identifiers are left out, since both servers know clients by their MAC addresses.
"""

from __future__ import annotations

import calendar
import csv
import io
import re
import time
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import NamedTuple

from .lease_file import read_statements

FOREVER = 0xFFFFFFFF
"""Kea's lifetime of a lease that never ends, in seconds."""

_COLUMNS = (
    "address",
    "hwaddr",
    "client_id",
    "valid_lifetime",
    "expire",
    "subnet_id",
    "fqdn_fwd",
    "fqdn_rev",
    "hostname",
    "state",
    "user_context",
)
_TIME = "%Y/%m/%d %H:%M:%S"
_ADDRESS = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}")
_MAC = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}")


class LeaseState(Enum):
    """What an address is."""

    GIVEN = "active"
    """Leased, perhaps until a time that has passed."""
    OVER = "free"
    """Nobody's; the client that had it gets it again, as long as no other one has."""
    DECLINED = "abandoned"
    """Found in use by somebody else."""


_KEA_STATES = {LeaseState.GIVEN: 0, LeaseState.DECLINED: 1, LeaseState.OVER: 2}
_ISC_STATES = {"active": LeaseState.GIVEN, "abandoned": LeaseState.DECLINED}


class Lease(NamedTuple):
    """The latest lease of an address."""

    mac: str
    """With colons; empty for a declined address."""
    starts: int
    ends: int | None
    """None if it never ends."""
    state: LeaseState


def read_isc(text: str) -> dict[str, Lease]:
    """Return the lease of each address in the text of dhcpd.leases; entries that are damaged count for nothing."""
    found = {}
    for address, said in read_statements(text).items():
        mac, state = said.get("hardware ethernet", ""), _ISC_STATES.get(said.get("binding state", ""), LeaseState.OVER)
        starts, ends = _epoch(said.get("starts", "")), _epoch(said.get("ends", ""))
        # "never" has no day of the week, and so no time
        endless = said.get("ends") == ""
        if starts is None or (ends is None and not endless) or not (_MAC.fullmatch(mac) or state is LeaseState.DECLINED):
            continue
        found[address] = Lease("" if state is LeaseState.DECLINED else mac, starts, ends, state)
    return found


def _epoch(text: str) -> int | None:
    try:
        return calendar.timegm(time.strptime(text, _TIME))
    except ValueError:
        return None


def write_isc(leases: Mapping[str, Lease]) -> str:
    """Return the text of dhcpd.leases."""
    return "".join(_isc_entry(address, lease) for address, lease in leases.items())


def _isc_entry(address: str, lease: Lease) -> str:
    lines = [f"lease {address} {{", f"  starts {_day(lease.starts)};"]
    lines.append(f"  ends {'never' if lease.ends is None else _day(lease.ends)};")
    lines += [f"  cltt {_day(lease.starts)};", f"  binding state {lease.state.value};"]
    lines += ["  next binding state free;"] if lease.state is LeaseState.GIVEN else []
    lines += [f"  hardware ethernet {lease.mac};"] if lease.mac else []
    return "\n".join([*lines, "}", ""])


def _day(seconds: int) -> str:
    """Return a time with the day of the week before it, which counts from Sunday."""
    moment = time.gmtime(seconds)
    return f"{(moment.tm_wday + 1) % 7} {time.strftime(_TIME, moment)}"


def read_kea(texts: Iterable[str]) -> dict[str, Lease]:
    """Return the lease of each address in the texts of Kea's files, oldest first; rows that are damaged count for nothing."""
    found: dict[str, Lease] = {}
    for text in texts:
        for row in csv.DictReader(io.StringIO(text)):
            address = row.get("address") or ""
            lease = _kea_lease(row) if _ADDRESS.fullmatch(address) else None
            if lease and lease.starts == lease.ends:
                # So Kea removes one
                found.pop(address, None)
            elif lease:
                found[address] = lease
    return found


def _kea_lease(row: Mapping[str, str | None]) -> Lease | None:
    try:
        seconds, expire, number = (int(row[name] or "") for name in ("valid_lifetime", "expire", "state"))
    except (KeyError, ValueError):
        return None
    mac, state = row.get("hwaddr") or "", next((state for state, known in _KEA_STATES.items() if known == number), LeaseState.OVER)
    if not (_MAC.fullmatch(mac) or state is LeaseState.DECLINED):
        return None
    ends = None if seconds == FOREVER else expire
    return Lease("" if state is LeaseState.DECLINED else mac, expire - seconds, ends, state)


def write_kea(leases: Mapping[str, Lease], subnet: int = 1) -> str:
    """Return the text of kea-leases4.csv, for the subnet of that number."""
    rows = [",".join(_COLUMNS)]
    for address, lease in leases.items():
        seconds = FOREVER if lease.ends is None else max(1, lease.ends - lease.starts)
        expire = lease.starts + FOREVER if lease.ends is None else lease.ends
        rows.append(f"{address},{lease.mac},,{seconds},{expire},{subnet},0,0,,{_KEA_STATES[lease.state]},")
    return "\n".join(rows) + "\n"


def merge(own: Mapping[str, Lease], others: Mapping[str, Lease]) -> dict[str, Lease]:
    """Return the later lease of each address: where both servers have known it, the last one that gave it."""
    joined = {**own}
    for address, lease in others.items():
        if address not in joined or lease.starts >= joined[address].starts:
            joined[address] = lease
    return joined
