# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keep the links in the TFTP server's folder right: which units get a file of their own, and what everybody gets.

    python3 -m preprovision.station.agents.arming [--check] PUBLISHED LINKS DONE

PUBLISHED: the published folder (publishing/generations.py); its live generation holds ``units/<aa-bb-cc-dd-ee-ff>/`` and ``open/``.
LINKS: the folder to keep right; it holds symbolic links only: one replaces a file in its place, but not a folder. DONE: folder with
an empty file for each unit that is done, which has the unit's name; without that folder, no unit is done. ``--check`` prints what
is wrong and changes nothing.

dnsmasq (``tftp-unique-root=mac``) looks only in ``<LINKS>/<MAC>`` if the requesting unit has such a folder, and otherwise in LINKS.
So a link to the unit's folder arms the unit, and content changes with the swap of ``current``.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

UNIT = re.compile(r"[0-9a-f]{2}(?:-[0-9a-f]{2}){5}", re.ASCII)
"""A unit's name: its MAC address, as dnsmasq spells it."""

TRAILING_BYTE = "\udcff"
"""Byte 0xFF (PEP 383), which some units append to the name of the file that they request."""

FILE = ""
"""In place of a link's target, which is never empty, for what is neither a link nor a folder."""

MAX_LINES = 200
"""If more units change at once, one line gives their number."""

_CURRENT = "current"
_UNITS = "units"
_OPEN = "open"
# A link that is about to replace another one
_NEXT = ".next"
_MODE = 0o755
# Bytes, see path_resolution(7)
_MAX_NAME_LENGTH = 255
_FOLDER = os.O_RDONLY | os.O_DIRECTORY
# Prefixes of a line's priority, see sd-daemon(3)
_NOTICE = "<5>"
_WARNING = "<4>"
_ERROR = "<3>"


class ArmingError(Exception):
    """The links cannot be kept right; the message says why and what to do."""


class Published(NamedTuple):
    """What the live generation offers."""

    units: Collection[str]
    """Names in ``units/``."""
    files: Mapping[str, bool]
    """Names in ``open/``, and whether each is a folder."""


class Plan(NamedTuple):
    """What to change in the folder of links."""

    remove: Sequence[str]
    """Names of links."""
    make: Mapping[str, str]
    """Name -> target of links that are missing or lead elsewhere."""
    replaced: Sequence[str]
    """Those of these names that are files."""
    foreign: Sequence[str]
    """Names of other files and folders, which are left alone."""
    blocking: Sequence[str]
    """Names of folders in the place of a link."""


# -- decide


def wanted_links(published: Published, done: Collection[str], base: str) -> dict[str, str]:
    """Return name -> target of all links that should exist. *base*: path from the folder of links to the live generation.

    Hidden names are not linked, nor are shared names that look like a unit's: such a folder would be served to that unit.
    """
    shared = {
        name: f"{base}/{_OPEN}/{name}"
        for name in published.files
        if not name.startswith(".") and not UNIT.fullmatch(name.removesuffix(TRAILING_BYTE))
    }
    with_byte = {
        f"{name}{TRAILING_BYTE}": target
        for name, target in shared.items()
        if not published.files[name] and not name.endswith(TRAILING_BYTE) and len(os.fsencode(name)) < _MAX_NAME_LENGTH
    }
    units = {name: f"{base}/{_UNITS}/{name}" for name in published.units if UNIT.fullmatch(name) and name not in done}
    return {**with_byte, **shared, **units}


def plan(wanted: Mapping[str, str], present: Mapping[str, str | None]) -> Plan:
    """Compare *wanted* with the *present* names, each with the target of its link, FILE, or None for a folder."""
    files = [name for name, target in present.items() if target == FILE]
    foreign = [name for name, target in present.items() if not target and name not in wanted]
    return Plan(
        remove=[name for name, target in present.items() if target and name not in wanted],
        make={name: target for name, target in wanted.items() if present.get(name, FILE) not in (target, None)},
        replaced=[name for name in files if name in wanted],
        foreign=foreign,
        blocking=[name for name, target in present.items() if target is None and name in wanted],
    )


def describe(verb: str, names: Iterable[str]) -> Iterator[str]:
    """Yield a line for each unit among *names*, or their number if there are many."""
    units = sorted(filter(UNIT.fullmatch, names))
    if len(units) > MAX_LINES:
        yield f"{verb} {len(units)} units"
    else:
        yield from (f"{verb} {unit}" for unit in units)


# -- look


