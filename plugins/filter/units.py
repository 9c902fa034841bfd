# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters for systemd units."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.voip.preprovision.plugins.module_utils.station.unit_hardening import UnitHardeningError, hardening_lines


def unit_hardening(directives: Mapping[str, str | int | Sequence[str]]) -> list[str]:
    """Return the lines that confine a unit."""
    try:
        return hardening_lines(directives)
    except UnitHardeningError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"unit_hardening": unit_hardening}
