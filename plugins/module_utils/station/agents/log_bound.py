# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keep the phones' logs below a size and a number, whoever sends lines from however many addresses.

    python3 -m preprovision.station.agents.log_bound FOLDER BYTES PIDFILE

FOLDER: where the logs lie, one for each sender. BYTES: of all together. PIDFILE: of the rsyslogd that writes them.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

MAX_FILES = 10_000
"""Files at most; an inode costs more than its first line."""

# The prefix of a line's priority, see sd-daemon(3)
_WARNING = "<4>"


class LogFile(NamedTuple):
    """A file in the folder."""

    name: str
    size: int
    """Bytes."""
    changed: float
    """Seconds since 1970."""

    @property
    def is_live(self) -> bool:
        """Return whether rsyslogd writes to it; others were rotated or moved away."""
        return self.name.endswith(".log")


def surplus(files: Iterable[LogFile], max_size: int, max_files: int = MAX_FILES) -> list[LogFile]:
    """Return the files that have to go: those that are not written to any more first, of these the oldest first."""
    waiting = sorted(files, key=lambda file: (file.is_live, file.changed, file.name))
    size, left = sum(file.size for file in waiting), len(waiting)
    going = []
    for file in waiting:
        if size <= max_size and left <= max_files:
            break
        going.append(file)
        size, left = size - file.size, left - 1
    return going


def list_files(folder: Path) -> list[LogFile]:
    """Return the files in *folder*, without those that are rotated away meanwhile."""
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):
                if entry.is_file(follow_symlinks=False):
                    status = entry.stat(follow_symlinks=False)
                    found.append(LogFile(entry.name, status.st_size, status.st_mtime))
    return found


def main(arguments: Sequence[str]) -> int:
    """Remove the surplus, and say so in one line."""
    folder, size, pid_file = Path(arguments[0]), int(arguments[1]), Path(arguments[2])
    going = surplus(list_files(folder), size)
    for file in going:
        folder.joinpath(file.name).unlink(missing_ok=True)
    if any(file.is_live for file in going):
        # It writes to what was removed until it opens its files again
        with contextlib.suppress(OSError, ValueError):
            os.kill(int(pid_file.read_text()), signal.SIGHUP)
    if going:
        freed = sum(file.size for file in going) >> 20
        sys.stderr.write(
            f"{_WARNING}Removed {len(going)} of the phones' logs ({freed} MB), the oldest first: all together they may have"
            f" {size >> 20} MB (log_server_total_size) and {MAX_FILES} files.\n"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
