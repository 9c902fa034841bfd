# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a publication changes: all phones are rendered, and what differs from the live generation is sent."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from ..module_utils.phones.phone import PhoneError
from ..module_utils.profiles.flat_profile import ProfileError, values
from ..module_utils.profiles.formats import FORMATS
from ..module_utils.profiles.sealing.model import SealingError
from ..module_utils.publishing.files import File
from ..module_utils.publishing.settings import ProfileKind
from ..module_utils.publishing.transfer import Live, LiveFile
from .progress import MIN_FOR_PROGRESS, Progress
from .validate_phones import ValidatedPhones

HIDDEN = "********"
MAX_SHOWN = 100
"""Files whose parameters a diff names; of more it gives the number."""


class Sink(Protocol):
    """Takes the files to send."""

    def add(self, path: str, fingerprint: str, owner: str, kind: str, content: bytes) -> None:
        """Send one file."""


class ShownChange(NamedTuple):
    """A change that a diff shows."""

    file: File | None
    """The new file; None if one is removed."""
    path: str
    owner: str
    kind: str


@dataclass
class Changes:
    """What a publication changes."""

    published: list[str] = field(default_factory=list)
    """Names of phones with a file that is sent."""
    unchanged: list[str] = field(default_factory=list)
    """Names of phones whose files are all live."""
    removed: list[str] = field(default_factory=list)
    """Names of phones that are no longer listed."""
    files: int = 0
    sent: int = 0
    removed_paths: list[str] = field(default_factory=list)
    shown: list[ShownChange] = field(default_factory=list)
    """The first MAX_SHOWN changes."""

    @property
    def changed(self) -> bool:
        """Whether a new generation is needed."""
        return bool(self.sent or self.removed_paths)

    def show(self, file: File | None, path: str, owner: str, kind: str) -> None:
        """Note a change for a diff."""
        if len(self.shown) < MAX_SHOWN:
            self.shown.append(ShownChange(file, path, owner, kind))


def new_salt() -> str:
    """Return the salt of a folder's fingerprints, for the first time that something is published there."""
    return secrets.token_hex(16)


def plan_changes(validated: ValidatedPhones, live: Live, purge: bool, sink: Sink | None, progress: Progress) -> Changes:
    """Render all phones, hand what differs from *live* to *sink*, and return what that was.

    *purge*: whether to remove files of phones and models that are not listed; kinds that are not published always stay.
    """
    publisher, changes = validated.publisher, Changes()
    comparison = _Comparison(live, sink, changes)
    for done, phone in enumerate(validated.phones(), 1):
        # A list, not a generator: each file has to be looked at
        sent = [comparison.add(file) for file in publisher.files(phone)]
        (changes.published if any(sent) else changes.unchanged).append(phone.name)
        if not done % MIN_FOR_PROGRESS:
            progress("rendered and compared", done, validated.count)
    models: set[str] = set()
    # After the phones, which a diff names first
    for file in publisher.bootstrap_files(validated.reader.catalogue.models.values(), validated.used, validated.by_certificate):
        comparison.add(file)
        models.add(file.owner)
    _plan_removals(changes, comparison.remaining, publisher.settings.kinds, purge, models)
    return changes


class _Comparison:
    """Compares files with the live ones, and sends those that differ."""

    def __init__(self, live: Live, sink: Sink | None, changes: Changes) -> None:
        self.remaining = dict(live.entries)
        """Live files that have not been compared."""
        self._salt = live.salt.encode()
        self._sink = sink
        self._changes = changes

    def add(self, file: File) -> bool:
        """Compare one file; return whether it is sent."""
        changes = self._changes
        changes.files += 1
        fingerprint = file.fingerprint(self._salt)
        was = self.remaining.pop(file.path, None)
        # A phone may have a new name, and the target must know whose file it is
        if was is not None and (was.fingerprint, was.owner) == (fingerprint, file.owner):
            return False
        changes.sent += 1
        changes.show(file, file.path, file.owner, file.kind)
        if self._sink is not None:
            try:
                self._sink.add(file.path, fingerprint, file.owner, file.kind, file.content())
            except SealingError as error:
                raise PhoneError(f"{file.owner}: its {file.kind} profile cannot be sealed: {error}") from error
        return True


def _plan_removals(
    changes: Changes, remaining: Mapping[str, LiveFile], kinds: tuple[str, ...], purge: bool, models: set[str]
) -> None:
    """Note which of the *remaining* live files are removed. *models*: owners of the bootstrap profiles that are published."""
    listed = {*changes.published, *changes.unchanged}
    gone: dict[str, None] = {}
    for path, entry in remaining.items():
        is_bootstrap = entry.kind == ProfileKind.BOOTSTRAP
        if entry.kind in kinds and (purge or entry.owner in (models if is_bootstrap else listed)):
            changes.removed_paths.append(path)
            if not is_bootstrap and entry.owner not in listed:
                gone[entry.owner] = None
            changes.show(None, path, entry.owner, entry.kind)
    changes.removed = list(gone)


def describe(changes: Changes, live: Live, old: Mapping[str, bytes]) -> tuple[str, str]:
    """Return both sides of a diff that names files and parameters, never a value. *old*: path -> what is live there."""
    before: list[str] = []
    after: list[str] = []
    for file, path, owner, kind in changes.shown:
        title = f"{owner}: {kind} profile {path}"
        if path in live.entries:
            before.append(title)
        if file is None:
            continue
        after.append(title)
        if path in live.entries:
            removed, added = _parameter_changes(file, old.get(path))
            before += removed
            after += added
    more = changes.sent + len(changes.removed_paths) - len(changes.shown)
    if more > 0:
        after.append(f"and {more} more files")
    return "".join(f"{line}\n" for line in before), "".join(f"{line}\n" for line in after)


def _parameter_changes(file: File, content: bytes | None) -> tuple[list[str], list[str]]:
    """Return the lines of both sides of a diff below a file's title. *content*: what is live in its place."""
    was, now = _values(file, content), _parsed(file, file.plain)
    if now is None:
        return [], ["    not made of parameters"]
    if was is None:
        return [], ["    sealed with another key before, or damaged"]
    names = [name for name in sorted({**was, **now}) if was.get(name) != now.get(name)]
    before = [f"    {name}: {HIDDEN} (old value)" for name in names if name in was]
    after = [f"    {name}: {HIDDEN} (new value)" for name in names if name in now]
    return before, after if names else ["    sealed anew, or restored on the target"]


def _values(file: File, content: bytes | None) -> dict[str, str] | None:
    """Read what was in the file's place, if its key opens it."""
    if content is None:
        return None
    try:
        return _parsed(file, file.opened(content))
    except SealingError:
        return None


def _parsed(file: File, plain: bytes) -> dict[str, str] | None:
    try:
        return values(FORMATS[file.format].parse(plain))
    except ProfileError:
        return None
