# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The files that are published for phones: what each holds, where it lies, and how it is protected.

Two trees. ``open/`` is for anybody who can reach the station, by TFTP, HTTP and HTTPS: it holds nothing secret in the clear.
``device/`` is for HTTPS clients with the certificate of the MAC that names the file.

Three kinds of profile: bootstrap (one a model, the factory-default file, without secrets, points at the next), preprovision (one a
phone, tells it its remote Profile_Rule with the key) and service (one a phone, what that rule fetches, sealed with that key). Each
is limited (what keeps a phone in touch with its server) or complete (everything).

A phone that holds an older key, or asks for another way of sealing, gets its service profile twice: sealed in the old way where it
still looks, and in the new way where the rule in that profile leads it.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .families import FILE, UNIT_MACROS, Family, Model
from .firmware import Chooser, FirmwareError, Image, check_base, takes_part
from .keys import key_id
from .macros import expand, names
from .parameter_names import check as check_names
from .phone import Phone, PhoneError
from .profile import Parameters, ProfileError, Setting, check_text, is_secret, shown, values
from .profile_formats import FORMATS
from .profile_template import ProfileTemplate, TemplateError
from .rules import Kind, RuleError, Target, check_rule, check_trigger, parse_url
from .sealing import (
    AES128GCM,
    NO_SEALING,
    OPENSSL,
    compress,
    decompress,
    decrypt_content,
    encrypt_content,
    is_compressed,
    seal,
    unseal,
)

OPEN = "open"
DEVICE = "device"

BOOTSTRAP = "bootstrap"
PREPROVISION = "preprovision"
SERVICE = "service"
KINDS = (BOOTSTRAP, PREPROVISION, SERVICE)

KEY_ID = "{key_id}"
"""Stands in remote_url for what tells one key of a phone from another."""

_NO_KEY_ID = "0" * 8
"""What becomes of it for a phone whose profile is not sealed."""

CONTENT_ENCODING = ".aes128gcm"
"""Ends the names of files that are served with ``Content-Encoding: aes128gcm``."""

_IN_PATHS = f"letters, digits and -._ can name one, and of the macros ${', $'.join(UNIT_MACROS)}"


class PublicationError(ValueError):
    """Nothing can be published with these settings; one sentence a line."""


@dataclass(frozen=True)
class Settings:
    """What all phones of one publication share."""

    bench_url: str
    """URL of a phone's preprovision profile on the bench, with macros; https, since that profile holds the key."""
    remote_url: str
    """URL of a phone's service profile at the customer's, with macros and KEY_ID."""
    ca_url: str = ""
    """URL of the root certificate that the bench's server certificate is signed by; empty leaves it to the phone's own roots."""
    remote_ca_url: str = ""
    """The same at the customer's; empty clears the bench's there, unless the phone goes on to the same server by HTTPS."""
    syslog_server: str = ""
    """Address that phones log to while they are on the bench; empty leaves both syslog settings alone."""
    remote_syslog_server: str = ""
    """Address that phones log to at the customer's; empty clears the bench's, which would be another machine there."""
    bootstrap_parameters: Parameters = field(default_factory=dict)
    """Of families with profile rules, as are the next."""
    preprovision_parameters: Parameters = field(default_factory=dict)
    kinds: tuple[str, ...] = KINDS
    complete: tuple[str, ...] = (SERVICE,)
    """Kinds that carry everything; a bootstrap profile then has what all phones of the model share and what is not secret."""
    firmware_images: Sequence[Mapping[str, Any]] = ()
    """What firmware.Image.plain() returns of each image that phones can have."""
    firmware_url: str = ""
    """URL of the folder of images on the bench."""
    remote_firmware_url: str = ""
    """The same at the customer's; empty clears the bench's Upgrade_Rule there."""
    plaintext_secrets: bool = False
    """Whether a file that anybody may read may hold a password, for families that cannot decrypt."""


class Seal(NamedTuple):
    """A way of sealing a service profile, and the key; none where it is not sealed, or there is none."""

    method: str
    key: str = ""


class Protection(NamedTuple):
    """How a file is packed and sealed."""

    method: str = ""
    """Empty, OPENSSL or AES128GCM."""
    key: str = ""
    digest: str = ""
    packed: bool = False


