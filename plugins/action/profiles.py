# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Controller side of the profiles module: look at all phones, render and seal what differs, send it in one transfer."""

from __future__ import annotations

import base64
import contextlib
import difflib
import gc
import os
import re
import secrets
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible import constants as C
from ansible.errors import AnsibleActionFail, AnsibleError, AnsibleTemplateSyntaxError, AnsibleUndefinedVariable
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ..module_utils.families import BUILTIN, FamilyError
from ..module_utils.firmware import FirmwareError, read_catalogue
from ..module_utils.phone import PhoneError, PhoneReader
from ..module_utils.phone_rows import PhoneRows, RowsError
from ..module_utils.profile import ProfileError, read_parameters
from ..module_utils.profile_template import ProfileTemplate, TemplateError
from ..module_utils.publication import BOOTSTRAP, KINDS, PublicationError, Publisher, Settings
from ..module_utils.transfer import EncryptedWriter, Live, Writer, read_contents, read_live
from ..plugin_utils.explaining import explain
from ..plugin_utils.options import plain, read_options
from ..plugin_utils.origins import group_variables, row_origins, variable_origins
from ..plugin_utils.publishing import FEWEST_FOR_PROGRESS, Changes, Entry, Survey, compare, describe, new_salt, survey

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "dest": {"type": "path", "required": True},
    "state": {"type": "str", "default": "present", "choices": ["present", "checked", "previous"]},
    "phones": {"type": "list", "elements": "str", "default": []},
    "rows": {"type": "path"},
    "query": {"type": "str"},
    "groups": {"type": "dict", "default": {}},
    "families": {"type": "dict", "default": {}},
    "kinds": {"type": "list", "elements": "str", "default": list(KINDS), "choices": list(KINDS)},
    "complete": {"type": "list", "elements": "str", "default": ["service"], "choices": list(KINDS)},
    "purge": {"type": "bool", "default": False},
    "explain": {"type": "str"},
    "bench_url": {"type": "str"},
    "remote_url": {"type": "str"},
    "ca_url": {"type": "str", "default": ""},
    "remote_ca_url": {"type": "str", "default": ""},
    "syslog_server": {"type": "str", "default": ""},
    "remote_syslog_server": {"type": "str", "default": ""},
    "firmware_images": {"type": "list", "elements": "dict", "default": []},
    "firmware_url": {"type": "str", "default": ""},
    "remote_firmware_url": {"type": "str", "default": ""},
    "bootstrap_parameters": {"type": "dict", "default": {}},
    "preprovision_parameters": {"type": "dict", "default": {}},
    "unknown_parameters": {"type": "str", "default": "warn", "choices": ["warn", "error", "ignore"]},
    "plaintext_secrets": {"type": "bool", "default": False},
    "master_key": {"type": "str", "no_log": True},
    "previous_master_key": {"type": "str", "no_log": True},
    "device_group": {"type": "str", "default": "www-data"},
    "keep": {"type": "int", "default": 2},
}
REQUIRED_IF = [(*("state", state), ("bench_url", "remote_url")) for state in ("present", "checked")]

_TREE_MODULE = "voip.preprovision.published_tree"
_FIRST_STEPS = (FEWEST_FOR_PROGRESS, 1_000, 2_000, 5_000, 10_000)
"""Numbers of phones at which progress is told; then at each multiple of the last."""
_VAULT = b"$ANSIBLE_VAULT"
_UNDEFINED = re.compile(r"'\w+' is undefined")


