# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is known of a host's clock without another one, and how to set it."""

from __future__ import annotations

import datetime

RELEASED = datetime.date(2026, 1, 1)
"""Day of this release, or until there is one, a day before it. A clock that shows an earlier time is wrong."""

# timedatectl refuses to set the clock while a time service runs
SET_CLOCK = "set it with 'date --set=\"YYYY-MM-DD HH:MM\" && hwclock --systohc'"
"""A clause of a remedy."""


def is_before_release(moment: float) -> bool:
    """Return whether *moment*, in seconds since 1970, is before the day of the release."""
    day = datetime.datetime(RELEASED.year, RELEASED.month, RELEASED.day, tzinfo=datetime.UTC)
    return moment < day.timestamp()
