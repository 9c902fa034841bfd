# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters for systemd units and the code that they run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.voip.preprovision.plugins.module_utils.station.unit_hardening import UnitHardeningError, hardening_lines
from ansible_collections.voip.preprovision.plugins.plugin_utils.source_code import SourceError
from ansible_collections.voip.preprovision.plugins.plugin_utils.source_code import domain_digest as digest_of_packages


def unit_hardening(directives: Mapping[str, str | int | Sequence[str]]) -> list[str]:
    """Return the lines that confine a unit."""
    try:
        return hardening_lines(directives)
    except UnitHardeningError as error:
        raise AnsibleFilterError(str(error)) from error


def domain_digest(packages: Iterable[str]) -> str:
    """Return a digest that changes with the code of these packages."""
    try:
        return digest_of_packages(packages)
    except SourceError as error:
        raise AnsibleFilterError(f"domain_digest: {error}") from error


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"domain_digest": domain_digest, "unit_hardening": unit_hardening}
