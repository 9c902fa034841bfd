# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Many phones at once: look at all of them before anything changes, then send what differs from what is live.

Phones are gone through twice, and only those that are inventory hosts are kept in memory: a row is read again when it is rendered.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from ..module_utils.mac import MacError, parse_mac
from ..module_utils.phone import Phone, PhoneError, PhoneReader, Register
from ..module_utils.profile import Parameters, ProfileError, values
from ..module_utils.profile_formats import FORMATS
from ..module_utils.publication import BOOTSTRAP, File, Paths, Publisher
from ..module_utils.sealing import SealingError
from ..module_utils.transfer import Live

HIDDEN = "********"
MOST_SHOWN = 100
"""Files whose parameters a diff names; of more it gives the number."""
FEWEST_FOR_PROGRESS = 500

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many phones are done, and of how many; 0 where that is not known."""


class Entry(NamedTuple):
    """The variables of one phone: an inventory host, or a row of a file."""

    name: str
    variables: Mapping[str, Any]
    where: str = ""
    """File and line of a row."""
    problem: str = ""
    """Why the row cannot be read."""

    @property
    def label(self) -> str:
        """What messages call it."""
        return f"{self.name} ({self.where})" if self.where else self.name


class Sink(Protocol):
    """Takes the files to send."""

    def add(self, path: str, fingerprint: str, owner: str, kind: str, content: bytes) -> None:
        """Send one file."""


@dataclass
class Survey:
    """All phones, found to be right."""

    entries: Iterable[Entry]
    count: int = 0
    phones: list[Phone] | None = None
    """The phones, where they are kept."""
    used: dict[str, Parameters] = field(default_factory=dict)
    """Model that phones have -> the parameters that all of these share, if a bootstrap profile wants them."""
    ignored: list[str] = field(default_factory=list)
    """Sentences on parameters that phones would ignore."""


class _Findings:
    """Sentences, each told once with the phones that it is about."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[str, int]] = {}

    def add(self, label: str, sentence: str) -> None:
        first, count = self._found.get(sentence, (label, 0))
        self._found[sentence] = (first, count + 1)

    def __iter__(self) -> Iterator[str]:
        for sentence, (first, count) in self._found.items():
            more = f" and {count - 1} more" if count > 1 else ""
            yield f"phone {first}{more}: {sentence}"


def survey(entries: Iterable[Entry], reader: PhoneReader, publisher: Publisher, keep: bool, progress: Progress) -> Survey:
    """Read and check all phones; raise one PhoneError with everything that is wrong. *keep*: whether to keep them for rendering."""
    result = Survey(entries, phones=[] if keep else None)
    problems, ignored = _Findings(), _Findings()
    register, paths = Register(), Paths()
    for entry in entries:
        label = entry.label
        result.count += 1
        if not result.count % FEWEST_FOR_PROGRESS:
            progress("read and checked", result.count, 0)
        if entry.problem:
            problems.add(label, entry.problem)
            continue
        try:
            phone = reader.read(entry.name, entry.variables)
            found = publisher.check(phone)
            for path, _kind in publisher.paths(phone):
                paths.take(path, label)
        except PhoneError as error:
            problems.add(label, str(error))
            _note_mac(register, label, entry.variables)
            continue
        register.take(label, phone.mac, entry.name if entry.where else "", phone.serial, phone.model.family.name)
        for sentence in found:
            problems.add(label, sentence)
        for sentence in phone.ignored:
            ignored.add(label, sentence)
        _note_model(result.used, phone, BOOTSTRAP in publisher.settings.complete)
        if result.phones is not None:
            result.phones.append(phone)
    for path, owner in publisher.bootstrap_places(reader.catalogue.models.values(), result.used):
        paths.take(path, owner)
    families = {model.family.name: model.family for name in result.used for model in [reader.catalogue.models[name]]}
    result.ignored = [*ignored, *publisher.ignored(families.values())]
    twice = register.problems()
    # Phones of one MAC share their files too, which would be told twice.
    everything = [*problems, *(twice or paths.problems())]
    if everything:
        raise PhoneError("\n".join(everything))
    return result


def _note_mac(register: Register, label: str, variables: Mapping[str, Any]) -> None:
    try:
        register.take(label, parse_mac(variables.get("phone_mac")))
    except MacError:
        return


