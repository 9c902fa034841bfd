# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What only this station has: put into a backup, and taken out of one. Runs on the station, as root."""

from __future__ import annotations

import contextlib
import errno
import grp
import io
import json
import os
import pwd
import re
import shutil
import sqlite3
import stat
import subprocess
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from .backup import Backup, BackupError, Header, Keys, write
from .belongings import each, is_of_state
from .shredding import shred

_CONTENTS, _DATABASE = "contents.json", "database"
_RESTORING, _REPLACED = ".restoring", ".replaced"
_USER = "preprovision-service"
_SPARE = 16 << 20
"""Bytes that stay free on each file system."""


class Packed(NamedTuple):
    """What a backup holds."""

    paths: list[str]
    database: str
    """``sqlite``, ``postgresql``, or empty where there is none yet."""
    size: int
    """Bytes before compression."""


# -- the database


class Sqlite:
    """A database in a file."""

    kind = "sqlite"

    def __init__(self, path: str) -> None:
        self.path = path

    def dump(self) -> bytes | None:
        """Return it as it was at one moment, though others go on writing; None where there is none. It is held in memory alone."""
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
                raise BackupError(f"the database {self.path} is damaged ({verdict}); mend it before you make a backup of it")
            return copy.serialize()


class Postgresql:
    """A database on a server. Its password is neither in a command line nor in an environment nor in a file on a disk."""

    kind = "postgresql"

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._password = unquote(parts.password or "")
        place = parts.netloc.rpartition("@")[2]
        user = re.sub(":.*", "", parts.netloc.rpartition("@")[0])
        self._url = f"postgresql://{user}@{place}{parts.path}" if user else f"postgresql://{place}{parts.path}"
        self._url += f"?{parts.query}" if parts.query else ""

    def dump(self) -> bytes:
        """Return it as it was at one moment, as SQL that puts it in the place of another."""
        return self._run(["pg_dump", "--clean", "--if-exists", "--no-owner", "--no-privileges", f"--dbname={self._url}"], b"")

    def load(self, dump: bytes) -> None:
        """Put *dump* in the place of what is there, whole or not at all."""
        options = ["--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", "--output=/dev/null"]
        self._run(["psql", *options, f"--dbname={self._url}"], dump)

    def _run(self, command: Sequence[str], text: bytes) -> bytes:
        """Run a client as the user that the server knows by its socket, where there is that user."""
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
            done = subprocess.run(
                command, input=text, capture_output=True, check=False, env=environment, pass_fds=(descriptor,), cwd="/", **account
            )
        except FileNotFoundError as error:
            raise BackupError(f"the database is PostgreSQL's, and there is no {command[0]}; install postgresql-client") from error
        finally:
            os.close(descriptor)
        if done.returncode:
            # The first line says what is wrong; those that follow may quote rows
            reason = done.stderr.decode(errors="replace").strip().partition("\n")[0]
            raise BackupError(f"{command[0]}: {reason.removeprefix(f'{command[0]}: ')}")
        printed: bytes = done.stdout
        return printed


def open_database(url: str) -> Sqlite | Postgresql:
    """Return the database at *url*, a URL of SQLAlchemy."""
    if url.startswith("sqlite:////"):
        return Sqlite(url.removeprefix("sqlite:///"))
    if re.match(r"postgresql(\+psycopg2)?://", url):
        return Postgresql(url)
    raise BackupError("profile_service_database must begin with sqlite://// or postgresql://")


# -- into a backup


def look(url: str) -> list[str]:
    """Return what there is to be kept: paths, each once. Raise BackupError on a machine that is no station."""
    found = [path for path in sorted(each("state")) if os.path.lexists(path)]
    if not found:
        wanted = ", ".join(sorted(each("state")))
        raise BackupError(f"is no station: it has none of {wanted}; nothing was done")
    database = open_database(url)
    return found + ([database.path] if isinstance(database, Sqlite) and os.path.exists(database.path) else [])


def pack(path: str, header: Header, keys: Keys, url: str) -> Packed:
    """Make a backup of this station at *path*."""
    kept = look(url)
    database = open_database(url)
    dump = database.dump()
    files = [below for top in kept if is_of_state(top) for below in _tree(top)]
    size = sum(os.lstat(below).st_size for below in files) + len(dump or b"")
    packed = Packed(kept, database.kind if dump is not None else "", size)
    parents = {os.path.dirname(top): _owner_and_mode(os.path.dirname(top)) for top in kept}
    contents = {"station": header.station, "made": header.made, "release": header.release, **packed._asdict(), "parents": parents}

    def fill(inner: tarfile.TarFile) -> None:
        _add(inner, _CONTENTS, json.dumps(contents, indent=1).encode())
        for below in files:
            # A file that grows meanwhile is kept as long as it was
            inner.add(below, recursive=False)
        if dump is not None:
            _add(inner, _DATABASE, dump, database.path if isinstance(database, Sqlite) else None)

    write(path, header, keys, fill)
    return packed


