# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The files that are published for models and phones.

There are three kinds of profile: bootstrap (one per model: the factory-default file, without secrets, which leads to the next),
preprovision (one per phone: sets its remote Profile_Rule with the key) and service (one per phone: what that rule fetches, sealed
with that key). Each is limited (what keeps a phone in touch with its server) or complete (everything).

A phone that holds an older key, or asks for another way of sealing, gets its service profile twice: sealed in the old way where it
still looks, and in the new way where the rule in that profile leads it.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from typing import NamedTuple

from ..families.model import BenchDelivery, Family, Model
from ..firmware.images import Image
from ..firmware.selector import FirmwareSelector
from ..phones.phone import Phone, PhoneError
from ..profiles.flat_profile import Parameters, values
from ..profiles.formats import FORMATS
from ..profiles.macros import expand
from ..profiles.sealing.model import Sealing
from .checks import Findings, PhoneChecker, check_settings
from .files import (
    CONTENT_ENCODING,
    File,
    Protection,
    Seal,
    file_path,
    read_targets,
    seals_of,
    service_protection,
    with_key_id,
)
from .layout import DEVICE, OPEN
from .parameters import ProfileParameters
from .settings import ProfileKind, Settings
from .templates import ProfileTemplate, TemplateError
from .unit_files import bench_delivery_of, factory_names, unit_folder


class _Place(NamedTuple):
    """Where one of a phone's files is, and what it is."""

    path: str
    kind: ProfileKind
    seal: Seal = Seal(Sealing.NONE)
    """Of a service profile."""
    for_model: bool = False
    """Whether it is the file that all units of the model request first."""


