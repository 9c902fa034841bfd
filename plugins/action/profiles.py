# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Controller side of the profiles module: validate all phones, render and seal what differs, send it in one transfer."""

from __future__ import annotations

import base64
import gc
import secrets
from collections.abc import Collection, Container
from dataclasses import dataclass
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

from ..module_utils.common.suggest import did_you_mean, nearest
from ..module_utils.phones.phone import PhoneError
from ..module_utils.publishing.inputs import InputsError, read_common, read_inputs
from ..module_utils.publishing.layout import DEVICE, UNITS
from ..module_utils.publishing.master_key import check_master_key
from ..module_utils.publishing.settings import ProfileKind
from ..module_utils.publishing.transfer import Live, LiveFile, Writer, read_contents, read_live
from ..plugin_utils.certificate_delivery import check_certificate_delivery, read_exempt_phones
from ..plugin_utils.explain import explain
from ..plugin_utils.incremental import ChangedPhones
from ..plugin_utils.options import check_spelling, read_options
from ..plugin_utils.origins import row_origins, variable_origins
from ..plugin_utils.phone_inputs import InputsRecorder
from ..plugin_utils.phone_source import user_file
from ..plugin_utils.plan_changes import Changes, describe, new_salt, plan_changes, unchanged
from ..plugin_utils.progress import report_progress, report_step
from ..plugin_utils.publication import ERRORS, Publication
from ..plugin_utils.publication_options import KEYS, KINDS, PHONES, PUBLICATION, SETTINGS, TRUST, argument_spec, merge_publication
from ..plugin_utils.target_module import SealedArchive, TargetModule, failing, sealed_archive
from ..plugin_utils.validate_phones import ValidatedPhones
from ..plugin_utils.variable_specs import role_variables

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "dest": {"type": "path", "required": True},
    "state": {"type": "str", "default": "present", "choices": ["present", "checked", "previous"]},
    "purge": {"type": "bool", "default": False},
    "explain": {"type": "str"},
    "device_group": {"type": "str", "default": "preprovision-web"},
    "unit_group": {"type": "str", "default": "preprovision-tftp"},
    "keep": {"type": "int", "default": 2},
    "replace_master_key": {"type": "bool", "default": False},
    "full": {"type": "bool", "default": False},
    **argument_spec(PUBLICATION, PHONES, SETTINGS, KINDS, TRUST, KEYS),
}
REQUIRED_IF = [(*("state", state), ("bench_url", "remote_url")) for state in ("present", "checked")]


MAX_NAMED = 5000
"""Phones of which the target is asked by name; of more it returns all."""


def _damaged(live: Live, kinds: Collection[str]) -> list[LiveFile]:
    return [file for file in live.entries.values() if not file.fingerprint and file.kind in kinds]


@dataclass
class _Plan:
    """What is published, and what it is compared with."""

    publication: Publication
    validated: ValidatedPhones
    recorder: InputsRecorder | None
    changed: ChangedPhones | None
    """None if all phones are read."""
    inputs_before: bytes
    """What the live files were made of; empty if that is not known."""

    @property
    def bootstraps_before(self) -> int:
        """Number of bootstrap profiles that are live."""
        return read_common(self.inputs_before).bootstraps

    def inputs(self, changes: Changes) -> bytes:
        """Return what the files are made of; nothing if phones could not be told apart by it."""
        if self.changed and self.changed.is_same:
            return self.inputs_before
        return self.publication.finish(self.recorder, changes.bootstraps) if self.recorder else b""


