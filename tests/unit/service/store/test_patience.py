# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that hangs breaks the connection of those who are patient for a limited time; the judge is libpq itself."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import psycopg2  # type: ignore[import-untyped]
import pytest
from preprovision_service.store import patience

HANG_SECONDS = 30
"""After which the server ends a test that would otherwise wait forever."""
PARAMETERS = {"client_encoding": "UTF8", "DateStyle": "ISO, MDY", "standard_conforming_strings": "on", "server_version": "17.0"}


def message(kind: bytes, content: bytes) -> bytes:
    """Return a message of PostgreSQL's protocol 3."""
    return kind + struct.pack("!I", len(content) + 4) + content


class HangingServer:
    """A server of PostgreSQL that answers some statements, and then hangs."""

    def __init__(self, answers: int) -> None:
        self.answers = answers
        self.statements: list[str] = []
        self.was_left = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def connect(self, seconds: float) -> Any:
        """Return a connection that is patient for *seconds*."""
        host, port = self._listener.getsockname()
        return psycopg2.connect(
            host=host, port=port, user="me", sslmode="disable", gssencmode="disable",
            connection_factory=patience.connection_class(seconds),
        )  # fmt: skip

    def close(self) -> None:
        """Wait for the end of the only connection."""
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        client, _address = self._listener.accept()
        client.settimeout(HANG_SECONDS)
        with client, client.makefile("rb") as received, suppress(TimeoutError):
            received.read(struct.unpack("!I", received.read(4))[0] - 4)
            told = b"".join(message(b"S", f"{name}\0{value}\0".encode()) for name, value in PARAMETERS.items())
            client.sendall(message(b"R", struct.pack("!I", 0)) + told + message(b"Z", b"I"))
            while kind := received.read(1):
                text = received.read(struct.unpack("!I", received.read(4))[0] - 4)
                if kind == b"Q":
                    self._answer(client, text[:-1].decode())
            self.was_left = True

    def _answer(self, client: socket.socket, statement: str) -> None:
        self.statements.append(statement)
        if len(self.statements) <= self.answers:
            state = b"I" if statement in ("COMMIT", "ROLLBACK") else b"T"
            client.sendall(message(b"C", statement.split()[0].encode() + b"\0") + message(b"Z", state))


@pytest.fixture
def hanging() -> Iterator[Callable[[int], HangingServer]]:
    """Start servers, which end with the test."""
    started: list[HangingServer] = []

    def start(answers: int) -> HangingServer:
        started.append(HangingServer(answers))
        return started[-1]

    yield start
    for server in started:
        server.close()


def work(connection: Any, step: str) -> None:
    """Do the steps up to one."""
    cursor = connection.cursor()
    if step == "executemany":
        cursor.executemany("DELETE FROM phones WHERE mac = %s", [("a",), ("b",)])
        return
    cursor.execute("DELETE FROM phones")
    if step != "execute":
        getattr(connection, step)()


@pytest.mark.parametrize(
    ("step", "answers", "last"),
    [
        ("execute", 0, "BEGIN"),
        ("execute", 1, "DELETE FROM phones"),
        ("executemany", 2, "DELETE FROM phones WHERE mac = 'b'"),
        ("commit", 2, "COMMIT"),
        ("rollback", 2, "ROLLBACK"),
    ],
)
def test_a_server_that_hangs_is_left(hanging: Callable[[int], HangingServer], step: str, answers: int, last: str) -> None:
    server = hanging(answers)
    connection = server.connect(0.5)
    with pytest.raises((psycopg2.OperationalError, psycopg2.InterfaceError)):
        work(connection, step)
    assert connection.closed
    connection.close()
    server.close()
    assert server.statements[-1] == last
    assert server.was_left


def test_a_server_that_answers_is_not_left(hanging: Callable[[int], HangingServer], monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(patience.time, "monotonic", lambda: clock[0])
    looked = threading.Semaphore(0)
    server = hanging(9)
    connection = server.connect(5)
    work(connection, "commit")
    # Long after the limit of what has been answered, the connection is idle, and is still there
    clock[0] += 3600
    monkeypatch.setattr(patience.time, "sleep", lambda _seconds: looked.release() or threading.Event().wait(0.01))
    # The second time, it has looked in between
    assert looked.acquire(timeout=HANG_SECONDS)
    assert looked.acquire(timeout=HANG_SECONDS)
    work(connection, "commit")
    assert not connection.closed
    connection.close()


def test_a_connection_that_is_closed_says_so(hanging: Callable[[int], HangingServer]) -> None:
    connection = hanging(0).connect(0.5)
    connection.close()
    with pytest.raises(psycopg2.InterfaceError, match="connection already closed"):
        connection.commit()
