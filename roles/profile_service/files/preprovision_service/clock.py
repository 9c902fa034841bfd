# SPDX-License-Identifier: GPL-3.0-or-later
"""Times as the database stores them, in milliseconds since 1970 (UTC), and as people read them."""

from __future__ import annotations

import time
from datetime import datetime

MINUTE = 60_000


def now() -> int:
    """Return the current time as the database stores it."""
    return time.time_ns() // 1_000_000


def local(moment: int) -> str:
    """Return *moment* in the station's time zone."""
    return datetime.fromtimestamp(moment / 1000).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def local_minute(moment: int) -> str:
    """Return *moment* in the station's time zone: the time of day, after the date unless it is today."""
    at = datetime.fromtimestamp(moment / 1000).astimezone()
    return at.strftime("%H:%M" if at.date() == datetime.now().astimezone().date() else "%Y-%m-%d %H:%M")


def iso(moment: int) -> str:
    """Return *moment* with the station's offset from UTC, in whole seconds; empty for 0, which means never."""
    return datetime.fromtimestamp(moment / 1000).astimezone().isoformat(timespec="seconds") if moment else ""


def minute(text: str) -> str:
    """Return a time that iso() has written as people read it, without seconds."""
    return text[:16].replace("T", " ")


def age(milliseconds: int) -> str:
    """Return a duration in words."""
    minutes = max(milliseconds, 0) // MINUTE
    if minutes < 1:
        return "< 1 min"
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60:02} min"
    return f"{minutes // (24 * 60)} days"
