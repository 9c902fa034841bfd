# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What keeps a phone from being published, and what a phone would ignore."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from ..common.redaction import is_secret, redact_parameter
from ..common.suggest import did_you_mean
from ..families.ignored import unknown_names, unrendered
from ..families.model import BenchDelivery, Family
from ..firmware.images import FirmwareError
from ..firmware.selector import FirmwareSelector, check_base
from ..phones.phone import Phone
from ..profiles.flat_profile import Parameters, ProfileError, Setting, check_text, values
from ..profiles.macros import names
from ..profiles.rules.checks import check_rule, check_trigger
from ..profiles.rules.model import Additions, RuleError, RuleKind, Target
from ..profiles.sealing.model import Sealing
from .files import Seal, seals_of
from .parameters import ProfileParameters
from .settings import KEY_ID, ProfileKind, PublicationError, Settings
from .template_checks import TemplateOutput
from .templates import ProfileTemplate, TemplateError
from .unit_files import bench_delivery_of


class Findings(NamedTuple):
    """Sentences on a phone, each naming the variable."""

    problems: list[str]
    """What keeps the phone from being published."""
    ignored: list[str]
    """What the phone would ignore, or take as text."""


_IN_THE_OPEN = "would be in a file that anybody can read; seal it, or set plaintext_secrets if the bench is closed"


class _Rules(NamedTuple):
    """The parameters of a family that hold rules, and those rules that the publication itself sets."""

    paths: list[tuple[str, RuleKind | None]]
    shared: list[tuple[str, str, RuleKind | None]]
    """The beginning of messages about the rule, the rule, and its kind."""


def check_settings(settings: Settings) -> None:
    """Raise PublicationError for settings that no profile can contain; read_targets() checks the URLs of profiles."""
    for option in ("ca_url", "remote_ca_url", "syslog_server", "remote_syslog_server"):
        try:
            check_text(getattr(settings, option))
        except ProfileError as error:
            raise PublicationError(f"{option}: {error}") from error
    for option in ("firmware_url", "remote_firmware_url"):
        try:
            if getattr(settings, option):
                check_base(getattr(settings, option))
        except FirmwareError as error:
            raise PublicationError(f"{option}: {error}") from error
    for path, (value, _access) in settings.bootstrap_parameters.items():
        if redact_parameter(path, value) != value:
            raise PublicationError(f"bootstrap_parameters: {path} is secret, and anybody can read bootstrap profiles")


