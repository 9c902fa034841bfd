# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lease of an emulated phone: requested at power-up, and extended for as long as the phone stays on.

Source: RFC 2131 section 4.4.5. At T1 the phone asks its server, from T2 on any server, each time again after half of the time that
is left, but not within a minute. RFC 2132 sections 9.2 and 9.11 for options 51, 58 and 59.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..events.causes.failure_codes import FailureCode
from .device.ports import Lease, Network
from .device.state import PhoneState
from .device.trace import Outcome, ResyncError, StepName, Trace
from .resync.schedule import Schedule

_LEASE_TIME, _RENEWAL_TIME, _REBINDING_TIME = 51, 58, 59
_FOR_EVER = 0xFFFFFFFF
_MIN_INTERVAL = 60.0
_DHCP = "DHCP"


@dataclass(frozen=True)
class LeaseTimes:
    """When a lease is extended and ends, in seconds after it was requested."""

    renewal: float
    """T1: from now on the phone asks the server that assigned the address."""
    rebinding: float
    """T2: from now on it asks any server."""
    end: float

    def next_attempt(self, age: float) -> float:
        """Return when the phone asks next, for a lease that is *age* seconds old; the end when it does not ask again."""
        if age < self.renewal:
            return self.renewal
        limit = self.rebinding if age < self.rebinding else self.end
        return min(age + max((limit - age) / 2, _MIN_INTERVAL), limit)


def lease_times(lease: Lease) -> LeaseTimes | None:
    """Return a lease's times; None for one that does not end or does not say when."""
    end = _seconds(lease, _LEASE_TIME)
    if not end or end == _FOR_EVER:
        return None
    renewal, rebinding = _seconds(lease, _RENEWAL_TIME) or end * 0.5, _seconds(lease, _REBINDING_TIME) or end * 0.875
    if not renewal <= rebinding <= end:
        renewal, rebinding = end * 0.5, end * 0.875
    return LeaseTimes(renewal, rebinding, end)


def _seconds(lease: Lease, code: int) -> float:
    value = lease.raw.get(code, b"")
    return float(int.from_bytes(value, "big")) if len(value) == 4 else 0.0


class LeaseKeeper:
    """Requests and extends the lease of one phone."""

    def __init__(self, state: PhoneState, trace: Trace, schedule: Schedule) -> None:
        self._state = state
        self._trace = trace
        self._schedule = schedule
        self._times: LeaseTimes | None = None
        self._since = 0.0

    def acquire(self, network: Network) -> None:
        """Get a lease; raise ResyncError when no server assigns one."""
        self._schedule.set_lease(None)
        requested = self._trace.clock.now()
        with self._trace.step(StepName.LEASE, _DHCP) as entry:
            self._state.lease = network.lease(self._state.vendor_class)
            if self._state.lease is None:
                raise ResyncError(FailureCode.NO_LEASE, "no DHCP server assigned an address")
            entry.detail = self._state.lease.address
        self._begin(self._state.lease, requested)

    def extend(self, network: Network) -> bool:
        """Extend the lease, whose timer is due; return False when the phone has no address any more, and must start over."""
        lease, times = self._state.lease, self._times
        if lease is None or times is None:
            return lease is not None
        requested = self._trace.clock.now()
        if requested - self._since >= times.end:
            return self._lose(network, f"the lease of {lease.address} has ended")
        with self._trace.step(StepName.LEASE, _DHCP) as entry:
            renewal = network.renew(any_server=requested - self._since >= times.rebinding)
            entry.detail = f"{lease.address} renewed"
            if renewal.lease is None:
                entry.outcome = Outcome.FAILED
                entry.detail = f"{lease.address} refused" if renewal.refused else f"{lease.address} not renewed: no answer"
        if renewal.refused:
            return self._lose(network, f"the server takes {lease.address} away")
        if renewal.lease:
            self._state.lease = renewal.lease
            self._begin(renewal.lease, requested)
        else:
            self._wait(self._trace.clock.now())
        return True

    def _begin(self, lease: Lease, requested: float) -> None:
        self._times, self._since = lease_times(lease), requested
        self._wait(requested)

    def _wait(self, now: float) -> None:
        if self._times:
            self._schedule.set_lease(self._since + self._times.next_attempt(now - self._since))

    def _lose(self, network: Network, why: str) -> bool:
        self._trace.record(StepName.LEASE, _DHCP, why, Outcome.FAILED)
        self._state.lease = None
        network.give_up_lease()
        return False
