# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The certificates of a station, for the role certificates."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.voip.preprovision.plugins.module_utils.certificates import (
    CertificateError,
    certificate_requests,
    format_ledger,
    is_settled,
)


def _certificate_requests(name: str, devices: Sequence[Mapping[str, str]] = (), days: int = 825) -> list[dict[str, Any]]:
    try:
        return [asdict(request) for request in certificate_requests(name, devices, days)]
    except CertificateError as error:
        raise AnsibleFilterError(str(error)) from error


def certificate_ledger(
    found: Sequence[Mapping[str, Any]], requests: Sequence[Mapping[str, Any]], roots: Sequence[str], folder: str
) -> str:
    """Return the text of the ledger for the files that ansible.builtin.find has found in *folder*."""
    return format_ledger(requests, roots, _by_path(found, folder))


def certificates_settled(
    found: Sequence[Mapping[str, Any]],
    requests: Sequence[Mapping[str, Any]],
    roots: Sequence[str],
    folder: str,
    renew_days: int,
) -> bool:
    """Tell whether nothing is to be issued."""
    files = _by_path(found, folder)
    return is_settled(format_ledger(requests, roots, files), requests, files, time.time() + renew_days * 86400)


def _by_path(found: Sequence[Mapping[str, Any]], folder: str) -> dict[str, Mapping[str, Any]]:
    return {file["path"].removeprefix(f"{folder}/"): file for file in found}


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "certificate_requests": _certificate_requests,
            "certificate_ledger": certificate_ledger,
            "certificates_settled": certificates_settled,
        }
