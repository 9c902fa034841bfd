# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which certificates a station has: its bench CA, its server, and its emulated phones.

Source of the phones' subject: provisioning guides of the SPA and MPP families, which show OU=CP-8841-3PCC, L=<serial>,
S=<MAC>. "S" is a surname in Apache's names and a state in others; this is the surname, and readers look in every attribute.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .bench_network import is_host_name
from .mac import MacError, parse_mac

_LONGEST_COMMON_NAME = 64  # RFC 5280, ub-common-name
_ATTRIBUTE = re.compile(r"[!-~](?:[ -~]{0,62}[!-~])?")
_CA_DAYS = 7300  # it is built into phones, which nobody wants to collect again


class CertificateError(ValueError):
    """A certificate cannot say this; the message names the value and what would be right."""


@dataclass(frozen=True)
class CertificateRequest:
    """One key, request and certificate; `file` is their common path without suffix."""

    file: str
    subject: dict[str, str]
    key_usage: tuple[str, ...]
    days: int
    provider: str = "ownca"
    """Who signs: ``ownca`` the bench CA, ``selfsigned`` itself."""
    basic_constraints: tuple[str, ...] = ("CA:FALSE",)
    extended_key_usage: tuple[str, ...] = ()
    subject_alt_name: tuple[str, ...] = ()


def certificate_requests(name: str, devices: Iterable[Mapping[str, str]], days: int) -> list[CertificateRequest]:
    """The bench CA first, then the server `name`, then each device (``mac``, ``model``, ``serial``); valid for `days`.

    Raise CertificateError with one finished sentence, which names the role's variable, for what cannot be certified.
    """
    if not is_host_name(name) or "." not in name or len(name) > _LONGEST_COMMON_NAME:
        raise CertificateError(
            f"certificates_name is '{name}'; it must be the fully qualified name that phones use, "
            f"of at most {_LONGEST_COMMON_NAME} characters, as prov.example.net"
        )
    return [
        CertificateRequest(
            file="bench-ca",
            subject={"CN": "Preprovisioning bench CA"},
            key_usage=("keyCertSign", "cRLSign"),
            days=_CA_DAYS,
            provider="selfsigned",
            basic_constraints=("CA:TRUE", "pathlen:0"),
        ),
        CertificateRequest(
            file="server",
            subject={"CN": name},
            key_usage=("digitalSignature", "keyEncipherment"),
            days=days,
            extended_key_usage=("serverAuth",),
            subject_alt_name=(f"DNS:{name}",),
        ),
        *_device_requests(devices, days),
    ]


def _device_requests(devices: Iterable[Mapping[str, str]], days: int) -> Iterable[CertificateRequest]:
    seen: set[str] = set()
    for device in devices:
        try:
            mac = parse_mac(device["mac"])
        except MacError as error:
            raise CertificateError(f"certificates_devices: {error}") from error
        if mac.plain in seen:
            raise CertificateError(f"certificates_devices holds {mac} twice; each device needs its own MAC address")
        seen.add(mac.plain)
        for key in ("model", "serial"):
            if not _ATTRIBUTE.fullmatch(str(device[key])):
                raise CertificateError(
                    f"certificates_devices: the {key} of {mac} is '{device[key]}'; "
                    "a certificate takes 1 to 64 printable ASCII characters"
                )
        yield CertificateRequest(
            file=f"devices/{mac.plain}",
            subject={"OU": str(device["model"]), "L": str(device["serial"]), "SN": mac.plain},
            key_usage=("digitalSignature", "keyEncipherment"),
            days=days,
            extended_key_usage=("clientAuth",),
        )


LEDGER = "ledger"
"""Name of the file in which a station notes what was issued."""


def format_ledger(requests: Sequence[Mapping[str, Any]], roots: Sequence[str], files: Mapping[str, Mapping[str, Any]]) -> str:
    """Note what was wanted (*requests*, PEM texts of further *roots*) and what each of *files* is.

    *files*: path below the certificates' folder -> what ``find`` tells: checksum, mode, uid, gid.
    """
    wanted = {"requests": requests, "roots": [hashlib.sha256(text.encode()).hexdigest() for text in roots]}
    found = {
        path: [file["checksum"], file["mode"], file["uid"], file["gid"]] for path, file in files.items() if path != LEDGER
    }
    return json.dumps({**wanted, "files": found}, sort_keys=True, indent=1) + "\n"


def is_settled(ledger: str, requests: Sequence[Mapping[str, Any]], files: Mapping[str, Mapping[str, Any]], until: float) -> bool:
    """Tell whether the station's ledger is this one and every certificate is valid at *until* (seconds since 1970).

    A certificate's file is as old as the certificate: only issuing writes it.
    """
    noted = files.get(LEDGER, {}).get("checksum")
    if noted != hashlib.sha1(ledger.encode(), usedforsecurity=False).hexdigest():
        return False
    issued = {request["file"]: files.get(f"{request['file']}.pem", {}).get("mtime", 0) for request in requests}
    return all(issued[request["file"]] + request["days"] * 86400 > until for request in requests)
