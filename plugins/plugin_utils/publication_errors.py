# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What users can do wrong in a publication."""

from __future__ import annotations

from ..module_utils.certificates.requests import CertificateError
from ..module_utils.families.model import FamilyError, ModelError
from ..module_utils.firmware.images import FirmwareError
from ..module_utils.phones.phone import PhoneError
from ..module_utils.phones.rows import RowsError
from ..module_utils.profiles.flat_profile import ProfileError
from ..module_utils.profiles.sealing.model import SealingError
from ..module_utils.publishing.settings import PublicationError
from ..module_utils.publishing.templates import TemplateError

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
