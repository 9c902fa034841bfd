# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Controller side of the phone_database module: look at all phones, and send the rows that differ in one transfer."""

from __future__ import annotations

import base64
import gc
import gzip
import json
import os
import secrets
import tempfile
from collections.abc import Mapping
from typing import Any

from ansible import constants as C
from ansible.errors import AnsibleActionFail

from ..module_utils.families import FamilyError
from ..module_utils.firmware import FirmwareError
from ..module_utils.phone import PhoneError
from ..module_utils.phone_rows import RowsError
from ..module_utils.profile import ProfileError, read_parameters
from ..module_utils.profile_template import ProfileTemplate, TemplateError
from ..module_utils.publication import PublicationError, Publisher, Settings
from ..module_utils.transfer import EncryptedWriter, json_line
from ..plugin_utils.options import read_options
from ..plugin_utils.phone_records import as_json, read_customers, read_redirects, records, version_of
from ..plugin_utils.publishing import survey
from .profiles import ARGUMENT_SPEC as PROFILES_SPEC
from .profiles import ActionModule as ProfilesAction
from .profiles import _tell_progress, _Templates

_MODULE = "voip.preprovision.phone_table"
_NOT_OURS = ("dest", "state", "kinds", "purge", "explain", "device_group", "keep")
_SHARED = (
    "bench_url",
    "remote_url",
    "ca_url",
    "remote_ca_url",
    "syslog_server",
    "remote_syslog_server",
    "firmware_images",
    "firmware_url",
    "remote_firmware_url",
    "bootstrap_parameters",
    "preprovision_parameters",
    "complete",
    "plaintext_secrets",
)
"""What the service makes profiles with: fields of publication.Settings."""
_COLUMNS = ("mac", "name", "serial", "model", "family", "customer", "variables", "version", "redirect")
_MOST_SHOWN = 100

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    **{name: spec for name, spec in PROFILES_SPEC.items() if name not in _NOT_OURS},
    "bench_url": {"type": "str", "required": True},
    "remote_url": {"type": "str", "required": True},
    "database": {"type": "str", "required": True, "no_log": True},
    "code": {"type": "path", "default": "/usr/local/lib/preprovision-service"},
    "owner": {"type": "str", "default": "preprovision-service"},
    "customers": {"type": "dict", "default": {}},
    "redirects": {"type": "dict", "default": {}},
}


