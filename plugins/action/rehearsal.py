# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Controller side of the rehearsal module: make up phones, render their profiles, and hand them over."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterator, Mapping
from typing import Any

from ansible.errors import AnsibleActionFail

from ..module_utils.families import BUILTIN, Catalogue, FamilyError, ModelError
from ..module_utils.phone import Phone, PhoneError, PhoneReader
from ..module_utils.phone_rows import RowsError
from ..module_utils.profile import ProfileError, read_parameters
from ..module_utils.profile_template import TemplateError
from ..module_utils.publication import PREPROVISION, SERVICE, File, PublicationError, Publisher, Settings
from ..module_utils.rehearsal import RehearsalError, macs
from ..module_utils.sealing import SealingError
from ..plugin_utils.options import read_options
from .profiles import ARGUMENT_SPEC as PROFILES_SPEC
from .profiles import ActionModule as ProfilesAction

_MODULE = "voip.preprovision.rehearsal_files"
_WHICH = ("phones", "rows", "query", "groups", "families")
_HOW = (
    *("bench_url", "remote_url", "ca_url", "remote_ca_url", "syslog_server", "remote_syslog_server", "complete"),
    *("preprovision_parameters", "plaintext_secrets"),
)
"""Fields of publication.Settings."""
_FIRST = "02:00:5e:00:53:00"
_ERRORS = (FamilyError, PhoneError, ProfileError, PublicationError, RehearsalError, RowsError, SealingError, TemplateError)

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    **{name: PROFILES_SPEC[name] for name in (*_WHICH, *_HOW)},
    "dest": {"type": "path", "required": True},
    "state": {"type": "str", "default": "present", "choices": ["present", "absent"]},
    "mac": {"type": "str", "default": _FIRST},
    "models": {"type": "list", "elements": "str", "default": []},
    "bench_url": {"type": "str", "required": True},
    "remote_url": {"type": "str", "required": True},
}


class ActionModule(ProfilesAction):
    """Wiring: models -> phones -> files -> the target."""

    _supports_diff = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Make the phones, or take them away."""
        result: dict[str, Any] = super(ProfilesAction, self).run(tmp, task_vars)
        self._variables = task_vars or {}
        self._options = options = read_options("rehearsal", ARGUMENT_SPEC, self._task.args)
        target = {"path": options["dest"], "mac": options["mac"], "state": options["state"]}
        if options["state"] == "absent":
            return {**result, **self._ask(target)}
        try:
            phones = self._phones()
            files = [file for phone in phones for file in self._files(phone)]
            given = [{"path": file.path, "content": base64.b64encode(file.content()).decode()} for file in files]
        except _ERRORS as error:
            # Ansible would show the causes too, and what a variable holds could be in these
            raise AnsibleActionFail(str(error)) from None
        devices = [{"mac": phone.mac.plain, "model": phone.model.name, "serial": phone.serial} for phone in phones]
        answer = self._ask({**target, "files": given, "devices": devices})
        return {**result, **answer, "phones": [_as_unit(phone, answer["certificates"]) for phone in phones]}

    def _phones(self) -> list[Phone]:
        options = self._options
        catalogue = BUILTIN.extended(options["families"])
        models = list(dict.fromkeys(self._models(catalogue)))
        if not models:
            raise RehearsalError("there is no phone, and so no model to check; name some in models")
        # Keys of this one time: nothing that a phone has is in danger
        reader = PhoneReader(catalogue, secrets.token_hex(24))
        return [
            reader.read(
                f"test-{model}",
                {"phone_mac": mac.colon, "phone_model": model, "phone_serial": mac.upper},
            )
            for mac, model in zip(macs(options["mac"], len(models)), models, strict=True)
        ]

    def _models(self, catalogue: Catalogue) -> Iterator[str]:
        named = self._options["models"]
        try:
            if named:
                yield from (catalogue.find_model(name).name for name in named)
                return
            for entry in self._entries(self._rows()):
                if "phone_model" in entry.variables:
                    yield catalogue.find_model(entry.variables["phone_model"]).name
        except ModelError as error:
            raise RehearsalError(f"{'models' if named else 'phone_model'}: {error}") from error

    def _files(self, phone: Phone) -> list[File]:
        publisher = self._publisher()
        problems = publisher.check(phone)
        if problems:
            raise RehearsalError(f"a {phone.model.name} cannot be checked: {'; '.join(problems)}")
        return publisher.files(phone)

    def _publisher(self) -> Publisher:
        options = {name: self._options[name] for name in _HOW}
        options["preprovision_parameters"] = read_parameters(options["preprovision_parameters"], "preprovision_parameters: ")
        return Publisher(Settings(**{**options, "complete": tuple(options["complete"]), "kinds": (PREPROVISION, SERVICE)}))

    def _ask(self, arguments: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self._execute_module(_MODULE, module_args=arguments, task_vars=self._variables)
        if answer.get("failed"):
            raise AnsibleActionFail(f"rehearsal: {answer.get('msg', 'the target did not answer')}", result=answer)
        # What the module was given is nobody's business
        answer.pop("invocation", None)
        return answer


def _as_unit(phone: Phone, certificates: Mapping[str, str]) -> dict[str, Any]:
    """Return *phone* as emulated_phone takes it."""
    path = certificates.get(phone.mac.plain)
    shown = {"certificate": path, "private_key": f"{path.rpartition('/')[0]}/key.pem"} if path else {}
    return {"name": phone.name, "mac": phone.mac.colon, "model": phone.model.name, "serial": phone.serial, **shown}