@dataclass(frozen=True, slots=True)
class File:
    """One published file."""

    path: str
    """Below the published folder: ``open/ata192.cfg``."""
    owner: str
    """Phone or model that it is for."""
    kind: str
    format: str
    plain: bytes = field(repr=False)
    protection: Protection = field(default=Protection(), repr=False)

    def fingerprint(self, salt: bytes) -> str:
        """Return 24 hex digits that change with the content and the way it is sealed, and tell nothing about either."""
        method, key, digest, packed = self.protection
        secret = hashlib.blake2b(f"{method} {key} {digest} {packed}".encode(), key=salt, digest_size=32).digest()
        return hashlib.blake2b(self.plain, key=secret, digest_size=12).hexdigest()

    def content(self) -> bytes:
        """Return the bytes that are served."""
        method, key, digest, packed = self.protection
        content = compress(self.plain) if packed else self.plain
        if method == OPENSSL:
            return seal(content, key, digest)
        return encrypt_content(content, key.encode()) if method == AES128GCM else content

    def opened(self, content: bytes) -> bytes:
        """Return the plain profile in bytes that were served at this file's place; raise SealingError when its key does not fit."""
        method, key, digest, _packed = self.protection
        if method == OPENSSL:
            content = unseal(content, key, digest)
        elif method == AES128GCM:
            content = decrypt_content(content, key.encode())
        return decompress(content) if is_compressed(content) else content


