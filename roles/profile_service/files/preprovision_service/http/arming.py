# SPDX-License-Identifier: GPL-3.0-or-later
"""What board and API say of a phone's own file, which the station serves by TFTP until the phone is done."""

from __future__ import annotations

from datetime import datetime

from flask import current_app

from ..clock import local_minute, now
from ..domain.events.progress.progress_table import State
from ..receiving.outcomes import NO_PROFILE
from ..store.queries import PhoneView


class ArmedView(PhoneView):
    """A phone with what the API says of its own file."""

    arming: str


def with_arming(phone: PhoneView) -> ArmedView:
    """Return a phone as the API shows it."""
    return ArmedView(**phone, arming=arming(phone))


def arming(phone: PhoneView) -> str:
    """Return whether the phone's own file is served; empty if it has none by TFTP."""
    if phone["source"] == "scan":
        return NO_PROFILE
    if not phone["unit_file"]:
        return ""
    if not phone["done"]:
        return "armed"
    grace = int(current_app.config["ARMING_GRACE"]) * 1000
    ends = int(datetime.fromisoformat(phone["done"]).timestamp() * 1000) + grace
    if now() < ends:
        return f"will be taken away at {local_minute(ends)}"
    again = "take it back" if phone["state"] == State.PACKED else "scan it in again"
    return f"taken away at {local_minute(ends)}; {again} to serve it again"
