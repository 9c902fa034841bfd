# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The certificates of a station: its bench CA, its server and its emulated phones.

Source of the phones' subject: provisioning guides of the SPA and MPP families, which show OU=CP-8841-3PCC, L=<serial>,
S=<MAC>. "S" means surname in Apache's names and state in others; these certificates use the surname, and readers look in every
attribute.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from ..common.mac import MacError, parse_mac
from ..common.validate import ValidationError, is_host_name, is_ipv4, read_text_or_digits

MAX_COMMON_NAME = 64  # RFC 5280, ub-common-name
_ATTRIBUTE = re.compile(r"[!-~](?:[ -~]{0,62}[!-~])?")
_CA_DAYS = 7300  # phones carry it, and are hard to collect once delivered
_MIN_KEY_BITS, _MAX_KEY_BITS = 1024, 4096
USUAL_KEY = 2048
"""Size in bits of an RSA key that every family accepts."""


BENCH_CA_NAME = "Preprovisioning bench CA"
"""Common name of every station's own CA."""


class CertificateError(ValueError):
    """A value cannot be used in a certificate; the message names it and what would be right."""


class Provider(StrEnum):
    """Who signs a certificate, as community.crypto names it."""

    BENCH_CA = "ownca"
    ITSELF = "selfsigned"
    ELSEWHERE = "given"
    """A CA outside the station; the user supplies the certificate."""


@dataclass(frozen=True)
class CertificateRequest:
    """One key, request and certificate; `file` is their common path without suffix."""

    file: str
    subject: dict[str, str]
    key_usage: tuple[str, ...]
    days: int
    provider: Provider = Provider.BENCH_CA
    key_bits: int = USUAL_KEY
    """Size of the RSA key to generate; 0 when the user supplies a key."""
    basic_constraints: tuple[str, ...] = ("CA:FALSE",)
    extended_key_usage: tuple[str, ...] = ()
    subject_alt_name: tuple[str, ...] = ()


@dataclass(frozen=True)
class Server:
    """The content and origin of the server's certificate."""

    name: str
    """FQDN by which phones reach the server."""
    addresses: tuple[str, ...] = ()
    """IPv4 addresses by which browsers reach it; a CA outside the station may refuse them."""
    information: str = ""
    """Follows the name and a slash in the common name, which phones accept; empty: only the name."""
    key_bits: int = USUAL_KEY
    signed_elsewhere: bool = False
    key_brought: bool = False

    @property
    def common_name(self) -> str:
        return f"{self.name}/{self.information}" if self.information else self.name


def certificate_requests(server: Server, devices: Iterable[Mapping[str, str]], days: int) -> list[CertificateRequest]:
    """Return the requests for the bench CA, the *server* and each device (``mac``, ``model``, ``serial``), valid for *days*.

    Raise CertificateError with a sentence that names the role's invalid variable.
    """
    _check_server(server)
    return [
        CertificateRequest(
            file="bench-ca",
            subject={"CN": BENCH_CA_NAME},
            key_usage=("keyCertSign", "cRLSign"),
            days=_CA_DAYS,
            provider=Provider.ITSELF,
            basic_constraints=("CA:TRUE", "pathlen:0"),
        ),
        CertificateRequest(
            file="server",
            subject={"CN": server.common_name},
            key_usage=("digitalSignature", "keyEncipherment"),
            days=days,
            provider=Provider.ELSEWHERE if server.signed_elsewhere else Provider.BENCH_CA,
            extended_key_usage=("serverAuth",),
            subject_alt_name=(f"DNS:{server.name}", *(f"IP:{address}" for address in server.addresses)),
            key_bits=0 if server.key_brought else server.key_bits,
        ),
        *_device_requests(devices, days),
    ]


def _check_server(server: Server) -> None:
    if not is_host_name(server.name) or "." not in server.name or len(server.name) > MAX_COMMON_NAME:
        raise CertificateError(
            f"certificates_name is '{server.name}'; it must be the fully qualified name that phones use, "
            f"with at most {MAX_COMMON_NAME} characters, such as prov.example.net"
        )
    for address in server.addresses:
        if not is_ipv4(address):
            raise CertificateError(f"certificates_addresses contains '{address}'; it must be an IPv4 address, such as 192.0.2.1")
    if server.information and not _ATTRIBUTE.fullmatch(server.information):
        raise CertificateError(
            f"certificates_information is '{server.information}'; it must be 1 to 64 printable ASCII characters, or empty"
        )
    if len(server.common_name) > MAX_COMMON_NAME:
        raise CertificateError(
            f"certificates_name and certificates_information make the common name '{server.common_name}' of "
            f"{len(server.common_name)} characters; at most {MAX_COMMON_NAME} are allowed"
        )
    if not _MIN_KEY_BITS <= server.key_bits <= _MAX_KEY_BITS:
        raise CertificateError(
            f"certificates_key_bits is {server.key_bits}; phones accept RSA keys of {USUAL_KEY} to {_MAX_KEY_BITS} bits, "
            f"old ones {_MIN_KEY_BITS}"
        )
    if server.key_brought and not server.signed_elsewhere:
        raise CertificateError("certificates_key is set without a certificate; set certificates_signed to the certificate's file")


def _device_requests(devices: Iterable[Mapping[str, str]], days: int) -> Iterable[CertificateRequest]:
    seen: set[str] = set()
    for device in devices:
        try:
            mac = parse_mac(device["mac"])
        except MacError as error:
            raise CertificateError(f"certificates_devices: {error}") from error
        if mac.plain in seen:
            raise CertificateError(f"certificates_devices contains {mac} twice; each device needs its own MAC address")
        seen.add(mac.plain)
        model, serial = (_attribute(device[key], f"the {key} of {mac}") for key in ("model", "serial"))
        yield CertificateRequest(
            file=f"devices/{mac.plain}",
            subject={"OU": model, "L": serial, "SN": mac.plain},
            key_usage=("digitalSignature", "keyEncipherment"),
            days=days,
            extended_key_usage=("clientAuth",),
        )


def _attribute(value: object, what: str) -> str:
    """Return an attribute of a subject; raise CertificateError that calls it *what*."""
    try:
        text = read_text_or_digits(value)
    except ValidationError as error:
        raise CertificateError(f"certificates_devices: {what} {error}") from error
    if not _ATTRIBUTE.fullmatch(text):
        raise CertificateError(f"certificates_devices: {what} is '{text}'; a certificate takes 1 to 64 printable ASCII characters")
    return text