class PhoneChecker:
    """Checks phones against the settings of one publication; it looks at a rule that many phones share only once."""

    def __init__(
        self,
        settings: Settings,
        parameters: ProfileParameters,
        firmware: FirmwareSelector,
        targets: tuple[Target, Target],
        templates: Mapping[str, ProfileTemplate],
    ) -> None:
        """*targets*: the parsed bench_url and remote_url; *templates*: value of phone_profile_template -> template."""
        self._settings = settings
        self._parameters = parameters
        self._firmware = firmware
        self._remote = targets[1]
        self._templates = templates
        self._names_serial = [any(name == "SN" for name, _column in names(target.path)) for target in targets]
        self._rules_of: dict[str, _Rules] = {}
        self._rule_problems: dict[tuple[object, ...], str] = {}

    def check(self, phone: Phone) -> Findings:
        """Return what is wrong with a phone's variables, and with the profile that its template makes."""
        seals = seals_of(phone)
        problems = [
            *self._rules_problems(phone),
            *self._firmware_problems(phone),
            *self._file_problems(phone, seals),
            *self._secret_problems(phone, seals),
        ]
        if problems or not phone.template:
            return Findings(problems, [*phone.ignored])
        return self._check_template(phone, seals)

    def ignored(self, families: Iterable[Family]) -> list[str]:
        """Return a sentence on each of the publication's own parameters that phones of these families would not read."""
        options: dict[str, list[Family]] = {}
        given: dict[str, Parameters] = {}
        for family in families:
            for where, parameters in self._parameters.shared(family):
                options.setdefault(where, []).append(family)
                given[where] = parameters
        sentences = []
        for where, asking in options.items():
            for path in given[where]:
                found = [unknown_names(family, [path]) for family in asking]
                if all(found):
                    near = next((name for ((_path, name),) in found if name), None)
                    sentences.append(
                        f"{where}{path} is known to none of the phones' families, which would ignore it{did_you_mean(near)}"
                    )
            sentences += [f"{where}{clause}" for _path, clause in unrendered(asking[0], given[where])]
        return sentences

    # -- rules

    def _rules_problems(self, phone: Phone) -> Iterator[str]:
        rules = self._rules(phone.model.family)
        own = [(path, phone.parameters[path].value, kind) for path, kind in rules.paths if path in phone.parameters]
        for where, text, kind in own + rules.shared:
            if problem := self._rule_problem(phone, text, kind, phone.parameters):
                yield f"{where}: {problem}"

    def _rules(self, family: Family) -> _Rules:
        found = self._rules_of.get(family.name)
        if found is None:
            paths = list(_rule_paths(family))
            shared = [
                (f"{where}{path}", given[path].value, kind)
                for where, given in self._parameters.shared(family)
                for path, kind in paths
                if path in given
            ]
            found = self._rules_of[family.name] = _Rules(paths, shared)
        return found

    def _rule_problem(self, phone: Phone, text: str, kind: RuleKind | None, parameters: Parameters) -> str:
        """Return what is wrong with a rule, or nothing; *parameters*: what the phone has when it follows the rule."""
        general: dict[str, str] = {}
        family = phone.model.family
        more = Additions(family.extra_macros, family.extra_schemes)
        key: tuple[object, ...] = (kind, text, more)
        if "$" in text:
            general = {name: setting.value for name, setting in parameters.items() if name.startswith("GPP_")}
            # All serial numbers of letters and digits give the same result
            key += (phone.model.name, "" if phone.serial.isalnum() and phone.serial.isascii() else phone.serial, *general.items())
        problem = self._rule_problems.get(key)
        if problem is None:
            macros = {**phone.macros, **{name.removeprefix("GPP_"): value for name, value in general.items()}}
            try:
                if kind is None:
                    check_trigger(text, more)
                else:
                    check_rule(text, kind, macros, more)
                problem = ""
            except RuleError as error:
                problem = str(error)
            self._rule_problems[key] = problem
        return problem

    # -- the rest

    def _firmware_problems(self, phone: Phone) -> list[str]:
        if not phone.model.family.upgrade_rules:
            return []
        try:
            self._firmware.upgrade(phone.model.name, phone.firmware)
        except FirmwareError as error:
            return [str(error)]
        return []

    def _file_problems(self, phone: Phone, seals: list[Seal]) -> Iterator[str]:
        """Yield why the phone's files cannot be made or would overwrite each other."""
        family, kinds = phone.model.family, self._settings.kinds
        if not family.profile_rules and not family.own_file:
            yield f"phone_model: the family {family.name} requests no file; give it profile_rules or own_file"
        names_key = ProfileKind.SERVICE in kinds or (ProfileKind.PREPROVISION in kinds and family.profile_rules)
        if names_key and any(seal.method != Sealing.NONE and not seal.key for seal in seals):
            yield "phone_profile_key: there is no key to seal the service profile with; set it, or a master key"
        by_tftp = bench_delivery_of(phone, self._settings) is BenchDelivery.TFTP
        if by_tftp and family.profile_rules and not family.factory_rule:
            yield (
                f"phone_bench_delivery: it is unknown which file a factory-new {phone.model.name} requests; set factory_rule of the"
                f" family {family.name}, or use {BenchDelivery.CERTIFICATE}"
            )
        bench, remote = self._names_serial
        if (remote or (bench and not by_tftp)) and family.profile_rules and not phone.serial:
            yield "phone_serial: it is missing, and bench_url or remote_url names files after it"
        apart = KEY_ID in self._settings.remote_url or not family.profile_rules
        if not apart and len(seals) > len({seal.method == Sealing.AES128GCM for seal in seals}):
            what = "phone_profile_key_previous: both keys" if phone.previous_key else "phone_sealing_previous: both ways"
            yield f"{what} would share one file; put {KEY_ID} into remote_url"
        if self._remote.scheme == "tftp" and any(seal.method == Sealing.AES128GCM for seal in seals):
            yield f"phone_sealing: {Sealing.AES128GCM} needs HTTP, and remote_url is TFTP"

    def _secret_problems(self, phone: Phone, seals: list[Seal]) -> list[str]:
        settings = self._settings
        if Seal(Sealing.NONE) not in seals or ProfileKind.SERVICE not in settings.kinds or settings.plaintext_secrets:
            return []
        if not phone.model.family.profile_rules and bench_delivery_of(phone, settings) is BenchDelivery.TFTP:
            # Only the unit itself is shown its own file
            return []
        secret = self.secret_of(phone)
        if not secret:
            return []
        remedy = f"seal it with phone_sealing where the family {phone.model.family.name} can decrypt"
        if phone.sealing != Sealing.NONE:
            remedy = "remove phone_sealing_previous"
        return [f"{secret} would be in a file that anybody can read; {remedy}, or set plaintext_secrets if the bench is closed"]

    def secret_of(self, phone: Phone) -> str:
        """Return the name of a secret that the phone's service profile holds, or nothing."""
        own = self._parameters.service(phone)
        if phone.template:
            own.update(phone.parameters)
        in_lines = (f"{key} of phone_lines" for line in phone.lines for key, value in line.items() if value and is_secret(key))
        return _secret_among(own, phone.model.family) or next(in_lines, "")

    # -- the profile that a template makes

    def _check_template(self, phone: Phone, seals: list[Seal]) -> Findings:
        family, before = phone.model.family, self._parameters.service(phone)
        try:
            template = self._templates[phone.template]
            output = TemplateOutput(template, family, template.render(phone, values(before)), before)
        except TemplateError as error:
            return Findings([f"phone_profile_template: {error}"], [*phone.ignored])
        given = {**phone.parameters, **output.parameters}
        problems = [
            output.sentence(path, f"{path}: {problem}")
            for path, kind in self._rules(family).paths
            if path in output.own and (problem := self._rule_problem(phone, output.own[path].value, kind, given))
        ]
        problems += [*output.invalid(), *self._lost_keys(phone, seals, output.parameters)]
        secret = _secret_among(output.own, family)
        if secret and self._is_open(phone, seals):
            problems.append(output.sentence(secret, f"{secret} {_IN_THE_OPEN}"))
        return Findings(problems, [*phone.ignored, *output.ignored()])

    def _lost_keys(self, phone: Phone, seals: list[Seal], made: Parameters) -> Iterator[str]:
        if len(seals) == 1:
            return
        for path, setting in self._parameters.leading(phone).items():
            if path not in phone.parameters and made.get(path, Setting("")).value != setting.value:
                yield f"phone_profile_template: it leaves out parameters.{path}, which gives the phone its new key or sealing"

    def _is_open(self, phone: Phone, seals: list[Seal]) -> bool:
        """Tell whether anybody can read the phone's service profile if none of its variables is secret."""
        settings = self._settings
        published = ProfileKind.SERVICE in settings.kinds and not settings.plaintext_secrets
        return published and Seal(Sealing.NONE) in seals and not self.secret_of(phone)


def _secret_among(parameters: Parameters, family: Family) -> str:
    """Return the path of a parameter with a secret value, or nothing."""
    return next((path for path, (value, _access) in parameters.items() if family.redact(path, value) != value), "")


def _rule_paths(family: Family) -> Iterator[tuple[str, RuleKind | None]]:
    """Yield path and kind of the parameters that hold rules; None stands for a trigger, which is only a condition."""
    yield from ((path, RuleKind.PROFILE) for path in family.profile_rules)
    yield from ((path, RuleKind.UPGRADE) for path in family.upgrade_rules)
    yield from ((path, RuleKind.REPORT) for path in family.report_rules)
    yield from ((path, None) for path in family.triggers)