class ActionModule(ActionBase):
    """Wiring: variables -> phones -> files -> changes -> one transfer."""

    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Publish, and return what changed."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = merge_publication("profiles", self._task.args)
        self._variables = task_vars or {}
        check_spelling("profiles", ARGUMENT_SPEC, arguments, self._loader)
        self._options = options = read_options("profiles", ARGUMENT_SPEC, arguments, required_if=REQUIRED_IF)
        groups = {DEVICE: options["device_group"], UNITS: options["unit_group"]}
        self._target = TargetModule(self, "published_tree", task_vars, "profiles", path=options["dest"], groups=groups)
        if options["state"] == "previous":
            answer = self._target.call(state="previous")
            return {**result, "changed": answer["changed"], "generation": answer["generation"]}
        with failing(*ERRORS, reword=role_variables(self._variables)):
            publication = Publication(options, self._loader, self._find_needle, self._variables, options["kinds"])
            result.update(self._explain(publication) if options["explain"] else self._publish(publication))
        return result

    # -- publish

    def _publish(self, publication: Publication) -> dict[str, Any]:
        options = self._options
        # This process ends with its task, so spare the garbage collector all that Ansible has built so far
        gc.freeze()
        passwords = read_exempt_phones(options["exempt_phones"])
        keep = publication.source.rows is None
        if options["state"] == "checked":
            validated = publication.validate(keep, passwords)
            check_certificate_delivery(options, validated.certificate_families.values(), self._loader, self._find_file)
            return {"changed": False}
        recorder = self._recorder(publication)
        live, inputs, changed = Live(), b"", None
        if recorder and not options["full"]:
            live, inputs = self._inspect(recorder.context)
            changed = self._validate_changed(publication, live, inputs, recorder, passwords)
            if changed is None:
                recorder = self._recorder(publication)
        validated = changed.validated if changed else publication.validate(keep, passwords, recorder)
        check_certificate_delivery(options, validated.certificate_families.values(), self._loader, self._find_file)
        report_step(validated.count, f"checked all {validated.count:,} phones; now reading the live files")
        if recorder is None or options["full"]:
            live, _inputs = self._inspect("")
        elif inputs and changed is None:
            live = self._complete(live, None, ())
        published = "" if options["replace_master_key"] else live.master_key
        master_key = check_master_key(published, options["master_key"], options["previous_master_key"])
        if options["purge"] and not validated.count and any(file.kind != ProfileKind.BOOTSTRAP for file in live.entries.values()):
            raise PhoneError(
                f"{publication.source.name} contains no phones, so purge would delete every live profile; set purge to false"
            )
        plan = _Plan(publication, validated, recorder, changed, inputs)
        if self._task.check_mode:
            return self._replace(plan, live, master_key, None)
        with sealed_archive() as archive:
            return self._replace(plan, live, master_key, archive)

    def _replace(self, plan: _Plan, live: Live, master_key: str, archive: SealedArchive | None) -> dict[str, Any]:
        """Make what differs from *live* the new generation, with a new *master_key*; without an *archive*, only compute it."""
        writer = Writer(archive.stream, live.name, live.salt, master_key) if archive else None
        changes, live = self._plan(plan, live, writer)
        changed = changes.changed or master_key != live.master_key
        inputs = plan.inputs(changes)
        result: dict[str, Any] = {
            "changed": changed,
            "published": changes.published,
            "unchanged": changes.unchanged,
            "removed": changes.removed,
            "files": changes.files,
            "sent": changes.sent,
            "rendered": changes.rendered,
            "generation": live.name,
        }
        if self._task.diff:
            result["diff"] = self._diff(changes, live)
        if archive and writer and changed:
            report_step(changes.sent, f"sending {changes.sent:,} files")
            writer.finish(changes.removed_paths, inputs)
            archive.close()
            remote = self._target.upload(archive.path)
            answer = self._target.call(archive=remote, archive_key=archive.key, keep=self._options["keep"])
            result["generation"] = answer["generation"]
        elif archive and writer and live.name and inputs != plan.inputs_before:
            writer.finish((), inputs)
            archive.close()
            self._target.call(archive=self._target.upload(archive.path), archive_key=archive.key, inputs_only=True)
        return result

    def _plan(self, plan: _Plan, live: Live, writer: Writer | None) -> tuple[Changes, Live]:
        """Return what changes, and the live files that were needed to know it."""
        changed, validated = plan.changed, plan.validated
        if changed and changed.is_empty and not _damaged(live, self._options["kinds"]):
            return unchanged(changed, plan.bootstraps_before), live
        if changed:
            owners = {*changed.read, *changed.gone}
            if len(owners) > MAX_NAMED:
                live = self._complete(live, None, ())
            else:
                paths = [path for phone in validated.phones() for path, _kind in validated.publisher.paths(phone)]
                live = self._complete(live, owners, paths)
        return plan_changes(validated, live, self._options["purge"], writer, report_progress, changed), live

    def _recorder(self, publication: Publication) -> InputsRecorder | None:
        options = self._options
        return publication.recorder(options["purge"], sorted(options["exempt_phones"]))

    def _validate_changed(
        self, publication: Publication, live: Live, packed: bytes, recorder: InputsRecorder, passwords: Container[str]
    ) -> ChangedPhones | None:
        """Read and check the phones that changed; return None if all must be read."""
        if not packed:
            return None
        try:
            before = read_inputs(packed)
        except InputsError:
            return None
        damaged = _damaged(live, self._options["kinds"])
        if damaged and ProfileKind.BOOTSTRAP in self._options["complete"]:
            return None
        return publication.validate_changed(before, {file.owner for file in damaged}, passwords, recorder)

    def _find_file(self, name: str) -> str:
        try:
            return str(self._find_needle("files", name))
        except AnsibleError:
            return user_file(self._variables, name)

    def _inspect(self, context: str) -> tuple[Live, bytes]:
        """Return the live files, or only the damaged ones and what all were made of, if that has the *context*."""
        answer = self._target.call(context=context, full=self._options["full"])
        live = read_live(base64.b64decode(answer["live"]))
        return live if live.salt else live._replace(salt=new_salt()), base64.b64decode(answer["inputs"])

    def _complete(self, live: Live, owners: Collection[str] | None, paths: Collection[str]) -> Live:
        """Return *live*, which lists only damaged files, with the others of *owners*, or of all, and those at *paths*."""
        wanted: dict[str, Any] = {"generation": live.name}
        if owners is not None:
            wanted |= {"owners": sorted(owners), "paths": [*paths]}
        whole = read_live(base64.b64decode(self._target.call(**wanted)["live"]))
        entries = {path: live.entries.get(path, file) for path, file in whole.entries.items()}
        return live._replace(entries=entries)

    def _diff(self, changes: Changes, live: Live) -> dict[str, str]:
        paths = [path for file, path, _owner, _kind in changes.shown if file is not None and path in live.entries]
        old: dict[str, bytes] = {}
        if paths:
            # What modules return can be printed, so it is sealed for this one answer
            key = secrets.token_hex(32)
            old = read_contents(base64.b64decode(self._target.call(contents=paths, archive_key=key)["contents"]), key)
        before, after = describe(changes, live, old)
        dest = self._options["dest"]
        return {"before_header": f"{dest} (live)", "after_header": f"{dest} (inventory)", "before": before, "after": after}

    # -- explain

    def _explain(self, publication: Publication) -> dict[str, Any]:
        source, name = publication.source, self._options["explain"]
        entry = next((entry for entry in source.entries() if entry.name == name), None)
        if entry is None:
            known = [entry.name for entry in source.entries()]
            some = f"; there are {len(known)}, such as {', '.join(known[:3])}" if known else "; there are no phones"
            hint = did_you_mean(nearest(name, known)) or some
            raise PhoneError(f"unknown phone '{name}'{hint}")
        if source.rows is None:
            manager = self._task.get_variable_manager()
            origins = variable_origins(manager, self._loader, manager._inventory, name, entry.variables)
        else:
            origins = row_origins(self._options["groups"], entry)
        return {"changed": False, "explanation": explain(entry, publication.reader, publication.publisher, origins)}
