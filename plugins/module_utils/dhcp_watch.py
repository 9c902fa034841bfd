# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The service that watches a wire for other DHCP servers; when one answers, or it cannot watch, it ends and systemd stops ours.

    python3 -m preprovision.dhcp_watch INTERFACE SECONDS [SERVER...]
    python3 -m preprovision.dhcp_watch --open INTERFACE

SECONDS: how long from one question to the next. SERVER: MAC or IPv4 address of a server that may be there. --open: only open the
interface and leave that with systemd, which hands it to the process that watches. So the one that reads what strangers send has
no right to open anything.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Sequence

from .dhcp_probe import Offer, ProbeError, open_interface, watch

FOREIGN_SERVER = 3
UNUSABLE = 1

# The bridge may be built anew meanwhile; a wire that cannot be watched for a minute is not served.
_ATTEMPTS = 12
_PAUSE = 5

# Priorities of sd-daemon(3), at the beginning of a line
_ALERT = "<1>"
_ERROR = "<3>"

_FIRST_SOCKET = 3
_NAME = "wire"


class _ForeignServer(Exception):
    """Another server answers; the argument is its offer."""


def _stop(offer: Offer) -> None:
    raise _ForeignServer(offer)


def main(arguments: Sequence[str]) -> int:
    """Watch until something is wrong, say what in one line for the journal, and return the exit status."""
    if arguments[0] == "--open":
        return _leave_open(arguments[1])
    interface, seconds, *own = arguments
    opened = _handed_over()
    attempts = 0
    while True:
        begun = time.monotonic()
        try:
            watch(interface, own, float(seconds), _stop, opened)
        except _ForeignServer as found:
            _say(f"{_ALERT}On {interface} {found}; this station's DHCP server stops")
            return FOREIGN_SERVER
        except ProbeError as error:
            attempts = attempts + 1 if time.monotonic() - begun < _PAUSE else 1
            if attempts == _ATTEMPTS:
                return _give_up(error)
            _say(f"{_ERROR}{error}")
        time.sleep(_PAUSE)


def _leave_open(interface: str) -> int:
    """Open the interface, as soon as it is there, and give it to systemd in place of what it has from an earlier start."""
    attempt = 1
    while True:
        try:
            with open_interface(interface) as opened, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
                # sd_notify(3), sd_pid_notify_with_fds(3)
                systemd.connect(os.environ["NOTIFY_SOCKET"])
                systemd.send(f"FDSTOREREMOVE=1\nFDNAME={_NAME}".encode())
                socket.send_fds(systemd, [f"FDSTORE=1\nFDNAME={_NAME}".encode()], [opened.fileno()])
            return 0
        except ProbeError as error:
            if attempt == _ATTEMPTS:
                return _give_up(error)
            _say(f"{_ERROR}{error}")
        attempt += 1
        time.sleep(_PAUSE)


def _handed_over() -> socket.socket | None:
    """What systemd hands over, sd_listen_fds(3); None where it has been left nothing."""
    return socket.socket(fileno=_FIRST_SOCKET) if os.environ.get("LISTEN_FDS") == "1" else None


def _give_up(error: ProbeError) -> int:
    _say(f"{_ALERT}{error}; this station's DHCP server stops, since nobody watches for others")
    return UNUSABLE


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
