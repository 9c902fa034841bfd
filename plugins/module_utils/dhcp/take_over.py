# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Take over the leases of the other DHCP server before this one starts, so that a change of servers costs no phone its address.

    python3 -m preprovision.dhcp.take_over isc|kea USER

USER: who runs the server that starts. Where the other one has left no leases, nothing is done. Its file goes only when what it said
is on the disk in the form of this one, so an interruption at any point loses nothing.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from ..common.durable import sync_folder, write_durably
from .kea_lease_file import ENDS, files_in_order
from .kea_paths import LEASES as KEA
from .lease_file import PATH as ISC
from .leases import merge, read_isc, read_kea, write_isc, write_kea


def take_over(server: str, user: str, isc: str = ISC, kea: str = KEA) -> int:
    """Convert the leases of the other server than *server*, ``isc`` or ``kea``; return how many there were. Raise OSError."""
    others = _files(isc, kea)["kea" if server == "isc" else "isc"]
    if not any(map(os.path.exists, others)):
        return 0
    isc_leases = read_isc("".join(map(_read, _files(isc, kea)["isc"])))
    kea_leases = read_kea(map(_read, files_in_order(filter(os.path.exists, _files(isc, kea)["kea"]))))
    if server == "isc":
        _write(isc, write_isc(merge(isc_leases, kea_leases)), user)
    else:
        _write(kea, write_kea(merge(kea_leases, isc_leases)), user)
    for path in others:
        Path(path).unlink(missing_ok=True)
    sync_folder(os.path.dirname(others[0]))
    return len(kea_leases if server == "isc" else isc_leases)


def _files(isc: str, kea: str) -> dict[str, list[str]]:
    """Return the files of each server in which there may be leases; those of ISC DHCP oldest first."""
    return {"isc": [f"{isc}~", isc], "kea": [f"{kea}{end}" for end in ENDS]}


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""


def _write(path: str, text: str, user: str) -> None:
    write_durably(path, text.encode())
    shutil.chown(path, user, user)


def main(arguments: Sequence[str]) -> int:
    """Take over, and say so."""
    server, user = arguments
    try:
        count = take_over(server, user)
    except OSError as error:
        sys.stderr.write(f"<3>The leases of the other DHCP server cannot be taken over: {error.filename}: {error.strerror}\n")
        return 1
    if count:
        sys.stderr.write(f"<5>{count} leases of the other DHCP server were taken over\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
