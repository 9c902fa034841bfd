# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is published for one phone, and whether the server that delivers it may read it."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..common.mac import Mac
from ..events.diagnosis.known_facts import OwnFile, PublishedFacts
from ..publishing.generations import PublishedTree, TreeError

TFTP = "tftp"
"""The folder beside the generations with a link for each unit that is armed."""
_PLAIN_MAC = re.compile("[0-9a-f]{12}")


def read_files(root: str, names: Sequence[str]) -> PublishedFacts:
    """Return the live generation, the files that every phone may fetch, and those whose path contains one of *names*.

    The latter come with their owner, kind and fingerprint from the manifest. A MAC address also names its unit's folder.
    """
    tree = PublishedTree(root, {})
    folders = [Mac(name).dash for name in names if _PLAIN_MAC.fullmatch(name)]
    armed = any(os.path.isdir(os.path.join(root, TFTP, folder)) for folder in folders)
    names = [*names, *folders]
    try:
        generation = tree.live_name()
    except TreeError:
        generation = ""
    if not generation:
        return {"generation": "", "files": [], "own": [], "armed": False}
    folder = Path(tree.generations, generation)
    marks = _marks(folder / "manifest.jsonl", names)
    unknown: OwnFile = {"owner": "", "kind": "", "fingerprint": ""}
    own: list[OwnFile] = [
        {"path": path, "readable": _is_readable(folder / path), **marks.get(path, unknown)} for path in _files_of(folder, names)
    ]
    missing: list[OwnFile] = [
        {"path": path, **mark, "missing": True} for path, mark in marks.items() if not (folder / path).is_file()
    ]
    try:
        everybody = sorted(f"/{entry.name}" for entry in os.scandir(folder / "open") if entry.is_file(follow_symlinks=False))
    except OSError:
        everybody = []
    return {"generation": generation, "files": everybody, "own": [*own, *missing], "armed": armed}


def _is_readable(path: Path) -> bool:
    """Tell whether everybody may read a file, or its folder's group, which is that of the server that delivers it."""
    try:
        status, folder = path.stat(), path.parent.stat()
    except OSError:
        return False
    return bool(status.st_mode & stat.S_IROTH) or (bool(status.st_mode & stat.S_IRGRP) and status.st_gid == folder.st_gid)


def _marks(manifest: Path, names: Sequence[str]) -> dict[str, OwnFile]:
    marks: dict[str, OwnFile] = {}
    try:
        with manifest.open(encoding="utf-8") as lines:
            next(lines, None)
            for line in lines:
                if any(name in line for name in names):
                    path, _digest, fingerprint, owner, kind = json.loads(line)
                    marks[path] = {"owner": owner, "kind": kind, "fingerprint": fingerprint}
    except (OSError, ValueError):
        return {}
    return marks


def _files_of(folder: Path, names: Sequence[str], below: str = "") -> Iterator[str]:
    try:
        entries = sorted(os.scandir(folder / below), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        path = f"{below}/{entry.name}" if below else entry.name
        if entry.is_dir(follow_symlinks=False):
            yield from _files_of(folder, names, path)
        elif not entry.is_symlink() and any(name in path.lower() for name in names):
            yield path
