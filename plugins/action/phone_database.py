# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Controller side of the phone_database module: validate all phones, and send the rows that differ in one transfer."""

from __future__ import annotations

import base64
import gc
import gzip
import json
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from ansible.plugins.action import ActionBase

from ..module_utils.phones.phone import Phone, PhoneError
from ..module_utils.phones.row_database import is_database_url
from ..module_utils.publishing.inputs import Inputs, InputsError, read_inputs
from ..module_utils.publishing.master_key import check_master_key
from ..module_utils.publishing.phone_record import PhoneRecord, as_json, record_of, version_of
from ..module_utils.publishing.publisher import Publisher
from ..module_utils.publishing.settings import KINDS
from ..module_utils.publishing.transfer import json_line
from ..plugin_utils.incremental import ChangedPhones
from ..plugin_utils.options import check_spelling, read_options
from ..plugin_utils.phone_inputs import InputsRecorder
from ..plugin_utils.phone_records import read_customers, read_redirects
from ..plugin_utils.phone_source import Entry
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
    "full": {"type": "bool", "default": False},
    **argument_spec(PUBLICATION, PHONES, SETTINGS, KEYS),
}
REQUIRED_IF = [("state", "present", ("bench_url", "remote_url"))]

_COLUMNS = ("mac", "name", "serial", "model", "family", "customer", "variables", "version", "redirect", "unit_file", "logs")
_MAX_SHOWN = 100


class _Present(NamedTuple):
    """What the database has."""

    salt: str
    version: str = ""
    """Version of what all phones share."""
    master_key: str = ""
    """Fingerprint of the master key of the phones' keys."""
    phones: Mapping[str, Sequence[str]] = {}
    """MAC -> version and name of its row; empty if the inputs were returned instead."""
    inputs: bytes = b""
    """What the phones were made of; empty if that is not known or has another context."""


@dataclass
class _Changes:
    """What a run changes in the database."""

    removed: list[str]
    """MACs."""
    changed: list[tuple[str, str]]
    """Sign and name of each phone: + for a new one, ~ for a changed one."""
    shared: bool
    """Whether what all phones share has changed."""
    rearmed: dict[str, str]
    """MAC -> name of each phone that starts over."""

    def __bool__(self) -> bool:
        return bool(self.changed or self.removed or self.shared or self.rearmed)


class _AllMustBeReadError(Exception):
    """The phones with other inputs do not tell what is wrong with, or common to, all."""


