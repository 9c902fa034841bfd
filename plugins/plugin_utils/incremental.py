# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Validating only phones whose inputs changed since they were published; the others passed then, and are not read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass

from ..module_utils.publishing.inputs import Inputs
from ..module_utils.publishing.settings import ProfileKind
from ..module_utils.publishing.templates import ProfileTemplate, TemplateError
from .phone_inputs import InputsRecorder
from .phone_source import Entries, Entry, Unread
from .progress import MIN_FOR_PROGRESS, Progress
from .validate_phones import ValidatedPhones, Validation


@dataclass
class ChangedPhones:
    """The phones that must be read, and what is known of the others."""

    validated: ValidatedPhones
    """Its count is that of all phones; it reads only those that must be read."""
    names: list[str]
    """Names of all phones, in order."""
    kept_files: int
    """Number of files of phones that need not be read."""
    read: set[str]
    """Names of the phones that must be read."""
    gone: set[str]
    """Names of phones that are no longer listed."""
    is_same: bool = False
    """Whether all phones are as they were, in the same order."""

    @property
    def is_empty(self) -> bool:
        """Whether no phone changed."""
        return not self.read and not self.gone


class _Some:
    """Those entries whose fingerprints are *wanted*."""

    def __init__(self, entries: Entries, wanted: Container[bytes]) -> None:
        self._entries, self._wanted = entries, wanted

    def __iter__(self) -> Iterator[Entry]:
        return map(self._entries.entry, self.unread())

    def unread(self) -> Iterator[Unread]:
        return (unread for unread in self._entries.unread() if unread.fingerprint in self._wanted)

    def entry(self, unread: Unread) -> Entry:
        return self._entries.entry(unread)

    def where(self, unread: Unread) -> str:
        return self._entries.where(unread)


def stale_templates(before: Inputs, templates: Mapping[str, ProfileTemplate], hash_of: Callable[[object], str]) -> set[str]:
    """Return the names of templates that are not what they were, or cannot be used any more."""
    stale = set()
    for name, known in before.common.templates:
        try:
            if hash_of(templates[name].text) != known:
                stale.add(name)
        except TemplateError:
            # Whoever reads its phones reports it
            stale.add(name)
    return stale


def validate_changed(
    entries: Entries,
    validation: Validation,
    recorder: InputsRecorder,
    before: Inputs,
    again: Container[str],
    templates: Mapping[str, ProfileTemplate],
    progress: Progress,
) -> ChangedPhones | None:
    """Read and check the phones whose inputs are not those *before*, and the phones named in *again*; raise PhoneError.

    *validation*: of no phone yet, with *recorder*. Return None if all phones must be read to know what is wrong, or what they have
    in common.
    """
    result = validation.result
    stale = stale_templates(before, templates, recorder.key.shared)
    same_groups = recorder.groups == before.common.groups
    silent = not any(known.ignored or known.unknown for known in before.classes)
    if same_groups and silent and not stale and not again and _are_unchanged(entries, before, progress):
        result.count = len(before.names)
        for of_class, count in Counter(before.class_of).items():
            validation.keep(before.classes[of_class], "", count)
        validation.finish()
        return ChangedPhones(result, before.names, sum(before.files), set(), set(), is_same=True)
    positions = before.positions()
    wanted: set[bytes] = set()
    kept: set[int] = set()
    changed = ChangedPhones(result, [], 0, set(), set())
    entry: Entry | None
    for unread in entries.unread():
        result.count += 1
        if not result.count % MIN_FOR_PROGRESS:
            progress("read and checked", result.count, 0)
        number = positions.get(unread.fingerprint) if unread.fingerprint else None
        entry = None
        if number is not None:
            known = before.classes[before.class_of[number]]
            if not same_groups:
                entry = entries.entry(unread)
            is_same = entry is None or recorder.shared_of(entry) == known.shared
            if is_same and known.template not in stale and before.names[number] not in again:
                if number in kept:
                    # Twice the same row
                    return None
                kept.add(number)
                name = before.names[number]
                if known.ignored or known.unknown or known.model not in result.used or known.by_certificate:
                    where = entries.where(unread)
                    validation.keep(known, f"{name} ({where})" if where else name)
                recorder.keep(before, number)
                changed.names.append(name)
                changed.kept_files += before.files[number]
                continue
        entry = entry or entries.entry(unread)
        if not unread.fingerprint:
            return None
        wanted.add(unread.fingerprint)
        changed.names.append(entry.name)
        changed.read.add(entry.name)
        validation.add(entry)
    changed.gone = {name for number, name in enumerate(before.names) if number not in kept} - {*changed.names}
    if not changed.is_empty and ProfileKind.BOOTSTRAP in result.publisher.settings.complete:
        # It has what all phones of a model share
        return None
    if changed.read and _shares_values(result, before, kept, recorder):
        return None
    validation.finish()
    result.entries = _Some(entries, wanted)
    return changed


def _are_unchanged(entries: Entries, before: Inputs, progress: Progress) -> bool:
    """Return whether the phones are those *before*, in the same order."""
    known = iter(before.prints)
    count = 0
    for unread in entries.unread():
        if unread.fingerprint != next(known, None):
            return False
        count += 1
        if not count % MIN_FOR_PROGRESS:
            progress("compared the inputs of", count, 0)
    return count == len(before.prints)


def _shares_values(
    result: ValidatedPhones,
    before: Inputs,
    kept: set[int],
    recorder: InputsRecorder,
) -> bool:
    """Return whether a phone that was read may have a value that only one may have, and a phone that was not read has it."""
    token = recorder.key.token
    places = result.publisher.bootstrap_places(result.reader.catalogue.models.values(), result.used)
    new = {*recorder.tokens_read, *(token("path", path.lower()) for path, _owner in places)}
    if len(kept) == len(before.names):
        return not new.isdisjoint(before.all_tokens())
    return any(not new.isdisjoint(before.tokens_of(number)) for number in kept)
