# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rendering and sealing many phones' files, by as many processes as there are cores where that pays.

Each process reads its own share of the phones, in blocks that take turns, so results come in the order of the phones. They come by
pipes: nothing of a profile is in a file, in an argument or in the environment.
"""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import signal
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any, NamedTuple

from ..module_utils.phones.phone import Phone, PhoneError
from ..module_utils.profiles.sealing.model import SealingError
from ..module_utils.publishing.files import File
from ..module_utils.publishing.transfer import LiveFile
from .publication_errors import ERRORS
from .validate_phones import ValidatedPhones

MIN_SHARED = 4000
"""Phones below which one process is as quick: starting another takes as long as rendering some hundred."""
MAX_PROCESSES = 8
BLOCK = 64


class Compared(NamedTuple):
    """A file that was made and compared with the live one."""

    path: str
    owner: str
    kind: str
    fingerprint: str
    is_live: bool
    content: bytes
    """Empty unless it is to be sent."""
    file: File | None
    """For a diff, which shows only the first files."""


@dataclass(frozen=True)
class Comparing:
    """What files are compared with, and whether those that differ are sealed."""

    live: Mapping[str, LiveFile]
    salt: bytes
    seal: bool
    max_shown: int

    def compare(self, file: File, differing: int) -> Compared:
        """Compare one file, before which *differing* others were not live; raise PhoneError if it cannot be sealed."""
        fingerprint = file.fingerprint(self.salt)
        was = self.live.get(file.path)
        # A phone may have a new name, and the target must know whose file it is
        if was is not None and (was.fingerprint, was.owner) == (fingerprint, file.owner):
            return Compared(file.path, file.owner, file.kind, fingerprint, True, b"", None)
        try:
            content = file.content() if self.seal else b""
        except SealingError as error:
            raise PhoneError(f"{file.owner}: its {file.kind} profile cannot be sealed: {error}") from error
        shown = file if differing < self.max_shown else None
        return Compared(file.path, file.owner, file.kind, fingerprint, False, content, shown)


Made = tuple[str, list[Compared]]
"""Name of a phone, and its files."""


def make_files(validated: ValidatedPhones, comparing: Comparing, count: int, processes: int = 0) -> Iterator[Made]:
    """Yield each phone's files in the order of the phones; raise PhoneError.

    *count*: about how many phones there are. *processes*: how many render; 0 for as many as pay.
    """
    if not processes:
        processes = min(len(os.sched_getaffinity(0)), MAX_PROCESSES) if count >= MIN_SHARED else 1
    if processes == 1:
        yield from _make(validated, validated.phones(), comparing)
        return
    with contextlib.ExitStack() as stack:
        pipes = [stack.enter_context(_worker(validated, comparing, number, processes)) for number in range(processes)]
        ended = False
        while not ended:
            for pipe in pipes:
                block = _receive(pipe)
                if isinstance(block, Exception):
                    raise block
                yield from block
                # A share ends with a block that is not full, and so do those that follow
                if len(block) < BLOCK:
                    ended = True
                    break


def _make(validated: ValidatedPhones, phones: Iterable[Phone], comparing: Comparing) -> Iterator[Made]:
    differing = 0
    for phone in phones:
        files = []
        for file in validated.publisher.files(phone):
            files.append(comparing.compare(file, differing))
            differing += not files[-1].is_live
        yield phone.name, files


@contextlib.contextmanager
def _worker(validated: ValidatedPhones, comparing: Comparing, number: int, of: int) -> Iterator[IO[bytes]]:
    """Start process *number* of so many; yield what it writes, and end it."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        status = 1
        try:
            os.close(reading)
            with open(writing, "wb") as pipe:
                _work(validated, comparing, number, of, pipe)
            status = 0
        finally:
            # Neither Ansible's handlers nor its buffers are this process's to run
            os._exit(status)
    os.close(writing)
    try:
        with open(reading, "rb") as pipe:
            yield pipe
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _work(validated: ValidatedPhones, comparing: Comparing, number: int, of: int, pipe: IO[bytes]) -> None:
    # What this process shares with the others stays shared as long as nobody writes to it
    gc.disable()
    block: list[Made] = []
    try:
        for made in _make(validated, validated.share(number, of, BLOCK), comparing):
            block.append(made)
            if len(block) == BLOCK:
                _send(pipe, block)
                block = []
        _send(pipe, block)
    except ERRORS as error:
        _send(pipe, type(error)(str(error)))
    except Exception as error:
        _send(pipe, RuntimeError(f"rendering failed with {type(error).__name__}"))


def _send(pipe: IO[bytes], value: object) -> None:
    content = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    pipe.write(len(content).to_bytes(8, "little"))
    pipe.write(content)
    pipe.flush()


def _receive(pipe: IO[bytes]) -> Any:
    size = int.from_bytes(pipe.read(8), "little")
    content = pipe.read(size)
    if not size or len(content) != size:
        raise RuntimeError("a process that rendered profiles has ended")
    return pickle.loads(content)  # noqa: S301 - from a child of this process
