# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The profile service's database in a backup: dump SQLite and PostgreSQL consistently while the service runs, and load a dump."""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import sqlite3
from collections.abc import Sequence
from typing import Any

from ...common.database_urls import DatabaseUrlError, read_database_url
from ...common.processes import run_program
from .archive import BackupError

_USER = "preprovision-service"


class Sqlite:
    """A database in a file."""

    kind = "sqlite"

    def __init__(self, path: str) -> None:
        self.path = path

    def dump(self) -> bytes | None:
        """Return a consistent copy, even while others write; None if the file does not exist. The copy exists only in memory."""
        if not os.path.exists(self.path):
            return None
        with contextlib.ExitStack() as opened:
            source = opened.enter_context(contextlib.closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)))
            copy = opened.enter_context(contextlib.closing(sqlite3.connect(":memory:")))
            try:
                source.backup(copy)
                (verdict,) = copy.execute("PRAGMA integrity_check(1)").fetchone()
            except sqlite3.DatabaseError as error:
                verdict = str(error)
            if verdict != "ok":
                raise BackupError(f"the database {self.path} is damaged ({verdict}); repair it before you back it up")
            return copy.serialize()


class Postgresql:
    """A database on a server. Its password never appears in a command line, an environment or a file on a disk."""

    kind = "postgresql"

    def __init__(self, url: str) -> None:
        try:
            found = read_database_url(url)
        except DatabaseUrlError as error:
            raise BackupError(f"profile_service_database: {error}") from None
        self._password = found.password
        # Of several hosts, the primary: a standby may lag, and cannot be written
        self._url = found.text("read-write")

    def dump(self) -> bytes:
        """Return a consistent copy, as SQL that replaces the content of a database."""
        return self._run(["pg_dump", "--clean", "--if-exists", "--no-owner", "--no-privileges", f"--dbname={self._url}"], b"")

    def load(self, dump: bytes) -> None:
        """Replace the content of the database by *dump* in one transaction."""
        options = ["--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", "--output=/dev/null"]
        self._run(["psql", *options, f"--dbname={self._url}"], dump)

    def _run(self, command: Sequence[str], text: bytes) -> bytes:
        """Run a client, as the service's user if it exists, since a server may identify that user by its socket."""
        descriptor = os.memfd_create("password")
        account: dict[str, Any] = {}
        try:
            os.fchmod(descriptor, 0o600)
            with contextlib.suppress(KeyError):
                found = pwd.getpwnam(_USER)
                account = {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}
                os.fchown(descriptor, found.pw_uid, found.pw_gid)
            os.write(descriptor, b"*:*:*:*:" + re.sub(rb"([\\:])", rb"\\\1", self._password.encode()) + b"\n")
            passwords = f"/proc/self/fd/{descriptor}"
            environment = {"PATH": os.environ.get("PATH", os.defpath), "PGPASSFILE": passwords, "LC_ALL": "C.UTF-8"}
            done = run_program(command, data=text, env=environment, pass_fds=(descriptor,), cwd="/", **account)
        except FileNotFoundError as error:
            raise BackupError(f"{command[0]} is missing, which the PostgreSQL database needs; install postgresql-client") from error
        finally:
            os.close(descriptor)
        if done.returncode:
            # The first line states the error; the following ones may quote rows
            reason = done.stderr.decode(errors="replace").strip().partition("\n")[0]
            raise BackupError(f"{command[0]}: {reason.removeprefix(f'{command[0]}: ')}")
        printed: bytes = done.stdout
        return printed


def open_database(url: str) -> Sqlite | Postgresql:
    """Return the database at *url*, an SQLAlchemy URL."""
    if url.startswith("sqlite:////"):
        return Sqlite(url.removeprefix("sqlite:///"))
    if re.match(r"postgresql(\+psycopg2)?://", url):
        return Postgresql(url)
    raise BackupError("profile_service_database must begin with sqlite://// or postgresql://")