class Publisher:
    """Makes the files of models and phones."""

    def __init__(self, settings: Settings, templates: Mapping[str, ProfileTemplate] | None = None) -> None:
        """*templates*: value of phone_profile_template -> template. Raise PublicationError for invalid settings."""
        self.settings = settings
        # Not "or {}": a mapping that loads its templates on demand is empty at first
        self._templates = {} if templates is None else templates
        self._bench, self._remote = read_targets(settings)
        firmware = FirmwareSelector(map(Image.of_plain, settings.firmware_images))
        check_settings(settings)
        self._parameters = ProfileParameters(settings, firmware, self._bench, self._remote)
        self._checker = PhoneChecker(settings, self._parameters, firmware, (self._bench, self._remote), self._templates)

    def check(self, phone: Phone) -> list[str]:
        """Return a sentence, naming the variable, on everything that keeps this phone from being published."""
        return self._checker.check(phone).problems

    def examine(self, phone: Phone) -> Findings:
        """Return what keeps this phone from being published, and what it would ignore."""
        return self._checker.check(phone)

    def ignored(self, families: Iterable[Family]) -> list[str]:
        """Return a sentence on each of the publication's own parameters that phones of these families would not read."""
        return self._checker.ignored(families)

    # -- bootstrap

    def bootstrap_places(self, models: Iterable[Model], used: Mapping[str, Parameters]) -> dict[tuple[str, str], list[Model]]:
        """Return path and owner of each bootstrap profile -> the models that ask for it.

        *used*: the models of phones. A family without profile rules needs no bootstrap profile for the other models.
        """
        asking: dict[tuple[str, str], list[Model]] = {}
        for model in models:
            family = model.family
            has_file = family.factory_rule and (family.profile_rules or model.name in used)
            if ProfileKind.BOOTSTRAP in self.settings.kinds and has_file:
                names = [model.factory_file, *map(model.expand, family.aliases)]
                # Servers that fold case look for the lower-case name; the others look for the name as requested
                for name in sorted({*names, *(name.lower() for name in names)}):
                    asking.setdefault((OPEN + name, family.name), []).append(model)
        return {(path, alike[0].name if len(alike) == 1 else name): alike for (path, name), alike in asking.items()}

    def bootstrap_files(
        self, models: Iterable[Model], used: Mapping[str, Parameters], by_certificate: Container[str] = ()
    ) -> Iterator[File]:
        """Yield the factory-default files.

        *used*: name of a model that phones have -> the parameters that all of them share. *by_certificate*: names of models with a
        phone that the bootstrap profile leads to bench_url, whatever the publication says.
        """
        built: dict[tuple[str, ...], bytes] = {}
        for (path, owner), alike in self.bootstrap_places(models, used).items():
            family = alike[0].family
            key = tuple(model.name for model in alike)
            if key not in built:
                shared = _shared(alike, used) if ProfileKind.BOOTSTRAP in self.settings.complete else {}
                delivery = family.bench_delivery or self.settings.bench_delivery
                leads_on = delivery == BenchDelivery.CERTIFICATE or any(name in by_certificate for name in key)
                built[key] = self._bootstrap(family, shared, leads_on)
            yield File(path, owner, ProfileKind.BOOTSTRAP, family.format, built[key])

    def _bootstrap(self, family: Family, shared: Parameters, leads_on: bool) -> bytes:
        parameters = self._parameters.bootstrap(family, shared, leads_on)
        return family.factory_text.encode() or FORMATS[family.format].build(parameters, "")

    # -- one phone

    def paths(self, phone: Phone) -> list[tuple[str, str]]:
        """Return path and kind of each of the phone's files; raise PhoneError if a path cannot be a file."""
        return [(place.path, place.kind) for place in self._places(phone)]

    def _places(self, phone: Phone) -> list[_Place]:
        """Return where the phone's files are."""
        kinds = self.settings.kinds
        by_tftp = bench_delivery_of(phone, self.settings) is BenchDelivery.TFTP
        places: list[_Place] = []
        if not phone.model.family.profile_rules:
            return self._own_places(phone, by_tftp) if ProfileKind.SERVICE in kinds else []
        if ProfileKind.PREPROVISION in kinds and by_tftp:
            folder = unit_folder(phone.mac)
            places += [_Place(folder + name, ProfileKind.PREPROVISION) for name in factory_names(phone.model)]
        elif ProfileKind.PREPROVISION in kinds:
            path = file_path(DEVICE, self._bench.path, phone.macros, ProfileKind.PREPROVISION)
            places.append(_Place(path, ProfileKind.PREPROVISION))
        if ProfileKind.SERVICE in kinds:
            seals = seals_of(phone)
            places += [_Place(self._service_path(seal, phone.macros), ProfileKind.SERVICE, seal) for seal in seals]
        return places

    def _own_places(self, phone: Phone, by_tftp: bool) -> list[_Place]:
        """Return the places of a phone that requests one file of its own; others may read it if it is sealed or holds no secret."""
        family = phone.model.family
        if not family.own_file:
            return []
        # There is only one file, so it is sealed as the phone still expects it
        seal = seals_of(phone)[-1]
        kind = ProfileKind.SERVICE
        path = file_path(OPEN, family.own_file, phone.macros, kind)
        # The TFTP server folds case; the web server looks for the name as requested
        spelled = dict.fromkeys((path, OPEN + path.removeprefix(OPEN).lower()))
        in_the_open = [_Place(one, kind, seal) for one in spelled]
        if not by_tftp:
            return in_the_open
        folder = unit_folder(phone.mac)
        # A unit that has a folder sees nothing else, so the model's file is there too
        places = [_Place(folder + path.removeprefix(OPEN).lower(), kind, seal)]
        places += [_Place(folder + name, kind, for_model=True) for name in factory_names(phone.model)]
        is_open = seal.method != Sealing.NONE or not self._checker.secret_of(phone)
        return [*places, *in_the_open] if is_open else places

    def _service_path(self, seal: Seal, macros: Mapping[str, str]) -> str:
        path = with_key_id(self._remote.path, seal.key)
        return file_path(OPEN, path, macros, ProfileKind.SERVICE) + (CONTENT_ENCODING if seal.method == Sealing.AES128GCM else "")

    def remote_url(self, phone: Phone) -> str:
        """Return the URL from which the phone fetches its service profile at home; empty if it has no rule for one."""
        if ProfileKind.SERVICE not in self.settings.kinds or not phone.model.family.profile_rules:
            return ""
        seal = seals_of(phone)[0]
        url = expand(with_key_id(self.settings.remote_url, seal.key), phone.macros)
        return url + (CONTENT_ENCODING if seal.method == Sealing.AES128GCM else "")

    def files(self, phone: Phone) -> list[File]:
        """Return the files of a phone that passes check(); raise PhoneError if one cannot be made."""
        family = phone.model.family
        preprovision = service = b""
        files = []
        for path, kind, seal, for_model in self._places(phone):
            if for_model:
                plain, protection = self._bootstrap(family, {}, leads_on=False), Protection()
            elif kind == ProfileKind.PREPROVISION:
                plain = preprovision = preprovision or self._preprovision(phone)
                protection = Protection(packed=True)
            else:
                plain = service = service or self._render(phone, self._parameters.service(phone))
                protection = _service_protection(family, seal)
            files.append(File(path, phone.name, kind, family.format, plain, protection))
        return files

    def _preprovision(self, phone: Phone) -> bytes:
        return FORMATS[phone.model.family.format].build(self._parameters.preprovision(phone), phone.mac.plain)

    def logs_on_bench(self, phone: Phone) -> bool:
        """Return whether the phone logs to the bench's server that it has applied its preprovision profile."""
        return ProfileKind.PREPROVISION in self.settings.kinds and self._parameters.logs_on_bench(phone)

    def profiles(self, phone: Phone) -> Iterator[tuple[ProfileKind, Parameters]]:
        """Yield kind and parameters of each profile of a phone that passes check()."""
        kinds, family = self.settings.kinds, phone.model.family
        if ProfileKind.PREPROVISION in kinds and family.profile_rules:
            yield ProfileKind.PREPROVISION, self._parameters.preprovision(phone)
        if ProfileKind.SERVICE in kinds:
            parameters = self._parameters.service(phone)
            made = FORMATS[family.format].parse(self._render(phone, parameters)) if phone.template else parameters
            yield ProfileKind.SERVICE, made

    def _render(self, phone: Phone, parameters: Parameters) -> bytes:
        """Return a service profile; raise PhoneError."""
        if phone.template:
            try:
                return self._templates[phone.template].render(phone, values(parameters))
            except TemplateError as error:
                raise PhoneError(f"phone_profile_template: {error}") from error
        return FORMATS[phone.model.family.format].build(parameters, phone.mac.plain)


def _service_protection(family: Family, seal: Seal) -> Protection:
    if family.profile_rules:
        return service_protection(seal, family.digest)
    return Protection(Sealing.OPENSSL, seal.key, family.digest) if seal.method == Sealing.OPENSSL else Protection()


def _shared(models: list[Model], used: Mapping[str, Parameters]) -> Parameters:
    """Return what all phones of these models share."""
    first, *others = [used[model.name] for model in models if model.name in used] or [{}]
    return {path: setting for path, setting in first.items() if all(other.get(path) == setting for other in others)}
