# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Watch a wire for other DHCP servers, as a service; when one answers or watching fails, it ends and systemd stops ours.

It is ready when it has found none, and only then systemd starts ours. However it ends, systemd starts it again, and it looks again.
After another server has answered, it waits until none has for a while; a file remembers that from start to start.

    python3 -m preprovision.dhcp.watch [--partner=ADDRESS] INTERFACE SECONDS QUIET [SERVER...]
    python3 -m preprovision.dhcp.watch --open INTERFACE [KEY]

SECONDS: time between two questions. QUIET: seconds without an answer after which our server starts again. SERVER: MAC or IPv4
address of an expected server. --partner: address of the other server of a pair, which confirms its answers with the key in the
file KEY. --open: only open the interface and the file, and pass both to systemd, which hands them to the watching process. So the
process that reads strangers' packets needs no right to open anything.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ..common.notify import ALIVE, READY, notify
from .discovery import LOOK_SECONDS, Offer, ProbeError, open_interface, watch
from .partner import PartnerKey

FOREIGN_SERVER = 3
UNUSABLE = 1

# The bridge may just be rebuilt; a wire that cannot be watched for a minute must not be served. A longer pause would miss a link
# that comes up for moments
_ATTEMPTS = 60
_PAUSE = 1
# So many attempts for a line in the journal
_LOGGED = 5
# An interface that is down fails at once; one that was listened to for this many seconds was up, even if its link comes and goes
_LISTENED = 1

# Priorities of sd-daemon(3), at the beginning of a line
_ALERT = "<1>"
_ERROR = "<3>"
_NOTICE = "<5>"

_PARTNER = "--partner"
_FIRST_SOCKET = 3
_NAME, _KEY = "wire", "partner"
_MAX_KEY_LENGTH = 256


# In a folder that systemd keeps until somebody stops the watch
HEARD = "heard.json"
# One server is one alert, unless it goes on for so many seconds
_ALERT_AGAIN = 3600


class _ForeignServer(Exception):
    """Another server answered; the argument is its offer."""


class Hold:
    """Why our server is held, which is kept in a file: when another one answered last, and when that was reported."""

    def __init__(self, path: Path, quiet: float) -> None:
        """*quiet*: seconds without an answer after which our server may start."""
        self._path = path
        self._quiet = quiet
        self._begun = time.monotonic()
        self.said, self._server, self._heard, self._reported = "", "", 0.0, 0.0
        # It is damaged only if the machine went down, after which it is gone
        with contextlib.suppress(OSError, ValueError, TypeError):
            self.said, self._server, self._heard, self._reported = json.loads(path.read_text())

    def hear(self, offer: Offer) -> bool:
        """Remember an answer; say whether it is to be reported."""
        now = time.monotonic()
        is_news = offer.server_mac != self._server or now > self._reported + _ALERT_AGAIN
        self._reported = now if is_news else self._reported
        self.said, self._server, self._heard = str(offer), offer.server_mac, now
        with contextlib.suppress(OSError):
            self._path.write_text(json.dumps([self.said, self._server, self._heard, self._reported]))
        return is_news

    def ends(self) -> bool:
        """Say whether the wire was looked at and quiet for long enough; then forget what was heard."""
        if time.monotonic() < max(self._begun + LOOK_SECONDS, self._heard + self._quiet if self.said else 0):
            return False
        self.said = ""
        self._path.unlink(missing_ok=True)
        return True

    def __str__(self) -> str:
        """Return why, for the board; empty if our server may start."""
        return f"{self.said}; it starts by itself when none has answered for {self._quiet:g} seconds" if self.said else ""


def _stop(offer: Offer) -> None:
    raise _ForeignServer(offer)


def main(arguments: Sequence[str]) -> int:
    """Watch until something is wrong, write one line on it for the journal, and return the exit status."""
    if arguments[0] == "--open":
        return _pass_to_systemd(*arguments[1:])
    partner = _partner(arguments[0])
    interface, seconds, quiet, *own = arguments[1:] if partner else arguments
    opened = _handed_over()
    hold = Hold(Path(os.environ.get("RUNTIME_DIRECTORY", "."), HEARD), float(quiet))
    notify(f"STATUS={str(hold) or 'the wire is looked at first'}")
    attempts = 0
    while True:
        begun = time.monotonic()
        try:
            watch(interface, own, float(seconds), _stop, opened, reporter(hold), partner=partner)
        except _ForeignServer as found:
            (offer,) = found.args
            if hold.hear(offer):
                _log(f"{_ALERT}On {interface} {offer}; this station's DHCP server stops")
            notify(f"STATUS={hold}")
            return FOREIGN_SERVER
        except ProbeError as error:
            attempts = attempts + 1 if time.monotonic() - begun < _LISTENED else 1
            if attempts == _ATTEMPTS:
                return _give_up(error)
            _log_failure(attempts, error)
            # It waits, and does not hang: else systemd's watchdog would end it before the minute
            notify(ALIVE)
        time.sleep(_PAUSE)


def reporter(hold: Hold) -> Callable[[], None]:
    """Return what to do each time that a look has found no other server."""

    def report() -> None:
        was_held = str(hold)
        if not hold.ends():
            notify(ALIVE)
            return
        if was_held:
            _log(f"{_NOTICE}No other DHCP server answers any more; this station's DHCP server starts")
        notify(READY, ALIVE, "STATUS=")

    return report


def _pass_to_systemd(interface: str, key: str = "") -> int:
    """Open the interface as soon as it exists, and pass the socket and the key to systemd in place of those of an earlier start."""
    if key:
        with open(key, "rb") as file, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
            _store(systemd, _KEY, file.fileno())
    attempt = 1
    while True:
        try:
            with open_interface(interface) as opened, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
                _store(systemd, _NAME, opened.fileno())
            return 0
        except ProbeError as error:
            if attempt == _ATTEMPTS:
                return _give_up(error)
            _log_failure(attempt, error)
        attempt += 1
        time.sleep(_PAUSE)


def _store(systemd: socket.socket, name: str, descriptor: int) -> None:
    """Let systemd keep a file descriptor, sd_pid_notify_with_fds(3)."""
    systemd.connect(os.environ["NOTIFY_SOCKET"])
    systemd.send(f"FDSTOREREMOVE=1\nFDNAME={name}".encode())
    socket.send_fds(systemd, [f"FDSTORE=1\nFDNAME={name}".encode()], [descriptor])


def _partner(argument: str) -> PartnerKey | None:
    option, _equals, address = argument.partition("=")
    if option != _PARTNER:
        return None
    # Each start has its place in the same open file
    return PartnerKey(address, os.pread(_descriptors()[_KEY], _MAX_KEY_LENGTH, 0).strip())


def _descriptors() -> dict[str, int]:
    """Return what systemd hands over, by name; sd_listen_fds_with_names(3)."""
    names = os.environ.get("LISTEN_FDNAMES", _NAME).split(":") if os.environ.get("LISTEN_FDS") else []
    return {name: _FIRST_SOCKET + number for number, name in enumerate(names)}


def _handed_over() -> socket.socket | None:
    """Return the socket that systemd hands over, or None."""
    descriptors = _descriptors()
    return socket.socket(fileno=descriptors[_NAME]) if _NAME in descriptors else None


def _give_up(error: ProbeError) -> int:
    _log(f"{_ALERT}{error}; this station's DHCP server stops, since it cannot watch for other servers")
    return UNUSABLE


def _log_failure(attempt: int, error: ProbeError) -> None:
    """Log the first failed attempt, and later ones now and then."""
    if attempt % _LOGGED == 1:
        _log(f"{_ERROR}{error}")


def _log(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
