# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Controller side of the profiles module: render and seal everything, then send what changed in one transfer."""

from __future__ import annotations

import hashlib
import os
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

from ansible import constants as C
from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase

from ..module_utils.phone import PhoneError, read_phones
from ..module_utils.profile import ProfileError, read_parameters
from ..module_utils.publication import PublicationError, Settings, publish
from ..module_utils.published_tree import Generation, pack
from ..module_utils.sealing import seal
from ..plugin_utils.publishing import Plan, plan

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "path": {"type": "path", "required": True},
    "hosts": {"type": "list", "elements": "str", "required": True},
    "bench_url": {"type": "str", "required": True},
    "remote_url": {"type": "str", "required": True},
    "ca_url": {"type": "str", "default": ""},
    "syslog_server": {"type": "str", "default": ""},
    "remote_syslog_server": {"type": "str", "default": ""},
    "bootstrap_parameters": {"type": "dict", "default": {}},
    "preprovision_parameters": {"type": "dict", "default": {}},
    "complete": {"type": "bool", "default": False},
    "master_key": {"type": "str", "no_log": True},
    "device_group": {"type": "str", "default": "www-data"},
    "keep": {"type": "int", "default": 2},
}

_TREE_MODULE = "voip.preprovision.published_tree"


class ActionModule(ActionBase):
    """Wiring: variables -> phones -> files -> plan -> one transfer."""

    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Publish, and say what changed."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        options = _options(self._task.args)
        try:
            files = publish(read_phones(_phone_variables(options["hosts"], variables), options["master_key"]), _settings(options))
        except (PhoneError, ProfileError, PublicationError) as error:
            raise AnsibleActionFail(str(error)) from error
        tree = {"path": options["path"], "groups": {"device": options["device_group"]}}
        live = self._inspect(tree, variables)
        digests = {file.path: hashlib.sha256(file.content).hexdigest() for file in files}
        todo = plan(files, live, digests)
        result.update(
            changed=todo.changed,
            phones=len(options["hosts"]),
            files=len(files),
            sent=len(todo.missing),
            removed=len(todo.removed),
            generation=live.name,
        )
        if todo.changed and not self._task.check_mode:
            result["generation"] = self._install(todo, tree, options["keep"], variables)
        if self._task.diff:
            result["diff"] = {
                "before_header": f"{options['path']} (live)",
                "after_header": f"{options['path']} (inventory)",
                "before": "".join(f"{line}\n" for line in todo.before),
                "after": "".join(f"{line}\n" for line in todo.after),
            }
        return result

    def _inspect(self, tree: Mapping[str, Any], task_vars: dict[str, Any]) -> Generation:
        answer = self._call(dict(tree), task_vars)
        return Generation(answer["generation"], answer["files"], answer["notes"])

    def _install(self, todo: Plan, tree: Mapping[str, Any], keep: int, task_vars: dict[str, Any]) -> str:
        # The device profiles hold keys in the clear, so what lies in temporary folders on the way is sealed for this one transfer.
        key = secrets.token_hex(32)
        archive = seal(pack(todo.contents, todo.missing, todo.notes), key, "sha256")
        remote = self._connection._shell.join_path(self._make_tmp_path(), "archive")
        descriptor, local = tempfile.mkstemp(dir=C.DEFAULT_LOCAL_TMP)
        try:
            with open(descriptor, "wb") as file:
                file.write(archive)
            self._transfer_file(local, remote)
        finally:
            os.unlink(local)
        self._fixup_perms2((self._connection._shell.tmpdir, remote))
        answer = self._call({**tree, "archive": remote, "archive_key": key, "keep": keep}, task_vars)
        return str(answer["generation"])

    def _call(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self._execute_module(_TREE_MODULE, module_args=arguments, task_vars=task_vars)
        if answer.get("failed"):
            raise AnsibleActionFail(f"profiles: {answer.get('msg', 'the target did not answer')}", result=answer)
        return answer


def _options(arguments: Mapping[str, Any]) -> dict[str, Any]:
    validation = ArgumentSpecValidator(ARGUMENT_SPEC).validate(dict(arguments))
    if validation.error_messages:
        raise AnsibleActionFail("profiles: " + "; ".join(validation.error_messages))
    options: dict[str, Any] = validation.validated_parameters
    return options


def _phone_variables(hosts: list[str], task_vars: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    hostvars = task_vars["hostvars"]
    for host in hosts:
        if host not in hostvars:
            raise PhoneError(f"phone {host} is not in the inventory")
        variables = hostvars[host]
        yield host, {name: variables[name] for name in variables if name.startswith("phone_")}


def _settings(options: Mapping[str, Any]) -> Settings:
    return Settings(
        bench_url=options["bench_url"],
        remote_url=options["remote_url"],
        ca_url=options["ca_url"],
        syslog_server=options["syslog_server"],
        remote_syslog_server=options["remote_syslog_server"],
        bootstrap_parameters=read_parameters(options["bootstrap_parameters"], "bootstrap_parameters: "),
        preprovision_parameters=read_parameters(options["preprovision_parameters"], "preprovision_parameters: "),
        complete=options["complete"],
    )
