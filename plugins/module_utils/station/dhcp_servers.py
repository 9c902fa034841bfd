# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The two DHCP servers that a station may have, and how the one that is not used any more goes."""

from __future__ import annotations

import contextlib
import glob
import os
import pwd
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from .baseline import Baseline, installed_packages, read_baseline
from .footprint import BASELINE, EARLIER_BASELINE
from .shredding import remove
from .teardown import purge, remove_account, superfluous


@dataclass(frozen=True)
class Remains:
    """What is left of a server when its unit has stopped and the other one has its leases."""

    package: str
    files: tuple[str, ...]
    """Patterns of paths that nobody else has."""
    folders: tuple[str, ...]
    """They go if they are empty, since others may use them, too."""
    user: str
    user_of: str
    """The package whose user that is, or which is there as long as somebody needs it."""


SERVERS: Mapping[str, Remains] = MappingProxyType(
    {
        "isc": Remains(
            "isc-dhcp-server",
            ("/etc/dhcp/dhcpd.conf", "/var/lib/dhcp/dhcpd.leases*", "/run/preprovision/*/isc-dhcp-server.service"),
            ("/etc/dhcp", "/var/lib/dhcp"),
            "preprovision-dhcp",
            "isc-dhcp-server",
        ),
        "kea": Remains(
            "kea-dhcp4-server",
            (
                "/etc/kea/kea-dhcp4.conf",
                "/run/kea/kea-dhcp4.*",
                "/run/kea/kea4-ctrl-socket*",
                "/run/kea/logger_lockfile",
                "/run/preprovision/*/kea-dhcp4-server.service",
                "/var/lib/kea/kea-leases4.csv*",
            ),
            # Once its own unit file is gone, the package's one leaves /run/kea when it stops
            ("/etc/kea", "/run/kea", "/var/lib/kea", "/var/log/kea"),
            "_kea",
            "kea-common",
        ),
    }
)


def remove_server(server: str, check_mode: bool = False) -> list[str]:
    """Remove what is left of a server, ``isc`` or ``kea``, and return a line for each thing; raise ValueError and OSError.

    Packages that were there before the machine became a station stay, and those that something else needs.
    """
    remains = SERVERS[server]
    was = read_baseline(BASELINE, EARLIER_BASELINE)
    before: Baseline | None = None if was is None or was["late"] else was
    new = installed_packages().keys() - (before["packages"].keys() if before else set())
    packages = superfluous(new, {remains.package} & new)
    users = [remains.user] if _is_user(remains.user) and not (before and remains.user in before["users"]) else []
    paths = sorted(path for pattern in remains.files for path in glob.glob(pattern))
    lines = [*(f"purged {name}" for name in packages), *(f"removed {path}" for path in paths)]
    if not check_mode:
        if packages:
            purge(packages)
        for path in paths:
            remove(path)
        for folder in remains.folders:
            with contextlib.suppress(OSError):
                os.rmdir(folder)
    # Another package of Kea needs it still
    if users and (remains.user_of in packages or remains.user_of not in installed_packages()):
        lines += [f"removed the user {name}" for name in users]
        for name in () if check_mode else users:
            remove_account("user", name)
            remove_account("group", name)
    return lines


def _is_user(name: str) -> bool:
    with contextlib.suppress(KeyError):
        return bool(pwd.getpwnam(name))
    return False
