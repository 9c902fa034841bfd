# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""All phones are validated before anything changes.

Phones are read twice, and only inventory hosts are kept in memory: a row is read again when it is rendered.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ansible.utils.display import Display

from ..module_utils.certificates.delivery_checks import FamilyPhones
from ..module_utils.common.mac import MacError, parse_mac
from ..module_utils.common.variables import NameFault
from ..module_utils.families.model import BenchDelivery, Family
from ..module_utils.phones.phone import Phone, PhoneError
from ..module_utils.phones.reader import PhoneReader
from ..module_utils.phones.uniqueness import UniquenessChecker
from ..module_utils.profiles.flat_profile import Parameters
from ..module_utils.publishing.files import PathConflicts
from ..module_utils.publishing.inputs import PhoneClass
from ..module_utils.publishing.publisher import Publisher
from ..module_utils.publishing.settings import ProfileKind
from ..module_utils.publishing.unit_files import bench_delivery_of
from .phone_inputs import InputsRecorder
from .phone_source import Entries, Entry
from .progress import MIN_FOR_PROGRESS, Progress
from .variable_specs import variable_specs

_Item = TypeVar("_Item")

Visit = Callable[[Entry, Phone], object]
"""What is done with each phone that passes its own checks, although others may not, while all are read."""


@dataclass
class ValidatedPhones:
    """All phones of a publication, without errors."""

    entries: Iterable[Entry]
    reader: PhoneReader
    publisher: Publisher
    count: int = 0
    kept: list[Phone] | None = None
    """The phones, if they are kept in memory."""
    used: dict[str, Parameters] = field(default_factory=dict)
    """Model that phones have -> the parameters that all of these share, if a bootstrap profile wants them."""
    by_certificate: set[str] = field(default_factory=set)
    """Models with a phone whose preprovision profile is delivered by certificate."""
    certificate_families: dict[str, FamilyPhones] = field(default_factory=dict)
    """Name of a family -> its phones of that kind."""
    ignored: list[str] = field(default_factory=list)
    """Sentences on parameters that phones would ignore."""
    unknown: list[str] = field(default_factory=list)
    """Sentences on variables that begin like those of phones, and may be the user's own."""

    def phones(self) -> Iterable[Phone]:
        """Return the phones, read again unless they are kept."""
        return self.kept if self.kept is not None else (phone for _entry, phone in self.read())

    def share(self, number: int, of: int, block: int) -> Iterator[Phone]:
        """Return the phones of blocks *number*, *number* + *of* and so on, as phones() does."""
        if self.kept is not None:
            yield from _blocks(self.kept, number, of, block)
            return
        if isinstance(self.entries, Entries):
            mine: Iterable[Entry] = map(self.entries.entry, _blocks(self.entries.unread(), number, of, block))
        else:
            mine = _blocks(self.entries, number, of, block)
        yield from (phone for _entry, phone in self._read(mine))

    def read(self) -> Iterator[tuple[Entry, Phone]]:
        """Read the phones again, and yield them with their variables; raise PhoneError for one that has become invalid."""
        return self._read(self.entries)

    def _read(self, entries: Iterable[Entry]) -> Iterator[tuple[Entry, Phone]]:
        for entry in entries:
            try:
                yield entry, self.reader.read(entry.name, entry.variables)
            except PhoneError as error:
                raise PhoneError(f"phone {entry.label}: {error} (the file changed while it was read; run again)") from error


