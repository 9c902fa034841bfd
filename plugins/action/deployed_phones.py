# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Controller side of the deployed_phones module, which has no other: phones as the bench has left them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NotRequired, TypedDict

from ansible.plugins.action import ActionBase

from ..module_utils.common.suggest import unknown
from ..module_utils.phones.phone import Phone, PhoneError
from ..module_utils.profiles.flat_profile import values
from ..module_utils.profiles.rules.urls import parse_url
from ..module_utils.publishing.files import with_key_id
from ..module_utils.publishing.publisher import Publisher
from ..module_utils.publishing.settings import ProfileKind
from ..plugin_utils.options import check_spelling, read_options
from ..plugin_utils.publication import ERRORS, Publication
from ..plugin_utils.publication_options import KEYS, PHONES, PUBLICATION, SETTINGS, argument_spec, merge_publication
from ..plugin_utils.target_module import failing
from ..plugin_utils.variable_specs import role_variables

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "names": {"type": "list", "elements": "str", "default": []},
    "one_per_family": {"type": "bool", "default": False},
    "certificates": {"type": "path"},
    "roots": {"type": "path"},
    **argument_spec(PUBLICATION, PHONES, SETTINGS, KEYS),
}
REQUIRED = [("bench_url",), ("remote_url",)]
_KINDS = (ProfileKind.PREPROVISION, ProfileKind.SERVICE)


class DeployedPhone(TypedDict):
    """A phone as the module emulated_phone takes it."""

    name: str
    mac: str
    model: str
    serial: str
    parameters: dict[str, str]
    certificate: NotRequired[str]
    private_key: NotRequired[str]
    roots: NotRequired[str]


class ActionModule(ActionBase):
    """Wiring: variables -> phones -> what their preprovision profiles set."""

    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the phones; their parameters contain keys, so that Ansible must not show them."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = merge_publication("deployed_phones", self._task.args)
        check_spelling("deployed_phones", ARGUMENT_SPEC, arguments, self._loader)
        options = read_options("deployed_phones", ARGUMENT_SPEC, arguments, required_one_of=REQUIRED)
        with failing(*ERRORS, reword=role_variables(task_vars or {}, {"names": "fleet_check_phones"})):
            publication = Publication(options, self._loader, self._find_needle, task_vars or {}, _KINDS)
            phones = _named(publication, options["names"]) if options["names"] else _all(publication)
            chosen = list(_first_of_each_family(phones) if options["one_per_family"] else phones)
            if not chosen:
                raise PhoneError(
                    "there are no phones with profile rules, and so none that calls a server; add phones to the inventory"
                )
            deployed = [_deployed(phone, publication.publisher, options) for phone in chosen]
            target = parse_url(with_key_id(publication.publisher.settings.remote_url, ""))
            families = list(dict.fromkeys(phone.model.family.name for phone in chosen))
        found = {"phones": deployed, "families": families, "server": target.server, "scheme": target.scheme, "port": target.port}
        return {**result, "changed": False, **found, "_ansible_no_log": True}


def _all(publication: Publication) -> Iterator[Phone]:
    """Yield the phones that have rules: others find no server without DHCP."""
    for entry in publication.source.entries():
        if entry.problem:
            raise PhoneError(f"phone {entry.label}: {entry.problem}")
        phone = publication.reader.read(entry.name, entry.variables)
        if phone.model.family.profile_rules:
            yield phone


def _named(publication: Publication, names: list[str]) -> Iterator[Phone]:
    phones = {phone.name: phone for phone in _all(publication)}
    for name in names:
        if name not in phones:
            raise PhoneError(f"names: {unknown('phone', name, phones)}")
        yield phones[name]


def _first_of_each_family(phones: Iterable[Phone]) -> Iterator[Phone]:
    met: set[str] = set()
    for phone in phones:
        family = phone.model.family.name
        if family not in met:
            met.add(family)
            yield phone


def _deployed(phone: Phone, publisher: Publisher, options: dict[str, Any]) -> DeployedPhone:
    """Return *phone* with what its preprovision profile has set."""
    if problems := publisher.check(phone):
        raise PhoneError(f"phone {phone.name}: {'; '.join(problems)}")
    profile = next(parameters for kind, parameters in publisher.profiles(phone) if kind is ProfileKind.PREPROVISION)
    # A real unit always has a serial number
    found = DeployedPhone(
        name=phone.name,
        mac=phone.mac.colon,
        model=phone.model.name,
        serial=phone.serial or phone.mac.upper,
        parameters=values(profile),
    )
    if options["certificates"]:
        found["certificate"], found["private_key"] = (
            f"{options['certificates']}/{phone.mac.plain}.{end}" for end in ("pem", "key")
        )
    if options["roots"]:
        found["roots"] = options["roots"]
    return found
