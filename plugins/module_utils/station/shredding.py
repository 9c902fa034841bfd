# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Overwrite files before they are removed, so that their content cannot be read from the disk afterwards.

This fails on storage that writes to another place each time: SSDs, memory cards, and file systems that copy on write or keep
snapshots.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator

_CHUNK = 1 << 20


def shred(*paths: str) -> int:
    """Overwrite all files at and below *paths*, flush them to the disk and remove them; return the number of files."""
    count = 0
    for file in _files(paths):
        _overwrite(file)
        count += 1
    if count:
        os.sync()
    for path in paths:
        remove(path)
    return count


def remove(path: str) -> None:
    """Remove a file, a link, or a folder with its content, if it exists."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


def _files(paths: tuple[str, ...]) -> Iterator[str]:
    """Yield each regular file once, however many names it has."""
    seen = set()
    for path in paths:
        tree = [os.path.join(folder, name) for folder, _folders, names in os.walk(path) for name in names]
        for file in tree if os.path.isdir(path) and not os.path.islink(path) else [path]:
            if not os.path.lexists(file):
                continue
            found = os.lstat(file)
            if stat.S_ISREG(found.st_mode) and (found.st_dev, found.st_ino) not in seen:
                seen.add((found.st_dev, found.st_ino))
                yield file


def _overwrite(path: str) -> None:
    with open(path, "r+b", buffering=0) as file:
        left = os.fstat(file.fileno()).st_size
        while left > 0:
            left -= file.write(os.urandom(min(left, _CHUNK)))
