# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The machine's time as a phone's clock."""

from __future__ import annotations

import threading
import time

from ..device.ports import SwitchedOffError


class SystemClock:
    """A ports.Clock that starts at the machine's time and runs *speed* times as fast."""

    def __init__(self, speed: float = 1.0, switched_off: threading.Event | None = None) -> None:
        """*switched_off*: set when the phone is switched off."""
        self._speed = speed
        self._switched_off = switched_off
        self._start = time.time()
        self._started = time.monotonic()

    def now(self) -> float:
        """Return the seconds since 1970; unlike the machine's time, it never jumps."""
        return self._start + (time.monotonic() - self._started) * self._speed

    def sleep(self, seconds: float) -> None:
        """Wait; *seconds* are the phone's. Raise SwitchedOffError."""
        if self._switched_off is None:
            time.sleep(seconds / self._speed)
        elif self._switched_off.wait(seconds / self._speed):
            raise SwitchedOffError