class ActionModule(ActionBase):
    """Wiring: variables -> phones -> files -> changes -> one transfer."""

    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Publish, and say what changed."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        self._variables = task_vars or {}
        self._options = options = read_options("profiles", ARGUMENT_SPEC, self._task.args, required_if=REQUIRED_IF)
        self._tree = {"path": options["dest"], "groups": {"device": options["device_group"]}}
        if options["state"] == "previous":
            answer = self._call({**self._tree, "state": "previous"})
            result.update(changed=answer["changed"], generation=answer["generation"])
            return result
        try:
            result.update(self._explain() if options["explain"] else self._publish())
        except (FamilyError, FirmwareError, PhoneError, ProfileError, PublicationError, RowsError, TemplateError) as error:
            # Ansible would show the causes too, and what a variable holds could be in these
            raise AnsibleActionFail(str(error)) from None
        return result

    # -- what there is to publish

    def _reader(self, rows: PhoneRows | None) -> PhoneReader:
        options = self._options
        shared = (
            [value for _origin, variables in group_variables(options["groups"]) for value in variables.values()] if rows else []
        )
        return PhoneReader(BUILTIN.extended(options["families"]), options["master_key"], options["previous_master_key"], shared)

    def _rows(self) -> PhoneRows | None:
        path = self._options["rows"]
        if not path:
            return None
        # The collection's own playbooks lie where no user's file does, so beside the inventory is a place too.
        places = [self._loader.path_dwim(path), self._beside_inventory(path)]
        path = next((place for place in places if os.path.exists(place)), places[-1])
        text = None
        with contextlib.suppress(OSError), open(path, "rb") as file:
            if file.read(len(_VAULT)) == _VAULT:
                text = self._loader.get_text_file_contents(path)
        return PhoneRows(path, self._options["query"] or "", self._options["groups"], text)

    def _beside_inventory(self, *path: str) -> str:
        return os.path.join(str(self._variables.get("inventory_dir") or "."), *path)

    def _entries(self, rows: PhoneRows | None) -> Iterable[Entry]:
        hosts = self._options["phones"]
        if rows is None:
            return _Hosts(hosts, self._variables["hostvars"])
        if hosts:
            raise PhoneError("phones and rows exclude each other; publish them with two tasks, and purge in neither")
        return _Rows(rows)

    def _images(self) -> list[dict[str, Any]]:
        options = self._options
        images = read_catalogue(options["firmware_images"], BUILTIN.extended(options["families"]))
        return [image.plain() for image in images]

    def _publisher(self) -> Publisher:
        options = self._options
        settings = Settings(
            bench_url=options["bench_url"],
            remote_url=options["remote_url"],
            ca_url=options["ca_url"],
            remote_ca_url=options["remote_ca_url"],
            syslog_server=options["syslog_server"],
            remote_syslog_server=options["remote_syslog_server"],
            firmware_images=self._images(),
            firmware_url=options["firmware_url"],
            remote_firmware_url=options["remote_firmware_url"],
            bootstrap_parameters=read_parameters(options["bootstrap_parameters"], "bootstrap_parameters: "),
            preprovision_parameters=read_parameters(options["preprovision_parameters"], "preprovision_parameters: "),
            kinds=tuple(options["kinds"]),
            complete=tuple(options["complete"]),
            plaintext_secrets=options["plaintext_secrets"],
        )
        return Publisher(settings, _Templates(self))

    def template(self, name: str) -> ProfileTemplate:
        """Load a template as Ansible's own template module finds it, or from the folder templates beside the inventory."""
        path = self._beside_inventory("templates", name)
        try:
            if not os.path.exists(path):
                path = self._find_needle("templates", name)
            return ProfileTemplate(name, self._loader.get_text_file_contents(path))
        except AnsibleError as error:
            reason = str(error).partition("\n")[0]
            raise TemplateError(f"the template '{name}' cannot be read: {reason}; it belongs into a folder templates") from error

    # -- publish

    def _publish(self) -> dict[str, Any]:
        options = self._options
        # This process ends with its task; what Ansible has built so far need not be looked through for garbage again and again.
        gc.freeze()
        rows = self._rows()
        reader, publisher = self._reader(rows), self._publisher()
        entries = self._entries(rows)
        found = survey(entries, reader, publisher, keep=rows is None, progress=_tell_progress)
        self._warn(found, rows)
        if options["state"] == "checked":
            return {"changed": False}
        _tell(found.count, f"checked all {found.count:,} phones, and reads what is live")
        live = self._inspect()
        if options["purge"] and not found.count and any(file.kind != BOOTSTRAP for file in live.entries.values()):
            raise PhoneError(
                f"{options['rows'] or 'phones'} holds no phone, and purge would remove all profiles that are live; turn it off"
            )
        archive: _Archive | None = None
        try:
            if not self._task.check_mode:
                archive = _Archive(live)
            changes = compare(found, reader, publisher, live, options["purge"], archive, _tell_progress)
            result: dict[str, Any] = {
                "changed": changes.changed,
                "published": changes.published,
                "unchanged": changes.unchanged,
                "removed": changes.removed,
                "files": changes.files,
                "sent": changes.sent,
                "generation": live.name,
            }
            if self._task.diff:
                result["diff"] = self._diff(changes, live)
            if archive is not None and changes.changed:
                _tell(changes.sent, f"sends {changes.sent:,} files")
                result["generation"] = self._install(archive, changes)
        finally:
            if archive is not None:
                archive.remove()
        return result

    def _warn(self, found: Survey, rows: PhoneRows | None) -> None:
        ignored = [*found.ignored, *(rows.missing_groups() if rows else ())]
        if self._options["unknown_parameters"] == "error" and ignored:
            raise PhoneError("\n".join(ignored))
        if self._options["unknown_parameters"] == "warn":
            for sentence in ignored:
                Display().warning(sentence)

    def _inspect(self) -> Live:
        live = read_live(base64.b64decode(self._call(dict(self._tree))["live"]))
        return live if live.salt else live._replace(salt=new_salt())

    def _diff(self, changes: Changes, live: Live) -> dict[str, str]:
        paths = [path for file, path, _owner, _kind in changes.shown if file is not None and path in live.entries]
        old: dict[str, bytes] = {}
        if paths:
            # What modules return can be printed, so it is sealed for this one answer.
            key = secrets.token_hex(32)
            answer = self._call({**self._tree, "contents": paths, "archive_key": key})
            old = read_contents(base64.b64decode(answer["contents"]), key)
        before, after = describe(changes, live, old)
        dest = self._options["dest"]
        return {"before_header": f"{dest} (live)", "after_header": f"{dest} (inventory)", "before": before, "after": after}

    def _install(self, archive: _Archive, changes: Changes) -> str:
        archive.finish(changes.removed_paths)
        shell = self._connection._shell
        # Ansible removes the last one that was made, and without pipelining the module that looked has had one
        folder = shell.tmpdir or self._make_tmp_path()
        remote = shell.join_path(folder, "archive")
        self._transfer_file(archive.path, remote)
        self._fixup_perms2((folder, remote))
        answer = self._call({**self._tree, "archive": remote, "archive_key": archive.key, "keep": self._options["keep"]})
        return str(answer["generation"])

    def _call(self, arguments: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self._execute_module(_TREE_MODULE, module_args=arguments, task_vars=self._variables)
        if answer.get("failed"):
            raise AnsibleActionFail(f"profiles: {answer.get('msg', 'the target did not answer')}", result=answer)
        return answer

    # -- explain

    def _explain(self) -> dict[str, Any]:
        rows = self._rows()
        reader, publisher = self._reader(rows), self._publisher()
        name = self._options["explain"]
        entry = next((entry for entry in self._entries(rows) if entry.name == name), None)
        if entry is None:
            known = [entry.name for entry in self._entries(rows)]
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {len(known)}, such as {', '.join(known[:3]) or 'none'}"
            raise PhoneError(f"phone {name}: it is not among the phones; {hint}")
        if rows is None:
            manager = self._task.get_variable_manager()
            origins = variable_origins(manager, self._loader, manager._inventory, name, entry.variables)
        else:
            origins = row_origins(self._options["groups"], entry)
        return {"changed": False, "explanation": explain(entry, reader, publisher, origins)}


class _Archive:
    """What is sent: a local file, sealed for this one transfer, since device profiles hold keys in the clear."""

    def __init__(self, live: Live) -> None:
        self.key = secrets.token_hex(32)
        descriptor, self.path = tempfile.mkstemp(dir=C.DEFAULT_LOCAL_TMP)
        self._file = open(descriptor, "wb")  # noqa: SIM115 - remove() closes it
        self._encrypted = EncryptedWriter(self._file, self.key.encode())
        self._writer = Writer(self._encrypted, live.name, live.salt)

    def add(self, path: str, fingerprint: str, owner: str, kind: str, content: bytes) -> None:
        """Take one file."""
        self._writer.add(path, fingerprint, owner, kind, content)

    def finish(self, removed: Iterable[str]) -> None:
        """Note what goes, and end the archive."""
        self._writer.finish(removed)
        self._encrypted.close()
        self._file.close()

    def remove(self) -> None:
        """Leave nothing behind."""
        self._file.close()
        os.unlink(self.path)


class _Templates(dict[str, ProfileTemplate]):
    """Templates by name, each loaded when it is first asked for."""

    def __init__(self, action: ActionModule) -> None:
        super().__init__()
        self._action = action

    def __missing__(self, name: str) -> ProfileTemplate:
        self[name] = self._action.template(name)
        return self[name]


class _Hosts:
    """Inventory hosts as phones."""

    def __init__(self, names: list[str], hostvars: Mapping[str, Any]) -> None:
        self._names, self._hostvars = names, hostvars

    def __iter__(self) -> Iterator[Entry]:
        for name in self._names:
            if name not in self._hostvars:
                yield Entry(name, {}, problem="it is not in the inventory")
                continue
            variables = self._hostvars[name]
            own: dict[str, Any] = {}
            # A look-up templates the variable, so only a phone's own are looked up.
            for variable in filter(_is_of_phones, variables):
                try:
                    own[variable] = plain(variables[variable])
                except AnsibleError as error:
                    yield Entry(name, {}, problem=f"{variable}: {_told(error)}")
                    break
            else:
                yield Entry(name, own)


def _told(error: AnsibleError) -> str:
    """Return what Ansible says of a variable, unless a value could be in it."""
    first = str(error.args[0]).removesuffix(".")
    if isinstance(error, AnsibleUndefinedVariable):
        return first if _UNDEFINED.fullmatch(first) else "it asks for something that is not there"
    if isinstance(error, AnsibleTemplateSyntaxError) or getattr(error.__cause__, "context", "") == "vault":
        return f"{first}: {error.__cause__}"
    return first


def _is_of_phones(variable: str) -> bool:
    return variable.startswith("phone_") and not variable.startswith("phone_profiles_") and variable != "phone_families"


class _Rows:
    """Rows of a file as phones."""

    def __init__(self, rows: PhoneRows) -> None:
        self._rows = rows

    def __iter__(self) -> Iterator[Entry]:
        for row in self._rows:
            yield Entry(row.name, row.variables, row.where, row.problem)


def _tell_progress(what: str, done: int, total: int) -> None:
    """Say how far a long run is, in steps that grow with it; *total* is 0 where the whole is not known."""
    if done in _FIRST_STEPS or not done % _FIRST_STEPS[-1]:
        of = f" of {total:,} ({done * 100 // total} %)" if total else ""
        Display().display(f"profiles: {what} {done:,}{of} phones")


def _tell(count: int, text: str) -> None:
    """Say what a long run does that cannot be counted."""
    if count >= FEWEST_FOR_PROGRESS:
        Display().display(f"profiles: {text}")
