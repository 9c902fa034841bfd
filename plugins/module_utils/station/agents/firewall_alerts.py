# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Log each address that exceeds a limit of the firewall.

systemd starts it with the sockets to which the firewall redirects one packet of each such address.

    python3 -m preprovision.station.agents.firewall_alerts SECONDS KIND=PORT...

SECONDS: time without a packet after which it ends. KIND: the packets redirected to that port, "tftp" or "log".
"""

from __future__ import annotations

import os
import select
import socket
import sys
from collections.abc import Callable, Mapping, Sequence

# The prefix of a line's priority, see sd-daemon(3)
_ALERT = "<1>"

# See sd_listen_fds(3)
_FIRST_SOCKET = 3

_MAX_NAME_LENGTH = 100


def describe_request(address: str, packet: bytes) -> str:
    """Return the alert for too many TFTP requests, with the file name of the one that exceeded the limit (RFC 1350 section 5)."""
    name = _quoted(packet[2:].partition(b"\0")[0])
    return (
        f"scan for phones: {address} has asked for too many files by TFTP, last {name}; it gets no answer for an hour, or until "
        f"nft delete element inet preprovision tftp_caught '{{ {address} }}'"
    )


def describe_flood(address: str, packet: bytes) -> str:
    """Return the alert for too many log lines, with the beginning of the one that exceeded the limit."""
    return (
        f"flood of log lines: {address} sends more than the firewall lets through, such as {_quoted(packet)}; the "
        "excess is dropped, and this is reported once an hour"
    )


DESCRIPTIONS: dict[str, Callable[[str, bytes], str]] = {"tftp": describe_request, "log": describe_flood}


def _quoted(data: bytes) -> str:
    """Return the beginning of *data* in quotes, as ASCII that neither ends the line nor moves a terminal's cursor."""
    shown = ascii(data[:_MAX_NAME_LENGTH].decode("latin-1"))
    return f"{shown}..." if len(data) > _MAX_NAME_LENGTH else shown


def report(listeners: Mapping[socket.socket, str], seconds: float, say: Callable[[str], None]) -> None:
    """Report the sender of each packet, worded for its socket, until none arrives for *seconds*."""
    while ready := select.select(list(listeners), [], [], seconds)[0]:
        for listener in ready:
            packet, (address, _port) = listener.recvfrom(2048)
            say(_ALERT + DESCRIPTIONS[listeners[listener]](address, packet))


def main(arguments: Sequence[str]) -> int:
    """Report packets on the sockets that systemd passes."""
    seconds, *ports = arguments
    kinds = {port: kind for kind, port in (pair.split("=") for pair in ports)}
    passed = [socket.socket(fileno=_FIRST_SOCKET + number) for number in range(int(os.environ["LISTEN_FDS"]))]
    report({listener: kinds[str(listener.getsockname()[1])] for listener in passed}, float(seconds), _say)
    return 0


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
