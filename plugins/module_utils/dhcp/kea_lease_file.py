# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lease file of Kea, a table of comma-separated values with a row for each change of a lease.

Kea appends to the file, and now and then cleans it up with kea-lfc, which works with copies beside it. Source: the Kea
Administrator Reference Manual of 2.2, 2.6 and 3.0 (memfile, "Lease File Cleanup"), and the files that these releases write.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from types import MappingProxyType

ENDS = (".completed", ".2", ".1", "")
"""Ends of the names of all files that Kea and kea-lfc keep leases in."""

_HEADER = "address,hwaddr,"
# In UTC, as in dhcpd's lease file
_TIME = "%Y/%m/%d %H:%M:%S"
_FOREVER = 0xFFFFFFFF
_STATES = MappingProxyType({"0": "active", "1": "abandoned", "2": "free", "3": "free", "4": "free"})
"""Column ``state`` (default, declined, reclaimed, released, registered) -> dhcpd's binding state."""


def is_table(text: str) -> bool:
    """Return whether *text* is a lease file of Kea."""
    return text.startswith(_HEADER)


def files_in_order(present: Iterable[str]) -> list[str]:
    """Return the names of the lease files that count, the oldest first; *present*: those that exist.

    While kea-lfc works, and until Kea has seen that it is done, there are ``.1``, which was the lease file before, and ``.2``,
    which holds what the last clean-up left. ``.completed`` replaces both.
    """
    names = {*present}
    name = min(names, key=len, default="")
    for end in ENDS:
        name = name.removesuffix(end)
    older = ENDS[:1] if f"{name}{ENDS[0]}" in names else ENDS[1:3]
    return [name + end for end in (*older, "") if name + end in names]


def read_statements(text: str) -> dict[str, dict[str, str]]:
    """Return the latest lease of each address, as lease_file.read_statements() does; *text*: the files in their order.

    Kea keeps no vendor class, and of a declined address no MAC address.
    """
    columns: list[str] = []
    latest: dict[str, dict[str, str]] = {}
    # A last line without its end is being written
    for line in text.split("\n")[:-1]:
        cells = line.split(",")
        if line.startswith(_HEADER):
            columns = cells
        elif len(cells) == len(columns) and cells[0]:
            # The latest comes last
            latest.pop(cells[0], None)
            latest[cells[0]] = dict(zip(columns, cells, strict=True))
    return {address: statements for address, row in latest.items() if (statements := _statements(row))}


def _statements(row: dict[str, str]) -> dict[str, str]:
    try:
        expire, lifetime = int(row["expire"]), int(row["valid_lifetime"])
        starts, ends = _show(expire - lifetime), "never" if lifetime == _FOREVER else _show(expire)
    except (KeyError, ValueError, OverflowError, OSError):
        return {}
    # A lifetime of 0 is how Kea writes that a lease was released or removed
    state = _STATES.get(row.get("state", ""), "free") if lifetime else "free"
    mac = row.get("hwaddr", "")
    return {"binding state": state, "starts": starts, "ends": ends} | ({"hardware ethernet": mac} if mac else {})


def _show(moment: int) -> str:
    return datetime.fromtimestamp(max(moment, 0), UTC).strftime(_TIME)
