# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The states of a phone in the vendor's remote customization.

Source: "Remote Customization (RC) Distribution" of the in-house chapter of the ATA 191/192 provisioning guide.
"""

from __future__ import annotations

from enum import StrEnum


class CustomizationState(StrEnum):
    """Where a phone stands in remote customization."""

    OPEN = "Open"
    ABORTED = "Aborted"
    PENDING = "Pending"
    CUSTOM_PENDING = "Custom Pending"
    ACQUIRED = "Acquired"
    UNAVAILABLE = "Unavailable"

    @property
    def is_final(self) -> bool:
        """Whether the service is no longer asked; only a factory reset leads out."""
        return self in (CustomizationState.ABORTED, CustomizationState.ACQUIRED)
