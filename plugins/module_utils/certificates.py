# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which certificates a station has: its bench CA, its server, and its emulated phones.

Source of the phones' subject: provisioning guides of the SPA and MPP families, which show OU=CP-8841-3PCC, L=<serial>,
S=<MAC>. "S" is a surname in Apache's names and a state in others; this is the surname, and readers look in every attribute.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .bench_network import is_host_name
from .mac import MacError, parse_mac

_LONGEST_COMMON_NAME = 64  # RFC 5280, ub-common-name
_ATTRIBUTE = re.compile(r"[!-~](?:[ -~]{0,62}[!-~])?")
_CA_DAYS = 7300  # it is built into phones, which nobody wants to collect again
_SMALLEST_KEY, _LARGEST_KEY = 1024, 4096
USUAL_KEY = 2048
"""Bits of an RSA key that every family takes."""


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
    """Who signs: ``ownca`` the bench CA, ``selfsigned`` itself, ``given`` somebody elsewhere."""
    key_bits: int = USUAL_KEY
    """Size of the RSA key that is made; 0 when a key is brought along."""
    basic_constraints: tuple[str, ...] = ("CA:FALSE",)
    extended_key_usage: tuple[str, ...] = ()
    subject_alt_name: tuple[str, ...] = ()


@dataclass(frozen=True)
class Server:
    """What the server's certificate says and where it comes from."""

    name: str
    """FQDN under which phones reach the server."""
    information: str = ""
    """Stands behind the name in the common name, after a slash, as phones accept it; empty for the name alone."""
    key_bits: int = USUAL_KEY
    signed_elsewhere: bool = False
    key_brought: bool = False

    @property
    def common_name(self) -> str:
        return f"{self.name}/{self.information}" if self.information else self.name


def certificate_requests(server: Server, devices: Iterable[Mapping[str, str]], days: int) -> list[CertificateRequest]:
    """The bench CA first, then the *server*, then each device (``mac``, ``model``, ``serial``); valid for *days*.

    Raise CertificateError with one finished sentence, which names the role's variable, for what cannot be certified.
    """
    _check_server(server)
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
            subject={"CN": server.common_name},
            key_usage=("digitalSignature", "keyEncipherment"),
            days=days,
            provider="given" if server.signed_elsewhere else "ownca",
            extended_key_usage=("serverAuth",),
            subject_alt_name=(f"DNS:{server.name}",),
            key_bits=0 if server.key_brought else server.key_bits,
        ),
        *_device_requests(devices, days),
    ]


def _check_server(server: Server) -> None:
    if not is_host_name(server.name) or "." not in server.name or len(server.name) > _LONGEST_COMMON_NAME:
        raise CertificateError(
            f"certificates_name is '{server.name}'; it must be the fully qualified name that phones use, "
            f"of at most {_LONGEST_COMMON_NAME} characters, as prov.example.net"
        )
    if server.information and not _ATTRIBUTE.fullmatch(server.information):
        raise CertificateError(
            f"certificates_information is '{server.information}'; it must be 1 to 64 printable ASCII characters, or empty"
        )
    if len(server.common_name) > _LONGEST_COMMON_NAME:
        raise CertificateError(
            f"certificates_name and certificates_information make the common name '{server.common_name}' of "
            f"{len(server.common_name)} characters; it may have {_LONGEST_COMMON_NAME}"
        )
    if not _SMALLEST_KEY <= server.key_bits <= _LARGEST_KEY:
        raise CertificateError(
            f"certificates_key_bits is {server.key_bits}; phones take RSA keys of {USUAL_KEY} to {_LARGEST_KEY} bits, "
            f"and old ones of {_SMALLEST_KEY}"
        )
    if server.key_brought and not server.signed_elsewhere:
        raise CertificateError(
            "certificates_key is a key without its certificate; name the file of the certificate in certificates_signed"
        )


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