class Publisher:
    """Makes the files of models and phones."""

    def __init__(self, settings: Settings, templates: Mapping[str, ProfileTemplate] | None = None) -> None:
        """*templates*: value of phone_profile_template -> template. Raise PublicationError for settings that cannot be."""
        self.settings = settings
        # One that loads its templates when they are asked for is empty at first.
        self._templates = {} if templates is None else templates
        self._bench, self._remote = _targets(settings)
        self._needs_serial = any(name == "SN" for url in (self._bench, self._remote) for name, _column in names(url.path))
        self._leaves_ca = (
            self._remote.scheme != "https" or (self._remote.server or "").lower() != (self._bench.server or "").lower()
        )
        for option in ("ca_url", "remote_ca_url", "syslog_server", "remote_syslog_server"):
            try:
                check_text(getattr(settings, option))
            except ProfileError as error:
                raise PublicationError(f"{option}: {error}") from error
        self._firmware = Chooser(map(Image.of_plain, settings.firmware_images))
        for option in ("firmware_url", "remote_firmware_url"):
            try:
                if getattr(settings, option):
                    check_base(getattr(settings, option))
            except FirmwareError as error:
                raise PublicationError(f"{option}: {error}") from error
        for path, (value, _access) in settings.bootstrap_parameters.items():
            if shown(path, value) != value:
                raise PublicationError(f"bootstrap_parameters: {path} is secret, and bootstrap profiles are for anybody to read")
        self._contact: dict[str, frozenset[str]] = {}
        self._rules_of: dict[str, tuple[list[tuple[str, Kind | None]], list[tuple[str, str, Kind | None]]]] = {}
        self._rule_problems: dict[tuple[object, ...], str] = {}

    # -- bootstrap

    def bootstrap_places(self, models: Iterable[Model], used: Mapping[str, Parameters]) -> dict[tuple[str, str], list[Model]]:
        """Return path and owner of each bootstrap profile -> the models that ask for it; several, if they ask alike.

        *used*: the models of phones. A family without profile rules needs none for the others.
        """
        asking: dict[tuple[str, str], list[Model]] = {}
        for model in models:
            family = model.family
            if BOOTSTRAP in self.settings.kinds and family.factory_rule and (family.profile_rules or model.name in used):
                names = [model.factory_file, *map(model.expand, family.aliases)]
                # Servers that fold case look for the lower-case name; the others get the name as the phone asks for it.
                for name in sorted({*names, *(name.lower() for name in names)}):
                    asking.setdefault((OPEN + name, family.name), []).append(model)
        return {(path, alike[0].name if len(alike) == 1 else name): alike for (path, name), alike in asking.items()}

    def bootstrap_files(self, models: Iterable[Model], used: Mapping[str, Parameters]) -> Iterator[File]:
        """Yield the factory-default files. *used*: name of a model that phones have -> what all of them share."""
        built: dict[tuple[str, ...], bytes] = {}
        for (path, owner), alike in self.bootstrap_places(models, used).items():
            family = alike[0].family
            key = tuple(model.name for model in alike)
            if key not in built:
                shared = self._shared(alike, used) if BOOTSTRAP in self.settings.complete else {}
                made = FORMATS[family.format].build(self._bootstrap(family, shared), "")
                built[key] = family.factory_text.encode() or made
            yield File(path, owner, BOOTSTRAP, family.format, built[key])

    @staticmethod
    def _shared(models: list[Model], used: Mapping[str, Parameters]) -> Parameters:
        """Return what all phones of these models share."""
        first, *others = [used[model.name] for model in models if model.name in used] or [{}]
        return {path: setting for path, setting in first.items() if all(other.get(path) == setting for other in others)}

    def _bootstrap(self, family: Family, shared: Parameters) -> Parameters:
        settings = self.settings
        parameters = {path: setting for path, setting in shared.items() if family.shown(path, setting.value) == setting.value}
        if settings.syslog_server:
            parameters.update(dict.fromkeys(family.paths("syslog.server"), Setting(settings.syslog_server)))
        if family.profile_rules:
            parameters.update(settings.bootstrap_parameters)
            # Both of the first two: B is followed in the same resync, A is what a retry after a failure begins with.
            parameters.update(dict.fromkeys(family.profile_rules[:2], Setting(settings.bench_url)))
        if family.custom_ca and settings.ca_url:
            parameters[family.custom_ca] = Setting(settings.ca_url)
        return parameters

    # -- one phone

    def check(self, phone: Phone) -> list[str]:
        """Return a sentence, naming the variable, on everything that keeps this phone from being published."""
        family, kinds, seals = phone.model.family, self.settings.kinds, _seals(phone)
        rules, shared = self._rules(family)
        asked = [(path, phone.parameters[path].value, kind) for path, kind in rules if path in phone.parameters]
        problems = [
            f"{where}: {problem}" for where, text, kind in asked + shared if (problem := self._rule_problem(phone, text, kind))
        ]
        problems += self._firmware_problems(phone)
        if not family.profile_rules and not family.own_file:
            problems.append(f"phone_model: the family {family.name} asks for no file; give it profile_rules or own_file")
        if any(method != NO_SEALING and not key for method, key in seals) and (
            SERVICE in kinds or (PREPROVISION in kinds and family.profile_rules)
        ):
            problems.append("phone_profile_key: there is no key to seal its service profile with; set it, or a master key")
        if self._needs_serial and family.profile_rules and not phone.serial:
            problems.append("phone_serial: it is missing, and bench_url or remote_url names files after it")
        apart = KEY_ID in self.settings.remote_url or not family.profile_rules
        if not apart and len(seals) > len({method == AES128GCM for method, _key in seals}):
            what = "phone_profile_key_previous: both keys" if phone.previous_key else "phone_sealing_previous: both ways"
            problems.append(f"{what} would share one file; put {KEY_ID} into remote_url")
        if any(method == AES128GCM for method, _key in seals) and self._remote.scheme == "tftp":
            problems.append(f"phone_sealing: {AES128GCM} needs HTTP, and remote_url is TFTP")
        if (NO_SEALING, "") in seals and SERVICE in kinds and not self.settings.plaintext_secrets:
            secret = self._secret(phone)
            if secret:
                remedy = f"seal it with phone_sealing where the family {family.name} can decrypt"
                if phone.sealing != NO_SEALING:
                    remedy = "do without phone_sealing_previous"
                problems.append(
                    f"{secret} would lie in a file that anybody may read; {remedy}, or allow it with plaintext_secrets on a bench"
                    " that is closed"
                )
        if phone.template and not problems:
            try:
                plain = self._service_plain(phone, self._service(phone))
            except PhoneError as error:
                return [str(error)]
            made = FORMATS[family.format].parse(plain)
            problems += [
                f"phone_profile_template: it leaves out parameters.{path}, which tells the phone its new key or sealing"
                for path, setting in (self._leading(phone).items() if len(seals) > 1 else ())
                if path not in phone.parameters and made.get(path, Setting("")).value != setting.value
            ]
        return problems

    def _firmware_problems(self, phone: Phone) -> list[str]:
        if not phone.model.family.upgrade_rules:
            return []
        try:
            self._firmware.upgrade(phone.model.name, phone.firmware)
        except FirmwareError as error:
            return [str(error)]
        return []

    def _secret(self, phone: Phone) -> str:
        """Return the name of a secret that the phone's service profile holds, or nothing."""
        own = self._service(phone)
        if phone.template:
            own.update(phone.parameters)
        show = phone.model.family.shown
        in_lines = (f"{key} of phone_lines" for line in phone.lines for key, value in line.items() if value and is_secret(key))
        return next((path for path, (value, _access) in own.items() if show(path, value) != value), "") or next(in_lines, "")

    def _rules(self, family: Family) -> tuple[list[tuple[str, Kind | None]], list[tuple[str, str, Kind | None]]]:
        """Return what holds rules in this family, and the rules that the publication itself gives it."""
        found = self._rules_of.get(family.name)
        if found is None:
            rules = list(_rules(family))
            shared = [
                (f"{where}{path}", given[path].value, kind)
                for where, given in self._shared_parameters(family)
                for path, kind in rules
                if path in given
            ]
            found = self._rules_of[family.name] = (rules, shared)
        return found

    def _shared_parameters(self, family: Family) -> list[tuple[str, Parameters]]:
        """What the publication itself puts into profiles of this family, each with what stands before it in a message."""
        settings = self.settings
        kinds = ((BOOTSTRAP, settings.bootstrap_parameters), (PREPROVISION, settings.preprovision_parameters))
        return [
            (f"{kind}_parameters: ", given) for kind, given in kinds if kind in settings.kinds and given and family.profile_rules
        ]

    def ignored(self, families: Iterable[Family]) -> list[str]:
        """Return a sentence on each parameter of the publication's own that none of these families knows."""
        options: dict[str, list[Family]] = {}
        given: dict[str, Parameters] = {}
        for family in families:
            for where, parameters in self._shared_parameters(family):
                options.setdefault(where, []).append(family)
                given[where] = parameters
        sentences = []
        for where, asking in options.items():
            for path in given[where]:
                found = [check_names(family.known_names, [path]) for family in asking]
                if all(found):
                    near = next((name for ((_path, name),) in found if name), None)
                    sentences.append(
                        f"{where}{path} is known to none of the phones' families, which would ignore it"
                        + (f"; did you mean {near}?" if near else "")
                    )
        return sentences

    def _rule_problem(self, phone: Phone, text: str, kind: Kind | None) -> str:
        """Tell what is wrong with a rule of the user's; many phones share a rule, so it is looked at once."""
        general: dict[str, str] = {}
        asked: tuple[object, ...] = (kind, text)
        if "$" in text:
            general = {name: setting.value for name, setting in phone.parameters.items() if name.startswith("GPP_")}
            # A serial number of letters and digits is as good as any other.
            asked += (phone.model.name, "" if phone.serial.isalnum() and phone.serial.isascii() else phone.serial, *general.items())
        problem = self._rule_problems.get(asked)
        if problem is None:
            macros = {**phone.macros, **{name.removeprefix("GPP_"): value for name, value in general.items()}}
            try:
                if kind is None:
                    check_trigger(text)
                else:
                    check_rule(text, kind, macros)
                problem = ""
            except RuleError as error:
                problem = str(error)
            self._rule_problems[asked] = problem
        return problem

    def paths(self, phone: Phone) -> list[tuple[str, str]]:
        """Return path and kind of each of the phone's files; raise PhoneError when a path cannot be a file."""
        kinds, macros = self.settings.kinds, phone.macros
        if not phone.model.family.profile_rules:
            own = _path(OPEN, phone.model.family.own_file, macros, SERVICE) if SERVICE in kinds else ""
            return [(own, SERVICE)] if own else []
        paths = []
        if PREPROVISION in kinds:
            paths.append((_path(DEVICE, self._bench.path, macros, PREPROVISION), PREPROVISION))
        if SERVICE in kinds:
            paths += [(self._service_path(seal, macros), SERVICE) for seal in _seals(phone)]
        return paths

    def _service_path(self, seal: Seal, macros: Mapping[str, str]) -> str:
        path = _with_key_id(self._remote.path, seal.key)
        return _path(OPEN, path, macros, SERVICE) + (CONTENT_ENCODING if seal.method == AES128GCM else "")

    def files(self, phone: Phone) -> list[File]:
        """Return the phone's files; raise PhoneError when one cannot be made. For a phone that check() has nothing against."""
        family = phone.model.family
        if not family.profile_rules:
            # One file has one name, so it is sealed as the phone still expects it.
            method, key = _seals(phone)[-1]
            sealed = Protection(OPENSSL, key, family.digest) if method == OPENSSL else Protection()
            plain = self._service_plain(phone, self._service(phone))
            return [File(path, phone.name, kind, family.format, plain, sealed) for path, kind in self.paths(phone)]
        files = []
        service: bytes | None = None
        seals = _seals(phone)
        for path, kind in self.paths(phone):
            if kind == PREPROVISION:
                plain = FORMATS[family.format].build(self._preprovision(phone), phone.mac.plain)
                files.append(File(path, phone.name, kind, family.format, plain, Protection(packed=True)))
                continue
            if service is None:
                service = self._service_plain(phone, self._service(phone))
            method, key = seals.pop(0)
            sealed = Protection(
                "" if method == NO_SEALING else method, key, family.digest if method == OPENSSL else "", packed=True
            )
            files.append(File(path, phone.name, kind, family.format, service, sealed))
        return files

    def profiles(self, phone: Phone) -> Iterator[tuple[str, Parameters]]:
        """Yield kind and parameters of the phone's profiles; for a phone that check() has nothing against."""
        kinds, family = self.settings.kinds, phone.model.family
        if PREPROVISION in kinds and family.profile_rules:
            yield PREPROVISION, self._preprovision(phone)
        if SERVICE in kinds:
            parameters = self._service(phone)
            made = FORMATS[family.format].parse(self._service_plain(phone, parameters)) if phone.template else parameters
            yield SERVICE, made

    def _rule_parameters(self, phone: Phone) -> Parameters:
        """What leads a phone to its service profile."""
        family = phone.model.family
        method, key = _seals(phone)[0]
        url = _with_key_id(self.settings.remote_url, key)
        if not key:
            return {family.profile_rules[0]: Setting(url)}
        if method == AES128GCM:
            secret = key
            if family.ikm_encoding == "base64url":
                secret = base64.urlsafe_b64encode(secret.encode()).decode().rstrip("=")
            return {family.profile_rules[0]: Setting(url + CONTENT_ENCODING), family.ikm_parameter: Setting(secret)}
        return {family.profile_rules[0]: Setting(f"[--key {key}] {url}")}

    def _preprovision(self, phone: Phone) -> Parameters:
        family, settings = phone.model.family, self.settings
        parameters = {**settings.preprovision_parameters, **self._rule_parameters(phone)}
        # The bench's second rule must not stay: at the customer's it would fail every resync.
        parameters.update(dict.fromkeys(family.profile_rules[1:2], Setting("")))
        if settings.syslog_server:
            parameters.update(dict.fromkeys(family.paths("syslog.server"), Setting(settings.remote_syslog_server)))
        # The maker of the bench's certificates has no business at the customer's.
        if family.custom_ca and (settings.remote_ca_url or (settings.ca_url and self._leaves_ca)):
            parameters[family.custom_ca] = Setting(settings.remote_ca_url)
        own = phone.parameters if PREPROVISION in settings.complete else self._limited(phone)
        parameters.update(self._upgrade(phone, settings.firmware_url))
        parameters.update(own)
        return parameters

    def _service(self, phone: Phone) -> Parameters:
        own = phone.parameters if SERVICE in self.settings.complete else self._limited(phone)
        return {**self._leading(phone), **self._upgrade(phone, self.settings.remote_firmware_url), **own}

    def _upgrade(self, phone: Phone, base: str) -> Parameters:
        """What leads a phone to its firmware, or keeps it from any. *base*: the folder of images; empty: there is none."""
        family, wanted = phone.model.family, phone.firmware
        if not family.upgrade_rules:
            return {}
        upgrade = self._firmware.upgrade(phone.model.name, wanted)
        # Whose turn has not come keeps what it has, rule and all
        if not wanted.held and not (upgrade and takes_part(phone.mac, wanted.share)):
            return {}
        told = {family.upgrade_rules[0]: Setting(self._firmware.rule(phone.model.name, wanted, base))}
        return {**told, family.upgrade_enable: Setting(family.yes_no[wanted.held])} if family.upgrade_enable else told

    def _leading(self, phone: Phone) -> Parameters:
        """What tells a phone its key."""
        family = phone.model.family
        if family.profile_rules:
            return self._rule_parameters(phone)
        return {family.key_parameter: Setting(phone.key)} if family.key_parameter and phone.key and phone.sealing == OPENSSL else {}

    def _limited(self, phone: Phone) -> Parameters:
        family = phone.model.family
        contact = self._contact.get(family.name)
        if contact is None:
            contact = self._contact[family.name] = family.contact_paths
        # What begins with GPP_ is what rules are made of.
        return {path: setting for path, setting in phone.parameters.items() if path in contact or path.startswith("GPP_")}

    def _service_plain(self, phone: Phone, parameters: Parameters) -> bytes:
        if phone.template:
            try:
                return self._templates[phone.template].render(phone, values(parameters))
            except TemplateError as error:
                raise PhoneError(f"phone_profile_template: {error}") from error
        return FORMATS[phone.model.family.format].build(parameters, phone.mac.plain)


