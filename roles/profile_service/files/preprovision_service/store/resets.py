# SPDX-License-Identifier: GPL-3.0-or-later
"""Phones start over: what was observed of them before no longer counts."""

from __future__ import annotations

from typing import Any

from ..domain.events.progress.observations import reset, write_observations
from ..domain.events.progress.progress_table import State
from .batches import MILESTONES


def reset_values(moment: int) -> dict[str, Any]:
    """Return the columns of a phone that starts over at *moment*: it is expected, and its file is served again.

    Events before *moment* do not count, even those that become known later.
    """
    values: dict[str, Any] = {"state": State.EXPECTED.value, "since": moment, "facts": write_observations(reset(moment))}
    values |= dict.fromkeys(("arrived", "done", "claimed", "packed", "contact", "asked_by_key_id"), 0)
    values |= dict.fromkeys(("reason", "profile_hash", "packed_by", "contact_address"), "")
    return values | {column.key: 0 for column in MILESTONES.values()}
