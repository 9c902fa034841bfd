# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a publication changes, told without telling a secret."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..module_utils.publication import File, parameter_values
from ..module_utils.published_tree import Generation

HIDDEN = "********"


@dataclass(frozen=True)
class Plan:
    """The difference between the live generation and the files to publish."""

    contents: Mapping[str, bytes]
    notes: Mapping[str, Any]
    missing: set[str]
    """Paths whose content must be sent."""
    removed: set[str]
    before: list[str]
    after: list[str]
    """Lines of the diff: owner, kind and parameter, never a value."""

    @property
    def changed(self) -> bool:
        """Whether a new generation is needed."""
        return bool(self.missing or self.removed)


def plan(files: Iterable[File], live: Generation, digests: Mapping[str, str]) -> Plan:
    """Compare *files* (and their *digests*, path -> SHA-256) with what is live."""
    # Fingerprints of values let the next run name the changed parameters; the salt keeps them from being looked up.
    salt = live.notes.get("salt") or secrets.token_hex(16)
    notes: dict[str, Any] = {}
    contents: dict[str, bytes] = {}
    for file in files:
        contents[file.path] = file.content
        prints = {name: _fingerprint(value, salt) for name, value in parameter_values(file).items()}
        notes[file.path] = {"owner": file.owner, "kind": file.kind, "parameters": prints}
    missing = {path for path in contents if live.files.get(path) != digests[path]}
    removed = set(live.files) - set(contents)
    before, after = _lines(live.notes.get("files", {}), notes, missing, removed)
    return Plan(contents, {"salt": salt, "files": notes}, missing, removed, before, after)


def _fingerprint(value: str, salt: str) -> str:
    return hashlib.blake2b(value.encode(), key=salt.encode(), digest_size=4).hexdigest()


def _lines(old: Mapping[str, Any], new: Mapping[str, Any], missing: set[str], removed: set[str]) -> tuple[list[str], list[str]]:
    before: list[str] = []
    after: list[str] = []
    for path in sorted(missing | removed):
        was, now = old.get(path), new.get(path)
        note = now or was or {"owner": "nobody", "kind": "foreign"}
        title = f"{note['owner']}: {note['kind']} profile {path}"
        if was is None or now is None:
            (after if now else before).append(title)
            continue
        names = sorted(
            name
            for name in {**was["parameters"], **now["parameters"]}
            if was["parameters"].get(name) != now["parameters"].get(name)
        )
        before.append(title)
        before += [f"    {name}: {HIDDEN} (old value)" for name in names if name in was["parameters"]]
        after.append(title)
        after += [f"    {name}: {HIDDEN} (new value)" for name in names if name in now["parameters"]]
        if not names:
            after.append("    sealed anew, or restored on the target")
    return before, after
