# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Many units at a time: who they are, and how long each step of theirs takes."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .mac import MacError, parse_mac
from .phone_network import Answer, Ask, Lease, Network

_UNITS_OF_ONE_MAKER = 1 << 24


class SwarmError(ValueError):
    """The phones cannot be made up; the message says which option is wrong and what would be right."""


def made_up(count: int, model: str, first_mac: str, certificates: str | None) -> Iterator[dict[str, Any]]:
    """Yield *count* phones with MAC addresses one after the other, as emulated_phone's option ``phones`` has them.

    *certificates*: folder of each phone's ``<MAC>.pem`` and ``<MAC>.key``, or ``key.pem`` for all.
    """
    try:
        first = parse_mac(first_mac)
    except MacError as error:
        raise SwarmError(f"first_mac: {error}") from error
    number = int(first.plain, 16)
    shared = Path(certificates, "key.pem") if certificates else None
    left = _UNITS_OF_ONE_MAKER - number % _UNITS_OF_ONE_MAKER
    if count > left:
        raise SwarmError(
            f"count is {count}, but {first.colon} leaves {left} addresses with the same first half; begin with a lower one"
        )
    for index in range(count):
        mac = f"{number + index:012x}"
        yield {
            "name": f"phone-{index + 1}",
            "mac": ":".join(mac[place : place + 2] for place in range(0, 12, 2)),
            "model": model,
            "serial": mac.upper(),
            "certificate": certificates and f"{certificates}/{mac}.pem",
            "private_key": certificates and (str(shared) if shared and shared.exists() else f"{certificates}/{mac}.key"),
        }


@dataclass(frozen=True)
class Sample:
    """How long one step took."""

    kind: str
    """dhcp, tftp, http, https; trip is all of a power-up."""
    seconds: float
    answered: bool
    power_on: float = 0.0
    """When the unit was switched on, in seconds from the first one; of trips alone."""


class Measured:
    """A network that notes how long everything takes; its unit pauses once it has a lease. It is a phone_network.Network."""

    def __init__(self, network: Network, note: Callable[[Sample], None], think: float = 0.0) -> None:
        """*think*: seconds that the pause lasts at most."""
        self._network = network
        self._note = note
        self._think = think
        self.paused = 0.0
        """Seconds that the unit has paused."""

    def lease(self, vendor_class: str) -> Lease | None:
        """See phone_network.Network."""
        begin = time.monotonic()
        lease = self._network.lease(vendor_class)
        self._note(Sample("dhcp", time.monotonic() - begin, lease is not None))
        if lease is not None:
            self.paused += pause(self._think)
        return lease

    def addresses(self, name: str) -> Sequence[str]:
        """See phone_network.Network."""
        return self._network.addresses(name)

    def fetch(self, ask: Ask) -> Answer:
        """See phone_network.Network."""
        begin = time.monotonic()
        answer = self._network.fetch(ask)
        self._note(Sample(ask.target.scheme, time.monotonic() - begin, bool(answer.status)))
        return answer

    def log(self, server: str, text: str) -> bool:
        """See phone_network.Network."""
        return self._network.log(server, text)


def pause(most: float) -> float:
    """Wait for a random time of at most *most* seconds, and return it."""
    seconds = random.uniform(0, most)  # noqa: S311 - it hides nothing
    if seconds:
        time.sleep(seconds)
    return seconds
