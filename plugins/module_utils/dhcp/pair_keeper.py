# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Say in the journal how a pair of Kea servers is, and make it whole again after its clocks were apart.

    python3 -m preprovision.dhcp.pair_keeper INTERFACE ADDRESS PARTNER FOLDER

INTERFACE: the bench. ADDRESS, PARTNER: of this station and the other one. FOLDER: with the pair's
ca.pem, certificate.pem and key.pem.

Kea ends a pair ("terminated") when the two clocks are a minute apart, and stays so until it is started again. Then one of the two
serves, and phones notice nothing; but it would have no partner for the next fault. So the server is started again as soon as the
partner's clock agrees with this one's.

A station whose cable is out cannot know what its partner does meanwhile. So it answers nobody, and when the cable is back, its
server starts again and first fetches the partner's leases. Otherwise it would give addresses to phones that others have by then.
"""

from __future__ import annotations

import http.client
import json
import ssl
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, NamedTuple

from ..common.notify import ALIVE, READY, notify
from .kea_control import KeaError, command
from .kea_pair import MAX_CLOCK_DIFFERENCE, PORT

INTERVAL = 5
"""Seconds between two questions to Kea."""

_CABLE_INTERVAL = 0.25

_PATIENCE = 5
_TERMINATED, _ALONE, _WHOLE = "terminated", "partner-down", "hot-standby"
# Priorities of sd-daemon(3)
_ALERT, _NOTICE = "<1>", "<5>"


class PairState(NamedTuple):
    """What this server says of itself and of its partner."""

    local: str
    remote: str
    is_interrupted: bool

    def __str__(self) -> str:
        """Return one sentence for the journal."""
        if self.local == _TERMINATED:
            return "The clocks of the two stations are too far apart: one of them serves, and the other one does not take over"
        if self.is_interrupted or self.local == _ALONE:
            return "The other station of the pair does not answer; this one serves alone"
        if (self.local, self.remote) == (_WHOLE, _WHOLE):
            return "Both stations of the pair are up"
        return f"This station's DHCP server is in the state {self.local}, its partner in {self.remote or 'none that is known'}"


def read_state(answer: Any) -> PairState:
    """Return what Kea's answer to status-get says; raise KeyError, TypeError or ValueError if it says nothing of a pair."""
    (pair,) = answer["arguments"]["high-availability"]
    remote = pair["ha-servers"]["remote"]
    state = pair["ha-servers"]["local"]["state"]
    return PairState(str(state), str(remote.get("last-state", "")), bool(remote.get("communication-interrupted", False)))


def clock_difference(address: str, partner: str, folder: Path) -> float:
    """Return by how many seconds the partner's clock differs from this one; raise OSError, KeyError, TypeError or ValueError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(folder / "ca.pem")
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    asked = json.dumps({"command": "ha-heartbeat", "service": ["dhcp4"]})
    connection = http.client.HTTPSConnection(partner, PORT, timeout=_PATIENCE, context=context, source_address=(address, 0))
    try:
        connection.request("POST", "/", asked, {"Content-Type": "application/json"})
        answer = json.loads(connection.getresponse().read())
    except http.client.HTTPException as error:
        raise OSError(str(error)) from error
    finally:
        connection.close()
    said = answer[0] if isinstance(answer, list) else answer
    return abs((parsedate_to_datetime(said["arguments"]["date-time"]) - datetime.now(UTC)).total_seconds())


class Keeper:
    """What is known of the pair from one look to the next."""

    def __init__(self, arguments: Sequence[str]) -> None:
        """*arguments*: as on the command line."""
        self._interface, self._address, self._partner, folder = arguments
        self._folder = Path(folder)
        self._last = ""
        self._is_cut = False

    def look_at_cable(self) -> None:
        """Switch DHCP off while the cable is out, and let the server start again when it is back."""
        is_cut = not _has_carrier(self._interface)
        if is_cut and not self._is_cut:
            _log(f"{_ALERT}No cable of {self._interface} has a link; this station answers no phone until one has")
            self._disable()
        if self._is_cut and not is_cut:
            _log(f"{_NOTICE}A cable of {self._interface} has a link again; the DHCP server starts again, with its partner's leases")
            self._restart()
        self._is_cut = is_cut

    def look_at_server(self) -> None:
        """Say how the pair is if that has changed, and mend it after its clocks were apart."""
        if self._is_cut:
            # In case that it was started meanwhile
            self._disable()
            return
        try:
            state = read_state(command("status-get", seconds=_PATIENCE))
        except (KeaError, KeyError, TypeError, ValueError):
            # It starts, or the health agent looks after it
            return
        if str(state) != self._last:
            self._last = str(state)
            _log(f"{_ALERT if state.local in (_TERMINATED, _ALONE) else _NOTICE}{self._last}")
        notify(f"STATUS={self._last}")
        if state.local == _TERMINATED and _clocks_agree(self._address, self._partner, self._folder):
            _log(f"{_NOTICE}The clocks of the two stations agree; the DHCP server starts again, to be one of a pair")
            self._restart()

    def _disable(self) -> None:
        with suppress(KeaError):
            command("dhcp-disable", seconds=_PATIENCE)

    def _restart(self) -> None:
        with suppress(KeaError):
            command("shutdown", seconds=_PATIENCE)


def main(arguments: Sequence[str]) -> int:
    """Look until systemd ends it."""
    keeper, asked = Keeper(arguments), 0.0
    notify(READY)
    while True:
        keeper.look_at_cable()
        if time.monotonic() >= asked + INTERVAL:
            asked = time.monotonic()
            keeper.look_at_server()
            notify(ALIVE)
        time.sleep(_CABLE_INTERVAL)


def _has_carrier(interface: str) -> bool:
    """Return whether the interface has a link; not if it is down or missing."""
    try:
        return Path("/sys/class/net", interface, "carrier").read_text().strip() == "1"
    except OSError:
        return False


def _clocks_agree(address: str, partner: str, folder: Path) -> bool:
    try:
        return clock_difference(address, partner, folder) <= MAX_CLOCK_DIFFERENCE
    except (OSError, KeyError, TypeError, ValueError):
        return False


def _log(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
