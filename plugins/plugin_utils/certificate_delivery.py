# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether the phones of a publication can fetch their profiles with their makers' certificates, by a task's options."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..module_utils.certificates.delivery_checks import FamilyPhones, Trust, missing_for_certificate
from ..module_utils.common.mac import MacError, parse_mac
from ..module_utils.phones.phone import PhoneError
from .certificate_files import read_device_roots, read_signers


def check_certificate_delivery(
    options: Mapping[str, Any], phones: Iterable[FamilyPhones], loader: Any, find: Callable[[str], str | None]
) -> None:
    """Raise PhoneError with one line for each family that lacks something, or CertificateError for files that cannot be used.

    *phones*: those with delivery by certificate. *find*: returns the path of a file on the controller. Without the option
    device_roots nothing is known about the station, and nothing is checked.
    """
    groups = [*phones]
    if options["device_roots"] is None or not groups:
        return
    trust = Trust(
        device_roots=[root.subject for root in read_device_roots(options["device_roots"], loader, find)],
        server_signers=read_signers([options["server_certificate"] or "", options["server_chain"] or ""], loader, find),
        gives_bench_root=bool(options["ca_url"]),
    )
    missing = missing_for_certificate(groups, trust)
    if missing:
        raise PhoneError("\n".join(missing))


def read_exempt_phones(names: Iterable[object]) -> frozenset[str]:
    """Return the MAC addresses (12 digits) of phones with a password; the role web_server refuses what is none."""
    macs = set()
    for name in names:
        try:
            macs.add(parse_mac(name).plain)
        except MacError:
            continue
    return frozenset(macs)