def read_published(root: str) -> Published:
    """Return what the live generation below *root* offers: nothing if there is none."""
    try:
        # Opened once, so that all names are those of one generation
        live = os.open(os.path.join(root, _CURRENT), _FOLDER)
    except FileNotFoundError:
        return Published((), {})
    try:
        return Published(_names(live, _UNITS), {entry.name: entry.is_dir() for entry in _entries(live, _OPEN)})
    finally:
        os.close(live)


def read_done(path: str) -> set[str]:
    """Return the names in the folder *path*; none if it does not exist."""
    try:
        return set(os.listdir(path))
    except FileNotFoundError:
        return set()


def read_links(folder: int) -> dict[str, str | None]:
    """Return name -> target of what is in *folder*; FILE or None for what is not a link."""
    with os.scandir(folder) as entries:
        return {entry.name: _target(entry, folder) for entry in entries}


def _target(entry: os.DirEntry[str], folder: int) -> str | None:
    if entry.is_symlink():
        return os.readlink(entry.name, dir_fd=folder)
    return None if entry.is_dir() else FILE


def _names(base: int, name: str) -> list[str]:
    return [entry.name for entry in _entries(base, name)]


def _entries(base: int, name: str) -> Iterator[os.DirEntry[str]]:
    try:
        folder = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=base)
    except FileNotFoundError:
        return
    try:
        with os.scandir(folder) as entries:
            yield from entries
    finally:
        os.close(folder)


# -- act


def remove_links(names: Collection[str], folder: int) -> None:
    """Remove links from *folder*, durably."""
    for name in names:
        os.unlink(name, dir_fd=folder)
    if names:
        os.fsync(folder)


def make_links(links: Mapping[str, str], present: Collection[str], folder: int) -> None:
    """Make links in *folder*, durably; those among the *present* names are replaced."""
    for name, target in links.items():
        if name in present:
            # Renamed into place, so that the name is never missing meanwhile
            os.symlink(target, _NEXT, dir_fd=folder)
            os.rename(_NEXT, name, src_dir_fd=folder, dst_dir_fd=folder)
        else:
            os.symlink(target, name, dir_fd=folder)
    if links:
        os.fsync(folder)


def keep_right(published: str, links: str, done: str, say: Callable[[str], None], check: bool = False) -> bool:
    """Make the links right and say what changed; with *check*, only say it. Return whether they were, or now are, right.

    Changes are durable before they are said; a run that is killed in between does not say them, nor does the next.

    Raises ArmingError if the folder of links is missing, and OSError.
    """
    base = os.path.join(os.path.relpath(published, links), _CURRENT)
    try:
        folder = os.open(links, _FOLDER | os.O_NOFOLLOW)
    except FileNotFoundError:
        raise ArmingError(f"{links} does not exist; run site, which creates it") from None
    try:
        present = read_links(folder)
        changes = plan(wanted_links(read_published(published), read_done(done), base), present)
        for name in changes.foreign:
            say(f"{_WARNING}{_shown(links, name)} is not a symbolic link; move it away")
        for name in changes.blocking:
            say(f"{_ERROR}{_shown(links, name)} is a folder in the place of a symbolic link; move it away")
        for name in changes.replaced:
            say(f"{_WARNING}{_shown(links, name)} was not a symbolic link; it is replaced by one")
        # A unit that is done first, whatever becomes of the rest
        if not check:
            remove_links(changes.remove, folder)
        _say_all(say, "disarmed", changes.remove)
        if not check:
            make_links(changes.make, present, folder)
        _say_all(say, "armed", changes.make)
        return not changes.blocking and not (check and (changes.remove or changes.make or not _is_served(folder)))
    finally:
        os.close(folder)


def _shown(links: str, name: str) -> str:
    return os.path.join(links, ascii(name)[1:-1])


def _say_all(say: Callable[[str], None], verb: str, names: Iterable[str]) -> None:
    for line in describe(verb, names):
        say(f"{_NOTICE}{line}")


def _is_served(folder: int) -> bool:
    """Return whether everybody may enter *folder* and only its owner, who runs this, may change it."""
    status = os.fstat(folder)
    return stat.S_IMODE(status.st_mode) == _MODE and status.st_uid == os.geteuid()


def main(arguments: Sequence[str]) -> int:
    """Make the links right, or check them."""
    check = arguments[0] == "--check"
    published, links, done = arguments[1:] if check else arguments
    try:
        right = keep_right(published, links, done, _say, check)
    except (ArmingError, OSError) as error:
        _say(f"{_ERROR}{error}")
        return 1
    return 0 if right else 1


def _say(line: str) -> None:
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