def _targets(settings: Settings) -> tuple[Target, Target]:
    try:
        bench, remote = parse_url(settings.bench_url), parse_url(_with_key_id(settings.remote_url, ""))
    except RuleError as error:
        raise PublicationError(f"bench_url and remote_url: {error}") from error
    if bench.scheme != "https":
        raise PublicationError(
            f"bench_url: '{settings.bench_url}' is not https; the preprovision profile holds the phone's key in the clear"
        )
    if not remote.server:
        raise PublicationError(f"remote_url: '{settings.remote_url}' names no server; a phone at the customer's needs its name")
    if remote.path.startswith(f"/{DEVICE}/"):
        raise PublicationError(f"remote_url: '{settings.remote_url}' lies in /{DEVICE}/, which is for preprovision profiles")
    for option, target in (("bench_url", bench), ("remote_url", remote)):
        if not FILE.fullmatch(expand(target.path, dict.fromkeys(UNIT_MACROS, "x"))):
            raise PublicationError(f"{option}: the path '{target.path}' cannot be a file; {_IN_PATHS}")
    return bench, parse_url(settings.remote_url)


def _with_key_id(text: str, key: str) -> str:
    return text.replace(KEY_ID, key_id(key) if key else _NO_KEY_ID)


def _seals(phone: Phone) -> list[Seal]:
    """Return how the service profile is sealed, one a file: as the phone shall ask for it, and as it still does."""
    now = Seal(phone.sealing, phone.key or "") if phone.sealing != NO_SEALING else Seal(NO_SEALING)
    if not phone.previous_key and not phone.previous_sealing:
        return [now]
    method = phone.previous_sealing or phone.sealing
    before = Seal(method, phone.previous_key or phone.key or "") if method != NO_SEALING else Seal(method)
    return [now] if before == now else [now, before]


