# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the actions that make profiles have in common: phones, keys, settings and templates by a task's options."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any

from ..module_utils.publishing.inputs import InputKey, Inputs
from ..module_utils.publishing.publisher import Publisher
from ..module_utils.publishing.settings import read_settings
from .incremental import ChangedPhones, validate_changed
from .phone_inputs import InputsRecorder, code_version
from .phone_source import Entries, PhoneSource
from .profile_templates import TemplateFiles
from .progress import report_progress
from .publication_errors import ERRORS
from .publication_options import plain_settings
from .validate_phones import ValidatedPhones, Validation, Visit, report_ignored, validate_phones
from .variable_specs import role_variables

__all__ = ["ERRORS", "Publication"]


class Publication:
    """The phones of a task and what their profiles are made of; reading anything raises one of ERRORS."""

    def __init__(
        self,
        options: Mapping[str, Any],
        loader: Any,
        find: Callable[[str, str], str],
        variables: Mapping[str, Any],
        kinds: Sequence[str],
    ) -> None:
        """*loader*: Ansible's DataLoader; *find*: finds a template; *kinds*: what to make."""
        self._options = options
        self._reword = role_variables(variables)
        self.source = PhoneSource(options, loader, variables)
        self.templates = TemplateFiles(loader, find, variables)
        self.settings = plain_settings(options, self.source.catalogue)
        """As JSON can hold them."""
        self.publisher = Publisher(read_settings(self.settings, kinds), self.templates)
        master_key = options.get("master_key")
        self.reader = self.source.reader(master_key, options.get("previous_master_key"))
        self._input_key = InputKey(master_key) if master_key else None
        self._read: tuple[InputKey | None, Entries] | None = None

    def recorder(self, *more: object) -> InputsRecorder | None:
        """Return what records the inputs of phones; None without a master key to hide them. *more*: what they also include."""
        key = self._input_key
        if key is None:
            return None
        options = self._options
        context = [code_version(), self.settings, self.publisher.settings.kinds, options["families"], bool(options["rows"])]
        groups = options["groups"] if options["rows"] else {}
        return InputsRecorder(key, key.shared([*context, options.get("previous_master_key"), *more]), key.shared(groups))

    def validate(
        self, keep: bool, passwords: Container[str] = (), recorder: InputsRecorder | None = None, visit: Visit | None = None
    ) -> ValidatedPhones:
        """Read and check all phones, and report what they would ignore; see Validation.

        *keep*: whether to keep them for rendering.
        """
        entries = self._entries(recorder)
        found = ValidatedPhones(entries, self.reader, self.publisher, kept=[] if keep else None)
        validated = validate_phones(entries, Validation(found, passwords, recorder, visit), report_progress)
        self._report(validated)
        return validated

    def validate_changed(
        self,
        before: Inputs,
        again: Container[str],
        passwords: Container[str],
        recorder: InputsRecorder,
        visit: Visit | None = None,
    ) -> ChangedPhones | None:
        """Read and check the phones that changed, and report what phones would ignore; see incremental.validate_changed()."""
        result = ValidatedPhones((), self.reader, self.publisher)
        validation = Validation(result, passwords, recorder, visit)
        changed = validate_changed(self._entries(recorder), validation, recorder, before, again, self.templates, report_progress)
        if changed:
            self._report(result)
        return changed

    def finish(self, recorder: InputsRecorder, bootstraps: int) -> bytes:
        """Return the recorded inputs, packed; nothing if they cannot be used to skip phones."""
        if self.source.missing_groups():
            # Which of these a phone causes is not recorded
            return b""
        inputs = recorder.finish(bootstraps, self.templates.texts())
        return inputs.pack() if inputs else b""

    def _entries(self, recorder: InputsRecorder | None) -> Entries:
        key = recorder.key if recorder else None
        if self._read is None or self._read[0] is not key:
            self._read = (key, self.source.entries(key))
        return self._read[1]

    def _report(self, validated: ValidatedPhones) -> None:
        ignored = map(self._reword, [*validated.ignored, *self.source.missing_groups()])
        report_ignored(ignored, validated.unknown, self._options["unknown_parameters"])
