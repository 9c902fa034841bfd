# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tell systemd how a service is, as in sd_notify(3)."""

from __future__ import annotations

import os
import socket

READY = "READY=1"
ALIVE = "WATCHDOG=1"
"""Without it for longer than WatchdogSec, systemd kills the service and starts it again."""


def notify(*assignments: str) -> None:
    """Send *assignments* to systemd, if it has started this process."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if path:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
            systemd.connect(f"\0{path[1:]}" if path.startswith("@") else path)
            systemd.send("\n".join(assignments).encode())
