# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The service that watches a wire for other DHCP servers; it ends when one answers, and systemd stops ours.

    python3 -m preprovision.dhcp_watch INTERFACE SECONDS [SERVER...]

SECONDS: how long from one question to the next. SERVER: MAC or IPv4 address of a server that may be there.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from .dhcp_probe import Offer, ProbeError, watch

FOREIGN_SERVER = 3
"""Exit status: another server answers. Any other failure is one to try again after."""
UNUSABLE = 1

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
    try:
        watch(interface, own, float(seconds), _stop)
    except _ForeignServer as found:
        print(f"{_ALERT}On {interface} {found}; this station's DHCP server stops", file=sys.stderr, flush=True)
        return FOREIGN_SERVER
    except ProbeError as error:
        print(f"{_ERROR}{error}", file=sys.stderr, flush=True)
        return UNUSABLE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
