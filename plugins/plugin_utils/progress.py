# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Messages about how far a long run is."""

from __future__ import annotations

from collections.abc import Callable

from ansible.utils.display import Display

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many phones are done, and of how many; 0 where that is not known."""

MIN_FOR_PROGRESS = 500
"""Phones below which a run says nothing."""

_FIRST_STEPS = (MIN_FOR_PROGRESS, 1_000, 2_000, 5_000, 10_000)
"""Numbers of phones at which progress is reported; then at each multiple of the last."""


def report_progress(what: str, done: int, total: int) -> None:
    """Show how far a long run is, in steps that grow with it; *total* is 0 if it is not known."""
    if done in _FIRST_STEPS or not done % _FIRST_STEPS[-1]:
        of = f" of {total:,} ({done * 100 // total} %)" if total else ""
        Display().display(f"profiles: {what} {done:,}{of} phones")


def report_step(count: int, text: str) -> None:
    """Show a step of a long run that has no progress of its own."""
    if count >= MIN_FOR_PROGRESS:
        Display().display(f"profiles: {text}")
