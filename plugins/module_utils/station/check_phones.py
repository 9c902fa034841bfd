# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Profiles of phones that exist only for a check, beside the published ones.

Runs on the target. The files of such a phone are in no manifest, so publishing treats them as foreign files and leaves them alone.
A publication at the same time links them into its generation, so they are removed from every generation. The next run removes the
remains of one that was killed.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..common.mac import Mac, MacError, parse_mac
from ..publishing.generations import PublishedTree, for_folders, link_shared
from ..publishing.layout import UNITS

_LOCAL = 0x02
_LAST_BYTE = 2
_MAX_PHONES = 256
_UNIT = re.compile(r"(?:[0-9a-f]{2}-){5}[0-9a-f]{2}")
_MAC = re.compile(r"(?<![0-9a-f])[0-9a-f]{12}(?![0-9a-f])", re.IGNORECASE)


class CheckPhonesError(ValueError):
    """The phones cannot be made; the message says why and what to do."""


def consecutive_macs(first: object, count: int) -> list[Mac]:
    """Return *count* addresses from *first* on, all locally administered and with the same first five bytes."""
    try:
        mac = parse_mac(first)
    except MacError as error:
        raise CheckPhonesError(f"mac: {error}") from error
    if not int(mac.plain[:2], 16) & _LOCAL:
        raise CheckPhonesError(
            f"mac is {mac}, which a real phone may have; use a locally administered address such as 02:00:5e:00:53:00"
        )
    last = int(mac.plain[-_LAST_BYTE:], 16) + count
    if last > _MAX_PHONES:
        raise CheckPhonesError(f"mac is {mac}, which leaves fewer than {count} addresses with the same first five bytes")
    return [Mac(f"{mac.plain[:-_LAST_BYTE]}{number:02x}") for number in range(last - count, last)]


def prefix(first: object) -> str:
    """Return the first ten hex digits of all addresses of consecutive_macs()."""
    return consecutive_macs(first, 1)[0].plain[:-_LAST_BYTE]


def place(tree: PublishedTree, files: Iterable[tuple[str, bytes]]) -> list[str]:
    """Write files into the live generation, each in one step and with the access that its place has; return their paths."""
    name = tree.live_name()
    if not name:
        raise CheckPhonesError(f"nothing is published in {tree.root}; run the playbook site, then check again")
    generation = Path(tree.generations, name)
    placed, units = [], set()
    for path, content in files:
        _make_folder(tree, generation, os.path.dirname(path))
        mode, group = tree.access_of(path)
        target = generation / path
        new = target.with_name(f".{target.name}.new")
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with open(descriptor, "wb") as file:
            file.write(content)
            os.fchown(descriptor, 0, group)
            os.fchmod(descriptor, mode)
        os.rename(new, target)
        placed.append(str(target))
        if path.startswith(f"{UNITS}/"):
            units.add(os.path.dirname(path))
    opened = os.open(generation, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for unit in sorted(units):
            link_shared(opened, unit)
    finally:
        os.close(opened)
    return placed


def _make_folder(tree: PublishedTree, generation: Path, path: str) -> None:
    """Make a folder of the generation with the access that its place has, unless it exists."""
    folder = generation / path
    if folder.is_dir():
        return
    _make_folder(tree, generation, os.path.dirname(path))
    mode, group = tree.access_of(path)
    folder.mkdir(0o700)
    os.chown(folder, 0, group)
    os.chmod(folder, for_folders(mode))


def sweep(tree: PublishedTree, beginning: str) -> list[str]:
    """Remove every file whose name, or whose unit's folder, has a MAC address with this *beginning*, and folders empty then.

    Return the files, without the links beside them: the name of one ends with a byte that no text can hold.
    """
    removed = []
    for path in _named(tree.generations, beginning):
        with contextlib.suppress(FileNotFoundError):
            is_link = os.path.islink(path)
            os.unlink(path)
            removed += [] if is_link else [path]
        with contextlib.suppress(OSError):
            os.rmdir(os.path.dirname(path))
    return removed


def _named(folder: str, beginning: str, all_files: bool = False) -> Iterator[str]:
    """Yield the files below *folder* whose names have such an address; *all_files*: the folder itself has one."""
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.is_dir(follow_symlinks=False):
                is_unit = bool(_UNIT.fullmatch(entry.name)) and entry.name.replace("-", "").startswith(beginning)
                yield from _named(entry.path, beginning, is_unit)
            elif all_files or any(found.lower().startswith(beginning) for found in _MAC.findall(entry.name)):
                yield entry.path
