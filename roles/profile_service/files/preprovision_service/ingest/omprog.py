# SPDX-License-Identifier: GPL-3.0-or-later
"""Take lines from rsyslog and have the collector store what they say about phones.

    python3 -m preprovision_service.ingest.omprog CONFIG [KEEP]

CONFIG: JSON file with DATABASE, an SQLAlchemy URL, PLACE (see Place), ARMING_FOLDER, the decisions folder, and ARMING_GRACE in
seconds. KEEP: number of events to keep, the newest.

rsyslog's omprog starts it, with confirmMessages and useTransactions. A line is confirmed once it is stored; otherwise rsyslog keeps
it and hands it over again. Lines that are stored already are recognized by their key.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import syslog
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from ..domain.common.database_faults import is_full
from ..domain.common.notify import ALIVE, notify
from ..domain.events.logs.evidence import Place
from ..domain.events.logs.log_lines import decode
from ..store.connection import open_database
from .collector import KEEP, Collector
from .dropped import COMPLETE
from .errors import RetryLater, warn
from .markers import MarkerError, Markers

BEGIN = b"BEGIN TRANSACTION"
COMMIT = b"COMMIT TRANSACTION"

_IDLE_SECONDS = 5
_BEAT_SECONDS = 5
_PATIENCE = 20
"""Seconds for an answer of the database; a commit may wait for another standby."""
_MIN_ROOM = 16 << 20
"""Bytes of queued lines that count as space: they are deleted before rsyslog starts again."""
_MAX_LINE_LENGTH = 1 << 20


class Queue:
    """rsyslog's queue on disk, which drops lines while the disk is full, and may miss one after it was killed."""

    def __init__(self, folder: Path, restart: Callable[[], None]) -> None:
        """*restart*: have rsyslog start again, which reads everything again if lines were dropped."""
        self._complete = folder / COMPLETE
        self._restart = restart

    def recover(self) -> None:
        """Restart rsyslog if it has dropped lines, once there is space again."""
        if not self._complete.exists() and self._has_room():
            warn("the queue has lost events, on a full disk or when it was killed; all lines of journal and logs are read again")
            self._restart()

    def _has_room(self) -> bool:
        """Return whether there is space. rsyslog empties the queue when it starts again, so a queue that fills the disk is room."""
        folder = self._complete.parent
        queued = 0
        for file in folder.glob("events.*"):
            # rsyslog removes what it has read
            with contextlib.suppress(FileNotFoundError):
                queued += file.stat().st_size
        return queued >= _MIN_ROOM or not is_full(str(folder))


class OmprogSession:
    """The protocol of rsyslog's omprog: lines in, one answer for each."""

    def __init__(self, collector: Collector, answers: BinaryIO, queue: Queue | None = None) -> None:
        self._collector = collector
        self._queue = queue
        self._answers = answers
        self._batch: list[str] | None = None
        self._trouble = self._marker_trouble = ""
        self._adopted_at = self._beaten_at = 0.0

    def start(self) -> None:
        """Tell rsyslog that lines can come."""
        self._answer("OK")

    def handle_line(self, line: bytes) -> None:
        """Handle and answer one line."""
        if line == BEGIN:
            self._batch = []
            self._answer("OK")
        elif line == COMMIT:
            batch, self._batch = self._batch, None
            if batch is None:
                # Its lines went to an earlier process, which has died
                self._answer("error: no transaction is open")
            else:
                self._store(batch)
        elif self._batch is None:
            self._store([decode(line)])
        else:
            self._batch.append(decode(line))
            self._answer("DEFER_COMMIT")
        self._beat()
        self.idle()

    def _beat(self) -> None:
        """Tell systemd that lines arrive and are answered, which nothing but a line proves."""
        if time.monotonic() - self._beaten_at >= _BEAT_SECONDS:
            self._beaten_at = time.monotonic()
            with contextlib.suppress(OSError):
                notify(ALIVE)

    def idle(self) -> None:
        """Adopt new phones now and then, between batches, and decide whose file is taken away."""
        if self._batch is None and time.monotonic() - self._adopted_at >= _IDLE_SECONDS:
            self._adopted_at = time.monotonic()
            if self._queue:
                self._queue.recover()
            with contextlib.suppress(RetryLater):
                self._collector.adopt_new_phones()
                self._update_markers()

    def _update_markers(self) -> None:
        try:
            self._collector.update_markers()
        except MarkerError as error:
            if str(error) != self._marker_trouble:
                self._marker_trouble = str(error)
                warn(str(error))
        else:
            self._marker_trouble = ""

    def _store(self, batch: list[str]) -> None:
        try:
            self._collector.store_lines(batch)
        except RetryLater as error:
            # Once, not each time that rsyslog tries again
            if str(error) != self._trouble:
                self._trouble = str(error)
                warn(f"cannot store events, so rsyslog queues them: {error}")
            self._answer(f"error: {error}")
            return
        if self._trouble:
            self._trouble = ""
            warn("the database stores events again")
        self._answer("OK")

    def _answer(self, text: str) -> None:
        self._answers.write(text.encode("ascii", "replace") + b"\n")
        self._answers.flush()


def read_lines(descriptor: int, idle: Callable[[], None]) -> Iterator[bytes]:
    """Yield lines until the end; call *idle* whenever none has come for a while. Lines that are too long are cut."""
    rest = b""
    while True:
        while not select.select([descriptor], [], [], _IDLE_SECONDS)[0]:
            idle()
        read = os.read(descriptor, 65536)
        if not read:
            return
        *whole, rest = (rest + read).split(b"\n")
        yield from whole
        # A line that was cut cannot be parsed, which is all that matters
        rest = rest[:_MAX_LINE_LENGTH]


def main(arguments: Sequence[str]) -> int:
    """Answer rsyslog until its output ends."""
    syslog.openlog("preprovision-events")
    config = json.loads(Path(arguments[0]).read_text())
    keep = int(arguments[1]) if len(arguments) > 1 else KEEP
    markers = Markers(Path(config["ARMING_FOLDER"]), int(config["ARMING_GRACE"])) if config.get("ARMING_FOLDER") else None
    folder = os.environ.get("STATE_DIRECTORY")
    queue = Queue(Path(folder), lambda: os.kill(os.getppid(), signal.SIGTERM)) if folder else None
    sessions = open_database(str(config["DATABASE"]), patience=_PATIENCE)
    collector = Collector(sessions, keep, markers, Place(config.get("PLACE", Place.BENCH)))
    session = OmprogSession(collector, sys.stdout.buffer, queue)
    # If rsyslog has ended, another one will get the lines again
    with contextlib.suppress(BrokenPipeError):
        session.start()
        for line in read_lines(sys.stdin.fileno(), session.idle):
            session.handle_line(line)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
