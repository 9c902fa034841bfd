# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Measurement of emulated phones: how long each step takes."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ..device.ports import Clock, Lease, Network, Renewal, WireRequest, WireResponse


class SampleKind(StrEnum):
    """What is measured."""

    DHCP = "dhcp"
    TFTP = "tftp"
    HTTP = "http"
    HTTPS = "https"
    TRIP = "trip"
    """A whole power cycle."""


@dataclass(frozen=True)
class Sample:
    """How long one step took."""

    kind: SampleKind
    seconds: float
    answered: bool
    """Whether there was a response; of a trip, whether it succeeded."""
    power_on: float = 0.0
    """When the phone was switched on, in seconds after the first one; set for trips only."""
    address: str = ""
    """The server's address; set for requests only."""


class MeasuredNetwork:
    """A ports.Network that measures another one. Its phone pauses once it has a lease."""

    def __init__(self, network: Network, clock: Clock, record: Callable[[Sample], None], think_time: float = 0.0) -> None:
        """*think_time*: the longest pause, in seconds."""
        self._network = network
        self._clock = clock
        self._record = record
        self._think_time = think_time
        self.paused = 0.0
        """Seconds that the phone has paused."""

    def lease(self, vendor_class: str) -> Lease | None:
        """See ports.Network."""
        start = self._clock.now()
        lease = self._network.lease(vendor_class)
        self._record(Sample(SampleKind.DHCP, self._clock.now() - start, lease is not None))
        if lease is not None:
            self.paused += random_pause(self._think_time, self._clock)
        return lease

    def renew(self, any_server: bool) -> Renewal:
        """See ports.Network."""
        return self._network.renew(any_server)

    def give_up_lease(self) -> None:
        """See ports.Network."""
        self._network.give_up_lease()

    def addresses(self, name: str) -> Sequence[str]:
        """See ports.Network."""
        return self._network.addresses(name)

    def fetch(self, request: WireRequest) -> WireResponse:
        """See ports.Network."""
        start = self._clock.now()
        response = self._network.fetch(request)
        kind = SampleKind(request.target.scheme)
        self._record(Sample(kind, self._clock.now() - start, bool(response.status), address=request.address))
        return response

    def log(self, server: str, text: str) -> bool:
        """See ports.Network."""
        return self._network.log(server, text)


def random_pause(max_seconds: float, clock: Clock) -> float:
    """Sleep for a random time of at most *max_seconds*, and return it."""
    seconds = random.uniform(0, max_seconds)  # noqa: S311 - not a secret
    if seconds:
        clock.sleep(seconds)
    return seconds
