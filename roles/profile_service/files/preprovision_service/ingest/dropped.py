# SPDX-License-Identifier: GPL-3.0-or-later
"""Note that rsyslogd has lost lines of its queue.

    python3 -m preprovision_service.ingest.dropped FOLDER

Reads the ID of each process that complained in the journal. Removes the file ``complete`` in FOLDER, which takes no space, if that
was this rsyslogd: an earlier one's complaints are read again after it has started again.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

COMPLETE = "complete"
"""Name of the file that says that no line was dropped."""


def note(folder: Path, processes: Iterable[str], own: int) -> None:
    """Remove the file if the process *own* is among *processes*."""
    for process in processes:
        if process.strip() == str(own):
            folder.joinpath(COMPLETE).unlink(missing_ok=True)


if __name__ == "__main__":
    note(Path(sys.argv[1]), sys.stdin, os.getppid())
