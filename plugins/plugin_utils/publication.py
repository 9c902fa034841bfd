# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the actions that make profiles have in common: phones, keys, settings and templates by a task's options."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any

from ..module_utils.certificates.requests import CertificateError
from ..module_utils.families.model import FamilyError, ModelError
from ..module_utils.firmware.images import FirmwareError
from ..module_utils.phones.phone import PhoneError
from ..module_utils.phones.rows import RowsError
from ..module_utils.profiles.flat_profile import ProfileError
from ..module_utils.profiles.sealing.model import SealingError
from ..module_utils.publishing.publisher import Publisher
from ..module_utils.publishing.settings import PublicationError, read_settings
from ..module_utils.publishing.templates import TemplateError
from .phone_source import PhoneSource
from .profile_templates import TemplateFiles
from .progress import report_progress
from .publication_options import plain_settings
from .validate_phones import ValidatedPhones, report_ignored, validate_phones
from .variable_specs import role_variables

ERRORS: tuple[type[Exception], ...] = (
    CertificateError,
    FamilyError,
    FirmwareError,
    ModelError,
    PhoneError,
    ProfileError,
    PublicationError,
    RowsError,
    SealingError,
    TemplateError,
)
"""What users can do wrong; the messages are for them, and show no value of a variable."""


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
        self.reader = self.source.reader(options.get("master_key"), options.get("previous_master_key"))

    def validate(self, keep: bool, passwords: Container[str] = ()) -> ValidatedPhones:
        """Read and check all phones, and report what they would ignore; see validate_phones()."""
        entries = self.source.entries()
        if self.source.rows is None and not keep:
            # Looking up a host's variables takes long, so it is done once
            entries = [*entries]
        validated = validate_phones(entries, self.reader, self.publisher, keep, report_progress, passwords)
        ignored = map(self._reword, [*validated.ignored, *self.source.missing_groups()])
        report_ignored(ignored, validated.unknown, self._options["unknown_parameters"])
        return validated
