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

    *validation*: of no phone yet, with *recorder*. Return None if all phones must be read to know what is wrong or common.
    """
    result = validation.result
    comparison = _Comparison(entries, recorder, before, again, stale_templates(before, templates, recorder.key.shared))
    if comparison.can_be_equal and _are_unchanged(entries, before, progress):
        return _keep_all(before, validation)
    wanted: set[bytes] = set()
    kept: set[int] = set()
    changed = ChangedPhones(result, [], 0, set(), set())
    for unread in entries.unread():
        result.count += 1
        if not result.count % MIN_FOR_PROGRESS:
            progress("read and checked", result.count, 0)
        number, entry = comparison.find(unread)
        if number is not None:
            if number in kept:
                # Twice the same row
                return None
            kept.add(number)
            changed.names.append(before.names[number])
            changed.kept_files += before.files[number]
            _keep(entries, unread, number, before, validation, recorder)
            continue
        if not unread.fingerprint:
            return None
        entry = entry or entries.entry(unread)
        wanted.add(unread.fingerprint)
        changed.names.append(entry.name)
        changed.read.add(entry.name)
        validation.add(entry)
    changed.gone = {name for number, name in enumerate(before.names) if number not in kept} - {*changed.names}
    # Complete bootstrap profiles have what all phones of a model share
    shared = not changed.is_empty and ProfileKind.BOOTSTRAP in result.publisher.settings.complete
    if shared or (changed.read and _shares_values(result, before, kept, recorder)):
        return None
    validation.finish()
    result.entries = _Some(entries, wanted)
    return changed


class _Comparison:
    """Finds the phones whose inputs are those *before*."""

    def __init__(self, entries: Entries, recorder: InputsRecorder, before: Inputs, again: Container[str], stale: set[str]) -> None:
        self._entries, self._recorder, self._before, self._again, self._stale = entries, recorder, before, again, stale
        self._positions = before.positions()
        self._same_groups = recorder.groups == before.common.groups
        silent = not any(known.ignored or known.unknown for known in before.classes)
        self.can_be_equal = self._same_groups and silent and not stale and not again
        """Whether nothing that phones share says otherwise, and nothing is to be said about any of them."""

    def find(self, unread: Unread) -> tuple[int | None, Entry | None]:
        """Return the number that a phone had *before*, or None if it must be rendered; and the phone, if it had to be read."""
        before = self._before
        number = self._positions.get(unread.fingerprint) if unread.fingerprint else None
        if number is None:
            return None, None
        known = before.classes[before.class_of[number]]
        entry = None if self._same_groups else self._entries.entry(unread)
        is_same = entry is None or self._recorder.shared_of(entry) == known.shared
        is_kept = is_same and known.template not in self._stale and before.names[number] not in self._again
        return (number if is_kept else None), entry


def _keep_all(before: Inputs, validation: Validation) -> ChangedPhones:
    """Take over all phones as they were *before*."""
    validation.result.count = len(before.names)
    for of_class, count in Counter(before.class_of).items():
        validation.keep(before.classes[of_class], "", count)
    validation.finish()
    return ChangedPhones(validation.result, before.names, sum(before.files), set(), set(), is_same=True)


def _keep(entries: Entries, unread: Unread, number: int, before: Inputs, validation: Validation, recorder: InputsRecorder) -> None:
    """Take over what is known of a phone since *before*."""
    known = before.classes[before.class_of[number]]
    if known.ignored or known.unknown or known.model not in validation.result.used or known.by_certificate:
        where, name = entries.where(unread), before.names[number]
        validation.keep(known, f"{name} ({where})" if where else name)
    recorder.keep(before, number)


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
