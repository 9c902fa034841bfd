# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Controller side of the check_phones module: invent one phone of each model, render their profiles, and hand them over."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Container, Iterator, Mapping
from typing import Any, NotRequired, TypedDict

from ansible.plugins.action import ActionBase

from ..module_utils.certificates.delivery_checks import FamilyPhones, Trust, missing_for_certificate, server_is_accepted
from ..module_utils.common.suggest import unknown
from ..module_utils.families.catalogue import Catalogue
from ..module_utils.families.model import BenchDelivery, ModelError
from ..module_utils.phones.phone import Phone
from ..module_utils.phones.reader import PhoneReader
from ..module_utils.publishing.files import File
from ..module_utils.publishing.layout import DEVICE, UNITS
from ..module_utils.publishing.publisher import Publisher
from ..module_utils.publishing.settings import ProfileKind, Settings
from ..module_utils.publishing.unit_files import bench_delivery_of
from ..module_utils.station.check_phones import CheckPhonesError, consecutive_macs
from ..plugin_utils.certificate_delivery import read_exempt_phones
from ..plugin_utils.options import check_spelling, read_options
from ..plugin_utils.phone_source import PhoneSource
from ..plugin_utils.publication import ERRORS, Publication
from ..plugin_utils.publication_options import PHONES, PUBLICATION, SETTINGS, argument_spec, merge_publication
from ..plugin_utils.target_module import TargetModule, failing
from ..plugin_utils.variable_specs import role_variables

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "dest": {"type": "path", "required": True},
    "state": {"type": "str", "default": "present", "choices": ["present", "absent"]},
    "mac": {"type": "str", "default": "02:00:5e:00:53:00"},
    "models": {"type": "list", "elements": "str", "default": []},
    "boot": {"type": "list", "elements": "str", "default": []},
    "server_roots": {"type": "path"},
    "exempt_phones": {"type": "list", "elements": "str", "default": []},
    "device_group": {"type": "str", "default": "preprovision-web"},
    "unit_group": {"type": "str", "default": "preprovision-tftp"},
    **argument_spec(PUBLICATION, PHONES, SETTINGS),
}
REQUIRED_IF = [("state", "present", ("bench_url", "remote_url"))]

_OF_PLAYBOOK = {"boot": "check_phones", "models": "check_families", "mac": "check_mac"}

_KINDS = (ProfileKind.PREPROVISION, ProfileKind.SERVICE)


class EmulatedPhoneOptions(TypedDict):
    """A phone as the module emulated_phone takes it."""

    name: str
    mac: str
    model: str
    serial: str
    certificate: NotRequired[str]
    private_key: NotRequired[str]
    roots: NotRequired[str]


class ActionModule(ActionBase):
    """Wiring: phones -> files and certificates -> the target."""

    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Make the phones, or remove them."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = merge_publication("check_phones", self._task.args)
        check_spelling("check_phones", ARGUMENT_SPEC, arguments, self._loader)
        options = read_options("check_phones", ARGUMENT_SPEC, arguments, required_if=REQUIRED_IF)
        given = {"path": options["dest"], "mac": options["mac"], "state": options["state"]}
        groups = {DEVICE: options["device_group"], UNITS: options["unit_group"]}
        target = TargetModule(self, "check_phone_files", task_vars, "check_phones", groups=groups, **given)
        if options["state"] == "absent":
            return {**result, **target.call()}
        with failing(CheckPhonesError, *ERRORS, reword=role_variables(task_vars or {}, _OF_PLAYBOOK)):
            publication = Publication(options, self._loader, self._find_needle, task_vars or {}, _KINDS)
            if options["boot"]:
                phones = list(_own_phones(publication.source, options["boot"]))
                files = []
            else:
                phones = _check_phones(publication.source, options["models"], options["mac"])
                files = [_as_argument(file) for phone in phones for file in _files(publication.publisher, phone)]
        settings = publication.publisher.settings
        deliveries = {phone.mac.plain: bench_delivery_of(phone, settings).value for phone in phones}
        by_certificate = [phone for phone in phones if deliveries[phone.mac.plain] == BenchDelivery.CERTIFICATE]
        trust = _trust(target, settings) if by_certificate else Trust((), (), gives_bench_root=False)
        answer = target.call(
            files=files,
            devices=[{"mac": phone.mac.plain, "model": phone.model.name, "serial": _serial(phone)} for phone in phones],
            armed=[mac for mac, delivery in deliveries.items() if delivery == BenchDelivery.TFTP],
            rearmed=[*deliveries] if options["boot"] else [],
            trusted=bool(by_certificate),
            trusting=[phone.mac.plain for phone in phones if _trusts_server(phone, trust, options["server_roots"])],
            server_roots=options["server_roots"],
        )
        exempt = read_exempt_phones(options["exempt_phones"])
        missing = {phone.mac.plain: found for phone in by_certificate if (found := _missing(phone, trust, exempt))}
        units = [_as_unit(phone, answer) for phone in phones]
        return {**result, **answer, "deliveries": deliveries, "missing": missing, "phones": units}


