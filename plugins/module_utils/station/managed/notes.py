# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Notes in which a unit records, each time it starts or reloads, which files it reads.

A note lies on a tmpfs, so it is as old as the boot at most, and a unit that started without the lines that write it has none.
It holds the digest of the unit's own text, which systemd hands over as it has loaded it, and what sha256sum says of the files
that the unit reads. No clock decides: those of bench PCs jump.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from .plan import Unit

FOLDER = "/run/preprovision"
STARTED = f"{FOLDER}/started"
"""A note for each unit, about what only a restart applies."""
LOADED = f"{FOLDER}/loaded"
"""A note for each unit that can reload, about what a reload applies."""

_LINE = re.compile(r"([0-9a-f]{64})  (/.*)")
# What sh(1) runs: $0 is the note, $1 the digest, and the rest are files and folders. Compiled code comes and goes by itself
_SCRIPT = (
    'mkdir -p "${0%/*}"; {'
    ' echo "$1"; shift; test $# = 0 || find -L "$@" -type f ! -name "*.pyc" -exec sha256sum {} + 2>/dev/null || true; } >"$0"'
)


class Note(NamedTuple):
    """What a unit has read."""

    digest: str
    files: Mapping[str, str]
    """SHA-256 by path."""


def digest_of(text: str) -> str:
    """Return a digest of a unit's own text."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def parse_note(text: str) -> Note:
    """Return what a note says; lines of another form count for nothing."""
    first, _newline, rest = text.partition("\n")
    found = (_LINE.fullmatch(line) for line in rest.splitlines())
    return Note(first, {line[2]: line[1] for line in found if line})


def notes_of(unit: Unit) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Return digest and paths that each note of *unit* is about, by the note's path."""
    if not unit.digest:
        return {}
    if unit.reload_for_unit:
        return {f"{LOADED}/{unit.note}": (unit.digest, unit.reload_for)}
    notes = {f"{STARTED}/{unit.note}": (unit.digest, unit.restart_for)}
    return {**notes, f"{LOADED}/{unit.note}": ("-", unit.reload_for)} if unit.reload_for else notes


def note_lines(unit: Unit) -> str:
    """Return the lines that make *unit* write its notes, to be added to the text of the unit or of its drop-in."""
    commands = {path: _command(path, digest, files) for path, (digest, files) in notes_of(unit).items()}
    section = "Socket" if unit.name.endswith(".socket") else "Service"
    lines = [f"[{section}]", "# The unit records which files it starts with; see voip.preprovision.managed_files"]
    lines += [f"ExecStartPre=-+{command}" for command in commands.values()]
    lines += [f"ExecReload=-+{command}" for path, command in commands.items() if path.startswith(f"{LOADED}/")]
    return "\n".join(lines) + "\n"


def _command(note: str, digest: str, files: Iterable[str]) -> str:
    script = _SCRIPT.replace("%", "%%").replace("$", "$$")
    return " ".join(["/bin/sh -c", f"'{script}'", note, digest, *files])