def _rules(family: Family) -> Iterator[tuple[str, Kind | None]]:
    """Yield path and kind of the parameters that hold rules; None: a condition alone."""
    yield from ((path, "profile") for path in family.profile_rules)
    yield from ((path, "upgrade") for path in family.upgrade_rules)
    yield from ((path, "report") for path in family.report_rules)
    yield from ((path, None) for path in family.triggers)


def _path(tree: str, template: str, macros: Mapping[str, str], kind: str) -> str:
    path = expand(template, macros)
    if not FILE.fullmatch(path):
        raise PhoneError(f"the {kind} profile's path '{path}' cannot be a file; {_IN_PATHS}")
    # The web server serves this tree under its own name.
    return tree + (path.removeprefix(f"/{DEVICE}") if tree == DEVICE and path.startswith(f"/{DEVICE}/") else path)


class Paths:
    """Tells which phones would share a file: take() notes a path, problems() tells."""

    def __init__(self) -> None:
        self._owners: dict[str, str] = {}
        self._shared: dict[str, set[str]] = {}

    def take(self, path: str, owner: str) -> None:
        """Note one path; servers that fold case make no difference between ``A.cfg`` and ``a.cfg``."""
        first = self._owners.setdefault(path.lower(), owner)
        if first != owner:
            self._shared.setdefault(path.lower(), {first}).add(owner)

    def problems(self) -> list[str]:
        """One sentence a path."""
        return [
            f"{' and '.join(sorted(owners))} would share the file {path}; put $MA into the URL that names it"
            for path, owners in self._shared.items()
        ]
