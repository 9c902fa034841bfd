# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether certificates that a host makes now would have dates that phones accept."""

from __future__ import annotations

import datetime

from ..common.durations import format_duration
from ..common.host_clock import RELEASED, SET_CLOCK, is_before_release

_HOUR = 3600
_REFUSED = "certificates made now would have wrong dates, which phones refuse"
_AGAIN = "and run the playbook site again"


def clock_problem(host: float, controller: float, max_hours: int) -> str:
    """Return why a host must not make certificates, and the remedy; empty if its clock is good enough.

    *host*, *controller*: their clocks, in seconds since 1970. *max_hours*: by which they may differ.
    """
    shown = f"the host's clock says {_minute(host)}"
    if is_before_release(host):
        return f"{shown}, but this release of the collection was made after {RELEASED}, so {_REFUSED}; {SET_CLOCK}, {_AGAIN}"
    if abs(host - controller) > max_hours * _HOUR:
        off = f"{format_duration(abs(host - controller))} {'ahead of' if host > controller else 'behind'} the controller's"
        return (
            f"{shown}, {off} ({_minute(controller)}; certificates_max_clock_offset allows {max_hours} hours), so {_REFUSED};"
            f" {SET_CLOCK}, {_AGAIN}"
        )
    return ""


def _minute(moment: float) -> str:
    return datetime.datetime.fromtimestamp(moment, datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
