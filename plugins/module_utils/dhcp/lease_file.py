# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lease file of the DHCP server: that of ISC DHCP, see dhcpd.leases(5), or that of Kea, see kea_lease_file.py.

    python3 -m preprovision.dhcp.lease_file copy TARGET

copy: copy it to TARGET, which everybody may read.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from .kea_lease_file import files_in_order, is_table
from .kea_lease_file import read_statements as read_kea_statements
from .kea_paths import LEASES as KEA_PATH

PATH = "/var/lib/dhcp/dhcpd.leases"
_LEASE = re.compile(r"^lease ([0-9.]+) \{(.*?)^\}", re.MULTILINE | re.DOTALL)
_IN_LEASE = re.compile(
    r"^  (binding state|starts|ends|hardware ethernet|set vendor-class-identifier) (?:=\s*)?(.*);$", re.MULTILINE
)
# In UTC
_TIME = "%Y/%m/%d %H:%M:%S"
_KEA_UNIT = "/etc/systemd/system/kea-dhcp4-server.service"
"""The unit that the role dhcp_server writes if Kea is the back end."""
_ATTEMPTS = 5


def current_path(unit: str = _KEA_UNIT) -> str:
    """Return the path of the lease file of the station's DHCP server."""
    return KEA_PATH if os.path.exists(unit) else PATH


def read_statements(text: str) -> dict[str, dict[str, str]]:
    """Return the statements of the latest lease of each address; times without the day of the week before them."""
    if is_table(text):
        return read_kea_statements(text)
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


def read_text(path: str) -> str:
    """Return the content of a lease file, of Kea's with that of the files beside it; nothing if there is none."""
    for _attempt in range(_ATTEMPTS):
        before = _list_files(path)
        try:
            parts = [Path(file).read_text(encoding="utf-8", errors="replace") for file, _inode in before]
        except OSError:
            continue
        # Kea moves them when it cleans up
        if before == _list_files(path):
            return "".join(parts)
    return ""


def _list_files(path: str) -> list[tuple[str, int]]:
    """Return the paths of the files to read, the oldest first, each with its inode."""
    ends = ("", ".1", ".2", ".completed") if path.endswith(".csv") else ("",)
    found = {}
    for end in ends:
        try:
            found[path + end] = os.stat(path + end).st_ino
        except OSError:
            continue
    if path not in found:
        return []
    return [(file, found[file]) for file in (files_in_order(found) if len(found) > 1 else found)]


def read_ended(path: str) -> dict[str, str]:
    """Return address -> MAC of each address whose latest lease has ended; none if there is no lease file."""
    return ended_leases(read_text(path), time.time())


def main(arguments: Sequence[str]) -> int:
    """Copy the lease file."""
    _copy, target = arguments
    text = read_text(current_path())
    if text:
        # Its readers see the earlier copy or this one
        with open(f"{target}.new", "w", encoding="utf-8", errors="replace") as file:
            os.fchmod(file.fileno(), 0o444)
            file.write(text)
        os.replace(f"{target}.new", target)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