class _Rows:
    """Writes the rows that differ to an archive, phone by phone."""

    def __init__(
        self,
        archive: SealedArchive,
        publisher: Publisher,
        options: Mapping[str, Any],
        salt: str,
        present: Callable[[], Mapping[str, Sequence[str]]],
    ) -> None:
        """*options*: redirects and rearm.

        *present*: returns what the database has, see _Present.phones; it is called only if a phone must be compared.
        """
        self._archive, self._publisher, self._salt, self._present = archive, publisher, salt, present
        self._redirects = read_redirects(options["redirects"])
        self.rearm = Rearming(options["rearm"])
        self.changed: list[tuple[str, str]] = []
        """See _Changes."""
        self._seen: set[str] = set()

    def add(self, entry: Entry, phone: Phone) -> None:
        """Write the row of a phone if the database has another one or none."""
        redirect = self._redirects.get(phone.mac.plain, "")
        row = record_of(entry.variables, phone, self._publisher, redirect, self._salt)
        self._seen.add(row["mac"])
        self.rearm.add(row["mac"], row["name"])
        was = self._present().get(row["mac"])
        if was is None or was[0] != row["version"]:
            self.changed.append(("+" if was is None else "~", row["name"]))
            self._archive.stream.write(json_line(_values(row)))

    def removed(self, changed: ChangedPhones | None) -> list[str]:
        """Return the MACs in the database that no phone has. *changed*: None if all phones were added."""
        if changed is None:
            return [mac for mac in self._present() if mac not in self._seen]
        if changed.is_empty:
            return []
        names = changed.read | changed.gone
        return [mac for mac, (_version, name) in self._present().items() if name in names and mac not in self._seen]


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
            result.update(self._fill(publication))
        return result

    def _fill(self, publication: Publication) -> dict[str, Any]:
        # This process ends with its task, so spare the garbage collector all that Ansible has built so far
        gc.freeze()
        recorder = self._recorder(publication)
        present = self._present(recorder.context if recorder and not (self._options["full"] or self._options["rearm"]) else "")
        try:
            return self._compare(publication, present, recorder)
        except _AllMustBeReadError:
            # What was recorded until then is not that of all phones
            return self._compare(publication, self._present(""), self._recorder(publication))

    def _recorder(self, publication: Publication) -> InputsRecorder | None:
        return publication.recorder("database", self._options["redirects"])

    def _compare(self, publication: Publication, present: _Present, recorder: InputsRecorder | None) -> dict[str, Any]:
        """Make the database that of the inventory.

        With *present.inputs*, only phones are read whose inputs are others; raise _AllMustBeReadError if that is not enough.
        """
        before = _read_inputs(present.inputs)

        @cache
        def phones() -> Mapping[str, Sequence[str]]:
            return self._present("").phones if present.inputs else present.phones

        changed: ChangedPhones | None = None
        with sealed_archive() as archive:
            rows = _Rows(archive, publication.publisher, self._options, present.salt, phones)
            if recorder and before:
                changed = publication.validate_changed(before, (), (), recorder, rows.add)
                if changed is None:
                    raise _AllMustBeReadError
                count = changed.validated.count
            else:
                count = publication.validate(False, (), recorder, rows.add).count
            if not count and phones():
                raise PhoneError(
                    f"{publication.source.name} contains no phones, so all {len(phones())} in the database would be removed"
                )
            is_same = changed is not None and changed.is_same
            templates = before.templates() if before and is_same else recorder.templates() if recorder else None
            inputs = publication.finish(recorder, 0) if recorder and not is_same else present.inputs
            changes = self._finish(archive, present, rows, changed, self._settings(publication, present, templates), inputs)
            archive.close()
            if (changes or inputs != present.inputs) and not self._task.check_mode:
                self._target.call(archive=self._target.upload(archive.path), archive_key=archive.key)
        return self._result(changes, count)

    def _finish(
        self,
        archive: SealedArchive,
        present: _Present,
        rows: _Rows,
        changed: ChangedPhones | None,
        settings: Mapping[str, object],
        inputs: bytes,
    ) -> _Changes:
        """Write the last line of the archive, what does not concern single phones; return all changes."""
        customers = read_customers(self._options["customers"])
        version = version_of(as_json([settings, customers]), present.salt)
        changes = _Changes(rows.removed(changed), rows.changed, version != present.version, rows.rearm.chosen())
        values = {**settings, "salt": present.salt, "version": version}
        end = {
            "customers": customers if changes.shared else None,
            "settings": {name: as_json(value) for name, value in values.items()} if changes.shared else None,
            "removed": changes.removed,
            "rearmed": [*changes.rearmed],
            "inputs": base64.b64encode(inputs).decode() if changes or inputs != present.inputs else None,
        }
        archive.stream.write(json_line(end))
        return changes

    def _settings(self, publication: Publication, present: _Present, templates: Iterable[str] | None) -> dict[str, object]:
        """Return what all phones share in the service. *templates*: those that phones use; None for all that were loaded."""
        options = self._options
        texts = publication.templates.texts()
        return {
            "publication": publication.settings,
            "families": options["families"],
            "templates": texts if templates is None else {name: texts[name] for name in templates},
            # What the profile service lays below the rows that it asks for itself
            "groups": options["groups"] if options["rows"] and is_database_url(options["rows"]) else {},
            "master_key": self._check_master_key(present.master_key),
        }

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

    def _present(self, context: str) -> _Present:
        """Return what the database has; with a *context* that of its inputs has, these in place of the phones."""
        answer = self._target.call(context=context)
        if not answer["present"]:
            return _Present(secrets.token_hex(16))
        salt, version, master_key, phones = json.loads(gzip.decompress(base64.b64decode(answer["present"])))
        return _Present(salt, version, master_key, phones, base64.b64decode(answer["inputs"]))


def _read_inputs(packed: bytes) -> Inputs | None:
    """Return packed inputs; None for none, or those of another version of the collection."""
    try:
        return read_inputs(packed) if packed else None
    except InputsError:
        return None


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
