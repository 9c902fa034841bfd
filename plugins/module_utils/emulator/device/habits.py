# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Habits of some real units that differ from their guides, from public reports and captures.

An emulated phone has none of them unless it is told to.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from enum import StrEnum

OTHER_FIRMWARE = "other firmware"
"""What stands in a report for the parameter that named a file, where a habit made the unit request it."""


class HabitError(ValueError):
    """Habits that do not exist or exclude each other; the message says which."""


class Habit(StrEnum):
    """What a unit does differently."""

    VENDOR_CLASS_NUL = "vendor_class_nul"
    """A zero byte ends DHCP option 60."""
    NO_VENDOR_CLASS = "no_vendor_class"
    """There is no DHCP option 60."""
    TFTP_NAME_FF = "tftp_name_ff"
    """A byte 0xFF follows the name of a file that is read by TFTP; the unit expects to be served."""
    OTHER_NAMES = "other_names"
    """After power-up the unit first requests the files of another firmware by TFTP; their absence is no failure."""
    ASKS_TWICE = "asks_twice"
    """The unit sends each request for a file twice at the same time, and expects both to be served."""


def read_habits(names: Iterable[str]) -> frozenset[Habit]:
    """Return the habits with these names; raise HabitError."""
    known = {str(habit): habit for habit in Habit}
    given = list(names)
    for name in given:
        if name not in known:
            raise HabitError(f"unknown habit '{name}'; expected some of {', '.join(known)}")
    habits = frozenset(known[name] for name in given)
    if {Habit.VENDOR_CLASS_NUL, Habit.NO_VENDOR_CLASS} <= habits:
        raise HabitError(f"{Habit.VENDOR_CLASS_NUL} and {Habit.NO_VENDOR_CLASS} exclude each other")
    return habits


def vendor_class(usual: str, habits: Collection[Habit]) -> str:
    """Return DHCP option 60 as a unit sends it whose family sends *usual*; empty for none."""
    if Habit.NO_VENDOR_CLASS in habits:
        return ""
    return f"{usual}\0" if Habit.VENDOR_CLASS_NUL in habits else usual
