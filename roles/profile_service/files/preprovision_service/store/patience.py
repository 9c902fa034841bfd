# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections to PostgreSQL that give up: a server that hangs keeps its connections, so who waits for it would wait forever.

TCP notices only a machine that is gone, and libpq has no limit for answers, so a thread shuts the socket of who waited too long.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from typing import Any

from psycopg2 import extensions  # type: ignore[import-untyped]

_LOOK_SECONDS = 0.25


class _Watch:
    """Shuts the sockets of those who wait too long."""

    def __init__(self) -> None:
        self._waiting: dict[int, tuple[float, int]] = {}
        self._lock = threading.Lock()
        self._numbers = count()
        self._started = False

    @contextmanager
    def limit(self, descriptor: int, seconds: float) -> Iterator[None]:
        """Shut the socket *descriptor* if the block takes longer than *seconds*."""
        number = next(self._numbers)
        with self._lock:
            self._waiting[number] = (time.monotonic() + seconds, descriptor)
            if not self._started:
                self._started = True
                threading.Thread(target=self._look, daemon=True).start()
        try:
            yield
        finally:
            # A descriptor that is closed afterwards may be another socket's at once
            with self._lock:
                self._waiting.pop(number, None)

    def _look(self) -> None:
        while True:
            time.sleep(_LOOK_SECONDS)
            with self._lock:
                late = [number for number, (end, _socket) in self._waiting.items() if end < time.monotonic()]
                for number in late:
                    _shut(self._waiting.pop(number)[1])


def _shut(descriptor: int) -> None:
    with suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as shared:
        shared.shutdown(socket.SHUT_RDWR)


_WATCH = _Watch()


def connection_class(seconds: float) -> type[Any]:
    """Return the class of connections that break if the server does not answer a statement or a commit within *seconds*."""

    def limited(connection: Any, work: Callable[..., Any], *values: Any) -> Any:
        if connection.closed:
            return work(*values)
        with _WATCH.limit(connection.fileno(), seconds):
            return work(*values)

    class Cursor(extensions.cursor):
        def execute(self, *values: Any) -> Any:
            return limited(self.connection, super().execute, *values)

        def executemany(self, *values: Any) -> Any:
            return limited(self.connection, super().executemany, *values)

    class Connection(extensions.connection):
        def __init__(self, *values: Any, **more: Any) -> None:
            super().__init__(*values, **more)
            self.cursor_factory = Cursor

        def commit(self) -> None:
            limited(self, super().commit)

        def rollback(self) -> None:
            limited(self, super().rollback)

    return Connection
