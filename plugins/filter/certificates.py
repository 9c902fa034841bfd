# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters for the role certificates: a station's requests, ledger and signed certificates."""

from __future__ import annotations

import datetime
import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible.utils.display import Display

from ansible_collections.voip.preprovision.plugins.module_utils.certificates.clock_check import clock_problem
from ansible_collections.voip.preprovision.plugins.module_utils.certificates.delivery_checks import missing_roots
from ansible_collections.voip.preprovision.plugins.module_utils.certificates.install_checks import (
    PemFiles,
    Requirements,
    prepare_installation,
)
from ansible_collections.voip.preprovision.plugins.module_utils.certificates.ledger import (
    ending,
    find_drift,
    format_ledger,
    format_report,
    is_sent,
    is_settled,
    read_device_roots,
    read_ledger,
)
from ansible_collections.voip.preprovision.plugins.module_utils.certificates.requests import (
    USUAL_KEY,
    CertificateError,
    Server,
    certificate_requests,
)
from ansible_collections.voip.preprovision.plugins.module_utils.families.catalogue import BUILTIN
from ansible_collections.voip.preprovision.plugins.module_utils.families.model import FamilyError


def _certificate_requests(
    names: Sequence[str],
    devices: Sequence[Mapping[str, str]] = (),
    days: int = 825,
    information: str = "",
    key_bits: int = USUAL_KEY,
    signed_elsewhere: bool = False,
    key_brought: bool = False,
) -> list[dict[str, Any]]:
    name, *addresses = names
    try:
        server = Server(name, tuple(addresses), information, int(key_bits), signed_elsewhere, key_brought)
        requests = certificate_requests(server, devices, int(days))
    except CertificateError as error:
        raise AnsibleFilterError(str(error)) from error
    if server.key_bits < USUAL_KEY:
        Display().warning(
            f"certificates_key_bits is {server.key_bits}: such a key can be broken, which lets an attacker impersonate {name}. "
            f"Use {USUAL_KEY} unless phones are too old for it; a smaller key needs web_server_tls: legacy."
        )
    return [{**asdict(request), "provider": request.provider.value} for request in requests]


def signed_certificate(
    certificate: str, owner: str, name: str, chain: str = "", days_left: int = 0, key_bits: int = USUAL_KEY
) -> dict[str, str]:
    """Return the certificate to install, and its entries for the ledger."""
    try:
        required = Requirements(name, datetime.datetime.now(datetime.UTC), int(days_left), int(key_bits))
        signed = prepare_installation(PemFiles(certificate, owner, chain), required)
    except CertificateError as error:
        raise AnsibleFilterError(f"certificates_signed: {error}") from error
    return {
        "pem": signed.pem,
        "issuer": signed.issuer,
        "signed": signed.not_before.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "expires": signed.not_after.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def certificate_ledger(
    found: Sequence[Mapping[str, Any]],
    requests: Sequence[Mapping[str, Any]],
    roots: Sequence[Mapping[str, str]],
    folder: str,
    signed: Mapping[str, str] | None = None,
) -> str:
    """Return the text of the ledger; *found*: what ansible.builtin.find found in *folder*."""
    return format_ledger(requests, roots, signed or {}, _by_path(found, folder))


def certificates_settled(
    found: Sequence[Mapping[str, Any]],
    requests: Sequence[Mapping[str, Any]],
    roots: Sequence[Mapping[str, str]],
    folder: str,
    renew_days: int,
    signed: Mapping[str, str] | None = None,
    sent: str | None = None,
) -> bool:
    """Tell whether there is nothing to issue, install or send."""
    files = _by_path(found, folder)
    ledger = format_ledger(requests, roots, signed or {}, files)
    now = time.time()
    return is_settled(ledger, requests, files, now, now + int(renew_days) * 86400) and (
        sent is None or (is_sent(files) and files["server.csr"]["checksum"] == _sha1(sent))
    )


def certificates_drift(
    found: Sequence[Mapping[str, Any]],
    requests: Sequence[Mapping[str, Any]],
    folder: str,
    ledger: str,
    unusable: Sequence[str] = (),
) -> list[dict[str, str]]:
    """Return ``path`` and ``what`` of each file that is not what was issued, or is made again because of another."""
    return [drift._asdict() for drift in find_drift(ledger, requests, _by_path(found, folder), unusable)]


def _sha1(text: str) -> str:
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def _by_path(found: Sequence[Mapping[str, Any]], folder: str) -> dict[str, Mapping[str, Any]]:
    return {file["path"].removeprefix(f"{folder}/"): file for file in found}


def certificate_report(
    ledger: str, days_left: int = 30, families: Sequence[str] = (), own_families: Mapping[str, Any] | None = None
) -> str:
    """Return a ledger as a table, followed by what has to be done, and by the *families* whose maker's CA is missing."""
    rows = _rows(ledger)
    try:
        known = BUILTIN.extended(own_families or {}).families
        missing = missing_roots([known[name] for name in families if name in known], read_device_roots(ledger))
    except (CertificateError, FamilyError) as error:
        raise AnsibleFilterError(str(error)) from error
    return format_report(rows, datetime.datetime.now(datetime.UTC), int(days_left), missing)


def certificates_ending(ledger: str, days_left: int = 30) -> list[str]:
    """Return a sentence for each certificate that phones rely on and that expires too soon."""
    return ending(_rows(ledger), datetime.datetime.now(datetime.UTC), int(days_left))


def _clock_problem(host: str, controller: float, max_hours: int) -> str:
    return clock_problem(float(host), float(controller), int(max_hours))


def _rows(ledger: str) -> list[dict[str, str]]:
    try:
        return read_ledger(ledger)
    except CertificateError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "certificate_ledger": certificate_ledger,
            "certificate_report": certificate_report,
            "certificate_requests": _certificate_requests,
            "certificates_drift": certificates_drift,
            "certificates_ending": certificates_ending,
            "certificates_settled": certificates_settled,
            "clock_problem": _clock_problem,
            "signed_certificate": signed_certificate,
        }
