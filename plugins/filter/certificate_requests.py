# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The certificates of a station, for the role certificates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.voip.preprovision.plugins.module_utils.certificates import (
    CertificateError,
    certificate_requests,
)


def _certificate_requests(name: str, devices: Sequence[Mapping[str, str]] = (), days: int = 825) -> list[dict[str, Any]]:
    try:
        return [asdict(request) for request in certificate_requests(name, devices, days)]
    except CertificateError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"certificate_requests": _certificate_requests}