def _trust(target: TargetModule, settings: Settings) -> Trust:
    """Return whom the station trusts, by what is installed there."""
    found = target.call(state="inspected")["trust"]
    return Trust(found["device_roots"], found["server_signers"], gives_bench_root=bool(settings.ca_url))


def _trusts_server(phone: Phone, trust: Trust, server_roots: str | None) -> bool:
    family = phone.model.family
    return bool(server_roots and family.custom_ca is None) or server_is_accepted(family, trust)


def _missing(phone: Phone, trust: Trust, exempt: Container[str]) -> list[str]:
    """Return what a real unit like this phone would lack, as a cause and a remedy; empty if nothing."""
    without_password = int(phone.mac.plain not in exempt)
    sentences = missing_for_certificate([FamilyPhones(phone.model.family, 1, without_password)], trust)
    return [f"{part[:1].upper()}{part[1:]}." for sentence in sentences for part in sentence.split("; ", 1)]


def _own_phones(source: PhoneSource, names: list[str]) -> Iterator[Phone]:
    """Yield the source's phones with these *names*."""
    reader = PhoneReader(source.catalogue, secrets.token_hex(24))
    entries = {entry.name: entry for entry in source.entries()}
    for name in names:
        if name not in entries:
            raise CheckPhonesError(f"boot: {unknown('phone', name, entries)}")
        yield reader.read(name, entries[name].variables)


def _check_phones(source: PhoneSource, named: list[str], first_mac: str) -> list[Phone]:
    """Return one phone of each of the *named* models, or else of those that the source's phones have."""
    names = _named_models(source.catalogue, named) if named else _used_models(source)
    models = list(dict.fromkeys(names))
    if not models:
        raise CheckPhonesError("there are no phones, and so no model to check; name some in models")
    # The keys are made for this check, so that it reveals no key of a real phone
    reader = PhoneReader(source.catalogue, secrets.token_hex(24))
    macs = consecutive_macs(first_mac, len(models))
    return [
        reader.read(f"test-{model}", {"phone_mac": mac.colon, "phone_model": model, "phone_serial": mac.upper})
        for mac, model in zip(macs, models, strict=True)
    ]


def _named_models(catalogue: Catalogue, named: list[str]) -> Iterator[str]:
    try:
        yield from (catalogue.find_model(name).name for name in named)
    except ModelError as error:
        raise CheckPhonesError(f"models: {error}") from error


def _used_models(source: PhoneSource) -> Iterator[str]:
    try:
        for entry in source.entries():
            if "phone_model" in entry.variables:
                yield source.catalogue.find_model(entry.variables["phone_model"]).name
    except ModelError as error:
        raise CheckPhonesError(f"phone_model: {error}") from error


def _files(publisher: Publisher, phone: Phone) -> list[File]:
    problems = publisher.check(phone)
    if problems:
        raise CheckPhonesError(f"a {phone.model.name} cannot be checked: {'; '.join(problems)}")
    return publisher.files(phone)


def _as_argument(file: File) -> dict[str, str]:
    return {"path": file.path, "content": base64.b64encode(file.content()).decode()}


def _serial(phone: Phone) -> str:
    # A real unit always has one
    return phone.serial or phone.mac.upper


def _as_unit(phone: Phone, answer: Mapping[str, Any]) -> EmulatedPhoneOptions:
    """Return *phone* as emulated_phone takes it. *answer*: what the target returned; in check mode it made nothing."""
    unit = EmulatedPhoneOptions(name=phone.name, mac=phone.mac.colon, model=phone.model.name, serial=_serial(phone))
    path = answer["certificates"].get(phone.mac.plain)
    if path:
        unit["certificate"], unit["private_key"] = path, f"{path.rpartition('/')[0]}/key.pem"
        unit["roots"] = answer["roots"][phone.mac.plain]
    return unit
