# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a publication changes: all phones are rendered, and what differs from the live generation is sent."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from ..module_utils.profiles.flat_profile import ProfileError, values
from ..module_utils.profiles.formats import FORMATS
from ..module_utils.profiles.sealing.model import SealingError
from ..module_utils.publishing.files import File
from ..module_utils.publishing.settings import ProfileKind
from ..module_utils.publishing.transfer import Live, LiveFile
from .incremental import ChangedPhones
from .progress import MIN_FOR_PROGRESS, Progress
from .rendering import Compared, Comparing, make_files
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
    rendered: int = 0
    """Number of phones whose files were made."""
    bootstraps: int = 0
    """Number of bootstrap profiles."""
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


def plan_changes(
    validated: ValidatedPhones,
    live: Live,
    purge: bool,
    sink: Sink | None,
    progress: Progress,
    changed: ChangedPhones | None = None,
) -> Changes:
    """Render all phones, hand what differs from *live* to *sink*, and return what that was.

    *purge*: whether to remove files of phones and models that are not listed; kinds that are not published always stay. *changed*:
    what is known of the phones that *validated* does not read; *live* need not list their files.
    """
    publisher, changes = validated.publisher, Changes()
    comparing = Comparing(live.entries, live.salt.encode(), sink is not None, MAX_SHOWN)
    comparison = _Comparison(live, sink, changes)
    count = len(changed.read) if changed else validated.count
    for done, (name, files) in enumerate(make_files(validated, comparing, count), 1):
        # A list, not a generator: each file has to be looked at
        sent = [comparison.add(file) for file in files]
        (changes.published if any(sent) else changes.unchanged).append(name)
        changes.rendered += 1
        if not done % MIN_FOR_PROGRESS:
            progress("rendered and compared", done, count)
    if changed:
        published = {*changes.published}
        changes.unchanged = [name for name in changed.names if name not in published]
        changes.files += changed.kept_files
    models: set[str] = set()
    # After the phones, which a diff names first
    for file in publisher.bootstrap_files(validated.reader.catalogue.models.values(), validated.used, validated.by_certificate):
        comparison.add(comparing.compare(file, len(changes.shown)))
        models.add(file.owner)
        changes.bootstraps += 1
    _plan_removals(changes, comparison.remaining, publisher.settings.kinds, purge, models)
    return changes


def unchanged(phones: ChangedPhones, bootstraps: int) -> Changes:
    """Return the changes of phones of which none changed. *bootstraps*: number of bootstrap profiles that are live."""
    files = phones.kept_files + bootstraps
    return Changes(unchanged=phones.names, files=files, bootstraps=bootstraps)


class _Comparison:
    """Takes files that were compared with the live ones, and sends those that differ."""

    def __init__(self, live: Live, sink: Sink | None, changes: Changes) -> None:
        self.remaining = dict(live.entries)
        """Live files that have not been compared."""
        self._sink = sink
        self._changes = changes

    def add(self, made: Compared) -> bool:
        """Take one file; return whether it is sent."""
        changes = self._changes
        changes.files += 1
        self.remaining.pop(made.path, None)
        if made.is_live:
            return False
        changes.sent += 1
        changes.show(made.file, made.path, made.owner, made.kind)
        if self._sink is not None:
            self._sink.add(made.path, made.fingerprint, made.owner, made.kind, made.content)
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
