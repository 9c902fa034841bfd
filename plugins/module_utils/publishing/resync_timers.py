# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Timers with which many phones do not resync at the same time, from the number of phones and what their servers can do.

Sources: the provisioning guides of the SPA phones, the SPA100 series, the ATA 191/192 and the MPP phones. Resync_Random_Delay is in
units of 20 seconds, 0 to 65535; an MPP text says seconds, in which case phones come within a twentieth of the time. It delays only
the first contact after power-up. Resync_At_Random_Delay is in seconds, 600 to 65535. "Configurable Schedules": Resync_Periodic and
Resync_Error_Retry_Delay are lists of seconds, the last of which is repeated, each with a random part after a plus sign. All
families with profile rules have these parameters with these formats. No document limits the seconds in a list; MAX_PERIOD is ours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..common.validate import ValidationError, read_number

SMALL_FLEET = 1000
"""Up to so many phones, one server answers all within the default Resync_Random_Delay."""
RANDOM_DELAY_UNIT = 20
"""Seconds per unit of Resync_Random_Delay."""
MIN_RANDOM_DELAY, MAX_RANDOM_DELAY = 2, 65535
"""Units. The least is the factory default."""
MIN_AT_RANDOM_DELAY, MAX_AT_RANDOM_DELAY = 600, 65535
"""Seconds."""
MIN_PERIOD, MAX_PERIOD = 86400, 7 * 86400
"""Seconds between resyncs."""
MIN_RETRY, MAX_RETRY = 900, 43200
"""Seconds until a failed resync is retried, without the random part, which is as long."""
RETRIES = 6
"""Delays in the list of retries; each is twice the one before."""
HERD_SHARE, PERIODIC_SHARE = 0.5, 0.2
"""Share of what the servers can do that may be used after a power cut, and by periodic resyncs."""
MAX_PHONES, MAX_SERVERS, MAX_RATE = 10**9, 1000, 10**6
"""Larger numbers are mistakes."""


class ResyncTimersError(ValueError):
    """A number that no fleet has; the message says which one, and what would be right."""


@dataclass(frozen=True)
class ResyncTimers:
    """The parameters as a profile has them."""

    random_delay: int
    """Units of 20 seconds."""
    periodic: str
    error_retry_delay: str
    at_random_delay: int = MIN_AT_RANDOM_DELAY
    """Seconds; counts only for phones with Resync_At."""

    def parameters(self) -> dict[str, int | str]:
        """Return name of a parameter -> its value; without Resync_At_Random_Delay where it is the factory default."""
        at = {} if self.at_random_delay == MIN_AT_RANDOM_DELAY else {"Resync_At_Random_Delay": self.at_random_delay}
        return {
            "Resync_Random_Delay": self.random_delay,
            "Resync_Periodic": self.periodic,
            "Resync_Error_Retry_Delay": self.error_retry_delay,
            **at,
        }


SMALL = ResyncTimers(MIN_RANDOM_DELAY, str(MIN_PERIOD), "3600")
"""What phones of a small fleet get."""


def propose_timers(phones: object, servers: object, resyncs_per_second: object) -> ResyncTimers:
    """Return timers for this number of phones; they are the same for all fleets of up to SMALL_FLEET phones.

    *resyncs_per_second*: what one server can do. One of several servers is not counted, since it may be down. After a power cut,
    phones come within a time in which they need HERD_SHARE of what the servers can do. The first period is random enough to spread
    them over a whole period, so that the herd does not come back a day later; failed resyncs are retried no faster than phones come
    after a power cut. Raise ResyncTimersError for numbers that no fleet has.
    """
    size = _read("number of phones", phones, 0, MAX_PHONES)
    rate = _read("resync rate of a server", resyncs_per_second, 1, MAX_RATE)
    rate *= max(1, _read("number of servers", servers, 1, MAX_SERVERS) - 1)
    if size <= SMALL_FLEET:
        return SMALL
    window = math.ceil(size / (rate * HERD_SHARE))
    period = _within(math.ceil(size / (rate * PERIODIC_SHARE)), MIN_PERIOD, MAX_PERIOD)
    retries = [min(max(window, MIN_RETRY) * 2**turn, MAX_RETRY) for turn in range(RETRIES)]
    return ResyncTimers(
        random_delay=_within(math.ceil(window / RANDOM_DELAY_UNIT), MIN_RANDOM_DELAY, MAX_RANDOM_DELAY),
        periodic=f"{period // 2}+{period},{period}+{_within(window, 3600, period // 2)}",
        error_retry_delay=",".join(f"{seconds}+{seconds}" for seconds in retries),
        at_random_delay=_within(window, MIN_AT_RANDOM_DELAY, MAX_AT_RANDOM_DELAY),
    )


def _read(what: str, value: object, minimum: int, maximum: int) -> int:
    try:
        return read_number(value, minimum, maximum)
    except ValidationError as error:
        raise ResyncTimersError(f"the {what} is {value!r}; it {error}") from error


def _within(number: int, minimum: int, maximum: int) -> int:
    return max(minimum, min(number, maximum))
