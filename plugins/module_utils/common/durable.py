# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files, and names in a folder, that outlast a power cut."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator


def sync_folder(folder: str | os.PathLike[str]) -> None:
    """Write the names in *folder* to the disk (fsync(2) of a file does not write its name); raise OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_durably(path: str | os.PathLike[str], content: bytes, mode: int = 0o600) -> None:
    """Make *content* the file *path*, which is the old or the new one after a power cut, and never an empty one; raise OSError."""
    with _durable_part(path, content, mode) as part:
        os.rename(part, path)


def create_durably(path: str | os.PathLike[str], content: bytes, mode: int = 0o600) -> None:
    """Create the file *path*, whole as soon as it has its name; raise FileExistsError if there is one, and OSError."""
    with _durable_part(path, content, mode) as part:
        os.link(part, path)


@contextlib.contextmanager
def _durable_part(path: str | os.PathLike[str], content: bytes, mode: int) -> Iterator[str]:
    """Yield the path of a file with *content* beside *path*, on the disk; what becomes of it is made durable, too."""
    folder, name = os.path.split(os.fspath(path))
    part = os.path.join(folder, f".{name}.{secrets.token_hex(8)}")
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield part
        sync_folder(folder or ".")
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part)