def _note_model(used: dict[str, Parameters], phone: Phone, compares: bool) -> None:
    if not compares:
        used.setdefault(phone.model.name, {})
        return
    shared = used.setdefault(phone.model.name, dict(phone.parameters))
    for path in [path for path, setting in shared.items() if phone.parameters.get(path) != setting]:
        del shared[path]


@dataclass
class Changes:
    """What a publication changes."""

    published: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    """Names of phones: with a file that is sent, with none, and no longer listed."""
    files: int = 0
    sent: int = 0
    removed_paths: list[str] = field(default_factory=list)
    shown: list[tuple[File | None, str, str, str]] = field(default_factory=list)
    """New file, path, owner and kind of the first MOST_SHOWN changes."""

    @property
    def changed(self) -> bool:
        """Whether a new generation is needed."""
        return bool(self.sent or self.removed_paths)


def new_salt() -> str:
    """Return the salt of a folder's fingerprints, for the first time that something is published there."""
    return secrets.token_hex(16)


def compare(
    found: Survey, reader: PhoneReader, publisher: Publisher, live: Live, purge: bool, sink: Sink | None, progress: Progress
) -> Changes:
    """Render all phones, hand what differs from *live* to *sink*, and say what that was.

    *purge*: whether files of phones and models that are not listed go; files of other kinds than those published always stay.
    """
    changes = Changes()
    salt = live.salt.encode()
    remaining = dict(live.entries)

    def take(file: File) -> bool:
        changes.files += 1
        fingerprint = file.fingerprint(salt)
        was = remaining.pop(file.path, None)
        # A phone that is called otherwise now: the target must know whose file it is.
        if was is not None and (was.fingerprint, was.owner) == (fingerprint, file.owner):
            return False
        changes.sent += 1
        if len(changes.shown) < MOST_SHOWN:
            changes.shown.append((file, file.path, file.owner, file.kind))
        if sink is not None:
            try:
                sink.add(file.path, fingerprint, file.owner, file.kind, file.content())
            except SealingError as error:
                raise PhoneError(f"{file.owner}: its {file.kind} profile cannot be sealed: {error}") from error
        return True

    for done, phone in enumerate(_phones(found, reader), 1):
        # A list, not a generator: each file has to be looked at
        sent = [take(file) for file in publisher.files(phone)]
        (changes.published if any(sent) else changes.unchanged).append(phone.name)
        if not done % FEWEST_FOR_PROGRESS:
            progress("rendered and compared", done, found.count)
    models: set[str] = set()
    # After the phones, which a diff names first
    for file in publisher.bootstrap_files(reader.catalogue.models.values(), found.used):
        take(file)
        models.add(file.owner)
    listed = {*changes.published, *changes.unchanged}
    gone: dict[str, None] = {}
    for path, entry in remaining.items():
        if entry.kind in publisher.settings.kinds and (purge or entry.owner in (models if entry.kind == BOOTSTRAP else listed)):
            changes.removed_paths.append(path)
            if entry.kind != BOOTSTRAP and entry.owner not in listed:
                gone[entry.owner] = None
            if len(changes.shown) < MOST_SHOWN:
                changes.shown.append((None, path, entry.owner, entry.kind))
    changes.removed = list(gone)
    return changes


def _phones(found: Survey, reader: PhoneReader) -> Iterator[Phone]:
    if found.phones is not None:
        yield from found.phones
        return
    for entry in found.entries:
        try:
            yield reader.read(entry.name, entry.variables)
        except PhoneError as error:
            raise PhoneError(f"phone {entry.label}: {error} (the file has changed while it was read; run again)") from error


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
        if path not in live.entries:
            continue
        was, now = _values(file, old.get(path)), _parsed(file, file.plain)
        if now is None:
            after.append("    not made of parameters")
            continue
        if was is None:
            after.append("    sealed with another key before, or damaged")
            continue
        names = [name for name in sorted({**was, **now}) if was.get(name) != now.get(name)]
        before += [f"    {name}: {HIDDEN} (old value)" for name in names if name in was]
        after += [f"    {name}: {HIDDEN} (new value)" for name in names if name in now]
        if not names:
            after.append("    sealed anew, or restored on the target")
    more = changes.sent + len(changes.removed_paths) - len(changes.shown)
    if more > 0:
        after.append(f"and {more} more files")
    return "".join(f"{line}\n" for line in before), "".join(f"{line}\n" for line in after)


def _values(file: File, content: bytes | None) -> dict[str, str] | None:
    """Read what was at the file's place, if its key opens it."""
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
