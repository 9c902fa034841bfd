# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which files nobody has touched since their content was verified, by what stat(2) says of them.

Whatever changes a file's content, owner or mode sets its change time, which no program can set, unlike the modification time. So a
file with the same inode, size, modification and change time as when it was verified need not be read again. What this cannot show,
such as a faulty disk, shows when the content is read, which happens at least once a day.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from array import array
from collections.abc import Iterable, Iterator
from typing import NamedTuple

_VERSION = 1
MAX_AGE = 86400
"""Seconds after which every file is read again."""
TICK = 0.02
"""Seconds in which a file can change twice without a new time, since the kernel's clock for files is coarse."""

UNKNOWN = (0, 0, 0, 0)
"""Of a file whose content must be read."""


class Evidence(NamedTuple):
    """What stat(2) said of files that were intact: (inode, size, modification time, change time) of each, times in ns."""

    generation: str
    taken: float
    """When all contents were read, in seconds since 1970."""
    manifest: tuple[int, ...]
    """That of the manifest."""
    paths: list[str]
    values: array[int]
    """Those of all paths, one after the other."""

    def items(self) -> Iterator[tuple[str, tuple[int, int, int, int]]]:
        """Yield path and evidence of each file."""
        numbers = iter(self.values)
        yield from zip(self.paths, zip(numbers, numbers, numbers, numbers, strict=True), strict=True)

    def pack(self) -> bytes:
        """Return it as bytes for read_evidence()."""
        paths = os.fsencode("\0".join(self.paths))
        head = [_VERSION, sys.byteorder, self.generation, self.taken, self.manifest, len(self.paths), len(paths)]
        body = b"".join([json.dumps(head).encode(), b"\n", paths, self.values.tobytes()])
        return hashlib.blake2b(body, digest_size=16).digest() + body


def read_evidence(packed: bytes, generation: str) -> Evidence | None:
    """Return what Evidence.pack() packed; None if it is damaged, too old, or about another generation."""
    if hashlib.blake2b(memoryview(packed)[16:], digest_size=16).digest() != packed[:16]:
        return None
    end = packed.index(b"\n", 16) + 1
    version, order, name, taken, manifest, count, size = json.loads(packed[16:end])
    if (version, order, name) != (_VERSION, sys.byteorder, generation) or not 0 <= time.time() - taken < MAX_AGE:
        return None
    values = array("q", packed[end + size :])
    return Evidence(name, taken, tuple(manifest), os.fsdecode(packed[end : end + size]).split("\0") if count else [], values)


def evidence_of(status: os.stat_result) -> tuple[int, int, int, int]:
    """Return the evidence of one file."""
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def settled(values: Iterable[tuple[int, int, int, int]], now: int) -> array[int]:
    """Return evidence as Evidence.values; unknown for files that changed so shortly before *now*, in ns, that they could again."""
    limit = now - int(TICK * 1e9)
    return array("q", [number for value in values for number in (value if value[3] < limit else UNKNOWN)])
