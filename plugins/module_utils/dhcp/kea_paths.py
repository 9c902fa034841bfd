# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where kea-dhcp4 has its files: as Debian's AppArmor profile and, since 2.6.3, Kea itself allow."""

from __future__ import annotations

CONFIGURATION = "/etc/kea/kea-dhcp4.conf"
SOCKET = "/run/kea/kea4-ctrl-socket"
LEASES = "/var/lib/kea/kea-leases4.csv"
HOOKS = "/usr/lib/{}/kea/hooks"
"""Folder of the hooks, with Debian's name of the architecture, such as x86_64-linux-gnu."""
