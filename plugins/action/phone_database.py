# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Controller side of the phone_database module: validate all phones, and send the rows that differ in one transfer."""

from __future__ import annotations

import base64
import gc
import gzip
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

from ansible.plugins.action import ActionBase

from ..module_utils.phones.phone import PhoneError
from ..module_utils.phones.row_database import is_database_url
from ..module_utils.publishing.master_key import check_master_key
from ..module_utils.publishing.phone_record import PhoneRecord, as_json, version_of
from ..module_utils.publishing.settings import KINDS
from ..module_utils.publishing.transfer import json_line
from ..plugin_utils.options import check_spelling, read_options
from ..plugin_utils.phone_records import read_customers, read_redirects, records
from ..plugin_utils.publication import ERRORS, Publication
from ..plugin_utils.publication_options import KEYS, PHONES, PUBLICATION, SETTINGS, argument_spec, merge_publication
from ..plugin_utils.rearming import Rearming
from ..plugin_utils.target_module import SealedArchive, TargetModule, failing, sealed_archive
from ..plugin_utils.variable_specs import role_variables

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "database": {"type": "str", "required": True, "no_log": True},
    "code": {"type": "path", "default": "/usr/local/lib/preprovision-service"},
    "owner": {"type": "str", "default": "preprovision-service"},
    "customers": {"type": "dict", "default": {}},
    "redirects": {"type": "dict", "default": {}},
    "rearm": {"type": "list", "elements": "str", "default": []},
    "state": {"type": "str", "default": "present", "choices": ["present", "checked"]},
    "replace_master_key": {"type": "bool", "default": False},
    **argument_spec(PUBLICATION, PHONES, SETTINGS, KEYS),
}
REQUIRED_IF = [("state", "present", ("bench_url", "remote_url"))]

_COLUMNS = ("mac", "name", "serial", "model", "family", "customer", "variables", "version", "redirect", "unit_file", "logs")
_MAX_SHOWN = 100


@dataclass
class _Present:
    """What the database has."""

    salt: str = field(default_factory=lambda: secrets.token_hex(16))
    phones: dict[str, str] = field(default_factory=dict)
    """MAC -> version of its row."""
    version: str = ""
    """Version of what all phones share."""
    master_key: str = ""
    """Fingerprint of the master key of the phones' keys."""


@dataclass
class _Changes:
    """What a run changes in the database."""

    removed: list[str]
    """MACs."""
    changed: list[tuple[str, str]] = field(default_factory=list)
    """Sign and name of each phone: + for a new one, ~ for a changed one."""
    shared: bool = False
    """Whether what all phones share has changed."""
    rearmed: dict[str, str] = field(default_factory=dict)
    """MAC -> name of each phone that starts over."""

    def __bool__(self) -> bool:
        return bool(self.changed or self.removed or self.shared or self.rearmed)