def _blocks(items: Iterable[_Item], number: int, of: int, block: int) -> Iterator[_Item]:
    return (item for at, item in enumerate(items) if at // block % of == number)


def validate_phones(entries: Iterable[Entry], validation: Validation, progress: Progress) -> ValidatedPhones:
    """Read and check all phones with a *validation* of none yet; raise one PhoneError with everything that is wrong."""
    result = validation.result
    for entry in entries:
        result.count += 1
        if not result.count % MIN_FOR_PROGRESS:
            progress("read and checked", result.count, 0)
        validation.add(entry)
    validation.finish()
    return result


def report_ignored(ignored: Iterable[str], unknown: Iterable[str], action: str) -> None:
    """Treat parameters that phones would ignore by *action*: warn, error (raise PhoneError) or ignore.

    *unknown* variables may be the user's own, so they are no error.
    """
    sentences = [*ignored]
    if action == "error" and sentences:
        raise PhoneError("\n".join(sentences))
    if action != "ignore":
        for sentence in (*sentences, *unknown):
            Display().warning(sentence)


class _Findings:
    """Sentences, each shown once with the phones that it is about."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[str, int]] = {}

    def add(self, label: str, sentence: str) -> None:
        first, count = self._found.get(sentence, (label, 0))
        self._found[sentence] = (first, count + 1)

    def __iter__(self) -> Iterator[str]:
        for sentence, (first, count) in self._found.items():
            more = f" and {count - 1} more" if count > 1 else ""
            yield f"phone {first}{more}: {sentence}"


class Validation:
    """Fills a ValidatedPhones entry by entry, and collects what is wrong."""

    def __init__(
        self,
        result: ValidatedPhones,
        passwords: Container[str] = (),
        recorder: InputsRecorder | None = None,
        visit: Visit | None = None,
    ) -> None:
        """*passwords*: MAC addresses (12 digits) of phones with a password of the web server.

        *recorder*: takes what the phones are made of.
        """
        self.result, self._passwords, self.recorder, self._visit = result, passwords, recorder, visit
        self._problems, self._ignored, self._unknown = _Findings(), _Findings(), _Findings()
        self._faults: dict[str, NameFault | None] = {}
        self._uniqueness, self._paths = UniquenessChecker(), PathConflicts()
        self._compares = ProfileKind.BOOTSTRAP in result.publisher.settings.complete

    def add(self, entry: Entry) -> None:
        """Check one phone."""
        if entry.problem:
            self._problems.add(entry.label, entry.problem)
            return
        unknown = self._check_names(entry)
        publisher = self.result.publisher
        try:
            phone = self.result.reader.read(entry.name, entry.variables)
            found = publisher.examine(phone)
            paths = [path for path, _kind in publisher.paths(phone)]
            for path in paths:
                self._paths.add(path, entry.label)
        except PhoneError as error:
            self._problems.add(entry.label, str(error))
            self._note_mac(entry.label, entry.variables)
            return
        name = entry.name if entry.where else ""
        self._uniqueness.add(entry.label, phone.mac, name, phone.serial, phone.model.family.name)
        for sentence in found.problems:
            self._problems.add(entry.label, sentence)
        for sentence in found.ignored:
            self._ignored.add(entry.label, sentence)
        self._note_model(phone)
        if self.recorder:
            by_certificate = self._is_by_certificate(phone)
            has_password = by_certificate and phone.mac.plain in self._passwords
            self.recorder.add(entry, phone, paths, by_certificate, has_password, found.ignored, unknown)
        if self.result.kept is not None:
            self.result.kept.append(phone)
        if self._visit:
            self._visit(entry, phone)

    def keep(self, known: PhoneClass, label: str, count: int = 1) -> None:
        """Note a phone, or *count* of them, that need not be read, since their inputs passed before."""
        model = self.result.reader.catalogue.models[known.model]
        for sentence in known.ignored:
            self._ignored.add(label, sentence)
        for sentence in known.unknown:
            self._unknown.add(label, sentence)
        self.result.used.setdefault(known.model, {})
        if known.by_certificate:
            self.result.by_certificate.add(known.model)
            self._count_certificate_phones(model.family, known.has_password, count)

    def finish(self) -> None:
        """Check what concerns several phones; raise PhoneError if anything is wrong."""
        result = self.result
        models = result.reader.catalogue.models
        for path, owner in result.publisher.bootstrap_places(models.values(), result.used):
            self._paths.add(path, owner)
        families = {models[name].family.name: models[name].family for name in result.used}
        result.ignored = [*self._ignored, *result.publisher.ignored(families.values())]
        result.unknown = [*self._unknown]
        # Phones with the same MAC share their files too, so reporting both would repeat it
        problems = [*self._problems, *(self._uniqueness.conflicts() or self._paths.conflicts())]
        if problems:
            raise PhoneError("\n".join(problems))

    def _check_names(self, entry: Entry) -> list[str]:
        """Return a sentence on each variable that may be the user's own."""
        unknown = []
        for name in entry.variables:
            if name not in self._faults:
                self._faults[name] = variable_specs().names.fault(name)
            fault = self._faults[name]
            if fault:
                (self._problems if fault.is_error else self._unknown).add(entry.label, fault.sentence)
                unknown.append(fault.sentence)
        return unknown

    def _note_mac(self, label: str, variables: Mapping[str, Any]) -> None:
        try:
            self._uniqueness.add(label, parse_mac(variables.get("phone_mac")))
        except MacError:
            return

    def _note_model(self, phone: Phone) -> None:
        """Note what all phones of the model share."""
        result = self.result
        if self._is_by_certificate(phone):
            result.by_certificate.add(phone.model.name)
            self._count_certificate_phones(phone.model.family, phone.mac.plain in self._passwords)
        used = result.used
        if not self._compares:
            used.setdefault(phone.model.name, {})
            return
        shared = used.setdefault(phone.model.name, dict(phone.parameters))
        for path in [path for path, setting in shared.items() if phone.parameters.get(path) != setting]:
            del shared[path]

    def _is_by_certificate(self, phone: Phone) -> bool:
        return bench_delivery_of(phone, self.result.publisher.settings) is BenchDelivery.CERTIFICATE

    def _count_certificate_phones(self, family: Family, has_password: bool, count: int = 1) -> None:
        families = self.result.certificate_families
        counted = families.get(family.name, FamilyPhones(family, 0, 0))
        families[family.name] = FamilyPhones(family, counted.phones + count, counted.without_password + count * (not has_password))