def _tree(top: str) -> Iterator[str]:
    yield top
    if os.path.isdir(top) and not os.path.islink(top):
        for folder, folders, names in os.walk(top):
            yield from (os.path.join(folder, name) for name in sorted((*folders, *names)))


def _owner_and_mode(path: str) -> dict[str, Any]:
    found = os.stat(path)
    user, group = _name(pwd.getpwuid, found.st_uid), _name(grp.getgrgid, found.st_gid)
    return {"mode": stat.S_IMODE(found.st_mode), "user": user, "group": group}


def _name(ask: Any, number: int) -> str:
    try:
        return str(ask(number)[0])
    except KeyError:
        return "root"


def _add(inner: tarfile.TarFile, name: str, content: bytes, like: str | None = None) -> None:
    info = inner.gettarinfo(like, name) if like else tarfile.TarInfo(name)
    info.size, info.mode = len(content), 0o600
    inner.addfile(info, io.BytesIO(content))


# -- out of a backup


@dataclass
class Restored:
    """What a restore does, or has done."""

    paths: list[str] = field(default_factory=list)
    database: str = ""
    restarted: list[str] = field(default_factory=list)


class _Swap:
    """Paths that get new content, all of them or none; what was there is kept beside them until the end."""

    def __init__(self) -> None:
        self._targets: list[str] = []
        self._moved: list[str] = []
        self._placed: list[str] = []
        self._made: list[str] = []

    def stage(self, target: str) -> str:
        """Return where the new content of *target* is to be put; without any, the target goes."""
        if target not in self._targets:
            self._targets.append(target)
        return target + _RESTORING

    def make_parent(self, path: str, like: Mapping[str, Any]) -> None:
        """Make the folder *path* unless it is there."""
        missing = []
        while not os.path.isdir(path):
            missing.append(path)
            path = os.path.dirname(path)
        for folder in reversed(missing):
            os.mkdir(folder, 0o700)
            self._made.append(folder)
            _give(folder, like)

    def commit(self) -> None:
        """Let the new content take its place."""
        for target in self._targets:
            if os.path.lexists(target):
                os.rename(target, target + _REPLACED)
                self._moved.append(target)
            if os.path.lexists(target + _RESTORING):
                os.rename(target + _RESTORING, target)
                self._placed.append(target)
        os.sync()

    def undo(self) -> None:
        """Let everything be as it was; once that is so, this does nothing."""
        while self._placed:
            shred(self._placed.pop())
        while self._moved:
            target = self._moved.pop()
            os.rename(target + _REPLACED, target)
        for target in self._targets:
            shred(target + _RESTORING)
        while self._made:
            with contextlib.suppress(OSError):
                os.rmdir(self._made.pop())

    def forget(self) -> None:
        """Remove what was there before."""
        for target in self._targets:
            shred(target + _REPLACED)


def _recover(targets: Iterable[str]) -> None:
    """Take back what a restore had begun when the power failed."""
    for target in targets:
        if os.path.lexists(target + _REPLACED):
            shred(target)
            os.rename(target + _REPLACED, target)
        shred(target + _RESTORING)


def _give(path: str, like: Mapping[str, Any]) -> None:
    """Give *path* the mode, time and, where they exist here, user and group that it had."""
    user, group = _number(pwd.getpwnam, like["user"], 2), _number(grp.getgrnam, like["group"], 2)
    os.chown(path, user, group, follow_symlinks=False)
    if not os.path.islink(path):
        os.chmod(path, int(like["mode"]))
        # The ledger reckons from it when a certificate ends
        if "time" in like:
            os.utime(path, (like["time"], like["time"]))


def _number(ask: Any, name: str, place: int) -> int:
    try:
        return int(ask(name)[place])
    except KeyError:
        return 0