class ActionModule(ActionBase):
    """Wiring: variables -> phones -> rows -> what differs -> one transfer."""

    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Write the phones to the database, and return what changed."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = merge_publication("phone_database", self._task.args)
        check_spelling("phone_database", ARGUMENT_SPEC, arguments, self._loader)
        self._options = options = read_options("phone_database", ARGUMENT_SPEC, arguments, required_if=REQUIRED_IF)
        place = {name: options[name] for name in ("database", "code", "owner")}
        self._target = TargetModule(self, "phone_table", task_vars, "phone_database", **place)
        if options["state"] == "checked":
            with failing(*ERRORS, reword=role_variables(task_vars or {})):
                self._check_master_key(str(self._target.call(try_writing=True)["master_key"]))
            return {**result, "changed": False}
        with failing(*ERRORS, reword=role_variables(task_vars or {})):
            publication = Publication(options, self._loader, self._find_needle, task_vars or {}, KINDS)
            with sealed_archive() as archive:
                result.update(self._fill(publication, archive))
        return result

    def _fill(self, publication: Publication, archive: SealedArchive) -> dict[str, Any]:
        options = self._options
        # This process ends with its task, so spare the garbage collector all that Ansible has built so far
        gc.freeze()
        customers, redirects = read_customers(options["customers"]), read_redirects(options["redirects"])
        validated = publication.validate(keep=False)
        present = self._present()
        if present.phones and not validated.count:
            raise PhoneError(
                f"{publication.source.name} contains no phones, so all {len(present.phones)} in the database would be removed"
            )
        shared = {
            "publication": publication.settings,
            "families": options["families"],
            "templates": publication.templates.texts(),
            # What the profile service lays below the rows that it asks for itself
            "groups": options["groups"] if options["rows"] and is_database_url(options["rows"]) else {},
            "master_key": self._check_master_key(present.master_key),
        }
        version = version_of(as_json([shared, customers]), present.salt)
        removed = dict(present.phones)
        changes = _Changes([], shared=version != present.version)
        rearm = Rearming(options["rearm"])
        for row in records(validated, redirects, present.salt):
            was = removed.pop(row["mac"], None)
            rearm.add(row["mac"], row["name"])
            if was != row["version"]:
                changes.changed.append(("+" if was is None else "~", row["name"]))
                archive.stream.write(json_line(_values(row)))
        changes.removed, changes.rearmed = [*removed], rearm.chosen()
        settings = {**shared, "salt": present.salt, "version": version}
        end = {
            "customers": customers if changes.shared else None,
            "settings": {name: as_json(value) for name, value in settings.items()} if changes.shared else None,
            "removed": changes.removed,
            "rearmed": [*changes.rearmed],
        }
        archive.stream.write(json_line(end))
        archive.close()
        if changes and not self._task.check_mode:
            self._target.call(archive=self._target.upload(archive.path), archive_key=archive.key)
        return self._result(changes, validated.count)

    def _check_master_key(self, noted: str) -> str:
        """Return the fingerprint of the inventory's master key; raise PhoneError if it may not follow that with the one *noted*."""
        noted = "" if self._options["replace_master_key"] else noted
        return check_master_key(noted, self._options["master_key"], self._options["previous_master_key"])

    def _result(self, changes: _Changes, count: int) -> dict[str, Any]:
        result: dict[str, Any] = {
            "changed": bool(changes),
            "phones": count,
            "upserted": len(changes.changed),
            "removed": len(changes.removed),
            "rearmed": [*changes.rearmed.values()],
        }
        if self._task.diff:
            result["diff"] = _diff(changes)
        return result

    def _present(self) -> _Present:
        packed = self._target.call()["present"]
        return _Present(*json.loads(gzip.decompress(base64.b64decode(packed)))) if packed else _Present()


def _values(row: PhoneRecord) -> list[object]:
    return [row[column] for column in _COLUMNS]  # type: ignore[literal-required]


def _diff(changes: _Changes) -> dict[str, str]:
    """Return both sides of a diff that names phones, never a value."""
    shown = [f"{name} (new)" if sign == "+" else f"{name} (changed)" for sign, name in changes.changed[:_MAX_SHOWN]]
    more = len(changes.changed) - len(shown)
    rearmed = [f"{name} (rearmed)" for name in [*changes.rearmed.values()][:_MAX_SHOWN]]
    rearmed += [f"{len(changes.rearmed) - _MAX_SHOWN} more (rearmed)"] if len(changes.rearmed) > _MAX_SHOWN else []
    shared = ["what all phones share (changed)"] if changes.shared else []
    after = [*shown, *([f"{more} more"] if more > 0 else []), *rearmed, *shared]
    before = [f"{mac} (removed)" for mac in changes.removed[:_MAX_SHOWN]]
    before += [f"{len(changes.removed) - _MAX_SHOWN} more (removed)"] if len(changes.removed) > _MAX_SHOWN else []
    return {
        "before_header": "the service's database",
        "after_header": "the inventory",
        "before": "".join(f"{line}\n" for line in before),
        "after": "".join(f"{line}\n" for line in after),
    }
