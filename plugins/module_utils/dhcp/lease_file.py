# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lease file of ISC DHCP, see dhcpd.leases(5)."""

from __future__ import annotations

import re
import time
from pathlib import Path

PATH = "/var/lib/dhcp/dhcpd.leases"
_LEASE = re.compile(r"^lease ([0-9.]+) \{(.*?)^\}", re.MULTILINE | re.DOTALL)
_IN_LEASE = re.compile(
    r"^  (binding state|starts|ends|hardware ethernet|set vendor-class-identifier) (?:=\s*)?(.*);$", re.MULTILINE
)
# In UTC
_TIME = "%Y/%m/%d %H:%M:%S"


def read_statements(text: str) -> dict[str, dict[str, str]]:
    """Return the statements of the latest lease of each address; times without the day of the week before them."""
    # An address has a lease for each change
    latest = dict(_LEASE.findall(text))
    found = {address: dict(_IN_LEASE.findall(body)) for address, body in latest.items()}
    for said in found.values():
        said.update({name: said[name].partition(" ")[2] for name in ("starts", "ends") if name in said})
    return found


def ended_leases(text: str, now: float) -> dict[str, str]:
    """Return address -> MAC of each address whose latest lease has ended at *now*, in seconds since the epoch."""
    stamp = time.strftime(_TIME, time.gmtime(now))
    return {
        address: said.get("hardware ethernet", "")
        for address, said in read_statements(text).items()
        # "never" has no day of the week, and so no time
        if said.get("binding state") != "active" or "" < said.get("ends", "") <= stamp
    }


def read_ended(path: str) -> dict[str, str]:
    """Return address -> MAC of each address whose latest lease has ended; none if there is no lease file."""
    try:
        return ended_leases(Path(path).read_text(encoding="utf-8", errors="replace"), time.time())
    except OSError:
        return {}
