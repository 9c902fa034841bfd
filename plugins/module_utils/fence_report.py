# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The service that says whom the fence has caught. systemd starts it with the sockets to which the fence leads one packet of each.

    python3 -m preprovision.fence_report SECONDS KIND=PORT...

SECONDS: how long it stays when nobody is caught. KIND: what comes to that port, "tftp" or "log".
"""

from __future__ import annotations

import os
import select
import socket
import sys
from collections.abc import Callable, Mapping, Sequence

# Priority of sd-daemon(3), at the beginning of a line
_ALERT = "<1>"

# sd_listen_fds(3)
_FIRST_SOCKET = 3

_LONGEST_NAME = 100


def describe_request(address: str, packet: bytes) -> str:
    """Say who has asked for too many files by TFTP, with the name in the request that broke the limit (RFC 1350, 5)."""
    name = _printable(packet[2:].partition(b"\0")[0])
    return (
        f"scan for phones: {address} has asked for too many files by TFTP, last {name}; it gets no answer for an hour, or until "
        f"nft delete element inet preprovision tftp_caught '{{ {address} }}'"
    )


def describe_flood(address: str, packet: bytes) -> str:
    """Say who has sent too many log lines, with the beginning of the one that broke the limit."""
    return (
        f"flood of log lines: {address} sends more than the fence lets through, as {_printable(packet)}; what is beyond is "
        "dropped, and this is said once an hour"
    )


DESCRIPTIONS: dict[str, Callable[[str, bytes], str]] = {"tftp": describe_request, "log": describe_flood}


def _printable(data: bytes) -> str:
    """What was sent, in quotes, as ASCII that neither ends the line nor moves a terminal's cursor."""
    shown = ascii(data[:_LONGEST_NAME].decode("latin-1"))
    return f"{shown}..." if len(data) > _LONGEST_NAME else shown


def report(listeners: Mapping[socket.socket, str], seconds: float, say: Callable[[str], None]) -> None:
    """Say who has sent each packet, by what comes to that socket, until there was none for that long."""
    while ready := select.select(list(listeners), [], [], seconds)[0]:
        for listener in ready:
            packet, (address, _port) = listener.recvfrom(2048)
            say(_ALERT + DESCRIPTIONS[listeners[listener]](address, packet))


def main(arguments: Sequence[str]) -> int:
    """Report from the sockets that systemd has handed over."""
    seconds, *ports = arguments
    kinds = {port: kind for kind, port in (pair.split("=") for pair in ports)}
    handed_over = [socket.socket(fileno=_FIRST_SOCKET + number) for number in range(int(os.environ["LISTEN_FDS"]))]
    report({listener: kinds[str(listener.getsockname()[1])] for listener in handed_over}, float(seconds), _say)
    return 0


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