class ActionModule(ProfilesAction):
    """Wiring: variables -> phones -> rows -> what differs -> one transfer."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Put the phones in, and say what changed."""
        result: dict[str, Any] = super(ProfilesAction, self).run(tmp, task_vars)
        self._variables = task_vars or {}
        self._options = read_options("phone_database", ARGUMENT_SPEC, self._task.args)
        self._texts: dict[str, str] = {}
        try:
            self._options["firmware_images"] = self._images()
            result.update(self._fill())
        except (FamilyError, FirmwareError, PhoneError, ProfileError, PublicationError, RowsError, TemplateError) as error:
            # Ansible would show the causes too, and what a variable holds could be in these
            raise AnsibleActionFail(str(error)) from None
        return result

    def template(self, name: str) -> ProfileTemplate:
        """Load a template, and keep its text for the service."""
        loaded: ProfileTemplate = super().template(name)
        self._texts[name] = loaded.text
        return loaded

    def _publisher(self) -> Publisher:
        options = {name: self._options[name] for name in _SHARED}
        for name in ("bootstrap_parameters", "preprovision_parameters"):
            options[name] = read_parameters(options[name], f"{name}: ")
        return Publisher(Settings(**{**options, "complete": tuple(options["complete"])}), _Templates(self))

    def _fill(self) -> dict[str, Any]:
        options = self._options
        # This process ends with its task; what Ansible has built so far need not be looked through for garbage again and again.
        gc.freeze()
        customers, redirects = read_customers(options["customers"]), read_redirects(options["redirects"])
        rows = self._rows()
        reader, publisher = self._reader(rows), self._publisher()
        entries = self._entries(rows)
        # Looking up a host's variables takes long, so that is done once
        found = survey(entries if rows else list(entries), reader, publisher, keep=False, progress=_tell_progress)
        self._warn(found, rows)
        salt, present, version = self._present()
        if present and not found.count:
            raise PhoneError(
                f"{options['rows'] or 'phones'} holds no phone, and the {len(present)} in the database would be removed"
            )
        settings = {name: options[name] for name in _SHARED}
        shared = {"publication": settings, "families": options["families"], "templates": self._texts}
        current = version_of(as_json([shared, customers]), salt)
        gone = dict(present)
        changed: list[tuple[str, str]] = []
        archive = _Archive()
        try:
            rest = {
                "customers": customers if current != version else None,
                "settings": {
                    **{name: as_json(value) for name, value in shared.items()},
                    "salt": as_json(salt),
                    "version": as_json(current),
                }
                if current != version
                else None,
            }
            for row in records(found, reader, redirects, salt):
                was = gone.pop(row["mac"], None)
                if was != row["version"]:
                    changed.append(("+" if was is None else "~", row["name"]))
                    archive.add([row[column] for column in _COLUMNS])
            archive.finish({**rest, "removed": list(gone)})
            result = {
                "changed": bool(changed or gone or current != version),
                "phones": found.count,
                "put_in": len(changed),
                "removed": len(gone),
            }
            if self._task.diff:
                result["diff"] = _diff(changed, list(gone), current != version)
            if result["changed"] and not self._task.check_mode:
                self._send(archive)
        finally:
            archive.remove()
        return result

    def _present(self) -> tuple[str, dict[str, str], str]:
        packed = self._ask({})["present"]
        if not packed:
            return secrets.token_hex(16), {}, ""
        salt, phones, version = json.loads(gzip.decompress(base64.b64decode(packed)))
        return salt, phones, version

    def _send(self, archive: _Archive) -> None:
        shell = self._connection._shell
        # Ansible removes the last one that was made, and without pipelining the module that looked has had one
        folder = shell.tmpdir or self._make_tmp_path()
        remote = shell.join_path(folder, "archive")
        self._transfer_file(archive.path, remote)
        self._fixup_perms2((folder, remote))
        self._ask({"archive": remote, "archive_key": archive.key})

    def _ask(self, arguments: dict[str, Any]) -> dict[str, Any]:
        given = {name: self._options[name] for name in ("database", "code", "owner")}
        answer: dict[str, Any] = self._execute_module(_MODULE, module_args={**given, **arguments}, task_vars=self._variables)
        if answer.get("failed"):
            raise AnsibleActionFail(f"phone_database: {answer.get('msg', 'the target did not answer')}", result=answer)
        return answer


class _Archive:
    """What is sent: a local file of JSON lines, sealed for this one transfer, since rows hold keys and passwords."""

    def __init__(self) -> None:
        self.key = secrets.token_hex(32)
        descriptor, self.path = tempfile.mkstemp(dir=C.DEFAULT_LOCAL_TMP)
        self._file = open(descriptor, "wb")  # noqa: SIM115 - remove() closes it
        self._encrypted = EncryptedWriter(self._file, self.key.encode())

    def add(self, row: list[str]) -> None:
        """Take one row."""
        self._encrypted.write(json_line(row))

    def finish(self, rest: Mapping[str, Any]) -> None:
        """Note what is not a row, and end the archive."""
        self._encrypted.write(json_line(rest))
        self._encrypted.close()
        self._file.close()

    def remove(self) -> None:
        """Leave nothing behind."""
        self._file.close()
        os.unlink(self.path)


def _diff(changed: list[tuple[str, str]], gone: list[str], settings: bool) -> dict[str, str]:
    """Return both sides of a diff that names phones, never a value."""
    shown = [f"{name} (new)" if sign == "+" else f"{name} (changed)" for sign, name in changed[:_MOST_SHOWN]]
    more = len(changed) - len(shown)
    after = [*shown, *([f"{more} more"] if more > 0 else []), *(["what all phones share (changed)"] if settings else [])]
    before = [f"{mac} (removed)" for mac in gone[:_MOST_SHOWN]]
    before += [f"{len(gone) - _MOST_SHOWN} more (removed)"] if len(gone) > _MOST_SHOWN else []
    return {
        "before_header": "the service's database",
        "after_header": "the inventory",
        "before": "".join(f"{line}\n" for line in before),
        "after": "".join(f"{line}\n" for line in after),
    }
