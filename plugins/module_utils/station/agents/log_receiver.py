# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Check that a log receiver listens, and enlarge its buffer beyond the kernel's limit, for which it has no privilege itself.

systemd runs it as root when the receiver has started: ``log_receiver.py ADDRESS PORT BYTES``, with its process in ``$MAINPID``.
"""

from __future__ import annotations

import ctypes
import os
import socket
import sys

# The same number on every architecture; since Linux 5.6
_PIDFD_GETFD = 438
# Python lacks this constant; unlike SO_RCVBUF, it may exceed net.core.rmem_max
_SO_RCVBUFFORCE = 33


def bound_sockets(pid: int, address: str, port: int) -> dict[int, socket.socket]:
    """Return copies of the sockets that process *pid* has bound to *address* and *port*, by type."""
    libc = ctypes.CDLL(None, use_errno=True)
    process = os.pidfd_open(pid)
    found: dict[int, socket.socket] = {}
    try:
        for number in os.listdir(f"/proc/{pid}/fd"):
            copy = libc.syscall(_PIDFD_GETFD, process, int(number), 0)
            if copy < 0:
                # Closed meanwhile, or not permitted
                continue
            if not os.readlink(f"/proc/self/fd/{copy}").startswith("socket:"):
                os.close(copy)
                continue
            copied = socket.socket(fileno=copy)
            is_ip = copied.family in (socket.AF_INET, socket.AF_INET6)
            wanted = is_ip and copied.getsockname()[:2] == (address, port)
            if wanted and copied.type not in found:
                found[copied.type] = copied
            else:
                copied.close()
    finally:
        os.close(process)
    return found


def widen(pid: int, address: str, port: int, size: int) -> str:
    """Set the buffer of the UDP socket to *size* bytes; return an error as a sentence, or an empty text."""
    sockets = bound_sockets(pid, address, port)
    try:
        missing = [name for kind, name in ((socket.SOCK_DGRAM, "UDP"), (socket.SOCK_STREAM, "TCP")) if kind not in sockets]
        if missing:
            return f"process {pid} does not listen on {address} port {port} by {' and '.join(missing)}."
        # The kernel doubles the value for its own bookkeeping
        sockets[socket.SOCK_DGRAM].setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, size)
    finally:
        for copied in sockets.values():
            copied.close()
    return ""


if __name__ == "__main__":
    raise SystemExit(widen(int(os.environ["MAINPID"]), sys.argv[1], int(sys.argv[2]), int(sys.argv[3])) or 0)
