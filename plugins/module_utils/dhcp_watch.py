# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The service that watches a wire for other DHCP servers; when one answers, or it cannot watch, it ends and systemd stops ours.

    python3 -m preprovision.dhcp_watch INTERFACE SECONDS [SERVER...]

SECONDS: how long from one question to the next. SERVER: MAC or IPv4 address of a server that may be there.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from .dhcp_probe import Offer, ProbeError, watch

FOREIGN_SERVER = 3
UNUSABLE = 1

# The bridge may be built anew meanwhile; a wire that cannot be watched for a minute is not served.
_ATTEMPTS = 12
_PAUSE = 5

# Priorities of sd-daemon(3), at the beginning of a line
_ALERT = "<1>"
_ERROR = "<3>"


class _ForeignServer(Exception):
    """Another server answers; the argument is its offer."""


def _stop(offer: Offer) -> None:
    raise _ForeignServer(offer)


def main(arguments: Sequence[str]) -> int:
    """Watch until something is wrong, say what in one line for the journal, and return the exit status."""
    interface, seconds, *own = arguments
    attempts = 0
    while True:
        begun = time.monotonic()
        try:
            watch(interface, own, float(seconds), _stop)
        except _ForeignServer as found:
            _say(f"{_ALERT}On {interface} {found}; this station's DHCP server stops")
            return FOREIGN_SERVER
        except ProbeError as error:
            attempts = attempts + 1 if time.monotonic() - begun < _PAUSE else 1
            if attempts == _ATTEMPTS:
                _say(f"{_ALERT}{error}; this station's DHCP server stops, since nobody watches for others")
                return UNUSABLE
            _say(f"{_ERROR}{error}")
        time.sleep(_PAUSE)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