def unpack(path: str, told: str, keys: Keys, url: str, only_look: bool) -> Restored:
    """Put what the backup at *path* holds in the place of what is here; where that fails, everything is as it was."""
    with Backup(path, told) as backup:
        inner = backup.unseal(keys)
        first = inner.next()
        if first is None or first.name != _CONTENTS:
            raise BackupError(f"{told} holds no list of its contents")
        contents = json.loads(_read(inner, first))
        database = open_database(url)
        if contents["database"] not in ("", database.kind):
            raise BackupError(
                f"{told} holds a database of {contents['database']}, and profile_service_database here is of {database.kind}"
            )
        restored = Restored([kept for kept in contents["paths"] if is_of_state(kept)], contents["database"])
        _check_space(restored.paths, int(contents["size"]))
        if only_look:
            return restored
        files = [database.path, f"{database.path}-wal", f"{database.path}-shm"] if isinstance(database, Sqlite) else []
        _recover([*each("state"), *files])
        swap = _Swap()
        try:
            dump = _stage(inner, swap, restored.paths, contents["parents"], database, told)
            if dump is not None and isinstance(database, Sqlite):
                for sidecar in files[1:]:
                    swap.stage(sidecar)
            _exchange(swap, database if isinstance(database, Postgresql) else None, dump, restored)
        except OSError as error:
            swap.undo()
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise BackupError(f"there is no space for what {told} holds; everything is as it was") from error
            raise
        except BaseException:
            swap.undo()
            raise
        swap.forget()
        return restored


def _read(inner: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = inner.extractfile(member)
    return file.read() if file else b""


def _check_space(paths: Iterable[str], size: int) -> None:
    """Refuse where a file system has less room than all that a backup holds."""
    for path in paths:
        folder = os.path.dirname(path)
        while not os.path.isdir(folder):
            folder = os.path.dirname(folder)
        free = shutil.disk_usage(folder).free
        if free < size + _SPARE:
            wanted = (size + _SPARE >> 20) + 1
            raise BackupError(f"{folder} has {free >> 20} MiB free, and a restore needs {wanted}; nothing was changed")


def _stage(
    inner: tarfile.TarFile,
    swap: _Swap,
    paths: Sequence[str],
    parents: Mapping[str, Mapping[str, Any]],
    database: Sqlite | Postgresql,
    told: str,
) -> bytes | None:
    """Put everything beside its place; return the database unless it is a file."""
    dump = None
    for member in inner:
        if member.name == _CONTENTS:
            continue
        like = {"mode": member.mode, "user": member.uname, "group": member.gname, "time": member.mtime}
        if member.name == _DATABASE:
            dump = _read(inner, member)
            if isinstance(database, Sqlite):
                parent = os.path.dirname(database.path)
                swap.make_parent(parent, parents.get(parent, {**like, "mode": 0o700}))
                _write(swap.stage(database.path), dump, like)
            continue
        path = os.path.normpath(f"/{member.name}")
        top = next((kept for kept in paths if path == kept or path.startswith(f"{kept}/")), None)
        if top is None or not (member.isreg() or member.isdir() or member.issym()):
            raise BackupError(f"{told} holds {member.name!r}, which is nothing that a station keeps")
        swap.make_parent(os.path.dirname(top), parents[os.path.dirname(top)])
        place = swap.stage(top) + path.removeprefix(top)
        if member.isdir():
            os.mkdir(place, 0o700)
            _give(place, like)
        elif member.issym():
            os.symlink(member.linkname, place)
        else:
            _write(place, _read(inner, member), like)
    return dump


def _write(path: str, content: bytes, like: Mapping[str, Any]) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    _give(path, like)


def _exchange(swap: _Swap, server: Postgresql | None, dump: bytes | None, restored: Restored) -> None:
    """Let the services stand still, exchange everything, and start them again; also where that fails."""
    holders = list(each("holders"))
    running = [unit for unit in holders if _systemctl("is-active", "--quiet", unit)]
    old = server.dump() if server and dump is not None else None
    loaded = False
    if running:
        _systemctl("stop", *running)
    try:
        if server and dump is not None:
            server.load(dump)
            loaded = True
        swap.commit()
        for unit in reversed(running):
            if not _systemctl("start", unit):
                raise BackupError(
                    f"{unit} does not start with what the backup holds (journalctl -u {unit}); everything is as it was"
                )
    except BaseException:
        _systemctl("stop", *holders)
        swap.undo()
        if server and loaded and old is not None:
            server.load(old)
        if running:
            _systemctl("reset-failed", *running)
            _systemctl("start", *reversed(running))
        raise
    restored.restarted = running


def _systemctl(*arguments: str) -> bool:
    return subprocess.run(["systemctl", *arguments], capture_output=True, check=False).returncode == 0
