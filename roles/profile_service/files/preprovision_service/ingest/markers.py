# SPDX-License-Identifier: GPL-3.0-or-later
"""The decisions folder: an empty file for each phone whose own file is no longer served by TFTP.

preprovision-arming.service reads it. It follows from the database alone, and the collector is its only writer, so the next
comparison corrects it, whatever was killed or restored before.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.engine import Connection

from ..domain.common.durable import sync_folder
from ..domain.common.mac import Mac
from ..store.tables import Phone

# Other files are not the collector's
_MARKER = re.compile(r"(?:[0-9a-f]{2}-){5}[0-9a-f]{2}")


class MarkerError(Exception):
    """The folder cannot be read or changed; the message says why."""


class _Compared(NamedTuple):
    """What database and folder were like when they were compared."""

    phones: int
    latest: int
    total: int
    """Sum of the times when phones were done: one phone may have left while another came."""
    folder: int
    """When the folder changed last, in nanoseconds."""


class Markers:
    """Keeps the folder in line with the database."""

    def __init__(self, folder: Path, grace: int) -> None:
        """*grace*: seconds from when a phone is done until its file is taken away."""
        self._folder = folder
        self._grace = grace * 1000
        self._compared: _Compared | None = None

    def forget(self) -> None:
        """Compare everything the next time, since the database may be another one."""
        self._compared = None

    def changed_at(self) -> int:
        """Return when the folder changed last, in nanoseconds; raise MarkerError."""
        with _explain(self._folder):
            return self._folder.stat().st_mtime_ns

    def changed(self, connection: Connection, moment: int, changed_at: int) -> set[str] | None:
        """Return the names of all markers as of *moment* (milliseconds), or None if nothing has changed.

        Three numbers from an index say whether anything has changed in the database; only then the phones are read. *changed_at*:
        see changed_at().
        """
        due = (Phone.done > 0, Phone.done <= moment - self._grace)
        found = select(func.count(), func.coalesce(func.max(Phone.done), 0), func.coalesce(func.sum(Phone.done), 0)).where(*due)
        phones, latest, total = map(int, connection.execute(found).one())
        compared = _Compared(phones, latest, total, changed_at)
        if compared == self._compared:
            return None
        self._compared = compared
        return {Mac(mac).dash for mac in connection.scalars(select(Phone.mac).where(*due))}

    def make(self, wanted: set[str]) -> None:
        """Make *wanted* the markers in the folder, durably; raise MarkerError."""
        compared, self._compared = self._compared, None
        with _explain(self._folder):
            present = {name for name in os.listdir(self._folder) if _MARKER.fullmatch(name)}
            for name in wanted - present:
                self._folder.joinpath(name).touch()
            for name in present - wanted:
                self._folder.joinpath(name).unlink(missing_ok=True)
            # Also if nothing differs, since the last attempt may have failed here
            sync_folder(self._folder)
        self._compared = compared and compared._replace(folder=self.changed_at())


@contextlib.contextmanager
def _explain(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise MarkerError(f"cannot decide whose file is taken away: {folder}: {error.strerror}") from error
